"""Slightly rough ground from first principles: the small perturbation model of first order (Rice 1951; Ulaby, Moore
and Fung 1982, volume II, section 12-5)."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harmonization.dielectric.arrays import Complex, Real, within
from harmonization.scattering.fresnel import bragg_coefficients, wavenumber

Correlation = Literal["exponential", "gaussian"]
"""Shape of the height correlation against distance."""


def roughness_spectrum(
    wave: Real, roughness: Real, correlation_length: Real, correlation: Correlation
) -> NDArray[np.float64]:
    """Height spectrum in m4 at a wavenumber in rad/m; over the whole plane it integrates to the height variance.

    `roughness` (s) and `correlation_length` (l) in metres; broadcast.
    Exponential: s^2 l^2 / (2 pi) / (1 + K^2 l^2)^1.5; Gaussian: s^2 l^2 / (4 pi) exp(-K^2 l^2 / 4).
    """
    area = np.square(np.multiply(roughness, correlation_length))
    turns = np.square(np.multiply(wave, correlation_length))
    if correlation == "exponential":
        return np.asarray(area / (2.0 * np.pi) / (1.0 + turns) ** 1.5)
    return np.asarray(area / (4.0 * np.pi) * np.exp(-turns / 4.0))


def small_perturbation(
    frequency: Real,
    permittivity: Complex,
    roughness: Real,
    correlation_length: Real,
    angle: Real,
    correlation: Correlation = "exponential",
) -> dict[str, NDArray[np.float64]]:
    """sigma0 of a slightly rough surface, linear power, "HH" and "VV" (first order has no cross-polarization).

    16 pi k^4 cos^4 |a|^2 W(2 k sin). `frequency` in GHz, `permittivity` relative, `roughness` (s) and
    `correlation_length` (l) in metres, `angle` of incidence in degrees; scalars or arrays that broadcast together;
    NaN in, NaN out. `small_perturbation_valid` tells where it holds.
    """
    theta = np.radians(angle)
    wave = wavenumber(frequency)
    spectrum = roughness_spectrum(2.0 * wave * np.sin(theta), roughness, correlation_length, correlation)
    strength = 16.0 * np.pi * wave**4 * np.cos(theta) ** 4 * spectrum
    horizontal, vertical = bragg_coefficients(permittivity, angle)
    return {"HH": strength * np.abs(horizontal) ** 2, "VV": strength * np.abs(vertical) ** 2}


def small_perturbation_valid(
    frequency: Real,
    roughness: Real,
    correlation_length: Real,
    angle: Real,
    correlation: Correlation = "exponential",
) -> NDArray[np.bool_]:
    """True where the first order is enough: ks < 0.3, kl < 3, slope deviation < 0.3 (Ulaby, Moore and Fung 1982).

    Inputs as `small_perturbation`; broadcast; NaN is outside. The slope deviation is sqrt(2) s / l for a Gaussian;
    an exponential has none (its heights are not smooth) and s / l stands for it.
    """
    wave = wavenumber(frequency)
    steep = np.divide(roughness, correlation_length) * (np.sqrt(2.0) if correlation == "gaussian" else 1.0)
    small = within(wave * np.asarray(roughness), 0.0, 0.3) & within(wave * np.asarray(correlation_length), 0.0, 3.0)
    return np.asarray(small & within(steep, 0.0, 0.3) & within(angle, 0.0, 70.0))
