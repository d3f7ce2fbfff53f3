"""A model that begins from an earlier one: what is matched, kept, locked and refused."""

from dataclasses import replace
from functools import partial

import numpy as np
import pyarrow as pa
import pytest

import gdmix
from gdmix import FixedEffect, GdmixError, MixedModel, RandomEffect
from gdmix.coordinates.keeping import Kept
from gdmix.coordinates.regression import Regression
from gdmix.data.index import FeatureIndex
from gdmix.data.reading import read
from gdmix.data.source import open_source
from gdmix.descent import descend
from gdmix.engines.local import LocalEngine
from gdmix.glm.normalization import Normalization
from gdmix.glm.penalties import Penalty
from gdmix.initial import Initial
from gdmix.models.linear import LinearModel
from gdmix.planning import make_plan, statistics_of
from tests.made_up import table

FEATURES = {"global": ["age", "tags"], "user": ["tags", "city"], "item": ["age"]}


def model(sweeps=2, variance="none", random=None, fixed=None, **options):
    """Return a model of all three coordinates; a variance is that of the random effects."""
    random = {"variance": variance} | (random or {})
    fixed = {"features": FEATURES["global"]} | (fixed or {})
    coordinates = {
        "global": FixedEffect(**fixed),
        "user": RandomEffect(**{"entity": "user_id", "features": FEATURES["user"]} | random),
        "item": RandomEffect(**{"features": FEATURES["item"]} | random | {"entity": "item_id"}),
    }
    return MixedModel(label="click", coordinates=coordinates, sweeps=sweeps, **options)


def days():
    """Return yesterday and today: entities and features of each are lacking in the other."""
    rows = table(900)
    user = rows["user_id"].to_numpy()
    first = np.arange(900) < 500
    jazz = [["jazz", *mine] if index % 3 else mine for index, mine in enumerate(tags_of(rows))]
    fewer = [[tag for tag in mine if tag != "noir"] for mine in jazz]
    yesterday = rows.filter(pa.array(first & (user < 20)))
    today = rows.set_column(5, "tags", pa.array(fewer)).filter(pa.array(~first & (user >= 10)))
    return yesterday, today


def named(fitted, name, what="coefficients"):
    """Return a part's numbers by entity, if any, and feature."""
    part, index = fitted.model_.parts[name], fitted.model_.index_of(name)
    labels = [*["()"] * part.intercept, *map(index.label, range(len(index)))]
    if name == "global":
        return dict(zip(labels, getattr(part, what), strict=True))
    held, at = part.table, part.positions()
    sizes = np.diff(held.feature_ptr) + part.intercept
    owner = np.repeat(np.arange(len(held.ids)), sizes)
    ids = held.ids.to_pylist()
    return {
        (ids[e], labels[p]): number
        for e, p, number in zip(owner, at, getattr(held, what), strict=True)
    }


def seen(rows, entity, features):
    """Return the (entity, feature) pairs that rows have, the intercept as ``()``."""
    pairs = set()
    for row in rows.to_pylist():
        pairs.add((row[entity], "()"))
        for column in features:
            values = row[column] if isinstance(row[column], list) else [row[column]]
            if isinstance(row[column], float):
                pairs.add((row[entity], column))
            else:
                pairs |= {(row[entity], f"{column}={value}") for value in values}
    return pairs


@pytest.mark.parametrize("incremental", [False, True])
def test_what_has_no_rows_is_kept_to_the_bit(incremental):
    yesterday, today = days()
    old = with_variances(model(variance="simple").fit(yesterday))
    new = model(variance="full", incremental=incremental).fit(today, initial=old)
    for name, entity in (("user", "user_id"), ("item", "item_id")):
        before, after = named(old, name), named(new, name)
        rows = seen(today, entity, FEATURES[name])
        assert after.keys() == before.keys() | rows
        kept = before.keys() - rows
        # every item came today, with its one feature
        assert len(kept) > 5 if name == "user" else not kept
        assert {pair: after[pair] for pair in kept} == {pair: before[pair] for pair in kept}
        learnt = before.keys() & rows
        assert sum(after[pair] != before[pair] for pair in learnt) > len(learnt) / 2
        was, spread = named(old, name, "variances"), named(new, name, "variances")
        assert {pair: spread[pair] for pair in kept} == {pair: was[pair] for pair in kept}
        assert all(np.isfinite(value) and value > 0 for value in spread.values())
        last = next(update for update in reversed(new.history_) if update["coordinate"] == name)
        assert last["kept_coefficients"] == len(kept)
        gone = {pair[0] for pair in before} - {pair[0] for pair in rows}
        assert last["kept_entities"] == len(gone)
    assert last["kept_entities"] == 0
    before, after = named(old, "global"), named(new, "global")
    assert "tags=noir" in before
    assert "tags=jazz" in after
    assert after["tags=noir"] == before["tags=noir"]
    assert after["age"] != before["age"]
    table_of = {one: one.model_.parts["user"].table for one in (old, new)}
    at = [table_of[one].ids.to_pylist().index(3) for one in (old, new)]
    assert table_of[old].samples[at[0]] == table_of[new].samples[at[1]]
    for mine, theirs in zip(table_of[old].outcome, table_of[new].outcome, strict=True):
        assert mine[at[0]] == theirs[at[1]]


