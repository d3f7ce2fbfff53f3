"""The deep effect as a coordinate: what it reads, and how it lives with the others."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import gdmix
from gdmix import DeepEffect, FixedEffect, MixedModel, RandomEffect
from gdmix.config import ModelOptions
from gdmix.data.reading import read
from gdmix.data.source import open_source
from gdmix.errors import ConfigError, DataError, ModelError
from tests.made_up import TAGS, table

torch = pytest.importorskip("torch")

FEW = {"steps": 60, "batch": 32, "learning_rate": 0.02}
SMALL = {"kind": "cnn", "units": 8, "filters": 4, "windows": [2], "max_length": 8}


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def texts(rows=300, seed=0, **options):
    """The made-up data, with its tags as text."""
    data = table(rows, seed=seed, **options)
    said = [" ".join(tags) or None for tags in data["tags"].to_pylist()]
    return data.append_column("said", pa.array(said))


def deep(**options):
    network = {"document_texts": ["said"], "encoder": SMALL} | options.pop("network", {})
    training = FEW | options.pop("training", {})
    return DeepEffect(network=network, training=training, **options)


def model(coordinates, **options):
    return MixedModel(label="click", uid="uid", coordinates=coordinates, **options)


def test_texts_are_read_as_they_are():
    data = texts(50)
    rows, _ = read(
        open_source(data), ModelOptions(label="click", coordinates={"d": deep()}).layout()
    )
    assert rows.texts["said"].to_pylist() == [text or "" for text in data["said"].to_pylist()]
    lists = data.set_column(data.column_names.index("said"), "said", data["tags"])
    rows, _ = read(
        open_source(lists), ModelOptions(label="click", coordinates={"d": deep()}).layout()
    )
    assert rows.texts["said"].to_pylist() == [text or "" for text in data["said"].to_pylist()]
    wrong = data.set_column(data.column_names.index("said"), "said", pa.array([{"a": 1}] * 50))
    with pytest.raises(DataError, match=r"column 'said': found type struct.*coordinates.d.network"):
        model({"d": deep()}).fit(wrong)
    with pytest.raises(DataError, match=r"coordinates.d.network.*'said' not found"):
        model({"d": deep()}).fit(data.drop_columns(["said"]))


def test_it_learns_and_survives_saving(tmp_path):
    data, new = texts(600), texts(200, seed=1)
    coordinates = {
        "deep": deep(features=["age"], network={"document_ids": ["item_id"], "id_units": 4}),
        "per-user": RandomEffect("user_id", features=["tags"]),
    }
    fitted = model(coordinates).fit(data, new)
    assert fitted.evaluate(data)["auc"] > 0.7
    scores = fitted.predict(new)
    fitted.save(tmp_path / "model")
    loaded = gdmix.load(tmp_path / "model")
    again = loaded.predict(new)
    assert np.array_equal(again["score"], scores["score"])
    assert np.array_equal(again["score_deep"], scores["score_deep"])
    with pytest.raises(ModelError, match="'deep': is a network"):
        fitted.export(tmp_path / "photon", "photon")


def test_what_training_did_not_see_scores_as_absent():
    coordinates = {"deep": deep(network={"document_ids": ["item_id"]}, features=["city"])}
    fitted = model(coordinates).fit(texts(200))
    row = texts(1, seed=3)
    strange = row.set_column(2, "item_id", pa.array(["item-unknown"]))
    strange = strange.set_column(4, "city", pa.array(["Atlantis"]))
    bare = row.set_column(2, "item_id", pa.array([None], pa.string()))
    bare = bare.set_column(4, "city", pa.array([None], pa.string()))
    assert fitted.predict(strange)["score"].equals(fitted.predict(bare)["score"])


def test_offsets_are_what_it_learns_upon():
    """A second sweep trains it against the random effects; the data's offset counts too."""
    data = texts(400)
    coordinates = {"deep": deep(), "per-user": RandomEffect("user_id")}
    twice = model(coordinates, sweeps=2, sweep_tolerance=0.0).fit(data)
    assert len(twice.history_) == 4
    assert twice.history_[2]["objective"] < twice.history_[1]["objective"]
    # what the text tells is small beside the offset, and all that is left to learn
    drama = np.array(["drama" in (said or "") for said in data["said"].to_pylist()])
    known = np.random.default_rng(0).normal(scale=20.0, size=400)
    data = data.set_column(7, "click", pa.array(known + 2.0 * drama))
    data = data.append_column("known", pa.array(known))
    upon = model({"deep": deep(training={"steps": 300})}, offset="known", task="linear").fit(data)
    own = upon.predict(data)["score_deep"].to_numpy()
    assert own[drama].mean() - own[~drama].mean() == pytest.approx(2.0, abs=0.1)


