"""Early fusion: all channels stacked into one small U-Net that corrects the physics within its bound."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from models.contract import Architecture, Channel, Contract
from models.inputs import CONTEXT
from models.network import Network
from models.receptive import with_halo
from models.segmentation_library import segmentation_models

# Clip, mean, deviation of each channel: round numbers around the table of harmonization/classes.py, so that
# classes lie within about +-2. Evidence keeps mean 0: no evidence and an absent sensor then look alike.
_EVIDENCE = ((-12.0, 12.0), 0.0, 4.0)
_CHANGE = ((-15.0, 15.0), 0.0, 4.0)
_NORMALISATION: dict[str, dict[str, tuple[tuple[float, float], float, float]]] = {
    "c_band": {"copol_db": ((-32.0, 2.0), -12.0, 5.0), "crosspol_db": ((-38.0, -5.0), -20.0, 6.0)},
    "l_band": {"copol_db": ((-34.0, 2.0), -14.0, 6.0), "crosspol_db": ((-40.0, -5.0), -23.0, 7.0)},
    "optical": {"ndwi": ((-1.0, 1.0), -0.4, 0.4), "mndwi": ((-1.0, 1.0), -0.2, 0.4)},
    "terrain": {"height_above_drainage": ((0.0, 40.0), 5.0, 8.0), "slope": ((0.0, 30.0), 3.0, 5.0)},
}
_UNITS = {"height_above_drainage": "m", "slope": "degrees", "ndwi": "1", "mndwi": "1"}


SENSORS = ("c_band", "l_band", "optical")


def early_contract(
    name: str = "early", architecture: Architecture | None = None, sensors: tuple[str, ...] = SENSORS
) -> Contract:
    """Return the contract of the shipped early network, its halo measured on the network itself.

    `sensors`: which of `SENSORS` it knows; one makes it an expert.
    """
    modalities = {modality: channels_of(modality) for modality in (*sensors, "terrain")}
    presence = (*modalities, *(f"{name}_before" for name in sensors if name != "optical"))
    architecture = architecture or Architecture()
    contract = Contract(
        name=name,
        strategy="early" if len(sensors) > 1 else "expert",
        architecture=architecture,
        modalities=modalities,
        presence=presence,
        context=CONTEXT,
        stride=2**architecture.depth,
    )
    return with_halo(contract, EarlyFusion(contract))


class EarlyFusion(Network):
    """A U-Net over the stacked channels and presence masks; with one sensor in its contract, an expert."""

    def __init__(self, contract: Contract) -> None:
        super().__init__(contract)
        self.body = unet_body(contract.architecture, contract.input_channels)

    def features(self, modalities: dict[str, Tensor], presence: dict[str, Tensor]) -> tuple[Tensor, None]:
        """Return the decoder's features; stacked channels show no share of a sensor."""
        return self.body(self.stacked(modalities, presence)), None

    def stacked(self, modalities: dict[str, Tensor], presence: dict[str, Tensor]) -> Tensor:
        """Return (B, input_channels, H, W): the modalities as they are given, then the presence masks."""
        planes = [modalities[name] for name in self.contract.modalities]
        masks = torch.stack([presence[name] for name in self.contract.presence], dim=1)
        stacked = torch.cat([*planes, masks.to(planes[0].dtype)], dim=1)
        return stacked.contiguous(memory_format=torch.channels_last)


def unet_body(architecture: Architecture, channels: int) -> nn.Module:
    """Build an untrained U-Net without its head: (B, channels, H, W) to features of the last decoder step."""
    unet = segmentation_models().Unet(
        encoder_name=architecture.encoder,
        encoder_depth=architecture.depth,
        encoder_weights=architecture.pretrained,
        decoder_channels=architecture.decoder_channels,
        in_channels=channels,
        classes=1,
        **architecture.encoder_options,
    )
    unet.segmentation_head = nn.Identity()
    return cast(nn.Module, unet.to(memory_format=torch.channels_last))


def channels_of(modality: str) -> tuple[Channel, ...]:
    """The channels that `models.inputs.assemble` makes, with their normalisation."""
    rows = {} if modality in CONTEXT else dict.fromkeys(("evidence_water", "evidence_vegetation"), _EVIDENCE)
    rows |= _NORMALISATION[modality]
    channels = tuple(_channel(name, numbers, modality) for name, numbers in rows.items())
    if modality not in ("c_band", "l_band"):
        return channels
    return (*channels, _channel("copol_change_db", _CHANGE, f"{modality}_before"))


def _channel(name: str, numbers: tuple[tuple[float, float], float, float], presence: str) -> Channel:
    clip, mean, std = numbers
    unit = "nat" if name.startswith("evidence") else _UNITS.get(name, "dB")
    return Channel(name=name, unit=unit, clip=clip, mean=mean, std=std, presence=presence)
