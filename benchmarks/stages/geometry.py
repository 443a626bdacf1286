"""Terrain flattening, layover and shadow over a rolling elevation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from benchmarks.stages import Stage
from harmonization.flattening import flatten_factor, terrain_rise
from harmonization.geometry import direction_to_sensor, local_incidence, slant_plane_normal, track_direction
from harmonization.layover_shadow import cast_layover_shadow, halo_pixels

Array = NDArray[np.float32]
HEADING, AZIMUTH, PIXEL, REACH = 350.0, 80.0, (10.0, 10.0), 1000.0
RELIEF = 60.0
"""Standard deviation of the heights in metres: hills of 300 m, slopes to 25°."""


def hills(side: int) -> Array:
    coarse = np.random.default_rng(0).normal(size=(side // 32 + 2,) * 2)
    rolling = ndimage.zoom(coarse, 32, order=3)[:side, :side]
    return np.ascontiguousarray(rolling * RELIEF, dtype=np.float32)


def flatten(side: int) -> Callable[[], Any]:
    elevation, incidence = hills(side + 2), np.full((side, side), 38.5, np.float32)

    def work() -> tuple[Any, Any]:
        east, north = terrain_rise(elevation, PIXEL)
        return flatten_factor(incidence, east, north, AZIMUTH), local_incidence(incidence, east, north, AZIMUTH)

    return work


def flatten_by_vectors(side: int) -> Callable[[], Any]:
    """As the equations are written: normals, and their products with the directions."""
    elevation, incidence = hills(side), np.full((side, side), 38.5, np.float32)
    track = track_direction(HEADING).astype(np.float32)

    def work() -> tuple[Any, Any]:
        south, east = np.gradient(elevation, *PIXEL)
        normal = np.stack([-east, south, np.ones_like(east)], axis=-1)
        normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
        sensor = direction_to_sensor(incidence, np.float32(AZIMUTH))
        plane = slant_plane_normal(sensor, track)
        local, psi = np.einsum("yxi,yxi->yx", normal, sensor), np.einsum("yxi,yxi->yx", normal, plane)
        return psi / local / np.tan(np.deg2rad(incidence)), np.rad2deg(np.arccos(local))

    return work


def cast(side: int) -> Callable[[], Any]:
    elevation, incidence = hills(side + 2 * halo_pixels(PIXEL, REACH)), np.full((side, side), 38.5, np.float32)
    return lambda: cast_layover_shadow(elevation, incidence, AZIMUTH, PIXEL, REACH)


def cast_by_shifts(side: int) -> Callable[[], Any]:
    """The elevation shifted step by step along the look direction, all pixels at once."""
    halo = halo_pixels(PIXEL, REACH)
    elevation = hills(side + 2 * halo)
    tangent = np.float32(np.tan(np.deg2rad(38.5)))
    down, right = -np.cos(np.radians(AZIMUTH)), np.sin(np.radians(AZIMUTH))

    def moved(step: int) -> Array:
        across = step * down / right
        whole = int(np.floor(across))
        share = np.float32(across - whole)
        first, second = (
            elevation[halo + row : halo + row + side, halo + step : halo + step + side] for row in (whole, whole + 1)
        )
        return first + share * (second - first)

    def work() -> tuple[Any, Any]:
        own = elevation[halo : halo + side, halo : halo + side]
        layover, shadow = np.zeros(own.shape, np.bool_), np.zeros(own.shape, np.bool_)
        for step in range(1, int(REACH * right / PIXEL[1]) + 1):
            away = np.float32(step * PIXEL[1] / right)
            far, near = moved(step), moved(-step)
            layover |= (far >= own + away * tangent) | (near <= own - away * tangent)
            shadow |= near > own + away / tangent
        return layover, shadow

    return work


STAGES = [
    Stage("flattening factor and local incidence", flatten, flatten_by_vectors),
    Stage("layover and shadow, 1 km of reach", cast, cast_by_shifts),
]
