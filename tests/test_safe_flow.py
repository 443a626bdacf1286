"""A SAFE product with pixels, from the simulator through ingest to the map: the same flood as the corrected product."""

from __future__ import annotations

import json
import warnings
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import numpy as np
import pystac
import pytest
import rasterio
import yaml
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from scenes import plain, radar_scene, science, write_tiff
from scipy import ndimage
from stac_validation import validate_item
from test_pipeline_prepare import plan_of
from typer.testing import CliRunner

from catalogs.doctor.cure import cured
from catalogs.doctor.examine import examine
from catalogs.errors import ReadError
from catalogs.products import ingest
from catalogs.records import Acquisition, RasterLayer
from catalogs.search import search
from harmonization.bundle import RadarBundle
from harmonization.simulate.event import Event, simulate_event
from harmonization.simulate.radar import S1_NOISE_DB, ground_gamma0, sentinel1_pass
from harmonization.simulate.swath import ellipsoid_gamma0
from pipeline.compare import compare_run
from pipeline.decode import decode
from pipeline.prepare import prepare
from pipeline.run_folder import finished_units
from pipeline.swath import noise_on
from pipeline.swath_terrain import datum_offset, swaths_of
from workflows.cli import app
from workflows.map import map_flood
from workflows.simulate import Sentinel1, geobox, simulate

SIZE, SEED = 256, 3
EVERYWHERE = (-180.0, -90.0, 180.0, 90.0)


@pytest.fixture(scope="module")
def floods(tmp_path_factory: pytest.TempPathFactory) -> dict[Sentinel1, Path]:
    """The same flood with Sentinel-1 as corrected rasters and as SAFE products."""
    folders: dict[Sentinel1, Path] = {"rtc": tmp_path_factory.mktemp("rtc"), "safe": tmp_path_factory.mktemp("safe")}
    for kind, folder in folders.items():
        simulate(folder, SIZE, SEED, sentinel1=kind)
    return folders


@pytest.fixture(scope="module")
def event() -> Event:
    return simulate_event(SIZE, SEED)


def radar(catalog: Path) -> Acquisition:
    """The Sentinel-1 pass of the flood."""
    found = search(
        catalog, area=EVERYWHERE, start=datetime(2024, 2, 1), end=datetime(2024, 3, 1), sensors=["sentinel-1"]
    )
    assert found.problems == ()
    (scene,) = found.acquisitions
    return scene


def test_product_is_examined_with_the_files_beside_it(floods: dict[Sentinel1, Path], tmp_path: Path) -> None:
    """In radar geometry, and nothing wrong with that; without its calibration, or cut, it is taken out and named."""
    scene = radar(floods["safe"])
    findings = examine(scene)
    assert not [str(finding) for finding in findings if finding.severity != "note"]
    assert "radar-geometry" in {finding.code for finding in findings}
    assert cured(scene, findings) == scene
    (layer,) = scene.layers["VV"]
    assert layer.swath is not None
    gone, other = tmp_path / "calibration-gone.xml", tmp_path / "cut.tiff"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(layer.href) as source:
            profile = {"driver": "GTiff", "count": 1, "dtype": "uint16", "width": source.width}
            place = {"gcps": source.gcps[0], "crs": source.gcps[1], "height": source.height - 1}
            with rasterio.open(other, "w", **profile | place) as cut:
                cut.write(source.read()[:, :-1])
    lost = layer.model_copy(update={"swath": layer.swath.model_copy(update={"calibration": str(gone)})})
    for changed, named in ((lost, gone.name), (layer.model_copy(update={"href": str(other)}), "lines of")):
        broken = scene.model_copy(update={"layers": scene.layers | {"VV": (changed,)}})
        (finding,) = (finding for finding in examine(broken) if finding.severity == "unusable")
        assert named in str(finding)
        left = cured(broken, [finding])
        assert left is not None
        assert left.polarizations == ("VH",)


