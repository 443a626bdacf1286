"""The flow as a whole, on simulated floods with a known truth: what issue-level promises rest on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from hashlib import sha256
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import yaml
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from rio_cogeo import cog_validate
from stac_validation import validate_item

from harmonization.reasons import Reason
from harmonization.simulate.event import simulate_event
from harmonization.simulate.ground import SimulatedCover, Truth
from pipeline.compare import compare_run
from pipeline.run_folder import finished_units
from workflows.map import map_flood
from workflows.simulate import simulate

SENSORS = ("sentinel-1", "alos-2", "sentinel-2")
METHODS = ("ndwi", "radar_threshold", "physics", "early")


def write_job(scenes: Path, out: Path, **changes: Any) -> Path:
    """A job over simulated scenes, changed as asked; written beside the run."""
    told = yaml.safe_load((scenes / "job.yaml").read_text()) | {"methods": list(METHODS)} | changes
    told |= {"area": str(scenes / "area.geojson"), "catalog": str(scenes / "catalog.json")}
    out.mkdir(parents=True, exist_ok=True)
    path = out / "job.yaml"
    path.write_text(yaml.safe_dump(told))
    return path


def digests(run: Path, pattern: str = "units/*/**/*.tif") -> dict[str, str]:
    return {str(path.relative_to(run)): sha256(path.read_bytes()).hexdigest() for path in sorted(run.glob(pattern))}


@pytest.fixture(scope="session")
def flood(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scenes of a flood of 256² pixels."""
    folder = tmp_path_factory.mktemp("flood")
    simulate(folder, 256, 3)
    return folder


