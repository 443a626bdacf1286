"""Which candidates are shown: most by what they are worth, some at random, each with its probability to be chosen."""

from __future__ import annotations

import geopandas
import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float64]

CHOSEN, RANDOM = "chosen", "random"
FLOOR = 0.1
"""Share of the mean score that every contested polygon has at least: none is left without a chance [M]."""


def scores_of(candidates: geopandas.GeoDataFrame) -> Real:
    """(n,) uncertainty × area (km²) × disagreement: what a verdict is worth; 0 only where nothing is in doubt."""
    parts = (candidates[name].to_numpy(dtype=np.float64) for name in ("uncertainty", "area_km2", "disagreement"))
    uncertainty, area, disagreement = parts
    return np.asarray(uncertainty * area * disagreement)


def selected(candidates: geopandas.GeoDataFrame, budget: int, at_random: int, seed: int) -> geopandas.GeoDataFrame:
    """Draw `budget` polygons: `at_random` of what nobody doubts, by area; the rest of what is contested, by score.

    Two strata, each drawn without replacement with probability in proportion to size (systematic sampling along the
    candidates' order: Madow 1949, Annals of Mathematical Statistics 20), so that every one's probability is known and
    above 0, and neighbours of one pattern are rarely drawn together. What one stratum cannot give the other gives.

    Args:
        candidates: of `candidates_of`, in its order.
        budget: polygons.
        at_random: of them, from what is not contested.
        seed: of the two draws.

    Returns:
        The drawn rows, the highest score first and then the random ones, with `score`, `stratum` and `probability`.
    """
    generator = np.random.default_rng(seed)
    scores = scores_of(candidates)
    contested = candidates["contested"].to_numpy(dtype=np.bool_)
    sure = min(max(at_random, budget - int(contested.sum())), int((~contested).sum()))
    worth = np.maximum(scores, FLOOR * scores[contested].mean()) if contested.any() else scores
    area = candidates["area_km2"].to_numpy(dtype=np.float64)
    parts = []
    for stratum, here, size, count in (
        (CHOSEN, contested, worth, budget - sure),
        (RANDOM, ~contested, area, sure),
    ):
        rows = np.flatnonzero(here)
        chance = inclusion(size[rows], count)
        drawn = systematic(chance, generator.random())
        parts.append(_drawn(candidates, rows[drawn], stratum, chance[drawn], scores[rows[drawn]]))
    return geopandas.pd.concat(parts, ignore_index=True)


def _drawn(
    candidates: geopandas.GeoDataFrame, rows: NDArray[np.intp], stratum: str, chance: Real, scores: Real
) -> geopandas.GeoDataFrame:
    found = candidates.iloc[rows].assign(score=scores, stratum=stratum, probability=chance)
    return found.sort_values("score", ascending=False, kind="stable")


def inclusion(size: Real, count: int) -> Real:
    """(n,) probabilities in proportion to size that sum to `count`; what would exceed 1 is certain."""
    chance = np.zeros(len(size))
    certain = np.zeros(len(size), dtype=np.bool_)
    if count >= len(size):
        return np.ones(len(size))
    while count > 0:
        rest = size[~certain].sum()
        chance = np.where(certain, 1.0, size * (count - certain.sum()) / rest)
        if (chance <= 1.0 + 1e-12).all():
            break
        certain |= chance >= 1.0
    return np.minimum(chance, 1.0)


def systematic(chance: Real, start: float) -> NDArray[np.intp]:
    """Rows where start, start + 1, … fall on the running sum of the chances: as many as these sum to."""
    total = np.cumsum(chance)
    if not len(total):
        return np.zeros(0, dtype=np.intp)
    total = total * (round(total[-1]) / max(total[-1], 1e-300)) if total[-1] > 0 else total
    before = np.floor(np.concatenate([[0.0], total[:-1]]) - start + 1e-9)
    return np.flatnonzero(np.floor(total - start + 1e-9) > before)
