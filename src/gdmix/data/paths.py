"""From paths, globs and folders to the data files they mean."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path

from gdmix.data.formats import format_of, format_within
from gdmix.errors import DataError, did_you_mean


def files_of(paths: Sequence[str | os.PathLike[str]]) -> list[Path]:
    """Return the files; within a folder or glob, in the order of their names.

    Raises
    ------
    DataError
        A path leads nowhere, or to a folder without data files.
    """
    files: list[Path] = []
    for path in paths:
        if not os.fspath(path):
            raise DataError("data", "found an empty path", "a file, a glob or a folder")
        try:
            files += _expand(Path(path))
        except OSError as error:
            raise DataError(str(path), f"cannot be opened ({error.strerror})") from None
    return files


def _expand(path: Path) -> list[Path]:
    if path.is_dir():
        files = files_in(path)
        if not files:
            raise DataError(
                str(path), "the folder holds no data files", ".parquet, .avro, .csv or others"
            )
        return files
    if path.exists():
        return [path]
    files = []
    for match in sorted(Path(match) for match in glob.glob(str(path), recursive=True)):
        if not match.name.startswith((".", "_")):
            files += files_in(match) if match.is_dir() else [match]
    if files:
        # "**" finds a folder and the files in it
        return list(dict.fromkeys(files))
    folder = path.parent
    siblings = [item.name for item in folder.iterdir()] if folder.is_dir() else []
    hint = did_you_mean(path.name, siblings) if folder.is_dir() else f"no folder {folder}"
    raise DataError(str(path), "no such file", hint=hint)


def files_in(folder: Path) -> list[Path]:
    """Return the data files of a folder: by their names, or where no name says anything, by bytes.

    Hidden files are passed over, and those that begin with an underscore.
    """
    files = [
        file
        for file in sorted(folder.rglob("*"))
        if file.is_file() and not _is_hidden(file, folder)
    ]
    named = [file for file in files if format_of(file) is not None]
    return named or [file for file in files if format_within(file) is not None]


def _is_hidden(file: Path, root: Path) -> bool:
    return any(part.startswith((".", "_")) for part in file.relative_to(root).parts)
