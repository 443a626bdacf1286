"""Review: what is drawn and how likely, what verdicts teach, what an edited file may hold, what a version changes."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import geopandas
import numpy as np
import pyogrio
import pystac
import pytest
import rasterio
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.enums import MergeAlg
from rasterio.features import rasterize
from scipy.ndimage import gaussian_filter
from scipy.special import expit
from shapely.affinity import translate
from shapely.geometry import mapping
from stac_validation import validate_item
from typer.testing import CliRunner

from catalogs.publish import EXTENSIONS, write_json
from pipeline.compare import compare_run
from pipeline.errors import ReviewError, RunError
from pipeline.export import publish_run
from pipeline.grid import outline_lonlat
from pipeline.layers import KINDS, layer, to_file_units
from pipeline.review.candidates import LEAST_PIXELS, candidates_of
from pipeline.review.contested import FLOOD_ALONE, SURE_DRY, commonest
from pipeline.review.learn import learned, share_by_verdicts
from pipeline.review.refit import Judged, Witness, refit, unchanged
from pipeline.review.selection import FLOOR, inclusion, scores_of, selected, systematic
from pipeline.review.style import VERDICTS
from pipeline.review.version import replace_layers
from pipeline.run_folder import UnitFolder, open_run
from workflows.cli import app
from workflows.review import review_apply, review_export

SIDE = 128
"""Pixels a side of a handmade run of two units."""
WITNESS = Witness(0.95, 0.95)


@dataclass(frozen=True)
class Made:
    """A handmade run and its truth."""

    run: Path
    truth: NDArray[np.uint8]
    box: GeoBox
    reference: Path


def make_unit(folder: Path, box: GeoBox, nats: dict[str, NDArray[np.float64]], evidence: NDArray[np.float64]) -> None:
    """A unit whose methods say these log-odds of flood; the first is delivered."""
    outline = outline_lonlat(box).geom
    item = pystac.Item(
        folder.name,
        mapping(outline),
        list(outline.bounds),
        datetime(2024, 2, 12, tzinfo=UTC),
        {
            "proj:code": str(box.crs),
            "proj:shape": list(box.shape.yx),
            "proj:transform": list(box.affine)[:6],
            "overbank:legend": "flood",
            "overbank:delivered": next(iter(nats)),
            "overbank:fingerprint": sha256(folder.name.encode()).hexdigest(),
            "overbank:job": "handmade",
        },
        collection="overbank-units",
        stac_extensions=[EXTENSIONS[name] for name in ("projection", "raster", "classification", "file")],
    ).to_dict(include_self_link=False)
    item["links"] = [{"rel": "collection", "href": "../../collection.json", "type": "application/json"}]
    percent = {name: np.round(100 * expit(values)) for name, values in nats.items()}
    delivered = percent[item["properties"]["overbank:delivered"]]
    reference = np.zeros(box.shape.yx)
    reference[:6, :6] = 1  # a pond in each unit
    layers = {
        "flood_class": layer("flood_class", np.where(reference == 1, 3, delivered > 50)),
        "flood_probability": layer("flood_probability", np.where(reference == 1, 0, delivered)),
        "reference_water": layer("reference_water", reference),
        "water_extent": layer("water_extent", (reference == 1) | (delivered > 50)),
        "evidence": layer(
            "evidence",
            np.stack([to_file_units(evidence.astype(np.float32), KINDS["evidence"], evidence > -50)] * 2),
            ("sentinel-1 open water : dry", "sentinel-1 flooded vegetation : dry"),
        ),
    }
    for name, values in percent.items():
        layers[f"methods/{name}"] = layer(name, np.where(reference == 1, 3, values > 50), (name,), KINDS["flood_class"])
        layers[f"probability/{name}"] = layer(
            name, np.where(reference == 1, 0, values), (name,), KINDS["flood_probability"]
        )
    folder.mkdir(parents=True)
    item["assets"] = {}
    replace_layers(folder, item, layers, UnitFolder(folder, item))
    write_json(folder / f"{folder.name}.json", item)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Two units side by side; the network that is delivered calls two nats too little, physics is fair but noisy."""
    run = tmp_path_factory.mktemp("review") / "run"
    generator = np.random.default_rng(4)

    def smooth(width: float) -> NDArray[np.float64]:
        field = gaussian_filter(generator.normal(size=(SIDE, SIDE)), width, mode="wrap")
        return field / field.std()

    ground = smooth(8) - 0.6
    truth = (ground > 0).astype(np.uint8)
    nats = {
        "early": 3.0 * (ground + 0.3 * smooth(3)) - 2.5,
        "physics": 2.0 * (ground + 0.5 * smooth(3)),
    }
    evidence = 2.0 * ground + smooth(2)
    box = GeoBox((SIDE, SIDE), Affine(10, 0, 500_000, 0, -10, 5_000_000), "EPSG:32633")
    half = SIDE // 2
    for number, part in enumerate((np.s_[:, :half], np.s_[:, half:])):
        make_unit(run / "units" / f"u{number}", box[part], {k: v[part] for k, v in nats.items()}, evidence[part])
    items = {unit.id: unit.item for unit in open_run(run).units}
    publish_run(run, items, "handmade")
    for unit in open_run(run).units:  # the ponds are permanent water
        west = round((unit.box.affine.c - 500_000) / 10)
        truth[:6, west : west + 6] = 3
    reference = run.parent / "truth.tif"
    profile = {"driver": "GTiff", "height": SIDE, "width": SIDE, "count": 1, "dtype": "uint8"}
    with rasterio.open(reference, "w", crs="EPSG:32633", transform=box.affine, **profile) as file:
        file.write(truth, 1)
    return Made(run, truth, box, reference)


