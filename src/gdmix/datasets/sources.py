"""The search for a data set's files: a folder, the cache, then the network; all verified."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from gdmix.datasets import cache
from gdmix.datasets.describe import (
    Dataset,
    Files,
    Form,
    NothingThere,
    Remote,
    Unavailable,
)
from gdmix.errors import DatasetError, RunError

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Found:
    """Verified files, their form, and who gave them."""

    files: Files
    form: Form
    origin: str


def find(dataset: Dataset, source: Path | None, progress: Progress) -> Found:
    """Return the files of `dataset` from the first source that has them intact."""
    if source is not None:
        return _from_folder(dataset, source)
    tried = []
    for label, attempt in _attempts(dataset, progress):
        try:
            return attempt()
        except DatasetError as error:
            tried.append(str(error) if error.where == label else f"{label}: {error}")
        except NothingThere as reason:
            tried.append(f"{label}: {reason}")
            continue
        except Unavailable as reason:
            tried.append(f"{label}: {reason}")
        progress(f"passed over {tried[-1]}")
    raise DatasetError(
        f"data set {dataset.name}",
        "none of its sources has it:" + _listed(tried),
        hint="\none of these helps:" + _listed(dataset.ways_out),
    )


def _listed(lines: Iterable[str]) -> str:
    return "".join(f"\n  - {line}" for line in lines)


def _attempts(dataset: Dataset, progress: Progress) -> list[tuple[str, Callable[[], Found]]]:
    kept = cache.folder(dataset.name) / "raw"
    named = os.environ.get("GDMIX_DATASETS")
    given = Path(named).expanduser() if named else None
    return [
        ("environment variable GDMIX_DATASETS", partial(_from_environment, dataset, given)),
        ("cache", partial(_from_cache, dataset, kept)),
        *(
            (remote.label, partial(_from_network, remote, form, kept, progress))
            for remote, form in dataset.remotes
        ),
    ]


def _from_environment(dataset: Dataset, given: Path | None) -> Found:
    if given is None:
        raise NothingThere("not set")
    return _from_folder(dataset, given)


def _from_cache(dataset: Dataset, kept: Path) -> Found:
    if not kept.is_dir():
        raise NothingThere(f"nothing kept yet in {kept}")
    return replace(_from_folder(dataset, kept), origin=f"the cache, {kept}")


def _from_folder(dataset: Dataset, folder: Path) -> Found:
    """Read the first form of which `folder`, or the owners' folder in it, has every file."""
    folders = (folder, folder / dataset.folder)
    for form in dataset.forms:
        for place in folders:
            if all((place / file.name).is_file() for file in form.files):
                files = _verified(_read(place, form), form, str(place))
                return Found(files, form, str(place))
    raise _missing(dataset, folder)


def _missing(dataset: Dataset, folder: Path) -> DatasetError:
    names = [file.name for file in dataset.forms[0].files]
    # of the two places, speak of the one that comes nearer to being complete
    places = [folder, folder / dataset.folder]
    nearest = max(places, key=lambda place: sum((place / name).is_file() for name in names))
    absent = [name for name in names if not (nearest / name).is_file()]
    return DatasetError(
        str(nearest),
        f"no {', '.join(absent)} there" if nearest.is_dir() else "no such folder",
        expected=f"a folder with {', '.join(names)}, directly or in {dataset.folder}/",
    )


def _read(place: Path, form: Form) -> Files:
    try:
        return {file.name: (place / file.name).read_bytes() for file in form.files}
    except OSError as error:
        raise DatasetError(str(place), f"cannot be read ({error})") from None


def _verified(files: Files, form: Form, where: str) -> Files:
    for file in form.files:
        fault = file.fault(files[file.name])
        if fault:
            raise DatasetError(
                where,
                fault,
                expected=f"the published file: {file.size:,} bytes, SHA-256 {file.sha256}",
                hint="it is incomplete or changed; get it again",
            )
    return files


def _from_network(remote: Remote, form: Form, kept: Path, progress: Progress) -> Found:
    progress(f"fetching {form.label} from {remote.label}")
    files = _verified(remote.fetch(form), form, remote.label)
    try:
        cache.keep(files, kept)
    except (OSError, RunError) as error:  # a read-only home must not stop a run that has its data
        progress(f"not kept for the next time: {error}")
    return Found(files, form, remote.label)
