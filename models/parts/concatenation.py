"""Sensors joined by stacking: features and presence through one convolution."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ConcatJoin(nn.Module):
    """The plain way: all that any join could do here is left to the convolution. Tells no sensor's share."""

    def __init__(self, sensors: int, channels: int) -> None:
        super().__init__()
        self.mix = nn.Sequential(
            nn.Conv2d(sensors * (channels + 1), channels, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
        )

    def forward(self, planes: Tensor, seen: Tensor) -> tuple[Tensor, None]:
        """(B, M·C, H, W) features, sensor after sensor, 0 where absent, and (B, M, H, W) bool to (B, C, H, W)."""
        return self.mix(with_presence(planes, seen)), None


def with_presence(planes: Tensor, seen: Tensor) -> Tensor:
    """(B, M·C, H, W) features and (B, M, H, W) bool in one, in the order of memory of the features."""
    order = torch.channels_last if planes.is_contiguous(memory_format=torch.channels_last) else torch.contiguous_format
    return torch.cat([planes, seen.to(planes.dtype, memory_format=order)], dim=1)
