"""Types that every forward model takes, and the test for a published range."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Real = float | NDArray[np.float64]
Complex = complex | NDArray[np.complex128]

VACUUM_PERMITTIVITY = 8.854e-12
"""F/m, with the digits that the regressions of all sources here were made with."""


def within(value: Real, low: float, high: float) -> NDArray[np.bool_]:
    """True where `low` <= `value` <= `high`; not observed (NaN) is not within. Any shape."""
    value = np.asarray(value, np.float64)
    return np.asarray((value >= low) & (value <= high))


def positive(value: Real) -> NDArray[np.float64]:
    """`value` where it is above 0, NaN elsewhere: for laws that have no meaning at 0. Any shape."""
    value = np.asarray(value, np.float64)
    return np.where(value > 0.0, value, np.nan)
