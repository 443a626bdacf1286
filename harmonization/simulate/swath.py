"""Sentinel-1 GRD of the ground state: the same pass as `simulate_sentinel1`, but in lines and pixels as delivered.

Lines run along the track and pixels away from the sensor, 10 m each on the ground. Terrain moves samples towards the
sensor and brightens the slopes that face it; the noise stays in the numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from harmonization.geolocation import terrain_shift
from harmonization.simulate.fields import random_stream
from harmonization.simulate.grid import Grid
from harmonization.simulate.ground import GroundState
from harmonization.simulate.radar import S1_LOOKS, S1_NOISE_DB, Pass, ground_gamma0, sentinel1_pass
from harmonization.simulate.scene import Window

Real = NDArray[np.float64]

SPACING = 10.0
"""Metres between samples in range and azimuth (IW GRDH)."""
TIE_LINES, TIE_PIXELS = 4, 5
"""Tie points; fewer than the 10 by 21 of a real product, which lie 13 to 20 km apart and know no hill in between."""
VECTOR_LINES, VECTOR_STEP = 6, 40
"""Calibration and noise vectors, and the samples between their values (40 in real products)."""
BETA_FACTOR = 474.0
"""A of beta0, the same in the whole of a real product (IPF 3.31)."""
NOISE_TILT_DB = 1.0
"""Difference of the noise between near and far edge; the middle is that of `S1_NOISE_DB`."""
NOISE_RIPPLE = 0.04
"""Swing of the noise along the track, as scalloping leaves it."""
BORDER_PIXELS, BORDER_LINES = (24, 40), 20
"""Border noise before IPF 2.9: samples at the near edge, in the first and in the second half of the lines, where the
sampling window has moved; and lines at the end."""
BORDER_SHARE = 0.05
"""Power of the border noise, of the thermal noise: low, and not zero."""


@dataclass(frozen=True, eq=False)
class SwathTables:
    """What calibration and noise files hold of one polarization; tables are (lines, pixels)."""

    lines: Real
    pixels: Real
    incidence: Real
    noise: Real
    """In the units of DN²."""
    noise_lines: Real
    """Lines of the azimuth factor."""
    noise_factor: tuple[Real, Real]
    """Of the near and of the far block."""


@dataclass(frozen=True, eq=False)
class SwathScene:
    """One Sentinel-1 pass in radar geometry."""

    window: Window
    time: datetime
    """UTC, of the middle."""
    dn: Mapping[str, NDArray[np.uint16]]
    """By polarization: (lines, pixels) amplitude numbers; 0 outside the swath."""
    tie_line: Real
    """(lines, pixels) of the tie points, as all the following."""
    tie_pixel: Real
    tie_easting: Real
    tie_northing: Real
    tie_height: Real
    tie_incidence: Real
    tables: Mapping[str, SwathTables]
    split: int
    """First pixel of the far noise block."""
    heading: float
    """Degrees clockwise from north."""
    before_ipf_2_9: bool = False
    """As up to March 2018: border noise, and noise that is the same along the track and has no blocks."""


@dataclass(frozen=True)
class _Frame:
    """The image's own axes on the map."""

    track: Pass
    easting: float
    """Of the middle of the grid."""
    northing: float
    first_along: float
    """Metres along the track from the middle to line 0."""
    first_range: float
    lines: int
    pixels: int

    def axes(self, easting: Real, northing: Real) -> tuple[Real, Real]:
        """Metres along the track and away from the sensor, from the middle of the grid."""
        heading = np.radians(self.track.heading)
        east, north = easting - self.easting, northing - self.northing
        along = east * np.sin(heading) + north * np.cos(heading)
        return along, east * np.cos(heading) - north * np.sin(heading)

    def place(self, along: Real, away: Real) -> tuple[Real, Real]:
        """The inverse: easting and northing."""
        heading = np.radians(self.track.heading)
        east = along * np.sin(heading) + away * np.cos(heading)
        return self.easting + east, self.northing + along * np.cos(heading) - away * np.sin(heading)

    def incidence(self, away: Real) -> Real:
        """Degrees on the ellipsoid."""
        return np.asarray(self.track.angle + self.track.angle_per_km * away / 1000.0)


