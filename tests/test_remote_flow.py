"""The same flood, mapped from files on disk, behind a web server and in a bucket: the same bytes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml
from servers import Bucket, FileServer, Signatures

import pipeline.plan
from catalogs.records import Access
from catalogs.search import Found, search
from catalogs.web import signing
from pipeline.errors import JobError
from workflows.map import map_flood
from workflows.plan import plan_job
from workflows.simulate import simulate

METHODS = ["ndwi", "radar_threshold", "physics"]


@pytest.fixture(scope="module")
def flood(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scenes of a flood of 128² pixels."""
    folder = tmp_path_factory.mktemp("flood")
    simulate(folder, 128, 3)
    return folder


@pytest.fixture(scope="module")
def on_disk(flood: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Digests of the layers that come from files on disk."""
    out = tmp_path_factory.mktemp("disk")
    map_flood(job(flood, out), out / "run")
    found = digests(out / "run")
    assert len(found) > 8
    return found


@pytest.fixture
def server(flood: Path) -> Iterator[FileServer]:
    made = FileServer(flood)
    yield made
    made.close()


def job(scenes: Path, out: Path) -> Path:
    """A job of rules and physics over a catalog."""
    told = yaml.safe_load((scenes / "job.yaml").read_text()) | {"methods": METHODS, "tile": 128}
    told |= {"area": str(scenes / "area.geojson"), "catalog": str(scenes / "catalog.json")}
    path = out / "job.yaml"
    path.write_text(yaml.safe_dump(told))
    return path


def digests(run: Path) -> dict[str, str]:
    return {str(path.relative_to(run)): sha256(path.read_bytes()).hexdigest() for path in run.glob("units/*/**/*.tif")}


def moved(flood: Path, out: Path, to: Callable[[str], str]) -> Path:
    """The catalog without its scenes; its items name them at another place, made of their path in the catalog."""
    copy = out / "catalog"
    shutil.copytree(flood, copy, ignore=shutil.ignore_patterns("*.tif"))
    for path in copy.rglob("*.json"):
        item = json.loads(path.read_text())
        for asset in item.get("assets", {}).values():
            asset["href"] = to(str((path.parent / asset["href"]).resolve().relative_to(copy.resolve())))
        path.write_text(json.dumps(item))
    return copy


def test_behind_a_web_server(flood: Path, on_disk: dict[str, str], server: FileServer, tmp_path: Path) -> None:
    copy = moved(flood, tmp_path, lambda path: f"{server.url}/{path}")
    map_flood(job(copy, tmp_path), tmp_path / "run")
    assert digests(tmp_path / "run") == on_disk
    files = {asked.path for asked in server.asked}
    assert len(files) > 10
    # Each file: its size, and the one piece that it is. Prepare, the unit and its second look share GDAL's memory.
    assert len(server.asked) <= 3 * len(files)
    assert sum(asked.bytes for asked in server.asked) <= 1.1 * sum((flood / path[1:]).stat().st_size for path in files)


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    made = Bucket()
    yield made
    made.close()


def test_in_a_bucket(
    flood: Path, on_disk: dict[str, str], bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = moved(flood, tmp_path, lambda path: f"s3://floods/{path}")
    with pytest.raises(
        JobError, match=r"catalog: its[^:]*\n  AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set"
    ) as caught:
        plan_job(job(copy, tmp_path))
    assert str(caught.value).count("not set") == 1
    assert "job.yaml line" in str(caught.value)
    for name, value in bucket.environment.items():
        monkeypatch.setenv(name, value)
    bucket.put("floods", {str(path.relative_to(flood)): path for path in flood.rglob("*.tif")})
    map_flood(job(copy, tmp_path), tmp_path / "run")
    assert digests(tmp_path / "run") == on_disk


def test_signatures_that_expire_between_plan_and_map(
    flood: Path, on_disk: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The items carry signatures of the time of the search; those given later expire before the units are mapped."""
    monkeypatch.setenv("OVERBANK_HTTP_BACKOFF", "0.01")
    signing.forget()
    service = Signatures()
    server = FileServer(flood, signatures=service)
    monkeypatch.setenv("CPL_VSIL_CURL_NON_CACHED", f"/vsicurl/{server.url}")  # small files would come from memory
    access = Access(token_url=service.url, token_hosts=("127.0.0.1",))

    def guarded(*given: Any, **told: Any) -> Found:
        """What search gives of a catalog that has a service of signatures."""
        found = search(*given, **told)
        return found.model_copy(update={"acquisitions": tuple(_with(scene, access) for scene in found.acquisitions)})

    monkeypatch.setattr(pipeline.plan, "search", guarded)
    copy = moved(flood, tmp_path, lambda path: f"{server.url}/{path}?se=2020-01-01T00:00:00Z&sp=r&sig=OLD")
    heard: list[str] = []

    def say(text: str) -> None:
        heard.append(text)
        service.expire()

    map_flood(job(copy, tmp_path), tmp_path / "run", say=say)
    server.close()
    service.close()
    assert digests(tmp_path / "run") == on_disk
    assert len(service.given) > 1
    assert any(asked.status == 403 for asked in server.asked)
    written = [path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert not any(name.encode() in content for content in written for name in service.given)


def _with(scene: Any, access: Access) -> Any:
    layers = {
        name: tuple(raster.model_copy(update={"access": access}) for raster in rasters)
        for name, rasters in scene.layers.items()
    }
    return scene.model_copy(update={"layers": layers})
