"""Two modes and the tiles that have them: gates that can fail, and "no water here"."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from harmonization.bimodality import (
    FIT,
    SMALLEST_TILE,
    TwoModes,
    bhattacharyya,
    bimodal_tiles,
    fit_two_modes,
    is_bimodal,
)
from harmonization.thresholds import BIN, CENTRES, bayes_threshold

Image = NDArray[np.float64]
WATER, LAND, TOWN = (-19.3, 2.75), (-11.0, 2.5), (-2.0, 1.5)
DARKEST_LAND = -14.0
"""dB: the lower mode of field against town lies above."""


def counts_of(values: Image) -> Image:
    return np.histogram(values, CENTRES.size, (CENTRES[0] - BIN / 2, CENTRES[-1] + BIN / 2))[0].astype(np.float64)


def mixed(
    share: float, size: int = 20_000, low: tuple[float, float] = WATER, high: tuple[float, float] = LAND
) -> Image:
    rng = np.random.default_rng(int(share * 1000))
    count = int(size * share)
    return np.concatenate([rng.normal(*WATER, count), rng.normal(*LAND, size - count)])


def modes_of(low: tuple[float, float], high: tuple[float, float], share: float) -> TwoModes:
    return TwoModes(*(np.asarray(value) for value in (*low, *high, share)))


def field(*lakes: tuple[slice, slice], side: int = 256, seed: int = 0) -> Image:
    """Land in dB with lakes in it."""
    rng = np.random.default_rng(seed)
    image = rng.normal(*LAND, (side, side))
    for lake in lakes:
        image[lake] = rng.normal(*WATER, image[lake].shape)
    return image


def test_two_modes_are_found_again() -> None:
    modes = fit_two_modes(counts_of(mixed(0.2)))
    assert (modes.low_mean, modes.low_std) == (pytest.approx(WATER[0], abs=0.3), pytest.approx(WATER[1], abs=0.2))
    assert (modes.high_mean, modes.high_std) == (pytest.approx(LAND[0], abs=0.2), pytest.approx(LAND[1], abs=0.15))
    assert modes.low_share == pytest.approx(0.2, abs=0.02)
    # sqrt(2) x 8.3/hypot(2.75, 2.5) = 3.16.
    assert modes.ashman == pytest.approx(3.16, abs=0.2)


def test_histograms_are_fitted_as_if_each_were_alone() -> None:
    counts = np.stack([counts_of(mixed(share)) for share in (0.1, 0.3, 0.5)])
    together = fit_two_modes(counts)
    for index in range(3):
        assert together.low_mean[index] == pytest.approx(float(fit_two_modes(counts[index]).low_mean))


def test_ashman_by_hand() -> None:
    # sqrt(2) x 3/hypot(1, 1) = 3; modes that stand apart by two deviations have 2.
    assert modes_of((0.0, 1.0), (3.0, 1.0), 0.5).ashman == pytest.approx(3.0)
    assert modes_of((2.0, 1.0), (0.0, 1.0), 0.5).ashman == pytest.approx(2.0)


def test_bhattacharyya_of_two_gaussians_is_the_closed_form() -> None:
    """exp(-(m1 - m2)²/(8 s²)) for equal spreads: a single Gaussian held against one 2 dB beside it."""
    counts = stats.norm.pdf(CENTRES, -12.0, 2.0)
    aside = modes_of((-14.0, 2.0), (-14.0, 2.0), 0.5)
    assert bhattacharyya(counts, aside) == pytest.approx(np.exp(-4.0 / 32.0), abs=0.01)
    assert bhattacharyya(counts, modes_of((-12.0, 2.0), (-12.0, 2.0), 0.5)) == pytest.approx(1.0, abs=1e-3)


def test_two_modes_that_the_histogram_is_not_made_of_are_refused() -> None:
    """Three modes, of which two Gaussians leave a gap: apart enough, shared evenly enough, and yet no fit."""
    counts = sum(stats.norm.pdf(CENTRES, mean, 0.7) for mean in (-25.0, -17.0, -6.0))
    modes = fit_two_modes(counts)
    assert modes.ashman > 2.0
    assert modes.minor_share > 0.1
    assert bhattacharyya(counts, modes) < FIT
    assert not is_bimodal(counts, modes)


def test_a_lake_of_many_looks_with_mixed_shores_is_bimodal() -> None:
    """Two narrow modes and the pixels between them: no fit to 0.99, and yet water and land beyond doubt."""
    shores = np.where((CENTRES > -22.0) & (CENTRES < -10.0), 1.0 / 12.0, 0.0)
    lake = 0.23 * stats.norm.pdf(CENTRES, -22.0, 0.4) + 0.70 * stats.norm.pdf(CENTRES, -10.0, 0.4) + 0.07 * shores
    modes = fit_two_modes(lake)
    assert bhattacharyya(lake, modes) < FIT
    assert is_bimodal(lake, modes)


def test_a_fringe_is_not_a_mode() -> None:
    counts = counts_of(mixed(0.03))
    assert not is_bimodal(counts, fit_two_modes(counts))


def test_probability_of_the_lower_mode_is_bayes() -> None:
    modes = TwoModes(*(np.array([value]) for value in (*WATER, *LAND, 0.2)))
    level = np.array([[-25.0, -15.0, -5.0, np.nan]])
    low, high = (0.2 * stats.norm.pdf(level, *WATER), 0.8 * stats.norm.pdf(level, *LAND))
    found = modes.low_probability(level, 0)
    assert found[0, :3] == pytest.approx((low / (low + high))[0, :3])
    assert found[0, 3] == 0.0


def test_a_lake_is_found_in_the_largest_tile_that_it_fills_enough() -> None:
    """A ninth of the image: the whole of it is bimodal, and no smaller tile is asked."""
    found = bimodal_tiles([field((slice(0, 86), slice(0, 86)))], DARKEST_LAND)
    assert (found.top.tolist(), found.left.tolist(), found.side.tolist()) == ([0], [0], [256])
    assert found.modes.low_mean == pytest.approx([WATER[0]], abs=0.4)
    assert found.looked_at == (256 // SMALLEST_TILE) ** 2


def test_a_small_lake_is_found_in_a_small_tile_and_nowhere_twice() -> None:
    images = [field(), field((slice(70, 100), slice(140, 180)))]
    found = bimodal_tiles(images, DARKEST_LAND)
    assert len(found) == 1
    assert (found.image[0], found.top[0], found.left[0], found.side[0]) == (1, 64, 128, 64)


@pytest.mark.parametrize("seed", range(4))
def test_land_alone_has_no_tile(seed: int) -> None:
    found = bimodal_tiles([field(seed=seed)], DARKEST_LAND)
    assert len(found) == 0
    assert (found.looked_at, found.dark) == (16, 0.0)


def test_water_alone_has_no_second_mode_and_is_dark() -> None:
    found = bimodal_tiles([field((slice(None), slice(None)))], DARKEST_LAND)
    assert (len(found), found.dark) == (0, 1.0)


def test_field_against_town_is_not_water() -> None:
    rng = np.random.default_rng(1)
    image = np.where(np.arange(256)[None] < 100, rng.normal(*TOWN, (256, 256)), rng.normal(*LAND, (256, 256)))
    assert len(bimodal_tiles([image], DARKEST_LAND)) == 0
    assert len(bimodal_tiles([image], -5.0)) == 1  # that gate alone decides


def test_what_was_not_observed_is_in_no_tile() -> None:
    image = field((slice(0, 86), slice(0, 86)))
    image[:, 100:] = np.nan
    found = bimodal_tiles([image], DARKEST_LAND)
    assert found.looked_at == 8  # two columns of four; the third holds a tenth of its pixels
    assert (found.left + found.side <= 128).all()
    assert len(bimodal_tiles([np.full((256, 256), np.nan)], DARKEST_LAND)) == 0
    assert bimodal_tiles([], DARKEST_LAND).looked_at == 0


def test_an_image_that_tiles_do_not_divide_is_covered_to_its_rims() -> None:
    image = np.full((300, 280), np.nan)
    image[:256, :256] = field()
    image[256:, :] = np.random.default_rng(2).normal(*LAND, (44, 280))
    image[256:, :30] = np.random.default_rng(3).normal(*WATER, (44, 30))
    found = bimodal_tiles([image], DARKEST_LAND)
    assert (found.top.tolist(), found.left.tolist(), found.side.tolist()) == ([256], [0], [64])


def test_beside_another_tools_thresholds_of_real_tiles(shared: Path) -> None:
    """ASF HydroSAR fits three classes to bins of 1.15 dB and splits the lower two: its threshold lies deeper.

    Where two modes stand apart the two ways call a few percent of the pixels differently. Where they do not, that tool
    gives a threshold all the same, and here is none.
    """
    folder = shared / "data" / "hydrosar"
    with np.load(folder / "em_tiles.npz") as found:
        tiles, masked = found["tiles"], found["mask"]
    with np.load(folder / "em_thresholds.npz") as found:
        theirs = 10.0 * (found["thresholds"] / 8.732284197109262 - 30.0)  # its test scales log10(power) + 30 so
    apart = []
    for tile, mask, threshold in zip(tiles, masked, theirs, strict=True):
        level = 10.0 * np.log10(tile[~mask & (tile > 0)].astype(np.float64))
        modes = fit_two_modes(counts_of(level))
        apart.append(bool(modes.ashman > 2.0))
        if not apart[-1]:
            assert not is_bimodal(counts_of(level), modes)
            continue
        split = bayes_threshold((modes.low_mean, modes.low_std), (modes.high_mean, modes.high_std), modes.low_share)
        differing = np.mean((level > threshold) & (level < split))
        print(f"theirs {threshold:.2f} dB, Bayes split of two modes {float(split):.2f} dB, differing {differing:.1%}")
        assert modes.low_mean < threshold < split < modes.high_mean
        assert differing < 0.06
    assert apart == [False, True, True, False, True]
