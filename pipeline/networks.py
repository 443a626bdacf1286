"""The networks of a job: which map each makes, and where its weights lie."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from models.contract import CONTRACT, LATE, Contract, Join, Rule, read_contract, shipped
from pipeline.errors import JobError
from pipeline.job import Job
from pipeline.job_methods import NETWORKS, MethodName

STATES = ("open_water", "flooded_vegetation")
"""What a map tells apart besides dry."""
Channels = dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class MapNetwork:
    """What makes one of a job's maps: a network, or a rule over the experts of late fusion."""

    map: str
    """Name of the map: "early", "intermediate-gated", "late-mean"."""
    weights: Path
    """Folder of the checkpoint; of late fusion the folder that holds its experts."""
    rule: Rule | None = None
    """Of late fusion."""

    @property
    def contracts(self) -> tuple[Contract, ...]:
        """Its own, or those of all experts."""
        return tuple(read_contract(folder) for folder in experts_of(self.weights)) or (read_contract(self.weights),)

    @property
    def channels(self) -> Channels:
        """By modality, the channels that it asks for."""
        return {name: names for contract in self.contracts for name, names in contract.channel_names.items()}

    @property
    def halo(self) -> int:
        """Pixels a side beyond which no input changes its map."""
        if self.rule is None:
            return self.contracts[0].halo
        from models.late.checkpoint import late_halo  # torch takes seconds to import: only where late fusion runs

        return late_halo(self.weights, self.rule)

    @property
    def digest(self) -> str:
        """SHA-256 of its weights; of late fusion over what the rules learnt and all experts."""
        if self.rule is None:
            return self.contracts[0].sha256
        told = [(self.weights / LATE).read_bytes(), *(one.model_dump_json().encode() for one in self.contracts)]
        return hashlib.sha256(b"\n".join(told)).hexdigest()

    def verify(self) -> None:
        """Hold what late rules learnt against the experts that lie there; of other networks the weights tell.

        ContractMismatch if an expert was replaced since.
        """
        if self.rule is not None:
            from models.late.checkpoint import load_late

            load_late(self.weights)

    @property
    def tells_shares(self) -> bool:
        """Whether it weighs its sensors itself."""
        return self.rule is not None or self.contracts[0].tells_shares

    def facts(self) -> dict[str, Any]:
        """What the item of a unit says of it."""
        first = self.contracts[0]
        told = {"strategy": "late", "rule": self.rule} if self.rule else {"strategy": first.strategy}
        joined = {"join": first.architecture.join} if first.architecture.join and not self.rule else {}
        return told | joined | {"sha256": self.digest}


def experts_of(folder: Path) -> tuple[Path, ...]:
    """The checkpoints of late fusion's experts; none where the folder holds no late fusion."""
    if not (folder / LATE).is_file():
        return ()
    return tuple(sorted(path.parent for path in folder.glob(f"*/{CONTRACT}")))


def networks_of(job: Job) -> tuple[MapNetwork, ...]:
    """The networks that a job asks for, in the order of its maps; contracts are read, weights are not.

    JobError names the field, what is not there, and the command that makes it.
    """
    return tuple(network for method in job.methods if method in NETWORKS for network in _of_method(job, method))


def _of_method(job: Job, method: MethodName) -> Iterator[MapNetwork]:
    field = "methods" if job.weights is None else "weights"
    options: Iterable[Any] = {"intermediate": job.join, "late": job.rules}.get(method, ()) or (None,)
    for name, option in zip(job.maps_of(method), options, strict=True):
        try:
            folder = _checkpoint(_folder(job, method), method, option)
        except (ValueError, FileNotFoundError) as problem:
            raise JobError(f"{field}: {problem} {_remedy(method, option)}") from problem
        yield MapNetwork(name, folder, option if method == "late" else None)


def _remedy(method: MethodName, option: Join | Rule | None) -> str:
    join = f" --join {option or get_args(Join)[0]}" if method == "intermediate" else ""
    train = f"overbank train --dataset simulated --root SCENES --strategy {method}{join} --out DIR"
    return f"Name a folder (weights: {{{method}: DIR}}), make one with `{train}`, or leave {method} out"


def _folder(job: Job, method: MethodName) -> Path:
    """Where a method's weights should lie: what the job says of the method, else the shipped ones.

    One folder for all is a checkpoint, for the method that it was made for; or it holds folders named by method.
    """
    given = job.weights
    if isinstance(given, dict):
        return given[method] if method in given else shipped(method)
    if given is None:
        return shipped(method)
    if not (given / LATE).is_file() and not (given / CONTRACT).is_file():
        held = [name for name in NETWORKS if (given / name).is_dir()]
        return given if not held else given / method if method in held else shipped(method)
    made_for = "late" if (given / LATE).is_file() else read_contract(given).strategy
    if made_for not in job.methods:
        raise ValueError(f"{given} holds a network of the method {made_for}, which the job does not ask for.")
    return given if made_for == method else shipped(method)


def _checkpoint(folder: Path, method: MethodName, option: Join | Rule | None) -> Path:
    """The checkpoint of a method in its folder, which may hold one for each join; held against what was asked for."""
    if method == "late":
        if not experts_of(folder):
            raise FileNotFoundError(f"No late fusion in {folder}: {LATE} and a folder for each expert are not there.")
        contracts = [read_contract(expert) for expert in experts_of(folder)]
    else:
        own = folder if option is None or (folder / CONTRACT).is_file() else folder / option
        folder, contracts = own, [read_contract(own)]
    for contract in contracts:
        _require(contract, folder, "expert" if method == "late" else method, option)
    return folder


def _require(contract: Contract, folder: Path, strategy: str, option: Join | Rule | None) -> None:
    joined = contract.architecture.join
    if contract.strategy != strategy:
        raise ValueError(f"{folder} holds a network of strategy {contract.strategy}, not {strategy}.")
    if strategy == "intermediate" and option not in (None, joined):
        raise ValueError(f"{folder} holds a network that joins its sensors by {joined}, not by {option}.")
    if contract.states != STATES:
        raise ValueError(f"{folder} tells apart {', '.join(contract.states)}; a map needs {' and '.join(STATES)}.")
