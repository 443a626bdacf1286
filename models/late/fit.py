"""Learning how far to believe the experts: from held-out chips, in minutes, without touching an expert."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.contract import Training
from models.data.chips import UNKNOWN
from models.data.sources import ChipSource, ChipsUnfit, Subset, split_by_group
from models.late.checkpoint import expert_digest, experts_say, read_experts, rule_reach, save_late
from models.late.learn import calibrate_rule, expert_errors, learn, nothing_learned
from models.late.learned import Fitted, Learned
from models.late.opinions import Opinions, Real, joined
from models.late.rules import RULES

PIXELS = 1000
"""Of a chip, drawn: neighbours say the same."""


def fit_late(
    folder: Path,
    chips: ChipSource,
    *,
    seed: int = 0,
    device: str = "auto",
    training: Training | None = None,
    report: Callable[[str], None] = print,
) -> Learned:
    """Fit every rule to the experts of a folder and write `late.json` and `late.safetensors` there.

    Half of the groups teach what experts are worth, the other half calibrates each rule. Every chip counts with all
    sensors and with each one missing: an expert knows one sensor alone, so that costs nothing.

    Args:
        folder: of the experts, each in a folder named by its sensor.
        chips: none of which an expert was trained on.
        seed: of the draws of pixels and of the stacks.
        device: "auto", "cpu" or "cuda".
        training: data and commands for the record.
        report: takes a line a step.

    Raises:
        ChipsUnfit: too few chips.
        ValueError: a state that they hardly hold.
    """
    contracts = read_experts(folder)
    first = next(iter(contracts.values()))
    learned = Learned(
        experts=tuple(contracts),
        digests={name: expert_digest(contract) for name, contract in contracts.items()},
        states=first.states,
        form=first.form,
        bound=first.bound,
        training=training or Training(data="held-out chips", seeds=(seed,)),
        **nothing_learned(len(contracts), len(first.states)),
    )
    taught, judged = _halves(chips, seed)
    report(f"{len(contracts)} experts, {len(taught)} chips to learn from, {len(judged)} to calibrate on")
    told = _told(folder, learned, taught, seed, device)
    fitted = learn(learned, [(said.at(chosen), truth[chosen]) for said, truth, chosen in told], seed)
    calibrated = _calibrated(folder, fitted, judged, seed, device)
    for name, errors in calibrated.calibration_error.items():
        report(f"{name}: calibration error {errors['before']:.4f} before, {errors['after']:.4f} after")
    return save_late(folder, Fitted(calibrated, fitted.stacks))


def _calibrated(folder: Path, fitted: Fitted, chips: ChipSource, seed: int, device: str) -> Learned:
    """Fit the calibration of every rule, by the experts that are present."""
    learned, bound = fitted.learned, fitted.learned.bound_or_none
    aims: dict[str, list[Real]] = {rule: [] for rule in RULES}
    samples = []
    for said, truth, chosen in _told(folder, learned, chips, seed, device):
        samples.append((said.at(chosen), truth[chosen]))
        opinions = said.calibrated(learned.calibration)
        few = opinions.at(chosen)
        for rule, apply in RULES.items():
            around = rule_reach(rule) > 0
            aims[rule].append(apply(opinions, fitted).log_odds[:, chosen] if around else apply(few, fitted).log_odds)
    raw = joined([pair[0] for pair in samples])
    truth = np.concatenate([pair[1] for pair in samples])
    found, errors = {}, expert_errors(raw, truth, learned.calibration, bound)
    opinions = raw.calibrated(learned.calibration)
    for rule, parts in aims.items():
        found[rule], errors[rule] = calibrate_rule(np.concatenate(parts, axis=-1), opinions, truth, bound)
    return learned.model_copy(update={"rule_calibration": found, "calibration_error": errors})


def _told(
    folder: Path, learned: Learned, chips: ChipSource, seed: int, device: str
) -> Iterator[tuple[Opinions, NDArray[np.uint8], NDArray[np.bool_]]]:
    """What the experts say of each chip, uncalibrated: with all sensors, then with each one missing.

    With the truth (y, x), and True at `PIXELS` drawn pixels that are observed and known.
    """
    bare = learned.model_copy(update={"calibration": {}})
    for index, name_of_chip in enumerate(chips.names):
        inputs, truth = chips.read(index)
        whole = experts_say(folder, bare, inputs, device)
        names = whole.names if len(whole.names) > 1 else ()
        for opinions in (whole, *(whole.without(name) for name in names)):
            usable = np.flatnonzero((opinions.count > 0) & (truth != UNKNOWN))
            generator = np.random.default_rng((seed, *name_of_chip.encode()))
            chosen = np.zeros(truth.size, dtype=np.bool_)
            chosen[generator.permutation(usable)[:PIXELS]] = True
            yield opinions, truth, chosen.reshape(truth.shape)


def _halves(chips: ChipSource, seed: int) -> tuple[ChipSource, ChipSource]:
    """Half of the groups each; half of the chips each where all are of one group."""
    if len(chips) < 2:
        raise ChipsUnfit(
            f"{len(chips)} held-out chips are too few: one to learn from and one to calibrate on at least."
        )
    if len(set(chips.groups)) > 1:
        return split_by_group(chips, 0.5, seed)
    return Subset(chips, range(0, len(chips), 2)), Subset(chips, range(1, len(chips), 2))