def test_locked_and_warm():
    data, more = texts(300), texts(200, seed=2)
    coordinates = {"deep": deep(), "per-user": RandomEffect("user_id")}
    first = model(coordinates).fit(data)
    held = model(coordinates, locked=["deep"]).fit(more, initial=first)
    for score in ("score_deep",):
        assert np.array_equal(held.predict(more)[score], first.predict(more)[score])
    # one step from where it was is nearer than one from nowhere
    short = {"deep": deep(training={"steps": 1, "learning_rate": 1e-6})}
    warm = model(short).fit(more, initial=first)
    np.testing.assert_allclose(
        warm.predict(more)["score_deep"], first.predict(more)["score_deep"], atol=1e-3
    )
    with pytest.raises(ConfigError, match=r"coordinates.deep.network.hidden"):
        model({"deep": deep(network={"hidden": [3]})}).fit(more, initial=first)
    with pytest.raises(ConfigError, match="a network has no variances"):
        model(short, incremental=True).fit(more, initial=first)


def first_items(fitted):
    return fitted.model_.indexes["deep.field-0"].terms


def test_a_warm_start_has_room_for_new_ids():
    network = {"document_ids": ["item_id"], "id_units": 4}
    first = model({"deep": deep(network=network)}).fit(texts(200, items=5))
    more = texts(200, seed=2, items=15)
    second = model({"deep": deep(network=network, training={"steps": 1})}).fit(more, initial=first)
    assert len(second.model_.indexes["deep.field-0"]) == 15
    # those that are known stay what they were, wherever new ones would stand in order
    still = {"deep": deep(network=network, training={"steps": 1, "learning_rate": 1e-7})}
    third = model(still).fit(more, initial=first)
    known = more.filter(pc.is_in(more["item_id"], first_items(first)))
    np.testing.assert_allclose(
        third.predict(known)["score"], first.predict(known)["score"], atol=1e-4
    )


def test_rows_are_ranked_within_groups():
    rng = np.random.default_rng(0)
    rows, groups = 400, 40
    x = rng.normal(size=(rows, 3))
    group = rng.integers(groups, size=rows)
    gain = x @ [1.0, -2.0, 0.5] + 0.1 * rng.normal(size=rows)
    label = np.digitize(gain, [-1.0, 1.0]).astype(float)
    data = pa.table({"click": label, "uid": np.arange(rows), "q": group, "x": list(x)})
    effect = DeepEffect(
        network={"dense": ["x"], "hidden": [8]},
        loss="lambdarank",
        group="q",
        training={"epochs": 30, "batch": 8, "learning_rate": 0.02},
    )
    ranked = model({"deep": effect}, task="linear", metrics=["ndcg@10:q"]).fit(data, data)
    assert ranked.evaluate(data)["ndcg@10:q"] > 0.95
    # scoring needs no groups
    assert len(ranked.predict(data.drop_columns(["q"]))) == rows


