"""Heights that place a raster in radar geometry: an elevation model brought to the surface its tie points count from.

Tie points of Sentinel-1 are above the ellipsoid, elevation models mostly above the geoid (Copernicus DEM: EGM2008). The
two lie up to 100 m apart, which moves a sample by as much; so the difference is measured where both are known.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import rasterio
from numpy.typing import NDArray
from pyproj import Transformer

from catalogs.errors import ReadError
from catalogs.formats.sentinel1 import swath_metadata
from catalogs.hrefs import shown
from catalogs.opening import with_raster
from catalogs.records import RasterLayer

Real = NDArray[np.float64]

LEAST_SHARED = 6
"""Tie points with a known elevation from which the difference is believed."""
MOST_SCATTER = 25.0
"""Metres between tie points and elevation model after the difference is taken out (median): beyond, the tie points do
not lie on the terrain (before IPF 3 they lay on its mean), and nothing can be told."""


@lru_cache(maxsize=64)
def datum_offset(swaths: tuple[RasterLayer, ...], elevation: tuple[RasterLayer, ...]) -> float | None:
    """Metres to add to an elevation model so that it has the heights of the tie points; None where it cannot be told.

    The median over all tie points of all slices that lie on the model: the same for all units. `swaths`: rasters of
    one polarization. Raises `ReadError`.
    """
    grids = [swath_metadata(layer).annotation.grid for layer in swaths]
    longitude, latitude, height = (
        np.concatenate([getattr(grid, name).ravel() for grid in grids]) for name in ("longitude", "latitude", "height")
    )
    ground = np.full(height.shape, np.nan)
    for layer in elevation:
        ground = np.where(np.isnan(ground), _heights_at(layer, longitude, latitude), ground)
    apart = (height - ground)[np.isfinite(ground)]
    if apart.size < LEAST_SHARED:
        return None
    offset = float(np.median(apart))
    return offset if np.median(np.abs(apart - offset)) <= MOST_SCATTER else None


def _heights_at(layer: RasterLayer, longitude: Real, latitude: Real) -> Real:
    """Metres at places in degrees, of the nearest pixel; NaN where the raster says nothing."""

    def sample(source: rasterio.DatasetReader) -> Real:
        if source.crs is None:
            remedy = "Set one (gdal_edit -a_srs)."
            raise ReadError(f"elevation {shown(layer.href)}", "no coordinate system", "one", remedy)
        x, y = Transformer.from_crs(4326, source.crs.to_wkt(), always_xy=True).transform(longitude, latitude)
        column, row = (np.floor(axis) for axis in ~source.transform @ (np.asarray(x), np.asarray(y)))
        inside = (row >= 0) & (row < source.height) & (column >= 0) & (column < source.width)
        found = np.full(longitude.shape, np.nan)
        places = zip(np.asarray(x)[inside], np.asarray(y)[inside], strict=True)
        found[inside] = [value[0] for value in source.sample(places, indexes=layer.band)]
        for nodata in (*layer.nodata, source.nodatavals[layer.band - 1]):
            if nodata is not None:
                found[found == nodata] = np.nan
        return found * layer.scale + layer.offset

    return with_raster(layer, sample)


def swaths_of(rasters: Sequence[RasterLayer]) -> tuple[RasterLayer, ...]:
    """Those of a layer's rasters whose annotation places them."""
    return tuple(raster for raster in rasters if raster.swath)
