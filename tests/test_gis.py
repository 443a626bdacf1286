"""What a GIS is handed: mosaics, polygons and project equal the units' pixels, wherever the run is moved."""

from __future__ import annotations

import json
import re
import shutil
from datetime import date
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import geopandas
import numpy as np
import pyarrow.parquet
import pyogrio
import pystac
import pytest
import rasterio
from gis_runs import JOB as NAME
from gis_runs import SIDE, boxes_across_the_antimeridian, four_boxes, write_run
from numpy.typing import NDArray
from rasterio.features import rasterize
from rio_cogeo import cog_validate
from scenes import NOON, grid, science
from scipy.ndimage import label
from stac_validation import validate_item
from test_pipeline_export import PREPARED

from models.contract import SHIPPED, shipped
from pipeline.errors import JobError, RunError
from pipeline.gis.hand_over import GEOPACKAGE, GEOPARQUET, PROJECT, hand_over
from pipeline.gis.mosaic import mosaic_of
from pipeline.gis.polygons import FIELDS, SENSORS, flood_polygons
from pipeline.grid import outline_lonlat
from pipeline.ground import water_on
from pipeline.ground_sources import resolve_ground
from pipeline.job import Job
from pipeline.layers import FLOOD_CLASSES, KINDS
from pipeline.ledger import fingerprint
from pipeline.network_item import network_item
from pipeline.plan import Unit
from pipeline.run_folder import open_run
from workflows.check import check
from workflows.export import FORMATS, export

WHOLE = grid(2 * SIDE, 2 * SIDE)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four units and their hand-over, in a folder that was moved since."""
    first = tmp_path_factory.mktemp("made") / "run"
    write_run(first, four_boxes())
    hand_over(first)
    moved = tmp_path_factory.mktemp("moved here") / "the run"
    shutil.move(first, moved)
    return moved


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A copy to write into."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


@pytest.fixture(scope="module")
def across(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two zones that meet at 180°."""
    run = tmp_path_factory.mktemp("across") / "run"
    write_run(run, boxes_across_the_antimeridian())
    hand_over(run)
    return run


def whole(run: Path, layer: str) -> NDArray[Any]:
    """(band, y, x) of the four units, put together by hand."""
    parts = [unit.read(layer) for unit in open_run(run).units]
    return np.concatenate([np.concatenate(parts[:2], axis=2), np.concatenate(parts[2:], axis=2)], axis=1)


# ---- mosaics


@pytest.mark.parametrize("layer", ["flood_class", "methods/ndwi", "probability/physics", "uncertainty", "observed_by"])
def test_mosaic_is_the_units_side_by_side(finished: Path, layer: str) -> None:
    with rasterio.open(finished / "gis" / f"{layer}.vrt") as source:
        assert np.array_equal(source.read(), whole(finished, layer))
        assert source.transform == WHOLE.affine
        assert source.crs.to_epsg() == 32632
        with rasterio.open(open_run(finished).units[0].raster(layer)) as one:
            assert source.nodatavals == one.nodatavals
            assert (source.scales, source.units, source.descriptions) == (one.scales, one.units, one.descriptions)
            assert source.dtypes == one.dtypes
            assert source.tags()["TITLE"] == one.tags()["TITLE"]


def test_mosaic_keeps_colours_and_names_of_classes(finished: Path) -> None:
    with rasterio.open(finished / "gis" / "flood_class.vrt") as source:
        colours, tags = source.colormap(1), source.tags(1)
    for code, (name, _, colour) in FLOOD_CLASSES.items():
        assert tags[f"CLASS_{code}"] == name
        assert colours[code] == tuple(bytes.fromhex(colour[1:].ljust(8, "f")))


def test_unit_without_a_band_or_a_layer_is_nodata_there(finished: Path) -> None:
    last = (slice(SIDE, None), slice(SIDE, None))
    with rasterio.open(finished / "gis" / "evidence.vrt") as source:
        radar, optics = source.read()
        assert source.scales == (0.01, 0.01)
    assert (optics[last] == -32768).all()
    assert np.array_equal(radar[last], open_run(finished).units[-1].read("evidence")[0])
    with rasterio.open(finished / "gis" / "ndwi.vrt") as source:
        index = source.read(1)
    assert (index.shape, np.unique(index[last]).tolist()) == ((2 * SIDE, 2 * SIDE), [-32768])


