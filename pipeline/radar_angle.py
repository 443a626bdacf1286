"""The incidence angle of a radar acquisition on a GeoBox: of its layer, its annotation, its pass, or not known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from catalogs.records import Acquisition, RasterLayer
from harmonization.bundle import Flags, copolar
from harmonization.incidence import class_mean_valid
from harmonization.reasons import Reason
from pipeline.mosaic import first_seen, mosaic
from pipeline.radar_track import incidence_on_track, pass_angle
from pipeline.read import Piece, read_linear
from pipeline.swath import incidence_on
from pipeline.swath_terrain import swaths_of

Array = NDArray[np.float32]

UNKNOWN_RANGE = (30.0, 45.0)
"""Degrees of a radar of which not even the mode is known."""
ANGLE_RANGE = (5.0, 85.0)
"""Degrees between which an angle layer holds angles; fill outside."""


def angle_on(scene: Acquisition, box: GeoBox) -> Array | None:
    """Incidence angle on a GeoBox: of the product's layer, else of its annotation, else derived from its pass.

    None where nothing tells it.

    Of a layer it is the local one; of annotation and pass that on the ellipsoid. Derived angles are off by less than
    `PassAngle.error` on flat ground.
    """
    if scene.angle_source == "layer":
        return mosaic([_layer_angle(raster, box) for raster in scene.layers["angle"]], box, "continuous")
    if scene.angle_source == "annotation":
        return first_seen([incidence_on(raster, box) for raster in swaths_of(scene.layers[copolar(scene.layers)])])
    found = pass_angle(scene)
    return None if found is None else incidence_on_track(found.track, box)


def angles_of(scene: Acquisition) -> tuple[float, float]:
    """Least and largest angle of an acquisition, degrees, the same for all units: of its pass, else of its mode."""
    found = pass_angle(scene)
    return (found.near, found.far) if found is not None else scene.angle_range or UNKNOWN_RANGE


def angle_reasons(angle: Array | None, box: GeoBox) -> Flags:
    """(y, x) bits of `Reason`: "outside model" where an angle is known and no class mean is a straight line there.

    An unknown angle is flagged when it is weighed.
    """
    reasons = np.zeros(box.shape.yx, dtype=np.uint16)
    if angle is not None:
        reasons[np.isfinite(angle) & ~class_mean_valid(angle)] = Reason.OUTSIDE_MODEL
    return reasons


def angle_told(scene: Acquisition) -> str:
    """Where the angle of a radar acquisition comes from, in words for the item."""
    if scene.angle_source == "layer":
        lenders = sorted({raster.item for raster in scene.layers["angle"]} - {scene.id, *scene.slices})
        return f"a layer of {', '.join(lenders)}, of the same track" if lenders else "a layer of the product"
    if scene.angle_source == "annotation":
        return "the product's annotation"
    found = pass_angle(scene)
    if found is None:
        return "unknown: all angles of the mode"
    return f"derived from {found.told}; good to {found.error:g} degrees on flat ground"


def _layer_angle(layer: RasterLayer, box: GeoBox) -> Piece | None:
    window = read_linear(layer, box)
    if window is None:
        return None
    real = (window.values > ANGLE_RANGE[0]) & (window.values < ANGLE_RANGE[1])
    return replace(window, values=np.where(real, window.values, np.float32(np.nan)))
