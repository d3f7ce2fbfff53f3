"""The command line: ``gdmix train``, ``predict``, ``evaluate``, ``inspect`` and the others.

Commands import what they need when they run, so that ``gdmix --help`` answers at once.
"""

from __future__ import annotations


def main() -> None:
    """Run the command line; a mistake of the user ends in one message and exit status 2."""
    import sys
    from importlib import import_module

    from gdmix.cli.arguments import app
    from gdmix.cli.output import complain
    from gdmix.errors import GdmixError

    # importing a module adds its commands, in the order in which help shows them
    for name in ("app", "data_commands", "exchange_commands"):
        import_module(f"gdmix.cli.{name}")
    try:
        app()
    except GdmixError as error:
        complain(error)
        sys.exit(2)
    except KeyboardInterrupt:
        # before a command began; from then on the app itself answers
        print("stopped", file=sys.stderr)
        sys.exit(130)
