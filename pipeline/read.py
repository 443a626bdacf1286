"""Windows of raster files on their own grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.windows import Window, from_bounds
from rasterio.windows import transform as window_transform

from catalogs.opening import with_raster
from catalogs.records import RasterLayer
from pipeline.errors import PipelineError

MARGIN = 3
"""Native pixels read beyond the target, so that interpolation has its neighbours."""
COARSE = 16
"""Pixels a side of a coarse look."""


@dataclass(frozen=True, eq=False)
class NativeWindow:
    """A piece of one band on the file's own grid."""

    values: NDArray[np.float32]
    """(y, x) file values; NaN where nodata."""
    box: GeoBox
    pixel: float
    """Width of a pixel in metres at the middle of the whole file, so that every unit takes the same."""


def read_window(layer: RasterLayer, target: GeoBox) -> NativeWindow | None:
    """The file values that cover a GeoBox, with a margin; None where they do not overlap.

    NaN is every value the record, or the file's own header, calls nodata. PipelineError names a file that is gone,
    of a refused kind, or has no georeference.
    """

    def read(source: rasterio.DatasetReader) -> NativeWindow | None:
        window = _window(_projected(source), target)
        if window is None:
            return None
        values = source.read(layer.band, window=window).astype(np.float32)
        box = GeoBox(values.shape, window_transform(window, _placed(source, layer)), source.crs)
        return NativeWindow(_without_nodata(values, layer, source), box, _pixel_metres(source))

    return with_raster(layer, read)


def _placed(source: rasterio.DatasetReader, layer: RasterLayer) -> Affine:
    """The file's transform, moved where its header is known to be off."""
    a, b, c, d, e, f = tuple(source.transform)[:6]
    columns, rows = layer.shift
    return Affine(a, b, c + a * columns + b * rows, d, e, f + d * columns + e * rows)


def seen_share(layer: RasterLayer, target: GeoBox) -> float:
    """Share of a GeoBox in which a layer holds data, from a coarse look at it; zero counts as fill."""

    def look(source: rasterio.DatasetReader) -> float:
        window = _window(_projected(source), target)
        if window is None:
            return 0.0
        values = source.read(layer.band, window=window, out_shape=(COARSE, COARSE)).astype(np.float32)
        seen = _without_nodata(values, layer, source)
        inside = window.width * window.height / _touched(source, target)
        return float((np.isfinite(seen) & (seen != 0)).mean() * min(inside, 1.0))

    return with_raster(layer, look)


def _touched(source: rasterio.DatasetReader, target: GeoBox) -> float:
    """File pixels that a GeoBox would touch if the file went on for ever."""
    exact = _exact_window(source, target)
    return float(exact.width * exact.height)


def _pixel_metres(source: rasterio.DatasetReader) -> float:
    box = GeoBox((source.height, source.width), source.transform, source.crs)
    if box.crs is not None and box.crs.geographic:
        box = box.center_pixel.to_crs("utm")
    return float(box.resolution.map(abs).x)


def _projected(source: rasterio.DatasetReader) -> rasterio.DatasetReader:
    if source.crs is None:
        raise PipelineError(f"{source.name}: has no coordinate system; only map-projected files are read yet")
    return source


def _without_nodata(
    values: NDArray[np.float32], layer: RasterLayer, source: rasterio.DatasetReader
) -> NDArray[np.float32]:
    for nodata in (*layer.nodata, source.nodatavals[layer.band - 1]):
        if nodata is not None and not np.isnan(nodata):
            values[values == np.float32(nodata)] = np.nan
    return values


def _window(source: rasterio.DatasetReader, target: GeoBox) -> Window | None:
    """The whole pixels of a file that a GeoBox touches, a margin wider; None where they do not meet."""
    exact = _exact_window(source, target)
    left = max(int(np.floor(exact.col_off)) - MARGIN, 0)
    top = max(int(np.floor(exact.row_off)) - MARGIN, 0)
    right = min(int(np.ceil(exact.col_off + exact.width)) + MARGIN, source.width)
    bottom = min(int(np.ceil(exact.row_off + exact.height)) + MARGIN, source.height)
    if right <= left or bottom <= top:
        return None
    return Window(left, top, right - left, bottom - top)


def _exact_window(source: rasterio.DatasetReader, target: GeoBox) -> Window:
    """Where a GeoBox lies in a file's pixels, in fractions, within the file or beyond it."""
    box = target.extent.segmented(target.resolution.map(abs).x * 64).to_crs(source.crs).boundingbox
    return from_bounds(box.left, box.bottom, box.right, box.top, transform=source.transform)