def test_noise_is_measured_where_the_product_lies(floods: dict[Sentinel1, Path], event: Event, tmp_path: Path) -> None:
    """In an area larger than the pass, the windows that all share show the first scene and nothing of this one."""
    scene, here = radar(floods["safe"]), geobox(event.grid)
    away = GeoBox(here.shape, here.affine.translation(-10_240.0, 0.0) * here.affine, here.crs)
    first = radar_scene(tmp_path, "first", {"VV": plain(here.shape.yx, 0.1)}, away)
    alone = prepare(plan_of([scene], None, here), science(), lambda _: None)
    both = prepare(plan_of([first, scene], None, away, away, away, here), science(), lambda _: None)
    assert both.noise_db[scene.id] == pytest.approx(alone.noise_db[scene.id], abs=0.1)


def look(scene: Acquisition, box: GeoBox, *elevation: RasterLayer) -> RadarBundle:
    """As the sensor saw it: no multilooking."""
    bundle = decode(scene, box, science(multilook={"C": 1, "L": 1}), 4.4, S1_NOISE_DB, elevation)
    assert isinstance(bundle, RadarBundle)
    return bundle


def expected(event: Event, scene: Acquisition, name: str, box: GeoBox, flat: bool = False) -> NDArray[np.float64]:
    """The truth of the ground, as the product must show it: gamma0 of the ellipsoid, and the noise with it.

    `flat`: gamma0 of the terrain, as it must come out where the elevation is known; the noise is turned with it.
    """
    track, inner = sentinel1_pass(SEED), event.ground.inner
    ellipsoid = ellipsoid_gamma0(event.ground, "during", track, SEED)[name][inner]
    (layer,) = scene.layers[name]
    if not flat:
        return np.asarray(ellipsoid + noise_on(layer, box))
    terrain = ground_gamma0(event.ground, "during", "C", track, SEED)[0][name][inner]
    return np.asarray(terrain * (1.0 + noise_on(layer, box) / ellipsoid))


def block_decibel(values: NDArray[Any], side: int) -> NDArray[np.float64]:
    count = SIZE // side
    return np.asarray(10 * np.log10(values.reshape(count, side, count, side).mean(axis=(1, 3), dtype=float)))


@pytest.mark.parametrize("name", ["VV", "VH"])
def test_product_decodes_to_the_power_it_was_made_from(floods: dict[Sentinel1, Path], event: Event, name: str) -> None:
    """Means over blocks of 640 m within 0.2 dB of the flattened ground: speckle leaves 0.05 dB of deviation there."""
    scene, box = radar(floods["safe"]), geobox(event.grid)
    dem = RasterLayer(href=str(floods["safe"] / "elevation.tif"))
    found, truth = look(scene, box, dem).power[name], expected(event, scene, name, box, flat=True)
    off = block_decibel(found, 64) - block_decibel(truth, 64)
    print(f"{name}: at most {np.abs(off).max():.3f} dB off, {off.mean():+.3f} dB on average")
    assert np.abs(off).max() < 0.2
    assert abs(off.mean()) < 0.05


def alike(first: NDArray[Any], second: NDArray[Any]) -> dict[tuple[int, int], float]:
    """Correlation of two images, by shift of the second in pixels (down, right)."""
    one, two = (np.log(ndimage.gaussian_filter(values, 1.0)) for values in (first, second))
    inner = np.s_[8:-8, 8:-8]
    return {
        (down, across): float(
            np.corrcoef(one[inner].ravel(), np.roll(two, (down, across), (0, 1))[inner].ravel())[0, 1]
        )
        for down in range(-3, 4)
        for across in range(-3, 4)
    }


