"""What a pixel's past look says of its level now, class by class: the laws of memory that the pair kernel reads.

Normal shrinkage: with s the spread of a class and v the speckle of the past, K = s²/(s² + v) of the past offset from
the class mean is the pixel's own, and s²·(1 - K) is left unknown of it. Each look is compared at the class mean of its
own angle, so the angles may differ.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from harmonization.bundle import Float, RadarBundle
from harmonization.radar.class_lanes import GROUPS, LANE_NAMES, log_shares
from harmonization.radar.memory_table import STD_RANGE, MemoryTable, lattice_table, law_table, precision_axis
from harmonization.radar.priors import class_prior
from harmonization.speckle import log_speckle_bias, log_speckle_std

TEMPORAL_STD = {"bare_dry": 2.5, "bare_wet": 2.5, "bare_rough_wet": 2.5, "grass_crop": 1.5, "forest": 0.7, "urban": 0.7}
"""dB by which dry land of a class changes between two dates: moisture, growth [M]."""
ENHANCEMENT_STD = {"forest": 1.5}
"""dB by which the double bounce under one stand differs from the mean of its class: 2 to 3.3 dB at L-HH by depth of
the canopy [C], 3 to 10 dB published (Hess 1990). Classes left out keep no memory of their dry level."""
FLOODED_FORM = {"forest": "flooded_forest", "grass_crop": "flooded_marsh"}
"""What a vegetated class becomes with water under its canopy; the other classes drown and are open water."""
WATER_BEFORE = 0.3
"""Share of the water of a flood scene that was water before [M]."""
DRAINED = 0.01
"""Share of the dry land that was water before [M]: receding lakes, tides."""
ENOUGH_DATES = 10
"""Dates from which on a pixel's own temporal spread counts (physics note 5.6)."""
MOST_LOOKS = 64.0
"""Looks up to which a pixel's own spread counts: the table of it grows with the looks."""
SPREAD_DATES = 10.0
"""Dates that the class's temporal spread is worth: the pixel's own has the share n/(n + 10) [M]."""

DRY_LANES = tuple(range(GROUPS[2], GROUPS[3]))
LAWS = tuple((LANE_NAMES[lane], LANE_NAMES[lane]) for lane in DRY_LANES) + tuple(FLOODED_FORM.items())
"""By law: the class that the pixel was, and the form that it has now."""
FORMS = np.array([LANE_NAMES.index(form) for _, form in LAWS], dtype=np.int64)
"""Lane of the form of each law."""
FORMED = np.array(
    [
        [LANE_NAMES.index(was), LANE_NAMES.index(form), len(DRY_LANES) + number, int(was in ENHANCEMENT_STD)]
        for number, (was, form) in enumerate(FLOODED_FORM.items())
    ],
    dtype=np.int64,
)
"""By flooded form: lane of the class that was, lane of the form, its law, and 1 where it keeps its memory."""
LOG_CHANGE = tuple(np.float32(np.log(share)) for share in (DRAINED, 1.0 - DRAINED, WATER_BEFORE, 1.0 - WATER_BEFORE))


def laws_of(now: RadarBundle, past: RadarBundle, polarization: str, dates: int, own: bool) -> Float:
    """(law, 10) numbers of one polarization, as `pair_kernel` takes them; the past is a mean of `dates` looks.

    `own`: whether the pixel's own spread between dates is known.
    """
    looks = past.looks * dates
    bias, speckle = log_speckle_bias(looks), log_speckle_std(looks) ** 2
    share = dates / (dates + SPREAD_DATES) if own else 0.0
    rows = []
    for was, form in LAWS:
        dry, prior = class_prior(past, polarization, was), class_prior(now, polarization, form)
        gain = dry.std**2 / (dry.std**2 + speckle)
        stays = was == form
        left = dry.std**2 * (1.0 - gain) + log_speckle_std(now.looks) ** 2
        change = TEMPORAL_STD[was] ** 2 if stays else ENHANCEMENT_STD.get(was, prior.std) ** 2
        expected = dry.mean + bias, dry.slope, 3.0 * dry.std, gain, prior.mean, prior.slope
        rows.append((*expected, left, change, share if stays else 0.0, 1.0 + 1.0 / dates))
    return np.array(rows, dtype=np.float32)


def law_planes(laws: Float, looks: float) -> tuple[Any, ...]:
    """The tables of the laws of one polarization, as the kernel takes them apart."""
    variances = laws[:, 6] + laws[:, 7] - np.float32(log_speckle_std(looks) ** 2)
    return _taken_apart(law_table(tuple(round(float(np.sqrt(value)), 3) for value in variances), looks))


def own_planes(looks: float) -> tuple[Any, ...]:
    """The table for a pixel's own spread and its axis of precision, as the kernel takes them apart."""
    axis, speckle = precision_axis(looks), log_speckle_std(looks) ** 2
    low, high = (np.float32(1.0 / (std**2 + speckle)) for std in reversed(STD_RANGE))
    return _taken_apart(lattice_table(looks)), (axis.shift, axis.first, low, high)


def no_planes() -> tuple[Any, ...]:
    """The same where no pixel has a spread of its own."""
    none = np.zeros(0, dtype=np.int64)
    nothing = (np.zeros(0, dtype=np.float32), none, np.zeros(0, dtype=np.float32), none, 0)
    return nothing, (0, 0, np.float32(0.0), np.float32(0.0))


def _taken_apart(table: MemoryTable) -> tuple[Any, ...]:
    return table.values, table.offsets, table.steps, table.counts, table.size


def flattening(bundle: RadarBundle, angles: NDArray[np.float64]) -> Float:
    """dB from sigma0 to the quantity of a bundle at some angles, the same for every class."""
    if bundle.quantity == "sigma0":
        return np.zeros(angles.size, dtype=np.float32)
    return np.asarray(-10.0 * np.log10(np.cos(np.deg2rad(angles))), dtype=np.float32)


def log_grown() -> Float:
    """(cover,) ln of the share of dry land that has a flooded form."""
    lanes = [LANE_NAMES.index(was) for was in FLOODED_FORM]
    return np.asarray(np.logaddexp.reduce(log_shares()[:, lanes], axis=1), dtype=np.float32)
