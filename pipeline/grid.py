"""The one grid: an area becomes GeoBoxes of a fixed UTM lattice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from odc.geo import CRS
from odc.geo.geobox import GeoBox
from odc.geo.geom import Geometry
from pyproj import Transformer
from rasterio.features import rasterize
from shapely.affinity import translate
from shapely.geometry.base import BaseGeometry

from catalogs.lonlat import TURN, cut, joined, merged

Span = tuple[float, float]
"""First and one past the last row or column of the lattice."""
SNAP = 16
"""Units begin and end on multiples of so many pixels of the lattice: the strides of every network divide it."""

SLACK = 1e-3
"""Snaps that an outline may miss by: degrees rounded to centimetres must not add a strip of pixels."""


ZONE = 6.0
"""Degrees of longitude of a UTM zone; an area so wide is mapped in one, wherever it lies."""
APART = 1.0
"""Degrees of longitude between parts of an area that may be mapped in different zones."""
LAP = 0.75
"""Pixels by which the parts of an area reach over a meridian between zones: more than half a pixel's diagonal, so that
every point of the ground lies in a pixel whose middle belongs to one of the two."""
TRIFLE = 1e-6
"""Degrees (a tenth of a metre) by which an area may reach into a zone, or be wider than one, without a part there."""
METRES = 111_000.0
"""A little less than a degree of longitude at the equator."""
HIGHEST = 85
"""Degrees of latitude that zones reach at least."""


def utm_crs(area: BaseGeometry) -> CRS:
    """The UTM zone (WGS 84) of the middle of an area in longitude and latitude."""
    middle = joined(area).centroid
    return _zone(int((middle.x + 180.0) // ZONE), middle.y)


def _zone(index: int, latitude: float) -> CRS:
    """The zone so many zones east of the antimeridian, and further round; northern or southern by a latitude."""
    return CRS(f"EPSG:{(32600 if latitude >= 0 else 32700) + index % 60 + 1}")


def project(area: BaseGeometry, crs: CRS | None) -> BaseGeometry:
    """An area in longitude and latitude as metres of a CRS, its edges densified to about a kilometre.

    Parts that meet at the antimeridian are one again.
    """
    transformer = _transformer("EPSG:4326", str(crs))
    return shapely.transform(shapely.segmentize(joined(area), 0.01), transformer.transform, interleaved=False)


@lru_cache(maxsize=32)
def _transformer(source: str, target: str) -> Transformer:
    return Transformer.from_crs(source, target, always_xy=True)


@lru_cache(maxsize=8)
def zone_outlines(area: BaseGeometry, resolution: float) -> Mapping[CRS, BaseGeometry]:
    """By UTM zone, what of an area in longitude and latitude is mapped in it, in metres.

    Parts less than a degree of longitude apart stay together. Together at most 6° wide, they are mapped in the one zone
    of their middle; wider, they are cut at the meridians between zones, and each piece reaches `LAP` pixels over these.
    North or south is that of the middle in either case, so nothing is cut at the equator.
    """
    parts: dict[CRS, list[BaseGeometry]] = {}
    for group in _together(area):
        west, _, east, _ = group.bounds
        if east - west <= ZONE + TRIFLE:
            parts.setdefault(utm_crs(group), []).append(group)
        else:
            for crs, piece in _zone_pieces(group, LAP * resolution):
                parts.setdefault(crs, []).append(piece)
    return {crs: project(merged(pieces), crs) for crs, pieces in sorted(parts.items(), key=lambda pair: str(pair[0]))}


def _together(area: BaseGeometry) -> Iterator[BaseGeometry]:
    """Groups of parts with longitudes less than `APART` from one to the next, from west to east."""
    group: list[BaseGeometry] = []
    end = -np.inf
    for part in sorted(shapely.get_parts(joined(area)), key=lambda part: float(part.bounds[0])):
        if group and part.bounds[0] - end >= APART:
            yield merged(group)
            group = []
        group.append(part)
        end = max(end, part.bounds[2])
    yield merged(group)


def _zone_pieces(group: BaseGeometry, lap: float) -> Iterator[tuple[CRS, BaseGeometry]]:
    """A group cut at the meridians between zones, each piece with so many metres more."""
    west, _, east, _ = group.bounds
    latitude = group.centroid.y
    if east - west > TURN - ZONE:  # round the globe it is its own neighbour
        group = merged([group, translate(group, TURN), translate(group, -TURN)])
    first, last = np.floor((west + TRIFLE + 180.0) / ZONE), np.ceil((east - TRIFLE + 180.0) / ZONE)
    for index in range(int(first), int(last)):
        piece = merged([shapely.intersection(group, _strip(index, lap))])
        if not piece.is_empty:
            yield _zone(index, latitude), piece


def _strip(index: int, lap: float) -> BaseGeometry:
    """A zone from pole to pole, so many metres wider at every latitude."""
    latitudes = np.arange(-HIGHEST, HIGHEST + 1.0)
    over = lap / (METRES * np.cos(np.radians(latitudes)))
    west = index * ZONE - 180.0
    left, right = np.stack([west - over, latitudes], 1), np.stack([west + ZONE + over, latitudes], 1)
    return shapely.Polygon(np.concatenate([left, right[::-1]]))


def unit_boxes(area: BaseGeometry, resolution: float, tile: int) -> Iterator[tuple[str, GeoBox]]:
    """Name and GeoBox of every tile of the lattices that the area touches, cropped to its bounds in each zone.

    A lattice starts at (0, 0) of its UTM zone, so neighbouring jobs share pixels; `tile` in pixels, `resolution` in
    metres. Crops are snapped outward to `SNAP` pixels. For an area over several zones see `zone_outlines`.
    """
    for crs, outline in zone_outlines(area, resolution).items():
        yield from _zone_boxes(crs, outline, resolution, tile)


def _zone_boxes(crs: CRS, outline: BaseGeometry, resolution: float, tile: int) -> Iterator[tuple[str, GeoBox]]:
    west, south, east, north = outline.bounds
    step = resolution * SNAP
    left, right = np.floor(west / step + SLACK) * SNAP, np.ceil(east / step - SLACK) * SNAP
    # Rows count from the equator downward in pixels, so that they grow southward as rasters do.
    top, bottom = np.floor(-north / step + SLACK) * SNAP, np.ceil(-south / step - SLACK) * SNAP
    columns = np.arange(left // tile, (right - 1) // tile + 1, dtype=int)
    lefts, rights = np.maximum(left, columns * tile), np.minimum(right, (columns + 1) * tile)
    shapely.prepare(outline)
    for row in range(int(top // tile), int((bottom - 1) // tile) + 1):
        rows = max(top, row * tile), min(bottom, (row + 1) * tile)
        squares = shapely.box(lefts * resolution, -rows[1] * resolution, rights * resolution, -rows[0] * resolution)
        for place in np.flatnonzero(shapely.intersects(outline, squares)):
            box = lattice_box(crs, resolution, rows, (lefts[place], rights[place]))
            yield f"{crs.to_epsg()}_{columns[place]:+05d}_{row:+06d}", box


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
    """(y, x) True where the middle of a pixel lies in what of the area is mapped in the box's zone."""
    outlines = zone_outlines(area, box.resolution.map(abs).x)
    outline = None if box.crs is None else outlines.get(box.crs)
    if outline is None:
        return np.zeros(box.shape.yx, dtype=np.bool_)
    burnt = rasterize([(outline, 1)], out_shape=box.shape.yx, transform=box.affine, fill=0, dtype="uint8")
    return np.asarray(burnt == 1)


def outline_lonlat(box: GeoBox) -> Geometry:
    """The outline of a GeoBox in longitude and latitude, with points along its edges; cut where it crosses ±180."""
    extent = shapely.segmentize(box.extent.geom, max(box.resolution.map(abs).x * 64, 1e-9))
    return Geometry(cut(_lonlat(extent, str(box.crs))), "EPSG:4326")


def _lonlat(metres: BaseGeometry, crs: str) -> BaseGeometry:
    return shapely.transform(metres, _transformer(crs, "EPSG:4326").transform, interleaved=False)
