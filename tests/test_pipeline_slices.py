"""Slices of a pass on disk: mapped as one they give what the uncut scene gives, without a seam and without a gap."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import yaml
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.warp import Resampling, reproject
from rasterio.windows import Window
from scenes import NOON, grid, optical_scene, plain, radar_scene, science

from catalogs.passes import passes
from catalogs.publish import SceneFile, scene_item, write_catalog
from catalogs.records import Acquisition
from catalogs.search import read_item
from harmonization.bundle import OpticalBundle, RadarBundle
from harmonization.reasons import Reason
from pipeline.decode import decode
from pipeline.ledger import read_item as read_unit
from pipeline.run_folder import finished_units
from workflows.map import map_flood
from workflows.simulate import simulate

TEXTURE = np.random.default_rng(5).gamma(4.0, 0.02, (48, 48)).astype(np.float32)
ONE_TRACK = {"relative_orbit": 51, "orbit_direction": "descending"}


def decoded(scene: Acquisition, box: GeoBox) -> RadarBundle:
    found = decode(scene, box, science(), 12.0, {"VV": -30.0})
    assert isinstance(found, RadarBundle)
    return found


def joined(*slices: Acquisition) -> Acquisition:
    (whole,), notes = passes(slices)
    assert notes == ()
    return whole


@pytest.mark.parametrize("resolution", [10.0, 20.0, 25.0, 7.0])
@pytest.mark.parametrize("cuts", [(24, 24), (30, 18)], ids=["adjacent", "overlapping"])
def test_two_slices_decode_like_the_uncut_scene(tmp_path: Path, resolution: float, cuts: tuple[int, int]) -> None:
    """On the file's own grid, on coarser and on finer ones: to the last bit."""
    end, start = cuts
    whole = radar_scene(tmp_path, "whole", {"VV": TEXTURE}, grid(48, 48))
    first = radar_scene(tmp_path, "first", {"VV": TEXTURE[:end]}, grid(end, 48), **ONE_TRACK)
    second = radar_scene(tmp_path, "second", {"VV": TEXTURE[start:]}, grid(48 - start, 48, row=start), **ONE_TRACK)
    box = grid(round(480 / resolution), round(480 / resolution), resolution)
    expected, found = decoded(whole, box), decoded(joined(second, first), box)
    np.testing.assert_array_equal(found.power["VV"], expected.power["VV"])
    np.testing.assert_array_equal(found.reasons, expected.reasons)
    assert np.isfinite(found.power["VV"]).all()


def test_a_slice_without_a_polarization_leaves_a_gap_in_that_one_only(tmp_path: Path) -> None:
    both = {"VV": TEXTURE[:24], "VH": TEXTURE[:24] / 4}
    first = radar_scene(tmp_path, "first", both, grid(24, 48), **ONE_TRACK)
    second = radar_scene(tmp_path, "second", {"VV": TEXTURE[24:]}, grid(24, 48, row=24), **ONE_TRACK)
    found = decode(joined(first, second), grid(48, 48), science(), 12.0, {"VV": -30.0, "VH": -30.0})
    assert isinstance(found, RadarBundle)
    assert np.isfinite(found.power["VV"]).all()
    assert np.isnan(found.power["VH"][26:]).all()
    assert (found.reasons == 0).all()


def other_zone(values: NDArray[np.uint16], box: GeoBox, crs: str, kind: Resampling) -> tuple[NDArray[Any], GeoBox]:
    """The same ground on a grid of the neighbouring zone, as the producer of tiles would give it."""
    target = GeoBox.from_bbox(box.extent.to_crs(crs).boundingbox, crs, resolution=10.0)
    result = np.zeros(target.shape.yx, dtype=values.dtype)
    place = {"src_transform": box.affine, "src_crs": str(box.crs), "src_nodata": 0}
    reproject(values, result, dst_transform=target.affine, dst_crs=crs, dst_nodata=0, resampling=kind, **place)
    return result, target


