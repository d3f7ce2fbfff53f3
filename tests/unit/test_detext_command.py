"""DeText's arguments: what each becomes, and what is refused."""

import shlex
from contextlib import suppress

import numpy as np
import pyarrow as pa
import pytest
import yaml

from gdmix.compat.configs import converted, prepare
from gdmix.compat.detext_arguments import DetextArguments
from gdmix.compat.detext_command import translate_detext
from gdmix.compat.detext_words import is_detext_config, is_detext_file, read_arguments
from gdmix.config import TrainOptions
from gdmix.data.formats.tfrecord_writer import open_writer
from gdmix.errors import ConfigError, DataError, GdmixError

BINARY = {
    "task_type": "binary_classification",
    "train_file": "t",
    "dev_file": "v",
    "test_file": "v",
    "out_dir": "out",
    "label_column_name": "y",
    "doc_text_column_names": "title",
    "pmetric": "auc",
}
RANKING = BINARY | {"task_type": "ranking", "query_column_name": "q", "pmetric": "ndcg@5"}


def words(values):
    pairs = []
    for name, value in values.items():
        items = value if isinstance(value, list | tuple) else [value]
        pairs += [f"--{name}", *(shlex.quote(str(item)) for item in items)]
    return " ".join(pairs)


def translated(values):
    return translate_detext(words(values))


def effect(values):
    run = translated(values)
    return run.with_overrides().coordinates["deep"]


def write(path, **columns):
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table(columns)
    with open_writer(path, table.schema) as writer:
        for batch in table.to_batches():
            writer.write(batch)
    return str(path)


def test_defaults_are_those_of_detext():
    found = translated(BINARY).with_overrides()
    deep = found.coordinates["deep"]
    training, encoder = deep.training, deep.network.encoder
    assert (training.optimizer, training.learning_rate, training.steps) == ("sgd", 1.0, 1)
    assert (training.batch, training.seed, training.evaluate_every) == (32, 1234, 1000)
    assert (training.schedule, training.warmup_steps, training.l1, training.l2) == (
        *("linear", 0, 0.0),
        0.0,
    )
    assert (training.max_gradient_norm, training.device) == (1.0, "auto")
    assert (encoder.kind, encoder.units, encoder.windows, encoder.filters) == (
        *("cnn", 128, (3,)),
        100,
    )
    # texts are tokens parted by spaces, as there; the length counts both ends
    assert (encoder.split, encoder.lowercase) == ("spaces", False)
    assert (encoder.max_length, encoder.min_length) == (32, 3)
    assert deep.network.similarity == ("cosine",)
    assert (deep.network.hidden, deep.loss, deep.group) == ((), "pointwise", None)
    assert (found.task, found.metrics, found.lists) == ("logistic", ("auc",), None)
    assert (found.train, found.validation, found.output) == (("t",), ("v",), "out")
    assert (found.label, found.uid, found.weight) == ("y", None, None)


def test_inputs():
    found = effect(
        BINARY
        | {
            "query_column_name": "q",
            "user_text_column_names": ["a", "b"],
            "user_id_column_names": "u",
            "doc_id_column_names": "d",
            "num_units_for_id_ftr": 16,
            "dense_ftrs_column_names": "x",
            "nums_dense_ftrs": 3,
            "rescale_dense_ftrs": False,
            "sparse_ftrs_column_names": "s1,s2",
            "nums_sparse_ftrs": "10,20",
            "sparse_embedding_size": 4,
            "sparse_embedding_cross_ftr_combiner": "concat",
            "sparse_embedding_same_ftr_combiner": "mean",
            "shallow_tower_sparse_ftrs_column_names": "w",
            "nums_shallow_tower_sparse_ftrs": 7,
            "add_doc_projection": True,
            "add_user_projection": "true",
            "emb_sim_func": ["inner", "diff", "hadamard", "concat"],
            "num_hidden": [10, 5],
        }
    )
    net = found.network
    assert (net.query, net.user_texts, net.document_texts) == ("q", ("a", "b"), ("title",))
    assert [(f.column, f.separator) for f in (*net.user_ids, *net.document_ids)] == [
        ("u", " "),
        ("d", " "),
    ]
    assert net.id_units == 16
    assert ([f.column for f in net.dense], net.standardize, net.rescale) == (["x"], False, False)
    assert [f.column for f in net.embedded] == ["s1", "s2"]
    assert (net.embedding_size, net.across, net.within) == (4, "concat", "mean")
    assert [f.column for f in found.features] == ["w"]
    assert (net.project_documents, net.project_users) == (True, True)
    assert net.similarity == ("cosine", "difference", "hadamard", "concat")
    assert net.hidden == (10, 5)


