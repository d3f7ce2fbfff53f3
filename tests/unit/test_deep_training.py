"""Training: it learns what can be learnt, and goes on as if it had never stopped."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import ndcg_score

from gdmix.data.dataset import Csr
from gdmix.deep.options import Network, Training
from gdmix.deep.scoring import mean_loss, represent, score
from gdmix.deep.target import Target
from gdmix.deep.training import fit
from gdmix.deep.widening import widened
from gdmix.errors import ConfigError, DataError, ModelError, RunError
from tests.deep import WORDS, options, rows_of
from tests.networks import small_transformer


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory):
    return str(small_transformer(tmp_path_factory.mktemp("model"), WORDS))


def trained(network=None, target=None, train=None, validation=None, given=None, **training):
    return fit(
        Network(**(network or options())),
        Training(**{"steps": 20, "batch": 16, "learning_rate": 0.01, **training}),
        target or Target(),
        train or rows_of(),
        validation,
        **(given or {}),
    )


def same(one, other):
    return one.state.keys() == other.state.keys() and all(
        torch.equal(one.state[name], other.state[name]) for name in one.state
    )


@pytest.mark.parametrize(
    "encoder",
    [
        {"kind": "cnn", "windows": (1, 3)},
        {"kind": "lstm"},
        {"kind": "gru", "bidirectional": True, "layers": 2},
        {"kind": "average"},
    ],
    ids=lambda encoder: encoder["kind"],
)
def test_every_encoder_learns_32_texts_by_heart(encoder):
    """Chance labels, which the texts alone can tell."""
    train = rows_of(32)
    plain = Csr(np.zeros(33, np.int64), np.zeros(0, np.int32), np.zeros(0), 0)
    train = dataclasses.replace(train, wide=plain, dense=np.zeros((32, 0), np.float32))
    network = {**options(**encoder), "dense": ()}
    found = trained(network, train=train, steps=200, learning_rate=0.02, weight_decay=0.0)
    assert mean_loss(Target(), score(found, train), train) < 0.01


def test_a_transformer_learns_32_texts_by_heart(tiny_model):
    train = rows_of(32)
    network = {**options("transformer", model=tiny_model, max_length=12), "dense": ()}
    found = trained(network, train=train, steps=150, learning_rate=0.005, weight_decay=0.0)
    assert mean_loss(Target(), score(found, train), train) < 0.01


def moved_by(one, other, part):
    """Return how far the weights of a part lie from each other."""
    names = [name for name in one.state if part in name]
    assert names
    return max(float((one.state[name] - other.state[name]).abs().max()) for name in names)


def test_a_transformer_learns_at_its_own_rate_or_not_at_all(tiny_model):
    def after(steps, **encoder):
        network = options("transformer", model=tiny_model, max_length=12, **encoder)
        return trained(network, steps=steps, optimizer="sgd", max_gradient_norm=None)

    start, frozen = after(1, learning_rate_factor=1e-20), after(1, freeze=True)
    full, tenth = after(1), after(1, learning_rate_factor=0.1)
    assert moved_by(frozen, start, ".model.") < 1e-20  # zeros move that far
    assert moved_by(tenth, full, "heads.") == 0.0
    assert moved_by(tenth, start, ".model.") == pytest.approx(
        0.1 * moved_by(full, start, ".model."), rel=1e-2
    )


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "lamb"])
def test_every_optimizer_learns(optimizer):
    rates = {"sgd": 0.3, "lamb": 0.05}
    momentum = 0.9 if optimizer == "sgd" else 0.0
    train = rows_of()
    found = trained(
        train=train, optimizer=optimizer, steps=100, momentum=momentum,
        learning_rate=rates.get(optimizer, 0.01),
    )  # fmt: skip
    assert mean_loss(Target(), score(found, train), train) < 0.3


@pytest.mark.parametrize("loss", ["pointwise", "pairwise", "listwise", "lambdarank", "approx_ndcg"])
def test_groups_are_learnt_to_be_ranked(loss):
    train = rows_of(30, group=np.arange(30, dtype=np.int32) % 6, labels=3)
    if loss == "pointwise":
        train = dataclasses.replace(train, label=np.minimum(train.label, 1.0))
    target = Target(loss=loss)
    found = trained(target=target, train=train, batch=3, steps=200)
    own = score(found, train)[:, 0]
    groups = [train.group == group for group in range(6)]
    values = [ndcg_score([train.label[rows]], [own[rows]]) for rows in groups]
    assert min(values) > 0.999


@pytest.mark.parametrize("kind", ["multiclass", "multilabel"])
def test_several_scores_are_learnt(kind):
    train = rows_of(32, labels=3)
    if kind == "multilabel":
        train = dataclasses.replace(train, label=np.eye(3)[train.label.astype(int)])
    target = Target(kind, outputs=3)
    found = trained(target=target, train=train, steps=200)
    best = score(found, train).argmax(axis=1)
    expected = train.label if kind == "multiclass" else train.label.argmax(axis=1)
    assert np.array_equal(best, expected)


def test_heads_learn_opposite_labels():
    task = np.repeat(np.arange(2, dtype=np.int32), 16)
    one = rows_of(32, task=task)
    pick = np.arange(32) % 16
    train = dataclasses.replace(
        one,
        label=np.where(task == 0, one.label[pick], 1.0 - one.label[pick]),
        texts={"title": one.texts["title"].take(pick)},
        wide=Csr(np.zeros(33, np.int64), np.zeros(0, np.int32), np.zeros(0), 0),
        dense=one.dense[pick],
    )
    found = trained(target=Target(heads=2), train=train, steps=300)
    own = score(found, train)[:, 0]
    assert np.array_equal(own > 0.0, train.label == 1.0)


def test_the_wide_tower_reaches_the_logistic_regression():
    """Nothing else is to be read: the deep side is an intercept."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 4))
    weight, offset = rng.uniform(0.5, 2.0, 200), np.zeros(200)
    label = (rng.random(200) < 1.0 / (1.0 + np.exp(-x @ [1.0, -2.0, 0.5, 0.0] - 0.3))) * 1.0
    made = rows_of(200)
    wide = Csr(np.arange(0, 801, 4), np.tile(np.arange(4, dtype=np.int32), 200), x.ravel(), 4)
    train = dataclasses.replace(
        made,
        label=label,
        weight=weight,
        offset=offset,
        wide=wide,
        dense=np.zeros((200, 1), np.float32),
    )
    network = {"dense": [{"column": "numbers", "kind": "numeric"}], "rescale": False}
    found = trained(
        network,
        train=train,
        steps=800,
        batch=200,
        optimizer="sgd",
        learning_rate=1.0,
        momentum=0.5,
        l2=3.0,
        schedule="constant",
        max_gradient_norm=None,
    )
    expected = LogisticRegression(C=1 / 3.0, tol=1e-10).fit(x, label, sample_weight=weight)
    own = score(found, train)[:, 0]
    assert own == pytest.approx(expected.decision_function(x), abs=2e-5)


