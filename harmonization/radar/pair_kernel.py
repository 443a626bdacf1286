"""One compiled pass over pixels that were seen before the flood too: the joint evidence of the two looks."""

from __future__ import annotations

import math

import numpy as np

from harmonization.classes import REFERENCE_ANGLE
from harmonization.radar.block_sums import BLOCK, compiled, inner, log_of, log_sum
from harmonization.radar.class_tables import LANES
from harmonization.radar.kernel import add_shares, block_count, choose, class_levels, write_ratios
from harmonization.radar.memory_table import FIRST_MEAN
from harmonization.radar.table_reader import (
    FIRST_ANGLE,
    LAST_ANGLE,
    add_channel,
    by_class,
    place_angle,
    place_intensity,
    places,
)

MEMORIES = 16
"""Room for the laws that a past level leaves: one a dry class, one a flooded form that keeps its stand."""
_REFERENCE = np.float32(REFERENCE_ANGLE)
_DECIBELS = np.float32(10.0 / math.log(10.0))
_FIRST_MEAN = np.float32(FIRST_MEAN)
_HIDDEN = np.float32(2.0)
"""Intensity over noise below which the noise hides what lies under it."""
_ZERO, _ONE = np.float32(0.0), np.float32(1.0)


@inner
def angle_terms(angle, pixels, flattening, row, share, terms):  # type: ignore[no-untyped-def]
    """(2, BLOCK) degrees from the reference angle, and dB of flattening at it; `angle` (1,) where it is unknown."""
    where = pixels if angle.size > 1 else np.zeros_like(pixels)
    place_angle(angle, where, row, share)
    for p in range(BLOCK):
        terms[0, p] = min(max(angle[where[p]], FIRST_ANGLE), LAST_ANGLE) - _REFERENCE
        terms[1, p] = flattening[row[p]] * (_ONE - share[p]) + flattening[row[p] + 1] * share[p]


@inner
def past_signal(channel, denoised, pixels, at, level, signal):  # type: ignore[no-untyped-def]
    """dB of the past look without its noise; NaN where the noise hides it or nothing was seen. `level`: scratch."""
    place_intensity(channel, denoised, pixels, at)
    for p in range(BLOCK):
        level[p] = max((at.ratio[p] - _ONE) * at.floor[p], np.float32(1e-12))
    log_of(level, signal)
    for p in range(BLOCK):
        seen = at.ratio[p] > _HIDDEN and at.say[p] > _ZERO
        signal[p] = _DECIBELS * signal[p] if seen else np.float32(np.nan)


@inner
def law_means(law, now, past, signal, noise, means):  # type: ignore[no-untyped-def]
    """dB over the noise that a law expects now: the form's own mean, and what the pixel keeps of its past offset.

    `law`: mean and slope of the class that was; how far off it a pixel may lie; the share of that which it keeps; mean
    and slope of the form now. `now`, `past`: (2, BLOCK) as of `angle_terms`.
    """
    for p in range(BLOCK):
        level = signal[p] if signal[p] == signal[p] else _ZERO  # hidden: read and then left out
        off = min(max(level - (law[0] + law[1] * past[0, p] + past[1, p]), -law[2]), law[2])
        means[p] = law[4] + law[5] * now[0, p] + now[1, p] + law[3] * off - noise[p]


@inner
def read_plane(values, offset, step, count, size, mean, cell, share):  # type: ignore[no-untyped-def]
    """ln p of one pixel from a plane of memory: straight between means and between intensities."""
    x = min(max((mean - _FIRST_MEAN) / step, _ZERO), np.float32(count - 1.001))
    j = int(x)
    b = x - np.float32(j)
    at = offset + j * size + cell
    here = values[at] + share * (values[at + 1] - values[at])
    there = values[at + size] + share * (values[at + size + 1] - values[at + size])
    return here + b * (there - here)


@inner
def read_law(table, number, means, cells, shares, nats):  # type: ignore[no-untyped-def]
    """ln p under a law whose spread is the same in every pixel."""
    values, offsets, steps, counts, size = table
    offset, step, count = offsets[number], steps[number], counts[number]
    for p in range(BLOCK):
        nats[p] = read_plane(values, offset, step, count, size, means[p], cells[p], shares[p])


