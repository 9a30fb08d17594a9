"""Arrays as the whole library means them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
"""float32; shape, unit and range stand where it is used."""

Array64 = NDArray[np.float64]
"""float64, for sums and filters that run on and on."""
