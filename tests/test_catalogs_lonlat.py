"""Longitudes at ±180°: cut, joined, and boxes around both."""

from __future__ import annotations

import pytest
import shapely
from shapely.geometry.base import BaseGeometry

from catalogs.lonlat import bbox, bbox_around, cut, joined, merged, stretch

ACROSS = shapely.box(179.0, 0.0, 181.0, 1.0)


@pytest.mark.parametrize(
    "geometry",
    [
        shapely.box(-180, 0, -170, 1),
        shapely.segmentize(shapely.box(-150, 0, 150, 1), 90.0),
        shapely.MultiPolygon([shapely.box(-180, 0, -60, 1), shapely.box(-60, 2, 60, 3), shapely.box(60, 0, 180, 1)]),
    ],
)
def test_what_does_not_cross_is_kept_as_it_is(geometry: BaseGeometry) -> None:
    assert cut(geometry) is geometry
    assert joined(geometry) is geometry


def test_cut_and_joined_are_each_others_way_back() -> None:
    halves = cut(ACROSS)
    assert [part.bounds for part in sorted(shapely.get_parts(halves), key=lambda part: part.bounds[0])] == [
        (-180.0, 0.0, -179.0, 1.0),
        (179.0, 0.0, 180.0, 1.0),
    ]
    assert joined(halves).geom_type == "Polygon"
    assert joined(halves).equals(ACROSS)


def test_ring_that_only_touches_the_line_from_the_west_is_one_polygon() -> None:
    """Written with -180 for 180, as some tools do."""
    found = cut(shapely.Polygon([(179, 0), (-180, 0), (-180, 1), (179, 1)]))
    assert found.equals(shapely.box(179, 0, 180, 1))


def test_islands_on_both_sides_come_together() -> None:
    islands = shapely.MultiPolygon([shapely.box(178, 0, 179, 1), shapely.box(-179, 0, -178, 1)])
    assert joined(islands).bounds == (178, 0, 182, 1)


@pytest.mark.parametrize(
    ("boxes", "around"),
    [
        ([[10, 0, 11, 1], [-10, 2, -9, 3]], [-10, 0, 11, 3]),
        ([[179, 0, -179, 1], [-179.5, 2, -178, 3], [175, 0, 176, 1]], [175, 0, -178, 3]),
        ([[179, 0, 180, 1], [-180, 0, -179, 1]], [179, 0, -179, 1]),
        ([[170, 0, 180, 1]], [170, 0, 180, 1]),
        ([[-180, 0, -170, 1]], [-180, 0, -170, 1]),
        ([[-180, 0, 180, 1], [3, 0, 4, 9]], [-180, 0, 180, 9]),
        ([[-180, 0, -60, 1], [-60, 0, 60, 1], [60, 0, 180, 1]], [-180, 0, 180, 1]),
    ],
)
def test_box_around_boxes(boxes: list[list[float]], around: list[float]) -> None:
    assert bbox_around(boxes) == around


def test_box_of_a_geometry_is_west_of_the_line_to_east_of_it() -> None:
    assert bbox(cut(ACROSS)) == [179.0, 0.0, -179.0, 1.0]
    assert bbox(shapely.box(-3, 1, 4, 2)) == [-3.0, 1.0, 4.0, 2.0]


def test_stretch_is_the_shortest_that_holds_all() -> None:
    assert stretch([(170.0, 190.0), (-175.0, -160.0)]) == (170.0, 200.0)
    assert stretch([(-20.0, -10.0), (100.0, 110.0)]) == (-20.0, 110.0)


def test_merged_leaves_lines_and_points_out() -> None:
    bow = shapely.Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
    found = merged([bow, shapely.LineString([(5, 5), (6, 6)]), shapely.GeometryCollection([shapely.Point(9, 9)])])
    assert found.area == 2.0
    assert found.bounds == (0, 0, 2, 2)
    assert merged([]).is_empty
