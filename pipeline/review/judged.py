"""Verdicts on the pixels of a run: the samples of the refit, and how much of the map each polygon stands for."""

from __future__ import annotations

from collections import defaultdict

import geopandas
import numpy as np

from pipeline.review.candidates import numbered
from pipeline.review.experts import said_of
from pipeline.review.refit import Judged
from pipeline.review.verdicts import WET, Verdicts
from pipeline.run_folder import RunFolder


def judged_polygons(verdicts: Verdicts) -> geopandas.GeoDataFrame:
    """Columns `id`, `verdict` and the geometry, as it was handed out, of the polygons whose verdict says something."""
    frame = verdicts.record.frame
    usable = verdicts.usable
    kept = frame[frame["id"].isin(list(usable))].reset_index(drop=True)
    return kept.assign(verdict=[usable[name] for name in kept["id"]])


def stands_for(verdicts: Verdicts) -> dict[str, float]:
    """By id, km² of the map that a usable verdict stands for: area over the probability to be drawn and judged.

    The judged are taken for a fair part of their stratum: what was skipped, missing or unsure is stood for by the rest.
    """
    whole: dict[str, float] = defaultdict(float)
    held: dict[str, float] = defaultdict(float)
    weights: dict[str, float] = {}
    for name, asked in verdicts.record.polygons.items():
        weight = asked.area_km2 / asked.probability
        whole[asked.stratum] += weight
        if name in verdicts.usable:
            held[asked.stratum] += weight
            weights[name] = weight
    return {
        name: weight * whole[stratum] / held[stratum]
        for name, weight in weights.items()
        for stratum in (verdicts.record.polygons[name].stratum,)
    }


def judged_pixels(
    run: RunFolder, names: tuple[str, ...], polygons: geopandas.GeoDataFrame, verdicts: Verdicts
) -> tuple[Judged, tuple[str, ...]]:
    """The samples of the refit, and the ids of their polygons in order.

    A polygon of reference water alone, or where the delivered map saw nothing, is no sample: the evidence of its water
    is not kept. "permanent water" is wet to every sensor and counts as such; that it is no flood is for the mask.
    """
    present, moves, owner = [], [], []
    for unit in run.units:
        for window, numbers in numbered(unit, polygons):
            said = said_of(unit, names, window)
            chosen = np.flatnonzero(said.observed & (numbers > 0))
            one = said.at(chosen)
            present.append(one.present)
            moves.append(one.moves)
            owner.append(numbers.ravel()[chosen].astype(np.intp) - 1)
    rows = np.concatenate(owner)
    seen, own = np.unique(rows, return_inverse=True)
    ids = tuple(polygons["id"].iloc[seen])
    weights = stands_for(verdicts)
    judged = Judged(
        np.concatenate(present).astype(np.float64),
        np.concatenate(moves, axis=1).astype(np.float64),
        own,
        np.array([WET[verdict] for verdict in polygons["verdict"].iloc[seen]], dtype=np.bool_),
        np.array([weights[name] for name in ids]),
    )
    return judged, ids