@pytest.fixture(scope="session")
def candidates(made: Made) -> geopandas.GeoDataFrame:
    return candidates_of(open_run(made.run))


@pytest.fixture(scope="session")
def exported(made: Made) -> Path:
    told = review_export(made.run, budget=30, at_random=6, seed=1)
    assert told["polygons"] == 30
    return Path(told["file"])


def by_truth(made: Made, table: geopandas.GeoDataFrame) -> geopandas.GeoDataFrame:
    words = ["dry", "flood", "vegetation", "permanent water"]
    for row, outline in enumerate(table.geometry.to_crs("EPSG:32633")):
        inside = rasterize([outline], out_shape=made.truth.shape, transform=made.box.affine, fill=0) == 1
        table.loc[row, "verdict"] = words[np.bincount(made.truth[inside], minlength=4).argmax()]
    return table


def saved(table: geopandas.GeoDataFrame, path: Path) -> Path:
    path.unlink(missing_ok=True)
    pyogrio.write_dataframe(table, path, layer="review", driver="GPKG")
    return path


@pytest.fixture(scope="session")
def edited(made: Made, exported: Path) -> Path:
    table = by_truth(made, pyogrio.read_dataframe(exported, layer="review"))
    return saved(table, exported.parents[2] / "edited.gpkg")


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and "review" not in path.parts[-3:])
    return {str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest() for path in files}


# ---- who is asked


@given(st.lists(st.floats(0.01, 100.0), min_size=1, max_size=40), st.integers(0, 40))
def test_probabilities_are_in_proportion_and_sum_to_the_count(sizes: list[float], count: int) -> None:
    size = np.array(sizes)
    chance = inclusion(size, count)
    assert chance.sum() == pytest.approx(min(count, len(size)))
    assert (chance <= 1).all()
    open_ = chance < 1 - 1e-9
    if open_.any() and count:
        ratio = chance[open_] / size[open_]
        assert ratio == pytest.approx(np.full(ratio.shape, ratio[0]))
        assert (size[~open_] >= size[open_].max() - 1e-9).all()


@given(st.lists(st.floats(0.01, 10.0), min_size=5, max_size=30), st.integers(1, 5))
def test_a_draw_has_its_size_and_each_is_drawn_as_often_as_it_should(sizes: list[float], count: int) -> None:
    chance = inclusion(np.array(sizes), count)
    starts = (np.arange(100) + 0.5) / 100
    drawn = [systematic(chance, start) for start in starts]
    assert {len(rows) for rows in drawn} == {count}
    often = np.bincount(np.concatenate(drawn), minlength=len(sizes)) / len(starts)
    assert often == pytest.approx(chance, abs=0.02)


