"""Models of several classes and labels: what they read, learn, score and refuse."""

import numpy as np
import pyarrow as pa
import pytest
from sklearn import metrics as reference
from sklearn.linear_model import LogisticRegression

import gdmix
from gdmix import DeepEffect, FixedEffect, MixedModel
from gdmix.config import ModelOptions
from gdmix.data.reading import read
from gdmix.data.source import open_source
from gdmix.errors import ConfigError, DataError, GdmixError, ModelError

torch = pytest.importorskip("torch")

NAMES = np.array(["red", "green", "blue", "a=b"])
EXACT = {"epochs": 500, "batch": 400, "learning_rate": 0.15, "weight_decay": 0.0}
SHORT = {"steps": 60, "batch": 32, "learning_rate": 0.02}


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def rows(count=400, seed=0):
    """Rows whose class, and whose labels, depend on three numbers and a city."""
    rng = np.random.default_rng(seed)
    x, city = rng.normal(size=(count, 3)), rng.integers(0, 2, count)
    weights = np.random.default_rng(99).normal(size=(4, 4))
    score = np.column_stack([x, city]) @ weights
    gumbel = rng.gumbel(size=(count, 4))
    many = score + rng.logistic(size=(count, 4)) > 0.5
    return pa.table(
        {
            "kind": NAMES[(score + gumbel).argmax(1)],
            "kinds": [list(NAMES[row]) for row in many],
            "x": list(x),
            "city": np.array(["Oslo", "Rome"])[city],
            "w": rng.uniform(0.5, 2.0, count),
            "q": rng.integers(0, 5, count),
            "uid": np.arange(count),
        }
    )


def linear(training=EXACT, **options):
    """A network that is a linear function of the numbers, and of the city."""
    network = {"dense": ["x"], "standardize": False, "rescale": False}
    return DeepEffect(features=["city"], network=network, training=training, **options)


def model(task="multiclass", effect=None, **options):
    label = "kind" if task == "multiclass" else "kinds"
    given = {"label": label, "uid": "uid", "coordinates": {"deep": effect or linear(SHORT)}}
    return MixedModel(task=task, **(given | options))


def matrix(table):
    return np.column_stack([np.stack(table["x"].to_numpy()), table["city"].to_numpy() == "Rome"])


def columns(scores, before):
    names = [name for name in scores.column_names if name.startswith(f"{before}_")]
    return np.column_stack([scores[name].to_numpy() for name in names])


def test_a_linear_network_is_multinomial_logistic_regression():
    train, new = rows(), rows(200, seed=1)
    fitted = model(effect=linear(), weight="w").fit(train)
    solver = LogisticRegression(C=np.inf, tol=1e-10, max_iter=2000)
    solver.fit(matrix(train), train["kind"].to_numpy(), train["w"].to_numpy())
    found, expected = fitted.predict(new), solver.predict_proba(matrix(new))
    assert [name for name in found.column_names if name.startswith("prob")] == [
        f"probability_{name}" for name in solver.classes_
    ]
    np.testing.assert_allclose(columns(found, "probability"), expected, atol=2e-4)
    assert found["class"].to_pylist() == list(solver.predict(matrix(new)))
    loss = reference.log_loss(
        train["kind"].to_numpy(), solver.predict_proba(matrix(train)), sample_weight=train["w"]
    )
    objective = fitted.history_[-1]["objective"]
    assert objective == pytest.approx(loss * train["w"].to_numpy().sum(), rel=1e-5)


