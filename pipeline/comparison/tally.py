"""What is counted of a map: in all of a run, or in one part of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.classify import FLOODED_VEGETATION, NOT_OBSERVABLE, OPEN_WATER, OUTSIDE, REFERENCE_WATER
from pipeline.comparison.packed import Packed, pack, packed_confusion, pixels
from pipeline.scores import Confusion

SCORES = ("flood_iou", "f1", "precision", "recall", "kappa", "overall_accuracy", "critical_success_index")
"""Of a map against a reference. The critical success index is another name of the IoU of flood."""


@dataclass(frozen=True, eq=False)
class MapBits:
    """One map of a window, as packed masks."""

    flood: Packed
    """Open water or flooded vegetation."""
    wet: Packed
    """What is held against a reference: `flood`, with reference water where the legend is "water"."""
    observed: Packed
    inside: Packed


def map_bits(codes: NDArray[np.uint8], legend: str) -> MapBits:
    """The masks of a map's class codes (y, x)."""
    flood = (codes == OPEN_WATER) | (codes == FLOODED_VEGETATION)
    wet = flood | (codes == REFERENCE_WATER) if legend == "water" else flood
    inside = codes != OUTSIDE
    return MapBits(pack(flood), pack(wet), pack(inside & (codes != NOT_OBSERVABLE)), pack(inside))


@dataclass(eq=False)
class Tally:
    """Counts of one map over all windows so far."""

    flood_pixels: int = 0
    observed_pixels: int = 0
    inside_pixels: int = 0
    inside_km2: float = 0.0
    area_km2: float = 0.0
    true_area_km2: float = 0.0
    against: Confusion = field(default_factory=Confusion)
    """Every pixel of the reference: what the method could not observe counts as "not flood"."""
    against_observed: Confusion = field(default_factory=Confusion)
    """Only the pixels that the method observed."""
    beside_delivered: Confusion = field(default_factory=Confusion)
    """Against the delivered map, where both observed; neither is the truth."""

    def add(
        self,
        found: MapBits,
        delivered: MapBits | None,
        truth: tuple[Packed, Packed] | None,
        pixel_km2: float,
        part: Packed,
    ) -> None:
        """Count a window, or the part of it that a mask names. `truth`: flood, and where it is known."""
        flooded = pixels(found.flood, part)
        self.flood_pixels += flooded
        self.observed_pixels += pixels(found.observed, part)
        inside = pixels(found.inside, part)
        self.inside_pixels += inside
        self.inside_km2 += inside * pixel_km2
        self.area_km2 += flooded * pixel_km2
        if delivered is not None:
            both = found.observed & delivered.observed & part
            self.beside_delivered += packed_confusion(found.flood, delivered.flood, both)
        if truth is not None:
            true, known = truth
            within = known & found.inside & part
            against = packed_confusion(found.wet, true, within)
            self.true_area_km2 += (against.hit + against.miss) * pixel_km2
            self.against += against
            self.against_observed += packed_confusion(found.wet, true, within & found.observed)

    def summary(self, has_reference: bool) -> dict[str, Any]:
        """Area and shares; with a reference the scores too."""
        inside = max(self.inside_pixels, 1)
        told: dict[str, Any] = {
            "area_km2": round(self.area_km2, 4),
            "flood_share": self.flood_pixels / inside,
            "observed_share": self.observed_pixels / inside,
        }
        if not has_reference:
            return told
        more = {"true_area_km2": round(self.true_area_km2, 4), "where_observed": scores_of(self.against_observed)}
        return told | scores_of(self.against) | {"confusion": counts_of(self.against)} | more

    def part_summary(self, has_reference: bool) -> dict[str, Any]:
        """The same of a part of a run, with its size and the agreement with the delivered map."""
        beside = {"inside_km2": round(self.inside_km2, 4), "agreement_with_delivered": self.beside_delivered.agreement}
        return self.summary(has_reference) | beside


def scores_of(found: Confusion) -> dict[str, float | None]:
    """The scores of counts, by name; None where there is nothing to divide by."""
    return {name: getattr(found, name) for name in SCORES}


def counts_of(found: Confusion) -> dict[str, int]:
    """The confusion in pixels."""
    return {name: getattr(found, name) for name in ("hit", "false_alarm", "miss", "correct_dry")}
