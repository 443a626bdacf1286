"""Digital numbers to reflectance, and the reflectance of one satellite to that of another.

A value must mean the same from every sensor: clear air is taken off products at the top of the atmosphere, and bands of
Sentinel-2 are brought to those of Landsat's OLI.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from harmonization.bundle import Float

SURFACE_HAZE = 0.01
"""Residual path reflectance after atmospheric correction, one standard deviation [M]."""
TOP_HAZE = 0.02
"""Path reflectance left after `without_rayleigh` in a product at the top of the atmosphere, one standard deviation [M]:
aerosol, and a sun that stands otherwise."""
BAND_MICROMETRES = {"blue": 0.490, "green": 0.560, "red": 0.665, "nir": 0.842, "swir1": 1.610, "swir2": 2.190}
NOMINAL_SUN_ZENITH = 40.0
"""Degrees; products of unknown geometry are corrected for this sun and a view from straight above."""

HLS_BANDPASS: dict[str, dict[str, tuple[float, float]]] = {
    "sentinel-2a": {
        "B02": (0.9778, -0.0040),
        "B03": (1.0053, -0.0009),
        "B04": (0.9765, 0.0009),
        "B8A": (0.9983, -0.0001),
        "B11": (0.9987, -0.0011),
        "B12": (1.0030, -0.0012),
    },
    "sentinel-2b": {
        "B02": (0.9778, -0.0040),
        "B03": (1.0075, -0.0008),
        "B04": (0.9761, 0.0010),
        "B8A": (0.9966, 0.0000),
        "B11": (1.0000, -0.0003),
        "B12": (0.9867, 0.0004),
    },
}
"""By satellite and band: slope and offset of OLI's surface reflectance on that of MSI (Claverie 2018, RSE 219, table 5;
HLS 1.4 and 2.0) [V]. The broad B08 has none, nor has Sentinel-2C: both stay as they are."""
_BANDS = {"blue": "B02", "green": "B03", "red": "B04", "swir1": "B11", "swir2": "B12"}
"""Our bands with an adjustment; `nir` is B08."""


def reflectance_from_dn(dn: NDArray[np.float32], scale: float, offset: float) -> NDArray[np.float32]:
    """rho = scale·DN + offset; Sentinel-2 from baseline 04.00: 1e-4·DN - 0.1; Landsat C2: 2.75e-5·DN - 0.2."""
    return (dn.astype(np.float64) * scale + offset).astype(np.float32)


def bandpass_adjusted(reflectance: Mapping[str, Float], platform: str) -> dict[str, Float]:
    """Surface reflectance of Sentinel-2 as Landsat's OLI would measure it, by band; of other satellites unchanged.

    rho' = slope·rho + offset of `HLS_BANDPASS`. `platform` is the satellite, for example "sentinel-2a". Fitted over
    land at the surface: not for products at the top of the atmosphere. Masked pixels (NaN) stay.
    """
    table = HLS_BANDPASS.get(platform, {})
    adjusted = dict(reflectance)
    for name, band in _BANDS.items():
        if name in reflectance and band in table:
            slope, offset = table[band]
            adjusted[name] = np.float32(slope) * reflectance[name] + np.float32(offset)
    return adjusted


def rayleigh_reflectance(micrometres: float, sun_zenith: float = NOMINAL_SUN_ZENITH) -> float:
    """Path reflectance of clear air seen from straight above: tau·P/(4·cos sun), single scattering.

    tau = 0.008569·w^-4·(1 + 0.0113·w^-2 + 0.00013·w^-4) at sea level (Hansen & Travis 1974, eq. 2.30), phase function
    P = 3/4·(1 + cos²) of the angle 180° - sun zenith. Single scattering of a flat atmosphere: for a sun above 20°.
    """
    depth = 0.008569 * micrometres**-4 * (1.0 + 0.0113 * micrometres**-2 + 0.00013 * micrometres**-4)
    cosine = float(np.cos(np.deg2rad(sun_zenith)))
    return depth * 0.75 * (1.0 + cosine**2) / (4.0 * cosine)


def without_rayleigh(reflectance: Mapping[str, Float], sun_zenith: float = NOMINAL_SUN_ZENITH) -> dict[str, Float]:
    """Reflectance at the top of the atmosphere less that of clear air, by band; bands without a wavelength stay.

    Without it land in a Level-1C product has the NDWI and MNDWI of wet vegetation: blue air lifts green most.
    """
    return {
        name: values - np.float32(rayleigh_reflectance(BAND_MICROMETRES[name], sun_zenith))
        if name in BAND_MICROMETRES
        else values
        for name, values in reflectance.items()
    }
