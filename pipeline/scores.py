"""Agreement of a map with a reference, and of maps with each other: counts first, ratios last."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Confusion:
    """Pixels by what the map said and what is true."""

    hit: int = 0
    """Flood in both."""
    false_alarm: int = 0
    miss: int = 0
    correct_dry: int = 0

    def __add__(self, other: Confusion) -> Confusion:
        return Confusion(
            self.hit + other.hit,
            self.false_alarm + other.false_alarm,
            self.miss + other.miss,
            self.correct_dry + other.correct_dry,
        )

    @property
    def flood_iou(self) -> float | None:
        """Intersection over union of flood; None where neither has any."""
        return _ratio(self.hit, self.hit + self.false_alarm + self.miss)

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and recall."""
        return _ratio(2 * self.hit, 2 * self.hit + self.false_alarm + self.miss)

    @property
    def precision(self) -> float | None:
        """Share of mapped flood that is flood; None where none was mapped."""
        return _ratio(self.hit, self.hit + self.false_alarm)

    @property
    def recall(self) -> float | None:
        """Share of true flood that was mapped; None where there is none."""
        return _ratio(self.hit, self.hit + self.miss)

    @property
    def agreement(self) -> float | None:
        """Share of pixels where both say the same."""
        total = self.hit + self.false_alarm + self.miss + self.correct_dry
        return _ratio(self.hit + self.correct_dry, total)


def confusion(mapped: Mask, true: Mask, where: Mask) -> Confusion:
    """Counts over the pixels of `where`, all (y, x)."""
    return Confusion(
        int((mapped & true & where).sum()),
        int((mapped & ~true & where).sum()),
        int((~mapped & true & where).sum()),
        int((~mapped & ~true & where).sum()),
    )


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
