"""Scores before and after on verdicts that the refit has not seen: polygons left out in turn."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from models.judging.calibrate import expected_calibration_error
from pipeline.review.refit import Judged, Witness, refit

Real = NDArray[np.float64]

FOLDS = 10
LEAST = 4
"""Polygons, without which nothing is left out."""
DRAWS = 500
"""Of the bootstrap over polygons."""


def left_out_scores(judged: Judged, witness: Witness) -> dict[str, Any] | None:
    """Scores of the map before and after the refit, each polygon by a refit to the others; None with too few.

    `map`: every polygon counts by the area it stands for (its own over its probability to be drawn and judged), so
    they are scores of the whole map. `polygons`: all alike, so they are scores of what was asked. All pixels of a
    polygon have its verdict. `iou_gain`: of the map's, with the 95 % interval of a bootstrap over polygons.
    """
    count = len(judged.flood)
    if count < LEAST:
        return None
    before = judged.present
    after = left_out_log_odds(judged, witness)
    scores = {}
    for name, weight in (("map", judged.stands_for), ("polygons", np.ones(count))):
        pixels = weight[judged.owner] * judged.share
        scores[name] = {
            "before": _scores(before, judged, pixels),
            "after": _scores(after, judged, pixels),
        }
    return {"judged": count, "folds": min(FOLDS, count), **scores, "iou_gain": _gain(before, after, judged)}


def left_out_log_odds(judged: Judged, witness: Witness) -> Real:
    """(n,) nats of each pixel by the refit to the polygons of the other folds; every tenth polygon is one fold."""
    count = len(judged.flood)
    fold = np.arange(count) % min(FOLDS, count)
    found = np.empty_like(judged.present)
    for left_out in np.unique(fold):
        kept = refit(judged.of(fold != left_out), witness)
        here = fold[judged.owner] == left_out
        found[here] = kept.log_odds(judged.present[here], judged.moves[:, here])
    return found


def _scores(log_odds: Real, judged: Judged, pixels: Real) -> dict[str, float | None]:
    flood = judged.flood[judged.owner]
    said = log_odds > 0
    hit, union = ((pixels * what).sum() for what in (said & flood, said | flood))
    right = np.where(flood, log_odds, -log_odds)
    return {
        "flood_iou": _ratio(hit, union),
        "precision": _ratio(hit, (pixels * said).sum()),
        "recall": _ratio(hit, (pixels * flood).sum()),
        "overall_accuracy": _ratio((pixels * (said == flood)).sum(), pixels.sum()),
        "ece": round(expected_calibration_error(expit(log_odds), flood, weight=pixels), 6),
        "log_loss": round(float((pixels * np.logaddexp(0.0, -right)).sum() / pixels.sum()), 6),
    }


def _ratio(part: float, whole: float) -> float | None:
    return round(float(part / whole), 6) if whole > 0 else None


def _gain(before: Real, after: Real, judged: Judged) -> dict[str, Any] | None:
    """Change of the map's IoU with a 95 % interval: polygons are drawn again, with all their pixels."""
    count = len(judged.flood)
    pixels = judged.stands_for[judged.owner] * judged.share
    flood = judged.flood[judged.owner]
    sums = np.stack(
        [
            np.bincount(judged.owner, pixels * what, count)
            for said in (before > 0, after > 0)
            for what in (said & flood, said | flood)
        ]
    )
    draws = np.random.default_rng(0).multinomial(count, np.full(count, 1.0 / count), DRAWS).astype(np.float64)
    hits = draws @ sums.T
    held = (hits[:, 1] > 0) & (hits[:, 3] > 0)
    whole = sums.sum(axis=1)
    if not held.any() or not (whole[1] > 0 and whole[3] > 0):
        return None
    gains = hits[held, 2] / hits[held, 3] - hits[held, 0] / hits[held, 1]
    low, high = np.quantile(gains, (0.025, 0.975))
    mean = whole[2] / whole[3] - whole[0] / whole[1]
    return {"mean": round(float(mean), 6), "interval": [round(float(low), 6), round(float(high), 6)]}
