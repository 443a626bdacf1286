"""Longitudes that meet at ±180°: geometries cut there and joined again, and boxes around them (RFC 7946, 3.1.9)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import antimeridian
import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.affinity import translate
from shapely.geometry.base import BaseGeometry

Span = tuple[float, float]
"""West and east; the east end is the larger number, beyond 180 where the span crosses the antimeridian."""
HALF_TURN = 180.0
TURN = 360.0


def longitudes(ring: BaseGeometry) -> NDArray[np.float64]:
    """A ring's longitudes as they run on: a step of more than half a turn was one across the antimeridian."""
    return np.unwrap(shapely.get_coordinates(ring)[:, 0], period=TURN)


def cut(geometry: BaseGeometry) -> BaseGeometry:
    """Polygons within [-180, 180], in two where they cross the antimeridian; a polygon that does not is kept as it is.

    A ring crosses where its longitudes jump by more than 180°, or where they run beyond ±180.
    """
    parts = shapely.get_parts(geometry)
    if not any(_crosses(part) for part in parts):
        return geometry
    return merged(_cut(part) if _crosses(part) else part for part in parts)


def merged(geometries: Iterable[BaseGeometry]) -> BaseGeometry:
    """The union of the polygons among some geometries, made valid; empty where there are none with an area."""
    parts = shapely.get_parts(shapely.make_valid(list(geometries)))
    while any(part.geom_type == "GeometryCollection" for part in parts):
        parts = shapely.get_parts(parts)
    union: BaseGeometry = shapely.union_all([part for part in shapely.get_parts(parts) if part.area > 0])
    return union


def joined(geometry: BaseGeometry) -> BaseGeometry:
    """The same ground with longitudes that run on, beyond 180 where they must, so that nothing lies a turn apart."""
    parts = shapely.get_parts(geometry)
    west, _ = stretch([(part.bounds[0], part.bounds[2]) for part in parts])
    if all(part.bounds[0] >= west for part in parts):
        return geometry
    return shapely.union_all([translate(part, TURN) if part.bounds[0] < west else part for part in parts])


def stretch(spans: Sequence[Span]) -> Span:
    """The shortest stretch of the circle that holds all spans: west in [-180, 180), east possibly beyond 180."""
    pieces: list[Span] = []
    for west, east in sorted(piece for span in spans for piece in _pieces(span)):
        if pieces and west <= pieces[-1][1]:
            pieces[-1] = (pieces[-1][0], max(pieces[-1][1], east))
        else:
            pieces.append((west, east))
    following = [*pieces[1:], (pieces[0][0] + TURN, 0.0)]
    gaps = [after[0] - before[1] for before, after in zip(pieces, following, strict=True)]
    last = len(gaps) - 1 - int(np.argmax(gaps[::-1]))  # of gaps as wide as each other, the one at the antimeridian
    west, east = pieces[(last + 1) % len(pieces)][0], pieces[last][1]
    return west, east if east >= west else east + TURN


def bbox(geometry: BaseGeometry) -> list[float]:
    """West, south, east, north around a geometry cut at ±180; west > east where it crosses (RFC 7946, section 5.2)."""
    parts = [part for part in shapely.get_parts(geometry) if not part.is_empty]
    return bbox_around([list(part.bounds) for part in parts])


def bbox_around(boxes: Sequence[Sequence[float]]) -> list[float]:
    """The box around some boxes; west > east is a box across the antimeridian, in and out."""
    west, east = stretch([(box[0], box[2] if box[2] >= box[0] else box[2] + TURN) for box in boxes])
    return [west, min(box[1] for box in boxes), east if east <= HALF_TURN else east - TURN, max(b[3] for b in boxes)]


def _pieces(span: Span) -> list[Span]:
    """A span within [-180, 180], in two where it crosses."""
    west, east = span
    if east - west >= TURN:
        return [(-HALF_TURN, HALF_TURN)]
    turns = float(np.floor((west + HALF_TURN) / TURN)) * TURN
    west, east = west - turns, east - turns
    return [(west, east)] if east <= HALF_TURN else [(west, HALF_TURN), (-HALF_TURN, east - TURN)]


def _crosses(polygon: BaseGeometry) -> bool:
    west, _, east, _ = polygon.bounds
    if west < -HALF_TURN or east > HALF_TURN:
        return True
    rings = [polygon.exterior, *polygon.interiors] if east - west > HALF_TURN else []
    return any(np.abs(np.diff(shapely.get_coordinates(ring)[:, 0])).max() > HALF_TURN for ring in rings)


def _cut(polygon: BaseGeometry) -> BaseGeometry:
    flat = shapely.force_2d(polygon)
    return merged([antimeridian.fix_polygon(flat, fix_winding=True, great_circle=False)])
