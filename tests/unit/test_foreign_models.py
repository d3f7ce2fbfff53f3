"""Models in the directories of Photon-ML and GDMix, written, read, damaged and split."""

import json

import fastavro
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gdmix
from gdmix import FixedEffect, MixedModel, RandomEffect
from gdmix.data.index import FeatureIndex
from gdmix.engine import EntityTable
from gdmix.errors import ConfigError, DataError, ModelError
from gdmix.glm.groups import Outcome
from gdmix.models.entity import EntityModel
from gdmix.models.linear import LinearModel
from gdmix.store import bayesian_writer
from gdmix.store.bayesian import entity_model, index_of, linear_model, read_models
from gdmix.store.bayesian_writer import write_models
from gdmix.store.crossed import Cut, split_crossed
from gdmix.store.directory import Saved
from tests.made_up import table

CLASS = "com.linkedin.photon.ml.supervised.classification.LogisticRegressionModel"


def bagged(rows=300, seed=0):
    """The made-up data with its features in a bag of names, terms and values."""
    data = table(rows, seed=seed)
    bags = [
        [{"name": "age", "term": "", "value": age}]
        + [{"name": "tag", "term": tag, "value": 1.0} for tag in tags]
        for age, tags in zip(data["age"].to_pylist(), data["tags"].to_pylist(), strict=True)
    ]
    return data.append_column("bag", pa.array(bags))


@pytest.fixture(scope="module")
def fitted():
    coordinates = {
        "global": FixedEffect(features=["bag"], variance="simple"),
        "per-user": RandomEffect("user_id", features=["bag"], variance="full", l2=2.0),
        "mean": RandomEffect("item_id"),
    }
    options = {"label": "click", "uid": "uid", "weight": "weight"}
    return MixedModel(**options, coordinates=coordinates, sweeps=2).fit(bagged())


@pytest.mark.parametrize("to", ["photon", "gdmix"])
def test_scores_survive(fitted, tmp_path, to):
    fitted.export(tmp_path / "theirs", to)
    given_ = {"weight": "weight"}
    if to == "gdmix":
        given_ |= {
            "coordinates.global.features": ["bag"],
            "coordinates.per-user.features": ["bag"],
            "coordinates.per-user.entity": "user_id",
            "coordinates.mean.entity": "item_id",
        }
    loaded = gdmix.load(tmp_path / "theirs", given_)
    new = bagged(500, seed=3)
    expected, found = fitted.predict(new), loaded.predict(new)
    for name in ("score", "score_global", "score_per-user", "score_mean"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-14, atol=1e-15)
    assert loaded.options_.task == "logistic"
    part, own = loaded.model_.parts["per-user"].table, fitted.model_.parts["per-user"].table
    assert np.array_equal(np.sort(part.variances), np.sort(own.variances))


def test_what_other_projects_read(fitted, tmp_path):
    fitted.export(tmp_path / "game", "photon")
    place = tmp_path / "game" / "random-effect" / "per-user"
    assert (place / "id-info").read_text().split() == ["user_id", "bag"]
    assert (tmp_path / "game" / "fixed-effect" / "global" / "id-info").read_text() == "bag\n"
    with (place / "coefficients" / "part-00000.avro").open("rb") as stream:
        records = list(fastavro.reader(stream))
    assert len(records) == 25
    by_id = {record["modelId"]: record for record in records}
    model = fitted.model_.parts["per-user"]
    at = model.position(7)
    intercept, features, coefficients = model.coefficients_of(at)
    record = by_id["7"]
    assert (record["modelClass"], record["lossFunction"]) == (CLASS, "")
    assert record["means"][0] == {"name": "(INTERCEPT)", "term": "", "value": intercept}
    index = fitted.model_.index_of("per-user")
    names = [(index.names[i].as_py(), index.terms[i].as_py()) for i in features]
    rest = record["means"][1:]
    assert [(each["name"], each["term"]) for each in rest] == names
    assert [each["value"] for each in rest] == list(coefficients)
    assert len(record["variances"]) == len(record["means"])
    metadata = json.loads((tmp_path / "game" / "model-metadata.json").read_text())
    assert metadata["modelType"] == "LOGISTIC_REGRESSION"
    weights = {
        each["name"]: each["configuration"]["regularizationWeight"]
        for each in metadata["optimizationConfigurations"]["values"]
    }
    assert weights["per-user"] == 2.0


