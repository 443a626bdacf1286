"""The one seeded ground state that every simulated sensor looks at, and the truth (reference note, section 10)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from harmonization.simulate.fields import field_parcels, random_stream, smooth_field
from harmonization.simulate.grid import Grid
from harmonization.simulate.scene import Window
from harmonization.simulate.valley import Real, Valley, connected_depth, make_valley

PIXEL = 10.0
"""Metres: side of a ground cell."""
ORIGIN = (512_000.0, 5_304_320.0)
"""Easting and northing (UTM 33N) of the upper-left corner: multiples of 5120 m."""
MARGIN = 64
"""Cells simulated beyond the area on every side, so that scenes and cloud shadows reach over it."""


RAIN = 0.03
"""Volumetric moisture that the rain of the flood window adds everywhere but on sand, which drains."""


class SimulatedCover(IntEnum):
    """Codes of `GroundState.land_cover`."""

    BARE = 0
    CROP = 1
    FOREST = 2
    URBAN = 3
    WATER = 4


class Truth(IntEnum):
    """Codes of the truth map."""

    DRY = 0
    OPEN_WATER = 1
    FLOODED_VEGETATION = 2
    PERMANENT_WATER = 3


@dataclass(frozen=True)
class Variety:
    """How far a scene may differ from the class table as a whole."""

    wind: tuple[float, float] = (3.5, 6.5)
    """m/s: range of the wind of a window, evenly."""
    class_offset: float = 0.25
    """Standard deviation of what all plants or soil of a class have in common in one area, in spreads of the class."""


USUAL = Variety()


@dataclass(frozen=True, eq=False)
class SurfaceState:
    """What changes between the windows; all (rows, columns) unless said."""

    water_surface: Real
    """Elevation of the water surface in metres, also where the ground is above it."""
    depth: Real
    """Water depth in metres, 0 where dry: connected to the river only."""
    soil_moisture: Real
    """Volumetric, 0 to 1."""
    wind_speed: Real
    """m/s at 10 m."""
    temperature: float
    """Celsius, of soil and water."""


@dataclass(frozen=True, eq=False)
class GroundState:
    """The ground of one area with a margin; arrays are (rows, columns) of `grid`."""

    grid: Grid
    """With the margin; `inner` cuts the area itself out of every array."""
    inner: tuple[slice, slice]
    elevation: Real
    """Metres, river bed included."""
    land_cover: NDArray[np.uint8]
    """Codes of `SimulatedCover`."""
    canopy_fraction: Real
    """Share of the ground hidden by leaves from above, 0 to 1."""
    vegetation_height: Real
    """Metres."""
    optical_depth: Real
    """Of the crown at L band and nadir (tau_L)."""
    roughness: Real
    """Standard deviation of soil height in metres."""
    before: SurfaceState
    during: SurfaceState
    variety: Variety = USUAL

    def surface(self, window: Window) -> SurfaceState:
        """The state in one window."""
        return self.before if window == "before" else self.during


def make_ground(size: int, seed: int, flood: bool = True, variety: Variety = USUAL) -> GroundState:
    """A seeded area of `size` x `size` cells of 10 m and its margin; without a flood, water during is as
    before."""
    inner = (slice(MARGIN, MARGIN + size), slice(MARGIN, MARGIN + size))
    grid = Grid(*ORIGIN, PIXEL, size, size).padded(MARGIN)
    valley = make_valley(grid, inner, seed)
    river = valley.elevation < valley.usual_level - 1.0
    usual = connected_depth(valley.elevation, valley.usual_level, river)
    peak = connected_depth(valley.elevation, valley.flood_level, river)
    cover, parcel, sand = _land_cover(grid, inner, seed, valley, usual, peak)
    fraction, height, optical_depth = _vegetation(grid, seed, cover, parcel)
    moisture = _soil_moisture(grid, seed, parcel, sand)
    level, depth = (valley.flood_level, peak) if flood else (valley.usual_level, usual)
    return GroundState(
        grid=grid,
        inner=inner,
        elevation=valley.elevation,
        land_cover=cover,
        canopy_fraction=fraction,
        vegetation_height=height,
        optical_depth=optical_depth,
        roughness=_roughness(seed, parcel, cover, sand),
        before=_surface(grid, seed, "before", valley.usual_level, usual, moisture, variety.wind),
        during=_surface(grid, seed, "during", level, depth, np.where(sand, moisture, moisture + RAIN), variety.wind),
        variety=variety,
    )


def truth_map(ground: GroundState) -> NDArray[np.uint8]:
    """The truth of the flood window on the area without its margin: codes of `Truth`, (size, size) uint8."""
    depth = ground.during.depth
    above_water = (ground.vegetation_height > depth) | (ground.land_cover == SimulatedCover.FOREST)
    flooded = np.where(above_water, Truth.FLOODED_VEGETATION, Truth.OPEN_WATER)
    truth = np.where(depth > 0.0, flooded, Truth.DRY)
    truth[ground.land_cover == SimulatedCover.WATER] = Truth.PERMANENT_WATER
    return truth[ground.inner].astype(np.uint8)


def _land_cover(
    grid: Grid, inner: tuple[slice, slice], seed: int, valley: Valley, usual: Real, peak: Real
) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.bool_]]:
    """Codes, number of the farm field, and where the smooth dry sand lies."""
    stream = random_stream(seed, "land cover")
    size = inner[0].stop - inner[0].start
    parcel = field_parcels(stream, grid, 320.0, 140.0)
    cover = np.where(stream.random(parcel.max() + 1)[parcel] < 0.3, SimulatedCover.BARE, SimulatedCover.CROP)
    above = valley.elevation - valley.flood_level
    town_score = smooth_field(stream, grid.shape, 0.018 * size) - 0.05 * np.abs(above - 4.0)
    built = town_score > _upper_quantile(town_score[inner], 0.02)
    cover[built & (above > 0.7)] = SimulatedCover.URBAN
    sand = _sand(grid, inner, stream, (above > 0.8) & (above < 8.0) & ~built)
    cover[sand] = SimulatedCover.BARE
    wooded = _forest(grid, inner, stream, valley.hills, (peak > 0.0) & (usual == 0.0))
    cover[wooded & (cover != SimulatedCover.URBAN) & ~sand] = SimulatedCover.FOREST
    cover[usual > 0.0] = SimulatedCover.WATER
    return cover.astype(np.uint8), parcel, sand


def _forest(
    grid: Grid,
    inner: tuple[slice, slice],
    stream: np.random.Generator,
    hills: Real,
    flooded: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Woods, more of them on the hills, with 4.5 to 6.5 % of the area standing in the flood."""
    size = inner[0].stop - inner[0].start
    score = smooth_field(stream, grid.shape, 0.03 * size) + 0.5 * smooth_field(stream, grid.shape, 0.01 * size)
    share = stream.uniform(0.045, 0.065) / max(float(flooded[inner].mean()), 0.07)
    limit = _upper_quantile(score[inner][flooded[inner]], share)
    return np.asarray(score + 0.8 * np.tanh(hills / 10.0) > limit)


