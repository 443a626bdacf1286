"""The noise floor of a radar acquisition on a GeoBox: of its own noise file by pixel, or one value for all."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from catalogs.records import Acquisition
from pipeline.mosaic import first_seen
from pipeline.swath import noise_on

Array = NDArray[np.float32]

DEFAULT_NOISE_DB = -28.0
"""Where neither product nor collection gives a noise floor [M]."""


def noise_of(
    scene: Acquisition, box: GeoBox, noise_db: Mapping[str, float], height: Array | None
) -> dict[str, Array | float]:
    """By polarization: (y, x) noise-equivalent power where a product describes it, else the scene's own value.

    Linear, in the quantity of the power. `noise_db`: of the prepare stage, by polarization; it also stands where a
    product that describes its noise leaves it open. `height`: as of `pipeline.swath.read_swath`.
    """
    return {name: _noise(scene, name, box, 10.0 ** (noise_db[name] / 10.0), height) for name in scene.polarizations}


def _noise(scene: Acquisition, name: str, box: GeoBox, level: float, height: Array | None) -> Array | float:
    rasters = [raster for raster in scene.layers[name] if raster.swath and raster.swath.noise]
    if not rasters:
        return float(level)
    found = first_seen([noise_on(raster, box, height).astype(np.float32) for raster in rasters])
    return np.where(np.isnan(found), np.float32(level), found)
