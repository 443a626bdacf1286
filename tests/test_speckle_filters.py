"""Speckle filters against slow obvious versions, and what they promise: level, looks, edges, point targets."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from harmonization.moving_window import window_moments
from harmonization.speckle_filters import (
    gamma_map_estimate,
    gamma_map_filter,
    lee_estimate,
    lee_filter,
    quegan_yu_filter,
    refined_lee_filter,
)

Array = NDArray[np.float32]
LOOKS = 4.4


def refined(power: Array) -> Array:
    return refined_lee_filter(power, LOOKS)


FILTERS: dict[str, Callable[[Array], Array]] = {
    "lee": lambda power: lee_filter(power, LOOKS),
    "refined lee": refined,
    "gamma map": lambda power: gamma_map_filter(power, LOOKS),
    "quegan yu": lambda power: quegan_yu_filter(np.stack([power, power[::-1].copy()]))[0],
}
ONE_DATE = [name for name in FILTERS if name != "quegan yu"]


def speckled(shape: tuple[int, ...] = (200, 200), mean: float | Array = 0.1, seed: int = 0) -> Array:
    return (mean * np.random.default_rng(seed).gamma(LOOKS, 1.0 / LOOKS, shape)).astype(np.float32)


def scene_with_gaps(seed: int = 3) -> Array:
    """30 × 34 pixels with an edge, a gap, single holes and a sample below zero."""
    mean = np.where(np.add.outer(np.arange(30), np.arange(34)) > 33, 0.2, 0.01).astype(np.float32)
    power = speckled(mean.shape, mean, seed)
    power[8:12, 20:34] = np.nan
    power[[2, 17, 25], [3, 9, 30]] = np.nan
    power[20, 5] = -0.003
    return power


def around(power: Array, row: int, column: int, reach: int) -> NDArray[np.float64]:
    """What was observed in the window of a pixel."""
    window = power[max(row - reach, 0) : row + reach + 1, max(column - reach, 0) : column + reach + 1]
    return window[np.isfinite(window)].astype(np.float64)


def slow(power: Array, estimate: Callable[[float, NDArray[np.float64]], float]) -> Array:
    """A filter by a loop: `estimate` of the pixel and of the observed pixels of its 7 × 7 window."""
    found = np.full(power.shape, np.nan, dtype=np.float32)
    for row, column in np.argwhere(np.isfinite(power)):
        found[row, column] = estimate(float(power[row, column]), around(power, row, column, 3))
    return found


def lee(pixel: float, window: NDArray[np.float64]) -> float:
    mean, variance = window.mean(), window.var()
    if variance == 0.0:
        return float(mean)
    signal = max(0.0, (variance - mean**2 / LOOKS) / (1.0 + 1.0 / LOOKS))
    return float(mean + signal / variance * (pixel - mean))


def gamma_map(pixel: float, window: NDArray[np.float64]) -> float:
    """The mode by search on a fine grid of ln p(I | x) + ln p(x): Gamma speckle, Gamma texture of order alpha."""
    mean = window.mean()
    seen, speckle = window.var() / mean**2, 1.0 / LOOKS
    if seen <= speckle:
        return float(mean)
    if seen >= 2.0 * speckle:
        return pixel
    alpha = (1.0 + speckle) / (seen - speckle)
    x = mean * np.linspace(1e-3, 8.0, 200_001)
    logs = (alpha - 1.0 - LOOKS) * np.log(x) - alpha * x / mean - LOOKS * max(pixel, 0.0) / x
    return float(x[np.argmax(logs)])


def half_window(power: Array, row: int, column: int) -> NDArray[np.float64]:
    """The half window of Lee 1981, with sub-windows and gradients written out on a map of offsets."""
    subs = {}
    for down in (-2, 0, 2):
        for across in (-2, 0, 2):
            values = [
                power[row + down + r, column + across + c]
                for r in (-1, 0, 1)
                for c in (-1, 0, 1)
                if 0 <= row + down + r < power.shape[0] and 0 <= column + across + c < power.shape[1]
            ]
            seen = [value for value in values if np.isfinite(value)]
            subs[down, across] = np.mean(seen, dtype=np.float64) if seen else np.nan
    middle = subs[0, 0]
    subs = {place: np.float32(middle if np.isnan(value) else value) for place, value in subs.items()}
    best = None
    for toward in [(0, 2), (-2, 2), (-2, 0), (-2, -2)]:  # right, upper right, top, upper left
        away = (-toward[0], -toward[1])
        score = {place: np.sign(place[0] * toward[0] + place[1] * toward[1]) for place in subs}
        gradient = abs(sum(score[place] * float(subs[place]) for place in subs))
        if best is None or gradient > best[0] * (1 + 1e-12):
            closer = abs(float(subs[toward]) - float(subs[0, 0])) < abs(float(subs[away]) - float(subs[0, 0]))
            best = (gradient, toward if closer else away)
    assert best is not None
    side = best[1]
    inside = [
        power[row + r, column + c]
        for r in range(-3, 4)
        for c in range(-3, 4)
        if r * side[0] + c * side[1] >= 0 and 0 <= row + r < power.shape[0] and 0 <= column + c < power.shape[1]
    ]
    return np.array([value for value in inside if np.isfinite(value)], dtype=np.float64)


def test_window_moments_are_those_of_what_was_observed() -> None:
    power = scene_with_gaps()
    mean, variance = window_moments(power, 5)
    for row, column in np.ndindex(*power.shape):
        seen = around(power, row, column, 2)
        assert mean[row, column] == pytest.approx(seen.mean(), rel=1e-5)
        assert variance[row, column] == pytest.approx(seen.var(), rel=1e-4, abs=1e-9)


def test_window_without_a_middle_is_refused() -> None:
    with pytest.raises(ValueError, match=r"window of 4 pixels: .* such as 5"):
        window_moments(speckled((8, 8)), 4)


def test_lee_is_the_slow_one() -> None:
    power = scene_with_gaps()
    assert lee_filter(power, LOOKS) == pytest.approx(slow(power, lee), rel=1e-4, nan_ok=True)


def test_gamma_map_is_the_slow_one() -> None:
    power = scene_with_gaps()
    found = gamma_map_filter(power, LOOKS)
    expected = slow(power, gamma_map)
    assert np.nanmax(np.abs(found / expected - 1.0)) < 2e-3


def test_refined_lee_is_the_slow_one() -> None:
    power = scene_with_gaps()
    expected = np.full(power.shape, np.nan, dtype=np.float32)
    for row, column in np.argwhere(np.isfinite(power)):
        expected[row, column] = lee(float(power[row, column]), half_window(power, row, column))
    assert refined_lee_filter(power, LOOKS) == pytest.approx(expected, rel=1e-4, nan_ok=True)


def test_quegan_yu_is_the_slow_one() -> None:
    stack = np.stack([scene_with_gaps(seed) for seed in range(3)])
    stack[1, 13:20, 3:12] = np.nan  # the second date did not see everything
    found = quegan_yu_filter(stack, 5)
    for row, column in np.ndindex(*stack.shape[1:]):
        seen = [date for date in stack if np.isfinite(date[row, column])]
        means = [around(date, row, column, 2).mean() for date in seen]
        ratio = np.mean([date[row, column] / mean for date, mean in zip(seen, means, strict=True)]) if seen else np.nan
        for index, date in enumerate(stack):
            local = around(date, row, column, 2).mean() if np.isfinite(date[row, column]) else np.nan
            assert found[index, row, column] == pytest.approx(local * ratio, rel=1e-4, nan_ok=True)


@pytest.mark.parametrize("name", FILTERS)
def test_nan_stays_where_it_is_and_nowhere_else(name: str) -> None:
    power = scene_with_gaps()
    if name == "quegan yu":
        power[::-1][np.isnan(power)] = np.nan  # the same gaps on both dates
    assert (np.isnan(FILTERS[name](power)) == np.isnan(power)).all()


@pytest.mark.parametrize("name", ONE_DATE)
def test_what_was_not_observed_has_no_weight(name: str) -> None:
    """A gap is as the border is: each side is filtered as if it were the whole image."""
    power = speckled((20, 41))
    power[:, 20] = np.nan
    alone = FILTERS[name](power[:, :20].copy())
    # Seven pixels wide: what lies beyond the gap still enters windows of pixels less than four from it.
    assert FILTERS[name](power)[:, :17] == pytest.approx(alone[:, :17], rel=1e-6)
    power[:, 20:24] = np.nan
    assert FILTERS[name](power)[:, :20] == pytest.approx(FILTERS[name](power[:, :20].copy()), rel=1e-6)


@pytest.mark.parametrize("name", ONE_DATE)
def test_windows_are_centred(name: str) -> None:
    """A mirrored or turned image gives the mirrored or turned result: no window leans to one side."""
    power = scene_with_gaps()
    found = FILTERS[name](power)
    for turn in (np.fliplr, np.flipud, np.transpose, np.rot90):
        turned = FILTERS[name](np.ascontiguousarray(turn(power)))
        assert turned == pytest.approx(turn(found), rel=1e-4, nan_ok=True)


@pytest.mark.parametrize(
    ("name", "gain"),
    [("lee", 5.0), ("refined lee", 2.0), ("gamma map", 5.0), ("quegan yu", 1.8)],
)
def test_even_ground_keeps_its_level_and_gains_looks(name: str, gain: float) -> None:
    power = speckled()
    found = FILTERS[name](power)
    assert found.mean(dtype=np.float64) == pytest.approx(float(power.mean(dtype=np.float64)), rel=0.015)
    looks = found.mean(dtype=np.float64) ** 2 / found.var(dtype=np.float64)
    print(f"{name}: {looks:.1f} looks from {LOOKS}")
    assert looks > gain * LOOKS


def test_eight_dates_bring_almost_eight_times_the_looks() -> None:
    """Reference note, section 7: M = 8, L = 4.4, 7 × 7 pixels → 30.8 looks of at most 35.2, each date's mean kept."""
    levels = np.linspace(0.02, 0.2, 8, dtype=np.float32)
    stack = np.stack([speckled((400, 400), float(level), seed) for seed, level in enumerate(levels)])
    found = quegan_yu_filter(stack).astype(np.float64)
    looks = [date.mean() ** 2 / date.var() for date in found]
    print(f"quegan yu, eight dates: {np.mean(looks):.1f} looks of at most {8 * LOOKS:.1f}")
    assert np.mean(looks) == pytest.approx(30.8, abs=0.5)
    assert found.mean(axis=(1, 2)) == pytest.approx(stack.mean(axis=(1, 2), dtype=np.float64), rel=5e-3)


