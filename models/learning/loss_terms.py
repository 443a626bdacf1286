"""The terms that a fit may minimize: each a pure function of what the network says and what is true.

Shapes: logits (B, 1 + S, H, W) of dry and the S states; target (B, H, W) integers, `UNKNOWN` where nobody knows;
probability, flooded and used (B, H, W). Every term is 0, with a gradient of 0, where no pixel is used.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from models.data.chips import UNKNOWN

SURELY_WATER, SURELY_DRY = 0.2, -0.3
"""Index above which a clear pixel is open water, and below which it is not, on any usual ground: turbid water and
wet soil lie between [M]."""
_LEAST = 1e-6


def cross_entropy(logits: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Mean of -w ln p over the pixels, weighted by w of their true state; `weights` (1 + S,)."""
    return focal(logits, target, weights, focus=0.0)


def focal(logits: Tensor, target: Tensor, weights: Tensor, focus: float) -> Tensor:
    """Weighted mean of -(1 - p)^focus ln p, p that of the true state: what is sure already counts less.

    Lin et al. 2017, ICCV, equation 5; `focus` is its γ, 0 gives the cross-entropy.
    """
    used = target != UNKNOWN
    state = torch.where(used, target, 0)
    log_p = functional.log_softmax(logits, dim=1).gather(1, state[:, None])[:, 0]
    weight = weights[state] * used
    modulated = -log_p * (1.0 - log_p.exp()).clamp(min=_LEAST) ** focus if focus else -log_p
    return (weight * modulated).sum() / weight.sum().clamp(min=_LEAST)


def soft_dice(probability: Tensor, flooded: Tensor, used: Tensor) -> Tensor:
    """1 - (2 Σ p t + 1) / (Σ p + Σ t + 1), over the pixels of the whole batch (Milletari et al. 2016, 3DV)."""
    p, t = probability[used], flooded[used].to(probability.dtype)
    return 1.0 - (2.0 * (p * t).sum() + 1.0) / (p.sum() + t.sum() + 1.0)


def lovasz(probability: Tensor, flooded: Tensor, used: Tensor) -> Tensor:
    """The convex extension of 1 - IoU of flood in the errors |t - p|, over the pixels of the whole batch.

    Berman, Triki & Blaschko 2018, CVPR, equation 8 and algorithm 1.
    """
    t = flooded[used].to(probability.dtype)
    if not len(t):
        return probability.sum() * 0.0
    errors, order = (t - probability[used]).abs().sort(descending=True)
    truth = t[order]
    intersection = truth.sum() - truth.cumsum(0)
    union = truth.sum() + (1.0 - truth).cumsum(0)
    jaccard = 1.0 - intersection / union
    steps = torch.cat([jaccard[:1], jaccard[1:] - jaccard[:-1]])
    return (errors * steps).sum()


def residual_penalty(log_odds: Tensor, physics: Tensor, bound: float, used: Tensor) -> Tensor:
    """Mean of ((log-odds - physics) / B)² over states and pixels (physics note, section 9, the term d)."""
    moved = ((log_odds - physics) / bound).square().mean(dim=1)
    return _mean(moved, used)


def edge_loss(probability: Tensor, flooded: Tensor, used: Tensor) -> Tensor:
    """Mean of ((p_i - p_j) - (t_i - t_j))² over neighbours: steps where the truth has its shoreline, none elsewhere.

    Half of the weight lies on pairs across a shoreline, however few they are. The total variation of the physics
    note (section 9, the term b) with edges taken from the truth, so that speckle makes none (a matched gradient, as
    that of Eigen & Fergus 2015, ICCV).
    """
    across, within, crossings, others = _edge_sums(probability, flooded.to(probability.dtype), used)
    return 0.5 * (across / crossings.clamp(min=1) + within / others.clamp(min=1))


def index_consistency(open_water: Tensor, flood: Tensor | None, ndwi: Tensor, mndwi: Tensor, clear: Tensor) -> Tensor:
    """Mean over clear pixels whose indices speak surely of by how much the map contradicts them, Huber of the nats.

    Both indices that are known lie above `SURELY_WATER`: flood below even odds is a contradiction. Both below
    `SURELY_DRY`: open water above even odds is one; flooded vegetation is not, for the canopy hides the water. The
    physics note (section 9, the term c) compares the means of a scene; the sign at sure pixels asks for less.

    Args:
        open_water: (B, H, W) log-odds of open water against all else, nats.
        flood: (B, H, W) log-odds of any water; None where the states are not all water of the moment (a flood is no
            permanent water): then only what is surely dry can be contradicted.
        ndwi: (B, H, W); NaN not known.
        mndwi: (B, H, W); NaN not known.
        clear: (B, H, W) True where optics see the ground.
    """
    known = clear & (torch.isfinite(ndwi) | torch.isfinite(mndwi))
    lowest = torch.minimum(_or(ndwi, 9.0), _or(mndwi, 9.0))
    highest = torch.maximum(_or(ndwi, -9.0), _or(mndwi, -9.0))
    dry = known & (highest < SURELY_DRY)
    against = torch.where(dry, open_water.clamp(min=0.0), 0.0)
    sure = dry
    if flood is not None:
        wet = known & (lowest > SURELY_WATER)
        against = torch.where(wet, (-flood).clamp(min=0.0), against)
        sure = dry | wet
    return _mean(functional.huber_loss(against, torch.zeros_like(against), reduction="none"), sure)


def _edge_sums(p: Tensor, t: Tensor, used: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Sums over pairs of neighbours across a shoreline and over the others; how many there are of each."""
    totals = [p.new_zeros(()) for _ in range(4)]
    for axis in (-1, -2):
        steps, both = p.diff(dim=axis) - t.diff(dim=axis), _pairs(used, axis)
        shore = t.diff(dim=axis) != 0
        for place, pairs in enumerate((both & shore, both & ~shore)):
            totals[place] = totals[place] + torch.where(pairs, steps.square(), 0.0).sum()
            totals[2 + place] = totals[2 + place] + pairs.sum()
    return totals[0], totals[1], totals[2], totals[3]


def _pairs(used: Tensor, axis: int) -> Tensor:
    """True where a pixel and its neighbour along the axis are both used."""
    last = used.shape[axis] - 1
    return used.narrow(axis, 0, last) & used.narrow(axis, 1, last)


def _mean(values: Tensor, used: Tensor) -> Tensor:
    return torch.where(used, values, 0.0).sum() / used.sum().clamp(min=1)


def _or(index: Tensor, otherwise: float) -> Tensor:
    return torch.where(torch.isfinite(index), index, otherwise)