def test_a_head_for_each_task(tmp_path):
    data = texts(400)
    task = ["view", "buy"] * 200
    label = [
        int(("drama" in (said or "")) == (name == "view"))
        for said, name in zip(data["said"].to_pylist(), task, strict=True)
    ]
    data = data.set_column(7, "click", pa.array(label)).append_column("kind", pa.array(task))
    effect = deep(task_column="kind", task_weights={"buy": 2.0}, network={"hidden": [8]})
    fitted = model({"deep": effect}).fit(data)
    assert fitted.evaluate(data)["auc"] > 0.9
    fitted.save(tmp_path / "m")
    assert gdmix.load(tmp_path / "m").evaluate(data) == fitted.evaluate(data)
    other = data.set_column(data.column_names.index("kind"), "kind", pa.array(["steal"] * 400))
    with pytest.raises(DataError, match=r"the task 'steal'.*buy, view"):
        fitted.predict(other)


def test_the_best_evaluation_is_kept():
    data, held_out = texts(300), texts(100, seed=4)
    watched = deep(training={"steps": 200, "evaluate_every": 10, "learning_rate": 0.05})
    fitted = model({"deep": watched}, metrics=["auc"]).fit(data, held_out)
    last = model({"deep": deep(training={"steps": 200, "learning_rate": 0.05})}).fit(data, held_out)
    assert fitted.evaluate(held_out)["auc"] >= last.evaluate(held_out)["auc"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"loss": "pairwise"}, "group: pairwise ranks the rows of a group"),
        ({"group": "q"}, "group: pointwise knows no groups"),
        ({"task_weights": {"a": 1.0}}, "task_weights: there are no tasks"),
        ({"network": {"document_texts": []}}, "nothing to read"),
        ({"network": {"encoder": {"kind": "transformer"}}}, "`transformer` needs one"),
        ({"network": {"encoder": {"kind": "cnn", "windows": [99]}}}, "beyond max_length"),
        ({"training": {"patience": 2}}, "set evaluate_every too"),
    ],
)
def test_wrong_options(options, words):
    with pytest.raises(ConfigError, match=words):
        deep(**options)