def with_variances(fitted):
    """Give the fixed effect variances, whichever they are."""
    part = fitted.model_.parts["global"]
    spread = np.linspace(0.01, 0.1, len(part.coefficients))
    parts = {**fitted.model_.parts, "global": replace(part, variances=spread)}
    fitted.model_ = replace(fitted.model_, parts=parts)
    return fitted


def test_kept_coefficients_count_when_scoring():
    """Of validation rows too, from the first update on."""
    yesterday, today = days()
    old = model().fit(yesterday)
    new = model(sweeps=1)
    last = {}
    new.fit(
        today,
        yesterday,
        initial=old,
        observers=[lambda update, state: last.update(update.metrics)],
    )
    assert last == pytest.approx(new.evaluate(yesterday), rel=1e-12)
    absent = yesterday.filter(pa.array(yesterday["user_id"].to_numpy() < 10))
    scores = [one.predict(absent)["score_user"].to_numpy() for one in (old, new)]
    assert np.array_equal(*scores)
    assert np.abs(scores[0]).max() > 0.1


def test_locked_coordinates_stay_to_the_bit_and_count():
    yesterday, today = days()
    old = model().fit(yesterday)
    new = model(locked=("global", "item")).fit(today, initial=old)
    assert list(new.model_.parts) == ["global", "user", "item"]
    assert {update["coordinate"] for update in new.history_} == {"user"}
    for name in ("global", "item"):
        before, after = named(old, name), named(new, name)
        assert {key: after[key] for key in before} == before
        assert not any(after[key] for key in after.keys() - before.keys())
        scores = [one.predict(today)[f"score_{name}"].to_numpy() for one in (old, new)]
        np.testing.assert_allclose(*scores, rtol=1e-12, atol=1e-12)
    # the same as training one coordinate over an offset of the others' scores
    others = old.predict(today)
    offset = sum(others[f"score_{name}"].to_numpy() for name in ("global", "item"))
    alone = MixedModel(
        label="click",
        offset="offset",
        coordinates={"user": RandomEffect("user_id", features=FEATURES["user"])},
    ).fit(today.append_column("offset", pa.array(offset)))
    expected, found = named(alone, "user"), named(new, "user")
    assert {key: found[key] for key in expected} == pytest.approx(expected, abs=1e-5)


def test_begun_from_the_optimum_ends_at_once():
    rows = table(500)
    options = {"fixed": {"tolerance": 1e-6}, "random": {"tolerance": 1e-6}}
    old = model(sweeps=200, sweep_tolerance=1e-13, **options).fit(rows)
    loose = {"fixed": {"tolerance": 1e-5}, "random": {"tolerance": 1e-4}}
    new = model(sweeps=1, **loose).fit(rows, initial=old)
    assert [update["iterations"] <= 1.0 for update in new.history_] == [True] * 3
    cold = model(sweeps=1, **loose).fit(rows)
    assert min(update["iterations"] for update in cold.history_) > 1.0
    assert new.history_[-1]["objective"] == pytest.approx(old.history_[-1]["objective"], rel=1e-9)


@pytest.mark.parametrize("normalization", ["none", "standardization"])
@pytest.mark.parametrize("incremental", [False, True])
def test_the_objective_never_rises(incremental, normalization):
    yesterday, today = days()
    old = with_variances(model(variance="simple").fit(yesterday))
    random = {"normalization": normalization}
    fixed = {"features": FEATURES["global"], "penalize_intercept": True} | random
    options = {"fixed": fixed, "random": random}
    new = model(sweeps=4, sweep_tolerance=0.0, incremental=incremental, **options)
    objectives = [update["objective"] for update in new.fit(today, initial=old).history_]
    assert len(objectives) == 12
    assert all(np.diff(objectives) <= 1e-9 * objectives[0])


