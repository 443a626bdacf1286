"""The incidence angle of a radar acquisition on a GeoBox: of its own layer, of its annotation, or not known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from catalogs.records import Acquisition, RasterLayer
from harmonization.bundle import copolar
from pipeline.mosaic import first_seen, mosaic
from pipeline.read import Piece, read_linear
from pipeline.swath import incidence_on
from pipeline.swath_terrain import swaths_of

Array = NDArray[np.float32]

ANGLE_RANGE = (5.0, 85.0)
"""Degrees between which an angle layer holds angles; fill outside."""


def angle_on(scene: Acquisition, box: GeoBox) -> Array | None:
    """Incidence angle on a GeoBox: of the product's layer, else of its annotation; None where it has neither."""
    if scene.angle_source == "layer":
        return mosaic([_layer_angle(raster, box) for raster in scene.layers["angle"]], box, "continuous")
    if scene.angle_source == "annotation":
        return first_seen([incidence_on(raster, box) for raster in swaths_of(scene.layers[copolar(scene.layers)])])
    return None


def _layer_angle(layer: RasterLayer, box: GeoBox) -> Piece | None:
    window = read_linear(layer, box)
    if window is None:
        return None
    real = (window.values > ANGLE_RANGE[0]) & (window.values < ANGLE_RANGE[1])
    return replace(window, values=np.where(real, window.values, np.float32(np.nan)))
