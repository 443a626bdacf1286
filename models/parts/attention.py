"""Sensors joined by cross-attention within windows: memory grows with the pixels, not with their square."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from models.parts.concatenation import with_presence
from models.parts.gate import Shares

_NEAR = 2.0
"""How much an untrained network prefers a neighbour one feature nearer, nats of attention [M]."""

_HEADS = 2
"""Most of them, each with its own weights."""


class AttentionJoin(nn.Module):
    """What all sensors see at a place asks; each sensor's features in the window answer (Vaswani et al. 2017, NeurIPS).

    Windows of `window` x `window` features lie side by side from the first row and column on, without a shift
    (Liu et al. 2021, ICCV, "Swin", without its second grid): tiles that start at multiples of the window see the same
    windows. A sensor that is absent somewhere is no key there. N pixels of M sensors take N·M·window² scores a head.
    """

    def __init__(self, sensors: int, channels: int, window: int) -> None:
        super().__init__()
        self.sensors, self.window = sensors, window
        self.heads = math.gcd(channels, _HEADS)
        self.query = nn.Conv2d(sensors * (channels + 1), channels, 1)
        self.key = nn.Conv2d(sensors * channels, sensors * channels, 1, groups=sensors)
        self.value = nn.Conv2d(sensors * channels, sensors * channels, 1, groups=sensors)
        self.position = nn.Parameter(-_NEAR * distances(window).repeat(self.heads, 1, 1, 1))
        self.shares = Shares(dim=-1)
        self.finish = nn.Sequential(
            nn.Conv2d(channels, channels, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU(inplace=True)
        )

    def forward(self, planes: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """(B, M·C, H, W) features, sensor after sensor, 0 where absent, and (B, M, H, W) bool.

        Returns:
            (B, C, H, W) joined features, and the share (B, M, H, W) of each sensor in the attention.

        Raises:
            ValueError: H or W is no multiple of the window.
        """
        _require_windows(planes, self.window)
        size, sensors, heads = self.window, self.sensors, self.heads
        query = windows(self.query(with_presence(planes, seen)), size, 1, heads)
        key, value = (windows(layer(planes), size, sensors, heads) for layer in (self.key, self.value))
        present = windows(seen, size, sensors, 1).squeeze(-1)  # (N, 1, M·w²)
        weights = self.weights(query, key, present)
        joined = self.finish(_back(weights @ value, planes.shape, size))
        by_sensor = weights.reshape(*weights.shape[:-1], sensors, size**2).sum(dim=-1).mean(dim=1, keepdim=True)
        return joined, _back(by_sensor, planes.shape, size)

    def weights(self, query: Tensor, key: Tensor, present: Tensor) -> Tensor:
        """(N, heads, w², M·w²) attention that sums to 1 over what is present in a window."""
        scores = (query / math.sqrt(query.shape[-1])) @ key.transpose(-1, -2)
        nearness = self.position.expand(-1, -1, self.sensors, -1).flatten(2)
        weights: Tensor = self.shares(scores + nearness, present[:, None])
        return weights


def distances(window: int) -> Tensor:
    """(1, w², 1, w²) distances between the features of a window."""
    line = torch.arange(window, dtype=torch.float32)
    place = torch.cartesian_prod(line, line)
    return torch.cdist(place, place)[None, :, None, :]


def windows(image: Tensor, size: int, sensors: int, heads: int) -> Tensor:
    """(B, M·heads·D, H, W) to (windows, heads, M·w², D): all features of a window in a row."""
    batch, _, height, width = image.shape
    split = image.reshape(batch, sensors, heads, -1, height // size, size, width // size, size)
    return split.permute(0, 4, 6, 2, 1, 5, 7, 3).reshape(-1, heads, sensors * size * size, split.shape[3])


def _back(rows: Tensor, shape: torch.Size, size: int) -> Tensor:
    """(windows, heads, w², D) to (B, heads·D, H, W)."""
    batch, _, height, width = shape
    split = rows.reshape(batch, height // size, width // size, rows.shape[1], size, size, -1)
    return split.permute(0, 3, 6, 1, 4, 2, 5).reshape(batch, -1, height, width)


def _require_windows(planes: Tensor, window: int) -> None:
    if planes.shape[-2] % window or planes.shape[-1] % window:
        raise ValueError(
            f"Features of {planes.shape[-2]} x {planes.shape[-1]} do not split into windows of {window}: give images "
            "whose sides are multiples of the contract's stride."
        )
