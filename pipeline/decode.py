"""One acquisition to a bundle on a GeoBox: file values → power or reflectance on the native grid → aligned."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import reduce

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from catalogs.records import Acquisition, RasterLayer
from harmonization.bundle import Bundle, Flags, OpticalBundle, RadarBundle
from harmonization.calibration import power_from_amplitude, power_from_decibel
from harmonization.optical import (
    SURFACE_HAZE,
    TOP_HAZE,
    qa_pixel_reasons,
    reflectance_from_dn,
    scene_classification_reasons,
    spectral_reasons,
    without_rayleigh,
)
from harmonization.reasons import Reason
from harmonization.speckle import multilook
from pipeline.align import align
from pipeline.mosaic import mosaic
from pipeline.read import NativeWindow, read_window
from pipeline.science import Science

Array = NDArray[np.float32]

POLARIZATIONS = ("VV", "VH", "HH", "HV")
OPTICAL_BANDS = ("blue", "green", "red", "nir", "swir1", "swir2", "cirrus")
POINT_SPREAD = 2
"""Native pixels: products are sampled about twice as densely as they resolve."""
OPTICAL_CELL_M = 30.0
"""Metres: Sentinel-2's bands of 20 m beside bands of 10 m, and their registration."""
OPTICAL_SPREAD = 1.5
"""Native pixels that an optical sample speaks for: 45 m of Landsat."""
DECIBEL_RANGE = (-60.0, 40.0)
"""dB between which a sample can be backscatter; beyond, and at exactly 0, it is fill."""
LOWEST_POWER = -0.1
"""Linear power below which a denoised sample cannot lie: fill such as -9999 that no header declares."""
ANGLE_RANGE = (5.0, 85.0)
"""Degrees between which an angle layer holds angles; fill outside."""
REFLECTANCE_RANGE = (-0.3, 1.6)
"""Reflectance beyond which a number is fill or saturated: DN 65535 is 1.602 of Landsat Collection 2 and 6.45 of
Sentinel-2; the brightest cloud or snow under a low sun stays below, and the offsets alone give -0.2 at least."""
FIRST_DAY = datetime(1970, 1, 1, tzinfo=UTC)
""""Date" layers count days from it."""
MASKS: dict[str, dict[int, Reason]] = {
    # JAXA: the mosaic's mask and the ScanSAR L2.2 summary (BitValues).
    "palsar-mosaic": {0: Reason.OUTSIDE_SWATH, 100: Reason.LAYOVER, 150: Reason.RADAR_SHADOW},
    "palsar-scansar": {
        0: Reason.OUTSIDE_SWATH,
        2: Reason.LAYOVER,
        3: Reason.RADAR_SHADOW,
        5: Reason.OUTSIDE_SWATH,
    },
    "opera-rtc": {
        1: Reason.RADAR_SHADOW,
        2: Reason.LAYOVER,
        3: Reason.RADAR_SHADOW | Reason.LAYOVER,
        255: Reason.OUTSIDE_SWATH,
    },
}
"""What the values of a radar mask mean; all others are valid."""
CLOUD_MASKS: dict[str, tuple[str, Callable[[Array, int], Flags]]] = {
    "sentinel-2-scl": ("scene-classification", scene_classification_reasons),
    "landsat-qa": ("quality-bits", qa_pixel_reasons),
}
"""By mask scheme: name of the cloud test, and mask with pixels to grow by → reasons."""


def decode(scene: Acquisition, box: GeoBox, science: Science, looks: float, noise_db: Mapping[str, float]) -> Bundle:
    """The bundle of one acquisition on a GeoBox; where the scene does not reach, NaN and "outside swath".

    `looks`, `noise_db`: of the prepare stage (radar). Errors of reading name the file.
    """
    if scene.kind == "radar":
        return _radar(scene, box, science, looks, noise_db)
    return _optical(scene, box, science)


def radar_power(scene: Acquisition, box: GeoBox, science: Science) -> tuple[dict[str, Array], int]:
    """Aligned, multilooked linear power by polarization, NaN where not observed; and the side of its cell in pixels.

    The boxcar is so many native pixels wide, then the cell is as wide as boxcar and point spread together.
    """
    assert scene.band is not None
    width = science.multilook[scene.band]
    power, cells = {}, [1]
    for name in scene.polarizations:
        windows = _in_time(scene, [_power(raster, box) for raster in scene.layers[name]], box)
        power[name] = multilook(mosaic(windows, box, "continuous"), odd_pixels(windows, box, width))
        cells.append(odd_pixels(windows, box, width + POINT_SPREAD))
    return power, max(cells)


def _in_time(scene: Acquisition, windows: Sequence[NativeWindow | None], box: GeoBox) -> Sequence[NativeWindow | None]:
    """The windows without the pixels of a later day than the scene may be read for, and without undated ones.

    On the native grid, so that nothing later enters an average.
    """
    if scene.usable_until is None:
        return windows
    days = [_linear(raster, box) for raster in scene.layers["date"]]
    last = last_whole_day(scene.usable_until)
    return [_up_to(window, day, last) for window, day in zip(windows, days, strict=True)]


def _up_to(window: NativeWindow | None, days: NativeWindow | None, last: int) -> NativeWindow | None:
    if window is None:
        return None
    with np.errstate(invalid="ignore"):
        usable = align(days, window.box, "mask") <= last
    return replace(window, values=np.where(usable, window.values, np.float32(np.nan)))


def last_whole_day(moment: datetime) -> int:
    """Days since 1970-01-01 of the last day that is over at a moment; 23:59:59 counts as the end of a day."""
    return (moment + timedelta(seconds=1) - FIRST_DAY).days - 1