def test_encoders(tmp_path):
    lstm = effect(
        BINARY
        | {"ftr_ext": "lstm", "num_layers": 2, "bidirectional": True, "rnn_dropout": 0.25}
        | {"num_units": 8, "vocab_file": "v.txt", "we_trainable": False, "PAD": "<p>"}
    ).network.encoder
    assert (lstm.kind, lstm.layers, lstm.bidirectional, lstm.dropout) == ("lstm", 2, True, 0.25)
    assert (lstm.units, lstm.vocabulary, lstm.train_vectors, lstm.pad) == (8, "v.txt", False, "<p>")
    bert = BINARY | {"ftr_ext": "bert", "bert_hub_url": "org/small", "learning_rate": 0.01}
    frozen = effect(bert).network.encoder
    assert (frozen.kind, frozen.model, frozen.freeze) == ("transformer", "org/small", True)
    # lr_bert is a rate, ours is a factor of the other rate
    tuned = effect(bert | {"lr_bert": 0.0005}).network.encoder
    assert (tuned.freeze, tuned.pooling, tuned.dropout) == (False, "cls", 0.1)
    assert tuned.learning_rate_factor == pytest.approx(0.05)
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("word 1 2\n")
    assert effect(BINARY | {"we_file": vectors}).network.encoder.word_vectors == str(vectors)
    assert effect(BINARY | {"num_hidden": 0}).network.hidden == ()


def test_training():
    found = effect(
        BINARY
        | {"optimizer": "lamb", "use_lr_schedule": False, "num_warmup_steps": 5, "num_gpu": 0}
        | {"num_train_steps": 90, "num_eval_rounds": 4, "max_gradient_norm": 2.5}
    ).training
    assert (found.optimizer, found.schedule, found.warmup_steps) == ("lamb", "constant", 0)
    assert (found.steps, found.evaluate_every, found.device) == (90, 22, "cpu")
    assert found.max_gradient_norm == 2.5
    adamw = BINARY | {"optimizer": "adamw"}
    assert not effect(adamw).training.bias_correction
    assert effect(adamw | {"use_bias_correction_for_adamw": True}).training.bias_correction
    warm = effect(BINARY | {"num_warmup_steps": 5, "num_gpu": 2}).training
    assert (warm.schedule, warm.warmup_steps, warm.device) == ("linear", 5, "auto")
    without = effect({name: value for name, value in BINARY.items() if name != "dev_file"})
    assert without.training.evaluate_every is None


def test_epochs_override_steps(tmp_path):
    file = write(tmp_path / "a.tfrecord", y=[0.0, 1.0] * 35, title=["t"] * 70)
    given = BINARY | {"train_file": file, "num_epochs": 3, "num_train_steps": 9}
    found = effect(given).training
    assert (found.steps, found.epochs) == (None, 3.0)
    # DeText's count: two whole batches of 32 an epoch, in two rounds
    assert effect(given | {"num_eval_rounds": 2}).training.evaluate_every == 3
    ignored = dict(translated(given).report.ignored)
    assert "--num_train_steps" in ignored
    with pytest.raises(DataError, match="nowhere"):
        translated(given | {"train_file": "nowhere", "num_eval_rounds": 2})


def test_penalties_are_those_of_the_mean_loss(tmp_path):
    """DeText: mean loss + l1 |w| + l2 |w|^2. Ours: (sum of losses + l1 |w| + l2/2 |w|^2) / n."""
    file = write(tmp_path / "a.tfrecord", y=[0.0, 1.0, 1.0], w=[0.5, 2.0, 1.5], title=["t"] * 3)
    given = BINARY | {"train_file": file, "l1": 0.1, "l2": 0.01}
    plain = effect(given).training
    assert (plain.l1, plain.l2) == (pytest.approx(0.3), pytest.approx(0.06))
    weighted = effect(given | {"weight_column_name": "w"}).training
    assert (weighted.l1, weighted.l2) == (pytest.approx(0.4), pytest.approx(0.08))
    with pytest.raises(DataError, match=r"--train_file.*how many rows"):
        translated(given | {"train_file": "nowhere"})