def simulate_grd(
    ground: GroundState, window: Window, time: datetime, seed: int, before_ipf_2_9: bool = False
) -> SwathScene:
    """Sentinel-1 GRD scene: amplitude DN, uint16, noise not subtracted, 0 where no ground was simulated.

    Wider than the area by 400 m at least. Tie points lie on the terrain, as those of new products do (IPF 3).
    `before_ipf_2_9`: with the noise tables and the border noise of processors up to March 2018.
    """
    frame = _frame(ground, sentinel1_pass(seed))
    height = ground.elevation + ground.before.depth
    plane = _plane_through(frame, ground, height)
    along = frame.first_along + SPACING * np.arange(frame.lines, dtype=np.float64)[:, None]
    away = frame.first_range + SPACING * np.arange(frame.pixels, dtype=np.float64)[None, :]
    seen = _seen_range(frame, ground.grid, height, plane, along, away)
    row, column = _cell(frame, ground.grid, along, seen)
    gamma0 = ellipsoid_gamma0(ground, window, frame.track, seed)
    incidence = frame.incidence(away)
    stream = random_stream(seed, f"sentinel-1 speckle {window}")
    ripple = 0.0 if before_ipf_2_9 else NOISE_RIPPLE
    tables = {name: _tables(frame, name, ripple) for name in gamma0}
    dn = {}
    for name, power in gamma0.items():
        mean = ndimage.map_coordinates(power, [row, column], order=1, mode="constant", cval=np.nan)
        noise = noise_dn2(frame.pixels, frame.lines, name, incidence, ripple)
        dn[name] = _numbers(mean * gamma_factor(incidence) ** 2 + noise, stream)
        if before_ipf_2_9:
            dn[name] = np.where(border(noise.shape), _numbers(BORDER_SHARE * noise, stream), dn[name])
    return SwathScene(
        window=window, time=time, dn=dn, tables=tables, split=frame.pixels // 2, heading=frame.track.heading,
        before_ipf_2_9=before_ipf_2_9, **_tie_points(frame, ground.grid, height, seen),
    )  # fmt: skip


def _numbers(mean: Real, stream: np.random.Generator) -> NDArray[np.uint16]:
    """Speckled amplitudes of a mean DN², at least 1; 0 where it is not known."""
    amplitude = np.round(np.sqrt(mean * stream.gamma(S1_LOOKS, 1.0 / S1_LOOKS, mean.shape)))
    return np.where(np.isfinite(amplitude), np.clip(amplitude, 1, 65535), 0).astype(np.uint16)


