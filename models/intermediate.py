"""Intermediate fusion: one encoder a sensor, joined at every scale, and one decoder that corrects the physics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.contract import DATED, Architecture, Channel, Contract, Join, sensor_of
from models.early import SENSORS, channels_of
from models.inputs import CONTEXT
from models.network import Network, equal_shares
from models.parts.attention import AttentionJoin
from models.parts.concatenation import ConcatJoin
from models.parts.gate import GatedJoin
from models.parts.sensor_encoder import SensorEncoder
from models.parts.tensor_fusion import TensorJoin
from models.receptive import with_halo
from models.segmentation_library import segmentation_models

NARROW = Architecture(encoder_options={"channels": (24, 48, 96, 128), "stem_width": 12})
"""Each look of each sensor is encoded: narrow, so that six looks cost about twice the early network."""


def intermediate_contract(
    join: Join,
    name: str = "",
    architecture: Architecture = NARROW,
    sensors: tuple[str, ...] = SENSORS,
    looks: int = 1,
) -> Contract:
    """Return the contract of an intermediate network, its halo measured on the network itself.

    Args:
        join: how the sensors are joined at every scale; takes the place of the architecture's own.
        name: of the network; "intermediate-<join>" where none is given.
        architecture: of every sensor's encoder, and of the decoder.
        sensors: which of `early.SENSORS` it knows.
        looks: earlier looks it takes, as far as they are there. The weights do not depend on how many, from 1 on.
    """
    architecture = architecture.model_copy(update={"join": join})
    names = [*sensors, *(f"{sensor}{DATED}{number}" for number in range(1, looks + 1) for sensor in sensors), *CONTEXT]
    modalities = {name: _of_look(channels_of(sensor_of(name)), name) for name in names}
    masks = [channel.presence for channels in modalities.values() for channel in channels]
    contract = Contract(
        name=name or f"intermediate-{join}",
        strategy="intermediate",
        architecture=architecture,
        modalities=modalities,
        presence=tuple(dict.fromkeys([*modalities, *masks])),
        context=CONTEXT,
        stride=least_stride(architecture),
    )
    return with_halo(contract, IntermediateFusion(contract))


def least_stride(architecture: Architecture) -> int:
    """Pixels between places where a tile may start: one deepest feature, or one window of them with attention."""
    window = architecture.window if architecture.join == "attention" else 1
    return window << architecture.depth


class IntermediateFusion(Network):
    """A U-Net whose skip connections are joins of the sensors' features.

    Context (terrain) goes into every sensor's encoder: "dark and low-lying" is then seen at once, a sensor's share
    stays its own, and a place that no sensor sees has no features at all. It costs two planes, no encoder.
    """

    def __init__(self, contract: Contract) -> None:
        super().__init__(contract)
        architecture = contract.architecture
        if contract.stride % least_stride(architecture):
            raise ValueError(
                f"Network {contract.name!r} has stride {contract.stride}, but its tiles start at multiples of "
                f"{least_stride(architecture)}: depth {architecture.depth}, windows of {architecture.window}."
            )
        self.looks = {sensor: _looks(contract, sensor) for sensor in contract.sensors}
        self.masks = {name: _masks(contract, name) for name in contract.modalities}
        context = sum(len(contract.modalities[name]) + len(self.masks[name]) for name in contract.context)
        self.encoders = nn.ModuleDict()
        for sensor, looks in self.looks.items():
            channels = len(contract.modalities[sensor]) + len(self.masks[sensor]) + context
            numbers = tuple(_number(look) for look in looks[1:])
            self.encoders[sensor] = SensorEncoder(architecture, channels, numbers)
        widths = cast(SensorEncoder, self.encoders[contract.sensors[0]]).channels
        self.joins = nn.ModuleList(_join(architecture, len(self.looks), width) for width in widths)
        self.decoder = segmentation_models().decoders.unet.decoder.UnetDecoder(
            encoder_channels=(0, *widths),
            decoder_channels=architecture.decoder_channels,
            n_blocks=architecture.depth,
        )
        cast(Any, self).to(memory_format=torch.channels_last)  # the overload that torch leaves out of its types

    def features(self, modalities: dict[str, Tensor], presence: dict[str, Tensor]) -> tuple[Tensor, Tensor | None]:
        """Return the decoder's features and, where the join has shares, each sensor's: the mean over the scales.

        An earlier look counts for its sensor's features; the shares are of those that look at a pixel now.
        """
        pyramids = [self.encoded(sensor, modalities, presence) for sensor in self.looks]
        joined, shares = [], []
        for join, *maps in zip(self.joins, *pyramids, strict=True):
            planes = torch.cat([features for features, _ in maps], dim=1)
            seen = torch.stack([cells for _, cells in maps], dim=1)
            features, share = join(planes, seen)
            joined.append(features)
            shares.extend([] if share is None else [share])
        now = torch.stack([presence[sensor] for sensor in self.looks], dim=1)
        full = joined[0].new_empty((len(now), 0, *now.shape[-2:]))
        return self.decoder([full, *joined]), at_pixels(shares, now) if shares else None

    def encoded(
        self, sensor: str, modalities: dict[str, Tensor], presence: dict[str, Tensor]
    ) -> list[tuple[Tensor, Tensor]]:
        """Features (B, F, h, w) of a sensor at every scale, the finest first, and where it was present, (B, h, w)."""
        context = [self._planes(name, modalities, presence) for name in self.contract.context]
        looks = self.looks[sensor]
        images = [torch.cat([self._planes(look, modalities, presence), *context], dim=1) for look in looks]
        seen = torch.stack([presence[look] for look in looks])
        return cast(list[tuple[Tensor, Tensor]], self.encoders[sensor](images, seen))

    def _planes(self, name: str, modalities: dict[str, Tensor], presence: dict[str, Tensor]) -> Tensor:
        """(B, channels + masks, H, W) of one modality."""
        masks = torch.stack([presence[mask] for mask in self.masks[name]], dim=1)
        return torch.cat([modalities[name], masks.to(modalities[name].dtype)], dim=1)


class _NoFeatures(nn.Module):
    """The join of a scale at which an encoder has no features (transformers start at 1/4)."""

    def forward(self, planes: Tensor, seen: Tensor) -> tuple[Tensor, None]:
        return planes, None


def _join(architecture: Architecture, sensors: int, channels: int) -> nn.Module:
    if not channels:
        return _NoFeatures()
    match architecture.join:
        case "concat":
            return ConcatJoin(sensors, channels)
        case "gated":
            return GatedJoin(sensors, channels)
        case "attention":
            return AttentionJoin(sensors, channels, architecture.window)
        case "tensor":
            return TensorJoin(sensors, channels)
    raise ValueError("An intermediate network needs architecture.join: concat, gated, attention or tensor; it is None.")


def at_pixels(shares: Sequence[Tensor], now: Tensor) -> Tensor:
    """(B, M, h, w) shares of the cells of each scale to their mean (B, M, H, W) over the scales, of the sensors that
    are present at a pixel (`now`, bool), summing to 1."""
    size = now.shape[-2:]
    near = sum(functional.interpolate(share.float(), size=size, mode="nearest") for share in shares) * now
    total = near.sum(dim=1, keepdim=True)
    return torch.where(total > 0, near / total.clamp(min=torch.finfo(near.dtype).tiny), equal_shares(now))


def _looks(contract: Contract, sensor: str) -> tuple[str, ...]:
    """The sensor and its earlier looks, the latest first.

    Raises:
        ValueError: a look has other channels than its sensor, which shares its encoder.
    """
    looks = sorted((name for name in contract.modalities if sensor_of(name) == sensor), key=_number)
    for look in looks:
        found, expected = (contract.channel_names[name] for name in (look, sensor))
        if found != expected:
            raise ValueError(f"{look!r} has the channels {found}, but {sensor!r}, whose encoder it shares, {expected}.")
    return tuple(looks)


def _number(look: str) -> int:
    return int(look.partition(DATED)[2] or 0)


def _masks(contract: Contract, name: str) -> tuple[str, ...]:
    """The presence of a modality, then those of its channels."""
    return tuple(dict.fromkeys([name, *(channel.presence for channel in contract.modalities[name])]))


def _of_look(channels: tuple[Channel, ...], look: str) -> tuple[Channel, ...]:
    """The channels of a sensor, present where this look of it is."""
    sensor = sensor_of(look)
    return tuple(c.model_copy(update={"presence": look + c.presence.removeprefix(sensor)}) for c in channels)
