"""Which chips are neighbours: by their edges, so that no place is in training and in a test."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

ALIKE = 0.8
"""Correlation of two edges above which they are the two sides of one line [C]: of 547 chips with known groups,
strangers reach 0.75 and neighbours 0.8 to 1 (optics); radar alone joins strangers at times, which leaks nothing."""
LEAST_SPREAD = 1.0
"""Counts of 8 bit: an edge with less standard deviation is flat and like any other."""
_OPPOSITE = (("bottom", "top"), ("right", "left"))


def groups_by_edge(edges: Mapping[int, Mapping[str, NDArray[np.float32]]]) -> list[list[int]]:
    """Group chips that touch, and those whose numbers lie between the numbers of such a group.

    Chips of one place are numbered row by row: a chip within the range of a group is of its place even where the
    chips between them are missing or flat.

    Args:
        edges: by chip number and side ("top", "bottom", "left", "right"): (layer, pixel) values of the outermost
            line; all chips with the same layers.

    Returns:
        Numbers by group, ascending.
    """
    numbers = sorted(edges)
    group = np.arange(len(numbers))
    lines = {side: np.stack([_standard(edges[n][side]) for n in numbers]) for pair in _OPPOSITE for side in pair}
    for one, other in _OPPOSITE:
        alike = lines[one] @ lines[other].T
        np.fill_diagonal(alike, -1.0)
        for first, second in np.argwhere(alike > ALIKE):
            group[group == group[second]] = group[first]
    return _without_overlap(numbers, group)


def _standard(line: NDArray[np.float32]) -> NDArray[np.float32]:
    """(layer, pixel) as one vector whose product with another is the mean correlation of layers; flat ones are 0."""
    centred = line - line.mean(axis=1, keepdims=True)
    spread = centred.std(axis=1, keepdims=True)
    scaled = np.where(spread > LEAST_SPREAD, centred / np.maximum(spread, LEAST_SPREAD), 0.0)
    return np.asarray(scaled.ravel() / np.sqrt(line.size), dtype=np.float32)


def _without_overlap(numbers: list[int], group: NDArray[np.int_]) -> list[list[int]]:
    """Join groups whose ranges of numbers overlap."""
    last = {name: max(i for i in range(len(numbers)) if group[i] == name) for name in set(group.tolist())}
    found: list[list[int]] = []
    reach = -1
    for index, number in enumerate(numbers):
        if index > reach:
            found.append([])
        found[-1].append(number)
        reach = max(reach, last[int(group[index])])
    return found
