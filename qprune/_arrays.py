"""Array types."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ComplexArray = NDArray[np.complex128]


FloatArray = NDArray[np.float64]
