"""Border noise: taken away where it is connected to the edge of the file, and calm water never."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from harmonization.border_noise import ASSUMED_NOISE_DB, DEPTH, MARGIN, REACH, border_noise, connected, empty_samples

Array = NDArray[np.float32]
NESZ = np.float32(10**-2.4)
SHAPE = (120, 160)
EDGE = 40
"""Samples of border noise at the near edge of `image`."""


def speckled(mean: float, shape: tuple[int, int] = SHAPE, seed: int = 0) -> Array:
    """Speckle of IW GRDH: 4.4 looks, neighbours alike (samples of 10 m, 20 m resolved)."""
    noise = np.random.default_rng(seed).gamma(1.1, 1.0 / 1.1, shape)
    smooth = ndimage.uniform_filter(noise, 2, mode="wrap")
    return (mean * smooth).astype(np.float32)


def image(ground: float = 0.1, border: float = 0.03) -> Array:
    """Ground in dB steps above the noise floor, and border noise at the near edge: a share of NESZ."""
    power = speckled(ground + NESZ)
    power[:, :EDGE] = speckled(border * NESZ, (SHAPE[0], EDGE), 1)
    return power


def slow(power: Array, noise: Array) -> NDArray[np.bool_]:
    """The rule as it is written, sample by sample, from each edge."""
    lines, pixels = power.shape
    level = np.where(np.isnan(noise), 10 ** (ASSUMED_NOISE_DB / 10), noise)
    dark = np.isnan(power) | (power < 0.5 * level)
    wide = np.pad(dark, REACH, mode="edge")
    empty = np.zeros_like(dark)
    for line in range(lines):
        for pixel in range(pixels):
            empty[line, pixel] = wide[line : line + 2 * REACH + 1, pixel : pixel + 2 * REACH + 1].mean() > 0.7
    found = np.zeros_like(dark)
    for flip in (np.s_[:, :], np.s_[:, ::-1]):
        for whole, result in ((empty, found), (empty.T, found.T)):
            for line, into in zip(whole[flip], result[flip], strict=True):
                run = 0
                while run < min(line.size, DEPTH) and line[run]:
                    run += 1
                into[: run + MARGIN if run else 0] = True
    return found & ~np.isnan(power)


@pytest.mark.parametrize("seed", range(3))
def test_rule_is_the_slow_one(seed: int) -> None:
    stream = np.random.default_rng(seed)
    power = speckled(1.5 * NESZ, (48, 56), seed)
    power[:, : stream.integers(3, 20)] *= 0.05
    power[-stream.integers(3, 12) :] *= 0.05
    power[10:20, 30:40] *= 0.05
    power[: stream.integers(1, 6)] = np.nan
    noise = np.full(power.shape, NESZ, np.float32)
    noise[:, 50:] = np.nan
    found = border_noise(power, noise)
    assert found.any()
    np.testing.assert_array_equal(found, slow(power, noise))


@pytest.mark.parametrize("ground", [0.1, 10**-2.2, 0.0])
def test_border_goes_and_the_image_stays(ground: float) -> None:
    """Beside land, wind-roughened water and water without any signal: at most the margin is lost."""
    power = image(ground)
    found = border_noise(power, np.full(SHAPE, NESZ))
    assert found[:, :EDGE].mean() > 0.999
    assert not found[:, EDGE + MARGIN + REACH :].any()


def test_calm_water_in_the_middle_is_never_asked() -> None:
    """Darker than any noise, as a wrong noise table would make it: still not connected to the edge."""
    power = image()
    power[40:80, 70:110] = speckled(0.01 * NESZ, (40, 40), 2)
    found = border_noise(power, np.full(SHAPE, NESZ))
    assert not found[30:90, 60:120].any()


def test_lake_at_the_edge_of_the_image_is_kept() -> None:
    """Calm water, all noise, from the first sample of the file on, and along its last lines: 40 scenes."""
    lost = []
    for seed in range(40):
        power = speckled(0.1 + NESZ, seed=seed)
        power[30:90, :60] = speckled(NESZ, (60, 60), seed + 100)
        power[-30:, 60:] = speckled(NESZ, (30, 100), seed + 200)
        lost.append(border_noise(power, np.full(SHAPE, NESZ)).mean())
    assert max(lost) == 0.0


def test_lake_behind_border_noise_loses_the_margin_only() -> None:
    power = image()
    power[30:90, EDGE:100] = speckled(NESZ, (60, 60), 3)
    found = border_noise(power, np.full(SHAPE, NESZ))
    assert found[30:90, :EDGE].mean() > 0.999
    assert not found[30:90, EDGE + MARGIN + REACH :].any()


def test_fill_leads_to_border_noise_and_is_not_named_so() -> None:
    """Zeros first, then noise that moves with the sampling window; the corner is found along lines and columns."""
    power = image()
    power[:60, :20] = np.nan
    power[:10] = speckled(0.03 * NESZ, (10, SHAPE[1]), 4)
    found = border_noise(power, np.full(SHAPE, NESZ))
    assert not found[:60, :20][np.isnan(power[:60, :20])].any()
    assert found[20:60, 20:EDGE].mean() > 0.999
    assert found[:9].mean() > 0.999


def test_new_products_have_none() -> None:
    power = speckled(0.1)
    power[:, :EDGE] = np.nan
    found = border_noise(power, np.full(SHAPE, NESZ))
    assert not found[:, EDGE + MARGIN :].any()


def test_without_known_noise_only_what_is_darker_than_the_best_instrument_goes() -> None:
    unknown = np.full(SHAPE, np.nan, np.float32)
    dark = image(border=0.03)
    assert border_noise(dark, unknown)[:, :EDGE].mean() > 0.99
    calm = speckled(10**-3.0)
    assert border_noise(calm, unknown).mean() < 0.01


def test_any_window_gives_the_answer_of_the_whole_given_its_edge() -> None:
    """Along its own lines, with `REACH` lines beside them."""
    power, noise = image(), np.full(SHAPE, NESZ)
    whole = connected(empty_samples(power, noise), 1)
    top, bottom = 50, 71
    part = empty_samples(power[top - REACH : bottom + REACH], noise[top - REACH : bottom + REACH])[REACH:-REACH]
    np.testing.assert_array_equal(connected(part, 1), whole[top:bottom])


def test_runs_from_every_side() -> None:
    empty = np.zeros((3, 40), dtype=bool)
    empty[0, :5], empty[1, -4:], empty[2, 1:30] = True, True, True
    assert connected(empty, 1).sum(axis=1).tolist() == [5 + MARGIN, 0, 0]
    assert connected(empty, 1, from_end=True).sum(axis=1).tolist() == [0, 4 + MARGIN, 0]
    np.testing.assert_array_equal(connected(empty.T, 0), connected(empty, 1).T)
    assert connected(np.ones((2, 3), dtype=bool), 1).all()
