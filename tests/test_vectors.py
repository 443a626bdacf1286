"""Polygons of a coded raster: the pixels they came from, whole across seams."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rasterio.features import rasterize
from scipy.ndimage import label

from pipeline.run_folder import RunFolder, UnitFolder
from pipeline.vectors import polygons_of

SIDE = 32


def unit(row: int, column: int, zone: str = "EPSG:32633") -> UnitFolder:
    west, north = 500_000.0 + column * SIDE * 10, 5_000_000.0 - row * SIDE * 10
    facts: dict[str, Any] = {
        "proj:code": zone,
        "proj:shape": [SIDE, SIDE],
        "proj:transform": [10.0, 0.0, west, 0.0, -10.0, north],
    }
    return UnitFolder(Path(f"{row}_{column}"), {"id": f"{row}_{column}", "properties": facts})


@pytest.fixture
def codes() -> np.ndarray:
    generator = np.random.default_rng(3)
    return generator.choice([0, 1, 2], (2 * SIDE, 2 * SIDE), p=[0.4, 0.3, 0.3]).astype(np.uint8)


@pytest.fixture
def run() -> RunFolder:
    return RunFolder(Path(), tuple(unit(row, column) for row in range(2) for column in range(2)))


def part_of(codes: np.ndarray) -> Any:
    def of(one: UnitFolder) -> np.ndarray:
        row, column = map(int, one.id.split("_"))
        return codes[row * SIDE : (row + 1) * SIDE, column * SIDE : (column + 1) * SIDE]

    return of


def test_polygons_are_the_connected_pixels_of_the_whole(run: RunFolder, codes: np.ndarray) -> None:
    found = polygons_of(run, part_of(codes), (1, 2))
    assert len(found) == sum(label(codes == code)[1] for code in (1, 2))
    for code in (1, 2):
        ours = found[found["code"] == code]
        assert ours["area_km2"].sum() == pytest.approx((codes == code).sum() * 1e-4)
        burnt = rasterize(
            ours.geometry, out_shape=codes.shape, transform=run.units[0].box.affine, fill=0, default_value=1
        )
        assert np.array_equal(burnt == 1, codes == code)
    assert found["area_km2"].is_monotonic_decreasing


def test_what_is_not_wanted_makes_no_polygon(run: RunFolder, codes: np.ndarray) -> None:
    assert set(polygons_of(run, part_of(codes), (2,))["code"]) == {2}
    assert polygons_of(run, part_of(codes), (7,)).empty


def test_units_of_several_zones_come_in_degrees(codes: np.ndarray) -> None:
    run = RunFolder(Path(), (unit(0, 0), unit(0, 0, "EPSG:32634")))
    found = polygons_of(run, lambda _: codes[:SIDE, :SIDE], (1,))
    assert found.crs == "EPSG:4326"
    assert found["area_km2"].sum() == pytest.approx(2 * (codes[:SIDE, :SIDE] == 1).sum() * 1e-4)
