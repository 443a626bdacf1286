"""How far a network looks: measured on the network, so that the halo follows from it."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from models.contract import Contract
from models.network import Network

_LARGEST = 2048
"""Pixels; a field that is wider than this counts as global."""


class _Flat(nn.Module):
    """A network as a function of one image: all normalised channels, modality by modality."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        self.sizes = {name: len(channels) for name, channels in network.contract.modalities.items()}

    def forward(self, image: Tensor) -> Tensor:
        """(B, channels, H, W) to corrections, every modality present everywhere."""
        modalities = dict(zip(self.sizes, torch.split(image, list(self.sizes.values()), dim=1), strict=True))
        everywhere = torch.ones_like(image[:, 0], dtype=torch.bool)
        features, _ = self.network.features(modalities, dict.fromkeys(self.network.contract.presence, everywhere))
        corrections: Tensor = self.network.head.correction(features)
        return corrections


def with_halo(contract: Contract, network: Network) -> Contract:
    """Return the contract with the halo that is measured on its network."""
    flat = _Flat(network)
    return contract.model_copy(update={"halo": halo_of(flat, sum(flat.sizes.values()), contract.stride)})


def receptive_radius(body: nn.Module, channels: int, stride: int) -> int:
    """Return the largest distance in pixels (rows or columns) at which an input can change an output.

    Measured as the reach of the gradient in a copy that can hide nothing: positive constant weights, no
    saturating activation, averages for maxima; in double precision, over all phases of the stride.

    Args:
        body: (B, channels, H, W) to (B, any, H, W).
        channels: of its input.
        stride: of its deepest features, pixels.

    Raises:
        ValueError: the reach is not finite (global pooling or attention): tiling cannot be exact.
    """
    probe = _transparent(copy.deepcopy(body))
    size = 16 * stride
    while size <= _LARGEST:
        radius = max(_reach(probe, channels, size, phase) for phase in range(stride))
        if radius + stride < size // 2:
            return radius
        size *= 2
    raise ValueError(f"The network looks further than {_LARGEST // 2} pixels: no halo makes tiling exact.")


def halo_of(body: nn.Module, channels: int, stride: int) -> int:
    """Return the receptive radius rounded up to a multiple of the stride."""
    return -(-receptive_radius(body, channels, stride) // stride) * stride


def _reach(probe: nn.Module, channels: int, size: int, phase: int) -> int:
    """Distance of the farthest input with a gradient from the output pixel at the centre plus `phase`."""
    centre = size // 2 + phase
    image = torch.zeros((1, channels, size, size), dtype=torch.float64, requires_grad=True)
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(probe(image)[0, :, centre, centre].sum(), image)
    return int((torch.nonzero(_touched(gradient)) - centre).abs().max())


def _touched(gradient: Tensor) -> Tensor:
    return gradient[0].abs().sum(dim=0) > 0


def _transparent(module: nn.Module) -> nn.Module:
    """Make every path from input to output visible to the gradient."""
    module = module.double().eval()
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if type(child).__module__ == nn.ReLU.__module__ and not isinstance(child, nn.MultiheadAttention):
                setattr(parent, name, nn.Identity())
            elif isinstance(child, nn.MaxPool2d):
                setattr(parent, name, nn.AvgPool2d(child.kernel_size, child.stride, child.padding))
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.fill_(1e-2)
        for name, buffer in module.named_buffers():
            if name.endswith("running_mean"):
                buffer.zero_()
            elif name.endswith("running_var"):
                buffer.fill_(1.0)
    return module
