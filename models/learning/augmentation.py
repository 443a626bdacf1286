"""How chips are varied while a network learns: pure functions of (inputs, generator)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeFloat, PositiveInt

from harmonization.optical.indices import mndwi, ndwi
from models.contract import DATED, Record, sensor_of
from models.data.chips import Truth
from models.inputs import CONTEXT, Float, Mask, ModelInput

LEVEL_SHIFT, INDEX_SHIFT, EVIDENCE_SHIFT = 1.5, 0.08, 0.7
"""Standard deviations of a shake of strength 1: dB, index, nat. Between places [M]."""
GAMMA, CONTRAST, BRIGHTNESS = 0.3, 0.2, 0.08
"""Standard deviations of a jitter of strength 1: of the logarithms of exponent and gain, and of the shift as a share of
the channel's range. About what separates two stretches of one scene [M]."""
LIGHT, HAZE = 0.15, 0.015
"""The same for reflectance: of the logarithm of a gain that all bands of a date share (sun, season), and of a path
reflectance that they share. A gain of each band alone would be no light: it turns land into water for an index [M]."""
STRETCHED = ("vv", "vh", "hh", "hv")
"""Radar of 8-bit data sets: stretched by chip and date, so that absolute levels are lost."""
REFLECTANCES = ("blue", "green", "red", "nir", "swir1", "swir2")
INDICES: dict[str, tuple[Callable[[Float, Float], Float], str, str]] = {
    "ndwi": (ndwi, "green", "nir"),
    "mndwi": (mndwi, "green", "swir1"),
}
"""How an index follows from channels of its own modality."""
_BLOBS = 3
"""Most discs that are cut out of a modality."""
Ranges = Mapping[str, Mapping[str, tuple[float, float]]]
"""By modality and channel: the lowest and highest value."""


class Augmentation(Record):
    """How a chip is varied; the default leaves it as it is."""

    turn: bool = False
    """Mirror and rotate by multiples of 90 degrees."""
    side: PositiveInt | None = None
    """Cut a random square of so many pixels; None keeps the chip whole."""
    drop: float = Field(0.0, ge=0.0, le=1.0)
    """Probability that a whole sensor with all its looks, its earlier looks alone, or a context is taken away; one
    sensor always stays."""
    blob: float = Field(0.0, ge=0.0, le=1.0)
    """Probability that discs are cut out of a sensor."""
    shake: NonNegativeFloat = 0.0
    """How far levels, indices and evidence are moved, 1 being what differs from place to place; 0 leaves them."""
    jitter: NonNegativeFloat = 0.0
    """How far stretched radar is bent in contrast, exponent and brightness, and reflectance lit and hazed, by date."""


def varied(
    inputs: ModelInput, truth: Truth, augmentation: Augmentation, generator: np.random.Generator, ranges: Ranges
) -> tuple[ModelInput, Truth]:
    """Return a chip with all that the augmentation asks for; `ranges` are those of the stretched channels."""
    if augmentation.side is not None:
        inputs, truth = cropped(inputs, truth, augmentation.side, generator)
    inputs = robbed(inputs, augmentation.drop, augmentation.blob, generator)
    if augmentation.jitter:
        inputs = jittered(inputs, augmentation.jitter, ranges, generator)
    if augmentation.shake:
        inputs = shaken(inputs, augmentation.shake, generator)
    return turned(inputs, truth, generator) if augmentation.turn else (inputs, truth)


def cropped(inputs: ModelInput, truth: Truth, side: int, generator: np.random.Generator) -> tuple[ModelInput, Truth]:
    """Cut a random square; a chip that is smaller along an axis stays whole along it."""
    rows, columns = (min(side, size) for size in inputs.shape)
    row = int(generator.integers(inputs.shape[0] - rows + 1))
    column = int(generator.integers(inputs.shape[1] - columns + 1))
    return inputs.window(row, column, rows, columns), truth[row : row + rows, column : column + columns]


def robbed(inputs: ModelInput, drop: float, blob: float, generator: np.random.Generator) -> ModelInput:
    """Take sensors away, whole or in discs, with all their looks; physics follows, for it sums what is present.

    The looks before are taken alone as well, and so is the terrain. One sensor that saw anything always stays whole.
    """
    hidden: dict[str, Mask | bool] = {}
    present = [name for name in sensors_of(inputs) if inputs.presence[name].any()]
    kept = present[generator.integers(len(present))] if present else ""
    for name in present:
        whole, before, cut = generator.random(3) < (drop, drop, blob)
        if whole and name != kept:
            hidden[name] = True
        elif cut and (name != kept or len(present) == 1):
            hidden[name] = discs(inputs.shape, generator)
        if before:
            past = [other for other in inputs.modalities if other != name and sensor_of(other) == name]
            hidden |= dict.fromkeys((f"{name}_before", *past), True)
    for name in CONTEXT:
        if name in inputs.modalities and generator.random() < drop:
            hidden[name] = True
    return inputs.without(hidden)