def test_two_tiles_of_two_zones_meet_without_a_gap(tmp_path: Path) -> None:
    """One half of the ground lies in a tile of zone 32, the other in a tile of zone 33, a few pixels shared."""
    rows, columns = np.mgrid[0:60, 0:60]
    ground: Mapping[str, NDArray[np.uint16]] = {
        "green": (1200 + 8 * rows).astype(np.uint16),
        "nir": (900 + 20 * columns).astype(np.uint16),
    }
    west = optical_scene(tmp_path, "west", {name: values[:, :32] for name, values in ground.items()}, grid(60, 32),
                         part="32TQR", relative_orbit=22)  # fmt: skip
    east_box = grid(60, 34, column=26)
    moved = {name: other_zone(values[:, 26:], east_box, "EPSG:32633", Resampling.bilinear)
             for name, values in ground.items()}  # fmt: skip
    east = optical_scene(
        tmp_path, "east", {name: values for name, (values, _) in moved.items()}, moved["green"][1], part="33TTL",
        relative_orbit=22,
    )  # fmt: skip
    found = decode(joined(east, west), grid(60, 60), science(), 1.0, {})
    assert isinstance(found, OpticalBundle)
    inner = np.s_[2:-2, 2:-2]
    assert (found.reasons[inner] & Reason.OUTSIDE_SWATH == 0).all()
    for name, values in ground.items():
        np.testing.assert_allclose(found.reflectance[name][inner], values[inner] * 1e-4, atol=1.5e-3)


# ---- a whole job


def cut(source: Path, target: Path, rows: slice) -> None:
    """Some rows of a raster as a file of their own; `rows` in tenths of its height."""
    with rasterio.open(source) as whole:
        top, bottom = (round(whole.height * tenth / 10) for tenth in (rows.start, rows.stop))
        window = Window(0, top, whole.width, bottom - top)
        profile = whole.profile | {"height": bottom - top, "transform": whole.window_transform(window)}
        for key in ("blockxsize", "blockysize", "tiled", "interleave"):
            profile.pop(key, None)
        with rasterio.open(target, "w", **profile | {"driver": "GTiff"}) as part:
            part.write(whole.read(window=window))


