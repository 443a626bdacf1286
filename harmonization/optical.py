"""Reflectance, cloud masks, water indices and the evidence they carry.

NDWI is a ratio: a gain common to both bands (sun, shadow) leaves it alone, an added path reflectance does not. Hence
the haze term: its standard deviation enters the variance of every index.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from harmonization.bundle import Cover, Evidence, Flags, Float, OpticalBundle
from harmonization.classes import INDICES, OPTICAL_STATES, Indices
from harmonization.reasons import BLINDING, Reason

SURFACE_HAZE = 0.01
"""Residual path reflectance after atmospheric correction, one standard deviation [M]."""
TOP_HAZE = 0.02
"""Path reflectance left after `without_rayleigh` in a product at the top of the atmosphere, one standard deviation [M]:
aerosol, and a sun that stands otherwise."""
BAND_MICROMETRES = {"blue": 0.490, "green": 0.560, "red": 0.665, "nir": 0.842, "swir1": 1.610, "swir2": 2.190}
NOMINAL_SUN_ZENITH = 40.0
"""Degrees; products of unknown geometry are corrected for this sun and a view from straight above."""
HAZE_COLOUR = 0.59
"""Path reflectance at 842 nm over that at 560 nm: (560/842)^1.3; at 1610 nm it is (560/1610)^1.3."""
SWIR_HAZE = 0.25

_SCL_REASONS = {
    0: Reason.OUTSIDE_SWATH,
    1: Reason.OUTSIDE_SWATH,
    3: Reason.CLOUD_SHADOW,
    8: Reason.CLOUD,
    9: Reason.CLOUD,
    10: Reason.CLOUD,
    11: Reason.SNOW_OR_FROZEN,
}
"""Sentinel-2 scene classification; class 6 (water) is not used: it would be circular."""


_QA_BITS = {
    0: Reason.OUTSIDE_SWATH,
    1: Reason.CLOUD,  # dilated cloud: grown by the producer already
    2: Reason.CLOUD,  # cirrus, Landsat 8 and 9
    3: Reason.CLOUD,
    4: Reason.CLOUD_SHADOW,
    5: Reason.SNOW_OR_FROZEN,
}
"""Bits of Landsat's QA_PIXEL (USGS LSDS-1619, table 6-3). Bits 6 (clear) and 7 (water) are not used: clear is what is
left over, and water would be circular. Bits 8 to 15 are the confidences behind bits 2 to 5, which are set where the
confidence is high."""
_QA_GROWN = (2, 3, 4)
"""Bits whose rims are missed, as those of Sentinel-2's classification are."""


def reflectance_from_dn(dn: NDArray[np.float32], scale: float, offset: float) -> NDArray[np.float32]:
    """rho = scale·DN + offset; Sentinel-2 from baseline 04.00: 1e-4·DN - 0.1; Landsat C2: 2.75e-5·DN - 0.2."""
    return (dn.astype(np.float64) * scale + offset).astype(np.float32)


def rayleigh_reflectance(micrometres: float, sun_zenith: float = NOMINAL_SUN_ZENITH) -> float:
    """Path reflectance of clear air seen from straight above: tau·P/(4·cos sun), single scattering.

    tau = 0.008569·w^-4·(1 + 0.0113·w^-2 + 0.00013·w^-4) at sea level (Hansen & Travis 1974, eq. 2.30), phase function
    P = 3/4·(1 + cos²) of the angle 180° - sun zenith.
    """
    depth = 0.008569 * micrometres**-4 * (1.0 + 0.0113 * micrometres**-2 + 0.00013 * micrometres**-4)
    cosine = float(np.cos(np.deg2rad(sun_zenith)))
    return depth * 0.75 * (1.0 + cosine**2) / (4.0 * cosine)


def without_rayleigh(reflectance: Mapping[str, Float]) -> dict[str, Float]:
    """Reflectance at the top of the atmosphere less that of clear air, by band; bands without a wavelength stay.

    Without it land in a Level-1C product has the NDWI and MNDWI of wet vegetation: blue air lifts green most.
    """
    return {
        name: values - np.float32(rayleigh_reflectance(BAND_MICROMETRES[name])) if name in BAND_MICROMETRES else values
        for name, values in reflectance.items()
    }


