"""Water indices and their errors.

NDWI is a ratio: a gain common to both bands (sun, shadow) leaves it alone, an added path reflectance does not. Hence
the error terms. Functions keep the precision they are given: float32 layers stay float32.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

Layer = TypeVar("Layer", bound=NDArray[np.floating[Any]])

HAZE_COLOUR: dict[str, float] = {"blue": 1.19, "green": 1.0, "red": 0.80, "nir": 0.59, "swir1": 0.25, "swir2": 0.17}
"""Path reflectance of a band over that of green: (560 nm / wavelength)^1.3 (physics of a haze of fine particles)."""
LEAST_LIGHT = 1e-4
"""Sum of two reflectances below which their ratio says nothing."""
DARKEST_SUM = 0.02
"""Sum of two reflectances below which the error of their ratio is that at this sum: darker is the edge of noise [M]."""
AWEI_NSH = {"green": 4.0, "swir1": -4.0, "nir": -0.25, "swir2": -2.75}
AWEI_SH = {"blue": 1.0, "green": 2.5, "nir": -1.5, "swir1": -1.5, "swir2": -0.25}
"""Weights of the two automated water extraction indices (Feyisa 2014, RSE 140): without and with shadow. One public
library adds SWIR2 in the first, against the paper."""
MBWI = {"green": 2.0, "red": -1.0, "nir": -1.0, "swir1": -1.0, "swir2": -1.0}
"""Weights of the multi-band water index (Wang 2018, Remote Sensing 10(11))."""


def normalized_difference(a: Layer, b: Layer) -> Layer:
    """(a - b)/(a + b), clipped to -1..1; NaN where either is unobserved or their sum is not positive."""
    total = a + b
    valid = np.isfinite(total) & (total > LEAST_LIGHT)
    ratio = np.empty_like(total)
    ratio.fill(np.nan)
    np.divide(a - b, total, out=ratio, where=valid)
    np.clip(ratio, -1.0, 1.0, out=ratio)
    return cast(Layer, ratio)


def ndwi(green: Layer, nir: Layer) -> Layer:
    """Normalized difference water index (McFeeters 1996): water is positive."""
    return normalized_difference(green, nir)


def mndwi(green: Layer, swir1: Layer) -> Layer:
    """Modified NDWI (Xu 2006): the short-wave infrared sees less haze and less turbidity."""
    return normalized_difference(green, swir1)


def index_std(green: Layer, other: Layer, green_std: float, other_std: float) -> Layer:
    """Standard deviation of a normalized difference from that of its bands: 2·sqrt((N·sG)² + (G·sN)²)/(G + N)²."""
    total = np.maximum(green + other, DARKEST_SUM)
    spread: Layer = 2.0 * np.hypot(other * green_std, green * other_std) / (total * total)
    return spread


def awei_nsh(reflectance: Mapping[str, Layer]) -> Layer:
    """AWEI for scenes without shadow: 4·(green - swir1) - (0.25·nir + 2.75·swir2); water is positive (Feyisa 2014).

    Scales with a common gain (its sign does not). NaN where a band is unobserved; KeyError names a missing one.
    """
    return _weighted(reflectance, AWEI_NSH)


def awei_sh(reflectance: Mapping[str, Layer]) -> Layer:
    """AWEI for scenes with shadow: blue + 2.5·green - 1.5·(nir + swir1) - 0.25·swir2 (Feyisa 2014)."""
    return _weighted(reflectance, AWEI_SH)


def mbwi(reflectance: Mapping[str, Layer]) -> Layer:
    """Multi-band water index: 2·green - red - nir - swir1 - swir2; water is positive (Wang 2018)."""
    return _weighted(reflectance, MBWI)


def _weighted(reflectance: Mapping[str, Layer], weights: Mapping[str, float]) -> Layer:
    total: Layer = np.sum([np.multiply(weight, reflectance[band]) for band, weight in weights.items()], axis=0)
    return total


def weighted_std(weights: Mapping[str, float], band_std: Mapping[str, float]) -> float:
    """Standard deviation of a weighted sum of bands (`AWEI_NSH`, `AWEI_SH`, `MBWI`) from those of its bands.

    Errors of different bands count as independent. The same for every pixel: a sum, unlike a ratio, does not magnify
    errors where it is dark.
    """
    return float(np.sqrt(sum((weight * band_std[band]) ** 2 for band, weight in weights.items())))


def haze_std(haze: float) -> dict[str, float]:
    """By band: standard deviation of the path reflectance that is left where that of green is `haze`."""
    return {band: colour * haze for band, colour in HAZE_COLOUR.items()}
