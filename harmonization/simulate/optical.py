"""Sentinel-2 L2A scenes of the ground state: endmembers, haze, clouds with shadows, DN and scene
classification."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from harmonization.bundle import Float
from harmonization.simulate.fields import random_stream, smooth_field
from harmonization.simulate.grid import Grid, area_average
from harmonization.simulate.ground import GroundState, SimulatedCover
from harmonization.simulate.scene import Scene, SceneLayer, Window

Real = NDArray[np.float64]

BANDS = {"B02": (492.0, 10.0), "B03": (560.0, 10.0), "B04": (665.0, 10.0)} | {
    "B08": (833.0, 10.0),
    "B11": (1614.0, 20.0),
    "B12": (2202.0, 20.0),
}
"""Centre wavelength in nm and pixel in metres (ESA, Sentinel-2 MSI)."""
ENDMEMBERS: dict[str, tuple[float, ...]] = {
    # Reflectance of B02 B03 B04 B08 B11 B12. Clear, turbid, soil, crop: reference note, section 10; its forest and town
    # indices give the other two; B02 is not listed there and typical.
    "clear_water": (0.050, 0.060, 0.030, 0.020, 0.010, 0.005),
    "turbid_water": (0.110, 0.140, 0.170, 0.110, 0.020, 0.010),
    "soil": (0.090, 0.120, 0.180, 0.250, 0.320, 0.280),
    "crop": (0.045, 0.080, 0.050, 0.400, 0.200, 0.100),
    "forest": (0.028, 0.050, 0.030, 0.250, 0.125, 0.060),
    "town": (0.130, 0.150, 0.170, 0.225, 0.272, 0.240),
    "sand": (0.180, 0.240, 0.290, 0.350, 0.430, 0.390),
    "cloud": (0.750, 0.730, 0.740, 0.780, 0.480, 0.360),
}
OFFSET = 1000
"""DN of zero reflectance from processing baseline 04.00 on (BOA_ADD_OFFSET -1000)."""
QUANTIFICATION = 10_000.0
"""DN a unit of reflectance."""
CLOUD_HEIGHT = 900.0
"""Metres."""
SUN_ELEVATION = {"before": 18.8, "during": 25.9}
"""Degrees at 47.9 N on the dates of the event, 10:00 UTC."""
SUN_AZIMUTH = 162.0
"""Degrees."""
SHADE = 0.35
"""Share of the light left in the shadow of an opaque cloud."""
CLOUD_COVER = {"before": 0.10, "during": 0.35}
"""Share of the sky, usual for the two windows."""


@dataclass(frozen=True, eq=False)
class _Sky:
    """What stands between ground and sensor, on the ground grid."""

    opacity: Real
    """Of the cloud over a cell, 0 to 1."""
    shade: Real
    """Of the cloud shadow on a cell, 0 to 1."""
    haze: Real
    """Path reflectance at 560 nm that atmospheric correction left."""


def simulate_sentinel2(
    ground: GroundState, window: Window, time: datetime, seed: int, cloud_cover: float | None = None
) -> Scene:
    """Sentinel-2 L2A scene: DN = 10000 reflectance + 1000, uint16, 0 is nodata; "SCL" uint8 at 20 m.

    Layers "B02", "B03", "B04", "B08" (10 m), "B11", "B12", "SCL" (20 m), 400 m wider than the area on every
    side. `cloud_cover` is a share of the sky (None: the usual one of the window). The scene classification
    errs as the real one does: it misses about one pixel of every cloud edge.
    """
    share = CLOUD_COVER[window] if cloud_cover is None else cloud_cover
    sky = _sky(ground, window, seed, share)
    cells = ground.grid.padded(-24)
    layers = {}
    for index, (band, (wavelength, pixel)) in enumerate(BANDS.items()):
        count = round(cells.pixel / pixel * cells.rows)
        grid = Grid(cells.origin_x, cells.origin_y, pixel, count, count)
        seen = _through(sky, _reflectance(ground, window, seed, index), wavelength, ENDMEMBERS["cloud"][index])
        noise = random_stream(seed, f"sentinel-2 noise {window} {band}").normal(0.0, 0.002, grid.shape)
        layers[band] = SceneLayer(reflectance_dn(area_average(seen, ground.grid, grid) + noise), grid, 0.0)
    coarse = layers["B11"].grid
    layers["SCL"] = SceneLayer(_scene_classification(ground.grid, layers, sky), coarse, 0.0)
    metadata = {
        "platform": "sentinel-2a",
        "orbit_direction": "descending",
        "relative_orbit": 122,
        "processing_baseline": "05.10",
        "offset": -OFFSET,
        "quantification": QUANTIFICATION,
        "sun_elevation": SUN_ELEVATION[window],
        "sun_azimuth": SUN_AZIMUTH,
        "cloud_cover": float(100.0 * (sky.opacity[ground.inner] > 0.2).mean()),
    }
    return Scene("sentinel-2", window, time, layers, metadata)


def reflectance_dn(reflectance: NDArray[np.floating]) -> NDArray[np.uint16]:
    """Reflectance to L2A numbers, rounded; negatives stay above nodata; 0 where NaN."""
    dn = np.round(reflectance * QUANTIFICATION + OFFSET)
    return np.where(np.isfinite(dn), np.clip(dn, 1.0, 65535.0), 0.0).astype(np.uint16)


def _reflectance(ground: GroundState, window: Window, seed: int, band: int) -> Real:
    """Surface reflectance of one band: crown over soil, town or water, with the variety of every class."""
    surface = ground.surface(window)
    spectrum = {name: values[band] for name, values in ENDMEMBERS.items()}
    shared = random_stream(seed, "sentinel-2 variety")
    grain, patch = smooth_field(shared, ground.grid.shape, 1.0), smooth_field(shared, ground.grid.shape, 12.0)
    own = smooth_field(random_stream(seed, f"sentinel-2 variety {band}"), ground.grid.shape, 3.0)
    river = ground.land_cover == SimulatedCover.WATER
    muddy = np.clip((0.75 if window == "during" else 0.35) + 0.15 * patch, 0.0, 1.0)
    water = spectrum["clear_water"] + muddy * (spectrum["turbid_water"] - spectrum["clear_water"])
    # Wet soil is darker: about half as bright near saturation as dry (Lobell and Asner 2002).
    soil = spectrum["soil"] * (1.35 - 1.9 * surface.soil_moisture)
    smooth = (ground.roughness < 0.009) & ~river
    floor = np.select(
        [surface.depth > 0.0, ground.land_cover == SimulatedCover.URBAN, smooth],
        [water, np.full_like(water, spectrum["town"]), np.full_like(water, spectrum["sand"])],
        soil,
    )
    forest = ground.land_cover == SimulatedCover.FOREST
    crown = np.where(forest, spectrum["forest"], spectrum["crop"])
    hidden = np.where(forest | (surface.depth < ground.vegetation_height), ground.canopy_fraction, 0.0)
    gain = np.exp(0.06 * grain + 0.08 * patch + 0.05 * own)
    return np.asarray((hidden * crown + (1.0 - hidden) * floor) * gain)


def _sky(ground: GroundState, window: Window, seed: int, share: float) -> _Sky:
    """Clouds over `share` of the area, their shadows and the haze."""
    stream = random_stream(seed, f"sentinel-2 sky {window}")
    shape = ground.grid.shape
    size = ground.inner[0].stop - ground.inner[0].start
    field = smooth_field(stream, shape, 0.06 * size) + 0.35 * smooth_field(stream, shape, 0.015 * size)
    field += 0.12 * smooth_field(stream, shape, 3.0)
    limit = np.quantile(field[ground.inner], 1.0 - share)
    opacity = np.clip((field - limit) / 0.45 + 0.2, 0.0, 1.0) if share > 0.0 else np.zeros(shape)
    reach = CLOUD_HEIGHT / np.tan(np.radians(SUN_ELEVATION[window])) / ground.grid.pixel
    # The field is periodic: clouds that leave on one side throw their shadow in from the other.
    away = np.radians(SUN_AZIMUTH + 180.0)
    moved = np.roll(opacity, (round(-reach * np.cos(away)), round(reach * np.sin(away))), axis=(0, 1))
    shade = ndimage.gaussian_filter(moved, 1.5, mode="wrap")
    haze = np.clip(0.008 + 0.004 * smooth_field(stream, shape, 0.2 * size), 0.0, None)
    return _Sky(opacity, shade, haze)


def _through(sky: _Sky, reflectance: Real, wavelength: float, cloud: float) -> Real:
    """Reflectance as seen from above: shade on the ground, haze (wavelength / 560 nm)^-1.3, cloud on top."""
    lit = reflectance * (1.0 - (1.0 - SHADE) * sky.shade)
    hazy = lit + sky.haze * (wavelength / 560.0) ** -1.3
    return np.asarray(hazy + sky.opacity * (cloud - hazy))


def _scene_classification(ground: Grid, layers: dict[str, SceneLayer], sky: _Sky) -> NDArray[np.uint8]:
    """SCL at 20 m: 3 shadow, 4 vegetation, 5 bare, 6 water, 8 and 9 cloud, 10 thin cirrus, 7 unclassified."""
    coarse = layers["B11"].grid
    green, red, nir, swir = (
        area_average(_reflectance_of(layers[band]), layers[band].grid, coarse) for band in ("B03", "B04", "B08", "B11")
    )
    opacity, shade = (area_average(field, ground, coarse) for field in (sky.opacity, sky.shade))
    found = ndimage.binary_erosion(opacity > 0.2)
    vegetation = (nir - red) / np.maximum(nir + red, 1e-3)
    water = (green - swir) / np.maximum(green + swir, 1e-3)
    conditions = [
        found & (opacity > 0.7),
        found & (opacity > 0.4),
        found,
        (shade > 0.3) & (nir < 0.25),
        water > 0.2,
        vegetation > 0.35,
        vegetation > -0.1,
    ]
    return np.select(conditions, [9, 8, 10, 3, 6, 4, 5], 7).astype(np.uint8)


def _reflectance_of(layer: SceneLayer) -> Float:
    """Back from the numbers of the product, as its own processor would see them."""
    return ((layer.values.astype(np.float32) - OFFSET) / QUANTIFICATION).astype(np.float32)
