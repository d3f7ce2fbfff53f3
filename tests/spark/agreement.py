"""Train the same options on both engines, and hold what comes out against each other."""

import numpy as np

from gdmix.config import ModelOptions
from gdmix.data.source import open_source
from gdmix.engines.local import LocalEngine
from gdmix.engines.spark.engine import SparkEngine
from gdmix.engines.spark.sources import SparkFrame
from gdmix.sweep import gather, sweep


def trained(engine, options: ModelOptions, train, validation=None, initial=None):
    """Return what a sweep gives, and what it was trained on."""
    material = gather(engine, options, train, validation, initial)
    return sweep(engine, options, material), material


def on_local(options, train, validation=None, initial=None):
    sources = [None if table is None else open_source(table) for table in (train, validation)]
    return trained(LocalEngine(2), options, *sources, initial)


def on_spark(spark, options, train, validation=None, initial=None, partitions=2):
    """Train on Spark; a table becomes a data frame."""
    sources = [
        None if table is None else SparkFrame(spark.createDataFrame(table))
        for table in (train, validation)
    ]
    return trained(SparkEngine(spark, partitions), options, *sources, initial)


def require_equal(one, other, fixed=1e-8, random=1e-6):
    """Hold two sweeps to the same features, coefficients, objectives and metrics."""
    (here, mine), (there, theirs) = one, other
    for shard, index in mine.indexes.items():
        assert index.keys.equals(theirs.indexes[shard].keys)
    for name, part in here.best.parts.items():
        own, found = part, there.best.parts[name]
        close = fixed
        if hasattr(part, "table"):
            own, found, close = part.table, found.table, random
            assert own.ids.equals(found.ids)
            for field in ("samples", "feature_ptr", "features"):
                np.testing.assert_array_equal(getattr(own, field), getattr(found, field))
        np.testing.assert_allclose(own.coefficients, found.coefficients, rtol=0, atol=close)
        assert (own.variances is None) == (found.variances is None)
        if own.variances is not None:
            np.testing.assert_allclose(own.variances, found.variances, rtol=1e-6, atol=1e-9)
    assert len(here.best.history) == len(there.best.history)
    for update, again in zip(here.best.history, there.best.history, strict=True):
        assert update.coordinate == again.coordinate
        assert update.samples == again.samples
        assert update.summary.passive == again.summary.passive
        assert update.summary.entities == again.summary.entities
        np.testing.assert_allclose(update.objective, again.objective, rtol=1e-10)
        np.testing.assert_allclose(update.penalty, again.penalty, rtol=1e-6)
        assert update.metrics.keys() == again.metrics.keys()
        for metric, value in update.metrics.items():
            np.testing.assert_allclose(value, again.metrics[metric], rtol=1e-7, err_msg=metric)