def test_labels_are_a_logistic_regression_each():
    train, new = rows(), rows(200, seed=1)
    fitted = model("multilabel", linear(), weight="w").fit(train)
    found = fitted.predict(new)
    for name in NAMES:
        is_there = [name in labels for labels in train["kinds"].to_pylist()]
        solver = LogisticRegression(C=np.inf, tol=1e-10, max_iter=2000)
        solver.fit(matrix(train), is_there, train["w"].to_numpy())
        expected = solver.predict_proba(matrix(new))[:, 1]
        np.testing.assert_allclose(found[f"probability_{name}"], expected, atol=2e-4)
    chosen = [
        [name for name in sorted(NAMES) if line[f"logit_{name}"] > 0.0]
        for line in found.to_pylist()
    ]
    assert found["labels"].to_pylist() == chosen


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
def test_metrics_are_those_of_the_reference(task):
    train, new = rows(), rows(200, seed=1)
    asked = [
        f"{figure}_{way}" for figure in ("precision", "recall", "f1") for way in ("macro", "micro")
    ]
    asked += ["accuracy", "log_loss", "accuracy:q", "f1_micro:q"]
    fitted = model(task, weight="w", metrics=asked).fit(train, new)
    found, scores = fitted.evaluate(new), fitted.predict(new)
    assert found == fitted.history_[-1]["metrics"]
    names, weight = sorted(NAMES), new["w"].to_numpy()
    if task == "multiclass":
        right, answer = new["kind"].to_numpy(), np.array(scores["class"].to_pylist())
        loss = reference.log_loss(right, columns(scores, "probability"), sample_weight=weight)
    else:
        right, answer = (
            np.array([[name in labels for name in names] for labels in column.to_pylist()])
            for column in (new["kinds"], scores["labels"])
        )
        loss = np.mean(
            [
                reference.log_loss(right[:, k], scores[f"probability_{name}"], sample_weight=weight)
                for k, name in enumerate(names)
            ]
        )
    assert found["log_loss"] == pytest.approx(loss)
    accuracy = reference.accuracy_score(right, answer, sample_weight=weight)
    assert found["accuracy"] == pytest.approx(accuracy)
    for figure in ("precision", "recall", "f1"):
        function = getattr(reference, f"{figure}_score")
        for way in ("macro", "micro"):
            expected = function(
                right, answer, average=way, sample_weight=weight, zero_division=np.nan
            )
            assert found[f"{figure}_{way}"] == pytest.approx(expected)
    each = [
        reference.accuracy_score(right[of], answer[of], sample_weight=weight[of])
        for of in (new["q"].to_numpy() == q for q in range(5))
    ]
    assert found["accuracy:q"] == pytest.approx(np.mean(each))


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
def test_a_model_survives_saving(task, tmp_path):
    train, new = rows(), rows(100, seed=1)
    fitted = model(task).fit(train)
    fitted.save(tmp_path / "model")
    loaded, scores = gdmix.load(tmp_path / "model"), fitted.predict(new)
    assert loaded.predict(new).equals(scores)
    label = "kind" if task == "multiclass" else "kinds"
    # without labels the scores are the same; with unknown ones the label is left out
    bare = loaded.predict(new.drop_columns([label]))
    assert "label" not in bare.column_names
    assert bare.equals(scores.drop_columns(["label"]))
    assert scores["label"].to_pylist() == [
        sorted(each) if task == "multilabel" else each for each in new[label].to_pylist()
    ]
    strange = "new" if task == "multiclass" else ["new", "red"]
    other = new.set_column(new.column_names.index(label), label, pa.array([strange] * 99 + [None]))
    again = loaded.predict(other)
    assert again.drop_columns(["label"]).equals(bare)
    assert again["label"].to_pylist()[0] == (None if task == "multiclass" else ["red"])
    assert loaded.unseen_.features["deep.classes"] == 99
    for project in ("photon", "gdmix"):
        with pytest.raises(ModelError, match=f"is of task '{task}'"):
            loaded.export(tmp_path / project, project)


@pytest.mark.parametrize("kind", [pa.int64(), pa.int8(), pa.float32(), pa.float64()])
def test_whole_numbers_are_names_in_their_order(kind):
    values = pa.array([10, 9, 0, 100, 9] * 10).cast(kind)
    table = rows(50).append_column("number", values)
    fitted = model(label="number").fit(table)
    assert fitted.model_.indexes["deep.classes"].terms.to_pylist() == ["0", "9", "10", "100"]
    assert fitted.predict(table)["label"].to_pylist()[:3] == ["10", "9", "0"]
    lists = pa.array([[value, value] for value in values.to_pylist()], pa.list_(kind))
    several = model("multilabel", label="number").fit(rows(50).append_column("number", lists))
    assert several.predict(table.drop_columns(["number"]))["labels"].type == pa.list_(pa.string())
    assert several.model_.indexes["deep.classes"].terms.to_pylist() == ["0", "9", "10", "100"]


