"""Which rows train: whatever else changes, the same ones, and as much weight."""

import numpy as np
import pyarrow as pa
import pytest

from gdmix import FixedEffect, MixedModel, RandomEffect
from gdmix.coordinates import Setting
from gdmix.data.hashing import hash_uids
from gdmix.data.reading import read
from gdmix.data.source import FrameSource
from gdmix.engines.blocks import entity_positions
from gdmix.engines.local import LocalEngine
from tests.made_up import table

TIGHT = {"tolerance": 1e-12}
CAP, LEAST = 22, 17


def model(coordinates, **options):
    defaults = {"label": "click", "uid": "uid", "sweeps": 1}
    return MixedModel(**(defaults | {"coordinates": coordinates} | options))


def user(**options):
    return RandomEffect("user_id", features=["age", "tags"], **(TIGHT | options))


def both(**options):
    """Return a model whose coordinates all train on some of the rows."""
    coordinates = {
        "global": FixedEffect(features=["age", "city"], down_sampling=0.5, **TIGHT),
        "per-user": user(active_lower_bound=LEAST, active_upper_bound=CAP, **options),
    }
    return model(coordinates, sweeps=3, sweep_tolerance=0.0)


def scores(fitted, data):
    return fitted.predict(data)["score"].to_numpy()


@pytest.fixture(scope="module")
def data():
    return table()


@pytest.fixture(scope="module")
def numbered(data):
    """The same rows with their hashes and how many their user has."""
    users = data["user_id"].to_numpy()
    uid = data["uid"].combine_chunks()
    return users, hash_uids(uid, len(uid), "user_id"), np.bincount(users)


def chosen(users, hashes, counts):
    """Return the rows that a user's model is to be trained on, and their factor: plain Python."""
    rows, factors = [], []
    for entity in np.flatnonzero(counts >= LEAST):
        mine = sorted(np.flatnonzero(users == entity), key=lambda row: hashes[row])[:CAP]
        rows += mine
        factors += [max(1.0, counts[entity] / CAP)] * len(mine)
    return np.array(rows), np.array(factors)


def test_the_data_put_the_bounds_to_use(numbered):
    counts = numbered[2]
    assert (counts < LEAST).sum() > 2
    assert (counts > CAP).sum() > 5
    assert ((counts >= LEAST) & (counts <= CAP)).sum() > 2


@pytest.mark.parametrize("weight", [None, "weight"])
def test_a_cap_is_training_on_the_chosen_rows_alone(data, numbered, weight):
    capped = model(
        {"u": user(active_lower_bound=LEAST, active_upper_bound=CAP)}, weight=weight
    ).fit(data)
    rows, factors = chosen(*numbered)
    own = data["weight"].to_numpy()[rows] if weight else 1.0
    by_hand = data.take(pa.array(rows)).append_column("w", pa.array(own * factors))
    plain = model({"u": user()}, weight="w").fit(by_hand)
    mine, theirs = capped.model_.parts["u"].table, plain.model_.parts["u"].table
    assert mine.ids.equals(theirs.ids)
    assert np.array_equal(mine.samples, theirs.samples)
    assert mine.coefficients == pytest.approx(theirs.coefficients, abs=1e-9)
    # all rows are scored, those that trained nothing too
    by_hand = plain.predict(data.append_column("w", pa.array(np.ones(data.num_rows))))
    assert scores(capped, data) == pytest.approx(by_hand["score"].to_numpy(), abs=1e-8)


def test_totals_of_weights_stay_with_the_exact_cap(data, numbered):
    rows, factors = chosen(*numbered)
    counts = numbered[2]
    assert factors.sum() == pytest.approx(counts[counts >= LEAST].sum())
    fitted = model({"u": user(active_lower_bound=LEAST, active_upper_bound=CAP)}).fit(data)
    samples = fitted.model_.parts["u"].table.samples
    assert samples.tolist() == np.minimum(counts[counts >= LEAST], CAP).tolist()
    assert fitted.history_[0]["passive"] == data.num_rows - len(rows)