@pytest.fixture(scope="session")
def run(flood: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The flood mapped by all methods in four units."""
    folder = tmp_path_factory.mktemp("mapped")
    map_flood(write_job(flood, folder, tile=128), folder / "run")
    return folder / "run"


def test_every_method_maps_and_physics_beats_the_rules(run: Path, flood: Path) -> None:
    scores = compare_run(run, flood / "truth.tif")["methods"]
    assert set(scores) == set(METHODS)
    rules = max(scores[name]["flood_iou"] for name in ("ndwi", "radar_threshold"))
    assert scores["physics"]["flood_iou"] > rules
    assert scores["physics"]["precision"] > 0.85


def test_scores_by_angle_are_those_of_the_newest_radar_look(run: Path, flood: Path) -> None:
    """A run keeps no angle: it is read again from its scenes, here Sentinel-1's own layer."""
    parts = compare_run(run, flood / "truth.tif", by=("angle", "sensor"))["by"]
    (layer,) = flood.glob("scenes/sentinel-1_20240212*/local_incidence_angle.tif")
    with rasterio.open(layer) as source, rasterio.open(flood / "truth.tif") as truth:
        grid = {"transform": truth.transform, "width": truth.width, "height": truth.height}
        with WarpedVRT(source, crs=truth.crs, resampling=Resampling.bilinear, **grid) as warped:
            angle = warped.read(1)
    bins = np.digitize(angle[np.isfinite(angle)], (25, 30, 35, 40, 45))
    names = ("<25", "25-30", "30-35", "35-40", "40-45", ">=45")
    expected = {name: count * 1e-4 for name, count in zip(names, np.bincount(bins, minlength=6), strict=True) if count}
    found = {name: one["physics"]["inside_km2"] for name, one in parts["angle"].items()}
    assert np.isfinite(angle).all()
    assert found == pytest.approx(expected, abs=1e-4)
    assert parts["sensor"]["c_band+l_band"]["ndwi"]["observed_share"] == 0.0


def test_every_raster_is_a_strict_cog_with_all_that_a_gis_needs(run: Path) -> None:
    paths = sorted(run.glob("units/*/**/*.tif"))
    assert len(paths) == 4 * len(list(finished_units(run)[0].glob("**/*.tif")))
    for path in paths:
        valid, errors, warnings = cog_validate(path, strict=True)
        assert valid, (path, errors, warnings)
        with rasterio.open(path) as source:
            assert source.overviews(1), path
            assert all(source.descriptions), path
            assert source.tags(1).get("STATISTICS_VALID_PERCENT") is not None, path
            if path.stem == "flood_class":
                assert source.nodata == 255
                assert source.colormap(1)[1] != source.colormap(1)[2]


def test_run_is_a_valid_catalog(run: Path, shared: Path) -> None:
    schemas = shared / "data" / "stac" / "schemas"
    for path in [run / "catalog.json", run / "collection.json", *run.glob("units/*/*.json")]:
        assert validate_item(json.loads(path.read_text()), schemas) == [], path
    item = json.loads(next(run.glob("units/*/*.json")).read_text())
    assert item["properties"]["overbank:legend"] == "flood"
    folder = next(run.glob("units/*"))
    assert all((folder / asset["href"]).is_file() for asset in item["assets"].values())


def test_units_meet_without_a_seam(flood: Path, run: Path, tmp_path: Path) -> None:
    """Four units of 128 pixels give, pixel by pixel, what one unit of 256 gives: evidence to the count.

    Bytes of the same zone are the same; L band lies in degrees, where a warp is the same to the last bits: where a
    value stands on the edge between two counts it may fall to either side.
    """
    map_flood(write_job(flood, tmp_path, tile=256), tmp_path / "run")
    (whole,) = finished_units(tmp_path / "run")
    for name, tolerance, share in (("evidence", 1, 1e-4), ("methods/physics", 0, 0.0), ("probability/early", 1, 0.01)):
        with rasterio.open(whole / f"{name}.tif") as source:
            full, origin = source.read().astype(int), source.transform
        for part in finished_units(run):
            with rasterio.open(part / f"{name}.tif") as source:
                values = source.read().astype(int)
                column, row = (round(v) for v in ~origin * (source.transform.c, source.transform.f))
            same = full[:, row : row + values.shape[1], column : column + values.shape[2]]
            off = np.abs(same - values)
            assert off.max() <= tolerance, name
            assert (off > 0).mean() <= share, name


def test_layers_say_who_saw_what(run: Path) -> None:
    outside, clouded, bits = 0, 0, np.uint8(0)
    for folder in finished_units(run):
        with rasterio.open(folder / "exclusion.tif") as source:
            reasons = dict(zip(source.descriptions, source.read(), strict=True))
        outside += int((reasons["alos-2"] & Reason.OUTSIDE_SWATH != 0).sum())
        clouded += int((reasons["sentinel-2"] & Reason.CLOUD != 0).sum())
        with rasterio.open(folder / "observed_by.tif") as source:
            bits |= np.bitwise_or.reduce(source.read(1), axis=None)
    assert outside > 0, "the L-band swath leaves a strip of the area out"
    assert clouded > 0
    assert bits == 1 + 2 + 4 + 16 + 32 + 64


@pytest.mark.parametrize("absent", [*combinations(SENSORS, 1), *combinations(SENSORS, 2)])
def test_any_one_or_two_sensors_may_be_missing(flood: Path, tmp_path: Path, absent: tuple[str, ...]) -> None:
    present = [name for name in SENSORS if name not in absent]
    map_flood(write_job(flood, tmp_path, sensors=present), tmp_path / "run")
    scores = compare_run(tmp_path / "run", flood / "truth.tif")["methods"]
    assert set(scores) == set(METHODS)
    if "sentinel-2" in absent:
        assert scores["ndwi"]["observed_share"] == 0, "a rule without its sensor says nothing"


def test_sensor_asked_for_but_not_in_the_catalog_is_named(flood: Path, tmp_path: Path) -> None:
    """The flow goes on; the exclusion band of the missing sensor says "no scene" everywhere inside the area."""
    job = write_job(flood, tmp_path, sensors=["sentinel-1", "landsat"], methods=["physics"])
    map_flood(job, tmp_path / "run")
    (folder,) = finished_units(tmp_path / "run")
    with rasterio.open(folder / "exclusion.tif") as source:
        assert source.descriptions == ("sentinel-1", "landsat")
        assert (source.read(2) == Reason.NO_SCENE).mean() > 0.99


def test_quiet_window_is_not_a_flood(tmp_path: Path) -> None:
    """Under half a per cent of a window without a flood is mapped as flood (physics.md section 9)."""
    simulate(tmp_path / "scenes", 256, 7, flood=False)
    map_flood(write_job(tmp_path / "scenes", tmp_path), tmp_path / "run")
    scores = compare_run(tmp_path / "run", None)["methods"]
    print("quiet window:", {name: f"{row['flood_share']:.3%} flood" for name, row in scores.items()})
    assert scores["physics"]["flood_share"] < 0.005
    assert scores["early"]["flood_share"] < 0.005


def test_l_band_finds_the_flooded_forest_and_c_band_does_not(tmp_path: Path) -> None:
    simulate(tmp_path / "scenes", 256, 2)
    event = simulate_event(256, 2)
    forest = (event.ground.land_cover[event.ground.inner] == SimulatedCover.FOREST) & (
        event.truth == Truth.FLOODED_VEGETATION
    )
    recall = {}
    for sensor in ("sentinel-1", "alos-2"):
        job = write_job(tmp_path / "scenes", tmp_path / sensor, sensors=[sensor], methods=["physics"])
        map_flood(job, tmp_path / sensor / "run")
        (folder,) = finished_units(tmp_path / sensor / "run")
        with rasterio.open(folder / "flood_class.tif") as source:
            recall[sensor] = float((source.read(1)[forest] == Truth.FLOODED_VEGETATION).mean())
    print("flooded forest found by one sensor alone:", {name: f"{share:.1%}" for name, share in recall.items()})
    assert recall["alos-2"] > 0.4
    assert recall["sentinel-1"] < 0.05


def killed_after_first_unit(job: Path, out: Path) -> dict[Path, int]:
    """The items that a run had written when it was killed, and when."""
    command = [sys.executable, "-m", "workflows.cli", "map", str(job), "--out", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and not list(out.glob("units/3*/*.json")):
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    return {path: path.stat().st_mtime_ns for path in out.glob("units/3*/*.json")}


def test_interrupted_run_goes_on_where_it_stopped(flood: Path, run: Path, tmp_path: Path) -> None:
    """Killed without warning after the first unit; the rest is mapped, the first not again, and all is the same."""
    job = write_job(flood, tmp_path, tile=128)
    for attempt in range(3):  # on a quick machine all four units may be written before the kill arrives
        out = tmp_path / f"run{attempt}"
        done = killed_after_first_unit(job, out)
        if len(done) < 4:
            break
    assert 1 <= len(done) < 4, "the kill came too late to interrupt anything"
    summary = map_flood(job, out)
    assert summary.skipped == len(done)
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in done.items())
    assert not list(out.glob("units/.partial*"))
    assert digests(out) == digests(run)


def test_changed_job_is_mapped_anew(flood: Path, tmp_path: Path) -> None:
    job = write_job(flood, tmp_path, methods=["ndwi", "physics"])
    map_flood(job, tmp_path / "run")
    assert map_flood(job, tmp_path / "run").skipped == 1
    changed = write_job(flood, tmp_path, methods=["ndwi"])
    assert map_flood(changed, tmp_path / "run").skipped == 0
    assert not list(tmp_path.glob("run/units/*/methods/physics.tif"))


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[str]:
    """A real Dask scheduler and two real worker processes."""
    address_file = tmp_path / "scheduler.json"
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": os.environ.copy()}
    here = ["--host", "127.0.0.1"]
    dask = [sys.executable, "-m", "dask"]
    started = [
        subprocess.Popen(
            [*dask, "scheduler", *here, "--port", "0", "--no-dashboard", "--scheduler-file", str(address_file)], **quiet
        )
    ]
    while not address_file.is_file():
        time.sleep(0.1)
    for _ in range(2):
        worker = [*dask, "worker", "--scheduler-file", str(address_file), "--nthreads", "1", "--no-dashboard"]
        started.append(subprocess.Popen([*worker, "--local-directory", str(tmp_path)], **quiet))
    yield json.loads(address_file.read_text())["address"]
    for process in reversed(started):
        process.terminate()
    for process in started:
        process.wait(timeout=20)


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_two_worker_processes_write_the_same_bytes(flood: Path, run: Path, tmp_path: Path, cluster: str) -> None:
    job = write_job(flood, tmp_path, tile=128)
    map_flood(job, tmp_path / "run", scheduler=cluster)
    here, there = digests(run), digests(tmp_path / "run")
    network = {name for name in here if "early" in name}
    assert {name: here[name] for name in here if name not in network} == {
        name: there[name] for name in there if name not in network
    }
    for name in network:  # one device, one count
        with rasterio.open(run / name) as a, rasterio.open(tmp_path / "run" / name) as b:
            assert np.abs(a.read().astype(int) - b.read().astype(int)).max() <= 1
