"""How kernels are compiled: serial, without the GIL, cached on disk per version of the sources.

Two rules shape this module. numba's disk cache looks only at the file a function is written in,
so a change of a callee in another file would be missed: the cache folder is therefore named
after a hash of every kernel source. And kernels are serial: threads come from the engine, which
runs the same compiled code that a Spark task or a server thread would run.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import ParamSpec, TypeVar

import numba

_P = ParamSpec("_P")
_R = TypeVar("_R")
_PACKAGE = Path(__file__).parent


def kernel(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Compile `function` on first use: no Python objects, no GIL, cached on disk."""
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(cache_directory())
    try:
        compiled: Callable[_P, _R] = numba.njit(
            cache=True,
            nogil=True,
            error_model="numpy",
            # sums may be reordered and fused; NaN and infinity keep their meaning
            fastmath={"reassoc", "contract", "arcp", "nsz"},
        )(function)
    finally:
        numba.config.CACHE_DIR = before
    return compiled


@cache
def cache_directory() -> Path:
    """Return the folder of compiled kernels of exactly these sources."""
    digest = hashlib.sha256(f"{numba.__version__} {sys.version}".encode())
    for path in sorted(_PACKAGE.glob("glm/*.py")) + sorted(_PACKAGE.glob("data/*.py")):
        digest.update(path.read_bytes())
    root = os.environ.get("GDMIX_CACHE") or os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(root).expanduser() / "gdmix" / "kernels" / digest.hexdigest()[:16]


def is_compiled() -> bool:
    """Tell whether a process has compiled and cached the kernels of these sources before."""
    return any(cache_directory().rglob("*.nbi"))
