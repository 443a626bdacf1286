"""Several flood windows in one job: a run each, and what they say together."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import rasterio
from dates import copied, publish, write_job
from stac_validation import validate_item
from typer.testing import CliRunner

from pipeline.errors import JobError, RunError
from pipeline.job import load_job
from pipeline.run_folder import UnitFolder, open_run
from pipeline.series import write_series
from workflows import map_flood, plan
from workflows.cli import app
from workflows.compare import compare
from workflows.mapped import MapSummary
from workflows.plan import SeriesPlan

WINDOWS = (
    "\n  crest: [2024-02-11, 2024-02-11]\n  2024-02-15: [2024-02-14, 2024-02-15]\n  gone: [2024-03-01, 2024-03-02]"
)


@pytest.fixture(scope="module")
def catalog(small_flood: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copied(small_flood, tmp_path_factory.mktemp("catalog") / "flood")
    publish(folder, "sentinel-2", "20240211", 4)
    return folder


@pytest.fixture(scope="module")
def mapped(catalog: Path, tmp_path_factory: pytest.TempPathFactory) -> MapSummary:
    return map_flood(write_job(catalog, "windows.yaml", WINDOWS, tile=64), tmp_path_factory.mktemp("series") / "out")


def test_a_run_for_each_window_and_the_series(mapped: MapSummary) -> None:
    assert list(mapped.windows) == ["crest", "2024-02-15"]
    assert mapped.units == 8
    record = json.loads((mapped.run / "series" / "series.json").read_text())
    assert [date["name"] for date in record["dates"]] == ["crest", "2024-02-15"]
    assert "no scene found" in record["missing"]["gone"]
    with (mapped.run / "series" / "extent.csv").open() as file:
        rows = list(csv.DictReader(file))
    for date, row in zip(record["dates"], rows, strict=True):
        assert float(row["flooded_km2"]) == date["flooded_km2"]
        compared = compare(mapped.run / date["name"])["methods"]["ndwi"]
        assert date["flooded_km2"] == pytest.approx(compared["area_km2"], abs=1e-6)
        assert date["observed_share"] == pytest.approx(compared["observed_share"], abs=1e-6)


def test_rasters_lie_on_the_grid_of_the_runs(mapped: MapSummary) -> None:
    dates = [open_run(mapped.run / name) for name in mapped.windows]
    series = open_run(mapped.run / "series")
    for unit, *others in zip(series.units, *(run.units for run in dates), strict=True):
        assert all(unit.box == other.box for other in others)
        codes = np.stack([other.read("flood_class")[0] for other in others])
        wet, seen = np.isin(codes, (1, 2)), np.isin(codes, (0, 1, 2, 3))
        assert np.array_equal(unit.read("times_observed")[0], seen.sum(0))
        assert np.array_equal(unit.read("times_wet")[0], wet.sum(0))
        assert np.array_equal(unit.read("first_wet")[0], np.select([wet[0], wet[1]], [0, 4], 65535))
        assert np.array_equal(unit.read("last_wet")[0], np.select([wet[1], wet[0]], [4, 0], 65535))
        assert np.array_equal(np.isin(unit.read("maximum_extent")[0], (1, 2)), wet.any(0))


def test_items_are_valid(mapped: MapSummary, shared: Path) -> None:
    for unit in open_run(mapped.run / "series").units:
        assert validate_item(unit.item, shared / "data" / "stac" / "schemas") == []


def test_layers_of_the_series_are_arrays(mapped: MapSummary) -> None:
    least, most = mapped["duration"]
    assert least.attrs["units"] == "d"
    wet = mapped["times_wet"] > 0
    assert np.array_equal(np.isfinite(least.values), wet.values)
    assert bool((least <= most).where(wet, True).all())
    assert float(mapped.windows["crest"]["flood_class"].max()) == 4.0


def test_again_nothing_is_done_again(mapped: MapSummary, catalog: Path) -> None:
    stamps = {path: path.stat().st_mtime_ns for path in mapped.run.rglob("*.tif")}
    again = map_flood(catalog / "windows.yaml", mapped.run)
    assert again.skipped == again.units
    assert stamps == {path: path.stat().st_mtime_ns for path in mapped.run.rglob("*.tif")}


def test_a_window_that_was_lost_is_mapped_alone(mapped: MapSummary, catalog: Path, tmp_path: Path) -> None:
    out = copied(mapped.run, tmp_path / "out")
    shutil.rmtree(out / "2024-02-15")
    again = map_flood(catalog / "windows.yaml", out)
    assert [one.skipped for one in again.windows.values()] == [4, 0]


def test_plan_shows_every_window(catalog: Path, mapped: MapSummary, tmp_path: Path) -> None:
    job = catalog / "windows.yaml"
    planned = plan(job)
    assert isinstance(planned, SeriesPlan)
    result = CliRunner().invoke(app, ["plan", str(job), "--json", str(tmp_path / "plan.json")])
    assert result.exit_code == 0, result.output
    assert "2 flood windows, a map each" in result.stdout
    assert "gone: not mapped: no scene found" in result.stdout
    assert list(json.loads((tmp_path / "plan.json").read_text())["windows"]) == ["crest", "2024-02-15"]
    result = CliRunner().invoke(app, ["map", str(job), "--out", str(mapped.run)])
    assert "maximum extent" in result.stdout


def test_a_look_that_two_dates_share_counts_once(mapped: MapSummary, tmp_path: Path) -> None:
    """As of `overbank watch`: the second date reads the first one's scene too, and sees nothing new in half of it."""
    first = copied(mapped.run / "crest", tmp_path / "first")
    second = copied(mapped.run / "2024-02-15", tmp_path / "second")
    (scene,) = open_run(first).units[0].facts["overbank:scenes"]["during"]
    for unit in open_run(second).units:
        _reads_also(unit, scene)
    record = write_series({"first": first, "second": second}, tmp_path / "series", "a test", {})
    before, after = record["dates"]
    assert after["observed_share"] < before["observed_share"]
    for unit in open_run(tmp_path / "series").units:
        assert (unit.read("times_observed")[0][:, ::2] <= 1).all()


