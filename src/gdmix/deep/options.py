"""Options of a network, of its text encoder, and of its training."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from gdmix.options import INVALID, Options
from gdmix.schema import FeatureList, Names

Similarity = Literal["inner", "cosine", "hadamard", "difference", "concat"]
LossName = Literal["pointwise", "pairwise", "listwise", "lambdarank", "approx_ndcg"]


class TextEncoder(Options):
    """From the tokens of a text to one vector."""

    kind: Literal["cnn", "lstm", "gru", "average", "transformer"] = Field(
        default="cnn", description="How tokens become one vector."
    )
    units: int = Field(
        default=128,
        ge=1,
        description="Size of a token's embedding, and of the state of `lstm` and `gru`.",
    )
    windows: tuple[int, ...] = Field(
        default=(3,), min_length=1, description="`cnn`: lengths of the n-grams that filters see."
    )
    filters: int = Field(default=100, ge=1, description="`cnn`: filters of each length.")
    layers: int = Field(default=1, ge=1, description="`lstm`, `gru`: layers.")
    bidirectional: bool = Field(default=False, description="`lstm`, `gru`: both directions.")
    dropout: float = Field(default=0.0, ge=0.0, lt=1.0, description="Share of units left out.")
    model: str | None = Field(
        default=None,
        min_length=1,
        description="`transformer`: folder, or name on the Hugging Face hub, of an encoder.",
    )
    pooling: Literal["cls", "mean", "max"] = Field(
        default="mean", description="`transformer`: how tokens' vectors become one."
    )
    freeze: bool = Field(default=False, description="`transformer`: whether it stays as it is.")
    learning_rate_factor: float = Field(
        default=1.0, gt=0.0, description="`transformer`: factor of its learning rate."
    )
    max_length: int = Field(default=32, ge=1, description="Tokens of a text that are read.")
    min_length: int = Field(
        default=3, ge=1, description="Shorter texts are padded: a filter needs as many tokens."
    )
    vocabulary: str | None = Field(
        default=None,
        min_length=1,
        description="File with a token a line, special tokens among them or not; built from the "
        "training data by default.",
    )
    vocabulary_size: int = Field(
        default=50_000, ge=8, description="Most tokens of a vocabulary built from data."
    )
    min_count: int = Field(
        default=1, ge=1, description="Least times that a token of such a vocabulary occurs."
    )
    lowercase: bool = Field(default=True, description="Whether texts are read in lower case.")
    split: Literal["words", "spaces"] = Field(
        default="words",
        description="Tokens are words and runs of other signs, or what stands between spaces.",
    )
    word_vectors: str | None = Field(
        default=None,
        min_length=1,
        description="File of pretrained vectors, a token and its numbers a line.",
    )
    train_vectors: bool = Field(default=True, description="Whether embeddings are trained.")
    pad: str = Field(default="[PAD]", min_length=1, description="Token that fills up.")
    unknown: str = Field(default="[UNK]", min_length=1, description="Token of unknown ones.")
    first: str = Field(default="[CLS]", min_length=1, description="Token put before a text.")
    last: str = Field(default="[SEP]", min_length=1, description="Token put behind a text.")

    @model_validator(mode="after")
    def _require_a_model(self) -> Self:
        if (self.kind == "transformer") != (self.model is not None):
            problem = "model: `transformer` needs one, and no other kind has one"
            raise PydanticCustomError(INVALID, "{text}", {"text": problem})
        if self.kind == "cnn" and max(self.windows) > self.max_length:
            problem = f"windows: found {max(self.windows)}, beyond max_length {self.max_length}"
            raise PydanticCustomError(INVALID, "{text}", {"text": problem})
        if self.kind in ("lstm", "gru") and self.bidirectional and self.units % 2:
            problem = f"units: found {self.units}; both directions share them: expected an even one"
            raise PydanticCustomError(INVALID, "{text}", {"text": problem})
        if min(self.windows) < 1:
            problem = f"windows: found {min(self.windows)}; expected lengths from 1"
            raise PydanticCustomError(INVALID, "{text}", {"text": problem})
        return self


class Network(Options):
    """What a network reads, and its layers."""

    query: str | None = Field(
        default=None, min_length=1, description="Text column of the query; at most one."
    )
    user_texts: Names = Field(default=(), description="Text columns of the user.")
    document_texts: Names = Field(default=(), description="Text columns of the document (item).")
    user_ids: FeatureList = Field(default=(), description="Ids of the user's side, embedded.")
    document_ids: FeatureList = Field(
        default=(), description="Ids of the document's side, embedded."
    )
    id_units: int = Field(default=128, ge=1, description="Size of an id's embedding.")
    dense: FeatureList = Field(default=(), description="Numbers given to the hidden layers.")
    standardize: bool = Field(
        default=True, description="Whether dense numbers are centred and scaled by training data."
    )
    rescale: bool = Field(
        default=True, description="Whether each dense number x becomes tanh(w x + b), w, b learnt."
    )
    embedded: FeatureList = Field(
        default=(), description="Sparse features, embedded and given to the hidden layers."
    )
    embedding_size: int = Field(default=1, ge=1, description="Size of their embeddings.")
    within: Literal["sum", "mean"] = Field(
        default="sum", description="How embeddings of one column's features combine."
    )
    across: Literal["sum", "concat"] = Field(
        default="sum", description="How those of several columns combine."
    )
    encoder: TextEncoder = Field(default=TextEncoder(), description="The text encoder.")
    similarity: tuple[Similarity, ...] = Field(
        default=("inner",),
        min_length=1,
        description="How the vectors of query and user meet those of the document.",
    )
    project_users: bool = Field(
        default=False, description="Whether all vectors of the user's side are projected to one."
    )
    project_documents: bool = Field(
        default=False, description="Whether all vectors of the document are projected to one."
    )
    hidden: tuple[int, ...] = Field(default=(), description="Sizes of the hidden layers.")
    dropout: float = Field(
        default=0.0, ge=0.0, lt=1.0, description="Share of hidden units left out in training."
    )

    @property
    def texts(self) -> tuple[str, ...]:
        """Every text column once."""
        query = () if self.query is None else (self.query,)
        return tuple(dict.fromkeys([*query, *self.user_texts, *self.document_texts]))

    @property
    def ids(self) -> FeatureList:
        """All columns of ids."""
        return (*self.user_ids, *self.document_ids)

    @property
    def fields(self) -> tuple[str, ...]:
        """Every column of ids and of embedded features once."""
        return tuple(dict.fromkeys(column.column for column in (*self.ids, *self.embedded)))

    @model_validator(mode="after")
    def _require_something(self) -> Self:
        problem = ""
        if not (self.texts or self.ids or self.dense or self.embedded):
            problem = "document_texts: there is nothing to read; give texts, ids, dense or embedded"
        elif any(size < 1 for size in self.hidden):
            problem = f"hidden: found {min(self.hidden)}; expected sizes from 1"
        if problem:
            raise PydanticCustomError(INVALID, "{text}", {"text": problem})
        return self


class Training(Options):
    """How a network is trained."""

    steps: int | None = Field(
        default=None, ge=1, description="Updates of the weights; in place of `epochs`."
    )
    epochs: float = Field(default=1.0, gt=0.0, description="Passes over the rows.")
    batch: int = Field(
        default=64, ge=1, description="Rows of an update; groups of one, where rows are ranked."
    )
    optimizer: Literal["adamw", "adam", "sgd", "lamb"] = Field(
        default="adamw", description="How gradients become updates."
    )
    learning_rate: float = Field(default=0.002, gt=0.0, description="Largest learning rate.")
    weight_decay: float = Field(
        default=0.01, ge=0.0, description="`adamw`, `lamb`: decay of weights, not of biases."
    )
    bias_correction: bool = Field(
        default=True,
        description="`adamw`, `lamb`: whether moments are corrected for their start at zero.",
    )
    momentum: float = Field(default=0.0, ge=0.0, lt=1.0, description="`sgd`: momentum.")
    warmup_steps: int = Field(default=0, ge=0, description="Steps in which the rate rises.")
    schedule: Literal["linear", "cosine", "constant"] = Field(
        default="linear", description="How the rate falls afterwards, to zero at the end."
    )
    max_gradient_norm: float | None = Field(
        default=1.0, gt=0.0, description="Longer gradients are shortened to this."
    )
    l1: float = Field(
        default=0.0, ge=0.0, description="L1 penalty of weights, beside the sum of all losses."
    )
    l2: float = Field(
        default=0.0, ge=0.0, description="L2 penalty likewise: l2 / 2 |w|². No bias has one."
    )
    precision: Literal["auto", "single", "mixed"] = Field(
        default="auto", description="`mixed`: bfloat16 where it helps; `auto`: on a GPU."
    )
    device: str = Field(
        default="auto", min_length=1, description="`cpu`, `cuda`, `cuda:1`; `auto`: a GPU if any."
    )
    compile: bool = Field(default=False, description="Whether `torch.compile` is used.")
    seed: int = Field(default=0, ge=0, description="Of weights, order of rows and dropout.")
    evaluate_every: int | None = Field(
        default=None,
        ge=1,
        description="Steps between evaluations on validation data: the best weights are kept.",
    )
    patience: int | None = Field(
        default=None, ge=1, description="Evaluations without a better one before training stops."
    )
    checkpoint_every: int = Field(
        default=500, ge=1, description="Steps between checkpoints of a run."
    )

    @model_validator(mode="after")
    def _require_evaluations(self) -> Self:
        if self.patience is not None and self.evaluate_every is None:
            problem = "patience: nothing is evaluated; set evaluate_every too"
            raise PydanticCustomError(INVALID, "{text}", {"text": problem})
        return self
