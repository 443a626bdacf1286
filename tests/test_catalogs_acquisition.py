"""Real items of the known collections, and made ones, as acquisitions."""

from __future__ import annotations

import json
import pickle
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pystac
import pytest

from catalogs.acquisition import to_acquisition
from catalogs.collection import Collection, collection_for, known_collections
from catalogs.errors import CatalogError, HrefError, ItemError, UnknownCollectionError
from catalogs.records import Acquisition
from catalogs.search import read_item

WEB = "https://example.org/stac"
A = f"{WEB}/a.tif"
ITEMS = "data/stac/items"


def make_item(collection: str, assets: dict[str, Any], **properties: Any) -> pystac.Item:
    """An item as a web catalog would return it; an asset is its href, or its fields with an href."""
    fields = {key: {"href": asset} if isinstance(asset, str) else asset for key, asset in assets.items()}
    data = {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": [],
        "id": "scene",
        "geometry": {"type": "Point", "coordinates": [0, 0]},
        "bbox": [0, 0, 0, 0],
        "collection": collection,
        "links": [{"rel": "self", "href": f"{WEB}/items/scene"}],
        "properties": {"datetime": "2024-05-01T10:00:00Z", **properties},
        "assets": fields,
    }
    return pystac.Item.from_dict(data, migrate=False)


def real(shared: Path, pattern: str) -> list[Acquisition]:
    paths = sorted((shared / ITEMS).glob(pattern))
    assert paths, pattern
    return [to_acquisition(read_item(path), catalog_root=path) for path in paths]


def test_real_sentinel1_rtc(shared: Path) -> None:
    (scene,) = real(shared, "planetary-computer/sentinel-1-rtc/*.json")
    assert (scene.sensor, scene.platform, scene.quantity, scene.band) == (
        "sentinel-1",
        "sentinel-1a",
        "gamma0",
        "C",
    )
    assert set(scene.layers) == {"VV", "VH"}
    assert scene.layers["VV"][0].encoding == "power"
    assert scene.layers["VV"][0].nodata == (-32768.0,)
    assert scene.layers["VV"][0].href.endswith("iw-vv.rtc.tiff")
    assert scene.start == datetime(2025, 3, 11, 4, 42, 31, 719576, UTC)
    assert scene.time == datetime(2025, 3, 11, 4, 42, 40, 696652, UTC)
    assert (scene.orbit_direction, scene.relative_orbit, scene.look_side) == ("descending", 80, "right")
    assert scene.angle_range == (29.1, 46.0)
    assert scene.noise_db == {"VV": -24.0, "VH": -25.0}
    assert (scene.noise_source, scene.denoised, scene.reference_only) == ("default", True, False)
    assert scene.bytes == 1242427960 + 1242662612
    assert len(scene.version) == 16


def test_satellites_are_kept_apart_by_id_when_the_platform_is_missing() -> None:
    item = make_item("sentinel-1-rtc", {"vv": f"{WEB}/vv.tif"})
    item.id = "S1C_IW_GRDH_1SDV_20250311T044231"
    assert to_acquisition(item).platform == "sentinel-1c"


def test_real_mosaic_spans_a_year_and_is_reference_only(shared: Path) -> None:
    (tile,) = real(shared, "planetary-computer/alos-palsar-mosaic/*.json")
    assert set(tile.layers) == {"HH", "HV", "angle", "mask", "date"}
    assert (tile.layers["HH"][0].encoding, tile.layers["HH"][0].calibration_db) == ("amplitude", -83.0)
    assert set(tile.layers["HH"][0].nodata) == {0.0, 1.0}
    assert tile.layers["date"][0].offset == (datetime(2014, 5, 24) - datetime(1970, 1, 1)).days
    assert (tile.mask_scheme, tile.band, tile.platform) == ("palsar-mosaic", "L", "alos-2")
    assert tile.reference_only
    assert not tile.denoised
    assert tile.noise_db == {"HH": -28.0, "HV": -33.0}


