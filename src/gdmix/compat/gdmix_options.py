"""The options of GDMix's workflow configuration, as its trainer and its documents name them."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field

from gdmix.compat.idle import OptionalPath, idle
from gdmix.options import Options

ModelType = Literal["logistic_regression", "linear_regression", "detext"]

_QUEUES = "entities are solved in threads, without queues"
SPARK = "there is no Spark job: rows are grouped in memory"
_SERVER = "there are no TensorFlow servers"
_PLACED = "the run places its own output"


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


Mode = Annotated[Literal["simple", "full"] | None, BeforeValidator(_lower)]


class GdmixParams(Options):
    """``gdmix_config`` of a coordinate: the driver's parameters and the names of columns."""

    action: Literal["train", "inference"] = Field(default="train", description="What to do.")
    stage: Literal["fixed_effect", "random_effect"] | None = idle(
        "it follows from where the coordinate stands", "Kind of the coordinate."
    )
    model_type: ModelType = Field(default="logistic_regression", description="Kind of the model.")
    training_score_dir: OptionalPath = Field(
        default=None, description="Scores of an outside model on the training data."
    )
    validation_score_dir: OptionalPath = Field(
        default=None, description="Scores of an outside model on the validation data."
    )
    partition_list_file: str | None = idle(SPARK, "Ids of partitions.")
    uid_column_name: str = Field(min_length=1, description="Column of sample ids.")
    weight_column_name: OptionalPath = Field(default=None, description="Column of weights.")
    label_column_name: OptionalPath = Field(default=None, description="Column of labels.")
    prediction_score_column_name: str = Field(
        default="predictionScore", min_length=1, description="Score with the offset."
    )
    prediction_score_per_coordinate_column_name: str = Field(
        default="predictionScorePerCoordinate",
        min_length=1,
        description="Score without the offset.",
    )


class LinearParams(Options):
    """What the configurations of fixed and random effects share."""

    variance_options: ClassVar[tuple[str, ...]] = ("variance_mode",)

    gdmix_config: GdmixParams = Field(description="Driver parameters and column names.")
    metadata_file: OptionalPath = Field(default=None, description="Tensor metadata of the data.")
    output_model_dir: str | None = idle(_PLACED, "Folder of the model.")
    training_data_dir: OptionalPath = Field(default=None, description="Training data.")
    validation_data_dir: OptionalPath = Field(default=None, description="Validation data.")
    feature_bag: OptionalPath = Field(
        default=None, description="Tensor of features; without one, intercepts alone."
    )
    feature_file: OptionalPath = Field(default=None, description="Names of features by index.")
    has_intercept: bool = Field(default=True, description="Whether there is an intercept.")
    regularize_bias: bool = Field(default=True, description="Whether L2 holds for the intercept.")
    l2_reg_weight: float = Field(
        default=1.0, ge=0.0, allow_inf_nan=False, description="Weight of half the squared norm."
    )
    lbfgs_tolerance: float = Field(
        default=1e-12,
        ge=0.0,
        lt=1.0,
        description="Relative fall of the loss at which the solver stops.",
    )
    num_of_lbfgs_curvature_pairs: int | None = idle(
        "the solvers choose their own", "Pairs that L-BFGS keeps."
    )
    num_of_lbfgs_iterations: int = Field(default=100, ge=1, description="Most iterations.")
    offset_column_name: str = Field(
        default="offset", min_length=1, description="Column of scores to start from."
    )
    sparsity_threshold: float = Field(
        default=0.0,
        ge=0.0,
        allow_inf_nan=False,
        description="Coefficients of at most this absolute value become zero.",
    )
    batch_size: int | None = idle("rows are read in batches of its own size", "Rows of a batch.")
    data_format: str | None = idle("files are told by their names", "Format of the data.")
    metric: Annotated[Literal["auc", "mse"] | None, BeforeValidator(_lower)] = Field(
        default=None, description="Metric on the validation data; by the model type if absent."
    )

    position_k: int | None = idle("auc and mse look at no positions", "Positions of NDCG.")

    @property
    def variance(self) -> Literal["none", "simple", "full"]:
        """How variances are computed."""
        given = [getattr(self, name) for name in self.variance_options]
        return next((mode for mode in given if mode is not None), "none")


class FixedParams(LinearParams):
    """A coordinate of ``fixed_effect_config``."""

    variance_options = ("fixed_effect_variance_mode", "variance_mode")

    fixed_effect_variance_mode: Mode = Field(default=None, description="Kind of variances.")
    variance_mode: Mode = Field(default=None, description="Kind of variances.")
    disable_fixed_effect_scoring_after_training: bool = Field(
        default=False, description="Whether scores of the training data are not written."
    )
    copy_to_local: bool | None = idle("data is read where it lies", "Copy the data first.")
    num_server_creation_retries: int | None = idle(_SERVER, "Attempts to start a server.")
    retry_interval: float | None = idle(_SERVER, "Seconds between attempts.")
    delayed_exit_in_seconds: float | None = idle(_SERVER, "Wait for other workers.")

    @property
    def writes_training_scores(self) -> bool:
        """Whether scores of the training data are written."""
        return not self.disable_fixed_effect_scoring_after_training


class RandomParams(LinearParams):
    """A coordinate of ``random_effect_config``."""

    variance_options = ("random_effect_variance_mode", "variance_mode")

    partition_entity: str = Field(min_length=1, description="Column of the entity's id.")
    random_effect_variance_mode: Mode = Field(default=None, description="Kind of variances.")
    variance_mode: Mode = Field(default=None, description="Kind of variances.")
    disable_random_effect_scoring_after_training: bool = Field(
        default=False, description="Whether scores of the training data are not written."
    )
    num_partitions: int | None = idle(SPARK, "Partitions of the entities.")
    enable_local_indexing: bool | None = idle(
        "every entity has only the features of its rows", "Number features by entity."
    )
    max_training_queue_size: int | None = idle(_QUEUES, "Length of the queue.")
    training_queue_timeout_in_seconds: float | None = idle(_QUEUES, "Wait for the queue.")
    num_of_consumers: int | None = idle(_QUEUES, "Processes that train.")

    @property
    def writes_training_scores(self) -> bool:
        """Whether scores of the training data are written."""
        return not self.disable_random_effect_scoring_after_training
