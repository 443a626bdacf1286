"""Loss, chips and fit."""

from __future__ import annotations

import csv
import math

import numpy as np
import pytest
import torch

from models.checkpoint import load
from models.chips import Augmentation, ChipSet, _shaken, chip_paths, read_chip, split_by_group, write_chip
from models.contract import Training
from models.early import SENSORS, EarlyFusion, early_contract
from models.fit import Recipe, fit
from models.inputs import CHANNELS, ModelInput
from models.losses import flood_probability, masked_loss, state_logits
from models.score import iou, score

PRIOR = np.array([-1.0, -3.0], dtype=np.float32)
SIZE = 32


@pytest.fixture(scope="module")
def contract():
    return early_contract()


def noisy_chip(seed: int) -> tuple[ModelInput, np.ndarray]:
    """A disc of water under evidence so noisy that only neighbours tell the truth: to be learnt."""
    generator = np.random.default_rng(seed)
    rows, columns = np.ogrid[:SIZE, :SIZE]
    row, column = generator.uniform(8, 24, 2)
    truth = ((rows - row) ** 2 + (columns - column) ** 2 < generator.uniform(6, 12) ** 2).astype(np.uint8)
    modalities, parts = {}, {}
    for name, channels in ((sensor, CHANNELS[sensor]) for sensor in SENSORS):
        water = np.where(truth == 1, 1.0, -1.0) + generator.normal(0, 2, truth.shape)
        parts[name] = np.stack([water, np.full(truth.shape, -2.0)]).astype("f4")
        rest = generator.normal(0, 1, (len(channels) - 2, *truth.shape))
        modalities[name] = np.concatenate([parts[name], rest]).astype("f4")
    modalities["terrain"] = generator.uniform(0, 9, (2, *truth.shape)).astype("f4")
    names = (*CHANNELS, "c_band_before", "l_band_before")
    presence = {name: np.ones(truth.shape, dtype=bool) for name in names}
    return ModelInput(modalities, presence, parts, PRIOR), truth


@pytest.fixture(scope="module")
def chips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chips")
    for scene in range(5):
        for chip in range(4):
            write_chip(folder / f"scene{scene}_{chip}.npz", *noisy_chip(10 * scene + chip))
    return folder


# --- loss


def pixels(*log_odds):
    """(1, 2, 1, N) from pairs."""
    return torch.tensor(log_odds, dtype=torch.float32).T[None, :, None, :]


def test_loss_of_hand_computed_values():
    # Pixel 1, dry, logits (0, 0, 0): -ln(1/3) = ln 3. Pixel 2, water, logits (0, ln 2, 0): -ln(2/4) = ln 2.
    # Weights 1 and 3: (ln 3 + 3 ln 2) / 4. Pixels 3 and 4 (truth 255, not observed) weigh nothing.
    # Flood probabilities 2/3 and 3/4, truth 0 and 1: Dice 1 - (2·3/4 + 1) / (17/12 + 1 + 1).
    # Residuals (1, 0) and (0, 0) of B = 2: mean of ((1/2)² + 0)/2 and 0 = 1/16.
    log_odds = pixels((0, 0), (math.log(2), 0), (9, 9), (9, 9))
    physics = pixels((-1, 0), (math.log(2), 0), (0, 0), (0, 0))
    truth = torch.tensor([[[0, 1, 255, 0]]], dtype=torch.uint8)
    observed = torch.tensor([[[True, True, True, False]]])
    loss = masked_loss(log_odds, physics, truth, observed, weights=(1.0, 3.0, 5.0), dice=0.5, penalty=0.1, bound=2.0)
    entropy = (math.log(3) + 3 * math.log(2)) / 4
    dice = 1 - 2.5 / (17 / 12 + 2)
    np.testing.assert_allclose([float(term) for term in loss[1:]], [entropy, dice, 1 / 16], rtol=1e-5)
    assert float(loss.total) == pytest.approx(entropy + 0.5 * dice + 0.1 / 16, rel=1e-5)


def test_loss_of_nothing_seen_is_finite_and_teaches_nothing():
    log_odds = torch.randn(1, 2, 4, 4, requires_grad=True)
    truth, observed = torch.ones(1, 4, 4, dtype=torch.uint8), torch.zeros(1, 4, 4, dtype=torch.bool)
    loss = masked_loss(log_odds, log_odds.detach(), truth, observed)
    loss.total.backward()
    assert float(loss.total.detach()) == 0.0
    assert log_odds.grad is not None
    assert not log_odds.grad.any()


def test_three_states_from_two_log_odds():
    # Odds 1 : 3 : 2 are probabilities 1/6, 3/6, 2/6; flood is 5/6.
    log_odds = pixels((math.log(3), math.log(2)))
    np.testing.assert_allclose(torch.softmax(state_logits(log_odds), 1).flatten(), [1 / 6, 3 / 6, 2 / 6], rtol=1e-6)
    assert float(flood_probability(log_odds)) == pytest.approx(5 / 6)


# --- chips


def test_a_chip_comes_back(tmp_path):
    inputs, truth = noisy_chip(0)
    write_chip(tmp_path / "a_0.npz", inputs, truth)
    again, same = read_chip(tmp_path / "a_0.npz")
    np.testing.assert_array_equal(same, truth)
    np.testing.assert_allclose(again.physics, inputs.physics, atol=0.02)
    np.testing.assert_allclose(again.modalities["optical"], inputs.modalities["optical"], rtol=1e-3)
    assert {name: again.channels[name] for name in CHANNELS} == CHANNELS


