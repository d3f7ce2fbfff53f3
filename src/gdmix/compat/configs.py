"""A configuration file of any kind, made ready for a run."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from gdmix.compat.detext_command import run_of
from gdmix.compat.detext_words import arguments_of, is_detext_config
from gdmix.compat.gdmix_config import convert, is_gdmix_config
from gdmix.compat.gdmix_tree import GdmixTree
from gdmix.compat.report import Report
from gdmix.config import TrainOptions, read_config
from gdmix.errors import ConfigError
from gdmix.workflow import Beside


class Prepared(NamedTuple):
    """What a run needs.

    Attributes
    ----------
    options : TrainOptions
    report : Report or None
        What became of somebody else's options; None for a file of ours.
    beside : Beside or None
        What is written besides.
    """

    options: TrainOptions
    report: Report | None = None
    beside: Beside | None = None


def prepare(path: Path, overrides: tuple[str, ...] = ()) -> Prepared:
    """Read a file of ours, of GDMix's or DeText's; `overrides` are assignments to our options.

    Raises
    ------
    ConfigError
        The file is missing, is not YAML, or an option is wrong.
    """
    values = _values(path)
    if is_detext_config(values):
        run = run_of(arguments_of(values, str(path)), Report(str(path)))
        return Prepared(run.with_overrides(overrides), run.report)
    if not is_gdmix_config(values):
        return Prepared(TrainOptions.from_values(values, str(path), overrides))
    found = convert(values, str(path))
    options = TrainOptions.from_values(found.options, str(path), overrides)
    return Prepared(options, found.report, GdmixTree(found.theirs))


def _values(path: Path) -> dict[str, Any]:
    """Read YAML; or JSON that is none, as it is where lines begin with tabs."""
    try:
        return read_config(path)
    except ConfigError:
        with suppress(OSError, ValueError):
            found = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(found, dict) and is_gdmix_config(found):
                return found
        raise


def converted(path: Path) -> tuple[TrainOptions, Report]:
    """Return what somebody else's file means here.

    Raises
    ------
    ConfigError
        It is no file of GDMix's or DeText's, or an option is wrong.
    """
    prepared = prepare(path)
    if prepared.report is None:
        hint = "this file is ours already: gdmix train runs it"
        expected = "GDMix's configuration, or DeText's arguments"
        problem = "there is no fixed_effect_config and no random_effect_config"
        raise ConfigError(str(path), problem, expected, hint)
    return prepared.options, prepared.report
