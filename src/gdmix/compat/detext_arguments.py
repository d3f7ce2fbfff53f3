"""DeText's arguments, as its trainer declares them: names, defaults and choices."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from gdmix.compat.idle import OptionalPath, idle
from gdmix.options import INVALID, Options

TaskType = Literal[
    "ranking",
    "classification",
    "multiclass_classification",
    "binary_classification",
    "multilabel_classification",
]

_PROCESSES = "`torchrun` starts processes, which share every batch"
_ALONGSIDE = "progress is shown all the time"
_TAUGHT = "a vocabulary of ids is that of the training data; others count as absent"
_HUB = "TensorFlow's hub layers are not read"


def _refused(why: str) -> Any:  # noqa: ANN401 - pydantic's fields are of any type
    """Return a field that may be there, but empty."""
    return Field(default=None, description="Not here.", json_schema_extra={"refused": why})


def _items(value: object) -> object:
    """Take one value for a list of one, and text for what commas and spaces part in it."""
    if isinstance(value, str):
        return tuple(word for word in re.split(r"[,\s]+", value) if word and word != "None")
    if value is None:
        return ()
    return (value,) if isinstance(value, int | float) else value


def _none(value: object) -> object:
    return None if value in ("", "None") else value


Texts = Annotated[tuple[str, ...], BeforeValidator(_items)]
Sizes = Annotated[tuple[Annotated[int, Field(ge=1)], ...], BeforeValidator(_items)]
Layers = Annotated[tuple[Annotated[int, Field(ge=0)], ...], BeforeValidator(_items)]
Numbers = Annotated[tuple[Annotated[float, Field(gt=0.0)], ...], BeforeValidator(_items)]
Whole = Annotated[int | None, BeforeValidator(_none)]
Text = Annotated[str | None, BeforeValidator(_none)]


class DetextArguments(Options):
    """All arguments of DeText; what is derived from them is none of them."""

    # arguments of its first versions, and their present names
    formerly: ClassVar[dict[str, str]] = {
        "elem_rescale": "rescale_dense_ftrs",
        "use_doc_projection": "add_doc_projection",
        "use_usr_projection": "add_user_projection",
        "num_wide": "nums_dense_ftrs",
        "num_wide_sp": "nums_sparse_ftrs",
        "feature_names": "query_column_name, doc_text_column_names and their like",
        "ltr": "ltr_loss_fn",
        "bert_checkpoint": "bert_hub_url",
        "bert_config_file": "bert_hub_url",
        "query": "query_column_name",
        "doc_text": "doc_text_column_names",
        "usr_text": "user_text_column_names",
        "doc_id": "doc_id_column_names",
        "usr_id": "user_id_column_names",
        "wide_ftrs": "dense_ftrs_column_names",
        "wide_ftrs_sp_idx": "sparse_ftrs_column_names",
        "wide_ftrs_sp_val": "sparse_ftrs_column_names",
    }

    distribution_strategy: Text = idle(_PROCESSES, "Devices to train on.")
    all_reduce_alg: Text = idle(_PROCESSES, "How gradients are added up.")
    num_gpu: int = Field(default=-1, ge=-1, description="GPUs; without any, the CPU.")
    run_eagerly: bool | None = idle("PyTorch always is", "Eager mode.")
    train_file: str = Field(min_length=1, description="Training data, by commas.")
    dev_file: OptionalPath = Field(default=None, description="Validation data.")
    test_file: OptionalPath = idle("`gdmix evaluate` measures on any data", "Test data.")
    out_dir: OptionalPath = Field(default=None, description="Where results go.")
    num_train_steps: int = Field(default=1, ge=1, description="Updates.")
    num_eval_steps: Whole = idle("all of the validation data is measured on", "Batches.")
    num_epochs: int = Field(default=0, ge=0, description="Passes, in place of updates.")
    steps_per_stats: Whole = idle(_ALONGSIDE, "Updates between messages.")
    num_eval_rounds: int = Field(default=0, ge=0, description="Evaluations in all.")
    steps_per_eval: int = Field(default=1000, ge=1, description="Updates between evaluations.")
    resume_training: bool | None = idle("`gdmix train --resume` goes on with a run", "Go on.")
    keep_checkpoint_max: Whole = idle("the last one is kept, and the best weights", "How many.")
    train_batch_size: int = Field(default=32, ge=1, description="Records of an update.")
    test_batch_size: Whole = idle("rows are scored in batches of its own size", "Records.")

    query_column_name: Text = Field(default=None, description="Text of the query.")
    label_column_name: Text = Field(default=None, description="Label.")
    weight_column_name: Text = Field(default=None, description="Weight.")
    uid_column_name: Text = Field(default=None, description="Id of the record.")
    task_id_column_name: Text = Field(default=None, description="Id of the task.")
    task_ids: Texts = Field(default=(), description="All ids of tasks.")
    task_weights: Numbers = Field(default=(), description="Weights of their losses.")
    dense_ftrs_column_names: Texts = Field(default=(), description="Columns of numbers.")
    nums_dense_ftrs: Sizes = Field(default=(), description="How many of each.")
    sparse_ftrs_column_names: Texts = Field(default=(), description="Sparse, embedded.")
    nums_sparse_ftrs: Sizes = Field(default=(), description="How many of each.")
    shallow_tower_sparse_ftrs_column_names: Texts = Field(default=(), description="Sparse, linear.")
    nums_shallow_tower_sparse_ftrs: Sizes = Field(default=(), description="How many of each.")
    user_text_column_names: Texts = Field(default=(), description="Texts of the user.")
    doc_text_column_names: Texts = Field(default=(), description="Texts of the document.")
    user_id_column_names: Texts = Field(default=(), description="Ids of the user.")
    doc_id_column_names: Texts = Field(default=(), description="Ids of the document.")
    std_file: OptionalPath = Field(default=None, description="Means and deviations.")
    vocab_file: OptionalPath = Field(default=None, description="A token a line.")
    vocab_hub_url: OptionalPath = _refused(_HUB)
    we_file: OptionalPath = Field(default=None, description="Pretrained word vectors.")
    embedding_hub_url: OptionalPath = _refused(_HUB)
    we_trainable: bool = Field(default=True, description="Whether they are trained.")
    PAD: str = Field(default="[PAD]", min_length=1, description="Fills up.")
    SEP: str = Field(default="[SEP]", min_length=1, description="Behind a text.")
    CLS: str = Field(default="[CLS]", min_length=1, description="Before a text.")
    UNK: str = Field(default="[UNK]", min_length=1, description="Unknown word.")
    MASK: Text = idle("nothing is masked", "Masked word.")
    vocab_file_for_id_ftr: OptionalPath = idle(_TAUGHT, "Ids that are known.")
    vocab_hub_url_for_id_ftr: OptionalPath = _refused(_HUB)
    we_file_for_id_ftr: OptionalPath = _refused("vectors of ids are learnt, from small numbers on")
    embedding_hub_url_for_id_ftr: OptionalPath = _refused(_HUB)
    we_trainable_for_id_ftr: bool = Field(default=True, description="Whether they are trained.")
    PAD_FOR_ID_FTR: Text = idle(_TAUGHT, "Fills up.")
    UNK_FOR_ID_FTR: Text = idle(_TAUGHT, "Unknown id.")
    max_len: int = Field(default=32, ge=1, description="Most tokens, CLS and SEP included.")
    min_len: int = Field(default=3, ge=1, description="Least tokens.")

    random_seed: int = Field(default=1234, ge=0, description="Seed.")
    ftr_ext: Literal["cnn", "bert", "lstm"] = Field(default="cnn", description="Text encoder.")
    num_units: int = Field(default=128, ge=1, description="Size of word vectors.")
    num_units_for_id_ftr: int = Field(default=128, ge=1, description="Size of ids' vectors.")
    sparse_embedding_size: int = Field(default=1, ge=1, description="Size of sparse features'.")
    sparse_embedding_cross_ftr_combiner: Literal["sum", "concat"] = Field(
        default="sum", description="Across columns."
    )
    sparse_embedding_same_ftr_combiner: Literal["sum", "mean"] = Field(
        default="sum", description="Within a column."
    )
    num_hidden: Layers = Field(default=(), description="Sizes of hidden layers.")
    rescale_dense_ftrs: bool = Field(default=True, description="tanh(w x + b) of each number.")
    add_doc_projection: bool = Field(default=False, description="One vector of the document.")
    add_user_projection: bool = Field(default=False, description="One vector of the user.")
    emb_sim_func: Annotated[
        tuple[Literal["inner", "hadamard", "concat", "diff"], ...], BeforeValidator(_items)
    ] = Field(default=("inner",), min_length=1, description="How the sides meet.")
    filter_window_sizes: Layers = Field(default=(3,), description="Lengths of n-grams.")
    num_filters: int = Field(default=100, ge=1, description="Filters of each length.")
    bert_hub_url: OptionalPath = Field(default=None, description="Pretrained encoder.")
    lr_bert: float = Field(default=0.0, ge=0.0, description="Its own learning rate.")
    num_layers: int = Field(default=1, ge=1, description="Layers of the LSTM.")
    forget_bias: float | None = idle("forget gates begin at 1", "Start of biases.")
    rnn_dropout: float = Field(default=0.0, ge=0.0, lt=1.0, description="Dropout of the LSTM.")
    bidirectional: bool = Field(default=False, description="Both directions.")

    optimizer: Literal["sgd", "adam", "adamw", "lamb"] = Field(
        default="sgd", description="Updates."
    )
    learning_rate: float = Field(default=1.0, gt=0.0, description="Largest rate.")
    use_lr_schedule: bool = Field(default=True, description="Warm-up and linear decay.")
    num_warmup_steps: int = Field(default=0, ge=0, description="Updates of the warm-up.")
    use_bias_correction_for_adamw: bool = Field(default=False, description="Corrected moments.")
    max_gradient_norm: float = Field(default=1.0, gt=0.0, description="Longest gradient.")
    l1: float = Field(default=0.0, ge=0.0, description="Added to a batch's mean loss.")
    l2: float = Field(default=0.0, ge=0.0, description="The same, of squares.")
    explicit_allreduce: bool | None = idle(_PROCESSES, "How gradients are added up.")
    task_type: TaskType = Field(default="ranking", description="What is learnt.")
    num_classes: int = Field(default=1, ge=1, description="Classes.")
    ltr_loss_fn: Literal["pairwise", "softmax", "pointwise"] = Field(
        default="pairwise", description="Loss of ranking."
    )
    use_tfr_loss: bool = Field(default=False, description="Whether the next one holds.")
    tfr_loss_fn: Literal["softmax_loss", "pairwise_logistic_loss"] = Field(
        default="softmax_loss", description="TF-Ranking's loss."
    )
    tfr_lambda_weights: Text = idle(
        "text is no weight in TF-Ranking either; `loss: lambdarank` weighs pairs by NDCG",
        "Weights.",
    )
    lambda_metric: Text = idle(
        "DeText makes nothing of it either; `loss: lambdarank` weighs pairs by NDCG", "Weights."
    )
    pmetric: str = Field(min_length=1, description="Chooses the best weights.")
    all_metrics: Texts = Field(default=(), description="All that are measured.")

    @classmethod
    def _unknown(cls, name: str) -> InitErrorDetails:
        if name not in cls.formerly:
            return super()._unknown(name)
        text = f"no argument any more: it is {cls.formerly[name]} in DeText 3"
        error = PydanticCustomError(INVALID, "{text}", {"text": f"{name}: {text}"})
        return InitErrorDetails(type=error, loc=(), input=None)

    @model_validator(mode="after")
    def _check(self) -> Self:
        for problem in self._faults():
            raise PydanticCustomError(INVALID, "{text}", {"text": problem})
        return self

    def _faults(self) -> list[str]:
        """Return what does not fit together, each text beginning with an argument's name."""
        found = [
            f"{name}: {why}"
            for name, field in type(self).model_fields.items()
            if (why := refusal(field.json_schema_extra)) and getattr(self, name) is not None
        ]
        for names, counts in (
            ("dense_ftrs_column_names", "nums_dense_ftrs"),
            ("sparse_ftrs_column_names", "nums_sparse_ftrs"),
            ("shallow_tower_sparse_ftrs_column_names", "nums_shallow_tower_sparse_ftrs"),
        ):
            columns, sizes = len(getattr(self, names)), len(getattr(self, counts))
            if columns != sizes:
                found.append(f"{counts}: found {sizes} numbers for {columns} columns of {names}")
        if self.task_weights and len(self.task_weights) != len(self.task_ids):
            counts = f"{len(self.task_weights)} weights for {len(self.task_ids)} tasks"
            found.append(f"task_weights: found {counts}")
        if self.task_ids and self.task_id_column_name is None:
            found.append("task_ids: there is no task_id_column_name")
        if not self.we_trainable_for_id_ftr:
            found.append("we_trainable_for_id_ftr: found false; vectors of ids are always trained")
        if self.ftr_ext == "bert" and self.bert_hub_url is None:
            found.append("bert_hub_url: required by ftr_ext bert")
        classes = self.task_type.endswith("classification") and self.task_type[:6] != "binary"
        if classes and self.num_classes < 2:
            found.append(f"num_classes: found {self.num_classes}; expected 2 at least")
        return found

    @property
    def texts(self) -> bool:
        """Whether any text is read."""
        return bool(
            self.query_column_name or self.user_text_column_names or self.doc_text_column_names
        )


def refusal(extra: object) -> str | None:
    """Return why a field may only be empty."""
    return str(extra["refused"]) if isinstance(extra, dict) and "refused" in extra else None
