"""What must not change the answer, and what must change it in a known way."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gdmix import FixedEffect, MixedModel, RandomEffect
from tests.made_up import table

TIGHT = {"tolerance": 1e-12}


def model(**options):
    coordinates = {
        "global": FixedEffect(features=["age", "city", "tags"], **TIGHT),
        "per-user": RandomEffect("user_id", features=["tags"], **TIGHT),
        "per-item": RandomEffect("item_id", features=["age"], **TIGHT),
    }
    defaults = {"label": "click", "uid": "uid", "sweeps": 3, "sweep_tolerance": 0.0}
    return MixedModel(**(defaults | {"coordinates": coordinates} | options))


def scores(fitted, data):
    return fitted.predict(data)["score"].to_numpy()


@pytest.fixture(scope="module")
def data():
    return table()


@pytest.fixture(scope="module")
def fitted(data):
    return model().fit(data)


def test_objective_never_rises(fitted):
    objectives = [update["objective"] for update in fitted.history_]
    assert len(objectives) == 9
    assert all(after <= before * (1 + 1e-12) for before, after in pairwise(objectives))


def test_threads_do_not_change_a_bit(data, fitted):
    for threads in (1, 3, 8):
        other = model(threads=threads).fit(data)
        assert np.array_equal(scores(other, data), scores(fitted, data))


def test_row_order_does_not_matter(data, fitted):
    order = np.random.default_rng(5).permutation(data.num_rows)
    other = model().fit(data.take(order))
    assert scores(other, data) == pytest.approx(scores(fitted, data), abs=1e-8)


def test_files_do_not_matter(data, fitted, tmp_path):
    for number, start in enumerate(range(0, data.num_rows, 97)):
        pq.write_table(data.slice(start, 97), tmp_path / f"{number:02d}.parquet")
    other = model().fit(str(tmp_path))
    assert np.array_equal(scores(other, data), scores(fitted, data))


def test_weight_two_is_two_copies(data):
    weights = np.random.default_rng(6).integers(0, 3, size=data.num_rows)
    weighted = model(weight="w").fit(data.append_column("w", pa.array(weights)))
    copied = model().fit(data.take(np.repeat(np.arange(data.num_rows), weights)))
    rows = data.append_column("w", pa.array(weights))
    # users or items with weight 0 throughout exist in one of the two: they score 0 in both
    assert scores(weighted, rows) == pytest.approx(scores(copied, data), abs=1e-7)


def test_an_offset_is_a_frozen_coordinate(data):
    first = model(sweeps=1).fit(data)
    own = first.predict(data)["score_global"]
    rest = {name: c for name, c in first.options.coordinates.items() if name != "global"}
    second = model(coordinates=rest, offset="o", sweeps=1).fit(data.append_column("o", own))
    rows = data.append_column("o", own)
    assert scores(second, rows) == pytest.approx(scores(first, data), abs=1e-9)


def test_the_sum_of_parts_is_the_score(data, fitted):
    found = fitted.predict(data).to_pandas()
    parts = found[["score_global", "score_per-user", "score_per-item"]].sum(axis=1)
    assert found["score"].to_numpy() == pytest.approx(parts.to_numpy(), abs=1e-12)
    expected = 1 / (1 + np.exp(-found["score"].to_numpy()))
    assert found["probability"].to_numpy() == pytest.approx(expected, abs=1e-15)


def test_swept_to_convergence_order_of_coordinates_does_not_matter(data):
    names = ["global", "per-user", "per-item"]
    coordinates = model().options.coordinates
    many = {"sweeps": 400, "sweep_tolerance": 1e-15}
    forward = model(**many).fit(data)
    backward = model(coordinates={n: coordinates[n] for n in reversed(names)}, **many).fit(data)
    assert scores(forward, data) == pytest.approx(scores(backward, data), abs=1e-5)


def test_two_fixed_effects_and_shared_entities(data):
    coordinates = {
        "age": FixedEffect(features=["age"]),
        "user": RandomEffect("user_id"),
        "city": FixedEffect(features=["city"], intercept=False),
        "user-tags": RandomEffect("user_id", features=["tags"], intercept=False),
    }
    fitted = model(coordinates=coordinates, sweeps=5).fit(data, data)
    assert [u["coordinate"] for u in fitted.history_[:4]] == list(coordinates)
    assert fitted.history_[-1]["metrics"]["auc"] > 0.75


def test_squared_loss_equals_ridge_on_the_crossed_design(data):
    """Swept to convergence, the mixed model is one big ridge regression."""
    from sklearn.feature_extraction import DictVectorizer
    from sklearn.linear_model import Ridge

    coordinates = {
        "global": FixedEffect(features=["age"], l2=2.0, penalize_intercept=True, **TIGHT),
        "user": RandomEffect("user_id", features=["age"], l2=2.0, **TIGHT),
    }
    many = {"sweeps": 1000, "sweep_tolerance": 1e-15}
    fitted = model(task="linear", label="age2", coordinates=coordinates, **many)
    ages = data["age"].to_numpy()
    label = ages**2 + data["user_id"].to_numpy() % 3
    fitted.fit(data.append_column("age2", pa.array(label)))
    crossed = [
        {"one": 1.0, "age": a, f"u{u}": 1.0, f"u{u}*age": a}
        for a, u in zip(ages, data["user_id"].to_pylist(), strict=True)
    ]
    design = DictVectorizer().fit_transform(crossed)
    ridge = Ridge(alpha=2.0, fit_intercept=False, solver="cholesky").fit(design.toarray(), label)
    assert scores(fitted, data) == pytest.approx(ridge.predict(design.toarray()), abs=1e-5)