def test_an_offset_is_a_score_that_is_there_already():
    train = rows_of(64)
    shifted = dataclasses.replace(train, offset=np.full(64, 2.0))
    common = {"steps": 600, "batch": 64, "learning_rate": 0.3, "optimizer": "sgd", "momentum": 0.9}
    # convex: the optimum does not depend on where training comes from
    network = {"dense": [{"column": "numbers", "kind": "numeric"}], "rescale": False}
    one, other = (trained(network, train=rows, l2=1.0, **common) for rows in (train, shifted))
    assert score(other, train) + 2.0 == pytest.approx(score(one, train), abs=2e-3)


def test_a_weight_of_two_is_two_copies():
    train = rows_of(20)
    twice = np.concatenate([np.arange(20), np.arange(5)])
    copied = dataclasses.replace(
        train,
        label=train.label[twice],
        weight=np.ones(25),
        offset=np.zeros(25),
        dense=train.dense[twice],
        texts={"title": train.texts["title"].take(twice)},
        wide=Csr(np.arange(26), train.wide.indices[twice], np.ones(25), 5),
    )
    weighted = dataclasses.replace(train, weight=np.where(np.arange(20) < 5, 2.0, 1.0))
    # no texts: copies would change which words are the most frequent
    network = {"dense": [{"column": "numbers", "kind": "numeric"}], "hidden": (16,)}
    one, other = (trained(network, train=rows, batch=100, l2=0.1) for rows in (copied, weighted))
    assert score(other, train) == pytest.approx(score(one, train), abs=1e-5)


def test_the_best_weights_are_kept_and_patience_ends():
    values = iter([3.0, 5.0, 4.0, 5.0, 1.0])
    seen = []
    given = {"metric": lambda found: next(values), "larger_is_better": True}
    given["observer"] = seen.append
    found = trained(
        validation=rows_of(seed=1), given=given, steps=100, evaluate_every=10, patience=2
    )
    summary = found.summary
    assert summary["evaluations"] == [[10, 3.0], [20, 5.0], [30, 4.0], [40, 5.0]]
    assert (summary["best_step"], summary["best_value"]) == (20, 5.0)
    assert (summary["steps"], summary["stopped_early"]) == (40, True)
    assert [progress.metric for progress in seen if progress.metric is not None] == [3, 5, 4, 5]
    json.dumps(found.summary)
    # what step 20 had is what a run without evaluations has there, by the same schedule
    values = iter([1.0, 2.0, 0.0, 0.0])
    given = {"metric": lambda found: next(values), "larger_is_better": True}
    again = trained(
        validation=rows_of(seed=1), given=given, steps=100, evaluate_every=10, patience=2
    )
    assert same(found, again)


