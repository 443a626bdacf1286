"""Data sets to chips, and chips to the contract of a network for them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path

from models.contract import Architecture, Contract
from models.data.sources import ChipSource, FolderSource
from models.early import SENSORS, early_contract
from models.segmentation_library import segmentation_models
from pipeline.errors import JobError
from pipeline.job import load_job
from pipeline.training import write_chips
from workflows.simulate import TRUTH, job_text, simulate
from workflows.training_plan import TrainingPlan

SIDE = 128
"""Pixels of a chip."""
QUIET_EVERY = 5
"""One event in so many has no flood: a network must know quiet windows too."""
FLAT_EVERY = 3
"""One event in so many is mapped without elevation: not every job names one."""
Say = Callable[[str], None]


def source_of(plan: TrainingPlan, say: Say) -> ChipSource:
    """Return the chips of a plan's data set, made first where they are simulated or have to be converted."""
    makers: dict[str, Callable[[TrainingPlan, Say], ChipSource]] = {
        "simulated": _simulated,
        "folder": lambda plan, say: FolderSource(plan.root),
        "ombria": _ombria,
        "sen1floods11": _sen1floods11,
    }
    return makers[plan.dataset](plan, say)


def sensors_in(source: ChipSource) -> tuple[str, ...]:
    """The sensors of the chips: those of the flow where one of these is there, else "s1" and "s2".

    Chips are read until all are found.

    Raises:
        JobError: the chips hold no known sensor.
    """
    known = (SENSORS, ("s1", "s2"))
    found: set[str] = set()
    for index in range(len(source)):
        found |= set(source.read(index)[0].modalities)
        if any(found.issuperset(family) for family in known):
            break
    for family in known:
        there = tuple(name for name in family if name in found)
        if there:
            return there
    raise JobError(
        f"The chips hold {', '.join(sorted(found)) or 'no modality'}; networks are made for "
        f"{', '.join(SENSORS)}, or for s1 and s2. Write chips with these names."
    )


def contract_for(plan: TrainingPlan, sensors: tuple[str, ...], sensor: str | None) -> Contract:
    """Return the contract that a plan asks for; `sensor` makes it that of one expert.

    Raises:
        JobError: the chips have no such sensor, or the encoder is none, or looks too far.
    """
    if sensor is not None and sensor not in sensors:
        raise JobError(f"--sensor: the chips have no {sensor!r}; they have {', '.join(sensors)}")
    encoder = plan.architecture.get("encoder")
    if encoder is not None:
        _require_encoder(encoder)
    try:
        return _contract(plan, sensors, sensor)
    except ValueError as problem:  # of the measured halo, or of the library's own checks
        raise JobError(f"The architecture {plan.architecture} makes no network: {problem}") from problem


def _require_encoder(name: str) -> None:
    own = segmentation_models().encoders.get_encoder_names()  # first: it mends what the import of the next trips over
    import timm

    known = [*own, *(f"tu-{model}" for model in timm.list_models())]
    if name not in known:
        near = get_close_matches(name, known, 3)
        hint = f"did you mean {' or '.join(near)}?" if near else "segmentation-models-pytorch lists them in its docs"
        raise JobError(f"--encoder: no encoder is called {name!r}; {hint}")


def _contract(plan: TrainingPlan, sensors: tuple[str, ...], sensor: str | None) -> Contract:
    strategy = "expert" if sensor is not None else plan.strategy
    join = (plan.join or "gated") if strategy == "intermediate" else None
    if "s1" in sensors or "s2" in sensors:
        from models.data.ombria import ARCHITECTURE, ombria_contract

        return ombria_contract(strategy, join, sensor, _shaped(ARCHITECTURE, plan))
    if join is not None:
        from models.intermediate import NARROW, intermediate_contract

        return intermediate_contract(join, architecture=_shaped(NARROW, plan), sensors=sensors)
    return early_contract(sensor or "early", _shaped(Architecture(), plan), (sensor,) if sensor else sensors)


def _shaped(base: Architecture, plan: TrainingPlan) -> Architecture:
    return Architecture.model_validate({**base.model_dump(), **plan.architecture})


def _ombria(plan: TrainingPlan, say: Say) -> ChipSource:
    from models.data.ombria import OmbriaSource

    return OmbriaSource(plan.root, "train")


def _sen1floods11(plan: TrainingPlan, say: Say) -> ChipSource:
    from pipeline.sen1floods11 import (
        write_sen1floods11_chips,
    )

    chips = plan.out.parent / f"{plan.out.name}.chips"
    if not chips.is_dir():
        draft = chips.with_name(f".{chips.name}")
        shutil.rmtree(draft, ignore_errors=True)
        say(f"{write_sen1floods11_chips(plan.root, draft)} chips of {plan.root}")
        draft.rename(chips)
    return FolderSource(chips)


def _simulated(plan: TrainingPlan, say: Say) -> ChipSource:
    """Chips that are there already are used again."""
    chips = plan.root / "chips"
    for seed in seeds_of(plan):
        made = make_event_chips(plan.root, chips, seed, plan.size, flood=seed % QUIET_EVERY != 0)
        say(f"seed {seed}: {made} chips")
    return FolderSource(chips)


def seeds_of(plan: TrainingPlan) -> tuple[int, ...]:
    """Of the simulated events."""
    return tuple(range(plan.first_seed, plan.first_seed + plan.events))


def make_event_chips(root: Path, chips: Path, seed: int, size: int, flood: bool) -> int:
    """Chips of one simulated event; its scenes are removed again."""
    there = list(chips.glob(f"event{seed}_*.npz"))
    if there:
        return len(there)
    scenes = root / f"event{seed}"
    shutil.rmtree(scenes, ignore_errors=True)
    simulate(scenes, size, seed, flood)
    job = scenes / "job.yaml"
    job.write_text(job_text(seed, flood, elevation=seed % FLAT_EVERY != 0), encoding="utf-8")
    draft = root / f"chips-of-{seed}"
    shutil.rmtree(draft, ignore_errors=True)
    count = write_chips(load_job(job), scenes / TRUTH, draft, f"event{seed}", SIDE)
    chips.mkdir(parents=True, exist_ok=True)
    for path in draft.iterdir():
        path.rename(chips / path.name)
    shutil.rmtree(draft)
    shutil.rmtree(scenes)
    return count
