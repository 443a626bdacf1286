"""A plane wave at a flat surface (Fresnel 1823; as in Ulaby, Moore and Fung 1982, volume II) and at one with ripples
(Bragg scattering: Valenzuela 1978, Boundary-Layer Meteorology 13)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harmonization.dielectric.arrays import Complex, Real, within

SPEED_OF_LIGHT = 299_792_458.0
"""m/s."""


def wavenumber(frequency: Real) -> NDArray[np.float64]:
    """Free-space wavenumber in rad/m of a `frequency` in GHz. Any shape."""
    return np.asarray(2e9 * np.pi * np.asarray(frequency, np.float64) / SPEED_OF_LIGHT)


@np.errstate(divide="ignore")  # at nadir there is none: infinite
def bragg_wavelength(frequency: Real, angle: Real) -> NDArray[np.float64]:
    """Length in metres of the ripples that a rough surface is seen by: half the wavelength over the sine.

    `frequency` in GHz, `angle` of incidence in degrees; broadcast. 4.5 cm at C band and 38.5 degrees, 19 cm at L;
    infinite at nadir.
    """
    return np.asarray(np.pi / (wavenumber(frequency) * np.sin(np.radians(angle))))


@np.errstate(invalid="ignore")  # numpy warns of NaN in complex division
def bragg_coefficients(permittivity: Complex, angle: Real) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    """Amplitudes of first-order scattering by small roughness: HH, VV (Valenzuela 1978, equations 2.6 and 2.7).

    a_hh = (e - 1) / (cos + q)^2, a_vv = (e - 1)(e (1 + sin^2) - sin^2) / (e cos + q)^2 with q = sqrt(e - sin^2).
    `permittivity` relative, `angle` in degrees (0 to 90); broadcast; NaN in, NaN out. |a_hh| is Fresnel's R_h.
    """
    theta = np.radians(angle)
    cosine, sine_squared = np.cos(theta), np.sin(theta) ** 2
    refracted = np.sqrt(permittivity - sine_squared)
    contrast = np.subtract(permittivity, 1.0)
    horizontal = contrast / (cosine + refracted) ** 2
    vertical = contrast * (permittivity * (1.0 + sine_squared) - sine_squared)
    return np.asarray(horizontal), np.asarray(vertical / (permittivity * cosine + refracted) ** 2)


@np.errstate(invalid="ignore")  # numpy warns of NaN in complex division
def fresnel_reflectivity(permittivity: Complex, angle: Real) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Power reflected by a flat half-space: horizontal (TE), vertical (TM) polarization, 0 to 1.

    `permittivity` relative, `angle` of incidence in degrees (0 to 90); scalars or arrays that broadcast
    together; NaN in, NaN out. For a surface smooth against the wavelength: `smooth_valid`.
    """
    theta = np.radians(angle)
    cosine = np.cos(theta)
    refracted = np.sqrt(permittivity - np.sin(theta) ** 2)
    horizontal = (cosine - refracted) / (cosine + refracted)
    vertical = (permittivity * cosine - refracted) / (permittivity * cosine + refracted)
    return np.square(np.abs(horizontal)), np.square(np.abs(vertical))


def smooth_valid(frequency: Real, roughness: Real, angle: Real) -> NDArray[np.bool_]:
    """True where a surface is smooth by Fraunhofer's criterion: height deviation below wavelength / (32 cos(angle)).

    `frequency` in GHz, `roughness` (standard deviation of height) in metres, `angle` in degrees from 0 to 90;
    broadcast; NaN is outside. Ulaby, Moore and Fung 1982, section 11-2.
    """
    phase = wavenumber(frequency) * np.asarray(roughness) * np.cos(np.radians(angle))
    return np.asarray(within(phase, 0.0, np.pi / 16.0) & within(angle, 0.0, 90.0))
