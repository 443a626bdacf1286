"""One compiled pass over pixels: power in, nats of all classes and of the states out, a block at a time.

Within a block every step is a short loop over arrays that stay in cache. No sum is reordered: a pixel gives the same
bytes in whatever block, and on whatever thread, it is weighed.
"""

from __future__ import annotations

import math

import numba
import numpy as np
from numpy.typing import NDArray

from harmonization.radar.class_tables import ANGLE_STEP, ANGLES, LANES, NOISE_AXIS

Float = NDArray[np.float32]
Index = NDArray[np.int64]

BLOCK = 256
"""Pixels weighed together: their class likelihoods fill half of a first-level cache."""
_LOWEST = np.float32(-80.0)
"""Nats below the likeliest class at which another adds nothing that float32 could hold."""
_LOG2_E = np.float32(1.0 / math.log(2.0))
_LN_2 = np.float32(math.log(2.0))
_ROOT_2 = np.float32(math.sqrt(2.0))
_HALF, _ONE, _TWO = np.float32(0.5), np.float32(1.0), np.float32(2.0)
_THIRD, _FIFTH, _SEVENTH = np.float32(1.0 / 3.0), np.float32(1.0 / 5.0), np.float32(1.0 / 7.0)
_SIXTH, _TWENTY_FOURTH, _HUNDRED_TWENTIETH = np.float32(1.0 / 6.0), np.float32(1.0 / 24.0), np.float32(1.0 / 120.0)
_STEPS_A_DEGREE = np.float32(1.0 / ANGLE_STEP)
_FIRST_ANGLE = np.float32(ANGLES[0])
_LAST_ANGLE = np.float32(ANGLES[1] - 1e-3)
_NOISE_SHIFT, _NOISE_FIRST = NOISE_AXIS.shift, NOISE_AXIS.first
_NOISE_LOW, _NOISE_HIGH = np.float32(2.0**NOISE_AXIS.low), np.float32(2.0**NOISE_AXIS.high * (1 - 1e-6))

_compiled = numba.njit(cache=True, nogil=True, fastmath={"contract"}, error_model="numpy")


@_compiled
def log_of(values: Float, result: Float) -> None:
    """ln of positive values, to 2e-5: the exponent by its bits, the mantissa by the series of artanh."""
    bits = values.view(np.int32)
    for p in range(BLOCK):
        exponent = (bits[p] >> 23) - 127
        result[p] = np.float32(exponent)
    mantissa = np.empty(BLOCK, dtype=np.float32)
    mantissa_bits = mantissa.view(np.int32)
    for p in range(BLOCK):
        mantissa_bits[p] = (bits[p] & 0x7FFFFF) | 0x3F800000
    for p in range(BLOCK):
        t = (mantissa[p] - _ONE) / (mantissa[p] + _ONE)
        square = t * t
        series = _ONE + square * (_THIRD + square * (_FIFTH + square * _SEVENTH))
        result[p] = result[p] * _LN_2 + _TWO * t * series


@_compiled
def _add_exp(values: Float, top: Float, total: Float, power: Float, share: Float) -> None:
    """total += exp(values - top) for values below top: 2^n by bits, 2^f by its series around one half, to 3e-6."""
    power_bits = power.view(np.int32)
    for p in range(BLOCK):
        x = max(values[p] - top[p], _LOWEST) * _LOG2_E + np.float32(127.0)
        whole = np.int32(x)
        share[p] = (x - np.float32(whole) - _HALF) * _LN_2
        power_bits[p] = whole << 23
    for p in range(BLOCK):
        y = share[p]
        series = _ONE + y * (_ONE + y * (_HALF + y * (_SIXTH + y * (_TWENTY_FOURTH + y * _HUNDRED_TWENTIETH))))
        total[p] += power[p] * _ROOT_2 * series


@_compiled
def log_sum(stack: Float, first: int, last: int, top: Float, total: Float, scratch: Float) -> None:
    """ln Σ exp of some rows of (row, pixel), as the largest in `top` and the sum over it, one or more, in `total`."""
    row = stack[first]
    for p in range(BLOCK):
        top[p] = row[p]
        total[p] = np.float32(0.0)
    for index in range(first + 1, last):
        row = stack[index]
        for p in range(BLOCK):
            top[p] = max(top[p], row[p])
    for index in range(first, last):
        _add_exp(stack[index], top, total, scratch[0], scratch[1])


