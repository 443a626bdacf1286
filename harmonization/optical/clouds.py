"""Which optical pixels show no ground: the product's own classification, its quality bits, or spectral tests."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from harmonization.bundle import Flags, Float
from harmonization.optical.indices import normalized_difference
from harmonization.reasons import Reason

_SCL_REASONS = {
    0: Reason.OUTSIDE_SWATH,
    1: Reason.OUTSIDE_SWATH,
    3: Reason.CLOUD_SHADOW,
    8: Reason.CLOUD,
    9: Reason.CLOUD,
    10: Reason.CLOUD,
    11: Reason.SNOW_OR_FROZEN,
    2: Reason.DARK,
}
"""Sentinel-2 scene classification; class 6 (water) is not used: it would be circular."""
_SCL_CODES = 12
"""0 to 11; any other number is no classification, and must not pass for clear ground."""


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


def scene_classification_reasons(scl: NDArray[np.float32], dilation: int) -> Flags:
    """Reasons from Sentinel-2's scene classification (y, x), clouds and shadows grown by `dilation` pixels.

    NaN, and a number that is no class, are outside the swath. The classification misses cloud rims, hence the growth.
    """
    known = (scl >= 0) & (scl < _SCL_CODES) & (scl == np.floor(scl))
    reasons = np.where(known, np.uint16(0), np.uint16(Reason.OUTSIDE_SWATH)).astype(np.uint16)
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
