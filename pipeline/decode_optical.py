"""An optical acquisition to a bundle: digital numbers → reflectance on the native grid → aligned, clouds masked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from catalogs.records import Acquisition, RasterLayer
from harmonization.bundle import Flags, OpticalBundle
from harmonization.optical.clouds import qa_pixel_reasons, scene_classification_reasons, spectral_reasons
from harmonization.optical.glint import glint_angle, glint_reasons
from harmonization.optical.indices import ndwi
from harmonization.optical.reflectance import (
    NOMINAL_SUN_ZENITH,
    SURFACE_HAZE,
    TOP_HAZE,
    bandpass_adjusted,
    without_rayleigh,
)
from harmonization.reasons import Reason
from pipeline.mosaic import mosaic
from pipeline.read import Piece, read_linear, read_window
from pipeline.science import Science

Array = NDArray[np.float32]

OPTICAL_BANDS = ("blue", "green", "red", "nir", "swir1", "swir2", "cirrus")
OPTICAL_CELL_M = 30.0
"""Metres: Sentinel-2's bands of 20 m beside bands of 10 m, and their registration."""
OPTICAL_SPREAD = 1.5
"""Native pixels that an optical sample speaks for: 45 m of Landsat."""
REFLECTANCE_RANGE = (-0.3, 1.6)
"""Reflectance beyond which a number is fill or saturated: DN 65535 is 1.602 of Landsat Collection 2 and 6.45 of
Sentinel-2; the brightest cloud or snow under a low sun stays below, and the offsets alone give -0.2 at least."""
CLOUD_MASKS: dict[str, tuple[str, Callable[[Array, int], Flags]]] = {
    "sentinel-2-scl": ("scene-classification", scene_classification_reasons),
    "landsat-qa": ("quality-bits", qa_pixel_reasons),
}
"""By mask scheme: name of the cloud test, and mask with pixels to grow by → reasons."""


def decode_optical(scene: Acquisition, box: GeoBox, science: Science) -> OpticalBundle:
    """The bundle of an optical acquisition; arguments as of `pipeline.decode.decode`."""
    pixel = box.resolution.map(abs).x
    windows = {
        name: [_reflectance(raster, box) for raster in rasters]
        for name, rasters in scene.layers.items()
        if name in OPTICAL_BANDS
    }
    native = max((window.pixel for window in windows["green"] if window), default=0.0)
    cell = max(1, round(max(OPTICAL_CELL_M, OPTICAL_SPREAD * native) / pixel))
    reflectance = {name: mosaic(slices, box, "continuous") for name, slices in windows.items()}
    test, reasons = _cloud_reasons(scene, box, reflectance, round(science.cloud_growth_m / pixel))
    # After the cloud test, whose thresholds hold for the product as it is.
    if scene.quantity == "toa_reflectance":
        sun = NOMINAL_SUN_ZENITH if scene.sun_zenith is None else scene.sun_zenith
        reflectance, haze = without_rayleigh(reflectance, sun), TOP_HAZE
    else:
        reflectance, haze = bandpass_adjusted(reflectance, scene.platform), SURFACE_HAZE
    reasons |= glint_reasons(_glint_angle(scene), ndwi(reflectance["green"], reflectance["nir"]))
    return OpticalBundle(reflectance, haze, test, reasons, scene.time, cell)


def _glint_angle(scene: Acquisition) -> float:
    """Degrees between the view and the mirrored sun; NaN where the sun is not known.

    A view that is not known counts as one from straight above: these sensors look at most 12° aside.
    """
    if scene.sun_zenith is None:
        return float("nan")
    if scene.view_zenith is None or scene.view_azimuth is None or scene.sun_azimuth is None:
        return scene.sun_zenith
    return float(glint_angle(scene.sun_zenith, scene.view_zenith, scene.sun_azimuth, scene.view_azimuth))


def _reflectance(layer: RasterLayer, box: GeoBox) -> Piece | None:
    window = read_linear(layer, box)
    if window is None:
        return None
    real = (window.values > REFLECTANCE_RANGE[0]) & (window.values < REFLECTANCE_RANGE[1])
    return replace(window, values=np.where(real, window.values, np.float32(np.nan)))


def _cloud_reasons(scene: Acquisition, box: GeoBox, reflectance: Mapping[str, Array], grow: int) -> tuple[str, Flags]:
    """Which cloud test the product allows, and what it finds; the product's own before a spectral one."""
    if scene.mask_scheme not in CLOUD_MASKS or "mask" not in scene.layers:
        return "spectral", spectral_reasons(reflectance, grow)
    test, reasons_of = CLOUD_MASKS[scene.mask_scheme]
    mask = mosaic([read_window(raster, box) for raster in scene.layers["mask"]], box, "mask")
    seen = np.isfinite(reflectance["green"] + reflectance["nir"])
    return test, reasons_of(mask, grow) | np.where(seen, np.uint16(0), np.uint16(Reason.OUTSIDE_SWATH))
