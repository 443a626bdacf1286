"""The one grid: an area becomes GeoBoxes of a fixed UTM lattice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from odc.geo import CRS
from odc.geo.geobox import GeoBox
from odc.geo.geom import Geometry
from pyproj import Transformer
from rasterio.features import rasterize
from shapely.geometry.base import BaseGeometry
from shapely.ops import transform as reshape

Span = tuple[float, float]
"""First and one past the last row or column of the lattice."""
SNAP = 16
"""Units begin and end on multiples of so many pixels of the lattice: the strides of every network divide it."""

SLACK = 1e-3
"""Snaps that an outline may miss by: degrees rounded to centimetres must not add a strip of pixels."""


def utm_crs(area: BaseGeometry) -> CRS:
    """The UTM zone (WGS 84) of the middle of an area in longitude and latitude."""
    middle = area.centroid
    zone = int((middle.x + 180.0) // 6.0) % 60 + 1
    return CRS(f"EPSG:{(32600 if middle.y >= 0 else 32700) + zone}")


def project(area: BaseGeometry, crs: CRS | None) -> BaseGeometry:
    """An area in longitude and latitude as metres of a CRS, its edges densified to about a kilometre."""
    transformer = Transformer.from_crs(4326, str(crs), always_xy=True)
    return reshape(transformer.transform, shapely.segmentize(area, 0.01))


def unit_boxes(area: BaseGeometry, resolution: float, tile: int) -> Iterator[tuple[str, GeoBox]]:
    """Name and GeoBox of every tile of the lattice that the area touches, cropped to the area's bounds.

    The lattice starts at (0, 0) of the UTM zone, so neighbouring jobs share pixels; `tile` in pixels, `resolution` in
    metres. Crops are snapped outward to `SNAP` pixels.
    """
    crs = utm_crs(area)
    outline = project(area, crs)
    west, south, east, north = outline.bounds
    step = resolution * SNAP
    left, right = np.floor(west / step + SLACK) * SNAP, np.ceil(east / step - SLACK) * SNAP
    # Rows count from the equator downward in pixels, so that they grow southward as rasters do.
    top, bottom = np.floor(-north / step + SLACK) * SNAP, np.ceil(-south / step - SLACK) * SNAP
    for row in range(int(top // tile), int((bottom - 1) // tile) + 1):
        for column in range(int(left // tile), int((right - 1) // tile) + 1):
            rows = max(top, row * tile), min(bottom, (row + 1) * tile)
            columns = max(left, column * tile), min(right, (column + 1) * tile)
            box = lattice_box(crs, resolution, rows, columns)
            if outline.intersects(shapely.box(*box.boundingbox.bbox)):
                yield f"{crs.to_epsg()}_{column:+05d}_{row:+06d}", box


def lattice_box(crs: CRS | None, resolution: float, rows: Span, columns: Span) -> GeoBox:
    """The GeoBox of half-open spans of rows and columns of a zone's lattice."""
    origin = Affine(resolution, 0.0, columns[0] * resolution, 0.0, -resolution, -rows[0] * resolution)
    return GeoBox((int(rows[1] - rows[0]), int(columns[1] - columns[0])), origin, crs)


def windows(boxes: Iterable[GeoBox], side: int) -> list[GeoBox]:
    """The lattice's own squares of `side` pixels that some boxes of one zone touch, cropped to these.

    However an area is cut into boxes, its windows are the same.
    """
    spans: dict[tuple[int, int], tuple[Span, Span]] = {}
    box = None
    for box in boxes:
        (top, left), (height, width) = lattice_origin(box), box.shape.yx
        for row in range(top // side, (top + height - 1) // side + 1):
            for column in range(left // side, (left + width - 1) // side + 1):
                rows = max(top, row * side), min(top + height, (row + 1) * side)
                columns = max(left, column * side), min(left + width, (column + 1) * side)
                known = spans.get((row, column), (rows, columns))
                spans[row, column] = _hull(known[0], rows), _hull(known[1], columns)
    if box is None:
        return []
    resolution = box.resolution.map(abs).x
    return [lattice_box(box.crs, resolution, *span) for _, span in sorted(spans.items())]


def _hull(first: Span, second: Span) -> Span:
    return min(first[0], second[0]), max(first[1], second[1])


def lattice_origin(box: GeoBox) -> tuple[int, int]:
    """Row and column of a GeoBox's upper-left pixel in the lattice of its zone."""
    affine = box.affine
    return round(affine.f / affine.e), round(affine.c / affine.a)


def inside(area: BaseGeometry, box: GeoBox) -> NDArray[np.bool_]:
    """(y, x) True where the middle of a pixel lies inside the area."""
    outline = project(area, box.crs)
    burnt = rasterize([(outline, 1)], out_shape=box.shape.yx, transform=box.affine, fill=0, dtype="uint8")
    return np.asarray(burnt == 1)


def outline_lonlat(box: GeoBox) -> Geometry:
    """The outline of a GeoBox in longitude and latitude, with points along its edges."""
    return box.extent.segmented(max(box.resolution.map(abs).x * 64, 1e-9)).to_crs("EPSG:4326")