def test_real_scansar_item(shared: Path) -> None:
    path = shared / "data/palsar2/scansar/ALOS2437590500-220630_WWDR2.2GUA.json"
    scene = to_acquisition(read_item(path), catalog_root=path)
    assert set(scene.layers) == {"HH", "HV", "angle", "mask"}
    assert (scene.layers["angle"][0].scale, scene.layers["angle"][0].encoding) == (0.01, "linear")
    assert scene.layers["HV"][0].calibration_db == -83.0
    assert scene.layers["HV"][0].href == str(
        shared / "data/tests/data-files/ALOS2437590500-220630_WWDR2.2GUA_HV_SLP.tif"
    )
    assert (scene.platform, scene.orbit_direction, scene.look_side) == ("alos-2", "ascending", "right")
    assert (scene.mask_scheme, scene.quantity, scene.reference_only) == ("palsar-scansar", "gamma0", False)
    assert scene.start == scene.end


def test_real_sentinel2_offset_by_baseline(shared: Path) -> None:
    scenes = {scene.id[:19]: scene for scene in real(shared, "planetary-computer/sentinel-2-l2a/*.json")}
    offsets = {name: scene.layers["green"][0].offset for name, scene in scenes.items()}
    assert offsets == {"S2A_MSIL2A_20150704": 0.0, "S2B_MSIL2A_20220612": -0.1, "S2B_MSIL2A_20250312": -0.1}
    scene = scenes["S2B_MSIL2A_20220612"]
    assert set(scene.layers) == {"blue", "green", "red", "nir", "swir1", "swir2", "mask"}
    assert scene.layers["nir"][0].href.endswith("_B08_10m.tif")
    assert (scene.layers["green"][0].scale, scene.layers["green"][0].nodata) == (0.0001, (0.0,))
    assert (scene.layers["mask"][0].scale, scene.layers["mask"][0].offset) == (1.0, 0.0)
    assert (scene.platform, scene.kind, scene.mask_scheme) == ("sentinel-2b", "optical", "sentinel-2-scl")
    assert scene.angle_range is None
    assert scene.bytes is None


@pytest.mark.parametrize(
    ("pattern", "offset"),
    [
        ("earth-search/sentinel-2-c1-l2a/*.json", -0.1),  # says so in raster:bands
        ("earth-search/sentinel-2-l2a/*.json", 0.0),  # raster:bands says -0.1, but it is applied already
        ("earth-search/sentinel-s2-l2a-cogs/*.json", 0.0),  # v0: sentinel:boa_offset_applied
    ],
)
def test_real_earth_search_offsets(shared: Path, pattern: str, offset: float) -> None:
    for scene in real(shared, pattern):
        assert scene.layers["green"][0].offset == offset
        assert scene.layers["swir2"][0].scale == 0.0001
        assert scene.platform == "sentinel-2b"


def test_real_four_in_a_row(shared: Path) -> None:
    for path in sorted((shared / ITEMS / "planetary-computer").glob("sentinel-*-four-in-a-row.json")):
        content = json.loads(path.read_text())
        for data in content["features"] if isinstance(content, dict) else content:
            assert to_acquisition(pystac.Item.from_dict(data, migrate=False)).layers


@pytest.mark.parametrize(
    ("properties", "bands", "expected"),
    [
        ({"s2:processing_baseline": "03.01"}, {}, 0.0),
        ({"s2:processing_baseline": "04.00"}, {}, -0.1),
        ({"s2:processing_baseline": "99.99"}, {"scale": 0.0001, "offset": 0}, 0.0),
        ({"s2:processing_baseline": "02.14"}, {"offset": -0.1}, -0.1),
        ({"s2:processing_baseline": "05.11", "earthsearch:boa_offset_applied": True}, {"offset": -0.1}, 0.0),
        ({"s2:processing_baseline": "05.11", "earthsearch:boa_offset_applied": False}, {}, -0.1),
        ({"s2:product_uri": "S2A_MSIL2A_20200219T112111_N0214_R037_T29RKH_20200219T123947.SAFE"}, {}, 0.0),
    ],
)
def test_sentinel2_offset_rules(properties: dict[str, Any], bands: dict[str, Any], expected: float) -> None:
    asset = {"href": f"{WEB}/B03.tif", "raster:bands": [bands]}
    scene = to_acquisition(make_item("sentinel-2-l2a", {"B03": asset}, **properties))
    assert scene.layers["green"][0].offset == expected


