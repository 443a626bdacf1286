"""A late checkpoint on disk: a folder of experts, each a checkpoint of its own, and what the rules learned of them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from models.contract import CONTRACT, LATE, Contract, ContractMismatch, read_contract
from models.inputs import ModelInput
from models.late.fusion import fuse
from models.late.gate import REACH
from models.late.learned import Arrays, Fitted, Learned
from models.late.opinions import Opinions, opinions_of
from models.late.rules import rule_named
from models.output import Prediction
from models.predict import predict

STACKS = "late.safetensors"
_UNREAD = {"name", "version", "training", "scores", "limits", "halo", "window", "tiling_exact"}
"""Fields of an expert's contract that no output depends on."""


def read_experts(folder: Path) -> dict[str, Contract]:
    """Return the contracts of a late checkpoint's experts, by sensor: the name of the folder, in order.

    Raises:
        FileNotFoundError: there is none.
        ContractMismatch: one is no expert of its sensor, or they differ in states, form or bound.
    """
    found = {path.parent.name: read_contract(path.parent) for path in sorted(folder.glob(f"*/{CONTRACT}"))}
    if not found:
        raise FileNotFoundError(f"No experts in {folder}: folders named by sensor, each a checkpoint, are expected.")
    for name, contract in found.items():
        if contract.sensors != (name,):
            raise ContractMismatch(
                f"{folder / name} knows {', '.join(contract.sensors)}, but an expert of {name!r} alone is expected. "
                "Name the folder by its sensor."
            )
    terms = {name: (contract.states, contract.form, contract.bound) for name, contract in found.items()}
    if len(set(terms.values())) > 1:
        lines = "; ".join(
            f"{name}: {', '.join(states)}, {form}, {bound:.4g} nats" for name, (states, form, bound) in terms.items()
        )
        raise ContractMismatch(f"The experts of {folder} differ in states, form or bound: {lines}. Train them alike.")
    return found


def expert_digest(contract: Contract) -> str:
    """sha256 of all that decides an expert's output: its weights by their own digest, its channels, its temperature."""
    fields = contract.model_dump(mode="json", exclude=_UNREAD)
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def save_late(folder: Path, fitted: Fitted) -> Learned:
    """Write `late.json` and `late.safetensors` into the folder of the experts; the experts are not touched.

    The JSON names the digest of the arrays and appears last, so that a broken write is refused when it is read.
    """
    flat = {
        f"{rule}/{state}/{key}": np.ascontiguousarray(array)
        for rule, stacks in fitted.stacks.items()
        for state, arrays in zip(fitted.learned.states, stacks, strict=True)
        for key, array in arrays.items()
    }
    save_file(flat, folder / f".{STACKS}")
    learned = fitted.learned.model_copy(update={"sha256": _digest(folder / f".{STACKS}")})
    (folder / f".{LATE}").write_text(learned.model_dump_json(indent=2) + "\n", encoding="utf-8")
    for name in (STACKS, LATE):
        os.replace(folder / f".{name}", folder / name)
    return learned


def load_late(folder: Path) -> Fitted:
    """Return what was learned of the experts of a folder, held against the experts that lie there now.

    Raises:
        FileNotFoundError: nothing was fitted yet.
        ContractMismatch: an expert was added, taken away or replaced since, or the arrays are not those of the record.
    """
    if not (folder / LATE).is_file() or not (folder / STACKS).is_file():
        raise FileNotFoundError(f"No {LATE} with {STACKS} in {folder}: fit the late rules (fit_late) first.")
    learned = Learned.model_validate_json((folder / LATE).read_text(encoding="utf-8"))
    _require_experts(folder, learned)
    if _digest(folder / STACKS) != learned.sha256:
        raise ContractMismatch(f"{folder / STACKS} is not what {LATE} was written with. Copy both files again.")
    flat = load_file(folder / STACKS)
    rules = sorted({key.split("/")[0] for key in flat})
    return Fitted(
        learned, {rule: tuple(_under(f"{rule}/{state}/", flat) for state in learned.states) for rule in rules}
    )


def predict_late(
    folder: Path,
    rules: Sequence[str],
    inputs: ModelInput,
    device: str = "auto",
    *,
    origin: tuple[int, int] = (0, 0),
    margin: int = 0,
) -> dict[str, Prediction]:
    """Return what each rule makes of the experts of a folder, which are run once; arguments and shapes as in `predict`.

    A margin of `late_halo` gives a unit the same pixels as a larger array does. A sensor that has no expert here
    is left out, and its physics with it.

    Raises:
        ContractMismatch: experts or channels are not those that were fitted.
        ValueError: an unknown rule.
    """
    context = min(margin, max(rule_reach(rule) for rule in rules))
    fitted = load_late(folder)
    opinions = experts_say(folder, fitted.learned, inputs, device, origin=origin, margin=margin - context)
    rows, columns = opinions.count.shape
    own = (slice(None), slice(context, rows - context), slice(context, columns - context))
    made = {rule: fuse(rule, opinions, fitted) for rule in rules}
    return {
        rule: Prediction(one.log_odds[own], one.aleatoric[own], one.epistemic[own], one.trust[own], one.sensors)
        for rule, one in made.items()
    }


def experts_say(
    folder: Path,
    learned: Learned,
    inputs: ModelInput,
    device: str = "auto",
    *,
    origin: tuple[int, int] = (0, 0),
    margin: int = 0,
) -> Opinions:
    """Run every expert on its own sensor; each sees its own physics alone."""
    made = {name: predict(folder / name, inputs, device, origin=origin, margin=margin) for name in learned.experts}
    rows, columns = inputs.shape
    own = inputs.window(margin, margin, rows - 2 * margin, columns - 2 * margin)
    return opinions_of(made, own, learned.bound_or_none).calibrated(learned.calibration)


def rule_reach(rule: str) -> int:
    """Pixels a side that a rule looks at around a pixel.

    Raises:
        ValueError: an unknown rule.
    """
    rule_named(rule)
    return REACH if rule == "gate" else 0


def late_halo(folder: Path, rule: str) -> int:
    """Pixels of context a side beyond which nothing changes an output; a multiple of the largest stride."""
    contracts = read_experts(folder).values()
    stride = max(contract.stride for contract in contracts)
    return -(-(max(contract.halo for contract in contracts) + rule_reach(rule)) // stride) * stride


def _require_experts(folder: Path, learned: Learned) -> None:
    found = {name: expert_digest(contract) for name, contract in read_experts(folder).items()}
    names = sorted(found.keys() | learned.digests.keys())
    wrong = [name for name in names if found.get(name) != learned.digests.get(name)]
    if wrong:
        lines = [f"{name}: {_change(name, found, learned.digests)}" for name in wrong]
        raise ContractMismatch(
            f"The late rules in {folder / LATE} were fitted for other experts ({'; '.join(lines)}). "
            "Fit the rules again (fit_late); the other experts stay as they are."
        )


def _change(name: str, found: dict[str, str], fitted: dict[str, str]) -> str:
    if name not in fitted:
        return "added since"
    return f"fitted for {fitted[name][:12]}, {found[name][:12]} is there" if name in found else "not there"


def _under(prefix: str, flat: Arrays) -> Arrays:
    return {key.removeprefix(prefix): array for key, array in flat.items() if key.startswith(prefix)}


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
