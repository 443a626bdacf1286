"""What joins must do on tasks made for it: find what no sensor sees alone, and hear no sensor that lies.

The red cube: one sensor sees what is red, another what is a cube; only who sees both finds it. Each sensor has a noisy
sign in large fields; flooded is where the signs differ. A sensor alone knows nothing of it, so the mean of two experts
cannot either, however good they are; a network that sees both can.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch.nn import functional

from models.contract import Architecture, Channel, Contract, Join
from models.networks import build
from models.tensors import Tensors

SENSORS = ("color", "shape")
SIZE, CELL, NOISE = 32, 8, 0.7
STEPS, BATCH = 50, 8


def contract_of(strategy: str, sensors: tuple[str, ...], join: Join | None = None) -> Contract:
    """A small free network: the physics is 0, and nothing holds the network to it."""
    architecture = Architecture(
        encoder_options={"channels": (16, 16, 16, 16), "stem_width": 8},
        depth=2,
        decoder_channels=(16, 16),
        members=2,
        window=2,
        join=join,
    )
    return Contract(
        name="cube",
        strategy=strategy,
        architecture=architecture,
        modalities={
            name: (Channel(name="sign", unit="1", clip=(-5, 5), mean=0, std=1, presence=name),) for name in sensors
        },
        presence=sensors,
        states=("flood",),
        form="free",
        stride=8,
    )


def fields(count: int, generator: torch.Generator) -> torch.Tensor:
    """(count, SIZE, SIZE) of -1 and 1 in squares of CELL pixels."""
    coarse = torch.randint(0, 2, (count, 1, SIZE // CELL, SIZE // CELL), generator=generator)
    return functional.interpolate(2.0 * coarse - 1.0, scale_factor=CELL)[:, 0]


def batch(sensors: tuple[str, ...], count: int, generator: torch.Generator) -> tuple[Tensors, torch.Tensor]:
    """What the sensors see, and the truth (count, SIZE, SIZE) in 0 and 1."""
    signs = {name: fields(count, generator) for name in SENSORS}
    truth = (signs["color"] != signs["shape"]).float()
    noisy = {name: sign + NOISE * torch.randn(sign.shape, generator=generator) for name, sign in signs.items()}
    seen = torch.ones(count, SIZE, SIZE, dtype=torch.bool)
    modalities = {name: noisy[name][:, None] for name in sensors}
    return Tensors(modalities, dict.fromkeys(sensors, seen), torch.zeros(count, 1, SIZE, SIZE)), truth


Scene = Callable[[tuple[str, ...], int, torch.Generator], tuple[Tensors, torch.Tensor]]


def learned(contract: Contract, scene: Scene = batch) -> torch.nn.Module:
    torch.manual_seed(1)
    generator = torch.Generator().manual_seed(2)
    network = build(contract).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=STEPS)
    for _ in range(STEPS):
        inputs, truth = scene(contract.sensors, BATCH, generator)
        loss = functional.binary_cross_entropy_with_logits(network(*inputs).log_odds[:, 0], truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return network.eval()


def iou_of(log_odds: torch.Tensor, truth: torch.Tensor) -> float:
    said, wet = log_odds > 0, truth > 0.5
    return float((said & wet).sum() / (said | wet).sum())


def flood(networks: list[torch.nn.Module]) -> tuple[float, float]:
    """Accuracy and flood IoU on unseen images of the networks' mean log-odds."""
    log_odds = []
    for network in networks:
        inputs, truth = batch(network.contract.sensors, 32, torch.Generator().manual_seed(3))
        with torch.inference_mode():
            log_odds.append(network(*inputs).log_odds[:, 0])
    mean = torch.stack(log_odds).mean(dim=0)
    return float(((mean > 0) == (truth > 0.5)).float().mean()), iou_of(mean, truth)


@pytest.mark.parametrize(
    "contract",
    [
        contract_of("early", SENSORS),
        *(contract_of("intermediate", SENSORS, join) for join in ("concat", "gated", "attention", "tensor")),
    ],
    ids=["early", "concat", "gated", "attention", "tensor"],
)
def test_who_sees_both_finds_it(contract):
    accuracy, iou = flood([learned(contract)])
    assert accuracy > 0.9
    assert iou > 0.9


def test_the_mean_of_two_experts_does_not():
    experts = [learned(contract_of("expert", (name,))) for name in SENSORS]
    accuracy, _ = flood(experts)
    assert 0.4 < accuracy < 0.6


WITNESSES = ("first", "second", "third")
NOBODY = 3


def witnesses(
    sensors: tuple[str, ...], count: int, generator: torch.Generator, liar: int | None = None
) -> tuple[Tensors, torch.Tensor]:
    """All see the flood, but one, another in every image, shows other fields, in more noise; or nobody does."""
    truth = fields(count, generator)
    drawn = torch.randint(0, NOBODY + 1, (count,), generator=generator)
    lies = (drawn if liar is None else torch.full_like(drawn, liar))[:, None, None]
    modalities = {}
    for number, name in enumerate(sensors):
        sign = torch.where(lies == number, fields(count, generator), truth)
        noise = torch.where(lies == number, 2.0 * NOISE, NOISE)
        modalities[name] = (sign + noise * torch.randn(sign.shape, generator=generator))[:, None]
    seen = dict.fromkeys(sensors, torch.ones(truth.shape, dtype=torch.bool))
    return Tensors(modalities, seen, torch.zeros(count, 1, SIZE, SIZE)), (truth + 1.0) / 2.0


@pytest.mark.parametrize("join", ["gated", "attention"])
def test_a_sensor_that_lies_loses_its_share_and_not_the_map(join):
    network = learned(contract_of("intermediate", WITNESSES, join), witnesses)
    shares = {}
    for liar in range(NOBODY + 1):
        inputs, truth = witnesses(WITNESSES, 16, torch.Generator().manual_seed(4), liar)
        with torch.inference_mode():
            output = network(*inputs)
        assert iou_of(output.log_odds[:, 0], truth) > 0.95
        if liar != NOBODY:
            assert iou_of(torch.stack(list(inputs.modalities.values())).mean(dim=0)[:, 0], truth) < 0.8
        shares[liar] = output.trust.mean(dim=(0, 2, 3))
    lying = sum(float(shares[number][number]) for number in range(NOBODY)) / NOBODY
    honest = float(shares[NOBODY].mean())
    assert lying < 0.95 * honest
