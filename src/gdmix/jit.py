"""How kernels are compiled: serial, without the GIL, cached on disk per version of the sources.

Two rules shape this module. numba's disk cache looks only at the file a function is written in,
so a change of a callee in another file would be missed: the cache folder is therefore named
after a hash of every kernel source. And kernels are serial: threads come from the engine, which
runs the same compiled code that a Spark task or a server thread would run.

Compiling is the price of a first run, so: kernels take plain arrays of one layout and no literal
numbers (each would be compiled once more), copy arrays in loops (a slice assigned to a slice
compiles numba's error messages too), and sit at most three calls deep (LLVM optimizes a callee
again within every caller).
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

from gdmix.cachedir import cache_root

_P = ParamSpec("_P")
_R = TypeVar("_R")
_PACKAGE = Path(__file__).parent

# sums may be reordered and fused; NaN and infinity keep their meaning
_FAST_MATH = {"reassoc", "contract", "arcp", "nsz"}


def kernel(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Compile `function` on first use: no Python objects, no GIL, cached on disk."""
    return _compile(function)


def inner_kernel(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Compile `function` for calls from kernels alone, which saves the entry from Python."""
    return _compile(function, no_cpython_wrapper=True)


def inlined_kernel(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Make `function` part of the one kernel that calls it, which saves compiling it twice."""
    return _compile(function, inline="always")


def ordered_kernel(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Compile `function` for calls from kernels, with all sums in the order they are written.

    The same numbers then give the same bits, whatever zeros they are padded with.
    """
    return _compile(function, no_cpython_wrapper=True, fastmath={"contract", "arcp", "nsz"})


def exact_kernel(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Compile `function` for calls from kernels, each operation rounded as IEEE 754 says.

    A division is then no multiplication by an inverse.
    """
    return _compile(function, no_cpython_wrapper=True, fastmath=False)


def _compile(function: Callable[_P, _R], **options: object) -> Callable[_P, _R]:
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(cache_directory())
    try:
        compiled: Callable[_P, _R] = numba.njit(
            cache=_is_writable(),
            nogil=True,
            no_cfunc_wrapper=True,
            error_model="numpy",
            **{"fastmath": _FAST_MATH, **options},
        )(function)
    finally:
        numba.config.CACHE_DIR = before
    return compiled


@cache
def cache_directory() -> Path:
    """Return the folder of compiled kernels of exactly these sources."""
    digest = hashlib.sha256(f"{numba.__version__} {sys.version}".encode())
    for path in kernel_sources(_PACKAGE):
        digest.update(path.read_bytes())
    return cache_root() / "kernels" / digest.hexdigest()[:16]


def kernel_sources(package: Path) -> list[Path]:
    """Return the files that decide what is compiled: this one, `glm`, and all with kernels."""
    return [
        path
        for path in sorted(package.rglob("*.py"))
        if path.parent.name == "glm" or path.name == "jit.py" or b"\n@kernel" in path.read_bytes()
    ]


@cache
def _is_writable() -> bool:
    """Tell whether kernels can be cached; where they cannot, every process compiles its own."""
    try:
        cache_directory().mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(cache_directory(), os.W_OK)


def is_compiled() -> bool:
    """Tell whether a process has compiled and cached the kernels of these sources before."""
    return any(cache_directory().rglob("*.nbi"))
