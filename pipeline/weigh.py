"""Bundles to evidence, sensor by sensor: the newest look wins where several saw a pixel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from catalogs.records import Sensor
from harmonization.bundle import Bundle, Cover, Evidence, Float, OpticalBundle, RadarBundle
from harmonization.evidence import Belief, contributions
from harmonization.optical.evidence import weigh_optical
from harmonization.radar.evidence import weigh_radar
from harmonization.radar.history import PixelHistory, past_of
from harmonization.reasons import Reason

Kind = TypeVar("Kind", bound=np.generic)
Modality = Literal["c_band", "l_band", "optical"]
MODALITY: dict[Sensor, Modality] = {
    "sentinel-1": "c_band",
    "alos-2": "l_band",
    "sentinel-2": "optical",
    "landsat": "optical",
}


@dataclass(frozen=True, eq=False)
class Weighed:
    """What one sensor, taken alone, tells about a unit."""

    sensor: Sensor
    evidence: Evidence
    """Raw, of the newest look at each pixel."""
    hours: Float
    """(y, x) hours between the look and t*; NaN where not observed."""
    chosen: NDArray[np.int64]
    """(y, x) which look that was, the newest 0; -1 where none saw."""
    bundle: Bundle
    """The newest look at each pixel."""
    before: Bundle | None
    before_evidence: Evidence | None
    """What the "before" look alone says: reference water."""

    @property
    def modality(self) -> Modality:
        """Which kind of input the sensor is to a network."""
        return MODALITY[self.sensor]


@dataclass(frozen=True, eq=False)
class SensorLook(Weighed):
    """The same beside the other sensors."""

    contribution: Float
    """(2, y, x) nats that enter the sum: doubted where finer sensors see a mixed cell, aged to t*."""


def weigh(
    sensor: Sensor, during: Sequence[Bundle], before: Sequence[Bundle], at: datetime, cover: Cover | None = None
) -> Weighed:
    """The evidence of one sensor from its looks during and before the flood (at least one during).

    `cover`: land cover before the flood; None: the dry state is the mixture of all covers.
    """
    newest = sorted(during, key=lambda bundle: bundle.time, reverse=True)
    pasts = [_past(before, bundle) for bundle in newest]
    weighed = [_evidence(sensor, bundle, past, cover) for bundle, past in zip(newest, pasts, strict=True)]
    past = pasts[0]
    chosen = _choose([evidence.observed for evidence in weighed])
    hours = [np.float32(abs((at - evidence.time).total_seconds()) / 3600.0) for evidence in weighed]
    observed = chosen >= 0
    return Weighed(
        sensor=sensor,
        evidence=replace(
            weighed[0],
            llr=_pick([evidence.llr for evidence in weighed], chosen),
            ceiling=_ceiling(weighed, chosen),
            observed=observed,
            reasons=_pick([evidence.reasons for evidence in weighed], chosen),
        ),
        hours=np.where(observed, np.take(np.array(hours), np.maximum(chosen, 0)), np.nan).astype(np.float32),
        chosen=chosen,
        bundle=_picked(newest, chosen),
        before=None if past is None else past.bundle,
        before_evidence=None if past is None else _evidence(sensor, past.bundle, None, cover),
    )


def settle(looks: Mapping[Sensor, Weighed], belief: Belief) -> dict[Sensor, SensorLook]:
    """The looks with what each adds to the sum: doubted where a finer sensor sees a mixed cell, and aged to t*."""
    usable = _without_frozen(looks)
    added = contributions({name: (look.evidence, np.nan_to_num(look.hours)) for name, look in usable.items()}, belief)
    return {sensor: SensorLook(**vars(look), contribution=added[sensor]) for sensor, look in usable.items()}


def _without_frozen(looks: Mapping[Sensor, Weighed]) -> dict[Sensor, Weighed]:
    """Radar without a say where optics saw snow: no model here holds for snow or ice, which pass for water or land."""
    frozen_bit = np.uint16(Reason.SNOW_OR_FROZEN)
    snow = [(look.bundle.reasons & frozen_bit) != 0 for look in looks.values() if look.modality == "optical"]
    if not any(mask.any() for mask in snow):
        return dict(looks)
    frozen = np.logical_or.reduce(snow)
    return {sensor: look if look.modality == "optical" else _blinded(look, frozen) for sensor, look in looks.items()}


def _blinded(look: Weighed, where: NDArray[np.bool_]) -> Weighed:
    evidence = look.evidence
    return replace(
        look,
        evidence=replace(
            evidence,
            llr=np.where(where, np.float32(0.0), evidence.llr),
            observed=evidence.observed & ~where,
            reasons=np.where(where, evidence.reasons | np.uint16(Reason.SNOW_OR_FROZEN), evidence.reasons),
        ),
        hours=np.where(where, np.float32(np.nan), look.hours),
    )


def nearest(looks: Sequence[SensorLook]) -> tuple[Evidence, Bundle]:
    """Evidence and bundle of several sensors of one kind as one: each pixel of the look nearest to t* that saw it."""
    first = looks[0]
    if len(looks) == 1:
        return first.evidence, first.bundle
    hours = np.stack([np.where(look.evidence.observed, look.hours, np.float32(np.inf)) for look in looks])
    observed = np.isfinite(hours).any(axis=0)
    chosen = np.where(observed, hours.argmin(axis=0), -1)
    evidence = replace(
        first.evidence,
        llr=_pick([look.evidence.llr for look in looks], chosen),
        ceiling=_ceiling([look.evidence for look in looks], chosen),
        observed=observed,
        reasons=_pick([look.evidence.reasons for look in looks], chosen),
    )
    return evidence, _picked([look.bundle for look in looks], chosen)


def blind(sensor: Sensor, shape: tuple[int, int], at: datetime) -> Evidence:
    """The evidence of a sensor without a scene: nothing observed, and the reason why."""
    reasons = np.full(shape, Reason.NO_SCENE, dtype=np.uint16)
    return Evidence(sensor, np.zeros((2, *shape), np.float32), np.zeros(shape, np.bool_), reasons, at)


@dataclass(frozen=True, eq=False)
class Past:
    """What was seen before the flood, as one look."""

    bundle: Bundle
    history: PixelHistory | None
    """Of radar: how many looks it is the mean of, and how they varied."""


def _evidence(sensor: str, bundle: Bundle, past: Past | None, cover: Cover | None) -> Evidence:
    if not isinstance(bundle, RadarBundle):
        return weigh_optical(sensor, bundle, cover)
    if past is None or not isinstance(past.bundle, RadarBundle):
        return weigh_radar(sensor, bundle, cover=cover)
    return weigh_radar(sensor, bundle, past.bundle, cover, past.history)


def _choose(observed: Sequence[NDArray[np.bool_]]) -> NDArray[np.int64]:
    """(y, x) index of the first look that saw each pixel; -1 where none did."""
    stack = np.stack(observed)
    return np.where(stack.any(axis=0), stack.argmax(axis=0), -1)


def _pick(arrays: Sequence[NDArray[Kind]], chosen: NDArray[np.int64]) -> NDArray[Kind]:
    """Each pixel of the chosen look; of the first look where none saw it."""
    result = arrays[0].copy()
    for index, array in enumerate(arrays[1:], start=1):
        result[..., chosen == index] = array[..., chosen == index]
    return result


def _ceiling(found: Sequence[Evidence], chosen: NDArray[np.int64]) -> Float | None:
    if all(evidence.ceiling is None for evidence in found):
        return None
    free = np.full(chosen.shape, np.inf, dtype=np.float32)
    return _pick([free if evidence.ceiling is None else evidence.ceiling for evidence in found], chosen)


def _picked(bundles: Sequence[Bundle], chosen: NDArray[np.int64]) -> Bundle:
    first = bundles[0]
    reasons = _pick([bundle.reasons for bundle in bundles], chosen)
    if isinstance(first, RadarBundle):
        radar = [bundle for bundle in bundles if isinstance(bundle, RadarBundle)]
        power = {name: _pick([_layer(b.power, name, chosen) for b in radar], chosen) for name in first.power}
        noise = {name: _picked_noise([b.noise.get(name, np.nan) for b in radar], chosen) for name in first.power}
        return replace(first, power=power, noise=noise, reasons=reasons, angle=_picked_angle(radar, chosen))
    optical = [bundle for bundle in bundles if isinstance(bundle, OpticalBundle)]
    bands = {name: _pick([_layer(b.reflectance, name, chosen) for b in optical], chosen) for name in first.reflectance}
    return replace(first, reflectance=bands, reasons=reasons)


def _picked_noise(floors: Sequence[Float | float], chosen: NDArray[np.int64]) -> Float | float:
    """Noise of the chosen looks; one value where it is the same for all."""
    if all(np.ndim(floor) == 0 and floor == floors[0] for floor in floors):
        return floors[0]
    return _pick([np.broadcast_to(np.float32(floor), chosen.shape) for floor in floors], chosen)


def _picked_angle(bundles: Sequence[RadarBundle], chosen: NDArray[np.int64]) -> Float | None:
    """Angles of the chosen looks, NaN where one has none; None where no look has any."""
    if all(bundle.angle is None for bundle in bundles):
        return None
    unknown = np.full(chosen.shape, np.nan, dtype=np.float32)
    return _pick([unknown if bundle.angle is None else bundle.angle for bundle in bundles], chosen)


def _layer(arrays: Mapping[str, Float], name: str, chosen: NDArray[np.int64]) -> Float:
    return arrays[name] if name in arrays else np.full(chosen.shape, np.nan, dtype=np.float32)


def _past(before: Sequence[Bundle], now: Bundle) -> Past | None:
    """One "before" of several looks: mean power of the later look's geometry (radar), the newest clear (optics)."""
    newest = sorted(before, key=lambda bundle: bundle.time, reverse=True)
    radar = [bundle for bundle in newest if isinstance(bundle, RadarBundle)]
    if not newest:
        return None
    if not radar or len(newest) == 1:
        return Past(_picked(newest, _choose([bundle.reasons == 0 for bundle in newest])), None)
    return Past(*past_of(radar, now.angle if isinstance(now, RadarBundle) else None))
