"""What `overbank train` does, as a record: defaults of the data set, then the YAML file, then flags."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from models.contract import Architecture, Join, Record
from models.learning.recipe import Recipe
from pipeline.errors import JobError
from pipeline.yaml_lines import Lines, read_yaml

Settings = dict[str, Any]
SHORT = {"recipe": {"epochs": 24, "patience": 8}}
DEFAULTS: dict[str, Settings] = {
    "simulated": SHORT,
    "sen1floods11": SHORT,
    "folder": SHORT,
    # Chips were cut where it flooded: a third of their pixels are water, of later events 7 to 23 % (their README).
    # Squares of a quarter of a chip hold more kinds of ground an hour; four of them are one look at all chips.
    "ombria": {
        "recipe": {
            "epochs": 20,
            "patience": 8,
            "draws": 4,
            "flood_share": 0.25,
            "augmentation": {"side": 128, "drop": 0.2, "blob": 0.0, "shake": 0.0, "jitter": 0.4},
            "objective": {"dice": 0.5},
        },
    },
}
"""By data set, what differs from the defaults of the records."""


def recipe_of(dataset: str, given: Mapping[str, Any] | None = None) -> Recipe:
    """Return the recipe of a data set as `overbank train` has it, with what is given in place of its own."""
    base = merged(Recipe().model_dump(), DEFAULTS.get(dataset, {}).get("recipe", {}))
    return Recipe.model_validate(merged(base, dict(given or {})))


class TrainingPlan(Record):
    """What is learnt from what."""

    dataset: Literal["simulated", "ombria", "sen1floods11", "folder"] = "simulated"
    root: Path
    """Of the data set; where simulated chips are made and kept."""
    out: Path
    """The checkpoint; of "late", the folder that holds those of its experts."""
    validation: Path | None = None
    """Folder of chips; None takes a share of the groups."""
    strategy: Literal["early", "intermediate", "expert", "late"] = "early"
    join: Join | None = None
    """Of an intermediate network; "gated" where none is given."""
    sensor: str | None = None
    """Of an expert."""
    architecture: dict[str, Any] = Field(default_factory=dict)
    """What differs from the strategy's own: fields of `models.contract.Architecture`."""
    events: int = Field(28, ge=2)
    """Simulated floods."""
    size: int = Field(512, ge=128)
    """Pixels a side of each."""
    first_seed: int = Field(1000, ge=0)
    """Of the simulated floods: away from those of demos and tests."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    recipe: Recipe = Recipe()

    @model_validator(mode="after")
    def _consistent(self) -> TrainingPlan:
        Architecture.model_validate(self.architecture)
        if (self.sensor is not None) != (self.strategy == "expert"):
            raise ValueError(
                f"strategy {self.strategy} with sensor {self.sensor}: give --sensor with --strategy expert, only there"
            )
        if self.join is not None and self.strategy != "intermediate":
            raise ValueError(f"strategy {self.strategy} has no join; leave --join out, or take --strategy intermediate")
        return self


def read_plan(config: Path | None, flags: Mapping[str, Any]) -> TrainingPlan:
    """Return the plan of a YAML file (or none) and flags; flags that are None say nothing.

    Raises:
        JobError: names the file, the line or flag, what was found and what was expected.
    """
    document, lines = read_yaml(config) if config is not None else ({}, {})
    if not isinstance(document, dict):
        raise JobError(f"{config}: holds no settings; it wants fields such as dataset, root, out, strategy, recipe")
    given = merged(document, _said(flags))
    base = merged({"recipe": Recipe().model_dump()}, DEFAULTS.get(str(given.get("dataset", "simulated")), {}))
    try:
        return TrainingPlan.model_validate(merged(base, given))
    except ValidationError as problem:
        raise JobError("\n".join(_sentence(error, config, lines) for error in problem.errors())) from None


def write_plan(path: Path, plan: TrainingPlan) -> None:
    """Write all settings, so that `--config` with this file does the same again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump(plan.model_dump(mode="json"), sort_keys=False)
    path.write_text(f"# All settings of a training: overbank train --config {path.name}\n{text}", encoding="utf-8")


def merged(base: Settings, over: Settings) -> Settings:
    """Settings with those of `over` in place of theirs; mappings are merged field by field."""
    return base | {
        name: merged(base[name], value) if isinstance(value, dict) and isinstance(base.get(name), dict) else value
        for name, value in over.items()
    }


def _said(flags: Mapping[str, Any]) -> Settings:
    """The flags that were given, as plain values."""
    plain = {name: _said(value) if isinstance(value, Mapping) else value for name, value in flags.items()}
    return {
        name: value.value if isinstance(value, Enum) else value
        for name, value in plain.items()
        if value not in (None, {})
    }


def _sentence(error: Any, config: Path | None, lines: Lines) -> str:
    place = tuple(part for part in error["loc"] if isinstance(part, str | int))
    where = (
        f"{config} line {lines[place]}"
        if place in lines
        else "--" + "-".join(map(str, place[-1:]))
        if place
        else "train"
    )
    if error["type"] == "missing":
        return f"{where}: is not given; give the flag, or the field in the file of --config"
    return f"{where}: {error['msg'].removeprefix('Value error, ')} (found {_shown(error['input'])})"


def _shown(found: Any) -> str:
    return "these settings" if isinstance(found, dict) else repr(found)
