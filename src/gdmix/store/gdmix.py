"""GDMix's models, read and written: one folder a coordinate.

<coordinate>/models/global_model.avro   of a fixed effect
<coordinate>/models/part-*.avro         of a random effect
"""

from __future__ import annotations

from pathlib import Path

from gdmix.config import ModelOptions
from gdmix.data.formats.avro_records import read_records
from gdmix.errors import DataError, ModelError
from gdmix.models.entity import EntityModel
from gdmix.models.mixed import Mixed
from gdmix.store.bayesian_writer import write_models
from gdmix.store.foreign import MODEL_CLASSES, Found, Layout, linear_parts

MODELS = "models"

_GLOBAL = "global_model.avro"
_MODEL_ID = "global model"


def is_gdmix(path: Path) -> bool:
    """Whether models of GDMix lie in a folder, or in folders of its coordinates."""
    return bool(_coordinates(path))


def gdmix_layout(path: Path) -> Layout:
    """Return what the folders tell: neither the task for sure, nor columns."""
    coordinates = {}
    for name, folder in _coordinates(path).items():
        files = [file for file in [folder / _GLOBAL] if file.is_file()] or _parts(folder)
        coordinates[name] = Found(folder, files, _is_random(files[0]), name)
    # the fixed effect first, as it is trained
    order = sorted(coordinates, key=lambda name: (coordinates[name].random, name))
    return Layout("GDMix", None, {name: coordinates[name] for name in order})


def write_gdmix(folder: Path, options: ModelOptions, model: Mixed) -> None:
    """Write the folders of all coordinates into one that exists."""
    for name, part in linear_parts(model).items():
        place = folder / name / MODELS
        files = write_models(
            place, part, model.index_of(name), MODEL_CLASSES[options.task], _MODEL_ID
        )
        if not isinstance(part, EntityModel):
            files[0].rename(place / _GLOBAL)


def _coordinates(path: Path) -> dict[str, Path]:
    """Return the folders of models by the name of their coordinate."""
    if not path.is_dir():
        return {}
    for place in (path, path / MODELS):
        if _holds_models(place):
            own = place.resolve()
            return {(own.parent if own.name == MODELS else own).name: place}
    found = {}
    for folder in sorted(item for item in path.iterdir() if item.is_dir()):
        for place in (folder / MODELS, folder):
            if _holds_models(place):
                found[folder.name] = place
                break
    return found


def _is_random(file: Path) -> bool:
    """Whether the models are those of entities; a global one that Spark wrote is a part too."""
    if file.name == _GLOBAL:
        return False
    try:
        first = next(read_records(file), None)
    except DataError as error:
        raise ModelError(error.where, error.problem, error.expected, error.hint) from None
    return first is None or first.get("modelId") != _MODEL_ID


def _holds_models(folder: Path) -> bool:
    return (folder / _GLOBAL).is_file() or bool(_parts(folder))


def _parts(folder: Path) -> list[Path]:
    return sorted(folder.glob("part-*.avro"))
