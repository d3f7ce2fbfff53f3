"""Where the rows of a GDMix configuration come from: one table, and others joined by uid.

GDMix keeps a data set for each coordinate, the same samples in each. Here the first one's rows are
the rows; what another coordinate needs besides is joined to them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from gdmix.compat.detext_rows import files_of
from gdmix.compat.detext_task import lists_of
from gdmix.compat.gdmix_file import DetextParams, GdmixConfig
from gdmix.compat.gdmix_options import FixedParams, RandomParams
from gdmix.compat.report import Report
from gdmix.data.source import Source, open_source
from gdmix.errors import ConfigError, DataError
from gdmix.schema import Lists

_NAMES = ("training_data_dir", "validation_data_dir")
_DEEP_NAMES = ("train_file", "dev_file")

Params = FixedParams | RandomParams | DetextParams


class Place(NamedTuple):
    """A coordinate's options, and where they stand in the configuration."""

    path: str
    params: Params


class Tables:
    """The data sets of a configuration.

    Raises
    ------
    ConfigError
        A coordinate has no data, or two data sets cannot be taken together.
    """

    def __init__(self, config: GdmixConfig, report: Report) -> None:
        self._report = report
        self.places = _places(config)
        with_data = [place for place in self.places.values() if place.params.training_data_dir]
        if not with_data:
            raise ConfigError(
                next(iter(self.places.values())).path + ".training_data_dir",
                "required option is missing",
            )
        self.main = with_data[0]
        self._require_agreement()
        self._sources: dict[str, Source | None] = {}
        self._columns = self.columns_of(self.main.params)
        if self._columns is None:
            report.note(
                f"{self.main.params.training_data_dir} cannot be read: taken to have the weight, "
                "and no offset; features taken to be sparse tensors"
            )

    def columns_of(self, params: Params) -> Source | None:
        """Open the training data of a coordinate; None where it is not there to be read."""
        folder = params.training_data_dir
        assert folder is not None
        if folder not in self._sources:
            self._sources[folder] = _opened(params, folder)
        return self._sources[folder]

    def has(self, column: str) -> bool | None:
        """Tell whether the rows have a column; None where they cannot be read."""
        return None if self._columns is None else self._columns.has(column)

    def options(self) -> dict[str, Any]:
        """Return where the rows are, and the columns that are not features."""
        main, folder = self.main.params, self.main.params.training_data_dir
        assert folder is not None
        found: dict[str, Any] = {"train": _paths(main, folder)}
        is_deep = isinstance(main, DetextParams)
        train, validation = _DEEP_NAMES if is_deep else _NAMES
        self._report.maps(f"{self.main.path}.{train}", f"train: {folder}")
        for theirs, ours, value in (
            (validation, "validation", main.validation_data_dir),
            ("metadata_file", "metadata", main.metadata_file),
        ):
            if value is not None:
                found[ours] = _paths(main, value) if ours == "validation" else value
                self._report.maps(f"{self.main.path}.{theirs}", f"{ours}: {value}")
        for role in ("label", "uid"):
            found[role] = self._column(f"{role}_column_name")
            self._report.maps(self._place(f"{role}_column_name"), f"{role}: {found[role]}")
        found |= self._weight_and_offset()
        if isinstance(main, DetextParams) and (lists := lists_of(main.arguments())):
            found["lists"] = lists
        if joins := self._joins():
            found["joins"] = joins
        return found

    def _column(self, name: str) -> str | None:
        """Return the column of a role, which DeText's own arguments may name too."""
        found: str | None = getattr(self.main.params.gdmix_config, name)
        return found or getattr(self.main.params, name, None)

    def _place(self, name: str) -> str:
        """Return where the column of a role is named."""
        inside = "gdmix_config." if getattr(self.main.params.gdmix_config, name) else ""
        return f"{self.main.path}.{inside}{name}"

    def _weight_and_offset(self) -> dict[str, str]:
        """Return the columns that are there: GDMix names them whether the data has them or not."""
        found, main = {}, self.main.params
        weight, offset = self._column("weight_column_name"), main.offset_column_name
        if weight is not None:
            if self.has(weight) is False:
                self._report.note(f"the data has no column {weight!r}: every weight is 1")
                self._note_other_weights(weight)
            else:
                found["weight"] = weight
                self._report.maps(self._place("weight_column_name"), f"weight: {weight}")
        if self.has(offset):
            found["offset"] = offset
            self._report.maps(f"{self.main.path}.offset_column_name", f"offset: {offset}")
        elif "offset_column_name" in main.model_fields_set:
            self._report.note(f"the data has no column {offset!r}: every offset is 0")
        return found

    def _note_other_weights(self, weight: str) -> None:
        for place in self.places.values():
            if is_external(place.params):
                continue
            source = self.columns_of(place.params)
            if source is not None and source.has(weight):
                self._report.note(
                    f"{source.name} has the column {weight!r}, which the rows of "
                    f"{self.main.params.training_data_dir} lack: it is not used"
                )

    def _joins(self) -> list[dict[str, Any]]:
        joins = []
        taken: dict[str, Place] = {}
        if bag := self.main.params.feature_bag:
            taken[bag] = self.main
        for place in self.places.values():
            params = place.params
            if params.training_data_dir is None:
                joins.append(self._scores(place))
            elif params.training_data_dir != self.main.params.training_data_dir:
                join = self._join(place, taken)
                joins += [join] if join not in joins else []
        return joins

    def _join(self, place: Place, taken: dict[str, Place]) -> dict[str, Any]:
        """Return the join that brings a coordinate its features, from its own data."""
        params = place.params
        bag, folder = params.feature_bag, params.training_data_dir
        if bag is not None:
            other = taken.setdefault(bag, place)
            if other.params.training_data_dir != folder:
                raise ConfigError(
                    f"{place.path}.feature_bag",
                    f"{bag!r} is also the bag of {other.path}, in other data",
                    "a name of its own in each data set, or one training_data_dir for both",
                )
        join: dict[str, Any] = {
            "train": [folder],
            "key": params.gdmix_config.uid_column_name,
            "columns": self._bag_columns(params) + self._entity_column(params),
        }
        if params.validation_data_dir is not None:
            join["validation"] = [params.validation_data_dir]
        if params.metadata_file is not None:
            join["metadata"] = params.metadata_file
        for name in ("training_data_dir", "validation_data_dir", "metadata_file"):
            if getattr(params, name) is not None:
                self._report.maps(f"{place.path}.{name}", f"joins: by {join['key']}")
        return join

    def _bag_columns(self, params: Params) -> list[str]:
        bag = params.feature_bag
        if bag is None:
            return []
        source = self.columns_of(params)
        return [bag] if source is not None and source.has(bag) else list(pair_of(bag))

    def _entity_column(self, params: Params) -> list[str]:
        """Return the entity's column where the rows lack it, as DeText's data may."""
        entity = getattr(params, "partition_entity", None)
        return [entity] if entity is not None and self.has(entity) is False else []

    def _scores(self, place: Place) -> dict[str, Any]:
        """Return the join that brings the scores of an outside model."""
        driver = place.params.gdmix_config
        join: dict[str, Any] = {
            "train": [driver.training_score_dir],
            "key": driver.uid_column_name,
            "columns": [driver.prediction_score_column_name],
        }
        if driver.validation_score_dir is not None:
            join["validation"] = [driver.validation_score_dir]
        for name in ("training_score_dir", "validation_score_dir"):
            if getattr(driver, name) is not None:
                self._report.maps(f"{place.path}.gdmix_config.{name}", f"joins: by {join['key']}")
        return join

    def _require_agreement(self) -> None:
        """Check that all data sets name their samples alike, and all are validated or none."""
        main = self.main
        if self._column("label_column_name") is None:
            where = f"{main.path}.gdmix_config.label_column_name"
            raise ConfigError(where, "required option is missing")
        for place in self.places.values():
            for name, why in (
                ("uid_column_name", "one name, by which rows are joined"),
                ("label_column_name", "one label for all coordinates"),
            ):
                mine = getattr(place.params.gdmix_config, name)
                theirs = self._column(name)
                if mine not in (theirs, None):
                    problem = f"found {mine!r}, and {theirs!r} in {main.path}"
                    raise ConfigError(f"{place.path}.gdmix_config.{name}", problem, why)
            own = _validation_of(place.params)
            if main.params.validation_data_dir is not None and own is None:
                raise ConfigError(
                    f"{place.path}.validation_data_dir",
                    f"is missing, and {main.path} has one",
                    "validation data for every coordinate, or for none",
                )


