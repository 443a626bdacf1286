"""The terms of the loss, each by hand or against another's implementation."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch

from models.contract import Contract
from models.inputs import CHANNELS
from models.learning.loss_terms import (
    UNKNOWN,
    cross_entropy,
    edge_loss,
    focal,
    index_consistency,
    lovasz,
    residual_penalty,
    soft_dice,
)
from models.learning.losses import Objective, flood_probability, loss_of, state_logits
from models.segmentation_library import segmentation_models
from models.tensors import Tensors

CONTRACT = Contract.model_validate(
    {
        "name": "four",
        "modalities": {
            name: [
                {"name": channel, "unit": "1", "clip": (-9, 9), "mean": 0, "std": 1, "presence": name}
                for channel in channels
            ]
            for name, channels in CHANNELS.items()
        },
        "presence": tuple(CHANNELS),
        "context": ("terrain",),
    }
)
ONLY_ENTROPY = dict.fromkeys(Objective.model_fields, 0.0) | {"weights": (), "cross_entropy": 1.0}


def pixels(*log_odds):
    """(1, S, 1, N) from tuples of S."""
    return torch.tensor(log_odds, dtype=torch.float32).T[None, :, None, :]


def row(*values, kind=torch.float32):
    """(1, 1, N)."""
    return torch.tensor([[values]], dtype=kind)


def test_three_states_from_two_log_odds():
    # Odds 1 : 3 : 2 are probabilities 1/6, 3/6, 2/6; flood is 5/6.
    log_odds = pixels((math.log(3), math.log(2)))
    np.testing.assert_allclose(torch.softmax(state_logits(log_odds), 1).flatten(), [1 / 6, 3 / 6, 2 / 6], rtol=1e-6)
    assert float(flood_probability(log_odds)) == pytest.approx(5 / 6)


def test_cross_entropy_and_focal_by_hand():
    # Pixel 1, dry, logits (0, 0, 0): p = 1/3. Pixel 2, water, logits (0, ln 2, 0): p = 1/2. Pixel 3 is unknown.
    logits = state_logits(pixels((0, 0), (math.log(2), 0), (9, 9)))
    target, weights = row(0, 1, UNKNOWN, kind=torch.long), torch.tensor([1.0, 3.0, 5.0])
    assert float(cross_entropy(logits, target, weights)) == pytest.approx((math.log(3) + 3 * math.log(2)) / 4)
    by_hand = ((2 / 3) ** 2 * math.log(3) + 3 * 0.5**2 * math.log(2)) / 4
    assert float(focal(logits, target, weights, 2.0)) == pytest.approx(by_hand)
    expected = torch.nn.functional.cross_entropy(logits, target, weights, ignore_index=UNKNOWN)
    assert float(cross_entropy(logits, target, weights)) == pytest.approx(float(expected))


def test_focal_learns_from_pixels_that_are_sure():
    logits = state_logits(pixels((60.0,), (-60.0,))).requires_grad_()
    focal(logits, row(1, 0, kind=torch.long), torch.ones(2), 2.0).backward()
    assert torch.isfinite(logits.grad).all()


def test_dice_by_hand():
    found = soft_dice(row(2 / 3, 3 / 4, 0.1), row(False, True, True, kind=torch.bool), row(1, 1, 0, kind=torch.bool))
    assert float(found) == pytest.approx(1 - 2.5 / (17 / 12 + 2))


def test_lovasz_of_a_decided_map_is_one_minus_its_iou():
    # Found {1, 2, 3}, true {2, 3, 4, 5}: 2 in both, 5 in either. Pixel 6 is not used.
    found, true = row(1, 1, 1, 0, 0, 1), row(0, 1, 1, 1, 1, 0, kind=torch.bool)
    used = row(1, 1, 1, 1, 1, 0, kind=torch.bool)
    assert float(lovasz(found, true, used)) == pytest.approx(1 - 2 / 5)


def test_lovasz_is_that_of_a_library():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        library = segmentation_models().losses.LovaszLoss("binary", per_image=False)
    generator = torch.Generator().manual_seed(2)
    probability = torch.rand((2, 9, 7), generator=generator)
    truth = torch.rand((2, 9, 7), generator=generator) > 0.7
    # The library takes the hinge of logits, 1 - logit · sign: of 2 p - 1 it is 2 |t - p|.
    expected = float(library(2.0 * probability - 1.0, truth.long())) / 2.0
    assert float(lovasz(probability, truth, torch.ones_like(truth))) == pytest.approx(expected, rel=1e-5)


def test_residual_by_hand():
    # Residuals (1, 0) and (0, 0) of B = 2: mean of ((1/2)² + 0)/2 and 0. The third pixel is not used.
    log_odds, physics = pixels((0, 0), (1, 0), (9, 9)), pixels((-1, 0), (1, 0), (0, 0))
    assert float(residual_penalty(log_odds, physics, 2.0, row(1, 1, 0, kind=torch.bool))) == pytest.approx(1 / 16)


def test_edges_by_hand():
    # One row: steps of the map 0.2, 0.5, -0.1; of the truth 0, 1, 0. The last pixel has no partner that is known.
    probability, truth = row(0.1, 0.3, 0.8, 0.7, 0.0), row(0, 0, 1, 1, 1, kind=torch.bool)
    used = row(1, 1, 1, 1, 0, kind=torch.bool)
    within = (0.2**2 + 0.1**2) / 2
    assert float(edge_loss(probability, truth, used)) == pytest.approx(0.5 * (0.5**2 + within))
    tall = edge_loss(*(values.transpose(-1, -2) for values in (probability, truth, used)))
    assert float(tall) == pytest.approx(0.5 * (0.5**2 + within))
    assert float(edge_loss(truth.float(), truth, used)) == 0.0


def test_indices_are_contradicted_by_hand():
    nan = math.nan
    #           sure water, denied; agreed; sure dry, denied; under canopy; unsure; one unknown; both; cloud
    ndwi = row(0.5, 0.5, -0.6, -0.6, 0.0, nan, nan, 0.5)
    mndwi = row(0.6, 0.6, -0.5, -0.5, 0.5, 0.6, nan, 0.6)
    open_water = row(-4.0, 4.0, 0.5, -5.0, -5.0, -5.0, -5.0, -5.0)
    flood = row(-3.0, 4.0, 0.5, 6.0, -5.0, -0.4, -5.0, -5.0)
    clear = row(1, 1, 1, 1, 1, 1, 1, 0, kind=torch.bool)
    # Huber: |x| - 1/2 above 1, x²/2 below. Five pixels speak surely: 3, 0, 0.5, 0 and 0.4 nats.
    expected = (2.5 + 0.125 + 0.08) / 5
    assert float(index_consistency(open_water, flood, ndwi, mndwi, clear)) == pytest.approx(expected)
    # Where the states are a flood and no water of all kinds, water that is no flood contradicts nothing.
    assert float(index_consistency(open_water, None, ndwi, mndwi, clear)) == pytest.approx(0.125 / 2)


def tensors(terrain: float, index: float) -> tuple[Tensors, torch.Tensor]:
    """Two rows of four pixels, optics alone in the upper one, with ground that falls to the right."""
    modalities = {name: torch.zeros((1, len(channels), 2, 4)) for name, channels in CHANNELS.items()}
    modalities["optical"][:, 2:] = index
    modalities["terrain"][:, 0] = terrain * torch.arange(4, 0, -1)
    upper = torch.tensor([[[True] * 4, [False] * 4]])
    presence = {name: torch.zeros_like(upper) for name in CHANNELS}
    presence["optical"], presence["terrain"] = upper, torch.ones_like(upper)
    return Tensors(modalities, presence, torch.zeros((1, 2, 2, 4))), upper


def test_objective_sums_what_it_asks_for():
    inputs, _ = tensors(terrain=5.0, index=0.5)
    log_odds = torch.full((1, 2, 2, 4), -3.0)
    log_odds[0, 0, :, 0] = 3.0  # wet on the top of the slope
    truth = torch.zeros((1, 2, 4), dtype=torch.uint8)
    truth[0, 0, :2] = 1
    whole = loss_of(log_odds, inputs, truth, CONTRACT, Objective(lovasz=0.5, focal=0.5))
    assert set(whole.terms) == set(Objective.model_fields) - {"weights", "focus"}
    assert all(float(term) > 0 for term in whole.terms.values())
    alone = loss_of(log_odds, inputs, truth, CONTRACT, Objective.model_validate(ONLY_ENTROPY))
    assert set(alone.terms) == {"cross_entropy"}
    assert float(alone.total) == pytest.approx(float(whole.terms["cross_entropy"]))
    flat, _ = tensors(terrain=0.0, index=0.0)
    quiet = loss_of(log_odds, flat, truth, CONTRACT, Objective())
    assert float(quiet.terms["hydrostatic"]) == float(quiet.terms["consistency"]) == 0.0


def test_pixels_without_a_sensor_or_truth_teach_nothing():
    inputs, seen = tensors(terrain=5.0, index=0.5)
    log_odds = torch.randn((1, 2, 2, 4), generator=torch.Generator().manual_seed(1)).requires_grad_()
    truth = torch.ones((1, 2, 4), dtype=torch.uint8)
    loss_of(log_odds, inputs, truth, CONTRACT, Objective(lovasz=1.0, focal=1.0)).total.backward()
    assert (log_odds.grad[0, :, seen[0]] != 0).any()
    assert not log_odds.grad[0, :, ~seen[0]].any()
    log_odds.grad = None
    nobody = torch.full_like(truth, UNKNOWN)
    from_truth = Objective(lovasz=1.0, focal=1.0, hydrostatic=0.0, consistency=0.0)
    loss = loss_of(log_odds, inputs, nobody, CONTRACT, from_truth)
    loss.total.backward()
    assert float(loss.total.detach()) == 0.0
    assert not log_odds.grad.any()
