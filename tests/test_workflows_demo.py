"""A small demo end to end: simulate, map, compare, report; and going on after an interrupt."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pipeline.errors import RunError
from workflows.account import Account, SensorAccount, account_of, caveats
from workflows.cli import app
from workflows.demo import demo
from workflows.map import map_flood
from workflows.report import write_report
from workflows.tables import pairs_shown, ratio_text, size_text

ASKED = ("ndwi", "radar_threshold", "physics", "early")
SIZE, SEED = 128, 2
HOSTILE = "<script>alert('name')</script> & \"more\""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    demo(folder, SIZE, SEED, methods=ASKED, device="cpu")
    return folder


def test_the_folder_holds_what_is_promised(made: Path) -> None:
    for name in ("catalog/catalog.json", "catalog/truth.tif", "run/catalog.json", "summary.json", "report.html"):
        assert (made / name).is_file()
    assert not list(made.glob(".partial*"))


def test_the_summary_has_the_agreed_names(made: Path) -> None:
    summary = json.loads((made / "summary.json").read_text())
    assert set(summary["methods"]) == set(ASKED)
    for scores in summary["methods"].values():
        assert {"flood_iou", "f1", "precision", "recall", "area_km2", "true_area_km2"} <= set(scores)
        assert scores["flood_iou"] is None or 0 <= scores["flood_iou"] <= 1
    assert {"simulate", "plan", "prepare", "decode", "evidence", "compare", "total"} <= set(summary["seconds"])
    assert summary["peak_rss_mb"] > 50
    assert (summary["size"], summary["seed"]) == (SIZE, SEED)


def test_compare_writes_the_same_names(made: Path, tmp_path: Path) -> None:
    told = tmp_path / "scores.json"
    arguments = ["compare", str(made / "run"), "--reference", str(made / "catalog/truth.tif"), "--json", str(told)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    for text in ("physics", "IoU", "precision", "ndwi / physics", "same class"):
        assert text in result.stdout
    found, summary = (json.loads(path.read_text())["methods"] for path in (told, made / "summary.json"))
    low, high = found["physics"].pop("area_interval_km2")
    assert low < found["physics"]["area_km2"] < high
    assert found == summary


def test_compare_without_and_with_a_missing_reference(made: Path) -> None:
    plain = CliRunner().invoke(app, ["compare", str(made / "run")])
    assert plain.exit_code == 0
    assert "Area of flood by method" in plain.stdout
    gone = CliRunner().invoke(app, ["compare", str(made / "run"), "--reference", str(made / "gone.tif")])
    assert gone.exit_code == 2
    assert "gone.tif: is not there" in gone.stderr


def test_again_means_nothing_is_done_twice(made: Path) -> None:
    rasters = {path: path.stat().st_mtime_ns for path in made.rglob("*.tif")}
    before = json.loads((made / "summary.json").read_text())["methods"]
    lines: list[str] = []
    again = demo(made, SIZE, SEED, methods=ASKED, device="cpu", say=lines.append)
    assert again["methods"] == before
    assert again["units_done_before"] > 0
    assert {path: path.stat().st_mtime_ns for path in made.rglob("*.tif")} == rasters
    assert any("done already" in line for line in lines)


def test_another_size_or_seed_is_refused(made: Path) -> None:
    job = (made / "job.yaml").read_text()
    for size, seed in ((SIZE + 16, SEED), (SIZE, SEED + 1)):
        result = CliRunner().invoke(app, ["demo", "--out", str(made), "--size", str(size), "--seed", str(seed)])
        assert result.exit_code == 2
        assert f"holds a demo of size {SIZE} and seed {SEED}" in result.stderr
        assert (made / "job.yaml").read_text() == job


def test_a_catalog_of_someone_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "catalog").mkdir()
    with pytest.raises(RunError, match="no demo's catalog"):
        demo(tmp_path, SIZE, SEED)
    assert not list((tmp_path / "catalog").iterdir())


def test_map_prints_area_time_and_shares(made: Path) -> None:
    result = CliRunner().invoke(app, ["map", str(made / "job.yaml"), "--out", str(made / "run"), "--device", "cpu"])
    assert result.exit_code == 0, result.output
    for text in ("Area of flood by method", "seconds by stage", "peak memory", "observed: sentinel-1"):
        assert text in result.stdout
    assert re.search(r"\d s  prepare: found", result.stderr)


def test_units_of_another_area_are_refused(made: Path, tmp_path: Path) -> None:
    text = (made / "job.yaml").read_text().replace("tile: 512", "tile: 64")
    job = made / "other.yaml"
    job.write_text(text)
    with pytest.raises(RunError, match="units of another area or tiling"):
        map_flood(job, made / "run", device="cpu")


class Page(HTMLParser):
    """Tags, and what the pictures say to those who do not see them."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.alts: list[str] = []
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "img":
            found = dict(attrs)
            self.alts.append(found.get("alt") or "")
            self.sources.append(found.get("src") or "")