def test_a_metric_of_its_own_asks_nothing_of_validation_rows():
    """Their labels, and groups, are the metric's affair."""
    train = rows_of(30, group=np.arange(30, dtype=np.int32) % 6, labels=3)
    valid = dataclasses.replace(rows_of(seed=1), label=np.full(32, np.nan))
    given = {"metric": lambda found: found.mean()}
    found = trained(
        target=Target(loss="pairwise"),
        train=train,
        validation=valid,
        given=given,
        steps=4,
        evaluate_every=2,
    )
    assert len(found.summary["evaluations"]) == 2
    with pytest.raises(DataError, match="group"):
        trained(
            target=Target(loss="pairwise"),
            train=train,
            validation=rows_of(),
            steps=4,
            evaluate_every=2,
        )


def test_the_mean_loss_is_the_metric_by_default():
    valid = rows_of(seed=1)
    found = trained(validation=valid, evaluate_every=7, steps=30)
    values = dict(found.summary["evaluations"])
    assert list(values) == [7, 14, 21, 28, 30]
    assert found.summary["best_value"] == min(values.values())
    own = mean_loss(Target(), score(found, valid), valid)
    assert own == pytest.approx(found.summary["best_value"], rel=1e-6)


def test_a_metric_that_is_no_number_is_never_the_best():
    values = iter([float("nan"), 2.0, float("nan"), 1.0])
    given = {"metric": lambda found: next(values), "larger_is_better": True}
    found = trained(validation=rows_of(), given=given, steps=40, evaluate_every=10)
    assert found.summary["best_step"] == 20


class StoppedError(Exception):
    pass


def stop_at(step):
    def observe(progress):
        if progress.step >= step:
            raise StoppedError

    return observe


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "lamb"])
def test_a_training_cut_off_goes_on_to_the_same_bits(tmp_path, optimizer):
    """With dropout, batches over several epochs, evaluations and patience."""
    network = {**options(dropout=0.3), "dropout": 0.2}
    valid = rows_of(seed=1)
    common = {
        "steps": 40, "batch": 5, "evaluate_every": 8, "optimizer": optimizer,
        "checkpoint_every": 6, "momentum": 0.5,
    }  # fmt: skip
    whole = trained(network, validation=valid, **common)
    given = {"folder": tmp_path, "observer": stop_at(24)}
    with pytest.raises(StoppedError):
        trained(network, validation=valid, given=given, **common)
    seen = []
    given = {"folder": tmp_path, "observer": lambda progress: seen.append(progress.step)}
    again = trained(network, validation=valid, given=given, **common)
    assert min(seen) > 18  # the checkpoint of step 18, for at 24 the cut came first
    assert same(whole, again)
    assert again.summary["evaluations"] == whole.summary["evaluations"]
    # what is finished is not done again
    once_more = trained(network, validation=valid, given=given, **common)
    assert same(whole, once_more)


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    given = {"folder": tmp_path}
    trained(given=given)
    for change in (
        {"learning_rate": 0.02},
        {"seed": 1},
        {"network": options("average")},
        {"train": rows_of(seed=3)},
        {"target": Target("smoothed_hinge")},
        {"validation": rows_of(seed=4)},
    ):
        with pytest.raises(RunError, match="begun with other data or options"):
            trained(given=given, **change)
    trained(given=given, checkpoint_every=3, device="cpu")


def test_seeds_decide_all_and_touch_nothing():
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    one, other, third = trained(seed=1), trained(seed=1), trained(seed=2)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert same(one, other)
    assert not same(one, third)


def test_a_start_is_where_training_begins():
    first = trained(steps=30)
    # a rate that moves nothing: what was there is there
    again = trained(given={"start": first}, steps=1, learning_rate=1e-12, weight_decay=0.0)
    assert score(again, rows_of()) == pytest.approx(score(first, rows_of()), abs=1e-6)
    assert again.tokens is first.tokens


