"""The slope of backscatter with the incidence angle from data, held to its prior; degrees and dB throughout.

Scene change passes for an angle: samples are of one class, of the same ground from pass to pass, and never of a flood.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from harmonization.classes import REFERENCE_ANGLE

Real = NDArray[np.float64]

PRIOR_ERROR = 0.05
"""dB per degree by which the slope of a class may lie off the class table [M]."""
LEAST_ORBITS = 3
LEAST_RANGE = 8.0
"""Degrees that the angles over one piece of ground must span."""
_ONE_DEVIATION = 0.6827
"""Share of a normal distribution within one standard deviation."""


@dataclass(frozen=True)
class SlopeFit:
    """A straight line through levels in dB."""

    slope: float
    """dB per degree."""
    error: float
    """dB per degree, standard error of the slope."""
    level: float
    """dB at 38.5 degrees."""
    exponent: float
    """n of the cosine power that fits best."""
    count: int
    """Samples."""


@dataclass(frozen=True)
class SlopeEstimate:
    """The slope to be used for a class, and why."""

    slope: float
    error: float
    """dB per degree, both."""
    reason: str
    """Empty where data entered; else why the prior stands alone."""
    count: int = 0
    """Samples that entered."""


def slope_regression(incidence: ArrayLike, level: ArrayLike) -> SlopeFit:
    """Ordinary least squares of dB on angle - 38.5; samples with NaN are left out.

    Standard error sqrt(s²/Σ(θ - mean)²), s² with n - 2 degrees of freedom; the exponent by least squares on
    10·log10 cos θ. Raises ValueError for fewer than three samples or one angle only.
    """
    angle, decibel = _samples(incidence, level)
    offset = angle - REFERENCE_ANGLE
    slope, level = (float(value) for value in np.polyfit(offset, decibel, 1))
    residual = decibel - level - slope * offset
    error = np.sqrt(residual @ residual / (angle.size - 2) / np.sum((angle - angle.mean()) ** 2))
    return SlopeFit(slope, float(error), level, _exponent(angle, decibel), angle.size)


def robust_slope(incidence: ArrayLike, level: ArrayLike) -> SlopeFit:
    """The same by the median of the slopes of all pairs (Theil 1950, Sen 1968): up to 29 % of the samples may be wild.

    The error is half of the interval that holds 68 % (Sen 1968). Raises ValueError as `slope_regression` does.
    """
    angle, decibel = _samples(incidence, level)
    fit = stats.theilslopes(decibel, angle - REFERENCE_ANGLE, alpha=_ONE_DEVIATION)
    error = float(fit.high_slope - fit.low_slope) / 2.0
    return SlopeFit(float(fit.slope), error, float(fit.intercept), _exponent(angle, decibel), angle.size)


def shrunk_slope(slope: float, error: float, prior: float, prior_error: float = PRIOR_ERROR) -> tuple[float, float]:
    """Slope and error of a measured slope and a prior one, each weighed by 1/error²."""
    measured, known = 1.0 / max(error, 1e-9) ** 2, 1.0 / prior_error**2
    return (slope * measured + prior * known) / (measured + known), float((measured + known) ** -0.5)


def estimate_slope(
    incidence: ArrayLike, level: ArrayLike, ground: ArrayLike, orbit: ArrayLike, prior: float
) -> SlopeEstimate:
    """The slope of one class from its levels over several pieces of ground, each seen from several orbits.

    (n,) each: degrees, dB of sigma0, which piece of ground, which relative orbit. Levels are compared within a piece of
    ground only, by the robust slope of their deviations from its mean; the result is shrunk to `prior` (dB per degree).
    The prior stands alone, and the reason is said, for fewer than three orbits or less than 8 degrees over each piece.
    """
    angle, decibel = np.asarray(incidence, np.float64), np.asarray(level, np.float64)
    known = np.isfinite(angle) & np.isfinite(decibel)
    angle, decibel = angle[known], decibel[known]
    pieces, orbits = np.asarray(ground)[known], np.asarray(orbit)[known]
    reason = _too_little(angle, pieces, orbits)
    if reason:
        return SlopeEstimate(prior, PRIOR_ERROR, reason)
    fit = robust_slope(_within(angle, pieces) + REFERENCE_ANGLE, _within(decibel, pieces))
    freedom = max(angle.size - np.unique(pieces).size - 1, 1)  # a mean was taken off each piece of ground
    slope, error = shrunk_slope(fit.slope, fit.error * np.sqrt((angle.size - 2) / freedom), prior)
    return SlopeEstimate(slope, error, "", angle.size)


def _too_little(angle: Real, pieces: NDArray[np.generic], orbits: NDArray[np.generic]) -> str:
    """Why a slope cannot be found from these samples; empty where it can."""
    tracks = np.unique(orbits).size
    if tracks < LEAST_ORBITS:
        return f"{tracks} orbits: at least {LEAST_ORBITS} are needed"
    spans = [float(np.ptp(angle[pieces == piece])) for piece in np.unique(pieces)]
    if max(spans) < LEAST_RANGE:
        return f"angles span {max(spans):.1f} degrees: at least {LEAST_RANGE:g} are needed"
    return ""


def _within(values: Real, pieces: NDArray[np.generic]) -> Real:
    """Deviations from the mean of each piece of ground."""
    _, index, count = np.unique(pieces, return_inverse=True, return_counts=True)
    mean = np.bincount(index, weights=values) / count
    return np.asarray(values - mean[index])


def _samples(incidence: ArrayLike, level: ArrayLike) -> tuple[Real, Real]:
    angle, decibel = np.broadcast_arrays(np.asarray(incidence, np.float64), np.asarray(level, np.float64))
    known = np.isfinite(angle) & np.isfinite(decibel)
    angle, decibel = angle[known], decibel[known]
    if angle.size < 3 or np.ptp(angle) == 0:
        raise ValueError(f"{angle.size} samples over {np.ptp(angle) if angle.size else 0:g} degrees: expected 3, apart")
    return angle, decibel


def _exponent(angle: Real, decibel: Real) -> float:
    return float(np.polyfit(10.0 * np.log10(np.cos(np.deg2rad(angle))), decibel, 1)[0])