def _reads_also(unit: UnitFolder, scene: dict[str, str]) -> None:
    item = json.loads((unit.path / f"{unit.id}.json").read_text())
    item["properties"]["overbank:scenes"]["during"].append(scene)
    (unit.path / f"{unit.id}.json").write_text(json.dumps(item))
    with rasterio.open(unit.raster("age")) as source:
        age, profile = source.read(), source.profile
    age[:, :, ::2] = np.where(age[:, :, ::2] == 255, 255, 96)
    with rasterio.open(unit.raster("age"), "w", **profile) as target:
        target.write(age)


def test_runs_of_other_grids_are_refused(mapped: MapSummary, tmp_path: Path) -> None:
    other = copied(mapped.run / "crest", tmp_path / "other")
    shutil.rmtree(next(path for path in (other / "units").iterdir()))
    with pytest.raises(RunError, match="are not those of"):
        write_series({"a": mapped.run / "2024-02-15", "b": other}, tmp_path / "series", "a test", {})
    with pytest.raises(RunError, match="found no run"):
        write_series({}, tmp_path / "series", "a test", {})


def test_a_folder_of_one_run_is_not_taken_for_several(mapped: MapSummary, catalog: Path) -> None:
    with pytest.raises(RunError, match="holds the run of one flood window"):
        map_flood(catalog / "windows.yaml", mapped.run / "crest")


MISTAKES = {
    "\n  series: [2024-02-11, 2024-02-11]": "is the folder of what the windows say together",
    "\n  a/b: [2024-02-11, 2024-02-11]": "names a folder; write letters",
    "\n  a: [2024-02-12, 2024-02-11]": "during a: 2024-02-12 is later than 2024-02-11",
    "\n  a: [2024-01-12, 2024-02-11]": "not before the flood window opens (2024-01-12)",
    "\n  a: [2024-02-11, 2024-02-11]\n  A: [2024-02-12, 2024-02-12]": "differ by capitals alone",
    "\n  a: 2024-02-11": "is no list; write [2024-02-11, 2024-02-11]",
    "\n  a: [2024-02-11, 2024-02-11]\n  b: [2024-02-10, 2024-02-11]": "both map 2024-02-11 10:00 UTC",
    "\n  a: [2024-03-11, 2024-03-11]": "no scene found",
}


@pytest.mark.parametrize("during", MISTAKES)
def test_a_mistake_names_its_line(catalog: Path, during: str) -> None:
    job = write_job(catalog, "mistake.yaml", during)
    with pytest.raises(JobError) as told:
        plan(job)
    assert MISTAKES[during] in str(told.value)
    assert str(told.value).startswith(f"{job} line ")


def test_windows_come_in_the_order_of_time(catalog: Path) -> None:
    job = load_job(
        write_job(catalog, "order.yaml", "\n  late: [2024-02-15, 2024-02-16]\n  early: [2024-02-11, 2024-02-12]")
    )
    assert list(job.by_window) == ["early", "late"]
    assert job.by_window["late"].name == "a test, late"
