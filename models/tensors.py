"""From arrays to what a network's `forward` takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from models.contract import Contract
from models.inputs import ModelInput


class Tensors(NamedTuple):
    """The arguments of every network, in order; with or without a leading batch axis."""

    modalities: dict[str, Tensor]
    """By modality: (B, C, H, W) float32, physical units, NaN or anything where absent."""
    presence: dict[str, Tensor]
    """(B, H, W) bool, of each name in the contract."""
    physics: Tensor
    """(B, S, H, W) log-odds in nats."""

    def to(self, device: torch.device) -> Tensors:
        """Return the same on another device."""
        return Tensors(
            {name: values.to(device) for name, values in self.modalities.items()},
            {name: mask.to(device) for name, mask in self.presence.items()},
            self.physics.to(device),
        )


def to_tensors(inputs: ModelInput, contract: Contract) -> Tensors:
    """Return what the contract asks for, without a batch axis; what the input lacks is absent.

    Raises:
        ContractMismatch: the channels of a modality are not those of the contract.
    """
    inputs = inputs.only(contract.modalities)
    contract.require_channels({name: inputs.channels[name] for name in inputs.modalities})
    modalities = {}
    for name, channels in contract.modalities.items():
        values = inputs.modalities.get(name)
        if values is None:
            values = np.full((len(channels), *inputs.shape), np.nan, dtype=np.float32)
        modalities[name] = torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
    presence = {}
    for name in contract.presence:
        mask = inputs.presence.get(name, np.zeros(inputs.shape, dtype=np.bool_))
        presence[name] = torch.from_numpy(np.ascontiguousarray(mask))
    return Tensors(modalities, presence, torch.from_numpy(inputs.physics))


def stack(items: Sequence[Tensors]) -> Tensors:
    """Join items without a batch axis into one batch."""
    first = items[0]
    return Tensors(
        {name: torch.stack([item.modalities[name] for item in items]) for name in first.modalities},
        {name: torch.stack([item.presence[name] for item in items]) for name in first.presence},
        torch.stack([item.physics for item in items]),
    )