def test_several_zones_have_a_mosaic_each(across: Path) -> None:
    for unit in open_run(across).units:
        code = unit.facts["proj:code"].rpartition(":")[2]
        with rasterio.open(across / "gis" / f"flood_class-{code}.vrt") as source:
            assert np.array_equal(source.read(), unit.read("flood_class"))
    assert not (across / "gis" / "flood_class.vrt").exists()


def test_layer_that_no_unit_holds_has_no_mosaic(finished: Path) -> None:
    assert mosaic_of(open_run(finished), "agreement", "EPSG:32632") is None


# ---- polygons


def slow_polygons(run: Path, smallest: int) -> list[tuple[int, int, float, float]]:
    """Class, pixels, mean probability and share seen by optics of each patch, by labelling the whole."""
    codes, percent, seen = (whole(run, name)[0] for name in ("flood_class", "flood_probability", "observed_by"))
    found = []
    for code in (1, 2):
        patches, count = label(codes == code)
        for number in range(1, count + 1):
            inside = patches == number
            if inside.sum() >= smallest:
                told = percent[inside].mean() / 100, (seen[inside] >> 2 & 1).mean()
                found.append((code, int(inside.sum()), *(round(float(value), 3) for value in told)))
    return sorted(found)


def test_polygons_tell_what_their_pixels_hold(finished: Path) -> None:
    found = flood_polygons(open_run(finished))
    told = [
        (row["class"], round(row["area_km2"] * 1e4), row["mean_probability"], row["optical_share"])
        for _, row in found.frame.iterrows()
    ]
    expected = slow_polygons(finished, 10)
    assert [one[:2] for one in sorted(told)] == [one[:2] for one in expected]
    assert np.allclose(sorted(told), expected, atol=0.0015)
    assert found.dropped > 0
    pixels = np.isin(whole(finished, "flood_class"), (1, 2)).sum()
    assert found.frame["area_km2"].sum() + found.dropped_km2 == pytest.approx(pixels * 1e-4)
    assert f"{found.dropped} patches under 0.001 km² left out" in found.told


def test_polygons_of_a_rule_have_no_probability(finished: Path) -> None:
    found = flood_polygons(open_run(finished), "ndwi", 0.0)
    assert found.frame["mean_probability"].isna().all()
    assert set(found.frame["class"]) == {1}
    assert (found.dropped, found.dropped_km2) == (0, 0.0)


def test_unknown_method_is_refused(finished: Path) -> None:
    with pytest.raises(RunError, match=r"no map of 'early'; it has ndwi, physics"):
        flood_polygons(open_run(finished), "early")


def test_geopackage_and_geoparquet_hold_the_same_to_the_pixel(finished: Path) -> None:
    package = geopandas.read_file(finished / "gis" / GEOPACKAGE, layer="flood")
    parquet = geopandas.read_parquet(finished / "gis" / GEOPARQUET)
    assert list(package.columns) == [*FIELDS, "geometry"] == list(parquet.columns)
    assert package.crs.to_epsg() == parquet.crs.to_epsg() == 32632
    for frame in (package, parquet):
        burnt = rasterize(
            zip(frame.geometry, frame["class"], strict=True), (2 * SIDE, 2 * SIDE), transform=WHOLE.affine
        )
        codes = whole(finished, "flood_class")[0]
        kept = np.isin(codes, (1, 2)) & (burnt > 0)
        assert np.array_equal(burnt[kept], codes[kept])
        assert (burnt > 0).sum() == kept.sum(), "no pixel beside the flood"
        assert frame["time"].iloc[0].isoformat() == "2023-05-18T12:00:00+00:00"
        assert set(", ".join(frame["sensors"]).split(", ")) <= set(SENSORS)
    geo = json.loads(pyarrow.parquet.read_schema(finished / "gis" / GEOPARQUET).metadata[b"geo"])
    assert geo["version"] == "1.0.0"


