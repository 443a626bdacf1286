"""What a network says of each pixel, and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Float = NDArray[np.float32]


class Output(NamedTuple):
    """What every network's `forward` returns."""

    log_odds: Tensor
    """(B, S, H, W) nats of each state against dry; while it learns, of one member drawn for each image."""
    aleatoric: Tensor
    """(B, S, H, W) variance in nats² that the data leave: the network's own estimate."""
    epistemic: Tensor
    """(B, S, H, W) variance in nats² over the members of the head; 0 while it learns."""
    trust: Tensor
    """(B, M, H, W) share of each sensor of the contract in the result, summing to 1 where any is present, else 0."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """The same as arrays, for one window."""

    log_odds: Float
    """(S, y, x) nats of each state against dry."""
    aleatoric: Float
    """(S, y, x) nats²."""
    epistemic: Float
    """(S, y, x) nats²."""
    trust: Float
    """(M, y, x) share of each sensor."""
    sensors: tuple[str, ...]
    """Whose shares these are."""

    @property
    def variance(self) -> Float:
        """(S, y, x) total variance in nats²: what fusion weighs by."""
        return self.aleatoric + self.epistemic
