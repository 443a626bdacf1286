"""All that decides the weights, besides the chips and the contract."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from models.contract import Contract, Record
from models.learning.augmentation import Augmentation
from models.learning.losses import Objective


class Recipe(Record):
    """The numbers of a fit. The same chips, contract, recipe, device and threads give the same weights."""

    epochs: PositiveInt = 30
    seed: int = 0
    batch: PositiveInt = 8
    rate: PositiveFloat = 2e-3
    """Learning rate of AdamW at the start; a cosine brings it to 0."""
    decay: NonNegativeFloat = 1e-2
    """Weight decay of AdamW."""
    clip: PositiveFloat = 1.0
    """Norm that the gradient is cut to."""
    average: float = Field(0.99, ge=0.0, lt=1.0)
    """Of the moving average of the weights, a step: these are scored and kept. 0 keeps the weights as they are."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Of the network's forward pass while it learns and is scored; "auto" is bfloat16 where the processor computes in
    it. Losses, weights and the network that is delivered are float32."""
    patience: PositiveInt = 10
    """Epochs without a better score after which the fit ends."""
    validation_share: float = Field(0.2, gt=0.0, lt=1.0)
    """Of the chips, by groups, where no validation chips are given."""
    draws: PositiveInt = 1
    """Of each chip an epoch: small squares of large chips are many."""
    flood_share: float | None = Field(None, gt=0.0, lt=1.0)
    """Mean share of flood of the chips that are drawn; None takes each chip once an epoch."""
    augmentation: Augmentation = Augmentation(turn=True, drop=0.25, blob=0.25, shake=1.0, jitter=1.0)
    """Simulated ground is not the only ground, and no sensor is always there."""
    objective: Objective = Objective()
    experts: dict[str, Objective] = Field(default_factory=dict)
    """By sensor, the objective of its expert: imbalance differs by what a sensor sees."""

    def objective_of(self, contract: Contract) -> Objective:
        """The objective for a network: an expert's own where there is one."""
        sensor = contract.sensors[0] if contract.strategy == "expert" else ""
        return self.experts.get(sensor, self.objective)