def test_training_from_theirs(fitted, tmp_path):
    """A warm start, a locked coordinate, and a prior: ids are text there and numbers here."""
    fitted.export(tmp_path / "game", "photon")
    plain = fitted.options.plain()
    more = bagged(200, seed=5)
    for extra in (
        {"locked": ["per-user"]},
        {"incremental": True},
    ):
        options = {**plain, **extra}
        if "incremental" in extra:
            del options["coordinates"]["mean"]
        ours = MixedModel(**options).fit(more, initial=fitted)
        theirs = MixedModel(**options, initial_model=str(tmp_path / "game")).fit(more)
        found, expected = theirs.predict(more)["score"], ours.predict(more)["score"]
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)


def test_words_do_not_train_numbers(fitted, tmp_path):
    fitted.export(tmp_path / "game", "photon")
    plain = fitted.options.plain()
    plain["coordinates"]["mean"]["entity"] = "user_id"
    with pytest.raises(DataError, match=r"coordinates.mean.entity.*whole numbers.*strings"):
        MixedModel(**plain, initial_model=str(tmp_path / "game")).fit(bagged(50))


names = st.text(st.characters(exclude_characters="\x01", codec="utf-8"), max_size=6)
number = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def entities(draw):
    pairs = draw(
        st.lists(st.tuples(names, names), min_size=1, max_size=6, unique=True).filter(
            lambda pairs: ("(INTERCEPT)", "") not in pairs
        )
    )
    intercept = draw(st.integers(0, 1))
    ids = sorted(draw(st.sets(names, max_size=5)), key=str.encode)
    lists = [sorted(draw(st.sets(st.integers(0, len(pairs) - 1)))) for _ in ids]
    counts = np.array([len(each) for each in lists], np.int64)
    size = int(counts.sum()) + intercept * len(ids)
    means = np.array(draw(st.lists(number, min_size=size, max_size=size)), np.float64)
    variances = None
    if draw(st.booleans()):
        some = st.floats(0.0, allow_infinity=False) | st.just(np.nan)
        variances = np.array(draw(st.lists(some, min_size=size, max_size=size)), np.float64)
    zeros = np.zeros(len(ids))
    model = EntityTable(
        pa.array(ids, pa.string()),
        zeros.astype(np.int64),
        np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]),
        np.array([at for each in lists for at in each], np.int32),
        means,
        Outcome(zeros.astype(np.int8), zeros.astype(np.int32), zeros, zeros, zeros),
        variances,
    )
    keys = sorted(f"{name}\x01{term}" for name, term in pairs)
    return EntityModel("s", "e", intercept, model), FeatureIndex(pa.array(keys, pa.string()))


def known(model, index):
    """Coefficients and variances by entity and feature; an intercept of 0 is as good as none."""
    found = {}
    for at, entity in enumerate(model.table.ids.to_pylist()):
        first = model.table.feature_ptr[at] + at * model.intercept
        end = model.table.feature_ptr[at + 1] + (at + 1) * model.intercept
        labels = ["intercept"] * model.intercept
        features = model.table.features[
            model.table.feature_ptr[at] : model.table.feature_ptr[at + 1]
        ]
        labels += [index.keys[int(i)].as_py() for i in features]
        variances = model.table.variances
        spread = np.full(end - first, np.nan) if variances is None else variances[first:end]
        for label, mean, own in zip(
            labels, model.table.coefficients[first:end], spread, strict=True
        ):
            if label != "intercept" or mean or not np.isnan(own):
                found[entity, label] = (mean, None if np.isnan(own) else own)
    return found


