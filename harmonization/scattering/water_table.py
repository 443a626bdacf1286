"""Open water for whole scenes: the two-scale model on a grid of wind and angle, looked up by pixel."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numba
import numpy as np
from numpy.typing import NDArray

from harmonization.dielectric import water_permittivity
from harmonization.dielectric.arrays import Real, positive
from harmonization.scattering.two_scale import two_scale
from harmonization.scattering.wave_spectrum import Spectrum

WIND = np.geomspace(1.0, 20.0, 121)
"""m/s at 10 m; closer where a breath of wind changes most."""
ANGLE = np.arange(18.0, 62.01, 1.0)
"""Degrees of incidence: ALOS-2 and Sentinel-1, nearer to nadir than `two_scale_valid` trusts."""


@dataclass(frozen=True)
class WaterTable:
    """sigma0 of open water at one frequency in dB, (wind, angle) by polarization ("HH", "VV", "HV")."""

    decibel: dict[str, NDArray[np.float32]]

    def look_up(self, polarization: str, wind_speed: Real, angle: Real) -> NDArray[np.float32]:
        """sigma0, linear power, bilinear in dB; `wind_speed` in m/s, `angle` in degrees, arrays that broadcast.

        NaN in, NaN out, and NaN outside the table: nothing is extrapolated. Within 0.02 dB of `two_scale` from 1 m/s.
        """
        wind, angles = np.broadcast_arrays(np.asarray(wind_speed, np.float32), np.asarray(angle, np.float32))
        found = np.empty(wind.size, np.float32)
        rows = np.log(positive(wind.ravel()) / WIND[0]) / np.log(WIND[1] / WIND[0])
        columns = (angles.ravel() - ANGLE[0]) / (ANGLE[1] - ANGLE[0])
        _bilinear(self.decibel[polarization], rows.astype(np.float32), columns.astype(np.float32), found)
        return found.reshape(wind.shape)


@lru_cache(maxsize=8)
def water_table(
    frequency: float,
    temperature: float = 20.0,
    salinity: float = 0.0,
    fetch: float = np.inf,
    spectrum: Spectrum | None = None,
) -> WaterTable:
    """The table of one water: `frequency` in GHz, `temperature` in Celsius, `salinity` in practical salinity units,
    `fetch` in metres; see `two_scale`. Made once a process, in about a second."""
    permittivity = water_permittivity(frequency, temperature, salinity)
    power = two_scale(frequency, permittivity, WIND[:, None], ANGLE, fetch, spectrum)
    return WaterTable({name: (10.0 * np.log10(one)).astype(np.float32) for name, one in power.items()})


@numba.njit(cache=True, nogil=True)
def _bilinear(
    table: NDArray[np.float32], rows: NDArray[np.float32], columns: NDArray[np.float32], found: NDArray[np.float32]
) -> None:
    """Fill `found` with the power of a `table` of dB at `rows` and `columns`; NaN where these are outside or NaN."""
    height, width = table.shape
    for pixel in range(rows.size):
        y, x = rows[pixel], columns[pixel]
        # Written so that NaN fails it too.
        if not (0.0 <= y <= height - 1 and 0.0 <= x <= width - 1):
            found[pixel] = np.nan
            continue
        row, column = min(int(y), height - 2), min(int(x), width - 2)
        down, right = y - row, x - column
        above = table[row, column] * (1.0 - right) + table[row, column + 1] * right
        below = table[row + 1, column] * (1.0 - right) + table[row + 1, column + 1] * right
        found[pixel] = np.exp((above * (1.0 - down) + below * down) * np.float32(0.23025851))
