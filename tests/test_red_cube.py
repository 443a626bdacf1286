"""The red cube: one sensor sees what is red, another what is a cube; only who sees both finds the red cube.

Each sensor has a noisy sign in large fields; flooded is where the signs differ. A sensor alone knows nothing of
it, so the mean of two experts cannot either, however good they are; a network that sees both can.
"""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from models.contract import Architecture, Channel, Contract, Join
from models.networks import build
from models.tensors import Tensors

SENSORS = ("color", "shape")
SIZE, CELL, NOISE = 32, 8, 0.7
STEPS, BATCH = 60, 8


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


def learned(contract: Contract, steps: int = STEPS) -> torch.nn.Module:
    torch.manual_seed(1)
    generator = torch.Generator().manual_seed(2)
    network = build(contract).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=steps)
    for _ in range(steps):
        inputs, truth = batch(contract.sensors, BATCH, generator)
        loss = functional.binary_cross_entropy_with_logits(network(*inputs).log_odds[:, 0], truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return network.eval()


def flood(networks: list[torch.nn.Module]) -> tuple[float, float]:
    """Accuracy and flood IoU on unseen images of the networks' mean log-odds."""
    log_odds = []
    for network in networks:
        inputs, truth = batch(network.contract.sensors, 32, torch.Generator().manual_seed(3))
        with torch.inference_mode():
            log_odds.append(network(*inputs).log_odds[:, 0])
    said, wet = torch.stack(log_odds).mean(dim=0) > 0, truth > 0.5
    return float((said == wet).float().mean()), float((said & wet).sum() / (said | wet).sum())


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
    print(f"accuracy {accuracy:.3f}, IoU {iou:.3f}")
    assert accuracy > 0.9
    assert iou > 0.9


def test_the_mean_of_two_experts_does_not():
    experts = [learned(contract_of("expert", (name,))) for name in SENSORS]
    accuracy, _ = flood(experts)
    print(accuracy)
    assert 0.4 < accuracy < 0.6