def test_pixels_lie_where_the_ground_is(floods: dict[Sentinel1, Path], event: Event) -> None:
    """Without terrain within a pixel; with it exactly, and the hills too."""
    scene, box = radar(floods["safe"]), geobox(event.grid)
    truth = expected(event, scene, "VV", box)
    flat = alike(look(scene, box).power["VV"], truth)
    dem = RasterLayer(href=str(floods["safe"] / "elevation.tif"))
    turned = expected(event, scene, "VV", box, flat=True)
    corrected = alike(look(scene, box, dem).power["VV"], turned)
    assert max(map(abs, max(flat, key=lambda shift: flat[shift]))) <= 1
    assert max(corrected, key=lambda shift: corrected[shift]) == (0, 0)
    hills = event.elevation > np.quantile(event.elevation, 0.9)
    error = {
        told: np.abs(np.log(ndimage.gaussian_filter(look(scene, box, *given).power["VV"] / ground, 2.0)))[hills].mean()
        for told, given, ground in (("flat", (), truth), ("corrected", (dem,), turned))
    }
    print(f"correlation {flat[0, 0]:.4f} without terrain, {corrected[0, 0]:.4f} with; on hills {error}")
    assert corrected[0, 0] > flat[0, 0]
    assert error["corrected"] < 0.9 * error["flat"]


def test_elevation_above_the_geoid_places_the_same(floods: dict[Sentinel1, Path], event: Event) -> None:
    """45 m between the surfaces that heights count from would be 5 pixels; it is measured and taken out."""
    scene, box = radar(floods["safe"]), geobox(event.grid)
    path = str(floods["safe"] / "elevation.tif")
    power = [look(scene, box, RasterLayer(href=path, offset=offset)).power["VV"] for offset in (0.0, -45.0)]
    np.testing.assert_allclose(power[0], power[1], rtol=1e-3)
    assert not np.allclose(power[0], look(scene, box).power["VV"], rtol=1e-2)
    swaths = swaths_of(scene.layers["VV"])
    offset = datum_offset(swaths, (RasterLayer(href=path, offset=-45.0),))
    assert offset == pytest.approx(45.0, abs=1.0)


def test_a_part_of_a_grid_is_decoded_to_the_bytes_of_the_whole(floods: dict[Sentinel1, Path], event: Event) -> None:
    """With terrain, and on a grid coarser than the samples; parts begin on multiples of 16 pixels of the lattice."""
    scene = radar(floods["safe"])
    dem = RasterLayer(href=str(floods["safe"] / "elevation.tif"))
    for box in (geobox(event.grid), geobox(event.grid).zoom_out(2)):
        whole = look(scene, box, dem)
        part = look(scene, box[32:96, 64:128], dem)
        for name in ("VV", "VH"):
            assert np.array_equal(whole.power[name][32:96, 64:128], part.power[name])
        assert whole.angle is not None
        assert part.angle is not None
        assert np.array_equal(whole.angle[32:96, 64:128], part.angle)


def test_elevation_that_does_not_fit_the_tie_points_moves_nothing(
    floods: dict[Sentinel1, Path], event: Event, tmp_path: Path
) -> None:
    """Of another place, or all noise: the product is placed by its tie points alone."""
    scene, box = radar(floods["safe"]), geobox(event.grid)
    noise = np.random.default_rng(0).uniform(0, 900, box.shape.yx).astype(np.float32)
    strange = RasterLayer(href=write_tiff(tmp_path / "noise.tif", noise, box))
    elsewhere = RasterLayer(href=write_tiff(tmp_path / "far.tif", noise, box.translate_pix(3000, 0)))
    plain = look(scene, box).power["VV"]
    for layer in (strange, elsewhere):
        np.testing.assert_array_equal(look(scene, box, layer).power["VV"], plain)


def test_bundle_says_what_the_product_says(floods: dict[Sentinel1, Path], event: Event) -> None:
    scene, box = radar(floods["safe"]), geobox(event.grid)
    bundle, track = look(scene, box), sentinel1_pass(SEED)
    assert (scene.angle_source, bundle.quantity, bundle.denoised, bundle.time) == (
        "annotation", "gamma0", False, scene.time,
    )  # fmt: skip
    assert bundle.angle is not None
    wanted = track.angle + track.angle_per_km * track.ground_range(event.ground.grid)[event.ground.inner] / 1000.0
    np.testing.assert_allclose(bundle.angle, wanted, atol=0.01)
    wide = look(scene, box.pad(100))
    assert np.isnan(wide.power["VV"][0, 0]), "DN 0 outside the simulated ground is not observed"
    assert bundle.reasons.max() == 0


