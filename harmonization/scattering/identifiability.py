"""How well radar could know the moisture of bare soil: a bound, not a retrieval.

The smallest deviation that any unbiased inversion of moisture and roughness can have (Cramér and Rao), from the slopes
of a soil model. It says why there is no moisture product here: see docs/physics.md, section 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harmonization.dielectric import soil_permittivity
from harmonization.scattering.soil import oh_1992, oh_2004

Channel = tuple[float, str]
"""Frequency in GHz and polarization ("HH", "VV", "HV")."""
SoilModel = Literal["oh_1992", "oh_2004"]
STEP = np.array([1e-5, 1e-7])
"""Change of moisture (m3/m3) and roughness (m) by which slopes are taken."""


def moisture_deviation(
    channels: Sequence[Channel],
    moisture: float,
    roughness: float,
    angle: float,
    noise_db: float = 1.0,
    model: SoilModel = "oh_1992",
) -> float:
    """Least standard deviation of moisture (m3/m3), moisture and roughness both unknown.

    `channels` seen at once, each with an independent error of `noise_db` (dB, model and speckle together); truth at
    `moisture` (m3/m3), `roughness` (m) and `angle` (degrees). Infinite where the channels cannot part the two.
    """
    truth = np.array([moisture, roughness])
    slopes = np.empty((len(channels), 2))
    for column, step in enumerate(np.diag(STEP)):
        change = _decibel(channels, truth + step, angle, model) - _decibel(channels, truth - step, angle, model)
        slopes[:, column] = change / (2.0 * STEP[column])
    # Scaled to the truth, or the two columns differ by a thousand and the rank is a question of digits.
    scaled = slopes * truth
    information = scaled.T @ scaled / noise_db**2
    if np.linalg.matrix_rank(information) < 2:
        return float("inf")
    return float(np.sqrt(np.linalg.inv(information)[0, 0]) * moisture)


def _decibel(
    channels: Sequence[Channel], state: NDArray[np.float64], angle: float, model: SoilModel
) -> NDArray[np.float64]:
    """sigma0 in dB of one soil (moisture, roughness) in every channel."""
    moisture, roughness = state
    power = []
    for frequency, polarization in channels:
        if model == "oh_1992":
            found = oh_1992(frequency, soil_permittivity(frequency, moisture), roughness, angle)
        else:
            found = oh_2004(frequency, moisture, roughness, angle)
        power.append(found[polarization])
    return np.asarray(10.0 * np.log10(power))
