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

    def forward(self, now: Tensor, before: Tensor, seen: Tensor) -> Tensor:
        """Return (B, C, H, W): what the moment knows with its past.

        Args:
            now: (B, C, H, W) features of the moment, 0 where absent.
            before: (n·B, C, H, W) features of the earlier looks, look after look, 0 where absent.
            seen: (n, B, H, W) bool, where each earlier look saw anything.
        """
        number, batch = seen.shape[:2]
        query = self._heads(self.query(now))
        aged = before + self.order(self.codes).repeat_interleave(batch, dim=0)[:, :, None, None]
        key, value = (
            self._heads(layer(aged)).reshape(number, batch, *query.shape[1:]) for layer in (self.key, self.value)
        )
        scores = (key * query).sum(dim=3)
        none = (self._heads(self.none[None, :, None, None]) * query).sum(dim=2)
        present = torch.cat([seen, torch.ones_like(seen[:1])])
        scores = torch.cat([scores, none[None]]) / math.sqrt(query.shape[2])
        shares = self.shares(scores, present[:, :, None])
        asked = (value * shares[:-1, :, :, None]).sum(dim=0)
        answer: Tensor = self.out(asked.flatten(1, 2))
        return now + answer

    def _heads(self, features: Tensor) -> Tensor:
        """(B, C, H, W) to (B, heads, C / heads, H, W)."""
        return features.reshape(len(features), self.heads, -1, *features.shape[2:])


def order_codes(numbers: tuple[int, ...]) -> Tensor:
    """(n, 5) codes in 0 to 1 that fade with the number of looks ago, each component at another rate."""
    ago = torch.tensor(numbers, dtype=torch.float32)[:, None]
    return torch.exp(-ago / torch.tensor(_AGES))
