"""One search over every kind of catalog: real items, the same answer from each, and what is told of broken ones."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import shapely
from servers import Answer, FileServer
from stac_geoparquet.arrow import parse_stac_items_to_parquet
from stac_servers import BrokenApi, page_of, rustac_api
from stac_validation import validate_item
from test_catalogs_publish import write_raster

from catalogs.doctor.check import check_file
from catalogs.doctor.validity import schema_faults
from catalogs.endpoint import known_endpoints
from catalogs.errors import BrokenOffError, CatalogError, SearchError
from catalogs.search import Found, FoundItem, catalog_items, find_items, search
from catalogs.sources import documents
from catalogs.sources import static as static_source
from catalogs.sources.choose import endpoint_of
from catalogs.sources.parquet import matching_groups
from catalogs.sources.query import Query, boxes

EVERYWHERE = (-180.0, -90.0, 180.0, 90.0)
WEB = "https://example.org"


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits between attempts are short."""
    monkeypatch.setenv("OVERBANK_HTTP_BACKOFF", "0.01")
    monkeypatch.setenv("OVERBANK_HTTP_TIMEOUT", "5")


def look(catalog: str | Path, **changes: Any) -> Found:
    told: dict[str, Any] = {"area": EVERYWHERE, "start": datetime(2000, 1, 1), "end": datetime(2030, 1, 1)}
    return search(catalog, **told | changes)


def radar(name: str, west: float = 10.0, **changes: Any) -> dict[str, Any]:
    """A Sentinel-1 item of one degree at 45° north, on 1 May 2024 at noon."""
    ring = [[west, 45], [west + 1, 45], [west + 1, 46], [west, 46], [west, 45]]
    told = {
        "type": "Feature", "stac_version": "1.0.0", "stac_extensions": [], "id": name, "collection": "sentinel-1-rtc",
        "geometry": {"type": "Polygon", "coordinates": [ring]}, "bbox": [west, 45, west + 1, 46], "links": [],
        "properties": {"datetime": "2024-05-01T12:00:00Z"}, "assets": {"vv": {"href": f"{WEB}/{name}.tif"}},
    }  # fmt: skip
    return told | changes


def at(day: str, name: str = "", **changes: Any) -> dict[str, Any]:
    return radar(name or day, properties={"datetime": f"{day}T12:00:00Z"}, **changes)


def mosaic(year: int) -> dict[str, Any]:
    span = {"start_datetime": f"{year}-01-01T00:00:00Z", "end_datetime": f"{year}-12-31T23:59:59Z"}
    assets = {"HH": {"href": f"{WEB}/HH.tif"}}
    properties = {"datetime": f"{year}-01-01T00:00:00Z"} | span
    return radar(f"mosaic-{year}", collection="alos-palsar-mosaic", properties=properties, assets=assets)


def real_items(shared: Path) -> list[dict[str, Any]]:
    """Every item of the public catalogs, those in lists among them."""
    found: list[dict[str, Any]] = []
    for path in sorted((shared / "data/stac/items").rglob("*.json")):
        data = json.loads(path.read_text())
        members = data if isinstance(data, list) else data.get("features", [data])
        found += [item for item in members if item.get("type") == "Feature"]
    return found


def static(folder: Path, items: list[dict[str, Any]]) -> Path:
    """A catalog of items, in two levels."""
    (folder / "part").mkdir(parents=True)
    links = [{"rel": "item", "href": f"./{index}.json"} for index in range(len(items))]
    for index, item in enumerate(items):
        (folder / f"part/{index}.json").write_text(json.dumps(item))
    child = {"type": "Catalog", "id": "part", "links": [*links, {"rel": "child", "href": "../catalog.json"}]}
    (folder / "part/catalog.json").write_text(json.dumps(child))
    root = {"type": "Catalog", "id": "root", "links": [{"rel": "child", "href": "./part/catalog.json"}]}
    (folder / "catalog.json").write_text(json.dumps(root))
    return folder / "catalog.json"


@pytest.fixture
def web(tmp_path: Path) -> Iterator[FileServer]:
    (tmp_path / "web").mkdir()
    server = FileServer(tmp_path / "web")
    yield server
    server.close()


