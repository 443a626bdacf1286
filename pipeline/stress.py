"""Degradation curves: every method on the same degraded looks, and where a rule overtakes a network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path

import numpy as np

from catalogs.records import Sensor
from models.contract import Contract, ContractMismatch, read_contract
from pipeline.classify import DRY, REFERENCE_WATER
from pipeline.errors import PipelineError
from pipeline.methods import (
    MethodMap,
    by_ndwi,
    by_physics,
    by_radar_threshold,
    from_log_odds,
    network_input,
    seen_by_any,
    silent,
)
from pipeline.science import Science
from pipeline.scores import Confusion, confusion
from pipeline.stress_degrade import Stress
from pipeline.stress_site import Observed, Site, observed
from pipeline.weigh import SensorLook

Method = Callable[[Observed], MethodMap]
LATE = "late.json"
"""The file that makes a folder one of late fusion."""
RULES = (
    "mean",
    "accuracy",
    "vote",
    "median",
    "inverse-variance",
    "minimum-variance",
    "bayes",
    "stack-logistic",
    "stack-svm",
    "stack-boosting",
)
"""Rules of late fusion."""


@dataclass(frozen=True)
class Point:
    """One method at one level of one stress."""

    stress: str
    level: float
    method: str
    counts: tuple[Confusion, ...]
    """By site, over pixels that any sensor saw and that are not always water."""
    answered: float
    """Share of these pixels of which the method said anything; silence counts as dry."""

    @property
    def flood_iou(self) -> float | None:
        """Pooled over the sites; None where there was no flood to find."""
        return sum(self.counts, Confusion()).flood_iou

    @property
    def range(self) -> tuple[float, float] | None:
        """Lowest and highest flood IoU of a site."""
        scores = [score for one in self.counts if (score := one.flood_iou) is not None]
        return (min(scores), max(scores)) if scores else None


def methods(weights: Sequence[Path], science: Science, device: str, rules: Sequence[str] = RULES) -> dict[str, Method]:
    """By name: the rules, physics of all sensors and of each, every network of `weights`, every late rule.

    A folder with `late.json` stands for its experts and its rules. PipelineError where two have one name.
    """
    found: dict[str, Method] = {
        "ndwi": lambda seen: by_ndwi(seen.looks, science.ndwi_threshold, seen.shape),
        "radar_threshold": lambda seen: by_radar_threshold(seen.looks, seen.thresholds, seen.shape),
        "physics": partial(physics_of, sensors=None),
        **{f"physics of {name}": partial(physics_of, sensors=(name,)) for name in ("c_band", "l_band", "optical")},
    }
    for folder in weights:
        for name, method in _of_folder(folder, device, rules).items():
            if name in found:
                raise PipelineError(f"{folder}: a second method is called {name!r}; rename one of the folders")
            found[name] = method
    return found


def _of_folder(folder: Path, device: str, rules: Sequence[str]) -> dict[str, Method]:
    if not (folder / LATE).is_file():
        return {folder.resolve().name: partial(network, folder=folder, contract=_states_of(folder), device=device)}
    experts = sorted(path.parent for path in folder.glob("*/contract.json"))
    alone = {
        f"expert {path.name}": partial(network, folder=path, contract=_states_of(path), device=device)
        for path in experts
    }
    joined = {f"late {rule}": partial(late, folder=folder, rule=rule, device=device) for rule in rules}
    return {**alone, **joined}


def _states_of(folder: Path) -> Contract:
    """The contract of a checkpoint that knows the flow's states."""
    contract = read_contract(folder)
    if contract.states != ("open_water", "flooded_vegetation"):
        raise ContractMismatch(
            f"{folder}: the network knows {', '.join(contract.states)}; a stress needs open_water and "
            "flooded_vegetation. Give weights that learned from simulated scenes."
        )
    return contract