def test_labels_are_numbered_by_name():
    data, flags = rows(60), pa.array([True, False] * 30)
    data = data.append_column("flag", flags)
    for label, names in (("kind", sorted(NAMES)), ("flag", ["false", "true"])):
        options = ModelOptions(task="multiclass", label=label, coordinates={"deep": linear()})
        found, indexes = read(open_source(data), options.training_layout())
        assert indexes["deep.classes"].terms.to_pylist() == names
        told = [names[int(number)] for number in found.label]
        assert told == [str(value).lower() for value in data[label].to_pylist()]
        assert "deep.classes" not in found.shards
    options = ModelOptions(task="multilabel", label="kinds", coordinates={"deep": linear()})
    found, _ = read(open_source(data), options.training_layout())
    told = [
        [name for name, has in zip(sorted(NAMES), line, strict=True) if has] for line in found.label
    ]
    assert told == [sorted(each) for each in data["kinds"].to_pylist()]


def test_labels_may_be_text():
    train, new = rows(), rows(100, seed=1)
    lists = model("multilabel").fit(train, new)

    def said(table):
        text = pa.array(["|".join(names) for names in table["kinds"].to_pylist()])
        return table.set_column(1, "kinds", text)

    texts = model("multilabel", label_separator="|").fit(said(train), said(new))
    assert texts.predict(said(new)).equals(lists.predict(new))
    assert texts.history_[-1]["metrics"] == lists.history_[-1]["metrics"]
    missing = pa.array(["red", None] * 200)
    with pytest.raises(DataError, match="row 2, column 'kinds': the label is missing"):
        model("multilabel", label_separator="|").fit(train.set_column(1, "kinds", missing))
    with pytest.raises(DataError, match="row 1, column 'kinds': an empty name"):
        model("multilabel", label_separator="|").fit(
            train.set_column(1, "kinds", pa.array(["red||blue"] * 400))
        )


def test_a_warm_start_knows_its_classes():
    train, more = rows(), rows(200, seed=2)
    still = linear({"steps": 1, "learning_rate": 1e-7})
    fitted = model().fit(train)
    # the rows that are left hold neither all classes nor the first city
    some = more.filter((more["kind"].to_numpy() != "blue") & (more["city"].to_numpy() == "Rome"))
    again = model(effect=still).fit(some, initial=fitted)
    np.testing.assert_allclose(
        columns(again.predict(more), "logit"), columns(fitted.predict(more), "logit"), atol=1e-4
    )
    strange = more.set_column(0, "kind", pa.array(["x"] * 200))
    with pytest.raises(DataError, match=r"row 1, column 'kind': the class 'x' is none that"):
        model(effect=still).fit(strange, initial=fitted)
    several = model("multilabel").fit(train)
    strange = more.set_column(1, "kinds", pa.array([["x"]] * 200))
    with pytest.raises(ConfigError, match=r"label: found 5 classes.*expected its 4 alone"):
        model("multilabel", still).fit(strange, initial=several)
    with pytest.raises(ConfigError, match="found multilabel"):
        model("multilabel", still).fit(more, initial=fitted)


def test_the_first_metric_chooses():
    train, new = rows(), rows(200, seed=1)
    grid = {"deep.training.learning_rate": [0.05, 0.0001]}
    fitted = model(metrics=["log_loss"], grid=grid).fit(train, new)
    values = [line["metrics"]["log_loss"] for line in fitted.grid_]
    assert fitted.best_["number"] == 1 + int(np.argmin(values))
    # a point is the model of a run of its own
    alone = model(effect=linear(SHORT | {"learning_rate": 0.0001}), metrics=["log_loss"])
    assert alone.fit(train, new).history_[-1]["metrics"]["log_loss"] == values[1]
    watched = linear(SHORT | {"evaluate_every": 10, "learning_rate": 0.5})
    kept = model(effect=watched, metrics=["accuracy"]).fit(train, new)
    summary = kept.model_.parts["deep"].trained.summary
    best = max(value for _, value in summary["evaluations"])
    assert kept.history_[-1]["metrics"]["accuracy"] == summary["best_value"] == best


