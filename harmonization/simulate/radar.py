"""Radar scenes of the ground state: Sentinel-1 RTC and ALOS-2 ScanSAR L2.2, encoded as the products are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from harmonization.bundle import Float
from harmonization.simulate.backscatter import BandName, sigma0, texture
from harmonization.simulate.fields import random_stream
from harmonization.simulate.grid import Grid, area_average
from harmonization.simulate.ground import GroundState
from harmonization.simulate.scene import Scene, SceneLayer, Window

Real = NDArray[np.float64]


@dataclass(frozen=True)
class Pass:
    """Geometry of one track."""

    heading: float
    """Degrees clockwise from north; both satellites look right."""
    angle: float
    """Incidence on the ellipsoid in the middle of the area, degrees."""
    angle_per_km: float
    """Its rise with ground range, degrees a kilometre."""
    covered: float
    """Share of the area inside the swath: the far edge lies there."""

    def ground_range(self, grid: Grid) -> Real:
        """Metres away from the sensor, from the middle of the grid; (rows, columns)."""
        look = np.radians(self.heading + 90.0)
        easting, northing = grid.centres()
        east, north = easting - easting.mean(), northing - northing.mean()
        return np.asarray(east * np.sin(look) + north * np.cos(look))


S1_NOISE_DB = {"VV": -24.0, "VH": -25.0}
"""NESZ of IW in gamma0 (reference note, section 1)."""
S1_LOOKS = 4.4
"""Equivalent number of looks of IW GRD at 10 m (reference note, section 1)."""
ALOS2_NOISE_DB = {"HH": -28.0, "HV": -33.0}
"""NESZ of ScanSAR in gamma0 (reference note, section 2, the default of the mosaic)."""
ALOS2_LOOKS = 15
"""5 in range times 3 in azimuth (reference note, section 2)."""
ALOS2_CELL = (77.7, 47.5)
"""Resolution in azimuth and range, metres (reference note, section 2); samples every 25 m."""
ALOS2_CALIBRATION_DB = -83.0
"""gamma0 = 10 log10(DN^2) - 83 (JAXA)."""
FWHM = 2.3548
"""Full width at half maximum of a Gaussian in standard deviations."""


def sentinel1_pass(seed: int) -> Pass:
    """Descending track of IW (incidence 31 to 46 degrees over 250 km)."""
    return Pass(193.0, random_stream(seed, "sentinel-1 pass").uniform(33.0, 43.0), 0.066, 1.0)


def alos2_pass(seed: int) -> Pass:
    """Ascending track of ScanSAR (350 km); 8 % of the area lies beyond the swath."""
    return Pass(349.0, random_stream(seed, "alos-2 pass").uniform(32.0, 42.0), 0.070, 0.92)


def simulate_sentinel1(ground: GroundState, window: Window, time: datetime, seed: int) -> Scene:
    """Sentinel-1 RTC scene: gamma0 in linear power, float32, noise subtracted so some samples are negative.

    Layers "vv", "vh" (NaN outside the swath) and "local_incidence_angle" (degrees), 10 m, shifted 3 m against
    the ground cells and 400 m wider on every side.
    """
    track = sentinel1_pass(seed)
    cells = ground.grid.padded(-24)
    grid = Grid(cells.origin_x + 3.0, cells.origin_y + 3.0, 10.0, cells.rows, cells.columns)
    gamma0, angle = _mean_gamma0(ground, window, "C", track, seed, grid)
    speckle = random_stream(seed, f"sentinel-1 speckle {window}")
    layers = {"local_incidence_angle": SceneLayer(angle, grid, np.nan)}
    for polarization, power in gamma0.items():
        noise = 10.0 ** (S1_NOISE_DB[polarization] / 10.0)
        sample = (power + noise) * speckle.gamma(S1_LOOKS, 1.0 / S1_LOOKS, grid.shape) - noise
        layers[polarization.lower()] = SceneLayer(sample.astype(np.float32), grid, np.nan)
    metadata = {
        "platform": "sentinel-1a",
        "orbit_direction": "descending",
        "relative_orbit": 22,
        "heading": track.heading,
        "look_side": "right",
        "angle_range": (29.0, 46.0),
        "nesz_db": S1_NOISE_DB,
        "looks": S1_LOOKS,
        "denoised": True,
    }
    return Scene("sentinel-1", window, time, layers, metadata)


def simulate_alos2(ground: GroundState, window: Window, time: datetime, seed: int) -> Scene:
    """ALOS-2 ScanSAR L2.2 scene: amplitude DN of gamma0, uint16, 0 is nodata, noise not subtracted.

    Layers "HH_SLP", "HV_SLP" (DN), "LIN" (local incidence, 0.01 degrees, uint16, 0 is nodata) and "MSK"
    (uint8: 1 valid, 0 nodata; the bits of the real layer are not simulated), 25 m on multiples of 25 m, 400 m
    wider than the area on every side.
    """
    track = alos2_pass(seed)
    grid = _alos2_grid(ground.grid)
    gamma0, angle = _mean_gamma0(ground, window, "L", track, seed, grid)
    stream = random_stream(seed, f"alos-2 speckle {window}")
    seen = np.isfinite(angle)
    linear = np.where(seen, np.round(angle * 100.0), 0.0).astype(np.uint16)
    layers = {"LIN": SceneLayer(linear, grid, 0.0), "MSK": SceneLayer(seen.astype(np.uint8), grid, 0.0)}
    for polarization, power in gamma0.items():
        noise = 10.0 ** (ALOS2_NOISE_DB[polarization] / 10.0)
        sample = (_blurred(power) + noise) * _correlated_speckle(stream, grid.shape)
        layers[f"{polarization}_SLP"] = SceneLayer(amplitude_dn(sample), grid, 0.0)
    metadata = {
        "platform": "alos-2",
        "orbit_direction": "ascending",
        "relative_orbit": 87,
        "heading": track.heading,
        "look_side": "right",
        "angle_range": (25.0, 50.0),
        "nesz_db": ALOS2_NOISE_DB,
        "looks": float(ALOS2_LOOKS),
        "denoised": False,
    }
    return Scene("alos-2", window, time, layers, metadata)


def amplitude_dn(power: NDArray[np.floating]) -> NDArray[np.uint16]:
    """Linear power to ALOS-2 amplitude numbers, rounded; 0 where `power` is NaN, else at least 1."""
    dn = np.round(np.sqrt(power / 10.0 ** (ALOS2_CALIBRATION_DB / 10.0)))
    return np.where(np.isfinite(dn), np.clip(dn, 1.0, 65535.0), 0.0).astype(np.uint16)


def _mean_gamma0(
    ground: GroundState, window: Window, band: BandName, track: Pass, seed: int, grid: Grid
) -> tuple[Mapping[str, Float], Float]:
    """gamma0 by polarization and local incidence on the sensor's grid: no speckle, no noise, NaN beyond the
    swath."""
    gamma0, angle = ground_gamma0(ground, window, band, track, seed)
    mean = {polarization: area_average(power, ground.grid, grid) for polarization, power in gamma0.items()}
    return mean, area_average(angle, ground.grid, grid)


def ground_gamma0(
    ground: GroundState, window: Window, band: BandName, track: Pass, seed: int
) -> tuple[Mapping[str, Real], Real]:
    """Terrain-flattened gamma0 of every ground cell by polarization, and local incidence in degrees: no speckle, no
    noise, NaN beyond the swath."""
    angle = local_incidence(ground, track)
    power, factor = sigma0(ground, window, band, angle), texture(ground, window, band, seed)
    angle[~_in_swath(ground, track)] = np.nan
    cosine = np.cos(np.radians(angle))
    return {name: power[name] * factor[name] / cosine for name in power}, angle


def _in_swath(ground: GroundState, track: Pass) -> NDArray[np.bool_]:
    """Where the ground lies before the far edge; two cells more, so that a share of 1 covers the last
    corner."""
    reach = track.ground_range(ground.grid)
    edge = np.quantile(reach[ground.inner], track.covered) + 2.0 * ground.grid.pixel
    return np.asarray(reach <= edge)


def local_incidence(ground: GroundState, track: Pass) -> Real:
    """Angle between the normal of the surface (usual water included) and the direction to the sensor,
    degrees."""
    height = ground.elevation + ground.before.depth
    south, east = np.gradient(height, ground.grid.pixel)
    ellipsoid = np.radians(track.angle + track.angle_per_km * track.ground_range(ground.grid) / 1000.0)
    look = np.radians(track.heading + 90.0)
    # Normal (-dz/dx, -dz/dy, 1) times the vector to the sensor (reference note, section 3); rows go south.
    cosine = np.cos(ellipsoid) + np.sin(ellipsoid) * (east * np.sin(look) - south * np.cos(look))
    return np.asarray(np.degrees(np.arccos(cosine / np.sqrt(1.0 + east**2 + south**2))))


def _alos2_grid(ground: Grid) -> Grid:
    """25 m cells on multiples of 25 m, at least 400 m wider than the area."""
    area = ground.padded(-24)
    left = np.floor(area.origin_x / 25.0) * 25.0
    top = np.ceil(area.origin_y / 25.0) * 25.0
    rows, columns = (int(np.ceil(count * area.pixel / 25.0)) + 1 for count in area.shape)
    return Grid(float(left), float(top), 25.0, rows, columns)


def _blurred(power: Float) -> Float:
    """`power` seen through the resolution cell; what lies beyond the swath lends nothing."""
    seen = np.isfinite(power)
    sigma = [cell / FWHM / 25.0 for cell in ALOS2_CELL]
    total = ndimage.gaussian_filter(np.where(seen, power, 0.0), sigma)
    weight = ndimage.gaussian_filter(seen.astype(np.float32), sigma)
    return np.where(seen, total / np.maximum(weight, 1e-6), np.nan).astype(np.float32)


def _correlated_speckle(stream: np.random.Generator, shape: tuple[int, int]) -> Float:
    """Multilook speckle of mean 1: the mean of `ALOS2_LOOKS` intensities of filtered complex noise.

    The filter makes the correlation of intensity as wide as the resolution cell, as it is for a sampled
    band-limited image. Azimuth runs along rows within 11 degrees.
    """
    sigma = [cell / FWHM / 25.0 for cell in ALOS2_CELL]
    total = np.zeros(shape, np.float32)
    for _ in range(2 * ALOS2_LOOKS):
        wave = stream.standard_normal(shape, np.float32)
        total += ndimage.gaussian_filter(wave, sigma, truncate=3.0, mode="wrap") ** 2
    return np.asarray(total / total.mean())
