"""How far a probability of flood keeps its word: whole percents counted, then bins."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

PERCENTS = 101
"""Values of a probability layer; 255 is not observed."""
BIN_WIDTH = 5
"""Percent of probability a bin: of equal width, because most pixels of a map say 0."""


@dataclass(eq=False)
class PercentCount:
    """Pixels by the percent that was said of them, and how many of them are flooded: small, however large the run."""

    pixels: NDArray[np.int64] = field(default_factory=lambda: np.zeros(PERCENTS, dtype=np.int64))
    floods: NDArray[np.int64] = field(default_factory=lambda: np.zeros(PERCENTS, dtype=np.int64))

    def add(self, percent: NDArray[np.uint8], flooded: NDArray[np.bool_], where: NDArray[np.bool_]) -> None:
        """Count the pixels of `where` that have a percent, all (y, x)."""
        counted = where & (percent < PERCENTS)
        both = np.bincount(percent[counted].astype(np.int64) * 2 + flooded[counted], minlength=2 * PERCENTS)
        self.pixels += both.reshape(PERCENTS, 2).sum(axis=1)
        self.floods += both[1::2]

    def bins(self) -> list[dict[str, float | int]]:
        """Mean probability said, share of flood found, and pixels of each bin that has any."""
        which = np.minimum(np.arange(PERCENTS) // BIN_WIDTH, 100 // BIN_WIDTH - 1)
        said = self.pixels * np.arange(PERCENTS) / 100.0
        pixels, floods, total = (np.bincount(which, values) for values in (self.pixels, self.floods, said))
        return [
            {"predicted": float(s / n), "observed": float(f / n), "pixels": int(n)}
            for s, f, n in zip(total, floods, pixels, strict=True)
            if n
        ]

    def summary(self) -> dict[str, Any] | None:
        """`ece` and `bins`; None where nothing was counted.

        `ece`, the expected calibration error, is the mean over pixels of |predicted - observed| of their bin, of bins
        of equal width (Guo et al. 2017, ICML). A layer holds whole percents, which alone is ± 0.005.
        """
        bins = self.bins()
        total = sum(one["pixels"] for one in bins)
        if not total:
            return None
        error = sum(abs(one["predicted"] - one["observed"]) * one["pixels"] for one in bins) / total
        return {"ece": error, "bins": bins}
