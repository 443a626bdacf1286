"""Masks as bits: sixty-four pixels a word, so that many pairs of maps are counted at the price of reading them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.scores import Confusion

Mask = NDArray[np.bool_]
Packed = NDArray[np.uint64]
"""Bits of a mask, row by row; what is beyond its last pixel is 0."""


def pack(mask: Mask) -> Packed:
    """The bits of a mask of any shape."""
    found = np.packbits(mask)
    words = np.zeros(-(-found.size // 8) * 8, dtype=np.uint8)
    words[: found.size] = found
    return words.view(np.uint64)


def pixels(first: Packed, *more: Packed) -> int:
    """Pixels that are in all of some masks of one shape."""
    common = first
    for one in more:
        common = common & one
    return int(np.bitwise_count(common).sum(dtype=np.int64))


def packed_confusion(mapped: Packed, true: Packed, where: Packed) -> Confusion:
    """The counts of `pipeline.scores.confusion`, of packed masks."""
    said, real = mapped & where, true & where
    hit, alarms, floods = pixels(said, real), pixels(said), pixels(real)
    return Confusion(hit, alarms - hit, floods - hit, pixels(where) - alarms - floods + hit)
