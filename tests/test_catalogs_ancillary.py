"""Elevation, surface water and land cover: real items of public catalogs, tiles on disk, and the search for them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pystac
import pytest
import rasterio
from shapely.geometry import shape
from stac_validation import validate_item
from test_catalogs_generic import describe
from test_catalogs_publish import everything, north_up, radar_item, write_raster

from catalogs.ancillary import search_ancillary, to_ancillary
from catalogs.collection import COLLECTIONS, ancillary_collections, collection_for, known_collections
from catalogs.errors import CatalogError, DescriptionError, ItemError, ProductError, UnknownCollectionError
from catalogs.products import ingest
from catalogs.publish import write_catalog
from harmonization.classes import INDICES

EVERYWHERE = (-180.0, -90.0, 180.0, 90.0)
PLANETARY = "https://planetarycomputer.microsoft.com/api/stac/v1"

# folder of items, theme, end of the file's address, nodata
REAL = [
    ("planetary-computer/cop-dem-glo-30", "elevation", "_DEM.tif", ()),
    ("planetary-computer/cop-dem-glo-90", "elevation", "_DEM.tif", ()),
    ("planetary-computer/jrc-gsw", "surface-water", "seasonality_90W_80Nv1_3_2020cog.tif", (255.0,)),
    ("planetary-computer/esa-worldcover", "land-cover", "S60W030_Map.tif", (0.0,)),
]


@pytest.mark.parametrize(("folder", "theme", "end", "nodata"), REAL)
def test_real_items_become_right_records(
    shared: Path, folder: str, theme: str, end: str, nodata: tuple[float, ...]
) -> None:
    paths = sorted((shared / "data/stac/items" / folder).glob("*.json"))
    assert paths
    for path in paths:
        item = pystac.Item.from_dict(json.loads(path.read_text()), migrate=False)
        tile = to_ancillary(item, catalog_root=PLANETARY)
        assert (tile.id, tile.collection, tile.theme) == (path.stem, path.parent.name, theme)
        assert tile.raster.href.endswith(end)
        assert (tile.raster.nodata, tile.raster.band, tile.raster.scale) == (nodata, 1, 1.0)
        whole = shape(tile.footprint)
        assert whole.area == pytest.approx(shape(item.geometry).area, rel=1e-6)
        assert -180 <= whole.bounds[0] <= whole.bounds[2] <= 180, "tiles at the antimeridian are cut there"
        assert tile.at_least == (10.0 if theme == "surface-water" else None)
        assert bool(tile.legend) is (theme == "land-cover")


def test_real_items_of_earth_search_name_the_bucket(shared: Path) -> None:
    paths = sorted((shared / "data/stac/items/earth-search/cop-dem-glo-30").glob("*.json"))
    assert len(paths) == 10
    for path in paths:
        text = path.read_text()
        item = pystac.Item.from_dict(json.loads(text), migrate=False)
        tile = to_ancillary(item, catalog_root="https://earth-search.aws.element84.com/v1")
        assert (tile.collection, tile.theme, tile.raster.nodata) == ("cop-dem-glo-30", "elevation", ())
        assert tile.raster.href.endswith(f"/{path.stem}.tif")
        assert not tile.raster.access.requester_pays
        assert tile.version, "the items say when they were updated"


def test_legends_name_what_the_priors_know() -> None:
    covers = {cover for record in ancillary_collections("land-cover").values() for cover in record.legend.values()}
    assert covers - set(INDICES) == {"wetland", "snow_ice"}
    assert {"bare", "grass_crops", "forest", "urban", "open_water"} <= covers


def test_real_worldcover_legend_covers_every_class_of_the_item(shared: Path) -> None:
    (path,) = (shared / "data/stac/items/planetary-computer/esa-worldcover").glob("*.json")
    item = pystac.Item.from_dict(json.loads(path.read_text()), migrate=False)
    classes = {entry["value"] for entry in item.assets["map"].extra_fields["classification:classes"]}
    assert set(to_ancillary(item, catalog_root=PLANETARY).legend) == classes


def test_ancillary_collection_is_no_sensors_and_a_sensors_is_no_ancillary(tmp_path: Path) -> None:
    with pytest.raises(UnknownCollectionError, match="a collection of ancillary data"):
        collection_for("jrc-gsw", {})
    with pytest.raises(UnknownCollectionError, match="one of cop-dem-glo-30"):
        to_ancillary(radar_item(tmp_path))


def test_item_without_the_asset_is_named(shared: Path) -> None:
    (path,) = (shared / "data/stac/items/planetary-computer/jrc-gsw").glob("*.json")
    item = pystac.Item.from_dict(json.loads(path.read_text()), migrate=False)
    del item.assets["seasonality"]
    with pytest.raises(ItemError, match=r"found assets change, extent.*expected one of seasonality"):
        to_ancillary(item, catalog_root=PLANETARY)


# ---- on disk


def test_real_tiles_on_disk(tmp_path: Path, shared: Path) -> None:
    for name in ("dem", "jrc-gsw"):
        ingest(shared / "data" / name, tmp_path)
    found = search_ancillary(tmp_path, area=EVERYWHERE, wanted="elevation")
    (dem,) = found.tiles
    assert (dem.id, dem.raster.nodata, found.problems) == ("Copernicus_DSM_COG_10_N00_00_E006_00_DEM", (), ())
    (water,) = search_ancillary(tmp_path, area=EVERYWHERE, wanted="jrc-gsw").tiles
    assert water.raster.href.endswith("/seasonality-0000360000-0000480000.tif")
    with rasterio.open(water.raster.href) as source:
        months = source.read(1)
    assert water.at_least is not None
    share = (months >= water.at_least).mean()
    assert share == pytest.approx((12897 + 35) / 128**2, abs=1e-6), "months from 10 on, in the real window"
    assert everything(tmp_path).acquisitions == ()
    assert everything(tmp_path).problems == (), "ancillary items are no broken scenes"
    for path in tmp_path.rglob("*.json"):
        assert validate_item(json.loads(path.read_text()), shared / "data/stac/schemas") == [], path


@pytest.mark.parametrize(
    ("name", "collection", "asset"),
    [
        ("Copernicus_DSM_COG_10_N44_00_E011_00_DEM.tif", "cop-dem-glo-30", "data"),
        ("Copernicus_DSM_10_S04_00_W065_00_DEM.tif", "cop-dem-glo-30", "data"),
        ("Copernicus_DSM_COG_30_N44_00_E011_00_DEM.tif", "cop-dem-glo-90", "data"),
        ("seasonality_10E_50Nv1_4_2021.tif", "jrc-gsw", "seasonality"),
        ("seasonality_90W_80Nv1_3_2020cog.tif", "jrc-gsw", "seasonality"),
        ("ESA_WorldCover_10m_2021_v200_N42E009_Map.tif", "esa-worldcover", "map"),
        ("33T_20200101-20210101.tif", "io-lulc", "data"),
    ],
)
def test_tiles_are_known_by_their_names(tmp_path: Path, shared: Path, name: str, collection: str, asset: str) -> None:
    write_raster(tmp_path / "in" / name, crs="EPSG:4326", transform=north_up(11, 45, 0.1, 0.1))
    (identifier,) = ingest(tmp_path / "in", tmp_path / "out").items
    path = tmp_path / "out" / collection / identifier / f"{identifier}.json"
    item = json.loads(path.read_text())
    assert item["assets"][asset]["href"] == str(tmp_path / "in" / name)
    assert validate_item(item, shared / "data/stac/schemas") == []
    theme = ancillary_collections()[collection].theme
    (tile,) = search_ancillary(tmp_path / "out", area=(11.1, 44.9, 11.2, 45.0), wanted=theme).tiles
    assert tile.id == identifier
    assert search_ancillary(tmp_path / "out", area=(20.0, 44.0, 21.0, 45.0), wanted=theme).tiles == ()


def test_jrc_without_seasonality_says_so(tmp_path: Path) -> None:
    write_raster(tmp_path / "occurrence_10E_50Nv1_4_2021.tif", crs="EPSG:4326")
    with pytest.raises(ProductError, match="expected the layer seasonality"):
        ingest(tmp_path, tmp_path / "out")


GROUND = """products:
  - files: "dem*.tif"
    theme: elevation
    date: 2012-01-01
    band: 2
    scale: 0.1
    nodata: [-9999]
  - files: "water*.tif"
    theme: surface-water
    date: 2020-01-01
    at_least: 6
  - files: "cover*.tif"
    theme: land-cover
    date: 2020-01-01
    legend: {1: forest, 2: urban}
