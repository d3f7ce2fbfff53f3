"""DeText's network and training, as a deep effect."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gdmix.compat.detext_arguments import DetextArguments
from gdmix.compat.detext_rows import total_weight, updates
from gdmix.compat.detext_task import GROUP, Aim
from gdmix.compat.report import Report
from gdmix.errors import ConfigError
from gdmix.options import set_option

_SIMILARITIES = {"inner": "cosine", "diff": "difference"}
_PICKLE = b"\x80"
Items = list[tuple[str, str, Any]]
"""Their name, our path within the coordinate, our value; None where there is none."""


def coordinate(
    name: str, given: DetextArguments, aim: Aim, path: str, report: Report
) -> dict[str, Any]:
    """Return a coordinate's options as plain values.

    Parameters
    ----------
    name : str
        Of the coordinate.
    given : DetextArguments
    aim : Aim
    path : str
        Where the arguments stand, for messages: ``--``, or the place in a configuration.
    report : Report

    Raises
    ------
    ConfigError
        Something that is asked for is not there.
    """
    found: dict[str, Any] = {}
    # a network is what tells a deep effect
    items = [*_inputs(given), *_layers(given), *_loss(given, aim)]
    if given.texts:
        items += _encoder(given, path)
    items += [*_training(given), *_penalties(given, aim, path, report)]
    mapped = set()
    for theirs, ours, value in items:
        if value is None or value == ():
            continue
        plain = list(value) if isinstance(value, tuple) else value
        set_option(found, ours, plain)
        mapped.add(theirs)
        if theirs in given.model_fields_set:
            shown = str(plain).lower() if isinstance(plain, bool) else plain
            report.maps(f"{path}{theirs}", f"coordinates.{name}.{ours}: {shown}")
    _tell_the_rest(given, mapped, path, report)
    _notes(given, report)
    return found


def _inputs(given: DetextArguments) -> Items:
    def ids(columns: tuple[str, ...]) -> list[dict[str, str]] | None:
        # several ids stand in one text
        return [{"column": column, "separator": " "} for column in columns] or None

    has_ids = bool(given.user_id_column_names or given.doc_id_column_names)
    has_dense, has_sparse = (
        bool(given.dense_ftrs_column_names),
        bool(given.sparse_ftrs_column_names),
    )
    within = given.sparse_embedding_same_ftr_combiner
    across = given.sparse_embedding_cross_ftr_combiner
    items: Items = [
        ("query_column_name", "network.query", given.query_column_name),
        ("user_text_column_names", "network.user_texts", given.user_text_column_names),
        ("doc_text_column_names", "network.document_texts", given.doc_text_column_names),
        ("user_id_column_names", "network.user_ids", ids(given.user_id_column_names)),
        ("doc_id_column_names", "network.document_ids", ids(given.doc_id_column_names)),
        ("dense_ftrs_column_names", "network.dense", given.dense_ftrs_column_names),
        ("sparse_ftrs_column_names", "network.embedded", given.sparse_ftrs_column_names),
        (
            "shallow_tower_sparse_ftrs_column_names",
            "features",
            given.shallow_tower_sparse_ftrs_column_names,
        ),
    ]
    if has_ids:
        items.append(("num_units_for_id_ftr", "network.id_units", given.num_units_for_id_ftr))
    if has_dense:
        items.append(("std_file", "network.standardize", given.std_file is not None))
        items.append(("rescale_dense_ftrs", "network.rescale", given.rescale_dense_ftrs))
    if has_sparse:
        size = given.sparse_embedding_size
        items.append(("sparse_embedding_size", "network.embedding_size", size))
        items.append(("sparse_embedding_same_ftr_combiner", "network.within", within))
        items.append(("sparse_embedding_cross_ftr_combiner", "network.across", across))
    return items


def _layers(given: DetextArguments) -> Items:
    similarity = tuple(_SIMILARITIES.get(name, name) for name in given.emb_sim_func)
    return [
        ("emb_sim_func", "network.similarity", similarity),
        ("add_user_projection", "network.project_users", given.add_user_projection),
        ("add_doc_projection", "network.project_documents", given.add_doc_projection),
        ("num_hidden", "network.hidden", tuple(size for size in given.num_hidden if size)),
    ]


def _encoder(given: DetextArguments, path: str) -> Items:
    at = "network.encoder"
    items: Items = [
        ("max_len", f"{at}.max_length", given.max_len),
        ("min_len", f"{at}.min_length", given.min_len),
    ]
    if given.ftr_ext == "bert":
        model = _model(given, path)
        items += [("ftr_ext", f"{at}.kind", "transformer"), ("bert_hub_url", f"{at}.model", model)]
        # what stands for a text is its first token's vector, of which a tenth is left out
        items += [("", f"{at}.pooling", "cls"), ("", f"{at}.dropout", 0.1)]
        if given.lr_bert == 0.0:
            return [*items, ("lr_bert", f"{at}.freeze", True)]
        factor = given.lr_bert / given.learning_rate
        return [*items, ("lr_bert", f"{at}.learning_rate_factor", factor)]
    items += [
        ("ftr_ext", f"{at}.kind", given.ftr_ext),
        ("num_units", f"{at}.units", given.num_units),
        ("vocab_file", f"{at}.vocabulary", given.vocab_file),
        ("we_file", f"{at}.word_vectors", _word_vectors(given.we_file, path)),
        ("we_trainable", f"{at}.train_vectors", given.we_trainable),
        ("PAD", f"{at}.pad", given.PAD),
        ("UNK", f"{at}.unknown", given.UNK),
        ("CLS", f"{at}.first", given.CLS),
        ("SEP", f"{at}.last", given.SEP),
        # texts come as tokens, parted by spaces
        ("", f"{at}.lowercase", False),
        ("", f"{at}.split", "spaces"),
    ]
    if given.ftr_ext == "cnn":
        items.append(("filter_window_sizes", f"{at}.windows", given.filter_window_sizes))
        items.append(("num_filters", f"{at}.filters", given.num_filters))
    else:
        items.append(("num_layers", f"{at}.layers", given.num_layers))
        items.append(("bidirectional", f"{at}.bidirectional", given.bidirectional))
        items.append(("rnn_dropout", f"{at}.dropout", given.rnn_dropout))
    return items


def _model(given: DetextArguments, path: str) -> str:
    url = given.bert_hub_url
    assert url is not None
    is_saved_model = (Path(url) / "saved_model.pb").exists()
    if "://" in url or is_saved_model:
        raise ConfigError(
            f"{path}bert_hub_url",
            f"found {url!r}; TensorFlow's hub modules are not read",
            "folder or Hugging Face name of an encoder",
            "the same BERTs are there, as google/bert_uncased_L-4_H-256_A-4",
        )
    return url


def _word_vectors(file: str | None, path: str) -> str | None:
    if file is not None and Path(file).is_file():
        with Path(file).open("rb") as stream:
            if stream.read(1) == _PICKLE:
                raise ConfigError(
                    f"{path}we_file",
                    f"{file} is a pickle, and to read one runs what is in it",
                    "a text file with a token and its numbers a line",
                    "write the array's rows behind the lines of the vocabulary",
                )
    return file


def _loss(given: DetextArguments, aim: Aim) -> Items:
    weights = None
    if given.task_ids:
        shares = given.task_weights or (1.0,) * len(given.task_ids)
        weights = {
            task: share / sum(shares) for task, share in zip(given.task_ids, shares, strict=True)
        }
    return [
        ("", "loss", aim.loss),
        ("", "group", None if aim.loss == "pointwise" else GROUP),
        ("task_id_column_name", "task_column", given.task_id_column_name),
        ("task_ids" if not given.task_weights else "task_weights", "task_weights", weights),
    ]


def _training(given: DetextArguments) -> Items:
    steps = None if given.num_epochs else given.num_train_steps
    epochs = float(given.num_epochs) if given.num_epochs else None
    items: Items = [
        ("num_train_steps", "training.steps", steps),
        ("num_epochs", "training.epochs", epochs),
        ("train_batch_size", "training.batch", given.train_batch_size),
        ("optimizer", "training.optimizer", given.optimizer),
        ("learning_rate", "training.learning_rate", given.learning_rate),
        ("max_gradient_norm", "training.max_gradient_norm", given.max_gradient_norm),
        ("random_seed", "training.seed", given.random_seed),
        ("num_gpu", "training.device", "cpu" if given.num_gpu == 0 else "auto"),
        (
            "use_lr_schedule",
            "training.schedule",
            "linear" if given.use_lr_schedule else "constant",
        ),
    ]
    if given.optimizer == "adamw":
        corrected = given.use_bias_correction_for_adamw
        items.append(("use_bias_correction_for_adamw", "training.bias_correction", corrected))
    if given.use_lr_schedule:
        items.append(("num_warmup_steps", "training.warmup_steps", given.num_warmup_steps))
    if given.dev_file is not None:
        every = given.steps_per_eval
        if given.num_eval_rounds:
            every = max(1, updates(given) // given.num_eval_rounds)
            return [*items, ("num_eval_rounds", "training.evaluate_every", every)]
        items.append(("steps_per_eval", "training.evaluate_every", every))
    return items


def _penalties(given: DetextArguments, aim: Aim, path: str, report: Report) -> Items:
    """Return the penalties: DeText adds them to a batch's mean, ours to the sum of all rows.

    Its L2 has no factor of a half.
    """
    if not (given.l1 or given.l2):
        return []
    total = total_weight(given, aim, path)
    report.note(
        f"l1 and l2 are multiplied by the weight of all rows or lists, {total:g}: DeText adds "
        "them to the mean loss of a batch; and its l2 has no factor 1/2"
    )
    l1, l2 = given.l1 * total, 2.0 * given.l2 * total
    return [("l1", "training.l1", l1 or None), ("l2", "training.l2", l2 or None)]


def _tell_the_rest(given: DetextArguments, mapped: set[str], path: str, report: Report) -> None:
    """Name the arguments of what is not there: an encoder's without texts, and so on."""
    for name in type(given).model_fields:
        is_told = name in _ELSEWHERE or name in mapped or _is_idle(given, name)
        if is_told or name not in given.model_fields_set:
            continue
        if name in ("nums_dense_ftrs", "nums_sparse_ftrs", "nums_shallow_tower_sparse_ftrs"):
            if given.task_type == "ranking":
                report.maps(f"{path}{name}", "lists")
            else:
                report.ignores(f"{path}{name}", "the data tells")
        elif name == "task_ids" and given.task_weights:
            report.maps(f"{path}{name}", "task_weights")
        else:
            report.ignores(f"{path}{name}", "nothing that is given makes use of it")