def job(scenes: Path, out: Path, **changes: Any) -> Path:
    told = yaml.safe_load((scenes / "job.yaml").read_text()) | {"sensors": ["sentinel-1"]} | changes
    told |= {"area": str(scenes / "area.geojson"), "catalog": str(scenes / "catalog.json")}
    out.mkdir(parents=True, exist_ok=True)
    path = out / "job.yaml"
    path.write_text(yaml.safe_dump(told))
    return path


METHODS = ["radar_threshold", "physics"]


def test_map_is_as_good_as_that_of_the_corrected_product(
    floods: dict[Sentinel1, Path], tmp_path: Path, event: Event
) -> None:
    scores = {}
    for kind, folder in floods.items():
        ground = {"elevation": str(folder / "elevation.tif")}
        map_flood(job(folder, tmp_path / kind, methods=METHODS, **ground), tmp_path / kind / "run")
        compared = compare_run(tmp_path / kind / "run", folder / "truth.tif")["methods"]
        scores[kind] = {name: compared[name]["flood_iou"] for name in METHODS}
    print(scores)
    assert scores["safe"]["physics"] == pytest.approx(scores["rtc"]["physics"], abs=0.05)
    assert scores["safe"]["radar_threshold"] > scores["rtc"]["radar_threshold"] - 0.05


def test_units_of_a_swath_meet_without_a_seam(floods: dict[Sentinel1, Path], tmp_path: Path) -> None:
    """Four units of 128 pixels give the bytes of one of 256, flattened by an elevation that reaches over them all."""
    told = {"methods": METHODS, "elevation": str(floods["safe"] / "elevation.tif")}
    for tile in (128, 256):
        map_flood(job(floods["safe"], tmp_path / str(tile), tile=tile, **told), tmp_path / str(tile) / "run")
    (whole,) = finished_units(tmp_path / "256" / "run")
    parts = list(finished_units(tmp_path / "128" / "run"))
    assert len(parts) == 4
    for name in ("evidence", "methods/physics", "methods/radar_threshold", "flood_class"):
        with rasterio.open(whole / f"{name}.tif") as source:
            full, origin = source.read(), source.transform
        for part in parts:
            with rasterio.open(part / f"{name}.tif") as source:
                values = source.read()
                column, row = (round(value) for value in ~origin * (source.transform.c, source.transform.f))
            assert np.array_equal(full[:, row : row + 128, column : column + 128], values), name


def test_noise_floor_comes_from_the_product(floods: dict[Sentinel1, Path], tmp_path: Path) -> None:
    """A product of twice the noise has a floor 3 dB higher; one without a noise file has the mode's."""
    found = {}
    for told, factor in (("as it is", 1.0), ("doubled", 2.0)):
        scene = radar(floods["safe"])
        (layer,) = scene.layers["VV"]
        assert layer.swath is not None
        assert layer.swath.noise is not None
        root = ElementTree.parse(layer.swath.noise).getroot()
        for row in root.iter("noiseRangeLut"):
            row.text = " ".join(str(float(value) * factor) for value in (row.text or "").split())
        path = tmp_path / f"{told}.xml"
        path.write_bytes(ElementTree.tostring(root))
        changed = layer.model_copy(update={"swath": layer.swath.model_copy(update={"noise": str(path)})})
        box = geobox(simulate_event(32, SEED).grid)
        found[told] = 10 * np.log10(np.nanmedian(noise_on(changed, box)))
        bare = layer.model_copy(update={"swath": layer.swath.model_copy(update={"noise": None})})
        assert np.isnan(noise_on(bare, box)).all()
    assert found["as it is"] == pytest.approx(S1_NOISE_DB["VV"], abs=0.7)
    assert found["doubled"] - found["as it is"] == pytest.approx(3.01, abs=0.01)


