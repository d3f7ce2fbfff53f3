"""What a training tells while it goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple


class Progress(NamedTuple):
    """Where a training stands.

    Attributes
    ----------
    step, steps : int
        Updates done, and in all.
    loss : float
        Mean loss of the rows since the last report, by weight; penalties are not in it.
    rate : float
        The learning rate of the last update.
    samples_per_second : float
        Rows of all processes, since the last report.
    waited : float
        Share of the time since the last report in which the input was waited for.
    metric : float or None
        Of the validation data, where it has just been evaluated.
    """

    step: int
    steps: int
    loss: float
    rate: float
    samples_per_second: float
    waited: float
    metric: float | None = None


Observer = Callable[[Progress], None]


@contextmanager
def telling(folder: Path | None, first: int, observer: Observer | None) -> Iterator[Observer]:
    """Give what takes reports: it hands them on, and draws curves for TensorBoard.

    Parameters
    ----------
    folder : Path or None
        Where curves are written, if TensorBoard is installed; nowhere without one.
    first : int
        Step that curves go on from: what a killed training wrote behind it is hidden.
    observer : Callable or None
    """
    made = None if folder is None else _writer_class()
    writer = None if made is None else made(str(folder), purge_step=first)

    def tell(progress: Progress) -> None:
        if writer is not None:
            for name, value in _curves(progress).items():
                writer.add_scalar(name, value, progress.step)
        if observer is not None:
            observer(progress)

    try:
        yield tell
    finally:
        if writer is not None:
            writer.close()


def _curves(progress: Progress) -> dict[str, float]:
    found = {
        "loss": progress.loss,
        "learning rate": progress.rate,
        "samples a second": progress.samples_per_second,
        "input waited for": progress.waited,
    }
    return found if progress.metric is None else {**found, "metric": progress.metric}


def _writer_class() -> Any:  # noqa: ANN401 - a class of a package that may be absent
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter
