"""Reading the class tables for a block of pixels: straight between the nodes of intensity, angle and noise around each.

Of the eight corners of a cell a pixel reads four, those of the simplex that it lies in (Kuhn 1960; "tetrahedral
interpolation" of colour tables, Kasson 1995): from corner to corner along the axes in the order of their shares.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harmonization.radar.block_sums import BLOCK, inner
from harmonization.radar.class_tables import ANGLE_STEP, ANGLES, LANES, NOISE_AXIS
from harmonization.radar.row_blend import add_blend

Float = NDArray[np.float32]
Whole = NDArray[np.int32]
Index = NDArray[np.int64]

_ZERO, _ONE = np.float32(0.0), np.float32(1.0)
_STEPS_A_DEGREE = np.float32(1.0 / ANGLE_STEP)
FIRST_ANGLE, LAST_ANGLE = np.float32(ANGLES[0]), np.float32(ANGLES[1] - 1e-3)
_NOISE_SHIFT, _NOISE_FIRST = NOISE_AXIS.shift, NOISE_AXIS.first
_NOISE_MASK, _NOISE_SHARE = (1 << NOISE_AXIS.shift) - 1, np.float32(0.5**NOISE_AXIS.shift)
_NOISE_LOW, _NOISE_HIGH = np.float32(2.0**NOISE_AXIS.low), np.float32(2.0**NOISE_AXIS.high * (1 - 1e-6))


class Places(NamedTuple):
    """Where the pixels of a block lie in the tables of one polarization; (BLOCK,) each unless told."""

    row: Whole
    """Node before the angle."""
    down: Float
    """Share of the way from there to the next angle."""
    column: Whole
    """Node before the noise floor."""
    far: Float
    """Share of the way to the next noise floor."""
    cell: Whole
    """Node before the intensity over the noise."""
    across: Float
    """Share of the way to the next intensity."""
    say: Float
    """1, or 0 without power or without a noise floor."""
    ratio: Float
    """Intensity over noise, within the table."""
    floor: Float
    """Noise floor, within the table."""
    nats: Float
    """(BLOCK, LANES) sums of what was read."""


@inner
def places():  # type: ignore[no-untyped-def]
    """Room for the places of a block."""
    whole, real = np.empty((3, BLOCK), dtype=np.int32), np.empty((6, BLOCK), dtype=np.float32)
    nats = np.empty((BLOCK, LANES), dtype=np.float32)
    return Places(whole[0], real[0], whole[1], real[1], whole[2], real[2], real[3], real[4], real[5], nats)


@inner
def place_angle(angle: Float, pixels: Index, row: Whole, down: Float) -> None:
    """Node before each pixel's angle, and the share of the way to the next."""
    for p in range(BLOCK):
        theta = min(max(angle[pixels[p]], FIRST_ANGLE), LAST_ANGLE)
        x = (theta - FIRST_ANGLE) * _STEPS_A_DEGREE
        row[p] = np.int32(x)
        down[p] = x - np.float32(row[p])


@inner
def place_intensity(channel, denoised, pixels, at):  # type: ignore[no-untyped-def]
    """Nodes before noise and intensity over noise, and the shares of the way to the next ones.

    Loops that touch few arrays: only these become vector code.
    """
    power, noise, ratio, floor, say = channel.power, channel.noise, at.ratio, at.floor, at.say
    (low, high), (shift, first, _) = channel.limits, channel.axis
    single, offset = noise.size == 1, _ONE if denoised else _ZERO
    for p in range(BLOCK):
        ratio[p] = power[pixels[p]]
        floor[p] = noise[0 if single else pixels[p]]
    for p in range(BLOCK):
        level = floor[p]
        floor[p] = min(level, _NOISE_HIGH) if level > _NOISE_LOW else _NOISE_LOW
        value = ratio[p] / floor[p] + offset
        say[p] = _ONE if value == value and level == level else _ZERO
        ratio[p] = min(value, high) if value > low else low
    place_on_axis(ratio, shift, first, at.cell, at.across)
    if single:
        at.column[:] = 0
        at.far[:] = _ZERO
    else:
        place_on_axis(floor, _NOISE_SHIFT, _NOISE_FIRST, at.column, at.far)


@inner
def place_on_axis(values: Float, shift: int, first: int, node: Whole, share: Float) -> None:
    """Node before each value on a `FloatAxis`, and the share of the way to the next."""
    bits = values.view(np.int32)
    down, start = np.int32(shift), np.int32(first)
    mask = np.int32((1 << shift) - 1)
    step = _ONE / np.float32(1 << shift)
    for p in range(BLOCK):
        node[p] = (bits[p] >> down) - start
        share[p] = np.float32(bits[p] & mask) * step


@inner
def read_rows(channel, at):  # type: ignore[no-untyped-def]
    """Add the nats of all classes, (pixel, class), from the corners of the simplex around each pixel."""
    flat, columns, size, values = channel.plane.ravel(), channel.plane.shape[1], channel.axis[2], channel.values
    beside = 1 if columns > 1 else 0
    for p in range(BLOCK):
        down, far, across, say, cell = at.down[p], at.far[p], at.across[p], at.say[p], at.cell[p]
        below = columns if down > _ZERO else 0
        longer, shorter = max(down, far), min(down, far)
        most, middle, least = max(across, longer), max(min(across, longer), shorter), min(across, shorter)
        origin = np.int64(at.row[p]) * columns + at.column[p]
        near = max(flat[origin], 0) * size + cell
        between = max(flat[origin + (below if down >= far else beside)], 0) * size + cell
        opposite = max(flat[origin + below + beside], 0) * size + cell
        second = near + 1 if across >= longer else between
        third = between + 1 if across >= shorter else opposite
        weights = say * (_ONE - most), say * (most - middle), say * (middle - least), say * least
        add_blend(at.nats, p, values, (near, second, third, opposite + 1), weights)  # type: ignore[call-arg]


@inner
def add_channel(channel, denoised, pixels, at):  # type: ignore[no-untyped-def]
    """Add the nats of one polarization at the placed angles."""
    place_intensity(channel, denoised, pixels, at)
    read_rows(channel, at)


@inner
def by_class(nats: Float, classes: int, levels: Float) -> None:
    """(pixel, class) nats as (class, pixel)."""
    for p in range(BLOCK):
        for k in range(classes):
            levels[k, p] = nats[p, k]
