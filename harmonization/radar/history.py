"""The pixel's own past: several looks before the flood as one, with how many they were and how much they varied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from harmonization.bundle import Flags, Float, RadarBundle, copolar
from harmonization.reasons import BLINDING
from harmonization.speckle import log_speckle_std

SAME_GEOMETRY = 2.0
"""Degrees of incidence within which two looks are of one geometry: a track repeats to a tenth, the next is 8 off."""
LEAST_SPREAD = 0.5
"""dB: radiometry of two passes differs by so much (Sentinel-1 stability 0.5 dB, three sigma, ESA)."""


@dataclass(frozen=True, eq=False)
class PixelHistory:
    """What is known of each pixel beside the mean power of its past."""

    count: NDArray[np.int64]
    """(y, x) looks in the mean; 0 where none saw the pixel."""
    spread: dict[str, Float]
    """By polarization: (y, x) dB, standard deviation between dates without speckle; NaN below two dates."""


def past_of(looks: Sequence[RadarBundle], angle: Float | None) -> tuple[RadarBundle, PixelHistory]:
    """One "before" of several looks: the mean of linear power over what each saw, and the history of each pixel.

    `angle`: (y, x) degrees of the later look. Where some looks have its geometry, only these count: backscatter of one
    angle is no measure of another. Samples that a look is blind to are left out; shadow is dark, and no water.
    """
    newest = sorted(looks, key=lambda bundle: bundle.time, reverse=True)
    counted = _counted(newest, angle)
    names = tuple(dict.fromkeys(name for bundle in newest for name in bundle.power))
    power, noise, spread = {}, {}, {}
    for name in names:
        having = [(bundle, seen) for bundle, seen in zip(newest, counted, strict=True) if name in bundle.power]
        stack = np.stack([np.where(seen, bundle.power[name], np.float32(np.nan)) for bundle, seen in having])
        power[name] = _mean(stack)
        noise[name] = _noise([bundle for bundle, _ in having], stack, name)
        spread[name] = _spread(stack, having[0][0], noise[name])
    nothing = np.logical_and.reduce([np.isnan(values) for values in power.values()])
    every = np.bitwise_or.reduce([bundle.reasons for bundle in newest])
    reasons: Flags = np.where(nothing, every, 0).astype(np.uint16)
    co = copolar(power)
    count = sum(
        (seen & np.isfinite(bundle.power[co])).astype(np.int64)
        for bundle, seen in zip(newest, counted, strict=True)
        if co in bundle.power
    )
    merged = replace(newest[0], power=power, noise=noise, reasons=reasons, angle=_angle(newest, counted))
    return merged, PixelHistory(np.asarray(np.maximum(count, ~nothing)), spread)


def _counted(looks: Sequence[RadarBundle], angle: Float | None) -> list[NDArray[np.bool_]]:
    """(y, x) by look: whether its sample counts in the mean of a pixel."""
    seen = [
        np.logical_or.reduce([np.isfinite(values) for values in bundle.power.values()])
        & ((bundle.reasons & np.uint16(BLINDING)) == 0)
        for bundle in looks
    ]
    if angle is None:
        return seen
    with np.errstate(invalid="ignore"):
        alike = [
            told & (np.abs(bundle.angle - angle) <= SAME_GEOMETRY) if bundle.angle is not None else np.zeros_like(told)
            for bundle, told in zip(looks, seen, strict=True)
        ]
    some = np.logical_or.reduce(alike)
    return [np.where(some, same, told) for same, told in zip(alike, seen, strict=True)]


def _mean(stack: Float) -> Float:
    """(y, x) mean of (look, y, x) over what is there; NaN where nothing is."""
    there = np.isfinite(stack)
    count = there.sum(axis=0)
    total = np.where(there, stack, np.float32(0.0)).sum(axis=0)
    mean: Float = np.divide(total, count, out=np.full(total.shape, np.nan, np.float32), where=count > 0)
    return mean


def _noise(looks: Sequence[RadarBundle], stack: Float, name: str) -> Float | float:
    """Noise floor of the mean: one value where all looks have the same."""
    floors = [bundle.noise[name] for bundle in looks]
    if all(np.ndim(floor) == 0 for floor in floors) and len(set(map(float, floors))) == 1:
        return float(floors[0])
    return _mean(
        np.stack(
            [
                np.where(np.isfinite(power), floor, np.float32(np.nan))
                for power, floor in zip(stack, floors, strict=True)
            ]
        ).astype(np.float32)
    )


def _angle(looks: Sequence[RadarBundle], counted: Sequence[NDArray[np.bool_]]) -> Float | None:
    angles = [
        np.where(seen, bundle.angle, np.float32(np.nan))
        for bundle, seen in zip(looks, counted, strict=True)
        if bundle.angle is not None
    ]
    return _mean(np.stack(angles)) if angles else None


def _spread(stack: Float, look: RadarBundle, noise: Float | float) -> Float:
    """dB between dates, speckle taken off, at least `LEAST_SPREAD`; NaN below two dates."""
    raw = stack + np.asarray(noise, dtype=np.float32) if look.denoised else stack
    with np.errstate(invalid="ignore", divide="ignore"):
        levels = np.where(raw > 0, 10.0 * np.log10(raw), np.float32(np.nan))
    count = np.isfinite(levels).sum(axis=0)
    off = np.where(np.isfinite(levels), levels - _mean(levels), 0.0)
    many = count > 1
    variance = np.divide((off**2).sum(axis=0), count - 1, out=np.full(count.shape, np.nan), where=many)
    steady = np.maximum(variance - log_speckle_std(look.looks) ** 2, LEAST_SPREAD**2)
    return np.asarray(np.sqrt(steady), dtype=np.float32)
