"""The report of any run: what it takes from a comparison, what it never lets in, and the pictures it is made of."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import re
from collections import Counter
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
from PIL import Image
from shapely.geometry import box
from typer.testing import CliRunner

from harmonization.reasons import Reason
from pipeline.layers import FLOOD_CLASSES
from pipeline.run_folder import open_run
from tests.drawn_run import box_at, drawn_run
from workflows.cli import app
from workflows.compare import compare
from workflows.report import report, write_report
from workflows.report.mosaic import blindness_of, canvas_of, paint, paint_reference
from workflows.report.pictures import SHADES, class_picture, ramp_picture
from workflows.report.provenance import _spans
from workflows.report.reliability import reliability

BOXES = (box_at(500_000, 5_300_000, 48, 64), box_at(500_640, 5_300_000, 48, 32))
HOSTILE = "</style></script><script>alert(1)</script><img src=x onerror=alert(2)>\" ' & javascript:"
TAGS = (
    "html head meta title style body header main footer h1 h2 h3 p strong ul li div span section label select option "
    "input img figure figcaption table caption thead tbody tr th td svg rect path polyline circle g text noscript "
    "script"
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drawn_run(tmp_path_factory.mktemp("drawn") / "run", BOXES)


@pytest.fixture(scope="module")
def compared(run: Path) -> dict[str, Any]:
    """What a comparison gives, with all that it may give beside."""
    found = compare(run, run / "units/unit_+0/methods/physics.tif")
    bins = [{"predicted": 0.1, "observed": 0.2, "pixels": 500}, {"predicted": 0.9, "observed": 0.8, "pixels": 400}]
    found["methods"]["physics"] |= {"area_interval_km2": [0.11, 0.99], "kappa": 0.5, "overall_accuracy": 0.75}
    found["methods"]["physics"]["calibration"] = {"ece": 0.123, "bins": [*bins, bins[0] | {"pixels": 3}]}
    found["by"] = {"landcover": {"crop_land": {"physics": {"flood_iou": 0.625}}}}
    one = {"rank": 1, "area_km2": 0.5, "methods": ["ndwi", "physics"], "only_in": "physics", "reason": "cloud_shadow"}
    found["disagreements"] = [one | {"other_says": "dry", "reason_share": 0.5, "latitude": 1.0, "longitude": 2.0}]
    return found


class Page(HTMLParser):
    """Tags with their attributes, in order; the text of each element that holds text alone."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.held: dict[str, list[str]] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.held.setdefault(self.tags[-1][0] if self.tags else "", []).append(data)


def sound(text: str) -> Page:
    """A page that runs its own style and script alone, known by their hash, and asks nobody for anything."""
    page = Page(text)
    assert {tag for tag, _ in page.tags} <= set(TAGS.split())
    names = [name for _, attributes in page.tags for name in attributes]
    assert not [name for name in names if name.startswith("on") or name in ("style", "href", "srcset", "action")]
    assert all(a["src"].startswith("data:image/png;base64,") for _, a in page.tags if a.get("src"))  # type: ignore[union-attr]
    policy = next(a["content"] for tag, a in page.tags if tag == "meta" and "http-equiv" in a)
    assert policy is not None
    assert "default-src 'none'" in policy
    for tag in ("style", "script"):
        (held,) = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(held.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    return page


def test_a_page_holds_what_a_comparison_gives(run: Path, compared: dict[str, Any], tmp_path: Path) -> None:
    text = write_report(tmp_path / "a.html", compared, run).read_text()
    sound(text)
    for told in ("0.11 to 0.99", "kappa", "0.750", "calibration error 0.123", "By landcover: flood IoU", "crop land"):
        assert told in text
    assert "(95 % interval 0.11 to 0.99 km²)" in text
    assert "cloud shadow (50%)" in text
    assert text.count("<circle") == 2, "a point of three pixels is not drawn"


def test_what_is_absent_is_left_out(run: Path, tmp_path: Path) -> None:
    text = write_report(tmp_path / "a.html", compare(run), run).read_text()
    sound(text)
    for heading in ("Reliability", "interval", "disagree", "Where each method errs", "Against", "By landcover"):
        assert heading not in text.replace("page.css", "")


def test_headings_come_in_order_and_pictures_speak(run: Path, compared: dict[str, Any], tmp_path: Path) -> None:
    page = sound(write_report(tmp_path / "a.html", compared, run).read_text())
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later <= level + 1 for level, later in pairwise(levels))
    assert next(a for tag, a in page.tags if tag == "html")["lang"] == "en"
    assert all(a.get("alt") for tag, a in page.tags if tag == "img" and a.get("src"))
    labels = {a["for"] for tag, a in page.tags if tag == "label" and "for" in a}
    assert {a["id"] for tag, a in page.tags if tag == "input"} <= labels


def test_no_name_of_the_data_set_becomes_markup(compared: dict[str, Any], tmp_path: Path) -> None:
    """Names of the job, scenes, sensors, satellites, methods, reasons, strata and files."""
    scene = {"id": HOSTILE, "sensor": HOSTILE, "platform": HOSTILE, "time": HOSTILE}
    sensors = {HOSTILE: {"observed_share": 0.5, "cloud_test": HOSTILE}}
    told = {"scenes": {HOSTILE: [scene]}, "sensors": sensors, "science": HOSTILE, "dry_state": HOSTILE + "mixture"}
    run = drawn_run(tmp_path / "run", BOXES[:1], name=HOSTILE, drainage=[HOSTILE], **told)
    (run / "run.json").write_text(json.dumps({"job": {"name": HOSTILE}, "missing": {HOSTILE: [HOSTILE]}}))
    found = json.loads(json.dumps(compared)) | {"reference": HOSTILE, "legend": HOSTILE}
    found["methods"][HOSTILE] = found["methods"]["physics"]
    found["by"] = {HOSTILE: {HOSTILE: {HOSTILE: {"flood_iou": 0.5}}}}
    found["agreement"] = {f"{HOSTILE} / physics": next(iter(found["agreement"].values()))}
    found["disagreements"][0] |= {"methods": [HOSTILE], "only_in": HOSTILE, "other_says": HOSTILE, "reason": HOSTILE}
    found["seconds"] = {HOSTILE: 1.0}
    text = write_report(tmp_path / "a.html", found, run).read_text()
    page = sound(text)
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert text.count("&lt;/style&gt;") > 15