def slice_scenes(scenes: Path, out: Path) -> Path:
    """The simulated catalog again, each scene in two pieces: radar overlapping, optics as two tiles side by side."""
    items = []
    for path in sorted(scenes.rglob("*_sim*.json")):
        item = read_item(path)
        overlap = not str(item.collection_id).startswith("sentinel-2")
        for number, rows in enumerate((slice(0, 6), slice(4, 10)) if overlap else (slice(0, 5), slice(5, 10))):
            files = {}
            for key, asset in item.assets.items():
                folder = out / "scenes" / item.id / str(number)
                folder.mkdir(parents=True, exist_ok=True)
                cut(Path(asset.get_absolute_href() or ""), folder / f"{key}.tif", rows)
                files[key] = SceneFile(path=folder / f"{key}.tif")
            assert item.datetime is not None
            kept = {
                key: value for key, value in item.properties.items() if key.startswith(("sat:", "overbank:", "s2:"))
            }
            kept |= {"platform": item.properties["platform"], "s2:mgrs_tile": f"32TQ{'RS'[number]}"}
            items.append(
                scene_item(f"{item.id}_{number}", str(item.collection_id), files, start=item.datetime, properties=kept)
            )
    return write_catalog(out, items, "slices")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same simulated flood, mapped uncut and in slices."""
    folder = tmp_path_factory.mktemp("slices")
    simulate(folder / "whole", 128, 3)
    catalogs = {"whole": folder / "whole/catalog.json", "cut": slice_scenes(folder / "whole", folder / "cut")}
    told = yaml.safe_load((folder / "whole/job.yaml").read_text())
    told |= {"area": str(folder / "whole/area.geojson"), "methods": ["ndwi", "radar_threshold", "physics"]}
    for name, catalog in catalogs.items():
        job = folder / f"{name}.yaml"
        job.write_text(yaml.safe_dump(told | {"catalog": str(catalog)}))
        map_flood(job, folder / f"run_{name}")
    return folder / "run_whole", folder / "run_cut"


def test_prepare_measures_once_a_pass(runs: tuple[Path, Path]) -> None:
    whole, sliced = (json.loads((run / "prepared.json").read_text())["prepared"] for run in runs)
    for name in ("looks", "noise_db", "thresholds"):
        assert {key.removesuffix("_0+1"): value for key, value in sliced[name].items()} == whole[name], name
    assert (sliced["water"], sliced["vegetation"]) == (whole["water"], whole["vegetation"])


def test_a_job_of_slices_gives_the_map_of_the_uncut_scenes(runs: tuple[Path, Path]) -> None:
    (whole,), (sliced,) = (finished_units(run) for run in runs)
    for path in sorted(whole.rglob("*.tif")):
        with rasterio.open(path) as first, rasterio.open(sliced / path.relative_to(whole)) as second:
            np.testing.assert_array_equal(first.read(), second.read(), err_msg=path.name)


def test_the_map_names_every_slice_it_is_derived_from(runs: tuple[Path, Path]) -> None:
    (whole,), (sliced,) = (finished_units(run) for run in runs)
    sources = []
    for folder in (whole, sliced):
        item = read_unit(folder)
        assert item is not None
        sources.append([link["href"] for link in item["links"] if link["rel"] == "derived_from"])
    assert sources[1] == [f"{href}_{number}" for href in sources[0] for number in (0, 1)]


# ---- mosaics: only pixels of the time before


def mosaic_scene(folder: Path, days: NDArray[np.uint16], power: NDArray[np.float32], **changes: Any) -> Acquisition:
    """A mosaic of the flood's year whose pixels are dated in days since 1970."""
    dates = optical_scene(folder, "dates", {"date": days}, grid(48, 48)).layers["date"][0]
    layer = dates.model_copy(update={"scale": 1.0, "offset": 0.0})
    return radar_scene(
        folder, "mosaic", {"VV": power}, grid(48, 48), layers={"date": layer}, reference_only=True,
        start=NOON - timedelta(days=100), end=NOON + timedelta(days=200), **changes,
    )  # fmt: skip


@pytest.mark.parametrize("resolution", [10.0, 20.0])
def test_pixels_of_a_mosaic_from_after_the_flood_began_are_not_read(tmp_path: Path, resolution: float) -> None:
    """19495 is 2023-05-18. West: the day before; middle: the day itself; east: later; a row without a date."""
    days = np.full((48, 48), 19494, dtype=np.uint16)
    days[:, 16:32], days[:, 32:], days[0:2] = 19495, 19600, 0
    power = np.where(np.arange(48)[None] < 16, 0.1, 9.0).repeat(48, axis=0).astype(np.float32)
    until = NOON.replace(hour=0) - timedelta(microseconds=1)
    box = grid(round(480 / resolution), round(480 / resolution), resolution)
    found = decoded(mosaic_scene(tmp_path, days, power, usable_until=until), box)
    west = round(160 / resolution)
    np.testing.assert_allclose(found.power["VV"][4:, :west], 0.1, rtol=1e-5, err_msg="nothing later was averaged in")
    late = found.reasons[4:, west + 2 :]
    assert np.isnan(found.power["VV"][4:, west + 2 :]).all()
    assert (late & Reason.NO_SCENE != 0).all()
    assert np.isnan(found.power["VV"][0]).all(), "no date, no sample"


def test_the_last_day_counts_when_it_is_over(tmp_path: Path) -> None:
    scene = mosaic_scene(tmp_path, np.full((48, 48), 19495, dtype=np.uint16), plain((48, 48), 0.1))
    for until, seen in ((NOON, False), (NOON.replace(hour=23, minute=59, second=59), True)):
        found = decoded(scene.model_copy(update={"usable_until": until}), grid(48, 48))
        assert np.isfinite(found.power["VV"]).all() == seen
