"""Each fault made on purpose in a small flood: it is found and named, and the map is right or honestly not observed."""

from __future__ import annotations

import functools
import http.server
import json
import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import yaml
from affine import Affine
from numpy.typing import NDArray
from rasterio.control import GroundControlPoint
from typer.testing import CliRunner

from catalogs.doctor.findings import Finding
from catalogs.errors import SearchError
from harmonization.reasons import Reason
from pipeline.errors import SceneError
from pipeline.run_folder import finished_units
from workflows.check import check
from workflows.cli import app
from workflows.compare import compare
from workflows.map import map_flood
from workflows.report.page import write_report
from workflows.simulate import simulate

SIZE = 128
S1, ALOS, S2 = "sentinel-1_20240212T051000_sim3", "alos-2_20240211T221000_sim3", "sentinel-2_20240211T100000_sim3"
S1_BEFORE = "sentinel-1_20240119T051000_sim3"
COLLECTIONS = {S1_BEFORE: "sentinel-1-rtc", S1: "sentinel-1-rtc", ALOS: "palsar2-scansar", S2: "sentinel-2-l2a"}
FILLED = np.s_[:100, :]
"""The rows that some faults fill; the area begins at the fortieth."""


@dataclass
class Catalog:
    """A copy of the simulated catalog, to be broken."""

    root: Path

    def item(self, scene: str) -> Path:
        return self.root / COLLECTIONS[scene] / scene / f"{scene}.json"

    def change(self, scene: str, change: Callable[[dict[str, Any]], None]) -> None:
        path = self.item(scene)
        data = json.loads(path.read_text())
        change(data)
        path.write_text(json.dumps(data))

    def tif(self, scene: str, asset: str) -> Path:
        return self.root / "scenes" / scene / f"{asset}.tif"

    def rewrite(self, scene: str, asset: str, change: Callable[[NDArray[Any]], NDArray[Any]], **profile: Any) -> None:
        """Write a file anew with other values, and other fields of its header where given."""
        path = self.tif(scene, asset)
        with rasterio.open(path) as source:
            values, told = source.read(), source.profile
        path.unlink()  # it is a link to the unbroken one
        changed = change(values)
        told |= {"driver": "GTiff", "dtype": changed.dtype} | profile
        told = {key: value for key, value in told.items() if key not in ("blockxsize", "blockysize", "tiled")}
        with rasterio.open(path, "w", **told) as target:
            target.write(changed)

    def drop(self, scene: str) -> None:
        """Take a scene out of its collection."""
        path = self.root / COLLECTIONS[scene] / "collection.json"
        data = json.loads(path.read_text())
        data["links"] = [link for link in data["links"] if scene not in link["href"]]
        path.write_text(json.dumps(data))

    def add(self, scene: str, name: str, change: Callable[[dict[str, Any]], None]) -> None:
        """A copy of an item under another id."""
        path = self.root / COLLECTIONS[scene] / "collection.json"
        data = json.loads(path.read_text())
        data["links"].append({"rel": "item", "href": f"./{name}.json"})
        path.write_text(json.dumps(data))
        item = json.loads(self.item(scene).read_text())
        for asset in item["assets"].values():
            asset["href"] = str((self.item(scene).parent / asset["href"]).resolve())
        item["id"] = name
        change(item)
        (path.parent / f"{name}.json").write_text(json.dumps(item))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unbroken scenes."""
    folder = tmp_path_factory.mktemp("whole")
    simulate(folder, SIZE, 3)
    told = yaml.safe_load((folder / "job.yaml").read_text())
    told |= {"methods": ["ndwi", "radar_threshold", "physics"], "tile": SIZE}
    (folder / "job.yaml").write_text(yaml.safe_dump(told))
    return folder


@pytest.fixture
def catalog(whole: Path, tmp_path: Path) -> Catalog:
    """A copy to break; rasters are links until they are written anew."""
    shutil.copytree(whole, tmp_path / "broken", copy_function=_link_rasters, ignore=shutil.ignore_patterns("run"))
    return Catalog(tmp_path / "broken")


def _link_rasters(source: str, target: str) -> None:
    (os.link if source.endswith(".tif") else shutil.copyfile)(source, target)


@dataclass
class Map:
    """What was mapped."""

    physics: NDArray[np.uint8]
    observed_by: NDArray[np.uint8]
    reasons: dict[str, NDArray[np.uint16]]
    methods: dict[str, NDArray[np.uint8]]
    said: list[str]
    run: Path

    @property
    def flood(self) -> NDArray[np.bool_]:
        return np.isin(self.physics, (1, 2))


def mapped(root: Path, run: Path) -> Map:
    said: list[str] = []
    map_flood(root / "job.yaml", run, say=said.append)
    (folder,) = finished_units(run)
    with rasterio.open(folder / "observed_by.tif") as source:
        observed_by = source.read(1)
    with rasterio.open(folder / "exclusion.tif") as source:
        reasons = dict(zip(source.descriptions, source.read(), strict=True))
    methods = {path.stem: _read(path) for path in sorted((folder / "methods").glob("*.tif"))}
    return Map(methods["physics"], observed_by, reasons, methods, said, run)


def _read(path: Path) -> NDArray[Any]:
    with rasterio.open(path) as source:
        return np.asarray(source.read(1))


@pytest.fixture(scope="module")
def right(whole: Path) -> Map:
    """The unbroken map."""
    return mapped(whole, whole / "run")


@pytest.fixture(scope="module")
def honest(whole: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Map]:
    """The map of each of `HONEST`."""

    @functools.cache
    def make(name: str) -> Map:
        root = tmp_path_factory.mktemp("honest") / "scenes"
        shutil.copytree(whole, root, copy_function=_link_rasters, ignore=shutil.ignore_patterns("run"))
        HONEST[name](Catalog(root))
        return mapped(root, root / "run")

    return make


def found_in(catalog: Catalog) -> dict[str, list[Finding]]:
    """By code, what the doctor says of the job."""
    codes: dict[str, list[Finding]] = {}
    for finding in check(catalog.root / "job.yaml"):
        codes.setdefault(finding.code, []).append(finding)
    return codes


def overlap(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float((one & other).sum() / (one | other).sum())


def precision(said: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    return float((said & truth).sum() / said.sum())


def same(one: Map, other: Map) -> bool:
    return all(np.array_equal(one.methods[name], other.methods[name]) for name in other.methods)


def test_the_unbroken_flood_has_no_finding(whole: Path, right: Map) -> None:
    assert check(whole / "job.yaml") == ()
    assert check(whole) == ()
    assert right.flood.sum() > 500


def transform_stale(c: Catalog) -> None:
    def move(data: dict[str, Any]) -> None:
        data["assets"]["vv"]["proj:transform"][2] += 3000.0

    c.change(S1, move)


def code_wrong(c: Catalog) -> None:
    c.change(S2, lambda data: data["properties"].update({"proj:code": "EPSG:32634"}))


def pass_twice(c: Catalog) -> None:
    c.add(S1, "again", lambda data: None)


def satellites_mixed(c: Catalog) -> None:
    def other(data: dict[str, Any]) -> None:
        data["properties"] |= {"platform": "sentinel-1c", "datetime": "2024-02-11T17:10:00Z"}

    c.add(S1, "evening", other)


def power_as_decibel(c: Catalog) -> None:
    def declare(data: dict[str, Any]) -> None:
        layers = {name.upper(): {"assets": [name], "encoding": "decibel"} for name in ("vv", "vh")}
        layers["angle"] = {"assets": ["local_incidence_angle"], "nodata": [0]}
        told = {"sensor": "sentinel-1", "quantity": "gamma0", "layers": layers}
        data["collection"] = "overbank-local"
        data["properties"] |= {f"overbank:{name}": value for name, value in told.items()}

    c.change(S1, declare)


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (transform_stale, "stale-transform"),
        (code_wrong, "wrong-crs"),
        (pass_twice, "duplicate-pass"),
        (satellites_mixed, "mixed-satellites"),
        (power_as_decibel, "power-as-decibel"),
    ],
)
def test_item_is_wrong_and_the_map_is_the_same_all_the_same(
    catalog: Catalog, right: Map, spoil: Callable[[Catalog], None], code: str
) -> None:
    spoil(catalog)
    assert code in found_in(catalog)
    assert same(mapped(catalog.root, catalog.root / "run"), right)


def positive(c: Catalog) -> None:
    """Denoised power dips below zero here and there, which dB cannot say."""
    for name in ("vv", "vh"):
        c.rewrite(S1, name, lambda power: np.where(power > 0, power, np.float32(np.nan)))


def decibel_as_power(c: Catalog) -> None:
    positive(c)
    for name in ("vv", "vh"):
        c.rewrite(S1, name, lambda power: (10.0 * np.log10(power)).astype(np.float32))


def reflectance_scaled(c: Catalog) -> None:
    def scaled(numbers: NDArray[Any]) -> NDArray[Any]:
        return np.where(numbers == 0, np.nan, numbers * 1e-4 - 0.1).astype(np.float32)

    for name in ("B02", "B03", "B04", "B08", "B11", "B12"):
        c.rewrite(S2, name, scaled, nodata=np.nan)


def band_shifted(c: Catalog) -> None:
    with rasterio.open(c.tif(S2, "B08")) as source:
        moved = source.transform @ Affine.translation(0.5, 0.5)
    c.rewrite(S2, "B08", lambda numbers: numbers, transform=moved)


@pytest.mark.parametrize(
    ("spoil", "code", "control"),
    [
        (decibel_as_power, "decibel-as-power", "positive"),
        (reflectance_scaled, "scaled-reflectance", "unbroken"),
        (band_shifted, "band-header-shift", "unbroken"),
    ],
)
def test_layer_is_read_as_what_it_is(
    catalog: Catalog, honest: Callable[[str], Map], spoil: Callable[[Catalog], None], code: str, control: str
) -> None:
    spoil(catalog)
    assert code in found_in(catalog)
    found, true = mapped(catalog.root, catalog.root / "run"), honest(control)
    for name, codes in found.methods.items():
        assert overlap(np.isin(codes, (1, 2)), np.isin(true.methods[name], (1, 2))) >= 0.97, name


def filled(value: float) -> Callable[[NDArray[Any]], NDArray[Any]]:
    def fill(values: NDArray[Any]) -> NDArray[Any]:
        copy = values.copy()
        copy[(0, *FILLED)] = value
        return copy

    return fill


def fill_radar(value: float, **profile: Any) -> Callable[[Catalog], None]:
    def fill(c: Catalog) -> None:
        for name in ("vv", "vh"):
            c.rewrite(S1, name, filled(value), **profile)

    return fill


def fill_alos(value: float) -> Callable[[Catalog], None]:
    def fill(c: Catalog) -> None:
        for name in ("HH_SLP", "HV_SLP"):
            c.rewrite(ALOS, name, filled(value))

    return fill


def fill_optics(value: float, nodata: float) -> Callable[[Catalog], None]:
    def fill(c: Catalog) -> None:
        for name in ("B02", "B03", "B04", "B08"):
            c.rewrite(S2, name, filled(value), nodata=nodata)

    return fill


HONEST: dict[str, Callable[[Catalog], None]] = {
    "unbroken": lambda _: None,
    "positive": positive,
    "sentinel-1": fill_radar(np.nan),
    "alos-2": fill_alos(0.0),
    "sentinel-2": fill_optics(0.0, 0.0),
    S1: lambda catalog: catalog.drop(S1),
    ALOS: lambda catalog: catalog.drop(ALOS),
}
"""What faults are held against: the filled rows declared as nodata, a catalog without the scene."""


@pytest.mark.parametrize(
    ("spoil", "codes", "sensor"),
    [
        (fill_radar(0.0), {"zero-filled"}, "sentinel-1"),
        (fill_radar(-9999.0, nodata=None), {"undeclared-fill"}, "sentinel-1"),
        (fill_radar(-9999.0, nodata=-32768.0), {"undeclared-fill", "nodata-never-occurs"}, "sentinel-1"),
        (fill_alos(65535.0), {"undeclared-fill"}, "alos-2"),
        (fill_optics(65535.0, 0.0), {"undeclared-fill"}, "sentinel-2"),
    ],
    ids=["zeros", "no-nodata", "wrong-nodata", "alos", "optics"],
)
def test_fill_is_not_observed(
    catalog: Catalog, spoil: Callable[[Catalog], None], codes: set[str], sensor: str, honest: Callable[[str], Map]
) -> None:
    """The map is, to the byte, the one of the same rows declared as nodata."""
    spoil(catalog)
    assert codes <= set(found_in(catalog))
    found, true = mapped(catalog.root, catalog.root / "run"), honest(sensor)
    assert (found.reasons[sensor] & Reason.OUTSIDE_SWATH != 0).sum() > 0.4 * SIZE**2
    assert np.array_equal(found.reasons[sensor], true.reasons[sensor])
    assert same(found, true)


def cut_short(scene: str, *assets: str) -> Callable[[Catalog], None]:
    def cut(c: Catalog) -> None:
        for name in assets:
            path = c.tif(scene, name)
            content = path.read_bytes()
            path.unlink()
            path.write_bytes(content[: len(content) // 2])

    return cut


def control_points_only(c: Catalog) -> None:
    for name in ("vv", "vh"):
        with rasterio.open(c.tif(S1, name)) as source:
            corners = [(row, column) for row in (0, source.height) for column in (0, source.width)]
            points = [GroundControlPoint(row, column, *(source.transform @ (column, row))) for row, column in corners]
            crs = source.crs
        c.rewrite(S1, name, lambda values: values, crs=crs, gcps=points, transform=None)


@pytest.mark.parametrize(
    ("spoil", "code", "scene"),
    [
        (cut_short(S1, "vv", "vh"), "unreadable", S1),
        (cut_short(ALOS, "MSK"), "unreadable", ALOS),
        (control_points_only, "no-annotation", S1),
    ],
    ids=["cut-short", "mask-lost", "control-points"],
)
def test_scene_that_cannot_be_used_is_taken_out_and_named(
    catalog: Catalog, spoil: Callable[[Catalog], None], code: str, scene: str, honest: Callable[[str], Map]
) -> None:
    """The map is, to the byte, the one of a catalog without the scene; the run says that it is missing."""
    spoil(catalog)
    assert scene in {finding.thing for finding in found_in(catalog)[code]}
    found = mapped(catalog.root, catalog.root / "run")
    assert same(found, honest(scene))
    sensor = scene.partition("_")[0]
    assert (found.reasons[sensor] & Reason.NO_SCENE != 0).mean() > 0.99
    assert any(scene in line and code in line for line in found.said)
    assert sensor in json.loads((found.run / "run.json").read_text())["missing"]["during"]


def test_polarization_that_cannot_be_read_leaves_the_other(catalog: Catalog, right: Map) -> None:
    cut_short(S1, "vh")(catalog)
    assert [finding.layer for finding in found_in(catalog)["unreadable"]] == ["VH"]
    found = mapped(catalog.root, catalog.root / "run")
    assert (found.reasons["sentinel-1"] & Reason.NO_SCENE == 0).all()
    assert overlap(found.flood, right.flood) > 0.8


def without_angle(c: Catalog, *scenes: str) -> None:
    for scene in scenes:
        c.change(scene, lambda data: data["assets"].pop("local_incidence_angle"))


def test_missing_angle_is_borrowed_from_the_same_track(catalog: Catalog, right: Map) -> None:
    without_angle(catalog, S1)
    assert "missing-angle" in found_in(catalog)
    assert same(mapped(catalog.root, catalog.root / "run"), right)
    assert "borrowed-angle" in (catalog.root / "run" / "findings.json").read_text()


def test_angle_that_nobody_has_is_flagged_as_unknown(catalog: Catalog, right: Map) -> None:
    without_angle(catalog, S1, S1_BEFORE)
    for scene in (S1, S1_BEFORE):  # else it is derived from the pass
        catalog.change(scene, lambda data: data["properties"].pop("sat:orbit_state"))
    found = mapped(catalog.root, catalog.root / "run")
    seen = found.reasons["sentinel-1"] & Reason.OUTSIDE_SWATH == 0
    assert (found.reasons["sentinel-1"][seen] & Reason.UNKNOWN_ANGLE != 0).mean() > 0.99
    truth = np.isin(_read(catalog.root / "truth.tif"), (1, 2))
    assert precision(found.flood, truth) > precision(right.flood, truth) - 0.02, "weaker, and no more false alarms"


class _Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Address and folder of a web server."""
    folder = tmp_path / "web"
    folder.mkdir()
    handler = functools.partial(_Silent, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{web.server_port}", folder
        web.shutdown()


def test_file_that_is_gone_is_looked_for_again_the_next_time(
    catalog: Catalog,
    right: Map,
    server: tuple[str, Path],
    honest: Callable[[str], Map],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """404 takes the scene out; once the file is there again the same command maps it."""
    address, folder = server
    monkeypatch.setenv("CPL_VSIL_CURL_NON_CACHED", f"/vsicurl/{address}")  # as if the command ran in a new process

    def move(data: dict[str, Any]) -> None:
        for name in ("vv", "vh"):
            data["assets"][name]["href"] = f"{address}/{name}.tif"

    catalog.change(S1, move)
    assert {finding.layer for finding in found_in(catalog)["unreadable"]} == {"VV", "VH"}
    assert "404" in found_in(catalog)["unreadable"][0].found
    run = catalog.root / "run"
    assert same(mapped(catalog.root, run), honest(S1))
    for name in ("vv", "vh"):
        shutil.copyfile(catalog.tif(S1, name), folder / f"{name}.tif")
    again = mapped(catalog.root, run)
    assert any("1 scenes held against" in line for line in again.said), "the others were not opened again"
    assert same(again, right)


def test_nothing_left_is_one_clear_error(catalog: Catalog) -> None:
    for scene, assets in ((S1, ("vv", "vh")), (ALOS, ("HH_SLP", "HV_SLP")), (S2, ("B03",))):
        cut_short(scene, *assets)(catalog)
    with pytest.raises(SceneError, match="none of the 3 scenes of the flood window can be read") as caught:
        mapped(catalog.root, catalog.root / "run")
    assert all(scene in str(caught.value) for scene in (S1, ALOS, S2))
    checked = CliRunner().invoke(app, ["catalog", "check", str(catalog.root / "job.yaml")])
    assert checked.exit_code == 1, checked.output


def test_command_line_says_what_and_how_bad(catalog: Catalog, tmp_path: Path) -> None:
    told = CliRunner().invoke(app, ["catalog", "check", str(catalog.root)])
    assert (told.exit_code, "nothing found" in told.output) == (0, True)
    decibel_as_power(catalog)
    item, out = str(catalog.item(S1)), tmp_path / "findings.json"
    told = CliRunner().invoke(app, ["catalog", "check", item, "--json", str(out)])
    assert told.exit_code == 1
    assert "decibel-as-power" in told.output
    found = json.loads(out.read_text())
    assert found["counts"]["fault"] == 2
    assert {one["action"] for one in found["findings"]} == {"reads the layer as dB"}
    assert CliRunner().invoke(app, ["catalog", "check", item, "--no-deep"]).exit_code == 0
    gone = CliRunner().invoke(app, ["catalog", "check", str(tmp_path / "gone.json")])
    assert (gone.exit_code, "no such file" in gone.stderr) == (2, True)
    assert CliRunner().invoke(app, ["catalog", "check", ""]).exit_code == 2  # never the folder one stands in


def test_table_of_findings_names_whole_items(catalog: Catalog) -> None:
    """Slices of one pass differ in the last letters of their ids."""
    decibel_as_power(catalog)
    told = CliRunner().invoke(app, ["catalog", "check", str(catalog.root)]).stdout
    assert "…" not in told
    cells = [re.split(r"\s{2,}", line)[3:4] for line in told.splitlines() if line.startswith("  fault")]
    below = [line.strip().split("  ")[0] for line in told.splitlines() if line.startswith(" " * 20)]
    assert any(f"{cell[0]}{rest}".startswith(f"{catalog.item(S1).stem},") for cell in cells for rest in below)


def test_plan_and_report_tell_the_findings(catalog: Catalog) -> None:
    pass_twice(catalog)
    cut_short(ALOS, "MSK")(catalog)
    planned = CliRunner().invoke(app, ["plan", str(catalog.root / "job.yaml")])
    assert planned.exit_code == 0
    assert "duplicate-pass" in planned.output
    assert "unreadable" not in planned.output, "a plan opens no file"
    run = mapped(catalog.root, catalog.root / "run").run
    page = write_report(catalog.root / "report.html", compare(run), run).read_text()
    assert {"duplicate-pass", "unreadable"} <= set(re.findall(r"<td>([a-z-]+)</td>", page))


def test_an_endpoint_of_ones_own_is_checked_and_the_whole_world_is_not(whole: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(f"id: own\ntitle: Own\nurl: {whole / 'catalog.json'}\nkind: static\n")
    assert check(own, deep=False) == check(whole, deep=False)
    with pytest.raises(SearchError, match="Check a job with `catalog: planetary-computer`"):
        check("planetary-computer")
