"""Waves on water by wind: curvature spectra B(k), dimensionless, all directions together.

The height spectrum over the plane is B / (2 pi k^4), the slope variance the integral of B over ln k. Elfouhaily et
al. 1997 (JGR 102(C7) 15781) for C band; Durden and Vesecky 1985 (IEEE J. Ocean. Eng. 10(4) 445), doubled as in Yueh
1997 (TGRS 35(6) 1400), for L band, where Elfouhaily hardly grows with the wind.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harmonization.dielectric.arrays import Real

Spectrum = Literal["elfouhaily", "durden_vesecky"]

GRAVITY = 9.81
"""m/s2."""
SLOWEST_WAVE = 370.0
"""rad/m of the wave that gravity and surface tension make slowest [V Elfouhaily 1997]."""
SLOWEST_SPEED = 0.23
"""m/s of that wave [V Elfouhaily 1997]."""
FETCH_SCALE = 2.2e4
"""Dimensionless fetch at which waves are nearly grown [V Elfouhaily 1997, equation 37]."""
GROWN_SEA = 0.84
"""Inverse wave age of a fully grown sea [V Elfouhaily 1997]."""
CALM_SPEED = 2.5
"""m/s of the calm gate: fitted to CMOD5.N [C]."""
DURDEN_VESECKY_STRENGTH = 0.008
"""Twice the 0.004 of Durden and Vesecky [V Yueh 1997]."""


def friction_velocity(wind_speed: Real) -> NDArray[np.float64]:
    """Friction velocity in m/s of a wind at 10 m in m/s: drag (0.8 + 0.065 U) 1e-3 (Wu 1982). Any shape."""
    wind = np.asarray(wind_speed, np.float64)
    return np.asarray(np.sqrt((0.8 + 0.065 * wind) * 1e-3) * wind)


def inverse_wave_age(wind_speed: Real, fetch: Real) -> NDArray[np.float64]:
    """Inverse wave age of a wind sea after a `fetch` in metres (infinite: fully grown); Elfouhaily 1997, equation 37.

    `wind_speed` in m/s above 0; broadcast. 0.84 for a grown sea, up to 5 for a young one.
    """
    dimensionless = np.asarray(fetch, np.float64) * GRAVITY / np.square(wind_speed)
    return np.asarray(GROWN_SEA * np.tanh((dimensionless / FETCH_SCALE) ** 0.4) ** -0.75)


def elfouhaily_1997(wave: Real, wind_speed: Real, fetch: Real = np.inf) -> NDArray[np.float64]:
    """Curvature spectrum by Elfouhaily et al. 1997, equations 30 to 44.

    `wave` the wavenumber in rad/m, `wind_speed` at 10 m in m/s above 0, `fetch` in metres (infinite: fully grown);
    broadcast; NaN in, NaN out. Below 3 m/s its ripples grow again as the wind falls: see `calm_gate`.
    """
    wave, wind = np.asarray(wave, np.float64), np.asarray(wind_speed, np.float64)
    age = inverse_wave_age(wind, fetch)
    peak = GRAVITY * age**2 / wind**2
    speed = np.sqrt(GRAVITY / wave * (1.0 + (wave / SLOWEST_WAVE) ** 2))
    root = np.sqrt(wave / peak) - 1.0
    overshoot = 1.7 + 6.0 * np.log10(np.maximum(age, 1.0))
    width = 0.08 * (1.0 + 4.0 * age**-3.0)
    grown = np.exp(-1.25 * (peak / wave) ** 2) * overshoot ** np.exp(-(root**2) / (2.0 * width**2))
    long_waves = 0.5 * 6e-3 * np.sqrt(age) * (wind / age) / speed * np.exp(-age / np.sqrt(10.0) * root)
    capillary = np.exp(-0.25 * (wave / SLOWEST_WAVE - 1.0) ** 2)
    short_waves = 0.5 * _ripple_strength(wind) * SLOWEST_SPEED / speed * capillary
    return np.asarray(grown * (long_waves + short_waves))


def _ripple_strength(wind: NDArray[np.float64]) -> NDArray[np.float64]:
    """Equilibrium of the short waves (equation 44): two laws that meet where friction is as fast as the slowest wave;
    none below a friction velocity of 8.5 cm/s."""
    growth = np.log(friction_velocity(wind) / SLOWEST_SPEED)
    return np.maximum(0.01 * (1.0 + np.where(growth > 0.0, 3.0, 1.0) * growth), 0.0)


def calm_gate(wind_speed: Real) -> NDArray[np.float64]:
    """Share of the ripples of Elfouhaily 1997 that a weak wind raises: 1 - exp(-(U / 2.5 m/s)^3). Any shape.

    A heuristic fitted to CMOD5.N: the spectrum alone brightens water below 3 m/s.
    """
    return np.asarray(-np.expm1(-((np.asarray(wind_speed, np.float64) / CALM_SPEED) ** 3)))


def durden_vesecky_1985(wave: Real, wind_speed: Real) -> NDArray[np.float64]:
    """Curvature spectrum by Durden and Vesecky 1985, doubled (Yueh 1997); fully grown sea only.

    `wave` the wavenumber in rad/m, `wind_speed` at 10 m in m/s above 0; broadcast; NaN in, NaN out. Below 2 rad/m
    the spectrum of Pierson and Moskowitz, its wind at 19.5 m taken from the logarithmic profile.
    """
    wave, wind = np.asarray(wave, np.float64), np.asarray(wind_speed, np.float64)
    friction = friction_velocity(wind)
    pull = 1.25 * wave * friction**2 / (GRAVITY + 7.25e-5 * wave**2)
    short_waves = pull ** (0.225 * np.log10(wave / 2.0))
    at_19_metres = wind + friction / 0.4 * np.log(1.95)
    long_waves = np.exp(-0.74 * (GRAVITY / at_19_metres**2 / wave) ** 2)
    return DURDEN_VESECKY_STRENGTH * np.where(wave > 2.0, short_waves, long_waves)


def curvature(name: Spectrum, wave: Real, wind_speed: Real, fetch: Real = np.inf) -> NDArray[np.float64]:
    """The spectrum of that name; see `elfouhaily_1997` and `durden_vesecky_1985`.

    Raises ValueError for a finite `fetch` with Durden and Vesecky, who describe a grown sea.
    """
    if name == "elfouhaily":
        return elfouhaily_1997(wave, wind_speed, fetch)
    if np.isfinite(fetch).any():
        raise ValueError(f"the spectrum {name} is of a fully grown sea, the fetch is {fetch} m; take elfouhaily")
    return durden_vesecky_1985(wave, wind_speed)


LONGEST_WAVE = 1e-3
"""rad/m; waves of 6 km: longer ones have no slope at any wind on earth."""
WAVES = 256
"""Nodes of the slope integral: 25 a factor of e at C band [C: 0.1 % of the variance]."""


def slope_variance(name: Spectrum, wind_speed: Real, cutoff: Real, fetch: Real = np.inf) -> NDArray[np.float64]:
    """Variance of the slope, both directions together, of all waves longer than the `cutoff` in rad/m.

    `wind_speed` in m/s above 0; arrays that broadcast together. The integral of the curvature over ln k.
    """
    share = np.linspace(0.0, 1.0, WAVES)
    span = np.log(np.asarray(cutoff, np.float64)[..., None] / LONGEST_WAVE)
    waves = LONGEST_WAVE * np.exp(share * span)
    found = curvature(name, waves, np.asarray(wind_speed)[..., None], np.asarray(fetch)[..., None])
    ends = 0.5 * (found[..., 0] + found[..., -1])
    return np.asarray((found.sum(axis=-1) - ends) * span[..., 0] / (WAVES - 1))
