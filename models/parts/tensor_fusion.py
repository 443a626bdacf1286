"""Sensors joined by products of their features: interactions of two, three … sensors, at low rank."""

from __future__ import annotations

import torch
from torch import Tensor, nn

RANK = 4
"""Terms of the sum that stands for the core tensor."""
NARROW = 16
"""Most features of a sensor that enter the products, and most that come out."""


class TensorJoin(nn.Module):
    """Tucker fusion with a core of low rank (Ben-younes et al. 2017, ICCV, "MUTAN"): features of every sensor and of
    the result are few, and the core tensor between them is a sum of `RANK` products of matrices.

    Every sensor's features get a constant beside them (Zadeh et al. 2017, EMNLP), so that each sensor alone, each
    pair and all together pass; a sensor that is absent leaves its constant, and the others are what they are without
    it. Tells no sensor's share: a product has none.
    """

    def __init__(self, sensors: int, channels: int) -> None:
        super().__init__()
        self.sensors = sensors
        narrow = min(channels, NARROW)
        self.reduce = nn.Sequential(nn.Conv2d(sensors * channels, sensors * narrow, 1, groups=sensors), nn.Tanh())
        self.factors = nn.Conv2d(sensors * narrow, sensors * RANK * narrow, 1, groups=sensors)
        nn.init.ones_(self.factors.bias)  # type: ignore[arg-type]
        self.finish = nn.Sequential(
            nn.Conv2d(narrow, channels, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU(inplace=True)
        )

    def forward(self, planes: Tensor, seen: Tensor) -> tuple[Tensor, None]:
        """(B, M·C, H, W) features, sensor after sensor, 0 where absent, and (B, M, H, W) bool to (B, C, H, W)."""
        present = seen[:, :, None].to(planes.dtype)
        reduced = self.reduce(planes).unflatten(1, (self.sensors, -1)) * present
        factors = self.factors(reduced.flatten(1, 2)).unflatten(1, (self.sensors, RANK, -1))
        return self.finish(torch.prod(factors, dim=1).sum(dim=1)), None
