"""Thawed moist soil: Mironov 2009, the one that is used, and Topp 1980 and Dobson 1985 with Peplinski 1995 beside it.

Sources: Mironov et al. 2009 (TGRS 47(7) 2059); Topp et al. 1980 (Water Resources Research 16(3) 574); Dobson et al.
1985 (TGRS 23(1) 35) and Peplinski et al. 1995 (TGRS 33(3) 803, erratum 33(6) 1340). Mironov is one model for both
bands; Dobson and Peplinski meet between L and C with a step, which would become evidence.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harmonization.dielectric.arrays import VACUUM_PERMITTIVITY, Real, positive, within
from harmonization.dielectric.water import debye_water

SOLID_DENSITY = 2.664
"""g/cm3 of the soil's grains [V Dobson 1985]."""
SOLID_PERMITTIVITY = (1.01 + 0.44 * SOLID_DENSITY) ** 2 - 0.062
"""Of the grains, 4.70 [V Dobson 1985, equation 22]."""
MIXING_POWER = 0.65
"""Power in which the parts of the soil add up [V Dobson 1985]."""
PEPLINSKI_TO = 1.4
"""GHz below which Peplinski's conductivity and correction stand for Dobson's [V]: fitted to 1.3, Dobson's from 1.4."""


@np.errstate(invalid="ignore")  # numpy warns of NaN in complex division
def soil_permittivity(frequency: Real, moisture: Real, clay: Real = 20.0) -> NDArray[np.complex128]:
    """Relative permittivity of thawed moist soil.

    Refractive mixing of dry soil, bound and free water (Mironov et al. 2009, equations 17 to 25, fitted at 20 to 22
    Celsius). `frequency` in GHz, `moisture` volumetric (m3/m3), `clay` in percent by mass; scalars or arrays that
    broadcast together; NaN in, NaN out. `soil_permittivity_valid` tells where the fit holds.
    """
    clay = np.asarray(clay, np.float64)
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


@np.errstate(invalid="ignore")  # numpy warns of NaN in complex division
def _soil_water_index(frequency: Real, static: Real, relaxation: Real, conductivity: Real) -> NDArray[np.complex128]:
    """Complex refractive index of one kind of soil water: Debye with conduction; seconds and S/m."""
    omega = 2e9 * np.pi * np.asarray(frequency, np.float64)
    debye = 4.9 + (static - 4.9) / (1.0 + 1j * omega * relaxation)
    return np.asarray(np.sqrt(debye - 1j * conductivity / (omega * VACUUM_PERMITTIVITY)), np.complex128)


def soil_permittivity_valid(
    frequency: Real, moisture: Real, clay: Real = 20.0, temperature: Real = 20.0
) -> NDArray[np.bool_]:
    """True where Mironov fitted: 0.3 to 26.5 GHz, moisture 0 to 0.5, clay 0 to 76 %, soil not frozen.

    Inputs as `soil_permittivity`, and the `temperature` of the ground in Celsius: below 0 the water is ice (eps near
    4 - 0.1j), which looks like dry ground. Broadcast; NaN is outside.
    """
    fitted = within(frequency, 0.3, 26.5) & within(moisture, 0.0, 0.5) & within(clay, 0.0, 76.0)
    return np.asarray(fitted & _thawed(temperature))


def _thawed(temperature: Real) -> NDArray[np.bool_]:
    """Ground that is not frozen, up to the hottest that soils get [M]; Celsius."""
    return within(temperature, 0.0, 60.0)


def soil_permittivity_topp(moisture: Real) -> NDArray[np.float64]:
    """Real part of the permittivity of mineral soil by moisture alone (Topp et al. 1980, equation 6).

    `moisture` volumetric (m3/m3), any shape; NaN in, NaN out. Measured by time-domain reflectometry (20 MHz to 1
    GHz), so an anchor at L band, not at C. `soil_permittivity_topp_valid` tells where the fit holds.
    """
    moisture = np.asarray(moisture, np.float64)
    return np.asarray(3.03 + 9.3 * moisture + 146.0 * moisture**2 - 76.7 * moisture**3)


