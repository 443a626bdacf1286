"""One compiled pass over pixels: power in, nats of all classes and of the states out, a block at a time.

Blocks lie in strips down the image: across the swath angle and noise change most, so the planes of a strip stay in
cache. A pixel gives the same bytes in whatever block, and on whatever thread, it is weighed.
"""

from __future__ import annotations

import numpy as np

from harmonization.radar.block_sums import BLOCK, LN_2, compiled, inner, log_sum
from harmonization.radar.class_tables import LANES
from harmonization.radar.table_reader import add_channel, by_class, place_angle, places

_ZERO, _TWO = np.float32(0.0), np.float32(2.0)


STRIP = 4 * BLOCK
"""Columns of a strip: a page of memory of each line."""


@inner
def block_count(lines, width):  # type: ignore[no-untyped-def]
    """Blocks that some lines take: strip by strip, in the last strip what is left of the width."""
    return lines * (width // STRIP) * (STRIP // BLOCK) + (lines * (width % STRIP) + BLOCK - 1) // BLOCK


@inner
def choose(kind, wanted, begin, end, width, number, pixels):  # type: ignore[no-untyped-def]
    """Numbers of the pixels of one kind in a block of the lines between two; how many.

    The rest of the block is filled up with the first.
    """
    size = (end - begin) * STRIP
    strip = min(number * BLOCK // size, width // STRIP)
    left, place = strip * STRIP, number * BLOCK - strip * size
    across = min(STRIP, width - left)
    line, column, count = begin + place // across, place % across, 0
    for _ in range(min(BLOCK, (end - begin) * across - place)):
        pixel = line * width + left + column
        pixels[count] = pixel
        count += kind[pixel] == wanted
        column += 1
        if column == across:
            line, column = line + 1, 0
    for index in range(count, BLOCK):
        pixels[index] = pixels[0]
    return count


@inner
def class_levels(look, pixels, classes, levels, stack, at, scratch):  # type: ignore[no-untyped-def]
    """(class, pixel) ln p of all polarizations together, of one block.

    Where the angle is unknown: summed over the angles that stand for it.
    """
    polarizations, channels, angle, nodes, denoised = look
    if nodes.size == 0:
        place_angle(angle, pixels, at.row, at.down)
        at.nats[:] = _ZERO
        for number in range(polarizations):
            add_channel(channels[number], denoised, pixels, at)
        by_class(at.nats, classes, levels)
        return
    at.down[:] = _ZERO
    for node in range(nodes.size):
        at.row[:] = node
        at.nats[:] = nodes[node]
        for number in range(polarizations):
            add_channel(channels[number], denoised, pixels, at)
        by_class(at.nats, classes, stack[:, node])
    for k in range(classes):
        log_sum(stack[k], 0, nodes.size, levels[k], scratch)


@compiled
def class_densities(look, classes, kind, wanted, width, begin, end, result):  # type: ignore[no-untyped-def]
    """ln p of each class into (class, pixels) for the pixels of one kind in the lines between two."""
    at, scratch = places(), np.empty((3, LANES, BLOCK), dtype=np.float32)
    pixels = np.empty(BLOCK, dtype=np.int64)
    levels = np.empty((LANES, BLOCK), dtype=np.float32)
    stack = np.empty((LANES, max(look[3].size, 1), BLOCK), dtype=np.float32)
    for number in range(block_count(end - begin, width)):
        count = choose(kind, wanted, begin, end, width, number, pixels)
        if count == 0:
            continue
        class_levels(look, pixels, classes, levels, stack, at, scratch)
        for k in range(classes):
            for index in range(count):
                result[k, pixels[index]] = levels[k, index]


@inner
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


@inner
def write_ratios(water, vegetation, dry, bare, holds, cover, pixels, count, llr, smooth, ceiling):  # type: ignore[no-untyped-def]
    """Ratios against dry, and the dark pixels that water and smooth dry ground explain alike.

    `bare`: (2, BLOCK) ln of smooth dry ground with its share and without. Where a channel cannot part it from water
    (`holds` by cover), only the share of smooth ground could decide, and no radar knows it: the ceiling of evidence for
    water is what it has over smooth ground alone.
    """
    for p in range(count):
        pixel = pixels[p]
        ratio = water[p] - dry[p]
        alike = abs(ratio) < _TWO and bare[0, p] > dry[p] - LN_2
        if holds[cover[0 if cover.size == 1 else pixel]]:
            highest = max(water[p] - bare[1, p], _ZERO)
            alike = alike or ratio - highest > np.float32(0.05)
            ceiling[pixel] = highest
        llr[0, pixel] = ratio
        llr[1, pixel] = vegetation[p] - dry[p]
        smooth[pixel] = alike


@compiled
def weigh_one_look(look, lanes, shares, holds, cover, kind, wanted, width, begin, end, llr, smooth, ceiling):  # type: ignore[no-untyped-def]
    """Evidence of the pixels of one kind in the lines between two, into (2, pixels) ratios, (pixels,) flags, ceilings.

    `look`: `channels.Channels` and whether it is denoised. `lanes`: first lane of water, of vegetation, of dry, and the
    end; and the lane of smooth dry ground.
    """
    groups, bare_lane = lanes
    at, scratch = places(), np.empty((3, LANES, BLOCK), dtype=np.float32)
    pixels = np.empty(BLOCK, dtype=np.int64)
    levels = np.empty((LANES, BLOCK), dtype=np.float32)
    stack = np.empty((LANES, max(look[3].size, 1), BLOCK), dtype=np.float32)
    states, bare = np.empty((3, BLOCK), dtype=np.float32), np.empty((2, BLOCK), dtype=np.float32)
    for number in range(block_count(end - begin, width)):
        count = choose(kind, wanted, begin, end, width, number, pixels)
        if count == 0:
            continue
        class_levels(look, pixels, groups[3], levels, stack, at, scratch)
        bare[1] = levels[bare_lane]
        add_shares(levels, shares, cover, pixels, groups[3])
        bare[0] = levels[bare_lane]
        for state in range(3):
            log_sum(levels, groups[state], groups[state + 1], states[state], scratch)
        write_ratios(states[0], states[1], states[2], bare, holds, cover, pixels, count, llr, smooth, ceiling)