def test_geopackage_brings_its_style_along(finished: Path) -> None:
    style = pyogrio.read_dataframe(finished / "gis" / GEOPACKAGE, layer="layer_styles").iloc[0]
    assert (style["f_table_name"], style["f_geometry_column"], style["useAsDefault"]) == ("flood", "geom", True)
    ElementTree.fromstring(style["styleQML"].partition("\n")[2])
    ElementTree.fromstring(style["styleSLD"])


def test_polygons_across_the_antimeridian_stay_within_180_degrees(across: Path) -> None:
    frame = geopandas.read_file(across / "gis" / GEOPACKAGE, layer="flood")
    assert frame.crs.to_epsg() == 4326
    for outline in frame.geometry.explode():
        west, _, east, _ = outline.bounds
        assert -180 <= west <= east <= 180
        assert east - west < 1, "not around the globe"
    on_both_sides = frame.bounds
    assert (on_both_sides["maxx"] - on_both_sides["minx"] > 359).any(), "one lies on both sides, in two parts"
    codes = np.concatenate([unit.read("flood_class").ravel() for unit in open_run(across).units])
    assert frame["area_km2"].sum() < np.isin(codes, (1, 2)).sum() * 1e-4
    assert (frame["c_band_share"] == 1).all(), "each polygon is held against its own pixels"


def test_run_without_a_flood_has_no_polygon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gis_runs.blobs", lambda rows, columns, seed: np.zeros((rows, columns), np.uint8))
    write_run(tmp_path / "run", four_boxes()[:1])
    told = hand_over(tmp_path / "run").polygons
    assert told.startswith("0 polygons, 0.000 km²")
    assert geopandas.read_file(tmp_path / "run" / "gis" / GEOPACKAGE, layer="flood").empty


# ---- project


def test_project_names_files_that_are_there(finished: Path) -> None:
    text = (finished / "gis" / PROJECT).read_text(encoding="utf-8")
    assert str(finished.parent) not in text
    root = ElementTree.fromstring(text.partition("\n")[2])
    ids = [one.text for one in root.iter("id")]
    assert len(set(ids)) == len(ids)
    assert {one.get("id") for one in root.iter("layer-tree-layer")} == set(ids)
    for source in root.iter("datasource"):
        assert (finished / "gis" / str(source.text).partition("|")[0]).is_file()
    bands = sum(
        len(whole(finished, name))
        for name in open_run(finished).layers
        if name not in ("evidence", "exclusion", "ndwi")
    )
    assert len(ids) == bands + 2 + 2 + 1 + 1, "a layer a band, evidence and exclusion of two sensors, ndwi, polygons"
    assert root.findtext("title") == NAME.replace("\x07", "\ufffd")


def test_hand_over_is_made_once_and_again_when_units_change(run: Path) -> None:
    assert not hand_over(run).made
    write_run(run, four_boxes()[:1], seed=7)
    assert hand_over(run).made
    with rasterio.open(run / "gis" / "flood_class.vrt") as source:
        assert np.array_equal(source.read(), whole(run, "flood_class"))
    assert [path.name for path in run.glob(".partial*")] == []


def test_what_the_analyst_made_of_it_is_kept(tmp_path: Path) -> None:
    run = tmp_path / "run"
    write_run(run, four_boxes()[:1])
    hand_over(run)
    project = run / "gis" / PROJECT
    project.write_text("mine")
    (run / "gis" / "notes").mkdir()
    (run / "gis" / "notes" / "a.txt").write_text("read me")
    (run / "gis" / "flood_class.vrt.aux.xml").write_text("<a/>")
    for seed in (7, 8):
        write_run(run, four_boxes()[:1], seed=seed)
        kept = hand_over(run).kept
    assert set(kept) == {"flood.edited.qgs", "notes/a.txt"}
    assert (run / "gis" / "flood.edited.qgs").read_text() == "mine"
    assert project.read_text().startswith("<!DOCTYPE qgis")
    assert not (run / "gis" / "flood_class.vrt.aux.xml").exists()


# ---- export