def test_what_the_drawn_stand_for_is_the_whole(candidates: geopandas.GeoDataFrame) -> None:
    """Horvitz & Thompson: area over probability, summed over a draw, is the area of all on average."""
    drawn = [selected(candidates, 20, 8, seed) for seed in range(60)]
    for stratum, here in (("chosen", candidates["contested"]), ("random", ~candidates["contested"])):
        parts = [one[one["stratum"] == stratum] for one in drawn]
        sums = [float((part["area_km2"] / part["probability"]).sum()) for part in parts]
        assert np.mean(sums) == pytest.approx(candidates.loc[here, "area_km2"].sum(), rel=0.06)
    assert {len(one) for one in drawn} == {20}
    assert all((one["stratum"] == "random").sum() == 8 for one in drawn)


def test_candidates_are_apart_and_cover_what_was_observed(made: Made, candidates: geopandas.GeoDataFrame) -> None:
    count = rasterize(
        candidates.geometry, out_shape=made.truth.shape, transform=made.box.affine, fill=0, merge_alg=MergeAlg.add
    )
    assert count.max() == 1
    assert (count == 1).mean() > 0.95
    assert candidates["pixels"].min() >= LEAST_PIXELS
    assert candidates["pixels"].sum() == count.sum()
    assert np.asarray(candidates["area_km2"]) == pytest.approx(candidates["pixels"] * 1e-4)


def test_the_chosen_are_worth_more_than_the_rest(candidates: geopandas.GeoDataFrame) -> None:
    drawn = selected(candidates, 20, 4, 0)
    contested = candidates[candidates["contested"]]
    chosen = drawn[drawn["stratum"] == "chosen"]
    assert chosen["score"].mean() > 1.5 * scores_of(contested).mean()
    assert chosen["score"].is_monotonic_decreasing
    least = chosen["probability"].min()
    assert least > 0.5 * FLOOR * len(chosen) / len(contested)


def test_a_small_run_gives_what_it_has(candidates: geopandas.GeoDataFrame) -> None:
    drawn = selected(candidates.head(7), 50, 10, 0)
    assert len(drawn) == 7
    assert (drawn["probability"] == 1).all()


def test_the_commonest_pattern_by_a_slow_count() -> None:
    pattern = np.random.default_rng(0).integers(0, FLOOD_ALONE + 1, (24, 24)).astype(np.uint8)
    found = commonest(pattern, 5)
    for row, column in ((5, 7), (12, 12), (20, 3)):
        near = pattern[row - 2 : row + 3, column - 2 : column + 3]
        counts = np.bincount(near[near >= SURE_DRY], minlength=FLOOD_ALONE + 1)
        assert found[row, column] == counts.argmax()


# ---- what they teach


def sampled(polygons: int, pixels: int, bias: float, seed: int = 0) -> Judged:
    """Polygons whose truth has log-odds `present + bias`, and a second expert that knows nothing."""
    generator = np.random.default_rng(seed)
    level = generator.normal(0, 2, polygons)
    flood = generator.random(polygons) < expit(level + bias)
    flood ^= generator.random(polygons) < 1.0 - WITNESS.sensitivity  # a person errs as often as is believed
    present = np.repeat(level, pixels)
    moves = generator.normal(size=(1, present.size))
    return Judged(present, moves, np.repeat(np.arange(polygons), pixels), flood, np.ones(polygons))


def test_a_bias_is_found_and_more_verdicts_find_more_of_it() -> None:
    few, many = (refit(sampled(count, 4, 2.0), WITNESS) for count in (8, 400))
    level = many.log_odds(np.zeros(1), np.zeros((1, 1)))[0]
    assert 1.5 < level < 2.6
    assert 0.0 < few.log_odds(np.zeros(1), np.zeros((1, 1)))[0] < level
    assert few.variance(np.ones(1), np.ones((1, 1)))[0] > many.variance(np.ones(1), np.ones((1, 1)))[0]
    assert abs(many.weights[0]) < 0.15


