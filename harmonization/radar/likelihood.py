"""How likely an intensity is under a class: Gamma speckle over a lognormal class mean, noise floor inside.

    p(I | c) = ∫ N(x; 0, 1) Gamma(I; L, 10^((mu + s·x)/10) + noise) dx

The integral is a trapezoid whose step follows the narrower of prior and speckle, so it is right from 1 to 500 looks,
where a Gauss-Hermite rule of fixed order fails (2 nats off at 200 looks). It scales: with I/noise and mu - noise_dB
the noise is 1, so one table serves every noise floor. And it is a matrix product: Gamma densities of (intensity,
level) times the shares of the levels in each class; so a table of all classes is there in milliseconds.
Source: Ulaby & Dobson 1989 (Gamma speckle, lognormal texture); Macklin & Stapleton 1998 (JGR 103).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import special

from harmonization.speckle import log_speckle_std

Vector = NDArray[np.float64]
Table = NDArray[np.float32]

_DECIBEL = math.log(10.0) / 10.0
_OCTAVES = (-12, 20)
"""Intensities in units of the noise, as powers of two (-36 to 60 dB); outside they are read at the edge."""
_CURVATURE = 0.0025
"""Nats by which straight lines between the nodes may miss the speckle: looks·step²/8, step relative [C]."""
_MANTISSA = 23
"""Bits of the mantissa of float32."""


@numba.njit(cache=True)
def _log_density(intensity: float, mean: float, std: float, looks: float, noise: float, step: float) -> float:
    """ln p(I | class) by the trapezoid rule, summed in the log domain (log-sum-exp)."""
    low, high = -8.0, 8.0
    if intensity > noise:
        # Far from the class the peak of the integrand leaves the prior: reach out to it.
        peak = (10.0 * math.log10(intensity - noise) - mean) / std
        low, high = min(low, peak - 1.0), max(high, peak + 1.0)
    elif noise > 0.0:
        # Below the noise the best level is none at all.
        low = min(low, (10.0 * math.log10(noise / looks) - 30.0 - mean) / std)
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


def log_density(intensity: float, mean_db: float, std_db: float, looks: float, noise: float) -> float:
    """ln p(I | class) computed directly, without a table.

    `intensity` and `noise` linear power, the noise inside the intensity; `mean_db`, `std_db` of the class in dB;
    `looks` 1 to 500. Error below 1e-4 nat.
    """
    return float(_log_density(intensity, mean_db, std_db, looks, noise, _step(std_db, looks)))


def _step(std_db: float, looks: float) -> float:
    """Step of the trapezoid in units of the class spread: below half of the narrower width it is exact to 1e-8."""
    return min(0.25, 0.5 * log_speckle_std(looks) / std_db)


@dataclass(frozen=True)
class FloatAxis:
    """Nodes at equal steps within each octave, so that the bits of a float32 are its place on the axis.

    `bits >> shift` is the number of the node before a value (less `first`), the bits below are the share of the way to
    the next: reading a table takes no logarithm.
    """

    low: int
    high: int
    """Octaves: the axis runs from 2^low to 2^high."""
    bits: int
    """2^bits nodes an octave."""

    @property
    def shift(self) -> int:
        """Bits of a float32 below the number of its node."""
        return _MANTISSA - self.bits

    @property
    def first(self) -> int:
        """Number of the first node, as the bits of a float32 give it."""
        return (self.low + 127) << self.bits

    @property
    def size(self) -> int:
        """Nodes, both ends included."""
        return ((self.high - self.low) << self.bits) + 1

    def nodes(self) -> Vector:
        """(size,) values."""
        place = np.arange(self.size)
        return np.asarray(
            np.ldexp(1.0 + (place & ((1 << self.bits) - 1)) / 2.0**self.bits, (place >> self.bits) + self.low)
        )


def intensity_axis(looks: float) -> FloatAxis:
    """Nodes of intensity over noise, so dense that straight lines between them miss the speckle by 0.0025 nat."""
    bits = math.ceil(0.5 * math.log2(looks / (8.0 * _CURVATURE)))
    return FloatAxis(*_OCTAVES, bits=min(max(bits, 5), 8))


def class_columns(means_db: Vector, stds_db: Vector, narrowest: float, looks: float) -> Table:
    """ln p(I | class) for noise 1, (intensity, class) nats, at the nodes of `intensity_axis(looks)`.

    `means_db`, `stds_db` (class,) in dB, the means above the noise; `narrowest`: least spread of all columns to be
    compared. Exact to 1e-5 nat at the nodes, but that what is less likely than e^-690 of the likeliest level is read
    as that.
    """
    levels_db, density, scale = _speckle(round(narrowest, 4), looks)
    step = levels_db[1] - levels_db[0]
    # Levels so far off all classes that their shares are 0 in float64 need not be summed.
    reach = _FARTHEST * stds_db.max()
    first, last = np.searchsorted(levels_db, (means_db.min() - reach, means_db.max() + reach))
    levels_db, density = levels_db[first:last], density[:, first:last]
    shares = np.exp(-0.5 * ((levels_db[:, None] - means_db) / stds_db) ** 2) * (
        step / (stds_db * math.sqrt(2.0 * math.pi))
    )
    # Levels far below the noise are all the noise: the first node stands for all that lie below it.
    if first == 0:
        shares[0] = special.ndtr((levels_db[0] + 0.5 * step - means_db) / stds_db)
    return np.asarray(np.log(np.maximum(density @ shares, 1e-300)) + scale[:, None], dtype=np.float32)


_FARTHEST = 39.0
"""Standard deviations beyond which exp(-x²/2) is 0 in float64."""


@lru_cache(maxsize=8)
def _speckle(narrowest: float, looks: float) -> tuple[Vector, Vector, Vector]:
    """Levels in dB over the noise, (intensity, level) speckle densities over their largest, and ln of that largest."""
    intensity = intensity_axis(looks).nodes()
    step = min(0.4 * narrowest, 0.5 * log_speckle_std(looks))  # by the widths of the two factors
    lowest = -10.0 * math.log10(looks) - 30.0  # there a level is the noise to 0.001 nat
    highest = 10.0 * math.log10(intensity[-1]) + 8.0 * log_speckle_std(looks)
    levels_db = np.arange(lowest, highest, step)
    levels = 10.0 ** (levels_db / 10.0) + 1.0
    log_density = -looks * (np.log(levels) + intensity[:, None] / levels)
    best = log_density.max(axis=1)
    constant = looks * math.log(looks) - math.lgamma(looks)
    return levels_db, np.exp(log_density - best[:, None]), best + constant + (looks - 1.0) * np.log(intensity)