def test_sentinel2_without_baseline_is_refused() -> None:
    with pytest.raises(ItemError, match=r"no processing baseline.*s2:processing_baseline"):
        to_acquisition(make_item("sentinel-2-l2a", {"B03": f"{WEB}/B03.tif"}))


def test_stac_1_1_bands_are_read_too() -> None:
    asset = {"href": f"{WEB}/B03.tif", "bands": [{"nodata": -1, "raster:scale": 0.001, "raster:offset": 0.5}]}
    layer = to_acquisition(make_item("sentinel-2-l2a", {"B03": asset})).layers["green"][0]
    assert (layer.scale, layer.offset, layer.nodata) == (0.001, 0.5, (0.0, -1.0))


def test_the_items_own_noise_angle_and_nodata_win() -> None:
    asset = {"href": f"{WEB}/vv.tif", "raster:bands": [{"nodata": "nan"}]}
    item = make_item(
        "sentinel-1-rtc", {"vv": asset, "vh": f"{WEB}/vh.tif", "local_incidence_angle": f"{WEB}/angle.tif"},
        **{"overbank:noise_db": {"VV": -24.1}, "overbank:denoised": False, "overbank:angle_range": [30, 40]},
    )  # fmt: skip
    scene = to_acquisition(item)
    assert scene.noise_db == {"VV": -24.1, "VH": -25.0}
    assert (scene.noise_source, scene.denoised, scene.angle_range) == ("product", False, (30.0, 40.0))
    assert scene.layers["VV"][0].nodata == (-32768.0,)
    assert scene.layers["angle"][0].href == f"{WEB}/angle.tif"


def test_version_follows_updated_and_checksum() -> None:
    def version(**properties: Any) -> str:
        asset = {"href": f"{WEB}/vv.tif", "file:checksum": properties.pop("checksum", "1220")}
        return to_acquisition(make_item("sentinel-1-rtc", {"vv": asset}, **properties)).version

    assert version() == version()
    assert len({version(), version(updated="2024-05-02T00:00:00Z"), version(checksum="1221")}) == 3
    assert to_acquisition(make_item("sentinel-1-rtc", {"vv": f"{WEB}/vv.tif"})).version == ""


def test_relative_hrefs_of_a_web_item_stay_on_the_web() -> None:
    item = make_item("sentinel-1-rtc", {"vv": "../vv.tif"})
    assert to_acquisition(item).layers["VV"][0].href == f"{WEB}/vv.tif"


@pytest.mark.parametrize("href", ["/etc/vv.tif", "/vsicurl/http://x/vv.tif", "gs://bucket/vv.tif", "a.vrt"])
def test_hrefs_are_checked(href: str) -> None:
    with pytest.raises(HrefError):
        to_acquisition(make_item("sentinel-1-rtc", {"vv": href}))


def test_a_web_catalog_cannot_claim_to_be_local() -> None:
    item = make_item("sentinel-1-rtc", {"vv": "vv.tif"})
    item.set_self_href("/etc/item.json")
    item.assets["vv"].href = "vv.tif"
    with pytest.raises(HrefError):
        to_acquisition(item, catalog_root=WEB)


