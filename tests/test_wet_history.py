"""When a pixel was wet: against a slow version that follows one pixel by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.wet_history import NEVER, wet_history

CODES = (0, 1, 2, 3, 4, 255)
WET, DRY = (1, 2), (0, 3)


def slow(codes: list[int], days: list[int]) -> dict[str, int]:
    """One pixel: its spells as a person would list them."""
    seen = [(day, code) for day, code in zip(days, codes, strict=True) if code in WET + DRY]
    spells: list[list[int]] = []
    for place, (day, code) in enumerate(seen):
        if code in DRY:
            continue
        if place > 0 and seen[place - 1][1] in WET:
            spells[-1].append(day)
        else:
            spells.append([day])
    dry = [day for day, code in seen if code in DRY]
    most = 0
    for spell in spells:
        places = [place for place, (day, code) in enumerate(seen) if code in WET and day in spell]
        before, after = seen[: min(places)], seen[max(places) + 1 :]
        most += (after[0][0] if after else days[-1]) - (before[-1][0] if before else days[0])
    assert all(day in days for day in dry)
    wet = [day for spell in spells for day in spell]
    return {
        "first_wet": min(wet, default=NEVER),
        "last_wet": max(wet, default=NEVER),
        "at_least": sum(spell[-1] - spell[0] for spell in spells) if spells else NEVER,
        "at_most": most if spells else NEVER,
        "maximum": next((code for code in (1, 2, 3, 0, 4) if code in codes), 255),
        "observed": len(seen),
        "wet": sum(code in WET for _, code in seen),
    }


@given(
    st.integers(1, 7).flatmap(
        lambda dates: st.tuples(
            st.lists(st.integers(1, 9), min_size=dates, max_size=dates),
            st.lists(st.lists(st.sampled_from(CODES), min_size=dates, max_size=dates), min_size=1, max_size=6),
        )
    )
)
def test_against_a_pixel_by_hand(example: tuple[list[int], list[list[int]]]) -> None:
    gaps, pixels = example
    days = [sum(gaps[1 : number + 1]) for number in range(len(gaps))]
    stack = np.array(pixels, np.uint8).T[:, None, :]
    found = wet_history(stack, days)
    for column, codes in enumerate(pixels):
        got = {name: int(values[0, column]) for name, values in vars(found).items()}
        assert got == slow(codes, days)


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