@pytest.mark.parametrize(
    ("given", "task", "loss"),
    [
        ({}, "linear", "pairwise"),
        ({"ltr_loss_fn": "softmax"}, "linear", "listwise"),
        ({"ltr_loss_fn": "pointwise"}, "logistic", "pointwise"),
        ({"use_tfr_loss": True}, "linear", "listwise"),
        ({"use_tfr_loss": True, "tfr_loss_fn": "pairwise_logistic_loss"}, "linear", "pairwise"),
        ({"tfr_loss_fn": "softmax_loss"}, "linear", "pairwise"),
        # what counts the relevant documents takes labels 0 and 1
        ({"all_metrics": "ndcg@5,mrr@3"}, "logistic", "pairwise"),
    ],
)
def test_ranking(given, task, loss):
    found = translated(RANKING | given).with_overrides()
    deep = found.coordinates["deep"]
    assert (found.task, deep.loss) == (task, loss)
    assert deep.group == (None if loss == "pointwise" else "list")
    assert found.metrics[0] == "ndcg@5:list"
    assert found.lists.length == "y"


def test_records_of_a_query():
    found = translated(
        RANKING
        | {"weight_column_name": "w", "uid_column_name": "id", "user_id_column_names": "u"}
        | {"dense_ftrs_column_names": ["x", "z"], "nums_dense_ftrs": [3, 1]}
        | {"sparse_ftrs_column_names": "s", "nums_sparse_ftrs": 9, "doc_id_column_names": "d"}
        | {"shallow_tower_sparse_ftrs_column_names": "s", "nums_shallow_tower_sparse_ftrs": 9}
    ).with_overrides()
    assert found.lists.each == {"title": 1, "d": 1, "x": 3, "z": 1}
    assert set(found.lists.once) == {"q", "w", "id", "u"}
    assert found.lists.sparse == {"s": 9}


def test_classes_and_metrics():
    several = BINARY | {"task_type": "multiclass_classification", "num_classes": 3}
    run = translated(several | {"pmetric": "accuracy", "all_metrics": "accuracy,confusion_matrix"})
    found = run.with_overrides()
    assert (found.task, found.metrics, found.lists) == ("multiclass", ("accuracy",), None)
    assert any("confusion_matrix is not measured: no metric" in note for note in run.report.notes)
    two = translated(BINARY | {"all_metrics": ["auc", "accuracy"]})
    assert two.options["metrics"][0] == "auc"


def test_several_tasks():
    given = RANKING | {"task_id_column_name": "task", "task_ids": "1,2"}
    shared = effect(given)
    assert (shared.task_column, shared.task_weights) == ("task", {"1": 0.5, "2": 0.5})
    # weights are shares of their sum
    weighted = effect(given | {"task_weights": "1,3"})
    assert weighted.task_weights == {"1": 0.25, "2": 0.75}


SAMPLES = {
    "distribution_strategy": "mirrored",
    "all_reduce_alg": "nccl",
    "num_gpu": 0,
    "out_dir": "elsewhere",
    "task_id_column_name": "task",
    "task_ids": [1, 2],
    "task_weights": [0.5, 0.5],
    "weight_column_name": "w",
    "uid_column_name": "id",
    "user_text_column_names": "u",
    "user_id_column_names": "ui",
    "doc_id_column_names": "di",
    "dense_ftrs_column_names": "x",
    "nums_dense_ftrs": 1,
    "sparse_ftrs_column_names": "s",
    "nums_sparse_ftrs": 2,
    "shallow_tower_sparse_ftrs_column_names": "t",
    "nums_shallow_tower_sparse_ftrs": 2,
    "std_file": "std",
    "sparse_embedding_cross_ftr_combiner": "concat",
    "sparse_embedding_same_ftr_combiner": "mean",
    "emb_sim_func": "concat",
    "filter_window_sizes": [2, 3],
    "ftr_ext": "cnn",
    "optimizer": "adam",
    "task_type": "ranking",
    "ltr_loss_fn": "softmax",
    "tfr_loss_fn": "softmax_loss",
    "all_metrics": "ndcg@5",
    "pmetric": "ndcg@5",
    "bert_hub_url": "a/b",
    "rnn_dropout": 0.5,
}


