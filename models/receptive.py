"""How far a network looks: measured on the network, so that the halo follows from it."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from models.contract import Contract
from models.network import Network

_LARGEST = 2048
"""Pixels; a field that is wider than this counts as global."""
_PHASES = 8
"""Phases of the stride at which the reach is measured, at most."""
_WIDTH = 32
"""Pixels across a strip on which it is measured, at least."""
_GLOBAL = (nn.GroupNorm, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)
"""Normalisations over the whole image: every pixel changes every other."""


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
    saturating activation, averages for maxima; in double precision, along strips of rows and of columns, over all
    phases of the stride. Above `_PHASES` phases only so many are measured: what an output sees moves one way as the
    output does, so between two of them the reach is less than their distance more, and that is added.

    Args:
        body: (B, channels, H, W) to (B, any, H, W).
        channels: of its input.
        stride: of its deepest features or windows, pixels.

    Raises:
        ValueError: the reach is not finite (global pooling, attention or normalisation): tiling cannot be exact.
    """
    probe = _transparent(copy.deepcopy(body))
    step = -(-stride // _PHASES)
    size = 16 * stride
    while size <= max(_LARGEST, 16 * stride):
        radius = max(_reach(probe, channels, size, stride, step, axis) for axis in (-2, -1)) + step - 1
        if radius + stride < size // 2:
            return radius
        size *= 2
    raise ValueError(f"The network looks further than {_LARGEST // 2} pixels: no halo makes tiling exact.")


def halo_of(body: nn.Module, channels: int, stride: int) -> int:
    """Return the receptive radius rounded up to a multiple of the stride."""
    return -(-receptive_radius(body, channels, stride) // stride) * stride


def _reach(probe: nn.Module, channels: int, size: int, stride: int, step: int, axis: int) -> int:
    """Distance of the farthest input with a gradient from every `step`-th output pixel of a stride at the centre.

    The image is a strip: as wide as one stride, and four deepest features, need.
    """
    width = stride * -(-_WIDTH // stride)
    shape = (size, width) if axis == -2 else (width, size)
    image = torch.ones((1, channels, *shape), dtype=torch.float64, requires_grad=True)  # 0 would hide a factor
    with torch.enable_grad():
        outputs = probe(image).sum(dim=1).select(-1 if axis == -2 else -2, width // 2)[0]
        places = range(size // 2, size // 2 + stride, step)
        return max(_distance(torch.autograd.grad(outputs[at], image, retain_graph=True)[0], at, axis) for at in places)


def _distance(gradient: Tensor, place: int, axis: int) -> int:
    """Of the farthest input along the axis that the gradient is not 0 at."""
    touched = gradient[0].abs().sum(dim=0).amax(dim=1 if axis == -2 else 0) > 0
    return int((torch.nonzero(touched) - place).abs().max())


def _transparent(module: nn.Module) -> nn.Module:
    """Make every path from input to output visible to the gradient.

    Softmax counts as an activation: without it, what decides a share is a factor, and seen. A LayerNorm over channels
    stays at its pixel and takes away the gradient of all-equal features: it goes as well.

    Raises:
        ValueError: a layer normalises over the whole image; its name and class are given.
    """
    module = module.double().eval()
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            _refuse_global(name, child)
            if _hides(child):
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


def _hides(layer: nn.Module) -> bool:
    activation = type(layer).__module__ == nn.ReLU.__module__ and not isinstance(layer, nn.MultiheadAttention)
    return activation or isinstance(layer, nn.LayerNorm)


def _refuse_global(name: str, layer: nn.Module) -> None:
    spatial = isinstance(layer, nn.LayerNorm) and len(layer.normalized_shape) > 1
    if spatial or isinstance(layer, _GLOBAL):
        raise ValueError(
            f"Layer {name!r} ({type(layer).__name__}) normalises over the whole image: no halo makes tiling exact. "
            "Choose an encoder with BatchNorm, or LayerNorm over channels."
        )
