"""The prior of every land state: backscatter by channel and optical indices, with sources.

sigma0 in dB at 38.5 degrees: mean, standard deviation between scenes and of texture (speckle excluded), slope per
degree. The noise floor is added separately. Tags: [V] read in a source, [C] computed from the models of this
repository or cited ones, [M] typical of the literature, good to 2 dB.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

REFERENCE_ANGLE = 38.5
"""Degrees of incidence at which the means hold."""
FITTED_ANGLES = (27.0, 48.0)
"""Degrees between which class means are straight lines: those of the water line (Bauer-Marschallinger 2022 [V])."""
EXTRAPOLATION_STD = 0.5
"""dB a degree outside of them by which a class mean may be off [M]."""


@dataclass(frozen=True)
class Backscatter:
    """sigma0 of one class in one channel."""

    mean: float
    """dB at the reference angle."""
    std: float
    """dB, between scenes and within (texture, wind, moisture); speckle excluded."""
    slope: float
    """dB per degree of incidence."""


@dataclass(frozen=True)
class Indices:
    """NDWI and MNDWI of one class: two Gaussians with a correlation."""

    mean: tuple[float, float]
    std: tuple[float, float]
    correlation: float


# Columns: C-VV, C-VH, L-HH, L-HV; each mean, std, slope.
_TABLE: dict[str, tuple[tuple[float, float, float], ...]] = {
    # C-VV [V] Bauer-Marschallinger 2022 (RS 14(15):3673), the line of inland water; VH [C] GMF S1_v2, noise-limited;
    # L [C] two-scale, mean of Elfouhaily and Durden-Vesecky at 5 m/s.
    "open_water": ((-19.3, 2.75, -0.394), (-35.0, 4.0, -0.05), (-23.2, 3.0, -0.66), (-38.0, 4.0, -0.20)),
    # [C] CMOD5.N and two-scale at 10 m/s.
    "water_wind10": ((-14.4, 1.5, -0.41), (-32.0, 2.0, -0.06), (-21.0, 2.0, -0.65), (-37.0, 3.0, -0.20)),
    # [C] Oh 1992 / 2004 and I2EM: s = 1 cm, mv = 0.08; mv = 0.35; s = 2 cm, mv = 0.35.
    "bare_dry": ((-13.0, 2.5, -0.16), (-25.0, 2.5, -0.16), (-21.5, 3.0, -0.23), (-36.0, 4.0, -0.12)),
    "bare_wet": ((-7.5, 2.0, -0.16), (-18.7, 2.5, -0.16), (-18.5, 3.0, -0.23), (-31.0, 4.0, -0.12)),
    "bare_rough_wet": ((-5.7, 2.0, -0.16), (-15.5, 2.5, -0.16), (-13.5, 2.5, -0.23), (-24.5, 3.0, -0.12)),
    # [M]
    "grass_crop": ((-11.0, 2.5, -0.13), (-18.0, 2.5, -0.11), (-14.0, 3.0, -0.15), (-22.0, 3.0, -0.12)),
    # L-HH [V] tropical gamma0 -5.83 dB (JERS-1, SMAP L1 radar ATBD table 14); the rest [M].
    "forest": ((-7.6, 1.2, -0.08), (-13.6, 1.2, -0.08), (-8.0, 1.5, -0.08), (-13.2, 1.5, -0.08)),
    # L-HH [C] with the enhancement of 3-10 dB of Hess 1990 [V]; C-VV wide because C-HH maps it too (Townsend 2002 [V]).
    "flooded_forest": ((-7.0, 1.8, -0.08), (-13.5, 1.3, -0.08), (-4.5, 2.0, -0.12), (-12.8, 1.5, -0.10)),
    # [M] bright with sparse stems, dark when submerged: wide on purpose.
    "flooded_marsh": ((-8.5, 3.5, -0.20), (-18.0, 3.0, -0.15), (-9.0, 4.0, -0.20), (-20.0, 3.5, -0.15)),
    # [M], by aspect.
    "urban": ((-4.0, 4.0, -0.05), (-12.0, 4.0, -0.05), (-4.0, 4.0, -0.05), (-14.0, 4.0, -0.05)),
    "flooded_urban": ((-2.0, 4.5, -0.05), (-12.0, 4.0, -0.05), (-2.0, 4.5, -0.05), (-14.0, 4.0, -0.05)),
    # L-HH spread [V] Rosenqvist 1999, Ouchi 2006 (Bragg resonance of rows); means [M].
    "flooded_rice_row": ((-12.0, 4.0, -0.20), (-20.0, 4.0, -0.15), (-10.0, 7.0, -0.20), (-24.0, 4.0, -0.15)),
}
_CHANNELS = ("C-VV", "C-VH", "L-HH", "L-HV")

BACKSCATTER: dict[str, dict[str, Backscatter]] = {
    name: {channel: Backscatter(*row) for channel, row in zip(_CHANNELS, rows, strict=True)}
    for name, rows in _TABLE.items()
}
"""By class, then by channel ("C-VV")."""

INDICES: dict[str, Indices] = {
    # Means [C] from the endmembers of the simulator, spreads [M]; the haze term is added to the variance.
    "open_water": Indices((0.30, 0.70), (0.25, 0.20), 0.3),
    "flooded_vegetation": Indices((-0.50, -0.20), (0.20, 0.20), 0.6),
    "bare": Indices((-0.35, -0.45), (0.12, 0.12), 0.6),
    "grass_crops": Indices((-0.60, -0.40), (0.15, 0.15), 0.6),
    "forest": Indices((-0.67, -0.43), (0.10, 0.12), 0.6),
    "urban": Indices((-0.20, -0.29), (0.15, 0.15), 0.6),
}
"""NDWI and MNDWI by class."""

STATES: dict[str, dict[str, float]] = {
    "open_water": {"open_water": 0.85, "water_wind10": 0.15},
    "flooded_vegetation": {"flooded_forest": 0.5, "flooded_marsh": 0.4, "flooded_rice_row": 0.1},
    "dry": {
        "bare_dry": 0.15,
        "bare_wet": 0.12,
        "bare_rough_wet": 0.05,
        "grass_crop": 0.43,
        "forest": 0.20,
        "urban": 0.05,
    },
}
"""The hidden states as mixtures of classes where no land cover is known (shares [M], flagged in the item)."""

OPTICAL_STATES: dict[str, dict[str, float]] = {
    "open_water": {"open_water": 1.0},
    "flooded_vegetation": {"flooded_vegetation": 1.0},
    "dry": {"bare": 0.32, "grass_crops": 0.43, "forest": 0.20, "urban": 0.05},
}
"""The same mixture over the optical classes."""

OVERLAP = 0.8
"""Bhattacharyya coefficient of two priors above which a channel cannot part them: C-VV has 0.49, L-HH 0.96."""


def overlap(one: Backscatter, other: Backscatter) -> float:
    """Bhattacharyya coefficient of two classes at the reference angle: 1 where they are the same."""
    spread = one.std**2 + other.std**2
    apart = 0.25 * (one.mean - other.mean) ** 2 / spread
    return float(np.sqrt(2.0 * one.std * other.std / spread) * np.exp(-apart))
