"""GDMix's workflow configuration as a whole: its sections, and DeText's model among them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self

from pydantic import Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from gdmix.compat.detext_arguments import DetextArguments
from gdmix.compat.gdmix_options import SPARK, FixedParams, GdmixParams, RandomParams
from gdmix.compat.idle import idle
from gdmix.options import INVALID, VARIANT, Options

_CLUSTER = "there is no cluster: all threads of this machine are used (`threads`)"


class DetextParams(DetextArguments):
    """A coordinate of ``fixed_effect_config`` whose model is DeText's."""

    gdmix_config: GdmixParams = Field(description="Driver parameters and column names.")
    disable_fixed_effect_scoring_after_training: bool = Field(
        default=False, description="Whether scores of the training data are not written."
    )

    @model_validator(mode="after")
    def _require_one_name(self) -> Self:
        for name in ("label_column_name", "weight_column_name", "uid_column_name"):
            mine, driver = getattr(self, name), getattr(self.gdmix_config, name)
            if None not in (mine, driver) and mine != driver:
                problem = f"{name}: found {mine!r}, and {driver!r} in gdmix_config"
                raise PydanticCustomError(INVALID, "{text}", {"text": problem})
        return self

    @property
    def training_data_dir(self) -> str:
        """Training data, as of other coordinates."""
        return self.train_file

    @property
    def validation_data_dir(self) -> str | None:
        """Validation data, as of other coordinates."""
        return self.dev_file

    metadata_file: ClassVar[None] = None
    feature_bag: ClassVar[None] = None
    offset_column_name: ClassVar[str] = "offset"
    metric: ClassVar[None] = None

    @property
    def writes_training_scores(self) -> bool:
        """Whether scores of the training data are written."""
        return not self.disable_fixed_effect_scoring_after_training

    def arguments(self) -> DetextArguments:
        """Return DeText's own arguments, with the columns that the driver names."""
        names = ("label_column_name", "weight_column_name", "uid_column_name")
        driver = self.gdmix_config
        columns = {name: getattr(self, name) or getattr(driver, name) for name in names}
        given = {name: getattr(self, name) for name in self.model_fields_set}
        given = {name: value for name, value in given.items() if name in _ARGUMENTS}
        return DetextArguments(**given | columns)


_ARGUMENTS = DetextArguments.model_fields


def _kind_of(value: object) -> str:
    """Tell DeText's coordinates from linear ones; those of given scores are among the latter."""
    if isinstance(value, DetextParams):
        return _DETEXT
    driver = value.get("gdmix_config") if isinstance(value, Mapping) else None
    if isinstance(value, Mapping) and isinstance(driver, Mapping):
        external = driver.get("training_score_dir") and "train_file" not in value
        if driver.get("model_type") == "detext" and not external:
            return _DETEXT
    return _LINEAR


_LINEAR, _DETEXT = f"{VARIANT}linear", f"{VARIANT}detext"
AnyFixed = Annotated[
    Annotated[FixedParams, Tag(_LINEAR)] | Annotated[DetextParams, Tag(_DETEXT)],
    Discriminator(_kind_of),
]


class GdmixConfig(Options):
    """GDMix's workflow configuration."""

    output_dir: str = Field(min_length=1, description="Where results go.")
    fixed_effect_config: dict[str, AnyFixed] = Field(
        default={}, description="The fixed effect by its name."
    )
    random_effect_config: dict[str, RandomParams] = Field(
        default={}, description="Random effects by their names, in the order they are trained."
    )
    spark_config: dict[str, Any] | None = idle(SPARK, "Resources of Spark.")
    tfjob_config: dict[str, Any] | None = idle(_CLUSTER, "Resources of TensorFlow.")

    def coordinates(self) -> dict[str, FixedParams | RandomParams | DetextParams]:
        """Return all coordinates in the order they are trained."""
        return {**self.fixed_effect_config, **self.random_effect_config}
