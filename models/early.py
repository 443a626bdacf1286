"""Early fusion: all channels stacked into one small U-Net that corrects the physics within its bound."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from models.contract import Architecture, Channel, Contract
from models.parts.residual import bounded_residual
from models.receptive import halo_of
from models.segmentation_library import segmentation_models

# Clip, mean, deviation of each channel: round numbers around the table of harmonization/classes.py, so that
# classes lie within about +-2. Evidence keeps mean 0: no evidence and an absent sensor then look alike.
_EVIDENCE = ((-12.0, 12.0), 0.0, 4.0)
_CHANGE = ((-15.0, 15.0), 0.0, 4.0)
_NORMALISATION: dict[str, dict[str, tuple[tuple[float, float], float, float]]] = {
    "c_band": {"copol_db": ((-32.0, 2.0), -12.0, 5.0), "crosspol_db": ((-38.0, -5.0), -20.0, 6.0)},
    "l_band": {"copol_db": ((-34.0, 2.0), -14.0, 6.0), "crosspol_db": ((-40.0, -5.0), -23.0, 7.0)},
    "optical": {"ndwi": ((-1.0, 1.0), -0.4, 0.4), "mndwi": ((-1.0, 1.0), -0.2, 0.4)},
}


def early_contract(name: str = "early", architecture: Architecture | None = None) -> Contract:
    """Return the contract of the shipped early network, its halo measured on the network itself."""
    modalities = {modality: _channels(modality) for modality in _NORMALISATION}
    presence = (*modalities, "c_band_before", "l_band_before")
    architecture = architecture or Architecture()
    contract = Contract(
        name=name,
        architecture=architecture,
        modalities=modalities,
        presence=presence,
        stride=2**architecture.depth,
    )
    body = EarlyFusion(contract).body
    return contract.model_copy(update={"halo": halo_of(body, contract.input_channels, contract.stride)})


class EarlyFusion(nn.Module):
    """A U-Net over the stacked channels and presence masks, its output a bounded residual on the physics.

    The last layer starts at zero: untrained, the network is the physics.
    """

    def __init__(self, contract: Contract) -> None:
        super().__init__()
        self.contract = contract
        self.body = _unet(contract)
        for modality, channels in contract.modalities.items():
            rows = [(*channel.clip, channel.mean, channel.std) for channel in channels]
            scale = torch.tensor(rows).T[:, :, None, None]  # (low, high, mean, std) x (C, 1, 1)
            self.register_buffer(f"scale_{modality}", scale, persistent=False)

    def forward(self, modalities: dict[str, Tensor], presence: dict[str, Tensor], physics: Tensor) -> Tensor:
        """Return (B, 2, H, W) log-odds in nats of the contract's states; see `Tensors` for the arguments.

        H and W are multiples of the stride. Where no modality is present it is the physics, exactly.
        """
        correction = self.body(self.stacked(modalities, presence))
        seen = torch.stack([presence[name] for name in self.contract.modalities]).any(dim=0)
        return torch.where(seen[:, None], bounded_residual(physics, correction.float(), self.contract.bound), physics)

    def stacked(self, modalities: dict[str, Tensor], presence: dict[str, Tensor]) -> Tensor:
        """Return (B, input_channels, H, W): normalised channels, 0 where absent, then the presence masks."""
        planes = [self._normalised(name, modalities[name], presence) for name in self.contract.modalities]
        masks = torch.stack([presence[name] for name in self.contract.presence], dim=1)
        stacked = torch.cat([*planes, masks.to(planes[0].dtype)], dim=1)
        return stacked.contiguous(memory_format=torch.channels_last)

    def _normalised(self, name: str, values: Tensor, presence: dict[str, Tensor]) -> Tensor:
        low, high, mean, std = cast(Tensor, getattr(self, f"scale_{name}"))
        channels = self.contract.modalities[name]
        seen = torch.stack([presence[channel.presence] & presence[name] for channel in channels], dim=1)
        scaled = (torch.clamp(values, low, high) - mean) / std
        return torch.where(seen & torch.isfinite(values), scaled, torch.zeros_like(scaled))


def _unet(contract: Contract) -> nn.Module:
    """Build the untrained U-Net: two outputs a pixel, its head at zero."""
    architecture = contract.architecture
    unet = segmentation_models().Unet(
        encoder_name=architecture.encoder,
        encoder_depth=architecture.depth,
        encoder_weights=None,
        decoder_channels=architecture.decoder_channels,
        in_channels=contract.input_channels,
        classes=len(contract.states),
    )
    head = unet.segmentation_head[0]
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    return cast(nn.Module, unet.to(memory_format=torch.channels_last))


def _channels(modality: str) -> tuple[Channel, ...]:
    """The channels that `models.inputs.assemble` makes, with their normalisation."""
    rows = {"evidence_water": ("nat", _EVIDENCE), "evidence_vegetation": ("nat", _EVIDENCE)}
    unit = "1" if modality == "optical" else "dB"
    rows |= {name: (unit, numbers) for name, numbers in _NORMALISATION[modality].items()}
    channels = tuple(_channel(name, unit, numbers, modality) for name, (unit, numbers) in rows.items())
    if modality == "optical":
        return channels
    return (*channels, _channel("copol_change_db", "dB", _CHANGE, f"{modality}_before"))


def _channel(name: str, unit: str, numbers: tuple[tuple[float, float], float, float], presence: str) -> Channel:
    clip, mean, std = numbers
    return Channel(name=name, unit=unit, clip=clip, mean=mean, std=std, presence=presence)
