"""Leaves and stems: Ulaby and El-Rayes 1987 (TGRS 25(5) 550)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harmonization.dielectric.arrays import Real, within


@np.errstate(invalid="ignore")  # numpy warns of NaN in complex division
def vegetation_permittivity(frequency: Real, moisture: Real, conductivity: Real = 1.27) -> NDArray[np.complex128]:
    """Relative permittivity of leaves and stems.

    Dual dispersion of free and bound water (Ulaby and El-Rayes 1987, equations 2, 8-10, 14-17). `frequency` in GHz,
    `moisture` gravimetric (water by fresh mass), `conductivity` of the sap in S/m; scalars or arrays that broadcast
    together; NaN in, NaN out. `vegetation_permittivity_valid` tells where the fit holds.
    """
    frequency, moisture = np.asarray(frequency, np.float64), np.asarray(moisture, np.float64)
    residual = 1.7 - 0.74 * moisture + 6.16 * moisture**2
    free_share = moisture * (0.55 * moisture - 0.076)
    bound_share = 4.64 * moisture**2 / (1.0 + 7.36 * moisture**2)
    free = 4.9 + 75.0 / (1.0 + 1j * frequency / 18.0) - 18j * np.asarray(conductivity) / frequency
    bound = 2.9 + 55.0 / (1.0 + np.sqrt(1j * frequency / 0.18))
    return np.asarray(residual + free_share * free + bound_share * bound, np.complex128)


def vegetation_permittivity_valid(frequency: Real, moisture: Real, conductivity: Real = 1.27) -> NDArray[np.bool_]:
    """True where Ulaby and El-Rayes measured: 0.2 to 20 GHz, moisture 0.1 to 0.7 (below 0.14 the free share is
    negative by the fit), sap of up to 2 S/m (12 psu) [M]. Inputs as `vegetation_permittivity`; broadcast."""
    return np.asarray(within(frequency, 0.2, 20.0) & within(moisture, 0.1, 0.7) & within(conductivity, 0.0, 2.0))
