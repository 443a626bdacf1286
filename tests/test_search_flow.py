"""One job through every kind of catalog: the same plan, and the same bytes of rules and physics."""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml
from servers import FileServer
from stac_geoparquet.arrow import parse_stac_items_to_parquet
from stac_servers import rustac_api

from pipeline.plan import Plan
from workflows.map import map_flood
from workflows.plan import plan_job
from workflows.simulate import simulate

METHODS = ["ndwi", "radar_threshold", "physics"]


def web_items(folder: Path, url: str) -> list[dict[str, Any]]:
    """The items of a simulated catalog as an API holds them: assets by their addresses on a file server."""
    items = []
    for path in sorted(folder.glob("*/*/*.json")):
        item = json.loads(path.read_text())
        for asset in item["assets"].values():
            asset["href"] = f"{url}/{(path.parent / asset['href']).resolve().relative_to(folder.resolve())}"
        items.append(item | {"links": []})
    return items


def write_job(scenes: Path, out: Path, catalog: str) -> Path:
    told = yaml.safe_load((scenes / "job.yaml").read_text())
    told |= {"area": str(scenes / "area.geojson"), "catalog": catalog, "methods": METHODS, "tile": 64}
    out.mkdir(parents=True, exist_ok=True)
    (out / "job.yaml").write_text(yaml.safe_dump(told))
    return out / "job.yaml"


def digests(run: Path) -> dict[str, str]:
    paths = sorted(run.glob("units/*/**/*.tif"))
    return {str(path.relative_to(run)): sha256(path.read_bytes()).hexdigest() for path in paths}


def outline(plan: Plan) -> Any:
    """What makes two plans the same: the units, and the scenes that each will read."""
    units = [(unit.id, [s.id for s in unit.during], [s.id for s in unit.before], unit.at) for unit in plan.units]
    return units, [scene.id for scene in plan.during], [scene.id for scene in plan.before], plan.problems


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    simulate(folder, 128, 3)
    return folder


@pytest.fixture(scope="module")
def files(scenes: Path) -> Iterator[FileServer]:
    server = FileServer(scenes)
    yield server
    server.close()


@pytest.fixture(scope="module")
def catalogs(scenes: Path, files: FileServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Every kind of catalog of the same scenes, as a job names it."""
    folder = tmp_path_factory.mktemp("catalogs")
    items = web_items(scenes, files.url)
    parse_stac_items_to_parquet(items, output_path=folder / "items.parquet")
    parse_stac_items_to_parquet(items, output_path=scenes / "web.parquet")
    (folder / "items").mkdir()
    (folder / "items/all.json").write_text(json.dumps({"type": "FeatureCollection", "features": items}))
    with rustac_api(items, folder) as url:
        (folder / "mine.yaml").write_text(f"id: mine\ntitle: Mine\nurl: {url}\ncollections: {{sentinel-1-rtc: {{}}, "
                                          "palsar2-scansar: {}, sentinel-2-l2a: {}}\n")  # fmt: skip
        yield {
            "disk": str(scenes / "catalog.json"),
            "api": url,
            "endpoint file": str(folder / "mine.yaml"),
            "static over http": f"{files.url}/catalog.json",
            "parquet": str(folder / "items.parquet"),
            "parquet over http": f"{files.url}/web.parquet",
            "folder of items": str(folder / "items"),
        }


@pytest.mark.parametrize(
    "kind", ["api", "endpoint file", "static over http", "parquet", "parquet over http", "folder of items"]
)
def test_the_same_plan_from_every_kind_of_catalog(
    kind: str, catalogs: dict[str, str], scenes: Path, tmp_path: Path
) -> None:
    here = plan_job(write_job(scenes, tmp_path / "disk", catalogs["disk"]))
    there = plan_job(write_job(scenes, tmp_path / "other", catalogs[kind]))
    assert len(here.units) == 4
    assert len(here.during) >= 3
    assert here.before
    assert outline(there) == outline(here)


def test_the_same_bytes_from_disk_and_from_an_api(catalogs: dict[str, str], scenes: Path, tmp_path: Path) -> None:
    runs = {}
    for kind in ("disk", "api"):
        job = write_job(scenes, tmp_path / kind, catalogs[kind])
        runs[kind] = digests(map_flood(job, tmp_path / kind / "run").run)
    assert len(runs["disk"]) > 4
    assert runs["api"] == runs["disk"]
