"""Relative permittivity of water, soil and vegetation, written eps' - j eps''.

Sources: Meissner and Wentz 2004 (TGRS 42(9)), Mironov et al. 2009 (TGRS 47(7)), Ulaby and El-Rayes 1987 (TGRS
25(5)).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Real = float | NDArray[np.float64]
Complex = complex | NDArray[np.complex128]

VACUUM_PERMITTIVITY = 8.854e-12
"""F/m, with the digits Mironov's regressions were made with."""


def water_permittivity(frequency: Real, temperature: Real) -> NDArray[np.complex128]:
    """Relative permittivity of fresh water (salinity 0).

    Double Debye form of Meissner and Wentz 2004, equations 6 to 9. `frequency` in GHz (valid to 90),
    `temperature` in Celsius (-20 to 40, liquid); scalars or arrays that broadcast together.
    """
    t, f = temperature, frequency
    static = (3.70886e4 - 82.168 * t) / (421.854 + t)
    intermediate = 5.7230 + 2.2379e-2 * t - 7.1237e-4 * t**2
    first_relaxation = (45.0 + t) / (5.0478 - 7.0315e-2 * t + 6.0059e-4 * t**2)
    infinite = 3.6143 + 2.8841e-2 * t
    second_relaxation = (45.0 + t) / (1.3652e-1 + 1.4825e-3 * t + 2.4166e-4 * t**2)
    slow = (static - intermediate) / (1.0 + 1j * f / first_relaxation)
    fast = (intermediate - infinite) / (1.0 + 1j * f / second_relaxation)
    return np.asarray(slow + fast + infinite, np.complex128)


def soil_permittivity(frequency: float, moisture: Real, clay: float = 20.0) -> NDArray[np.complex128]:
    """Relative permittivity of thawed moist soil.

    Refractive mixing of dry soil, bound and free water (Mironov et al. 2009, equations 17 to 25, fitted at 20
    to 22 Celsius). `frequency` in GHz (0.3 to 26.5), `moisture` volumetric (0 to 0.5), scalar or array,
    `clay` in percent by mass (0 to 76).
    """
    bound_limit = 0.02863 + 0.30673e-2 * clay
    bound = _soil_water_index(
        frequency,
        79.8 - 0.854 * clay + 32.7e-4 * clay**2,
        1.062e-11 + 3.450e-14 * clay,
        0.3112 + 0.467e-2 * clay,
    )
    free = _soil_water_index(frequency, 100.0, 8.5e-12, 0.3631 + 1.217e-2 * clay)
    dry = 1.634 - 0.539e-2 * clay + 0.2748e-4 * clay**2 - 1j * (0.03952 - 0.04038e-2 * clay)
    index = (
        dry
        + (bound - 1.0) * np.minimum(moisture, bound_limit)
        + (free - 1.0) * np.maximum(np.subtract(moisture, bound_limit), 0.0)
    )
    return np.asarray(index**2, np.complex128)


def _soil_water_index(frequency: float, static: float, relaxation: float, conductivity: float) -> complex:
    """Complex refractive index of one kind of soil water: Debye with conduction; seconds and S/m."""
    omega = 2e9 * np.pi * frequency
    debye = 4.9 + (static - 4.9) / (1.0 + 1j * omega * relaxation)
    return complex(np.sqrt(debye - 1j * conductivity / (omega * VACUUM_PERMITTIVITY)))


def vegetation_permittivity(frequency: float, moisture: Real, conductivity: float = 1.27) -> NDArray[np.complex128]:
    """Relative permittivity of leaves and stems.

    Dual dispersion of free and bound water (Ulaby and El-Rayes 1987, equations 2, 8-10, 14-17). `frequency`
    in GHz (0.2 to 20), `moisture` gravimetric (0.1 to 0.7), scalar or array, `conductivity` of the sap in
    S/m.
    """
    residual = 1.7 - 0.74 * moisture + 6.16 * moisture**2
    free_share = moisture * (0.55 * moisture - 0.076)
    bound_share = 4.64 * moisture**2 / (1.0 + 7.36 * moisture**2)
    free = 4.9 + 75.0 / (1.0 + 1j * frequency / 18.0) - 18j * conductivity / frequency
    bound = 2.9 + 55.0 / (1.0 + np.sqrt(1j * frequency / 0.18))
    return np.asarray(residual + free_share * free + bound_share * bound, np.complex128)
