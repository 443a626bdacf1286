"""A flood under trees: averaged decibels lose it, summed evidence keeps what L band alone sees."""

from __future__ import annotations

import pytest

from benchmarks.flooded_forest import (
    BOTH,
    Stand,
    best_threshold,
    levels,
    scores,
    smoothed,
    stand,
    summed,
    wet_by_evidence,
)


@pytest.fixture(scope="module")
def flood() -> Stand:
    one = stand(2, 256)
    assert one.flooded.sum() > 100
    assert (one.forest & ~one.flooded).sum() > 100
    return one


def test_averaged_decibels_lose_the_flood(flood: Stand) -> None:
    # Dark is water: nothing under trees is dark. And no other threshold mends it, not even the best by the truth.
    assert scores(flood.averaged_db < -16.0, flood.flooded, flood.forest)[0] == 0.0
    found = levels(flood)
    best = max(
        scores(best_threshold(level, flood), flood.flooded, flood.forest)[2]
        for name in ("averaged dB", "change of averaged dB")
        for level in (found[name], smoothed(found[name]))
    )
    evidence = scores(wet_by_evidence(flood.pair, BOTH), flood.flooded, flood.forest)[2]
    print(f"IoU of the flooded forest: averaged dB at best {best:.2f}, evidence {evidence:.2f}")
    assert evidence > best + 0.15


def test_pixel_by_pixel_too_evidence_orders_the_forest_better(flood: Stand) -> None:
    # The same oracle for both, and no neighbours for either.
    nats = scores(best_threshold(summed(flood.pair, BOTH, False)[1], flood), flood.flooded, flood.forest)[2]
    decibels = scores(best_threshold(flood.averaged_db, flood), flood.flooded, flood.forest)[2]
    print(f"IoU by the best threshold, pixel by pixel: evidence {nats:.2f}, averaged dB {decibels:.2f}")
    assert nats > decibels + 0.05


def test_summed_evidence_keeps_what_l_band_sees(flood: Stand) -> None:
    by_c, by_l, by_both = (
        scores(wet_by_evidence(flood.pair, bands), flood.flooded, flood.forest) for bands in (("C",), ("L",), BOTH)
    )
    assert by_c[0] < 0.05, "C band says next to nothing under trees, and not that it is dry"
    assert by_l[0] > 0.6
    assert by_both[2] > by_l[2] - 0.05
