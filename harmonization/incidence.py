"""How backscatter depends on the incidence angle, class by class; degrees and dB throughout.

A land slope applied to water errs by 2.3 dB over half a Sentinel-1 swath, so the slope lives in the class mean and
no pixel is ever "normalized" before its class is known.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harmonization.bundle import Quantity
from harmonization.classes import REFERENCE_ANGLE, Backscatter

ANGLE_NODES = 5
"""Gauss-Legendre nodes over the mode's range when the angle is unknown."""


def class_mean(prior: Backscatter, incidence: ArrayLike, quantity: Quantity) -> NDArray[np.float64]:
    """Mean level of a class at an angle, dB, as sigma0 or as gamma0 = sigma0/cos(angle)."""
    angle = np.asarray(incidence, dtype=np.float64)
    sigma0 = prior.mean + prior.slope * (angle - REFERENCE_ANGLE)
    if quantity == "sigma0":
        return np.asarray(sigma0)
    return np.asarray(sigma0 - 10.0 * np.log10(np.cos(np.deg2rad(angle))))


def angle_nodes(angle_range: tuple[float, float]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Angles and weights (sum 1) that marginalize an unknown angle, uniform over the mode's range."""
    near, far = angle_range
    nodes, weights = np.polynomial.legendre.leggauss(ANGLE_NODES)
    return (near + far) / 2 + (far - near) / 2 * nodes, weights / 2


def cosine_power(level: ArrayLike, incidence: ArrayLike, reference: float, exponent: float) -> NDArray[np.float64]:
    """sigma0 in dB moved from one angle to a reference by (cos ref/cos angle)^n; n = 1 volume, 2 Lambert (Ulaby 1986).

    Valid within 10 degrees of the reference, 27 to 48 degrees.
    """
    ratio = np.cos(np.deg2rad(reference)) / np.cos(np.deg2rad(np.asarray(incidence, dtype=np.float64)))
    return np.asarray(np.asarray(level, dtype=np.float64) + 10.0 * exponent * np.log10(ratio))


def exponent_to_slope(exponent: float, incidence: float) -> float:
    """The slope in dB per degree that a cosine power has at one angle."""
    return float(-10.0 * exponent * np.tan(np.deg2rad(incidence)) * np.pi / 180.0 / np.log(10.0))


def slope_to_exponent(slope: float, incidence: float) -> float:
    """The inverse of `exponent_to_slope`."""
    return slope / exponent_to_slope(1.0, incidence)
