"""More dates for a simulated catalog: a scene of it once more, on another day, as a provider would publish it."""

from __future__ import annotations

import json
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

JOB = """\
name: a test
area: area.geojson
catalog: catalog.json
before: [2024-01-10, 2024-01-22]
during: {during}
sensors: [{sensors}]
methods: [{methods}]
tile: {tile}
"""


def write_job(
    catalog: Path, name: str, during: str, sensors: str = "sentinel-2", methods: str = "ndwi", tile: int = 128
) -> Path:
    """A job file beside a simulated catalog."""
    path = catalog / name
    path.write_text(JOB.format(during=during, sensors=sensors, methods=methods, tile=tile), encoding="utf-8")
    return path


def item_of(catalog: Path, sensor: str, day: str) -> Path:
    """The item of a scene; of a simulated flood "20240211" and so on."""
    (found,) = catalog.glob(f"*/{sensor}_{day}*/*.json")
    return found


def publish(catalog: Path, sensor: str, day: str, days: int, **changes: Any) -> Path:
    """Add the scene of `day` once more, `days` later, to its collection; `changes` of the item's properties."""
    source = item_of(catalog, sensor, day)
    item = json.loads(source.read_text())
    taken = datetime.fromisoformat(item["properties"]["datetime"].replace("Z", "+00:00")) + timedelta(days=days)
    name = f"{sensor}_{taken:%Y%m%dT%H%M%S}_again"
    item["id"] = name
    item["properties"] |= {"datetime": f"{taken:%Y-%m-%dT%H:%M:%SZ}"} | changes
    target = source.parent.parent / name / f"{name}.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(item))
    path = source.parent.parent / "collection.json"
    collection = json.loads(path.read_text())
    collection["links"].append({"rel": "item", "href": f"./{name}/{name}.json", "type": "application/geo+json"})
    path.write_text(json.dumps(collection))
    return target


def copied(catalog: Path, to: Path) -> Path:
    """A catalog of one's own, to change."""
    shutil.copytree(catalog, to)
    return to
