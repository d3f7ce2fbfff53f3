"""The command line: ``gdmix train``, ``predict``, ``evaluate``, ``inspect`` and the others.

Commands import what they need when they run, so that ``gdmix --help`` answers at once.
"""

from __future__ import annotations


def main() -> None:
    """Run the command line; a mistake of the user ends in one message and exit status 2."""
    import sys

    # importing a module adds its commands, in the order in which help shows them
    from gdmix.cli import app as _  # noqa: F401
    from gdmix.cli import data_commands, exchange_commands
    from gdmix.cli.arguments import app
    from gdmix.cli.output import complain
    from gdmix.errors import GdmixError

    try:
        app()
    except GdmixError as error:
        complain(error)
        sys.exit(2)
    except KeyboardInterrupt:
        # before a command began; from then on the app itself answers
        print("stopped", file=sys.stderr)
        sys.exit(130)