@settings(max_examples=60)
@given(entities(), st.booleans())
def test_round_trip(tmp_path_factory, drawn, small):
    model, index = drawn
    folder = tmp_path_factory.mktemp("m") / "models"
    with pytest.MonkeyPatch.context() as patch:
        if small:
            patch.setattr(bayesian_writer, "_ENTITIES_PER_FILE", 2)
            patch.setattr(bayesian_writer, "_COEFFICIENTS_AT_ONCE", 3)
        files = write_models(folder, model, index, CLASS, "")
    records = read_models(files)
    again = index_of([records])
    found = entity_model(records, "s", "e", again)
    assert found.table.ids.equals(model.table.ids)
    assert known(found, again) == known(model, index)


def test_fixed_effect_round_trip(tmp_path):
    index = FeatureIndex(pa.array(["a\x01", "a\x01x", "ü\x01x\x01y"]))
    numbers = np.array([0.0, 1e-300, -2.5, 3.0])
    part = LinearModel("s", 1, numbers, np.array([1.0, np.nan, 0.0, 2.0]))
    records = read_models(write_models(tmp_path / "m", part, index, CLASS, "fixed-effect"))
    assert (records.ids.to_pylist(), records.model_class) == (["fixed-effect"], CLASS)
    found = linear_model(records, "s", index)
    assert np.array_equal(found.coefficients, numbers)
    assert np.array_equal(found.variances, part.variances, equal_nan=True)


def record(model_id, means, **more):
    ntv = [{"name": n, "term": t, "value": v} for n, t, v in means]
    return {"modelId": model_id, "means": ntv, "variances": None, **more}


def write_theirs(path, records):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        fastavro.writer(stream, fastavro.parse_schema(bayesian_writer.SCHEMA), records)


@pytest.mark.parametrize(
    ("records", "words"),
    [
        ([record("a", [("x", "", 1.0), ("x", "", 2.0)])], "'a' names the feature 'x,' twice"),
        ([record("a", []), record("a", [])], "two models have the id 'a'"),
        ([record("a", []), record("b", [("x", "t", np.inf)])], "row 2.*inf for 'x,t'"),
    ],
)
def test_wrong_records(tmp_path, records, words):
    write_theirs(tmp_path / "per-user" / "models" / "part-00000.avro", records)
    with pytest.raises(ModelError, match=words):
        gdmix.load(tmp_path, {"coordinates.per-user.entity": "user"})


def test_damage_is_told(fitted, tmp_path):
    fitted.export(tmp_path / "game", "photon")
    file = tmp_path / "game" / "random-effect" / "per-user" / "coefficients" / "part-00000.avro"
    whole = file.read_bytes()
    for cut in range(0, len(whole), 97):
        file.write_bytes(whole[:cut])
        with pytest.raises(ModelError, match=r"part-00000\.avro"):
            gdmix.load(tmp_path / "game")
    file.unlink()
    with pytest.raises(ModelError, match=r"'per-user' has no coefficients.*--without per-user"):
        gdmix.load(tmp_path / "game")
    assert set(gdmix.load(tmp_path / "game", without=["per-user"]).model_.parts) == {
        "global",
        "mean",
    }
    (tmp_path / "game" / "model-metadata.json").write_text("{")
    with pytest.raises(ModelError, match=r"model-metadata.json: is not JSON"):
        gdmix.load(tmp_path / "game", without=["per-user"])


def test_wrong_requests(fitted, tmp_path):
    fitted.export(tmp_path / "tree", "gdmix")
    with pytest.raises(ModelError, match=r"entities of 'mean'.*--set coordinates.mean.entity"):
        gdmix.load(tmp_path / "tree", {"coordinates.per-user.entity": "user_id"})
    entities_ = {"coordinates.per-user.entity": "user_id", "coordinates.mean.entity": "item_id"}
    with pytest.raises(ConfigError, match=r"coordinates.globl: the model has none.*'global'"):
        gdmix.load(tmp_path / "tree", {**entities_, "coordinates.globl.l2": 1.0})
    with pytest.raises(ConfigError, match=r"coordinates.global: .*a fixed effect"):
        gdmix.load(tmp_path / "tree", {**entities_, "coordinates.global.entity": "item_id"})
    with pytest.raises(ConfigError, match=r"without: no coordinate 'men'.*'mean'"):
        gdmix.load(tmp_path / "tree", entities_, without=["men"])
    fitted.save(tmp_path / "ours")
    with pytest.raises(ConfigError, match="knows its own options"):
        gdmix.load(tmp_path / "ours", {"task": "linear"})
    scaled = MixedModel(
        label="click", coordinates={"global": {"features": [{"column": "age", "scale": 2.0}]}}
    ).fit(table(60))
    with pytest.raises(ModelError, match="'age' is read times 2"):
        scaled.export(tmp_path / "scaled", "photon")
    with pytest.raises(ConfigError, match="found 'ml'"):
        scaled.export(tmp_path / "scaled", "ml")


