"""sigma0 of the ground state in one band: soil, canopy, corner and water models put together, then
texture."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harmonization.classes import BACKSCATTER, REFERENCE_ANGLE
from harmonization.dielectric import soil_permittivity, vegetation_permittivity, water_permittivity
from harmonization.scattering.canopy import TRUNK_STRENGTH, optical_depth, trunk_ground, water_cloud
from harmonization.scattering.soil import oh_1992
from harmonization.scattering.water import open_water
from harmonization.simulate.fields import random_stream, smooth_field
from harmonization.simulate.ground import USUAL, GroundState, SimulatedCover
from harmonization.simulate.scene import Window

Real = NDArray[np.float64]
BandName = Literal["C", "L"]

FREQUENCY = {"C": 5.405, "L": 1.2575}
"""GHz."""
POLARIZATIONS: dict[str, tuple[Literal["HH", "VV"], str]] = {"C": ("VV", "VH"), "L": ("HH", "HV")}
"""Like- and cross-polarized channel of each band."""
TRUNK_MOISTURE = 0.5
"""Gravimetric moisture of stems (reference note, section 5.3)."""
STEM_STRENGTH = {SimulatedCover.FOREST: TRUNK_STRENGTH, SimulatedCover.CROP: 3.0}
"""Corner strength a unit of tau_L; of crops a guess below the one of trunks: stems are thin."""
CORNER_DEPOLARIZATION = 0.03
"""Cross-polarized share of the corner: gives L-HV of flooded forest its +0.4 dB of the class table."""
OPAQUE_CROWN: dict[str, dict[SimulatedCover, float]] = {
    # gamma0 in dB of an opaque crown. Forest C and L-HH reproduce the reference note, section 5.3; the rest is
    # set so that the optical depths of the simulator meet the class table within its 2 dB.
    "C-VV": {SimulatedCover.FOREST: -6.5, SimulatedCover.CROP: -11.0},
    "C-VH": {SimulatedCover.FOREST: -12.5, SimulatedCover.CROP: -17.0},
    "L-HH": {SimulatedCover.FOREST: -7.0, SimulatedCover.CROP: -11.0},
    "L-HV": {SimulatedCover.FOREST: -10.3, SimulatedCover.CROP: -17.0},
}
SURFACES = ("bare_dry", "grass_crop", "forest", "urban", "open_water", "flooded_marsh", "flooded_forest")
"""Rows of the class table whose spread the texture of each surface takes; first the codes of `SimulatedCover`."""
STAND = np.array([0, 1, 2, 3, 4, 1, 2])
"""Surface that each one is without the flood: the same plants, so the same offset."""
TEMPORAL_CHANGE = np.array([1.2, 1.0, 0.7, 0.7, 1.0, 1.0, 0.7])
"""dB, standard deviation of the change between two passes beside moisture and wind, by surface."""


def sigma0(ground: GroundState, window: Window, band: BandName, angle: Real) -> dict[str, Real]:
    """sigma0 of every ground cell without texture, linear power, by polarization.

    `angle` is the local incidence in degrees, shaped like the ground. Towns take the mean of the class table.
    """
    like, cross = POLARIZATIONS[band]
    town = ground.land_cover == SimulatedCover.URBAN
    ground_power, corner = _below_canopy(ground, window, band, angle)
    depth = optical_depth(_emergent_depth(ground, window), FREQUENCY[band])
    result = {}
    for polarization, corner_share in ((like, 1.0), (cross, CORNER_DEPOLARIZATION)):
        channel = f"{band}-{polarization}"
        below = ground_power[polarization] + corner_share * corner
        canopy = water_cloud(_by_cover(ground, OPAQUE_CROWN[channel]), depth, below, angle)
        urban = BACKSCATTER["urban"][channel]
        built = 10.0 ** ((urban.mean + urban.slope * (angle - REFERENCE_ANGLE)) / 10.0)
        result[polarization] = np.where(town, built, canopy)
    return result


def _below_canopy(ground: GroundState, window: Window, band: BandName, angle: Real) -> tuple[dict[str, Real], Real]:
    """What comes back from under the crown: sigma0 of soil or water by polarization, and of the stem-ground
    corner."""
    surface = ground.surface(window)
    frequency = FREQUENCY[band]
    like, cross = POLARIZATIONS[band]
    wet = surface.depth > 0.0
    roughness = np.where(wet, 0.0, ground.roughness)
    soil = soil_permittivity(frequency, surface.soil_moisture)
    dry = oh_1992(frequency, soil, ground.roughness, angle)
    dry["VH"] = dry["HV"]
    wind = surface.wind_speed * (1.0 - ground.canopy_fraction)
    power = {
        polarization: np.where(wet, open_water(f"{band}-{polarization}", wind, angle), dry[polarization])
        for polarization in (like, cross)
    }
    permittivity = np.where(wet, water_permittivity(frequency, surface.temperature), soil)
    stems = vegetation_permittivity(frequency, TRUNK_MOISTURE)
    strength = np.select([ground.land_cover == c for c in STEM_STRENGTH], list(STEM_STRENGTH.values()), 0.0)
    corner = trunk_ground(frequency, permittivity, stems, roughness, angle, like)
    return power, strength * _emergent_depth(ground, window) * corner


def _emergent_depth(ground: GroundState, window: Window) -> Real:
    """tau_L of the part of the plants above water."""
    height = np.maximum(ground.vegetation_height, 1e-6)
    return ground.optical_depth * np.clip(1.0 - ground.surface(window).depth / height, 0.0, 1.0)


def _by_cover(ground: GroundState, decibel: dict[SimulatedCover, float]) -> Real:
    """Linear power by land cover, 0 where the table says nothing."""
    return np.select([ground.land_cover == code for code in decibel], [10.0 ** (v / 10.0) for v in decibel.values()])


def surface_code(ground: GroundState, window: Window) -> NDArray[np.uint8]:
    """Index into `SURFACES` of every ground cell in one window; (rows, columns)."""
    depth = ground.surface(window).depth
    emergent = (depth > 0.0) & (_emergent_depth(ground, window) > 0.0)
    code = np.where(depth > 0.0, SURFACES.index("open_water"), ground.land_cover)
    code[emergent] = SURFACES.index("flooded_marsh")
    code[emergent & (ground.land_cover == SimulatedCover.FOREST)] = SURFACES.index("flooded_forest")
    return code.astype(np.uint8)


def texture(ground: GroundState, window: Window, band: BandName, seed: int) -> dict[str, Real]:
    """Factor on power for all that the models leave out, lognormal, by polarization; (rows, columns).

    Half the spread of the class table: an offset of every surface and a texture that both windows share, so
    dry ground changes little between them, and a change of each window's own.
    """
    stream = random_stream(seed, f"texture {band}")
    shape = ground.grid.shape
    common_offset = stream.standard_normal(len(SURFACES))
    common_field = smooth_field(stream, shape, 2.0)
    passing = random_stream(seed, f"texture {band} {window}")
    change = _mix(passing.standard_normal(), smooth_field(passing, shape, 8.0), 0.5)
    code = surface_code(ground, window)
    common = np.full(len(SURFACES), ground.variety.class_offset)
    common[SURFACES.index("open_water")] = USUAL.class_offset  # all water moves by the wind already
    result = {}
    for polarization in POLARIZATIONS[band]:
        spread = np.array([BACKSCATTER[name][f"{band}-{polarization}"].std for name in SURFACES])
        offset = _mix(common_offset, stream.standard_normal(len(SURFACES)), 0.7)[STAND] * common * spread
        field = _mix(common_field, smooth_field(stream, shape, 2.0), 0.7)
        # Two passes differ by the square root of two of what each has of its own.
        decibel = offset[code] + (0.43 * spread)[code] * field + (TEMPORAL_CHANGE / np.sqrt(2.0))[code] * change
        result[polarization] = 10.0 ** (decibel / 10.0)
    return result


def _mix(first: Real | float, second: Real, share: float) -> Real:
    """Two fields of deviation 1 mixed to one of deviation 1, `share` of the variance from the first."""
    return np.asarray(np.sqrt(share) * first + np.sqrt(1.0 - share) * second)