@pytest.mark.parametrize(("name", "kept"), [("lee", 0.75), ("refined lee", 0.75), ("gamma map", 0.999)])
def test_point_target_is_kept(name: str, kept: float) -> None:
    power = speckled((41, 41))
    power[20, 20] = 100.0
    found = FILTERS[name](power)
    assert kept * 100.0 < found[20, 20] <= 100.001


def test_refined_lee_keeps_an_edge_that_lee_smears() -> None:
    """A shore: mean level of the land pixels next to the water, of truth 0.1."""
    mean = np.full((200, 60), 0.1, dtype=np.float32)
    mean[:, 30:] = 0.01
    power = speckled(mean.shape, mean)
    level = {name: float(FILTERS[name](power)[:, 29].mean()) for name in ("lee", "refined lee")}
    spread = {name: float(FILTERS[name](power)[:, 29].std()) for name in ("lee", "refined lee")}
    print(f"land beside water: level {level}, spread {spread}, unfiltered {power[:, 29].std():.4f}")
    assert level["refined lee"] == pytest.approx(0.1, rel=0.1)
    assert spread["refined lee"] < 0.75 * spread["lee"]
    assert level["refined lee"] > level["lee"] + 0.01


def test_estimates_of_a_single_value_and_of_nothing() -> None:
    assert lee_estimate(0.3, 0.3, 0.0, LOOKS) == (0.3, 0.0)
    assert np.isnan(lee_estimate(np.nan, 0.3, 0.1, LOOKS)[0])
    assert gamma_map_estimate(0.3, -0.1, 0.1, LOOKS) == -0.1
    assert np.isnan(gamma_map_estimate(np.nan, 0.1, 0.001, LOOKS))
