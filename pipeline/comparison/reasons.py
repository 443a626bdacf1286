"""Why one map says flood where another does not: decided pixel by pixel from what the run keeps of its sensors.

It is an inference, no measurement: the first of the reasons below that holds, in their order. Reasons of "could not
see" come before those of "saw something else", those that a sensor flagged itself before those read from evidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harmonization.reasons import Reason
from pipeline.classify import FLOODED_VEGETATION, NOT_OBSERVABLE, OPEN_WATER, REFERENCE_WATER
from pipeline.job import RADARS

Mask = NDArray[np.bool_]

REASONS: dict[str, str] = {
    "reference_water": "the other map calls it permanent or seasonal water",
    "cloud": "the other map could not see: cloud",
    "cloud_shadow": "the other map could not see: shadow of a cloud",
    "snow_or_frozen": "the other map could not see: snow, or frozen ground",
    "radar_shadow": "the other map could not see: radar shadow or layover",
    "sensor_missing": "the other map could not see: none of its sensors has a sample here",
    "not_observed": "the other map could not see, and no sensor says why",
    "vegetation": "water under plants, or dense plants: optics and short waves see their crowns",
    "wind_or_change": "C band sees no smooth water where L band or optics see open water: wind on it, or it moved "
    "between the looks",
    "smooth_dry_ground": "a radar flags ground so smooth that it looks like open water",
    "urban": "a sensor flags built-up ground",
    "glint_or_dark": "optics flag sun glint, or ground too dark to name",
    "odd_angle": "a radar's angle is unknown or beyond its models, or the slope too steep",
    "edge": "a shore that both maps have, drawn a pixel apart",
    "weak_evidence": "no sensor speaks against the flood: the prior, or the rule's threshold, decides",
    "not_told": "the run holds no layers that tell",
}
"""By name, in the order in which they are asked, without `SAYS_DRY`, which comes before "weak_evidence"."""
SAYS_DRY = "{}_says_dry"
"""The sensor whose evidence speaks most against the flood."""
OWN_SENSORS = {"ndwi": False, "radar_threshold": True}
"""Rules that hear one kind of sensor alone: whether it is the radars. All other maps hear every sensor."""
MISSING = Reason.BORDER_NOISE | Reason.OUTSIDE_SWATH | Reason.NO_SCENE
NAMES = tuple(REASONS)


@dataclass(frozen=True, eq=False)
class Witnesses:
    """What the sensors of a run say of n pixels."""

    sensors: tuple[str, ...]
    """Of the S bands."""
    exclusion: NDArray[np.uint16]
    """(S, n) bits of `Reason`."""
    evidence: NDArray[np.float32]
    """(S, 2, n) nats for open water and for flooded vegetation against dry; NaN where the sensor did not see."""

    def flagged(self, reason: Reason, of: Mask | None = None) -> Mask:
        """(n,) whether any sensor, or any of those that `of` (S,) names, carries one of some reasons."""
        bits = self.exclusion if of is None else self.exclusion[of]
        return np.asarray(((bits & np.uint16(reason)) != 0).any(axis=0))

    def at(self, some: Mask) -> Witnesses:
        """The same of some of the pixels (n,)."""
        return Witnesses(self.sensors, self.exclusion[:, some], self.evidence[..., some])


def reason_names(sensors: Sequence[str]) -> tuple[str, ...]:
    """What the codes of `pixel_reasons` mean: the reasons, then one for each sensor."""
    return NAMES + tuple(SAYS_DRY.format(sensor) for sensor in sensors)


def pixel_reasons(
    said: NDArray[np.uint8], other: NDArray[np.uint8], other_map: str, edge: Mask, witnesses: Witnesses
) -> NDArray[np.uint8]:
    """(n,) index into `reason_names` of why `other` does not say flood where `said` does.

    Args:
        said: (n,) class codes of the map that says flood.
        other: (n,) class codes of the map that does not.
        other_map: its name, which tells the sensors that it hears.
        edge: (n,) whether a neighbour is flood in both maps.
        witnesses: what the sensors say of these pixels.
    """
    blind, plants = other == NOT_OBSERVABLE, said == FLOODED_VEGETATION
    heard = _heard(other_map, witnesses.sensors)

    def unseen(reason: Reason) -> Mask:
        return np.asarray(blind & witnesses.flagged(reason, heard))

    tests = {
        "reference_water": other == REFERENCE_WATER,
        "cloud": unseen(Reason.CLOUD),
        "cloud_shadow": unseen(Reason.CLOUD_SHADOW),
        "snow_or_frozen": unseen(Reason.SNOW_OR_FROZEN),
        "radar_shadow": unseen(Reason.RADAR_SHADOW | Reason.LAYOVER),
        "sensor_missing": unseen(MISSING),
        "not_observed": blind,
        "vegetation": plants | witnesses.flagged(Reason.DENSE_VEGETATION),
        "wind_or_change": witnesses.flagged(Reason.WIND) | ((said == OPEN_WATER) & _rough_to_c_band(witnesses)),
        "smooth_dry_ground": witnesses.flagged(Reason.SMOOTH_DRY),
        "urban": witnesses.flagged(Reason.URBAN),
        "glint_or_dark": witnesses.flagged(Reason.SUN_GLINT | Reason.DARK),
        "odd_angle": witnesses.flagged(Reason.UNKNOWN_ANGLE | Reason.OUTSIDE_MODEL),
        "edge": edge,
    }
    return np.select(list(tests.values()), [NAMES.index(name) for name in tests], _who_says_dry(witnesses)).astype(
        np.uint8
    )


def _heard(name: str, sensors: Sequence[str]) -> Mask | None:
    """(S,) the sensors that a map hears; None for all."""
    if name not in OWN_SENSORS:
        return None
    return np.array([(sensor in RADARS) == OWN_SENSORS[name] for sensor in sensors], dtype=np.bool_)


def _rough_to_c_band(witnesses: Witnesses) -> Mask:
    """(n,) C band speaks against open water, L band or optics for it."""
    open_water = dict(zip(witnesses.sensors, witnesses.evidence[:, 0], strict=True))
    seen = [values > 0 for sensor, values in open_water.items() if sensor != "sentinel-1"]
    if "sentinel-1" not in open_water or not seen:
        return np.zeros(witnesses.evidence.shape[-1], dtype=np.bool_)
    return np.asarray((open_water["sentinel-1"] < 0) & np.logical_or.reduce(seen))


def _who_says_dry(witnesses: Witnesses) -> NDArray[np.int64]:
    """(n,) code of the sensor whose better state is farthest below zero; of weak evidence where none is."""
    weak = NAMES.index("weak_evidence")
    if not witnesses.sensors:
        return np.full(witnesses.evidence.shape[-1], NAMES.index("not_told"), dtype=np.int64)
    told = np.where(np.isnan(witnesses.evidence), np.inf, witnesses.evidence)
    best = np.where(np.isfinite(told).all(axis=1), told.max(axis=1), np.inf)
    return np.where(best.min(axis=0) < 0, len(NAMES) + best.argmin(axis=0), weak)
