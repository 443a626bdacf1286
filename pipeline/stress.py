"""Degradation curves: every method on the same degraded looks, and where a rule overtakes a network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import get_args

import numpy as np

from catalogs.records import Sensor
from models.contract import CONTRACT, LATE, Contract, ContractMismatch, Rule, read_contract
from pipeline.classify import DRY, REFERENCE_WATER
from pipeline.errors import PipelineError
from pipeline.methods import (
    Mask,
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
from pipeline.weigh import MODALITY, SensorLook

SENSORS = tuple(dict.fromkeys(MODALITY.values()))
"""Kinds of sensor, each of which has a physics of its own."""


@dataclass(frozen=True)
class Way:
    """A way to one or several maps of a site, by name: the rules of late fusion share their experts."""

    names: tuple[str, ...]
    run: Callable[[Observed], Mapping[str, MethodMap]]
    learned: bool = False
    """Whether it takes weights."""


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


def ways_of(weights: Sequence[Path], science: Science, device: str, rules: Sequence[str] = ()) -> tuple[Way, ...]:
    """The rules, physics of all sensors and of each, every network of `weights`, and the late rules.

    A folder with `late.json` stands for its experts and its `rules`: all that are known, where none is named.
    PipelineError where two have one name.
    """
    found = [
        _way("ndwi", lambda seen: by_ndwi(seen.looks, science.ndwi_threshold, seen.shape)),
        _way("radar_threshold", lambda seen: by_radar_threshold(seen.looks, seen.thresholds, seen.shape)),
        _way("physics", partial(physics_of, sensors=None)),
        *(_way(f"physics of {name}", partial(physics_of, sensors=(name,))) for name in SENSORS),
    ]
    for folder in weights:
        for way in _of_folder(folder, device, rules):
            twice = {name for one in found for name in one.names} & set(way.names)
            if twice:
                raise PipelineError(f"{folder}: a second method is called {min(twice)!r}; rename one of the folders")
            found.append(way)
    return tuple(found)


def _way(name: str, run: Callable[[Observed], MethodMap], learned: bool = False) -> Way:
    return Way((name,), lambda seen: {name: run(seen)}, learned)


def _of_folder(folder: Path, device: str, rules: Sequence[str]) -> list[Way]:
    if not (folder / LATE).is_file():
        return [_network_way(folder.resolve().name, folder, device)]
    experts = sorted(path.parent for path in folder.glob(f"*/{CONTRACT}"))
    alone = [_network_way(f"expert {path.name}", path, device) for path in experts]
    asked = tuple(rules) or get_args(Rule)
    joined = Way(
        tuple(f"late {rule}" for rule in asked), partial(late, folder=folder, rules=asked, device=device), True
    )
    return [*alone, joined]


def _network_way(name: str, folder: Path, device: str) -> Way:
    return _way(name, partial(network, folder=folder, contract=_states_of(folder), device=device), learned=True)


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
    found = predict(folder, inputs, device)
    return from_log_odds(found.log_odds, seen_by_any(looks, seen.shape))


def late(seen: Observed, folder: Path, rules: Sequence[str], device: str) -> dict[str, MethodMap]:
    """Experts joined by the rules of late fusion."""
    if not seen.looks:
        return {f"late {rule}": silent(seen.shape) for rule in rules}
    contracts = [read_contract(path.parent) for path in folder.glob(f"*/{CONTRACT}")]
    asked = {name: names for contract in contracts for name, names in contract.channel_names.items()}
    inputs = network_input(seen.looks, seen.prior, seen.terrain, asked)
    from models.late.checkpoint import predict_late  # torch takes seconds to import: only where experts run

    told = seen_by_any(seen.looks, seen.shape)
    found = predict_late(folder, rules, inputs, device)
    return {f"late {rule}": from_log_odds(one.log_odds, told) for rule, one in found.items()}


def _looks_of(seen: Observed, modalities: Sequence[str] | None) -> dict[Sensor, SensorLook]:
    return {name: look for name, look in seen.looks.items() if modalities is None or look.modality in modalities}


def curves(sites: Sequence[Site], stresses: Iterable[Stress], ways: Sequence[Way], science: Science) -> Iterator[Point]:
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
    seen: Sequence[Observed], sites: Sequence[Site], ways: Sequence[Way]
) -> dict[str, tuple[tuple[Confusion, ...], float]]:
    """By method, its counts on every site and the share of pixels of which it said anything."""
    judged = [
        seen_by_any(one.looks, one.shape) & (site.truth != REFERENCE_WATER)
        for one, site in zip(seen, sites, strict=True)
    ]
    result = {}
    for way in ways:
        made = [way.run(one) for one in seen]
        for name in way.names:
            result[name] = _counted([maps[name] for maps in made], sites, judged)
    return result


def _counted(
    maps: Sequence[MethodMap], sites: Sequence[Site], judged: Sequence[Mask]
) -> tuple[tuple[Confusion, ...], float]:
    triples = list(zip(maps, sites, judged, strict=True))
    counts = tuple(
        confusion((found.water | found.vegetation) & found.observed, site.truth != DRY, where)
        for found, site, where in triples
    )
    told = sum(int((found.observed & where).sum()) for found, _, where in triples)
    return counts, told / max(sum(int(where.sum()) for where in judged), 1)


def leads(levels: Sequence[float], network: Sequence[float], other: Sequence[float]) -> tuple[tuple[float, float], ...]:
    """The stretches of level, from and to, in which `other` scores at least what `network` does.

    Between levels by straight lines; a stretch that reaches the last level ends there.
    """
    lead = np.asarray(other, np.float64) - np.asarray(network, np.float64)
    found: list[tuple[float, float]] = []
    start = float(levels[0]) if lead[0] >= 0.0 else None
    for index in range(1, len(levels)):
        before, after = float(lead[index - 1]), float(lead[index])
        if (before >= 0.0) == (after >= 0.0):
            continue
        place = float(levels[index - 1] + (levels[index] - levels[index - 1]) * before / (before - after))
        if start is None:
            start = place
        else:
            found.append((start, place))
            start = None
    return tuple(found) if start is None else (*found, (start, float(levels[-1])))
