"""Looks of one sensor joined over time: the look of the moment asks those before it, pixel by pixel."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from models.parts.gate import Shares

_AGES = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Looks after which one component of the order code has faded to 1/e."""


class TimeAttention(nn.Module):
    """The look of the moment plus what it asks of the earlier ones; any number of them, any of them missing.

    A key without a look stands for "none of them" and answers with 0. So where no earlier look is present the result
    is the look of the moment, exactly. An earlier look is told from another by a code of how many looks ago it
    was, which a network that learned from two dates reads for ten as well.
    """

    def __init__(self, channels: int, numbers: tuple[int, ...]) -> None:
        """`numbers`: of the earlier looks, 1 for the one before the moment."""
        super().__init__()
        self.heads = math.gcd(channels, 4)
        self.query = nn.Conv2d(channels, channels, 1)
        self.key = nn.Conv2d(channels, channels, 1)
        self.value = nn.Conv2d(channels, channels, 1)
        self.order = nn.Linear(len(_AGES), channels)
        self.none = nn.Parameter(torch.zeros(channels))
        self.out = nn.Conv2d(channels, channels, 1, bias=False)
        self.shares = Shares(dim=0)
        self.register_buffer("codes", order_codes(numbers), persistent=False)
        self.codes: Tensor

    def forward(self, looks: Tensor, seen: Tensor) -> Tensor:
        """(1 + n, B, C, H, W) features, the moment first, 0 where absent, and (1 + n, B, H, W) bool to (B, C, H, W)."""
        now, before = looks[0], looks[1:]
        aged = (before + self.order(self.codes)[:, None, :, None, None]).flatten(0, 1)
        key, value = (self._heads(layer(aged)).unflatten(0, before.shape[:2]) for layer in (self.key, self.value))
        query = self._heads(self.query(now))
        none = self._heads(self.none[None, :, None, None])
        scores = (torch.cat([key, none.expand_as(key[:1])]) * query).sum(dim=3) / math.sqrt(query.shape[2])
        present = torch.cat([seen[1:], torch.ones_like(seen[:1])])
        shares = self.shares(scores, present[:, :, None])
        asked = (value * shares[:-1, :, :, None]).sum(dim=0)
        return now + self.out(asked.flatten(1, 2))

    def _heads(self, features: Tensor) -> Tensor:
        return features.unflatten(1, (self.heads, -1))


def order_codes(numbers: tuple[int, ...]) -> Tensor:
    """(n, 5) codes in 0 to 1 that fade with the number of looks ago, each component at another rate."""
    ago = torch.tensor(numbers, dtype=torch.float32)[:, None]
    return torch.exp(-ago / torch.tensor(_AGES))
