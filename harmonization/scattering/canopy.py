"""Vegetation over soil or water: crown volume, attenuated ground, and the trunk-ground corner.

Water Cloud Model (Attema and Ulaby 1978, Radio Science 13(2)) with the trunk-ground term of Richards, Sun and
Simonett 1987 (TGRS 25(2)) and Wang et al. 1995: a flood swaps the ground from soil to smooth water.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harmonization.dielectric import soil_permittivity, vegetation_permittivity, water_permittivity
from harmonization.dielectric.arrays import Complex, Real, within
from harmonization.scattering.fresnel import fresnel_reflectivity, wavenumber
from harmonization.scattering.soil import oh_1992

L_BAND = 1.2575
"""GHz of the optical depth tau_L (PALSAR-2)."""
TRUNK_STRENGTH = 5.0
"""Trunk-ground strength a unit of tau_L in a forest: calibrated to the published enhancement of 3 to 10 dB at
L-HH (Hess, Melack and Simonett 1990), a tenth of the physical-optics bound."""

LikePolarization = Literal["HH", "VV"]


def optical_depth(depth_l_band: Real, frequency: Real, exponent: float = 1.0) -> NDArray[np.float64]:
    """Optical depth of the crown at nadir at `frequency` in GHz, from the one at L band (dimensionless).

    tau = tau_L (f / 1.2575)^chi; chi is 1.0 +- 0.4 (Kirdyashev 1979 with sap of 4 to 8 psu gives 1.06 to
    1.32).
    """
    return np.asarray(depth_l_band * (np.asarray(frequency) / L_BAND) ** exponent)


def transmissivity(depth: Real, angle: Real) -> NDArray[np.float64]:
    """Share of the power that passes a crown twice, 0 to 1: exp(-2 tau / cos(angle)).

    `depth` (tau) at nadir, `angle` in degrees; broadcast; NaN in, NaN out.
    """
    return np.asarray(np.exp(-2.0 * np.asarray(depth) / np.cos(np.radians(angle))))


def water_cloud(crown: Real, depth: Real, ground: Real, angle: Real) -> NDArray[np.float64]:
    """sigma0 of a crown over ground, linear power.

    Water Cloud Model (Attema and Ulaby 1978, equation 8): crown cos (1 - T2) + T2 ground. `crown` is gamma0 of an
    opaque crown (their A V1), `depth` its optical depth (their B V2), `ground` the power that comes back from below
    it (sigma0), all linear, `angle` in degrees; arrays that broadcast together; NaN in, NaN out. A depth of 0 gives
    `ground`. First order, no scattering between crown and ground: `water_cloud_valid`.
    """
    transmitted = transmissivity(depth, angle)
    return np.asarray(crown * np.cos(np.radians(angle)) * (1.0 - transmitted) + transmitted * ground)


def water_cloud_attema_ulaby(
    strength: Real, first: Real, attenuation: Real, second: Real, ground: Real, angle: Real
) -> NDArray[np.float64]:
    """`water_cloud` in the parameters of its paper: A, V1, B, V2 (any pair of vegetation measures), ground, angle."""
    return water_cloud(np.multiply(strength, first), np.multiply(attenuation, second), ground, angle)


def water_cloud_valid(depth: Real, angle: Real) -> NDArray[np.bool_]:
    """True where one scattering in the crown is enough: optical depth 0 to 5, 20 to 60 degrees [M].

    Inputs as `water_cloud`; broadcast; NaN is outside. Deeper crowns are opaque and the model right by construction
    of `crown`, up to where the depth itself means nothing.
    """
    return np.asarray(within(depth, 0.0, 5.0) & within(angle, 20.0, 60.0))


def trunk_ground(
    frequency: Real,
    ground_permittivity: Complex,
    trunk_permittivity: Complex,
    roughness: Real,
    angle: Real,
    polarization: LikePolarization,
) -> NDArray[np.float64]:
    """Power reflectivity of the corner between vertical trunks and ground, linear, 0 to 1.

    |R_ground(angle)|^2 |R_trunk(90 - angle)|^2 exp(-4 k^2 s^2 cos^2): TE on both surfaces in HH, TM in VV.
    Multiply by the trunk strength to get sigma0. `frequency` in GHz, `roughness` (s) of the ground in metres
    (0 for water), `angle` in degrees; arrays that broadcast together; NaN in, NaN out. For level ground and trunks
    long and thick against the wavelength: `trunk_ground_valid`.
    """
    wave = ("HH", "VV").index(polarization)
    ground = fresnel_reflectivity(ground_permittivity, angle)[wave]
    trunk = fresnel_reflectivity(trunk_permittivity, np.subtract(90.0, angle))[wave]
    phase = 2.0 * wavenumber(frequency) * np.asarray(roughness) * np.cos(np.radians(angle))
    return np.asarray(ground * trunk * np.exp(-(phase**2)))


def trunk_ground_valid(
    frequency: Real, roughness: Real, angle: Real, trunk_radius: Real = 0.1, slope: Real = 0.0
) -> NDArray[np.bool_]:
    """True where a corner is a corner: ks < 1, 20 to 60 degrees, radius above a sixth of a wavelength, level ground.

    Inputs as `trunk_ground`, with the `trunk_radius` in metres (Fresnel's plane trunk wants k a > 1) and the `slope`
    of the ground in degrees: beyond 5 the beam of the corner misses the radar [M]. Broadcast; NaN is outside.
    """
    wave = wavenumber(frequency)
    smooth = within(wave * np.asarray(roughness), 0.0, 1.0) & within(wave * np.asarray(trunk_radius), 1.0, np.inf)
    return np.asarray(smooth & within(angle, 20.0, 60.0) & within(np.abs(slope), 0.0, 5.0))


OPAQUE_CROWN = {"C-VV": 10.0**-0.65, "L-HH": 10.0**-0.7}
"""gamma0 of an opaque crown, linear: -6.5 and -7.0 dB [M, reference note 5.3]."""


class Stand(NamedTuple):
    """sigma0 of one stand, linear power, over dry ground and over water."""

    dry: NDArray[np.float64]
    flooded: NDArray[np.float64]


def canopy(
    frequency: float,
    polarization: LikePolarization,
    crown: Real,
    depth_l_band: Real,
    angle: Real,
    *,
    moisture: Real = 0.2,
    roughness: Real = 0.02,
    trunk_moisture: Real = 0.5,
    strength: float = TRUNK_STRENGTH,
    temperature: Real = 20.0,
) -> Stand:
    """sigma0 of a stand of trees over dry ground and over a flood, linear power.

    Four components: crown, crown-attenuated ground, and the trunk-ground corner (Richards, Sun and Simonett 1987;
    Wang et al. 1995; Hess, Melack and Simonett 1990). The flood swaps soil of `moisture` (m3/m3) and `roughness` (m)
    for smooth water at `temperature` (Celsius), which shows in the corner alone. `frequency` in GHz, `crown` gamma0
    of an opaque crown (linear, see `OPAQUE_CROWN`), `depth_l_band` the optical depth at L band, `angle` in degrees,
    `trunk_moisture` gravimetric, `strength` of the corner a unit of depth; arrays that broadcast together; NaN in,
    NaN out. `canopy_valid` tells where it holds.
    """
    trunk = vegetation_permittivity(frequency, trunk_moisture)
    soil, water = soil_permittivity(frequency, moisture), water_permittivity(frequency, temperature)
    depth = optical_depth(depth_l_band, frequency)
    grounds = (
        (soil, roughness, oh_1992(frequency, soil, roughness, angle)[polarization]),
        (water, 0.0, 0.0),
    )
    found = []
    for permittivity, height, floor in grounds:
        corner = trunk_ground(frequency, permittivity, trunk, height, angle, polarization)
        found.append(water_cloud(crown, depth, floor + strength * depth_l_band * corner, angle))
    return Stand(*found)


def canopy_valid(
    frequency: Real, depth_l_band: Real, angle: Real, roughness: Real = 0.02, slope: Real = 0.0
) -> NDArray[np.bool_]:
    """True where `canopy` holds over both grounds: the ranges of its crown and its corner; broadcast, NaN is outside.

    At C band under a closed crown it is blind by construction, while C-HH maps flooded forest (Townsend 2002): there
    the classes carry a wide spread instead. Crops in rows resonate at L-HH (Ouchi 2006) and are outside.
    """
    crown = water_cloud_valid(optical_depth(depth_l_band, frequency), angle)
    # At C band the rough ground has no corner at all (exp(-4 k^2 s^2) is below 1e-5), which is right, so ks is free.
    corner = trunk_ground_valid(frequency, 0.0, angle, slope=slope) & within(roughness, 0.0, 0.1)
    return np.asarray(crown & corner)
