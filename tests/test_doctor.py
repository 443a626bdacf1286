"""The doctor's checks, each alone: what is declared, what a header says, a sample of pixels."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pystac
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from scenes import NOON, grid, optical_scene, plain, radar_scene, write_tiff
from scipy.ndimage import gaussian_filter, shift

from catalogs.doctor.bands import band_shifts, check_bands, content_shift
from catalogs.doctor.check import check_file, check_item
from catalogs.doctor.cure import cured, with_borrowed_angles
from catalogs.doctor.examine import examine
from catalogs.doctor.findings import KINDS, Correction, Finding, kinds_table, ordered, worst
from catalogs.doctor.header import check_header
from catalogs.doctor.item import grid_complaint, item_findings
from catalogs.doctor.look import FileHeader, Look, look_at
from catalogs.doctor.pixels import check_offset, check_pixels, fill_values, radar_scale, zero_filled
from catalogs.doctor.satellites import mixed_satellites
from catalogs.errors import SearchError
from catalogs.products import ingest
from catalogs.records import Access, Acquisition, RasterLayer, Stated, Swath
from catalogs.web.signing import signature_ends

WEB = "https://example.org/stac"
TRANSFORM = (10.0, 0.0, 600_000.0, 0.0, -10.0, 5_000_000.0)
SQUARE = {"type": "Polygon", "coordinates": [[[9, 45], [10, 45], [10, 46], [9, 46], [9, 45]]]}
SWATH = Swath(annotation="a.xml", calibration="c.xml")


def codes(findings: Any) -> set[str]:
    return {finding.code for finding in findings}


# --- the item alone ---


def make_item(assets: dict[str, Any] | None = None, **changes: Any) -> pystac.Item:
    """A Sentinel-1 RTC item with nothing wrong but for what is changed; properties under `properties`."""
    properties = {"datetime": "2024-05-01T10:00:00Z", "platform": "sentinel-1a"} | changes.pop("properties", {})
    data = {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": [],
        "id": "scene",
        "geometry": SQUARE,
        "bbox": [9, 45, 10, 46],
        "collection": "sentinel-1-rtc",
        "links": [{"rel": "self", "href": f"{WEB}/items/scene"}],
        "properties": {name: value for name, value in properties.items() if value is not None},
        "assets": assets or {"vv": {"href": f"{WEB}/vv.tif"}, "angle": {"href": f"{WEB}/angle.tif"}},
    }
    return pystac.Item.from_dict(data | changes, migrate=False)


REVERSED = {"start_datetime": "2024-05-02T00:00:00Z", "end_datetime": "2024-05-01T00:00:00Z"}
GRID = {"proj:transform": [*TRANSFORM, 0, 0, 1], "proj:shape": [10, 20]}
GRD = {"sar:product_type": "GRD", "proj:epsg": 4326, "proj:shape": [10, 10]}
S2_EXTENSION = "https://stac-extensions.github.io/sentinel-2/v1.0.0/schema.json"
ITEMS: list[tuple[str, dict[str, Any]]] = [
    ("schema-fault", {"properties": {"sat:relative_orbit": "80"}}),
    ("schema-fault", {"properties": {"eo:cloud_cover": "12 %"}}),
    ("schema-fault", {"properties": {"s2:sequence": "0"}, "stac_extensions": [S2_EXTENSION]}),
    ("missing-platform", {"properties": {"platform": None}}),
    ("time-format", {"properties": {"datetime": "2024-05-01 10:00:00+00:00"}}),
    ("broken-times", {"properties": REVERSED}),
    ("broken-times", {"properties": {"start_datetime": "yesterday"}}),
    ("footprint-repaired", {"geometry": {"type": "MultiPolygon", "coordinates": [[]]}}),
    ("footprint-repaired", {"geometry": {"type": "Point", "coordinates": [600000, 5000000]}}),
    ("broken-footprint", {"geometry": {"type": "Point", "coordinates": [600000, 5000000]}, "bbox": [1, 2]}),
    ("footprint-off", {"bbox": [9, 40, 10, 41]}),
    ("inconsistent-grid", {"properties": GRID | {"proj:bbox": [6e5, 4e6, 7e5, 5e6]}}),
    ("invented-transform", {"properties": GRD | {"proj:transform": [0.1, 0, 9, 0, -0.1, 46]}}),
    ("radar-geometry", {"properties": GRD | {"proj:epsg": None}}),
    ("expired-signature", {"assets": {"vv": {"href": f"{WEB}/vv.tif?se=2024-01-01T00%3A00%3A00Z&sig=x"}}}),
    ("missing-angle", {"assets": {"vv": {"href": f"{WEB}/vv.tif"}}}),
    ("type-against-encoding", {"assets": {"vv": {"href": f"{WEB}/vv.tif", "raster:bands": [{"data_type": "uint16"}]}}}),
    ("unknown-collection", {"collection": "naip"}),
    ("refused-address", {"assets": {"vv": {"href": "/etc/passwd"}}}),
    ("broken-item", {"assets": {"thumbnail": {"href": f"{WEB}/t.png"}}}),
    ("unknown-baseline", {"collection": "sentinel-2-l2a", "assets": {"B03": {"href": f"{WEB}/b.tif"}}}),
]  # fmt: skip


@pytest.mark.parametrize(("code", "changes"), ITEMS, ids=[f"{code}-{n}" for n, (code, _) in enumerate(ITEMS)])
def test_item_alone(code: str, changes: dict[str, Any]) -> None:
    assert code in codes(check_item(make_item(**changes), deep=False))


def test_item_without_fault_has_no_finding() -> None:
    assert check_item(make_item(), deep=False) == ()


def test_terrain_corrected_product_that_kept_its_type_is_not_in_radar_geometry() -> None:
    """Planetary Computer's RTC says GRD, and is map-projected."""
    projected = GRD | {"proj:epsg": 32634, "proj:transform": list(TRANSFORM)}
    assert check_item(make_item(properties=projected), deep=False) == ()


