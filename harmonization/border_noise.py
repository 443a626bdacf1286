"""Border noise of Sentinel-1 GRD before IPF 2.9 (March 2018): low values that are not zero where nothing was imaged.

Stasolla & Neyns 2018 (Sensors 18:3454) [V abstract]. They lie between the edge of the file and the image, where the
processor filtered padding. A threshold over the whole image takes calm water for them (MPC-0243, section 4.7), so the
rule here asks two things of a sample:

1. *Darker than the noise.* Whatever the ground, a real sample carries the thermal noise: calm water has the mean power
   NESZ. Border noise lies far below. A place is empty where most samples around it are darker than half of the NESZ: of
   calm water at 4.4 looks one sample in eight is [C], so that 7 in 10 of a window practically never are.
2. *Connected to the edge.* All of its own line, or all of its own column, is empty from an edge of the file up to it.

A lake in the middle is never asked. One that reaches the edge of the image answers by its own noise, and loses only the
few samples of `MARGIN` beside true border noise. The rule looks along one line and one column and `REACH` samples
around, so a window gets the answer of the whole file from what lies between it and the edge.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]

DARK = 0.5
"""Of the NESZ: no mean of real samples lies below [C]."""
WINDOW = 9
"""Samples a side that are asked: some 20 independent ones of IW GRDH, 20 m by 22 m each [C]."""
MOST = 0.7
"""Share of them that must be dark. Not one of a count of samples over 81, so rounding decides nothing."""
REACH = WINDOW // 2
"""Samples around a place that decide whether it is empty."""
MARGIN = 8
"""Samples beyond the last empty one that are border noise too: the padding tapers off under the range filter [M]."""
DEPTH = 2000
"""Samples from an edge of the file within which border noise is looked for: the sampling window moves by some 1000
along a data take [M]."""
ASSUMED_NOISE_DB = -30.0
"""NESZ where the product's own is not known: as low as that of IW in the middle of a beam, so that the rule rather
leaves border noise than takes water [M]."""


def empty_samples(power: Array, noise: Array) -> Mask:
    """(lines, pixels) places where most samples around are fill, or darker than noise allows.

    `power`: linear, noise inside, NaN where fill. `noise`: NESZ in the same quantity, NaN where not known
    (`ASSUMED_NOISE_DB` then). Beyond the rim of the arrays their last samples are repeated: at the file's own edge.
    """
    level = np.where(np.isnan(noise), np.float32(10.0 ** (ASSUMED_NOISE_DB / 10.0)), noise)
    with np.errstate(invalid="ignore"):
        dark = np.isnan(power) | (power < DARK * level)
    return np.asarray(ndimage.uniform_filter(dark.astype(np.float32), WINDOW, mode="nearest") > MOST)


def connected(empty: Mask, axis: int, *, from_end: bool = False) -> Mask:
    """What is empty from the first sample on along an axis (or from the last one), and `MARGIN` samples more.

    The array begins, or ends, at the edge of the file. A line whose first sample is not empty has no border noise.
    """
    lines = np.moveaxis(empty, axis, -1)
    if from_end:
        lines = lines[:, ::-1]
    length = np.logical_and.accumulate(lines, axis=-1).sum(axis=-1, keepdims=True)
    found = np.arange(lines.shape[-1]) < np.where(length > 0, length + MARGIN, 0)
    return np.moveaxis(found[:, ::-1] if from_end else found, -1, axis)


def border_noise(power: Array, noise: Array) -> Mask:
    """(lines, pixels) border noise of a whole image; arguments as of `empty_samples`. Fill is not named so.

    The union of what is connected to each of the four edges, within `DEPTH` samples of it.
    """
    empty = empty_samples(power, noise)
    found = np.zeros_like(empty)
    for axis in (0, 1):
        for from_end in (False, True):
            strip = [slice(None)] * 2
            strip[axis] = slice(-DEPTH, None) if from_end else slice(None, DEPTH)
            found[tuple(strip)] |= connected(empty[tuple(strip)], axis, from_end=from_end)
    return np.asarray(found & ~np.isnan(power))