def soil_permittivity_topp_valid(moisture: Real, temperature: Real = 20.0) -> NDArray[np.bool_]:
    """True where Topp fitted: moisture 0 to 0.55, soil not frozen (Celsius). Broadcast; NaN is outside."""
    return np.asarray(within(moisture, 0.0, 0.55) & _thawed(temperature))


def soil_permittivity_dobson(
    frequency: Real,
    moisture: Real,
    sand: Real = 0.4,
    clay: Real = 0.2,
    temperature: Real = 20.0,
    bulk_density: Real = 1.3,
) -> NDArray[np.complex128]:
    """Relative permittivity of thawed moist soil, semi-empirical mixing by texture.

    Dobson et al. 1985, equations 22 to 32; below 1.4 GHz with the conductivity of Peplinski et al. 1995, equation
    10, and their eps' -> 1.15 eps' - 0.68. `frequency` in GHz, `moisture` volumetric (m3/m3), `sand` and `clay` as
    fractions of mass, `temperature` in Celsius, `bulk_density` in g/cm3; scalars or arrays that broadcast together;
    NaN in, NaN out. NaN where the fitted conductivity makes the loss negative (sandy soil at C band).
    `soil_permittivity_dobson_valid` tells where the fits hold.
    """
    f, mv = np.asarray(frequency, np.float64), np.asarray(moisture, np.float64)
    low = f < PEPLINSKI_TO
    water = debye_water(f, temperature)
    solids = bulk_density / SOLID_DENSITY * (SOLID_PERMITTIVITY**MIXING_POWER - 1.0)
    wetting = mv ** (1.2748 - 0.519 * sand - 0.152 * clay)
    real = (1.0 + solids + wetting * np.real(water) ** MIXING_POWER - mv) ** (1.0 / MIXING_POWER)
    # The loss of a unit of soil: multiplied by the moisture, as conduction falls with it and dry soil has none.
    conduction = _effective_conductivity(f, sand, clay, bulk_density) * (1.0 - bulk_density / SOLID_DENSITY)
    loss = positive(-np.imag(water) * mv + conduction / (2e9 * np.pi * f * VACUUM_PERMITTIVITY))
    loss_power = (1.33797 - 0.603 * sand - 0.166 * clay) / MIXING_POWER
    imaginary = loss * mv ** (loss_power - 1.0)
    return np.asarray(np.where(low, 1.15 * real - 0.68, real) - 1j * imaginary, np.complex128)


def _effective_conductivity(frequency: Real, sand: Real, clay: Real, bulk_density: Real) -> NDArray[np.float64]:
    """S/m of the soil's solution: Peplinski 1995 equation 10 below 1.4 GHz, Dobson 1985 equation 32 above."""
    low = 0.0467 + 0.2204 * bulk_density - 0.4111 * sand + 0.6614 * clay
    high = -1.645 + 1.939 * bulk_density - 2.25622 * sand + 1.594 * clay
    return np.where(np.asarray(frequency) < PEPLINSKI_TO, low, high)


def soil_permittivity_dobson_valid(
    frequency: Real,
    moisture: Real,
    sand: Real = 0.4,
    clay: Real = 0.2,
    temperature: Real = 20.0,
    bulk_density: Real = 1.3,
) -> NDArray[np.bool_]:
    """True where the two were fitted: 0.3 to 1.3 GHz (Peplinski) or 1.4 to 18 GHz (Dobson), moisture 0.01 to 0.5,
    texture within one, conductivity not negative, not frozen. Inputs as `soil_permittivity_dobson`; broadcast."""
    band = within(frequency, 0.3, 1.3) | within(frequency, 1.4, 18.0)
    texture = within(sand, 0.0, 1.0) & within(clay, 0.0, 1.0) & within(np.add(sand, clay), 0.0, 1.0)
    conducts = within(_effective_conductivity(frequency, sand, clay, bulk_density), 0.0, np.inf)
    known = within(moisture, 0.01, 0.5) & within(bulk_density, 0.8, 2.0) & _thawed(temperature)
    return np.asarray(band & texture & conducts & known)
