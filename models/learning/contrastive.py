"""Learning without labels: what two sensors make of one place shall be alike, and unlike that of other places."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from itertools import combinations
from typing import Protocol, cast

import torch
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from models.contract import DATED, Contract, Record, sensor_of
from models.tensors import Tensors

View = tuple[Tensor, Tensor]
"""(B, C, h, w) features of one look, and (B, h, w) bool: the cells that it saw."""


class Encoders(Protocol):
    """What is pretrained: a network with an encoder for each of its sensors."""

    contract: Contract
    encoders: nn.ModuleDict
    """By sensor."""

    def normalised(self, name: str, values: Tensor, presence: dict[str, Tensor]) -> Tensor:
        """One modality as encoders take it, 0 where absent."""

    def encoded(self, sensor: str, modalities: dict[str, Tensor], presence: dict[str, Tensor]) -> list[View]:
        """What a sensor's encoder makes of its looks, from the finest scale to the deepest."""


class Chips(Protocol):
    """Samples that vary with their epoch; their truth is not looked at."""

    epoch: int

    def __len__(self) -> int:
        """How many."""

    def __getitem__(self, index: int) -> tuple[Tensors, Tensor]:
        """Return the inputs of a chip, and its truth."""


class ContrastiveRecipe(Record):
    """The numbers of a pretraining."""

    epochs: PositiveInt = 20
    seed: int = 0
    batch: PositiveInt = 16
    """Chips; the places of all of them are each other's negatives."""
    rate: PositiveFloat = 1e-3
    """Learning rate of AdamW at the start; a cosine brings it to 0."""
    decay: NonNegativeFloat = 1e-2
    places: PositiveInt = 512
    """Cells of a batch that are compared at most, for every pair of looks."""
    width: PositiveInt = 64
    """Of the projections that are compared."""
    temperature: PositiveFloat = 0.1
    """Of the similarities (Chen et al. 2020, SimCLR, section 5.1: 0.1 to 0.5)."""
    dates: bool = False
    """Whether earlier looks of a place are its positives too. They lie before the flood: what is learned so is what
    lasts, and the flood, which does not, is unlearned. For land cover, not for floods."""


