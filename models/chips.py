"""Training chips on disk, and how they are varied: turned, mirrored, robbed of sensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from models.contract import Contract, sensor_of
from models.inputs import CHANNELS, CONTEXT, Mask, ModelInput
from models.tensors import Tensors, to_tensors

Truth = NDArray[np.uint8]
LEVEL_SHIFT, INDEX_SHIFT, EVIDENCE_SHIFT = 1.5, 0.08, 0.7
"""Standard deviations of a shake of strength 1: dB, index, nat. Between places [M]."""
_BLOBS = 3
"""Most discs that are cut out of a modality."""


class Sample(NamedTuple):
    """One chip, or a batch of them."""

    inputs: Tensors
    truth: Tensor
    """(H, W) uint8: 0 dry, 1 water of any kind, 2 flooded vegetation, 255 unknown."""


class Augmentation(NamedTuple):
    """How a chip is varied; the default leaves it as it is."""

    turn: bool = False
    """Mirror and rotate by multiples of 90 degrees."""
    drop: float = 0.0
    """Probability that a whole modality, or its "before" alone, is taken away; one modality always stays."""
    blob: float = 0.0
    """Probability that discs are cut out of a modality."""
    shake: float = 0.0
    """How far levels, indices and evidence are moved, 1 being what differs from place to place; 0 leaves them."""


def write_chip(path: Path, inputs: ModelInput, truth: Truth) -> None:
    """Write one chip; values are kept as float16 (0.02 dB at -30 dB).

    Keys: `modalities/<name>`, `channels/<name>`, `presence/<name>`, `physics_parts/<name>`, `physics_prior`,
    `truth`. Chips of one scene share the part of the file name before the first "_": they are never split
    between training and validation.
    """
    arrays: dict[str, NDArray[np.generic]] = {"truth": truth, "physics_prior": inputs.prior}
    for name, values in inputs.modalities.items():
        arrays[f"modalities/{name}"] = values.astype(np.float16)
        arrays[f"channels/{name}"] = np.array(inputs.channels[name])
        if name in inputs.parts:
            arrays[f"physics_parts/{name}"] = inputs.parts[name].astype(np.float16)
    arrays |= {f"presence/{name}": mask for name, mask in inputs.presence.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # the stub types its own flag into them


def read_chip(path: Path) -> tuple[ModelInput, Truth]:
    """Read one chip; unknown keys are passed over, channel names default to `CHANNELS`."""
    with np.load(path, allow_pickle=False) as file:
        arrays = {key: file[key] for key in file.files}
    floats = {key: value.astype(np.float32) for key, value in arrays.items() if value.dtype.kind == "f"}
    channels = {
        **CHANNELS,
        **{name: tuple(map(str, row)) for name, row in _under("channels", arrays).items()},
    }
    inputs = ModelInput(
        modalities=_under("modalities", floats),
        presence={name: mask.astype(np.bool_) for name, mask in _under("presence", arrays).items()},
        parts=_under("physics_parts", floats),
        prior=floats["physics_prior"],
        channels=channels,
    )
    return inputs, arrays["truth"].astype(np.uint8)


def chip_paths(folder: Path) -> list[Path]:
    """Return the chips of a folder by name.

    Raises:
        FileNotFoundError: there are none.
    """
    paths = sorted(folder.glob("*.npz"))
    if not paths:
        raise FileNotFoundError(f"No chips (*.npz) in {folder}; write them with models.chips.write_chip.")
    return paths


def split_by_group(paths: Sequence[Path], share: float, seed: int) -> tuple[list[Path], list[Path]]:
    """Split into training and validation so that no group (name before the first "_") is in both.

    Raises:
        ValueError: there is only one group.
    """
    groups = sorted({_group(path) for path in paths})
    if len(groups) < 2:
        raise ValueError(f"All {len(paths)} chips are of one group ({', '.join(groups)}): give validation chips.")
    count = min(max(round(share * len(groups)), 1), len(groups) - 1)
    chosen = set(np.random.default_rng(seed).permutation(groups)[:count].tolist())
    return [p for p in paths if _group(p) not in chosen], [p for p in paths if _group(p) in chosen]


class ChipSet(Dataset[Sample]):
    """Chips as samples; a chip varies with (seed, epoch, index) and nothing else."""

    def __init__(
        self,
        paths: Sequence[Path],
        contract: Contract,
        *,
        augmentation: Augmentation | None = None,
        without: Sequence[str] = (),
        seed: int = 0,
    ) -> None:
        """Args: `without` names modalities that are always absent (for scoring)."""
        self.paths = list(paths)
        self.contract = contract
        self.augmentation = augmentation or Augmentation()
        self.without = tuple(without)
        self.seed = seed
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Sample:
        inputs, truth = read_chip(self.paths[index])
        inputs = inputs.without(dict.fromkeys(self.without, True))
        generator = np.random.default_rng((self.seed, self.epoch, index))
        inputs = _robbed(inputs, self.augmentation, generator)
        if self.augmentation.shake:
            inputs = _shaken(inputs, self.augmentation.shake, generator)
        if self.augmentation.turn:
            inputs, truth = _turned(inputs, truth, generator)
        return Sample(to_tensors(inputs, self.contract), torch.from_numpy(np.ascontiguousarray(truth)))


def _robbed(inputs: ModelInput, augmentation: Augmentation, generator: np.random.Generator) -> ModelInput:
    """Take modalities away, whole and in part; physics follows, for it sums what is present."""
    present = [name for name in inputs.parts if inputs.presence[name].any()]
    if not present:
        return inputs
    kept = present[generator.integers(len(present))]
    hidden: dict[str, Mask | bool] = {}
    for name in present:
        whole, before, blobs = generator.random(3) < (augmentation.drop, augmentation.drop, augmentation.blob)
        if whole and name != kept:
            hidden[name] = True
        elif blobs:
            hidden[name] = _blobs(inputs.shape, generator)
        if before:
            past = [other for other in inputs.modalities if other != name and sensor_of(other) == name]
            hidden |= dict.fromkeys((f"{name}_before", *past), True)
    return inputs.without(hidden)


def _shaken(inputs: ModelInput, strength: float, generator: np.random.Generator) -> ModelInput:
    """Shift what was measured and what was made of it, by modality and channel, as another place and season would.

    Levels and indices move by a constant; evidence and the nats that enter the physics are scaled and moved together,
    so the network meets physics that is a little wrong everywhere, and learns where to trust it less.
    """
    modalities, parts = dict(inputs.modalities), {}
    for name, values in inputs.modalities.items():
        if name in CONTEXT:
            continue
        scale = 1.0 + strength * generator.uniform(-0.3, 0.2)
        bias = (strength * generator.normal(0.0, EVIDENCE_SHIFT, 2))[:, None, None]
        spread = [LEVEL_SHIFT if channel.endswith("_db") else INDEX_SHIFT for channel in inputs.channels[name][2:]]
        shift = strength * generator.normal(0.0, spread)
        measured = values[2:] + shift[:, None, None]
        modalities[name] = np.concatenate([values[:2] * scale + bias, measured]).astype(np.float32)
        if name in inputs.parts:
            parts[name] = np.where(inputs.presence[name], inputs.parts[name] * scale + bias, 0.0).astype(np.float32)
    return replace(inputs, modalities=modalities, parts=parts)


def _blobs(shape: tuple[int, int], generator: np.random.Generator) -> Mask:
    """(y, x) True inside up to three discs: clouds, shadows, swath edges."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    mask = np.zeros(shape, dtype=np.bool_)
    for _ in range(generator.integers(1, _BLOBS + 1)):
        row, column = generator.random(2) * shape
        radius = generator.uniform(0.05, 0.4) * max(shape)
        mask |= (rows - row) ** 2 + (columns - column) ** 2 < radius**2
    return mask


def _turned(inputs: ModelInput, truth: Truth, generator: np.random.Generator) -> tuple[ModelInput, Truth]:
    quarters, mirror = int(generator.integers(4)), bool(generator.integers(2))

    def turn(array: NDArray[Any]) -> NDArray[Any]:
        turned = np.rot90(array, quarters, axes=(-2, -1))
        return turned[..., ::-1] if mirror else turned

    turned = ModelInput(
        modalities={name: turn(values) for name, values in inputs.modalities.items()},
        presence={name: turn(mask) for name, mask in inputs.presence.items()},
        parts={name: turn(values) for name, values in inputs.parts.items()},
        prior=inputs.prior if inputs.prior.ndim == 1 else turn(inputs.prior),
        channels=inputs.channels,
    )
    return turned, turn(truth)


def _under(prefix: str, arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The arrays whose key starts with `prefix/`, by what follows."""
    return {key.partition("/")[2]: value for key, value in arrays.items() if key.startswith(f"{prefix}/")}


def _group(path: Path) -> str:
    return path.stem.partition("_")[0]
