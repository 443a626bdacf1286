"""How likely an intensity is under a class: Gamma speckle over a lognormal class mean, noise floor inside.

    p(I | c) = ∫ N(x; 0, 1) Gamma(I; L, 10^((mu + s·x)/10) + noise) dx

The integral is a trapezoid in x whose step follows the narrower of prior and speckle, so it is right from 1 to 500
looks, where a Gauss-Hermite rule of fixed order fails (2 nats off at 200 looks). Tables of it are read by bilinear
interpolation in (intensity, class mean), both in dB.
Source: Ulaby & Dobson 1989 (Gamma speckle, lognormal texture); Macklin & Stapleton 1998 (JGR 103).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock

import numba
import numpy as np
from numpy.typing import NDArray

from harmonization.speckle import log_speckle_std

Vector = NDArray[np.float64]

INTENSITY_RANGE_DB = (-60.0, 15.0)
"""Intensities outside are read at the edge: signal and noise of both bands lie well inside."""
_MEAN_STEP_DB = 0.25
_DECIBEL = math.log(10.0) / 10.0


@numba.njit(cache=True)
def _log_density(intensity: float, mean: float, std: float, looks: float, noise: float, step: float) -> float:
    """ln p(I | class) by the trapezoid rule, summed in the log domain (log-sum-exp)."""
    low, high = -8.0, 8.0
    if intensity > noise:
        # Far from the class the peak of the integrand leaves the prior: reach out to it.
        peak = (10.0 * math.log10(intensity - noise) - mean) / std
        low, high = min(low, peak - 1.0), max(high, peak + 1.0)
    count = int((high - low) / step) + 1
    log_intensity = math.log(intensity)
    best, total = -1e300, 0.0
    for index in range(count):
        x = low + index * step
        level = math.exp((mean + std * x) * _DECIBEL) + noise
        term = -0.5 * x * x - looks * (math.log(level) + intensity / level)
        if term > best:
            total = total * math.exp(best - term) + 1.0
            best = term
        else:
            total += math.exp(term - best)
    constant = looks * math.log(looks) - math.lgamma(looks) - 0.5 * math.log(2.0 * math.pi)
    return best + math.log(total * step) + constant + (looks - 1.0) * log_intensity


@numba.njit(cache=True, nogil=True)
def _fill(intensity: Vector, means: Vector, std: float, looks: float, noise: float, step: float) -> Vector:
    table = np.empty((means.size, intensity.size), dtype=np.float64)
    for row in range(means.size):
        for column in range(intensity.size):
            table[row, column] = _log_density(intensity[column], means[row], std, looks, noise, step)
    return table


@numba.njit(cache=True, nogil=True)
def _interpolate(
    table: Vector, x0: float, dx: float, y0: float, dy: float, x: NDArray[np.float32], y: NDArray[np.float32]
) -> NDArray[np.float32]:
    rows, columns = table.shape
    result = np.empty(x.size, dtype=np.float32)
    for index in range(x.size):
        if math.isnan(x[index]) or math.isnan(y[index]):
            result[index] = np.nan  # an integer of NaN would be read outside of the table
            continue
        u = min(max((x[index] - x0) / dx, 0.0), columns - 1.000001)
        v = min(max((y[index] - y0) / dy, 0.0), rows - 1.000001)
        i, j = int(u), int(v)
        a, b = u - i, v - j
        low = table[j, i] * (1 - a) + table[j, i + 1] * a
        high = table[j + 1, i] * (1 - a) + table[j + 1, i + 1] * a
        result[index] = low * (1 - b) + high * b
    return result


def log_density(intensity: float, mean_db: float, std_db: float, looks: float, noise: float) -> float:
    """ln p(I | class) computed directly, without a table.

    `intensity` and `noise` linear power, the noise inside the intensity; `mean_db`, `std_db` of the class in dB;
    `looks` 1 to 500. Error below 1e-4 nat.
    """
    return float(_log_density(intensity, mean_db, std_db, looks, noise, _step(std_db, looks)))


def _step(std_db: float, looks: float) -> float:
    """Step of the trapezoid in units of the class spread: below half of the narrower width it is exact to 1e-8."""
    return min(0.25, 0.5 * log_speckle_std(looks) / std_db)


@dataclass(frozen=True, eq=False)
class LikelihoodTable:
    """ln p(I | class mean) on a grid, for one spread, number of looks and noise floor."""

    values: Vector
    """(class mean, intensity) nats."""
    intensity_step: float
    mean_start: float

    def __call__(self, intensity_db: NDArray[np.float32], mean_db: NDArray[np.float32]) -> NDArray[np.float32]:
        """Nats at each pixel: two vectors of dB in, one of nats out."""
        start = INTENSITY_RANGE_DB[0]
        result: NDArray[np.float32] = _interpolate(
            self.values, start, self.intensity_step, self.mean_start, _MEAN_STEP_DB, intensity_db, mean_db
        )
        return result


_LOCK = Lock()


def likelihood_table(std_db: float, looks: float, noise: float, means_db: tuple[float, float]) -> LikelihoodTable:
    """The table for class means between two levels, within 0.01 nat of the integral for 1 to 500 looks.

    Kept once a process: the threads of a worker share it.
    """
    low = math.floor(means_db[0]) - 1.0
    high = math.ceil(means_db[1]) + 1.0
    with _LOCK:
        return _table(round(std_db, 4), round(looks, 3), float(f"{noise:.6g}"), low, high)


@lru_cache(maxsize=512)
def _table(std_db: float, looks: float, noise: float, low: float, high: float) -> LikelihoodTable:
    # Linear interpolation errs by curvature·step²/8; the curvature in intensity is that of the speckle at worst.
    intensity_step = min(0.15, 0.25 * log_speckle_std(looks))
    start, stop = INTENSITY_RANGE_DB
    levels = np.arange(start, stop + intensity_step, intensity_step)
    means = np.arange(low, high + _MEAN_STEP_DB / 2, _MEAN_STEP_DB)
    values = _fill(10.0 ** (levels / 10.0), means, std_db, looks, noise, _step(std_db, looks))
    return LikelihoodTable(values, intensity_step, low)
