"""Photon-ML's GAME training command, as `TrainOptions`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import NamedTuple

from gdmix.compat import photon_values as values
from gdmix.compat.photon_data import opened
from gdmix.compat.photon_legacy import legacy
from gdmix.compat.photon_parameters import DRIVERS
from gdmix.compat.photon_training import training
from gdmix.compat.photon_words import Command, read_command
from gdmix.compat.report import Report
from gdmix.config import TrainOptions
from gdmix.errors import ConfigError

RUN = "gdmix"
"""Our run directory within Photon-ML's root of outputs."""

_DRIVERS = {
    "training": (training, "root-output-directory"),
    "legacy": (legacy, "output-directory"),
}


class Translation(NamedTuple):
    """A training command, as ours.

    Attributes
    ----------
    options : TrainOptions
    report : Report
    root : Path
        Photon-ML's root of outputs.
    overwrite : bool
        Whether the output may be replaced.
    """

    options: TrainOptions
    report: Report
    root: Path
    overwrite: bool

    def with_overrides(self, overrides: tuple[str, ...]) -> TrainOptions:
        """Return the options after assignments such as ``sweeps=3``.

        Raises
        ------
        ConfigError
            An assignment is wrong.
        """
        return TrainOptions.from_values(self.options.plain(), "translated", overrides)


def translate(text: str, *, there: bool = True) -> Translation:
    """Read a command line of Photon-ML's training drivers, the deprecated one too.

    Parameters
    ----------
    text : str
        With or without ``spark-submit ... photon.jar`` before it.
    there : bool
        Whether the data must be there: columns are looked up in it.

    Raises
    ------
    ConfigError
        A parameter is unknown, missing or wrong, or the command trains nothing.
    DataError
        The data is not there, or cannot be read.
    """
    command = read_command(text)
    report = Report(f"Photon-ML's {command.driver} command")
    if command.driver not in _DRIVERS:
        hint = "gdmix convert-config names the commands that do what it does"
        raise ConfigError("the Photon-ML command", "trains no model", hint=hint)
    driver, output = _DRIVERS[command.driver]
    plain = driver(command.values, report, partial(opened, there=there))
    root = Path(command.values[output][0])
    report.maps(f"--{output}", f"output: {root / RUN}")
    note_ignored(command, report)
    options = TrainOptions.parse(plain | {"output": str(root / RUN)}, "translated")
    override = ("override-output-directory", "delete-output-dirs-if-exist")
    again = [
        values.boolean(f"--{n}", command.values[n][0]) for n in override if n in command.values
    ]
    return Translation(options, report, root, any(again))


def note_ignored(command: Command, report: Report) -> None:
    """Record the parameters that become nothing, and why."""
    for name, parameter in DRIVERS[command.driver].items():
        if name in command.values and (why := parameter.ignored or parameter.lacking):
            report.ignores(f"--{name}", why)
