"""What a run's items say of it as a whole: the scenes, what each sensor saw, and the caveats of the map."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from catalogs.doctor.findings import Finding
from catalogs.lonlat import bbox_around
from pipeline.examine import read_examined
from pipeline.ledger import read_item
from pipeline.run_folder import finished_units

Item = dict[str, Any]
CLOUD_TESTS = {"scene-classification", "quality-bits"}
"""The cloud tests of optical products that bring their own; any other stands in for it."""
SHARES = ("unknown_angle_share", "smooth_dry_share", "outside_model_share")


@dataclass
class SensorAccount:
    """One sensor over all units of a run."""

    pixels: int = 0
    observed: float = 0.0
    """Pixels that it saw."""
    flagged: dict[str, float] = field(default_factory=dict)
    """By name of a share: pixels among those seen."""
    cloud_tests: set[str] = field(default_factory=set)
    looks: list[float] = field(default_factory=list)

    @property
    def observed_share(self) -> float:
        """Share of the run's pixels that it saw."""
        return self.observed / self.pixels if self.pixels else 0.0

    def share(self, name: str) -> float:
        """Share of the pixels it saw that carry a flag."""
        return self.flagged.get(name, 0.0) / self.observed if self.observed else 0.0


@dataclass
class Account:
    """A run as its items tell it."""

    name: str
    legend: str
    """"flood", or "water" where nothing tells flood from permanent water."""
    delivered: str
    science: str
    software: str
    instant: str
    units: int
    bounds: tuple[float, float, float, float]
    """West, south, east, north in degrees; west > east across the antimeridian."""
    sensors: dict[str, SensorAccount]
    scenes: list[dict[str, str]]
    """Window, sensor, platform, time, id; each scene once."""
    reference_known: float
    """Share of the area in which something tells flood from permanent water."""
    missing: dict[str, list[str]]
    """Sensors of the job without a scene, by window."""
    dry_state: str = ""
    """What dry ground was taken for, where that is not the land cover of the place."""
    drainage: tuple[str, ...] = ()
    """Where the height above drainage comes from that lowers the prior of high ground; none without it."""
    cover_known: float = 1.0
    """Share of the area whose land cover is known, where the job gives land cover."""
    zones: tuple[str, ...] = ()
    """EPSG codes of the grids that it was mapped on."""
    findings: tuple[Finding, ...] = ()
    """What was odd about the scenes, the worst first."""


def account_of(run: Path) -> Account:
    """Read the items of a run's units; RunError if there are none."""
    items = list(_items(run))
    first = items[0]["properties"]
    west, south, east, north = bbox_around([item["bbox"] for item in items])
    return Account(
        name=str(first.get("overbank:job", run.name)),
        legend="water" if any(_property(item, "legend") == "water" for item in items) else "flood",
        delivered=str(first.get("overbank:delivered", "")),
        science=str(first.get("overbank:science", "")),
        software=str(first.get("processing:software", {}).get("overbank", "")),
        instant=str(first.get("datetime", "")),
        units=len(items),
        bounds=(west, south, east, north),
        zones=tuple(sorted({str(item["properties"].get("proj:code", "")) for item in items})),
        sensors=_sensors(items),
        scenes=_scenes(items),
        reference_known=_share(items, "reference_known_share", 0.0),
        missing=_missing(run),
        dry_state="; ".join(sorted({str(told) for item in items if (told := _property(item, "dry_state"))})),
        drainage=_drainage(items),
        cover_known=_share(items, "land_cover_known_share", 1.0),
        findings=_findings(run),
    )


def _items(run: Path) -> Iterator[Item]:
    for folder in finished_units(run):
        item = read_item(folder)
        assert item is not None
        yield item


def _property(item: Item, name: str) -> Any:
    return item["properties"].get(f"overbank:{name}")


def _missing(run: Path) -> dict[str, list[str]]:
    path = run / "run.json"
    if not path.is_file():
        return {}
    missing: dict[str, list[str]] = json.loads(path.read_text(encoding="utf-8")).get("missing", {})
    return missing


def _findings(run: Path) -> tuple[Finding, ...]:
    examined = read_examined(run)
    return () if examined is None else examined.findings


