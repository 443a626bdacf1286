"""When a pixel was wet: against a slow version that follows one pixel by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.wet_history import NEVER, wet_history

CODES = (0, 1, 2, 3, 4, 255)
WET, DRY = (1, 2), (0, 3)


def slow(codes: list[int], days: list[int]) -> dict[str, int]:
    """One pixel: its spells as a person would list them."""
    seen = [(day, code) for day, code in zip(days, codes, strict=True) if code in WET + DRY]
    spells: list[list[int]] = []
    for place, (_, code) in enumerate(seen):
        if code in WET and place > 0 and seen[place - 1][1] in WET:
            spells[-1].append(place)
        elif code in WET:
            spells.append([place])
    least = most = 0
    for spell in spells:
        before, after = seen[: spell[0]], seen[spell[-1] + 1 :]
        least += seen[spell[-1]][0] - seen[spell[0]][0]
        most += (after[0][0] if after else days[-1]) - (before[-1][0] if before else days[0])
    wet = [seen[place][0] for spell in spells for place in spell]
    return {
        "first_wet": min(wet, default=NEVER),
        "last_wet": max(wet, default=NEVER),
        "at_least": least if spells else NEVER,
        "at_most": most if spells else NEVER,
        "maximum": next((code for code in (1, 2, 3, 0, 4) if code in codes), 255),
        "observed": len(seen),
        "wet": sum(code in WET for _, code in seen),
    }


@pytest.mark.parametrize("dates", range(1, 8))
def test_against_a_pixel_by_hand(dates: int) -> None:
    random = np.random.default_rng(dates)
    days = np.cumsum([0, *random.integers(0, 9, dates - 1)]).tolist()
    stack = random.choice(CODES, (dates, 1, 300), p=[0.25, 0.2, 0.15, 0.1, 0.25, 0.05]).astype(np.uint8)
    found = wet_history(stack, days)
    for column, codes in enumerate(stack[:, 0].T.tolist()):
        got = {name: int(values[0, column]) for name, values in vars(found).items()}
        assert got == slow(codes, days), (codes, days)


def test_what_is_not_observed_is_neither_wet_nor_dry() -> None:
    days = [0, 6, 12, 18]
    through, ended = [1, 4, 4, 1], [1, 4, 0, 4]
    found = wet_history(np.array([through, ended], np.uint8).T[:, None, :], days)
    assert found.at_least.tolist() == [[18, 0]]
    assert found.at_most.tolist() == [[18, 12]]
    assert found.observed.tolist() == [[2, 2]]


def test_nothing_is_no_history() -> None:
    with pytest.raises(ValueError, match="one map at least"):
        wet_history([], [])