def test_a_polygon_counts_once_however_many_pixels_it_has() -> None:
    small, large = sampled(30, 1, 1.0), sampled(30, 1, 1.0)
    wide = Judged(
        np.repeat(large.present, 50), np.repeat(large.moves, 50, axis=1), np.repeat(large.owner, 50), large.flood,
        large.stands_for,
    )  # fmt: skip
    one, other = refit(small, WITNESS), refit(wide, WITNESS)
    assert other.shift == pytest.approx(one.shift, abs=1e-4)
    assert other.weights == pytest.approx(one.weights, abs=1e-4)


def test_the_calibration_is_of_the_map_not_of_who_was_asked() -> None:
    """Contested ground is wetter than it looks, sure ground is not: half are asked of it, little of the map is it."""
    generator = np.random.default_rng(1)
    contested, sure = 40, 40
    flood = np.concatenate([generator.random(contested) < 0.9, generator.random(sure) < 0.02])
    present = np.concatenate([np.zeros(contested), np.full(sure, -3.0)])
    weights = np.concatenate([np.ones(contested), np.full(sure, 60.0)])
    judged = Judged(present, np.zeros((0, len(present))), np.arange(len(present)), flood, weights)
    alike = Judged(present, judged.moves, judged.owner, flood, np.ones(len(present)))
    share = float((weights * flood).sum() / weights.sum())

    def told(found: Any) -> float:
        return float((weights * expit(found.log_odds(present, judged.moves))).sum() / weights.sum())

    assert abs(told(refit(judged, WITNESS)) - share) < abs(told(refit(alike, WITNESS)) - share)


def test_without_a_verdict_nothing_moves() -> None:
    present, moves = np.linspace(-5, 5, 11), np.ones((3, 11))
    assert unchanged(3).log_odds(present, moves) == pytest.approx(present)
    nobody = sampled(6, 2, 1.0).of(np.zeros(6, dtype=np.bool_))
    found, told = learned(nobody, WITNESS)
    assert found.log_odds(present, moves[:1]) == pytest.approx(present)
    assert told == {"scores_left_out": None, "refitted": False}
    assert share_by_verdicts(nobody) is None


# ---- what goes out


def test_the_file_opens_with_its_style_and_a_list_of_verdicts(exported: Path) -> None:
    with sqlite3.connect(exported) as database:
        ((name, style, default),) = database.execute("SELECT f_table_name, styleQML, useAsDefault FROM layer_styles")
        (kind,) = database.execute("SELECT data_type FROM gpkg_contents WHERE table_name = 'layer_styles'").fetchone()
    database.close()
    assert (name, default, kind) == ("review", 1, "attributes")
    assert style == exported.with_suffix(".qml").read_text(encoding="utf-8")
    root = ElementTree.fromstring(style.partition("\n")[2])
    choices = root.findall(".//field[@name='verdict']/editWidget[@type='ValueMap']//Option[@type='QString']")
    assert [one.get("value") for one in choices] == ["", *VERDICTS]
    locked = {one.get("name"): one.get("editable") for one in root.findall("editable/field")}
    assert {name for name, editable in locked.items() if editable == "1"} == {"verdict", "note"}
    table = pyogrio.read_dataframe(exported, layer="review")
    assert table["verdict"].isna().all()
    assert set(table.columns) == {*locked, "geometry"}
    assert table["probability"].between(0, 1, inclusive="right").all()


def test_verdicts_are_never_written_over(made: Made, edited: Path, tmp_path: Path) -> None:
    target = tmp_path / "kept.gpkg"
    target.write_bytes(edited.read_bytes())
    with pytest.raises(ReviewError, match="holds 30 verdicts"):
        review_export(made.run, out=target)
    assert target.read_bytes() == edited.read_bytes()


def test_the_same_export_twice_is_the_same(made: Made, exported: Path, tmp_path: Path) -> None:
    again = review_export(made.run, budget=30, at_random=6, seed=1, out=tmp_path / "again.gpkg")
    assert again["export"] == json.loads(next((made.run / "review/exports").glob("*.json")).read_text())["export"]
    first, second = (pyogrio.read_dataframe(path, layer="review") for path in (exported, tmp_path / "again.gpkg"))
    assert first.equals(second)


