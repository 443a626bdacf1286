"""The land and its water levels: a meandering river with natural levees on a floodplain between hills."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, special

from harmonization.simulate.fields import random_stream, smooth_field
from harmonization.simulate.grid import Grid

Real = NDArray[np.float64]

VALLEY_SLOPE = 3e-4
"""Fall of floodplain and water surface along the valley, metres a metre (lowland rivers: 1e-4 to 1e-3)."""
MEANDER_LENGTH = 11.0
"""Wavelength of a meander in channel widths (Leopold and Wolman 1960)."""
BANK_ABOVE_WATER = 1.2
"""Metres from the usual water level to the top of the bank."""


@dataclass(frozen=True, eq=False)
class Valley:
    """Terrain and water surfaces on one grid, metres above the same datum; all (rows, columns)."""

    elevation: Real
    """Ground, river bed included."""
    usual_level: Real
    """Water surface of the river before the flood, a plane that falls along the valley."""
    flood_level: Real
    """Water surface at the peak, parallel to it."""
    hills: Real
    """Height above the floodplain that comes from the valley sides."""


def make_valley(grid: Grid, inner: tuple[slice, slice], seed: int) -> Valley:
    """A seeded valley; the flood level is set so that 19 to 24 % of `inner` (without the river) is
    flooded."""
    stream = random_stream(seed, "valley")
    extent = grid.pixel * (inner[0].stop - inner[0].start)
    along, across = _valley_axes(grid, stream.uniform(0.0, np.pi))
    swing = np.radians(stream.uniform(50.0, 75.0))
    # River area over window area gives the width; the sinuosity of a sine-generated curve is 1 / J0(swing).
    width = max(3.0 * grid.pixel, stream.uniform(0.018, 0.024) * extent * special.j0(swing))
    course = _river_course(stream, 1.6 * np.hypot(*grid.shape) * grid.pixel, width, swing, grid.pixel)
    wander = 0.06 * extent * np.sin(2.0 * np.pi * (along / (1.3 * extent) + stream.uniform()))
    distance = _distance_to(course, along, across - wander, grid.pixel)
    hills = _hills(stream, grid, np.abs(across - wander), extent)
    plain = 100.0 - VALLEY_SLOPE * along
    elevation = plain + hills + _floodplain_relief(stream, grid, distance, width, extent)
    usual = plain - BANK_ABOVE_WATER
    rise = _flood_rise(elevation, usual, distance < width / 2.0, inner, stream.uniform(0.19, 0.24))
    return Valley(elevation, usual, usual + rise, hills)


def connected_depth(elevation: Real, level: Real, source: NDArray[np.bool_]) -> Real:
    """Water depth in metres where ground under `level` is connected (8 neighbours) to `source`, elsewhere
    0."""
    below = elevation < level
    label, count = ndimage.label(below, structure=np.ones((3, 3)))
    reached = np.zeros(count + 1, bool)
    reached[label[source & below]] = True
    reached[0] = False
    return np.where(reached[label], level - elevation, 0.0)


def _valley_axes(grid: Grid, bearing: float) -> tuple[Real, Real]:
    """Metres along the valley (downstream) and across it from the middle of the grid."""
    easting, northing = grid.centres()
    east, north = easting - easting.mean(), northing - northing.mean()
    along = east * np.cos(bearing) + north * np.sin(bearing)
    return along, north * np.cos(bearing) - east * np.sin(bearing)


def _river_course(stream: np.random.Generator, length: float, width: float, swing: float, step: float) -> Real:
    """Centre line as (points, 2) metres along and across the valley: Langbein and Leopold's sine-generated
    curve (1966).

    Swing and wavelength drift slowly, as those of real rivers do.
    """
    sinuosity = 1.0 / special.j0(swing)
    count = int(length * sinuosity / step)
    bends = count * step / (MEANDER_LENGTH * width * sinuosity)
    knots = max(4, int(bends))
    place = np.linspace(0.0, knots - 1.0, count)
    drift = [np.interp(place, np.arange(knots), stream.uniform(-1.0, 1.0, knots)) for _ in range(2)]
    phase = np.cumsum(1.0 + 0.3 * drift[0]) / count * 2.0 * np.pi * bends
    direction = swing * (1.0 + 0.2 * drift[1]) * np.sin(phase)
    course = np.cumsum(np.stack([np.cos(direction), np.sin(direction)], axis=1), axis=0) * step
    course[:, 0] -= course[count // 2, 0]
    trend = np.polynomial.Polynomial.fit(course[:, 0], course[:, 1], 1)
    course[:, 1] -= trend(course[:, 0])
    return course


def _distance_to(course: Real, along: Real, across: Real, pixel: float) -> Real:
    """Metres from every cell to the centre line; the axes are bent with the valley, so the course bends with
    it."""
    # Rasterised in a straight valley first: there the course is a set of cells, and the distance a look-up.
    low = np.array([along.min(), across.min()]) - 4.0 * pixel
    high = np.array([along.max(), across.max()]) + 4.0 * pixel
    shape = np.ceil((high - low) / pixel).astype(int) + 1
    cell = np.round((course - low) / pixel).astype(int)
    cell = cell[((cell >= 0) & (cell < shape)).all(axis=1)]
    away = np.ones(shape, bool)
    away[cell[:, 0], cell[:, 1]] = False
    straight = ndimage.gaussian_filter(ndimage.distance_transform_edt(away), 1.0) * pixel
    position = np.stack([(along - low[0]) / pixel, (across - low[1]) / pixel])
    return np.asarray(ndimage.map_coordinates(straight, position, order=1, mode="nearest"))


def _hills(stream: np.random.Generator, grid: Grid, offset: Real, extent: float) -> Real:
    """Metres that the valley sides rise above the floodplain, from the distance to the valley axis."""
    uneven = smooth_field(stream, grid.shape, 0.10 * extent / grid.pixel)
    fine = smooth_field(stream, grid.shape, 0.035 * extent / grid.pixel)
    edge = (0.25 + 0.05 * uneven) * extent
    soft = 0.02 * extent
    beyond = soft * np.logaddexp(0.0, (offset - edge) / soft)
    # Levels off: 99 % of slopes stay under 11 degrees, far from layover, which facet geometry could not show.
    rounded = 0.25 * extent * np.tanh(beyond / (0.25 * extent))
    return rounded * np.clip(0.06 + 0.015 * uneven + 0.012 * fine, 0.01, None)


def _floodplain_relief(stream: np.random.Generator, grid: Grid, distance: Real, width: float, extent: float) -> Real:
    """Metres about the plain: channel, levees with gaps, backswamps, old channels and small relief."""
    broad, winding, gaps = (smooth_field(stream, grid.shape, s * extent / grid.pixel) for s in (0.05, 0.03, 0.02))
    fine = smooth_field(stream, grid.shape, 4.0)
    channel = -3.5 * special.expit((width / 2.0 - distance) / (0.4 * grid.pixel))
    levee = np.exp(-(((distance - 1.2 * width) / width) ** 2)) * np.clip(0.9 + 0.5 * gaps, 0.0, None)
    # A smooth field is near zero along winding lines: cut there, they look like filled old channels.
    old_channels = -0.9 * np.exp(-((winding / 0.12) ** 2))
    relief = channel + levee + old_channels + 2.0 * distance / (0.25 * extent) + 0.6 * broad + 0.12 * fine
    return np.asarray(relief)


def _flood_rise(
    elevation: Real, usual: Real, river: NDArray[np.bool_], inner: tuple[slice, slice], share: float
) -> float:
    """Rise of the water in metres that floods `share` of `inner` beyond the usual water, by bisection."""
    usually_wet = connected_depth(elevation, usual, river) > 0.0
    low, high = 0.0, 8.0
    for _ in range(12):
        rise = (low + high) / 2.0
        wet = connected_depth(elevation, usual + rise, river) > 0.0
        too_much = (wet & ~usually_wet)[inner].mean() > share
        low, high = (low, rise) if too_much else (rise, high)
    return low