@inner
def read_own(table, axis, law, spread, means, pixels, cells, shares, precision, nats):  # type: ignore[no-untyped-def]
    """ln p under a law with the pixel's own spread between dates, straight between the planes of precision.

    `law` further: variance left and speckle; variance of the class's change; share of the pixel's own in that, and the
    factor on its square.
    """
    values, offsets, steps, counts, size = table
    shift, first, low, high = axis
    bits = precision.view(np.int32)
    mask = (1 << shift) - 1
    fraction = np.float32(1.0 / (mask + 1))
    for p in range(BLOCK):
        own = spread[pixels[p]]
        change = law[7] if own != own else (_ONE - law[8]) * law[7] + law[8] * own * own * law[9]
        precision[p] = min(max(_ONE / (law[6] + change), low), high)
    for p in range(BLOCK):
        i = (bits[p] >> shift) - first
        a = np.float32(bits[p] & mask) * fraction
        here = read_plane(values, offsets[i], steps[i], counts[i], size, means[p], cells[p], shares[p])
        there = read_plane(values, offsets[i + 1], steps[i + 1], counts[i + 1], size, means[p], cells[p], shares[p])
        nats[p] = here + a * (there - here)


@inner
def add_memories(polarization, past_channel, denoised, own, forms, now, past, single, pixels, at, work, stays):  # type: ignore[no-untyped-def]
    """Add to (law, pixel) `stays` what one polarization says under every law of memory.

    `polarization`: its channel, the tables of its laws, the laws, its weight and the pixels' own spread. `denoised`:
    of the look and of its past. `single`: (class, pixel) nats of this polarization alone, for pixels whose past the
    noise hides. `work`: (5, BLOCK).
    """
    channel, table, laws, weight, spread = polarization
    signal, noise, means, nats, precision = work[0], work[1], work[2], work[3], work[4]
    past_signal(past_channel, denoised[1], pixels, at, noise, signal)
    place_intensity(channel, denoised[0], pixels, at)
    log_of(at.floor, noise)
    for p in range(BLOCK):
        noise[p] *= _DECIBELS
    for law in range(laws.shape[0]):
        law_means(laws[law], now, past, signal, noise, means)
        if laws[law, 8] > _ZERO:
            read_own(own[0], own[1], laws[law], spread, means, pixels, at.cell, at.across, precision, nats)
        else:
            read_law(table, law, means, at.cell, at.across, nats)
        alone, total = single[forms[law]], stays[law]
        for p in range(BLOCK):
            kept = signal[p] == signal[p] and at.say[p] > _ZERO
            total[p] += weight * (nats[p] - noise[p] / _DECIBELS) if kept else alone[p]


@inner
def single_levels(look, pixels, classes, levels, stack, single, at, scratch):  # type: ignore[no-untyped-def]
    """(class, pixel) ln p of all polarizations, and (polarization, class, pixel) of each alone.

    Alone means at the pixel's angle, or at the middle one of the angles that stand for an unknown one.
    """
    polarizations, channels, angle, nodes, denoised = look
    if nodes.size == 0:
        place_angle(angle, pixels, at.row, at.down)
        levels[:classes] = _ZERO
    else:
        class_levels(look, pixels, classes, levels, stack, at, scratch)
        at.row[:] = nodes.size // 2
    for number in range(polarizations):
        at.nats[:] = _ZERO
        add_channel(channels[number], denoised, pixels, at)
        by_class(at.nats, classes, single[number])
        if nodes.size == 0:
            levels[:classes] += single[number, :classes]


@inner
def joint_states(levels, past_levels, stays, lanes, land, cover, pixels, stack, work, scratch, states, bare):  # type: ignore[no-untyped-def]
    """(state, pixel) ln p of both looks from the levels of the classes with their shares; `bare` as `write_ratios`.

    `lanes`: of the groups; by flooded form its dry lane, its own lane, its law, and 1 where it keeps its memory; the
    lane of smooth dry ground. `land`: ln of the share of dry land that has a flooded form, by cover; ln of the shares
    of land that drained, of land that did not, of water that was there before, of water that was not.
    """
    (water, vegetation, dry, end), formed, bare_lane = lanes
    log_grown, (drained, stayed, was_water, was_land) = land
    water_now, dry_now, water_before, dry_before, dry_kept = work[0], work[1], work[2], work[3], work[4]
    log_sum(levels, water, vegetation, water_now, scratch)
    log_sum(levels, dry, end, dry_now, scratch)
    log_sum(past_levels, water, vegetation, water_before, scratch)
    log_sum(past_levels, dry, end, dry_before, scratch)
    for lane in range(dry, end):
        for p in range(BLOCK):
            stack[lane - dry, p] = past_levels[lane, p] + stays[lane - dry, p]
    log_sum(stack, 0, end - dry, dry_kept, scratch)
    bare += stays[bare_lane - dry]
    for p in range(BLOCK):
        stack[0, p] = stayed + dry_kept[p]
        stack[1, p] = drained + water_before[p] + dry_now[p]
        stack[2, p] = was_land + dry_before[p]
        stack[3, p] = was_water + water_before[p]
    log_sum(stack, 0, 2, states[2], scratch)
    log_sum(stack, 2, 4, states[0], scratch)
    states[0] += water_now
    for form in range(formed.shape[0]):
        was, law = formed[form, 0], formed[form, 2]
        for p in range(BLOCK):
            grown = log_grown[cover[0 if cover.size == 1 else pixels[p]]]
            stack[form, p] = past_levels[was, p] - grown + stays[law, p]
    log_sum(stack, 0, formed.shape[0], states[1], scratch)