# ---- what comes back


@pytest.fixture(scope="session")
def applied(made: Made, edited: Path) -> tuple[dict[str, Any], dict[str, str]]:
    before = digests(made.run)
    return review_apply(made.run, edited, "Ada"), before


def test_verdicts_mend_a_biased_map(made: Made, applied: tuple[dict[str, Any], dict[str, str]]) -> None:
    told, _ = applied
    assert told["refitted"]
    before, after = (compare_run(Path(path), made.reference)["methods"] for path in (made.run, told["path"]))
    assert after["review"]["flood_iou"] > before["early"]["flood_iou"] + 0.1
    assert after["early"] == before["early"]
    assert told["scores_left_out"]["map"]["after"]["flood_iou"] > told["scores_left_out"]["map"]["before"]["flood_iou"]


def test_the_run_itself_is_not_touched(made: Made, applied: tuple[dict[str, Any], dict[str, str]]) -> None:
    assert digests(made.run) == applied[1]


def test_the_trail_names_every_file_by_what_it_holds(
    made: Made, edited: Path, applied: tuple[dict[str, Any], dict[str, str]]
) -> None:
    told, _ = applied
    version = Path(told["path"])
    assert version.name == "run-v2"
    audit = json.loads((version / "review/audit.json").read_text(encoding="utf-8"))
    assert audit["reviewer"] == "Ada"
    assert audit["edited"]["sha256"] == sha256(edited.read_bytes()).hexdigest()
    assert (version / "review/edited.gpkg").read_bytes() == edited.read_bytes()
    table = pyogrio.read_dataframe(edited)
    assert {name: one["verdict"] for name, one in audit["verdicts"].items()} == dict(
        zip(table["id"], table["verdict"], strict=True)
    )
    for unit in open_run(version).units:
        old = made.run / "units" / unit.id
        for name, trail in audit["layers"][unit.id].items():
            where = f"{unit.id}.json" if name == "item" else name if Path(name).suffix else f"{name}.tif"
            assert trail["after"] == sha256((unit.path / where).read_bytes()).hexdigest()
            if "before" in trail:
                assert trail["before"] == sha256((old / where).read_bytes()).hexdigest()
        changed = {name for name, trail in audit["layers"][unit.id].items() if trail.get("before") != trail["after"]}
        assert "methods/early" not in changed
        assert {"methods/review", "probability/review", "flood_class", "item"} <= changed


def test_a_version_is_a_catalog_like_any_run(applied: tuple[dict[str, Any], dict[str, str]], shared: Path) -> None:
    version = Path(applied[0]["path"])
    catalog = pystac.Catalog.from_file(str(version / "catalog.json"))
    items = list(catalog.get_items(recursive=True))
    assert len(items) == 2
    for unit in open_run(version).units:
        assert validate_item(unit.item, shared / "data/stac/schemas") == []
        assert unit.delivered == "review"
        assert np.array_equal(unit.read("flood_class"), unit.read("methods/review"))
        (before,) = [link["href"] for link in unit.item["links"] if link["rel"] == "predecessor-version"]
        assert (unit.path / before).resolve().is_file()


def test_the_same_file_again_finds_the_same_version(
    made: Made, edited: Path, applied: tuple[dict[str, Any], dict[str, str]], tmp_path: Path
) -> None:
    version = Path(applied[0]["path"])
    before = digests(version)
    again = review_apply(made.run, edited, "Ada")
    assert again["done_before"]
    assert again["path"] == str(version)
    elsewhere = review_apply(made.run, edited, "Ada", out=tmp_path / "elsewhere")
    rasters = {name: digest for name, digest in digests(Path(elsewhere["path"])).items() if name.endswith(".tif")}
    assert rasters == {name: digest for name, digest in before.items() if name.endswith(".tif")}
    assert digests(version) == before


