"""Open the backend that the options of a run ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gdmix.backends import Backend, LocalBackend
from gdmix.config import TrainOptions
from gdmix.engines.local import LocalEngine
from gdmix.onspark import SparkBackend, open_session


@contextmanager
def open_backend(
    options: TrainOptions, progress: Callable[[float, str], None]
) -> Iterator[Backend]:
    """Open what `options` ask for, and close it in the end.

    Raises
    ------
    MissingExtraError
        PySpark is not installed.
    RunError
        Spark does not start.
    """
    if options.engine == "local":
        yield LocalBackend(LocalEngine(options.threads, progress))
        return
    with open_session(options.spark) as session:
        yield SparkBackend.of(session, options.spark.partitions)
