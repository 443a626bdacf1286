"""What the fit minimizes; pixels without a sensor or without truth weigh nothing."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from models.contract import BOUND

IGNORE = 255
"""Truth where nobody knows. Otherwise 0 dry, 1 open water, 2 flooded vegetation."""


class Loss(NamedTuple):
    """The sum that is minimized and what it is made of; scalars."""

    total: Tensor
    cross_entropy: Tensor
    dice: Tensor
    penalty: Tensor


def state_logits(log_odds: Tensor) -> Tensor:
    """(B, 2, H, W) log-odds against dry to (B, 3, H, W) logits of dry, open water, flooded vegetation."""
    return torch.cat([torch.zeros_like(log_odds[:, :1]), log_odds], dim=1)


def flood_probability(log_odds: Tensor) -> Tensor:
    """(B, H, W) probability that a pixel is under water, open or vegetated."""
    return 1.0 - torch.softmax(state_logits(log_odds), dim=1)[:, 0]


def masked_loss(
    log_odds: Tensor,
    physics: Tensor,
    truth: Tensor,
    observed: Tensor,
    *,
    weights: tuple[float, float, float] = (1.0, 1.0, 1.0),
    dice: float = 1.0,
    penalty: float = 0.01,
    bound: float = BOUND,
) -> Loss:
    """Weighted cross-entropy of the states + `dice` · soft Dice of flood + `penalty` · mean((residual / B)²).

    Args:
        log_odds: (B, 2, H, W) of the network, nats.
        physics: (B, 2, H, W) without the network, nats.
        truth: (B, H, W) integers: 0 dry, 1 open water, 2 flooded vegetation, 255 unknown.
        observed: (B, H, W) True where any modality is present.
        weights: of dry, open water and flooded vegetation; the cross-entropy is their weighted mean.
        dice: weight of 1 - (2 Σ p t + 1) / (Σ p + Σ t + 1), over the pixels of the whole batch.
        penalty: weight of the residual (physics note, section 9, the term d).
        bound: B, nats.
    """
    target = torch.where(observed, truth.long(), IGNORE)
    used = target != IGNORE
    entropy = functional.cross_entropy(
        state_logits(log_odds), target, log_odds.new_tensor(weights), ignore_index=IGNORE, reduction="none"
    )
    weight = (log_odds.new_tensor((*weights, 0.0))[torch.where(used, target, 3)]).sum().clamp(min=1e-6)
    cross_entropy = entropy.sum() / weight
    probability, flooded = flood_probability(log_odds)[used], (target[used] > 0).to(log_odds.dtype)
    overlap = 2.0 * (probability * flooded).sum() + 1.0
    soft_dice = 1.0 - overlap / (probability.sum() + flooded.sum() + 1.0)
    residual = ((log_odds - physics) / bound).square().mean(dim=1)[used].sum() / used.sum().clamp(min=1)
    return Loss(cross_entropy + dice * soft_dice + penalty * residual, cross_entropy, soft_dice, residual)
