"""`Examples`: rows as a network reads them, in plain arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gdmix.data.dataset import Csr

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Examples:
    """Rows of a data set; every array has one element, or one list, for each row.

    Attributes
    ----------
    label, weight, offset : float64[rows]
        The offset is the score of everything else: the network's own is added to it.
    texts : dict of str to pa.StringArray
        By column; a null is the empty text.
    wide : Csr
        Features of the linear tower.
    dense : float32[rows, numbers]
    fields : dict of str to Csr
        Of ids and embedded features, by column.
    group : int32[rows] or None
        Rows of one number are ranked among each other; they need not be neighbours.
    task : int32[rows] or None
        Which of several heads scores a row.
    """

    label: Floats
    weight: Floats
    offset: Floats
    wide: Csr
    dense: NDArray[np.float32]
    texts: Mapping[str, pa.StringArray] = field(default_factory=dict)
    fields: Mapping[str, Csr] = field(default_factory=dict)
    group: NDArray[np.int32] | None = None
    task: NDArray[np.int32] | None = None

    @property
    def rows(self) -> int:
        """Return the number of rows."""
        return len(self.label)
