"""One compiled pass over pixels that were seen before the flood too: the joint evidence of the two looks."""

from __future__ import annotations

import math

import numpy as np

from harmonization.classes import REFERENCE_ANGLE
from harmonization.radar.class_tables import LANES
from harmonization.radar.kernel import (
    _FIRST_ANGLE,
    _LAST_ANGLE,
    BLOCK,
    _choose,
    _compiled,
    _workspace,
    add_rows,
    add_shares,
    class_levels,
    log_of,
    place_angle,
    place_intensity,
    state_level,
    write_ratios,
)
from harmonization.radar.memory_table import FIRST_MEAN

MEMORIES = 16
"""Room for the laws that a past level leaves: one a dry class, one a flooded form that keeps its stand."""
_REFERENCE = np.float32(REFERENCE_ANGLE)
_DECIBELS = np.float32(10.0 / math.log(10.0))
_FIRST_MEAN = np.float32(FIRST_MEAN)
_HIDDEN = np.float32(2.0)
"""Intensity over noise below which the noise hides what lies under it."""
_ZERO, _ONE = np.float32(0.0), np.float32(1.0)


@_compiled
def angle_terms(angle, pixels, flattening, row, share, whole_angle, terms):  # type: ignore[no-untyped-def]
    """(2, BLOCK) degrees from the reference angle, and dB of flattening at it."""
    for p in range(BLOCK):
        whole_angle[p] = 0 if angle.size == 1 else pixels[p]
    place_angle(angle, whole_angle, row, share)
    for p in range(BLOCK):
        terms[0, p] = min(max(angle[whole_angle[p]], _FIRST_ANGLE), _LAST_ANGLE) - _REFERENCE
        terms[1, p] = flattening[row[p]] * (_ONE - share[p]) + flattening[row[p] + 1] * share[p]


@_compiled
def past_signal(channel, denoised, pixels, work, signal):  # type: ignore[no-untyped-def]
    """dB of the past look without its noise; NaN where the noise hides it or nothing was seen."""
    whole, real = work
    place_intensity(channel, denoised, pixels, real[4], real[5], whole[1], whole[2], real[0:3])
    for p in range(BLOCK):
        real[6, p] = max((real[4, p] - _ONE) * real[5, p], np.float32(1e-12))
    log_of(real[6], signal)
    for p in range(BLOCK):
        seen = real[4, p] > _HIDDEN and real[2, p] > _ZERO
        signal[p] = _DECIBELS * signal[p] if seen else np.float32(np.nan)


@_compiled
def law_means(law, now, past, signal, noise, means):  # type: ignore[no-untyped-def]
    """dB over the noise that a law expects now: the form's own mean, and what the pixel keeps of its past offset.

    `law`: mean and slope of the class that was; how far off it a pixel may lie; the share of that which it keeps; mean
    and slope of the form now. `now`, `past`: (2, BLOCK) as of `angle_terms`.
    """
    for p in range(BLOCK):
        level = signal[p] if signal[p] == signal[p] else _ZERO  # hidden: read and then left out
        off = min(max(level - (law[0] + law[1] * past[0, p] + past[1, p]), -law[2]), law[2])
        means[p] = law[4] + law[5] * now[0, p] + now[1, p] + law[3] * off - noise[p]


@_compiled
def read_plane(values, offset, step, count, size, mean, cell, share):  # type: ignore[no-untyped-def]
    """ln p of one pixel from a plane of memory: straight between means and between intensities."""
    x = min(max((mean - _FIRST_MEAN) / step, _ZERO), np.float32(count - 1.001))
    j = int(x)
    b = x - np.float32(j)
    at = offset + j * size + cell
    here = values[at] + share * (values[at + 1] - values[at])
    there = values[at + size] + share * (values[at + size + 1] - values[at + size])
    return here + b * (there - here)


@_compiled
def read_law(table, number, means, cells, shares, nats):  # type: ignore[no-untyped-def]
    """ln p under a law whose spread is the same in every pixel."""
    values, offsets, steps, counts, size = table
    offset, step, count = offsets[number], steps[number], counts[number]
    for p in range(BLOCK):
        nats[p] = read_plane(values, offset, step, count, size, means[p], cells[p], shares[0, p])


