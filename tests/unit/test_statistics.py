"""Statistics of features against NumPy and scikit-learn, and the normalization made of them."""

from functools import reduce
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix, random_array
from sklearn.preprocessing import MaxAbsScaler, StandardScaler

import gdmix
from gdmix import FixedEffect, MixedModel, RandomEffect
from gdmix.data.dataset import Csr, Dataset
from gdmix.data.index import FeatureIndex
from gdmix.data.reading import read
from gdmix.data.source import open_source
from gdmix.data.statistics import Statistics, add_values, merged, moments
from gdmix.engines.local import LocalEngine
from gdmix.errors import ConfigError
from gdmix.planning import make_plan, statistics_of
from tests.made_up import table


def of(matrix):
    sparse = csr_matrix(matrix)
    indptr, indices = sparse.indptr.astype(np.int64), sparse.indices.astype(np.int32)
    return moments(indptr, indices, sparse.data.astype(float), matrix.shape[1])


def require_equal(found, matrix, tolerance=1e-12):
    rows = len(matrix)
    assert found.count.tolist() == [rows] * matrix.shape[1]
    assert found.nonzeros.tolist() == np.count_nonzero(matrix, axis=0).tolist()
    assert np.array_equal(found.min, matrix.min(axis=0))
    assert np.array_equal(found.max, matrix.max(axis=0))
    close = {"rtol": tolerance, "atol": 1e-300}
    np.testing.assert_allclose(found.mean, matrix.mean(axis=0), rtol=tolerance, atol=1e-15)
    expected = matrix.var(axis=0, ddof=1) if rows > 1 else np.zeros(matrix.shape[1])
    np.testing.assert_allclose(found.variance, expected, rtol=max(tolerance, 1e-9), atol=1e-25)
    np.testing.assert_allclose(found.norm_l1, np.abs(matrix).sum(axis=0), **close)
    np.testing.assert_allclose(found.norm_l2, np.linalg.norm(matrix, axis=0), **close)
    np.testing.assert_allclose(found.mean_abs, np.abs(matrix).mean(axis=0), **close)


def made_up(rows=500, width=7, seed=0):
    rng = np.random.default_rng(seed)
    matrix = random_array((rows, width), density=0.3, rng=rng).toarray()
    matrix[:, 0] = rng.normal(size=rows)
    matrix[:, 1] = 0.0
    matrix[:, 2] = 0.1
    matrix[:, 3] *= -1e3
    return matrix


def test_as_numpy_has_them():
    matrix = made_up()
    found = Statistics.of(of(matrix))
    require_equal(found, matrix)
    # what never changes has no spread, not even by rounding
    assert found.variance[[1, 2]].tolist() == [0.0, 0.0]
    assert found.mean[2] == 0.1
    require_equal(Statistics.of(of(matrix[:1])), matrix[:1])


def test_in_plain_python():
    matrix = made_up(40)
    sparse, other = csr_matrix(matrix), of(np.zeros((40, 7)))
    add_values.py_func(sparse.indptr, sparse.indices, sparse.data, other)
    require_equal(Statistics.of(other), matrix)


def test_stored_zeros_are_zeros():
    stored = moments(np.array([0, 1, 2]), np.zeros(2, np.int32), np.array([0.0, 3.0]), 1)
    found = Statistics.of(stored)
    assert (found.nonzeros[0], found.min[0], found.mean[0]) == (1, 0.0, 1.5)


@given(
    st.lists(st.integers(0, 60), max_size=6),
    st.sampled_from([0.0, 1.0, 1e9, -1e9]),
    st.integers(0, 1000),
)
def test_however_the_rows_are_cut(cuts, offset, seed):
    matrix = made_up(60, seed=seed)
    matrix[:, 4] = offset + np.random.default_rng(seed).normal(size=60)
    edges = sorted({0, 60, *cuts})
    parts = [of(matrix[a:b]) for a, b in pairwise(edges)]
    found = Statistics.of(reduce(merged, parts))
    whole = Statistics.of(of(matrix))
    # a mean of 1e9 is known to 1e-7 at best
    tolerance = 1e-6 if abs(offset) > 1.0 else 1e-10
    require_equal(found, matrix, tolerance)
    for name in ("mean", "variance", "norm_l2"):
        np.testing.assert_allclose(getattr(found, name), getattr(whole, name), rtol=tolerance)


def test_a_large_offset_costs_no_digits():
    rng = np.random.default_rng(0)
    small = rng.normal(scale=0.01, size=100_000)
    column = 1e9 + small
    naive = (column**2).mean() - column.mean() ** 2
    blocks = [of(part[:, None]) for part in np.array_split(column, 9)]
    found = Statistics.of(reduce(merged, blocks))
    # what float64 kept of the deviations
    exact = np.var(column - 1e9, ddof=1)
    assert found.variance[0] == pytest.approx(exact, rel=1e-6)
    assert abs(naive - exact) > 0.5 * exact


def dataset(matrix):
    sparse = csr_matrix(matrix)
    csr = Csr(sparse.indptr.astype(np.int64), sparse.indices, sparse.data, matrix.shape[1])
    ones = np.ones(len(matrix))
    return Dataset(len(matrix), ones, ones, ones, shards={"x": csr})


