"""JSON as every reader accepts it: NaN and infinity, which JSON lacks, become null."""

from __future__ import annotations

import json
import math
from typing import Any


def dumps(values: Any, indent: int | None = None) -> str:  # noqa: ANN401 - any plain value
    """Return plain values as JSON text."""
    return json.dumps(_finite(values), indent=indent, allow_nan=False)


def _finite(value: Any) -> Any:  # noqa: ANN401 - any plain value
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
