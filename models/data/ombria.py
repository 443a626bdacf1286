"""OMBRIA: pairs of Sentinel-1 and Sentinel-2 chips before and after floods, 8 bit, with masks of Copernicus EMS.

Drakonakis et al. 2022, IEEE JSTARS 15: `Ombria{S1,S2}/SPLIT/{BEFORE,AFTER,MASK}/S{1,2}_{before,after,mask}_NNNN.png`.
"""

from __future__ import annotations

import json
import re
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_opening
from skimage.io import imread

from harmonization.optical.indices import mndwi, ndwi
from harmonization.relative_level import relative_level
from models.contract import DATED, Architecture, Channel, Contract, sensor_of
from models.data.chip_groups import groups_by_edge
from models.data.chips import Truth
from models.data.index_evidence import index_evidence
from models.inputs import Float, Mask, ModelInput
from models.intermediate import least_stride
from models.networks import build
from models.receptive import with_halo

Pixels = NDArray[np.uint8]

GROUPS = "groups.json"
DATES = {"": "AFTER", f"{DATED}1": "BEFORE"}
"""By the ending of a modality's name: the folder of its images."""
OMBRIA_CHANNELS: dict[str, tuple[str, ...]] = {
    f"{sensor}{ending}": names
    for sensor, names in {"s1": ("vv", "vv_level"), "s2": ("swir1", "nir", "green", "ndwi", "mndwi")}.items()
    for ending in DATES
}
_MNDWI = OMBRIA_CHANNELS["s2"].index("mndwi")
FLOOD_SHARE = 0.2
"""Prior probability of flood in a chip that was cut where a flood was mapped: a tenth to a third [M]."""
FULL_SCALE = 255.0
"""Count of reflectance 1, and of the brightest pixel of a radar chip."""
BLACK_SIDE = 3
"""Pixels a side from which on black is "not observed": the stretch of a radar chip makes its darkest pixel 0."""
# Clip, mean, deviation: round numbers around all shared chips, so that most values lie within about +-2 [C].
_NORMALISATION = {
    "vv": ((0.0, 1.0), 0.55, 0.2),
    "vv_level": ((-8.0, 8.0), 0.0, 2.0),
    "swir1": ((0.0, 1.0), 0.2, 0.12),
    "nir": ((0.0, 1.0), 0.25, 0.12),
    "green": ((0.0, 1.0), 0.15, 0.1),
    "ndwi": ((-1.0, 1.0), -0.2, 0.3),
    "mndwi": ((-1.0, 1.0), 0.0, 0.5),
}
ARCHITECTURE = Architecture(depth=4, decoder_channels=(64, 48, 32, 16))
"""At 30 m a flood is wider than the 56 pixels that a depth of 3 looks around; this looks 112 far. A crop of 128 pixels
takes 0.06 s of one core to learn from: 40 epochs of 440 take 9 minutes on 2 cores [C]."""
LIMITS = (
    "Trained on OMBRIA: 8-bit chips of mapped floods at 30 m, radar stretched chip by chip, masks of Copernicus EMS "
    "without permanent water. It knows no physical units and no scene without a flood map; use it for such chips only."
)
_NUMBER = re.compile(r"_(\d+)\.png$")


