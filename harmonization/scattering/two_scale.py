"""Open water from waves: ripples that scatter (Bragg) on long waves that tilt them, and mirrors near nadir.

Two-scale model of Valenzuela 1978 (Boundary-Layer Meteorology 13, 61) and Plant 1986 (JGR 91(C9) 10735), averaged over
the direction of the wind. Against CMOD5.N (Hersbach 2010) at C-VV it is 0.6 dB off (rms) from 35 degrees and 3 m/s on.
At L-HH there is no public geophysical model function: good to 2 dB.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harmonization.dielectric.arrays import Complex, Real, positive, within
from harmonization.scattering.fresnel import bragg_coefficients, wavenumber
from harmonization.scattering.wave_spectrum import (
    Spectrum,
    calm_gate,
    curvature,
    inverse_wave_age,
    slope_variance,
)

Field = NDArray[np.float64]

CUTOFF = 3.0
"""Waves longer than three radar wavelengths over 2 pi (k / 3) tilt, shorter ones scatter [M, reference note 5.2]."""
STEEPEST, SLOPES = 4.5, 30
"""Standard deviations of slope that are averaged over, and nodes a direction [C: 0.01 dB]."""
BLOCK = 256
"""Water states worked on at a time: 256 times 30 times 15 tilts of 16 bytes are 2 MB an array."""
SPECTRUM_CHANGE = 3.0
"""GHz below which Durden and Vesecky is the default spectrum (L, S), above which Elfouhaily (C)."""
POLARIZATIONS = ("HH", "VV", "HV")


def default_spectrum(frequency: float) -> Spectrum:
    """The spectrum that fits the band: Elfouhaily is flat in wind at L, Durden and Vesecky unproven at C."""
    return "durden_vesecky" if frequency < SPECTRUM_CHANGE else "elfouhaily"


def two_scale(
    frequency: float,
    permittivity: Complex,
    wind_speed: Real,
    angle: Real,
    fetch: Real = np.inf,
    spectrum: Spectrum | None = None,
) -> dict[str, Field]:
    """sigma0 of open water, linear power, by polarization ("HH", "VV", "HV"), mean over wind directions.

    `frequency` in GHz, `permittivity` relative, `wind_speed` at 10 m in m/s, `angle` of incidence in degrees, `fetch`
    in metres (infinite: fully grown; finite with Elfouhaily only, else ValueError); scalars or arrays that broadcast
    together. NaN in, NaN out, and NaN without wind: a mirror returns the noise floor, which is not the model's to
    know. `spectrum` by `default_spectrum` unless named. `two_scale_valid` tells where it was held against data.
    For whole scenes see `water_table`.
    """
    chosen = spectrum or default_spectrum(frequency)
    given = np.broadcast_arrays(np.asarray(permittivity, np.complex128), positive(wind_speed), angle, fetch)
    flat = [value.ravel() for value in given]
    power = np.empty((len(POLARIZATIONS), flat[0].size))
    for start in range(0, flat[0].size, BLOCK):
        block = [value[start : start + BLOCK] for value in flat]
        power[:, start : start + BLOCK] = _states(frequency, chosen, *block)
    return {name: one.reshape(given[0].shape) for name, one in zip(POLARIZATIONS, power, strict=True)}


def two_scale_valid(frequency: Real, wind_speed: Real, angle: Real, fetch: Real = np.inf) -> NDArray[np.bool_]:
    """True where the model was held against CMOD5.N: wind 3 to 15 m/s, 35 to 50 degrees; L to C band.

    Inputs as `two_scale`; broadcast; NaN is outside. A `fetch` so short that the inverse wave age is above 5 is outside
    Elfouhaily 1997 (150 m at 5 m/s). Nearer to nadir the model is up to 3.4 dB dark (1 m/s, 30 degrees). Rain,
    slicks, ice, swell, emergent plants and shallow bottoms are outside at any wind.
    """
    held = within(frequency, 1.2, 5.6) & within(wind_speed, 3.0, 15.0) & within(angle, 35.0, 50.0)
    return np.asarray(held & within(inverse_wave_age(positive(wind_speed), fetch), 0.0, 5.0))


def _states(frequency: float, name: Spectrum, permittivity: Complex, wind: Field, angle: Field, fetch: Field) -> Field:
    """sigma0 of one block of water states, (polarizations, states)."""
    theta = np.radians(angle)
    wave = float(wavenumber(frequency))
    variance = slope_variance(name, wind, wave / CUTOFF, fetch)
    ripples = _tilted_ripples(wave, name, np.asarray(permittivity), wind, theta, fetch, variance)
    mirrors = _mirrors(np.asarray(permittivity), theta, variance)
    return ripples + np.stack([mirrors, mirrors, np.zeros_like(mirrors)])


@np.errstate(invalid="ignore")  # numpy warns of NaN in complex division
def _mirrors(permittivity: NDArray[np.complex128], theta: Field, variance: Field) -> Field:
    """Facets that face the radar: geometric optics, |R0|^2 / (mss cos^4) exp(-tan^2 / mss)."""
    index = np.sqrt(permittivity)
    nadir = np.abs((1.0 - index) / (1.0 + index)) ** 2
    return np.asarray(nadir / (variance * np.cos(theta) ** 4) * np.exp(-(np.tan(theta) ** 2) / variance))


def _tilted_ripples(
    wave: float,
    name: Spectrum,
    permittivity: NDArray[np.complex128],
    wind: Field,
    theta: Field,
    fetch: Field,
    variance: Field,
) -> Field:
    """Bragg scattering averaged over the slopes of the long waves, (polarizations, states)."""
    along, across, weight = _slopes()
    spread = np.sqrt(0.5 * variance)[:, None]
    tilt, roll = theta[:, None] + np.arctan(along * spread), np.arctan(across * spread)
    cosine = np.cos(tilt) * np.cos(roll)
    sine = np.sqrt(np.maximum(1.0 - cosine**2, 0.0))
    # Facets that look away are dark; those that face the radar have no ripples short enough, only the mirrors.
    # The edge between the two is as wide as a step of the slopes, so the sum does not jump from state to state.
    step = spread * np.abs(cosine) * (2.0 * STEEPEST / (SLOPES - 1))
    seen = np.clip((sine - 0.5 / CUTOFF) / step + 0.5, 0.0, 1.0) * (cosine > 0.0)
    sine = np.maximum(sine, 0.25 / CUTOFF)
    bragg = 2.0 * wave * sine
    waves = curvature(name, bragg, wind[:, None], fetch[:, None]) / (2.0 * np.pi * bragg**4)
    gate = calm_gate(wind) if name == "elfouhaily" else np.ones_like(wind)
    strength = 16.0 * np.pi * wave**4 * gate[:, None] * seen * cosine**4 * waves * weight
    amplitudes = _turned(permittivity[:, None], cosine, np.sin(tilt) * np.cos(roll) / sine, np.sin(roll) / sine)
    return np.stack([(strength * np.abs(one) ** 2).sum(axis=-1) for one in amplitudes])


def _turned(permittivity: Complex, cosine: Field, in_plane: Field, out_of_plane: Field) -> list[NDArray[np.complex128]]:
    """Bragg amplitudes HH, VV, HV of a facet whose own plane of incidence is turned from the radar's."""
    horizontal, vertical = bragg_coefficients(permittivity, np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))
    kept, swapped = in_plane**2, out_of_plane**2
    return [
        kept * horizontal + swapped * vertical,
        kept * vertical + swapped * horizontal,
        in_plane * out_of_plane * (vertical - horizontal),
    ]


def _slopes() -> tuple[Field, Field, Field]:
    """Slopes along and across the look, in standard deviations, and their Gaussian weights; the two sides are alike,
    so the across ones are of one side only."""
    nodes = np.linspace(-STEEPEST, STEEPEST, SLOPES)
    weights = np.exp(-0.5 * nodes**2) / np.exp(-0.5 * nodes**2).sum()
    one_side = nodes > 0.0
    along, across = np.meshgrid(nodes, nodes[one_side], indexing="ij")
    return along.ravel(), across.ravel(), np.outer(weights, 2.0 * weights[one_side]).ravel()