def _sand(
    grid: Grid, inner: tuple[slice, slice], stream: np.random.Generator, candidate: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """A smooth dry patch (sand, an airfield) of about 1 % of the area where dry low ground is widest.

    Away from the border of the area: a swath edge must not hide the one place where L band alone is fooled.
    """
    size = inner[0].stop - inner[0].start
    middle = (slice(inner[0].start + size // 6, inner[0].stop - size // 6),) * 2
    room = ndimage.distance_transform_edt(candidate)[middle]
    row, column = np.unravel_index(int(np.argmax(room)), room.shape)
    rows = np.arange(grid.rows)[:, None] - row - middle[0].start
    columns = np.arange(grid.columns)[None, :] - column - middle[1].start
    ragged = 1.0 + 0.3 * smooth_field(stream, grid.shape, 0.02 * size)
    patch = rows**2 / 0.5 + columns**2 / 1.4 < (0.075 * size) ** 2 * ragged
    return np.asarray(patch & candidate)


def _vegetation(grid: Grid, seed: int, cover: NDArray[np.uint8], parcel: NDArray[np.int64]) -> tuple[Real, Real, Real]:
    """Canopy fraction, height in metres and optical depth at L band of every cell."""
    stream = random_stream(seed, "vegetation")
    stand = smooth_field(stream, grid.shape, 4.0)
    growth = stream.random(parcel.max() + 1)[parcel]
    crop, forest = cover == SimulatedCover.CROP, cover == SimulatedCover.FOREST
    kinds = [crop, forest]
    fraction = np.select(kinds, [0.55 + 0.35 * growth, np.clip(0.85 + 0.05 * stand, 0.6, 0.97)], 0.0)
    height = np.select(kinds, [0.10 + 0.45 * growth, np.clip(17.0 + 3.0 * stand, 8.0, 28.0)], 0.0)
    optical_depth = np.select(kinds, [0.05 + 0.08 * growth, np.clip(0.35 + 0.07 * stand, 0.18, 0.6)], 0.0)
    return fraction, height, optical_depth


def _roughness(seed: int, parcel: NDArray[np.int64], cover: NDArray[np.uint8], sand: NDArray[np.bool_]) -> Real:
    """Standard deviation of soil height in metres: tilled fields, forest floor, smooth sand."""
    tilled = random_stream(seed, "roughness").uniform(0.010, 0.019, parcel.max() + 1)[parcel]
    roughness = np.where(cover == SimulatedCover.FOREST, 0.020, tilled)
    # Smooth to L band (ks 0.2: as dark as water), still rough to C band (ks 0.9).
    return np.where(sand, 0.008, roughness)


def _soil_moisture(grid: Grid, seed: int, parcel: NDArray[np.int64], sand: NDArray[np.bool_]) -> Real:
    """Volumetric moisture far from water before the flood."""
    stream = random_stream(seed, "moisture")
    field = stream.normal(0.0, 0.03, parcel.max() + 1)[parcel]
    moisture = 0.17 + 0.03 * smooth_field(stream, grid.shape, 20.0) + field
    return np.where(sand, 0.04, np.clip(moisture, 0.08, 0.30))


def _surface(
    grid: Grid,
    seed: int,
    window: str,
    level: Real,
    depth: Real,
    moisture: Real,
    winds: tuple[float, float],
) -> SurfaceState:
    """The state of one window; the soil is wet near the shore."""
    stream = random_stream(seed, f"surface {window}")
    shore = ndimage.distance_transform_edt(depth == 0.0) * grid.pixel
    wind = stream.uniform(*winds) + 0.6 * smooth_field(stream, grid.shape, 25.0)
    return SurfaceState(
        water_surface=level,
        depth=depth,
        soil_moisture=np.clip(moisture + 0.15 * np.exp(-shore / 60.0), 0.02, 0.42),
        wind_speed=np.clip(wind, 1.0, None),
        temperature=float(stream.uniform(4.0, 9.0)),
    )


def _upper_quantile(values: NDArray[np.float64], share: float) -> float:
    """The value that `share` of `values` exceeds."""
    return float(np.quantile(values, 1.0 - share))