def test_every_format_is_written_and_read(run: Path) -> None:
    found = export(run, [name for name in FORMATS if name != "mlm"], method="physics")
    frame = geopandas.read_parquet(found["geoparquet"][0])
    for name in ("gpkg", "geojson", "shapefile", "kml"):
        path = next(path for path in found[name] if path.suffix in (".gpkg", ".geojson", ".shp", ".kml"))
        other = geopandas.read_file(path, layer="flood") if name == "gpkg" else geopandas.read_file(path)
        assert len(other) == len(frame)
        assert other.to_crs(frame.crs).area.sum() == pytest.approx(frame.area.sum(), rel=1e-4)
    shape = next(path for path in found["shapefile"] if path.suffix == ".shp")
    assert "mean_prob" in geopandas.read_file(shape).columns
    assert cog_validate(found["geotiff"][0], strict=True)[0]
    with rasterio.open(found["geotiff"][0]) as source:
        assert np.array_equal(source.read(), whole(run, "methods/physics"))
        assert source.colormap(1)[1] == (33, 102, 172, 255)
        assert source.tags(1)["CLASS_1"] == "open_water_flood"
    assert found["geotiff"][0].with_suffix(".qml").is_file()
    assert (found["qgis"][0] / PROJECT).is_file()
    with rasterio.open(found["vrt"][0] / "evidence.vrt") as source:
        assert source.count == 2
    assert [path.name for path in (run / "export").glob(".partial*")] == []


def test_geojson_follows_the_right_hand_rule(across: Path, tmp_path: Path) -> None:
    (path,) = export(across, ["geojson"], out=tmp_path)["geojson"]
    for outline in geopandas.read_file(path).geometry.explode():
        assert outline.exterior.is_ccw
        assert outline.bounds[2] - outline.bounds[0] < 1
    assert "crs" not in json.loads(path.read_text())


def test_layers_of_choice_are_merged_with_scale_and_names(run: Path, tmp_path: Path) -> None:
    (path,) = export(run, ["geotiff"], layers=["evidence"], out=tmp_path)["geotiff"]
    with rasterio.open(path) as source:
        assert source.scales == (0.01, 0.01)
        assert source.descriptions == ("sentinel-1 open water : dry", "sentinel-2 open water : dry")
        assert source.nodata == KINDS["evidence"].nodata


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ({"formats": ["docx"]}, "format 'docx' is not known; known: gpkg"),
        ({"formats": ["gpkg"], "method": "early"}, "no map of 'early'"),
        ({"formats": ["geotiff"], "layers": ["age"]}, "holds no layer 'age'; it holds evidence"),
        ({"formats": ["mlm"]}, r"run.json: does not tell the job"),
    ],
)
def test_what_a_run_does_not_hold_is_said(run: Path, tmp_path: Path, wanted: dict[str, Any], told: str) -> None:
    with pytest.raises(RunError, match=re.escape(told) if "." not in told else told):
        export(run, out=tmp_path / "out", **wanted)
    assert list((tmp_path / "out").glob("*")) == []


# ---- read back


def job(water: Path | str, **more: Any) -> Job:
    return Job(name="b", area=(9.0, 45.0, 9.1, 45.1), catalog="c", during=(date(2023, 5, 1), date(2023, 5, 2)),
               reference_water=water, **more)  # fmt: skip


@pytest.mark.parametrize("place", ["", "catalog.json"])
def test_water_of_a_run_is_reference_water_of_another(finished: Path, place: str) -> None:
    ground, notes, problems = resolve_ground(job(finished / place), outline_lonlat(WHOLE).geom)
    assert problems == ()
    assert any("water from 1 on), 4 rasters" in note for note in notes)
    water = whole(finished, "water_extent")[0]
    assert np.array_equal(water_on(ground.water, WHOLE), np.where(water == 255, np.nan, water), equal_nan=True)


def test_catalog_without_water_over_the_area_is_refused(finished: Path, tmp_path: Path) -> None:
    with pytest.raises(JobError, match=r"^reference_water: .*has no tile over the area"):
        resolve_ground(job(finished), outline_lonlat(grid(32, 32, column=50_000)).geom)
    with pytest.raises(JobError, match=r"^reference_water: .*catalog.json is not there; give a raster, a catalog or"):
        resolve_ground(job(tmp_path), outline_lonlat(WHOLE).geom)


