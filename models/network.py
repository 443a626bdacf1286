"""What all networks share: normalised inputs, and features that become a bounded correction with its doubt."""

from __future__ import annotations

from abc import abstractmethod
from typing import cast

import torch
from torch import Tensor, nn

from models.contract import Contract
from models.output import Output
from models.parts.head import UncertainHead, softened
from models.parts.residual import gray_box


class Network(nn.Module):
    """A network of a contract. Untrained, it is the physics.

    Subclasses say how modalities become features, and how much each sensor counts in them.
    """

    def __init__(self, contract: Contract) -> None:
        super().__init__()
        self.contract = contract
        for modality, channels in contract.modalities.items():
            rows = [(*channel.clip, channel.mean, channel.std) for channel in channels]
            scale = torch.tensor(rows).T[:, :, None, None]  # (low, high, mean, std) x (C, 1, 1)
            self.register_buffer(f"scale_{modality}", scale, persistent=False)
        architecture = contract.architecture
        self.head = UncertainHead(architecture.decoder_channels[-1], len(contract.states), architecture.members)

    @abstractmethod
    def features(self, modalities: dict[str, Tensor], presence: dict[str, Tensor]) -> tuple[Tensor, Tensor | None]:
        """Return (B, F, H, W) features at full resolution, and the share (B, M, H, W) of each sensor.

        `modalities`: normalised, 0 where absent (`normalised`). None: all that are present count alike.
        """

    def forward(self, modalities: dict[str, Tensor], presence: dict[str, Tensor], physics: Tensor) -> Output:
        """See `Tensors` for the arguments; H and W are multiples of the stride.

        Where no sensor of the moment is present it is the physics, exactly.
        """
        contract = self.contract
        clean = {name: self.normalised(name, values, presence) for name, values in modalities.items()}
        features, trust = self.features(clean, presence)
        corrections, aleatoric = self.head(features)
        aim = softened(physics[:, None] + corrections, aleatoric[:, None]) / contract.temperature
        bound = contract.bound if contract.form == "bounded" else None
        members = gray_box(physics[:, None].expand_as(aim), aim, bound)
        seen = torch.stack([presence[name] for name in contract.sensors], dim=1)
        anywhere = seen.any(dim=1, keepdim=True)
        mean = members.mean(dim=1)
        log_odds = torch.where(anywhere, mean, physics)
        epistemic = (members - mean[:, None]).square().mean(dim=1)
        shares = equal_shares(seen) if trust is None else trust * anywhere
        return Output(log_odds, aleatoric, epistemic, shares)

    def normalised(self, name: str, values: Tensor, presence: dict[str, Tensor]) -> Tensor:
        """(B, C, H, W) clipped and scaled by the contract, 0 where a channel is absent."""
        low, high, mean, std = cast(Tensor, getattr(self, f"scale_{name}"))
        seen = torch.stack([presence[c.presence] & presence[name] for c in self.contract.modalities[name]], dim=1)
        scaled = (torch.clamp(values, low, high) - mean) / std
        return torch.where(seen & torch.isfinite(values), scaled, torch.zeros_like(scaled))


def equal_shares(seen: Tensor) -> Tensor:
    """(B, M, H, W) presence to shares that sum to 1 where any sensor is present, else 0."""
    count = seen.sum(dim=1, keepdim=True)
    return seen / count.clamp(min=1)