def physics_of(seen: Observed, sensors: Sequence[str] | None) -> MethodMap:
    """Prior and summed evidence of some modalities; None: of all."""
    looks = _looks_of(seen, sensors)
    return by_physics(looks, seen.prior) if looks else silent(seen.shape)


def network(seen: Observed, folder: Path, contract: Contract, device: str) -> MethodMap:
    """A network on the sensors that it knows; silent where none of them has a look."""
    looks = _looks_of(seen, contract.sensors)
    if not looks:
        return silent(seen.shape)
    from models.predict import predict  # torch takes seconds to import: only where a network runs

    inputs = network_input(looks, seen.prior, seen.terrain, contract.channel_names)
    side = -(-max(seen.shape) // contract.stride) * contract.stride
    found = predict(folder, inputs, device, window=min(side, contract.window))
    return from_log_odds(found.log_odds, seen_by_any(looks, seen.shape))


def late(seen: Observed, folder: Path, rule: str, device: str) -> MethodMap:
    """Experts joined by one rule of late fusion."""
    if not seen.looks:
        return silent(seen.shape)
    asked = {
        name: names
        for path in folder.glob("*/contract.json")
        for name, names in read_contract(path.parent).channel_names.items()
    }
    predict_late = import_module("models.late_checkpoint").predict_late  # torch takes seconds to import
    found = predict_late(folder, rule, network_input(seen.looks, seen.prior, seen.terrain, asked), device)
    return from_log_odds(found.log_odds, seen_by_any(seen.looks, seen.shape))


def _looks_of(seen: Observed, modalities: Sequence[str] | None) -> dict[Sensor, SensorLook]:
    return {name: look for name, look in seen.looks.items() if modalities is None or look.modality in modalities}


def curves(
    sites: Sequence[Site], stresses: Iterable[Stress], ways: Mapping[str, Method], science: Science
) -> Iterator[Point]:
    """Every method at every level of every stress, stress by stress; level 0 is computed once."""
    untouched = _scored([observed(site, science) for site in sites], sites, ways)
    for stress in stresses:
        for level in stress.levels:
            if level == 0.0:
                found = untouched
            else:
                changed = [stress.change(site, level) for site in sites]
                found = _scored([observed(site, science) for site in changed], sites, ways)
            for name, (counts, answered) in found.items():
                yield Point(stress.name, level, name, counts, answered)


def _scored(
    seen: Sequence[Observed], sites: Sequence[Site], ways: Mapping[str, Method]
) -> dict[str, tuple[tuple[Confusion, ...], float]]:
    """By method, its counts on every site and the share of pixels of which it said anything."""
    judged = [
        seen_by_any(one.looks, one.shape) & (site.truth != REFERENCE_WATER)
        for one, site in zip(seen, sites, strict=True)
    ]
    result = {}
    for name, method in ways.items():
        maps = [method(one) for one in seen]
        triples = list(zip(maps, sites, judged, strict=True))
        counts = tuple(
            confusion((found.water | found.vegetation) & found.observed, site.truth != DRY, where)
            for found, site, where in triples
        )
        told = sum(int((found.observed & where).sum()) for found, _, where in triples)
        result[name] = counts, told / max(sum(int(where.sum()) for where in judged), 1)
    return result


def crossing(levels: Sequence[float], network: Sequence[float], other: Sequence[float]) -> float | None:
    """The level from which on `other` scores at least what `network` does, between levels by straight lines.

    The first level where it is so from the start; None: never within the levels. Only the last crossing counts as
    overtaking for good: a curve that falls back behind has not overtaken.
    """
    lead = np.asarray(other, np.float64) - np.asarray(network, np.float64)
    behind = np.flatnonzero(lead < 0.0)
    if not behind.size:
        return float(levels[0])
    last = int(behind[-1])
    if last == len(levels) - 1:
        return None
    share = -lead[last] / (lead[last + 1] - lead[last])
    return float(levels[last] + share * (levels[last + 1] - levels[last]))
