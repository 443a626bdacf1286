"""The command line as a user meets it: plans, and mistakes that are one clear message each."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import pytest
import rasterio
from typer.testing import CliRunner

from models.contract import CONTRACT, read_contract, shipped
from pipeline import networks as networks_module
from pipeline.errors import JobError
from pipeline.job import load_job
from workflows.cli import app
from workflows.plan import plan_job
from workflows.simulate import simulate

plan_module = import_module("workflows.plan")  # `workflows.plan` itself is the verb
RULES = "[ndwi, radar_threshold, physics]"
JOB = f"""\
name: a test
area: area.geojson
catalog: catalog.json
before: [2024-01-10, 2024-01-22]
during: [2024-02-10, 2024-02-13]
sensors: [sentinel-1, alos-2, sentinel-2]
methods: {RULES}
"""


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulated")
    simulate(folder, 64, 3)
    return folder


def write_job(catalog: Path, text: str = JOB) -> Path:
    path = catalog / "test-job.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def no_pixels(*_: object, **__: object) -> None:
    raise AssertionError("a raster was opened")


MISTAKES = {
    "unknown field": (JOB + "sensor: [alos-2]\n", 8, "did you mean 'sensors'?"),
    "unknown sensor": (JOB.replace("alos-2", "alos-3"), 6, "unknown sensor 'alos-3'; known sensors: sentinel-1"),
    "unknown method": (JOB.replace("physics", "magic"), 7, "unknown method 'magic'; known methods: ndwi"),
    "dates reversed": (
        JOB.replace("[2024-02-10, 2024-02-13]", "[2024-02-13, 2024-02-10]"),
        5,
        "write the earlier day first",
    ),
    "before after during": (JOB.replace("2024-01-22", "2024-02-22"), 4, "not before the flood window"),
    "empty area": (
        JOB.replace("area.geojson", "[15.2, 47.8, 15.1, 47.9]"),
        2,
        "across the antimeridian; write west, south",
    ),
    "missing area file": (JOB.replace("area.geojson", "gone.geojson"), 2, "is not there; give a box"),
    "area elsewhere": (JOB.replace("area.geojson", "[0, 0, 0.1, 0.1]"), 5, "no scene found"),
    "area of half the globe": (JOB.replace("area.geojson", "[-120, 40, 100, 60]"), 2, "one job for each part"),
    "area at the pole": (JOB.replace("area.geojson", "[10, 80, 11, 90]"), 2, "where UTM ends"),
    "no scene found": (JOB.replace("2024-02-1", "2025-02-1"), 5, "widen `during`"),
    "missing catalog": (JOB.replace("catalog.json", "gone.json"), 3, "overbank catalog ingest"),
    "web catalog": (
        JOB.replace("catalog: catalog.json", "catalog: http://127.0.0.1:9/v1"),
        3,
        "Check the address and the network",
    ),
    "missing field": (JOB.replace("catalog: catalog.json\n", ""), 1, "the field 'catalog' is missing; add it"),
    "missing reference": (JOB + "reference_water: gone.tif\n", 8, "gone.tif is not there"),
    "unknown collection": (JOB + "reference_water: jrc-gws\n", 8, "did you mean 'jrc-gsw'?"),
    "a key twice": (JOB + "name: again\n", 8, "stands there a second time"),
    "missing weights": (JOB.replace("physics", "early") + "weights: gone\n", 8, "No checkpoint in"),
    "unknown science": (JOB + "science: '1999-01'\n", 8, "is not a method file; known: 2026-11"),
    "bad YAML": (JOB.replace("area: ", "area: ["), 3, "check the indentation and quotes"),
}


@pytest.mark.parametrize("name", MISTAKES)
@pytest.mark.parametrize("verb", ["plan", "map"])
def test_a_mistake_is_one_message_before_any_pixel(
    catalog: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str, name: str
) -> None:
    text, line, remedy = MISTAKES[name]
    monkeypatch.setattr(rasterio, "open", no_pixels)
    monkeypatch.setenv("OVERBANK_HTTP_ATTEMPTS", "1")
    job = write_job(catalog, text)
    rest = ["--out", str(tmp_path / "run")] if verb == "map" else []
    result = CliRunner().invoke(app, [verb, str(job), *rest])
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith("error: ")
    assert f"{job} line {line}: " in result.stderr
    assert remedy in result.stderr
    assert "Traceback" not in result.output
    assert not (tmp_path / "run").exists()


def test_a_job_that_is_not_there(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["plan", str(tmp_path / "gone.yaml")])
    assert result.exit_code == 2
    assert "cannot be read" in result.stderr


def test_a_network_that_is_not_shipped(catalog: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(name: str) -> Path:
        raise ValueError(f"No shipped network {name!r}; there are: none.")

    monkeypatch.setattr(networks_module, "shipped", none)
    job = write_job(catalog, JOB.replace("physics", "early"))
    with pytest.raises(JobError, match=r"line 7: methods: No shipped network 'early'"):
        plan_job(job)
    assert networks_module.networks_of(load_job(write_job(catalog))) == ()


def test_joins_and_rules_are_flags_too(catalog: Path, tmp_path: Path) -> None:
    early = read_contract(shipped("early"))
    joined = early.architecture.model_copy(update={"join": "gated"})
    contract = early.model_copy(update={"strategy": "intermediate", "architecture": joined})
    (tmp_path / CONTRACT).write_text(contract.model_dump_json())
    job = str(write_job(catalog))
    result = CliRunner().invoke(app, ["plan", job, "--join", "gated", "--weights", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert "methods ndwi, radar_threshold, physics, intermediate-gated; delivers physics" in result.stdout
    result = CliRunner().invoke(app, ["plan", job, "--join", "tensor", "--weights", str(tmp_path)])
    assert result.exit_code == 2
    assert "joins its sensors by gated, not by tensor" in result.stderr
    assert "overbank train --dataset simulated --root SCENES --strategy intermediate --join tensor" in result.stderr
    result = CliRunner().invoke(app, ["map", job, "--rule", "magic", "--out", str(tmp_path / "run")])
    assert result.exit_code == 2
    assert "inverse-variance" in result.stderr, "what there is, is listed"


def test_a_demo_without_weights_is_refused_before_it_simulates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def early_alone(name: str) -> Path:
        if name != "early":
            raise ValueError(f"No shipped network {name!r}; there are: early.")
        return shipped(name)

    monkeypatch.setattr(networks_module, "shipped", early_alone)
    result = CliRunner().invoke(app, ["demo", "--out", str(tmp_path), "--size", "64", "--rule", "mean"])
    assert result.exit_code == 2
    assert "--strategy late --out DIR" in result.stderr
    assert not (tmp_path / "catalog").exists()


def test_plan_tells_units_scenes_and_bytes(catalog: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rasterio, "open", no_pixels)
    told = tmp_path / "plan.json"
    result = CliRunner().invoke(app, ["plan", str(write_job(catalog)), "--json", str(told)])
    assert result.exit_code == 0, result.output
    for text in ("t*", "2024-02-12 05:10", "delivers physics", "sentinel-2a", "64 × 64", "1 / 1", "to read at most"):
        assert text in result.stdout
    plan = json.loads(told.read_text())
    assert plan["missing"] == {}
    assert plan["bytes"] == plan["units"][0]["bytes"] > 0
    assert set(plan["units"][0]["during"]) == {"sentinel-1", "alos-2", "sentinel-2"}
    assert [scene["window"] for scene in plan["scenes"]] == ["before"] * 3 + ["during"] * 3
    assert not (catalog / "run").exists()


def test_plan_tells_what_is_missing(catalog: Path) -> None:
    job = write_job(catalog, JOB.replace("2024-01-22", "2024-01-13").replace("[2024-02-10", "[2024-02-12"))
    result = CliRunner().invoke(app, ["plan", str(job)])
    assert result.exit_code == 0, result.output
    assert "missing during the flood: alos-2, sentinel-2" in result.stdout
    assert "missing before the flood: sentinel-1, alos-2" in result.stdout


def test_compare_of_no_run(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["compare", str(tmp_path)])
    assert result.exit_code == 2
    assert "holds no finished unit" in result.stderr


def test_ingest_of_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    arguments = ["catalog", "ingest", str(tmp_path / "empty"), "--out", str(tmp_path / "catalog")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: folder ")


def test_ingest_of_a_packed_product_says_that_and_no_more(tmp_path: Path) -> None:
    (tmp_path / "S1A_IW_GRDH_1SDV_20210809T173953_20210809T174018_039156_049F13_6FF8.zip").write_bytes(b"PK")
    result = CliRunner().invoke(app, ["catalog", "ingest", str(tmp_path), "--out", str(tmp_path / "catalog")])
    assert result.exit_code == 2
    assert "Unpack it" in result.stderr
    assert "overbank.yaml" not in result.stderr


def test_a_bug_keeps_its_traceback(catalog: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(plan_module, "plan", broken)
    result = CliRunner().invoke(app, ["plan", str(write_job(catalog))])
    assert isinstance(result.exception, ZeroDivisionError)


def test_interrupt_says_how_to_go_on(catalog: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(plan_module, "plan", interrupted)
    result = CliRunner().invoke(app, ["plan", str(write_job(catalog))])
    assert result.exit_code == 130
    assert "run the same command again to go on" in result.stderr


def test_version() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert result.stdout.strip() == f"overbank {version('overbank')}"


def test_plan_needs_no_torch(catalog: Path) -> None:
    job = write_job(catalog)
    code = (
        "import sys; from typer.testing import CliRunner; from workflows.cli import app\n"
        f"assert CliRunner().invoke(app, ['plan', {str(job)!r}]).exit_code == 0\n"
        "print([name for name in ('torch', 'numba', 'distributed', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "path", sorted((Path(str(plan_module.__file__)).parent / "jobs").glob("*.yaml")), ids=lambda path: path.stem
)
def test_example_jobs_are_jobs(path: Path) -> None:
    assert load_job(path).name