@pytest.mark.parametrize(
    ("query", "end"),
    [
        ("se=2024-01-01T00%3A00%3A00Z&sig=x", datetime(2024, 1, 1, tzinfo=UTC)),
        ("X-Amz-Date=20240101T000000Z&X-Amz-Expires=3600", datetime(2024, 1, 1, 1, tzinfo=UTC)),
        ("X-Goog-Date=20240101T000000Z&X-Goog-Expires=60", datetime(2024, 1, 1, 0, 1, tzinfo=UTC)),
        ("Expires=1704067200&Signature=x", datetime(2024, 1, 1, tzinfo=UTC)),
        ("Expires=soon", None),
        ("page=2", None),
    ],
)
def test_end_of_a_signature(query: str, end: datetime | None) -> None:
    assert signature_ends(f"{WEB}/a.tif?{query}") == end
    item = make_item(assets={"vv": {"href": f"{WEB}/a.tif?{query}"}})
    before, after = datetime(2023, 12, 31, tzinfo=UTC), datetime(2024, 1, 2, tzinfo=UTC)
    assert "expired-signature" not in codes(item_findings(item, before))
    assert ("expired-signature" in codes(item_findings(item, after))) == (end is not None)


@pytest.mark.parametrize(
    ("box", "complains"),
    [
        ([6e5, 4_999_900, 600_200, 5e6], False),
        ([6e5, 4_999_895, 600_200, 5e6], False),
        ([6e5, 4_999_800, 600_100, 5e6], True),
    ],
)
def test_grid_spans_its_box_to_half_a_pixel(box: list[float], complains: bool) -> None:
    assert (grid_complaint(GRID | {"proj:bbox": box}) is not None) == complains


# --- the header ---


def header(**changes: Any) -> FileHeader:
    told: dict[str, Any] = {
        "crs": "EPSG:32632",
        "shape": (100, 200),
        "transform": TRANSFORM,
        "control_points": 0,
        "data_type": "float32",
        "nodata": math.nan,
        "tiled": True,
        "overviews": True,
    }
    return FileHeader(**told | changes)


def moved(columns: float, rows: float, pixel: float = 10.0) -> tuple[float, ...]:
    return (pixel, 0.0, TRANSFORM[2] + columns * 10.0, 0.0, -pixel, TRANSFORM[5] - rows * 10.0)