def normalized_difference(a: Float, b: Float) -> Float:
    """(a - b)/(a + b), clipped to -1..1; NaN where either is unobserved or their sum is not positive."""
    total = a + b
    valid = np.isfinite(total) & (total > 1e-4)
    ratio = np.divide(a - b, total, out=np.full(total.shape, np.nan, dtype=np.float32), where=valid)
    return np.asarray(np.clip(ratio, -1.0, 1.0), dtype=np.float32)


def ndwi(green: Float, nir: Float) -> Float:
    """Normalized difference water index (McFeeters 1996): water is positive."""
    return normalized_difference(green, nir)


def mndwi(green: Float, swir1: Float) -> Float:
    """Modified NDWI (Xu 2006): the short-wave infrared sees less haze and less turbidity."""
    return normalized_difference(green, swir1)


def index_std(green: Float, other: Float, green_std: float, other_std: float) -> Float:
    """Standard deviation of a normalized difference from that of its bands: 2·sqrt((N·sG)² + (G·sN)²)/(G + N)²."""
    total = np.maximum(green + other, 0.02)
    return np.asarray(2.0 * np.hypot(other * green_std, green * other_std) / (total * total), dtype=np.float32)


def scene_classification_reasons(scl: NDArray[np.float32], dilation: int) -> Flags:
    """Reasons from Sentinel-2's scene classification (y, x), clouds and shadows grown by `dilation` pixels.

    NaN is outside the swath. The classification misses cloud rims, hence the growth.
    """
    reasons = np.zeros(scl.shape, dtype=np.uint16)
    reasons[np.isnan(scl)] = Reason.OUTSIDE_SWATH
    for value, reason in _SCL_REASONS.items():
        found = scl == value
        if reason in (Reason.CLOUD, Reason.CLOUD_SHADOW):
            found = _grow(found, dilation)
        reasons[found] |= np.uint16(reason)
    return reasons


def qa_pixel_reasons(quality: NDArray[np.float32], dilation: int) -> Flags:
    """Reasons from Landsat's QA_PIXEL (y, x), clouds and shadows grown by `dilation` pixels; NaN is outside the swath.

    The bits come from CFMask (Foga 2017, RSE 194), which takes bright turbid water and sand for cloud now and then,
    and dark water for cloud shadow: such pixels are "not observed" here, never dry.
    """
    reasons = np.zeros(quality.shape, dtype=np.uint16)
    reasons[np.isnan(quality)] = Reason.OUTSIDE_SWATH
    bits = np.nan_to_num(quality).astype(np.uint16)
    for bit, reason in _QA_BITS.items():
        found = (bits >> np.uint16(bit)) & np.uint16(1) == 1
        reasons[_grow(found, dilation) if bit in _QA_GROWN else found] |= np.uint16(reason)
    return reasons


def spectral_reasons(bands: Mapping[str, Float], dilation: int) -> Flags:
    """Reasons where a product brings no scene classification: bright white cloud, cirrus, snow.

    The potential-cloud tests of Fmask (Zhu & Woodcock 2012, RSE 118): whiteness < 0.7, haze-optimized transform > 0,
    NDSI and NDVI < 0.8, NIR/SWIR > 0.75, SWIR > 0.03 and brightness above 0.2; cirrus band > 0.012 where there is one.
    Snow: NDSI > 0.4 and red > 0.2 (Gascoin 2019, ESSD 11, first pass) and NIR > 0.2, for turbid flood water has the
    first and comes near the second; and what touches such snow and passes the weaker test of Hall 1995 (NDSI > 0.4,
    NIR > 0.11, green > 0.1): snow in the shade. Cloud shadow is not found by this test. Green and NIR must be there;
    without SWIR snow passes for cloud, without blue or red green stands in.
    """
    green, nir = bands["green"], bands["nir"]
    blue, red = bands.get("blue", green), bands.get("red", green)
    swir = bands.get("swir1")
    visible = (blue + green + red) / 3.0
    with np.errstate(invalid="ignore", divide="ignore"):
        whiteness = (np.abs(blue - visible) + np.abs(green - visible) + np.abs(red - visible)) / visible
        green_leaf = normalized_difference(nir, red)
        snow = np.zeros(green.shape, dtype=np.bool_) if swir is None else _snow(green, red, nir, swir)
        cloud = (blue - 0.5 * red - 0.08 > 0) & (visible > 0.2) & (whiteness < 0.7) & (green_leaf < 0.8) & ~snow
        if swir is not None:
            cloud &= (normalized_difference(green, swir) < 0.8) & (swir > 0.03) & (nir > 0.75 * swir)
        if "cirrus" in bands:
            cloud |= bands["cirrus"] > 0.012
    reasons = np.where(
        _grow(_drop_specks(cloud) if dilation > 1 else cloud, dilation), np.uint16(Reason.CLOUD), np.uint16(0)
    )
    reasons |= np.where(_grow(snow, dilation), np.uint16(Reason.SNOW_OR_FROZEN), np.uint16(0))
    tested = np.isfinite(green + nir + blue + red)  # a cloud so bright that a band is saturated must not pass for land
    reasons |= np.where(tested, np.uint16(0), np.uint16(Reason.OUTSIDE_SWATH))
    return reasons.astype(np.uint16)


