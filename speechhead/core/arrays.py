"""Arrays as the whole library means them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
"""float32; shape, unit and range stand where it is used."""

Array64 = NDArray[np.float64]
"""float64, for sums and filters that run on and on."""


def fixed(*values: float) -> Array:
    """float32 [N] that nobody can change: an array among the constants of a frozen record."""
    array = np.array(values, np.float32)
    array.setflags(write=False)
    return array
