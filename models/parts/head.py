"""From features to corrections and their doubt: several members, each blind to another part of the features."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

LEAST_VARIANCE = 0.05
"""nats² an untrained head claims: small beside what sensors differ by [M]."""


class UncertainHead(nn.Module):
    """One convolution for the correction, seen through fixed masks, and one for the aleatoric variance.

    Member k goes without the channels k, k + K, k + 2K …: fixed masks instead of drawn ones (Gal & Ghahramani 2016,
    ICML; Durasov et al. 2021, CVPR, "Masksembles"), so that neighbouring tiles meet and a map is the same bytes twice.
    The spread of the members is the epistemic uncertainty; the variance head is that of Kendall & Gal 2017, NeurIPS.
    Both start at zero: untrained, the correction is 0 and the variance `LEAST_VARIANCE`.
    """

    def __init__(self, features: int, states: int, members: int) -> None:
        super().__init__()
        self.correction = nn.Conv2d(features, states, 3, padding=1)
        self.log_variance = nn.Conv2d(features, states, 3, padding=1)
        for layer in (self.correction, self.log_variance):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        kept = torch.ones(members, features)
        if members > 1:
            for member in range(members):
                kept[member, member::members] = 0.0
            kept *= features / kept.sum(dim=1, keepdim=True)
        self.register_buffer("kept", kept, persistent=False)
        self.kept: Tensor

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """(B, F, H, W) to corrections (B, K, S, H, W) of all members, and aleatoric variance (B, S, H, W) in nats².

        While it learns K is 1: a member drawn for each image.
        """
        variance = LEAST_VARIANCE * torch.exp(self.log_variance(features).float().clamp(-6.0, 6.0))
        if self.training:
            drawn = self.kept[torch.randint(len(self.kept), (features.shape[0],), device=features.device)]
            return self.correction(features * drawn[:, :, None, None])[:, None].float(), variance
        weight = self.correction.weight[None] * self.kept[:, None, :, None, None]  # (K, S, F, 3, 3)
        bias = self.correction.bias
        assert bias is not None
        members = functional.conv2d(features, weight.flatten(0, 1), bias.repeat(len(self.kept)), padding=1)
        return members.reshape(len(features), len(self.kept), -1, *members.shape[2:]).float(), variance


def softened(log_odds: Tensor, variance: Tensor) -> Tensor:
    """Log-odds after averaging the probability over their variance: l / sqrt(1 + π/8·(v - least)).

    MacKay 1992 (Neural Computation 4(5)), relative to what an untrained head claims:
    so its physics stays as it is.
    """
    share = math.pi / 8.0 / (1.0 + math.pi / 8.0 * LEAST_VARIANCE)
    return log_odds / torch.sqrt(1.0 + share * (variance - LEAST_VARIANCE))