def _snow(green: Float, red: Float, nir: Float, swir: Float) -> NDArray[np.bool_]:
    shaded = (normalized_difference(green, swir) > 0.4) & (nir > 0.11) & (green > 0.1)
    snow: NDArray[np.bool_] = ndimage.binary_propagation(shaded & (red > 0.2) & (nir > 0.2), mask=shaded)
    return snow


def _grow(mask: NDArray[np.bool_], pixels: int) -> NDArray[np.bool_]:
    if pixels == 0 or not mask.any():
        return mask
    grown: NDArray[np.bool_] = ndimage.binary_dilation(mask, ndimage.generate_binary_structure(2, 1), pixels)
    return grown


def _drop_specks(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Without groups too small for a cloud: bright roofs and sand are not weather."""
    if not mask.any():
        return mask
    opened: NDArray[np.bool_] = ndimage.binary_opening(mask, np.ones((3, 3), dtype=np.bool_))
    return opened


def weigh_optical(sensor: str, bundle: OpticalBundle, cover: Cover | None = None) -> Evidence:
    """Evidence of one optical acquisition from NDWI and, where a SWIR band is, MNDWI: nats (2, y, x).

    Class Gaussians over the two indices, the haze term added to their variance; 0 where clouded or not observed.
    """
    green, nir = bundle.reflectance["green"], bundle.reflectance["nir"]
    swir = bundle.reflectance.get("swir1")
    clear = (bundle.reasons & np.uint16(BLINDING)) == 0
    indices = [ndwi(green, nir)]
    spreads = [index_std(green, nir, bundle.haze, HAZE_COLOUR * bundle.haze)]
    if swir is not None:
        indices.append(mndwi(green, swir))
        spreads.append(index_std(green, swir, bundle.haze, SWIR_HAZE * bundle.haze))
    observed = clear & np.isfinite(np.stack(indices)).all(axis=0)
    llr = np.zeros((2, *observed.shape), dtype=np.float32)
    points = [index[observed] for index in indices]
    errors = [np.minimum(spread[observed], 1.0) for spread in spreads]
    state = {name: _state(points, errors, shares) for name, shares in OPTICAL_STATES.items()}
    llr[0, observed] = state["open_water"] - state["dry"]
    llr[1, observed] = state["flooded_vegetation"] - state["dry"]
    return Evidence(sensor, llr, observed, bundle.reasons, bundle.time, bundle.cell)


def _state(points: list[Float], errors: list[Float], shares: Mapping[str, float]) -> Float:
    terms = [np.log(share) + _gaussian(points, errors, INDICES[name]) for name, share in shares.items()]
    return np.asarray(np.logaddexp.reduce(terms), dtype=np.float32)


def _gaussian(points: list[Float], errors: list[Float], prior: Indices) -> Float:
    """ln N of one or two correlated indices; their haze errors are independent of the class spread."""
    a = points[0] - prior.mean[0]
    variance_a = prior.std[0] ** 2 + errors[0] ** 2
    if len(points) == 1:
        return np.asarray(-0.5 * (a * a / variance_a + np.log(2 * np.pi * variance_a)), dtype=np.float32)
    b = points[1] - prior.mean[1]
    variance_b = prior.std[1] ** 2 + errors[1] ** 2
    covariance = prior.correlation * prior.std[0] * prior.std[1]
    determinant = variance_a * variance_b - covariance**2
    distance = (variance_b * a * a - 2 * covariance * a * b + variance_a * b * b) / determinant
    return np.asarray(-0.5 * (distance + np.log(4 * np.pi**2 * determinant)), dtype=np.float32)
