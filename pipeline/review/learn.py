"""Whether to believe a refit, and what the verdicts alone say of the whole map."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.review.left_out import left_out_scores
from pipeline.review.refit import Judged, Refit, Witness, refit, unchanged


def learned(judged: Judged, witness: Witness) -> tuple[Refit, dict[str, Any]]:
    """The refit, and how it does on verdicts left out; where it surprises these more than the map did, no refit."""
    before = unchanged(len(judged.moves))
    if not len(judged.flood):
        return before, {"scores_left_out": None, "refitted": False}
    scores = left_out_scores(judged, witness)
    if scores is not None and scores["polygons"]["after"]["log_loss"] > scores["polygons"]["before"]["log_loss"]:
        return before, {"scores_left_out": scores, "refitted": False}
    return refit(judged, witness), {"scores_left_out": scores, "refitted": True}


def share_by_verdicts(judged: Judged) -> dict[str, float] | None:
    """Share of water beyond the reference water by the verdicts alone, and its standard error; None without any.

    Ratio of what the wet and all polygons stand for (Hájek 1971), its error by linearization as if drawn with
    replacement: wide with ten at random, but no map enters it.
    """
    count, total = len(judged.flood), judged.stands_for.sum()
    if count < 2 or not total > 0:
        return None
    share = float((judged.stands_for * judged.flood).sum() / total)
    apart = judged.stands_for * (judged.flood - share) / total
    error = float(np.sqrt(count / (count - 1) * (apart**2).sum()))
    return {"mean": round(share, 6), "standard_error": round(error, 6)}
