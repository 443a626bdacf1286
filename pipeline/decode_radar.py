"""A radar acquisition to a bundle: file values → linear power on the native grid → aligned and multilooked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from catalogs.records import Acquisition, RasterLayer
from harmonization.bundle import Flags, RadarBundle, copolar
from harmonization.calibration import power_from_amplitude, power_from_decibel
from harmonization.classes import Backscatter
from harmonization.reasons import Reason
from harmonization.speckle import multilook
from pipeline.align import align
from pipeline.errors import PipelineError
from pipeline.flatten import Facets, facets_on, flattened
from pipeline.ground import elevation_on
from pipeline.mosaic import mosaic
from pipeline.radar_angle import angle_on, angle_reasons, angles_of
from pipeline.radar_mask import last_whole_day, late_reasons, mask_reasons
from pipeline.radar_noise import noise_of
from pipeline.read import Piece, read_linear, read_window
from pipeline.science import Science
from pipeline.swath import SwathWindow, border_on, calibrated
from pipeline.swath_terrain import datum_offset, swaths_of

Array = NDArray[np.float32]

POLARIZATIONS = ("VV", "VH", "HH", "HV")
POINT_SPREAD = 2
"""Native pixels: products are sampled about twice as densely as they resolve."""
DECIBEL_RANGE = (-60.0, 40.0)
"""dB between which a sample can be backscatter; beyond, and at exactly 0, it is fill."""
LOWEST_POWER = -0.1
"""Linear power below which a denoised sample cannot lie: fill such as -9999 that no header declares."""
Pieces = Mapping[str, Sequence[Piece | None]]
"""Linear power on native grids, by polarization, a piece a raster."""
Elevation = Sequence[RasterLayer]
"""Rasters of the ground's height in metres, above the ellipsoid or the geoid: the first that knows a pixel counts."""
Priors = Mapping[str, Mapping[str, Backscatter]]
"""By polarization and class: the prior of a scene, as `RadarBundle.priors`."""


@dataclass(frozen=True, eq=False)
class AlignedPower:
    """What the files of an acquisition say of a GeoBox, before looks and noise are known."""

    power: dict[str, Array]
    """By polarization: linear power, flattened and multilooked; NaN where not observed."""
    cell: int
    """Side of a resolution cell in pixels: the boxcar and the point spread together."""
    unseen: Flags
    """(y, x) bits of `Reason` where no polarization has a sample."""
    height: Array | None
    """Metres of the ground by which products in radar geometry were placed."""
    facets: Facets | None
    """The facets of the terrain by which power was flattened."""


def decode_radar(
    scene: Acquisition,
    box: GeoBox,
    science: Science,
    looks: float,
    noise_db: Mapping[str, float],
    elevation: Elevation,
    priors: Priors | None = None,
) -> RadarBundle:
    """The bundle of a radar acquisition; arguments as of `pipeline.decode.decode`."""
    return radar_bundle(scene, box, radar_power(scene, box, science, elevation), looks, noise_db, priors)


def radar_power(scene: Acquisition, box: GeoBox, science: Science, elevation: Elevation = ()) -> AlignedPower:
    """The aligned power of an acquisition; boxcars are so many native pixels wide as the science says."""
    assert scene.band is not None
    width = science.multilook[scene.band]
    height, facets = _height(scene, box, elevation), facets_on(scene, box, elevation)
    pieces = _pieces(scene, box, height)
    power, cells = {}, [1]
    for name, windows in pieces.items():
        aligned = mosaic(windows, box, "continuous")
        flat = aligned if facets is None else aligned * facets.factor
        power[name] = multilook(flat, odd_pixels(windows, box, width))
        cells.append(odd_pixels(windows, box, width + POINT_SPREAD))
    return AlignedPower(power, max(cells), _unseen(pieces, power, box), height, facets)


def radar_bundle(
    scene: Acquisition,
    box: GeoBox,
    aligned: AlignedPower,
    looks: float,
    noise_db: Mapping[str, float],
    priors: Priors | None = None,
) -> RadarBundle:
    """The bundle of what `radar_power` read of an acquisition."""
    assert scene.band is not None
    bundle = RadarBundle(
        band=scene.band,
        power=aligned.power,
        quantity="sigma0" if scene.quantity == "sigma0" else "gamma0",
        angle=angle_on(scene, box),
        angle_range=angles_of(scene),
        noise=noise_of(scene, box, noise_db, aligned.height),
        denoised=scene.denoised,
        looks=looks,
        reasons=aligned.unseen | mask_reasons(scene, box) | late_reasons(scene, box),
        time=scene.time,
        cell=aligned.cell,
        priors=priors or {},
    )
    flat = bundle if aligned.facets is None else flattened(bundle, aligned.facets)
    return replace(flat, reasons=flat.reasons | angle_reasons(flat.angle, box))


