"""Items are not trusted: odd fields are named and never crash, and no signature is told or kept."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from scenes import grid, plain, radar_scene
from servers import Answer, FileServer
from test_catalogs_search import EVERYWHERE, look, radar, static
from typer.testing import CliRunner

from catalogs.ancillary import search_ancillary
from catalogs.doctor.check import check_file
from catalogs.doctor.examine import examine
from catalogs.errors import ReadError, SearchError
from pipeline.errors import PipelineError
from workflows.cli import app

SECRET = "hidden0123"
SIGNED = f"st=2020&se=2020-01-01T00%3A00%3A00Z&sig={SECRET}"


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setenv("OVERBANK_HTTP_BACKOFF", "0.01")
    monkeypatch.setenv("OVERBANK_HTTP_ATTEMPTS", "2")
    (tmp_path / "web").mkdir()
    server = FileServer(tmp_path / "web")
    yield server
    server.close()


# --- secrets ---


@pytest.mark.parametrize("kind", [SearchError, ReadError])
def test_an_error_holds_no_signature(kind: Any) -> None:
    address = f"https://h.example/a.json?{SIGNED}"
    error = kind(f"file {address}", f"no answer from {address} (refused)", "an answer", f"Open {address} by hand.")
    assert SECRET not in str(error) + repr(error.args)
    assert "https://h.example/a.json" in str(error)
    assert SECRET not in str(PipelineError(f"{address}: has no coordinate system"))


@pytest.mark.parametrize("fault", [[Answer(status=404)], [Answer(status=500)] * 9, [Answer(reset=True)] * 9])
def test_a_signed_catalog_that_cannot_be_read_is_named_without_its_signature(
    web: FileServer, fault: list[Answer]
) -> None:
    web.answer("/catalog.json", fault)
    with pytest.raises(SearchError) as told:
        look(f"{web.url}/catalog.json?{SIGNED}")
    assert f"{web.url}/catalog.json" in str(told.value)
    assert SECRET not in str(told.value)


def test_a_problem_of_a_signed_item_is_named_without_its_signature(web: FileServer, tmp_path: Path) -> None:
    links = [{"rel": "item", "href": f"./{name}.json?{SIGNED}"} for name in ("gone", "odd")]
    (web.folder / "catalog.json").write_text(json.dumps({"type": "Catalog", "id": "c", "links": links}))
    (web.folder / "odd.json").write_text(json.dumps(radar("odd", geometry=None, bbox=None)))
    found = look(f"{web.url}/catalog.json")
    assert len(found.problems) == 2
    assert all(name in text for name, text in zip(("gone.json", "odd.json"), sorted(found.problems), strict=True))
    assert SECRET not in "".join(found.problems)


def test_findings_that_are_kept_hold_no_signature(web: FileServer, tmp_path: Path) -> None:
    """The address is signed by who made the catalog: there is no service to renew it, so the record keeps it."""
    scene = radar_scene(tmp_path / "web", "s", {"VV": plain((64, 64), 0.0)}, grid(64, 64))
    (raster,) = scene.layers["VV"]
    signed = raster.model_copy(update={"href": f"{web.url}/s_VV.tif?{SIGNED}"})
    findings = examine(scene.model_copy(update={"layers": {"VV": (signed,)}}))
    assert {finding.href for finding in findings} == {f"{web.url}/s_VV.tif"}
    path = tmp_path / "item.json"
    path.write_text(json.dumps(radar("s", assets={"vv": {"href": signed.href}})))
    told = CliRunner().invoke(app, ["catalog", "check", str(path), "--json", str(tmp_path / "told.json")])
    assert told.exit_code == 1, "the signature has expired"
    assert SECRET not in told.output + (tmp_path / "told.json").read_text()


# --- odd fields ---

ODD: list[Any] = [None, 5, -1.5, True, "x", [], [None], ["a", {}], {}, {"a": [1]}, "http://[bad?se=1", float("nan")]
FULL = radar(
    "full",
    properties={
        "datetime": "2024-05-01T12:00:00Z", "start_datetime": "2024-05-01T12:00:00Z",
        "end_datetime": "2024-05-01T12:00:20Z", "platform": "sentinel-1a", "sat:orbit_state": "ascending",
        "sat:relative_orbit": 5, "sat:absolute_orbit": 50, "sar:product_type": "GRD", "sar:instrument_mode": "IW",
        "sar:observation_direction": "right", "proj:epsg": 32632, "proj:shape": [10, 10],
        "proj:transform": [10, 0, 600000, 0, -10, 5000000], "proj:bbox": [600000, 4999900, 600100, 5000000],
        "updated": "2024-05-02T00:00:00Z", "processing:version": "1", "storage:requester_pays": False,
    },
    assets={
        "vv": {"href": "https://h.example/vv.tif", "type": "image/tiff", "roles": ["data"], "file:size": 5,
               "raster:bands": [{"nodata": 0, "scale": 1, "offset": 0, "data_type": "float32"}],
               "proj:shape": [10, 10], "proj:transform": [10, 0, 600000, 0, -10, 5000000]},
        "thumbnail": {"href": "https://h.example/t.png", "roles": ["thumbnail"], "type": "image/png"},
    },
)  # fmt: skip


def broken() -> Iterator[dict[str, Any]]:
    """The item with each of its fields in turn as something that it should not be."""
    for index, value in enumerate(ODD):
        for place in (("geometry",), ("bbox",), ("stac_extensions",), ("properties",), ("assets",), ("links",)):
            yield changed(place, value, index)
        for name in FULL["properties"]:
            yield changed(("properties", name), value, index)
        for asset, fields in FULL["assets"].items():
            for name in fields:
                yield changed(("assets", asset, name), value, index)
        for name in FULL["assets"]["vv"]["raster:bands"][0]:
            yield changed(("assets", "vv", "raster:bands", 0, name), value, index)


def changed(place: tuple[Any, ...], value: Any, index: int) -> dict[str, Any]:
    item = copy.deepcopy(FULL) | {"id": f"{'-'.join(map(str, place))}-{index}"}
    inner = item
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    return item


def test_no_odd_field_ends_a_search_or_a_check(tmp_path: Path) -> None:
    """Each item is used or named; what is odd about one does no harm to the others."""
    items = [*broken(), copy.deepcopy(FULL)]
    for number, item in enumerate(items):  # side by side, lest they count as one product
        if item["geometry"] == FULL["geometry"]:
            item["geometry"] = radar("", west=-170 + 0.9 * number % 330)["geometry"]
    catalog = static(tmp_path / "catalog", items)
    found = look(catalog)
    used = {name for scene in found.acquisitions for name in scene.slices}
    assert "full" in used
    assert len(used) + len(found.problems) + sum(f.code == "duplicate-pass" for f in found.findings) >= len(items)
    told = check_file(catalog, deep=False)
    assert {finding.code for finding in told} >= {"broken-item", "schema-fault"}


@pytest.mark.parametrize("collection", ["cop-dem-glo-30", "jrc-gsw"])
def test_ground_data_without_geometry_lies_where_its_box_does(tmp_path: Path, collection: str) -> None:
    asset = {"cop-dem-glo-30": "data", "jrc-gsw": "seasonality"}[collection]
    assets = {asset: {"href": "https://h.example/a.tif"}}
    items = [
        radar("boxed", collection=collection, assets=assets, geometry=None),
        radar("odd", collection=collection, assets={asset: assets[asset] | {"raster:bands": [{"nodata": "none"}]}}),
    ]
    found = search_ancillary(static(tmp_path / "catalog", items), area=EVERYWHERE, wanted=collection)
    (tile,) = found.tiles
    assert tile.footprint["type"] == "Polygon"
    assert len(found.problems) == 1
    assert "odd" in found.problems[0]
