"""What the benchmarks of fusion compute, by hand: a table is no better than its figures."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.contrastive import labelled, split
from benchmarks.inference import (
    counts_apart,
    in_rows,
    inputs_of,
    network_of,
    traffic,
)
from benchmarks.processor import limit, seconds
from benchmarks.uncertainty import auroc, calibration_error, dropout, ensemble, one_head
from models.contract import Architecture, Contract
from models.early import early_contract
from models.network import Network

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def contract() -> Contract:
    return early_contract("tiny", Architecture(depth=2, decoder_channels=(12, 8)))


@pytest.fixture(scope="module")
def network(contract: Contract) -> Network:
    return network_of(contract, {})[0]


def test_auroc_is_the_share_of_pairs_in_order() -> None:
    drawn = np.random.default_rng(0)
    doubt, wrong = drawn.integers(0, 6, 60).astype(float), drawn.random(60) < 0.3
    pairs = [(a > b) + 0.5 * (a == b) for a in doubt[wrong] for b in doubt[~wrong]]
    assert auroc(doubt, wrong) == pytest.approx(np.mean(pairs))
    assert np.isnan(auroc(doubt, np.zeros(60, dtype=bool)))


def test_calibration_error_by_hand() -> None:
    probability = np.array([0.9, 0.9, 0.9, 0.9, 0.1, 0.1])
    happened = np.array([True, True, True, False, False, True])
    assert calibration_error(probability, happened) == pytest.approx((4 * 0.15 + 2 * 0.4) / 6)
    assert calibration_error(np.array([1.0, 0.0]), np.array([True, False])) == 0.0


def test_dropout_of_the_head_leaves_the_network_as_it_was(network: Network) -> None:
    inputs = inputs_of(network.contract, 1, 32)
    with torch.inference_mode():
        before = network(*inputs)
        torch.manual_seed(0)
        drawn = dropout(network, 50)(inputs)
        alone = one_head(network)(inputs)
        after = network(*inputs)
    assert torch.equal(before.log_odds, after.log_odds)
    assert not alone.epistemic.any()
    seen = drawn.epistemic > 0
    assert 0.2 < float(drawn.epistemic[seen].mean() / before.epistemic[seen].mean()) < 5.0


def test_an_ensemble_of_one_network_twice_has_no_doubt(network: Network) -> None:
    inputs = inputs_of(network.contract, 1, 32)
    with torch.inference_mode():
        twice, once = ensemble([network, network])(inputs), network(*inputs)
    assert torch.equal(twice.log_odds, once.log_odds)
    assert not twice.epistemic.any()


def test_seeded_weights_correct_as_much_as_trained_ones(network: Network) -> None:
    inputs = inputs_of(network.contract, 2, 32)
    with torch.inference_mode():
        moved = (network(*inputs).log_odds - inputs.physics).abs()
    assert 0.2 < float(moved.mean()) < network.contract.bound


def test_planes_in_rows_give_the_same_map(network: Network) -> None:
    inputs = inputs_of(network.contract, 1, 64)
    orders = []
    rows = in_rows(network)
    first = next(module for module in rows.body.modules() if isinstance(module, nn.Conv2d))
    first.register_forward_hook(lambda _, given, made: orders.append(given[0].is_contiguous()))
    with torch.inference_mode():
        torch.testing.assert_close(rows(*inputs).log_odds, network(*inputs).log_odds, atol=1e-4, rtol=0.0)
    assert orders == [True]
    assert counts_apart(network.contract, network, CPU) == (0, 0)


def test_traffic_of_one_layer_by_hand(network: Network) -> None:
    class One(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Conv2d(3, 5, 3, padding=1)

        def forward(self, values: torch.Tensor) -> torch.Tensor:
            return self.layer(values)

    moved = traffic(One(), (torch.zeros(2, 3, 8, 8),))  # type: ignore[arg-type]
    assert moved == 4 * (2 * 3 * 64 + 2 * 5 * 64 + 5 * 3 * 9 + 5)


def test_a_compilation_that_takes_too_long_is_stopped() -> None:
    with pytest.raises(TimeoutError, match="after 1 s"), limit(1):
        time.sleep(5.0)


def test_the_first_run_is_not_counted() -> None:
    calls: list[int] = []
    assert seconds(lambda: calls.append(1), CPU, 3) >= 0.0
    assert len(calls) == 4


def test_held_out_events_are_whole_and_few_labels_are_among_the_many() -> None:
    paths = [Path(f"event{event}_{chip}.npz") for event in range(10) for chip in range(4)]
    train, held = split(paths, seed=1)
    assert len(held) == 8
    assert not {path.stem.split("_")[0] for path in train} & {path.stem.split("_")[0] for path in held}
    few, many = labelled(train, 0.05, 1), labelled(train, 0.2, 1)
    assert len(few) == 2
    assert set(few) <= set(many)
    assert labelled(train, 1.0, 1) != []
