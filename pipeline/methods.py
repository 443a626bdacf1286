"""The ways to a map: rules that read one sensor, physics that sums evidence; and what networks are given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from catalogs.records import Sensor
from harmonization.bundle import Float, OpticalBundle, RadarBundle, copolar
from harmonization.calibration import decibel
from harmonization.evidence import combine, state_probabilities
from harmonization.optical.indices import ndwi
from models.inputs import CHANNELS, Look, ModelInput, assemble
from pipeline.weigh import SensorLook, nearest

FAINT_DB = -99.0
"""Level of a denoised sample below zero."""
Mask = NDArray[np.bool_]
Looks = Mapping[Sensor, SensorLook]


@dataclass(frozen=True, eq=False)
class MethodMap:
    """What one method says about the state of each pixel at t*."""

    water: Mask
    """(y, x) open water."""
    vegetation: Mask
    """(y, x) flooded vegetation; never set by a rule that cannot see it."""
    observed: Mask
    """(y, x) False where the method has nothing to go by: then it says nothing."""
    states: Float | None
    """(3, y, x) probabilities of dry, open water, flooded vegetation; None for rules."""
    variance: Float | None = None
    """(2, 2, y, x) nats²: aleatoric and epistemic variance of the log-odds of open water and of flooded vegetation, as
    a network tells them; None for all other methods."""
    trust: Float | None = None
    """(sensor, y, x) share of each of `sensors` in the map: they sum to 1 where one of them saw, else to 0. None for
    methods that do not weigh sensors."""
    sensors: tuple[str, ...] = ()
    """Modalities that a network knows ("c_band")."""


def optical_index(looks: Looks) -> Float | None:
    """(y, x) NDWI of the clear optical look nearest to t*, NaN where none was; None without an optical scene."""
    optical = [look for look in looks.values() if isinstance(look.bundle, OpticalBundle)]
    if not optical:
        return None
    evidence, bundle = nearest(optical)
    assert isinstance(bundle, OpticalBundle)
    index = ndwi(bundle.reflectance["green"], bundle.reflectance["nir"])
    return np.where(evidence.observed, index, np.float32(np.nan))


def by_ndwi(looks: Looks, threshold: float, shape: tuple[int, int]) -> MethodMap:
    """McFeeters' rule: water where NDWI exceeds the threshold and the sky was clear."""
    index = optical_index(looks)
    if index is None:
        return silent(shape)
    observed = np.isfinite(index)
    return MethodMap(observed & (index > threshold), np.zeros(shape, np.bool_), observed, None)


def by_radar_threshold(
    looks: Looks, thresholds: Mapping[str, Sequence[float | None]], shape: tuple[int, int]
) -> MethodMap:
    """Dark is water: co-polar power below Otsu's threshold of the scene it is of; C band where it saw, else L band.

    `thresholds`: dB by sensor, the newest scene first; None: the scene has no dark mode, so nothing of it is water.
    """
    water, observed = np.zeros(shape, np.bool_), np.zeros(shape, np.bool_)
    radar = [look for look in looks.values() if isinstance(look.bundle, RadarBundle)]
    for look in sorted(radar, key=lambda look: look.modality):
        assert isinstance(look.bundle, RadarBundle)
        power = look.bundle.power[copolar(look.bundle.power)]
        fresh = look.evidence.observed & np.isfinite(power) & ~observed
        limits = np.array([-np.inf if limit is None else limit for limit in thresholds.get(look.sensor, [None])])
        limit = limits[np.clip(look.chosen, 0, limits.size - 1)]
        level = np.nan_to_num(decibel(power), nan=FAINT_DB)  # denoised below zero: darker than any threshold
        water |= fresh & (level < limit)
        observed |= fresh
    return MethodMap(water, np.zeros(shape, np.bool_), observed, None)


def by_physics(looks: Looks, prior: Float) -> MethodMap:
    """Prior (2, y, x) log-odds plus the evidence of every sensor, in nats."""
    log_odds = combine(prior, (look.contribution for look in looks.values()))
    return from_log_odds(log_odds, seen_by_any(looks, prior.shape[1:]))


def network_input(
    looks: Looks, prior: Float, terrain: Float | None = None, channels: Mapping[str, tuple[str, ...]] = CHANNELS
) -> ModelInput:
    """The channels, presence and physics of a unit by modality; a second sensor of a modality adds its evidence.

    `terrain`: (2, y, x) of `pipeline.ground.terrain_on`. `channels`: those that the network's contract asks for, by
    modality. They are of the look nearest to t*, pixel by pixel: where one optical sensor is clouded, of the other.
    """
    by_modality: dict[str, list[SensorLook]] = {}
    for look in looks.values():
        by_modality.setdefault(look.modality, []).append(look)
    chosen: dict[str, Look] = {}
    parts: dict[str, Float] = {}
    for modality, same in by_modality.items():
        chosen[modality] = Look(*nearest(same), same[0].before, same[0].before_evidence)
        parts[modality] = reduce(np.add, [look.contribution for look in same])
    return assemble(chosen, parts, prior, channels, terrain)


def from_log_odds(log_odds: Float, observed: Mask) -> MethodMap:
    """The likelier wet state where wet is likelier than dry."""
    states = state_probabilities(log_odds)
    wet = observed & (states[0] < 0.5)
    return MethodMap(wet & (states[1] >= states[2]), wet & (states[1] < states[2]), observed, states)


def seen_by_any(looks: Looks, shape: tuple[int, ...]) -> Mask:
    """(y, x) True where at least one sensor saw the ground in the flood window."""
    seen: Mask = np.logical_or.reduce([np.zeros(shape, np.bool_), *(look.evidence.observed for look in looks.values())])
    return seen


def silent(shape: tuple[int, int]) -> MethodMap:
    """The map of a method that has nothing to go by."""
    nothing = np.zeros(shape, np.bool_)
    return MethodMap(nothing, nothing, nothing, None)