def test_a_start_with_fewer_features():
    first = trained(steps=30)
    rows = rows_of(widths=5)
    wider = dataclasses.replace(rows, wide=rows.wide._replace(width=9))
    again = trained(
        given={"start": first}, train=wider, steps=1, learning_rate=1e-12, weight_decay=0.0
    )
    assert score(again, wider) == pytest.approx(score(first, rows), abs=1e-6)
    assert again.shape.wide == 9
    # as a model alone, with features that are seen later
    whole = widened(first, 9, {})
    assert np.array_equal(score(whole, wider), score(first, rows))
    late = dataclasses.replace(wider, wide=wider.wide._replace(values=np.zeros(32)))
    later = dataclasses.replace(wider, wide=wider.wide._replace(indices=np.full(32, 8, np.int32)))
    assert np.array_equal(score(whole, later), score(whole, late))
    assert widened(first, 5, {}) is first
    with pytest.raises(ModelError, match="no fewer features than before"):
        widened(first, 4, {})
    with pytest.raises(ModelError, match="no fewer features than before"):
        trained(given={"start": again}, train=rows)


def test_a_start_of_another_network_is_refused():
    first = trained(steps=1)
    for change, name in (
        ({"hidden": (8,)}, "hidden"),
        ({"similarity": ("cosine",)}, "similarity"),
        ({"encoder": {**options()["encoder"], "filters": 3}}, "encoder.filters"),
    ):
        with pytest.raises(ModelError, match=name):
            trained({**options(), **change}, given={"start": first})
    with pytest.raises(ModelError, match="outputs"):
        trained(target=Target("multiclass", outputs=2), given={"start": first})


def test_what_cannot_be_trained_is_told():
    huge = rows_of()
    huge = dataclasses.replace(huge, label=huge.label + 1e30)
    with pytest.raises(RunError, match=r"no longer a finite number.*learning_rate"):
        trained(
            target=Target("linear"), train=huge, optimizer="sgd", learning_rate=1e6,
            max_gradient_norm=None,
        )  # fmt: skip
    empty = rows_of(1)
    empty = dataclasses.replace(
        empty, label=np.zeros(0), weight=np.zeros(0), offset=np.zeros(0),
        wide=Csr(np.zeros(1, np.int64), np.zeros(0, np.int32), np.zeros(0), 5),
        dense=np.zeros((0, 2), np.float32), texts={"title": empty.texts["title"].slice(1)},
    )  # fmt: skip
    with pytest.raises(DataError, match="there are no rows"):
        trained(train=empty)
    with pytest.raises(ConfigError, match=r"device.*expected auto, cpu, cuda"):
        trained(device="abacus")
    with pytest.raises(ConfigError, match="device"):
        trained(device="cuda:99")


def test_rows_without_weight_teach_nothing():
    train = rows_of()
    nothing = dataclasses.replace(train, weight=np.zeros(32))
    found = trained(train=nothing, weight_decay=0.0, steps=3)
    assert all(bool(torch.isfinite(value).all()) for value in found.state.values())


def test_scores_do_not_depend_on_their_batches():
    found, rows = trained(), rows_of(100, seed=7)
    expected = score(found, rows)
    assert expected.dtype == np.float64
    for batch in (1, 7, 100):
        assert score(found, rows, batch=batch) == pytest.approx(expected, abs=1e-6)
    layers = represent(found, rows, batch=9)
    assert (layers.shape, layers.dtype) == ((100, 16), np.float32)
    head = {name: value.numpy() for name, value in found.state.items()}
    wide = head["wide.weight"][rows.wide.indices]
    assert layers @ head["heads.0.weight"].T + head["heads.0.bias"] + wide == pytest.approx(
        expected, abs=1e-5
    )


def test_mixed_precision_learns_too():
    train = rows_of()
    found = trained(train=train, steps=150, precision="mixed")
    assert found.summary["precision"] == "mixed"
    assert mean_loss(Target(), score(found, train), train) < 0.1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*script_method:DeprecationWarning")
def test_a_compiled_network_learns_the_same():
    one, other = (trained(options("average"), compile=way) for way in (False, True))
    rows = rows_of()
    assert score(other, rows) == pytest.approx(score(one, rows), abs=1e-5)


def test_a_network_that_cannot_be_compiled_is_told(monkeypatch):
    real = torch.compile

    def broken(graph, inputs):
        raise OSError("no compiler here")

    monkeypatch.setattr(torch, "compile", lambda network, dynamic: real(network, backend=broken))
    with pytest.raises(
        RunError, match=r"training\.compile: .*cannot be compiled.*no compiler here"
    ):
        trained(options("average"), compile=True)


def test_curves_are_written(tmp_path):
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    trained(given={"folder": tmp_path}, validation=rows_of(), steps=30, evaluate_every=10)
    found = reader.EventAccumulator(str(tmp_path))
    found.Reload()
    assert {"loss", "metric", "learning rate"} <= set(found.Tags()["scalars"])
    assert [point.step for point in found.Scalars("metric")] == [10, 20, 30]
