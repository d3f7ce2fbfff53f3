"""The estimator: frames in and out, habits of scikit-learn, saving and loading."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import gdmix
from gdmix import FixedEffect, MixedModel, RandomEffect
from gdmix.config import ModelOptions
from gdmix.errors import ConfigError, DataError, ModelError
from gdmix.options import read_yaml
from tests.made_up import table


def model(**options):
    coordinates = {
        "global": FixedEffect(features=["age", "city", "tags"]),
        "per-user": RandomEffect("user_id", features=["tags"]),
        "per-item": RandomEffect("item_id", features=["age"]),
    }
    return MixedModel(**({"label": "click", "uid": "uid", "coordinates": coordinates} | options))


@pytest.fixture(scope="module")
def data():
    return table()


@pytest.fixture(scope="module")
def fitted(data):
    return model().fit(data)


def test_every_kind_of_frame_gives_the_same_scores(data, fitted):
    expected = fitted.predict(data)["score"].to_numpy()
    pandas = data.to_pandas()
    frames = {
        pd.DataFrame: pandas,
        pl.DataFrame: pl.from_arrow(data),
        pa.Table: data,
    }
    for kind, frame in frames.items():
        again = model().fit(frame)
        scores = again.predict(frame)
        assert isinstance(scores, kind)
        assert np.array_equal(np.asarray(scores["score"]), expected)
    lazy = fitted.predict(pl.from_arrow(data).lazy())
    assert np.array_equal(np.asarray(lazy["score"]), expected)


def test_columns_of_scores(data, fitted):
    scores = fitted.predict(data)
    assert scores.schema.names == [
        "uid",
        "score",
        "probability",
        "score_global",
        "score_per-user",
        "score_per-item",
        "label",
        "user_id",
        "item_id",
    ]
    assert scores["uid"].to_pylist() == data["uid"].to_pylist()
    assert scores["item_id"].to_pylist() == data["item_id"].to_pylist()


def test_entity_columns_named_like_scores_are_kept_apart(data):
    rows = data.rename_columns({"user_id": "score", "item_id": "uid", "uid": "number"})
    coordinates = {"a": RandomEffect("score"), "b": RandomEffect("uid")}
    scores = model(coordinates=coordinates, uid="uid").fit(rows).predict(rows)
    assert scores["entity_score"].equals(data["user_id"])
    assert scores["uid"].equals(data["item_id"])


def test_a_saved_model_is_the_same_model(data, fitted, tmp_path):
    # a folder that looks like a partition must not add a column
    tmp_path = tmp_path / "samples=3"
    fitted.save(tmp_path / "model")
    loaded = gdmix.load(tmp_path / "model")
    assert loaded.predict(data).equals(fitted.predict(data))
    assert loaded.history_ == fitted.history_
    assert loaded.get_params() == fitted.get_params()
    # saving over a model replaces it
    loaded.save(tmp_path / "model")
    assert gdmix.load(tmp_path / "model").predict(data).equals(fitted.predict(data))
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_unseen_things_score_zero_and_are_counted(data, fitted):
    rows = data.slice(0, 4).to_pydict()
    rows["user_id"] = [10**9, 0, 1, 2]
    rows["item_id"] = ["item-0", "never", "item-1", "item-2"]
    rows["city"] = ["Atlantis", "Oslo", "Oslo", "Oslo"]
    scores = fitted.predict(rows)
    assert scores["score_per-user"][0].as_py() == 0.0
    assert scores["score_per-item"][1].as_py() == 0.0
    assert dict(fitted.unseen_.entities) == {"per-user": 1, "per-item": 1}
    assert fitted.unseen_.features["global"] == 1
    # the unknown city leaves the rest of the row as it was
    rows["city"][0] = None
    assert fitted.predict(rows)["score"].equals(scores["score"])


def test_ids_match_as_numbers_and_as_strings(data, fitted):
    text = data.to_pandas()
    text["user_id"] = text["user_id"].astype(str)
    expected = fitted.predict(data)["score"].to_numpy()
    assert np.array_equal(fitted.predict(text)["score"].to_numpy(), expected)


def test_scoring_in_batches_is_scoring_at_once(data, fitted, tmp_path):
    pq.write_table(data, tmp_path / "data.parquet", row_group_size=50)
    from gdmix.data import source
    from gdmix.data.formats import parquet

    expected = fitted.predict(data)
    patch = pytest.MonkeyPatch()
    with patch.context() as changed:
        for module in (source, parquet):
            if hasattr(module, "_BATCH_ROWS"):
                changed.setattr(module, "_BATCH_ROWS", 37)
        found = fitted.predict(str(tmp_path / "data.parquet"))
    assert found.combine_chunks().equals(expected.combine_chunks())


def test_unlabelled_data_and_row_numbers(data):
    plain = model(uid=None).fit(data)
    scores = plain.predict(data.drop_columns(["click", "uid"]))
    assert "label" not in scores.schema.names
    assert scores["uid"].to_pylist() == list(range(data.num_rows))
    with pytest.raises(DataError, match="label: column 'click' not found"):
        plain.evaluate(data.drop_columns("click"))


def test_labels_that_are_not_known_yet_can_be_scored(data, fitted):
    rows = data.slice(0, 3).to_pydict() | {"click": [1, None, 7]}
    scores = fitted.predict(rows)
    assert scores["label"].to_pylist() == [1.0, None, 7.0]
    assert scores["score"].equals(fitted.predict(data.slice(0, 3))["score"])
    with pytest.raises(DataError, match="row 2, column 'click': the label is null"):
        fitted.evaluate(rows)


def test_weights_and_offsets_reach_the_scores(data):
    offset = np.linspace(-1, 1, data.num_rows)
    rows = data.append_column("o", pa.array(offset))
    fitted = model(weight="weight", offset="o").fit(rows)
    scores = fitted.predict(rows)
    assert scores["weight"].equals(data["weight"])
    parts = sum(scores[f"score_{name}"].to_numpy() for name in fitted.model_.parts)
    assert scores["score"].to_numpy() == pytest.approx(parts + offset, abs=1e-12)


def test_evaluate_is_the_metric_of_the_scores(data, fitted):
    from sklearn.metrics import log_loss, roc_auc_score

    scores = fitted.predict(data).to_pandas()
    found = fitted.evaluate(data)
    assert found["auc"] == pytest.approx(roc_auc_score(scores["label"], scores["score"]), abs=1e-12)
    expected = log_loss(scores["label"], scores["probability"])
    assert found["logistic_loss"] == pytest.approx(expected, abs=1e-12)
    assert fitted.evaluate(data, "auc") == {"auc": found["auc"]}
    with pytest.raises(ConfigError, match="'rmse' is no metric of task 'logistic'"):
        fitted.evaluate(data, ["rmse"])
    with pytest.raises(ConfigError, match="did you mean 'auc'"):
        fitted.evaluate(data, ["acu"])


def test_params():
    made = model(sweeps=4)
    assert made.get_params()["sweeps"] == 4
    again = MixedModel(**made.get_params())
    assert again.get_params() == made.get_params()
    assert made.set_params(sweeps=2, threads=1).get_params()["sweeps"] == 2
    assert made.threads == 1
    with pytest.raises(ConfigError, match="did you mean 'sweeps'"):
        made.set_params(sweps=2)


def test_scikit_learn_clones_it():
    from sklearn.base import clone

    made = model(sweeps=3, threads=2)
    copy = clone(made)
    assert copy.get_params() == made.get_params()
    assert copy.set_params(sweeps=2).options.sweeps == 2


def test_pandas_keeps_its_index(data, fitted):
    rows = data.to_pandas()
    rows = rows[rows["age"] > 0]
    scores = fitted.predict(rows)
    assert scores.index.equals(rows.index)
    assert rows.assign(score=scores["score"])["score"].notna().all()


def test_scoring_asks_for_no_weight_and_no_uid(data):
    fitted = model(weight="weight").fit(data)
    scores = fitted.predict(data.drop_columns(["weight", "uid"]))
    assert "weight" not in scores.schema.names
    assert scores["score"].equals(fitted.predict(data)["score"])


def test_a_free_intercept_of_the_linear_task_has_no_bound():
    rows = {"user": ["a", "a", "b"], "y": [1000.0, 1002.0, -500.0]}
    effect = RandomEffect("user", penalize_intercept=False)
    fitted = MixedModel(task="linear", label="y", coordinates={"user": effect}).fit(rows)
    assert fitted.model_.parts["user"].split()[0] == pytest.approx([1001.0, -500.0])
    assert fitted.history_[0]["status"] == {"converged": 2}


def test_options_that_cannot_be_meant():
    age = {"global": FixedEffect(features=["age"])}
    cases = {
        "coordinates.a.features: 'click' is the label": {"a": FixedEffect(features=["click"])},
        "coordinates.a.entity: 'click' is the label": {"a": RandomEffect("click")},
        "coordinates.a.features: column 'age' is there twice": {
            "a": FixedEffect(features=["age", {"column": "age", "scale": 2.0}])
        },
        "coordinates.a.features: 'bag' is a bag": {
            "a": FixedEffect(features=[{"column": "bag", "scale": 2.0}])
        },
        "coordinates.a.b: found 'a.b'": {"a.b": FixedEffect(features=["age"])},
    }
    for words, coordinates in cases.items():
        with pytest.raises(ConfigError) as caught:
            model(coordinates=coordinates, bags={"bag": ["age"]})
        assert words in str(caught.value)
    with pytest.raises(ConfigError, match=r"bags.outer: holds the bag 'inner'"):
        model(coordinates=age, bags={"inner": ["age"], "outer": ["inner"]})
    with pytest.raises(ConfigError, match="'auc' is no metric of task 'linear'"):
        model(coordinates=age, task="linear", metrics=["auc"])
    # one column as a number and as codes is no mistake
    model(coordinates={"a": FixedEffect(features=["n", {"column": "n", "kind": "categorical"}])})
    # nothing below a coordinate's name: all defaults
    assert model(coordinates={"mean": None}).options.coordinates["mean"] == FixedEffect()


def test_mistakes():
    for threads in (0, -1, "a"):
        with pytest.raises(ConfigError, match="threads: found"):
            model(threads=threads)
    with pytest.raises(ModelError, match="not fitted yet"):
        model().predict(table(10))
    with pytest.raises(ConfigError, match="label: required option"):
        model(label=None).fit(table(10))
    with pytest.raises(ConfigError, match="nothing to learn"):
        RandomEffect("user_id", intercept=False)
    with pytest.raises(DataError, match="found int; expected a path"):
        model().fit(5)
    with pytest.raises(ConfigError, match=r"FixedEffect: 1 positional arguments"):
        FixedEffect("age")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            {"active_lower_bound": 5, "active_upper_bound": 4},
            "active_upper_bound: found 4, below active_lower_bound 5",
        ),
        ({"active_lower_bound": 0}, "active_lower_bound: found 0; expected greater than or equal"),
        ({"active_upper_bound": 0}, "active_upper_bound: found 0; expected greater than or equal"),
        (
            {"active_sampling": "hash_groups"},
            "active_sampling: found 'hash_groups' without active_upper_bound",
        ),
        (
            {"active_upper_bound": 4, "active_sampling": "first"},
            "active_sampling: found 'first'; expected 'exact' or 'hash_groups'",
        ),
        (
            {"ignore_lower_bound_for_new": True},
            "ignore_lower_bound_for_new: there is no active_lower_bound to ignore",
        ),
        ({"features_to_samples_ratio": 0}, "features_to_samples_ratio: found 0; expected greater"),
        ({"sparsity_threshold": -1}, "sparsity_threshold: found -1; expected greater than"),
        ({"active_lower": 3}, "active_lower: unknown option; did you mean 'active_lower_bound'?"),
    ],
)
def test_mistakes_about_which_rows_train(values, words):
    coordinates = {"a": {"entity": "user_id", **values}}
    with pytest.raises(ConfigError) as caught:
        ModelOptions.parse({"label": "click", "coordinates": coordinates})
    assert f"coordinates.a.{words}" in str(caught.value)


def test_down_sampling_is_a_share_of_rows():
    for rate in (0.0, 1.5, "a"):
        with pytest.raises(ConfigError, match="down_sampling: found"):
            FixedEffect(features=["age"], down_sampling=rate)
    tiny = FixedEffect(features=["age"], down_sampling=1e-12)
    words = r"^coordinates\.a\.down_sampling: 1e-12 leaves none of 50 rows.*; take a larger share"
    with pytest.raises(ConfigError, match=words):
        model(task="linear", coordinates={"a": tiny}).fit(table(50))


def test_which_rows_train_survives_yaml():
    coordinates = {
        "global": FixedEffect(features=["age"], down_sampling=0.1, sparsity_threshold=1e-4),
        "user": RandomEffect(
            "user_id",
            active_lower_bound=3,
            active_upper_bound=1000,
            active_sampling="hash_groups",
            ignore_lower_bound_for_new=True,
            features_to_samples_ratio=0.5,
        ),
    }
    options = ModelOptions(label="click", coordinates=coordinates)
    assert ModelOptions.parse(read_yaml(options.to_yaml(), "")) == options


def test_a_random_effect_may_end_up_without_a_model(tmp_path):
    data = table(200)
    coordinates = {
        "global": FixedEffect(features=["age"]),
        "user": RandomEffect("user_id", features=["tags"], active_lower_bound=1000),
    }
    fitted = model(coordinates=coordinates).fit(data, data)
    assert (fitted.history_[-1]["entities"], fitted.history_[-1]["passive"]) == (0, 200)
    fitted.save(tmp_path / "model")
    loaded = MixedModel.load(tmp_path / "model").predict(data)
    assert loaded.equals(fitted.predict(data))
    assert not loaded["score_user"].to_numpy().any()


def test_bags_are_named_lists_of_columns(data):
    bags = {"context": ["age", "city"], "content": ["tags"]}
    coordinates = {
        "global": FixedEffect(features=["context", "content"]),
        "per-user": RandomEffect("user_id", features=["content"]),
        "per-item": RandomEffect("item_id", features=["age"]),
    }
    bagged = model(bags=bags, coordinates=coordinates).fit(data)
    assert bagged.predict(data).equals(model().fit(data).predict(data))


def test_what_was_fitted_stays_until_the_next_fit(data):
    fitted = model().fit(data)
    scores, metrics = fitted.predict(data), fitted.evaluate(data)
    begun = model().fit(data, initial=fitted).predict(data)
    fitted.set_params(coordinates={"other": FixedEffect(features=["city"])}, uid=None)
    assert fitted.predict(data).equals(scores)
    assert fitted.evaluate(data) == metrics
    assert model().fit(data, initial=fitted).predict(data).equals(begun)
