"""A run on Spark: its session, the tables that Spark reads, and scores written by partition."""

from __future__ import annotations

import os
import pickle
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from gdmix.backends import Scored
from gdmix.config import ModelOptions
from gdmix.data.decoded import Decoding
from gdmix.data.frames import is_spark
from gdmix.data.paths import files_of
from gdmix.data.source import Data, Source, open_source
from gdmix.engines.local import LocalEngine
from gdmix.engines.spark.answers import Answer, Record
from gdmix.engines.spark.columns import SparkColumn, Sum
from gdmix.engines.spark.engine import SparkEngine
from gdmix.engines.spark.rows import Numbering, SparkRows, load
from gdmix.engines.spark.sources import Batches, SparkFrame
from gdmix.errors import ConfigError, DataError, MissingExtraError, RunError
from gdmix.models.entity import EntityModel
from gdmix.models.mixed import Mixed
from gdmix.schema import Lists, Spark
from gdmix.scoring import Unseen, score_source, scores_table, without_absent

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_SPARK_FORMATS = {".parquet": "parquet", ".orc": "orc", ".json": "json"}


@contextmanager
def open_session(options: Spark) -> Iterator[SparkSession]:
    """Yield the session that is there, or start one and stop it in the end.

    Raises
    ------
    MissingExtraError
        PySpark is not installed.
    RunError
        Spark does not start.
    """
    try:
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise MissingExtraError.needs("the Spark engine", "spark") from error
    there = SparkSession.getActiveSession()
    if there is not None:
        yield there
        return
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName("gdmix")
    master = options.master
    if master is None and "PYSPARK_GATEWAY_PORT" not in os.environ:
        # nobody else says where: `spark-submit` would
        master = "local[*]"
    if master is not None:
        builder = builder.master(master)
        if master.startswith("local"):
            os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    settings = dict(_SETTINGS)
    if options.partitions is not None:
        # files are then read in so many parts, where a shuffle would have to cut them
        settings["spark.sql.files.minPartitionNum"] = str(options.partitions)
    for key, value in {**settings, **options.config}.items():
        builder = builder.config(key, value)
    try:
        session = builder.getOrCreate()
    except (PySparkException, OSError, RuntimeError) as error:
        hint = "is there Java 17 or later (`java -version`, JAVA_HOME), and the master?"
        raise RunError(
            "Spark", f"does not start ({error})".replace("\n", " "), hint=hint
        ) from error
    try:
        yield session
    finally:
        session.stop()


_SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    # a task goes where its arrays are: to wait costs less than to make them anew
    "spark.locality.wait": "60s",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "131072",
}


@dataclass(frozen=True)
class SparkBackend:
    """A Spark application."""

    engine: SparkEngine

    @classmethod
    def of(cls, session: SparkSession, partitions: int | None) -> SparkBackend:
        """Return the backend of a session."""
        return cls(SparkEngine(session, partitions))

    @property
    def grouping(self) -> float:
        """Seconds spent so far on bringing rows to the partitions of their entities."""
        return self.engine.grouping

    def open(self, files: Sequence[str | Path], metadata: Path | Lists | None) -> Source:
        """Open files as one table: what Spark reads by Spark, the rest by our readers."""
        session = self.engine.session
        paths = [str(path) for path in files]
        if any("://" in path for path in paths):
            return SparkFrame(_read(session, paths), _named(paths))
        found = [file for path in paths for file in _files(path)]
        kinds = {_SPARK_FORMATS.get(file.suffix) for file in found}
        if len(kinds) == 1 and None not in kinds:
            uris = [file.absolute().as_uri() for file in found]
            return SparkFrame(session.read.format(str(kinds.pop())).load(uris), _named(paths))
        return open_source(files_of(paths), metadata=metadata)

    def write_scores(
        self, options: ModelOptions, model: Mixed, rows: SparkRows, folder: Path | None
    ) -> Scored:
        """Score rows, and write the scores of each partition as a Parquet file of a folder."""
        own = model.scores(self.engine, rows)
        unseen = Unseen(rows.rows, Counter(), Counter(rows.unseen))
        for name, part in model.parts.items():
            if isinstance(part, EntityModel):
                unseen.entities[name] = self.engine.strangers(rows, part.entity, part.table.ids)
        if folder is not None:
            frame = scores_frame(self.engine, options, rows, own)
            shutil.rmtree(folder, ignore_errors=True)
            frame.write.parquet(folder.absolute().as_uri())
        total = self.engine.offset(rows)
        for column in own.values():
            total = total + column
        return Scored(unseen, partial(self.engine.labelled, rows, total))


def _files(path: str) -> list[Path]:
    """Return the files that a path names, of whatever format; hidden ones and markers are none."""
    found = [Path(each) for each in sorted(glob(path))] or [Path(path)]
    files: list[Path] = []
    for each in found:
        files += sorted(each.rglob("*")) if each.is_dir() else [each]
    return [file for file in files if not file.is_dir() and file.name[0] not in "._"]


def _named(paths: Sequence[str]) -> str:
    return paths[0] if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"


