"""``gdmix train``."""

from __future__ import annotations

import time
from pathlib import Path

from rich.markup import escape

from gdmix import jit
from gdmix.cli.output import Output, command
from gdmix.cli.progress import TrainingTable, kept, show_points, warnings
from gdmix.config import TrainOptions
from gdmix.errors import MissingExtraError
from gdmix.history import as_plain
from gdmix.workflow import Run, train


def run_training(
    config: Path,
    overrides: tuple[str, ...],
    out: Output,
    *,
    resume: bool,
    overwrite: bool,
    imports: float,
) -> None:
    """Train, showing a growing table, then write the report and say what to do next."""
    options = TrainOptions.from_file(config, overrides)
    if not jit.is_compiled():
        out.say("[dim]compiling kernels for the first run; they are cached afterwards[/dim]")
    table = TrainingTable(out.console, options)
    try:
        with table.running():
            run = train(options, resume=resume, overwrite=overwrite, watcher=table)
    except KeyboardInterrupt:
        # checkpoints of an earlier run are no work of this one, unless it went on with them
        if (table.began or resume) and (Path(options.output) / "checkpoints").is_dir():
            raise KeyboardInterrupt(_resuming(config, overrides)) from None
        raise
    _conclude(options, run, out, {"imports": imports, **run.seconds})


def _conclude(options: TrainOptions, run: Run, out: Output, seconds: dict[str, float]) -> None:
    report = _report(options, run, out, seconds)
    if options.grid:
        show_points(run.swept, out)
    for line in kept(run.history):
        out.say(f"[dim]{escape(line)}[/dim]")
    for line in [*run.notes["days"], *run.notes["joins"], *warnings(run.history)]:
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
    data = (run.options.validation or run.options.train)[0]
    return [
        command("inspect", model),
        command("evaluate", model, data),
        command("predict", model, data, "--output", "scores.parquet"),
    ]


def _resuming(config: Path, overrides: tuple[str, ...]) -> str:
    again = [word for assignment in overrides for word in ("--set", assignment)]
    return f"stopped; `{command('train', config, *again, '--resume')}` goes on"
