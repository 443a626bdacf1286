"""From a native grid onto the unit's GeoBox: power is averaged, masks take the nearest value."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling
from rasterio.warp import reproject

from pipeline.read import NativeWindow

Kind = Literal["continuous", "mask"]


def align(window: NativeWindow | None, target: GeoBox, kind: Kind) -> NDArray[np.float32]:
    """(y, x) on the target; NaN where the source has nothing.

    Continuous values (linear power, reflectance, angle) are averaged where the target is coarser than the source and
    interpolated linearly where it is finer; masks take the nearest. Never call it with DN or dB. The transform is
    exact (no approximation by rows), so a pixel does not depend on the unit that it lies in.
    """
    result = np.full(target.shape.yx, np.nan, dtype=np.float32)
    if window is None:
        return result
    reproject(
        window.values,
        result,
        src_transform=window.box.affine,
        src_crs=str(window.box.crs),
        src_nodata=np.nan,
        dst_transform=target.affine,
        dst_crs=str(target.crs),
        dst_nodata=np.nan,
        resampling=Resampling.nearest if kind == "mask" else _resampling(window.box, target),
        tolerance=0.0,
    )
    return result


def _resampling(source: GeoBox, target: GeoBox) -> Resampling:
    coarser = target.resolution.map(abs).x > 1.2 * native_pixel(source, target)
    return Resampling.average if coarser else Resampling.bilinear


def native_pixel(source: GeoBox, target: GeoBox) -> float:
    """Width of a source pixel in units of the target's CRS, near the middle of the source."""
    if source.crs == target.crs:
        return float(source.resolution.map(abs).x)
    here = source.center_pixel.to_crs(str(target.crs))
    return float(here.resolution.map(abs).x)
