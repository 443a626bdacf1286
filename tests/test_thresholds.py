"""Thresholds of histograms (reference note, section 8), against scikit-image and against other ways to the same."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from skimage.filters import threshold_otsu

from harmonization.thresholds import CENTRES, bayes_threshold, kittler_illingworth_threshold, otsu_threshold

Vector = NDArray[np.float64]
WATER, LAND = (-19.3, 2.75), (-11.0, 2.5)
FINE = np.arange(-40.0, 10.0, 0.05)


def mixture(water_share: float, centres: Vector = FINE) -> Vector:
    """The histogram of water and land (class table, C-VV) without the chance of a sample."""
    water, land = (stats.norm.pdf(centres, *mode) for mode in (WATER, LAND))
    return np.asarray(water_share * water + (1.0 - water_share) * land)


@pytest.mark.parametrize(
    ("share", "otsu", "kittler", "bayes"), [(0.2, -14.77, -17.08, -16.16), (0.03, -11.6, -18.7, -17.8)]
)
def test_published_splits_of_much_and_of_little_water(share: float, otsu: float, kittler: float, bayes: float) -> None:
    """Of the reference note, section 8. Its first KI was found on a sample: 20 000 draws scatter by 0.13 dB."""
    counts = mixture(share)
    found = (
        float(otsu_threshold(counts, FINE)),
        float(kittler_illingworth_threshold(counts, FINE)),
        float(bayes_threshold(WATER, LAND, share)),
    )
    print(f"{share:.0%} water: Otsu {found[0]:.2f}, Kittler-Illingworth {found[1]:.2f}, Bayes {found[2]:.2f} dB")
    assert found[0] == pytest.approx(otsu, abs=0.06)
    assert found[1] == pytest.approx(kittler, abs=0.16)
    assert found[2] == pytest.approx(bayes, abs=0.03)


@pytest.mark.parametrize("seed", range(3))
def test_otsu_is_that_of_scikit_image(seed: int) -> None:
    rng = np.random.default_rng(seed)
    counts = np.histogram(rng.normal(-15, 5, 5000), CENTRES.size, (-50, 20))[0].astype(np.float64)
    counts += np.histogram(rng.normal(-5, 2, 2000), CENTRES.size, (-50, 20))[0]
    library = threshold_otsu(hist=(counts, CENTRES))  # the middle of the last bin below; ours is its upper edge
    assert otsu_threshold(counts) == pytest.approx(library + 0.125, abs=1e-9)


def test_kittler_illingworth_is_the_least_of_its_criterion() -> None:
    """Equation 15 written out for every split of a small histogram."""
    centres = np.arange(-20.0, 0.0, 0.5)
    counts = 1000.0 * mixture(0.3, centres)
    best = []
    for cut in range(1, centres.size):
        criterion = 1.0
        for side in (slice(None, cut), slice(cut, None)):
            share = counts[side].sum() / counts.sum()
            mean = np.average(centres[side], weights=counts[side])
            std = np.sqrt(np.average((centres[side] - mean) ** 2, weights=counts[side]))
            criterion += 2.0 * share * np.log(std) - 2.0 * share * np.log(share) if std > 0.25 else np.inf
        best.append((criterion, centres[cut] - 0.25))
    assert kittler_illingworth_threshold(counts, centres) == pytest.approx(min(best)[1])


def test_tiles_are_split_as_if_each_were_alone() -> None:
    counts = np.stack([[mixture(0.1), mixture(0.5)], [mixture(0.03), mixture(0.9)]])
    for split in (otsu_threshold, kittler_illingworth_threshold):
        together = split(counts, FINE)
        assert together.shape == (2, 2)
        for place in np.ndindex(2, 2):
            assert together[place] == split(counts[place], FINE)


def test_bayes_split_of_equal_modes_is_in_the_middle_and_follows_the_share() -> None:
    assert bayes_threshold((-20.0, 2.0), (-10.0, 2.0), 0.5) == pytest.approx(-15.0, abs=0.01)
    # Equal spreads: middle + s² / (m2 - m1) · ln(share/(1 - share)).
    expected = -15.0 + 4.0 / 10.0 * np.log(0.2 / 0.8)
    assert bayes_threshold((-20.0, 2.0), (-10.0, 2.0), 0.2) == pytest.approx(expected, abs=0.01)
    assert np.isnan(bayes_threshold((-11.0, 2.0), (-10.0, 2.0), 0.01))


def test_a_histogram_that_cannot_be_split_has_no_threshold() -> None:
    one, none = np.zeros(CENTRES.size), np.zeros(CENTRES.size)
    one[100] = 500.0
    for counts in (one, none):
        assert np.isnan(otsu_threshold(counts))
        assert np.isnan(kittler_illingworth_threshold(counts))
