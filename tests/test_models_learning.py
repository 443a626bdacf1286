"""Chips, sources, augmentation, and the fit."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import torch

from models.checkpoint import load
from models.contract import Architecture, Contract, ContractMismatch, Training
from models.data.chips import chip_paths, read_chip, write_chip
from models.data.sources import FolderSource, KeptSource, Subset, folds, split_by_group
from models.early import SENSORS, EarlyFusion, early_contract
from models.inputs import CHANNELS, ModelInput
from models.learning import augmentation
from models.learning.augmentation import Augmentation, cropped, jittered, robbed, shaken
from models.learning.fit import fit
from models.learning.learner import Learner, WeightAverage
from models.learning.losses import Objective
from models.learning.recipe import Recipe
from models.learning.samples import ChipSet
from models.learning.sampling import EpochOrder, flood_shares, tilted_weights
from models.learning.score import iou, score
from models.tensors import stack, to_tensors

PRIOR = np.array([-1.0, -3.0], dtype=np.float32)
SIZE = 32


@pytest.fixture(scope="module")
def contract():
    return early_contract(architecture=Architecture(depth=2, decoder_channels=(24, 12)))


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
    source = FolderSource(chips)
    train, validation = split_by_group(source, 0.4, seed=3)
    assert sorted(train.names + validation.names) == source.names
    assert len(validation) == 8
    assert not set(train.groups) & set(validation.groups)
    again = split_by_group(source, 0.4, seed=3)
    assert [half.names for half in again] == [train.names, validation.names]
    with pytest.raises(ValueError, match="one group"):
        split_by_group(Subset(source, range(4)), 0.4, seed=3)
    with pytest.raises(FileNotFoundError, match="No chips"):
        chip_paths(chips / "none")


class Names:
    """A source of so many chips a group, none of which can be read."""

    def __init__(self, sizes: list[int]) -> None:
        self.groups = [f"g{group}" for group, size in enumerate(sizes) for _ in range(size)]
        self.names = [f"{group}_{index}" for index, group in enumerate(self.groups)]

    def __len__(self) -> int:
        return len(self.names)

    def read(self, index: int) -> tuple[ModelInput, np.ndarray]:
        raise AssertionError(f"chip {index} was read")


def test_a_share_is_of_the_chips_and_leaves_some_to_learn_from():
    source = Names([50, 30, 5, 5, 5, 5])
    for seed in range(20):
        train, validation = split_by_group(source, 0.2, seed)
        assert 10 <= len(validation) <= 30
        assert len(train) + len(validation) == 100
        few, most = split_by_group(Names([1, 1]), 0.99, seed)
        assert (len(few), len(most)) == (1, 1)


def test_folds_hold_out_every_chip_once_and_part_the_large_groups():
    source = Names([40, 30, 30, 10, 5, 5, 3, 2, 1])
    pairs = folds(source, 3, seed=1)
    held = [set(fold.names) for _, fold in pairs]
    assert set.union(*held) == set(source.names)
    assert sum(map(len, held)) == len(source)
    for train, fold in pairs:
        assert not set(train.groups) & set(fold.groups)
        assert len(train) + len(fold) == len(source)
        assert len({"g0", "g1", "g2"} & set(fold.groups)) == 1
    assert max(map(len, held)) - min(map(len, held)) <= 3
    with pytest.raises(ValueError, match="3 groups"):
        folds(Names([1, 1, 1]), 4, seed=1)


# --- augmentation


def test_augmentation_is_seeded_and_never_takes_every_sensor(chips, contract):
    source = FolderSource(chips)
    augmentation = Augmentation(turn=True, drop=0.9, blob=0.5, shake=1.0, jitter=1.0)
    first, second = (ChipSet(source, contract, augmentation=augmentation, seed=5) for _ in range(2))
    dropped = 0
    for index in range(len(source)):
        one, two = first[index], second[index]
        assert torch.equal(one.inputs.physics, two.inputs.physics)
        assert torch.equal(one.truth, two.truth)
        present = [bool(one.inputs.presence[name].any()) for name in SENSORS]
        assert any(present)
        dropped += present.count(False)
    assert dropped > len(source)
    second.epoch = 1
    assert not torch.equal(first[0].inputs.physics, second[0].inputs.physics)


def test_a_dropped_modality_takes_its_evidence_out_of_the_physics(chips, contract):
    source = FolderSource(chips)
    inputs, _ = source.read(0)
    sample = ChipSet(source, contract, without=("c_band", "optical"))[0]
    expected = PRIOR[:, None, None] + inputs.parts["l_band"]
    np.testing.assert_allclose(sample.inputs.physics, expected, atol=1e-6)


def test_turning_moves_everything_together(chips, contract):
    source = Subset(FolderSource(chips), [0])
    chipset = ChipSet(source, contract, augmentation=Augmentation(turn=True))
    plain = ChipSet(source, contract)[0]
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


def test_shaken_chip_moves_evidence_and_physics_together() -> None:
    """Scale and shift are one number a state and modality: what entered the physics moves as what the network sees."""
    inputs, _ = noisy_chip(3)
    moved = shaken(inputs, 1.0, np.random.default_rng(4))
    for name, part in inputs.parts.items():
        seen = inputs.presence[name]
        before, after = inputs.modalities[name][0][seen], moved.modalities[name][0][seen]
        scale, bias = np.polyfit(before, after, 1)
        assert np.allclose(moved.parts[name][0][seen], part[0][seen] * scale + bias, atol=1e-3)
        assert (moved.parts[name][:, ~seen] == 0).all()
    assert np.isnan(moved.modalities["c_band"]).sum() == np.isnan(inputs.modalities["c_band"]).sum()


def of_8_bit(seed: int) -> ModelInput:
    """Two dates of a radar channel and of bands with their indices, in 0..1."""
    generator = np.random.default_rng(seed)
    bands = ("swir1", "nir", "green", "ndwi", "mndwi")
    modalities, channels = {}, {"s1": ("vv",), "s1@1": ("vv",), "s2": bands, "s2@1": bands}
    for name, names in channels.items():
        modalities[name] = generator.uniform(0.05, 1, (len(names), 16, 24)).astype("f4")
        if len(names) > 1:
            swir, nir, green, *_ = modalities[name]
            modalities[name][3:] = (green - nir) / (green + nir), (green - swir) / (green + swir)
    presence = {name: np.ones((16, 24), dtype=bool) for name in channels}
    parts = {"s2": generator.normal(0, 1, (1, 16, 24)).astype("f4")}
    return ModelInput(modalities, presence, parts, np.array([-1.0], "f4"), channels)


RANGES = {name: dict.fromkeys(names, (0.0, 1.0)) for name, names in of_8_bit(0).channels.items()}


def test_jitter_bends_each_date_alike_everywhere_and_indices_follow():
    inputs = of_8_bit(1)
    bent = jittered(inputs, 1.0, RANGES, np.random.default_rng(2))
    for name, before in inputs.modalities.items():
        after = bent.modalities[name]
        order = np.argsort(before[0], axis=None)
        assert (np.diff(after[0].ravel()[order]) >= 0).all()  # a stretch keeps the order
        assert np.abs(after[0] - before[0]).max() > 0.01
        if name.startswith("s1"):
            assert (after.min() >= 0) & (after.max() <= 1)
    swir, nir, green, ndwi, mndwi = bent.modalities["s2"].astype("f8")
    bright = np.minimum(green + nir, green + swir) > 0.01
    np.testing.assert_allclose(ndwi[bright], ((green - nir) / (green + nir))[bright], atol=1e-5)
    np.testing.assert_allclose(mndwi[bright], ((green - swir) / (green + swir))[bright], atol=1e-5)
    assert not np.allclose(bent.modalities["s1"] - inputs.modalities["s1"], 0)
    physical, _ = noisy_chip(1)
    same = jittered(physical, 1.0, {}, np.random.default_rng(2))
    assert all(np.array_equal(same.modalities[name], values) for name, values in physical.modalities.items())


def test_another_light_is_one_gain_for_all_bands_and_no_index_sees_it(monkeypatch):
    monkeypatch.setattr(augmentation, "HAZE", 0.0)
    inputs = of_8_bit(1)
    lit = jittered(inputs, 1.0, RANGES, np.random.default_rng(2))
    for name in ("s2", "s2@1"):
        before, after = inputs.modalities[name], lit.modalities[name]
        gains = after[:3][before[:3] > 0.01] / before[:3][before[:3] > 0.01]
        assert gains.std() < 1e-5
        assert abs(float(gains.mean()) - 1.0) > 0.01
        bright = before[:3].min(axis=0) > 0.05
        np.testing.assert_allclose(after[3:][:, bright], before[3:][:, bright], atol=1e-4)


def test_shaking_leaves_stretched_channels_and_moves_their_evidence():
    inputs = of_8_bit(1)
    moved = shaken(inputs, 1.0, np.random.default_rng(4))
    assert all(np.array_equal(moved.modalities[name], values) for name, values in inputs.modalities.items())
    scale, bias = np.polyfit(inputs.parts["s2"].ravel(), moved.parts["s2"].ravel(), 1)
    np.testing.assert_allclose(moved.parts["s2"], inputs.parts["s2"] * scale + bias, atol=1e-5)


def test_a_sensor_goes_with_its_earlier_looks_and_one_stays_whole():
    alone, gone = 0, 0
    for seed in range(60):
        hidden = robbed(of_8_bit(0), 0.6, 0.6, np.random.default_rng(seed)).presence
        whole = [name for name in ("s1", "s2") if hidden[name].all()]
        assert whole
        for name in ("s1", "s2"):
            assert not (hidden[f"{name}@1"] & ~hidden[name]).any()
            gone += not hidden[name].any()
            alone += hidden[name].all() and not hidden[f"{name}@1"].any()
    assert alone > 5
    assert gone > 5


def test_what_is_hidden_leaks_nowhere(contract):
    """Other values under a hidden sensor give the same network inputs and the same physics."""
    inputs, _ = noisy_chip(5)
    hidden = np.zeros((SIZE, SIZE), dtype=bool)
    hidden[:, 10:] = True
    other = dict(inputs.modalities)
    other["c_band"] = np.where(hidden, np.float32(7.0), inputs.modalities["c_band"])
    nats = {**inputs.parts, "c_band": np.where(hidden, np.float32(7.0), inputs.parts["c_band"])}
    changed = ModelInput(other, inputs.presence, nats, inputs.prior, inputs.channels)
    network = EarlyFusion(contract)
    seen = []
    for one in (inputs, changed):
        tensors = to_tensors(one.without({"c_band": hidden}), contract)
        batch = stack([tensors])
        seen.append(network.normalised("c_band", batch.modalities["c_band"], batch.presence))
        seen.append(tensors.physics)
    assert torch.equal(seen[0], seen[2])
    assert torch.equal(seen[1], seen[3])


def test_a_square_is_cut_from_everything_alike():
    inputs, truth = noisy_chip(6)
    cut, same = cropped(inputs, truth, 8, np.random.default_rng(1))
    assert cut.shape == same.shape == (8, 8)
    places = [
        (row, column)
        for row in range(SIZE - 7)
        for column in range(SIZE - 7)
        if np.array_equal(inputs.modalities["c_band"][:, row : row + 8, column : column + 8], cut.modalities["c_band"])
    ]
    (row, column) = places[0]
    np.testing.assert_array_equal(truth[row : row + 8, column : column + 8], same)
    np.testing.assert_array_equal(inputs.parts["optical"][:, row : row + 8, column : column + 8], cut.parts["optical"])


# --- sampling


def test_tilted_draws_have_the_share_that_is_asked_for():
    shares = np.array([0.0, 0.1, 0.5, 0.9, np.nan])
    for target in (0.05, 0.2, 0.375, 0.7):
        weights = tilted_weights(shares, target)
        filled = np.where(np.isnan(shares), 0.375, shares)
        assert weights.sum() == pytest.approx(1)
        assert weights @ filled == pytest.approx(target, abs=1e-6)
        # The nearest in relative entropy: ln w is a straight line in the share.
        slope = np.diff(np.log(weights[:4])) / np.diff(shares[:4])
        np.testing.assert_allclose(slope, slope[0], rtol=1e-6, atol=1e-9)
    with pytest.raises(ValueError, match=r"hold 0 to 0\.9"):
        tilted_weights(shares, 0.95)


def test_flood_share_of_known_pixels(tmp_path):
    inputs, truth = noisy_chip(0)
    truth[:] = 255
    truth[0, :4] = (0, 1, 2, 0)
    write_chip(tmp_path / "a_0.npz", inputs, truth)
    assert flood_shares(FolderSource(tmp_path)).tolist() == [0.5]


# --- score and fit


def test_iou():
    assert iou(1, 4) == 0.25
    assert iou(0, 0) == 1.0


def test_untrained_network_scores_like_the_physics(chips, contract):
    scores = score(EarlyFusion(contract), Subset(FolderSource(chips), range(3)), 2, torch.device("cpu"))
    assert list(scores) == ["all", "without c_band", "without l_band", "without optical"]
    assert all(row["physics"] == row["network"] for row in scores.values())
    assert scores["all"]["physics"] > scores["without c_band"]["physics"]


def test_a_single_sensor_has_one_scenario(chips):
    expert = early_contract(sensors=("l_band",), architecture=Architecture(depth=2, decoder_channels=(16, 8)))
    scores = score(EarlyFusion(expert), Subset(FolderSource(chips), range(2)), 2, torch.device("cpu"))
    assert list(scores) == ["all"]


def test_average_of_weights_by_hand():
    network = torch.nn.Linear(1, 1, bias=False)
    average = WeightAverage(network, 0.5)
    expected = float(network.weight.detach())
    for step in range(1, 6):
        with torch.no_grad():
            network.weight.fill_(step)
        average.update(network)
        share = 1 - min(0.5, step / (9 + step))
        expected += share * (step - expected)
    assert float(average.network.weight) == pytest.approx(expected)


def quiet(line: str) -> None:
    """Tell nobody."""


def test_a_fit_learns_what_neighbours_tell_and_leaves_a_checkpoint(chips, contract, tmp_path):
    lines: list[str] = []
    recipe = Recipe(epochs=16, batch=4, rate=5e-3, average=0.9)
    training = Training(data="discs", seeds=(0,), commands=("pytest",))
    out = tmp_path / "net"
    result = fit(
        FolderSource(chips), out, recipe, contract=contract, training=training, device="cpu", report=lines.append
    )
    with result.log.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(lines) == result.epochs + 1
    # Kernels differ by processor, and with them the last digits and the path of a fit: learning, not its exact course.
    assert np.mean([float(row["loss"]) for row in rows[-4:]]) < 0.85 * float(rows[1]["loss"])
    for scenario in result.scores.values():
        assert scenario["network"] > scenario["physics"] + 0.05
    loaded = load(out, "cpu")
    assert loaded.contract.scores == result.scores
    assert loaded.contract.training.epochs == result.best_epoch > 0
    assert "discs" in (out / "card.md").read_text()
    assert list((tmp_path / "net.events").iterdir())
    assert not (tmp_path / "net.resume").exists()


class Interrupted(Exception):
    """What a fit is stopped by."""


def test_a_fit_that_was_interrupted_ends_with_the_same_weights(chips, contract, tmp_path):
    recipe = Recipe(epochs=3, batch=8, seed=7, flood_share=0.2, precision="float32")
    source = FolderSource(chips)

    def stop(line: str) -> None:
        if line.startswith("epoch 2/"):
            raise Interrupted

    whole = fit(source, tmp_path / "a", recipe, contract=contract, device="cpu", report=quiet)
    with pytest.raises(Interrupted):
        fit(source, tmp_path / "b", recipe, contract=contract, device="cpu", report=stop)
    assert not (tmp_path / "b").exists()
    with pytest.raises(ContractMismatch, match=r"another recipe.*remove that folder"):
        fit(source, tmp_path / "b", recipe.model_copy(update={"rate": 1e-3}), contract=contract, device="cpu")
    lines: list[str] = []
    resumed = fit(source, tmp_path / "b", recipe, contract=contract, device="cpu", report=lines.append)
    assert [line.partition(":")[0] for line in lines[1:]] == ["epoch 3/3"]
    assert "going on after epoch 2" in lines[0]
    assert resumed.contract.sha256 == whole.contract.sha256
    assert resumed.contract.training.shares == whole.contract.training.shares
    assert sum(whole.contract.training.shares) == pytest.approx(1)
    assert whole.contract.training.shares[1] == pytest.approx(0.2, abs=0.04)  # as drawn, not as it lies there
    numbers = []
    for log in (whole.log, resumed.log):
        with log.open() as file:
            rows = list(csv.DictReader(file))
        numbers.append([{name: text for name, text in row.items() if name != "seconds"} for row in rows])
    assert numbers[0] == numbers[1]


def test_an_expert_learns_by_its_own_objective_in_low_precision(chips):
    expert = early_contract(sensors=("optical",), architecture=Architecture(depth=2, decoder_channels=(16, 8)))
    recipe = Recipe(epochs=1, precision="bfloat16", experts={"optical": Objective(focal=1.0, cross_entropy=0.0)})
    halves = split_by_group(FolderSource(chips), 0.2, 0)
    learner = Learner(recipe, expert, torch.device("cpu"), *halves)
    rows = list(learner.epochs())
    assert {"focal", "dice", "consistency", "penalty"} <= set(rows[1])
    assert "cross_entropy" not in rows[1]
    assert all(np.isfinite(list(row.values())).all() for row in rows)
    assert all(value.dtype != torch.bfloat16 for value in learner.best_weights.values())


def test_a_recipe_must_fit_the_contract(chips, contract, tmp_path):
    recipe = Recipe(objective=Objective(weights=(1.0, 2.0)))
    with pytest.raises(ContractMismatch, match="2 weights; give 3, of dry, open_water, flooded_vegetation"):
        fit(FolderSource(chips), tmp_path / "a", recipe, contract=contract, device="cpu", report=quiet)
    recipe = Recipe(augmentation=Augmentation(side=18))
    with pytest.raises(ContractMismatch, match="multiples of 4"):
        fit(FolderSource(chips), tmp_path / "a", recipe, contract=contract, device="cpu", report=quiet)


def test_one_state_and_squares(tmp_path):
    """A data set of one state without physical units, from a source that is no folder."""

    class Floods:
        names: tuple[str, ...] = ("a0", "a1", "b0", "b1")
        groups: tuple[str, ...] = ("a", "a", "b", "b")

        def __len__(self) -> int:
            return len(self.names)

        def read(self, index: int) -> tuple[ModelInput, np.ndarray]:
            inputs = of_8_bit(index)
            return inputs, (inputs.modalities["s2"][3] > 0).astype(np.uint8)

    modalities = {
        name: [
            {"name": channel, "unit": "1", "clip": (-1.0 if "dwi" in channel else 0.0, 1.0), "mean": 0.3, "std": 0.3}
            | {"presence": name}
            for channel in channels
        ]
        for name, channels in of_8_bit(0).channels.items()
    }
    contract = Contract.model_validate(
        {"name": "one", "modalities": modalities, "presence": tuple(modalities), "states": ("flood",), "form": "free"}
        | {"architecture": {"depth": 2, "decoder_channels": (16, 8)}, "stride": 4}
    )
    recipe = Recipe(epochs=1, batch=2, augmentation=Augmentation(turn=True, side=16, jitter=1.0, drop=0.3))
    result = fit(Floods(), tmp_path / "one", recipe, contract=contract, device="cpu", report=quiet)
    assert list(result.scores) == ["all", "without s1", "without s2"]


# --- kept chips, and chips that come twice


def test_kept_chips_are_read_once_as_far_as_they_fit(chips):
    class Counted(FolderSource):
        reads = 0

        def read(self, index):
            self.reads += 1
            return super().read(index)

    source = Counted(chips)
    first = source.read(0)
    size = first[1].nbytes + sum(
        array.nbytes for part in (first[0].modalities, first[0].presence, first[0].parts) for array in part.values()
    )
    kept = KeptSource(source, limit=1.5 * size)  # one of two
    source.reads = 0
    for _ in range(3):
        for index in (0, 1):
            truth = kept.read(index)[1]
            np.testing.assert_array_equal(truth, FolderSource(chips).read(index)[1])
    assert source.reads == 1 + 3
    assert (kept.names, kept.groups, len(kept)) == (source.names, source.groups, len(source))


@pytest.mark.parametrize("weights", [None, np.full(3, 1 / 3)])
def test_a_chip_that_is_drawn_twice_is_varied_twice(chips, weights):
    source = Subset(FolderSource(chips), range(3))
    order = EpochOrder(3, seed=1, weights=weights, draws=4)
    drawn = list(order)
    assert len(order) == len(drawn) == len(set(drawn)) == 12
    if weights is None:
        assert sorted(index % 3 for index in drawn) == sorted(list(range(3)) * 4)
    chipset = ChipSet(source, early_contract(), augmentation=Augmentation(side=8), seed=2)
    same = [index for index in drawn if index % 3 == drawn[0] % 3]
    squares = {
        chipset[index].truth.numpy().tobytes() + chipset[index].inputs.physics.numpy().tobytes() for index in same
    }
    assert len(squares) > 1
