"""Weights on disk: safetensors, the JSON contract and a card a person can read; loaded once a process."""

from __future__ import annotations

import hashlib
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from models.card import card_of
from models.contract import CONTRACT, Contract, ContractMismatch, read_contract
from models.device import choose_device
from models.network import Network
from models.networks import build

WEIGHTS, CARD = "weights.safetensors", "card.md"


@dataclass(frozen=True, eq=False)
class Loaded:
    """A network ready to predict; shared by all threads of the process."""

    network: Network
    """In evaluation mode, on `device`, without gradients."""
    contract: Contract
    device: torch.device


_LOCK = threading.Lock()
_CACHE: dict[tuple[Path, str, int], Loaded] = {}


def save(folder: Path, network: Network, contract: Contract) -> Contract:
    """Write weights, contract and card; an older checkpoint of that name is replaced.

    All files are written beside `folder` first, which then appears by one rename.

    Returns:
        The contract with the digest of the weights.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as scratch:
        fresh = Path(scratch) / "fresh"
        fresh.mkdir()
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
        save_file(tensors, fresh / WEIGHTS)
        contract = contract.model_copy(update={"sha256": _digest(fresh / WEIGHTS)})
        (fresh / CONTRACT).write_text(contract.model_dump_json(indent=2) + "\n", encoding="utf-8")
        (fresh / CARD).write_text(card_of(contract, network), encoding="utf-8")
        if folder.exists():
            _require_checkpoint(folder)
            folder.rename(Path(scratch) / "old")
        fresh.rename(folder)
    return contract


def load(folder: Path, device: str = "auto") -> Loaded:
    """Return the network of a folder, verified; the second call, from any thread, gives the same object.

    Args:
        folder: holds `weights.safetensors` and `contract.json`.
        device: "auto", "cpu" or "cuda".

    Raises:
        FileNotFoundError: the folder holds no checkpoint.
        ContractMismatch: digest, tensor names or shapes are not those of the contract.
        RuntimeError: CUDA is asked for and not there.
    """
    if not (folder / CONTRACT).is_file() or not (folder / WEIGHTS).is_file():
        raise FileNotFoundError(f"No checkpoint in {folder}: {CONTRACT} and {WEIGHTS} must both be there.")
    target = choose_device(device)
    with _LOCK:
        key = (folder.resolve(), str(target), (folder / CONTRACT).stat().st_mtime_ns)
        if key not in _CACHE:
            _CACHE[key] = _read(folder, target)
        return _CACHE[key]


def _read(folder: Path, device: torch.device) -> Loaded:
    contract = read_contract(folder)
    contract.require_weights(_digest(folder / WEIGHTS))
    network = build(contract)
    tensors = load_file(folder / WEIGHTS)
    _require_tensors(contract, network.state_dict(), tensors)
    network.load_state_dict(tensors)
    network.requires_grad_(False).eval().to(device)
    return Loaded(network, contract, device)


def _require_tensors(contract: Contract, expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    """Refuse weights with names or shapes the architecture does not have; the message shows three."""
    wanted = {name: tuple(tensor.shape) for name, tensor in expected.items()}
    held = {name: tuple(tensor.shape) for name, tensor in found.items()}
    wrong = sorted(name for name in wanted | held if wanted.get(name) != held.get(name))
    if wrong:
        lines = [f"{name}: contract {wanted.get(name)}, file {held.get(name)}" for name in wrong[:3]]
        raise ContractMismatch(
            f"{len(wrong)} tensors of {contract.name!r} do not fit the architecture in its contract "
            f"({contract.architecture.encoder}, depth {contract.architecture.depth}): {'; '.join(lines)}. "
            "Use the contract that was saved with these weights."
        )


def _require_checkpoint(folder: Path) -> None:
    """Never replace a folder that holds something else."""
    strangers = {path.name for path in folder.iterdir()} - {WEIGHTS, CONTRACT, CARD}
    if strangers:
        raise FileExistsError(
            f"{folder} holds {', '.join(sorted(strangers))}, so it is no checkpoint; give another folder."
        )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
