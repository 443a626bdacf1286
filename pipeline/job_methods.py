"""The methods that a job can ask for, and what tells more of one: joins, rules, weights."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import BeforeValidator

from models.contract import Join, Rule

MethodName = Literal["ndwi", "radar_threshold", "physics", "early", "intermediate", "late"]
METHODS: tuple[MethodName, ...] = get_args(MethodName)
NETWORKS: tuple[MethodName, ...] = ("early", "intermediate", "late")
"""Methods that need weights."""
BEST_FIRST: tuple[MethodName, ...] = ("physics", "early", "intermediate", "late", "radar_threshold", "ndwi")
"""Which of a job's methods is delivered where it does not say."""
DEFAULT_RULE: Rule = "gate"
"""Of late fusion: it falls back to the reliable sensor where sensors conflict."""
OPTION_OF: dict[str, MethodName] = {"join": "intermediate", "rule": "late"}
"""By field of a job: the method that it tells more of."""
OPTIONS: dict[str, tuple[str, ...]] = {"join": get_args(Join), "rule": get_args(Rule)}
"""By field: what it may name."""


@dataclass(frozen=True)
class Choice:
    """What the command line says of networks in place of a job's own fields; nothing said leaves them."""

    join: tuple[str, ...] = ()
    """The method that a join is of is added to the job's; likewise of a rule."""
    rule: tuple[str, ...] = ()
    weights: Path | None = None
    """One folder for all."""

    @property
    def fields(self) -> dict[str, tuple[str, ...] | Path]:
        """Those that say something, by field of the job."""
        said = {"join": self.join, "rule": self.rule, "weights": self.weights and self.weights.resolve()}
        return {name: value for name, value in said.items() if value}

    def methods(self, asked: Iterable[str]) -> tuple[str, ...]:
        """The methods that a job asks for, with those that the choice adds."""
        return tuple(dict.fromkeys((*asked, *(OPTION_OF[name] for name in self.fields if name in OPTION_OF))))


AS_THE_JOB_SAYS = Choice()


DEFAULT_METHODS: tuple[MethodName, ...] = ("ndwi", "radar_threshold", "physics", "early")
"""The rules, the physics and the cheapest network: the other ways take minutes more and are asked for."""


def _listed(value: object) -> object:
    """One name as a list of one."""
    return [value] if isinstance(value, str) else value


def _of_methods(value: object) -> object:
    """Only methods that have weights have a folder of them."""
    strange = [name for name in value if name not in NETWORKS] if isinstance(value, dict) else []
    if strange:
        raise ValueError(f"weights: {strange[0]!r} is no method with weights; those are {', '.join(NETWORKS)}")
    return value


Joins = Annotated[tuple[Join, ...], BeforeValidator(_listed)]
"""One or several."""
Rules = Annotated[tuple[Rule, ...], BeforeValidator(_listed)]
"""One or several."""
Weights = Annotated[Path | dict[MethodName, Path], BeforeValidator(_of_methods)]
"""Folder of weights by method, or one folder (see `pipeline.networks`)."""
