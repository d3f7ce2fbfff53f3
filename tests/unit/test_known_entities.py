"""Entities that were known before, and the bound that holds for them."""

import numpy as np
import pyarrow as pa
import pytest

from gdmix import MixedModel, RandomEffect
from gdmix.coordinates import Setting
from gdmix.data.reading import read
from gdmix.data.source import FrameSource
from gdmix.engines.local import LocalEngine
from tests.made_up import table

BOUND = 27


@pytest.fixture(scope="module")
def case():
    """Return what is needed to fit: options, rows, and how many rows each user has."""
    coordinate = RandomEffect("user_id", active_lower_bound=BOUND, ignore_lower_bound_for_new=True)
    options = MixedModel(label="click", coordinates={"user": coordinate}).options
    rows, _ = read(FrameSource(table()), options.layout())
    return coordinate, options, rows, np.bincount(rows.entities["user_id"].codes)


def previous(case, users):
    """Return the model of some users, as an earlier run may have left it."""
    coordinate, options, rows, _ = case
    every = coordinate.model_copy(update={"active_lower_bound": None})
    part = every.fit(LocalEngine(1), rows, Setting("user", options.kind.loss), rows.offset).part
    with_ids = part.table._replace(ids=pa.array(users))
    return type(part)(part.shard, part.entity, part.intercept, with_ids)


def test_the_bound_holds_for_those_known_before_alone(case):
    coordinate, options, rows, counts = case
    assert 3 < (counts >= BOUND).sum() < len(counts) - 3
    engine = LocalEngine(1)
    setting = Setting("user", options.kind.loss)
    for known in ([], [0, 1, 2, 3], list(range(len(counts)))):
        old = previous(case, known)
        fit = coordinate.fit(engine, rows, setting._replace(previous=old), rows.offset)
        expected = [u for u, n in enumerate(counts) if n >= BOUND or u not in known]
        assert fit.part.table.ids.to_pylist() == expected
        assert fit.summary.passive == rows.rows - counts[expected].sum()
        # the next sweep starts from these models: they are not known from before
        again = setting._replace(previous=old, start=fit.part)
        again = coordinate.fit(engine, rows, again, rows.offset)
        assert again.part.table.ids.to_pylist() == expected
    fit = coordinate.fit(engine, rows, setting, rows.offset)
    assert fit.part.table.ids.to_pylist() == np.flatnonzero(counts >= BOUND).tolist()