def shaken(inputs: ModelInput, strength: float, generator: np.random.Generator) -> ModelInput:
    """Shift what was measured and what was made of it, by modality and channel, as another place and season would.

    Levels in dB and indices move by a constant; evidence and the nats that enter the physics are scaled and moved
    together, so the network meets physics that is a little wrong everywhere, and learns where to trust it less.
    """
    modalities, parts = dict(inputs.modalities), {}
    for name, values in inputs.modalities.items():
        if name in CONTEXT:
            continue
        scale = 1.0 + strength * generator.uniform(-0.3, 0.2)
        bias = strength * generator.normal(0.0, EVIDENCE_SHIFT, inputs.states)
        moved, evidence = values.astype(np.float32, copy=True), iter(bias)
        for plane, channel in zip(moved, inputs.channels[name], strict=True):
            if channel.startswith("evidence"):
                plane *= scale
                plane += next(evidence)
            elif channel.endswith("_db") or (channel in INDICES and _of_physics(inputs.channels[name])):
                plane += strength * generator.normal(0.0, INDEX_SHIFT if channel in INDICES else LEVEL_SHIFT)
        modalities[name] = moved
        if name in inputs.parts:
            nats = inputs.parts[name] * scale + bias[:, None, None]
            parts[name] = np.where(inputs.presence[name], nats, 0.0).astype(np.float32)
    return replace(inputs, modalities=modalities, parts=parts)


def jittered(inputs: ModelInput, strength: float, ranges: Ranges, generator: np.random.Generator) -> ModelInput:
    """Bend stretched radar as another stretch would, and light reflectance as another day; indices are made anew.

    Radar: x^g, gain about the middle, shift, each channel of each date by its own numbers, for each was stretched by
    itself; `ranges` say what is 0 and 1. Reflectance: one gain and one haze for all bands of a date. Others stay.
    """
    modalities = dict(inputs.modalities)
    for name, values in inputs.modalities.items():
        channels = inputs.channels[name]
        bent = values.astype(np.float32, copy=True)
        for plane, channel in zip(bent, channels, strict=True):
            if channel in STRETCHED and channel in ranges[name]:
                plane[...] = _bent(plane, ranges[name][channel], strength, generator)
        lit = [plane for plane, channel in zip(bent, channels, strict=True) if channel in REFLECTANCES]
        _light(lit, strength, generator)
        planes = dict(zip(channels, bent, strict=True))
        for index, (formula, one, other) in INDICES.items():
            if index in planes and one in planes and other in planes:
                planes[index][...] = formula(planes[one], planes[other])
        modalities[name] = bent
    return replace(inputs, modalities=modalities)


def turned(inputs: ModelInput, truth: Truth, generator: np.random.Generator) -> tuple[ModelInput, Truth]:
    """Mirror and rotate a chip by a multiple of 90 degrees; rows and columns may change places."""
    quarters, mirror = int(generator.integers(4)), bool(generator.integers(2))

    def turn(array: NDArray[Any]) -> NDArray[Any]:
        rotated = np.rot90(array, quarters, axes=(-2, -1))
        return rotated[..., ::-1] if mirror else rotated

    moved = ModelInput(
        modalities={name: turn(values) for name, values in inputs.modalities.items()},
        presence={name: turn(mask) for name, mask in inputs.presence.items()},
        parts={name: turn(values) for name, values in inputs.parts.items()},
        prior=inputs.prior if inputs.prior.ndim == 1 else turn(inputs.prior),
        channels=inputs.channels,
    )
    return moved, turn(truth)


def discs(shape: tuple[int, int], generator: np.random.Generator) -> Mask:
    """(y, x) True inside up to three discs: clouds, shadows, swath edges."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    mask = np.zeros(shape, dtype=np.bool_)
    for _ in range(generator.integers(1, _BLOBS + 1)):
        row, column = generator.random(2) * shape
        radius = generator.uniform(0.05, 0.4) * max(shape)
        mask |= (rows - row) ** 2 + (columns - column) ** 2 < radius**2
    return mask


def sensors_of(inputs: ModelInput) -> list[str]:
    """Modalities of the moment that see water: no earlier looks, no context."""
    return [name for name in inputs.modalities if DATED not in name and name not in CONTEXT]


def _of_physics(channels: tuple[str, ...]) -> bool:
    """Whether an index stands alone: beside its own bands it follows them (`jittered`)."""
    return not any(channel in STRETCHED + REFLECTANCES for channel in channels)


def _light(bands: list[Float], strength: float, generator: np.random.Generator) -> None:
    """Give all bands of a date one gain and one haze, in place."""
    if not bands:
        return
    gain, haze = np.exp(strength * generator.normal(0.0, LIGHT)), strength * generator.normal(0.0, HAZE)
    for band in bands:
        band *= np.float32(gain)
        band += np.float32(haze)


def _bent(plane: Float, limits: tuple[float, float], strength: float, generator: np.random.Generator) -> Float:
    low, high = limits
    gamma, gain = np.exp(strength * generator.normal(0.0, (GAMMA, CONTRAST)))
    share = np.clip((plane - low) / (high - low), 0.0, 1.0) ** gamma
    share = (share - 0.5) * gain + 0.5 + strength * generator.normal(0.0, BRIGHTNESS)
    return np.asarray(low + np.clip(share, 0.0, 1.0) * (high - low), dtype=np.float32)
