"""Tiles a second of every strategy on the device at hand, and what each way of running costs in accuracy.

    python -m benchmarks.inference [--device auto] [--window 512] [--repeats 5] [--weights DIR ...] [--only NAME]

Needs torch, segmentation-models-pytorch and `models/`; no data. Inputs are smooth random fields with sensors missing
in places. A network without a checkpoint gets seeded weights whose corrections are as large as a trained one's. A tile
is a core of `--window` pixels with the network's own halo; one batch is what `predict` takes. Times are medians;
"ratio" is to plain float32 in the same run. Accuracy is against plain float32: of log-odds in nats, and of pixels that
are wet in one and dry in the other. The device's matrix rate (of 32- and 16-bit products) and memory bandwidth are
measured here too, as the best of the repeats: "matrix" is the share of that rate, by the network's multiplications;
"memory" is the share of the bandwidth, if every layer reads its input and weights once and writes its output once.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.processor import Device, exact, limit, measured, seconds
from models.checkpoint import load
from models.contract import SHIPPED, Contract, read_contract
from models.device import choose_device
from models.early import SENSORS, early_contract
from models.network import Network
from models.networks import STRATEGIES, build
from models.tensors import Tensors

BATCH = {"cpu": 1, "cuda": 8}
COMPILE_LIMIT = 240
"""Seconds after which a compilation is given up."""
JOINS = ("concat", "gated", "attention", "tensor")
SPREAD = 2.0
"""Nats: deviation of the corrections of a network without a checkpoint."""
TRAINING = (8, 128)
"""Chips a step and their side."""


def contracts() -> Iterator[Contract]:
    """One a strategy: early, the experts, and every join of intermediate fusion that there is."""
    yield early_contract()
    for sensor in SENSORS:
        yield early_contract(f"expert {sensor}", sensors=(sensor,))
    if "intermediate" in STRATEGIES:
        from models.intermediate import intermediate_contract

        for join in JOINS:
            yield intermediate_contract(join)


def inputs_of(contract: Contract, batch: int, side: int, seed: int = 0) -> Tensors:
    """Smooth fields in the units of the contract; each presence mask misses a third."""
    drawn = torch.Generator().manual_seed(seed)

    def field(count: int) -> Tensor:
        coarse = torch.randn(batch, count, max(side // 16, 1), max(side // 16, 1), generator=drawn)
        smooth = functional.interpolate(coarse, size=(side, side), mode="bilinear")
        return smooth + 0.3 * torch.randn(batch, count, side, side, generator=drawn)

    modalities = {}
    for name, channels in contract.modalities.items():
        mean, std = (torch.tensor([getattr(c, key) for c in channels])[:, None, None] for key in ("mean", "std"))
        modalities[name] = mean + std * field(len(channels))
    presence = {name: field(1)[:, 0] > -0.5 for name in contract.presence}
    return Tensors(modalities, presence, 3.0 * field(len(contract.states)) - 2.0)


def family(contract: Contract) -> tuple[object, ...]:
    """What tells one strategy from another."""
    return contract.strategy, contract.sensors, contract.architecture.join


def network_of(contract: Contract, weights: dict[tuple[object, ...], Path]) -> tuple[Network, str]:
    """The network of a checkpoint of the same strategy, or one with seeded weights; and which it is."""
    if family(contract) in weights:
        return deepcopy(load(weights[family(contract)], "cpu").network), "checkpoint"
    torch.manual_seed(0)
    network = build(contract)
    tensors = inputs_of(contract, 2, 8 * contract.stride)
    network.train()
    with torch.no_grad():
        for _ in range(20):  # running means of what flows through
            network(*tensors)
        nn.init.normal_(network.head.correction.weight)
        network.eval()
        clean = {
            name: network.normalised(name, values, tensors.presence) for name, values in tensors.modalities.items()
        }
        spread = network.head(network.features(clean, tensors.presence)[0])[0].std()
        network.head.correction.weight *= SPREAD / spread
    return network.requires_grad_(False), "seeded"


def in_rows(network: Network) -> Network:
    """The same with planes in rows (NCHW) instead of channels last."""
    plain = deepcopy(network).to(memory_format=torch.contiguous_format)

    def straight(_: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(one.contiguous() if isinstance(one, Tensor) else one for one in given)

    for name, module in plain.named_modules():
        if name.rpartition(".")[2] in ("encoder", "body"):
            module.register_forward_pre_hook(straight)
    return plain


def half(device: torch.device) -> AbstractContextManager[None]:
    return torch.autocast(device.type, dtype=torch.bfloat16)


def ways(network: Network, device: torch.device) -> Iterator[tuple[str, torch.dtype, nn.Module, bool]]:
    """Name, type of the products, what is called, and whether under autocast."""
    yield "float32, rows", torch.float32, in_rows(network), False
    yield "float32, channels last", torch.float32, network, False
    yield "bfloat16", torch.bfloat16, network, True
    yield "float32, compiled", torch.float32, torch.compile(deepcopy(network)), False
    if device.type == "cuda":
        yield "bfloat16, compiled", torch.bfloat16, torch.compile(deepcopy(network)), True


def traffic(network: Network, tensors: Tensors) -> float:
    """Bytes of float32 that go through memory if every layer reads and writes once."""
    total = 0

    def count(module: nn.Module, given: tuple[Any, ...], made: Any) -> None:
        nonlocal total
        planes = [one for one in (*given, made) if isinstance(one, Tensor)]
        total += 4 * sum(plane.numel() for plane in (*planes, *module.parameters(recurse=False)))

    leaves = [module for module in network.modules() if not list(module.children())]
    hooks = [leaf.register_forward_hook(count) for leaf in leaves]
    network(*tensors)
    for hook in hooks:
        hook.remove()
    return float(total)


def row(name: str, *cells: str) -> str:
    return f"| {name} | " + " | ".join(cells) + " |"


@torch.inference_mode()
def inference_rows(contract: Contract, network: Network, device: Device, told: argparse.Namespace) -> Iterator[str]:
    """A line of the table for each way of running one network."""
    network = network.to(device.torch)
    batch, side = BATCH[device.torch.type], told.window + 2 * contract.halo
    tensors = inputs_of(contract, batch, side).to(device.torch)
    with FlopCounterMode(display=False) as counter:
        reference = network(*tensors).log_odds
    flops, moved = counter.get_total_flops(), traffic(network, tensors)
    plain = None
    for way, dtype, module, autocast in ways(network, device.torch):
        task = called(module, tensors, device.torch, autocast)
        try:
            with limit(COMPILE_LIMIT) if "compiled" in way else nullcontext():
                found = task().float()
                taken = seconds(task, device.torch, told.repeats)
        except Exception as problem:  # a compiler that is not there, or too slow, is a result
            yield row(contract.name, way, f"{type(problem).__name__}: {str(problem).splitlines()[0][:60]}", *7 * ["–"])
            continue
        if plain is None:
            plain, reference = taken, found
        apart = (found - reference).abs()
        width = 0.5 if dtype == torch.bfloat16 else 1.0
        yield row(
            contract.name,
            way,
            f"{batch / taken:.2f}",
            f"{batch * told.window**2 / taken / 1e6:.2f}",
            f"{plain / taken:.2f}",
            f"{flops / taken / device.matrix[dtype]:.0%}",
            f"{width * moved / taken / device.bandwidth:.0%}",
            f"{float(apart.max()):.1e}",
            f"{float(apart.mean()):.1e}",
            f"{float((wet(found) != wet(reference)).float().mean()):.4%}",
        )


def called(module: nn.Module, tensors: Tensors, device: torch.device, autocast: bool) -> Callable[[], Tensor]:
    def task() -> Tensor:
        with ExitStack() as stack:
            stack.enter_context(exact())
            if autocast:
                stack.enter_context(half(device))
            return module(*tensors).log_odds

    return task


def wet(log_odds: Tensor) -> Tensor:
    return torch.exp(log_odds).sum(dim=1) > 1.0


def training_rate(contract: Contract, device: torch.device, autocast: bool, repeats: int) -> float:
    """Steps a second: forward, backward and AdamW."""
    torch.manual_seed(0)
    network = build(contract).to(device).train()
    batch, side = TRAINING
    side = -(-side // contract.stride) * contract.stride
    tensors = inputs_of(contract, batch, side).to(device)
    target = torch.randint(0, 3, (batch, side, side), device=device)
    optimizer = torch.optim.AdamW(network.parameters())

    def step() -> None:
        with half(device) if autocast else nullcontext():
            log_odds = network(*tensors).log_odds
        logits = torch.cat([torch.zeros_like(log_odds[:, :1]), log_odds], dim=1).float()
        optimizer.zero_grad()
        functional.cross_entropy(logits, target).backward()
        optimizer.step()

    return 1.0 / seconds(step, device, repeats)


@torch.inference_mode()
def counts_apart(contract: Contract, network: Network, device: torch.device) -> tuple[int, int]:
    """Most counts that the maps of the device and of the CPU differ by: of 1/100 nat, and of 1 % of flood."""
    tensors = inputs_of(contract, 1, 4 * contract.stride + 2 * contract.halo, seed=1)
    with exact():
        here = network.to("cpu")(*tensors).log_odds
        there = network.to(device)(*tensors.to(device)).log_odds.cpu()

    def nats(log_odds: Tensor) -> Tensor:
        return torch.round(100.0 * log_odds)

    def percent(log_odds: Tensor) -> Tensor:
        odds = torch.exp(log_odds.double()).sum(dim=1)
        return torch.round(100.0 * odds / (1.0 + odds))

    return tuple(int((scale(here) - scale(there)).abs().max()) for scale in (nats, percent))  # type: ignore[return-value]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--window", type=int, default=512, help="pixels a side of a tile's core")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--weights", type=Path, nargs="*", default=sorted(path.parent for path in SHIPPED.rglob("contract.json"))
    )
    parser.add_argument("--only", default="", help="strategies whose name holds this")
    told = parser.parse_args()
    device = measured(choose_device(told.device), told.repeats)
    kind = torch.cuda.get_device_name() if device.torch.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    rates = ", ".join(f"{str(dtype)[6:]} {rate / 1e12:.3g} Tflop/s" for dtype, rate in device.matrix.items())
    print(f"{kind}, torch {torch.__version__}: matrices {rates}, memory {device.bandwidth / 1e9:.3g} GB/s")
    print(f"tiles of {told.window} pixels and halo, {BATCH[device.torch.type]} a batch, median of {told.repeats}\n")
    weights = {family(read_contract(folder)): folder for folder in told.weights}
    chosen = [contract for contract in contracts() if told.only in contract.name]
    heads = ("tiles/s", "Mpx/s", "ratio", "matrix", "memory", "max Δ nat", "mean Δ nat", "decisions changed")
    print(row("strategy", "way", *heads))
    print("|---" * (len(heads) + 2) + "|")
    networks = {}
    for contract in chosen:
        network, origin = networks[contract.name] = network_of(contract, weights)
        own = network.contract if origin == "checkpoint" else contract
        for line in inference_rows(own, network, device, told):
            print(line, flush=True)
    batch, side = TRAINING
    print(f"\n{batch} chips of {side} pixels a step; maps against the CPU's\n")
    print(row("strategy", "weights", "steps/s float32", "steps/s bfloat16", "counts of 1/100 nat apart", "of 1 %"))
    print("|---" * 6 + "|")
    for contract in chosen:
        network, origin = networks[contract.name]
        steps = [f"{training_rate(contract, device.torch, way, told.repeats):.2f}" for way in (False, True)]
        print(
            row(contract.name, origin, *steps, *map(str, counts_apart(network.contract, network, device.torch))),
            flush=True,
        )


if __name__ == "__main__":
    main()