STATED = {"crs": "EPSG:32632", "shape": (100, 200), "transform": TRANSFORM, "data_type": "float32"}
HEADERS: list[tuple[str | None, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    # finding, what the item states, what the file's header says, the rest of the record
    (None, {}, {}, {}),
    (None, {"transform": moved(0.001, 0)}, {}, {}),
    (None, {"crs": "epsg:32632"}, {}, {}),
    (None, {"crs": None, "shape": None, "transform": None, "data_type": None}, {}, {}),
    ("wrong-crs", {"crs": "EPSG:32633"}, {}, {}),
    ("stale-transform", {"transform": moved(300, 0)}, {}, {}),
    ("stale-transform", {"transform": moved(0, 0, 20.0)}, {}, {}),
    ("stale-transform", {"transform": moved(1, 1)}, {}, {}),
    ("half-pixel-grid", {"transform": moved(0.5, -0.5)}, {}, {}),
    ("stale-shape", {"shape": (200, 100)}, {}, {}),
    ("type-differs", {"data_type": "uint16"}, {}, {}),
    ("missing-nodata", {}, {"nodata": None}, {}),
    (None, {}, {"nodata": None}, {"nodata": (0.0,)}),
    (None, {}, {"nodata": -9999.0}, {"nodata": (0.0, -9999.0)}),
    ("nodata-differs", {}, {"nodata": -9999.0}, {"nodata": (0.0,)}),
    ("no-crs", {}, {"crs": None}, {}),
    ("no-annotation", {"transform": None}, {"crs": None, "control_points": 210}, {}),
    ("radar-geometry", {"transform": None}, {"crs": None, "control_points": 210}, {"swath": SWATH}),
    ("invented-transform", {}, {"crs": None, "control_points": 210}, {"swath": SWATH}),
    ("slow-file", {}, {"tiled": False}, {}),
    ("slow-file", {}, {"overviews": False}, {}),
]


@pytest.mark.parametrize(("code", "stated", "says", "record"), HEADERS)
def test_header(code: str | None, stated: dict[str, Any], says: dict[str, Any], record: dict[str, Any]) -> None:
    raster = RasterLayer(href="a.tif", stated=Stated(**STATED | stated), **record)
    found = codes(check_header("scene", "VV", raster, header(**says)))
    assert code in found if code else found == set()


def test_stale_transform_names_the_metres() -> None:
    raster = RasterLayer(href="a.tif", stated=Stated(**STATED | {"transform": moved(300, 0)}))
    (finding,) = check_header("scene", "VV", raster, header())
    assert finding.found.startswith("300 columns and 0 rows off (3000, 0 ")
    assert "e+" not in finding.expected  # metres of a northing, to the digit


# --- pixels ---


def drawn(kind: str, count: int = 4096) -> NDArray[np.float64]:
    """Samples of real backscatter or reflectance: a tenth of the scene is dark."""
    rng = np.random.default_rng(7)
    power = np.where(rng.random(count) < 0.1, 0.004, 0.08) * rng.gamma(5.0, 0.2, count)
    reflectance = np.where(rng.random(count) < 0.1, 0.02, rng.uniform(0.1, 0.4, count))
    return {
        "power": power,
        "denoised": power - 0.004,
        "decibel": 10.0 * np.log10(power),
        "clipped": 10.0 * np.log10(np.maximum(power - 0.004, 1e-10)),
        "amplitude": np.round(np.sqrt(power * 10**8.3)),
        "numbers": np.round(reflectance * 1e4 + 1000),
        "reflectance": reflectance,
        "angle": rng.uniform(30, 45, count),
        "radians": rng.uniform(0.5, 0.8, count),
        "water": 10.0 ** rng.normal(-2.2, 0.1, count),
    }[kind]


def look(values: NDArray[np.float64], **says: Any) -> Look:
    return Look(header(**says), values.reshape(-1, 64))


def with_fill(values: NDArray[np.float64], value: float, share: float = 0.2) -> NDArray[np.float64]:
    copy = values.copy()
    copy[: round(share * copy.size)] = value
    return copy


@pytest.mark.parametrize(
    ("kind", "scale"),
    [
        ("power", "power"),
        ("denoised", "power"),
        ("water", "power"),
        ("decibel", "decibel"),
        ("clipped", "decibel"),
        ("amplitude", "amplitude"),
        ("numbers", "amplitude"),
    ],
)
def test_scale_of_radar_by_its_range(kind: str, scale: str) -> None:
    assert radar_scale(drawn(kind)) == scale


@pytest.mark.parametrize(
    ("values", "fills"),
    [
        (drawn("power"), []),
        (with_fill(drawn("power"), -9999.0), [-9999.0]),
        (with_fill(drawn("power"), 0.0), [0.0]),
        (with_fill(drawn("decibel"), -777.0), [-777.0]),
        (with_fill(drawn("numbers"), 65535.0, 0.02), [65535.0]),
        (with_fill(drawn("numbers"), 65535.0, 0.001), []),  # a few saturated pixels
        (with_fill(drawn("numbers"), 1100.0), []),  # a lake in whole numbers
        (with_fill(drawn("numbers"), 1.0), []),  # a lake clipped at the lowest number
        (np.full(4096, 5.0), []),  # a calm lake, and nothing else
        (np.full(10, -9999.0), []),
    ],
    ids=["none", "-9999", "zero", "far", "65535", "saturated", "lake", "clipped", "calm", "few"],
)
def test_fill_values(values: NDArray[np.float64], fills: list[float]) -> None:
    assert [value for value, _ in fill_values(values)] == fills


POWER, DB, DN = {"encoding": "power"}, {"encoding": "decibel"}, {"encoding": "amplitude", "calibration_db": -83.0}
S2 = {"scale": 1e-4, "offset": -0.1}
PIXELS: list[tuple[set[str], str, NDArray[np.float64], dict[str, Any], dict[str, Any]]] = [
    # findings, layer, sample, record, header
    (set(), "VV", drawn("power"), POWER, {}),
    (set(), "VV", drawn("denoised"), POWER, {}),
    (set(), "VV", drawn("decibel"), DB, {}),
    (set(), "HH", drawn("amplitude"), DN, {"data_type": "uint16"}),
    (set(), "green", drawn("numbers"), S2, {"data_type": "uint16"}),
    (set(), "green", drawn("reflectance"), {"scale": 1.0}, {}),
    (set(), "angle", drawn("angle"), {}, {}),
    (set(), "date", with_fill(drawn("numbers"), -9999.0), {}, {}),
    ({"decibel-as-power"}, "VV", drawn("decibel"), POWER, {}),
    ({"decibel-as-power"}, "HH", drawn("decibel"), DN, {}),
    ({"decibel-as-power"}, "VH", drawn("clipped"), POWER, {}),
    ({"unknown-scale"}, "VV", 100.0 * drawn("decibel"), POWER, {}),
    ({"unknown-scale"}, "VV", 100.0 * drawn("decibel"), DB, {}),
    ({"power-as-decibel"}, "VV", drawn("power"), DB, {}),
    ({"power-as-decibel"}, "HH", drawn("power"), DN, {}),
    ({"amplitude-as-power"}, "HH", drawn("amplitude"), POWER, {}),
    (set(), "VV", drawn("amplitude"), {"encoding": "calibrated", "swath": SWATH}, {}),
    ({"zero-filled"}, "VV", with_fill(drawn("power"), 0.0), POWER, {}),
    ({"zero-filled"}, "VV", with_fill(drawn("decibel"), 0.0), DB, {}),
    (set(), "HH", with_fill(drawn("amplitude"), 0.0), DN | {"nodata": (0.0,)}, {}),
    ({"undeclared-fill"}, "VV", with_fill(drawn("power"), -9999.0), POWER, {}),
    ({"undeclared-fill"}, "HH", with_fill(drawn("amplitude"), 65535.0), DN, {"nodata": None}),
    ({"undeclared-fill"}, "green", with_fill(drawn("numbers"), 65535.0), S2, {"nodata": None, "data_type": "uint16"}),
    (set(), "nir", with_fill(drawn("numbers"), 0.0), S2, {"nodata": None, "data_type": "uint16"}),  # one band: water?
    ({"undeclared-fill", "nodata-never-occurs"}, "VV", with_fill(drawn("power"), -9999.0), POWER, {"nodata": -99.0}),
    ({"nodata-never-occurs"}, "VV", with_fill(drawn("power"), np.nan), POWER, {"nodata": -99.0}),
    ({"undeclared-fill", "decibel-as-power"}, "VV", with_fill(drawn("decibel"), -9999.0), POWER, {}),
    ({"no-data-seen"}, "VV", np.full(4096, np.nan), POWER, {}),
    ({"zero-filled", "no-data-seen"}, "VV", np.zeros(4096), POWER, {}),
    ({"scaled-reflectance"}, "green", drawn("reflectance"), S2, {}),
    ({"angle-out-of-range"}, "angle", drawn("radians"), {}, {}),
    ({"angle-out-of-range"}, "angle", drawn("angle") * 100, {}, {}),
    (set(), "angle", drawn("angle") * 100, {"scale": 0.01}, {}),
]  # fmt: skip


@pytest.mark.parametrize(("found", "layer", "values", "record", "says"), PIXELS)
def test_pixels(
    found: set[str], layer: str, values: NDArray[np.float64], record: dict[str, Any], says: dict[str, Any]
) -> None:
    raster = RasterLayer(href="a.tif", **record)
    assert codes(check_pixels("scene", layer, raster, look(values, **says))) == found


@pytest.mark.parametrize(
    ("scheme", "values", "strange"),
    [
        ("palsar-mosaic", [0, 50, 255], ()),
        ("palsar-mosaic", [0, 50, 7], (7.0,)),
        ("sentinel-2-scl", [4, 6, 12], (12.0,)),
        ("landsat-qa", [21824, 54321], ()),
        ("opera-rtc", [0, 1, 2, 3, 255], ()),
        ("opera-rtc", [0, 1, 4], (4.0,)),
    ],
)
def test_mask_holds_codes_of_its_scheme(scheme: str, values: list[int], strange: tuple[float, ...]) -> None:
    sample = look(np.resize(np.array(values, dtype=np.float64), 4096), data_type="uint8", nodata=None)
    found = check_pixels("scene", "mask", RasterLayer(href="m.tif"), sample, scheme)
    assert [finding.correction for finding in found] == ([Correction(nodata=strange)] if strange else [])


@pytest.mark.parametrize(
    ("zeros", "share"),
    [
        ({"green": 0.25, "nir": 0.25}, 0.25),
        ({"green": 0.25, "nir": 0.24}, 0.24),
        ({"green": 0.01, "nir": 0.25}, 0.0),  # near infrared cut off at zero over water
        ({"green": 0.0, "nir": 0.0}, 0.0),
        ({"green": 0.25}, 0.0),
    ],
)
def test_zero_of_optics_is_fill_where_all_bands_have_it(zeros: dict[str, float], share: float) -> None:
    found = zero_filled({name: with_fill(drawn("numbers"), 0.0, part) for name, part in zeros.items()})
    assert found == pytest.approx(share, abs=1e-3)


@pytest.mark.parametrize(
    ("dark", "applied", "suspect"),
    [
        ({"green": 0.03, "nir": 0.01}, True, False),
        ({"green": -0.02, "nir": -0.08}, True, True),
        ({"green": 0.12, "nir": 0.105}, False, True),
        ({"green": 0.12, "nir": 0.105}, True, False),
        ({"green": 0.3, "nir": 0.2}, False, False),  # desert or snow
        ({}, False, False),
    ],
)
def test_offset_by_the_darkest_pixels(dark: dict[str, float], applied: bool, suspect: bool) -> None:
    assert (codes(check_offset("scene", dark, applied)) == {"offset-suspect"}) == suspect


# --- bands against each other ---


def texture(side: int = 128, seed: int = 3) -> NDArray[np.float64]:
    return np.asarray(gaussian_filter(np.random.default_rng(seed).normal(size=(side, side)), 2.0))


def test_shift_of_contents_is_found_to_a_tenth_of_a_pixel() -> None:
    picture = texture()
    later = shift(picture, (-0.5, 0.25), order=3, mode="nearest")
    found = content_shift(picture, 100.0 + 3.0 * later)
    assert found == pytest.approx((-0.25, 0.5), abs=0.1)
    assert content_shift(picture, np.full_like(picture, np.nan)) is None


def test_majority_tells_which_band_is_off() -> None:
    on, off = header(), header(transform=moved(0.5, 0.5))
    coarse = header(transform=moved(0, 0, 20.0), shape=(50, 100))
    (found,) = band_shifts({"green": off, "blue": on, "nir": on, "swir1": coarse, "mask": coarse})
    assert (found.name, found.part, found.outvoted) == ("green", (0.5, 0.5), True)
    (even,) = band_shifts({"VV": on, "VH": off})
    assert not even.outvoted
    assert band_shifts({"green": on, "nir": header(transform=moved(3, -7))}) == []


@pytest.mark.parametrize(
    ("content", "header_off", "code"),
    [((0.0, 0.0), 0.5, "band-header-shift"), ((-0.5, -0.5), 0.5, "band-shift"), ((0.0, 0.0), 0.0, None)],
    ids=["header-wrong", "really-shifted", "one-grid"],
)
def test_header_or_content(tmp_path: Path, content: tuple[float, float], header_off: float, code: str | None) -> None:
    picture, box = texture(), grid(128, 128)
    other = shift(picture, content, order=3, mode="nearest")
    places = {}
    for name, values, off in (("green", picture, 0.0), ("red", picture, 0.0), ("nir", other, header_off)):
        affine = box.affine @ Affine.translation(off, off)
        href = write_tiff(tmp_path / f"{name}.tif", values, type(box)(box.shape, affine, box.crs))
        raster = RasterLayer(href=href)
        places[name] = raster, look_at(raster).header
    found = list(check_bands("scene", places))
    assert [finding.code for finding in found] == ([code] if code else [])
    if code == "band-header-shift":
        assert found[0].correction is not None
        assert found[0].correction.shift == pytest.approx((-0.5, -0.5))


# --- acquisitions beside each other ---


def radar(name: str, tmp_path: Path, **changes: Any) -> Acquisition:
    return radar_scene(tmp_path, name, {"VV": plain((8, 8), 0.1)}, grid(8, 8), **changes)


def test_mixed_satellites_are_named(tmp_path: Path) -> None:
    scenes = [radar("a", tmp_path), radar("b", tmp_path, platform="sentinel-1c")]
    (finding,) = mixed_satellites(scenes, "during")
    assert finding.found == "sentinel-1a and sentinel-1c"
    assert mixed_satellites(scenes[:1], "during") == ()


def test_angle_is_borrowed_only_on_the_same_track(tmp_path: Path) -> None:
    angle = RasterLayer(href="angle.tif")
    lender = radar("a", tmp_path, layers={"angle": angle}, relative_orbit=80)
    same = radar("b", tmp_path, relative_orbit=80)
    other, unknown = radar("c", tmp_path, relative_orbit=7), radar("d", tmp_path)
    scenes, findings = with_borrowed_angles([lender, same, other, unknown])
    assert [scene.angle_source for scene in scenes] == ["layer", "layer", "mode", "mode"]
    assert [finding.thing for finding in findings] == ["b"]


# --- files ---


def test_examination_of_a_scene_reads_it_as_it_is(tmp_path: Path) -> None:
    values = 10.0 * np.log10(drawn("power")).reshape(64, 64).astype(np.float32)
    values[:20] = -9999.0
    scene = radar_scene(tmp_path, "s", {"VV": values, "VH": values - 6}, grid(64, 64))
    found = examine(scene)
    assert codes(found) == {"decibel-as-power", "undeclared-fill", "missing-nodata"}
    right = cured(scene, found)
    assert right is not None
    assert (right.layers["VV"][0].encoding, right.layers["VV"][0].nodata) == ("decibel", (-9999.0,))
    assert cured(right, examine(right)) == right, "what is read right has no further correction"


def test_zeros_of_an_optical_scene_become_nodata(tmp_path: Path) -> None:
    bands = {name: with_fill(drawn("numbers"), 0.0).reshape(64, 64).astype(np.uint16) for name in ("green", "nir")}
    scene = optical_scene(tmp_path, "s", bands, grid(64, 64))
    bare = {name: (rasters[0].model_copy(update={"nodata": ()}),) for name, rasters in scene.layers.items()}
    scene = scene.model_copy(update={"layers": bare})
    right = cured(scene, examine(scene))
    assert right is not None
    assert [rasters[0].nodata for rasters in right.layers.values()] == [(0.0,), (0.0,)]


def test_lost_files_take_away_what_cannot_do_without_them(tmp_path: Path) -> None:
    box, numbers = (
        grid(16, 16),
        {"green": plain((16, 16), 900.0), "nir": plain((16, 16), 1800.0), "red": plain((16, 16), 1.0)},
    )
    scene = optical_scene(tmp_path, "s", numbers, box, layers={"mask": RasterLayer(href=str(tmp_path / "gone.tif"))})

    def lost(name: str) -> Finding:
        href = scene.layers[name][0].href
        return Finding(code="unreadable", thing="s", layer=name, href=href, found="", expected="")

    left = cured(scene, [lost("red")])
    assert left is not None
    assert set(left.layers) == {"green", "nir", "mask"}
    assert [cured(scene, [lost(name)]) for name in ("nir", "mask")] == [None, None]
    assert codes(examine(scene)) >= {"unreadable"}


def test_file_cut_short_is_unreadable_though_its_header_is_whole(tmp_path: Path) -> None:
    values = np.random.default_rng(1).random((256, 256)).astype(np.float32) * 0.1
    scene = radar_scene(tmp_path, "s", {"VV": values}, grid(256, 256))
    path = Path(scene.layers["VV"][0].href)
    path.write_bytes(path.read_bytes()[:200_000])
    assert "unreadable" in codes(examine(scene))


@pytest.mark.parametrize("classes", [False, True])
def test_sample_of_a_large_file_is_small(tmp_path: Path, classes: bool) -> None:
    path = tmp_path / "large.tif"
    profile = {"driver": "GTiff", "height": 3000, "width": 2500, "count": 1, "dtype": "uint8", "tiled": True}
    with rasterio.open(path, "w", **profile, crs="EPSG:32632", transform=Affine(*TRANSFORM)) as target:
        target.write(np.full((3000, 2500), 4, dtype=np.uint8), 1)
    found = look_at(RasterLayer(href=str(path)), classes)
    assert max(found.values.shape) <= 512
    assert (found.values == 4).all()
    assert not found.header.overviews


# --- the table, and reading targets ---


def test_every_kind_is_in_the_documentation() -> None:
    text = (Path(__file__).parents[1] / "docs" / "catalogs.md").read_text(encoding="utf-8")
    assert kinds_table() in text, "paste catalogs.doctor.findings.kinds_table() into docs/catalogs.md"


def test_findings_come_the_worst_first_and_once() -> None:
    some = [
        Finding(code=code, thing="s", found="x", expected="y") for code in ("missing-angle", "unreadable", "wrong-crs")
    ]
    assert [finding.severity for finding in ordered(some + some)] == ["unusable", "fault", "note"]
    assert (worst(some), worst([])) == ("unusable", None)
    assert "The pipeline " in str(some[0])


def test_every_code_that_is_used_is_in_the_table() -> None:
    """And every one of the table is used."""
    rooms = Path(__file__).parents[1] / "catalogs"
    sources = [*rooms.glob("doctor/*.py"), rooms / "passes.py"]
    text = "".join(path.read_text() for path in sources)
    assert [code for code in KINDS if f'"{code}"' not in text] == []


def test_target_that_is_nothing_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text('{"type": "Topology"}')
    (tmp_path / "broken.json").write_text("{")
    for name in ("other.json", "broken.json", "gone.json"):
        with pytest.raises(SearchError, match="an item, a catalog"):
            check_file(tmp_path / name)


def test_broken_item_in_a_list_is_one_finding(tmp_path: Path) -> None:
    path = tmp_path / "items.json"
    path.write_text(json.dumps([make_item().to_dict(), {"type": "Feature"}]))
    assert codes(check_file(path, deep=False)) == {"broken-item"}


# --- real items and files ---

ES, PC = "data/stac/items/earth-search", "data/stac/items/planetary-computer"


def test_every_real_item_is_read_and_the_invalid_ones_are_named(shared: Path) -> None:
    found = {}
    for path in sorted((shared / "data/stac/items").rglob("*.json")):
        if not any(part.startswith("_") for part in path.parts):
            found[path.relative_to(shared / "data/stac/items").as_posix()] = check_file(path, deep=False)
    assert len(found) > 45
    odd = {name for name, findings in found.items() if "schema-fault" in codes(findings)}
    assert {name.rsplit("/", 1)[0] for name in odd} == {"earth-search/sentinel-2-l2a", "earth-search/sentinel-2-l1c"}
    assert len([name for name in odd if "l2a" in name.split("/")[1]]) == 6
    grd = [findings for name, findings in found.items() if name.startswith("earth-search/sentinel-1-grd/")]
    assert [("invented-transform" in codes(findings)) for findings in grd] == [True] * 3
    arctic = found["planetary-computer/sentinel-2-l2a-four-in-a-row.json"]
    assert "duplicate-pass" not in codes(arctic), "tiles of two zones cover each other near the pole, and are no copies"


def test_real_files_agree_with_what_is_declared(shared: Path, tmp_path: Path) -> None:
    """The mosaic and the band folder as they are; dB as dB without a finding, and as power with one."""
    for folder in ("palsar2/mosaic", "sentinel2"):
        found = check_file(ingest(shared / "data" / folder, tmp_path / folder).catalog)
        assert codes(found) <= {"slow-file"}, folder
    for scale, wrong in (("decibel", set()), ("power", {"decibel-as-power"})):
        description = tmp_path / f"{scale}.yaml"
        product = {
            "files": "*_db.tif",
            "sensor": "sentinel-1",
            "quantity": "gamma0",
            "scale": scale,
            "bands": {"VV": 1},
        }
        description.write_text(json.dumps({"products": [product | {"date": "2015-03-09"}]}))
        found = check_file(ingest(shared / "data/sentinel1", tmp_path / scale, description).catalog)
        assert codes(found) - {"missing-angle"} == wrong


def real_scene(paths: dict[str, Path], **changes: Any) -> Acquisition:
    told = changes.pop("told", {})
    fields: dict[str, Any] = {
        "id": "real", "slices": ("real",), "collection": "test", "sensor": "landsat", "kind": "optical",
        "platform": "landsat-8", "start": NOON, "end": NOON, "quantity": "surface_reflectance",
        "layers": {name: (RasterLayer(href=str(path), **told),) for name, path in paths.items()}, "footprint": {},
    }  # fmt: skip
    return Acquisition(**fields | changes)


def test_real_landsat_and_real_swath(shared: Path) -> None:
    name = shared / "data/landsat/LC08_L2SP_001062_20201031_20201106_02_T2"
    bands = {"blue": 2, "green": 3, "red": 4, "nir": 5, "swir1": 6, "swir2": 7}
    paths = {band: Path(f"{name}_SR_B{number}.TIF") for band, number in bands.items()}
    landsat = real_scene(paths, told={"scale": 2.75e-5, "offset": -0.2, "nodata": (0.0,)})
    assert examine(landsat) == ()
    (folder,) = (shared / "data/sentinel1/grd-gcp").glob("*/measurement")
    paths = {"VV": folder / "iw-vv.tiff", "VH": folder / "iw-vh.tiff"}
    radar_facts = {"sensor": "sentinel-1", "kind": "radar", "band": "C", "quantity": "sigma0"}
    lost = examine(real_scene(paths, told={"encoding": "calibrated", "nodata": (0.0,)}, **radar_facts))
    assert codes(lost) == {"no-annotation"}
    assert cured(real_scene(paths, **radar_facts), lost) is None
    told = {"encoding": "calibrated", "nodata": (0.0,), "swath": SWATH, "access": Access()}
    (vv, vh) = (f for f in examine(real_scene(paths, told=told, **radar_facts)) if f.severity == "unusable")
    assert (vv.code, vh.code) == ("unreadable", "unreadable")
    assert "file a.xml" in vv.found, "the file beside it that is missing"


def test_real_elevation_and_surface_water_are_readable(shared: Path) -> None:
    """They are no acquisition: header and coordinate system are looked at, and nothing else."""
    paths = [*sorted((shared / "data/dem").glob("*.tif")), *sorted((shared / "data/jrc-gsw").glob("*.tif"))]
    assets = {path.stem: {"href": str(path), "type": "image/tiff"} for path in paths}
    item = make_item(assets, collection="some-ancillary", links=[])
    found = check_item(item, catalog_root=shared)
    assert codes(found) == {"unknown-collection", "missing-nodata"}
