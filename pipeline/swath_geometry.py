"""Where the samples of a raster in radar geometry lie, and where the pixels of a GeoBox lie in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import Geod, Transformer

from catalogs.formats.sentinel1 import SwathMetadata, check_shape, swath_metadata
from catalogs.records import RasterLayer
from harmonization.calibration import LookUpTable, look_up
from harmonization.geolocation import Geolocation, TiePoints, geolocation, terrain_shift
from pipeline.errors import PipelineError
from pipeline.grid import SNAP, lattice_origin

Real = NDArray[np.float64]
Values = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class SwathGeometry:
    """Where the samples of one raster lie."""

    geolocation: Geolocation
    shape: tuple[int, int]
    """Lines and pixels."""
    spacing: tuple[float, float]
    """Metres between lines and between pixels."""
    incidence: LookUpTable | None
    """Degrees on the ellipsoid; None where the file has tie points and no annotation."""

    @property
    def pixel(self) -> float:
        """Metres: side of a square as large as a sample."""
        return float(np.sqrt(self.spacing[0] * self.spacing[1]))


def swath_geometry(layer: RasterLayer, source: rasterio.DatasetReader) -> SwathGeometry:
    """Where the samples of an open raster lie: by its annotation, else by its own tie points (GCPs)."""
    if layer.swath is None:
        return _from_gcps(source)
    metadata = swath_metadata(layer)
    check_shape(layer, metadata, source.shape)
    return annotated_geometry(metadata)


@lru_cache(maxsize=64)
def annotated_geometry(metadata: SwathMetadata) -> SwathGeometry:
    """The geometry that an annotation describes."""
    annotation = metadata.annotation
    grid = annotation.grid
    line, pixel = np.meshgrid(grid.lines, grid.pixels, indexing="ij")
    shift = terrain_shift(grid.height, grid.incidence)
    points = TiePoints(*(table.ravel() for table in (line, pixel, grid.longitude, grid.latitude, shift)))
    return SwathGeometry(
        geolocation=geolocation(points),
        shape=annotation.shape,
        spacing=(annotation.azimuth_spacing, annotation.range_spacing),
        incidence=LookUpTable(grid.lines, grid.pixels, grid.incidence),
    )


def _from_gcps(source: rasterio.DatasetReader) -> SwathGeometry:
    """The geometry of a raster's own GCPs; they count from the corner of the first sample, not from its middle."""
    gcps, crs = source.gcps
    if crs is None:
        raise PipelineError(f"{source.name}: its tie points have no coordinate system; set it (gdal_edit -a_srs)")
    line, pixel = (np.array([getattr(gcp, name) for gcp in gcps]) for name in ("row", "col"))
    x, y = (np.array([getattr(gcp, name) for gcp in gcps]) for name in ("x", "y"))
    longitude, latitude = Transformer.from_crs(crs.to_wkt(), 4326, always_xy=True).transform(x, y)
    try:
        found = geolocation(TiePoints(line - 0.5, pixel - 0.5, longitude, latitude, np.zeros(line.shape)))
    except ValueError as problem:
        raise PipelineError(f"{source.name}: {problem}; its tie points cannot place it") from problem
    return SwathGeometry(found, source.shape, _spacing(line, pixel, longitude, latitude), None)


def _spacing(line: Real, pixel: Real, longitude: Real, latitude: Real) -> tuple[float, float]:
    """Metres between lines and between pixels, from pairs of tie points of one pixel or line (median)."""
    geodesic = Geod(ellps="WGS84")
    found = []
    for along, across in ((line, pixel), (pixel, line)):
        order = np.lexsort((along, across))
        step, same = np.diff(along[order]), np.diff(across[order]) == 0
        lon, lat = longitude[order], latitude[order]
        metres = geodesic.inv(lon[:-1], lat[:-1], lon[1:], lat[1:])[2]
        pairs = same & (step > 0)
        found.append(float(np.median(metres[pairs] / step[pairs])) if pairs.any() else np.nan)
    known = [value for value in found if np.isfinite(value)]
    if not known:  # scattered tie points: the mean size of a sample over the whole image
        area = abs(geodesic.polygon_area_perimeter(longitude, latitude)[0])
        known = [float(np.sqrt(max(area, 1.0) / max(np.ptp(line) * np.ptp(pixel), 1.0)))]
    return (found[0] if np.isfinite(found[0]) else known[0], found[1] if np.isfinite(found[1]) else known[0])