@_compiled
def state_level(levels, first, last, result, real):  # type: ignore[no-untyped-def]
    """ln Σ exp of some rows of (row, pixel)."""
    log_sum(levels, first, last, real[6], real[7], real[8:10])
    log_of(real[7], result)
    for p in range(BLOCK):
        result[p] += real[6, p]


@_compiled
def place_angle(angle: Float, pixels: Index, row: Index, share: Float) -> None:
    """Node before each pixel's angle, and the share of the way to the next."""
    for p in range(BLOCK):
        theta = min(max(angle[pixels[p]], _FIRST_ANGLE), _LAST_ANGLE)
        x = (theta - _FIRST_ANGLE) * _STEPS_A_DEGREE
        row[p] = int(x)
        share[p] = x - np.float32(row[p])


@_compiled
def place_intensity(channel, denoised, pixels, ratio, floor, column, cell, shares):  # type: ignore[no-untyped-def]
    """Node of noise and of intensity over noise, and (3, BLOCK) shares of the way to the next ones, and of a say.

    A pixel without power or without a noise floor has no say: its last share is 0.
    """
    power, noise, _, _, (low, high), (shift, first, _) = channel
    bits, floor_bits = ratio.view(np.int32), floor.view(np.int32)
    single = noise.size == 1
    mask, noise_mask = (1 << shift) - 1, (1 << _NOISE_SHIFT) - 1
    step, noise_step = np.float32(1.0 / (mask + 1)), np.float32(1.0 / (noise_mask + 1))
    for p in range(BLOCK):
        level = noise[0 if single else pixels[p]]
        value = power[pixels[p]] / min(max(level, _NOISE_LOW), _NOISE_HIGH)
        if denoised:
            value += _ONE
        shares[2, p] = _ONE if value == value and level == level else np.float32(0.0)
        ratio[p] = min(value, high) if value > low else low
        floor[p] = min(level, _NOISE_HIGH) if level > _NOISE_LOW else _NOISE_LOW
    for p in range(BLOCK):
        cell[p] = (bits[p] >> shift) - first
        shares[0, p] = np.float32(bits[p] & mask) * step
        column[p] = 0 if single else (floor_bits[p] >> _NOISE_SHIFT) - _NOISE_FIRST
        shares[1, p] = np.float32(0.0) if single else np.float32(floor_bits[p] & noise_mask) * noise_step


@_compiled
def place_rows(channel, row, angle_share, column, cell, shares, corners, weights):  # type: ignore[no-untyped-def]
    """Offsets of the table rows around each pixel, (4, BLOCK), and their weights, (8, BLOCK).

    Corner 0 and 1: this noise node, at the angle before and after; 2 and 3 the next noise node. Each is followed by the
    next intensity, whose weight stands four further.
    """
    plane, size = channel[3], channel[5][2]
    flat, columns = plane.ravel(), plane.shape[1]
    below, beside = columns if plane.shape[0] > 1 else 0, 1 if columns > 1 else 0
    for p in range(BLOCK):
        at, first = cell[p], row[p] * columns + column[p]
        corners[0, p] = max(flat[first], 0) * size + at
        corners[1, p] = max(flat[first + (below if angle_share[p] > 0 else 0)], 0) * size + at
        corners[2, p] = max(flat[first + beside], 0) * size + at
        corners[3, p] = max(flat[first + beside + (below if angle_share[p] > 0 else 0)], 0) * size + at
    for p in range(BLOCK):
        across, far, say, down = shares[0, p], shares[1, p], shares[2, p], angle_share[p]
        for corner in range(4):
            weight = say * (down if corner % 2 else _ONE - down) * (far if corner > 1 else _ONE - far)
            weights[corner, p] = weight * (_ONE - across)
            weights[corner + 4, p] = weight * across


