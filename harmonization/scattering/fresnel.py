"""Reflection of a plane wave at a flat surface (Fresnel 1823; as in Ulaby, Moore and Fung 1982, volume
II)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harmonization.dielectric import Complex, Real

SPEED_OF_LIGHT = 299_792_458.0
"""m/s."""


def wavenumber(frequency: float) -> float:
    """Free-space wavenumber in rad/m of a `frequency` in GHz."""
    return 2e9 * np.pi * frequency / SPEED_OF_LIGHT


def fresnel_reflectivity(permittivity: Complex, angle: Real) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Power reflected by a flat half-space: horizontal (TE), vertical (TM) polarization, 0 to 1.

    `permittivity` relative, `angle` of incidence in degrees (0 to 90); scalars or arrays that broadcast
    together. Valid for a surface smooth against the wavelength.
    """
    theta = np.radians(angle)
    cosine = np.cos(theta)
    refracted = np.sqrt(permittivity - np.sin(theta) ** 2)
    horizontal = (cosine - refracted) / (cosine + refracted)
    vertical = (permittivity * cosine - refracted) / (permittivity * cosine + refracted)
    return np.square(np.abs(horizontal)), np.square(np.abs(vertical))