def test_prepare_takes_the_products_noise(floods: dict[Sentinel1, Path], tmp_path: Path) -> None:
    map_flood(job(floods["safe"], tmp_path, methods=["physics"]), tmp_path / "run")
    prepared = json.loads((tmp_path / "run" / "prepared.json").read_text())["prepared"]
    assert len(prepared["noise_db"]) == 2
    for entry in prepared["noise_db"].values():
        assert entry["VV"] == pytest.approx(S1_NOISE_DB["VV"], abs=0.1)
        assert entry["VH"] == pytest.approx(S1_NOISE_DB["VH"], abs=0.1)


def test_item_is_valid_and_has_no_invented_projection(floods: dict[Sentinel1, Path], shared: Path) -> None:
    paths = list(floods["safe"].glob("sentinel-1-grd/*/*.json"))
    assert len(paths) == 2
    for path in paths:
        data = json.loads(path.read_text())
        assert validate_item(data, shared / "data" / "stac" / "schemas") == []
        assert not [key for asset in data["assets"].values() for key in asset if key.startswith("proj:")]
        assert pystac.Item.from_file(str(path)).properties["sat:relative_orbit"] == 22


def test_product_can_be_ingested_alone(floods: dict[Sentinel1, Path], tmp_path: Path) -> None:
    found = ingest(floods["safe"] / "scenes", tmp_path)
    assert len([name for name in found.items if name.startswith("S1A_IW_GRDH_1SDV_2024")]) == 2


def test_product_has_the_structure_of_a_real_one(floods: dict[Sentinel1, Path], shared: Path) -> None:
    """No element that a real file does not have, and the same names of folders and files."""
    real = next((shared / "data" / "sentinel1").glob("*.SAFE"))
    made = next((floods["safe"] / "scenes").glob("*.SAFE"))
    for pattern in ("annotation/*-vv-*", "annotation/calibration/c*-vv-*", "annotation/calibration/n*-vv-*", "m*.safe"):
        theirs, ours = (paths(ElementTree.parse(next(root.glob(pattern))).getroot()) for root in (real, made))
        assert ours <= theirs, pattern
    for root in (real, made):
        assert len(list(root.glob("measurement/s1a-iw-grd-v[hv]-*-00[12].tiff"))) == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with rasterio.open(next(made.glob("measurement/*-vv-*"))) as source:
            assert (source.crs, source.dtypes, len(source.gcps[0])) == (None, ("uint16",), 20)


def paths(element: Element, above: str = "") -> set[str]:
    here = f"{above}/{element.tag}"
    return {here}.union(*(paths(child, here) for child in element))


def test_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    """Once by the command, once by the function."""
    command = ["simulate", "--out", str(tmp_path / "a"), "--size", "32", "--seed", "5", "--sentinel-1", "safe"]
    assert CliRunner().invoke(app, command).exit_code == 0
    simulate(tmp_path / "b", 32, 5, sentinel1="safe")
    made = sorted(path for path in tmp_path.glob("a/scenes/*.SAFE/**/*") if path.is_file())
    assert len(made) == 2 * 9
    for path in made:
        assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes()


def test_part_of_a_measurement_is_refused(floods: dict[Sentinel1, Path], event: Event, tmp_path: Path) -> None:
    """Look-up tables hold on the lines and pixels of the whole image."""
    scene = radar(floods["safe"])
    (layer,) = scene.layers["VV"]
    cut = tmp_path / "cut.tif"
    with rasterio.open(layer.href) as source, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        profile = source.profile | {"height": 100, "width": 100}
        with rasterio.open(cut, "w", **profile) as target:
            target.write(source.read(window=((0, 100), (0, 100))))
    broken = scene.model_copy(update={"layers": {"VV": (layer.model_copy(update={"href": str(cut)}),)}})
    with pytest.raises(ReadError, match=r"cut\.tif: found 100 lines of 100 pixels; expected 404 lines of 404 pixels"):
        look(broken, geobox(event.grid))


def test_scenes_written_below_a_relative_folder_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    simulate(Path("here"), 64, SEED, sentinel1="safe")
    assert radar(tmp_path / "here/catalog.json").polarizations == ("VV", "VH")