def test_tasks_have_heads_of_their_own():
    data = rows()
    swapped = {name: str(NAMES[k - 1]) for k, name in enumerate(NAMES)}
    turned = [
        swapped[name] if q % 2 else name
        for name, q in zip(data["kind"].to_pylist(), data["q"].to_pylist(), strict=True)
    ]
    data = data.set_column(0, "kind", pa.array(turned))
    data = data.append_column(
        "side", pa.array([["even", "odd"][q % 2] for q in data["q"].to_pylist()])
    )
    training = SHORT | {"steps": 300}
    apart = model(effect=linear(training, task_column="side")).fit(data)
    both = model(effect=linear(training)).fit(data)
    assert apart.evaluate(data)["accuracy"] > both.evaluate(data)["accuracy"] + 0.05


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"coordinates": {"a": FixedEffect(features=["x"])}},
            r"coordinates: found a \(fixed effect\)",
        ),
        (
            {"coordinates": {"a": linear(), "b": FixedEffect(features=["x"])}},
            r"found a \(deep\), b \(fixed effect\); task 'multiclass' is one deep effect",
        ),
        ({"offset": "w"}, "offset: found 'w'.*remove"),
        ({"sweeps": 2}, "sweeps: found 2.*expected 1"),
        ({"effect": linear(loss="listwise", group="q")}, "coordinates.deep.loss: found 'listwise'"),
        ({"metrics": ["auc"]}, "'auc' is no metric of task 'multiclass'"),
        ({"metrics": ["accuracy@3"]}, "'accuracy@3' counts no places"),
        (
            {"task": "logistic", "metrics": ["accuracy"]},
            "'accuracy' is no metric of task 'logistic'",
        ),
        ({"positive_above": 1.0}, "positive_above"),
        (
            {"effect": DeepEffect(network={"dense": ["x", "kind"]})},
            "coordinates.deep.network: 'kind' is the label",
        ),
        ({"locked": ["deep"]}, "every coordinate is locked"),
        ({"label_separator": "|"}, "label_separator: found '|'.*one label a row"),
    ],
)
def test_options_that_do_not_serve(options, message):
    with pytest.raises(ConfigError, match=message):
        model(**options)


def changed(column, values):
    data = rows(len(values))
    return data.set_column(data.column_names.index(column), column, values)


@pytest.mark.parametrize(
    ("task", "values", "message"),
    [
        ("multiclass", pa.array(["a", "b", None]), "row 3, column 'kind': the label is missing"),
        ("multiclass", pa.array(["a", "", "b"]), "row 2, column 'kind': the label is missing"),
        ("multiclass", pa.array([1.0, 2.5, 3.0]), "row 2, column 'kind': the label is 2.5"),
        ("multiclass", pa.array([1.0, np.inf]), "row 2, column 'kind': the label is inf"),
        ("multiclass", pa.array([1.0, np.nan]), "row 2, column 'kind': the label is missing"),
        ("multiclass", pa.nulls(3), "row 1, column 'kind': the label is missing"),
        ("multiclass", pa.array(["a", "a"]), "column 'kind': found 1 class; expected 2"),
        (
            "multiclass",
            pa.array([["a"], ["b"]]),
            "column 'kind': found type list.*strings or whole",
        ),
        ("multilabel", pa.array(["a", "b"]), "column 'kinds': found type string.*lists of strings"),
        (
            "multilabel",
            pa.array([["a"], None]),
            "row 2, column 'kinds': the label is missing.*empty",
        ),
        (
            "multilabel",
            pa.array([["a"], ["b", None]]),
            "row 2, column 'kinds': a null inside a list",
        ),
        ("multilabel", pa.array([["a"], ["b", ""]]), "row 2, column 'kinds': an empty name"),
        ("multilabel", pa.array([[1.0], [1.0, 0.5]]), "row 2, column 'kinds': the label is 0.5"),
        ("multilabel", pa.array([[], []]), "column 'kinds': found 0 classes; expected 1"),
        ("multiclass", pa.array(range(10_001)), "column 'kind': found 10,001 classes.*of an id"),
    ],
)
def test_labels_that_do_not_serve(task, values, message):
    label = "kind" if task == "multiclass" else "kinds"
    with pytest.raises(DataError, match=message):
        model(task).fit(changed(label, values))


def test_validation_data_holds_known_classes():
    train, new = rows(), rows(100, seed=1)
    other = new.set_column(0, "kind", pa.array(["red"] * 7 + ["mauve"] * 93))
    fitted = model().fit(train)
    for attempt in (lambda: model().fit(train, other), lambda: fitted.evaluate(other)):
        with pytest.raises(DataError, match=r"row 8, column 'kind': the class 'mauve'.*one of a=b"):
            attempt()
    # of several labels the known ones are measured
    some = new.set_column(
        1, "kinds", pa.array([[*kinds, "mauve"] for kinds in new["kinds"].to_pylist()])
    )
    several = model("multilabel").fit(train, some)
    assert several.history_[-1]["metrics"] == several.evaluate(new)
    with pytest.raises(GdmixError, match="label: column 'kind' not found"):
        fitted.evaluate(new.drop_columns(["kind"]))