def test_groups_are_never_split(chips):
    paths = chip_paths(chips)
    train, validation = split_by_group(paths, 0.4, seed=3)
    assert sorted(train + validation) == paths
    assert len(validation) == 8
    assert not {path.name[:6] for path in train} & {path.name[:6] for path in validation}
    assert split_by_group(paths, 0.4, seed=3) == (train, validation)
    with pytest.raises(ValueError, match="one group"):
        split_by_group(paths[:4], 0.4, seed=3)
    with pytest.raises(FileNotFoundError, match="No chips"):
        chip_paths(chips / "none")


def test_augmentation_is_seeded_and_never_takes_every_sensor(chips, contract):
    paths = chip_paths(chips)
    augmentation = Augmentation(turn=True, drop=0.9, blob=0.5)
    first, second = (ChipSet(paths, contract, augmentation=augmentation, seed=5) for _ in range(2))
    dropped = 0
    for index in range(len(paths)):
        one, two = first[index], second[index]
        assert torch.equal(one.inputs.physics, two.inputs.physics)
        assert torch.equal(one.truth, two.truth)
        present = [bool(one.inputs.presence[name].any()) for name in SENSORS]
        assert any(present)
        dropped += present.count(False)
    assert dropped > len(paths)
    second.epoch = 1
    assert not torch.equal(first[0].inputs.physics, second[0].inputs.physics)


def test_a_dropped_modality_takes_its_evidence_out_of_the_physics(chips, contract):
    paths = chip_paths(chips)
    inputs, _ = read_chip(paths[0])
    sample = ChipSet(paths, contract, without=("c_band", "optical"))[0]
    expected = PRIOR[:, None, None] + inputs.parts["l_band"]
    np.testing.assert_allclose(sample.inputs.physics, expected, atol=1e-6)


def test_turning_moves_everything_together(chips, contract):
    paths = chip_paths(chips)[:1]
    chipset = ChipSet(paths, contract, augmentation=Augmentation(turn=True))
    plain = ChipSet(paths, contract)[0]
    seen = set()
    for epoch in range(40):
        chipset.epoch = epoch
        turned = chipset[0]
        for quarters in range(4):
            for mirror in (False, True):
                if torch.equal(_turn(plain.inputs.physics, quarters, mirror), turned.inputs.physics):
                    assert torch.equal(_turn(plain.truth, quarters, mirror), turned.truth)
                    values = plain.inputs.modalities["c_band"]
                    assert torch.equal(_turn(values, quarters, mirror), turned.inputs.modalities["c_band"])
                    seen.add((quarters, mirror))
    assert len(seen) == 8


def _turn(tensor, quarters, mirror):
    turned = torch.rot90(tensor, quarters, (-2, -1))
    return turned.flip(-1) if mirror else turned


# --- score and fit


def test_iou():
    assert iou(1, 4) == 0.25
    assert iou(0, 0) == 1.0


def test_untrained_network_scores_like_the_physics(chips, contract):
    scores = score(EarlyFusion(contract), chip_paths(chips)[:3], 2, torch.device("cpu"))
    assert list(scores) == ["all", "without c_band", "without l_band", "without optical"]
    assert all(row["physics"] == row["network"] for row in scores.values())
    assert scores["all"]["physics"] > scores["without c_band"]["physics"]


def test_a_fit_learns_what_neighbours_tell_and_leaves_a_checkpoint(chips, contract, tmp_path):
    lines: list[str] = []
    recipe = Recipe(epochs=16, batch=4, rate=5e-3)
    training = Training(data="discs", seeds=(0,), commands=("pytest",))
    out = tmp_path / "net"
    result = fit(chips, out, recipe, contract=contract, training=training, device="cpu", report=lines.append)
    with result.log.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(lines) == result.epochs + 1
    # Kernels differ by processor, and with them the last digits and the path of a fit: learning, not its exact course.
    assert np.mean([float(row["total"]) for row in rows[-4:]]) < 0.85 * float(rows[1]["total"])
    for scenario in result.scores.values():
        assert scenario["network"] > scenario["physics"] + 0.05
    loaded = load(out, "cpu")
    assert loaded.contract.scores == result.scores
    assert loaded.contract.training.epochs == result.best_epoch > 0
    assert "discs" in (out / "card.md").read_text()


def test_a_seed_gives_the_same_weights(chips, contract, tmp_path):
    recipe = Recipe(epochs=1, batch=8, seed=7)
    results = [
        fit(chips, tmp_path / name, recipe, contract=contract, device="cpu", report=lambda line: None)
        for name in ("a", "b")
    ]
    assert results[0].contract.sha256 == results[1].contract.sha256


def test_shaken_chip_moves_evidence_and_physics_together() -> None:
    """Scale and shift are one number a state and modality: what entered the physics moves as what the network sees."""
    inputs, _ = noisy_chip(3)
    moved = _shaken(inputs, 1.0, np.random.default_rng(4))
    for name, part in inputs.parts.items():
        seen = inputs.presence[name]
        before, after = inputs.modalities[name][0][seen], moved.modalities[name][0][seen]
        scale, bias = np.polyfit(before, after, 1)
        assert np.allclose(moved.parts[name][0][seen], part[0][seen] * scale + bias, atol=1e-3)
        assert (moved.parts[name][:, ~seen] == 0).all()
    assert np.isnan(moved.modalities["c_band"]).sum() == np.isnan(inputs.modalities["c_band"]).sum()
