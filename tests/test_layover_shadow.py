"""Layover and shadow cast over an elevation: against a ridge of known height and an obvious slow way."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from harmonization.layover_shadow import cast_layover_shadow, halo_pixels

Real = NDArray[np.float64]
PIXEL = (10.0, 10.0)


def march(
    elevation: NDArray[np.float32], theta: float, azimuth: float, reach: float, pixel: tuple[float, float] = PIXEL
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    halo = halo_pixels(pixel, reach)
    rows, columns = (side - 2 * halo for side in elevation.shape)
    return cast_layover_shadow(elevation, np.full((rows, columns), theta, np.float32), azimuth, pixel, reach)


@pytest.mark.parametrize("azimuth", [90.0, 270.0, 0.0, 180.0])
@pytest.mark.parametrize("theta", [30.0, 38.5, 46.0])
def test_ridge_casts_what_trigonometry_says(azimuth: float, theta: float) -> None:
    """A wall of 100 m: shadow behind it for h·tan(theta), layover before it for h/tan(theta)."""
    height, reach = 100.0, 400.0
    halo, middle = halo_pixels(PIXEL, reach), 50
    level = np.zeros((2 * middle + 1 + 2 * halo,) * 2, np.float32)
    along_columns = azimuth in (90.0, 270.0)
    wall = (slice(None), halo + middle) if along_columns else (halo + middle, slice(None))
    level[wall] = height
    layover, shadow = (mask if along_columns else mask.T for mask in march(level, theta, azimuth, reach))
    away = 1 if azimuth in (90.0, 180.0) else -1  # rows go south
    behind, before = height * np.tan(np.radians(theta)), height / np.tan(np.radians(theta))
    far, near = (range(middle + side, middle + side * 41, side) for side in (away, -away))
    assert shadow[5, far].sum() == int(behind / PIXEL[1])
    assert not shadow[5, near].any()
    assert layover[5, near].sum() == int(before / PIXEL[1])
    assert not layover[5, far].any()
    assert layover[5, middle], "the top itself lies over the ground before it"
    assert (layover == layover[0]).all()
    assert (shadow == shadow[0]).all()


def slow(
    elevation: Real, theta: float, azimuth: float, reach: float, pixel: tuple[float, float]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Every pixel by itself: its whole profile from near to far, slant ranges and elevation angles along it."""
    halo = halo_pixels(pixel, reach)
    rows, columns = (side - 2 * halo for side in elevation.shape)
    layover, shadow = np.zeros((rows, columns), bool), np.zeros((rows, columns), bool)
    down, right = -np.cos(np.radians(azimuth)) / pixel[0], np.sin(np.radians(azimuth)) / pixel[1]
    step = 1.0 / max(abs(down), abs(right))
    count = int(reach / step)
    away = step * np.arange(-count, count + 1)
    tangent = np.tan(np.radians(np.float32(theta).astype(float)))
    for row in range(rows):
        for column in range(columns):
            places = [row + halo + np.round(away * down, 9), column + halo + np.round(away * right, 9)]
            height = ndimage.map_coordinates(elevation, places, order=1)
            slant = away * tangent - height  # in units of cos(theta)
            own = slant[count]
            layover[row, column] = (slant[count + 1 :] <= own).any() or (slant[:count] >= own).any()
            near = slice(0, count)
            steepest = np.max((height[near] - height[count]) / -away[near])
            shadow[row, column] = steepest > 1.0 / tangent
    return layover, shadow


@pytest.mark.parametrize("azimuth", [79.9, 283.0, 100.1, 350.0, 45.0, 200.0])
@pytest.mark.parametrize("pixel", [(10.0, 10.0), (20.0, 12.0)])
def test_rough_terrain_as_the_slow_way_has_it(azimuth: float, pixel: tuple[float, float]) -> None:
    reach, theta = 500.0, 38.5
    halo = halo_pixels(pixel, reach)
    stream = np.random.default_rng(int(azimuth))
    noise = ndimage.gaussian_filter(stream.normal(size=(20 + 2 * halo, 24 + 2 * halo)), 3.0)
    elevation = (400.0 * noise / noise.std() / 4.0).astype(np.float32)
    found, expected = (
        march(elevation, theta, azimuth, reach, pixel),
        slow(elevation.astype(float), theta, azimuth, reach, pixel),
    )
    for mask, other in zip(found, expected, strict=True):
        assert 0.02 < other.mean() < 0.98, "the terrain shows both"
        assert (mask != other).sum() <= 1, "but for a tie in the last bit"


def test_a_tile_with_its_halo_gives_the_bytes_of_the_whole() -> None:
    """Also where the tile's own terrain is flat and a mountain stands beyond its rim."""
    reach = 300.0
    halo = halo_pixels(PIXEL, reach)
    elevation = np.zeros((64 + 2 * halo, 64 + 2 * halo), np.float32)
    elevation[halo + 20 : halo + 40, halo + 30 : halo + 38] = 180.0
    elevation += np.random.default_rng(1).normal(0, 0.5, elevation.shape).astype(np.float32)
    whole = march(elevation, 35.0, 79.9, reach)
    for top in (0, 32):
        for left in (0, 32):
            part = march(elevation[top : top + 32 + 2 * halo, left : left + 32 + 2 * halo], 35.0, 79.9, reach)
            for one, all_of_it in zip(part, whole, strict=True):
                assert np.array_equal(one, all_of_it[top : top + 32, left : left + 32])
    assert whole[0].any()
    assert whole[1].any()


def test_unknown_ground_casts_nothing_and_nothing_is_said_of_it() -> None:
    reach = 300.0
    halo = halo_pixels(PIXEL, reach)
    elevation = np.zeros((20 + 2 * halo, 20 + 2 * halo), np.float32)
    elevation[:, halo + 10] = 150.0
    incidence = np.full((20, 20), 38.5, np.float32)
    incidence[3] = np.nan
    layover, shadow = cast_layover_shadow(elevation, incidence, 90.0, PIXEL, reach)
    assert shadow[5, 11:].any()
    assert not (layover[3] | shadow[3]).any()
    elevation[:, halo + 10] = np.nan
    for mask in cast_layover_shadow(elevation, incidence, 90.0, PIXEL, reach):
        assert not mask.any()
    for mask in cast_layover_shadow(np.full_like(elevation, np.nan), incidence, 90.0, PIXEL, reach):
        assert not mask.any()


def test_a_halo_of_another_width_is_refused() -> None:
    with pytest.raises(ValueError, match=r"elevation of \(20, 20\) pixels; \(72, 72\) are needed"):
        cast_layover_shadow(np.zeros((20, 20), np.float32), np.full((10, 10), 38.5, np.float32), 90.0, PIXEL, 300.0)
