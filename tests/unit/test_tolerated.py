"""Nulls of weights and offsets that are their defaults, and labels on either side of a number."""

import numpy as np
import pyarrow as pa
import pytest

from gdmix import FixedEffect, MixedModel
from gdmix.config import ModelOptions
from gdmix.data.reading import read, read_stream
from gdmix.data.source import open_source
from gdmix.errors import ConfigError, DataError

COORDINATES = {"global": FixedEffect(features=["x"])}
TABLE = pa.table(
    {
        "y": [-1.0, 1.0, 0.4, 0.6],
        "w": pa.array([2, None, 1, None], pa.int64()),
        "o": pa.nulls(4),
        "x": [1.0, 2.0, 3.0, 4.0],
    }
)


def options(**more):
    return ModelOptions(label="y", weight="w", offset="o", coordinates=COORDINATES, **more)


def test_defaults_of_nulls_and_split_labels():
    found = options(null_defaults=True, positive_above=0.5)
    rows, indexes = read(open_source(TABLE), found.layout())
    np.testing.assert_array_equal(rows.weight, [2.0, 1.0, 1.0, 1.0])
    np.testing.assert_array_equal(rows.offset, np.zeros(4))
    np.testing.assert_array_equal(rows.label, [0.0, 1.0, 0.0, 1.0])
    # when rows are scored, a label that is missing stays so
    table = TABLE.set_column(0, "y", pa.array([-1.0, None, 0.4, 0.6]))
    (scored,) = read_stream(open_source(table), found.layout(), indexes, label=True)
    np.testing.assert_array_equal(scored.label, [0.0, np.nan, 0.0, 1.0])


def test_without_them_each_is_an_error():
    with pytest.raises(DataError, match="row 2, column 'w': the weight is null"):
        read(open_source(TABLE), options(positive_above=0.5).layout())
    with pytest.raises(DataError, match=r"row 3, column 'y': the label is 0\.4"):
        read(open_source(TABLE), options(null_defaults=True).layout())
    text = TABLE.set_column(1, "w", pa.array(["a", "b", "c", "d"]))
    with pytest.raises(DataError, match="found type string for the weight"):
        read(open_source(text), options(null_defaults=True).layout())
    infinite = TABLE.set_column(1, "w", pa.array([np.inf, None, 1.0, 1.0]))
    with pytest.raises(DataError, match="row 1, column 'w': the weight is inf"):
        read(open_source(infinite), options(null_defaults=True).layout())


def test_a_model_keeps_them(tmp_path):
    model = MixedModel(
        label="y", weight="w", coordinates=COORDINATES, null_defaults=True, positive_above=0.5
    )
    model.fit(TABLE).save(tmp_path / "model")
    again = MixedModel.load(tmp_path / "model")
    assert again.evaluate(TABLE) == model.evaluate(TABLE)
    assert again.options.positive_above == 0.5


@pytest.mark.parametrize("task", ["linear", "poisson"])
def test_only_binary_labels_can_be_split(task):
    with pytest.raises(ConfigError, match=r"positive_above: found 0\.5"):
        options(task=task, positive_above=0.5)