def test_features_that_two_coordinates_share(tmp_path):
    """Photon-ML's shards are shared: one index then holds the features of both."""
    write_theirs(
        tmp_path / "fixed-effect" / "g" / "coefficients" / "part-0.avro",
        [record("fixed-effect", [("b", "", 2.0), ("(INTERCEPT)", "", 0.5)], modelClass=CLASS)],
    )
    (tmp_path / "fixed-effect" / "g" / "id-info").write_text("bag\n")
    write_theirs(
        tmp_path / "random-effect" / "u" / "coefficients" / "part-0.avro",
        [record("1", [("c", "", 1.0), ("a", "", 3.0)]), record("2", [("(INTERCEPT)", "", 9.0)])],
    )
    (tmp_path / "random-effect" / "u" / "id-info").write_text("user\nbag\n")
    model = gdmix.load(tmp_path)
    rows = [
        (1, [{"name": "a", "value": 1.0}, {"name": "b", "value": 10.0}]),
        (2, [{"name": "c", "value": 1.0}]),
        (3, [{"name": "zzz", "value": 1.0}]),
    ]
    data = pa.table({"user": [user for user, _ in rows], "bag": [bag for _, bag in rows]})
    found = model.predict(data)
    assert found["score"].to_pylist() == [0.5 + 20.0 + 3.0, 0.5 + 9.0, 0.5]


def test_split(tmp_path):
    """GDMix's example: models of entities inside of a global one."""
    crossed = [
        (f"user {user}_gdmixcross_{name}", term, value)
        for user, name, term, value in [
            ("a", "x", "", 1.0),
            ("a", "y", "t", 2.0),
            ("b", "x", "", 3.0),
            ("b", "(INTERCEPT)", "", 4.0),
        ]
    ]
    means = [("(INTERCEPT)", "", 0.25), ("x", "", 5.0), *crossed]
    ntv = [{"name": n, "term": t, "value": 2 * v} for n, t, v in crossed[:2]]
    whole = {**record("global model", means, modelClass=CLASS), "variances": ntv}
    write_theirs(tmp_path / "in" / "part-00000.avro", [whole])
    loaded = gdmix.load(tmp_path / "in", {"coordinates.in.features": ["bag"]})
    saved = Saved(loaded.options_, loaded.model_, [])
    result = split_crossed(saved, Cut(None, "user", "per-user"))
    index = result.model.index_of("per-user")
    assert known(result.model.parts["per-user"], index) == {
        ("user a", "x\x01"): (1.0, 2.0),
        ("user a", "y\x01t"): (2.0, 4.0),
        ("user b", "x\x01"): (3.0, None),
        ("user b", "intercept"): (4.0, None),
    }
    rest = result.model.parts["in"]
    assert (rest.coefficients[0], rest.coefficients.sum()) == (0.25, 5.25)
    alone = split_crossed(saved, Cut("in", "user", "per-user", ("own",)))
    assert alone.options.features_of("per-user")[0].column == "own"
    assert len(alone.model.index_of("in")) == 1
    with pytest.raises(ModelError, match="no fixed effect 'out'"):
        split_crossed(saved, Cut("out", "user", "u"))
    with pytest.raises(ConfigError, match="'in' is a coordinate already"):
        split_crossed(saved, Cut(None, "user", "in"))
    with pytest.raises(ModelError, match="_gdmixcross_"):
        split_crossed(result, Cut("in", "user", "other"))
