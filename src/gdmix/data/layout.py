"""`Layout`: what a model reads from a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gdmix.data.classes import Classes
from gdmix.data.validation import LabelRange
from gdmix.schema import Columns, Feature


@dataclass(frozen=True)
class Layout:
    """Column roles, entity columns, and the features of every shard.

    Attributes
    ----------
    columns : Columns
        Label, uid, weight and offset.
    entities : dict of str to str
        Entity column to the option that names it (for messages).
    shards : dict of str to tuple of Feature
        A shard is a set of features that one or more coordinates use.
    options : dict of Feature to str
        The option that names each feature (for messages).
    labels : LabelRange
        The labels that are allowed.
    labels_of : str
        What allows no others (for messages): a task, or a metric.
    texts : dict of str to str
        Text column to the option that names it (for messages).
    classes : Classes or None
        Where labels are classes by name: the column is among the shards then, and is no role.
    """

    columns: Columns
    entities: Mapping[str, str]
    shards: Mapping[str, tuple[Feature, ...]]
    options: Mapping[Feature, str] = field(default_factory=dict)
    labels: LabelRange = "any"
    labels_of: str = ""
    texts: Mapping[str, str] = field(default_factory=dict)
    classes: Classes | None = None

    @property
    def features(self) -> tuple[Feature, ...]:
        """Every feature once, in the order of the shards."""
        return tuple(dict.fromkeys(item for shard in self.shards.values() for item in shard))

    def roles(self, *, label: bool) -> dict[str, str]:
        """Return role to column, with or without the label."""
        roles = self.columns.roles()
        if not label:
            roles.pop("label", None)
        return roles
