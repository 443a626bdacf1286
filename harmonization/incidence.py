"""How backscatter depends on the incidence angle, class by class; degrees and dB throughout.

A land slope applied to water errs by 2.3 dB over half a Sentinel-1 swath, so the slope lives in the class mean and
no pixel is ever "normalized" before its class is known. Slopes from data: `harmonization.slope`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harmonization.bundle import Quantity
from harmonization.calibration import decibel
from harmonization.classes import FITTED_ANGLES, REFERENCE_ANGLE, Backscatter

Model = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""sigma0 in linear power by angle in degrees."""
Validity = Callable[[NDArray[np.float64]], NDArray[np.bool_]]
"""Whether a model holds, by angle in degrees."""

COSINE_REACH = 10.0
"""Degrees from the reference within which a cosine power is used (physics note, section 4 [M])."""
ANGLE_NODES = 5
"""Gauss-Legendre nodes over the mode's range when the angle is unknown."""


def class_mean(prior: Backscatter, incidence: ArrayLike, quantity: Quantity) -> NDArray[np.float64]:
    """Mean level of a class at an angle, dB, as sigma0 or as gamma0 = sigma0/cos(angle).

    A straight line in dB of sigma0; `class_mean_valid` says where it holds, and `class_mean_by_model` goes further.
    """
    angle = np.asarray(incidence, dtype=np.float64)
    return _as_quantity(prior.mean + prior.slope * (angle - REFERENCE_ANGLE), angle, quantity)


def class_mean_valid(incidence: ArrayLike) -> NDArray[np.bool_]:
    """Where `class_mean` holds: 27 to 48 degrees. False where the angle is NaN."""
    angle = np.asarray(incidence, dtype=np.float64)
    return np.asarray((angle >= FITTED_ANGLES[0]) & (angle <= FITTED_ANGLES[1]))


def model_ratio(model: Model, incidence: ArrayLike, reference: float = REFERENCE_ANGLE) -> NDArray[np.float64]:
    """M(angle)/M(reference) of a forward model in dB: what an angle does to a class whose state the model describes.

    `model`: sigma0 in linear power of angles in degrees, any shape. NaN where it gives no positive power.
    Holds where the model does (`model_ratio_valid`): the only way beyond 27 to 48 degrees, where water near nadir is
    bright.
    """
    levels = decibel(model(np.asarray(incidence, dtype=np.float64)))
    return np.asarray(levels - decibel(model(np.asarray([reference])))[0])


def model_ratio_valid(valid: Validity, incidence: ArrayLike, reference: float = REFERENCE_ANGLE) -> NDArray[np.bool_]:
    """Where `model_ratio` holds: where the model says that it holds, at the angle and at the reference."""
    at_reference = bool(valid(np.asarray([reference]))[0])
    return np.asarray(valid(np.asarray(incidence, dtype=np.float64)) & at_reference)


def class_mean_by_model(
    prior: Backscatter, incidence: ArrayLike, quantity: Quantity, model: Model
) -> NDArray[np.float64]:
    """Mean level of a class, dB: the straight line from 27 to 48 degrees, beyond it the line's end moved by a model.

    At the ends both meet, so that no pixel jumps. `model` as of `model_ratio`; NaN where it gives no positive power.
    """
    angle = np.asarray(incidence, dtype=np.float64)
    end = np.clip(angle, *FITTED_ANGLES)
    line = prior.mean + prior.slope * (end - REFERENCE_ANGLE)
    beyond = np.where(angle == end, 0.0, model_ratio(model, angle) - model_ratio(model, end))
    return _as_quantity(line + beyond, angle, quantity)


def _as_quantity(sigma0: NDArray[np.float64], angle: NDArray[np.float64], quantity: Quantity) -> NDArray[np.float64]:
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

    Valid within 10 degrees of the reference, 27 to 48 degrees: `cosine_power_valid`.
    """
    ratio = np.cos(np.deg2rad(reference)) / np.cos(np.deg2rad(np.asarray(incidence, dtype=np.float64)))
    return np.asarray(np.asarray(level, dtype=np.float64) + 10.0 * exponent * np.log10(ratio))


def cosine_power_valid(incidence: ArrayLike, reference: float) -> NDArray[np.bool_]:
    """Where `cosine_power` holds."""
    angle = np.asarray(incidence, dtype=np.float64)
    return np.asarray(class_mean_valid(angle) & class_mean_valid(reference) & (abs(angle - reference) <= COSINE_REACH))


def exponent_to_slope(exponent: float, incidence: float) -> float:
    """The slope in dB per degree that a cosine power has at one angle."""
    return float(-10.0 * exponent * np.tan(np.deg2rad(incidence)) * np.pi / 180.0 / np.log(10.0))


def slope_to_exponent(slope: float, incidence: float) -> float:
    """The inverse of `exponent_to_slope`."""
    return slope / exponent_to_slope(1.0, incidence)