def _is_idle(given: DetextArguments, name: str) -> bool:
    extra = type(given).model_fields[name].json_schema_extra
    return isinstance(extra, dict) and ("idle" in extra or "refused" in extra)


_ELSEWHERE = {
    *("train_file", "dev_file", "out_dir", "label_column_name", "weight_column_name"),
    *("uid_column_name", "task_type", "num_classes", "ltr_loss_fn", "use_tfr_loss", "tfr_loss_fn"),
    *("pmetric", "all_metrics", "gdmix_config"),
}
"""What is told of where it is mapped."""


def _notes(given: DetextArguments, report: Report) -> None:
    if given.std_file is not None and given.dense_ftrs_column_names:
        report.note(
            "std_file is not read: dense numbers are centred and scaled by the training data"
        )
    if given.ftr_ext == "bert" and given.texts and given.lr_bert == 0.0:
        report.note("lr_bert is 0, DeText's default: the encoder stays as it is")
    if given.ftr_ext == "bert" and given.texts:
        report.note(
            "a text's vector is the encoder's first, of its own size: DeText's goes through one "
            "more layer of num_units"
        )
    if "inner" in given.emb_sim_func and (given.query_column_name or given.user_text_column_names):
        report.note("emb_sim_func inner becomes cosine: DeText's scales vectors to length 1 before")
