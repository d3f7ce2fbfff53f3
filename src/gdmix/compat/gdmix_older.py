"""Older forms of GDMix's configuration, rewritten as the present one.

Its first versions named the coordinates within (``name``), kept random effects in a list, columns
in ``input_column_names`` and the solver in ``optimizer``, and called some options otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gdmix.compat.gdmix_options import GdmixParams
from gdmix.errors import ConfigError

_SECTIONS = ("fixed_effect_config", "random_effect_config")
_NESTED = ("input_column_names", "optimizer")
_RENAMED = {
    "train_data_path": "training_data_dir",
    "validation_data_path": "validation_data_dir",
    "model_output_dir": "output_model_dir",
    "output_column_name": "prediction_score_column_name",
    "prediction_score": "prediction_score_column_name",
    "prediction_score_per_coordinate": "prediction_score_per_coordinate_column_name",
    "label": "label_column_name",
    "sample_id": "uid_column_name",
    "sample_weight": "weight_column_name",
    "training_output_dir": "training_score_dir",
    "validation_output_dir": "validation_score_dir",
    "offset": "offset_column_name",
}
_OPTIMIZER_NAMES = ("optimizer_name", "name")


def present_form(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration of any version in the form of the latest one.

    Raises
    ------
    ConfigError
        A part has another shape than any version's, or an optimizer is not L-BFGS.
    """
    found = dict(values)
    for section in _SECTIONS:
        if section in found:
            items = _named(section, found[section])
            found[section] = {name: _coordinate(where, item) for name, (where, item) in items}
    return found


def _named(section: str, given: Any) -> list[tuple[str, tuple[str, Any]]]:  # noqa: ANN401
    """Return the coordinates of a section by name, each with its path."""
    if isinstance(given, Mapping) and "name" not in given:
        return [(str(name), (f"{section}.{name}", item)) for name, item in given.items()]
    items = given if isinstance(given, list) else [given]
    found: list[tuple[str, tuple[str, Any]]] = []
    for number, item in enumerate(items):
        where = f"{section}.{number}" if isinstance(given, list) else section
        if not isinstance(item, Mapping) or not isinstance(item.get("name"), str):
            problem = f"found {item!r:.80}"
            raise ConfigError(where, problem, "a mapping of options with a name")
        if item["name"] in dict(found):
            hint = "give each coordinate a name of its own"
            raise ConfigError(f"{where}.name", f"{item['name']!r} is there twice", hint=hint)
        rest = {name: value for name, value in item.items() if name != "name"}
        found.append((item["name"], (where, rest)))
    return found


def _coordinate(where: str, item: Any) -> Any:  # noqa: ANN401 - what is no mapping is refused later
    if not isinstance(item, Mapping):
        return item
    # DeText's optimizer is a name
    nested = [name for name in _NESTED if name in item and not _is_argument(item, name)]
    flat = {name: value for name, value in item.items() if name not in nested}
    for name in nested:
        flat |= _flattened(f"{where}.{name}", item[name])
    if "gdmix_config" in flat:
        return _renamed(flat)
    flat = _renamed(flat)
    driver = {name: flat.pop(name) for name in list(flat) if name in GdmixParams.model_fields}
    return {**flat, "gdmix_config": driver}


def _is_argument(item: Mapping[str, Any], name: str) -> bool:
    driver = item.get("gdmix_config", item)
    is_deep = isinstance(driver, Mapping) and driver.get("model_type") == "detext"
    return is_deep and isinstance(item[name], str)


def _renamed(values: Mapping[str, Any]) -> dict[str, Any]:
    return {_RENAMED.get(name, name): value for name, value in values.items()}


def _flattened(where: str, nested: Any) -> dict[str, Any]:  # noqa: ANN401
    if not isinstance(nested, Mapping):
        raise ConfigError(where, f"found {nested!r:.80}", "a mapping of options")
    flat = {name: value for name, value in nested.items() if name != "params"}
    params = nested.get("params", [])
    for number, part in enumerate(params if isinstance(params, list) else [params]):
        if not isinstance(part, Mapping):
            raise ConfigError(f"{where}.params.{number}", f"found {part!r:.80}", "a mapping")
        flat |= part
    for name in _OPTIMIZER_NAMES:
        optimizer = flat.pop(name, "LBFGS")
        if str(optimizer).upper() != "LBFGS":
            raise ConfigError(f"{where}.{name}", f"found {optimizer!r}", "'LBFGS'")
    return flat
