"""Chips as a network learns from them: varied, robbed of sensors, as tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from models.contract import Contract
from models.data.sources import ChipSource
from models.learning.augmentation import Augmentation, varied
from models.tensors import Tensors, to_tensors


class Sample(NamedTuple):
    """One chip, or a batch of them."""

    inputs: Tensors
    truth: Tensor
    """(H, W) uint8: 0 dry, 1 … the state, 255 unknown."""


class ChipSet(Dataset[Sample]):
    """Chips as samples; a chip varies with (seed, epoch, index) and nothing else.

    Indices beyond the last chip begin again at the first, varied anew (`EpochOrder`).
    """

    def __init__(
        self,
        source: ChipSource,
        contract: Contract,
        *,
        augmentation: Augmentation | None = None,
        without: Sequence[str] = (),
        seed: int = 0,
    ) -> None:
        """Args: `without` names sensors that are always absent (for scoring)."""
        self.source, self.contract = source, contract
        self.augmentation = augmentation or Augmentation()
        self.without = tuple(without)
        self.seed = seed
        self.epoch = 0
        self.ranges = {
            name: {channel.name: channel.clip for channel in channels} for name, channels in contract.modalities.items()
        }

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> Sample:
        inputs, truth = self.source.read(index % len(self.source))
        # A network sees its own modalities alone: which of them stay is then drawn among these.
        inputs = inputs.only(self.contract.modalities).without(dict.fromkeys(self.without, True))
        generator = np.random.default_rng((self.seed, self.epoch, index))
        inputs, truth = varied(inputs, truth, self.augmentation, generator, self.ranges)
        return Sample(to_tensors(inputs, self.contract), torch.from_numpy(np.ascontiguousarray(truth)))