def read_page(path: Path) -> Page:
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def test_the_report_stands_alone(made: Path) -> None:
    text = (made / "report.html").read_text(encoding="utf-8")
    page = read_page(made / "report.html")
    assert not {"link", "iframe", "object", "form"} & set(page.tags)
    assert page.tags.count("script") == page.tags.count("style") == 1
    assert "http:" not in text
    assert "https:" not in text
    assert len(page.alts) >= 2 * len(ASKED) + 5
    shown = [source for source in page.sources if source]
    assert len(page.sources) == len(shown) + 2  # the two pictures that the swipe fills
    assert all(alt for alt, source in zip(page.alts, page.sources, strict=True) if source)
    assert all(source.startswith("data:image/png;base64,") for source in shown)
    for word in ("Truth", "NDWI", "Agreement", "sentinel-1a", "not observable", "2026-11", "Peak memory", str(SEED)):
        assert word in text


def test_a_name_cannot_inject(made: Path, tmp_path: Path) -> None:
    job = made / "hostile.yaml"
    text = (made / "job.yaml").read_text()
    job.write_text(re.sub(r"^name: .*$", f"name: {json.dumps(HOSTILE)}", text, flags=re.MULTILINE))
    run = map_flood(job, tmp_path / "run", device="cpu").run
    summary = json.loads((made / "summary.json").read_text()) | {"reference": HOSTILE}
    write_report(tmp_path / "report.html", summary, run, made / "catalog/truth.tif")
    assert read_page(tmp_path / "report.html").tags.count("script") == 1
    assert "&lt;script&gt;alert(" in (tmp_path / "report.html").read_text()
    assert account_of(run).name == HOSTILE


def test_a_run_without_truth_or_optics(made: Path, tmp_path: Path) -> None:
    text = (made / "job.yaml").read_text().replace(", sentinel-2]", "]")
    text = re.sub(r"^before: .*\n", "", text, flags=re.MULTILINE)
    job = made / "radar.yaml"
    job.write_text(re.sub(r"^methods: .*$", "methods: [radar_threshold, physics]", text, flags=re.MULTILINE))
    result = CliRunner().invoke(app, ["map", str(job), "--out", str(tmp_path / "run")])
    assert result.exit_code == 0, result.output
    assert "water, not flood: no reference" in result.stdout
    compared: dict[str, Any] = {"seconds": {}, "agreement": {}, "legend": "water", "reference": None}
    compared["methods"] = {"physics": {"area_km2": 1.0, "observed_share": 1.0}}
    write_report(tmp_path / "report.html", compared, tmp_path / "run")
    text = (tmp_path / "report.html").read_text()
    assert "No reference was given" in text
    assert "Where each method errs" not in text


def test_caveats_name_stand_ins_and_flags() -> None:
    radar = SensorAccount(
        pixels=100, observed=50, flagged={"unknown_angle_share": 50, "smooth_dry_share": 5, "outside_model_share": 15}
    )
    optical = SensorAccount(pixels=100, observed=10, cloud_tests={"brightness"})
    sensors = {"sentinel-1": radar, "sentinel-2": optical}
    account = Account("x", "water", "physics", "s", "0", "t", 1, (0, 0, 1, 1), sensors, [], 1.0, {})
    account.missing = {"during": ["alos-2"]}
    told = "\n".join(caveats(account))
    for text in (
        "water, not flood",
        "alos-2: no scene during",
        "stand-in: brightness",
        "100.0%",
        "10.0%",
        "30.0% of what",
    ):
        assert text in told


def test_numbers_for_people() -> None:
    assert [size_text(count) for count in (None, 12, 4_500, 3_200_000_000_000)] == [
        "unknown",
        "12 B",
        "4.5 kB",
        "3.2 TB",
    ]
    assert ratio_text(None) == "–"


def test_of_many_maps_only_the_pairs_with_the_delivered_one_are_shown() -> None:
    names = [f"late-{number}" for number in range(7)]
    pairs = {f"{first} / {second}": {} for first, second in combinations(names, 2)}
    shown = pairs_shown({"agreement": pairs, "delivered": "late-3"})
    assert set(shown) == {pair for pair in pairs if "late-3" in pair.split(" / ")}
    assert pairs_shown({"agreement": pairs, "delivered": "gone"}) == pairs
    few = dict(list(pairs.items())[:15])
    assert pairs_shown({"agreement": few, "delivered": "late-3"}) == few