def positions(
    geometry: SwathGeometry, target: GeoBox, points: int = 1, height: Values | None = None
) -> tuple[Real, Real]:
    """Line and pixel of the points of a GeoBox, `points` a side of each pixel: (y·points, x·points).

    The spline is asked at the nodes of the lattice, every `SNAP` pixels, and linear in between: units share nodes, so
    they agree. Between nodes of 160 m the spline of a real product bends by less than 0.01 of a sample.
    """
    line, pixel, shift = _at_nodes(geometry, target, points)
    if height is None or geometry.incidence is None:
        return line, pixel
    ground = np.repeat(np.repeat(height.astype(np.float64), points, axis=0), points, axis=1)
    moved = terrain_shift(ground, look_up(geometry.incidence, line, pixel)) - shift
    return line, pixel - np.where(np.isfinite(moved), moved, 0.0) / geometry.spacing[1]


def _at_nodes(geometry: SwathGeometry, target: GeoBox, points: int) -> tuple[Real, Real, Real]:
    """Line, pixel and shift of every point, interpolated between the nodes of the lattice."""
    return on_lattice(target, points, geometry.geolocation.locate)  # type: ignore[return-value]


def on_lattice(target: GeoBox, points: int, at: Callable[[Real, Real], tuple[Real, ...]]) -> tuple[Real, ...]:
    """Tables of what `at` says of longitudes and latitudes, asked at the nodes of the lattice and linear in between:
    (y·points, x·points) each."""
    origin = lattice_origin(target)
    spans = [_nodes(start, length) for start, length in zip(origin, target.shape.yx, strict=True)]
    rows, columns = np.meshgrid(*spans, indexing="ij")
    x, y = target.affine.c + columns * target.affine.a, target.affine.f + rows * target.affine.e
    longitude, latitude = Transformer.from_crs(str(target.crs), 4326, always_xy=True).transform(x, y)
    found = at(np.asarray(longitude), np.asarray(latitude))
    (row, down), (column, across) = (
        _between(start, length, points) for start, length in zip(origin, target.shape.yx, strict=True)
    )
    return tuple(_linear(_linear(table, row, down[:, None]).T, column, across[:, None]).T for table in found)


def _nodes(start: int, length: int) -> Real:
    """Offsets of the nodes from a box's own corner, in its pixels: from before its first to beyond its last."""
    first = start // SNAP * SNAP
    return np.arange(first - start, length + SNAP, SNAP, dtype=np.float64)


def _between(start: int, length: int, points: int) -> tuple[NDArray[np.int64], Real]:
    """For every point of one axis, the node before it and the share of the way to the next; in whole numbers first,
    so that the share does not depend on where the box begins."""
    place = np.arange(length * points) + start % SNAP * points
    return place // (SNAP * points), (place % (SNAP * points) + 0.5) / (SNAP * points)


def _linear(table: Real, index: NDArray[np.int64], share: Real) -> Real:
    return np.asarray(table[index] + share * (table[index + 1] - table[index]))


def within(geometry: SwathGeometry, line: Real, pixel: Real) -> tuple[Real, Real]:
    """Positions, NaN where they lie outside of every sample of the file."""
    lines, pixels = geometry.shape
    inside = (line >= -0.5) & (line < lines - 0.5) & (pixel >= -0.5) & (pixel < pixels - 0.5)
    return np.where(inside, line, np.nan), np.where(inside, pixel, np.nan)