def odd_pixels(windows: Sequence[NativeWindow | None], box: GeoBox, native_pixels: float) -> int:
    """So many native pixels as an odd number of pixels of the target, at least one."""
    pixel = next((window.pixel for window in windows if window is not None), None)
    if pixel is None:
        return 1
    ratio = pixel / box.resolution.map(abs).x
    return max(1, round((native_pixels * ratio - 1.0) / 2.0) * 2 + 1)


def copolar(power: Mapping[str, Array]) -> str:
    """The co-polarization of a bundle's power (VV before HH), or the only one there is."""
    return next((name for name in ("VV", "HH") if name in power), next(iter(power)))


def _radar(
    scene: Acquisition, box: GeoBox, science: Science, looks: float, noise_db: Mapping[str, float]
) -> RadarBundle:
    assert scene.band is not None
    power, cell = radar_power(scene, box, science)
    seen = reduce(np.logical_or, (np.isfinite(values) for values in power.values()))
    reasons = np.where(seen, np.uint16(0), np.uint16(Reason.OUTSIDE_SWATH)).astype(np.uint16)
    reasons |= _mask_reasons(scene, box) | _late_reasons(scene, box)
    angle = None
    if "angle" in scene.layers:
        angle = mosaic([_angle(raster, box) for raster in scene.layers["angle"]], box, "continuous")
    return RadarBundle(
        band=scene.band,
        power=power,
        quantity="sigma0" if scene.quantity == "sigma0" else "gamma0",
        angle=angle,
        angle_range=scene.angle_range or (30.0, 45.0),
        noise={name: float(10.0 ** (noise_db[name] / 10.0)) for name in power},
        denoised=scene.denoised,
        looks=looks,
        reasons=reasons,
        time=scene.time,
        cell=cell,
    )


def _power(layer: RasterLayer, box: GeoBox) -> NativeWindow | None:
    """Linear power on the native grid. Zero is fill in every radar product, and so is what no radar measures."""
    window = read_window(layer, box)
    if window is None:
        return None
    values = window.values
    if layer.encoding == "decibel":
        real = (values != 0) & (values > DECIBEL_RANGE[0]) & (values < DECIBEL_RANGE[1])
        power = np.where(real, power_from_decibel(np.where(real, values, 0.0)), np.nan)
    elif layer.encoding == "amplitude":
        power = power_from_amplitude(values, layer.calibration_db)
    else:
        power = values.astype(np.float64) * layer.scale
    fill = (power == 0) | (power < LOWEST_POWER)
    return replace(window, values=np.where(fill, np.nan, power).astype(np.float32))


def _angle(layer: RasterLayer, box: GeoBox) -> NativeWindow | None:
    window = _linear(layer, box)
    if window is None:
        return None
    real = (window.values > ANGLE_RANGE[0]) & (window.values < ANGLE_RANGE[1])
    return replace(window, values=np.where(real, window.values, np.float32(np.nan)))


def _linear(layer: RasterLayer, box: GeoBox) -> NativeWindow | None:
    window = read_window(layer, box)
    if window is None:
        return None
    return replace(window, values=reflectance_from_dn(window.values, layer.scale, layer.offset))


def _mask_reasons(scene: Acquisition, box: GeoBox) -> Flags:
    reasons = np.zeros(box.shape.yx, dtype=np.uint16)
    if "mask" not in scene.layers or scene.mask_scheme not in MASKS:
        return reasons
    mask = mosaic([read_window(raster, box) for raster in scene.layers["mask"]], box, "mask")
    reasons[np.isnan(mask)] = Reason.OUTSIDE_SWATH
    for value, reason in MASKS[scene.mask_scheme].items():
        reasons[mask == value] |= np.uint16(reason)
    return reasons


def _late_reasons(scene: Acquisition, box: GeoBox) -> Flags:
    """Where a mosaic has no sample of the window that is asked for: "no scene" there."""
    if scene.usable_until is None:
        return np.zeros(box.shape.yx, dtype=np.uint16)
    days = mosaic([_linear(raster, box) for raster in scene.layers["date"]], box, "mask")
    late = days > last_whole_day(scene.usable_until)
    return np.where(late, np.uint16(Reason.NO_SCENE), np.uint16(0)).astype(np.uint16)


def _reflectance(layer: RasterLayer, box: GeoBox) -> NativeWindow | None:
    window = _linear(layer, box)
    if window is None:
        return None
    real = (window.values > REFLECTANCE_RANGE[0]) & (window.values < REFLECTANCE_RANGE[1])
    return replace(window, values=np.where(real, window.values, np.float32(np.nan)))


def _optical(scene: Acquisition, box: GeoBox, science: Science) -> OpticalBundle:
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
    if scene.quantity == "toa_reflectance":  # after the cloud test, whose thresholds hold at the top of the atmosphere
        return OpticalBundle(without_rayleigh(reflectance), TOP_HAZE, test, reasons, scene.time, cell)
    return OpticalBundle(reflectance, SURFACE_HAZE, test, reasons, scene.time, cell)


def _cloud_reasons(scene: Acquisition, box: GeoBox, reflectance: Mapping[str, Array], grow: int) -> tuple[str, Flags]:
    """Which cloud test the product allows, and what it finds; the product's own before a spectral one."""
    if scene.mask_scheme not in CLOUD_MASKS or "mask" not in scene.layers:
        return "spectral", spectral_reasons(reflectance, grow)
    test, reasons_of = CLOUD_MASKS[scene.mask_scheme]
    mask = mosaic([read_window(raster, box) for raster in scene.layers["mask"]], box, "mask")
    seen = np.isfinite(reflectance["green"] + reflectance["nir"])
    return test, reasons_of(mask, grow) | np.where(seen, np.uint16(0), np.uint16(Reason.OUTSIDE_SWATH))
