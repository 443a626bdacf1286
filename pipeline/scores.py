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
    def total(self) -> int:
        """All pixels that were compared."""
        return self.hit + self.false_alarm + self.miss + self.correct_dry

    @property
    def agreement(self) -> float | None:
        """Share of pixels where both say the same."""
        return _ratio(self.hit + self.correct_dry, self.total)

    @property
    def overall_accuracy(self) -> float | None:
        """The agreement, as it is called where one of both is the truth; near 1 for any map of a rare flood."""
        return self.agreement

    @property
    def critical_success_index(self) -> float | None:
        """Hits over hits, misses and false alarms (threat score; Donaldson et al. 1975): the IoU of flood by the name
        that hydrologists and meteorologists know."""
        return self.flood_iou

    @property
    def kappa(self) -> float | None:
        """Agreement beyond what chance gives maps of these two shares of flood (Cohen 1960); 1 is perfect.

        None where both maps say one and the same class everywhere: chance alone agrees there.
        """
        mapped, true, total = self.hit + self.false_alarm, self.hit + self.miss, self.total
        by_chance = mapped * true + (total - mapped) * (total - true)
        return _ratio(total * (self.hit + self.correct_dry) - by_chance, total * total - by_chance)


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