def pair_of(bag: str) -> tuple[str, str]:
    """Return the columns of a sparse tensor."""
    return f"{bag}_indices", f"{bag}_values"


def is_external(params: Params) -> bool:
    """Tell whether a coordinate is the scores of an outside model."""
    return params.training_data_dir is None and params.gdmix_config.training_score_dir is not None


def _places(config: GdmixConfig) -> Mapping[str, Place]:
    places: dict[str, Place] = {}
    for section in ("fixed_effect_config", "random_effect_config"):
        for name, params in getattr(config, section).items():
            path = f"{section}.{name}"
            if name in places:
                hint = "give each coordinate a name of its own"
                raise ConfigError(path, f"{places[name].path} has the same name", hint=hint)
            external = section == "fixed_effect_config" and is_external(params)
            if params.training_data_dir is None and not external:
                where = f"{path}.training_data_dir"
                raise ConfigError(where, "required option is missing")
            places[name] = Place(path, params)
    return places


def _validation_of(params: Params) -> str | None:
    if is_external(params):
        return params.gdmix_config.validation_score_dir
    return params.validation_data_dir


def _paths(params: Params, given: str) -> list[str]:
    """Return the paths of a data set; DeText's are parted by commas."""
    return files_of(given) if isinstance(params, DetextParams) else [given]


def _opened(params: Params, folder: str) -> Source | None:
    description: Path | Lists | None = None
    if isinstance(params, DetextParams):
        lists = lists_of(params.arguments())
        description = None if lists is None else Lists.parse(lists)
    elif params.metadata_file is not None:
        description = Path(params.metadata_file)
    try:
        return open_source(_paths(params, folder), metadata=description)
    except DataError:
        # a run will say what is wrong with it
        return None
