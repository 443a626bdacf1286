"""Training chips on disk: what a network is given at one place, with the truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.inputs import CHANNELS, ModelInput

UNKNOWN = 255
"""Truth where nobody knows. Otherwise 0 dry, 1 … the state."""
Truth = NDArray[np.uint8]
"""(y, x) 0 dry, 1 … the state, `UNKNOWN`."""


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
        raise FileNotFoundError(f"No chips (*.npz) in {folder}; write them with models.data.chips.write_chip.")
    return paths


def _under(prefix: str, arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The arrays whose key starts with `prefix/`, by what follows."""
    return {key.partition("/")[2]: value for key, value in arrays.items() if key.startswith(f"{prefix}/")}
