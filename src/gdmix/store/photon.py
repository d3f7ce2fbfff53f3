"""Photon-ML's GAME model directory, read and written.

model-metadata.json
fixed-effect/<coordinate>/id-info           the feature shard
fixed-effect/<coordinate>/coefficients/part-*.avro
random-effect/<coordinate>/id-info          the column of the entity's id, the feature shard
random-effect/<coordinate>/coefficients/part-*.avro
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gdmix.config import ModelOptions
from gdmix.coordinates import FixedEffect, Regressed
from gdmix.errors import ModelError
from gdmix.models.entity import EntityModel
from gdmix.models.mixed import Mixed
from gdmix.plainjson import dumps
from gdmix.store.bayesian_writer import write_models
from gdmix.store.foreign import MODEL_CLASSES, Found, Layout, linear_parts
from gdmix.tasks import TaskName

METADATA = "model-metadata.json"

_FIXED, _RANDOM = "fixed-effect", "random-effect"
_ID_INFO, _COEFFICIENTS = "id-info", "coefficients"
_TASKS: dict[str, TaskName] = {
    "LOGISTIC_REGRESSION": "logistic",
    "LINEAR_REGRESSION": "linear",
    "POISSON_REGRESSION": "poisson",
    "SMOOTHED_HINGE_LOSS_LINEAR_SVM": "smoothed_hinge",
}
_CONFIGURATIONS = (
    "optimizationConfigurations",
    "fixedEffectOptimizationConfigurations",
    "randomEffectOptimizationConfigurations",
)


def is_photon(path: Path) -> bool:
    """Whether a GAME model lies in a folder."""
    return (path / _FIXED).is_dir() or (path / _RANDOM).is_dir()


def photon_layout(path: Path) -> Layout:
    """Return what a GAME model directory tells.

    Raises
    ------
    ModelError
        A file is missing or damaged.
    """
    metadata = _metadata(path / METADATA)
    penalties = _penalties(metadata)
    coordinates = {}
    for kind in (_FIXED, _RANDOM):
        for folder in sorted(path.glob(f"{kind}/*/")):
            if folder.name.startswith((".", "_")):
                continue
            *entity, shard = _id_info(folder / _ID_INFO, kind == _RANDOM)
            inside = folder / _COEFFICIENTS
            coordinates[folder.name] = Found(
                inside,
                sorted(inside.glob("*.avro")),
                kind == _RANDOM,
                shard,
                entity[0] if entity else None,
                penalties.get(folder.name),
            )
    return Layout("Photon-ML", _TASKS.get(str(metadata.get("modelType"))), coordinates)


def write_photon(folder: Path, options: ModelOptions, model: Mixed) -> None:
    """Write a GAME model directory into a folder that exists.

    Raises
    ------
    ModelError
        Photon-ML has no place for something the model has.
    """
    task = {ours: theirs for theirs, ours in _TASKS.items()}[options.task]
    for name, part in linear_parts(model).items():
        random = isinstance(part, EntityModel)
        place = folder / (_RANDOM if random else _FIXED) / name
        place.mkdir(parents=True)
        about = [_shard_name(options, part.shard)]
        if isinstance(part, EntityModel):
            about.insert(0, part.entity)
        (place / _ID_INFO).write_text("".join(f"{line}\n" for line in about), encoding="utf-8")
        write_models(
            place / _COEFFICIENTS,
            part,
            model.index_of(name),
            MODEL_CLASSES[options.task],
            _FIXED,
        )
    metadata = {
        "modelType": task,
        "modelName": "gdmix",
        "optimizationConfigurations": {
            "values": [
                {"name": name, "configuration": _configuration(options, name)}
                for name in model.parts
            ]
        },
    }
    (folder / METADATA).write_text(dumps(metadata, indent=2), encoding="utf-8")


def _shard_name(options: ModelOptions, shard: str) -> str:
    """Return the name of a shard's only column, which readers look for, or of the shard."""
    features = options.features_of(shard)
    named = options.coordinates[shard].features
    if len(named) == 1:
        return named[0].column
    return features[0].column if len(features) == 1 else shard


def _configuration(options: ModelOptions, name: str) -> dict[str, Any]:
    coordinate = options.coordinates[name]
    assert isinstance(coordinate, Regressed)
    optimizer = "LBFGS"
    rate = {}
    if isinstance(coordinate, FixedEffect):
        optimizer = "TRON" if coordinate.optimizer in ("tron", "newton") else "LBFGS"
        rate = {"downSamplingRate": coordinate.down_sampling}
    mixed = coordinate.elastic_net
    kind, weight, alpha = "L2", coordinate.l2, None
    if mixed is not None:
        kind, weight, alpha = "ELASTIC_NET", mixed.weight, mixed.alpha
    elif coordinate.l1:
        kind, weight = "ELASTIC_NET", coordinate.l1 + coordinate.l2
        alpha = coordinate.l1 / weight
    return {
        "optimizerConfig": {
            "optimizerType": optimizer,
            "maximumIterations": coordinate.max_iterations,
            "tolerance": coordinate.tolerance,
        },
        "regularizationContext": {"regularizationType": kind, "elasticNetParam": alpha},
        "regularizationWeight": weight,
        **rate,
    }


def _metadata(file: Path) -> dict[str, Any]:
    if not file.is_file():
        # the oldest models have none; the class of the models then tells the task
        return {}
    try:
        metadata = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(str(file), f"is not JSON ({error})", hint="copy it again") from None
    if not isinstance(metadata, dict):
        raise ModelError(str(file), f"found {type(metadata).__name__}", "a JSON object")
    return metadata


def _penalties(metadata: dict[str, Any]) -> dict[str, float]:
    """Return the weights of L2 penalties by coordinate; models of all ages have them."""
    found = {}
    for key in _CONFIGURATIONS:
        group = metadata.get(key, {})
        for item in group.get("values", ()) if isinstance(group, dict) else ():
            try:
                own = item["configuration"]
                if own["regularizationContext"]["regularizationType"] == "L2":
                    found[str(item["name"])] = float(own["regularizationWeight"])
            except (KeyError, TypeError, ValueError):
                continue
    return found


def _id_info(file: Path, random: bool) -> list[str]:
    expected = "a line with the entity's column and one with the shard" if random else "one line"
    try:
        lines = file.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(str(file), f"cannot be read ({error})", expected) from None
    if len(lines) != 1 + random:
        raise ModelError(str(file), f"found {len(lines)} lines", expected)
    return lines
