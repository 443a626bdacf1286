"""Windows of raster files on their own grid."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.windows import Window, from_bounds
from rasterio.windows import transform as window_transform

from catalogs.lonlat import TURN
from catalogs.opening import with_raster
from catalogs.records import RasterLayer
from harmonization.optical.reflectance import reflectance_from_dn
from pipeline.errors import PipelineError
from pipeline.swath import SwathWindow, coarse_look, in_radar_geometry, read_swath

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


Piece = NativeWindow | SwathWindow
"""A piece of one band on the file's own grid, map-projected or in radar geometry."""


def read_window(layer: RasterLayer, target: GeoBox, height: NDArray[np.float32] | None = None) -> Piece | None:
    """The file values that cover a GeoBox, with a margin; None where they do not overlap.

    NaN is every value the record, or the file's own header, calls nodata. `height`: (y, x) metres of the ground above
    the ellipsoid, NaN where unknown, by which a raster in radar geometry is placed more exactly. PipelineError names
    a file that is gone, of a refused kind, or has no georeference.
    """

    def read(source: rasterio.DatasetReader) -> Piece | None:
        if in_radar_geometry(layer, source):
            swath = read_swath(layer, source, target, height)
            return swath and replace(swath, values=_without_nodata(swath.values, layer, source))
        window = _window(_projected(source), target)
        if window is None:
            return None
        values = _values(source, layer.band, window).astype(np.float32)
        box = GeoBox(values.shape, window_transform(window, _placed(source, layer)), source.crs)
        return NativeWindow(_without_nodata(values, layer, source), box, _pixel_metres(source))

    return with_raster(layer, read)


def read_linear(layer: RasterLayer, target: GeoBox) -> Piece | None:
    """The same as physical values, scale·DN + offset: reflectance, degrees, metres, days."""
    window = read_window(layer, target)
    return window and replace(window, values=reflectance_from_dn(window.values, layer.scale, layer.offset))


def _placed(source: rasterio.DatasetReader, layer: RasterLayer) -> Affine:
    """The file's transform, moved where its header is known to be off."""
    a, b, c, d, e, f = tuple(source.transform)[:6]
    columns, rows = layer.shift
    return Affine(a, b, c + a * columns + b * rows, d, e, f + d * columns + e * rows)


def seen_share(layer: RasterLayer, target: GeoBox) -> float:
    """Share of a GeoBox in which a layer holds data, from a coarse look at it; zero counts as fill."""

    def look(source: rasterio.DatasetReader) -> float:
        if in_radar_geometry(layer, source):
            seen = _without_nodata(coarse_look(layer, source, target, COARSE), layer, source)
            return float((np.isfinite(seen) & (seen != 0)).mean())
        window = _window(_projected(source), target)
        if window is None:
            return 0.0
        values = _values(source, layer.band, window, COARSE).astype(np.float32)
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
        pixel = box.center_pixel
        to_middle = 3.0 - pixel.affine.c  # the size is the same at every longitude, and some lie on the antimeridian
        box = GeoBox(pixel.shape, Affine.translation(to_middle, 0.0) * pixel.affine, pixel.crs).to_crs("utm")
    return float(box.resolution.map(abs).x)


def _projected(source: rasterio.DatasetReader) -> rasterio.DatasetReader:
    if source.crs is None:
        name = source.name.partition("?")[0]  # what follows may be a signature
        raise PipelineError(f"{name}: has no coordinate system and no tie points; set one (gdal_edit -a_srs)")
    return source


def _without_nodata(
    values: NDArray[np.float32], layer: RasterLayer, source: rasterio.DatasetReader
) -> NDArray[np.float32]:
    for nodata in (*layer.nodata, source.nodatavals[layer.band - 1]):
        if nodata is not None and not np.isnan(nodata):
            values[values == np.float32(nodata)] = np.nan
    return values


def _values(source: rasterio.DatasetReader, band: int, window: Window, coarse: int | None = None) -> NDArray[Any]:
    """A window of a band, in so many pixels a side if told; where it runs over the end of a file round the globe, in
    two pieces and whole."""
    past = window.col_off + window.width - source.width
    if past <= 0:
        return np.asarray(source.read(band, window=window, out_shape=coarse and (coarse, coarse)))
    first = Window(window.col_off, window.row_off, window.width - past, window.height)
    rest = Window(0, window.row_off, past, window.height)
    return np.concatenate([source.read(band, window=first), source.read(band, window=rest)], axis=1)


def _window(source: rasterio.DatasetReader, target: GeoBox) -> Window | None:
    """The whole pixels of a file that a GeoBox touches, a margin wider; None where they do not meet.

    A file round the globe goes on where it begins: there a window may run beyond the last column.
    """
    exact = _exact_window(source, target)
    left, right = int(np.floor(exact.col_off)) - MARGIN, int(np.ceil(exact.col_off + exact.width)) + MARGIN
    top = max(int(np.floor(exact.row_off)) - MARGIN, 0)
    bottom = min(int(np.ceil(exact.row_off + exact.height)) + MARGIN, source.height)
    if _round_the_globe(source) and right - left <= source.width:
        left, right = left % source.width, left % source.width + right - left
    else:
        left, right = max(left, 0), min(right, source.width)
    if right <= left or bottom <= top:
        return None
    return Window(left, top, right - left, bottom - top)


def _exact_window(source: rasterio.DatasetReader, target: GeoBox) -> Window:
    """Where a GeoBox lies in a file's pixels, in fractions, within the file or beyond it."""
    extent = target.extent.segmented(target.resolution.map(abs).x * 64).to_crs(source.crs)
    x, y = shapely.get_coordinates(extent.geom).T
    if source.crs.is_geographic:
        x = _near(np.unwrap(x, period=TURN), source)
    return from_bounds(x.min(), y.min(), x.max(), y.max(), transform=source.transform)


def _near(longitudes: NDArray[np.float64], source: rasterio.DatasetReader) -> NDArray[np.float64]:
    """The same longitudes counted so that they lie on the file's side of the antimeridian."""
    middle: float = source.transform.c + source.transform.a * source.width / 2
    turns = round((middle - float(longitudes.min() + longitudes.max()) / 2) / TURN)
    return longitudes + TURN * turns


def _round_the_globe(source: rasterio.DatasetReader) -> bool:
    pixel = abs(source.transform.a)
    return bool(source.crs.is_geographic and abs(source.width * pixel - TURN) < pixel / 2)
