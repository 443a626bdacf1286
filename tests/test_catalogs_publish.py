"""Rasters → items → a catalog on disk → acquisitions."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pystac
import pytest
import rasterio
import shapely
from stac_validation import validate_item

from catalogs.errors import CatalogError, ProductError, SearchError
from catalogs.publish import SceneFile, scene_item, write_catalog
from catalogs.search import Found, search

START = datetime(2024, 5, 1, 10, tzinfo=UTC)
END = datetime(2024, 5, 1, 10, 0, 20, tzinfo=UTC)
SAR = {
    "platform": "sentinel-1a",
    "sar:instrument_mode": "IW",
    "sar:frequency_band": "C",
    "sar:polarizations": ["VV", "VH"],
    "sar:product_type": "GRD",
    "sar:observation_direction": "right",
    "sat:orbit_state": "ascending",
    "sat:relative_orbit": 88,
    "overbank:noise_db": {"VV": -24.1, "VH": -25.3},
}


def north_up(left: float, top: float, width: float, height: float) -> rasterio.Affine:
    """The transform of a raster (rasterio 1.4's own from_origin trips over a deprecation of affine 3)."""
    return rasterio.Affine(width, 0, left, 0, -height, top)


def write_raster(path: Path, **profile: Any) -> Path:
    """A small raster in UTM 31N, 8 × 6 pixels of 10 m unless said otherwise."""
    defaults: dict[str, Any] = {
        "driver": "GTiff", "width": 8, "height": 6, "count": 1, "dtype": "float32", "crs": "EPSG:32631",
        "transform": north_up(500000, 5000000, 10, 10),
    }  # fmt: skip
    settings = defaults | profile
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(path, "w", **settings) as target:
        target.write(np.ones((settings["count"], settings["height"], settings["width"]), settings["dtype"]))
    return path


def radar_item(folder: Path, name: str = "S1A_scene", **options: Any) -> pystac.Item:
    files = {key: SceneFile(path=write_raster(folder / name / f"{key}.tif", nodata=np.nan)) for key in ("vv", "vh")}
    settings: dict[str, Any] = {"start": START, "end": END, "properties": SAR} | options
    return scene_item(name, "sentinel-1-rtc", files, **settings)


def optical_item(folder: Path, baseline: str = "05.11") -> pystac.Item:
    green = write_raster(folder / "s2/B03.tif", dtype="uint16")
    coarse = write_raster(folder / "s2/SCL.tif", dtype="uint8", width=4, height=3,
                          transform=north_up(500000, 5000000, 20, 20))  # fmt: skip
    files = {
        "B03": SceneFile(path=green, nodata=0, common_names=("green",), roles=("data", "reflectance")),
        "SCL": SceneFile(path=coarse, nodata=0, roles=("data-mask",)),
    }
    properties = {"platform": "sentinel-2b", "s2:processing_baseline": baseline, "eo:cloud_cover": 12.5}
    return scene_item("S2B_scene", "sentinel-2-l2a", files, start=START, properties=properties)


def everything(root: Path, **options: Any) -> Found:
    window: dict[str, Any] = {"area": (-180.0, -90.0, 180.0, 90.0), "start": datetime(2000, 1, 1),
                              "end": datetime(2100, 1, 1)}  # fmt: skip
    return search(root, **(window | options))


def test_items_catalogs_and_collections_validate(tmp_path: Path, shared: Path) -> None:
    write_catalog(tmp_path, [radar_item(tmp_path), optical_item(tmp_path)], "Test")
    paths = sorted(tmp_path.rglob("*.json"))
    assert len(paths) == 5
    for path in paths:
        assert validate_item(json.loads(path.read_text()), shared / "data/stac/schemas") == []


def test_the_validator_finds_the_really_invalid_items(shared: Path) -> None:
    paths = sorted((shared / "data/stac/items/earth-search/sentinel-2-l2a").glob("*.json"))
    problems = [validate_item(json.loads(path.read_text()), shared / "data/stac/schemas") for path in paths]
    assert len(problems) == 6
    assert all("s2:sequence" in found[0] for found in problems)


def test_scene_item_reads_grid_and_type_from_the_files(tmp_path: Path) -> None:
    item = optical_item(tmp_path)
    assert item.properties["proj:code"] == "EPSG:32631"
    green, mask = item.assets["B03"].extra_fields, item.assets["SCL"].extra_fields
    assert (green["proj:shape"], mask["proj:shape"]) == ([6, 8], [3, 4])
    assert green["proj:transform"] == [10.0, 0.0, 500000.0, 0.0, -10.0, 5000000.0]
    assert green["raster:bands"] == [{"data_type": "uint16", "nodata": 0.0}]
    assert green["file:size"] == (tmp_path / "s2/B03.tif").stat().st_size
    west, south, east, north = item.bbox
    assert (west, north) == pytest.approx((3.0, 45.1529), abs=1e-3)
    assert shapely.geometry.shape(item.geometry).is_valid
    assert 0 < east - west < 0.002
    assert 0 < north - south < 0.002


def test_a_wide_footprint_follows_the_curve_of_its_edges(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", transform=north_up(200000, 8000000, 80000, 50000))
    item = scene_item("a", "sentinel-1-rtc", {"vv": SceneFile(path=path)}, start=START)
    edge = rasterio.warp.transform("EPSG:32631", "EPSG:4326", [200000 + 320000], [8000000 - 1])
    assert shapely.geometry.shape(item.geometry).contains(shapely.Point(edge[0][0], edge[1][0]))


def test_search_gives_back_what_was_published(tmp_path: Path) -> None:
    write_catalog(tmp_path, [optical_item(tmp_path), radar_item(tmp_path)], "Test")
    found = everything(tmp_path)
    assert found.problems == ()
    radar, optical = found.acquisitions
    assert (radar.id, optical.id) == ("S1A_scene", "S2B_scene")
    assert radar.layers["VV"][0].href == str(tmp_path / "S1A_scene/vv.tif")
    assert (radar.start, radar.end, radar.relative_orbit) == (START, END, 88)
    assert (radar.noise_db, radar.noise_source) == ({"VV": -24.1, "VH": -25.3}, "product")
    assert optical.layers["green"][0].offset == -0.1
    assert optical.bytes == sum((tmp_path / "s2" / name).stat().st_size for name in ("B03.tif", "SCL.tif"))


def test_a_catalog_can_be_moved_with_its_scenes(tmp_path: Path) -> None:
    write_catalog(tmp_path / "a", [radar_item(tmp_path / "a")], "Test")
    (tmp_path / "a").rename(tmp_path / "b")
    (found,) = everything(tmp_path / "b").acquisitions
    assert found.layers["VV"][0].href == str(tmp_path / "b/S1A_scene/vv.tif")


def test_search_by_area_dates_and_sensor(tmp_path: Path) -> None:
    write_catalog(tmp_path, [radar_item(tmp_path), optical_item(tmp_path)], "Test")
    here = shapely.geometry.shape(radar_item(tmp_path).geometry).centroid
    assert len(everything(tmp_path, area=here).acquisitions) == 2
    assert everything(tmp_path, area=(4.0, 45.0, 5.0, 46.0)).acquisitions == ()
    assert [a.id for a in everything(tmp_path, sensors=["sentinel-2"]).acquisitions] == ["S2B_scene"]
    assert everything(tmp_path, start=datetime(2024, 5, 2)).acquisitions == ()
    assert len(everything(tmp_path, start=END, end=END).acquisitions) == 1  # the radar pass lasts until then


def test_a_mosaic_before_the_window_counts(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "HH.tif", dtype="uint16")
    item = scene_item(
        "tile", "alos-palsar-mosaic", {"HH": SceneFile(path=path)},
        start=datetime(2020, 1, 1), end=datetime(2020, 12, 31),
    )  # fmt: skip
    write_catalog(tmp_path, [item], "Test")
    assert everything(tmp_path, start=datetime(2024, 1, 1)).acquisitions[0].reference_only
    assert everything(tmp_path, start=datetime(2018, 1, 1), end=datetime(2019, 1, 1)).acquisitions == ()


def test_publishing_again_replaces_and_adds(tmp_path: Path) -> None:
    write_catalog(tmp_path, [radar_item(tmp_path)], "Test")
    first = {path: path.read_bytes() for path in tmp_path.rglob("*.json")}
    write_catalog(tmp_path, [radar_item(tmp_path)], "Test")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.json")} == first
    write_catalog(tmp_path, [radar_item(tmp_path, "S1A_later", start=END, end=None), optical_item(tmp_path)], "Test")
    catalog = pystac.Catalog.from_file(str(tmp_path / "catalog.json"))
    assert sorted(item.id for item in catalog.get_items(recursive=True)) == [
        "S1A_later",
        "S1A_scene",
        "S2B_scene",
    ]
    assert sorted(child.id for child in catalog.get_children()) == ["sentinel-1-rtc", "sentinel-2-l2a"]


def test_broken_items_are_named_and_the_rest_is_found(tmp_path: Path) -> None:
    names = ["good", "broken", "foreign", "unread", "moved"]
    write_catalog(tmp_path, [radar_item(tmp_path, name) for name in names], "Test")
    folder = tmp_path / "sentinel-1-rtc"
    (folder / "broken/broken.json").write_text("{")
    (folder / "foreign/foreign.json").write_text('{"type": "Feature"}')
    (folder / "unread/unread.json").unlink()
    (tmp_path / "moved/vh.tif").unlink()
    found = everything(tmp_path)
    assert [a.id for a in found.acquisitions] == ["good"]
    assert len(found.problems) == 4
    for name, problem in zip(names[1:], found.problems, strict=True):
        assert name in problem


def test_links_of_another_scheme_are_not_followed(tmp_path: Path) -> None:
    path = write_catalog(tmp_path, [radar_item(tmp_path)], "Test")
    data = json.loads(path.read_text())
    data["links"] += [
        {"rel": "item", "href": "s3://bucket/item.json"},
        {"rel": "child", "href": "./catalog.json"},
    ]
    path.write_text(json.dumps(data))
    found = everything(path)
    assert len(found.acquisitions) == 1
    assert "s3://bucket/item.json" in found.problems[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no catalog.json, no item and no product"),
        ("{", "JSONDecodeError"),
        ("[]", "a JSON list"),
        ('{"type": "Thing"}', "'Thing'"),
    ],
)
def test_what_is_not_a_catalog(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "catalog.json").write_text(content)
    with pytest.raises(SearchError, match=message):
        everything(tmp_path)


def test_what_cannot_be_published(tmp_path: Path) -> None:
    swath = write_raster(tmp_path / "swath.tif", crs=None, transform=north_up(0, 0, 2, 2))
    other = write_raster(tmp_path / "other.tif", crs="EPSG:32632")
    (tmp_path / "text.tif").write_text("no raster")
    files = {name: SceneFile(path=path) for name, path in (("a", write_raster(tmp_path / "a.tif")), ("b", other))}
    with pytest.raises(ProductError, match="2 coordinate reference systems"):
        scene_item("a", "sentinel-1-rtc", files, start=START)
    with pytest.raises(ProductError, match="no coordinate reference system"):
        scene_item("a", "sentinel-1-rtc", {"vv": SceneFile(path=swath)}, start=START)
    with pytest.raises(ProductError, match=r"text\.tif"):
        scene_item("a", "sentinel-1-rtc", {"vv": SceneFile(path=tmp_path / "text.tif")}, start=START)
    with pytest.raises(ProductError, match=r"\.\./a"):
        scene_item("../a", "sentinel-1-rtc", {"vv": SceneFile(path=other)}, start=START)
    item = radar_item(tmp_path)
    item.collection_id = "../x"
    with pytest.raises(CatalogError, match="plain id"):
        write_catalog(tmp_path, [item], "Test")
    (tmp_path / "catalog.json").write_text('{"type": "FeatureCollection"}')
    with pytest.raises(CatalogError, match="Choose another folder"):
        write_catalog(tmp_path, [radar_item(tmp_path)], "Test")
