"""Spark data frames, files, folders that vanish, and data that is wrong."""

import gc
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gdmix import FixedEffect, MixedModel, RandomEffect, load
from gdmix.config import ModelOptions, TrainOptions
from gdmix.data.source import open_source
from gdmix.engines.spark.engine import SparkEngine
from gdmix.engines.spark.sources import SparkFrame
from gdmix.errors import ConfigError, DataError, RunError
from gdmix.onspark import SparkBackend
from gdmix.workflow import Watcher, train
from tests.made_up import table
from tests.spark.agreement import on_local, require_equal, trained

ROWS = table(600)
OPTIONS = {
    "label": "click",
    "uid": "uid",
    "weight": "weight",
    "coordinates": {
        "global": FixedEffect(features=["age", "tags"], tolerance=1e-10),
        "per-user": RandomEffect("user_id", features=["age"], tolerance=1e-10),
    },
}


def test_a_model_fits_predicts_and_evaluates_data_frames(spark):
    frame = spark.createDataFrame(ROWS)
    model, local = MixedModel(**OPTIONS).fit(frame), MixedModel(**OPTIONS).fit(ROWS)
    found = model.predict(frame).toArrow().sort_by("uid")
    expected = local.predict(ROWS).sort_by("uid")
    assert found.column_names == expected.column_names
    for name in ("score", "probability", "score_global", "score_per-user"):
        np.testing.assert_allclose(found[name].to_numpy(), expected[name].to_numpy(), atol=1e-7)
    assert found["uid"].to_pylist() == expected["uid"].to_pylist()
    metrics = ["auc", "logistic_loss", "auc:user_id"]
    ours, theirs = local.evaluate(ROWS, metrics), model.evaluate(frame, metrics)
    assert ours == pytest.approx(theirs, rel=1e-7)
    # a frame without labels and uids is scored all the same
    bare = model.predict(frame.drop("click", "uid", "weight")).toArrow()
    assert "label" not in bare.column_names
    assert "uid" not in bare.column_names
    np.testing.assert_allclose(
        np.sort(bare["score"].to_numpy()), np.sort(expected["score"].to_numpy()), atol=1e-7
    )


def test_a_run_directory_is_as_that_of_the_local_engine(spark, tmp_path):
    pq.write_table(ROWS, tmp_path / "rows.parquet")
    options = {
        **OPTIONS,
        "train": str(tmp_path / "rows.parquet"),
        "validation": str(tmp_path / "rows.parquet"),
        "metrics": ["auc", "auc:user_id"],
        "save_group_metrics": True,
        "report": False,
    }
    here = train(TrainOptions(**options, output=str(tmp_path / "here")))
    there = train(
        TrainOptions(
            **options, output=str(tmp_path / "there"), engine="spark", spark={"partitions": 2}
        )
    )
    told = [json.loads((run.path / "metrics.json").read_text()) for run in (here, there)]
    assert told[0]["final"] == pytest.approx(told[1]["final"], rel=1e-7)
    assert told[0]["unseen"] == told[1]["unseen"]
    for split in ("train", "validation"):
        one, other = (
            pq.read_table(run.path / "scores" / split).sort_by("uid") for run in (here, there)
        )
        assert one.schema.names == other.schema.names
        np.testing.assert_allclose(one["score"].to_numpy(), other["score"].to_numpy(), atol=1e-7)
    groups = [pq.read_table(run.path / "metrics" / "user_id.parquet") for run in (here, there)]
    assert groups[0]["group"].equals(groups[1]["group"])
    # and what Spark trained serves anywhere
    again = load(there.path).predict(ROWS)
    np.testing.assert_allclose(again["score"].to_numpy(), here_scores(here), atol=1e-7)


def here_scores(run):
    return pq.read_table(run.path / "scores" / "train")["score"].to_numpy()


def test_files_that_spark_does_not_know_are_read_by_our_readers(spark, tmp_path):
    for number in range(3):
        piece = ROWS.slice(200 * number, 200).drop_columns("tags")
        pa.csv.write_csv(piece, tmp_path / f"{number}.csv")
    options = ModelOptions(
        **{**OPTIONS, "uid": None},
    )
    options = ModelOptions.parse(
        {
            **options.plain(),
            "coordinates": {
                "global": {"features": ["age", "city"]},
                "per-user": {"entity": "user_id", "active_upper_bound": 9, "tolerance": 1e-10},
            },
        }
    )
    here = on_local(options, tmp_path)
    there = trained(SparkEngine(spark, 2), options, open_source(tmp_path))
    require_equal(here, there)


def test_what_spark_reads(spark, tmp_path):
    frame = spark.createDataFrame(ROWS).coalesce(1)
    for kind in ("parquet", "orc", "json"):
        frame.write.format(kind).save(str(tmp_path / kind))
    frame.createOrReplaceTempView("rows_of_a_table")
    backend = SparkBackend.of(spark, None)
    paths = [str(tmp_path / kind) for kind in ("parquet", "orc", "json")]
    for path in [*paths, f"file://{tmp_path}/orc/*.orc", "table://rows_of_a_table"]:
        source = backend.open([path], None)
        assert isinstance(source, SparkFrame)
        assert source.frame.count() == len(ROWS)
        assert {"click", "user_id", "age"} <= set(source.schema.names)
    with pytest.raises(ConfigError, match="one table"):
        backend.open(["table://one", "table://two"], None)
    with pytest.raises(DataError, match="nowhere"):
        backend.open([f"file://{tmp_path}/nowhere.parquet"], None)