def test_reference_water_follows_the_verdict(made: Made, exported: Path, tmp_path: Path) -> None:
    """Called permanent water, a polygon is no flood and enters the mask; the pixels around it stay."""
    table = pyogrio.read_dataframe(exported, layer="review")
    table.loc[0, "verdict"] = "permanent water"
    told = review_apply(made.run, saved(table, tmp_path / "one.gpkg"), out=tmp_path / "v")
    assert told["usable"] == 1
    assert told["scores_left_out"] is None
    outline = table.geometry.iloc[0]
    for unit in open_run(tmp_path / "v").units:
        inside = rasterize([outline], out_shape=unit.box.shape.yx, transform=unit.box.affine, fill=0) == 1
        assert (unit.read("reference_water")[0][inside] == 1).all()
        assert (unit.read("flood_class")[0][inside] == 3).all()
        assert (unit.read("flood_probability")[0][inside] == 0).all()


def test_a_version_is_reviewed_again(
    made: Made, applied: tuple[dict[str, Any], dict[str, str]], exported: Path, tmp_path: Path
) -> None:
    """The trail goes on, a pond called dry is lifted from the mask."""
    version = Path(applied[0]["path"])
    review_export(version, budget=400, at_random=200, out=tmp_path / "again.gpkg")
    table = pyogrio.read_dataframe(tmp_path / "again.gpkg", layer="review")
    pond = table.index[table["map_says"] == "reference water"][0]
    table.loc[pond, "verdict"] = "dry"
    told = review_apply(version, saved(table, tmp_path / "pond.gpkg"), out=tmp_path / "v")
    assert told["audit_before"] == sha256((version / "review/audit.json").read_bytes()).hexdigest()
    for before, after in zip(open_run(version).units, open_run(tmp_path / "v").units, strict=True):
        shape, affine = before.box.shape.yx, before.box.affine
        inside = rasterize([table.geometry[pond]], out_shape=shape, transform=affine, fill=0) == 1
        lifted = inside & (before.read("reference_water")[0] == 1)
        assert (after.read("flood_class")[0][lifted] == 0).all()
    with pytest.raises(ReviewError, match="knows no review"):
        review_apply(version, exported)


def test_a_file_without_verdicts_changes_nothing(made: Made, exported: Path, tmp_path: Path) -> None:
    """Empty is "not judged", never "dry"; "unsure" says nothing."""
    table = pyogrio.read_dataframe(exported, layer="review")
    table.loc[:2, "verdict"] = ["unsure", " ", ""]
    told = review_apply(made.run, saved(table, tmp_path / "empty.gpkg"), out=tmp_path / "v")
    assert told["version"] is None
    assert (told["usable"], len(told["unsure"]), len(told["not_judged"])) == (0, 1, 29)
    assert not (tmp_path / "v").exists()


def test_missing_polygons_and_another_crs_are_told(made: Made, edited: Path, tmp_path: Path) -> None:
    table = pyogrio.read_dataframe(edited).to_crs("EPSG:4326").iloc[4:]
    told = review_apply(made.run, saved(table, tmp_path / "moved.gpkg"), out=tmp_path / "v")
    assert len(told["missing"]) == 4
    assert "EPSG:4326" in told["notes"][0]
    assert "4 of 30" in told["notes"][1]


Change = Callable[[geopandas.GeoDataFrame], geopandas.GeoDataFrame]


def _set(column: str, value: object) -> Change:
    def change(table: geopandas.GeoDataFrame) -> geopandas.GeoDataFrame:
        table.loc[3, column] = value
        return table

    return change


