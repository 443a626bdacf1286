"""Calibration: measured against hand-computed values, fitted against known truth, moved to another prior."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.special import expit
from torch import nn

from harmonization.evidence import state_probabilities
from models.checkpoint import load, save
from models.contract import Architecture, ContractMismatch
from models.data.chips import write_chip
from models.data.sources import FolderSource
from models.early import EarlyFusion, early_contract
from models.inputs import CHANNELS, ModelInput
from models.judging.calibrate import (
    bounded,
    brier,
    expected_calibration_error,
    fit_affine,
    fit_temperature,
    flood_probability,
    negative_log_likelihood,
    prior_shift,
    prior_weights,
    reliability,
)
from models.judging.calibrate_network import calibrate_network
from models.parts.residual import bounded_residual


def drawn(log_odds, generator):
    """Truth that the log-odds (S, n) are calibrated for."""
    cumulative = state_probabilities(log_odds).cumsum(axis=0)
    return (generator.random(log_odds.shape[1]) > cumulative[:-1]).sum(axis=0)


def test_reliability_and_errors_by_hand():
    # Two bins of equal weight: (0.1, 0.3) with one of two, (0.6, 0.8) with both.
    probability, happened = np.array([0.6, 0.1, 0.8, 0.3]), np.array([True, False, True, True])
    curve = reliability(probability, happened, bins=2)
    np.testing.assert_allclose(curve.predicted, [0.2, 0.7])
    np.testing.assert_allclose(curve.observed, [0.5, 1.0])
    np.testing.assert_allclose(curve.weight, [0.5, 0.5])
    assert expected_calibration_error(probability, happened, bins=2) == pytest.approx(0.3)
    assert brier(probability, happened) == pytest.approx((0.16 + 0.01 + 0.04 + 0.49) / 4)


def test_weights_count_like_copies():
    generator = np.random.default_rng(0)
    probability, copies = generator.random(200), generator.integers(0, 4, 200)
    happened = generator.random(200) < probability**2
    weighed = reliability(probability, happened, 10, copies)
    copied = reliability(np.repeat(probability, copies), np.repeat(happened, copies), 10)
    for one, other in zip(weighed, copied, strict=True):
        np.testing.assert_allclose(one, other)


def test_equal_probabilities_share_a_bin_and_no_pixel_is_an_error():
    curve = reliability(np.full(1000, 0.25), np.arange(1000) < 250)
    assert len(curve.weight) == 1
    assert expected_calibration_error(np.full(1000, 0.25), np.arange(1000) < 250) == pytest.approx(0.0)
    with pytest.raises(ValueError, match="No pixel to judge by"):
        reliability(np.zeros(0), np.zeros(0, dtype=bool))


def test_likelihood_of_hand_computed_values():
    log_odds = np.log(np.array([[1.0, 2.0], [2.0, 1.0]]))
    assert negative_log_likelihood(log_odds, np.array([0, 1])) == pytest.approx((np.log(4) + np.log(2)) / 2)
    np.testing.assert_allclose(flood_probability(log_odds), 0.75)


@pytest.mark.parametrize("heat", [0.4, 1.0, 3.0])
def test_the_temperature_is_found_again(heat):
    generator = np.random.default_rng(1)
    honest = generator.normal(-1, 2, (2, 40_000))
    truth = drawn(honest, generator)
    assert fit_temperature(heat * honest, truth) == pytest.approx(heat, rel=0.05)
    cooled = expected_calibration_error(flood_probability(honest), truth > 0)
    assert cooled < 0.01
    if heat != 1.0:
        assert expected_calibration_error(flood_probability(heat * honest), truth > 0) > 2 * cooled


@pytest.mark.parametrize("bound", [None, 2.0])
def test_the_affine_calibration_is_found_again_behind_the_bound(bound):
    generator = np.random.default_rng(2)
    prior, evidence = np.full((2, 60_000), -2.0), generator.normal(0.5, 2.5, (2, 60_000))
    physics = prior + 0.7 * evidence + generator.normal(0, 0.5, evidence.shape)
    shift = np.array([[0.8], [-0.4]])
    truth = drawn(bounded(physics, prior + shift + evidence / 1.6, bound), generator)
    found = fit_affine(prior, evidence, truth, physics, bound)
    assert found.temperature == pytest.approx(1.6, rel=0.08)
    np.testing.assert_allclose(found.shift, shift[:, 0], atol=0.1)


def test_the_affine_calibration_is_that_of_a_search_without_gradients():
    generator = np.random.default_rng(3)
    prior, evidence = np.full((1, 500), -1.0), generator.normal(1, 3, (1, 500))
    physics, truth = prior + evidence, generator.integers(0, 2, 500)

    def loss(numbers):
        made = bounded(physics, prior + numbers[1] + evidence / np.exp(numbers[0]), 1.5)
        return negative_log_likelihood(made, truth) + 1e-3 * (numbers @ numbers)

    slow = minimize(loss, [0.0, 0.0], method="Nelder-Mead", bounds=[(-2.48, 2.48), (-4, 4)], options={"xatol": 1e-5})
    found = fit_affine(prior, evidence, truth, physics, 1.5)
    assert loss(np.array([np.log(found.temperature), found.shift[0]])) <= slow.fun + 1e-5


def test_the_bound_is_that_of_the_networks():
    generator = np.random.default_rng(4)
    physics, aim = generator.normal(0, 4, (2, 100))
    expected = bounded_residual(torch.from_numpy(physics), torch.from_numpy(aim - physics), 1.7).numpy()
    np.testing.assert_allclose(bounded(physics, aim, 1.7), expected)
    np.testing.assert_array_equal(bounded(physics, aim, None), aim)


# --- prior shift


def scene(shares, reference, generator, size=40_000):
    """Log-odds calibrated under the reference shares, of a scene that has others; their truth."""
    truth = generator.choice(3, size, p=shares)
    level = generator.normal(0, 1, (2, size)) + 1.8 * np.stack([truth == 1, truth == 2])
    return 1.8 * level - 1.8**2 / 2 + np.log(reference[1:] / reference[0])[:, None], truth


@pytest.mark.parametrize("shares", [(0.9, 0.07, 0.03), (0.55, 0.3, 0.15), (0.7, 0.2, 0.1)])
def test_a_scene_tells_its_own_shares(shares):
    generator = np.random.default_rng(5)
    shares, reference = np.array(shares), np.array([0.7, 0.2, 0.1])
    log_odds, truth = scene(shares, reference, generator)
    shift = prior_shift(log_odds, reference)
    expected = np.log(shares[1:] / shares[0]) - np.log(reference[1:] / reference[0])
    np.testing.assert_allclose(shift, expected, atol=0.2)
    moved = log_odds + shift[:, None]
    assert expected_calibration_error(flood_probability(moved), truth > 0) < 0.012
    np.testing.assert_allclose(state_probabilities(moved).mean(axis=1), shares, atol=0.01)


def test_the_shift_is_held_back():
    generator, reference = np.random.default_rng(6), np.array([0.7, 0.2, 0.1])
    log_odds, _ = scene(np.array([0.999, 0.0009, 0.0001]), reference, generator)
    np.testing.assert_allclose(prior_shift(log_odds, reference, furthest=1.0), [-1.0, -1.0])
    np.testing.assert_array_equal(prior_shift(log_odds[:, :999], reference), 0.0)
    full, _ = scene(np.array([0.05, 0.65, 0.3]), reference, generator)
    shift = prior_shift(full, reference, bounds=(0.001, 0.5), furthest=9.0)
    flood = reference[1:] * np.exp(shift) / reference[0]
    assert flood.sum() == pytest.approx(1.0, abs=1e-4)  # odds of a share of one half
    with pytest.raises(ValueError, match="must be above 0 and sum to 1"):
        prior_shift(log_odds, np.array([0.7, 0.2, 0.2]))


def test_prior_weights_give_the_shares():
    truth = np.array([0] * 60 + [1] * 30 + [2] * 10)
    shares = np.array([0.9, 0.06, 0.04])
    weights = prior_weights(truth, shares)
    np.testing.assert_allclose([weights[truth == k].sum() / 100 for k in range(3)], shares)


# --- a network


@pytest.fixture(scope="module")
def chips(tmp_path_factory):
    """One sensor whose evidence claims three times what it knows."""
    folder, names = tmp_path_factory.mktemp("chips"), ("optical", "terrain")
    for number in range(6):
        generator = np.random.default_rng(number)
        honest = generator.normal(0, 1.5, (1, 32, 32))
        truth = (generator.random((32, 32)) < expit(honest[0])).astype(np.uint8)
        parts = np.concatenate([3 * honest, np.full((1, 32, 32), -20.0)]).astype("f4")
        shapes = {name: (len(CHANNELS[name]), 32, 32) for name in names}
        modalities = {name: generator.normal(0, 1, shape).astype("f4") for name, shape in shapes.items()}
        presence = {name: np.ones((32, 32), dtype=bool) for name in names}
        prior = np.zeros(2, dtype=np.float32)
        write_chip(folder / f"scene{number}_0.npz", ModelInput(modalities, presence, {"optical": parts}, prior), truth)
    return FolderSource(folder)


def test_a_network_that_claims_too_much_is_cooled(tmp_path, chips):
    small = Architecture(depth=2, decoder_channels=(16, 8), members=2)
    contract = early_contract("optical", small, ("optical",)).model_copy(update={"form": "free"})
    save(tmp_path / "net", EarlyFusion(contract), contract)
    weights = load(tmp_path / "net").contract.sha256
    made = calibrate_network(tmp_path / "net", chips)
    assert made.temperature == pytest.approx(3.0, rel=0.1)
    assert made.before > 0.05
    assert made.after < 0.03
    after = load(tmp_path / "net").contract
    assert after.temperature == made.temperature
    assert after.sha256 == weights
    again = calibrate_network(tmp_path / "net", chips)
    assert again.temperature == pytest.approx(made.temperature)
    assert again.before == pytest.approx(made.after)


def test_a_bounded_network_is_calibrated_behind_its_bound(tmp_path, chips):
    small = Architecture(depth=2, decoder_channels=(16, 8), members=2)
    contract = early_contract("optical", small, ("optical",))
    torch.manual_seed(0)
    network = EarlyFusion(contract).eval()
    nn.init.normal_(network.head.correction.weight, std=0.2)
    save(tmp_path / "net", network, contract)
    made = calibrate_network(tmp_path / "net", chips)
    assert made.after < made.before
    assert made.temperature > 1.5


def test_chips_without_truth_are_refused(tmp_path, chips):
    small = Architecture(depth=2, decoder_channels=(16, 8), members=2)
    contract = early_contract("c_band", small, ("c_band",))
    save(tmp_path / "net", EarlyFusion(contract), contract)
    with pytest.raises((ValueError, ContractMismatch), match="None of 6 chips"):
        calibrate_network(tmp_path / "net", chips)