def test_without_pytorch_it_says_what_to_install(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "torch", None)
    for name in [name for name in sys.modules if name.startswith("gdmix.deep.")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(gdmix.GdmixError, match=r"pip install 'gdmix\[deep\]'"):
        model({"deep": deep()}).fit(texts(20))


def test_a_fixed_effect_beside_it():
    coordinates = {"wide": FixedEffect(features=["tags"]), "deep": deep()}
    fitted = model(coordinates).fit(texts(300))
    assert set(TAGS) <= set(fitted.model_.index_of("wide").terms.to_pylist())


def tastes(rows, seed=0):
    """What most users like in a text, a third of them dislike."""
    data = texts(rows, seed=seed, users=12)
    liked = np.array(
        [("drama" in (s or "")) - ("noir" in (s or "")) for s in data["said"].to_pylist()]
    )
    score = liked * np.where(data["user_id"].to_numpy() % 3, 4.0, -4.0)
    clicks = np.random.default_rng(seed).random(rows) < 1 / (1 + np.exp(-score))
    return data.set_column(data.column_names.index("click"), "click", pa.array(clicks.astype(int)))


def test_random_effects_on_what_the_network_makes_of_a_row(tmp_path):
    """A user's taste is in the texts; the last hidden layer alone tells it to the effect."""
    data, new = tastes(1500), tastes(300, seed=1)
    taste = deep(network={"hidden": [6]}, training={"steps": 200})
    coordinates = {
        "deep": taste,
        "per-user": RandomEffect("user_id", features=["deep.representation", "age"], l2=0.1),
    }
    fitted = model(coordinates, sweeps=2, sweep_tolerance=0.0).fit(data, new)
    plain = model({"deep": taste, "per-user": RandomEffect("user_id", features=["age"])}).fit(data)
    assert fitted.evaluate(data)["auc"] > plain.evaluate(data)["auc"] + 0.1
    index = fitted.model_.index_of("per-user")
    assert index.names.to_pylist() == ["age"] + ["deep.representation"] * 6
    # what is logged on the way is what the model scores in the end
    assert fitted.history_[-1]["metrics"] == pytest.approx(fitted.evaluate(new), rel=1e-9)
    # the score is that of the layer's numbers, by hand
    from gdmix.deep.scoring import represent
    from gdmix.engines.local import LocalEngine
    from gdmix.models.deep import examples_of

    rows, _ = read(open_source(new), fitted.options_.layout(), fitted.model_.indexes)
    part = fitted.model_.parts["deep"]
    layer = represent(part.trained, examples_of(rows, part.inputs, np.zeros(rows.rows)))
    per_user = fitted.model_.parts["per-user"]
    own = fitted.model_.scores(LocalEngine(1), rows)["per-user"]
    for row, user in enumerate(new["user_id"].to_pylist()[:50]):
        intercept, features, coefficients = per_user.coefficients_of(per_user.position(user))
        values = np.append(new["age"][row].as_py(), layer[row])[features]
        assert own[row] == pytest.approx(intercept + values @ coefficients, rel=1e-6, abs=1e-9)
    fitted.save(tmp_path / "m")
    assert np.array_equal(
        gdmix.load(tmp_path / "m").predict(new)["score"], fitted.predict(new)["score"]
    )
    again = model(coordinates, locked=["deep"]).fit(texts(200, users=12, seed=5), initial=fitted)
    assert len(again.model_.index_of("per-user")) == 7


READER = RandomEffect("user_id", features=["d.representation"])


@pytest.mark.parametrize(
    ("coordinates", "words"),
    [
        (
            {"u": RandomEffect("user_id", features=["d.representation"]), "d": deep()},
            "put it first",
        ),
        ({"d": deep(), "u": RandomEffect("user_id", features=["d.representation"])}, "no hidden"),
    ],
)
def test_representations_that_cannot_be(coordinates, words):
    with pytest.raises(ConfigError, match=words):
        model(coordinates)


def test_numbers_are_put_beside_features():
    from gdmix.data.dataset import Csr, Dataset
    from gdmix.data.widening import with_numbers

    csr = Csr(np.array([0, 2, 2, 3]), np.array([0, 4, 1], np.int32), np.array([1.0, 2.0, 3.0]), 5)
    rows = Dataset(3, np.zeros(3), np.ones(3), np.zeros(3), shards={"s": csr})
    numbers = np.array([[10, 20], [30, 40], [50, 60]], np.float32)
    wide = with_numbers(rows, "s", np.array([2, 3], np.int32), numbers).shards["s"]
    dense = np.zeros((3, 5))
    for row in range(3):
        span = slice(wide.indptr[row], wide.indptr[row + 1])
        assert (np.diff(wide.indices[span]) > 0).all()
        dense[row, wide.indices[span]] = wide.values[span]
    assert dense.tolist() == [[1, 0, 10, 20, 2], [0, 0, 30, 40, 0], [0, 3, 50, 60, 0]]


def test_a_point_of_a_grid_is_a_run_of_its_own():
    data, held_out = texts(200), texts(80, seed=1)
    grid = {"deep.training.learning_rate": [0.05, 0.002]}
    tried = model({"deep": deep()}, grid=grid).fit(data, held_out)
    losses = {
        line["options"]["deep.training.learning_rate"]: line["objective"] for line in tried.grid_
    }
    for rate, objective in losses.items():
        alone = model({"deep": deep(training={"learning_rate": rate})}).fit(data, held_out)
        assert alone.history_[-1]["objective"] == objective


def test_the_record_of_a_training():
    fitted = model({"deep": deep(training={"steps": 120})}).fit(texts(200))
    trace = fitted.history_[0]["trace"]
    assert trace[-1][0] == 120
    assert trace[-1][1] < 200 * 0.75
    assert fitted.history_[0]["iterations"] == 120
    # nobody can say that a network is at its optimum
    assert fitted.history_[0]["status"] == {"trained": 1}
