"""Rasters in radar geometry: a window of lines and pixels, and where the pixels of a GeoBox lie in it.

The second path beside `pipeline.align`: the same bundle comes out of both.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from catalogs.formats.sentinel1 import swath_metadata
from catalogs.records import RasterLayer
from harmonization.calibration import believed_noise, calibrate, look_up, noise_equivalent
from pipeline.swath_border import border_in
from pipeline.swath_geometry import SwathGeometry, annotated_geometry, positions, swath_geometry, within
from pipeline.swath_tables import tables_of

Real = NDArray[np.float64]
Values = NDArray[np.float32]

COARSER = 1.2
"""Ratio of target to native pixel from which a target pixel averages several samples, as in `pipeline.align`."""
MOST_POINTS = 8
"""Points a side by which a target pixel is averaged at most."""
LEAST_WEIGHT = 0.25
"""Share of an interpolated value that observed samples must make up: at a border, one of four neighbours."""


@dataclass(frozen=True, eq=False)
class SwathWindow:
    """A piece of one band in lines and pixels, and the points of the target in it."""

    values: Values
    """(lines, pixels) file values; NaN where nodata."""
    first: tuple[int, int]
    """Line and pixel of the upper-left sample in the file."""
    line: Real
    """(y·n, x·n) line of every point of the target, n points a side of each of its pixels; NaN outside the file."""
    column: Real
    """Likewise its pixel."""
    points: int
    """n: 1 where the target is about as fine as the file."""
    geometry: SwathGeometry
    border: NDArray[np.bool_] | None = None
    """(lines, pixels) samples of border noise, NaN in `values`; None where the product has none."""

    @property
    def pixel(self) -> float:
        """Width of a sample in metres, of the whole file, so that every unit takes the same."""
        return self.geometry.pixel


def in_radar_geometry(layer: RasterLayer, source: rasterio.DatasetReader) -> bool:
    """Whether a raster is to be placed by tie points: it has them and no coordinate system, or the record says so."""
    return layer.swath is not None or (source.crs is None and bool(source.gcps[0]))


def read_swath(
    layer: RasterLayer, source: rasterio.DatasetReader, target: GeoBox, height: Values | None = None
) -> SwathWindow | None:
    """The samples of a raster that a GeoBox needs, as the file holds them; None where they do not meet.

    `height`: (y, x) metres of the ground on the target, above the same surface as the heights of the tie points (the
    ellipsoid); where it is known, samples are looked for where the terrain has moved them. Raises `ReadError` or
    PipelineError, which name the file.
    """
    geometry = swath_geometry(layer, source)
    ratio = target.resolution.map(abs).x / geometry.pixel
    points = min(int(np.ceil(ratio)), MOST_POINTS) if ratio > COARSER else 1
    line, column = within(geometry, *positions(geometry, target, points, height))
    if not np.isfinite(line).any():
        return None
    top, bottom = int(np.floor(np.nanmin(line))), int(np.floor(np.nanmax(line))) + 2
    left, right = int(np.floor(np.nanmin(column))), int(np.floor(np.nanmax(column))) + 2
    top, left = max(top, 0), max(left, 0)
    bottom, right = min(bottom, geometry.shape[0]), min(right, geometry.shape[1])
    values = source.read(layer.band, window=Window(left, top, right - left, bottom - top)).astype(np.float32)
    border = border_in(layer, source, ((top, bottom), (left, right)))
    if border is not None:
        border &= values != 0  # fill is outside of the swath
        values[border] = np.nan
    return SwathWindow(values, (top, left), line, column, points, geometry, border)


def place(window: SwathWindow, kind: Literal["continuous", "mask"]) -> Values:
    """(y, x) on the target: values interpolated linearly, or averaged where the target is coarser; masks nearest.

    NaN samples lend nothing to their neighbours' values, and a point with too little else is NaN. A point's value
    depends on its place in the file alone, so neighbouring units agree to the byte.
    """
    if kind == "mask":
        middle = window.points // 2
        line, column = (axis[middle :: window.points, middle :: window.points] for axis in (window.line, window.column))
        return _nearest(window, line, column)
    points = _bilinear(window)
    if window.points == 1:
        return points.astype(np.float32)
    rows, columns = (side // window.points for side in points.shape)
    cells = points.reshape(rows, window.points, columns, window.points)
    seen = np.isfinite(cells)
    count = seen.sum(axis=(1, 3))
    total = np.where(seen, cells, 0.0).sum(axis=(1, 3))
    enough = count * 2 >= window.points**2
    return np.where(enough, total / np.maximum(count, 1), np.nan).astype(np.float32)


def border_on(window: SwathWindow) -> NDArray[np.bool_]:
    """(y, x) pixels of the target whose nearest sample is border noise."""
    if window.border is None:
        return np.zeros([side // window.points for side in window.line.shape], dtype=np.bool_)
    return np.asarray(place(replace(window, values=window.border.astype(np.float32)), "mask") == 1.0)


def calibrated(layer: RasterLayer, window: SwathWindow) -> Values:
    """gamma0 of the ellipsoid in linear power on the native grid, noise included: DN²/A² by the `gamma` table."""
    return calibrate(window.values, tables_of(swath_metadata(layer)).gamma, window.first)


def incidence_on(layer: RasterLayer, target: GeoBox) -> Values:
    """(y, x) incidence angle on the ellipsoid in degrees, from the annotation; NaN outside the file."""
    geometry = annotated_geometry(swath_metadata(layer))
    line, column = within(geometry, *positions(geometry, target))
    assert geometry.incidence is not None
    return look_up(geometry.incidence, line, column).astype(np.float32)


def noise_on(layer: RasterLayer, target: GeoBox, height: Values | None = None) -> Real:
    """(y, x) noise-equivalent gamma0 of the ellipsoid, linear; NaN outside the file and where the product has none.

    `height`: as of `read_swath`, so that the noise lies where the samples do.
    """
    metadata = swath_metadata(layer)
    geometry = annotated_geometry(metadata)
    line, column = within(geometry, *positions(geometry, target, height=height))
    tables = tables_of(metadata)
    if tables.noise is None:
        return np.full(line.shape, np.nan)
    return believed_noise(noise_equivalent(tables.noise, tables.blocks, tables.gamma, line, column))


def coarse_look(layer: RasterLayer, source: rasterio.DatasetReader, target: GeoBox, side: int) -> Values:
    """File values at `side` × `side` points spread over a GeoBox, read coarsely; NaN outside of the file."""
    geometry = swath_geometry(layer, source)
    rows, columns = (np.linspace(0, length - 1, side).round().astype(int) for length in target.shape.yx)
    line, column = (axis[np.ix_(rows, columns)] for axis in within(geometry, *positions(geometry, target)))
    inside = np.isfinite(line)
    values = np.full(line.shape, np.nan, dtype=np.float32)
    if inside.any():
        top, left = (int(np.nanmin(axis).round()) for axis in (line, column))
        bottom, right = (int(np.nanmax(axis).round()) + 1 for axis in (line, column))
        window = Window(left, top, right - left, bottom - top)
        shape = min(side, bottom - top), min(side, right - left)
        coarse = source.read(layer.band, window=window, out_shape=shape).astype(np.float32)
        row = ((line[inside].round() - top) * shape[0] // (bottom - top)).astype(int)
        place = ((column[inside].round() - left) * shape[1] // (right - left)).astype(int)
        values[inside] = coarse[row, place]
    return values


def _bilinear(window: SwathWindow) -> Real:
    """Values at the points of a window: the observed ones of the four samples around each, by their weight."""
    inside = np.isfinite(window.line)
    line, column = np.where(inside, window.line, 0.0), np.where(inside, window.column, 0.0)
    top, left = np.floor(line), np.floor(column)
    total, weight = np.zeros(line.shape), np.zeros(line.shape)
    for down in (0, 1):
        for across in (0, 1):
            share = np.abs(1 - down - (line - top)) * np.abs(1 - across - (column - left))
            values = _samples(window, top + down, left + across)
            seen = np.isfinite(values)
            total += np.where(seen, values * share, 0.0)
            weight += np.where(seen, share, 0.0)
    enough = inside & (weight >= LEAST_WEIGHT)
    return np.where(enough, total / np.where(enough, weight, 1.0), np.nan)


def _nearest(window: SwathWindow, line: Real, column: Real) -> Values:
    inside = np.isfinite(line)
    found = _samples(window, np.floor(np.where(inside, line, 0.0) + 0.5), np.floor(np.where(inside, column, 0.0) + 0.5))
    return np.where(inside, found, np.nan).astype(np.float32)


def _samples(window: SwathWindow, line: Real, column: Real) -> Real:
    """Samples by line and pixel of the file; NaN outside of the window."""
    row, place = line.astype(np.int64) - window.first[0], column.astype(np.int64) - window.first[1]
    rows, columns = window.values.shape
    there = (row >= 0) & (row < rows) & (place >= 0) & (place < columns)
    values = window.values[np.clip(row, 0, rows - 1), np.clip(place, 0, columns - 1)]
    return np.where(there, values, np.nan).astype(np.float64)