def _read(session: SparkSession, paths: Sequence[str]) -> DataFrame:
    """Read what lies in a file system of Hadoop's, or a table."""
    from pyspark.errors import AnalysisException

    try:
        return _loaded(session, paths)
    except AnalysisException as error:
        problem = f"Spark cannot read it: {str(error).splitlines()[0]}"
        raise DataError(_named(paths), problem, hint="is this the right path?") from error


def _loaded(session: SparkSession, paths: Sequence[str]) -> DataFrame:
    tables = [path.removeprefix("table://") for path in paths if path.startswith("table://")]
    if tables:
        if len(paths) > 1:
            raise ConfigError("train", f"found {len(paths)} paths", "one table")
        return session.table(tables[0])
    kinds = {_SPARK_FORMATS.get(Path(path).suffix, "parquet") for path in paths}
    if len(kinds) > 1:
        raise ConfigError("train", f"found files of {sorted(kinds)}", "files of one format")
    return session.read.format(kinds.pop()).load(list(paths))


@dataclass(frozen=True)
class _Scores:
    """How a task makes a table of scores of its partition.

    Attributes
    ----------
    options : ModelOptions
    numbering : Numbering
    sums : dict of coordinate to (Sum, int)
    """

    options: ModelOptions
    numbering: Numbering
    sums: Mapping[str, tuple[Sum, int]]

    def __call__(self, number: int, record: Record, *columns: Record) -> pa.Table:
        """Return the table of a partition."""
        rows, own, first = load(record), {}, 0
        for name, (sum_, count) in self.sums.items():
            own[name] = sum_.of(columns[first : first + count], rows.rows)
            first += count
        return scores_table(self.options, rows, own, self.numbering.first[number])


def scores_frame(
    engine: SparkEngine, options: ModelOptions, rows: SparkRows, own: Mapping[str, SparkColumn]
) -> DataFrame:
    """Return a data frame of scores, a partition for each of the rows'."""
    from pyspark.sql.pandas.types import from_arrow_schema

    sums = {name: (column.sum, len(column.stored)) for name, column in own.items()}
    stored = [each for column in own.values() for each in column.stored]
    table = _Scores(options, rows.numbering, sums)
    cluster = engine.cluster
    sources = cluster.beside([rows.stored, *stored])
    # one job makes sure that all is there; the schema comes with it
    schema = cluster.collect(cluster.each(sources, partial(_schema, table)))[0]
    answers = cluster.each(sources, table).map(_pickled)
    frame = engine.session.createDataFrame(answers, "answer binary")
    return frame.mapInArrow(_tables, from_arrow_schema(schema))


def _schema(table: _Scores, number: int, *records: Record) -> pa.Schema:
    return table(number, *records).schema


def _pickled(answer: Answer) -> tuple[bytearray]:
    return (bytearray(pickle.dumps(answer)),)


def _tables(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        for text in batch.column(0):
            answer: Answer = pickle.loads(text.as_py())
            if answer.fails:
                raise answer.error or RuntimeError("arrays of a partition are gone")
            yield from answer.value.to_batches()


def opened(given: Mapping[str, Data]) -> tuple[SparkEngine, list[Source | None]]:
    """Return the engine of data frames, by their names in messages, and the frames opened.

    Raises
    ------
    ConfigError
        Some are no Spark data frames; or they are of Spark Connect, which has no RDDs.
    """
    frames = {name: data for name, data in given.items() if data is not None}
    for name, frame in frames.items():
        if not is_spark(frame):
            raise ConfigError(
                name, f"found {type(frame).__name__}", "a Spark data frame, as others"
            )
        if ".connect." in type(frame).__module__:
            hint = "train in a classic session (spark-submit); `predict` works over Connect"
            raise ConfigError(name, "a data frame of Spark Connect has no RDDs", hint=hint)
    engine = SparkEngine(next(iter(frames.values())).sparkSession)
    return engine, [
        None if data is None else SparkFrame(data, name) for name, data in given.items()
    ]


def predict(frame: DataFrame, options: ModelOptions, model: Mixed) -> DataFrame:
    """Return a data frame of scores, made batch by batch on the executors.

    Parameters
    ----------
    frame : DataFrame
        Classic or of Spark Connect.
    options, model
        The fitted model.
    """
    from pyspark.sql.pandas.types import from_arrow_schema

    source = SparkFrame(frame)
    options = without_absent(options, source, ("label", "weight", "uid"))
    decoding = Decoding(source, options.layout(), label=False, indexes=model.indexes)
    names = decoding.names
    if options.label is not None:
        names = list(dict.fromkeys([*names, options.label]))
    score = partial(_scored, options, model, source.schema)
    schema = next(score(iter(()))).schema
    return source.select(names).mapInArrow(score, from_arrow_schema(schema))


def _scored(
    options: ModelOptions,
    model: Mixed,
    schema: pa.Schema,
    batches: Iterator[pa.RecordBatch],
) -> Iterator[pa.RecordBatch]:
    """Score the batches of a partition; where there are none, a batch without rows comes out."""
    source = Batches(schema, batches, "data frame")
    for scores in score_source(LocalEngine(1), options, model, source, Unseen()):
        # rows have no numbers where nobody knows how many came before
        table = scores.drop_columns("uid") if options.uid is None else scores
        yield from table.to_batches() or [pa.RecordBatch.from_pylist([], schema=table.schema)]