class OmbriaSource:
    """The chips of one split, in the order of their numbers; a sensor whose folder is missing is absent."""

    def __init__(self, root: Path, split: str = "train") -> None:
        """Find the chips.

        Args:
            root: holds `OmbriaS1`, `OmbriaS2` or both.
            split: "train", "test" or whatever the folders below are called.

        Raises:
            FileNotFoundError: no chip is there; the message names the folder that was looked for.
        """
        self.root, self.split = root, split
        self.numbers = sorted(_numbers(root / "OmbriaS1" / split) | _numbers(root / "OmbriaS2" / split))
        if not self.numbers:
            raise FileNotFoundError(
                f"No OMBRIA chips below {root}: looked for Ombria{{S1,S2}}/{split}/AFTER/*_after_NNNN.png. "
                "Give the folder that holds OmbriaS1 and OmbriaS2, and a split that they have."
            )
        self.names = [f"{number:04d}" for number in self.numbers]

    def __len__(self) -> int:
        return len(self.numbers)

    @cached_property
    def groups(self) -> list[str]:
        """Group of each chip: of `groups.json` beside the data where it lists them all, else found by their edges.

        Edges, and not runs of numbers: a run may hold two places, and the split may be given anew.
        """
        listed = _listed(self.root)
        if not set(self.numbers) <= set(listed):
            listed = _by_first(groups_by_edge({number: self._edges(number) for number in self.numbers}))
        return [f"group{listed[number]:04d}" for number in self.numbers]

    def read(self, index: int) -> tuple[ModelInput, Truth]:
        """Read one chip: modalities "s1", "s1@1" (before), "s2", "s2@1"; 1 in the truth is flood.

        The physics is index evidence of s2 alone: the radar chips are stretched one by one, so their level says
        nothing. Where there is no mask, all of the truth is unknown (255).
        """
        number = self.numbers[index]
        images = {name: image for name in OMBRIA_CHANNELS if (image := self._image(name, number)) is not None}
        return ombria_input(images), self._truth(number, next(iter(images.values())).shape[-2:])

    def _image(self, modality: str, number: int) -> Pixels | None:
        """(band, y, x) counts; None where there is no file."""
        return _read(self._path(modality, number))

    def _path(self, modality: str, number: int) -> Path:
        folder = DATES[modality.removeprefix(sensor_of(modality))]
        return _path(self.root, sensor_of(modality), self.split, folder, number)

    def _truth(self, number: int, shape: tuple[int, ...]) -> Truth:
        for sensor in ("s2", "s1"):  # the same mask lies beside both
            mask = _read(_path(self.root, sensor, self.split, "MASK", number))
            if mask is not None:
                return np.asarray(mask[0] > 127, dtype=np.uint8)
        return np.full(shape, 255, dtype=np.uint8)

    @cached_property
    def _modalities(self) -> list[str]:
        """Modalities that any chip of the split has."""
        return [name for name in OMBRIA_CHANNELS if any(self._path(name, number).is_file() for number in self.numbers)]

    def _edges(self, number: int) -> dict[str, Float]:
        found = {name: self._image(name, number) for name in self._modalities}
        shape = next(image.shape[-2:] for image in found.values() if image is not None)
        bands = {name: 1 if sensor_of(name) == "s1" else 3 for name in found}
        images = [
            np.zeros((bands[name], *shape), np.uint8) if image is None else image for name, image in found.items()
        ]
        layers = np.concatenate(images).astype(np.float32)
        return {"top": layers[:, 0], "bottom": layers[:, -1], "left": layers[:, :, 0], "right": layers[:, :, -1]}


def ombria_input(images: dict[str, Pixels]) -> ModelInput:
    """Images as what a network takes.

    Args:
        images: by modality ("s1", "s1@1", "s2", "s2@1"; one that is left out is absent): (1, y, x) VV stretched to
            0 … 255, or (3, y, x) reflectance × 255 of SWIR 1, NIR and green. Black squares of 3 × 3 pixels and more
            are not observed.
    """
    modalities: dict[str, Float] = {}
    presence: dict[str, Mask] = {}
    for name, counts in images.items():
        presence[name] = ~_black(counts)
        values = counts.astype(np.float32) / np.float32(FULL_SCALE)
        values[:, ~presence[name]] = np.nan
        modalities[name] = np.concatenate([values, _indices(values)]) if sensor_of(name) == "s2" else values
    modalities |= _levels({name: values[0] for name, values in modalities.items() if sensor_of(name) == "s1"})
    parts = {}
    if "s2" in modalities:
        past = modalities.get(f"s2{DATED}1")
        nats = index_evidence(modalities["s2"][_MNDWI], None if past is None else past[_MNDWI])
        parts["s2"] = nats[None]
    prior = np.array([np.log(FLOOD_SHARE / (1.0 - FLOOD_SHARE))], dtype=np.float32)
    return ModelInput(modalities, presence, parts, prior, OMBRIA_CHANNELS)


