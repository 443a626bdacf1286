"""Sensors joined by a gated sum: at every pixel, shares that look at all sensors decide how much each one counts."""

from __future__ import annotations

from torch import Tensor, nn

from models.parts.concatenation import with_presence

ABSENT = -1e4
"""Score of what is absent: no share is left of it after the softmax, in half precision too."""

_SHARP = 4.0
"""Score a unit of the gate's output: with 1, a sensor that lies kept 0.91 to 0.95 of its share after a short fit, with
this 0.71 to 0.84, the map being as good (three seeds of the lying sensor in the tests) [C]."""


class Shares(nn.Module):
    """Scores to shares that sum to 1 over what is present; all 0 where nothing is."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.softmax = nn.Softmax(dim=dim)

    def forward(self, scores: Tensor, present: Tensor) -> Tensor:
        """Scores of any shape, and bool that broadcasts to it."""
        shares: Tensor = self.softmax(scores.masked_fill(~present, ABSENT))
        return shares * present


class GatedJoin(nn.Module):
    """A mixture of sensors whose gate sees them all (Jacobs et al. 1991, Neural Computation 3(1), per pixel).

    The gate has a hidden layer: that two sensors conflict is an interaction of them, which one layer cannot see.
    """

    def __init__(self, sensors: int, channels: int) -> None:
        super().__init__()
        self.sensors = sensors
        self.value = nn.Conv2d(sensors * channels, sensors * channels, 1, groups=sensors)
        self.gate = nn.Sequential(
            nn.Conv2d(sensors * (channels + 1), channels, 1), nn.ReLU(inplace=True), nn.Conv2d(channels, sensors, 1)
        )
        self.shares = Shares(dim=1)
        self.finish = nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU(inplace=True))

    def forward(self, planes: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """(B, M·C, H, W) features, sensor after sensor, 0 where absent, and (B, M, H, W) bool.

        Returns:
            (B, C, H, W) joined features, and the share (B, M, H, W) of each sensor.
        """
        shares = self.shares(_SHARP * self.gate(with_presence(planes, seen)), seen)
        values = self.value(planes).unflatten(1, (self.sensors, -1))
        return self.finish((values * shares[:, :, None]).sum(dim=1)), shares