def test_a_fresh_comparison_is_read_and_an_old_one_is_not(run: Path, compared: dict[str, Any], tmp_path: Path) -> None:
    path = run / "compare.json"
    path.write_text(json.dumps(compared))
    try:
        assert report(run) == run / "report.html"
        assert "0.11 to 0.99" in (run / "report.html").read_text()
        os.utime(path, (0, 0))
        assert "0.11 to 0.99" not in report(run, out=tmp_path / "old.html").read_text()
        path.write_text("{")
        assert "0.11 to 0.99" not in report(run, out=tmp_path / "broken.html").read_text()
    finally:
        path.unlink()
        (run / "report.html").unlink()


def test_the_command_takes_a_reference_and_names_what_is_wrong(run: Path, tmp_path: Path) -> None:
    reference = run / "units/unit_+0/methods/physics.tif"
    out = tmp_path / "deep" / "page.html"
    result = CliRunner().invoke(app, ["report", str(run), "--reference", str(reference), "--out", str(out)])
    assert result.exit_code == 0, result.output
    text = out.read_text()
    assert "Against physics.tif" in text
    assert "Where each method errs" in text
    gone = CliRunner().invoke(app, ["report", str(tmp_path / "gone")])
    assert gone.exit_code == 2
    assert "holds no finished unit" in gone.stderr


def test_polygons_are_a_reference_too(run: Path, tmp_path: Path) -> None:
    unit = open_run(run).units[0]
    left, bottom, right, top = unit.box.extent.boundingbox
    drawn = geopandas.GeoDataFrame(geometry=[box(left, bottom, right - 320, top)], crs=unit.facts["proj:code"])
    drawn.to_file(tmp_path / "flood.gpkg")
    page = report(run, tmp_path / "flood.gpkg", tmp_path / "page.html").read_text()
    assert "Where each method errs" in page
    values = paint_reference(canvas_of(run), tmp_path / "flood.gpkg")
    assert np.array_equal(values[:, :32], np.ones((48, 32)))
    assert np.all(values[:, 32:] == 255), "beyond its outline nobody looked"


# ---- pictures


def picture_of(png: str) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(png))).convert("RGBA"))


def test_a_class_picture_has_the_colours_of_its_classes(run: Path) -> None:
    values = paint(canvas_of(run), "methods/physics")
    assert values is not None
    assert values.shape[1:] == (48, 96)
    shown = picture_of(class_picture("a", "b", values[0], FLOOD_CLASSES).png)
    for code, (_, _, colour) in FLOOD_CLASSES.items():
        wanted = bytes.fromhex(colour.removeprefix("#"))
        wanted = wanted if len(wanted) == 4 else (*wanted, 255)
        assert (shown[values[0] == code] == tuple(wanted)).all()


def test_a_ramp_is_even_and_clear_where_nothing_was_seen() -> None:
    values = np.array([[-5.0, 0.0, 50.0, 100.0, 400.0, np.nan]])
    shown = picture_of(ramp_picture("a", "b", values, "gray", 0, 100).png)
    assert shown[0, 0].tolist() == shown[0, 1].tolist() == [0, 0, 0, 255]
    assert abs(int(shown[0, 2, 0]) - 127) <= 255 / SHADES
    assert shown[0, 3].tolist() == shown[0, 4].tolist() == [255, 255, 255, 255]
    assert shown[0, 5, 3] == 0


def test_reasons_are_counted_as_a_slow_reader_does(run: Path) -> None:
    found = blindness_of(run)
    inside, nowhere, slow = 0, 0, {sensor: Counter[Reason]() for sensor in ("sentinel-1", "sentinel-2")}
    for unit in open_run(run).units:
        classes, flags = unit.read("flood_class")[0], unit.read("exclusion")
        inside += int((classes != 255).sum())
        nowhere += int((classes == 4).sum())
        for sensor, band in zip(slow, flags, strict=True):
            for reason in Reason:
                slow[sensor][reason] += int(((band & reason.value) != 0)[classes != 255].sum())
    assert (found.inside, found.nowhere) == (inside, nowhere)
    assert {sensor: +counts for sensor, counts in found.reasons.items()} == {s: +counts for s, counts in slow.items()}


def test_a_point_of_the_curve_lies_where_it_says() -> None:
    bins = [{"predicted": 0.25, "observed": 0.5, "pixels": 99}]
    drawn = reliability({"physics": {"calibration": {"ece": 0.1, "bins": bins}}})
    ((x, y),) = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', drawn)
    assert (float(x), float(y)) == (44 + 75, 44 + 150)
    assert "25% said, 50% found" in drawn
    assert reliability({"ndwi": {}}) == ""


def test_seeds_are_told_in_spans() -> None:
    assert _spans([3, 1, 2, 7]) == "1 to 3, 7"
    assert _spans([]) == "–"