def _levels(radar: dict[str, Float]) -> dict[str, Float]:
    """By date, (2, y, x) the stretched image and its level: that of "s1" where it is there, else its own."""
    if "s1" not in radar:
        return {name: np.stack([image, relative_level(image)[0]]) for name, image in radar.items()}
    levels = relative_level(radar["s1"], radar.get(f"s1{DATED}1"))
    return {
        name: np.stack([radar[name], level]) for name, level in zip(radar, levels, strict=False) if level is not None
    }


def _black(counts: Pixels) -> Mask:
    """(y, x) True in black squares."""
    black: Mask = counts.max(axis=0) == 0
    if not black.any():
        return black
    squares: Mask = binary_opening(black, np.ones((BLACK_SIDE, BLACK_SIDE)))
    return squares


def _indices(bands: Float) -> Float:
    """(2, y, x) NDWI and MNDWI of SWIR 1, NIR and green."""
    shortwave, infrared, green = bands
    return np.stack([ndwi(green, infrared), mndwi(green, shortwave)])


def _numbers(folder: Path) -> set[int]:
    found = (_NUMBER.search(path.name) for path in (folder / "AFTER").glob("*.png"))
    return {int(match[1]) for match in found if match}


def _path(root: Path, sensor: str, split: str, folder: str, number: int) -> Path:
    name = sensor.upper()
    return root / f"Ombria{name}" / split / folder / f"{name}_{folder.lower()}_{number:04d}.png"


def _read(path: Path) -> Pixels | None:
    """(band, y, x); None where there is no such file."""
    if not path.is_file():
        return None
    image: NDArray[Any] = imread(path)
    if image.dtype != np.uint8:
        raise ValueError(f"{path} holds {image.dtype}, but 8-bit counts (uint8) are expected; convert the chip.")
    return image[None] if image.ndim == 2 else np.moveaxis(image[..., :3], -1, 0)


def _listed(root: Path) -> dict[int, int]:
    """By chip number, the first of its group, of `groups.json` in the root or above it."""
    path = next((folder / GROUPS for folder in (root, root.parent) if (folder / GROUPS).is_file()), None)
    return {} if path is None else _by_first(json.loads(path.read_text(encoding="utf-8"))["groups"])


def _by_first(groups: list[list[int]]) -> dict[int, int]:
    return {number: group[0] for group in groups for number in group}


def ombria_contract(
    strategy: str, join: str | None = None, sensor: str | None = None, architecture: Architecture | None = None
) -> Contract:
    """Return the contract of a network for OMBRIA, its halo measured on the network itself.

    Args:
        strategy: "early", "intermediate" or "expert".
        join: of an intermediate network: "concat", "gated", "attention" or "tensor".
        sensor: "s1" or "s2", of an expert; both of the others.
        architecture: by default `ARCHITECTURE`.

    Raises:
        ValueError: an expert without its sensor, or a sensor without an expert.
    """
    if (strategy == "expert") != (sensor is not None):
        raise ValueError(f"Strategy {strategy!r} with sensor {sensor!r}: an expert has one sensor, others have none.")
    names = [name for name in OMBRIA_CHANNELS if sensor in (None, sensor_of(name))]
    if not names:
        raise ValueError(f"Unknown sensor {sensor!r}; OMBRIA has s1 and s2.")
    shape = (architecture or ARCHITECTURE).model_copy(update={"join": join})
    contract = Contract.model_validate(
        {
            "name": "-".join(filter(None, ("ombria", strategy, join, sensor))),
            "strategy": strategy,
            "architecture": shape.model_dump(),
            "modalities": {name: _channels(name) for name in names},
            "presence": tuple(names),
            "states": ("flood",),
            "form": "free",
            "stride": least_stride(shape),
            "window": 256,
            "limits": LIMITS,
        }
    )
    return with_halo(contract, build(contract))


def _channels(modality: str) -> tuple[Channel, ...]:
    rows = [(name, *_NORMALISATION[name]) for name in OMBRIA_CHANNELS[modality]]
    return tuple(
        Channel(name=name, unit="1", clip=clip, mean=mean, std=std, presence=modality) for name, clip, mean, std in rows
    )
