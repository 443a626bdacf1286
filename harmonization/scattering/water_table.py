"""Open water for whole scenes: the two-scale model on a grid of wind and angle, looked up by pixel."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numba
import numpy as np
from numpy.typing import NDArray

from harmonization.dielectric import water_permittivity
from harmonization.dielectric.arrays import Real
from harmonization.scattering.two_scale import two_scale
from harmonization.scattering.wave_spectrum import Spectrum

WIND = np.geomspace(1.0, 20.0, 121)
"""m/s at 10 m; closer where a breath of wind changes most."""
ANGLE = np.arange(18.0, 62.01, 1.0)
"""Degrees of incidence: ALOS-2 and Sentinel-1, nearer to nadir than `two_scale_valid` trusts."""
_ORIGIN = np.array([WIND[0], np.log(WIND[1] / WIND[0]), ANGLE[0], ANGLE[1] - ANGLE[0]], np.float32)
"""First wind, step of its logarithm, first angle and its step."""


@dataclass(frozen=True)
class WaterTable:
    """sigma0 of open water at one frequency in dB, (wind, angle) by polarization ("HH", "VV", "HV")."""

    decibel: dict[str, NDArray[np.float32]]

    def look_up(self, polarization: str, wind_speed: Real, angle: Real) -> NDArray[np.float32]:
        """sigma0, linear power, bilinear in dB; `wind_speed` in m/s, `angle` in degrees, arrays that broadcast.

        NaN in, NaN out, and NaN outside the table: nothing is extrapolated. Within 0.08 dB of `two_scale`.
        """
        wind, angles = np.broadcast_arrays(np.asarray(wind_speed, np.float32), np.asarray(angle, np.float32))
        found = np.empty(wind.size, np.float32)
        _bilinear(self.decibel[polarization], wind.ravel(), angles.ravel(), _ORIGIN, found)
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
    table: NDArray[np.float32],
    wind: NDArray[np.float32],
    angle: NDArray[np.float32],
    origin: NDArray[np.float32],
    found: NDArray[np.float32],
) -> None:
    """Fill `found` with the power of a `table` of dB; NaN where `wind` or `angle` is outside it, or NaN."""
    height, width = np.float32(table.shape[0] - 1), np.float32(table.shape[1] - 1)
    one, to_natural = np.float32(1.0), np.float32(np.log(10.0) / 10.0)
    for pixel in range(wind.size):
        # The logarithm of nothing or less is no row; written so that NaN fails the tests too.
        y = np.log(wind[pixel] / origin[0]) / origin[1] if wind[pixel] > 0.0 else np.float32(-1.0)
        x = (angle[pixel] - origin[2]) / origin[3]
        if not (0.0 <= y <= height and 0.0 <= x <= width):
            found[pixel] = np.nan
            continue
        row, column = min(int(y), table.shape[0] - 2), min(int(x), table.shape[1] - 2)
        down, right = y - np.float32(row), x - np.float32(column)
        above = table[row, column] * (one - right) + table[row, column + 1] * right
        below = table[row + 1, column] * (one - right) + table[row + 1, column + 1] * right
        found[pixel] = np.exp((above * (one - down) + below * down) * to_natural)
