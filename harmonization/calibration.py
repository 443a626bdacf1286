"""File numbers to linear power, and power to decibel. Always on the native grid, before any warp."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float32]


def decibel(power: ArrayLike) -> NDArray[np.float64]:
    """10·log10 of linear power; NaN where the power is not positive: decibel is for people and network inputs."""
    values = np.asarray(power, dtype=np.float64)
    positive = values > 0
    return np.where(positive, 10.0 * np.log10(np.where(positive, values, 1.0)), np.nan)


def power_from_decibel(level: ArrayLike) -> NDArray[np.float64]:
    """Linear power of a level in dB; NaN stays NaN."""
    result: NDArray[np.float64] = np.power(10.0, np.asarray(level, dtype=np.float64) / 10.0)
    return result


def power_from_amplitude(dn: ArrayLike, calibration_db: float) -> NDArray[np.float64]:
    """Power of an amplitude DN: DN²·10^(CF/10). JAXA PALSAR-2: CF = -83.0 dB (calibration page of JAXA EORC).

    The square is inside: one public page prints 10·log10(DN) - 83, which is 31.5 dB too low at -20 dB.
    """
    amplitude = np.asarray(dn, dtype=np.float64)
    return np.asarray(amplitude * amplitude * 10.0 ** (calibration_db / 10.0))


def mean_power_db(level: ArrayLike) -> float:
    """The mean of levels in dB, taken where means belong: in linear power."""
    return float(decibel(np.nanmean(power_from_decibel(level))))