@_compiled
def read_two(values, corners, weights, levels, classes):  # type: ignore[no-untyped-def]
    """Add (class, pixel) nats where the noise is the same everywhere: two angles, two intensities."""
    for p in range(BLOCK):
        a, b = corners[0, p], corners[1, p]
        u, v, x, y = weights[0, p], weights[1, p], weights[4, p], weights[5, p]
        a0, a1, b0, b1 = values[a], values[a + 1], values[b], values[b + 1]
        for k in range(classes):
            levels[k, p] += u * a0[k] + x * a1[k] + v * b0[k] + y * b1[k]


@_compiled
def read_four(values, corners, weights, levels, classes):  # type: ignore[no-untyped-def]
    """Add (class, pixel) nats: two angles, two noise floors, two intensities."""
    for p in range(BLOCK):
        a, b, c, d = corners[0, p], corners[1, p], corners[2, p], corners[3, p]
        u0, u1, u2, u3 = weights[0, p], weights[1, p], weights[2, p], weights[3, p]
        v0, v1, v2, v3 = weights[4, p], weights[5, p], weights[6, p], weights[7, p]
        a0, a1, b0, b1 = values[a], values[a + 1], values[b], values[b + 1]
        c0, c1, d0, d1 = values[c], values[c + 1], values[d], values[d + 1]
        for k in range(classes):
            here = u0 * a0[k] + v0 * a1[k] + u1 * b0[k] + v1 * b1[k]
            levels[k, p] += here + (u2 * c0[k] + v2 * c1[k] + u3 * d0[k] + v3 * d1[k])


@_compiled
def add_rows(channel, row, angle_share, column, cell, shares, corners, weights, levels, classes):  # type: ignore[no-untyped-def]
    """Add the nats of one polarization to (class, pixel) levels: linear between the nodes around each pixel."""
    place_rows(channel, row, angle_share, column, cell, shares, corners, weights)
    if channel[3].shape[1] == 1:
        read_two(channel[2], corners, weights, levels, classes)
    else:
        read_four(channel[2], corners, weights, levels, classes)


@_compiled
def _workspace():  # type: ignore[no-untyped-def]
    """Arrays of a block: whole numbers, and floats."""
    return (
        np.empty((7, BLOCK), dtype=np.int64),
        np.empty((19, BLOCK), dtype=np.float32),
    )


@_compiled
def _choose(kind, wanted, start, stop, pixels):  # type: ignore[no-untyped-def]
    """Numbers of the pixels of one kind between two, the rest of the block filled up with the first; how many."""
    count = 0
    for pixel in range(start, stop):
        if kind[pixel] == wanted:
            pixels[count] = pixel
            count += 1
    for index in range(count, BLOCK):
        pixels[index] = pixels[0]
    return count


@_compiled
def add_channels(polarizations, channels, denoised, pixels, row, angle_share, work, levels, classes):  # type: ignore[no-untyped-def]
    """Add the nats of every polarization at the placed angles to (class, pixel) levels."""
    whole, real = work
    column, cell, corners = whole[1], whole[2], whole[3:7]
    for number in range(polarizations):
        channel = channels[number]
        place_intensity(channel, denoised, pixels, real[4], real[5], column, cell, real[0:3])
        add_rows(channel, row, angle_share, column, cell, real[0:3], corners, real[11:19], levels, classes)


@_compiled
def class_levels(polarizations, channels, angle, nodes, denoised, classes, pixels, levels, stack, work):  # type: ignore[no-untyped-def]
    """(class, pixel) ln p of all polarizations together, of one block.

    `nodes` (n,): ln of the weights of the angles that stand for an unknown one; empty where angles are known.
    """
    real, row = work[1], work[0][0]
    share = real[3]
    if nodes.size == 0:
        place_angle(angle, pixels, row, share)
        levels[:classes] = np.float32(0.0)
        add_channels(polarizations, channels, denoised, pixels, row, share, work, levels, classes)
        return
    share[:] = np.float32(0.0)
    for node in range(nodes.size):
        row[:] = node
        levels[:classes] = nodes[node]
        add_channels(polarizations, channels, denoised, pixels, row, share, work, levels, classes)
        for k in range(classes):
            stack[k, node] = levels[k]
    for k in range(classes):
        state_level(stack[k], 0, nodes.size, levels[k], real)


