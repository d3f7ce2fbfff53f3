"""``gdmix convert-config``."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from rich.markup import escape

from gdmix.cli.output import Output, command, require_output
from gdmix.compat.configs import converted
from gdmix.compat.detext_command import translate_detext
from gdmix.compat.detext_words import is_detext_file
from gdmix.compat.photon_command import translate
from gdmix.compat.photon_data import opened
from gdmix.compat.photon_parameters import TRAINERS
from gdmix.compat.photon_scoring import commands_of
from gdmix.compat.photon_words import Command, command_text, is_command_file, read_command
from gdmix.compat.report import Report
from gdmix.config import TrainOptions
from gdmix.errors import ConfigError
from gdmix.store.aside import write_text


def run_convert_config(
    config: Path | None,
    photon: str | None,
    detext: str | None,
    output: Path | None,
    out: Output,
    *,
    overwrite: bool,
) -> None:
    """Print what became of every option, and write our YAML where `output` says."""
    if sum(each is not None for each in (config, photon, detext)) != 1:
        problem = "takes a file, --photon or --detext"
        raise ConfigError("gdmix convert-config", problem, hint="give one of them")
    if detext is not None or (config is not None and is_detext_file(config)):
        words = f"@{config}" if detext is None else detext
        run = translate_detext(command_text(words, "DeText"))
        inputs = [] if config is None else [config]
        _write(run.with_overrides(), run.report, inputs, output, out, overwrite=overwrite)
        return
    if config is not None and not is_command_file(config):
        _write(*converted(config), [config], output, out, overwrite=overwrite)
        return
    text = command_text(f"@{config}" if photon is None else photon)
    asked = read_command(text)
    if asked.driver not in TRAINERS:
        _show_commands(asked, out)
        return
    found = translate(text, there=False)
    inputs = [] if config is None else [config]
    _write(found.options, found.report, inputs, output, out, overwrite=overwrite)


def _write(
    options: TrainOptions,
    report: Report,
    inputs: list[Path],
    output: Path | None,
    out: Output,
    *,
    overwrite: bool,
) -> None:
    config = options.to_yaml()
    if output is not None:
        require_output(output, inputs, overwrite=overwrite)
        # what to know goes with the file
        write_text(output, "".join(f"# {note}\n" for note in report.notes) + config)
    out.say(escape(report.text()))
    if output is None:
        out.say(escape(config))
    else:
        out.wrote({"config": output}, [command("train", output)])
    written = options.plain() if output is None else str(output)
    out.result({"config": written, **_plain(report)})


def _show_commands(asked: Command, out: Output) -> None:
    report = Report(f"Photon-ML's {asked.driver} command")
    found = commands_of(asked, report, partial(opened, there=False))
    commands = [command(*words) for words in found]
    out.say(escape(report.text()))
    for line in commands:
        out.say(escape(line))
    out.result({"commands": commands, **_plain(report)})


def _plain(report: Report) -> dict[str, object]:
    return {
        "mapped": dict(report.mapped),
        "ignored": dict(report.ignored),
        "notes": report.notes,
    }
