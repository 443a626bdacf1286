"""One sensor's encoder: the same for its look of the moment and for the earlier ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.contract import Architecture
from models.parts.time_attention import TimeAttention
from models.segmentation_library import segmentation_models


class SensorEncoder(nn.Module):
    """Features of one sensor at every scale from 1/2 on, its looks joined by attention over time."""

    def __init__(self, architecture: Architecture, channels: int, numbers: tuple[int, ...]) -> None:
        """`channels`: of one look with its presence and context; `numbers`: of the earlier looks."""
        super().__init__()
        encoder = segmentation_models().encoders.get_encoder(
            architecture.encoder,
            in_channels=channels,
            depth=architecture.depth,
            weights=architecture.pretrained,
            **architecture.encoder_options,
        )
        self.encoder = cast(nn.Module, encoder.to(memory_format=torch.channels_last))
        self.channels = tuple(int(width) for width in encoder.out_channels[1:])
        asked = [width if numbers else 0 for width in self.channels]
        self.times = nn.ModuleList(TimeAttention(width, numbers) if width else nn.Identity() for width in asked)

    def forward(self, looks: Sequence[Tensor], seen: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Encode the looks (B, channels, H, W), the moment first; `seen` (1 + n, B, H, W) bool says where each looked.

        Returns:
            By scale, (B, C, h, w) features, exactly 0 where no look saw anything, and (B, h, w) bool: where one did.
        """
        images = torch.cat(list(looks)).contiguous(memory_format=torch.channels_last)
        scales = []
        for features, time in zip(self.encoder(images)[1:], self.times, strict=True):
            cells = coarse(seen, features)
            maps = features * cells.flatten(0, 1)[:, None]
            now, before = maps[: seen.shape[1]], maps[seen.shape[1] :]
            anywhere = cells.any(dim=0)
            if isinstance(time, TimeAttention):
                now = time(now, before, cells[1:]) * anywhere[:, None]
            scales.append((now, anywhere))
        return scales


def coarse(seen: Tensor, features: Tensor) -> Tensor:
    """(L, B, H, W) bool at the size of the features: True where any pixel of a cell is."""
    return functional.adaptive_max_pool2d(seen.to(features.dtype), features.shape[-2:]) > 0