def test_every_argument_is_mapped_or_passed_over(tmp_path):
    """None may be read and then do nothing, unless the report says so."""
    file = write(tmp_path / "a.tfrecord", y=[0.0, 1.0], title=["t"] * 2)
    given = RANKING | {"train_file": file}
    for name, field in DetextArguments.model_fields.items():
        extra = field.json_schema_extra
        if isinstance(extra, dict) and "refused" in extra:
            continue
        value = 1
        if name in SAMPLES:
            value = SAMPLES[name]
        elif isinstance(field.default, str):
            value = field.default
        elif name not in given and field.annotation is not int and "bool" in str(field.annotation):
            value = True
        given.setdefault(name, value)
    run = translated(given)
    told = {name.partition(":")[0] for name, _ in [*run.report.mapped, *run.report.ignored]}
    assert told == {f"--{name}" for name in given}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"doc_text_column_name": "x"}, "--doc_text_column_name: no argument of DeText; did you"),
        ({"feature_names": "a,b"}, "--feature_names: no argument any more"),
        ({"ftr_ext": "gru"}, "--ftr_ext: found 'gru'; expected 'cnn', 'bert' or 'lstm'"),
        ({"optimizer": "bert_adam"}, "--optimizer: found 'bert_adam'"),
        ({"num_train_steps": "many"}, "--num_train_steps: found 'many'; expected a whole number"),
        ({"nums_dense_ftrs": "3"}, "--nums_dense_ftrs: found 1 numbers for 0 columns"),
        ({"task_ids": "1"}, "--task_ids: there is no task_id_column_name"),
        ({"task_weights": "1"}, "--task_weights: found 1 weights for 0 tasks"),
        ({"vocab_hub_url": "x"}, "--vocab_hub_url: TensorFlow's hub layers are not read"),
        ({"we_file_for_id_ftr": "x"}, "--we_file_for_id_ftr: vectors of ids are learnt"),
        ({"we_trainable_for_id_ftr": False}, "--we_trainable_for_id_ftr"),
        ({"ftr_ext": "bert"}, "--bert_hub_url: required by ftr_ext bert"),
        (
            {"ftr_ext": "bert", "bert_hub_url": "https://tfhub.dev/x/1"},
            "TensorFlow's hub modules are not read; expected folder or Hugging Face name",
        ),
        ({"pmetric": "f1"}, "--pmetric: found 'f1'; expected one of ndcg@k"),
        ({"task_type": "multiclass_classification"}, "--num_classes: found 1; expected 2"),
        (
            {"task_type": "multilabel_classification", "num_classes": 3},
            "--task_type: found 'multilabel_classification'",
        ),
        ({"pmetric": None}, "--pmetric: required option is missing"),
        ({"label_column_name": None}, "--label_column_name: required argument is missing"),
        ({"out_dir": None}, "--out_dir: required argument is missing"),
        ({"has_query": True}, "no argument of DeText"),
    ],
)
def test_what_is_refused(given, expected):
    values = {name: value for name, value in (BINARY | given).items() if value is not None}
    with pytest.raises(ConfigError) as caught:
        translated(values)
    assert expected in str(caught.value)


def test_pickled_word_vectors_are_refused(tmp_path):
    file = tmp_path / "we.pkl"
    file.write_bytes(b"\x80\x04.")
    with pytest.raises(ConfigError, match=r"--we_file.*is a pickle.*a token and its numbers"):
        translated(BINARY | {"we_file": file})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "is empty"),
        ("run me", "is empty"),
        ("--train_file 'a", "cannot be read"),
        ("--train_file", "--train_file: has no value"),
        ("--train_file a --train_file b", "--train_file: is given twice"),
    ],
)
def test_words_that_are_no_command(text, expected):
    with pytest.raises(ConfigError) as caught:
        read_arguments(text)
    assert expected in str(caught.value)


def test_a_script_and_a_file_of_arguments(tmp_path):
    script = tmp_path / "run.sh"
    script.write_text(
        "#!/usr/bin/env bash\n# train\nPYTHONPATH=../.. python ../run_detext.py \\\n"
        + " \\\n".join(f"--{name}={value}" for name, value in BINARY.items())
        + " \\\n--filter_window_sizes 1 2\n"
    )
    assert is_detext_file(script)
    found = translate_detext(script.read_text())
    assert found.with_overrides().coordinates["deep"].network.encoder.windows == (1, 2)
    config = tmp_path / "detext.yaml"
    values = BINARY | {"filter_window_sizes": [1, 2]}
    config.write_text(yaml.safe_dump(values))
    assert is_detext_config(values)
    assert not is_detext_file(config)
    options, report = converted(config)
    assert options == found.with_overrides()
    assert all(not name.startswith("--") for name, _ in report.mapped)
    again = prepare(config, ("coordinates.deep.training.steps=7",)).options
    assert again.coordinates["deep"].training.steps == 7
    # what is written is read back as the same options
    assert TrainOptions.parse(yaml.safe_load(options.to_yaml())) == options


@pytest.mark.parametrize("seed", range(30))
def test_a_command_cut_anywhere_is_options_or_one_error(seed):
    text = words(RANKING | SAMPLES)
    random = np.random.default_rng(seed)
    cut = text[: int(random.integers(len(text)))]
    with suppress(GdmixError):
        translate_detext(cut)
