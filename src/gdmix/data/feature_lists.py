"""Lists of features in files: what an index stands for, and which features are wanted at all.

GDMix's lists have a line ``name,term`` for each index; in Photon-ML's sets a tab parts the two, or
they are Avro records.
"""

from __future__ import annotations

import csv
import io
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gdmix.data.formats.avro_records import read_records
from gdmix.data.piece import SEPARATOR, Piece
from gdmix.data.place import Place
from gdmix.errors import DataError
from gdmix.schema import Feature


def listed(piece: Piece, feature: Feature, place: Place) -> Piece:
    """Give indices the names that a feature's list has for them, and leave out what is not wanted.

    Raises
    ------
    DataError
        A list cannot be read, or has no line for an index.
    """
    if feature.names is not None:
        piece = _named(piece, read_list(feature.names), feature, place)
    if feature.only is not None:
        piece = _wanted(piece, read_list(feature.only))
    return piece


def read_list(path: str) -> pa.StringArray:
    """Return the keys of a list's features, line by line; a folder is the lists within it.

    Raises
    ------
    DataError
        There is no such file, or a line is no name and term.
    """
    files = [Path(path)]
    if files[0].is_dir():
        files = sorted(f for f in files[0].iterdir() if f.is_file() and f.name[0] not in "._")
    stamps = []
    for file in files:
        if not file.is_file():
            raise DataError(str(file), "no such file", "a list of features, a name,term a line")
        stamps.append((str(file), file.stat().st_mtime_ns))
    return _read(tuple(stamps))


def list_text(keys: pa.StringArray, where: str) -> str:
    """Return the lines of a list that `read_list` reads as these keys.

    Raises
    ------
    DataError
        A feature's name or term holds a tab or a line break.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for key in keys.to_pylist():
        if "\t" in key or len(f"{key}.".splitlines()) > 1:
            found = f"the feature {key.replace(SEPARATOR, ',')!r} holds a tab or a line break"
            raise DataError(where, found, "names and terms that fit on a line of a feature list")
        writer.writerow(key.split(SEPARATOR, 1))
    return text.getvalue()


@lru_cache(maxsize=64)
def _read(stamps: tuple[tuple[str, int], ...]) -> pa.StringArray:
    keys: list[str] = []
    for file, _ in stamps:
        if file.endswith(".avro"):
            keys += [_key(file, record) for record in read_records(Path(file))]
            continue
        try:
            lines = Path(file).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(file, f"cannot be read as UTF-8 text ({error})") from None
        tabbed = any("\t" in line for line in lines)
        rows = (line.split("\t") for line in lines) if tabbed else csv.reader(lines)
        for number, row in enumerate(rows, 1):
            if len(row) not in (1, 2):
                found = f"found {len(row)} values"
                raise DataError(f"{file}, line {number}", found, "a name and a term")
            name, *term = row
            keys.append(SEPARATOR.join([name, *(term or [""])]))
    return pa.array(keys, pa.string())


def _key(file: str, record: dict[str, Any]) -> str:
    """Return the key of a record with a name and a term, as Photon-ML's selected features."""
    name, term = record.get("name"), record.get("term") or ""
    if not isinstance(name, str) or not isinstance(term, str):
        raise DataError(file, f"found a record of {', '.join(record)}", "strings name and term")
    return SEPARATOR.join([name, term])


def _named(piece: Piece, names: pa.StringArray, feature: Feature, place: Place) -> Piece:
    terms = pc.utf8_slice_codeunits(piece.keys, len(feature.column) + 1)
    where = f"{place.column(feature.column)}"
    try:
        indices = terms.cast(pa.int64())
    except pa.ArrowInvalid:
        found = f"found {terms[0].as_py()!r}"
        hint = "`names` is for columns of indices"
        raise DataError(where, found, f"an index of a line of {feature.names}", hint) from None
    numbers = np.asarray(indices)
    wrong = np.flatnonzero((numbers < 0) | (numbers >= len(names)))
    if len(wrong):
        expected = f"from 0 to {len(names) - 1}, a line of {feature.names} for each"
        raise DataError(where, f"found index {numbers[wrong[0]]}", expected)
    # a list may hold a name twice
    return piece._replace(keys=names.take(indices), may_repeat=True, ordered=False)


def _wanted(piece: Piece, wanted: pa.StringArray) -> Piece:
    known = np.asarray(pc.is_in(piece.keys, value_set=wanted).cast(pa.uint8())).astype(bool)
    if known.all():
        return piece
    keep = known[piece.codes]
    rows = len(piece.codes) if piece.lengths is None else len(piece.lengths)
    owner = np.arange(rows)
    if piece.lengths is not None:
        owner = np.repeat(owner, piece.lengths)
    lengths = np.bincount(owner[keep], minlength=rows).astype(np.int64)
    values = None if piece.values is None else piece.values[keep]
    renumbered = (np.cumsum(known, dtype=np.int32) - 1)[piece.codes[keep]]
    keys = piece.keys.filter(pa.array(known))
    return piece._replace(
        lengths=lengths, codes=renumbered, values=values, keys=keys, ordered=False
    )
