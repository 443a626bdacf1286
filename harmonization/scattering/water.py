"""Open inland water by wind and angle, one empirical curve a channel.

C-VV is the measured line of Bauer-Marschallinger et al. 2022 (Remote Sensing 14(15):3673) with the wind
dependence of CMOD5.N (Hersbach 2010, azimuth mean); the other channels are computed values: see each
constant.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harmonization.classes import FITTED_ANGLES, REFERENCE_ANGLE
from harmonization.dielectric.arrays import Real, within

LINE_SLOPE = -0.394181
"""dB per degree, C-VV inland water, 27 to 48 degrees (Bauer-Marschallinger 2022)."""
LINE_INTERCEPT = -4.142015
"""dB at 0 degrees, same line; -19.318 dB at 38.5 degrees, which is CMOD5.N at 5 m/s."""
LINE_STD = 2.754041
"""dB, scatter of the measurements about the line, same source [V]."""


def water_line(angle: Real) -> NDArray[np.float64]:
    """Mean C-VV sigma0 of inland water in dB at `angle` in degrees (Bauer-Marschallinger 2022).

    Any shape; NaN in, NaN out. The scatter about it is `LINE_STD`. `water_line_valid` tells where it was fitted.
    """
    return np.asarray(LINE_INTERCEPT + LINE_SLOPE * np.asarray(angle))


def water_line_valid(angle: Real) -> NDArray[np.bool_]:
    """True where the line was fitted: 27 to 48 degrees, the angles of Sentinel-1; any shape, NaN is outside."""
    return within(angle, *FITTED_ANGLES)


_WIND = (1.0, 2.0, 3.0, 5.0, 7.0, 10.0)
_WIND_CHANGE: dict[str, tuple[float, ...]] = {
    # dB against 5 m/s. CMOD5.N, azimuth mean at 38.5 degrees.
    "C-VV": (-9.2, -5.2, -2.9, 0.0, 2.1, 4.8),
    # GMF S1_v2: 7 dB from 5 to 10 m/s, taken as linear; below 5 m/s the same slope, under any noise floor.
    "C-VH": (-5.6, -4.2, -2.8, 0.0, 2.8, 7.0),
    # Two-scale with the spectrum of Durden and Vesecky 1985 (doubled, Yueh 1997); good to 2 dB.
    "L-HH": (-5.1, -3.2, -1.8, 0.0, 1.4, 2.8),
    # Two-scale: 1 dB from 5 to 10 m/s, calm 4 dB lower; under any noise floor.
    "L-HV": (-4.0, -3.0, -2.0, 0.0, 0.4, 1.0),
}
_AT_5_METRES_A_SECOND = {
    "C-VV": float(water_line(REFERENCE_ANGLE)),
    # GMF S1_v2 (the class table has -35).
    "C-VH": -39.0,
    # Two-scale, mean of the spectra of Elfouhaily 1997 and Durden-Vesecky.
    "L-HH": -23.2,
    # Two-scale.
    "L-HV": -38.0,
}
"""dB at 38.5 degrees."""
_SLOPE = {"C-VV": LINE_SLOPE, "C-VH": -0.05, "L-HH": -0.66, "L-HV": -0.20}
"""dB per degree; L-HH from the two-scale model."""


def open_water(channel: str, wind_speed: Real, angle: Real) -> NDArray[np.float64]:
    """sigma0 of open water, linear power, in `channel` ("C-VV", "C-VH", "L-HH", "L-HV").

    `wind_speed` in m/s at 10 m, `angle` of incidence in degrees; arrays that broadcast together; NaN in, NaN out.
    Mean over wind direction, without the noise floor. Outside 1 to 10 m/s the wind's effect is held at its end:
    `open_water_valid` flags it.
    """
    at_reference = _AT_5_METRES_A_SECOND[channel] + np.interp(wind_speed, _WIND, _WIND_CHANGE[channel])
    decibel = at_reference + _SLOPE[channel] * (np.asarray(angle) - REFERENCE_ANGLE)
    return np.asarray(10.0 ** (decibel / 10.0))


def open_water_valid(wind_speed: Real, angle: Real) -> NDArray[np.bool_]:
    """True where the curves were made: 1 to 10 m/s, 27 to 48 degrees; broadcast, NaN is outside.

    Rain, slicks, ice, emergent plants and sea swell are outside at any wind.
    """
    return np.asarray(within(wind_speed, 1.0, 10.0) & water_line_valid(angle))
