"""Halo off: looks and method maps of the wide window cut to the unit's own pixels."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from harmonization.bundle import Bundle, Evidence, RadarBundle
from pipeline.methods import MethodMap
from pipeline.weigh import SensorLook

Kind = TypeVar("Kind", bound=np.generic)


def crop(array: NDArray[Kind], halo: int) -> NDArray[Kind]:
    """The last two axes without `halo` pixels a side."""
    rows, columns = array.shape[-2:]
    return array[..., halo : rows - halo, halo : columns - halo]


def crop_method(found: MethodMap, halo: int) -> MethodMap:
    """A method's map without its halo."""
    return replace(
        found,
        water=crop(found.water, halo),
        vegetation=crop(found.vegetation, halo),
        observed=crop(found.observed, halo),
        states=None if found.states is None else crop(found.states, halo),
        variance=None if found.variance is None else crop(found.variance, halo),
        trust=None if found.trust is None else crop(found.trust, halo),
    )


def crop_look(look: SensorLook, halo: int) -> SensorLook:
    """A sensor's look without its halo."""
    return replace(
        look,
        evidence=_evidence(look.evidence, halo),
        contribution=crop(look.contribution, halo),
        hours=crop(look.hours, halo),
        chosen=crop(look.chosen, halo),
        bundle=_bundle(look.bundle, halo),
        before=None if look.before is None else _bundle(look.before, halo),
        before_evidence=None if look.before_evidence is None else _evidence(look.before_evidence, halo),
    )


def _evidence(evidence: Evidence, halo: int) -> Evidence:
    return replace(
        evidence,
        llr=crop(evidence.llr, halo),
        ceiling=None if evidence.ceiling is None else crop(evidence.ceiling, halo),
        observed=crop(evidence.observed, halo),
        reasons=crop(evidence.reasons, halo),
    )


def _bundle(bundle: Bundle, halo: int) -> Bundle:
    reasons = crop(bundle.reasons, halo)
    if isinstance(bundle, RadarBundle):
        power = {name: crop(values, halo) for name, values in bundle.power.items()}
        angle = None if bundle.angle is None else crop(bundle.angle, halo)
        noise = {
            name: crop(np.asarray(floor), halo) if np.ndim(floor) else floor for name, floor in bundle.noise.items()
        }
        return replace(bundle, power=power, noise=noise, angle=angle, reasons=reasons)
    bands = {name: crop(values, halo) for name, values in bundle.reflectance.items()}
    return replace(bundle, reflectance=bands, reasons=reasons)