@_compiled
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
        here = read_plane(values, offsets[i], steps[i], counts[i], size, means[p], cells[p], shares[0, p])
        there = read_plane(values, offsets[i + 1], steps[i + 1], counts[i + 1], size, means[p], cells[p], shares[0, p])
        nats[p] = here + a * (there - here)


@_compiled
def add_memories(  # type: ignore[no-untyped-def]
    channel,
    past_channel,
    denoised,
    past_denoised,
    table,
    own,
    laws,
    forms,
    weight,
    spread,
    now,
    past,
    single,
    pixels,
    work,
    stays,
):
    """Add to (law, pixel) `stays` what one polarization says under every law of memory.

    `single`: (class, pixel) nats of this polarization alone, for pixels whose past the noise hides.
    """
    whole, real = work
    cells, shares, means, nats = whole[2], real[0:3], real[6], real[8]
    signal, noise = real[9], real[10]
    past_signal(past_channel, past_denoised, pixels, work, signal)
    place_intensity(channel, denoised, pixels, real[4], real[5], whole[1], cells, shares)
    log_of(real[5], noise)
    for p in range(BLOCK):
        noise[p] *= _DECIBELS
    for law in range(laws.shape[0]):
        law_means(laws[law], now, past, signal, noise, means)
        if laws[law, 8] > _ZERO:
            read_own(own[0], own[1], laws[law], spread, means, pixels, cells, shares, real[7], nats)
        else:
            read_law(table, law, means, cells, shares, nats)
        alone, total = single[forms[law]], stays[law]
        for p in range(BLOCK):
            kept = signal[p] == signal[p] and shares[2, p] > _ZERO
            total[p] += weight * (nats[p] - noise[p] / _DECIBELS) if kept else alone[p]


@_compiled
def single_levels(polarizations, channels, angle, nodes, denoised, classes, pixels, levels, stack, single, work):  # type: ignore[no-untyped-def]
    """(class, pixel) ln p of all polarizations, and (polarization, class, pixel) of each alone.

    Alone means at the pixel's angle, or at the middle one of the angles that stand for an unknown one.
    """
    whole, real = work
    row, share = whole[0], real[3]
    if nodes.size == 0:
        place_angle(angle, pixels, row, share)
        levels[:classes] = _ZERO
    else:
        class_levels(polarizations, channels, angle, nodes, denoised, classes, pixels, levels, stack, work)
        row[:] = nodes.size // 2
        share[:] = _ZERO
    for number in range(polarizations):
        channel, alone = channels[number], single[number]
        alone[:classes] = _ZERO
        place_intensity(channel, denoised, pixels, real[4], real[5], whole[1], whole[2], real[0:3])
        add_rows(channel, row, share, whole[1], whole[2], real[0:3], whole[3:7], real[11:19], alone, classes)
        if nodes.size == 0:
            for k in range(classes):
                for p in range(BLOCK):
                    levels[k, p] += alone[k, p]


@_compiled
def joint_states(  # type: ignore[no-untyped-def]
    levels,
    past_levels,
    stays,
    groups,
    formed,
    log_grown,
    cover,
    pixels,
    log_change,
    work,
    stack,
    states,
    bare,
    bare_law,
):
    """(state, pixel) ln p of both looks from the levels of the classes with their shares; `bare` as `write_ratios`.

    `formed`: by flooded form its dry lane, its own lane, its law, and 1 where it keeps its memory. `log_change`: ln of
    the shares of land that drained, of land that did not, of water that was there before, of water that was not.
    """
    real = work[1]
    water, vegetation, dry, end = groups
    drained, stayed, was_water, was_land = log_change
    water_now, dry_now, water_before, dry_before = real[11], real[12], real[13], real[14]
    state_level(levels, water, vegetation, water_now, real)
    state_level(levels, dry, end, dry_now, real)
    state_level(past_levels, water, vegetation, water_before, real)
    state_level(past_levels, dry, end, dry_before, real)
    for lane in range(dry, end):
        for p in range(BLOCK):
            stack[lane - dry, p] = past_levels[lane, p] + stays[lane - dry, p]
    state_level(stack, 0, end - dry, real[15], real)
    bare[0] += stays[bare_law]
    bare[1] += stays[bare_law]
    for p in range(BLOCK):
        stack[0, p] = stayed + real[15, p]
        stack[1, p] = drained + water_before[p] + dry_now[p]
        stack[2, p] = was_land + dry_before[p]
        stack[3, p] = was_water + water_before[p]
    state_level(stack, 0, 2, states[2], real)
    state_level(stack, 2, 4, states[0], real)
    for p in range(BLOCK):
        states[0, p] += water_now[p]
    for form in range(formed.shape[0]):
        was, law = formed[form, 0], formed[form, 2]
        for p in range(BLOCK):
            grown = log_grown[cover[0 if cover.size == 1 else pixels[p]]]
            stack[form, p] = past_levels[was, p] - grown + stays[law, p]
    state_level(stack, 0, formed.shape[0], states[1], real)