def test_folders_that_vanish_are_made_anew(spark):
    options = ModelOptions(**OPTIONS)
    engine = SparkEngine(spark, 2)
    layout = options.layout()
    rows, _ = engine.read(SparkFrame(spark.createDataFrame(ROWS)), layout)
    ones = engine.offset(rows) + 1.0
    before = engine.labelled(rows, ones)
    digest = engine.digest(rows, uids=True)
    homes = engine.cluster.run([rows.stored], _homes)
    for home in {home for each in homes for home in each}:
        shutil.rmtree(Path(home) / "gdmix-packed", ignore_errors=True)
    assert engine.digest(rows, uids=True) == digest
    after = engine.labelled(rows, ones)
    np.testing.assert_array_equal(before[1], after[1])


def test_columns_that_nobody_needs_are_removed(spark):
    engine = SparkEngine(spark, 2)
    rows, _ = engine.read(SparkFrame(spark.createDataFrame(ROWS)), ModelOptions(**OPTIONS).layout())
    column = engine.offset(rows) + 1.0
    taken = engine.map(_first_column, rows, "global", (column,))
    engine.labelled(rows, taken)
    before = set(engine.cluster.run([rows.stored], _folders)[0])
    name = Path(engine.cluster.run(list(taken.stored), _place)[0]).parent.name
    assert name in before
    del taken, column
    gc.collect()
    assert name not in engine.cluster.run([rows.stored], _folders)[0]
    # what the rows themselves need is still there
    assert engine.labelled(rows, engine.offset(rows))[1].tolist() == [0.0] * len(ROWS)


def _first_column(block, column):
    return column


def _place(number, record):
    return record.folder


def _folders(number, record):
    return os.listdir(Path(record.folder).parents[1])


def _homes(number, record):
    return os.environ["SPARK_LOCAL_DIRS"].split(",")


@pytest.mark.parametrize(
    ("column", "values", "problem"),
    [
        ("click", [2] + [1] * 9, "the label is 2"),
        ("age", [float("inf")] + [1.0] * 9, "found inf"),
        ("user_id", [None] + [1] * 9, "null"),
    ],
)
def test_wrong_data_is_one_clear_error(spark, column, values, problem):
    rows = ROWS.slice(0, 10)
    wrong = rows.set_column(rows.column_names.index(column), column, pa.array(values))
    with pytest.raises(DataError, match=problem) as caught:
        MixedModel(**OPTIONS).fit(spark.createDataFrame(wrong))
    assert "partition" in str(caught.value)
    assert column in str(caught.value)


def test_labels_of_two_kinds_in_two_partitions_are_refused(spark):
    labels = pa.array([-1.0, 1.0, 0.0, 1.0])
    rows = ROWS.slice(0, 4).set_column(7, "click", labels)
    frame = spark.createDataFrame(rows.slice(0, 2)).union(spark.createDataFrame(rows.slice(2, 2)))
    with pytest.raises(DataError, match="-1"):
        MixedModel(**OPTIONS).fit(frame)


def test_a_missing_column_and_an_empty_frame_are_told(spark):
    frame = spark.createDataFrame(ROWS)
    with pytest.raises(DataError, match="user_id"):
        MixedModel(**OPTIONS).fit(frame.drop("user_id"))
    with pytest.raises(DataError, match="no rows"):
        MixedModel(**OPTIONS).fit(frame.filter("age > 1e9"))


class Stopping(Watcher):
    """Stops a run after its first update."""

    def update(self, update, state):
        raise KeyboardInterrupt


def test_a_run_that_was_stopped_goes_on(spark, tmp_path):
    pq.write_table(ROWS, tmp_path / "rows.parquet")
    options = TrainOptions(
        **OPTIONS,
        train=str(tmp_path / "rows.parquet"),
        output=str(tmp_path / "run"),
        report=False,
        engine="spark",
        spark={"partitions": 2},
    )
    with pytest.raises(KeyboardInterrupt):
        train(options, watcher=Stopping())
    heard = []
    again = Watcher()
    again.update = lambda update, state: heard.append(update.coordinate)
    run = train(options, resume=True, watcher=again)
    assert heard == ["per-user"]
    local = MixedModel(**OPTIONS).fit(ROWS)
    for name, part in local.model_.parts.items():
        held, found = (getattr(one, "table", one) for one in (part, run.model.parts[name]))
        np.testing.assert_allclose(found.coefficients, held.coefficients, atol=1e-7)


def test_a_task_that_fails_for_good_is_one_error(spark):
    engine = SparkEngine(spark, 2)
    layout = ModelOptions(**OPTIONS).layout()
    rows, _ = engine.read(SparkFrame(spark.createDataFrame(ROWS)), layout)
    with pytest.raises(RunError, match="dies"):
        engine.cluster.run([rows.stored], _dies)


def _dies(number, record):
    raise RuntimeError("this task dies")


def test_uids_are_unique_over_all_partitions(spark):
    strict = {**OPTIONS, "unique_uid": True}
    half = spark.createDataFrame(ROWS.slice(0, 300))
    other = spark.createDataFrame(ROWS.slice(299, 300))
    with pytest.raises(DataError, match="uid 299 is there twice"):
        MixedModel(**strict).fit(half.coalesce(1).union(other.coalesce(1)))
    engine, layout = SparkEngine(spark, 3), ModelOptions(**strict).layout()
    rows, _ = engine.read(SparkFrame(spark.createDataFrame(ROWS)), layout)
    assert engine.count(rows) == len(ROWS)


def test_frames_of_two_kinds_are_refused(spark):
    with pytest.raises(ConfigError, match="Spark"):
        MixedModel(**OPTIONS).fit(spark.createDataFrame(ROWS), ROWS)
