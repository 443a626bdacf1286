"""Contrastive pretraining: the loss by hand, what is compared, and that it brings the looks of a place together."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.contract import Architecture, Channel, Contract
from models.learning.contrastive import (
    ContrastiveRecipe,
    View,
    alone,
    compared_looks,
    contrast,
    encoded_looks,
    info_nce,
    pretrain,
)
from models.tensors import Tensors

SIDE = 32


def channel(name: str, presence: str) -> Channel:
    return Channel(name=name, unit="1", clip=(-5.0, 5.0), mean=0.0, std=1.0, presence=presence)


def contract() -> Contract:
    names = ("c_band", "optical", "c_band@1", "terrain")
    return Contract(
        name="tiny",
        strategy="intermediate",
        architecture=Architecture(join="concat", depth=1, decoder_channels=(4,)),
        modalities={name: (channel("one", name), channel("two", name)) for name in names},
        presence=(*names, "c_band_before", "c_band@1_before"),
        context=("terrain",),
    )


class Tiny(nn.Module):
    """An encoder a sensor: two convolutions, features at one half and one quarter."""

    def __init__(self) -> None:
        super().__init__()
        self.contract = contract()
        self.encoders = nn.ModuleDict({name: self._encoder() for name in self.contract.sensors})

    def _encoder(self) -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(4, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 16, 3, 2, 1), nn.BatchNorm2d(16)
        )

    def normalised(self, name: str, values: Tensor, presence: dict[str, Tensor]) -> Tensor:
        return torch.nan_to_num(values) * presence[name][:, None]

    def encoded(self, sensor: str, modalities: dict[str, Tensor], presence: dict[str, Tensor]) -> list[View]:
        features = self.encoders[sensor](torch.cat([modalities[sensor], modalities["terrain"]], dim=1))
        seen = functional.adaptive_max_pool2d(presence[sensor].float(), features.shape[-2:]) > 0
        return [(features, seen)]


class TwoViews:
    """Places with a hidden state that both sensors see, each in its own terms and with its own noise."""

    def __init__(self, count: int) -> None:
        self.count, self.epoch = count, 0

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Tensors, Tensor]:
        drawn = torch.Generator().manual_seed(index)
        state = functional.interpolate(torch.randn(1, 2, 8, 8, generator=drawn), scale_factor=4)[0]
        noise = [0.3 * torch.randn(2, SIDE, SIDE, generator=drawn) for _ in range(3)]
        modalities = {
            "c_band": state + noise[0],
            "optical": -state.flip(0) + noise[1],
            "c_band@1": noise[2],
            "terrain": state,
        }
        presence = {name: torch.ones(SIDE, SIDE, dtype=torch.bool) for name in contract().presence}
        return Tensors(modalities, presence, torch.zeros(2, SIDE, SIDE)), torch.zeros(SIDE, SIDE, dtype=torch.uint8)


def slow_info_nce(first: Tensor, second: Tensor, temperature: float) -> float:
    """Place by place, both ways, with exponentials."""
    total = 0.0
    for one, two in ((first, second), (second, first)):
        for i in range(len(one)):
            similar = [
                math.exp(float(one[i] @ two[j] / (one[i].norm() * two[j].norm())) / temperature)
                for j in range(len(two))
            ]
            total -= math.log(similar[i] / sum(similar)) / (2 * len(one))
    return total


def batch(count: int = 4) -> Tensors:
    items = [TwoViews(count)[index][0] for index in range(count)]
    return Tensors(
        {name: torch.stack([one.modalities[name] for one in items]) for name in items[0].modalities},
        {name: torch.stack([one.presence[name] for one in items]) for name in items[0].presence},
        torch.stack([one.physics for one in items]),
    )


def test_loss_equals_the_slow_one() -> None:
    torch.manual_seed(0)
    first, second = torch.randn(7, 5), torch.randn(7, 5)
    for temperature in (0.1, 1.0):
        assert float(info_nce(first, second, temperature)) == pytest.approx(
            slow_info_nce(first, second, temperature), rel=1e-5
        )


def test_loss_is_log_n_for_the_ignorant_and_0_for_the_perfect() -> None:
    assert float(info_nce(torch.ones(8, 3), torch.ones(8, 3), 0.1)) == pytest.approx(math.log(8))
    assert float(info_nce(torch.eye(8), torch.eye(8), 0.01)) == pytest.approx(0.0, abs=1e-6)
    assert float(info_nce(3.0 * torch.eye(8), torch.eye(8), 0.5)) == pytest.approx(
        float(info_nce(torch.eye(8), torch.eye(8), 0.5))
    )


def test_only_places_that_both_saw_are_compared() -> None:
    torch.manual_seed(0)
    first, second = torch.randn(2, 6, 3, 3), torch.randn(2, 6, 3, 3)
    seen = torch.zeros(2, 3, 3, dtype=torch.bool)
    seen[0, 0] = True
    everywhere = torch.ones_like(seen)
    recipe = ContrastiveRecipe()
    found = contrast({"a": (first, seen), "b": (second, everywhere)}, recipe)
    assert found is not None
    rows = [values[0, :, 0].T for values in (first, second)]
    assert float(found) == pytest.approx(slow_info_nce(rows[0], rows[1], recipe.temperature), rel=1e-5)
    assert contrast({"a": (first, seen), "b": (second, ~seen)}, recipe) is None


def test_a_look_alone_brings_its_own_masks_and_nothing_else() -> None:
    inputs = batch()
    values, masks = alone(
        "c_band@1", inputs.modalities, inputs.presence | {"c_band@1_before": ~inputs.presence["c_band"]}
    )
    assert torch.equal(values["c_band"], inputs.modalities["c_band@1"])
    assert masks["c_band"].all()
    assert not masks["c_band_before"].any()
    for name in ("optical", "terrain", "c_band@1"):
        assert not masks[name].any()
        assert not values[name].any()


def test_terrain_is_withheld_from_what_is_compared() -> None:
    network, inputs = Tiny().eval(), batch()
    plain = encoded_looks(network, inputs, ("c_band",))["c_band"][0]
    other = inputs.modalities | {"terrain": inputs.modalities["terrain"] + 3.0}
    again = encoded_looks(network, inputs._replace(modalities=other), ("c_band",))["c_band"][0]
    assert torch.equal(plain, again)


def test_earlier_looks_are_compared_only_where_asked_for() -> None:
    assert compared_looks(contract(), dates=False) == ("c_band", "optical")
    assert compared_looks(contract(), dates=True) == ("c_band", "optical", "c_band@1")
    one = contract().model_copy(update={"modalities": {"c_band": contract().modalities["c_band"]}})
    with pytest.raises(ValueError, match="two looks of a place"):
        compared_looks(one, dates=False)


def rank_of_own(network: Tiny) -> float:
    """Mean share of other places that lie nearer to a place's optical features than its own radar features do."""
    network.eval()
    with torch.no_grad():
        views = encoded_looks(network, batch(), ("c_band", "optical"))
    rows = [functional.normalize(f.permute(0, 2, 3, 1).flatten(0, 2), dim=1) for f, _ in views.values()]
    similar = (rows[0] @ rows[1].T).numpy()
    return float(np.mean(similar > np.diag(similar)[:, None]))


