"""DeText's training command, as `TrainOptions`."""

from __future__ import annotations

from typing import Any, NamedTuple

from gdmix.compat.detext_arguments import DetextArguments
from gdmix.compat.detext_coordinate import coordinate
from gdmix.compat.detext_rows import files_of
from gdmix.compat.detext_task import aim_of
from gdmix.compat.detext_words import read_arguments
from gdmix.compat.idle import idle_reason
from gdmix.compat.report import Report
from gdmix.config import TrainOptions
from gdmix.errors import ConfigError

NAME = "deep"
"""What the only coordinate is called."""


class DetextRun(NamedTuple):
    """A training command, as ours.

    Attributes
    ----------
    options : dict of str to Any
        Options of a run as plain values.
    report : Report
    """

    options: dict[str, Any]
    report: Report

    def with_overrides(self, overrides: tuple[str, ...] = ()) -> TrainOptions:
        """Return the options after assignments such as ``coordinates.deep.loss=lambdarank``.

        Raises
        ------
        ConfigError
            An option does not fit the others.
        """
        return TrainOptions.from_values(self.options, "translated", overrides)


def translate_detext(text: str) -> DetextRun:
    """Read a command line of DeText's trainer.

    Raises
    ------
    ConfigError
        An argument is unknown, missing or wrong, or asks for what is not there.
    DataError
        The rows must be counted, and cannot be.
    """
    return run_of(read_arguments(text), Report("DeText's command"), "--")


def run_of(given: DetextArguments, report: Report, path: str = "") -> DetextRun:
    """Map arguments; `path` stands before their names in messages and in the report.

    Raises
    ------
    ConfigError
        Something that is asked for is not there.
    """
    if given.out_dir is None:
        raise ConfigError(f"{path}out_dir", "required argument is missing")
    aim = aim_of(given, path, report)
    options: dict[str, Any] = {"task": aim.task}
    for theirs, ours, value in (
        ("train_file", "train", files_of(given.train_file)),
        ("dev_file", "validation", None if given.dev_file is None else files_of(given.dev_file)),
        ("label_column_name", "label", given.label_column_name),
        ("uid_column_name", "uid", given.uid_column_name),
        ("weight_column_name", "weight", given.weight_column_name),
        ("out_dir", "output", given.out_dir),
    ):
        if value is not None:
            options[ours] = value
            shown = ", ".join(value) if isinstance(value, list) else value
            report.maps(f"{path}{theirs}", f"{ours}: {shown}")
    if aim.lists is not None:
        options["lists"] = aim.lists
        report.note("a record is a list of documents: each becomes a row (`lists`)")
    options["coordinates"] = {NAME: coordinate(NAME, given, aim, path, report)}
    if aim.metrics:
        options["metrics"] = aim.metrics
    pass_over(given, path, report)
    return DetextRun(options, report)


def pass_over(given: DetextArguments, path: str, report: Report) -> None:
    """Record the arguments that mean nothing here."""
    for name in type(given).model_fields:
        reason = idle_reason(type(given), name)
        if reason is not None and name in given.model_fields_set:
            report.ignores(f"{path}{name}", reason)
