"""Every real item of a known collection becomes the record it should be: one row an item, one row a collection."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pystac
import pytest

from catalogs.acquisition import to_acquisition
from catalogs.collection import Collection, ancillary_collections, known_collections
from catalogs.errors import UnknownCollectionError
from catalogs.records import Acquisition

SCANSAR = "data/palsar2/scansar/ALOS2437590500-220630_WWDR2.2GUA.json"
OTHERS = {"landsat-c2-l1", "alos-dem", "alos-fnf-mosaic", "cop-dem-glo-90"}
BANDS = "blue green red nir swir1 swir2"
RTC, S2, C2 = "sentinel-1-rtc", "sentinel-2-l2a", "sentinel-2-c1-l2a"
V0, TM, L1C = "sentinel-s2-l2a-cogs", "landsat-c2-l2", "sentinel-2-l1c"
MOSAIC, WIDE = "alos-palsar-mosaic", "palsar2-scansar"

# sensor, quantity, layers, encoding, scale, nodata, mask scheme, angle from, look side
COLLECTIONS: dict[str, tuple[Any, ...]] = {
    RTC: ("sentinel-1", "gamma0", "VV VH", "power", 1.0, {-32768.0}, None, "pass", "right"),
    MOSAIC: (
        "alos-2",
        "gamma0",
        "HH HV angle mask date",
        "amplitude",
        1.0,
        {0.0, 1.0},
        "palsar-mosaic",
        "layer",
        "right",
    ),
    WIDE: ("alos-2", "gamma0", "HH HV angle mask", "amplitude", 1.0, {0.0}, "palsar-scansar", "layer", "right"),
    S2: ("sentinel-2", "surface_reflectance", f"{BANDS} mask", "linear", 1e-4, {0.0}, "sentinel-2-scl", None, None),
    C2: ("sentinel-2", "surface_reflectance", f"{BANDS} mask", "linear", 1e-4, {0.0}, "sentinel-2-scl", None, None),
    V0: ("sentinel-2", "surface_reflectance", f"{BANDS} mask", "linear", 1e-4, {0.0}, "sentinel-2-scl", None, None),
    L1C: ("sentinel-2", "toa_reflectance", f"{BANDS} cirrus", "linear", 1e-4, {0.0}, None, None, None),
    TM: ("landsat", "surface_reflectance", f"{BANDS} mask", "linear", 2.75e-5, {0.0}, "landsat-qa", None, None),
}

# platform, start, seconds, direction, relative and absolute orbit, piece, offset, processing baseline
UP, DOWN, S1A = "ascending", "descending", "sentinel-1a"
ITEMS: dict[tuple[str, str], tuple[Any, ...]] = {
    (RTC, "S1A_IW_GRDH_1SDV_20240419T045904"): (S1A, "2024-04-19T04:59:04", 12.4, DOWN, 51, 53498, "", 0.0, ""),
    (RTC, "S1A_IW_GRDH_1SDV_20240419T045839"): (S1A, "2024-04-19T04:58:39", 25.0, DOWN, 51, 53498, "", 0.0, ""),
    (RTC, "S1A_IW_GRDH_1SDV_20240419T045814"): (S1A, "2024-04-19T04:58:14", 25.0, DOWN, 51, 53498, "", 0.0, ""),
    (RTC, "S1A_IW_GRDH_1SDV_20240419T045749"): (S1A, "2024-04-19T04:57:49", 25.0, DOWN, 51, 53498, "", 0.0, ""),
    (RTC, "S1A_IW_GRDH_1SDV_20250311T044231"): (S1A, "2025-03-11T04:42:31", 18.0, DOWN, 80, 58252, "", 0.0, ""),
    (S2, "S2B_MSIL2A_20240419T095549_R122_T47XML"): (
        "sentinel-2b", "2024-04-19T09:55:49", 0.0, UP, 122, 37185, "47XML", -0.1, "05.10"),
    (S2, "S2B_MSIL2A_20240419T095549_R122_T47XMJ"): (
        "sentinel-2b", "2024-04-19T09:55:49", 0.0, UP, 122, 37185, "47XMJ", -0.1, "05.10"),
    (S2, "S2B_MSIL2A_20240419T095549_R122_T46XES"): (
        "sentinel-2b", "2024-04-19T09:55:49", 0.0, UP, 122, 37185, "46XES", -0.1, "05.10"),
    (S2, "S2B_MSIL2A_20240419T095549_R122_T46XER"): (
        "sentinel-2b", "2024-04-19T09:55:49", 0.0, UP, 122, 37185, "46XER", -0.1, "05.10"),
    (S2, "S2A_MSIL2A_20150704"): ("sentinel-2a", "2015-07-04T10:10:06", 0.0, DOWN, 22, 162, "35XQA", 0.0, "02.12"),
    (S2, "S2B_MSIL2A_20220612"): ("sentinel-2b", "2022-06-12T18:29:19", 0.0, UP, 27, 27509, "24XWR", -0.1, "04.00"),
    (S2, "S2B_MSIL2A_20250312"): ("sentinel-2b", "2025-03-12T01:45:49", 0.0, DOWN, 74, 41856, "53NKG", -0.1, "05.11"),
    (V0, "S2B_20EPT"): ("sentinel-2b", "2025-07-31T13:19:22", 0.0, None, 95, None, "20EPT", 0.0, "05.11"),
    (TM, "LC09_L2SP_089090"): ("landsat-9", "2024-04-17T23:46:20", 0.0, None, 89, None, "089090", -0.2, ""),
    (TM, "LC09_L2SP_089089"): ("landsat-9", "2024-04-17T23:45:56", 0.0, None, 89, None, "089089", -0.2, ""),
    (TM, "LC09_L2SP_089088"): ("landsat-9", "2024-04-17T23:45:32", 0.0, None, 89, None, "089088", -0.2, ""),
    (TM, "LC09_L2SP_089087"): ("landsat-9", "2024-04-17T23:45:08", 0.0, None, 89, None, "089087", -0.2, ""),
    (TM, "LC08_L2SP_202033"): ("landsat-8", "2022-03-27T11:01:55", 0.0, None, 202, None, "202033", -0.2, ""),
    (TM, "LC09_L2SP_090091"): ("landsat-9", "2025-03-10T23:53:08", 0.0, None, 90, None, "090091", -0.2, ""),
    (MOSAIC, "S56W072_21"): ("alos-2", "2021-01-01T00:00:00", 31535999.0, UP, None, None, "S56W072", 0.0, ""),
    (WIDE, "ALOS243759"): ("alos-2", "2022-06-30T15:58:28", 0.0, UP, None, 43759, "0500", 0.0, ""),
}  # fmt: skip
for tile, second in {"20EPT": "19:22", "24MUA": "03:19", "24MUV": "03:27", "24MVV": "03:25", "24MWV": "03:24",
                     "24MXV": "03:22"}.items():  # fmt: skip
    for collection, prefix, offset in ((C2, "S2B_T", -0.1), (S2, "S2B_", 0.0), (L1C, "S2B_", -0.1)):
        if (collection, tile) != (L1C, "24MUA"):  # that one is not in the sample
            told = ("sentinel-2b", f"2025-07-31T13:{second}", 0.0, None, 95, 43879, tile, offset, "05.11")
            ITEMS[collection, f"{prefix}{tile}"] = told


def real_items(shared: Path) -> Iterator[tuple[Path, pystac.Item]]:
    """All items under stac/items, also of the lists, and the ScanSAR item."""
    folder = shared / "data/stac/items"
    paths = [path for path in sorted(folder.rglob("*.json")) if not path.parent.name.startswith("_")]
    for path in [*paths, shared / SCANSAR]:
        content = json.loads(path.read_text())
        for data in content if isinstance(content, list) else [content]:
            data["links"] = [link for link in data["links"] if link["rel"] != "self"]
            item = pystac.Item.from_dict(data, migrate=False)
            item.set_self_href(str(path))
            yield path, item


def on_the_web(item: pystac.Item) -> pystac.Item:
    """The same item with s3 addresses as web addresses: whether s3 may be opened is tested elsewhere."""
    for asset in item.assets.values():
        asset.href = asset.href.replace("s3://", "https://s3.example.org/")
    return item


@pytest.fixture(scope="module")
def records(shared: Path) -> dict[tuple[str, str], Acquisition]:
    found: dict[tuple[str, str], Acquisition] = {}
    for path, item in real_items(shared):
        if item.collection_id in COLLECTIONS:
            scene = to_acquisition(on_the_web(item), catalog_root=path)
            found[scene.collection, scene.id] = scene
    return found


def row_of(scene: Acquisition) -> tuple[Any, ...]:
    """The row that an item belongs to."""
    return next(row for row in ITEMS if scene.collection == row[0] and scene.id.startswith(row[1]))


def test_every_real_item_has_its_row(records: dict[tuple[str, str], Acquisition]) -> None:
    assert sorted(row_of(scene) for scene in records.values()) == sorted(ITEMS)


@pytest.mark.parametrize("row", ITEMS, ids=lambda row: f"{row[0]} {row[1]}")
def test_real_item(records: dict[tuple[str, str], Acquisition], row: tuple[str, str]) -> None:
    (scene,) = [scene for scene in records.values() if row_of(scene) == row]
    sensor, quantity, layers, encoding, scale, nodata, scheme, angle, side = COLLECTIONS[row[0]]
    platform, start, seconds, direction, relative, absolute, part, offset, baseline = ITEMS[row]
    assert (scene.platform, scene.start.isoformat()[:19]) == (platform, start)
    assert (scene.end - scene.start).total_seconds() == pytest.approx(seconds, abs=0.1)
    assert (scene.orbit_direction, scene.relative_orbit, scene.absolute_orbit) == (direction, relative, absolute)
    assert (scene.part, scene.look_side, scene.baseline) == (part, side, baseline)
    assert (scene.sensor, scene.quantity, " ".join(scene.layers)) == (sensor, quantity, layers)
    for name in set(layers.split()) - {"angle", "mask", "date"}:
        (raster,) = scene.layers[name]
        assert (raster.encoding, raster.scale, raster.offset) == (encoding, scale, offset)
        assert set(raster.nodata) == nodata
    assert (scene.mask_scheme, scene.angle_source) == (scheme, angle)
    assert scene.reference_only == (row[0] == MOSAIC)
    assert all(raster.access.requester_pays == (row[0] == L1C) for raster in scene.rasters)
    assert (scene.version != "") == (row[0] not in (MOSAIC, WIDE)), "those two say nothing of their making"
    assert scene.slices == (scene.id,)


def test_sizes_are_summed_where_the_catalog_tells_them(records: dict[tuple[str, str], Acquisition]) -> None:
    told = {name: scene.bytes for (name, _), scene in records.items()}
    assert {name for name, size in told.items() if size is not None} == {RTC, C2}


def test_items_of_other_collections_are_refused_by_name(shared: Path) -> None:
    seen = set()
    for path, item in real_items(shared):
        if item.collection_id in OTHERS:
            seen.add(item.collection_id)
            known = item.collection_id in ancillary_collections()
            told = "ancillary data" if known else f"alos-palsar-mosaic.*{S2}"
            with pytest.raises(UnknownCollectionError, match=rf"{item.collection_id}.*{told}"):
                to_acquisition(item, catalog_root=path)
    assert seen == OTHERS


def test_landsat_of_earth_search_has_the_keys_that_are_read(shared: Path) -> None:
    """There is no item of it in the sample; the collection describes what its items hold."""
    described = json.loads((shared / "data/stac/items/earth-search/_collections/landsat-c2-l2.json").read_text())
    record = known_collections()[described["id"]]
    assert isinstance(record, Collection)
    for name, rule in record.layers.items():
        (band,) = described["item_assets"][rule.assets[0]]["raster:bands"]
        assert (band.get("scale", 1.0), band.get("offset", 0.0)) == (rule.scale, rule.offset), name
        assert (band["nodata"],) == rule.nodata, name