def test_threads_change_no_bit(monkeypatch):
    matrix = made_up(4000)
    rows = dataset(matrix)
    monkeypatch.setattr(Dataset, "bounds", lambda self, shard: np.arange(0, 4001, 250))
    options = MixedModel(coordinates={"x": {"features": ["a"]}}, statistics=True).options
    one, four = (statistics_of(LocalEngine(n), options, rows)["x"] for n in (1, 4))
    for name in ("mean", "variance", "norm_l1", "norm_l2"):
        assert np.array_equal(getattr(one, name), getattr(four, name))
    require_equal(one, matrix)


def setting(kind, rows, indexes, **options):
    coordinates = {"x": FixedEffect(features=["age", "tags"], normalization=kind, **options)}
    model = MixedModel(label="click", coordinates=coordinates).options
    statistics = statistics_of(LocalEngine(1), model, rows)
    return make_plan(model, indexes, statistics).settings["x"].normalization


def test_normalization_as_scikit_learn_has_it():
    layout = MixedModel(label="click", coordinates={"x": {"features": ["age", "tags"]}}).options
    rows, indexes = read(open_source(table()), layout.layout())
    csr = rows.shards["x"]
    dense = csr_matrix((csr.values, csr.indices, csr.indptr), (rows.rows, csr.width)).toarray()
    scaler = StandardScaler().fit(dense)
    # scikit-learn divides by n, Photon-ML by n - 1
    scale = scaler.scale_ * np.sqrt(rows.rows / (rows.rows - 1))
    found = setting("standardization", rows, indexes)
    np.testing.assert_allclose(found.factor, 1 / scale, rtol=1e-12)
    np.testing.assert_allclose(found.shift, scaler.mean_, rtol=1e-12, atol=1e-15)
    found = setting("standard_deviation", rows, indexes, intercept=False)
    np.testing.assert_allclose(found.factor, 1 / scale, rtol=1e-12)
    assert not found.shift.any()
    found = setting("max_magnitude", rows, indexes)
    np.testing.assert_allclose(found.factor, 1 / MaxAbsScaler().fit(dense).scale_)


def test_constant_features_keep_their_scale():
    data = {"click": [0, 1, 0], "one": [7.5] * 3, "none": [0.0] * 3, "x": [1.0, 2.0, 4.0]}
    options = {"features": ["one", "none", "x"]}
    model = MixedModel(label="click", coordinates={"x": options}).options
    rows, indexes = read(open_source(data), model.layout())
    for kind, expected in (
        ("standard_deviation", [1.0, 1.0, 1 / np.std([1, 2, 4], ddof=1)]),
        ("max_magnitude", [1 / 7.5, 1.0, 0.25]),
    ):
        options["normalization"] = kind
        model = MixedModel(label="click", coordinates={"x": options}).options
        plan = make_plan(model, indexes, statistics_of(LocalEngine(1), model, rows))
        assert plan.settings["x"].normalization.factor == pytest.approx(expected)


def test_wrong_normalization_is_refused():
    with pytest.raises(ConfigError, match=r"coordinates\.u\.normalization.*needs an intercept"):
        MixedModel(
            coordinates={
                "u": {
                    "entity": "id",
                    "features": ["x"],
                    "intercept": False,
                    "normalization": "standardization",
                }
            }
        )
    data = {"click": [0, 1], "x": [1e300, -1e300]}
    options = {"u": {"features": ["x"], "normalization": "standard_deviation"}}
    with pytest.raises(ConfigError, match=r"coordinates\.u\.normalization: feature 'x' has"):
        MixedModel(label="click", coordinates=options).fit(data)


def test_a_random_effect_on_scaled_data():
    """With normalization, the same predictions as data that is scaled before."""
    data = table(400)
    age = np.asarray(data["age"])
    stretched = data.set_column(data.column_names.index("age"), "age", pa.array(1000 * age))
    scaled = data.set_column(data.column_names.index("age"), "age", pa.array(age / age.std(ddof=1)))
    users = RandomEffect("user_id", features=["age"], tolerance=1e-12)
    normalized = users.model_copy(update={"normalization": "standard_deviation"})
    expected = MixedModel(label="click", coordinates={"u": users}).fit(scaled).predict(scaled)
    found = MixedModel(label="click", coordinates={"u": normalized}).fit(stretched)
    got = found.predict(stretched)
    np.testing.assert_allclose(got["score"], expected["score"], rtol=1e-8, atol=1e-10)


def test_statistics_are_saved_with_the_model(tmp_path):
    coordinates = {
        "plain": FixedEffect(features=["age"]),
        "user": RandomEffect(
            "user_id", features=["tags", "city"], normalization="standard_deviation"
        ),
    }
    model = MixedModel(label="click", coordinates=coordinates).fit(table())
    model.save(tmp_path / "model")
    features = tmp_path / "model" / "features"
    assert pq.read_schema(features / "plain.parquet").names == ["name", "term", "index"]
    saved = pq.read_table(features / "user.parquet")
    assert saved.column_names[3:] == [
        "count",
        "mean",
        "variance",
        "min",
        "max",
        "nonzeros",
        "norm_l1",
        "norm_l2",
        "mean_abs",
    ]
    assert FeatureIndex.from_table(saved).keys.equals(model.model_.indexes["user"].keys)
    again = gdmix.load(tmp_path / "model")
    again.save(tmp_path / "again")
    assert pq.read_table(tmp_path / "again" / "features" / "user.parquet").equals(saved)
    asked = MixedModel(label="click", coordinates=coordinates, statistics=True).fit(table())
    assert set(asked.model_.statistics) == {"plain", "user"}