@pytest.mark.parametrize("kind", ["exact", "hash_groups"])
@pytest.mark.parametrize("ratio", [None, 0.2])
def test_neither_order_nor_threads_change_who_trains(data, kind, ratio):
    options = {"active_sampling": kind, "features_to_samples_ratio": ratio}
    first = both(**options).fit(data)
    order = pa.array(np.random.default_rng(3).permutation(data.num_rows))
    other = both(**options).fit(data.take(order))
    mine, theirs = (fitted.model_.parts["per-user"].table for fitted in (first, other))
    assert mine.ids.equals(theirs.ids)
    for name in ("samples", "feature_ptr", "features"):
        assert np.array_equal(getattr(mine, name), getattr(theirs, name))
    assert scores(other, data) == pytest.approx(scores(first, data), abs=1e-8)
    for threads in (1, 3):
        again = both(**options)
        again = model(again.options.coordinates, sweeps=3, sweep_tolerance=0.0, threads=threads)
        assert np.array_equal(scores(again.fit(data), data), scores(first, data))


def test_the_type_of_the_uid_does_not_change_who_trains(data):
    texts = data.set_column(0, "uid", data["uid"].cast(pa.string()))
    assert np.array_equal(scores(both().fit(texts), data), scores(both().fit(data), data))


def test_two_effects_of_an_entity_train_on_the_same_rows(data):
    """What one learns from rows, the other learns the rest of: salts apart would waste them."""
    options = {"active_upper_bound": CAP}
    coordinates = {
        "mean": RandomEffect("user_id", **options, **TIGHT),
        "tags": user(intercept=False, **options),
    }
    fitted = model(coordinates).fit(data)
    mean, tags = (fitted.model_.parts[name].table.samples for name in coordinates)
    assert np.array_equal(mean, tags)


def test_the_scores_of_training_are_those_of_the_model(data):
    """Margins for rows that train, the table for those that do not: one score."""
    rows, _ = read(FrameSource(data), both().options.layout())
    setting = Setting("per-user", both().options.kind.loss)
    for options in ({}, {"features_to_samples_ratio": 0.2}, {"sparsity_threshold": 0.1}):
        coordinate = both(**options).options.coordinates["per-user"]
        engine = LocalEngine(2)
        fit = coordinate.fit(engine, rows, setting, rows.offset)
        assert fit.scores == pytest.approx(fit.part.score(engine, rows), abs=1e-9)
        known = entity_positions(rows, "user_id", fit.part.table.ids)
        assert not fit.scores[known < 0].any()
        assert fit.scores[known >= 0].all()


@pytest.mark.parametrize("task", ["logistic", "linear"])
@pytest.mark.parametrize("weight", [None, "weight"])
def test_down_sampling_is_training_on_what_is_left(data, task, weight):
    rate = 0.4
    coordinates = {"g": FixedEffect(features=["age", "tags"], down_sampling=rate, l2=3.0, **TIGHT)}
    sampled = model(coordinates, task=task, weight=weight).fit(data)
    hashes = hash_uids(data["uid"], data.num_rows, "g")
    stays = hashes.astype(float) < rate * 2.0**64
    factor = np.full(data.num_rows, 1 / rate)
    if task == "logistic":
        positive = data["click"].to_numpy() == 1
        stays |= positive
        factor[positive] = 1.0
    own = data["weight"].to_numpy() if weight else np.ones(data.num_rows)
    by_hand = data.append_column("w", pa.array(own * factor)).filter(pa.array(stays))
    plain = model({"g": FixedEffect(features=["age", "tags"], l2=3.0, **TIGHT)}, task=task)
    plain = model(plain.options.coordinates, task=task, weight="w").fit(by_hand)
    found, expected = (m.model_.parts["g"].coefficients for m in (sampled, plain))
    assert found == pytest.approx(expected, abs=1e-8)
    assert sampled.history_[0]["passive"] == data.num_rows - stays.sum()
    assert 0 < stays.sum() < data.num_rows


def test_weight_two_is_two_copies_under_a_lower_bound(data, numbered):
    """Bounds count samples, not weights: copies of uids are samples of their own."""
    bound = {"active_lower_bound": 2 * LEAST}
    copied = model({"u": user(**bound)}).fit(pa.concat_tables([data, data]))
    two = data.append_column("w", pa.array(np.full(data.num_rows, 2.0)))
    weighted = model({"u": user(active_lower_bound=LEAST)}, weight="w").fit(two)
    assert scores(weighted, two) == pytest.approx(scores(copied, data), abs=1e-8)


def test_a_sampled_descent_settles(data):
    """The objective of all rows may rise on the way; where it stops changing, descent stops."""
    options = both().options
    many = {"sweeps": 500, "sweep_tolerance": 1e-9}
    fitted = model(options.coordinates, **many).fit(data)
    assert 4 < len(fitted.history_) < 1000
    objectives = [update["objective"] for update in fitted.history_]
    assert objectives[-1] == pytest.approx(objectives[-3], rel=1e-9)
