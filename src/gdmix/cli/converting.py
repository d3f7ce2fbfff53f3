"""``gdmix convert-config``."""

from __future__ import annotations

from pathlib import Path

from rich.markup import escape

from gdmix.cli.output import Output, command, require_output
from gdmix.compat.configs import converted
from gdmix.store.aside import write_text


def run_convert_config(config: Path, output: Path, out: Output, *, overwrite: bool) -> None:
    """Write our YAML, and print what became of every option."""
    options, report = converted(config)
    require_output(output, [config], overwrite=overwrite)
    write_text(output, options.to_yaml())
    out.say(escape(report.text()))
    out.wrote({"config": output}, [command("train", output)])
    out.result(
        {
            "config": str(output),
            "mapped": dict(report.mapped),
            "ignored": dict(report.ignored),
            "notes": report.notes,
        }
    )