def test_a_prior_holds_for_raw_features():
    """Where it knows all coefficients, normalization changes nothing but the way to the optimum."""
    yesterday = table(600)
    today = yesterday.slice(0, 300)
    old = with_variances(model(variance="simple").fit(yesterday))
    exact = {"tolerance": 1e-11, "max_iterations": 1000}
    options = model(incremental=True, fixed=exact, random=exact, sweeps=3).options
    initial = Initial(old.options, old.model_, "old")
    rows, indexes = read(open_source(today), options.layout(), earlier=initial.features(options))
    id_types = partial(LocalEngine(1).id_type, rows)
    plan = make_plan(options, indexes, previous=initial.parts(options, indexes, id_types))
    plain = descend(LocalEngine(1), plan, rows)
    rng = np.random.default_rng(0)
    settings = {}
    for name, setting in plan.settings.items():
        width = len(indexes[setting.shard])
        scales = Normalization(rng.uniform(0.5, 2.0, width), rng.normal(size=width))
        settings[name] = setting._replace(normalization=scales)
    scaled = descend(LocalEngine(1), replace(plan, settings=settings), rows)
    for name in FEATURES:
        mine, other = (getattr(s.parts[name], "table", s.parts[name]) for s in (plain, scaled))
        np.testing.assert_allclose(mine.coefficients, other.coefficients, atol=1e-7)


def test_a_coordinate_that_is_new_starts_cold():
    yesterday, today = days()
    old = MixedModel(label="click", coordinates={"global": FixedEffect(features=["tags"])})
    new = model(locked="global", fixed={"features": ["tags"]}).fit(
        today, initial=old.fit(yesterday)
    )
    assert {update["coordinate"] for update in new.history_} == {"user", "item"}
    assert not any(update["kept_coefficients"] for update in new.history_)


def test_features_go_by_name_not_by_place(tmp_path):
    """Other order of columns, other shards, other first seen terms: the same coefficients."""
    rows = table(400)
    old = model().fit(rows)
    old.save(tmp_path / "old")
    turned = {
        "item": RandomEffect("item_id", features=["age"]),
        "user": RandomEffect("user_id", features=["city", "tags"]),
        "global": FixedEffect(features=["tags", "age"]),
        "bias": FixedEffect(),
    }
    new = MixedModel(
        label="click",
        coordinates=turned,
        initial_model=tmp_path / "old",
        locked=["item", "user", "global"],
    ).fit(rows.take(np.arange(400)[::-1]))
    for name in ("user", "item", "global"):
        assert named(new, name) == named(old, name)


def test_the_index_begins_with_what_was_known():
    yesterday, today = days()
    old = model(sweeps=1).fit(yesterday)
    first = model(sweeps=1).fit(today, initial=old)
    again = model(sweeps=1).fit(today.take(np.arange(len(today))[::-1]), initial=old)
    keys = first.model_.index_of("global").keys.to_pylist()
    known = old.model_.index_of("global").keys.to_pylist()
    assert keys[: len(known)] == known
    assert [key.split("\x01")[1] for key in keys[len(known) :]] == ["jazz"]
    assert again.model_.index_of("global").keys.to_pylist() == keys
    index = FeatureIndex(pa.array(["a\x01", "b\x01x", "b\x01y"]))
    assert index.without(["b"]).keys.to_pylist() == ["a\x01"]
    assert index.without([]).keys.equals(index.keys)


def test_columns_no_longer_read_are_forgotten():
    rows = table(300)
    old = model(sweeps=1).fit(rows)
    new = model(sweeps=1, fixed={"features": ["age"]}).fit(rows, initial=old)
    assert list(named(new, "global")) == ["()", "age"]


def test_a_chain_of_days(tmp_path):
    """Each day from the day before; what one day alone saw is there at the end."""
    rows = table(900)
    day = np.arange(900) // 300
    user = rows["user_id"].to_numpy()
    # users 0 to 4 come on the first day alone, 5 to 9 on the second
    comes = (user >= 10) | ((user < 5) & (day == 0)) | ((user >= 5) & (user < 10) & (day == 1))
    fitted = []
    for number in range(3):
        options = {"initial_model": tmp_path / str(number - 1)} if number else {}
        new = model(variance="simple", **options)
        new.fit(rows.filter(pa.array(comes & (day == number))))
        new.save(tmp_path / str(number))
        fitted.append(named(gdmix.load(tmp_path / str(number)), "user"))
    for number, users in ((0, range(5)), (1, range(5, 10))):
        mine = {key: value for key, value in fitted[number].items() if key[0] in users}
        assert mine
        assert {key: fitted[2][key] for key in mine} == mine


def refused(old, match, rows=None, **options):
    with pytest.raises(GdmixError, match=match):
        model(**options).fit(table(50) if rows is None else rows, initial=old)


