"""The table that grows while a model trains."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.status import Status as Spinner
from rich.table import Table

from gdmix.cli.output import Output
from gdmix.config import TrainOptions
from gdmix.descent import State, Update
from gdmix.glm.status import Status
from gdmix.grid import Point, label_of
from gdmix.metrics import Evaluator, parse
from gdmix.selection import Swept
from gdmix.workflow import Watcher

_STAGES = {"read": "reading data", "kernels": "loading kernels", "write": "writing the run"}


class TrainingTable(Watcher):
    """Prints a row after every update, and says what is going on in between.

    Attributes
    ----------
    began : bool
        Whether training began; what was wrong with config and data came before.
    """

    def __init__(self, console: Console, options: TrainOptions) -> None:
        self._console = console
        self._names = [name for name in options.coordinates if name not in options.locked]
        self._points = len(options.at_points())
        self._sweeps = options.sweeps
        self._metrics: Sequence[Evaluator] = options.evaluators if options.validation else ()
        self._width = max(len("coordinate"), *(len(name) for name in self._names))
        self._spinner: Spinner | None = None
        self.began = False

    @contextmanager
    def running(self) -> Iterator[None]:
        """Show a spinner around the run on a terminal."""
        with self._console.status("reading data") as self._spinner:
            yield

    def stage(self, name: str) -> None:
        """Say what is going on; the table begins with the training."""
        if name == "train":
            self.began = True
            self._header()
        self._say(_STAGES.get(name, "training"))

    def share(self, done: float, note: str = "") -> None:
        """Say which share of an update is done."""
        self._say(f"{note or 'solving entities'} {done:.0%}")

    def point(self, number: int, point: Point) -> None:
        """Print which point begins."""
        if point:
            text = escape(f"point {number} of {self._points}: {label_of(point)}")
            self._console.print(f"[cyan]{text}[/cyan]")

    def update(self, update: Update, state: State) -> None:
        """Print a row."""
        summary = update.summary
        cells = [
            f"{update.sweep:>5}",
            f"{update.coordinate:<{self._width}}",
            f"{update.samples - summary.passive:>11,}",
            f"{summary.entities:>9,}",
            f"{summary.coefficients:>12,}",
            f"{update.seconds:>8.3f}",
            f"{update.objective:>14.4f}",
            *(f"{update.metrics[e.name]:>{max(8, len(e.title))}.4f}" for e in self._metrics),
            _statuses(summary.statuses),
        ]
        self._console.print("  ".join(cells))
        sweep, position = divmod(len(state.history), len(self._names))
        if sweep < self._sweeps:
            self._say(f"sweep {sweep + 1}: {self._names[position]}")

    def _header(self) -> None:
        cells = [
            "sweep",
            f"{'coordinate':<{self._width}}",
            f"{'samples':>11}",
            f"{'entities':>9}",
            f"{'coefficients':>12}",
            f"{'seconds':>8}",
            f"{'objective':>14}",
            *(escape(f"{e.title:>8}") for e in self._metrics),
            "status",
        ]
        self._console.print(f"[bold]{'  '.join(cells)}[/bold]")

    def _say(self, text: str) -> None:
        if self._spinner is not None:
            self._spinner.update(text)


def show_points(swept: Swept, out: Output) -> None:
    """Print the table of points, the chosen one marked."""
    chosen = swept.best.number
    table = Table(box=None, pad_edge=False)
    table.add_column("point", justify="right")
    table.add_column("options")
    titles = [parse(name).title for name in swept.best.update.metrics]
    for title in (*titles, "objective", "seconds"):
        table.add_column(escape(title), justify="right")
    for line in swept.points:
        cells = [f"{value:.4f}" for value in line["metrics"].values()]
        cells += [f"{line['objective']:.4f}", f"{line['seconds']:.3f}"]
        options, mark = escape(label_of(line["options"])), line["number"] == chosen
        style = "bold green" if mark else None
        table.add_row(f"{'>' * mark} {line['number']}", options, *cells, style=style)
    out.say()
    out.console.print(table)
    out.say(f"chosen: point {chosen}, {swept.as_plain()['chosen']['why']}")


def warnings(history: Sequence[Update]) -> list[str]:
    """Return a line for every coordinate whose last update left models short of the optimum."""
    last = {update.coordinate: update for update in history}
    lines = []
    for name, update in last.items():
        for status, count in update.summary.statuses.items():
            if not status.ok:
                entities = update.summary.entities
                what = "the solver" if entities == 1 else f"{count:,} of {entities:,} models"
                lines.append(f"{name}: {what}: {status.message}")
    return lines


def kept(history: Sequence[Update]) -> list[str]:
    """Return a line for every coordinate that keeps what no row spoke of."""
    lines = []
    for name, summary in {update.coordinate: update.summary for update in history}.items():
        if not summary.kept_coefficients:
            continue
        what = f"{name}: kept {summary.kept_coefficients:,} coefficients of the initial model"
        if summary.kept_entities:
            what += f"; entities not trained: {summary.kept_entities:,}"
        lines.append(what)
    return lines


def _statuses(statuses: dict[Status, int]) -> str:
    if not statuses:
        return "[yellow]no entity has enough samples[/yellow]"
    wrong = {status: count for status, count in statuses.items() if not status.ok}
    if not wrong:
        ended = ", ".join(status.name.lower() for status in statuses)
        return f"[green]{ended}[/green]"
    parts = [
        f"{count:,} {status.name.lower().replace('_', ' ')}" for status, count in wrong.items()
    ]
    return f"[yellow]{', '.join(parts)}[/yellow]"
