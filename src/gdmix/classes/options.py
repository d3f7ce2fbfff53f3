"""What a model of several classes may be: one deep effect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from gdmix.coordinates import Coordinate, DeepEffect
from gdmix.data.classes import Classes
from gdmix.schema import Columns, Feature


class Fault(NamedTuple):
    """An option that does not serve such a model, and why."""

    option: str
    problem: str


def fault_of(
    task: str, columns: Columns, coordinates: Mapping[str, Coordinate], sweeps: int
) -> Fault | None:
    """Return what keeps a model of several classes from being trained; None if nothing does."""
    name, effect = next(iter(coordinates.items()))
    if len(coordinates) > 1 or not isinstance(effect, DeepEffect):
        kinds = ", ".join(f"{each} ({_kind(one)})" for each, one in coordinates.items())
        problem = f"found {kinds}; task {task!r} is one deep effect (a coordinate with `network`)"
        return Fault("coordinates", f"{problem}: other effects know one score a row")
    if effect.loss != "pointwise":
        problem = f"found {effect.loss!r}; task {task!r} ranks no rows: expected 'pointwise'"
        return Fault(f"coordinates.{name}.loss", problem)
    if columns.offset is not None:
        problem = f"found {columns.offset!r}; the classes of task {task!r} have no score to start "
        return Fault("offset", problem + "from: remove this option")
    if sweeps > 1:
        problem = f"found {sweeps}; there are no others to take turns with: expected 1"
        return Fault("sweeps", problem)
    features = [feature for shard in effect.columns().values() for feature in shard]
    if columns.label in {*effect.network.texts, *(feature.column for feature in features)}:
        problem = f"{columns.label!r} is the label; remove it"
        return Fault(f"coordinates.{name}.network", problem)
    return None


def classes_in(label: str, separator: str | None, coordinate: str, task: str) -> Classes:
    """Return where the classes of a model are read from, given its only coordinate."""
    feature = Feature(column=label, kind="categorical", separator=separator)
    return Classes(shard_of(coordinate), feature, single=task == "multiclass")


def shard_of(coordinate: str) -> str:
    """Return under which name a model keeps the names of its classes."""
    return f"{coordinate}.classes"


def _kind(coordinate: Coordinate) -> str:
    if isinstance(coordinate, DeepEffect):
        return "deep"
    return "random effect" if hasattr(coordinate, "entity") else "fixed effect"
