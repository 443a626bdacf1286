"""Arrays to predictions: fixed windows with the network's own halo, at fixed phases of the grid."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from models.checkpoint import Loaded, load
from models.contract import Contract
from models.inputs import ModelInput
from models.output import Float, Prediction
from models.tensors import Tensors, stack, to_tensors

Precision = Literal["float32", "bfloat16"]
_BATCH = {"cpu": 1, "cuda": 8}
"""Windows a batch: the shape is the same for every call on a device, so that the bytes are."""


def predict(
    folder: Path,
    inputs: ModelInput,
    device: str = "auto",
    *,
    origin: tuple[int, int] = (0, 0),
    margin: int = 0,
    batch: int | None = None,
    precision: Precision = "float32",
    window: int | None = None,
) -> Prediction:
    """Return log-odds of the contract's states against dry and their doubt, (S, y - 2 margin, x - 2 margin).

    What lies outside the array counts as absent, so pixels nearer to its edge than the halo differ from what
    a larger array gives; a unit passes its array with a margin of at least the halo and gets its own back.
    The number of torch threads is the caller's.

    Args:
        folder: of the checkpoint; loaded once a process.
        inputs: (y, x) pixels.
        device: "auto", "cpu" or "cuda".
        origin: row and column of the array's first pixel in the fixed grid; windows start at multiples of the
            stride there, so that every unit sees the same phase.
        margin: pixels a side for which no output is wanted.
        batch: windows a batch; by default 1 on a CPU, 8 on CUDA.
        precision: "bfloat16" is faster and not the same within one count.
        window: pixels a side of the cores, a multiple of the stride; by default the contract's, or less where the
            array is smaller. Another size is the same to rounding only.

    Raises:
        ContractMismatch: weights or channels are not those of the contract.
    """
    loaded = load(folder, device)
    inputs = inputs.only(loaded.contract.modalities)
    core, halo = window or _core(loaded.contract, inputs.shape, margin), loaded.contract.halo
    result = _untouched(inputs, loaded.contract)
    corners = [
        corner
        for corner in _corners(loaded.contract, core, inputs, origin, margin)
        if _seen(inputs, loaded.contract, core, *corner)
    ]
    for group in _groups(corners, batch or _BATCH[loaded.device.type]):
        windows = [inputs.window(row - halo, column - halo, *(2 * [core + 2 * halo])) for row, column in group]
        tensors = stack([to_tensors(window, loaded.contract) for window in windows])
        for made, target in zip(_forward(loaded, tensors, precision), result, strict=True):
            cores = made[:, :, halo : halo + core, halo : halo + core]
            for (row, column), values in zip(group, cores, strict=True):
                _paste(target, values, row, column)
    rows, columns = inputs.shape
    own = [array[:, margin : rows - margin, margin : columns - margin] for array in result]
    return Prediction(own[0], own[1], own[2], own[3], loaded.contract.sensors)


def _core(contract: Contract, shape: tuple[int, int], margin: int) -> int:
    """Pixels a side of a window: the contract's, or what a smaller array takes at any phase of the stride."""
    wanted = max(shape) - 2 * margin + contract.stride - 1
    return min(contract.window, -(-wanted // contract.stride) * contract.stride)


def _untouched(inputs: ModelInput, contract: Contract) -> list[Float]:
    """What holds where nothing is seen: the physics, no variance, no sensor."""
    physics = inputs.physics
    nothing = np.zeros((len(contract.sensors), *inputs.shape), dtype=np.float32)
    return [physics, np.zeros_like(physics), np.zeros_like(physics), nothing]


def _corners(
    contract: Contract, core: int, inputs: ModelInput, origin: tuple[int, int], margin: int
) -> Iterator[tuple[int, int]]:
    """Upper-left pixels of the cores that cover all but the margin; the first may lie outside the array."""
    starts = [
        range(margin - (first + margin) % contract.stride, size - margin, core)
        for first, size in zip(origin, inputs.shape, strict=True)
    ]
    return ((row, column) for row in starts[0] for column in starts[1])


def _seen(inputs: ModelInput, contract: Contract, core: int, row: int, column: int) -> bool:
    """Whether any sensor is present in the core: elsewhere the physics stands, and nothing is to be run."""
    rows, columns = (slice(max(first, 0), first + core) for first in (row, column))
    return any(inputs.presence[name][rows, columns].any() for name in contract.sensors if name in inputs.modalities)


def _groups(corners: list[tuple[int, int]], size: int) -> Iterator[list[tuple[int, int]]]:
    """Batches of one size; the last is filled up with its last window, pasted again to the same effect."""
    for start in range(0, len(corners), size):
        group = corners[start : start + size]
        yield group + [group[-1]] * (size - len(group))


def _forward(loaded: Loaded, tensors: Tensors, precision: Precision) -> list[Float]:
    kind = loaded.device.type
    with ExitStack() as contexts:
        contexts.enter_context(torch.inference_mode())
        if kind == "cuda":
            contexts.enter_context(_exact_cuda())
        if precision == "bfloat16":
            contexts.enter_context(torch.autocast(kind, dtype=torch.bfloat16))
        output = loaded.network(*tensors.to(loaded.device))
    return [np.asarray(part.float().cpu().numpy(), dtype=np.float32) for part in output]


def _exact_cuda() -> AbstractContextManager[None]:
    """Full float32 products and one algorithm: the CPU's map within one count, the same bytes each time."""
    return torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)


def _paste(result: Float, values: Float, row: int, column: int) -> None:
    """Write a core into the result, cut where it reaches over the edge."""
    top, left = max(row, 0), max(column, 0)
    target = result[:, top : row + values.shape[1], left : column + values.shape[2]]
    target[...] = values[:, top - row :, left - column :][:, : target.shape[1], : target.shape[2]]
