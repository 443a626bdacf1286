"""The gray box: a network may move the physics by a bounded amount, never more."""

from __future__ import annotations

import torch
from torch import Tensor

from models.contract import BOUND


def bounded_residual(physics: Tensor, correction: Tensor, bound: float = BOUND) -> Tensor:
    """Return `physics + bound * tanh(correction / bound)`: log-odds in nats, any shape, both of the same.

    A correction of 0 gives the physics back bit for bit; no correction, infinite ones included, moves it by
    more than `bound` (to within the rounding of the sum).
    """
    return physics + bound * torch.tanh(correction / bound)


def gray_box(physics: Tensor, aim: Tensor, bound: float | None) -> Tensor:
    """Move the physics toward the log-odds aimed at, by `bound` nats at most; None: all the way."""
    return aim if bound is None else bounded_residual(physics, aim - physics, bound)