def test_ids_may_be_numbers_or_text():
    """7 is "7": what was learnt by one is found by the other."""
    old, rows = model(sweeps=1).fit(table(200)), table(60, seed=2)
    text = rows.set_column(1, "user_id", rows["user_id"].cast(pa.string()))
    same, other = model(sweeps=1).fit(rows, initial=old), model(sweeps=1).fit(text, initial=old)
    np.testing.assert_allclose(other.predict(text)["score"], same.predict(rows)["score"], rtol=1e-9)
    back = model(sweeps=1).fit(rows, initial=other)
    assert pa.types.is_int64(back.model_.parts["user"].table.ids.type)


def test_what_does_not_fit_is_refused(tmp_path):
    old = model(sweeps=1).fit(table(200))
    refused(old, "global: the initial model has no variances.*`variance: simple`", incremental=True)
    refused(None, "locked: there is no initial model; give one", locked="global")
    refused(None, "incremental: there is no initial model", incremental=True)
    refused(None, "/nowhere: no model here", initial_model="/nowhere")
    refused(old, "global.intercept: found false; expected true", fixed={"intercept": False})
    scaled = [{"column": "age", "scale": 2.0}, "tags"]
    refused(old, r"global.features: age: found .*2\.0", fixed={"features": scaled})
    fewer = {"locked": "global", "fixed": {"features": ["age"]}}
    refused(old, r"features \(locked\): found age; expected age, tags", **fewer)
    refused(old, "task: found linear; expected logistic", task="linear")
    refused(old, "user.entity: found item_id; expected user_id", random={"entity": "item_id"})
    words = {"random": {"entity": "user_id"}}
    spoken = table(200).set_column(1, "user_id", table(200)["item_id"])
    of_words = model(sweeps=1).fit(spoken)
    refused(of_words, "found ids that are whole numbers; expected strings", table(50), **words)
    numbers = table(50).set_column(4, "city", pa.array(np.ones(50)))
    refused(old, "'city': found numbers; expected categories", numbers)
    one = MixedModel(label="click", coordinates={"user": FixedEffect()}).fit(table(50))
    refused(one, "coordinates.user: found a random effect; expected a fixed effect")
    refused(one, "locked: item: not a coordinate of the initial model", locked="item")
    other = MixedModel(label="click", coordinates={"people": FixedEffect()}).fit(table(50))
    refused(other, "has none of the coordinates, but people")
    with pytest.raises(GdmixError, match="locked: no coordinate 'globl'; did you mean 'global'"):
        model(locked="globl")
    with pytest.raises(GdmixError, match="every coordinate is locked"):
        model(locked=["global", "user", "item"])


def test_what_a_fixed_effect_keeps_stays_within_bounds():
    was = LinearModel("s", 0, np.array([3.0, -4.0, 0.5]), np.array([0.1, 0.2, 0.3]))
    kept = Kept(was, np.array([1, 2]))
    penalty = Penalty.ridge(np.ones(3))._replace(lower=np.full(3, -1.0), l1=np.ones(3))
    held = kept.held(Regression(None, penalty, None, 0)).penalty
    assert held.mean.tolist() == [0.0, -1.0, 0.5]
    assert held.l1.tolist() == [1.0, 0.0, 0.0]
    # where they are held, nothing pulls and nothing costs
    value, gradient = held.smooth_value_and_gradient(np.array([0.0, -1.0, 0.5]))
    assert (value, gradient.tolist()) == (0.0, [0.0, 0.0, 0.0])
    moved = LinearModel("s", 0, np.array([2.0, -0.9, 0.4]), np.ones(3))
    found = kept.restored(moved, penalty)
    assert found.coefficients.tolist() == [2.0, -1.0, 0.5]
    assert found.variances.tolist() == [1.0, 0.2, 0.3]
    bare = Kept(replace(was, variances=None), kept.at).restored(moved, penalty)
    np.testing.assert_array_equal(bare.variances, [1.0, np.nan, np.nan])
    assert kept.restored(replace(moved, variances=None), penalty).variances is None


def test_features_without_weight_have_no_data():
    """A row of weight 0 tells nothing, nor does a feature that is 0 wherever it is."""
    rows = table(300)
    old = model(sweeps=1).fit(rows)
    tags = [["noir"]] * 5 + [[tag for tag in mine if tag != "noir"] for mine in tags_of(rows)[5:]]
    today = rows.set_column(5, "tags", pa.array(tags)).set_column(3, "age", pa.array(np.zeros(300)))
    today = today.set_column(6, "weight", pa.array([0.0] * 5 + [1.0] * 295))
    new = model(sweeps=1, weight="weight").fit(today, initial=old)
    before, after = named(old, "global"), named(new, "global")
    changed = {key for key in before if after[key] != before[key]}
    assert before.keys() - changed == {"age", "tags=noir"}
    assert new.history_[0]["kept_coefficients"] == 2


