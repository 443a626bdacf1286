"""Bare soil: the empirical model of Oh, Sarabandi and Ulaby 1992 (TGRS 30(2))."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harmonization.dielectric import Complex, Real
from harmonization.scattering.fresnel import fresnel_reflectivity, wavenumber


def oh_1992(frequency: float, permittivity: Complex, roughness: Real, angle: Real) -> dict[str, NDArray[np.float64]]:
    """sigma0 of bare soil, linear power, by polarization ("HH", "VV", "HV").

    `frequency` in GHz, `permittivity` relative, `roughness` the standard deviation of height in metres,
    `angle` of incidence in degrees; scalars or arrays that broadcast together. Fitted for 0.1 < ks < 6, 2.5 <
    kl < 20 and 0.09 < moisture < 0.31; outside it extrapolates smoothly. Between models the spread is 2 dB at
    C, 3 dB at L.
    """
    theta = np.radians(angle)
    ks = wavenumber(frequency) * np.asarray(roughness, np.float64)
    index = np.sqrt(permittivity)
    nadir = np.square(np.abs((1.0 - index) / (1.0 + index)))
    horizontal, vertical = fresnel_reflectivity(permittivity, angle)
    root_copolar_ratio = 1.0 - (2.0 * theta / np.pi) ** (1.0 / (3.0 * nadir)) * np.exp(-ks)
    strength = 0.7 * (1.0 - np.exp(-0.65 * ks**1.8))
    vv = strength * np.cos(theta) ** 3 * (vertical + horizontal) / root_copolar_ratio
    cross_ratio = 0.23 * np.sqrt(nadir) * (1.0 - np.exp(-ks))
    return {"HH": root_copolar_ratio**2 * vv, "VV": vv, "HV": cross_ratio * vv}