def test_relative_href_without_a_place() -> None:
    item = make_item("sentinel-1-rtc", {"vv": "vv.tif"})
    item.clear_links("self")
    with pytest.raises(ItemError, match="no self link"):
        to_acquisition(item, catalog_root="/data")


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (make_item("sentinel-1-rtc", {"xx": A}), "assets xx; expected at least one of vv"),
        (make_item("sentinel-1-rtc", {}), "assets none"),
        (make_item("sentinel-1-rtc", {"vv": A}, start_datetime="soon"), "Correct the item's times"),
        (
            make_item("sentinel-1-rtc", {"vv": A}, start_datetime="2024-05-02T00:00:00Z",
                      end_datetime="2024-05-01T00:00:00Z"),
            "the end .* before the start",
        ),
        (make_item("sentinel-1-rtc", {"vv": A}, **{"sat:relative_orbit": "x"}), "relative_orbit"),
        (make_item("overbank-local", {"data": A}), "overbank:sensor None"),
        (make_item("overbank-local", {"data": A}, **{"overbank:sensor": "sentinel-1"}), "quantity"),
    ],
)  # fmt: skip
def test_items_that_do_not_say_enough(item: pystac.Item, message: str) -> None:
    with pytest.raises(ItemError, match=message):
        to_acquisition(item)


OPERA = "OPERA_L2_RTC-S1_T102-217155-IW1_20240703T162341Z_20240703T220516Z_S1A_30_v1.0"


def test_burst_of_opera() -> None:
    """As NASA's CMR-STAC names collection and assets; track, burst, satellite and version are read from the id."""
    item = make_item("OPERA_L2_RTC-S1_V1_1", {"0_VV": A, "0_VH": A, "0_mask": A}, platform="Sentinel-1A")
    item.id = OPERA
    scene = to_acquisition(item)
    assert (scene.platform, scene.relative_orbit, scene.part) == ("sentinel-1a", 102, "T102-217155-IW1")
    assert (scene.quantity, scene.layers["VV"][0].encoding, scene.denoised) == ("gamma0", "power", True)
    assert (scene.mask_scheme, scene.angle_source, scene.baseline) == ("opera-rtc", "mode", "1.0")
    item.assets["0_local_incidence_angle"] = pystac.Asset(A)
    assert to_acquisition(item).angle_source == "layer"


def test_tile_of_copernicus_data_space() -> None:
    """Band and resolution in the keys, STAC 1.1 scale and offset in the asset, satellite and tile in the id."""
    assets = {f"{band}_10m": {"href": A, "raster:scale": 1e-4, "raster:offset": -0.1, "nodata": 0}
              for band in ("B02", "B03", "B04", "B08")}  # fmt: skip
    item = make_item("sentinel-2-l2a", assets | {"SCL_20m": A}, **{"processing:version": "05.00"})
    item.id = "S2B_MSIL2A_20200705T101559_N0500_R065_T32TMT_20230530T175912"
    scene = to_acquisition(item)
    assert list(scene.layers) == ["blue", "green", "red", "nir", "mask"]
    assert (scene.layers["nir"][0].scale, scene.layers["nir"][0].offset) == (1e-4, -0.1)
    assert (scene.platform, scene.relative_orbit, scene.part) == ("sentinel-2b", 65, "32TMT")
    assert scene.baseline == "05.00"


@pytest.mark.parametrize(
    ("name", "platform", "relative"),
    [
        ("S1A_IW_GRDH_1SDV_20250311T044231_20250311T044249_058252_073302", "sentinel-1a", 80),
        ("S1B_IW_GRDH_1SDV_20210704T052236_20210704T052301_027641_034C7B", "sentinel-1b", 140),
        ("S1C_IW_GRDH_1SDV_20250401T170607_20250401T170632_001696_002F5A", "sentinel-1c", 125),
    ],
)
def test_satellite_and_orbit_from_the_name_of_a_product(name: str, platform: str, relative: int) -> None:
    """Relative orbit = (absolute - 73, - 27, - 172) mod 175 + 1 of S1A, S1B, S1C (ESA)."""
    item = make_item("sentinel-1-rtc", {"vv": A}, platform="SENTINEL-1")
    item.id = f"{name}_rtc"
    scene = to_acquisition(item)
    assert (scene.platform, scene.relative_orbit, scene.absolute_orbit) == (platform, relative, int(name[-13:-7]))


