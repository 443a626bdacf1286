"""Images of lost levels: unchanged ground agrees, changed ground stands out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harmonization.relative_level import match, relative_level

SIDE = 64


def ground(seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return generator.normal(0, 1, (SIDE, SIDE)).cumsum(0).cumsum(1).astype(np.float32) / 20


def flooded(before: np.ndarray, rows: int) -> np.ndarray:
    after = before.copy()
    after[:rows] = before.min() - 2
    return after


@given(st.floats(0.5, 2), st.floats(-3, 3), st.integers(0, SIDE // 3))
def test_the_stretch_of_unchanged_ground_is_found(gain: float, offset: float, rows: int) -> None:
    before = ground()
    found = match(before, gain * flooded(before, rows) + offset)
    assert found.gain == pytest.approx(gain, rel=0.05)
    level, past = relative_level(gain * flooded(before, rows) + offset, before)
    assert past is not None
    dry = np.s_[rows + 4 :]
    assert np.abs(level[dry] - past[dry]).max() < 0.2
    if rows > 4:
        assert np.median((past - level)[: rows - 2]) > 1.0


@given(st.floats(0.5, 2), st.floats(-3, 3))
def test_a_level_does_not_depend_on_the_stretch(gain: float, offset: float) -> None:
    after, before = flooded(ground(), 12), ground()
    expected, got = relative_level(after, before), relative_level(gain * after + offset, 0.7 * before + 1)
    for one, other in zip(expected, got, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-2)


def test_what_was_not_observed_stays_so() -> None:
    after, before = ground(), ground()
    after[:8], before[:, :8] = np.nan, np.nan
    level, past = relative_level(after, before)
    assert past is not None
    assert np.array_equal(np.isnan(level), np.isnan(after))
    assert np.array_equal(np.isnan(past), np.isnan(before))
    np.testing.assert_allclose(level[9:, 9:], past[9:, 9:], atol=1e-4)


def test_nothing_in_common_changes_nothing() -> None:
    nowhere = np.full((SIDE, SIDE), np.nan, np.float32)
    assert match(nowhere, ground()) == (1.0, 0.0)
    level, past = relative_level(nowhere, ground())
    assert np.isnan(level).all()
    assert past is not None
    assert np.isfinite(past).all()
    assert relative_level(ground())[1] is None
    assert np.isfinite(relative_level(np.zeros((SIDE, SIDE), np.float32))[0]).all()