def test_units_are_mapped_anew_when_the_run_that_they_read_changes(run: Path) -> None:
    def of() -> str:
        unit = Unit("u", WHOLE, NOON, (), ())
        ground = resolve_ground(job(run), outline_lonlat(WHOLE).geom)[0]
        return fingerprint(unit, job(run), science(), PREPARED, "w", ground)

    first = of()
    assert of() == first
    write_run(run, four_boxes()[:1], seed=9)
    assert of() != first


def test_doctor_has_nothing_against_a_run(finished: Path) -> None:
    assert check(finished / "catalog.json") == ()


def test_run_is_a_catalog_that_pystac_walks_wherever_it_lies(finished: Path, shared: Path) -> None:
    catalog = pystac.Catalog.from_file(finished / "catalog.json")
    items = list(catalog.get_items(recursive=True))
    assert len(items) == 4
    for thing in (catalog, *catalog.get_children(), *items):
        told = json.loads(
            Path(str(thing.get_self_href())).read_text(encoding="utf-8")
        )  # as it is, not as pystac mends it
        assert validate_item(told, shared / "data" / "stac" / "schemas") == []
    for item in items:
        styles = [asset for asset in item.assets.values() if asset.roles == ["style"]]
        assert len(styles) == 2 * len([asset for asset in item.assets.values() if asset.roles != ["style"]])
        assert all(Path(str(asset.get_absolute_href())).is_file() for asset in item.assets.values())


# ---- networks


@pytest.mark.parametrize("name", ["early", "intermediate", "late/c_band", "late/l_band", "late/optical"])
def test_shipped_networks_are_items_of_the_mlm_extension(name: str, shared: Path) -> None:
    item = network_item(SHIPPED / name, name.replace("/", "-"))
    item.collection_id = None
    told = item.to_dict(include_self_link=False)
    assert validate_item(told, shared / "data" / "stac" / "schemas") == []
    card = (SHIPPED / name / "card.md").read_text()
    assert f", {told['properties']['mlm:total_parameters']} parameters)" in card
    contract = json.loads((SHIPPED / name / "contract.json").read_text())
    inputs = {one["name"]: one for one in told["properties"]["mlm:input"]}
    assert set(inputs) == {*contract["modalities"], "presence", "physics"}
    for modality, channels in contract["modalities"].items():
        assert [one["mean"] for one in inputs[modality]["value_scaling"]] == [one["mean"] for one in channels]
        x = np.full((1, len(channels), 2, 2), 1e9)
        clipped = eval(inputs[modality]["pre_processing_function"]["expression"], {"numpy": np, "x": x})
        assert clipped[0, :, 0, 0].tolist() == [one["clip"][1] for one in channels]


def test_networks_of_a_run_become_a_catalog_with_their_weights(run: Path, tmp_path: Path, shared: Path) -> None:
    told = job("jrc-gsw", methods=("physics", "early", "late")).model_dump(mode="json")
    (run / "run.json").write_text(json.dumps({"job": told}))
    (path,) = export(run, ["mlm"], out=tmp_path / "out")["mlm"]
    moved = Path(shutil.move(path.parent, tmp_path / "elsewhere"))
    catalog = pystac.Catalog.from_file(moved / "catalog.json")
    items = {item.id: item for item in catalog.get_items(recursive=True)}
    assert set(items) == {"early", "late-c_band", "late-l_band", "late-optical"}
    for item in items.values():
        told = json.loads(Path(str(item.get_self_href())).read_text(encoding="utf-8"))
        assert validate_item(told, shared / "data" / "stac" / "schemas") == []
    weights = Path(str(items["early"].assets["weights"].get_absolute_href()))
    assert weights.read_bytes() == (shipped("early") / "weights.safetensors").read_bytes()


def test_rules_alone_have_no_network(run: Path, tmp_path: Path) -> None:
    (run / "run.json").write_text(json.dumps({"job": job("jrc-gsw", methods=("ndwi",)).model_dump(mode="json")}))
    with pytest.raises(RunError, match="no network took part in it"):
        export(run, ["mlm"], out=tmp_path / "out")