@_compiled
def class_densities(polarizations, channels, angle, nodes, denoised, classes, kind, wanted, begin, end, result):  # type: ignore[no-untyped-def]
    """ln p of each class into (class, pixels) for the pixels of one kind between two."""
    work = _workspace()
    pixels = np.empty(BLOCK, dtype=np.int64)
    levels = np.empty((LANES, BLOCK), dtype=np.float32)
    stack = np.empty((LANES, max(nodes.size, 1), BLOCK), dtype=np.float32)
    for start in range(begin, end, BLOCK):
        count = _choose(kind, wanted, start, min(start + BLOCK, end), pixels)
        if count == 0:
            continue
        class_levels(polarizations, channels, angle, nodes, denoised, classes, pixels, levels, stack, work)
        for k in range(classes):
            for index in range(count):
                result[k, pixels[index]] = levels[k, index]


@_compiled
def add_shares(levels, shares, cover, pixels, classes):  # type: ignore[no-untyped-def]
    """Add ln of the shares of the classes, by the cover of each pixel."""
    for k in range(classes):
        if cover.size == 1:
            share = shares[cover[0], k]
            for p in range(BLOCK):
                levels[k, p] += share
        else:
            for p in range(BLOCK):
                levels[k, p] += shares[cover[pixels[p]], k]


@_compiled
def write_ratios(water, vegetation, dry, bare, holds, cover, pixels, count, llr, smooth, ceiling):  # type: ignore[no-untyped-def]
    """Ratios against dry, and the dark pixels that water and smooth dry ground explain alike.

    `bare`: (2, BLOCK) ln of smooth dry ground with its share and without. Where a channel cannot part it from water
    (`holds` by cover), only the share of smooth ground could decide, and no radar knows it: the ceiling of evidence for
    water is what it has over smooth ground alone.
    """
    for p in range(count):
        pixel = pixels[p]
        ratio = water[p] - dry[p]
        alike = abs(ratio) < _TWO and bare[0, p] > dry[p] - _LN_2
        if holds[cover[0 if cover.size == 1 else pixel]]:
            highest = max(water[p] - bare[1, p], np.float32(0.0))
            alike = alike or ratio - highest > np.float32(0.05)
            ceiling[pixel] = highest
        llr[0, pixel] = ratio
        llr[1, pixel] = vegetation[p] - dry[p]
        smooth[pixel] = alike


@_compiled
def weigh_one_look(  # type: ignore[no-untyped-def]
    polarizations,
    channels,
    angle,
    nodes,
    denoised,
    groups,
    bare_lane,
    shares,
    holds,
    cover,
    kind,
    wanted,
    begin,
    end,
    llr,
    smooth,
    ceiling,
):
    """Evidence of the pixels of one kind between two, into (2, pixels) ratios, (pixels,) flags and ceilings.

    `groups`: first lane of water, of vegetation, of dry, and the end.
    """
    work = _workspace()
    pixels = np.empty(BLOCK, dtype=np.int64)
    levels = np.empty((LANES, BLOCK), dtype=np.float32)
    stack = np.empty((LANES, max(nodes.size, 1), BLOCK), dtype=np.float32)
    states = np.empty((3, BLOCK), dtype=np.float32)
    bare = np.empty((2, BLOCK), dtype=np.float32)
    for start in range(begin, end, BLOCK):
        count = _choose(kind, wanted, start, min(start + BLOCK, end), pixels)
        if count == 0:
            continue
        class_levels(polarizations, channels, angle, nodes, denoised, groups[3], pixels, levels, stack, work)
        bare[1] = levels[bare_lane]
        add_shares(levels, shares, cover, pixels, groups[3])
        bare[0] = levels[bare_lane]
        for state in range(3):
            state_level(levels, groups[state], groups[state + 1], states[state], work[1])
        write_ratios(states[0], states[1], states[2], bare, holds, cover, pixels, count, llr, smooth, ceiling)
