"""Landsat Collection 2: quality bits, scale and fill, and whole jobs with nothing but Landsat."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pystac
import pytest
import rasterio
import yaml
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.warp import transform_bounds
from rasterio.windows import from_bounds
from scenes import grid, optical_scene, science, write_tiff

from catalogs.acquisition import to_acquisition
from catalogs.publish import SceneFile, scene_item, write_catalog
from catalogs.records import Acquisition, RasterLayer
from catalogs.search import search
from harmonization.bundle import OpticalBundle
from harmonization.optical.clouds import qa_pixel_reasons
from harmonization.optical.evidence import weigh_optical
from harmonization.optical.indices import ndwi
from harmonization.reasons import Reason
from pipeline.classify import NOT_OBSERVABLE, OUTSIDE
from pipeline.decode import decode
from pipeline.grid import outline_lonlat
from pipeline.ledger import read_item
from pipeline.run_folder import finished_units
from workflows.account import account_of
from workflows.map import map_flood

SPECTRA = {  # blue, green, red, NIR, SWIR 1, SWIR 2
    "crops": (0.04, 0.08, 0.05, 0.40, 0.20, 0.10),
    "water": (0.05, 0.06, 0.04, 0.02, 0.01, 0.01),
    "cloud": (0.40, 0.42, 0.41, 0.45, 0.35, 0.30),
}
KEYS = ("blue", "green", "red", "nir08", "swir16", "swir22")
CLEAR, CLOUD, FILL = 21824, 22280, 1
"""QA_PIXEL of clear land and of cloud as USGS writes them, with their confidence bits."""
SIDE = 64
LAKE, FLOOD, HIDDEN, GAP = np.s_[4:16, 4:16], np.s_[4:16, 16:40], np.s_[36:48, 36:48], np.s_[56:60, :]
REAL = "data/landsat/LC08_L2SP_001062_20201031_20201106_02_T2"


# ---- quality bits


@pytest.mark.parametrize(
    ("quality", "reason"),
    [
        (CLEAR, 0),
        (21952, 0),  # clear, water: the producer's own water mask is not asked
        (CLOUD, Reason.CLOUD),
        (55052, Reason.CLOUD),  # cloud and cirrus
        (54596, Reason.CLOUD),  # cirrus alone
        (21762, Reason.CLOUD),  # the rim that the producer has grown
        (23888, Reason.CLOUD_SHADOW),
        (30048, Reason.SNOW_OR_FROZEN),
        (FILL, Reason.OUTSIDE_SWATH),
        (np.nan, Reason.OUTSIDE_SWATH),
    ],
)
def test_quality_bits(quality: float, reason: int) -> None:
    assert qa_pixel_reasons(np.full((1, 1), quality, dtype=np.float32), 0)[0, 0] == reason


def test_clouds_and_shadows_grow_the_producers_rim_and_snow_do_not() -> None:
    quality = np.full((24, 24), CLEAR, dtype=np.float32)
    quality[5, 5], quality[5, 18], quality[18, 5], quality[18, 18] = CLOUD, 23888, 30048, 21762
    found = qa_pixel_reasons(quality, 2)
    counts = [int((found & bit != 0).sum()) for bit in (Reason.CLOUD, Reason.CLOUD_SHADOW, Reason.SNOW_OR_FROZEN)]
    assert counts == [13 + 1, 13, 1]  # a diamond of radius two, and the rim as it is


# ---- numbers beyond reflectance


@pytest.mark.parametrize(
    ("scale", "offset", "numbers"),
    [(2.75e-5, -0.2, (65535,)), (1e-4, -0.1, (65535, 17500)), (1e-4, 0.0, (65535,))],
    ids=["landsat", "sentinel-2", "sentinel-2 before 04.00"],
)
def test_saturated_numbers_are_not_bright_land(
    tmp_path: Path, scale: float, offset: float, numbers: tuple[int, ...]
) -> None:
    box = grid(24, 24)
    values = np.full((24, 24), round((0.1 - offset) / scale), dtype=np.uint16)
    values[0, : len(numbers)] = numbers
    values[1, 0] = round((1.4 - offset) / scale)  # snow under a low sun is reflectance all the same
    layers = {
        name: RasterLayer(href=write_tiff(tmp_path / f"{name}.tif", values, box), scale=scale, offset=offset)
        for name in ("green", "nir", "red")
    }
    found = decode(optical_scene(tmp_path, "s", {}, box, layers=layers), box, science(cloud_growth_m=0), 1.0, {})
    assert isinstance(found, OpticalBundle)
    assert np.isnan(found.reflectance["green"][0, : len(numbers)]).all()
    assert (found.reasons[0, : len(numbers)] & Reason.OUTSIDE_SWATH != 0).all()
    assert found.reflectance["green"][1, 0] == pytest.approx(1.4, abs=1e-2)  # Sentinel-2 as Landsat would see it
    assert not weigh_optical("landsat", found).observed[0, : len(numbers)].any()


def test_a_cloud_that_saturates_one_band_is_not_taken_for_land(tmp_path: Path) -> None:
    """Without a cloud mask the blue band decides; where it is saturated nothing can be said."""
    box = grid(8, 8)
    numbers = {name: np.full((8, 8), 3000, dtype=np.uint16) for name in ("blue", "green", "red", "nir")}
    numbers["blue"][3, 3] = 65535
    found = decode(optical_scene(tmp_path, "s", numbers, box), box, science(cloud_growth_m=0), 1.0, {})
    assert found.reasons[3, 3] & Reason.OUTSIDE_SWATH


# ---- whole jobs


def landsat_item(folder: Path, name: str, day: datetime, wet: list[Any], box: GeoBox) -> pystac.Item:
    """A scene as USGS writes it: crops, water where told, a cloud, and a gap without data."""
    folder.mkdir(parents=True, exist_ok=True)
    ground = np.full((SIDE, SIDE), "crops", dtype="<U5")
    quality = np.full((SIDE, SIDE), CLEAR, dtype=np.uint16)
    for where in wet:
        ground[where], quality[where] = "water", 21952
    ground[HIDDEN], quality[HIDDEN] = "cloud", CLOUD
    quality[GAP] = FILL
    files = {}
    for number, key in enumerate(KEYS):
        values = np.zeros((SIDE, SIDE), dtype=np.uint16)
        for kind, spectrum in SPECTRA.items():
            values[ground == kind] = round((spectrum[number] + 0.2) / 2.75e-5)
        values[GAP] = 0
        write_tiff(folder / f"{name}_{key}.tif", values, box, nodata=0)
        files[key] = SceneFile(path=folder / f"{name}_{key}.tif")
    write_tiff(folder / f"{name}_qa.tif", quality, box)
    files["qa_pixel"] = SceneFile(path=folder / f"{name}_qa.tif")
    properties = {"platform": "landsat-9", "landsat:wrs_path": "192", "landsat:wrs_row": "029"}
    return scene_item(name, "landsat-c2-l2", files, start=day, properties=properties)


def mapped(folder: Path, catalog: Path, **told: Any) -> Path:
    job = folder / "job.yaml"
    told = {"name": "landsat", "catalog": str(catalog), "sensors": ["landsat"], "resolution": 30} | told
    job.write_text(yaml.safe_dump(told | {"methods": ["ndwi", "physics"]}))
    map_flood(job, folder / "run")
    return folder / "run"


def read(run: Path, name: str, box: GeoBox | None = None) -> NDArray[Any]:
    """A layer of the one unit, all of it or what lies in a box of its grid."""
    (folder,) = finished_units(run)
    with rasterio.open(folder / f"{name}.tif") as source:
        window = None if box is None else from_bounds(*box.boundingbox.bbox, transform=source.transform)
        values: NDArray[Any] = source.read(1, window=window, boundless=box is not None, fill_value=OUTSIDE)
    return values


def test_a_flood_seen_by_landsat_alone(tmp_path: Path) -> None:
    box = grid(SIDE, SIDE, resolution=30.0)
    items = [
        landsat_item(tmp_path / "files", "LC09_L2SP_192029_20230501_02_T1", datetime(2023, 5, 1, 10, tzinfo=UTC),
                     [LAKE], box),
        landsat_item(tmp_path / "files", "LC09_L2SP_192029_20230517_02_T1", datetime(2023, 5, 17, 10, tzinfo=UTC),
                     [LAKE, FLOOD], box),
    ]  # fmt: skip
    catalog = write_catalog(tmp_path / "catalog", items, "landsat")
    area = [round(value, 6) for value in outline_lonlat(box).boundingbox.bbox]
    run = mapped(tmp_path, catalog, area=area, before=["2023-05-01", "2023-05-01"], during=["2023-05-17", "2023-05-17"])
    for name in ("flood_class", "methods/ndwi"):
        classes = read(run, name, box)
        inner = {"flood": classes[6:14, 19:37], "lake": classes[6:14, 6:14], "crops": classes[22:32, 6:60]}
        assert {kind: np.unique(values).tolist() for kind, values in inner.items()} == {
            "flood": [1],
            "lake": [3],
            "crops": [0],
        }, name
    classes = read(run, "flood_class", box)
    assert (classes[HIDDEN] == NOT_OBSERVABLE).all()
    assert (classes[57:59, 4:60] == NOT_OBSERVABLE).all(), "a gap is not dry"
    reasons = read(run, "exclusion", box)
    assert (reasons[HIDDEN] & Reason.CLOUD != 0).all()
    assert (reasons[57:59, 4:60] & Reason.OUTSIDE_SWATH != 0).all()
    assert (
        decode(
            search(catalog, area=tuple(area), start=datetime(2023, 5, 17), end=datetime(2023, 5, 18)).acquisitions[0],
            grid(SIDE, SIDE, 10.0),
            science(),
            1.0,
            {},
        ).cell
        == 4
    ), "45 m"
    told = account_of(run).sensors["landsat"]
    assert told.cloud_tests == {"quality-bits"}


def sentinel2_item(folder: Path, box: GeoBox) -> pystac.Item:
    """A look of Sentinel-2 two days later, its west half under cloud; dry all over, but for the lake."""
    folder.mkdir(parents=True, exist_ok=True)
    ground = np.full((SIDE, SIDE), "crops", dtype="<U5")
    ground[LAKE] = "water"
    classes = np.full((SIDE, SIDE), 4, dtype=np.uint8)
    classes[:, : SIDE // 2] = 9
    files = {"SCL": SceneFile(path=Path(write_tiff(folder / "SCL.tif", classes, box)))}
    for number, key in enumerate(("B02", "B03", "B04", "B08", "B11", "B12")):
        values = np.zeros((SIDE, SIDE), dtype=np.uint16)
        for kind, spectrum in SPECTRA.items():
            values[ground == kind] = round((spectrum[number] + 0.1) / 1e-4)
        files[key] = SceneFile(path=Path(write_tiff(folder / f"{key}.tif", values, box)))
    when = datetime(2023, 5, 19, 10, tzinfo=UTC)
    told = {"platform": "Sentinel-2B", "s2:processing_baseline": "05.10"}
    return scene_item("S2B_MSIL2A_20230519T100000_R022_T32TQR_1", "sentinel-2-l2a", files, start=when, properties=told)


def test_landsat_sees_where_sentinel2_is_clouded(tmp_path: Path) -> None:
    box = grid(SIDE, SIDE, resolution=30.0)
    name = "LC09_L2SP_192029_20230517_02_T1"
    landsat = landsat_item(tmp_path / "files", name, datetime(2023, 5, 17, 10, tzinfo=UTC), [LAKE, FLOOD], box)
    catalog = write_catalog(tmp_path / "catalog", [landsat, sentinel2_item(tmp_path / "s2", box)], "both")
    area = [round(value, 6) for value in outline_lonlat(box).boundingbox.bbox]
    run = mapped(tmp_path, catalog, area=area, during=["2023-05-17", "2023-05-20"], sensors=["sentinel-2", "landsat"])
    ndwi_map, classes = read(run, "methods/ndwi", box), read(run, "flood_class", box)
    assert (ndwi_map[6:14, 17:28] == 1).all(), "under the cloud of Sentinel-2: Landsat's water"
    assert (ndwi_map[6:14, 35:38] == 0).all(), "where both saw: the later look, at t*"
    assert (classes[6:14, 17:28] == 1).all()
    assert (classes[38:46, 38:46] == 0).all(), "under the cloud of Landsat: Sentinel-2's crops"
    assert set(account_of(run).sensors) == {"sentinel-2", "landsat"}


def real_item(shared: Path) -> pystac.Item:
    """The real reduced scene as an item of today (its own is of STAC 0.7)."""
    files = {key: SceneFile(path=shared / f"{REAL}_SR_B{number}.TIF") for number, key in enumerate(KEYS[:4], 2)}
    files |= {
        "swir16": SceneFile(path=shared / f"{REAL}_SR_B6.TIF"),
        "swir22": SceneFile(path=shared / f"{REAL}_SR_B7.TIF"),
    }
    files["qa_pixel"] = SceneFile(path=shared / f"{REAL}_QA_PIXEL.TIF")
    properties = {"platform": "LANDSAT_8", "landsat:wrs_path": "001", "landsat:wrs_row": "062"}
    when = datetime(2020, 10, 31, 14, 30, tzinfo=UTC)
    return scene_item(Path(REAL).name, "landsat-c2-l2", files, start=when, properties=properties)


@pytest.fixture
def real(shared: Path) -> tuple[Acquisition, GeoBox]:
    scene = to_acquisition(real_item(shared), catalog_root="/")
    with rasterio.open(scene.layers["green"][0].href) as source:
        return scene, GeoBox(source.shape, source.transform, source.crs)


def test_real_scene_is_scaled_and_masked(real: tuple[Acquisition, GeoBox]) -> None:
    scene, box = real
    assert (scene.platform, scene.part, scene.relative_orbit) == ("landsat-8", "001062", 1)
    found = decode(scene, box, science(cloud_growth_m=0), 1.0, {})
    assert isinstance(found, OpticalBundle)
    with rasterio.open(scene.layers["green"][0].href) as green, rasterio.open(scene.layers["mask"][0].href) as quality:
        numbers, bits = green.read(1), quality.read(1)
    expected = np.where(numbers == 0, np.nan, numbers * 2.75e-5 - 0.2)
    np.testing.assert_allclose(found.reflectance["green"], expected, atol=1e-6)
    assert (found.reasons[numbers == 0] & Reason.OUTSIDE_SWATH != 0).all()
    np.testing.assert_array_equal(found.reasons & Reason.CLOUD != 0, bits & 0b1110 != 0)
    np.testing.assert_array_equal(found.reasons & Reason.CLOUD_SHADOW != 0, bits & 0b10000 != 0)
    assert not weigh_optical("landsat", found).observed.any(), "99.94 % cloud, and the rest its shadow"


def test_evidence_of_real_numbers_is_finite(real: tuple[Acquisition, GeoBox]) -> None:
    """Its cloud mask set aside: what the numbers alone would say."""
    scene, box = real
    layers = {name: rasters for name, rasters in scene.layers.items() if name != "mask"}
    found = decode(scene.model_copy(update={"layers": layers, "mask_scheme": None}), box, science(), 1.0, {})
    assert isinstance(found, OpticalBundle)
    seen = (
        found.reflectance["green"] + found.reflectance["nir"] > 1e-4
    )  # NaN is not; the rim of the swath has negatives
    assert np.isfinite(ndwi(found.reflectance["green"], found.reflectance["nir"])[seen]).all()
    assert np.isfinite(weigh_optical("landsat", found).llr).all()
    assert (found.reasons[seen] & Reason.CLOUD != 0).mean() > 0.5, "the spectral test sees the cloud too"


def test_a_job_on_the_real_scene_says_that_it_saw_nothing(shared: Path, tmp_path: Path) -> None:
    catalog = write_catalog(tmp_path / "catalog", [real_item(shared)], "landsat")
    west, south, east, north = transform_bounds("EPSG:32620", "EPSG:4326", 250_000, -330_000, 254_000, -326_000)
    run = mapped(tmp_path, catalog, area=[west, south, east, north], during=["2020-10-31", "2020-10-31"])
    classes = read(run, "flood_class")
    assert np.unique(classes[classes != OUTSIDE]).tolist() == [NOT_OBSERVABLE]
    item = read_item(finished_units(run)[0])
    assert item is not None
    assert item["properties"]["overbank:sensors"]["landsat"]["cloud_test"] == "quality-bits"
    found = search(catalog, area=(west, south, east, north), start=datetime(2020, 10, 1), end=datetime(2020, 11, 1))
    assert found.acquisitions[0].bytes is not None
