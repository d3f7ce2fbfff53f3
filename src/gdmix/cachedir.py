"""Where gdmix keeps what can be made or fetched again."""

from __future__ import annotations

import os
from pathlib import Path


def cache_root() -> Path:
    """Return gdmix's cache folder; it need not exist.

    The environment variable ``GDMIX_CACHE`` names the folder that holds it; without that,
    ``XDG_CACHE_HOME`` does, and else it is in ``~/.cache``. Everything in it may be deleted at any
    time: data sets are fetched and kernels compiled again.
    """
    parent = os.environ.get("GDMIX_CACHE") or os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(parent).expanduser() / "gdmix"
