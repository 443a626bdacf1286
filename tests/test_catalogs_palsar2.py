"""ALOS-2 L1.5 and L2.1 folders as JAXA delivers them, and every ALOS-2 product brought to its own quantity."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from odc.geo.geobox import GeoBox
from scenes import science, write_tiff
from stac_validation import validate_item
from test_catalogs_publish import everything, north_up

from catalogs.errors import ProductError
from catalogs.formats.palsar2 import read_summary
from catalogs.products import ingest
from catalogs.records import Acquisition
from harmonization.bundle import RadarBundle
from harmonization.radar.evidence import weigh_radar
from harmonization.reasons import Reason
from pipeline.decode import decode
from pipeline.radar_angle import angle_told

SCENE, PRODUCT = "ALOS2015976960-140909", "FBDR1.5GUA"
CEOS = "data/palsar2/ceos/0000022708_001001_ALOS2015976960-140909.zip"
CORNER = (537_300.0, -1_219_000.0)
"""Metres of UTM 20N, about the middle of the real scene: 62.53 W, 11.05 S; as wide as the real one."""
SCANSAR = "ALOS2437590500-220630_WWDR2.2GUA"
DN = 1412.54
"""10·log10(DN²) - 83 = -20.000 dB."""


def around(corner: tuple[float, float], crs: str, size: int = 40, pixel: float = 25.0) -> GeoBox:
    """A square about a place."""
    left, top = corner[0] - size * pixel / 2, corner[1] + size * pixel / 2
    return GeoBox((size, size), north_up(left, top, pixel, pixel), crs)


def numbers(box: GeoBox, value: float = DN, dtype: str = "float32") -> np.ndarray:
    values = np.full(box.shape.yx, value, dtype=dtype)
    values[:, :4] = 0
    return values


def amplitude_scene(
    folder: Path, shared: Path, *, product: str = PRODUCT, polarizations: str = "HH HV", leader: bool = False
) -> Path:
    """A folder with the real summary (and leader), made out for a product, and small images with its names."""
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(shared / CEOS) as archive:
        names = {Path(name).name: archive.read(name) for name in archive.namelist()}
    text = names["summary.txt"].decode("ascii").replace(PRODUCT, product).replace('"CEOS"', '"GeoTIFF"')
    (folder / "summary.txt").write_text(text)
    if leader:
        (folder / f"LED-{SCENE}-{product}").write_bytes(names[f"LED-{SCENE}-{PRODUCT}"])
    box = around(CORNER, "EPSG:32620", size=80, pixel=1000.0)
    for name in polarizations.split():
        write_tiff(folder / f"IMG-{name}-{SCENE}-{product}.tif", numbers(box, 5000, "uint16"), box)
    return folder


def only(folder: Path, out: Path) -> Acquisition:
    """Ingest one product."""
    done = ingest(folder, out)
    assert done.skipped == ()
    (scene,) = everything(out).acquisitions
    return scene


def test_amplitude_scene_with_its_real_summary(tmp_path: Path, shared: Path) -> None:
    scene = only(amplitude_scene(tmp_path / "in", shared), tmp_path / "out")
    assert scene.id == f"{SCENE}-{PRODUCT}"
    assert (scene.collection, scene.sensor, scene.platform, scene.band) == (
        "palsar2-amplitude",
        "alos-2",
        "alos-2",
        "L",
    )
    assert scene.quantity == "sigma0"
    assert scene.start == datetime(2014, 9, 9, 4, 33, 42, 52000, UTC)
    assert (scene.end - scene.start).total_seconds() == 10.0
    assert (scene.orbit_direction, scene.look_side, scene.absolute_orbit) == ("ascending", "right", 1597)
    assert (scene.part, scene.reference_only, scene.denoised) == ("6960", False, False)
    assert (scene.incidence, scene.off_nadir, scene.angle_source) == (None, 36.6, "pass")
    assert (scene.noise_db, scene.noise_source) == ({"HH": -28.0, "HV": -33.0}, "default")
    assert set(scene.layers) == {"HH", "HV"}, "no mask and no angle layer"
    (raster,) = scene.layers["HV"]
    assert (raster.encoding, raster.calibration_db, raster.nodata) == ("amplitude", -83.0, (0.0,))
    item = json.loads(next(tmp_path.rglob(f"{scene.id}.json")).read_text())
    assert validate_item(item, shared / "data/stac/schemas") == []
    told = {name: item["properties"][name] for name in ("sar:instrument_mode", "sar:product_type")}
    assert told == {"sar:instrument_mode": "FBD", "sar:product_type": "L1.5"}


@pytest.mark.parametrize(
    ("product", "polarizations", "direction", "side"),
    [
        ("FBDR2.1GUA", "HH HV", "ascending", "right"),
        ("FBDL2.1GUD", "HH HV", "descending", "left"),
        ("UBSR1.5GUD", "HH", "descending", "right"),
        ("WBDR1.5GUA", "VV VH", "ascending", "right"),
    ],
)
def test_levels_polarizations_and_sides(
    tmp_path: Path, shared: Path, product: str, polarizations: str, direction: str, side: str
) -> None:
    folder = amplitude_scene(tmp_path / "in", shared, product=product, polarizations=polarizations)
    scene = only(folder, tmp_path / "out")
    assert " ".join(scene.polarizations) == polarizations
    assert (scene.orbit_direction, scene.look_side, scene.quantity) == (direction, side, "sigma0")


def test_the_leader_tells_incidence_and_calibration(tmp_path: Path, shared: Path) -> None:
    folder = amplitude_scene(tmp_path / "in", shared, leader=True)
    path = folder / f"LED-{SCENE}-{PRODUCT}"
    path.write_bytes(path.read_bytes().replace(b"     -83.0000000", b"     -82.5000000"))
    scene = only(folder, tmp_path / "out")
    assert (scene.incidence, scene.off_nadir) == (40.573, 36.6)
    assert {raster.calibration_db for name in ("HH", "HV") for raster in scene.layers[name]} == {-82.5}
    assert set(json.loads(next(tmp_path.rglob(f"{scene.id}.json")).read_text())["assets"]) == {
        "HH", "HV", "summary", "led",
    }  # fmt: skip


@pytest.mark.parametrize("leader", [True, False])
def test_angle_of_an_amplitude_scene_is_derived_from_its_pass(tmp_path: Path, shared: Path, leader: bool) -> None:
    """Ascending and right-looking: the angle grows eastward, about the one stated for the middle."""
    scene = only(amplitude_scene(tmp_path / "in", shared, leader=leader), tmp_path / "out")
    found = bundle(scene, around(CORNER, "EPSG:32620", 64, 1000.0))
    assert found.angle is not None
    middle = float(found.angle[32, 32])
    assert middle == pytest.approx(40.573, abs=0.05 if leader else 0.6)
    assert (np.diff(found.angle, axis=1) > 0).all()
    # 63 km across: 0.063 degrees a km at 40 degrees (a 70 km swath spans 4.5 degrees), less 2 % for the heading.
    assert found.angle[32, -1] - found.angle[32, 0] == pytest.approx(63 * 0.063, rel=0.08)
    assert "derived from the pass" in angle_told(scene)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("no crs", "no map projection.*order the scene as level 2.1"),
        ("turned", "lines askew.*order the scene as level 2.1"),
        ("no summary", "no summary.txt that is its own"),
        ("other summary", "one of ALOS2015976960-140909 FBDR1.1__A"),
        ("no time", "no Img_SceneStartDateTime"),
        ("level 3.1", "no longer calibrated.*Order the scene as level 2.1"),
        ("level 1.1", "complex in slant range"),
        ("broken leader", "a CEOS leader"),
    ],
)
def test_what_cannot_be_used_says_what_to_do(tmp_path: Path, shared: Path, change: str, told: str) -> None:
    product = {"level 3.1": "FBDR3.1GUA", "level 1.1": "FBDR1.1__A"}.get(change, PRODUCT)
    folder = amplitude_scene(tmp_path / "in", shared, product=product, leader=change == "broken leader")
    summary, image = folder / "summary.txt", folder / f"IMG-HH-{SCENE}-{product}.tif"
    if change == "no crs":
        rewrite(image, np.ones((8, 8), np.uint16), GeoBox((8, 8), north_up(0, 0, 2, 2), None))
    elif change == "turned":
        turned = north_up(*CORNER, 25, 25) * north_up(0, 0, 1, -1).rotation(12)
        rewrite(image, np.ones((8, 8), np.uint16), GeoBox((8, 8), turned, "EPSG:32620"))
    elif change == "no summary":
        summary.unlink()
    elif change == "other summary":
        summary.write_text(summary.read_text().replace(PRODUCT, "FBDR1.1__A"))
    elif change == "no time":
        summary.write_text(summary.read_text().replace("Img_SceneStart", "Img_Start"))
    elif change == "broken leader":
        (folder / f"LED-{SCENE}-{PRODUCT}").write_bytes(b"")
    with pytest.raises(ProductError, match=f"(?s){told}"):
        ingest(folder, tmp_path / "out")


def test_two_scenes_in_one_folder_are_told_to_be_parted(tmp_path: Path, shared: Path) -> None:
    """One summary.txt cannot be that of both."""
    folder = amplitude_scene(tmp_path / "in", shared)
    image = folder / f"IMG-HH-{SCENE}-{PRODUCT}.tif"
    (folder / "IMG-HH-ALOS2015976970-140909-FBDR1.5GUA.tif").write_bytes(image.read_bytes())
    with pytest.raises(ProductError, match="a folder of its own"):
        ingest(folder, tmp_path / "out")


def test_a_summary_reads_as_it_is(tmp_path: Path, shared: Path) -> None:
    found = read_summary(amplitude_scene(tmp_path, shared) / "summary.txt")
    assert (found.scene, found.product, found.off_nadir) == (SCENE, PRODUCT, 36.6)


# ---- every product to its own quantity


def bundle(scene: Acquisition, box: GeoBox) -> RadarBundle:
    found = decode(scene, box, science(multilook={"C": 1, "L": 1}), 10.0, dict(scene.noise_db))
    assert isinstance(found, RadarBundle)
    return found


def amplitude_product(folder: Path, shared: Path, product: str) -> GeoBox:
    box = around(CORNER, "EPSG:32620")
    amplitude_scene(folder, shared, product=product)
    for path in sorted(folder.glob("*.tif")):
        rewrite(path, numbers(box), box)
    return box


def rewrite(path: Path, values: np.ndarray, box: GeoBox) -> None:
    """Write an image anew. GDAL takes the summary.txt beside it for its metadata, and would delete it with the file."""
    path.unlink()
    write_tiff(path, values, box)


def scansar_product(folder: Path, shared: Path) -> GeoBox:
    folder.mkdir(parents=True)
    summary = shared / f"data/palsar2/scansar/{SCANSAR}_summary.xml"
    (folder / summary.name).write_text(summary.read_text(encoding="utf-8"), encoding="utf-8")
    box = around((500_000.0, 2_900_000.0), "EPSG:32651")
    mask = np.full(box.shape.yx, 1, np.uint8)
    mask[:2], mask[2:4], mask[4:6], mask[6:8] = 2, 3, 5, 4
    angles = np.full(box.shape.yx, 3850, np.uint16)
    for name, values in {"HH_SLP": numbers(box), "HV_SLP": numbers(box), "LIN": angles, "MSK": mask}.items():
        write_tiff(folder / f"{SCANSAR}_{name}.tif", values, box)
    return box


def mosaic_product(folder: Path, shared: Path) -> GeoBox:
    folder.mkdir(parents=True)
    box = GeoBox((40, 40), north_up(-160.9, 22.9, 1 / 4500, 1 / 4500), "EPSG:4326")
    angles = np.full(box.shape.yx, 38, np.uint8)
    for name, values in {"sl_HH": numbers(box), "sl_HV": numbers(box), "linci": angles}.items():
        write_tiff(folder / f"N23W161_20_{name}_F02DAR.tif", values, box)
    return box.to_crs("utm")


def made(kind: str, folder: Path, shared: Path) -> GeoBox:
    if kind == "mosaic":
        return mosaic_product(folder, shared)
    return (
        scansar_product(folder, shared) if kind == "L2.2" else amplitude_product(folder, shared, f"FBDR{kind[1:]}GUA")
    )


@pytest.mark.parametrize(
    ("kind", "quantity"), [("mosaic", "gamma0"), ("L2.2", "gamma0"), ("L1.5", "sigma0"), ("L2.1", "sigma0")]
)
def test_every_product_comes_to_its_own_quantity(tmp_path: Path, shared: Path, kind: str, quantity: str) -> None:
    """JAXA: 10·log10(DN²) - 83.0, so DN 1412.54 is -20 dB: gamma0 of mosaic and CARD4L, sigma0 of L1.5 and L2.1."""
    box = made(kind, tmp_path / "in", shared)
    found = bundle(only(tmp_path / "in", tmp_path / "out"), box)
    assert found.quantity == quantity
    for name in ("HH", "HV"):
        seen = np.isfinite(found.power[name])
        np.testing.assert_allclose(10 * np.log10(found.power[name][seen]), -20.0, atol=1e-4)
        assert seen[:, 8:-1].mean() > 0.9
        assert not seen[:, 0].any(), "DN 0 is fill"
    assert (found.reasons[:, 0] & Reason.OUTSIDE_SWATH != 0).all()
    assert not found.denoised


def test_evidence_knows_sigma0_from_gamma0(tmp_path: Path, shared: Path) -> None:
    """The same ground told as sigma0, or as gamma0 = sigma0/cos(angle), says the same; taken for the other, not."""
    box = amplitude_product(tmp_path / "in", shared, "FBDR2.1GUA")
    told = bundle(only(tmp_path / "in", tmp_path / "out"), box)
    assert told.angle is not None
    told = replace(told, power={"HH": told.power["HH"]}, noise={"HH": told.noise["HH"]})
    cosine = np.cos(np.radians(told.angle))
    noise = {name: np.asarray(value / cosine, np.float32) for name, value in told.noise.items()}
    power = {name: np.asarray(values / cosine, np.float32) for name, values in told.power.items()}
    same = replace(told, quantity="gamma0", power=power, noise=noise)
    mistaken = replace(told, quantity="gamma0")
    # Of flooded vegetation: evidence of water from HH alone is held at zero at this level (`SMOOTH_DRY`).
    right, other, wrong = (weigh_radar("alos-2", one).llr[1] for one in (told, same, mistaken))
    seen = right != 0
    assert seen.any()
    np.testing.assert_allclose(other[seen], right[seen], atol=0.03)
    assert np.abs(wrong[seen] - right[seen]).max() > 0.1


def test_scansar_angle_mask_and_noise_are_those_of_the_product(tmp_path: Path, shared: Path) -> None:
    """LIN counts hundredths of a degree; the mask is read by the summary's BitValues; the floor is its Estimates."""
    box = scansar_product(tmp_path / "in", shared)
    scene = only(tmp_path / "in", tmp_path / "out")
    found = bundle(scene, box)
    assert found.angle is not None
    np.testing.assert_allclose(found.angle, 38.5)
    rows = found.reasons[:, 20]
    assert [int(rows[row]) for row in (0, 2, 4, 6, 20)] == [
        Reason.LAYOVER, Reason.RADAR_SHADOW, Reason.OUTSIDE_SWATH, 0, 0,
    ]  # fmt: skip
    # The summary states -30 and -32.5 dB of sigma0; gamma0 lies 10·log10(cos 52.87 degrees) = 2.19 dB higher.
    levels = {name: 10 * np.log10(np.median(found.noise[name])) for name in ("HH", "HV")}
    assert levels == pytest.approx({"HH": -27.81, "HV": -30.31}, abs=0.01)
    assert scene.noise_source == "product"