def tags_of(rows):
    return rows["tags"].to_pylist()


def test_variances_survive_on_disk(tmp_path):
    old = with_variances(model(sweeps=1, variance="simple").fit(table(200)))
    old.save(tmp_path / "model")
    loaded = gdmix.load(tmp_path / "model")
    for name in FEATURES:
        assert named(loaded, name, "variances") == named(old, name, "variances")
    # an infinite variance and an unknown one are what they were
    part = old.model_.parts["global"]
    part.variances[:2] = np.inf, np.nan
    old.save(tmp_path / "model")
    again = gdmix.load(tmp_path / "model").model_.parts["global"].variances
    np.testing.assert_array_equal(again, part.variances)


def test_features_left_out_today_count_as_they_were():
    """Where correlation leaves features out, the others are fitted beside what these were."""
    yesterday, today = table(500), table(200, seed=3)
    ratio = {"features_to_samples_ratio": 0.25, "tolerance": 1e-11}

    def users(**options):
        user = RandomEffect("user_id", features=FEATURES["user"], **ratio)
        return MixedModel(label="click", coordinates={"user": user}, **options)

    old = MixedModel(
        label="click", coordinates={"user": RandomEffect("user_id", features=FEATURES["user"])}
    ).fit(yesterday)
    new = users().fit(today, initial=old)
    trained, whole = named(users().fit(today), "user"), named(new, "user")
    before, rows = named(old, "user"), seen(today, "user_id", FEATURES["user"])
    left_out = {key for key in before if key not in trained}
    assert len(left_out & rows) > 10
    assert {key: whole[key] for key in left_out} == {key: before[key] for key in left_out}
    offset = [
        sum(before.get(key, 0.0) for key in keys & left_out)
        for keys in (seen(today.slice(at, 1), "user_id", FEATURES["user"]) for at in range(200))
    ]
    beside = users(offset="offset").fit(today.append_column("offset", pa.array(offset)))
    expected = named(beside, "user")
    assert {key: whole[key] for key in expected} == pytest.approx(expected, abs=1e-8)


def test_entities_below_the_lower_bound_keep_their_model():
    yesterday, today = table(500), table(120, seed=3)
    old = model().fit(yesterday)
    new = model(random={"active_lower_bound": 5}, sweeps=1).fit(today, initial=old)
    before, after = named(old, "user"), named(new, "user")
    counts = dict(zip(*np.unique(today["user_id"].to_numpy(), return_counts=True), strict=True))
    few = {user for user, count in counts.items() if count < 5}
    assert few
    for user in few:
        mine = {key: value for key, value in before.items() if key[0] == user}
        assert {key: value for key, value in after.items() if key[0] == user} == mine
    kept = today.filter(pa.array(np.isin(today["user_id"].to_numpy(), list(few))))
    scores = [one.predict(kept)["score_user"].to_numpy() for one in (old, new)]
    assert np.array_equal(*scores)
    update = new.history_[1]
    assert update["kept_entities"] == len({key[0] for key in before} - (counts.keys() - few))


def test_what_became_zero_today_is_not_what_it_was():
    rows = table(500)
    old = model(sweeps=1).fit(rows)
    new = model(sweeps=1, random={"sparsity_threshold": 0.3}).fit(rows, initial=old)
    before, after = named(old, "user"), named(new, "user")
    assert 0 < len(after) < len(before)
    assert all(abs(value) > 0.3 for key, value in after.items() if key[1] != "()")


def test_an_intercept_stands_where_centred_features_have_it():
    """A part costs what its update said that it pays."""
    rows = table(400)
    scaled = {"normalization": "standardization"}
    random = scaled | {"l2": 3.0}
    fixed = {"features": FEATURES["global"], "penalize_intercept": True, "l2": 3.0} | scaled
    options = model(sweeps=1, random=random, fixed=fixed).options
    data, indexes = read(open_source(rows), options.layout())
    engine = LocalEngine(1)
    plan = make_plan(options, indexes, statistics_of(engine, options, data))
    state = descend(engine, plan, data)
    for name, setting in plan.settings.items():
        stands = setting._replace(previous=state.parts[name])
        cost = plan.coordinates[name].standing_cost(engine, data, stands)
        paid = next(update.penalty for update in state.history if update.coordinate == name)
        assert cost == pytest.approx(paid, rel=1e-9)
