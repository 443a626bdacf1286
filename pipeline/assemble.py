"""From what sensors and methods say to the layers of a unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from catalogs.records import Sensor
from harmonization.bundle import Float, OpticalBundle, RadarBundle
from harmonization.reasons import Reason
from harmonization.wavelength import Harmonized, harmonize
from pipeline.classify import (
    agreement,
    flood_classes,
    flood_probability,
    network_uncertainty,
    trust_percent,
    uncertainty,
)
from pipeline.job import RADARS, Job
from pipeline.layers import KINDS, Layer, UnitLayers, kind_of, layer, to_file_units
from pipeline.methods import MethodMap, optical_index
from pipeline.weigh import SensorLook, blind

Mask = NDArray[np.bool_]
OBSERVED_BITS = {"c_band": 1, "l_band": 2, "optical": 4}
SPREADS = ("aleatoric", "epistemic (jackknife over sensors)")
NETWORK_SPREADS = ("aleatoric (told by the network)", "epistemic (told by the network)")
"""Bands of `uncertainty`: of physics, and of a network that tells its own."""
BEFORE_SHIFT = 4
"""`observed_by`: the bits of "before" are those of "during", four places up."""


def assemble_layers(
    job: Job,
    prior: Float,
    looks: Mapping[Sensor, SensorLook],
    methods: Mapping[str, MethodMap],
    inside: Mask,
    past_water: tuple[Mask, Mask] | None,
    given_water: NDArray[np.float32] | None,
    has_reference: bool,
    at: Any,
) -> UnitLayers:
    """All layers of one unit: arrays (y, x) on the unit's own box.

    `prior` (2, y, x): log-odds before any sensor.
    `past_water`: what `classify.reference_from_before` says of the wide window, cropped; `given_water`: the job's
    reference raster (1 is water, NaN not known), which outranks it.
    `has_reference`: whether the run as a whole has one, so that all its units speak of the same thing.
    """
    known = _reference(past_water, given_water)
    reference = np.zeros(inside.shape, np.bool_) if known is None else known[0]
    delivered = methods[job.delivered]
    layers = _delivered(delivered, looks, prior, reference, inside, has_reference)
    layers["reference_water"] = _reference_layer(known, inside)
    layers |= _witnesses(job, looks, inside, at)
    if "harmonized" in job.extra_layers:
        layers["harmonized"] = _harmonized(job, prior, looks, inside)
    layers |= _by_method(methods, reference, inside, has_reference)
    if "ndwi" in methods:
        layers["agreement"] = layer("agreement", agreement(methods["ndwi"], delivered, reference, inside))
    facts = _facts(job, looks, inside, has_reference)
    facts["overbank:inside_pixels"] = int(inside.sum())
    if has_reference:
        share = 0.0 if known is None else float((known[1] & inside).sum() / max(inside.sum(), 1))
        facts["overbank:reference_known_share"] = round(share, 4)
    return UnitLayers(layers, facts)


def _reference(before: tuple[Mask, Mask] | None, given: NDArray[np.float32] | None) -> tuple[Mask, Mask] | None:
    """Reference water and where it is known; None where nothing tells."""
    if given is None:
        return before
    known = np.isfinite(given)
    if before is None:
        return given == 1, known
    return np.where(known, given == 1, before[0]), known | before[1]


def _legend(has_reference: bool) -> str:
    return "flood" if has_reference else "water"


def _delivered(
    found: MethodMap,
    looks: Mapping[Sensor, SensorLook],
    prior: Float,
    reference: Mask,
    inside: Mask,
    has_reference: bool,
) -> dict[str, Layer]:
    classes = flood_classes(found, reference, inside)
    layers = {"flood_class": layer("flood_class", classes, kind=kind_of("flood_class", _legend(has_reference)))}
    water = np.where(found.observed & inside, found.water | found.vegetation | reference, 255)
    layers["water_extent"] = layer("water_extent", water)
    percent = flood_probability(found, reference, inside)
    if percent is not None:
        layers["flood_probability"] = layer("flood_probability", percent)
    own = network_uncertainty(found, inside)
    spread = uncertainty(found, looks, prior, inside) if own is None else own
    if spread is not None:
        layers["uncertainty"] = layer("uncertainty", spread, SPREADS if own is None else NETWORK_SPREADS)
    return layers


def _reference_layer(known: tuple[Mask, Mask] | None, inside: Mask) -> Layer:
    if known is None:
        return layer("reference_water", np.full(inside.shape, 255))
    return layer("reference_water", np.where(known[1] & inside, known[0], 255))


def _witnesses(job: Job, looks: Mapping[Sensor, SensorLook], inside: Mask, at: Any) -> dict[str, Layer]:
    """What each sensor saw and said, method or no method."""
    evidence = [
        look.evidence if (look := looks.get(sensor)) else blind(sensor, inside.shape, at) for sensor in job.sensors
    ]
    values = np.concatenate([to_file_units(one.held, KINDS["evidence"], one.observed & inside) for one in evidence])
    names = [f"{one.sensor} {state} : dry" for one in evidence for state in ("open water", "flooded vegetation")]
    reasons = np.stack([np.where(inside, one.reasons, 0) for one in evidence])
    layers = {
        "evidence": layer("evidence", values, tuple(names)),
        "exclusion": layer("exclusion", reasons, tuple(one.sensor for one in evidence)),
        "observed_by": layer("observed_by", _observed_by(looks, inside)),
        "age": layer("age", _age(looks, inside)),
    }
    index = optical_index(looks)
    if index is not None:
        layers["ndwi"] = layer("ndwi", to_file_units(index, KINDS["ndwi"], np.isfinite(index) & inside))
    return layers


def _harmonized(job: Job, prior: Float, looks: Mapping[Sensor, SensorLook], inside: Mask) -> Layer:
    """Level and standard deviation of each radar in the terms of C-VV; nodata where that is not valid."""
    kind, values, names = KINDS["harmonized"], [], []
    for sensor in (name for name in job.sensors if name in RADARS):
        found = Harmonized.unseen(inside.shape)
        if sensor in looks and isinstance(bundle := looks[sensor].bundle, RadarBundle):
            found = harmonize(bundle, prior)
            found = replace(
                found, valid=found.valid & looks[sensor].evidence.observed
            )  # not under snow that optics saw
        values += [to_file_units(one, kind, found.valid & inside) for one in (found.level, found.std)]
        names += [f"{sensor} C-VV-equivalent sigma0", f"{sensor} standard deviation"]
    return layer("harmonized", np.stack(values), tuple(names))


def _observed_by(looks: Mapping[Sensor, SensorLook], inside: Mask) -> NDArray[np.uint8]:
    bits = np.zeros(inside.shape, dtype=np.uint8)
    for look in looks.values():
        bit = OBSERVED_BITS[look.modality]
        bits |= np.where(look.evidence.observed, np.uint8(bit), np.uint8(0))
        if look.before_evidence is not None:
            bits |= np.where(look.before_evidence.observed, np.uint8(bit << BEFORE_SHIFT), np.uint8(0))
    return np.where(inside, bits, np.uint8(0))


def _age(looks: Mapping[Sensor, SensorLook], inside: Mask) -> NDArray[np.float32]:
    """Hours between t* and the look nearest to it, capped at 254; 255 where none saw."""
    hours = np.full(inside.shape, np.inf, dtype=np.float32)
    for look in looks.values():
        hours = np.fmin(hours, look.hours)
    return np.where(np.isfinite(hours) & inside, np.minimum(np.round(hours), 254), 255)


def _by_method(
    methods: Mapping[str, MethodMap], reference: Mask, inside: Mask, has_reference: bool
) -> dict[str, Layer]:
    layers: dict[str, Layer] = {}
    for name, found in methods.items():
        stem = f"methods/{name}"
        classes = flood_classes(found, reference, inside)
        layers[stem] = layer(stem, classes, kind=kind_of(stem, _legend(has_reference)))
        percent = flood_probability(found, reference, inside)
        if percent is not None:
            layers[f"probability/{name}"] = layer(name, percent, kind=kind_of(f"probability/{name}"))
        shares = trust_percent(found, inside)
        if shares is not None:
            layers[f"trust/{name}"] = layer(name, shares, found.sensors, kind_of(f"trust/{name}"))
    if "ndwi" in methods:
        rule = methods["ndwi"]
        layers["ndwi_water"] = layer("ndwi_water", np.where(rule.observed & inside, rule.water, 255))
    return layers


def _facts(job: Job, looks: Mapping[Sensor, SensorLook], inside: Mask, has_reference: bool) -> dict[str, Any]:
    """What the item says in words: no map without its caveats."""
    facts: dict[str, Any] = {
        "overbank:legend": _legend(has_reference),
        "overbank:delivered": job.delivered,
        "overbank:sensors": {
            sensor: _fact(looks[sensor], inside) if sensor in looks else "no scene" for sensor in job.sensors
        },
    }
    return facts


def _fact(look: SensorLook, inside: Mask) -> dict[str, Any]:
    seen = look.evidence.observed & inside
    fact: dict[str, Any] = {"observed_share": round(float(seen.sum() / max(inside.sum(), 1)), 4)}
    if isinstance(look.bundle, OpticalBundle):
        return fact | {"cloud_test": look.bundle.cloud_test}
    flags = look.evidence.reasons[seen]
    for reason in (Reason.UNKNOWN_ANGLE, Reason.SMOOTH_DRY, Reason.OUTSIDE_MODEL):
        share = float((flags & np.uint16(reason) != 0).mean()) if flags.size else 0.0
        fact[f"{reason.name.lower()}_share"] = round(share, 4)  # type: ignore[union-attr]
    return fact | {"looks": look.bundle.looks, "change_detection": look.before is not None}
