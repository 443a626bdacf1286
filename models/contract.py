"""What a checkpoint promises and asks for: read before its weights, kept beside them.

Free of torch, so that a plan can read halo, stride and modalities in no time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, PositiveFloat, PositiveInt, model_validator

CONTRACT = "contract.json"
"""The file of a checkpoint's folder that holds the contract."""
SHIPPED = Path(__file__).parent / "weights"
"""The networks that come with the package, one folder each."""
BOUND = math.log(9.0)
"""B in nats: physics that says 0.9 can be moved to 0.5 at most (physics note, section 9)."""


DATED = "@"
"""Parts a modality's name from the number of an earlier look: "c_band@1" is the look before that of "c_band"."""
Join = Literal["concat", "gated", "attention", "tensor"]


def sensor_of(modality: str) -> str:
    """The sensor that a modality comes from: "c_band" of "c_band" and of "c_band@1"."""
    return modality.partition(DATED)[0]


class ContractMismatch(ValueError):
    """Inputs or weights are not those of the contract."""


class Record(BaseModel):
    """Frozen and closed: an unknown field is an error, a field never changes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Channel(Record):
    """One input channel: clipped, then (value - mean) / std; 0 where it is absent."""

    name: str
    unit: str
    clip: tuple[float, float]
    mean: float
    std: PositiveFloat
    presence: str
    """The mask that says where it was observed."""


class Architecture(Record):
    """Encoders and a U-Net decoder of segmentation-models-pytorch."""

    encoder: str = "tu-resnet10t"
    """Any encoder that segmentation-models-pytorch offers."""
    pretrained: str | None = None
    """Weights of the encoder to start from ("imagenet"): downloaded when a fit begins, never when one is loaded."""
    depth: PositiveInt = 3
    decoder_channels: tuple[PositiveInt, ...] = (48, 32, 16)
    """From the deepest to full resolution, one a step of the depth."""
    join: Join | None = None
    """How an intermediate network joins its sensors at every scale."""
    window: PositiveInt = 4
    """Features a side within which the attention of `join` looks."""
    members: PositiveInt = 4
    """Heads that each go without another part of the features; their spread is the epistemic uncertainty."""


class Training(Record):
    """Where the weights come from."""

    data: str = "none: untrained, equal to the physics"
    seeds: tuple[int, ...] = ()
    epochs: int = 0
    commands: tuple[str, ...] = ()
    shares: tuple[float, ...] = ()
    """Of dry and each state among the known pixels it learned from: the prior that its log-odds hold."""


class Contract(Record):
    """All that a caller must know of a network, without reading its code."""

    name: str
    version: str = "1"
    strategy: Literal["early", "intermediate", "expert"] = "early"
    """"early" stacks all modalities, "intermediate" joins the features of each, an "expert" knows one sensor alone."""
    architecture: Architecture = Architecture()
    modalities: dict[str, tuple[Channel, ...]]
    """By modality, in the order in which they are stacked."""
    presence: tuple[str, ...]
    """Presence channels, stacked after the modalities."""
    states: tuple[str, ...] = ("open_water", "flooded_vegetation")
    """Of the outputs: log-odds against dry, in nats."""
    context: tuple[str, ...] = ()
    """Modalities that no evidence comes from (terrain): alone they leave a pixel unobserved, and the physics stands."""
    form: Literal["bounded", "free"] = "bounded"
    """"bounded": physics + B·tanh(f / B). "free": physics + f, the ablation, and the form for data without physical
    units, where the physics is index evidence alone."""
    bound: PositiveFloat = BOUND
    """B: the most a log-odds can be moved from the physics, nats."""
    temperature: PositiveFloat = 1.0
    """What the log-odds that the network aims at are divided by, before the bound: calibrated after the fit."""
    halo: int = 0
    """Pixels of context a side beyond which no input changes an output; a multiple of `stride`."""
    stride: PositiveInt = 8
    """Windows start at multiples of this in the fixed grid."""
    window: PositiveInt = 512
    """Pixels a side of the core of one window; the network sees `window + 2 halo`."""
    tiling_exact: bool = True
    """True where tiles with the halo give what the whole image gives."""
    training: Training = Training()
    scores: dict[str, dict[str, float]] = {}
    """Flood IoU by scenario ("all", "without <modality>"), then by "physics" and "network"."""
    limits: str = ""
    sha256: str = ""
    """Of the weights file; empty until saved."""

    @model_validator(mode="after")
    def _consistent(self) -> Contract:
        masks = {channel.presence for channels in self.modalities.values() for channel in channels}
        missing = (masks | set(self.modalities)) - set(self.presence)
        if missing:
            raise ValueError(f"presence {self.presence} lacks {', '.join(sorted(missing))}")
        if self.halo % self.stride or self.window % self.stride:
            raise ValueError(f"halo {self.halo} and window {self.window} must be multiples of stride {self.stride}")
        return self

    @property
    def input_channels(self) -> int:
        """Channels of the stacked input: every modality's, then one a presence mask."""
        return sum(len(channels) for channels in self.modalities.values()) + len(self.presence)

    @property
    def sensors(self) -> tuple[str, ...]:
        """Modalities of the moment that a pixel is observed by: no earlier looks, no context."""
        return tuple(name for name in self.modalities if DATED not in name and name not in self.context)

    @property
    def channel_names(self) -> dict[str, tuple[str, ...]]:
        """By modality, the names of its channels in order."""
        return {name: tuple(channel.name for channel in channels) for name, channels in self.modalities.items()}

    def require_channels(self, offered: Mapping[str, tuple[str, ...]]) -> None:
        """Refuse other modalities or channels than the network was made for; a missing modality is fine.

        Raises:
            ContractMismatch: names the modality and both lists.
        """
        for modality, names in offered.items():
            known = self.modalities.get(modality)
            expected = tuple(channel.name for channel in known) if known else None
            if expected is None or expected != tuple(names):
                raise ContractMismatch(
                    f"Network {self.name!r} expects for {modality!r} "
                    f"{', '.join(expected) if expected else f'nothing (it knows {_list(self.modalities)})'}; "
                    f"the input brings {', '.join(names)}. Use weights made for these channels, or leave the "
                    "modality out."
                )

    def require_weights(self, sha256: str) -> None:
        """Refuse a weights file other than the one the contract was written for.

        Raises:
            ContractMismatch: names both digests.
        """
        if sha256 != self.sha256:
            raise ContractMismatch(
                f"The weights of {self.name!r} have sha256 {sha256}, its contract says "
                f"{self.sha256 or 'nothing'}: the files belong to different networks or one "
                "is damaged. Copy the whole folder again."
            )


def read_contract(folder: Path) -> Contract:
    """Return the contract of a checkpoint's folder.

    Raises:
        FileNotFoundError: the folder holds none.
    """
    if not (folder / CONTRACT).is_file():
        raise FileNotFoundError(f"No checkpoint in {folder}: {CONTRACT} is not there.")
    return Contract.model_validate_json((folder / CONTRACT).read_text(encoding="utf-8"))


def shipped(name: str) -> Path:
    """Return the folder of a network that comes with the package.

    Raises:
        ValueError: there is none of this name; the message lists those there are.
    """
    names = sorted(path.parent.name for path in SHIPPED.glob(f"*/{CONTRACT}"))
    if name not in names:
        raise ValueError(f"No shipped network {name!r}; there are: {', '.join(names) or 'none'}.")
    return SHIPPED / name


def _list(names: Mapping[str, object]) -> str:
    return ", ".join(names)
