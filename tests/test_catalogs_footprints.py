"""Footprints as real catalogs give them, broken in every way, and the ground they stand for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pystac
import pytest
import shapely
from test_catalogs_search import radar, real_items

from catalogs.errors import ItemError
from catalogs.footprints import footprint_json, footprint_of

SQUARE = [[10, 45], [11, 45], [11, 46], [10, 46], [10, 45]]
ACROSS = [[179, 0], [-179, 0], [-179, 1], [179, 1], [179, 0]]
HALVES = shapely.MultiPolygon([shapely.box(179, 0, 180, 1), shapely.box(-180, 0, -179, 1)])


def item(kind: str, coordinates: Any, bbox: Any = None) -> dict[str, Any]:
    return {"id": "a", "geometry": {"type": kind, "coordinates": coordinates}, "bbox": bbox}


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (item("Polygon", [SQUARE]), shapely.box(10, 45, 11, 46)),
        (item("Polygon", [[[*point, 7.0] for point in SQUARE]]), shapely.box(10, 45, 11, 46)),
        (item("MultiPolygon", [[], [SQUARE]]), shapely.box(10, 45, 11, 46)),
        (item("MultiPolygon", [[[]], [SQUARE], []]), shapely.box(10, 45, 11, 46)),
        (item("Polygon", [ACROSS]), HALVES),
        (item("Polygon", [ACROSS[::-1]]), HALVES),
        (item("Polygon", [[[179, 0], [181, 0], [181, 1], [179, 1], [179, 0]]]), HALVES),
        (item("Polygon", [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]), shapely.MultiPolygon(
            [shapely.Polygon([(0, 0), (0.5, 0.5), (0, 1)]), shapely.Polygon([(1, 0), (1, 1), (0.5, 0.5)])])),
        (item("Polygon", [[[-180, -90], [180, -90], [180, 90], [-180, 90], [-180, -90]]]),
         shapely.box(-180, -90, 180, 90)),
        (item("Point", [10, 45]), shapely.Point(10, 45)),
    ],
)  # fmt: skip
def test_the_ground_that_a_geometry_stands_for(told: dict[str, Any], expected: shapely.Geometry) -> None:
    found = footprint_of(told)
    assert found.geometry.is_valid
    assert found.note == ""
    assert shapely.force_2d(found.geometry).symmetric_difference(expected).area == pytest.approx(0, abs=1e-6)
    assert shapely.force_2d(found.geometry).equals(expected) or found.geometry.area > 0


@pytest.mark.parametrize(
    ("bbox", "expected"),
    [
        ([10, 45, 11, 46], shapely.box(10, 45, 11, 46)),
        ([10, 45, 0, 11, 46, 900], shapely.box(10, 45, 11, 46)),
        ([179, 0, -179, 1], HALVES),
    ],
)
@pytest.mark.parametrize(
    "told", [item("Polygon", []), item("Polygon", [[[1, 1]]]), item("Circle", 1), item("Polygon", [[[0, 999]] * 4]),
             {"id": "a", "geometry": None}, {"id": "a"}],
)  # fmt: skip
def test_the_bbox_stands_in_and_says_so(told: dict[str, Any], bbox: list[float], expected: shapely.Geometry) -> None:
    found = footprint_of(told | {"bbox": bbox})
    assert found.geometry.equals(expected)
    assert found.repaired
    assert "its bbox is used instead" in found.note


@pytest.mark.parametrize("bbox", [None, [], [1, 2, 3], ["a", 1, 2, 3], [0, 50, 1, 40], [0, 0, 1, 900]])
def test_without_either_the_item_is_named(bbox: Any) -> None:
    with pytest.raises(ItemError, match="item a: found no geometry that can be read"):
        footprint_of(item("Polygon", [], bbox))


def test_an_items_own_geometry_is_kept_where_nothing_is_wrong_with_it() -> None:
    plain = pystac.Item.from_dict(radar("a"), migrate=False)
    assert footprint_json(plain) is plain.geometry
    broken = pystac.Item.from_dict(radar("a", geometry={"type": "Polygon", "coordinates": [ACROSS]}), migrate=False)
    assert footprint_json(broken)["type"] == "MultiPolygon"


def test_every_real_item_has_a_footprint_within_its_bbox(shared: Path) -> None:
    for told in real_items(shared):
        found = footprint_of(json.loads(json.dumps(told)))
        west, south, east, north = told["bbox"] if len(told["bbox"]) == 4 else (*told["bbox"][:2], *told["bbox"][3:5])
        around = footprint_of({"id": "a", "bbox": [max(west, -180), south, min(east, 180), north]}).geometry.buffer(
            0.01
        )
        assert found.geometry.is_valid, told["id"]
        assert found.note == "", told["id"]
        assert found.geometry.intersection(around).area >= 0.99 * found.geometry.area, told["id"]
