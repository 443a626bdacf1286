"""From a native grid onto the unit's GeoBox: power is averaged, masks take the nearest value."""

from __future__ import annotations

from typing import Literal

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo import CRS
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling
from rasterio.io import MemoryFile
from rasterio.vrt import WarpedVRT
from rasterio.warp import reproject

from catalogs.lonlat import HALF_TURN, TURN
from pipeline.read import NativeWindow, Piece
from pipeline.swath import SwathWindow, place

Kind = Literal["continuous", "mask", "classes"]


EXACT = 1e-12
"""Error in pixels allowed to the transform: GDAL approximates by rows otherwise, and neighbouring units differ."""


def align(window: Piece | None, target: GeoBox, kind: Kind) -> NDArray[np.float32]:
    """(y, x) on the target; NaN where the source has nothing.

    Continuous values (linear power, reflectance, angle) are averaged where the target is coarser than the source and
    interpolated linearly where it is finer; masks take the nearest; classes the nearest, or the commonest where the
    target is coarser. Never call it with DN or dB. Transform and kernel
    do not depend on the window, so a pixel does not depend on the unit that it is read through: the same bytes from a
    grid of the same zone, the same to the last bits from another. A window in radar geometry knows its target already.
    """
    if window is None:
        return np.full(target.shape.yx, np.nan, dtype=np.float32)
    if isinstance(window, SwathWindow):
        return place(window, "continuous" if kind == "continuous" else "mask")
    resampling = _resampling(window, target, kind)
    if window.box.crs == target.crs:
        return _same_zone(window, target, resampling)
    return _other_zone(window, target, resampling)


def _same_zone(window: NativeWindow, target: GeoBox, resampling: Resampling) -> NDArray[np.float32]:
    result = np.full(target.shape.yx, np.nan, dtype=np.float32)
    crs = str(target.crs)
    source = {"src_transform": window.box.affine, "src_crs": crs, "src_nodata": np.nan}
    wanted = {"dst_transform": target.affine, "dst_crs": crs, "dst_nodata": np.nan}
    reproject(window.values, result, **source, **wanted, resampling=resampling)
    return result


def _other_zone(window: NativeWindow, target: GeoBox, resampling: Resampling) -> NDArray[np.float32]:
    """Through a virtual warp, which takes the tolerance that rasterio 1.4's `reproject` ignores (issue 3324)."""
    rows, columns = window.values.shape
    place, zone = _clear_of_the_antimeridian(window.box, target.crs)
    profile = {"driver": "GTiff", "count": 1, "dtype": "float32", "nodata": np.nan, "height": rows, "width": columns}
    height, width = target.shape.yx
    options = {"XSCALE": 1, "YSCALE": 1} if resampling == Resampling.bilinear else {}
    with MemoryFile() as memory:
        with memory.open(**profile, crs=str(window.box.crs), transform=place) as draft:
            draft.write(window.values, 1)
        with (
            memory.open() as source,
            WarpedVRT(
                source,
                crs=zone,
                transform=target.affine,
                height=height,
                width=width,
                resampling=resampling,
                tolerance=EXACT,
                **options,
            ) as warped,
        ):
            return np.asarray(warped.read(1), dtype=np.float32)


def _clear_of_the_antimeridian(source: GeoBox, target: CRS | None) -> tuple[Affine, str]:
    """Where the source lies and the zone of the target, told so that no longitude jumps between them.

    Longitudes of the source are counted toward the zone. Where the zone touches the antimeridian, both are turned by
    half the globe, which moves no pixel against another: UTM zones are alike, thirty of them are 180°.
    """
    code = None if target is None else target.to_epsg()
    if source.crs is None or not source.crs.geographic or code is None or code // 100 not in (326, 327):
        return source.affine, str(target)
    zone, turn = code % 100, 0.0
    if zone in (1, 60) and source.crs.to_epsg() == 4326:
        zone, turn = (zone + 29) % 60 + 1, HALF_TURN
    middle = source.affine.c + source.affine.a * source.shape.x / 2 - turn
    turn += TURN * np.round((middle - (zone * 6.0 - 183.0)) / TURN)
    return Affine.translation(-turn, 0.0) * source.affine, f"EPSG:{code // 100 * 100 + zone}"


def _resampling(window: NativeWindow, target: GeoBox, kind: Kind) -> Resampling:
    coarser = target.resolution.map(abs).x > 1.2 * window.pixel
    if kind == "continuous":
        return Resampling.average if coarser else Resampling.bilinear
    return Resampling.mode if coarser and kind == "classes" else Resampling.nearest
