"""Fresh and salt water.

Sources: Meissner and Wentz 2004 (TGRS 42(9) 1836) with the saline updates of Meissner and Wentz 2012 (TGRS 50(8)
3004) and of their release of 2016; Klein and Swift 1977 (IEEE Trans. Antennas Propag. 25(1) 104).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harmonization.dielectric.arrays import VACUUM_PERMITTIVITY, Real, within

CONDUCTION = 17.97510
"""GHz m/S, 1 / (2 pi eps0): the loss of a conductivity in S/m at a frequency in GHz [V Meissner and Wentz 2004]."""
HIGH_FREQUENCY_LIMIT = 4.9
"""Permittivity of water far above its relaxation [V Klein and Swift 1977]."""


@np.errstate(invalid="ignore")  # numpy warns of NaN in complex division
def water_permittivity(frequency: Real, temperature: Real, salinity: Real = 0.0) -> NDArray[np.complex128]:
    """Relative permittivity of fresh or salt water.

    Double Debye form of Meissner and Wentz 2004, equations 6 to 17. `frequency` in GHz, `temperature` in Celsius
    (liquid), `salinity` in practical salinity units (grams of salt a kilogram); scalars or arrays that broadcast
    together; NaN in, NaN out. `water_permittivity_valid` tells where the fit holds.
    """
    t, f, s = (np.asarray(value, np.float64) for value in (temperature, frequency, salinity))
    static = (3.70886e4 - 82.168 * t) / (421.854 + t)
    intermediate = 5.7230 + 2.2379e-2 * t - 7.1237e-4 * t**2
    first_relaxation = (45.0 + t) / (5.0478 - 7.0315e-2 * t + 6.0059e-4 * t**2)
    infinite = 3.6143 + 2.8841e-2 * t
    second_relaxation = (45.0 + t) / (1.3652e-1 + 1.4825e-3 * t + 2.4166e-4 * t**2)
    # What salt does to each of the five (2012, equations 17 to 21; 2016 for the last but one).
    static = static * np.exp(-3.33330e-3 * s + 4.74868e-6 * s**2)
    intermediate = intermediate * np.exp(-6.28908e-3 * s + 1.76032e-4 * s**2 - 9.22144e-5 * t * s)
    first_relaxation = first_relaxation * (1.0 + s * _first_relaxation_salt(t))
    second_relaxation = second_relaxation * (1.0 + s * (-1.99723e-2 + 0.5 * 1.81176e-4 * (t + 30.0)))
    infinite = infinite * (1.0 + s * (-2.04265e-3 + 1.57883e-4 * t))
    slow = (static - intermediate) / (1.0 + 1j * f / first_relaxation)
    fast = (intermediate - infinite) / (1.0 + 1j * f / second_relaxation)
    return np.asarray(slow + fast + infinite - 1j * CONDUCTION * conductivity(t, s) / f, np.complex128)


def _first_relaxation_salt(t: NDArray[np.float64]) -> NDArray[np.float64]:
    """Change of the first relaxation frequency a unit of salinity (2012, table 7, with the sign of the cubic term
    as released: the printed one is wrong); above 30 Celsius a straight line, as released."""
    warm = 9.1873715e-4 + 1.5012396e-4 * (t - 30.0)
    curve = 0.23232e-2 - 0.79208e-4 * t + 0.36764e-5 * t**2 - 0.35594e-6 * t**3 + 0.89795e-8 * t**4
    return np.where(t > 30.0, warm, curve)


def conductivity(temperature: Real, salinity: Real) -> NDArray[np.float64]:
    """Conductivity of sea water in S/m (Stogryn et al. 1995, as in Meissner and Wentz 2004, equations 12 to 16).

    `temperature` in Celsius (-2 to 40), `salinity` in practical salinity units (0 to 40); arrays that broadcast
    together.
    """
    t, s = np.asarray(temperature, np.float64), np.asarray(salinity, np.float64)
    standard = 2.903602 + 8.607e-2 * t + 4.738817e-4 * t**2 - 2.991e-6 * t**3 + 4.3047e-9 * t**4
    by_salt = s * (37.5109 + 5.45216 * s + 1.4409e-2 * s**2) / (1004.75 + 182.283 * s + s**2)
    slope = (6.9431 + 3.2841 * s - 9.9486e-2 * s**2) / (84.850 + 69.024 * s + s**2)
    offset = 49.843 - 0.2276 * s + 0.198e-2 * s**2
    return np.asarray(standard * by_salt * (1.0 + slope * (t - 15.0) / (offset + t)))


def water_permittivity_valid(frequency: Real, temperature: Real, salinity: Real = 0.0) -> NDArray[np.bool_]:
    """True where Meissner and Wentz fitted: up to 90 GHz; fresh -20 to 40 Celsius, salt -2 to 29 Celsius and up to 40
    units. Inputs as `water_permittivity`; broadcast. Ice is not water: a frozen surface is outside."""
    salt = np.asarray(salinity, np.float64) > 0.0
    liquid = np.where(salt, within(temperature, -2.0, 29.0), within(temperature, -20.0, 40.0))
    return np.asarray(within(frequency, 1e-3, 90.0) & liquid & within(salinity, 0.0, 40.0))


@np.errstate(invalid="ignore")  # numpy warns of NaN in complex division
def water_permittivity_klein_swift(frequency: Real, temperature: Real, salinity: Real = 0.0) -> NDArray[np.complex128]:
    """Relative permittivity of fresh or salt water by Klein and Swift 1977: an independent second opinion.

    One Debye term with conduction, equations 5 to 19. `frequency` in GHz, `temperature` in Celsius, `salinity` in
    practical salinity units; scalars or arrays that broadcast together; NaN in, NaN out.
    `water_permittivity_klein_swift_valid` tells where the fit holds.
    """
    t, s = np.asarray(temperature, np.float64), np.asarray(salinity, np.float64)
    omega = 2e9 * np.pi * np.asarray(frequency, np.float64)
    static = 87.134 - 1.949e-1 * t - 1.276e-2 * t**2 + 2.491e-4 * t**3
    static = static * (1.0 + 1.613e-5 * s * t - 3.656e-3 * s + 3.210e-5 * s**2 - 4.232e-7 * s**3)
    relaxation = 1.768e-11 - 6.086e-13 * t + 1.104e-14 * t**2 - 8.111e-17 * t**3
    relaxation = relaxation * (1.0 + 2.282e-5 * s * t - 7.638e-4 * s - 7.760e-6 * s**2 + 1.105e-8 * s**3)
    cold = 25.0 - t
    decay = 2.033e-2 + 1.266e-4 * cold + 2.464e-6 * cold**2
    decay = decay - s * (1.849e-5 - 2.551e-7 * cold + 2.551e-8 * cold**2)
    at_25 = s * (0.182521 - 1.46192e-3 * s + 2.09324e-5 * s**2 - 1.28205e-7 * s**3)
    debye = HIGH_FREQUENCY_LIMIT + (static - HIGH_FREQUENCY_LIMIT) / (1.0 + 1j * omega * relaxation)
    return np.asarray(debye - 1j * at_25 * np.exp(-cold * decay) / (omega * VACUUM_PERMITTIVITY), np.complex128)


def water_permittivity_klein_swift_valid(frequency: Real, temperature: Real, salinity: Real = 0.0) -> NDArray[np.bool_]:
    """True where Klein and Swift is used: 1 to 10 GHz, 0 to 40 Celsius, up to 40 units [M]; it was
    fitted at 1.4 and 2.65 GHz. Inputs as `water_permittivity_klein_swift`; broadcast."""
    return np.asarray(within(frequency, 1.0, 10.0) & within(temperature, 0.0, 40.0) & within(salinity, 0.0, 40.0))


@np.errstate(invalid="ignore")  # numpy warns of NaN in complex division
def debye_water(frequency: Real, temperature: Real) -> NDArray[np.complex128]:
    """Relative permittivity of the free water of soils: one Debye term (Stogryn 1971 as used by Dobson et al. 1985,
    equations 23 and 24). GHz, Celsius; broadcast."""
    t = np.asarray(temperature, np.float64)
    static = 87.134 - 1.949e-1 * t - 1.276e-2 * t**2 + 2.491e-4 * t**3
    # 2 pi times the relaxation time, in seconds.
    turn = 1.1109e-10 - 3.824e-12 * t + 6.938e-14 * t**2 - 5.096e-16 * t**3
    lag = 1e9 * np.asarray(frequency, np.float64) * turn
    return np.asarray(HIGH_FREQUENCY_LIMIT + (static - HIGH_FREQUENCY_LIMIT) / (1.0 + 1j * lag), np.complex128)
