"""`Cluster`: the few ways in which the engine uses Spark's RDDs, each by Spark's own means."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gdmix.engines.blocks import total
from gdmix.engines.spark import folders
from gdmix.engines.spark.answers import Answer, Record, answering, attempt, failing, flat, prepare
from gdmix.errors import RunError

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark import RDD, SparkContext

Floats = NDArray[np.float64]
Shape = tuple[int, ...]

_TRIES = 4
# names of arrays that later tasks remove: no more than fit into a task's description
_DEAD = 64
# numbers that the driver adds up itself; fewer partitions than these are never worth a shuffle
_FEW, _PARTITIONS = 1 << 22, 5


class Stored:
    """Arrays of all partitions on the executors: a cached RDD of answers with records.

    Parameters
    ----------
    cluster : Cluster
    rdd : RDD of Answer
    name : str
        Of its folders.
    parents : sequence of Stored
        Whose folders it needs.
    """

    def __init__(
        self, cluster: Cluster, rdd: RDD[Any], name: str, parents: Sequence[Stored] = ()
    ) -> None:
        from pyspark import StorageLevel

        self._level = StorageLevel.MEMORY_AND_DISK
        self.rdd = _apart(rdd).persist(self._level)
        self._parents = tuple(parents)
        weakref.finalize(self, _forget, self.rdd, name, cluster.released, cluster.dead)

    def renew(self, *, keep: bool) -> None:
        """Have the records made anew by the next job, and kept or not."""
        self.rdd.unpersist()
        if keep:
            self.rdd.persist(self._level)


def _apart(rdd: RDD[Any]) -> RDD[Any]:
    """Have the elements of an RDD pickled one by one.

    RDDs pickled alike are zipped as they are. Otherwise Spark starts a process for each of them,
    to pickle it anew, in every task of every pass.
    """
    from pyspark.serializers import BatchedSerializer, CPickleSerializer

    return rdd._reserialize(BatchedSerializer(CPickleSerializer(), 1))


def _forget(rdd: RDD[Any], name: str, released: list[RDD[Any]], dead: list[str]) -> None:
    """Note what is not needed any more; the next job sees to it.

    A finalizer may run in the middle of a call to the JVM, where no other can be made.
    """
    released.append(rdd)
    dead.append(name)
    del dead[:-_DEAD]


class Cluster:
    """A Spark application.

    Parameters
    ----------
    context : SparkContext
    """

    def __init__(self, context: SparkContext) -> None:
        self.context = context
        self.released: list[RDD[Any]] = []
        self.dead: list[str] = []
        self._stored: weakref.WeakSet[Stored] = weakref.WeakSet()

    def store(
        self,
        sources: Sequence[Stored] | RDD[Any],
        write: Callable[..., None],
        *more: RDD[Any],
        column: bool = False,
        parents: Sequence[Stored] = (),
    ) -> Stored:
        """Have ``write(folder, number, *values)`` pack every partition, when it is needed first.

        Parameters
        ----------
        sources : RDD of Answer, or sequence of Stored
            Partition by partition beside each other.
        write : callable
        *more : RDD of Answer
            Beside them.
        column : bool
            Whether it is a column of the rows that come first.
        parents : sequence of Stored
            Others whose folders are needed as long as these.
        """
        held: tuple[Stored, ...] = tuple(sources) if isinstance(sources, Sequence) else ()
        base: Any = self.beside(held) if held else sources
        for other in more:
            base = base.zip(_apart(other))
        name = folders.new_name()
        rdd = self.each(base, partial(packing, name, write, column))
        return self.adopt(rdd, name, (*held, *parents))

    def adopt(self, rdd: RDD[Any], name: str, parents: Sequence[Stored] = ()) -> Stored:
        """Have the answers of an RDD kept, whose folders have a name."""
        stored = Stored(self, rdd, name, parents)
        self._stored.add(stored)
        return stored

    def beside(self, sources: Sequence[Stored]) -> RDD[Any]:
        """Return the records of several, partition by partition beside each other."""
        rdd = sources[0].rdd
        for other in sources[1:]:
            rdd = rdd.zip(other.rdd)
        return rdd

    def each(self, rdd: RDD[Any], function: Callable[..., Any]) -> RDD[Any]:
        """Return the answers of ``function(number, *values)`` for every partition."""
        while self.released:
            self.released.pop().unpersist()
        work = partial(answering, function, tuple(self.dead))
        return rdd.mapPartitionsWithIndex(work, preservesPartitioning=True)

    def collect(self, rdd: RDD[Any]) -> list[Any]:
        """Return the values of all partitions, in their order.

        Raises
        ------
        GdmixError
            What a task raised.
        RunError
            Arrays are missing however often they are made.
        """
        for again in range(_TRIES):
            answers = _collected(rdd)
            wrong = next((each.error for each in answers if each.error is not None), None)
            if wrong is not None:
                raise wrong
            if not any(answer.gone for answer in answers):
                return [answer.value for answer in answers]
            for stored in list(self._stored):
                # without cached records, a task makes what it needs itself
                stored.renew(keep=again + 2 < _TRIES)
        problem = "arrays of partitions vanish from the executors' local folders"
        raise RunError("Spark", problem, hint="is something clearing spark.local.dir?")

    def run(self, sources: Sequence[Stored], function: Callable[..., Any]) -> list[Any]:
        """Return what ``function(number, *values)`` makes of every partition."""
        return self.collect(self.each(self.beside(sources), function))

    def zipped(self, first: RDD[Any], *others: RDD[Any]) -> RDD[Any]:
        """Return the answers of several RDDs, partition by partition beside each other."""
        for other in others:
            first = first.zip(_apart(other))
        return first

    def deal(self, values: Iterable[Any]) -> RDD[Any]:
        """Return an RDD with one value of the driver's in each partition."""
        answers = [Answer(value) for value in values]
        return self.context.parallelize(answers, len(answers))

    def exchange(
        self, rdd: RDD[Any], emit: Callable[..., Iterable[tuple[int, Any]]], targets: int
    ) -> RDD[Any]:
        """Send values from partitions to others, by Spark's shuffle.

        Parameters
        ----------
        rdd : RDD of Answer
        emit : callable
            ``emit(number, *values)`` yields numbers of partitions and what they get.
        targets : int
            Partitions of what comes out; each has a list of (sender, value) in the senders' order.
        """
        work = partial(_emit, emit, targets, tuple(self.dead))
        sent = rdd.mapPartitionsWithIndex(work)
        return sent.partitionBy(targets, _itself).mapPartitions(_gathered)

    def add_up(self, rdd: RDD[Any], partitions: int, shapes: Sequence[Shape]) -> tuple[Floats, ...]:
        """Add up arrays of all partitions in their order: the same bits, whoever computed them.

        Few numbers are added up here. Of many, each of several tasks adds up a slice.

        Parameters
        ----------
        rdd : RDD of Answer
            Of tuples of arrays.
        partitions : int
        shapes : sequence of tuple
            Of the arrays.
        """
        sizes = [int(np.prod(shape)) for shape in shapes]
        if partitions < _PARTITIONS or partitions * sum(sizes) <= _FEW:
            return total(iter(self.collect(rdd)))
        slices = int(np.sqrt(partitions))
        parts = self.exchange(rdd, partial(_slices, slices), slices)
        flat_ = np.concatenate(self.collect(self.each(parts, _total_of_senders)))
        pieces = np.split(flat_, np.cumsum(sizes)[:-1])
        return tuple(piece.reshape(shape) for piece, shape in zip(pieces, shapes, strict=True))