@_compiled
def weigh_two_looks(  # type: ignore[no-untyped-def]
    now,
    past,
    law_tables,
    own,
    laws,
    forms,
    weights,
    partners,
    spreads,
    flattening,
    lanes,
    shares,
    tables,
    cover,
    kind,
    wanted,
    begin,
    end,
    llr,
    smooth,
    ceiling,
):
    """Joint evidence of the pixels of one kind between two, into (2, pixels) ratios, (pixels,) flags and ceilings."""
    polarizations, channels, angle, nodes, denoised = now
    past_polarizations, past_channels, past_angle, past_nodes, past_denoised = past
    groups, formed, bare_lane = lanes
    log_grown, log_change, holds = tables
    classes = groups[3]
    work = _workspace()
    pixels, spare = np.empty(BLOCK, dtype=np.int64), np.empty(BLOCK, dtype=np.int64)
    levels, past_levels = np.empty((LANES, BLOCK), dtype=np.float32), np.empty((LANES, BLOCK), dtype=np.float32)
    stack = np.empty((LANES, max(nodes.size, 1), BLOCK), dtype=np.float32)
    rows = np.empty((MEMORIES, BLOCK), dtype=np.float32)
    single = np.empty((polarizations, LANES, BLOCK), dtype=np.float32)
    stays, states = np.empty((MEMORIES, BLOCK), dtype=np.float32), np.empty((3, BLOCK), dtype=np.float32)
    terms, past_terms = np.empty((2, BLOCK), dtype=np.float32), np.empty((2, BLOCK), dtype=np.float32)
    bare = np.empty((2, BLOCK), dtype=np.float32)
    for start in range(begin, end, BLOCK):
        count = _choose(kind, wanted, start, min(start + BLOCK, end), pixels)
        if count == 0:
            continue
        class_levels(
            past_polarizations,
            past_channels,
            past_angle,
            past_nodes,
            past_denoised,
            classes,
            pixels,
            past_levels,
            stack,
            work,
        )
        single_levels(polarizations, channels, angle, nodes, denoised, classes, pixels, levels, stack, single, work)
        angle_terms(angle, pixels, flattening[0], work[0][0], work[1][3], spare, terms)
        angle_terms(past_angle, pixels, flattening[1], work[0][0], work[1][3], spare, past_terms)
        stays[:] = _ZERO
        for number in range(polarizations):
            partner = partners[number]
            if partner < 0:
                for law in range(forms.size):
                    stays[law] += single[number, forms[law]]  # a new polarization: no memory of it
                continue
            add_memories(
                channels[number], past_channels[partner], denoised, past_denoised, law_tables[number], own,
                laws[number], forms, weights[number], spreads[number], terms, past_terms, single[number], pixels, work,
                stays,
            )  # fmt: skip
        bare[1] = past_levels[bare_lane]
        for form in range(formed.shape[0]):
            if formed[form, 3] == 0:  # keeps no memory: what the look alone says of it
                stays[formed[form, 2]] = levels[formed[form, 1]]
        add_shares(past_levels, shares, cover, pixels, classes)
        add_shares(levels, shares, cover, pixels, classes)
        bare[0] = past_levels[bare_lane]
        joint_states(
            levels,
            past_levels,
            stays,
            groups,
            formed,
            log_grown,
            cover,
            pixels,
            log_change,
            work,
            rows,
            states,
            bare,
            bare_lane - groups[2],
        )
        write_ratios(states[0], states[1], states[2], bare, holds, cover, pixels, count, llr, smooth, ceiling)
