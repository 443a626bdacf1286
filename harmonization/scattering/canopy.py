"""Vegetation over soil or water: crown volume, attenuated ground, and the trunk-ground corner.

Water Cloud Model (Attema and Ulaby 1978, Radio Science 13(2)) with the trunk-ground term of Richards, Sun and
Simonett 1987 (TGRS 25(2)) and Wang et al. 1995: a flood swaps the ground from soil to smooth water.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harmonization.dielectric import Complex, Real
from harmonization.scattering.fresnel import fresnel_reflectivity, wavenumber

L_BAND = 1.2575
"""GHz of the optical depth tau_L (PALSAR-2)."""
TRUNK_STRENGTH = 5.0
"""Trunk-ground strength a unit of tau_L in a forest: calibrated to the published enhancement of 3 to 10 dB at
L-HH (Hess, Melack and Simonett 1990), a tenth of the physical-optics bound."""


def optical_depth(depth_l_band: Real, frequency: float, exponent: float = 1.0) -> NDArray[np.float64]:
    """Optical depth of the crown at nadir at `frequency` in GHz, from the one at L band (dimensionless).

    tau = tau_L (f / 1.2575)^chi; chi is 1.0 +- 0.4 (Kirdyashev 1979 with sap of 4 to 8 psu gives 1.06 to
    1.32).
    """
    return np.asarray(depth_l_band * (frequency / L_BAND) ** exponent)


def water_cloud(crown: Real, depth: Real, ground: Real, angle: Real) -> NDArray[np.float64]:
    """sigma0 of a crown over ground, linear power.

    `crown` is gamma0 of an opaque crown (A V1), `depth` its optical depth (B V2), `ground` the power that
    comes back from below it (sigma0), all linear, `angle` in degrees; arrays that broadcast together. A depth
    of 0 gives `ground`. First order: no scattering between crown and ground, so short of dense crops at large
    angles.
    """
    cosine = np.cos(np.radians(angle))
    transmitted = np.exp(-2.0 * np.asarray(depth) / cosine)
    return np.asarray(crown * cosine * (1.0 - transmitted) + transmitted * ground)


def trunk_ground(
    frequency: float,
    ground_permittivity: Complex,
    trunk_permittivity: Complex,
    roughness: Real,
    angle: Real,
    polarization: Literal["HH", "VV"],
) -> NDArray[np.float64]:
    """Power reflectivity of the corner between vertical trunks and ground, linear, 0 to 1.

    |R_ground(angle)|^2 |R_trunk(90 - angle)|^2 exp(-4 k^2 s^2 cos^2): TE on both surfaces in HH, TM in VV.
    Multiply by the trunk strength to get sigma0. `frequency` in GHz, `roughness` (s) of the ground in metres
    (0 for water), `angle` in degrees; arrays that broadcast together. Valid for flat ground and trunks long
    against the wavelength.
    """
    wave = ("HH", "VV").index(polarization)
    ground = fresnel_reflectivity(ground_permittivity, angle)[wave]
    trunk = fresnel_reflectivity(trunk_permittivity, np.subtract(90.0, angle))[wave]
    phase = 2.0 * wavenumber(frequency) * np.asarray(roughness) * np.cos(np.radians(angle))
    return ground * trunk * np.exp(-(phase**2))
