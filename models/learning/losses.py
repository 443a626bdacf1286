"""What a fit minimizes: a weighted sum of terms; pixels without a sensor or without truth weigh nothing."""

from __future__ import annotations

from typing import NamedTuple

import torch
from pydantic import NonNegativeFloat, PositiveFloat
from torch import Tensor

from models.contract import Contract, Record
from models.data.chips import UNKNOWN
from models.learning import loss_terms
from models.learning.plausibility import hydrostatic_loss
from models.tensors import Tensors

WATER_STATES = ("open_water", "flooded_vegetation")
"""States that are all the water of the moment, permanent or not."""


class Objective(Record):
    """Weight of each term; one of 0 is not computed."""

    weights: tuple[PositiveFloat, ...] = ()
    """Of dry and each state in cross-entropy and focal loss; empty is 1 each. Unequal ones bias the probabilities:
    calibrate after them."""
    cross_entropy: NonNegativeFloat = 1.0
    focal: NonNegativeFloat = 0.0
    focus: NonNegativeFloat = 2.0
    """The exponent of the focal loss."""
    dice: NonNegativeFloat = 1.0
    lovasz: NonNegativeFloat = 0.0
    edges: NonNegativeFloat = 0.1
    hydrostatic: NonNegativeFloat = 0.1
    """Where the terrain is known: by height above drainage, for water rises from there."""
    consistency: NonNegativeFloat = 0.02
    """With indices, where optics are clear."""
    penalty: NonNegativeFloat = 0.01
    """Of the correction."""


class Loss(NamedTuple):
    """The sum that is minimized and what it is made of; scalars."""

    total: Tensor
    terms: dict[str, Tensor]
    """By name of the field in `Objective`, before its weight."""


def state_logits(log_odds: Tensor) -> Tensor:
    """(B, S, H, W) log-odds against dry to (B, 1 + S, H, W) logits of dry and the states."""
    return torch.cat([torch.zeros_like(log_odds[:, :1]), log_odds], dim=1)


def flood_probability(log_odds: Tensor) -> Tensor:
    """(B, H, W) probability that a pixel is in any state but dry."""
    return 1.0 - torch.softmax(state_logits(log_odds), dim=1)[:, 0]


def loss_of(log_odds: Tensor, inputs: Tensors, truth: Tensor, contract: Contract, objective: Objective) -> Loss:
    """Return the weighted sum of the terms of an objective, in float32.

    Args:
        log_odds: (B, S, H, W) of the network, nats.
        inputs: what it was given.
        truth: (B, H, W) integers: 0 dry, 1 … the state, 255 unknown.
        contract: of the network: its sensors, states and bound.
        objective: the weights.
    """
    log_odds = log_odds.float()
    target = torch.where(observed(inputs, contract), truth.long(), UNKNOWN)
    terms = _truth_terms(log_odds, target, objective) | _physics_terms(log_odds, inputs, target, contract, objective)
    total = sum((getattr(objective, name) * term for name, term in terms.items()), log_odds.new_zeros(()))
    return Loss(total, terms)


def observed(inputs: Tensors, contract: Contract) -> Tensor:
    """(B, H, W) True where any sensor of the moment is present."""
    return torch.stack([inputs.presence[name] for name in contract.sensors]).any(dim=0)


def _truth_terms(log_odds: Tensor, target: Tensor, objective: Objective) -> dict[str, Tensor]:
    """What compares with the truth."""
    logits = state_logits(log_odds)
    weights = logits.new_tensor(objective.weights or (1.0,) * logits.shape[1])
    used, flooded = target != UNKNOWN, (target > 0) & (target != UNKNOWN)
    probability = flood_probability(log_odds)
    terms = {}
    if objective.cross_entropy:
        terms["cross_entropy"] = loss_terms.cross_entropy(logits, target, weights)
    if objective.focal:
        terms["focal"] = loss_terms.focal(logits, target, weights, objective.focus)
    for name, term in (("dice", loss_terms.soft_dice), ("lovasz", loss_terms.lovasz), ("edges", loss_terms.edge_loss)):
        if getattr(objective, name):
            terms[name] = term(probability, flooded, used)
    return terms


def _physics_terms(
    log_odds: Tensor, inputs: Tensors, target: Tensor, contract: Contract, objective: Objective
) -> dict[str, Tensor]:
    """What compares with the physics, the ground and the indices, where the contract has them."""
    terms = {}
    channels = contract.channel_names
    if objective.penalty:
        used = target != UNKNOWN
        terms["penalty"] = loss_terms.residual_penalty(log_odds, inputs.physics, contract.bound, used)
    if objective.hydrostatic and "height_above_drainage" in channels.get("terrain", ()):
        known = inputs.presence["terrain"].flatten(1).any(dim=1)  # by image: pairs are many, and cost a fifth of a step
        height = _channel(inputs, contract, "terrain", "height_above_drainage")[known]
        probability = flood_probability(log_odds).masked_fill(~observed(inputs, contract), torch.nan)[known]
        terms["hydrostatic"] = hydrostatic_loss(probability, height)
    optics = next((name for name in contract.sensors if {"ndwi", "mndwi"} <= set(channels[name])), None)
    if objective.consistency and optics is not None:
        logits = state_logits(log_odds)
        rest = torch.cat([logits[:, :1], logits[:, 2:]], dim=1).logsumexp(dim=1)
        flood = log_odds.logsumexp(dim=1) if contract.states == WATER_STATES else None
        ndwi, mndwi = (_channel(inputs, contract, optics, name) for name in ("ndwi", "mndwi"))
        clear = inputs.presence[optics]
        terms["consistency"] = loss_terms.index_consistency(logits[:, 1] - rest, flood, ndwi, mndwi, clear)
    return terms


def _channel(inputs: Tensors, contract: Contract, modality: str, channel: str) -> Tensor:
    """(B, H, W) of one channel, NaN where its modality is absent."""
    values = inputs.modalities[modality][:, contract.channel_names[modality].index(channel)]
    return values.masked_fill(~inputs.presence[modality], torch.nan)