"""


def test_any_geotiff_can_be_described_as_ground(tmp_path: Path, shared: Path) -> None:
    for name in ("dem_a", "dem_b", "water", "cover"):
        write_raster(tmp_path / f"in/{name}.tif", count=2)
    describe(tmp_path / "in", GROUND)
    done = ingest(tmp_path / "in", tmp_path / "out")
    assert (done.items, done.skipped) == (("in-dem_a", "in-dem_b", "in-water", "in-cover"), ())
    tiles = {theme: search_ancillary(tmp_path / "out", area=EVERYWHERE, wanted=theme).tiles
             for theme in ("elevation", "surface-water", "land-cover")}  # fmt: skip
    assert [tile.id for tile in tiles["elevation"]] == ["in-dem_a", "in-dem_b"]
    dem, (water,), (cover,) = tiles["elevation"][0], tiles["surface-water"], tiles["land-cover"]
    assert (dem.collection, dem.raster.band, dem.raster.scale) == ("overbank-elevation", 2, 0.1)
    assert dem.raster.nodata == (-9999.0,)
    assert (water.at_least, water.raster.nodata) == (6.0, (255.0,)), "255 never is water"
    assert cover.legend == {1: "forest", 2: "urban"}
    assert everything(tmp_path / "out").problems == ()
    for path in (tmp_path / "out").rglob("*.json"):
        assert validate_item(json.loads(path.read_text()), shared / "data/stac/schemas") == []


@pytest.mark.parametrize(
    ("old", "new", "line", "told"),
    [
        (
            "theme: elevation",
            "theme: height",
            3,
            "'land-cover' or 'height-above-drainage'",
        ),
        ("band: 2", "band: 3", 5, "band 3 of"),
        ("scale: 0.1", "at_least: 1", 2, "at_least does not belong to the theme elevation"),
        ("    legend: {1: forest, 2: urban}\n", "", 12, "land cover needs a legend"),
        ("urban}", "castle}", 15, "'forest', 'urban'"),
        ("    date: 2012-01-01\n", "", 2, "'date' is missing"),
        ("band: 2", "sensor: alos-2", 5, "the unknown field 'sensor'"),
    ],
)
def test_mistake_in_a_description_of_ground_names_the_line(
    tmp_path: Path, old: str, new: str, line: int, told: str
) -> None:
    for name in ("dem", "water", "cover"):
        write_raster(tmp_path / f"in/{name}.tif", count=2)
    assert old in GROUND
    describe(tmp_path / "in", GROUND.replace(old, new))
    with pytest.raises(DescriptionError, match=rf"overbank\.yaml, line {line}: .*{told}"):
        ingest(tmp_path / "in", tmp_path / "out")


# ---- search


def dem_catalog(folder: Path) -> Path:
    """Two tiles of elevation beside a radar scene."""
    for east in (11, 12):
        path = folder / f"in/Copernicus_DSM_COG_10_N44_00_E0{east}_00_DEM.tif"
        write_raster(path, crs="EPSG:4326", width=10, height=10, transform=north_up(east, 45, 0.1, 0.1))
    ingest(folder / "in", folder / "out")
    write_catalog(folder / "out", [radar_item(folder / "radar")], title="")
    return folder / "out"


@pytest.mark.parametrize(
    ("area", "count"),
    [((11.2, 44.2, 11.3, 44.3), 1), ((11.9, 44.2, 12.1, 44.3), 2), ((13.5, 44.2, 13.6, 44.3), 0)],
)
def test_search_finds_the_tiles_that_touch(tmp_path: Path, area: tuple[float, float, float, float], count: int) -> None:
    catalog = dem_catalog(tmp_path)
    assert len(search_ancillary(catalog, area=area, wanted="elevation").tiles) == count
    assert len(search_ancillary(catalog, area=area, wanted="cop-dem-glo-30").tiles) == count
    assert search_ancillary(catalog, area=area, wanted="jrc-gsw").tiles == ()


def test_scenes_and_ground_of_one_catalog_do_not_disturb_each_other(tmp_path: Path) -> None:
    found = everything(dem_catalog(tmp_path))
    assert ([scene.collection for scene in found.acquisitions], found.problems) == (["sentinel-1-rtc"], ())


def test_problems_are_told(tmp_path: Path) -> None:
    catalog = dem_catalog(tmp_path)
    next((tmp_path / "in").glob("*E011*")).unlink()
    path = next((catalog / "cop-dem-glo-30").rglob("*E012*.json"))
    item = json.loads(path.read_text())
    item["assets"]["data"]["href"] = "/vsizip/a.zip"
    path.write_text(json.dumps(item))
    found = search_ancillary(catalog, area=EVERYWHERE, wanted="elevation")
    assert found.tiles == ()
    assert [next(word for word in ("does not exist", "virtual path") if word in told) for told in found.problems] == [
        "does not exist",
        "virtual path",
    ]


def test_unknown_collection_lists_what_is_known(tmp_path: Path) -> None:
    with pytest.raises(
        CatalogError, match=r"a theme \(elevation, surface-water, land-cover, height-above-drainage\) or one"
    ):
        search_ancillary(dem_catalog(tmp_path), area=EVERYWHERE, wanted="cop-dem")


def test_a_changed_file_changes_the_version(tmp_path: Path) -> None:
    catalog = dem_catalog(tmp_path)
    area = (11.2, 44.2, 11.3, 44.3)
    (before,) = search_ancillary(catalog, area=area, wanted="elevation").tiles
    path = Path(before.raster.href)
    with rasterio.open(path, "r+") as target:
        target.write(np.full((1, 10, 10), 7, np.float32))
        target.update_tags(made="again")
    (after,) = search_ancillary(catalog, area=area, wanted="elevation").tiles
    assert before.version != after.version


def test_every_yaml_is_of_its_file_name() -> None:
    assert all((COLLECTIONS / f"{name}.yaml").is_file() for name in known_collections())