def _move(table: geopandas.GeoDataFrame) -> geopandas.GeoDataFrame:
    return table.set_geometry([translate(one, 10.0 * (row == 3)) for row, one in enumerate(table.geometry)])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("verdict", "wet-ish"), "unknown verdicts .*wet-ish.*known are flood, dry"),
        (_set("id", "strange"), "not exported .strange."),
        (_set("export", "another"), "polygons of 2 exports"),
        (lambda table: table.assign(export="000000000000"), "knows no review '000000000000'"),
        (lambda table: table.assign(export="../../../x"), "knows no review"),
        (lambda table: geopandas.pd.concat([table, table.iloc[:1]]), "more than once"),
        (lambda table: table.drop(columns="verdict"), "lacks the fields verdict"),
        (lambda table: table.iloc[:0], "holds no polygon"),
        (_move, "outlines of .* were changed"),
        (_set("geometry", None), "outlines of .* were changed"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(
    made: Made, edited: Path, tmp_path: Path, change: Change, message: str
) -> None:
    broken = saved(change(pyogrio.read_dataframe(edited)), tmp_path / "broken.gpkg")
    with pytest.raises(ReviewError, match=message):
        review_apply(made.run, broken, out=tmp_path / "v")
    assert not (tmp_path / "v").exists()


def test_files_that_are_no_review_are_refused(made: Made, edited: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.gpkg"
    text.write_text("no database")
    half = tmp_path / "half.gpkg"
    half.write_bytes(edited.read_bytes()[:3000])
    open_ = tmp_path / "open.gpkg"
    open_.write_bytes(edited.read_bytes())
    (tmp_path / "open.gpkg-wal").write_bytes(b"edits")
    for path, message in ((text, "is no GeoPackage"), (half, "cannot be read"), (open_, "open in another program")):
        with pytest.raises(ReviewError, match=message):
            review_apply(made.run, path)
    with pytest.raises(ReviewError, match="no such file"):
        review_apply(made.run, tmp_path / "absent.gpkg")


def test_a_version_replaces_nothing(made: Made, edited: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="there already"):
        review_apply(made.run, edited, "Bo", out=tmp_path)
    with pytest.raises(ReviewError, match="is the run itself"):
        review_apply(made.run, edited, out=made.run)


def test_from_the_command_line(made: Made, edited: Path, tmp_path: Path) -> None:
    told = CliRunner().invoke(
        app, ["review", "export", str(made.run), "--budget", "8", "--random", "2", "--out", str(tmp_path / "r.gpkg")]
    )
    assert told.exit_code == 0, told.output
    assert "8 of" in told.output
    told = CliRunner().invoke(app, ["review", "apply", str(made.run), str(edited), "--out", str(tmp_path / "v")])
    assert told.exit_code == 0, told.output
    assert "on verdicts left out, of the whole map: IoU" in told.output
    told = CliRunner().invoke(app, ["review", "apply", str(made.run), str(tmp_path / "r.gpkg")])
    assert "nothing was changed" in told.output
    told = CliRunner().invoke(app, ["review", "export", str(made.run), "--budget", "3", "--random", "4"])
    assert told.exit_code == 2
    assert "--random 4 of --budget 3" in told.output


# ---- in QGIS


@pytest.mark.integration
def test_qgis_shows_the_list_and_saves_verdicts_that_apply(made: Made, exported: Path, tmp_path: Path) -> None:
    python = os.environ.get("QGIS_PYTHON", "/usr/bin/python3")
    if subprocess.run([python, "-c", "import qgis.core"], capture_output=True, check=False).returncode:
        pytest.skip(f"QGIS is not there for {python} (apt: python3-qgis)")
    edited = tmp_path / "review.gpkg"
    edited.write_bytes(exported.read_bytes())
    environment = os.environ | {"QT_QPA_PLATFORM": "offscreen", "XDG_RUNTIME_DIR": str(tmp_path)}
    environment.pop("PYTHONPATH", None)
    probe = [python, str(Path(__file__).with_name("qgis_verdicts.py")), str(edited)]
    done = subprocess.run(probe, capture_output=True, check=True, env=environment, text=True, timeout=120)
    found = json.loads(done.stdout)
    assert found["categories"] == [*VERDICTS, ""]
    assert (found["widget"], found["choices"]) == ("ValueMap", ["", *VERDICTS])
    assert set(found["open"]) - {"fid"} == {"verdict", "note"}
    assert found["saved"]
    told = review_apply(made.run, edited, out=tmp_path / "v")
    assert (told["usable"], len(told["not_judged"])) == (2, 28)
    assert sorted(one["verdict"] for one in told["verdicts"].values()) == ["dry", "flood"]