def _collected(rdd: RDD[Any]) -> list[Answer]:
    """Return the answers of a job.

    Raises
    ------
    RunError
        Spark gave up: a task failed as often as it may.
    """
    from py4j.protocol import Py4JJavaError
    from pyspark.errors import PySparkException

    try:
        return list(rdd.collect())
    except (Py4JJavaError, PySparkException) as error:
        # a traceback ends with what went wrong
        lines = [line for line in str(error).splitlines() if line and not line[0].isspace()]
        hint = "more memory beside the heap (spark.executor.memoryOverhead), or more partitions, "
        hint += "where a Python worker was killed; the log of the executor tells more"
        problem = f"a task failed again and again: {lines[-1] if lines else error}"
        raise RunError("Spark", problem, hint=hint) from error


def packing(
    name: str,
    write: Callable[..., None],
    column: bool,
    number: int,
    *values: Any,  # noqa: ANN401
) -> Record:
    """Let `write` pack a partition into a folder of a name."""

    def fill(folder: Path) -> None:
        write(folder, number, *values)

    rows = (values[0].rows or values[0].folder) if column else ""
    return Record(folders.write(name, number, fill), rows)


def _itself(number: int) -> int:
    return number


def _emit(
    emit: Callable[..., Iterable[tuple[int, Any]]],
    targets: int,
    dead: Sequence[str],
    number: int,
    items: Iterator[Any],
) -> Iterator[tuple[int, tuple[int, Answer]]]:
    prepare(dead)
    for item in items:
        answers = flat(item)
        wrong = failing(answers)
        if wrong is None:
            told = attempt(lambda values: list(emit(number, *values)), [a.value for a in answers])
            if not told.fails:
                for target, value in told.value:
                    yield target, (number, Answer(value))
                continue
            wrong = told
        for target in range(targets):
            yield target, (number, wrong)


def _gathered(items: Iterator[tuple[int, tuple[int, Answer]]]) -> Iterator[Answer]:
    found = sorted((pair for _, pair in items), key=lambda pair: pair[0])
    wrong = failing([answer for _, answer in found])
    yield wrong or Answer([(sender, answer.value) for sender, answer in found])


def _slices(slices: int, number: int, arrays: tuple[Floats, ...]) -> Iterator[tuple[int, Floats]]:
    whole = np.concatenate([np.ravel(array) for array in arrays])
    yield from enumerate(np.array_split(whole, slices))


def _total_of_senders(number: int, found: list[tuple[int, Floats]]) -> Floats:
    return total((value,) for _, value in found)[0]
