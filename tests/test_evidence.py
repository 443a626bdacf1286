"""How evidence ages, is doubted and is summed (physics.md 5.6)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import logsumexp
from scipy.stats import gamma

from harmonization import speckle_law
from harmonization.bundle import Evidence
from harmonization.evidence import (
    Belief,
    binary_witness,
    combine,
    contribution,
    contributions,
    doubt,
    doubt_states,
    estimate_prior,
    mixed_cell_share,
    object_evidence,
    relax,
    relax_states,
    spatial_weight,
    stand_support,
    state_probabilities,
    witness,
)
from harmonization.radar.likelihood import log_density
from harmonization.reasons import Reason

TIME = datetime(2024, 1, 1, tzinfo=UTC)
LEVELS = np.linspace(-30.0, 30.0, 301)
nats = st.floats(min_value=-1e4, max_value=1e4)


def evidence(llr: NDArray[np.floating], cell: int = 1, sensor: str = "sentinel-1") -> Evidence:
    values = np.asarray(llr, dtype=np.float32)
    shape = values.shape[1:]
    return Evidence(sensor, values, np.ones(shape, np.bool_), np.zeros(shape, np.uint16), TIME, cell)


# --- doubt: a binary symmetric channel


def test_no_doubt_changes_nothing_and_full_doubt_leaves_nothing() -> None:
    assert doubt(LEVELS, 0.0) == pytest.approx(LEVELS, rel=1e-6)
    assert doubt(LEVELS, 0.5) == pytest.approx(0.0, abs=1e-6)


def test_doubt_caps_evidence() -> None:
    # ln(0.98/0.02) = 3.8918 nat on either side.
    assert doubt([1e4, -1e4], 0.02) == pytest.approx([3.8918, -3.8918], abs=1e-4)


@given(nats, st.floats(min_value=0.0, max_value=0.5))
@settings(max_examples=60, deadline=None)
def test_doubt_never_adds_and_never_turns_the_sign(level: float, crossover: float) -> None:
    got = float(doubt(level, crossover))
    assert np.isfinite(got)
    assert abs(got) <= abs(level) * (1 + 1e-6) + 1e-6
    assert got * level >= -1e-6


def test_doubt_is_monotone_in_evidence_and_in_doubt() -> None:
    assert (np.diff(doubt(LEVELS, 0.05)) >= 0).all()
    assert (np.diff(doubt(3.0, np.linspace(0.0, 0.5, 50))) <= 1e-7).all()


# --- age: an asymmetric two-state chain


def test_age_caps_wet_and_dry_unlike() -> None:
    # q = 0.05, 24 of 72 hours: rho = e^(-1/3) = 0.7165, a = 0.7307, b = 0.01417;
    # ln(a/b) = +3.94 for "was wet", ln((1-a)/(1-b)) = -1.30 for "was dry".
    assert relax([1e4, -1e4], 24.0, 0.05, 72.0) == pytest.approx([3.94, -1.30], abs=5e-3)


def test_no_age_changes_nothing_and_great_age_leaves_nothing() -> None:
    assert relax(LEVELS, 0.0, 0.05, 72.0) == pytest.approx(LEVELS, rel=1e-6)
    assert relax(LEVELS, 1e5, 0.05, 72.0) == pytest.approx(0.0, abs=1e-6)


def test_age_counts_before_and_after_alike() -> None:
    assert (relax(LEVELS, -30.0, 0.05, 72.0) == relax(LEVELS, 30.0, 0.05, 72.0)).all()


def test_age_is_monotone_in_evidence_and_in_hours() -> None:
    assert (np.diff(relax(LEVELS, 24.0, 0.05, 72.0)) >= 0).all()
    hours = np.linspace(0.0, 500.0, 100)
    wet = np.array([float(relax(5.0, hour, 0.05, 72.0)) for hour in hours])
    dry = np.array([float(relax(-5.0, hour, 0.05, 72.0)) for hour in hours])
    assert (np.diff(wet) < 0).all()
    assert (np.diff(dry) > 0).all()
    assert (wet > 0).all()
    assert (dry < 0).all()


def test_ageing_in_two_steps_is_ageing_in_one() -> None:
    twice = relax(relax(LEVELS, 10.0, 0.05, 72.0), 14.0, 0.05, 72.0)
    assert twice == pytest.approx(relax(LEVELS, 24.0, 0.05, 72.0), abs=2e-5)


@given(nats, st.floats(min_value=0.0, max_value=1e4), st.floats(min_value=1e-3, max_value=0.3))
@settings(max_examples=60, deadline=None)
def test_age_never_overflows_nor_adds(level: float, hours: float, stationary: float) -> None:
    got = float(relax(level, hours, stationary, 72.0))
    assert np.isfinite(got)
    assert abs(got) <= abs(level) * (1 + 1e-6) + 1e-6


# --- both, for three states at once


def test_three_states_reduce_to_two_where_one_state_cannot_be() -> None:
    # With hardly a prior for flooded vegetation the chain of three states is the chain of two.
    belief = Belief(water=0.05, vegetation=1e-12, memory_hours=72.0)
    llr = np.stack([LEVELS, np.zeros_like(LEVELS)]).astype(np.float32)
    got = relax_states(llr, 24.0, belief)[0]
    assert got == pytest.approx(relax(LEVELS, 24.0, 0.05, 72.0), abs=1e-5)


def test_three_states_are_the_slow_sums() -> None:
    # In plain numbers, pixel by pixel, with an own crossover and age each.
    rng = np.random.default_rng(21)
    llr = rng.normal(0.0, 8.0, (2, 4, 5)).astype(np.float32)
    crossover, hours = rng.uniform(0.0, 2.0 / 3.0, (4, 5)), rng.uniform(-200.0, 200.0, (4, 5))
    odds = np.exp(np.concatenate([np.zeros((1, 4, 5)), llr.astype(np.float64)]))
    mixed = (1.0 - 1.5 * crossover) * odds + 0.5 * crossover * odds.sum(axis=0)
    assert doubt_states(llr, crossover) == pytest.approx(np.log(mixed[1:] / mixed[0]), abs=1e-5)
    belief = Belief(water=0.2, vegetation=0.1, memory_hours=50.0)
    rho = np.exp(-np.abs(hours) / 50.0)
    later = rho * odds + (1.0 - rho) * np.tensordot([0.7, 0.2, 0.1], odds, axes=1)
    assert relax_states(llr, hours, belief) == pytest.approx(np.log(later[1:] / later[0]), abs=1e-5)


def test_three_states_without_doubt_or_age_are_left_alone() -> None:
    llr = np.random.default_rng(3).normal(0.0, 8.0, (2, 200)).astype(np.float32)
    assert doubt_states(llr, 0.0) == pytest.approx(llr, abs=1e-5)
    assert relax_states(llr, 0.0, Belief()) == pytest.approx(llr, abs=1e-5)


def test_three_state_doubt_by_hand() -> None:
    # Likelihoods dry 1, water 4, vegetation 2; e = 0.2: each keeps 0.8 and takes 0.1 of the two others:
    # dry 0.8 + 0.6 = 1.4, water 3.2 + 0.3 = 3.5, vegetation 1.6 + 0.5 = 2.1.
    got = doubt_states(np.log(np.array([[4.0], [2.0]], dtype=np.float32)), 0.2)
    assert got[:, 0] == pytest.approx(np.log([3.5 / 1.4, 2.1 / 1.4]), abs=1e-6)


def test_three_state_age_by_hand() -> None:
    # Same likelihoods, prior dry 0.7, water 0.2, vegetation 0.1, rho = 1/2: any state is worth
    # 0.7 + 0.8 + 0.2 = 1.7; dry 0.5 + 0.85, water 2 + 0.85, vegetation 1 + 0.85.
    belief = Belief(water=0.2, vegetation=0.1, memory_hours=1.0)
    got = relax_states(np.log(np.array([[4.0], [2.0]], dtype=np.float32)), float(np.log(2.0)), belief)
    assert got[:, 0] == pytest.approx(np.log([2.85 / 1.35, 1.85 / 1.35]), abs=1e-6)


def test_what_a_sensor_knows_of_water_against_vegetation_outlives_the_cap() -> None:
    # Far above the cap: open water 40, flooded vegetation 20 nat above dry: capped one by one, they would tie.
    llr = np.array([[40.0], [20.0]], dtype=np.float32)
    capped = doubt_states(llr, 0.02)
    assert capped[0, 0] - capped[1, 0] > 3.0
    # e = 0.02 goes to two other states: ln(0.98/0.01) = 4.585.
    assert capped[0, 0] == pytest.approx(4.585, abs=1e-3)


@given(nats, nats, st.floats(min_value=0.0, max_value=0.5), st.floats(min_value=0.0, max_value=1e4))
@settings(max_examples=60, deadline=None)
def test_no_evidence_overflows(water: float, vegetation: float, crossover: float, hours: float) -> None:
    llr = np.array([[water], [vegetation]], dtype=np.float32)
    assert np.isfinite(doubt_states(llr, crossover)).all()
    assert np.isfinite(relax_states(llr, hours, Belief())).all()
    assert np.isfinite(state_probabilities(llr)).all()


# --- mixed cells


def test_a_cell_of_one_state_is_not_mixed() -> None:
    for value in (0.0, 0.3, 1.0):
        assert mixed_cell_share(np.full((20, 20), value, dtype=np.float32), 7) == pytest.approx(0.0, abs=1e-6)


def test_a_cell_of_one_pixel_is_not_mixed() -> None:
    finer = np.random.default_rng(4).random((30, 30)).astype(np.float32)
    assert mixed_cell_share(finer, 1) == pytest.approx(0.0, abs=1e-6)


def test_a_river_narrower_than_the_cell_is_mixed() -> None:
    # One column of water in a cell of five: its middle is water, the cell is a fifth; beside it 0 against a fifth.
    finer = np.zeros((15, 15), dtype=np.float32)
    finer[:, 7] = 1.0
    share = mixed_cell_share(finer, 5)
    assert share[7, 7] == pytest.approx(2.0 / 3.0)  # |1 - 0.2|, held to where a sample says nothing of three states
    assert share[7, 5] == pytest.approx(0.2, abs=1e-6)
    assert share[7, 4] == pytest.approx(0.0, abs=1e-6)


def test_mixed_share_lies_between_none_and_two_thirds() -> None:
    finer = np.random.default_rng(5).random((40, 40)).astype(np.float32)
    share = mixed_cell_share(finer, 5)
    assert share.dtype == np.float32
    assert (share >= 0.0).all()
    assert (share <= 2.0 / 3.0 + 1e-6).all()
    assert share == pytest.approx(mixed_cell_share(1.0 - finer, 5), abs=1e-6)


# --- what a sensor adds


def test_unobserved_adds_exactly_nothing() -> None:
    look = evidence(np.random.default_rng(6).normal(0.0, 5.0, (2, 8, 8)))
    observed = np.zeros((8, 8), dtype=np.bool_)
    observed[2:4] = True
    got = contribution(replace(look, observed=observed), 12.0, Belief(), 0.0)
    assert (got[:, ~observed] == 0.0).all()
    assert (got[:, observed] != 0.0).all()


def test_contribution_is_doubt_then_age() -> None:
    look = evidence(np.random.default_rng(7).normal(0.0, 5.0, (2, 4, 4)))
    belief = Belief()
    want = relax_states(doubt_states(look.llr, belief.doubt), 12.0, belief)
    assert contribution(look, 12.0, belief, 0.0) == pytest.approx(want)


def test_hours_are_taken_by_pixel() -> None:
    look = evidence(np.full((2, 1, 2), 5.0))
    got = contribution(look, np.array([[0.0, 48.0]]), Belief(), 0.0)
    assert got[0, 0, 0] > got[0, 0, 1] > 0.0


def test_permuted_pixels_permute_contributions() -> None:
    rng = np.random.default_rng(8)
    look = evidence(rng.normal(0.0, 5.0, (2, 1, 50)))
    order = rng.permutation(50)
    shuffled = evidence(look.llr[:, :, order])
    got = contribution(shuffled, 12.0, Belief(), 0.0)
    assert (got == contribution(look, 12.0, Belief(), 0.0)[:, :, order]).all()


def test_a_coarse_sensor_is_doubted_only_where_a_finer_one_sees_a_mixed_cell() -> None:
    # The finer sensor sees a river two pixels wide; the coarse one, of seven, says "dry" everywhere.
    fine = np.full((2, 30, 30), -6.0)
    fine[0, :, 14:16] = 6.0
    coarse = np.full((2, 30, 30), -6.0)
    hours = np.zeros((30, 30), dtype=np.float32)
    belief = Belief(water=0.3, vegetation=0.01)
    looks = {"coarse": (evidence(coarse, 7), hours), "fine": (evidence(fine, 1), hours)}
    added = contributions(looks, belief)
    assert list(added) == ["coarse", "fine"]
    alone = contributions({"coarse": looks["coarse"]}, belief)["coarse"]
    assert abs(added["coarse"][0, 15, 14]) < 0.5 * abs(alone[0, 15, 14])
    assert added["coarse"][:, 15, 2] == pytest.approx(alone[:, 15, 2], rel=1e-4)
    assert (added["fine"] == contributions({"fine": looks["fine"]}, belief)["fine"]).all()


def test_a_coarse_sensor_has_its_full_say_where_the_finer_sees_nothing() -> None:
    blind = replace(evidence(np.zeros((2, 20, 20))), observed=np.zeros((20, 20), np.bool_))
    coarse = evidence(np.random.default_rng(9).normal(0.0, 3.0, (2, 20, 20)), 5)
    hours = np.zeros((20, 20), dtype=np.float32)
    got = contributions({"fine": (blind, hours), "coarse": (coarse, hours)}, Belief())
    assert got["coarse"] == pytest.approx(contribution(coarse, 0.0, Belief(), 0.0), abs=1e-5)


# --- a stand of flooded vegetation is wider than a sample


def test_a_stand_speaks_for_its_middle() -> None:
    # Eight neighbours one step away say "flooded vegetation"; the middle, unsure, is told so; two steps away nobody.
    nats = np.zeros((9, 9), dtype=np.float32)
    nats[2:7:2, 2:7:2] = 4.0
    nats[4, 4] = 0.0
    support = stand_support(nats, 0.01, 2)
    assert support[4, 4] == support.max() > 0.0
    assert support[3, 4] == pytest.approx(0.0, abs=1e-6)
    assert stand_support(-nats, 0.01, 2)[4, 4] < 0.0


def test_a_stand_is_never_worth_more_than_the_doubt_allows() -> None:
    # Eight sure neighbours and a sure middle: ln(2·0.98/0.02) = 4.585 nats, and next to nothing after a year.
    look = replace(evidence(np.full((2, 6, 6), 50.0)), stand=1)
    assert contribution(look, 0.0, Belief(), 0.0)[1].max() <= np.log(2 * 0.98 / 0.02) + 1e-5
    assert np.abs(contribution(look, 24.0 * 365, Belief(), 0.0)).max() < 1e-3


def test_a_stand_adds_to_flooded_vegetation_alone() -> None:
    look = evidence(np.full((2, 6, 6), 1.0))
    alone = contribution(look, 0.0, Belief(), 0.0)
    together = contribution(replace(look, stand=1), 0.0, Belief(), 0.0)
    assert (together[0] == alone[0]).all()
    assert (together[1] > alone[1]).all()


def test_unseen_neighbours_do_not_speak() -> None:
    look = replace(evidence(np.full((2, 6, 6), 5.0)), stand=1)
    seen = np.zeros((6, 6), dtype=np.bool_)
    seen[3, 3] = True
    got = contribution(replace(look, observed=seen), 0.0, Belief(), 0.0)
    assert (got[:, ~seen] == 0.0).all()
    alone = contribution(replace(look, observed=seen, stand=0), 0.0, Belief(), 0.0)
    assert got[1, 3, 3] == pytest.approx(alone[1, 3, 3], abs=1e-5)


# --- sums


def test_a_witness_who_tosses_a_coin_says_nothing() -> None:
    assert binary_witness(0.5, 0.5) == (0.0, 0.0)


@pytest.mark.parametrize("rates", [(1.0, 0.9), (0.9, 1.0), (0.0, 0.9), (1.2, 0.9)])
def test_a_witness_who_never_errs_is_refused(rates: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="both must lie between 0 and 1"):
        binary_witness(*rates)


def test_a_mask_is_evidence_where_it_speaks() -> None:
    # Yes 9 : 0.5 for water, 0.2 : 0.05 for a stand; no 0.1 : 0.95 and 0.8 : 0.95; unseen nothing.
    said, seen = np.array([[True, False, True]]), np.array([[True, True, False]])
    told = witness("a chart", said, seen, (0.9, 0.2), 0.95, TIME)
    want = np.log([[0.9 / 0.05, 0.1 / 0.95, 1.0], [0.2 / 0.05, 0.8 / 0.95, 1.0]])
    assert told.llr[:, 0] == pytest.approx(want, abs=1e-6)
    assert (told.llr[:, ~seen] == 0.0).all()
    assert (told.observed == seen).all()
    assert told.reasons[0].tolist() == [0, 0, Reason.OUTSIDE_SWATH]
    assert contributions({"chart": (told, np.zeros((1, 3), np.float32))}, Belief())["chart"].shape == (2, 1, 3)


# --- sums over an area


def test_pixels_of_one_cell_are_one_sample() -> None:
    # ScanSAR: a cell of 47.5 m x 77.7 m over 10 m pixels; Sentinel-1 and anything coarser count in full.
    assert spatial_weight(100.0, 47.5 * 77.7) == pytest.approx(0.0271, abs=5e-5)
    assert spatial_weight(100.0, 100.0) == spatial_weight(400.0, 100.0) == 1.0


def test_evidence_of_an_object_is_the_tempered_sum_of_its_pixels() -> None:
    rng = np.random.default_rng(12)
    objects = rng.integers(0, 4, (20, 30))
    llr = rng.normal(0.0, 3.0, (2, 20, 30)).astype(np.float32)
    got = object_evidence(llr, objects, 0.25)
    for number in range(1, 4):
        assert got[:, number] == pytest.approx(0.25 * llr[:, objects == number].sum(axis=1), rel=1e-5)
    assert (got[:, 0] == 0.0).all()


def test_a_cell_cut_into_pixels_is_worth_one_cell() -> None:
    # 7 x 7 copies of one sample of 3 nat, each tempered by 1/49: 3 nat again.
    llr = np.full((2, 7, 7), 3.0, dtype=np.float32)
    whole = object_evidence(llr, np.ones((7, 7), dtype=np.int64), spatial_weight(100.0, 4900.0))
    assert whole[:, 1] == pytest.approx([3.0, 3.0], abs=1e-6)


# --- the law of speckle about one mean


def test_speckle_about_one_mean_is_that_of_scipy() -> None:
    power = np.array([1e-4, 0.01, 0.3])
    for looks in (1.0, 4.4, 200.0):
        want = gamma.logpdf(power, looks, scale=0.02 / looks)
        assert speckle_law.log_density(power, 0.02, looks) == pytest.approx(want, rel=1e-12)
        ratio = want - gamma.logpdf(power, looks, scale=0.1 / looks)
        assert speckle_law.log_ratio(power, 0.02, 0.1, looks) == pytest.approx(ratio, rel=1e-9)
    assert np.isnan(speckle_law.log_density([0.0, -0.1, np.nan], 0.02, 4.4)).all()


def test_a_class_of_no_spread_has_the_density_of_its_mean() -> None:
    for power in (0.002, 0.01, 0.05):
        want = float(speckle_law.log_density(power, 0.01 + 0.004, 9.0))
        assert log_density(power, -20.0, 0.001, 9.0, 0.004) == pytest.approx(want, abs=1e-4)


def test_no_sensor_leaves_the_prior() -> None:
    belief = Belief(water=0.04, vegetation=0.01)
    log_odds = combine(belief.log_odds[:, None, None], [])
    assert state_probabilities(log_odds)[:, 0, 0] == pytest.approx([0.95, 0.04, 0.01], abs=1e-6)


def test_probabilities_are_the_softmax() -> None:
    log_odds = np.random.default_rng(10).normal(0.0, 20.0, (2, 5, 5)).astype(np.float32)
    got = state_probabilities(log_odds)
    all_three = np.concatenate([np.zeros((1, 5, 5)), log_odds.astype(np.float64)])
    assert got == pytest.approx(np.exp(all_three - logsumexp(all_three, axis=0)), abs=1e-6)
    assert got.sum(axis=0) == pytest.approx(1.0, abs=1e-6)


# --- the prior of an area from its own evidence


def mixture(water: float, vegetation: float, size: int) -> NDArray[np.float32]:
    """Ratios of honest evidence: Gaussian measurements of three states, four and three deviations apart."""
    rng = np.random.default_rng(11)
    means = np.array([0.0, -4.0, 3.0])
    state = rng.choice(3, size, p=[1.0 - water - vegetation, water, vegetation])
    measured = means[state] + rng.standard_normal(size)
    densities = -0.5 * (measured - means[:, None]) ** 2
    return (densities[1:] - densities[0]).astype(np.float32)


@pytest.mark.parametrize("water", [0.02, 0.08, 0.25])
def test_the_share_of_water_is_recovered(water: float) -> None:
    # Flooded vegetation keeps its ratio to open water, here one to four as in the world.
    got = estimate_prior(mixture(water, water / 4, 40_000), Belief(water=0.04, vegetation=0.01), (0.001, 0.30))
    assert got.water == pytest.approx(water, abs=0.01)
    assert got.vegetation == pytest.approx(got.water / 4)


def test_shares_stay_within_their_bounds() -> None:
    all_water = np.full((2, 100), [[20.0], [-20.0]], dtype=np.float32)
    assert estimate_prior(all_water, Belief(), (0.001, 0.30)).water == pytest.approx(0.30)
    all_dry = np.full((2, 100), -20.0, dtype=np.float32)
    assert estimate_prior(all_dry, Belief(), (0.001, 0.30)).water == pytest.approx(0.001)


def test_without_evidence_the_start_is_kept() -> None:
    start = Belief(water=0.07, doubt=0.05)
    assert estimate_prior(np.empty((2, 0), dtype=np.float32), start, (0.001, 0.3)) == start
    flat = estimate_prior(np.zeros((2, 100), dtype=np.float32), start, (0.001, 0.3))
    assert (flat.water, flat.vegetation) == pytest.approx((start.water, start.vegetation), abs=1e-4)
    assert (flat.doubt, flat.memory_hours) == (start.doubt, start.memory_hours)


@pytest.mark.parametrize("water", [0.05, 0.25])
def test_the_share_is_that_of_low_ground_where_the_ground_is_known(water: float) -> None:
    """Half of the pixels can hardly be flooded: that halves the share of the whole, not the share of low ground."""
    rng = np.random.default_rng(12)
    factor = np.where(np.arange(40_000) % 2 == 0, 1.0, 0.02)
    wet = rng.uniform(size=factor.size) < factor
    low, high = mixture(water, water / 4, factor.size), mixture(0.0, 0.0, factor.size)
    parts = np.where(wet, low, high)
    start, bounds = Belief(water=0.04, vegetation=0.01), (0.001, 0.40)
    assert estimate_prior(parts, start, bounds, factor=factor).water == pytest.approx(water, abs=0.012)
    assert estimate_prior(parts, start, bounds).water == pytest.approx(0.51 * water, abs=0.012)
    flat = estimate_prior(low, start, bounds, factor=np.ones(factor.size))
    assert flat.water == pytest.approx(estimate_prior(low, start, bounds).water, rel=1e-4)