def _scenes(items: list[Item]) -> list[dict[str, str]]:
    found: dict[tuple[str, str], dict[str, str]] = {}
    for item in items:
        for window, scenes in (_property(item, "scenes") or {}).items():
            for scene in scenes:
                found[window, scene["id"]] = {"window": window, **scene}
    return sorted(found.values(), key=lambda scene: (scene["window"], scene["time"]))


def _sensors(items: list[Item]) -> dict[str, SensorAccount]:
    found: dict[str, SensorAccount] = {}
    for item in items:
        pixels = int(_property(item, "inside_pixels"))
        for sensor, fact in (_property(item, "sensors") or {}).items():
            _add(found.setdefault(sensor, SensorAccount()), pixels, fact)
    return found


def _drainage(items: list[Item]) -> tuple[str, ...]:
    tiles = {str(tile) for item in items for tile in _property(item, "drainage") or ()}
    return tuple(sorted({tile.partition(":")[0] for tile in tiles}))


def _share(items: list[Item], name: str, default: float) -> float:
    """A share of the area over all units, by the pixels of each."""
    pixels = [int(_property(item, "inside_pixels")) for item in items]
    shares = [default if (told := _property(item, name)) is None else float(told) for item in items]
    return sum(p * share for p, share in zip(pixels, shares, strict=True)) / max(sum(pixels), 1)


def _add(account: SensorAccount, pixels: int, fact: dict[str, Any] | str) -> None:
    """`fact` is a sentence ("no scene") where the sensor said nothing of the unit."""
    account.pixels += pixels
    if isinstance(fact, str):
        return
    observed = pixels * float(fact.get("observed_share", 0.0))
    account.observed += observed
    for name in SHARES:
        account.flagged[name] = account.flagged.get(name, 0.0) + observed * float(fact.get(name, 0.0))
    if "cloud_test" in fact:
        account.cloud_tests.add(str(fact["cloud_test"]))
    if fact.get("looks") is not None:
        account.looks.append(float(fact["looks"]))


def caveats(account: Account) -> list[str]:
    """What a reader of the map must know, one sentence each."""
    told = []
    if account.legend == "water":
        told.append("water, not flood: no reference (no scene before the flood, no reference water)")
    elif account.reference_known < 0.995:
        share = 1.0 - account.reference_known
        told.append(f"in {share:.1%} of the area nothing tells permanent water from flood: water there is called flood")
    if "mixture" in account.dry_state:
        told.append(f"dry ground is taken for a {account.dry_state}: where one cover prevails, trust its margins less")
    if account.cover_known < 0.995:
        share = 1.0 - account.cover_known
        told.append(f"land cover is not known in {share:.1%} of the area: dry ground is a mixture of covers there")
    if account.drainage:
        told.append(_of_drainage(account))
    for window, sensors in account.missing.items():
        told += [f"{sensor}: no scene {window} the flood" for sensor in sensors]
    for sensor, one in account.sensors.items():
        told += _sensor_caveats(sensor, one)
    told += [str(finding) for finding in account.findings if finding.severity in ("fault", "unusable")]
    return told


def _of_drainage(account: Account) -> str:
    told = f"high and steep ground is held for drier by its height above drainage ({', '.join(account.drainage)})"
    crowns = "" if "mixture" not in account.dry_state else "; a surface model's crowns and roofs count as high ground"
    return f"{told}: rain that stands far from streams needs more evidence{crowns}"


def _sensor_caveats(sensor: str, one: SensorAccount) -> list[str]:
    stand_ins = sorted(one.cloud_tests - CLOUD_TESTS)
    told = [f"{sensor}: no scene classification, so the cloud test is a stand-in: {test}" for test in stand_ins]
    if one.share("unknown_angle_share") > 0:
        share = one.share("unknown_angle_share")
        told.append(f"{sensor}: incidence angle unknown in {share:.1%} of what it saw, marginalized over its range")
    if one.share("smooth_dry_share") > 0.005:
        share = one.share("smooth_dry_share")
        told.append(
            f"{sensor}: smooth dry ground looks like water in {share:.1%} of what it saw; evidence near zero there, "
            "so where no other sensor saw, the map is dry by its prior alone"
        )
    if one.share("outside_model_share") > 0.005:
        share = one.share("outside_model_share")
        told.append(
            f"{sensor}: {share:.1%} of what it saw lies outside of its models (incidence below 27 or above 48 degrees, "
            "slopes above 15 degrees): trust it less there (`exclusion`, bit 16384)"
        )
    return told