def border(shape: tuple[int, int]) -> NDArray[np.bool_]:
    """(lines, pixels) where an old product has border noise instead of an image."""
    line, pixel = np.arange(shape[0])[:, None], np.arange(shape[1])
    near = np.where(line < shape[0] // 2, *BORDER_PIXELS)
    return np.asarray((pixel < near) | (line >= shape[0] - BORDER_LINES))


def ellipsoid_gamma0(ground: GroundState, window: Window, track: Pass, seed: int) -> dict[str, Real]:
    """gamma0 of the ellipsoid of every ground cell by polarization: no speckle, no noise.

    The product is not flattened: gamma0_E = gamma0_T · tan(theta_E) · cos(theta_loc) / cos(psi), psi between terrain
    normal and the normal of the slant plane (Small 2011; reference note, section 3).
    """
    flattened, local = ground_gamma0(ground, window, "C", track, seed)
    ellipsoid = np.radians(track.angle + track.angle_per_km * track.ground_range(ground.grid) / 1000.0)
    south, east = np.gradient(ground.elevation + ground.before.depth, ground.grid.pixel)
    look = np.radians(track.heading + 90.0)
    # Slant-plane normal: along the look direction by cos(theta), up by sin(theta); rows go south.
    slope = -(east * np.sin(look) - south * np.cos(look))
    cosine = (slope * np.cos(ellipsoid) + np.sin(ellipsoid)) / np.sqrt(1.0 + east**2 + south**2)
    change = np.tan(ellipsoid) * np.cos(np.radians(local)) / cosine
    return {name: power * change for name, power in flattened.items()}


def gamma_factor(incidence: Real) -> Real:
    """A of gamma0 = beta0·tan(theta) = DN²/A²."""
    return np.asarray(BETA_FACTOR / np.sqrt(np.tan(np.radians(incidence))))


def noise_dn2(pixels: int, lines: int, polarization: str, incidence: Real, ripple: float = NOISE_RIPPLE) -> Real:
    """(lines, pixels) noise in the units of DN²; `ripple`: its swing along the track."""
    ranged = _range_noise(np.arange(pixels), pixels, polarization, incidence)
    near, far = _azimuth_factor(np.arange(lines), lines, ripple)
    factor = np.where(np.arange(pixels) < pixels // 2, near[:, None], far[:, None])
    return np.asarray(ranged * factor)


def _range_noise(pixel: NDArray[np.integer], pixels: int, polarization: str, incidence: Real) -> Real:
    level = S1_NOISE_DB[polarization] + NOISE_TILT_DB * (pixel / max(pixels - 1, 1) - 0.5)
    return np.asarray(10.0 ** (level / 10.0) * gamma_factor(incidence) ** 2)


def _azimuth_factor(line: NDArray[np.integer], lines: int, ripple: float) -> tuple[Real, Real]:
    """Of the near and of the far block, of mean 1."""
    turn = 2.0 * np.pi * line / max(lines, 1)
    return 1.0 + ripple * np.sin(turn), 1.0 - ripple * np.sin(turn)


def _frame(ground: GroundState, track: Pass) -> _Frame:
    """Lines and pixels that cover the area and 400 m around it."""
    wide = ground.grid.padded(-24)
    easting, northing = ground.grid.centres()
    probe = _Frame(track, float(easting.mean()), float(northing.mean()), 0.0, 0.0, 0, 0)
    east = np.array([wide.origin_x, wide.origin_x + wide.columns * wide.pixel])
    north = np.array([wide.origin_y, wide.origin_y - wide.rows * wide.pixel])
    along, away = probe.axes(*(axis.ravel() for axis in np.meshgrid(east, north)))
    lines, pixels = (int(np.ceil(np.ptp(axis) / SPACING)) + 1 for axis in (along, away))
    return _Frame(track, probe.easting, probe.northing, float(along.min()), float(away.min()), lines, pixels)


def _plane_through(frame: _Frame, ground: GroundState, height: Real) -> tuple[float, float]:
    """Height in the middle and its rise along the track: what the processor took the terrain for."""
    along, _ = frame.axes(*np.broadcast_arrays(*ground.grid.centres()))
    rise, middle = np.polyfit(along[ground.inner].ravel(), height[ground.inner].ravel(), 1)
    return float(middle), float(rise)


def _seen_range(frame: _Frame, grid: Grid, height: Real, plane: tuple[float, float], along: Real, away: Real) -> Real:
    """Metres away from the sensor of the ground that every sample shows; (lines, pixels).

    Ground that is higher than the plane lies farther than its sample says: found by iteration, which converges where
    slopes are gentler than layover.
    """
    assumed = plane[0] + plane[1] * along
    seen = np.broadcast_to(away, (along.shape[0], away.shape[1])).copy()
    for _ in range(12):
        row, column = _cell(frame, grid, along, seen)
        above = ndimage.map_coordinates(height, [row, column], order=1, mode="nearest") - assumed
        seen = away + terrain_shift(above, frame.incidence(away))
    return np.asarray(seen)


def _cell(frame: _Frame, grid: Grid, along: Real, away: Real) -> tuple[Real, Real]:
    easting, northing = frame.place(along, away)
    return (grid.origin_y - northing) / grid.pixel - 0.5, (easting - grid.origin_x) / grid.pixel - 0.5


def _tie_points(frame: _Frame, grid: Grid, height: Real, seen: Real) -> dict[str, Real]:
    lines = np.linspace(0, frame.lines - 1, TIE_LINES).round()
    pixels = np.linspace(0, frame.pixels - 1, TIE_PIXELS).round()
    line, pixel = np.meshgrid(lines, pixels, indexing="ij")
    along, away = frame.first_along + SPACING * line, seen[line.astype(int), pixel.astype(int)]
    easting, northing = frame.place(along, away)
    row, column = _cell(frame, grid, along, away)
    return {
        "tie_line": line,
        "tie_pixel": pixel,
        "tie_easting": easting,
        "tie_northing": northing,
        "tie_height": ndimage.map_coordinates(height, [row, column], order=1, mode="nearest"),
        "tie_incidence": frame.incidence(frame.first_range + SPACING * pixel),
    }


def _tables(frame: _Frame, polarization: str, ripple: float) -> SwathTables:
    """Every `VECTOR_STEP` samples and at the last, as the processor writes them."""
    lines = np.linspace(0, frame.lines - 1, VECTOR_LINES).round()
    pixels = np.unique(np.append(np.arange(0, frame.pixels, VECTOR_STEP), frame.pixels - 1))
    incidence = frame.incidence(frame.first_range + SPACING * pixels)
    noise_lines = np.unique(np.append(np.arange(0, frame.lines, 10), frame.lines - 1))
    noise = _range_noise(pixels, frame.pixels, polarization, incidence)
    return SwathTables(
        lines=lines,
        pixels=pixels.astype(np.float64),
        incidence=np.tile(incidence, (lines.size, 1)),
        noise=np.tile(noise, (lines.size, 1)),
        noise_lines=noise_lines.astype(np.float64),
        noise_factor=_azimuth_factor(noise_lines, frame.lines, ripple),
    )