def info_nce(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """Mean of -ln(exp(s_ii / T) / sum_j exp(s_ij / T)), both ways; s is the cosine of rows of (N, D).

    Row i of both is of one place; the other rows are its negatives. Oord et al. 2018 (arXiv:1807.03748, equation 4),
    symmetric as Radford et al. 2021 (CLIP). ln N where nothing is known, 0 at best.
    """
    similar = functional.normalize(first, dim=1) @ functional.normalize(second, dim=1).T / temperature
    own = torch.arange(len(similar), device=similar.device)
    return 0.5 * (functional.cross_entropy(similar, own) + functional.cross_entropy(similar.T, own))


def pretrain(
    network: Encoders,
    chips: Chips,
    recipe: ContrastiveRecipe | None = None,
    device: torch.device | None = None,
    report: Callable[[str], None] = print,
) -> dict[str, Tensor]:
    """Fit the encoders to `info_nce` between the looks of each place and return their weights.

    The network is left as it was; `network.encoders.load_state_dict(...)` takes the weights. The projection is
    dropped. Same chips, recipe, device and threads: same weights.

    Args:
        network: whose encoders start as they are.
        chips: training chips, in the channels of the network's contract.
        recipe: the numbers; its defaults where None.
        device: where it learns; the CPU where None.
        report: takes one line an epoch.

    Raises:
        ValueError: the network knows one look of a place only, or no place of the chips is seen by two.
    """
    recipe, device = recipe or ContrastiveRecipe(), device or torch.device("cpu")
    looks = compared_looks(network.contract, recipe.dates)
    torch.manual_seed(recipe.seed)
    pupil = copy.deepcopy(network)
    cast(nn.Module, pupil).to(device).train()
    head = _head(pupil, chips, looks, recipe.width, device)
    weights = [*pupil.encoders.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(weights, lr=recipe.rate, weight_decay=recipe.decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, recipe.epochs)
    for epoch in range(1, recipe.epochs + 1):
        losses = []
        for inputs in _batches(chips, recipe, epoch):
            views = encoded_looks(pupil, inputs.to(device), looks)
            loss = contrast({look: (head(features), seen) for look, (features, seen) in views.items()}, recipe)
            if loss is None:
                continue
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            losses.append(float(loss.detach()))
        if not losses:
            raise ValueError(
                f"No place of {len(chips)} chips is seen by two of {', '.join(looks)}: nothing to compare."
            )
        schedule.step()
        report(f"epoch {epoch}/{recipe.epochs}: contrast {sum(losses) / len(losses):.4f}")
    return {name: value.detach().cpu() for name, value in pupil.encoders.state_dict().items()}


def compared_looks(contract: Contract, dates: bool) -> tuple[str, ...]:
    """The modalities whose features of one place are compared: sensors, with `dates` their earlier looks too.

    Raises:
        ValueError: there is only one.
    """
    looks = tuple(name for name in contract.modalities if name not in contract.context and (dates or DATED not in name))
    if len(looks) < 2:
        raise ValueError(f"{contract.name!r} knows {', '.join(looks)} alone; two looks of a place are needed.")
    return looks


def encoded_looks(network: Encoders, inputs: Tensors, looks: tuple[str, ...]) -> dict[str, View]:
    """By look, the deepest features of its sensor's encoder, the look taken alone.

    Context is withheld: both looks would know the place by its terrain, and nothing of what they see were learned.
    """
    clean = {name: network.normalised(name, values, inputs.presence) for name, values in inputs.modalities.items()}
    return {look: network.encoded(sensor_of(look), *alone(look, clean, inputs.presence))[-1] for look in looks}


def alone(
    look: str, modalities: Mapping[str, Tensor], presence: Mapping[str, Tensor]
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The same with one look in the place of its sensor's, and all else absent."""
    sensor = sensor_of(look)
    values = {name: torch.zeros_like(planes) for name, planes in modalities.items()}
    masks = {name: torch.zeros_like(mask) for name, mask in presence.items()}
    values[sensor] = modalities[look]
    for name in presence:
        hangs_on = name.removeprefix(sensor)
        if name == sensor or hangs_on.startswith("_"):
            masks[name] = presence.get(look + hangs_on, masks[name])
    return values, masks


def contrast(views: Mapping[str, View], recipe: ContrastiveRecipe) -> Tensor | None:
    """Mean `info_nce` over all pairs of looks, at places drawn among the cells that both saw; None where none did."""
    losses = []
    for (first, saw), (second, saw_too) in combinations(views.values(), 2):
        both = torch.nonzero((saw & saw_too).flatten())[:, 0]
        if len(both) < 2:
            continue
        chosen = both[torch.randperm(len(both), device=both.device)[: recipe.places]]
        losses.append(info_nce(_cells(first)[chosen], _cells(second)[chosen], recipe.temperature))
    return torch.stack(losses).mean() if losses else None


def _cells(features: Tensor) -> Tensor:
    """(B, C, h, w) to (B h w, C)."""
    return features.permute(0, 2, 3, 1).flatten(0, 2)


def _head(network: Encoders, chips: Chips, looks: tuple[str, ...], width: int, device: torch.device) -> nn.Module:
    """The projection, one for all sensors, so that their features themselves come together.

    As wide as the deepest features, which are looked up on the first chip.
    """
    first = next(iter(DataLoader(cast(Dataset[tuple[Tensors, Tensor]], chips), 1)))[0]
    network.encoders.eval()
    with torch.no_grad():
        features, _ = encoded_looks(network, first.to(device), looks[:1])[looks[0]]
    network.encoders.train()
    count = features.shape[1]
    return nn.Sequential(nn.Conv2d(count, count, 1), nn.ReLU(), nn.Conv2d(count, width, 1)).to(device)


def _batches(chips: Chips, recipe: ContrastiveRecipe, epoch: int) -> Iterator[Tensors]:
    chips.epoch = epoch
    order = torch.Generator().manual_seed(recipe.seed * 100_003 + epoch)
    loader = DataLoader(
        cast(Dataset[tuple[Tensors, Tensor]], chips),
        min(recipe.batch, len(chips)),
        shuffle=True,
        generator=order,
        drop_last=True,
    )
    for sample in loader:
        yield sample[0]