def _pieces(scene: Acquisition, box: GeoBox, height: Array | None) -> Pieces:
    """Linear power of every raster on its own grid."""
    return {
        name: _in_time(scene, {raster: _power(raster, box, height) for raster in scene.layers[name]}, box)
        for name in scene.polarizations
    }


def _unseen(pieces: Pieces, power: Mapping[str, Array], box: GeoBox) -> Flags:
    """(y, x) bits of `Reason` where no polarization has a sample: border noise, or outside of the swath."""
    nothing = np.logical_and.reduce([np.isnan(values) for values in power.values()])
    swaths = [window for windows in pieces.values() for window in windows if isinstance(window, SwathWindow)]
    border = reduce(np.logical_or, map(border_on, swaths), np.zeros(box.shape.yx, dtype=np.bool_))
    why = np.where(border, np.uint16(Reason.BORDER_NOISE), np.uint16(Reason.OUTSIDE_SWATH))
    return np.where(nothing, why, np.uint16(0)).astype(np.uint16)


def _in_time(scene: Acquisition, pieces: Mapping[RasterLayer, Piece | None], box: GeoBox) -> Sequence[Piece | None]:
    """The pieces of some rasters without pixels of a later day than the scene may be read for, and undated ones.

    On the native grid, so that nothing later enters an average.
    """
    if scene.usable_until is None:
        return list(pieces.values())
    days = {raster.item: read_linear(raster, box) for raster in scene.layers["date"]}
    last = last_whole_day(scene.usable_until)
    return [_up_to(window, days.get(raster.item), last) for raster, window in pieces.items()]


def _up_to(window: Piece | None, days: Piece | None, last: int) -> Piece | None:
    if window is None or isinstance(window, SwathWindow):  # a pass has one date; mosaics are map-projected
        return window
    with np.errstate(invalid="ignore"):
        usable = align(days, window.box, "mask") <= last
    return replace(window, values=np.where(usable, window.values, np.float32(np.nan)))


def odd_pixels(windows: Sequence[Piece | None], box: GeoBox, native_pixels: float) -> int:
    """So many native pixels as an odd number of pixels of the target, at least one."""
    pixel = next((window.pixel for window in windows if window is not None), None)
    if pixel is None:
        return 1
    ratio = pixel / box.resolution.map(abs).x
    return max(1, round((native_pixels * ratio - 1.0) / 2.0) * 2 + 1)


def _height(scene: Acquisition, box: GeoBox, elevation: Elevation) -> Array | None:
    """Metres of the ground on a GeoBox, as the scene's tie points count them; NaN where unknown.

    None where the scene is map-projected already, or where the elevation cannot be brought to its tie points.
    """
    swaths = swaths_of(scene.layers[copolar(scene.layers)])
    offset = datum_offset(swaths, tuple(elevation)) if swaths and elevation else None
    if offset is None:
        return None
    return elevation_on(elevation, box) + np.float32(offset)


def _power(layer: RasterLayer, box: GeoBox, height: Array | None = None) -> Piece | None:
    """Linear power on the native grid. Zero is fill in every radar product, and so is what no radar measures."""
    window = read_window(layer, box, height)
    if window is None:
        return None
    values = window.values
    if layer.encoding == "calibrated":
        return replace(window, values=_calibrated(layer, window))
    if layer.encoding == "decibel":
        real = (values != 0) & (values > DECIBEL_RANGE[0]) & (values < DECIBEL_RANGE[1])
        power = np.where(real, power_from_decibel(np.where(real, values, 0.0)), np.nan)
    elif layer.encoding == "amplitude":
        power = power_from_amplitude(values, layer.calibration_db)
    else:
        power = values.astype(np.float64) * layer.scale
    fill = (power == 0) | (power < LOWEST_POWER)
    return replace(window, values=np.where(fill, np.nan, power).astype(np.float32))


def _calibrated(layer: RasterLayer, window: Piece) -> Array:
    """Power by the product's look-up tables, which hold on its lines and pixels only."""
    if isinstance(window, SwathWindow) and layer.swath is not None:
        return calibrated(layer, window)
    raise PipelineError(
        f"{layer.href}: has digital numbers of Sentinel-1 GRD, and no annotation and calibration to tell what they "
        "mean; ingest the whole SAFE product"
    )