def test_a_few_steps_bring_the_looks_of_a_place_together() -> None:
    torch.manual_seed(1)
    network, said = Tiny(), list[str]()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    start = rank_of_own(network)
    network.train()
    recipe = ContrastiveRecipe(epochs=6, batch=8, rate=5e-3, width=16, places=256)
    weights = pretrain(network, TwoViews(32), recipe, report=said.append)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])
    again = pretrain(network, TwoViews(32), recipe, report=lambda _: None)
    assert all(torch.equal(weights[name], again[name]) for name in weights)
    network.encoders.load_state_dict(weights)
    assert start > 0.3
    assert rank_of_own(network) < 0.1
    losses = [float(line.rpartition(" ")[2]) for line in said]
    assert losses[-1] < 0.7 * losses[0]
    assert sum(later < earlier for earlier, later in pairwise(losses)) >= 4


def test_without_a_place_that_two_saw_it_says_so() -> None:
    class Blind(TwoViews):
        def __getitem__(self, index: int) -> tuple[Tensors, Tensor]:
            inputs, truth = super().__getitem__(index)
            nowhere = torch.zeros(SIDE, SIDE, dtype=torch.bool)
            return inputs._replace(presence=inputs.presence | {"optical": nowhere}), truth

    with pytest.raises(ValueError, match="No place of 4 chips is seen by two of c_band, optical"):
        pretrain(Tiny(), Blind(4), ContrastiveRecipe(epochs=1, batch=2), report=lambda _: None)
