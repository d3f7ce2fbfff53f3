"""Where the columns of a Photon-ML job are: its names, looked up in the data."""

from __future__ import annotations

from dataclasses import dataclass, field

from gdmix.compat import photon_values as values
from gdmix.compat.report import Report
from gdmix.data.source import Source
from gdmix.errors import ConfigError, did_you_mean

_NAMES = "--input-column-names"
_STANDARD = ("uid", "response", "offset", "weight", "metadataMap")


@dataclass
class Names:
    """The names of columns, and the data they are looked up in.

    Attributes
    ----------
    source : Source or None
        None where the data is not here: then names are taken as they are.
    report : Report
    given : dict of str to str
        Photon-ML's standard name to that in the data, where it was said.
    """

    source: Source | None
    report: Report
    given: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, source: Source | None, text: str | None, report: Report) -> Names:
        """Read ``--input-column-names``, such as ``response=label,uid=id``.

        Raises
        ------
        ConfigError
            A part is no standard name.
        """
        given = {} if text is None else values.parts_of(_NAMES, text, _STANDARD, ())
        return cls(source, report, given)

    def roles(self) -> dict[str, str]:
        """Return our roles to the columns that the data has.

        Raises
        ------
        ConfigError
            The data has no response, or lacks a column that was named.
        """
        roles = {"label": self._response()}
        for role in ("uid", "weight", "offset"):
            name = self.given.get(role, role)
            if self.source is not None and self.source.has(name):
                roles[role] = name
            elif role in self.given:
                if self.source is not None:
                    raise self._lacks(f"{_NAMES}: {role}", name)
                roles[role] = name
        if self.source is None:
            self.report.note(
                "the data is not here: columns were taken at their names; uid, weight and offset "
                "of rows are read where --input-column-names says so, and an id within metadataMap "
                "is `metadataMap.<id>` here"
            )
        return roles

    def _response(self) -> str:
        name = self.given.get("response", "response")
        if self.source is None or self.source.has(name):
            return name
        if "response" not in self.given and self.source.has("label"):
            self.report.note("the data has no column 'response': 'label' is the label")
            return "label"
        raise self._lacks(f"{_NAMES}: response", name)

    def tag(self, where: str, name: str) -> str:
        """Return the column of an id: of its own, or within the map of metadata.

        Raises
        ------
        ConfigError
            It is in neither.
        """
        if self.source is None or self.source.has(name):
            return name
        within = f"{self.given.get('metadataMap', 'metadataMap')}.{name}"
        if self.source.has(within):
            return within
        raise self._lacks(where, name)

    def _lacks(self, where: str, name: str) -> ConfigError:
        assert self.source is not None
        found = f"column {name!r} not found in {self.source.name}"
        return ConfigError(where, found, hint=did_you_mean(name, self.source.schema.names))