@pytest.mark.parametrize("changed", ["updated", "created", "s2:generation_time"])
def test_a_product_made_anew_has_another_version(changed: str) -> None:
    told = {"s2:processing_baseline": "05.11", changed: "2024-05-02T00:00:00Z"}
    first, second = (
        to_acquisition(make_item("sentinel-2-l2a", {"B03": A}, **told | {changed: time}))
        for time in ("2024-05-02T00:00:00Z", "2024-05-03T00:00:00Z")
    )
    assert first.version != second.version
    assert second.updated == datetime(2024, 5, 3, tzinfo=UTC)


def test_unknown_collection_lists_the_known_ones() -> None:
    with pytest.raises(UnknownCollectionError, match=r"'sentinel-1-slc'.*alos-palsar-mosaic.*sentinel-2-l2a"):
        to_acquisition(make_item("sentinel-1-slc", {"vv": A}))


def test_a_new_collection_is_one_yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (Path(collection_for.__code__.co_filename).parent / "collections/sentinel-1-rtc.yaml").read_text()
    (tmp_path / "mine.yaml").write_text(text.replace("id: sentinel-1-rtc", "id: my-rtc"))
    record = known_collections(tmp_path)["my-rtc"]
    assert isinstance(record, Collection)
    assert record.layers["VV"].encoding == "power"
    with monkeypatch.context() as patch:
        patch.setattr("catalogs.collection.known_collections", lambda: known_collections(tmp_path))
        assert to_acquisition(make_item("my-rtc", {"vv": A})).collection == "my-rtc"
    (tmp_path / "bad.yaml").write_text("id: x\nlayer: {}\n")
    known_collections.cache_clear()
    with pytest.raises(CatalogError, match=r"bad\.yaml"):
        known_collections(tmp_path)


def test_errors_survive_the_way_between_processes() -> None:
    error = ItemError("item a", "b", "c", "Do d.")
    assert str(pickle.loads(pickle.dumps(error))) == "item a: found b; expected c. Do d."


SUN = {"sun_zenith": None, "sun_azimuth": None, "view_zenith": None, "view_azimuth": None}


@pytest.mark.parametrize(
    ("properties", "angles"),
    [
        ({}, {}),
        ({"view:sun_elevation": 50.0, "view:sun_azimuth": 140}, {"sun_zenith": 40.0, "sun_azimuth": 140.0}),
        ({"s2:mean_solar_zenith": 63.0, "s2:mean_solar_azimuth": 245.3}, {"sun_zenith": 63.0, "sun_azimuth": 245.3}),
        ({"view:incidence_angle": 9.2, "view:azimuth": 284.2}, {"view_zenith": 9.2, "view_azimuth": 284.2}),
        ({"view:off_nadir": 0}, {"view_zenith": 0.0}),
        ({"view:sun_elevation": "high", "view:off_nadir": [0], "view:sun_azimuth": 720.0, "view:azimuth": True}, {}),
    ],
)
def test_angles_of_sun_and_satellite(properties: dict[str, Any], angles: dict[str, float]) -> None:
    told = {"s2:processing_baseline": "05.00"} | properties
    scene = to_acquisition(make_item("sentinel-2-l2a", {"B03": A, "B08": A}, **told))
    assert {name: getattr(scene, name) for name in SUN} == SUN | angles


def test_real_items_tell_where_the_sun_stood(shared: Path) -> None:
    for pattern in ("planetary-computer/sentinel-2-l2a/*.json", "planetary-computer/landsat-c2-l2/*.json"):
        for scene in real(shared, pattern):
            assert scene.sun_zenith is not None, scene.id
            assert 0 < scene.sun_zenith < 90
            assert scene.sun_azimuth is not None
