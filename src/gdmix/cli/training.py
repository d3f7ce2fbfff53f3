"""``gdmix train``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

from rich.markup import escape

from gdmix import jit
from gdmix.cli.output import Output, command
from gdmix.cli.progress import TrainingTable, kept, show_points, warnings
from gdmix.cli.ranks import is_first, placed
from gdmix.compat.configs import Prepared, prepare
from gdmix.compat.detext_command import translate_detext
from gdmix.compat.detext_words import is_detext_file
from gdmix.compat.photon_command import translate
from gdmix.compat.photon_tree import PhotonTree
from gdmix.compat.photon_words import command_text, is_command_file
from gdmix.config import TrainOptions
from gdmix.errors import ConfigError, MissingExtraError
from gdmix.history import as_plain
from gdmix.workflow import Run, train


class Asked(NamedTuple):
    """What is to be trained.

    Attributes
    ----------
    prepared : Prepared
    again : list of str
        The words of the command line that name it.
    overwrite : bool
        Whether it says itself that its output may be replaced.
    """

    prepared: Prepared
    again: list[str]
    overwrite: bool = False


def chosen(
    config: Path | None,
    option: Path | None,
    photon: str | None,
    detext: str | None,
    overrides: tuple[str, ...],
) -> Asked:
    """Read a config file, or a command line of Photon-ML's or DeText's, or a file with one.

    Raises
    ------
    ConfigError
        There is not exactly one of them, or it is wrong.
    """
    given = [each for each in (config, option, photon, detext) if each is not None]
    if len(given) != 1:
        problem = f"found {len(given)} of CONFIG, --config, --photon and --detext"
        raise ConfigError("gdmix train", problem, "one of them")
    path = config or option
    sets = [word for assignment in overrides for word in ("--set", assignment)]
    if detext is not None or (path is not None and is_detext_file(path)):
        words = f"@{path}" if detext is None else detext
        run = translate_detext(command_text(words, "DeText"))
        prepared = Prepared(run.with_overrides(overrides), run.report)
        return Asked(prepared, ["--detext", words, *sets])
    if path is not None and not is_command_file(path):
        return Asked(prepare(path, overrides), [str(path), *sets])
    text = f"@{path}" if photon is None else photon
    found = translate(command_text(text))
    options = found.with_overrides(overrides)
    prepared = Prepared(options, found.report, PhotonTree(found.root))
    return Asked(prepared, ["--photon", text, *sets], found.overwrite)


def run_training(
    asked: Asked, out: Output, *, resume: bool, overwrite: bool, imports: float
) -> None:
    """Train, showing a growing table, then write the report and say what to do next."""
    with placed(asked.prepared.options, resume=resume) as options:
        beside = asked.prepared.beside if is_first() else None
        asked = asked._replace(prepared=asked.prepared._replace(options=options, beside=beside))
        _train(asked, out if is_first() else Output(quiet=True), resume, overwrite, imports)


def _train(asked: Asked, out: Output, resume: bool, overwrite: bool, imports: float) -> None:
    options, theirs, beside = asked.prepared
    overwrite = overwrite or (asked.overwrite and not resume)
    if not jit.is_compiled():
        out.say("[dim]compiling kernels for the first run; they are cached afterwards[/dim]")
    table = TrainingTable(out.console, options)
    try:
        with table.running():
            run = train(options, resume=resume, overwrite=overwrite, watcher=table, beside=beside)
    except KeyboardInterrupt:
        # checkpoints of an earlier run are no work of this one, unless it went on with them
        if (table.began or resume) and (Path(options.output) / "checkpoints").is_dir():
            again = command("train", *asked.again, "--resume")
            raise KeyboardInterrupt(f"stopped; `{again}` goes on") from None
        raise
    known = [] if theirs is None else theirs.summary()
    _conclude(options, run, out, {"imports": imports, **run.seconds}, known)


def _conclude(
    options: TrainOptions, run: Run, out: Output, seconds: dict[str, float], known: list[str]
) -> None:
    report = _report(options, run, out, seconds)
    if options.grid:
        show_points(run.swept, out)
    for line in kept(run.history):
        out.say(f"[dim]{escape(line)}[/dim]")
    told = [*known, *run.notes["days"], *run.notes["joins"], *warnings(run.history)]
    for line in told:
        out.say(f"[yellow]note:[/yellow] {escape(line)}")
    stages = "  ".join(f"{stage} {value:.2f}" for stage, value in seconds.items())
    out.say(f"\n[dim]seconds: {stages}[/dim]")
    names = ("model", "models", "scores")
    paths: dict[str, object] = {
        name: run.path / name for name in names if (run.path / name).exists()
    }
    paths["metrics"] = run.path / "metrics.json"
    if report is not None:
        paths["report"] = report
    out.wrote(paths, _next(run))
    out.result(
        {
            "run": str(run.path),
            "metrics": dict(run.swept.best.update.metrics),
            **run.swept.as_plain(),
            "history": [as_plain(update) for update in run.history],
            "seconds": seconds,
        }
    )


def _report(options: TrainOptions, run: Run, out: Output, seconds: dict[str, float]) -> Path | None:
    if not options.report or options.output_mode == "none":
        return None
    from gdmix.report import build_report

    started = time.perf_counter()
    try:
        with out.console.status("drawing the report"):
            path = build_report(run.path)
    except MissingExtraError as error:
        out.say(f"[yellow]note:[/yellow] {escape(str(error))}")
        return None
    seconds["report"] = time.perf_counter() - started
    return path


def _next(run: Run) -> list[str]:
    if run.options.output_mode == "none":
        return []
    model = run.path / "model"
    options = run.options
    data = (options.validation or options.train)[0]
    joined: list[str] = []
    for join in options.joins:
        files = join.validation if options.validation and join.validation else join.train
        joined += [word for file in files for word in ("--join", file)]
    if joined and options.joins[0].key != "uid":
        joined += ["--join-key", options.joins[0].key]
    return [
        command("inspect", model),
        command("evaluate", model, data, *joined),
        command("predict", model, data, *joined, "--output", "scores.parquet"),
    ]
