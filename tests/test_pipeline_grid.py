"""The lattice: units tile an area, neighbouring jobs share pixels."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from scenes import grid
from shapely.geometry.base import BaseGeometry

from catalogs.lonlat import cut, joined
from pipeline.grid import SNAP, inside, lattice_origin, outline_lonlat, project, unit_boxes, utm_crs

SMALL = st.floats(0.002, 0.03)


def pixels(box: GeoBox) -> shapely.Geometry:
    """A box as a rectangle of lattice columns and rows."""
    row, column = lattice_origin(box)
    return shapely.box(column, row, column + box.shape.x, row + box.shape.y)


@settings(max_examples=40, deadline=None)
@given(
    st.one_of(st.floats(-180.0, 180.0), st.floats(179.97, 180.0)),
    st.one_of(st.floats(-70.0, -0.5), st.floats(0.5, 70.0)),
    SMALL,
    SMALL,
    st.sampled_from([64, 96, 256]),
    st.sampled_from([10.0, 20.0, 30.0]),
)
def test_units_tile_the_area_without_gap_or_overlap(
    west: float, south: float, width: float, height: float, tile: int, resolution: float
) -> None:
    area = cut(shapely.box(west, south, west + width, south + height))
    boxes = [box for _, box in unit_boxes(area, resolution, tile)]
    squares = [pixels(box) for box in boxes]
    union = shapely.union_all(squares)
    assert union.area == sum(square.area for square in squares), "no pixel lies in two units"
    outline = project(area, boxes[0].crs)
    metres = shapely.transform(union, lambda points: points * np.array([resolution, -resolution]))
    assert outline.difference(metres.buffer(SNAP * resolution * 1e-3)).is_empty, "all of the area is in a unit"
    for box in boxes:
        row, column = lattice_origin(box)
        assert row % SNAP == column % SNAP == box.shape.x % SNAP == box.shape.y % SNAP == 0
        assert max(box.shape.yx) <= tile
        assert row // tile == (row + box.shape.y - 1) // tile, "a unit lies in one tile of the lattice"
        assert column // tile == (column + box.shape.x - 1) // tile
        assert outline.intersects(shapely.box(*box.boundingbox.bbox)), "no unit beside the area"


def test_crop_is_snapped_outward_by_less_than_sixteen_pixels() -> None:
    area = shapely.box(11.0, 44.0, 11.01, 44.01)
    boxes = [box for _, box in unit_boxes(area, 10.0, 1024)]
    west, south, east, north = project(area, boxes[0].crs).bounds
    left, bottom, right, top = shapely.union_all([shapely.box(*box.boundingbox.bbox) for box in boxes]).bounds
    for gap in (west - left, south - bottom, right - east, top - north):
        assert 0 <= gap < SNAP * 10.0


def test_neighbouring_jobs_share_pixels_and_unit_names() -> None:
    one = dict(unit_boxes(shapely.box(11.0, 44.0, 11.03, 44.03), 10.0, 64))
    other = dict(unit_boxes(shapely.box(11.011, 44.012, 11.05, 44.05), 10.0, 64))
    shared = one.keys() & other.keys()
    assert shared
    for name in shared:
        a, b = one[name], other[name]
        row_a, column_a = lattice_origin(a)
        row_b, column_b = lattice_origin(b)
        assert a.affine.c - column_a * 10.0 == b.affine.c - column_b * 10.0 == 0.0
        assert a.affine.f + row_a * 10.0 == b.affine.f + row_b * 10.0 == 0.0
        assert (row_a // 64, column_a // 64) == (row_b // 64, column_b // 64)
    assert any(one[name] == other[name] for name in shared), "a tile that both fill is the same unit"


def test_area_without_the_corner_tiles_leaves_them_out() -> None:
    """A thin diagonal touches few of the tiles of its bounds."""
    diagonal = shapely.LineString([(11.0, 44.0), (11.1, 44.1)]).buffer(0.0005)
    boxes = list(unit_boxes(diagonal, 10.0, 128))
    assert len(boxes) < len(list(unit_boxes(shapely.box(*diagonal.bounds), 10.0, 128))) / 2


@pytest.mark.parametrize(
    ("area", "code"),
    [
        (shapely.box(8.9, 44.0, 9.0, 44.1), 32632),
        (shapely.box(-0.2, 39.3, -0.1, 39.4), 32630),
        (shapely.box(152.9, -28.0, 153.0, -27.9), 32756),
        (shapely.box(-179.9, 10.0, -179.8, 10.1), 32601),
        (shapely.box(179.8, 10.0, 179.9, 10.1), 32660),
        (cut(shapely.box(179.8, 10.0, 180.1, 10.1)), 32660),
        (cut(shapely.box(179.9, 10.0, 180.2, 10.1)), 32601),
    ],
)
def test_utm_zone_of_the_middle(area: BaseGeometry, code: int) -> None:
    assert utm_crs(area).to_epsg() == code


def test_southern_rows_grow_southward_too() -> None:
    """Zone 56 S: northing 10,000,000 - 3,097,000 m or so, so the rows count below zero and fall from north to south."""
    area = shapely.box(152.9, -28.0, 152.95, -27.95)
    boxes = list(unit_boxes(area, 10.0, 128))
    assert {name[:5] for name, _ in boxes} == {"32756"}
    north_to_south = sorted(boxes, key=lambda named: -named[1].boundingbox.top)
    rows = [lattice_origin(box)[0] for _, box in north_to_south]
    assert rows == sorted(rows)
    assert all(box.affine.e == -10.0 and box.affine.f == -lattice_origin(box)[0] * 10.0 for _, box in boxes)


def lonlat(metres: shapely.Polygon, box: GeoBox) -> list[tuple[float, float]]:
    transformer = Transformer.from_crs(str(box.crs), 4326, always_xy=True)
    return [transformer.transform(x, y) for x, y in metres.exterior.coords]


def test_inside_is_true_where_the_middle_of_a_pixel_lies_in_the_area() -> None:
    """The area ends 4 m into the fifth pixel (middle at 5 m, outside) and 6 m into the third row (inside)."""
    box = grid(8, 8)
    west, north = box.affine.c, box.affine.f
    metres = shapely.box(west, north - 26.0, west + 44.0, north)
    degrees = shapely.Polygon(lonlat(metres, box))
    expected = np.zeros((8, 8), dtype=bool)
    expected[:3, :4] = True
    np.testing.assert_array_equal(inside(degrees, box), expected)


@pytest.mark.parametrize(
    "box",
    [
        grid(64, 64),
        GeoBox((64, 64), Affine(30.0, 0, 179_400.0, 0, -30.0, 8_118_000.0), "EPSG:32701"),
        GeoBox((64, 64), Affine(30.0, 0, 819_000.0, 0, -30.0, 1_882_000.0), "EPSG:32660"),
    ],
    ids=["plain", "across the antimeridian from the east", "from the west"],
)
def test_outline_in_degrees_encloses_the_box(box: GeoBox) -> None:
    outline = outline_lonlat(box).geom
    square = shapely.box(*box.boundingbox.bbox)
    assert project(outline, box.crs).symmetric_difference(square).area < 2e-5 * square.area
    assert outline.is_valid
    assert joined(outline).area < 1e-3
    assert (outline.geom_type == "MultiPolygon") == (str(box.crs) != "EPSG:32632")
