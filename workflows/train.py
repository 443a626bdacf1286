"""`overbank train`: simulated floods to the weights of a network, by the same flow that maps with them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from models.contract import Training
from models.fit import FitResult, Recipe, fit
from pipeline.job import load_job
from pipeline.training import write_chips
from workflows.simulate import TRUTH, simulate

SIDE = 128
"""Pixels of a chip."""
QUIET_EVERY = 5
"""One event in so many has no flood: a network must know quiet windows too."""
LIMITS = (
    "Trained on simulated scenes only: temperate floodplain, no snow, no rows of rice, no town flooding. It corrects "
    "physics by at most ln 9 nats; on ground unlike the simulator trust `physics`."
)


def train(
    root: Path,
    out: Path,
    *,
    events: int = 30,
    size: int = 512,
    first_seed: int = 1000,
    recipe: Recipe | None = None,
    device: str = "auto",
    say: Callable[[str], None] = print,
) -> FitResult:
    """Simulate `events` floods below `root`, cut chips, fit the early network and write its checkpoint to `out`.

    Chips that are there already are used again. Seeds start at `first_seed`, away from those of demos and tests.
    """
    chips = root / "chips"
    seeds = tuple(range(first_seed, first_seed + events))
    for seed in seeds:
        made = make_event_chips(root, chips, seed, size, flood=seed % QUIET_EVERY != 0)
        say(f"seed {seed}: {made} chips")
    told = recipe or Recipe()
    command = f"overbank train --dataset simulated --events {events} --size {size} --epochs {told.epochs}"
    training = Training(
        data=f"simulated: {events} events of {size} × {size} pixels",
        seeds=seeds,
        epochs=told.epochs,
        commands=(command,),
    )
    return fit(chips, out, told, training=training, limits=LIMITS, device=device, report=say)


def make_event_chips(root: Path, chips: Path, seed: int, size: int, flood: bool) -> int:
    """Chips of one simulated event; its scenes are removed again."""
    there = list(chips.glob(f"event{seed}_*.npz"))
    if there:
        return len(there)
    scenes = root / f"event{seed}"
    shutil.rmtree(scenes, ignore_errors=True)
    simulate(scenes, size, seed, flood)
    draft = root / f"chips-of-{seed}"
    shutil.rmtree(draft, ignore_errors=True)
    count = write_chips(load_job(scenes / "job.yaml"), scenes / TRUTH, draft, f"event{seed}", SIDE)
    chips.mkdir(parents=True, exist_ok=True)
    for path in draft.iterdir():
        path.rename(chips / path.name)
    shutil.rmtree(draft)
    shutil.rmtree(scenes)
    return count
