"""`overbank train`: chips of a data set to the weights of a network, or of the experts that late fusion joins."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from models.contract import CONTRACT, Training
from models.data.sources import ChipSource, FolderSource, KeptSource, split_by_group
from models.learning.fit import FitResult, fit
from workflows.training_data import contract_for, seeds_of, sensors_in, source_of
from workflows.training_plan import TrainingPlan, write_plan

LIMITS = (
    "Trained on simulated scenes only: temperate floodplain, no snow, no rows of rice, no town flooding. It corrects "
    "physics by at most ln 9 nats; on ground unlike the simulator trust `physics`."
)
Say = Callable[[str], None]


def train(plan: TrainingPlan, say: Say = print) -> list[FitResult]:
    """Make or read the chips of a plan, fit what it asks for, and write checkpoints and `out`.yaml, all settings.

    Late fusion trains the experts that are not there yet, each into a folder of its sensor below `out`, then fits its
    rules on the validation chips. What was fitted by this call.
    """
    source = KeptSource(source_of(plan, say))
    sensors = sensors_in(source)
    learning, validation = _halves(plan, source)
    say(f"{len(learning)} chips to learn from, {len(validation)} to validate on; sensors {', '.join(sensors)}")
    write_plan(plan.out.parent / f"{plan.out.name}.yaml", plan)
    if plan.strategy != "late":
        return [_fit(plan, sensors, plan.sensor, plan.out, learning, validation, say)]
    found = []
    for sensor in sensors:
        folder = plan.out / sensor
        if (folder / CONTRACT).is_file():
            say(f"{sensor}: the expert is there ({folder}); remove the folder to train it anew")
            continue
        found.append(_fit(plan, sensors, sensor, folder, learning, validation, say))
    from models.late.fit import fit_late

    fit_late(plan.out, validation, device=plan.device, report=say)
    return found


def _halves(plan: TrainingPlan, source: ChipSource) -> tuple[ChipSource, ChipSource]:
    if plan.validation is not None:
        return source, FolderSource(plan.validation)
    return split_by_group(source, plan.recipe.validation_share, plan.recipe.seed)


def _fit(
    plan: TrainingPlan,
    sensors: tuple[str, ...],
    sensor: str | None,
    out: Path,
    learning: ChipSource,
    validation: ChipSource,
    say: Say,
) -> FitResult:
    contract = contract_for(plan, sensors, sensor)
    simulated = plan.dataset == "simulated"
    seeds = (*(seeds_of(plan) if simulated else ()), plan.recipe.seed)
    training = Training(data=_data(plan, learning), seeds=seeds, commands=(command_of(plan),))
    found = fit(
        learning,
        out,
        plan.recipe,
        validation=validation,
        contract=contract,
        training=training,
        limits=LIMITS if simulated else "",
        device=plan.device,
        report=say,
    )
    from models.judging.calibrate_network import calibrate_network

    calibrated = calibrate_network(out, validation, seed=plan.recipe.seed, device=plan.device)
    say(f"temperature {calibrated.temperature:.3f}: calibration error {calibrated.before:.4f} → {calibrated.after:.4f}")
    return found


def command_of(plan: TrainingPlan) -> str:
    """The command that does the same again, as far as flags say it; the rest is in the file of all settings."""
    flags = {
        "dataset": plan.dataset,
        "strategy": plan.strategy,
        "join": plan.join,
        "sensor": plan.sensor,
        **({"events": plan.events, "size": plan.size} if plan.dataset == "simulated" else {}),
        "epochs": plan.recipe.epochs,
        "seed": plan.recipe.seed,
    }
    return "overbank train " + " ".join(f"--{name} {value}" for name, value in flags.items() if value is not None)


def _data(plan: TrainingPlan, learning: ChipSource) -> str:
    if plan.dataset == "simulated":
        return f"simulated: {plan.events} events of {plan.size} × {plan.size} pixels"
    return f"{plan.dataset}: {len(learning)} chips of {len(set(learning.groups))} groups"
