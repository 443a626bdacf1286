"""When a pixel was wet, from flood classes on several dates: arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.classify import DRY, FLOODED_VEGETATION, NOT_OBSERVABLE, OPEN_WATER, OUTSIDE, REFERENCE_WATER

NEVER = 65535
"""Of days: not seen wet on any date."""
GAPS = (
    "A spell of water is a run of dates on which a pixel was seen wet, with no date between on which it was seen not "
    "flooded. A date on which it was not observed neither ends a spell nor begins one. Duration sums the spells: at "
    "least from the first to the last wet date of each, at most from the date it was last seen not flooded before it "
    "to the date it was first seen so after it, within the series."
)
Days = NDArray[np.uint16]


@dataclass(frozen=True, eq=False)
class WetHistory:
    """What a series of dates says of each pixel, all (y, x)."""

    first_wet: Days
    last_wet: Days
    """Days since the first date; NEVER where it was not seen wet."""
    at_least: Days
    at_most: Days
    """Days under water as `GAPS` says; NEVER where it was not seen wet."""
    maximum: NDArray[np.uint8]
    """The wettest class seen, by the codes of `flood_class`; dry only where it was observed."""
    observed: Days
    wet: Days
    """Dates on which it was observed, and seen wet."""


def wet_history(maps: Iterable[NDArray[np.uint8]], days: Sequence[int]) -> WetHistory:
    """The history of each pixel.

    Args:
        maps: (y, x) codes of `flood_class`, a map a date in the order of time; one is held at a time.
        days: of each map, days since the first; never falling.

    Returns:
        What is not observed on a date is neither wet nor dry on it.
    """
    spells: _Spells | None = None
    for codes, day in zip(maps, days, strict=True):
        spells = _Spells(codes.shape, days[0]) if spells is None else spells
        spells.add(codes, day)
    if spells is None:
        raise ValueError("A history needs one map at least.")
    return spells.history(days[-1])


class _Spells:
    """What is known so far, date after date."""

    def __init__(self, shape: tuple[int, ...], start: int) -> None:
        def days(value: int) -> NDArray[np.int32]:
            return np.full(shape, value, np.int32)

        self.first, self.last = days(NEVER), days(NEVER)
        self.since = days(NEVER)  # first wet day of the spell that goes on; NEVER: none
        self.not_before = days(start)  # the day it was last seen not flooded
        self.opened = days(start)  # earliest beginning of the spell that goes on
        self.least, self.most = days(0), days(0)
        self.observed, self.wet = days(0), days(0)
        self.maximum = np.full(shape, OUTSIDE, np.uint8)

    def add(self, codes: NDArray[np.uint8], day: int) -> None:
        wet = (codes == OPEN_WATER) | (codes == FLOODED_VEGETATION)
        dry = (codes == DRY) | (codes == REFERENCE_WATER)
        going = self.since != NEVER
        begins, ends = wet & ~going, dry & going
        self.since[begins] = day
        self.opened[begins] = self.not_before[begins]
        self._close(ends, day)
        self.first[wet & (self.first == NEVER)] = day
        self.last[wet] = day
        self.not_before[dry] = day
        self.observed += wet | dry
        self.wet += wet
        self.maximum = _wetter(self.maximum, codes)

    def _close(self, ends: NDArray[np.bool_], day: int) -> None:
        self.least[ends] += (self.last - self.since)[ends]
        self.most[ends] += (day - self.opened)[ends]
        self.since[ends] = NEVER

    def history(self, end: int) -> WetHistory:
        self._close(self.since != NEVER, end)
        never = self.first == NEVER
        self.least[never], self.most[never] = NEVER, NEVER
        counted = (self.first, self.last, self.least, self.most, self.observed, self.wet)
        first, last, least, most, observed, wet = (days.astype(np.uint16) for days in counted)
        return WetHistory(first, last, least, most, self.maximum, observed, wet)


_WETNESS = np.zeros(256, np.uint8)
_WETNESS[[OUTSIDE, NOT_OBSERVABLE, DRY, REFERENCE_WATER, FLOODED_VEGETATION, OPEN_WATER]] = range(6)


def _wetter(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Of two maps the wetter class; open water before plants in water, water that is always there before dry."""
    return np.where(_WETNESS[other] > _WETNESS[one], other, one)