@inner
def remembered(now, past, memory, pixels, terms, single, at, work, stays):  # type: ignore[no-untyped-def]
    """(law, pixel) ln p of the later look under every law of memory, all polarizations together."""
    polarizations, channels, angle, _, denoised = now
    _, past_channels, past_angle, _, past_denoised = past
    law_tables, own, laws, forms, weights, partners, spreads, flattening = memory
    angle_terms(angle, pixels, flattening[0], at.row, at.down, terms[0])
    angle_terms(past_angle, pixels, flattening[1], at.row, at.down, terms[1])
    stays[:] = _ZERO
    for number in range(polarizations):
        partner = partners[number]
        if partner < 0:  # a new polarization: no memory of it
            for law in range(forms.size):
                stays[law] += single[number, forms[law]]
            continue
        polarization = channels[number], law_tables[number], laws[number], weights[number], spreads[number]
        before = past_channels[partner]
        both = denoised, past_denoised
        add_memories(
            polarization, before, both, own, forms, terms[0], terms[1], single[number], pixels, at, work, stays
        )


@compiled
def weigh_two_looks(  # type: ignore[no-untyped-def]
    now, past, memory, lanes, shares, land, holds, cover, kind, wanted, width, begin, end, llr, smooth, ceiling
):
    """Joint evidence of the pixels of one kind in the lines between two, as `kernel.weigh_one_look` writes it.

    `memory`: as `remembered` takes it apart. `lanes`, `land`: as `joint_states`.
    """
    groups, formed, bare_lane = lanes
    at, scratch, pixels = places(), np.empty((3, LANES, BLOCK), dtype=np.float32), np.empty(BLOCK, dtype=np.int64)
    levels, past_levels = np.empty((LANES, BLOCK), dtype=np.float32), np.empty((LANES, BLOCK), dtype=np.float32)
    stack = np.empty((LANES, max(now[3].size, 1), BLOCK), dtype=np.float32)
    rows, stays = np.empty((MEMORIES, BLOCK), dtype=np.float32), np.empty((MEMORIES, BLOCK), dtype=np.float32)
    single, terms = np.empty((now[0], LANES, BLOCK), dtype=np.float32), np.empty((2, 2, BLOCK), dtype=np.float32)
    work, states = np.empty((5, BLOCK), dtype=np.float32), np.empty((3, BLOCK), dtype=np.float32)
    bare = np.empty((2, BLOCK), dtype=np.float32)
    for number in range(block_count(end - begin, width)):
        count = choose(kind, wanted, begin, end, width, number, pixels)
        if count == 0:
            continue
        class_levels(past, pixels, groups[3], past_levels, stack, at, scratch)
        single_levels(now, pixels, groups[3], levels, stack, single, at, scratch)
        remembered(now, past, memory, pixels, terms, single, at, work, stays)
        bare[1] = past_levels[bare_lane]
        for form in range(formed.shape[0]):
            if formed[form, 3] == 0:  # keeps no memory: what the look alone says of it
                stays[formed[form, 2]] = levels[formed[form, 1]]
        add_shares(past_levels, shares, cover, pixels, groups[3])
        add_shares(levels, shares, cover, pixels, groups[3])
        bare[0] = past_levels[bare_lane]
        joint_states(levels, past_levels, stays, lanes, land, cover, pixels, rows, work, scratch, states, bare)
        write_ratios(states[0], states[1], states[2], bare, holds, cover, pixels, count, llr, smooth, ceiling)