@pytest.fixture(scope="session")
def real_api(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A live API over all real items but the one with an empty polygon, which rustac cannot load."""
    items = [item for item in real_items(shared) if [] not in item["geometry"]["coordinates"]]
    assert len(items) == len(real_items(shared)) - 1
    with rustac_api(items, tmp_path_factory.mktemp("api")) as url:
        yield url


def test_all_real_items_through_a_live_api(real_api: str, shared: Path, tmp_path: Path) -> None:
    found = look(real_api)
    used = {one.collection for one in found.acquisitions}
    loaded = [item for item in real_items(shared) if [] not in item["geometry"]["coordinates"]]
    items = [item for item in loaded if item["collection"] in used]
    slices = {name for one in found.acquisitions for name in one.slices}
    twice = {item["id"] for item in items} - slices
    assert slices <= {item["id"] for item in items}
    assert twice <= {finding.thing for finding in found.findings if finding.code == "duplicate-pass"}
    assert len(slices) >= 25
    here = look(static(tmp_path / "catalog", items))
    assert [one.id for one in here.acquisitions] == [one.id for one in found.acquisitions]
    assert [one.layers for one in here.acquisitions] == [one.layers for one in found.acquisitions]


def test_every_real_item_through_a_static_catalog(shared: Path, tmp_path: Path) -> None:
    found = look(static(tmp_path / "catalog", real_items(shared)))
    assert sum(len(one.slices) for one in found.acquisitions) >= 25
    expected = ("used all the same", "an id that is not known", "has the id of", "s3 address", "ancillary")
    assert [problem for problem in found.problems if not any(text in problem for text in expected)] == []


def test_files_of_lists_and_of_feature_collections(shared: Path, tmp_path: Path) -> None:
    listed = shared / "data/stac/items/planetary-computer/sentinel-1-rtc-four-in-a-row.json"
    items = json.loads(listed.read_text())
    (tmp_path / "one.json").write_text(json.dumps({"type": "FeatureCollection", "features": items}))
    found = look(listed)
    assert sorted(name for one in found.acquisitions for name in one.slices) == sorted(item["id"] for item in items)
    assert look(tmp_path / "one.json").acquisitions == look(listed).acquisitions


def test_items_that_are_invalid_by_schema_are_told_and_used(shared: Path, real_api: str) -> None:
    schemas = shared / "data/stac/schemas"
    items = [item for item in real_items(shared) if item["id"].startswith("S2B_") and "_L2A" in item["id"]]
    invalid = {item["id"] for item in items if item["collection"] == "sentinel-2-l2a" and validate_item(item, schemas)}
    assert len(invalid) == 6
    assert {item["id"] for item in items if schema_faults(item["properties"], item["stac_extensions"])} == invalid
    found = look(real_api)
    told = {finding.thing for finding in found.findings if finding.code == "schema-fault"}
    assert invalid <= told
    twice = {finding.thing for finding in found.findings if finding.code == "duplicate-pass"}
    assert invalid <= twice, "Collection 1 has them too, and is read"


def test_schema_findings_agree_with_the_schemas_on_all_real_items(shared: Path) -> None:
    """Where the schemas are at hand and find a field that they forbid, so do we; and nowhere else."""
    for item in real_items(shared):
        if item["collection"].startswith("sentinel-2"):
            told = [finding for finding in validate_item(item, shared / "data/stac/schemas") if "properties" in finding]
            assert bool(told) == bool(schema_faults(item["properties"], item["stac_extensions"])), item["id"]


def test_each_kind_gives_the_same_found(web: FileServer, tmp_path: Path) -> None:
    items = [at("2024-05-01"), at("2024-05-03"), mosaic(2021), at("2024-05-02", bbox=[10, 45, 11, 46])]
    static(web.folder / "tree", items)
    parse_stac_items_to_parquet(items, output_path=web.folder / "items.parquet")
    (web.folder / "folder").mkdir()
    (web.folder / "folder/items.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": items}))
    with rustac_api(items, tmp_path) as api:
        places = [api, web.folder / "tree", web.folder / "items.parquet", web.folder / "folder",
                  f"{web.url}/tree/catalog.json", f"{web.url}/items.parquet"]  # fmt: skip
        for window in ({}, {"end": datetime(2024, 5, 2)}, {"sensors": ["alos-2"]}, {"area": (10.5, 45.5, 10.6, 45.6)},
                       {"area": (0.0, 0.0, 1.0, 1.0)}):  # fmt: skip
            first, *others = (look(place, **window) for place in places)
            assert all(other == first for other in others), window
    assert len(look(places[1]).acquisitions) == 4


@pytest.mark.parametrize("kind", ["api", "parquet", "static"])
def test_mosaics_of_earlier_years_are_found_through_everything(kind: str, tmp_path: Path) -> None:
    items = [mosaic(2019), mosaic(2025), at("2024-05-01"), at("2023-05-01")]
    parse_stac_items_to_parquet(items, output_path=tmp_path / "items.parquet")
    with rustac_api(items, tmp_path) as api:
        places = {"api": api, "parquet": tmp_path / "items.parquet", "static": static(tmp_path / "static", items)}
        found = look(places[kind], start=datetime(2024, 4, 1), end=datetime(2024, 6, 1))
    assert [one.id for one in found.acquisitions] == ["mosaic-2019", "2024-05-01"]


def test_links_are_followed_once_and_loops_end(web: FileServer) -> None:
    static(web.folder / "tree", [at("2024-05-01"), at("2024-05-02")])
    found = look(f"{web.url}/tree/catalog.json")
    assert len(found.acquisitions) == 2
    assert sorted(asked.path for asked in web.asked) == [
        "/tree/catalog.json",
        "/tree/catalog.json",
        "/tree/part/0.json",
        "/tree/part/1.json",
        "/tree/part/catalog.json",
    ]  # fmt: skip  (the first document once more, to learn that it is no API)


def test_a_catalog_without_end_is_an_error(web: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    static(web.folder / "tree", [at("2024-05-01", str(number)) for number in range(20)])
    assert len(look(f"{web.url}/tree/catalog.json").acquisitions) == 20
    assert web.busiest <= 8
    monkeypatch.setattr(static_source, "MOST_DOCUMENTS", 10)
    for place in (f"{web.url}/tree/catalog.json", web.folder / "tree"):
        with pytest.raises(BrokenOffError, match="over 10 documents"):
            look(place)
    monkeypatch.setattr(documents, "MOST_BYTES", 50)
    with pytest.raises(SearchError, match="a smaller document"):
        look(f"{web.url}/tree/catalog.json")


def test_an_api_that_cannot_be_searched_is_no_static_catalog(web: FileServer) -> None:
    conforms = ["http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core"]
    landing = {"type": "Catalog", "id": "x", "conformsTo": conforms}
    (web.folder / "index.json").write_text(json.dumps(landing))
    with pytest.raises(SearchError, match="an API without item search"):
        look(f"{web.url}/index.json")


def test_one_missing_document_of_the_web_is_named_and_a_sick_server_ends_the_search(web: FileServer) -> None:
    static(web.folder / "tree", [at("2024-05-01"), at("2024-05-02")])
    place = f"{web.url}/tree/catalog.json"
    web.answer("/tree/part/0.json", [Answer(status=404)] * 9)
    found = look(place)
    assert [one.id for one in found.acquisitions] == ["2024-05-02"]
    assert "0.json: found HTTP 404" in found.problems[0]
    web.answer("/tree/part/0.json", [Answer(status=503)] * 2)
    assert len(look(place).acquisitions) == 2
    web.answer("/tree/part/0.json", [Answer(cut=True)] * 2)
    assert len(look(place).acquisitions) == 2
    web.answer("/tree/part/1.json", [Answer(status=503)] * 20)
    with pytest.raises(BrokenOffError, match=r"1\.json: found HTTP 503.*run the same command again later"):
        look(place)


def test_a_catalog_of_the_web_cannot_lead_onto_this_disk(web: FileServer, tmp_path: Path) -> None:
    path = static(tmp_path / "secret", [at("2024-05-01")])
    links = [{"rel": "child", "href": str(path)}, {"rel": "child", "href": f"file://{path}"}]
    (web.folder / "catalog.json").write_text(json.dumps({"type": "Catalog", "links": links}))
    found = look(f"{web.url}/catalog.json")
    assert found.acquisitions == ()
    assert len(found.problems) == 2
    (web.folder / "item.json").write_text(json.dumps(at("2024-05-01", assets={"vv": {"href": "/etc/hostname"}})))
    assert "a local path from a catalog that is not local" in look(f"{web.url}/item.json").problems[0]


def test_a_folder_of_items_and_products(shared: Path, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/item.json").write_text(json.dumps(radar("near", assets={"vv": {"href": "./vv.tif"}})))
    (tmp_path / "a/vv.tif").touch()
    (tmp_path / "notes.json").write_text('{"type": "FeatureCollection", "features": [{"type": "Feature"}]}')
    with tarfile.open(tmp_path / "N23W161_20_MOS_F02DAR.tar.gz", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("N23W161_20_sl_HH_F02DAR.tif"), io.BytesIO())
    (folder,) = (shared / "data/sentinel2").glob("S2A_29RKH*")
    (tmp_path / "S2").symlink_to(folder)
    before = sorted(tmp_path.rglob("*"))
    found = look(tmp_path)
    assert sorted(one.sensor for one in found.acquisitions) == ["sentinel-1", "sentinel-2"]
    assert found.acquisitions[-1].layers["VV"][0].href == str(tmp_path / "a/vv.tif")
    (problem,) = found.problems
    assert "N23W161_20_MOS_F02DAR.tar.gz" in problem
    assert "ingest it first" in problem
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_with_a_description_is_searched_without_a_catalog(tmp_path: Path) -> None:
    write_raster(tmp_path / "vv.tif")
    text = "products:\n  - {files: vv.tif, sensor: sentinel-1, quantity: gamma0, scale: power, bands: {VV: 1}, date: "
    (tmp_path / "overbank.yaml").write_text(text + "2024-05-01}\n")
    (scene,) = look(tmp_path).acquisitions
    assert scene.layers["VV"][0].href == str(tmp_path / "vv.tif")
    (tmp_path / "overbank.yaml").write_text(text + "soon}\n")
    with pytest.raises(SearchError, match=r"overbank\.yaml, line 2.*soon"):
        look(tmp_path)


def test_an_item_found_twice_is_used_once(tmp_path: Path) -> None:
    (tmp_path / "items").mkdir()
    for name in ("a", "b"):
        (tmp_path / f"items/{name}.json").write_text(json.dumps(at("2024-05-01")))
    found = look(tmp_path / "items")
    assert len(found.acquisitions) == 1
    assert "has the id of" in found.problems[0]


def test_ground_data_is_found_by_its_collection(tmp_path: Path) -> None:
    tile = radar("tile", collection="cop-dem-glo-30", assets={"data": {"href": f"{WEB}/dem.tif"}})
    problems: list[str] = []
    with rustac_api([tile, at("2024-05-01")], tmp_path) as api:
        found = list(find_items(api, area=EVERYWHERE, wanted=["cop-dem-glo-30"], problems=problems))
    assert [one.item.id for one in found] == ["tile"]
    assert problems == []


def test_only_row_groups_that_may_matter_are_read(tmp_path: Path) -> None:
    items = [
        radar(f"{year}-{day}-{west}", west, properties={"datetime": f"{year}-05-{day:02d}T12:00:00Z"})
        for west in (0.0, 30.0, 60.0, 90.0, 120.0)
        for year in (2020, 2024)
        for day in range(1, 29)
    ]
    parse_stac_items_to_parquet(items, output_path=tmp_path / "items.parquet")
    table = pq.read_table(tmp_path / "items.parquet")
    pq.write_table(table, tmp_path / "items.parquet", row_group_size=28)
    file = pq.ParquetFile(tmp_path / "items.parquet")
    window = (datetime(2024, 5, 1, tzinfo=UTC), datetime(2024, 5, 3, tzinfo=UTC))
    query = Query(shapely.box(60.2, 45.1, 60.3, 45.2), *window, ("sentinel-1-rtc",), ())
    assert file.num_row_groups == 10
    assert matching_groups(file, query, set()) == [5]
    found = look(tmp_path / "items.parquet", area=(60.2, 45.1, 60.3, 45.2), start=window[0], end=window[1])
    assert [one.id for one in found.acquisitions] == ["2024-1-60.0", "2024-2-60.0"]


def test_a_parquet_of_the_web_is_read_in_pieces(web: FileServer) -> None:
    items = [at("2024-05-01", str(number), description="x" * 2000 + str(number)) for number in range(3000)]
    parse_stac_items_to_parquet(items, output_path=web.folder / "items.parquet")
    size = (web.folder / "items.parquet").stat().st_size
    assert len(look(f"{web.url}/items.parquet", start=datetime(2025, 1, 1)).acquisitions) == 0
    assert sum(asked.bytes for asked in web.asked) < size + 2**20
    web.answer("/items.parquet", [Answer(status=200, body=b"x")] * 5)
    with pytest.raises(SearchError, match="without byte ranges"):
        look(f"{web.url}/items.parquet")


@pytest.mark.parametrize(("content", "message"), [(b"PAR1 no parquet", "stac-geoparquet"), (b"", "stac-geoparquet")])
def test_what_is_no_parquet(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "items.parquet").write_bytes(content)
    with pytest.raises(SearchError, match=message):
        look(tmp_path / "items.parquet")


def test_an_unknown_catalog_lists_the_known_endpoints() -> None:
    with pytest.raises(SearchError, match=r"asf-opera, copernicus-data-space, earth-search, planetary-computer"):
        look("planetary-computr")


def test_known_endpoints_say_what_their_files_ask() -> None:
    known = known_endpoints()
    assert known["planetary-computer"].access.token_hosts == (".blob.core.windows.net",)
    assert known["copernicus-data-space"].access.s3_secret == "CDSE_S3_SECRET_KEY"
    assert known["earth-search"].access_of("sentinel-1-grd").requester_pays
    assert not known["earth-search"].access_of("sentinel-2-l2a").requester_pays
    assert known["asf-opera"].access.bearer == "EARTHDATA_TOKEN"
    assert list(known["asf-opera"].collections) == ["OPERA_L2_RTC-S1_V1_1"]
    assert endpoint_of("earth-search") is known["earth-search"]
    assert all(endpoint.url.startswith("https://") for endpoint in known.values())


def test_an_endpoint_of_ones_own_renames_and_gives_access(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        "id: mine\ntitle: Mine\nurl: items.json\nkind: static\n"
        "access: {bearer: MY_TOKEN, bearer_hosts: [example.org]}\n"
        "collections: {sentinel-1-rtc: {name: RTC, access: {connections: 2}}, sentinel-2-l2a: {}}\n"
    )
    optical = radar("optical", collection="sentinel-2-l2a", assets={"B03": {"href": f"{WEB}/B03.tif"}},
                    properties={"datetime": "2024-05-01T12:00:00Z", "s2:processing_baseline": "05.10"})  # fmt: skip
    items = [radar("a", collection="RTC"), optical]
    (tmp_path / "items.json").write_text(json.dumps(items))
    first, second = look(tmp_path / "mine.yaml").acquisitions
    assert (first.collection, first.layers["VV"][0].access.connections) == ("sentinel-1-rtc", 2)
    assert second.layers["green"][0].access.bearer == "MY_TOKEN"
    found = look(tmp_path / "mine.yaml", sensors=["landsat"])
    assert "holds none of landsat-c2-l2; it holds sentinel-1-rtc, sentinel-2-l2a" in found.problems[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [("id: x\n", "title"), ("[", "fields of"), ("id: x\ntitle: X\nurl: https://x\nkind: wfs\n", "kind")],
)
def test_a_broken_endpoint_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(SearchError, match=message):
        look(tmp_path / "mine.yaml")


def test_the_header_goes_to_its_own_host_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = BrokenApi(lambda api, asked: page_of([at("2024-05-02")]))
    api = BrokenApi(lambda api, asked: page_of([at("2024-05-01")], {"href": f"{other.url}/search?page=2"}))
    (tmp_path / "mine.yaml").write_text(
        f"id: mine\ntitle: Mine\nurl: {api.url}\nheader: {{name: X-Key, variable: MY_KEY}}\n"
        "collections: {sentinel-1-rtc: {}}\n"
    )
    try:
        with pytest.raises(CatalogError, match="Set MY_KEY to the key that Mine gave you"):
            look(tmp_path / "mine.yaml")
        monkeypatch.setenv("MY_KEY", "sesame")
        assert len(look(tmp_path / "mine.yaml").acquisitions) == 2
        assert [asked["headers"].get("X-Key") for asked in api.searches + other.searches] == ["sesame", None]
    finally:
        api.close()
        other.close()


def test_areas_across_the_antimeridian(tmp_path: Path) -> None:
    ring = [[179, 45], [-179, 45], [-179, 46], [179, 46], [179, 45]]  # around the globe, if taken by its word
    across = radar("across", geometry={"type": "Polygon", "coordinates": [ring]}, bbox=[179, 45, -179, 46])
    items = [across, radar("far", 0.0), radar("east", 178.0), radar("west", -180.0)]
    place = static(tmp_path / "static", items)
    parse_stac_items_to_parquet(items, output_path=tmp_path / "items.parquet")
    with rustac_api(items, tmp_path) as api:
        for catalog in (place, tmp_path / "items.parquet", api):
            found = look(catalog, area=(178.5, 45.2, -179.5, 45.4))
            assert {one.id for one in found.acquisitions} == {"across", "east", "west"}, catalog
            greenwich = look(catalog, area=(0.2, 45.2, 0.4, 45.4))
            assert [one.id for one in greenwich.acquisitions] == ["far"], catalog
    (scene,) = (one for one in found.acquisitions if one.id == "across")
    assert scene.footprint["type"] == "MultiPolygon"


def test_boxes_cover_an_area_and_waste_little() -> None:
    near = [shapely.box(0, 0, 1, 1), shapely.box(1.1, 0, 2, 1)]
    apart = [shapely.box(170, 0, 180, 1), shapely.box(-180, 0, -170, 1)]
    assert boxes(shapely.box(0, 0, 1, 1)) == [(0.0, 0.0, 1.0, 1.0)]
    assert boxes(shapely.MultiPolygon(near)) == [(0.0, 0.0, 2.0, 1.0)]
    assert len(boxes(shapely.MultiPolygon(apart))) == 2
    steps = [shapely.box(9 * step, step, 9 * step + 1, step + 1) for step in range(10)]
    assert 1 <= len(boxes(shapely.MultiPolygon(steps))) <= 4
    many = shapely.MultiPolygon([shapely.box(x, 0, x + 0.5, 0.5) for x in range(-100, 100)])
    assert len(boxes(many)) <= 2


def test_the_reach_ends_the_search_for_mosaics(tmp_path: Path) -> None:
    place = static(tmp_path / "static", [mosaic(2015), mosaic(2021), at("2024-05-01")])
    found = look(place, start=datetime(2024, 4, 1), end=datetime(2024, 6, 1), reach=timedelta(days=5 * 366))
    assert [one.id for one in found.acquisitions] == ["mosaic-2021", "2024-05-01"]


def test_every_item_of_a_catalog_for_the_doctor(tmp_path: Path) -> None:
    place = static(tmp_path / "static", [at("2024-05-01"), radar("broken", assets=7)])
    (good_name, good), (bad_name, bad) = catalog_items(place)
    assert isinstance(good, FoundItem)
    assert isinstance(bad, CatalogError)
    assert (Path(good_name).name, Path(bad_name).name) == ("0.json", "1.json")


def test_the_doctor_takes_every_kind_of_catalog_that_lies_on_this_disk(tmp_path: Path) -> None:
    items = [at("2024-05-01"), at("2024-05-02", collection="naip")]
    parse_stac_items_to_parquet([dict(item) for item in items], output_path=tmp_path / "items.parquet")
    places = [static(tmp_path / "static", items), tmp_path / "static", tmp_path / "items.parquet"]
    told = [{(f.code, f.thing) for f in check_file(place, deep=False)} for place in places]
    assert told[0] == told[1] == told[2]
    assert ("unknown-collection", "2024-05-02") in told[0]


def test_a_scene_without_its_files_is_told_once(tmp_path: Path) -> None:
    gone = radar("gone", assets={name: {"href": f"./{name}.tif"} for name in ("vv", "vh")})
    found = look(static(tmp_path / "static", [gone]))
    (problem,) = found.problems
    assert "and 1 more do not exist; the acquisition is left out" in problem
    assert found.acquisitions == ()
