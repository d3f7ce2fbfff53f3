"""The model that a new one begins from: whether it fits, and its parts in new positions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import pyarrow as pa

from gdmix.config import ModelOptions
from gdmix.coordinates import DeepEffect, RandomEffect
from gdmix.data.index import FeatureIndex
from gdmix.errors import ConfigError, DataError, did_you_mean
from gdmix.models.carrying import moved_entities, moved_linear, with_ids
from gdmix.models.deep import DeepModel
from gdmix.models.entity import EntityModel
from gdmix.models.mixed import Mixed, Part
from gdmix.schema import Feature

IdType = Callable[[str], pa.DataType]

_TRAIN_ANEW = "or train without an initial model"


@dataclass(frozen=True, eq=False)
class Initial:
    """An earlier model. Coordinates go by their names, features by name and term.

    Attributes
    ----------
    options : ModelOptions
        The options that made it.
    model : Mixed
    name : str
        What to call it in messages.
    """

    options: ModelOptions
    model: Mixed
    name: str

    def require_fit(self, options: ModelOptions) -> None:
        """Refuse a model that a new one with these options cannot begin from.

        Raises
        ------
        ConfigError
            Task, kind, entity, intercept or features of a coordinate differ; a locked coordinate
            is not there; or variances are missing that `incremental` needs.
        """
        if self.options.task != options.task:
            raise self._differs("task", options.task, self.options.task)
        for name in options.locked:
            if name not in self.model.parts:
                where, hint = f"locked: {name}", did_you_mean(name, self.model.parts)
                raise ConfigError(where, f"not a coordinate of {self.name}", hint=hint)
        common = [name for name in options.coordinates if name in self.model.parts]
        if not common:
            has = ", ".join(self.model.parts)
            found = f"{self.name} has none of the coordinates, but {has}"
            raise ConfigError("initial_model", found, hint="give coordinates the names they had")
        for name in common:
            self._require_same_kind(name, options)
            self._require_same_columns(name, options)
            if options.incremental and name not in options.locked:
                self._require_variances(name)

    def features(self, options: ModelOptions) -> dict[str, FeatureIndex]:
        """Return the known features of every shard of a new model, in the order they have here.

        Those of columns that a coordinate no longer reads are left out.
        """
        known: dict[str, FeatureIndex] = {}
        for name, shard in options.shards().items():
            if name not in self.model.parts:
                continue
            read = {feature.column for feature in options.features_of(name)}
            gone = {feature.column for feature in self.options.features_of(name)} - read
            index = self.model.index_of(name).without(gone)
            known[shard] = known[shard].extended(index) if shard in known else index
            # what a network reads and tells besides, whose weights go by position
            known |= {s: i for s, i in self.model.indexes.items() if s.startswith(f"{name}.")}
        return known

    def parts(
        self, options: ModelOptions, indexes: Mapping[str, FeatureIndex], id_type: IdType
    ) -> dict[str, Part]:
        """Return the parts that a new model begins with, in the positions of its features.

        Parameters
        ----------
        options : ModelOptions
        indexes : dict of shard to FeatureIndex
            Of the new model.
        id_type : callable
            From an entity column of the training data to the type of its ids.

        Raises
        ------
        DataError
            Entity ids are numbers here and words there.
        """
        found: dict[str, Part] = {}
        for name, shard in options.shards().items():
            part = self.model.parts.get(name)
            if part is None:
                continue
            position = indexes[shard].positions(self.model.index_of(name).keys)
            if isinstance(part, EntityModel):
                found[name] = moved_entities(self._with_ids(name, part, id_type), shard, position)
            elif isinstance(part, DeepModel):
                found[name] = self._same_network(name, options, indexes, part)
            else:
                found[name] = moved_linear(part, shard, position, len(indexes[shard]))
        return found

    def _require_same_kind(self, name: str, options: ModelOptions) -> None:
        new, old = options.coordinates[name], self.options.coordinates[name]
        where = f"coordinates.{name}"
        if type(new) is not type(old):
            raise self._differs(where, _kind(new), _kind(old))
        columns = [one.entity for one in (new, old) if isinstance(one, RandomEffect)]
        if len(set(columns)) > 1:
            raise self._differs(f"{where}.entity", *columns)
        intercepts = [getattr(one, "intercept", None) for one in (new, old)]
        if len(set(intercepts)) > 1:
            raise self._differs(f"{where}.intercept", *(str(each).lower() for each in intercepts))
        if isinstance(new, DeepEffect) and isinstance(old, DeepEffect):
            self._require_same_network(f"{where}.network", new, old)

    def _require_same_columns(self, name: str, options: ModelOptions) -> None:
        """Hold a column that both read to one reading: a coefficient belongs to a scale."""
        where = f"coordinates.{name}.features"
        new, old = _by_column(options, name), _by_column(self.options, name)
        for column in new:
            if column in old and new[column] != old[column]:
                found, was = (_shown(one[column]) for one in (new, old))
                raise self._differs(f"{where}: {column}", found, was)
        if name in options.locked and new.keys() != old.keys():
            raise self._differs(f"{where} (locked)", ", ".join(new), ", ".join(old))

    def _require_same_network(self, where: str, new: DeepEffect, old: DeepEffect) -> None:
        """Hold a network to the layers of the one whose weights it begins from."""
        now, was = new.network.plain(), old.network.plain()
        for option in {**now, **was}:
            if now.get(option) != was.get(option):
                shown = (str(one.get(option, "the default")) for one in (now, was))
                raise self._differs(f"{where}.{option}", *shown)

    def _same_network(
        self, name: str, options: ModelOptions, indexes: Mapping[str, FeatureIndex], part: DeepModel
    ) -> DeepModel:
        """Return a network for the features of the new model, the first of which are its own."""
        inputs = part.inputs
        known = {inputs.wide: options.shards()[name]}
        known |= {shard: shard for shard in (inputs.dense, *inputs.fields.values()) if shard}
        widths = {theirs: len(indexes[ours]) for theirs, ours in known.items()}
        return replace(part.widened(widths), inputs=replace(inputs, wide=known[inputs.wide]))

    def _require_variances(self, name: str) -> None:
        part = self.model.parts[name]
        if isinstance(part, DeepModel):
            hint = f"lock {name!r}, or set `incremental: false` for a warm start"
            problem = "a network has no variances, which incremental training needs"
            raise ConfigError(f"coordinates.{name}", problem, hint=hint)
        known = part.table.variances if isinstance(part, EntityModel) else part.variances
        if known is None:
            hint = f"train {self.name} with `variance: simple` or `full`, lock {name!r}, "
            hint += "or set `incremental: false` for a warm start"
            problem = f"{self.name} has no variances, which incremental training needs"
            raise ConfigError(f"coordinates.{name}", problem, hint=hint)

    def _with_ids(self, name: str, part: EntityModel, id_type: IdType) -> EntityModel:
        """Return a part whose ids are of the type they have in the rows: 7 is "7"."""
        kind, ids = id_type(part.entity), part.table.ids
        if ids.type == kind:
            return part
        try:
            told = ids.cast(kind)
            if told.cast(ids.type).equals(ids):
                return with_ids(part, told)
        except pa.ArrowInvalid:
            pass
        raise DataError(
            f"coordinates.{name}.entity, column {part.entity!r}",
            f"found ids that are {_ids(kind)}",
            f"{_ids(ids.type)}, as in {self.name}",
            f"convert the column, {_TRAIN_ANEW}",
        )

    def _differs(self, where: str, found: str, was: str) -> ConfigError:
        expected = f"{was}, as in {self.name}"
        return ConfigError(where, f"found {found}", expected, f"change it, {_TRAIN_ANEW}")


def require_initial(options: ModelOptions) -> None:
    """Refuse options that make no sense without an initial model.

    Raises
    ------
    ConfigError
    """
    for name in ("locked", "incremental"):
        if getattr(options, name):
            raise ConfigError(name, "there is no initial model", hint="give one: initial_model")


def _kind(coordinate: object) -> str:
    return "a random effect" if isinstance(coordinate, RandomEffect) else "a fixed effect"


def _by_column(options: ModelOptions, name: str) -> dict[str, set[Feature]]:
    columns: dict[str, set[Feature]] = {}
    for feature in options.features_of(name):
        columns.setdefault(feature.column, set()).add(feature)
    return columns


def _shown(features: set[Feature]) -> str:
    plain = sorted(str(feature.model_dump(exclude_defaults=True)) for feature in features)
    return " and ".join(plain)


def _ids(kind: pa.DataType) -> str:
    return "strings" if pa.types.is_string(kind) else "whole numbers"
