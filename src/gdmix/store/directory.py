"""The model directory: manifest, features, and each coordinate's coefficients.

model/
  manifest.json             options, coordinates, training summary, checksums
  features/<shard>.parquet  name, term, index; statistics where they were computed
  <coordinate>/coefficients/part-*.parquet

Format 1 covers models with and without variances: their columns may be there or not.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq

from gdmix.config import ModelOptions
from gdmix.data.index import FeatureIndex
from gdmix.data.statistics import Statistics
from gdmix.errors import ModelError
from gdmix.models.deep import DeepModel
from gdmix.models.entity import EntityModel
from gdmix.models.mixed import Mixed, Part
from gdmix.plainjson import dumps
from gdmix.store.aside import replacing
from gdmix.store.parts import read_part, write_part
from gdmix.version import __version__

FORMAT = 1
_MANIFEST = "manifest.json"


class Saved(NamedTuple):
    """A model with the options that made it and the record of its training."""

    options: ModelOptions
    model: Mixed
    history: list[dict[str, Any]]


def save_model(path: Path, saved: Saved) -> None:
    """Write a model directory; it appears whole or not at all.

    Raises
    ------
    RunError
        The folder holds something else than a model, or cannot be written.
    """
    with replacing(path, _MANIFEST) as aside:
        (aside / "features").mkdir(parents=True)
        for shard, index in saved.model.indexes.items():
            known = saved.model.statistics.get(shard)
            table = index.to_table() if known is None else known.to_table(index)
            pq.write_table(table, aside / "features" / f"{shard}.parquet")
        for name, part in saved.model.parts.items():
            write_part(aside / name / "coefficients", part, saved.model.index_of(name))
        manifest = {
            "format": FORMAT,
            "gdmix": __version__,
            "options": saved.options.plain(),
            "coordinates": {name: _describe(part) for name, part in saved.model.parts.items()},
            "training": saved.history,
            "checksums": _checksums(aside),
        }
        (aside / _MANIFEST).write_text(dumps(manifest, indent=1), encoding="utf-8")


def read_model(path: Path) -> Saved:
    """Read a model directory of ours.

    Raises
    ------
    ModelError
        There is no model, it is of another format version, or a file is damaged.
    """
    manifest = _read_manifest(path)
    found = _checksums(path)
    for name, checksum in manifest["checksums"].items():
        if found.get(name) != checksum:
            problem = "the file is damaged" if name in found else "the file is missing"
            raise ModelError(str(path / name), problem, hint="copy the model again, or train it")
    options = ModelOptions.parse(manifest["options"], str(path / _MANIFEST))
    tables = {
        file.stem: pq.ParquetFile(file).read()
        for file in sorted((path / "features").glob("*.parquet"))
    }
    indexes = {shard: FeatureIndex.from_table(table) for shard, table in tables.items()}
    known = {shard: Statistics.from_table(table) for shard, table in tables.items()}
    statistics = {shard: found for shard, found in known.items() if found is not None}
    shards = options.shards()
    parts = {
        name: read_part(
            path / name / "coefficients", options.coordinates[name], shard, indexes[shard]
        )
        for name, shard in shards.items()
    }
    return Saved(options, Mixed(parts, indexes, statistics), manifest["training"])


def is_ours(path: Path) -> bool:
    """Whether a folder is a model directory of ours, or a run that holds one."""
    return (model_folder(path) / _MANIFEST).is_file()


def model_folder(path: Path) -> Path:
    """Return the model directory: the path itself, or the one inside a run."""
    return path / "model" if (path / "model" / _MANIFEST).is_file() else path


def _read_manifest(path: Path) -> dict[str, Any]:
    file = path / _MANIFEST
    if not file.is_file():
        hint = "give the folder that holds manifest.json"
        inner = path / "model" / _MANIFEST
        if inner.is_file():
            hint = f"did you mean {path / 'model'}?"
        raise ModelError(str(path), "no model here", hint=hint)
    try:
        manifest: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        version = manifest["format"]
    except (ValueError, KeyError, TypeError):
        raise ModelError(str(file), "not a gdmix manifest", hint="copy the model again") from None
    if version != FORMAT:
        raise ModelError(
            str(file), f"format {version}", f"format {FORMAT}", "use the gdmix that wrote it"
        )
    return manifest


def _describe(part: Part) -> dict[str, Any]:
    if isinstance(part, DeepModel):
        return {"kind": "deep", "shard": part.shard, "parameters": part.parameters}
    kind = "random" if isinstance(part, EntityModel) else "fixed"
    return {"kind": kind, "shard": part.shard, "intercept": bool(part.intercept)}


def _checksums(path: Path) -> dict[str, str]:
    sums = {}
    for file in sorted(path.rglob("*.parquet")):
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256")
        sums[file.relative_to(path).as_posix()] = digest.hexdigest()
    return sums
