"""What a simulated SAFE product says of its radiometry comes back: tables, noise by pixel, border noise."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from scenes import grid, radar_scene, science, write_tiff
from scipy import ndimage

import harmonization.border_noise as border_module
import pipeline.swath_border as strips_module
from catalogs.acquisition import to_acquisition
from catalogs.formats.sentinel1 import swath_metadata
from catalogs.formats.sentinel1_safe import safe_item
from catalogs.records import Acquisition, RasterLayer
from harmonization.border_noise import DEPTH, border_noise
from harmonization.bundle import RadarBundle
from harmonization.calibration import LookUpTable, calibrate, calibrate_with_noise, decibel, subtract_noise
from harmonization.geometry import sigma0_from_beta0
from harmonization.reasons import Reason
from harmonization.simulate.event import Event, simulate_event
from harmonization.simulate.radar import S1_NOISE_DB, sentinel1_pass
from harmonization.simulate.swath import (
    BETA_FACTOR,
    NOISE_RIPPLE,
    NOISE_TILT_DB,
    border,
    ellipsoid_gamma0,
    simulate_grd,
)
from pipeline.decode import decode
from pipeline.decode_radar import radar_power
from pipeline.radar_noise import noise_of
from pipeline.swath import incidence_on
from pipeline.swath_border import border_in
from pipeline.swath_geometry import annotated_geometry, positions, within
from pipeline.swath_tables import tables_of
from workflows.simulate import geobox
from workflows.simulate_safe import write_safe

SIZE, SEED = 192, 5
NEW, OLD = "safe", "safe-2017"


@pytest.fixture(scope="module")
def event() -> Event:
    return simulate_event(SIZE, SEED)


@pytest.fixture(scope="module")
def passes(event: Event, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Acquisition]:
    """The same pass as a product of today, and as one before IPF 2.9."""
    folder = tmp_path_factory.mktemp("passes")
    (time,) = (scene.time for scene in event.scenes if (scene.sensor, scene.window) == ("sentinel-1", "during"))
    swaths = {kind: simulate_grd(event.ground, "during", time, SEED, kind == OLD) for kind in (NEW, OLD)}
    items = {kind: safe_item(write_safe(folder / kind, swath, SEED)) for kind, swath in swaths.items()}
    return {kind: to_acquisition(item, catalog_root=folder) for kind, item in items.items()}


@pytest.fixture(scope="module")
def terrain(event: Event, tmp_path_factory: pytest.TempPathFactory) -> RasterLayer:
    path = tmp_path_factory.mktemp("terrain") / "elevation.tif"
    return RasterLayer(href=write_tiff(path, event.elevation.astype(np.float32), geobox(event.grid)))


def look(scene: Acquisition, box: GeoBox, *elevation: RasterLayer) -> RadarBundle:
    bundle = decode(scene, box, science(multilook={"C": 1, "L": 1}), 4.4, S1_NOISE_DB, elevation)
    assert isinstance(bundle, RadarBundle)
    return bundle


def layer_of(scene: Acquisition, name: str = "VV") -> RasterLayer:
    (layer,) = scene.layers[name]
    return layer


def numbers(layer: RasterLayer) -> NDArray[np.uint16]:
    with rasterio.open(layer.href) as source:
        values: NDArray[np.uint16] = source.read(1)
    return values


def place_of(layer: RasterLayer, box: GeoBox) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    geometry = annotated_geometry(swath_metadata(layer))
    return within(geometry, *positions(geometry, box))


@pytest.mark.parametrize("kind", [NEW, OLD])
@pytest.mark.parametrize("name", ["VV", "VH"])
def test_noise_of_every_pixel_is_what_was_put_in(
    passes: dict[str, Acquisition], event: Event, kind: str, name: str
) -> None:
    """From the simulator's own law, not its tables: those are linear over 400 m, which costs less than 0.01 dB."""
    scene, box = passes[kind], geobox(event.grid)
    line, pixel = place_of(layer_of(scene, name), box)
    lines, pixels = numbers(layer_of(scene, name)).shape
    turn = np.sin(2 * np.pi * line.round() / lines) * (NOISE_RIPPLE if kind == NEW else 0.0)
    azimuth = np.where(pixel.round() < pixels // 2, 1 + turn, 1 - turn)
    wanted = 10 ** ((S1_NOISE_DB[name] + NOISE_TILT_DB * (pixel / (pixels - 1) - 0.5)) / 10) * azimuth
    found = look(scene, box).noise[name]
    assert isinstance(found, np.ndarray)
    assert found.dtype == np.float32
    clear = np.abs(pixel - pixels // 2) > 1  # in between the blocks change
    np.testing.assert_allclose(decibel(found)[clear], decibel(wanted)[clear], atol=0.01)


def test_noise_is_known_wherever_there_is_power(passes: dict[str, Acquisition], event: Event) -> None:
    """Outside of the file the scene's own value stands, so that no sample loses its evidence for want of it."""
    bundle = look(passes[NEW], geobox(event.grid).pad(80))
    assert np.isnan(bundle.power["VV"]).any()
    for name, noise in bundle.noise.items():
        assert np.isfinite(noise).all()
        outside = np.asarray(noise)[0, 0]
        assert decibel(outside) == pytest.approx(S1_NOISE_DB[name], abs=1e-4)


def test_a_part_has_the_noise_of_the_whole(passes: dict[str, Acquisition], event: Event) -> None:
    box = geobox(event.grid)
    whole, part = (look(passes[NEW], one).noise["VH"] for one in (box, box[48:112, 16:96]))
    np.testing.assert_array_equal(np.asarray(whole)[48:112, 16:96], part)


def test_noise_moves_with_the_terrain(passes: dict[str, Acquisition], event: Event, terrain: RasterLayer) -> None:
    """With known heights the noise is that of the samples which are taken."""
    scene, box = passes[NEW], geobox(event.grid)
    heights = (radar_power(scene, box, science(), told).height for told in ((), (terrain,)))
    flat, placed = (np.asarray(noise_of(scene, box, S1_NOISE_DB, height)["VV"]) for height in heights)
    assert 0 < np.abs(decibel(placed) - decibel(flat)).max() < 0.5


def test_noise_is_flattened_as_its_power_is(passes: dict[str, Acquisition], event: Event, terrain: RasterLayer) -> None:
    scene, box = passes[NEW], geobox(event.grid)
    aligned = radar_power(scene, box, science(), (terrain,))
    assert aligned.facets is not None
    ratio = look(scene, box, terrain).noise["VV"] / noise_of(scene, box, S1_NOISE_DB, aligned.height)["VV"]
    seen = np.isfinite(aligned.facets.factor)
    np.testing.assert_allclose(ratio[seen], aligned.facets.factor[seen], rtol=1e-5)


@pytest.mark.parametrize("quantity", ["sigma_nought", "beta_nought"])
def test_the_other_tables_give_the_other_quantities(passes: dict[str, Acquisition], quantity: str) -> None:
    """sigma0 = gamma0·cos, beta0 = gamma0/tan of the incidence that the annotation tells, sample by sample."""
    layer = layer_of(passes[NEW])
    metadata = swath_metadata(layer)
    table, dn = metadata.calibration, numbers(layer)
    gamma0, found = (
        calibrate(dn, LookUpTable(table.lines, table.pixels, getattr(table, name))) for name in ("gamma", quantity)
    )
    grid_ = metadata.annotation.grid
    angle = np.interp(np.arange(dn.shape[1]), grid_.pixels, grid_.incidence[0])
    ratio = np.cos(np.radians(angle)) if quantity == "sigma_nought" else 1.0 / np.tan(np.radians(angle))
    np.testing.assert_allclose(found, gamma0 * ratio, rtol=2e-5)
    if quantity == "beta_nought":
        beta0 = np.where(dn > 0, (dn / BETA_FACTOR) ** 2, np.nan)
        np.testing.assert_allclose(found, beta0, rtol=1e-6)
        np.testing.assert_allclose(sigma0_from_beta0(found, angle), gamma0 * np.cos(np.radians(angle)), rtol=2e-5)


def test_noise_taken_off_leaves_the_ground_without_bias(
    passes: dict[str, Acquisition], event: Event, terrain: RasterLayer
) -> None:
    """VH of the flood lies below its noise: single samples go negative, their mean is the signal all the same."""
    box = geobox(event.grid)
    bundle = look(passes[NEW], box, terrain)
    signal = subtract_noise(bundle.power["VH"], np.asarray(bundle.noise["VH"]))
    truth = ellipsoid_gamma0(event.ground, "during", sentinel1_pass(SEED), SEED)["VH"][event.ground.inner]
    noise = 10 ** (S1_NOISE_DB["VH"] / 10)
    dark = ndimage.minimum_filter(truth < 0.3 * noise, 5)
    assert dark.sum() > 1000
    assert (signal[dark] < 0).mean() > 0.2
    assert signal[dark].mean() == pytest.approx(truth[dark].mean(), abs=0.03 * noise)
    assert signal.mean() == pytest.approx(truth.mean(), rel=0.02)


# Border noise


def test_border_noise_of_an_old_product_is_named_and_not_seen(passes: dict[str, Acquisition], event: Event) -> None:
    box = geobox(event.grid).pad(45)
    old, new = look(passes[OLD], box), look(passes[NEW], box)
    layer = layer_of(passes[OLD])
    line, pixel = place_of(layer, box)
    inside = np.isfinite(line)
    truth = np.zeros(box.shape.yx, dtype=bool)
    put = border(numbers(layer).shape)
    truth[inside] = put[line[inside].round().astype(int), pixel[inside].round().astype(int)]
    named = (old.reasons & Reason.BORDER_NOISE) != 0
    assert truth.sum() > 2000
    assert named[truth].mean() > 0.97
    assert np.isnan(old.power["VV"][named]).all()
    outside = (old.reasons & Reason.OUTSIDE_SWATH) != 0
    assert not outside[named].any()
    samples = numbers(layer)
    fill = np.zeros_like(truth)
    fill[inside] = samples[line[inside].round().astype(int), pixel[inside].round().astype(int)] == 0
    assert fill.sum() > 300
    assert outside[fill].mean() > 0.9
    assert not (new.reasons & Reason.BORDER_NOISE).any()
    assert np.isfinite(new.power["VV"][truth]).mean() > 0.5


def test_inside_an_old_product_is_as_a_new_one(passes: dict[str, Acquisition], event: Event) -> None:
    """Beyond border and margin every sample is there, flood and all; the two differ by their ripple of the noise."""
    box = geobox(event.grid)
    old, new = look(passes[OLD], box[20:-20, 20:-20]), look(passes[NEW], box[20:-20, 20:-20])
    assert old.reasons.max() == 0
    np.testing.assert_allclose(decibel(old.power["VV"]), decibel(new.power["VV"]), atol=0.3)


@pytest.mark.parametrize("depth", [DEPTH, 30])
def test_any_window_finds_the_border_noise_of_the_whole_file(
    passes: dict[str, Acquisition], monkeypatch: pytest.MonkeyPatch, depth: int
) -> None:
    """From strips at the edges, whether these cover the image or not."""
    for module in (border_module, strips_module):
        monkeypatch.setattr(module, "DEPTH", depth)
    layer = layer_of(passes[OLD])
    tables = tables_of(swath_metadata(layer))
    assert tables.noise is not None
    power, floor = calibrate_with_noise(numbers(layer), tables.gamma, tables.noise)
    whole, seen = border_noise(power, floor), numbers(layer) > 0
    assert whole.sum() > 10_000
    with rasterio.open(layer.href) as source:
        lines, pixels = source.shape
        for top, left, height, width in (
            (0, 0, lines, pixels), (0, 0, 60, 60), (100, 20, 90, 90), (lines - 50, 33, 50, 80),
            (lines // 2 - 7, 0, 14, 14), (lines - 41, pixels - 33, 41, 33), (lines - 31, 60, 2, 70),
        ):  # fmt: skip
            window = np.s_[top : top + height, left : left + width]
            part = border_in(layer, source, ((top, top + height), (left, left + width)))
            assert part is not None
            np.testing.assert_array_equal(part & seen[window], whole[window])
        assert border_in(layer_of(passes[NEW]), source, ((0, 60), (0, 60))) is None


def test_a_part_of_an_old_product_is_decoded_to_the_bytes_of_the_whole(
    passes: dict[str, Acquisition], event: Event
) -> None:
    box = geobox(event.grid).pad(48)
    whole, part = look(passes[OLD], box), look(passes[OLD], box[:128, 16:176])
    np.testing.assert_array_equal(whole.power["VV"][:128, 16:176], part.power["VV"])
    np.testing.assert_array_equal(whole.reasons[:128, 16:176], part.reasons)
    assert (part.reasons == Reason.BORDER_NOISE).any()


def test_far_inside_a_file_nothing_beside_the_window_is_read(passes: dict[str, Acquisition]) -> None:
    """A file as large as a real one, and a window beyond the depth: no strip is asked for."""
    layer = layer_of(passes[OLD])

    class Large:
        shape = (16_676, 26_144)

    assert border_in(layer, Large(), ((8_000, 8_500), (9_000, 9_400))) is None


def test_an_early_product_without_usable_noise_falls_back(
    passes: dict[str, Acquisition], event: Event, tmp_path: Path
) -> None:
    """Zeros for noise: the scene's own value stands, and border noise is still far darker than any radar's noise."""
    scene, box = passes[OLD], geobox(event.grid).pad(45)
    layers = {}
    for name in ("VV", "VH"):
        layer = layer_of(scene, name)
        assert layer.swath is not None
        assert layer.swath.noise is not None
        root = ElementTree.parse(layer.swath.noise).getroot()
        for row in root.iter("noiseLut"):
            row.text = " ".join("0" for _ in (row.text or "").split())
        path = tmp_path / f"{name}.xml"
        path.write_bytes(ElementTree.tostring(root))
        layers[name] = (layer.model_copy(update={"swath": layer.swath.model_copy(update={"noise": str(path)})}),)
    early, known = look(scene.model_copy(update={"layers": layers}), box), look(scene, box)
    for name, noise in early.noise.items():
        np.testing.assert_allclose(decibel(noise), S1_NOISE_DB[name], atol=1e-4)
    border_found = [(bundle.reasons & Reason.BORDER_NOISE) != 0 for bundle in (early, known)]
    assert border_found[0][border_found[1]].mean() > 0.95
    assert border_found[1][border_found[0]].mean() > 0.95


# Products that are corrected already


def test_corrected_power_passes_unchanged(tmp_path: Path) -> None:
    """gamma0 of a corrected product keeps its bytes: no table, no cosine, no noise, negatives and all."""
    box = grid(64, 64)
    power = np.random.default_rng(0).gamma(4.0, 0.02, (64, 64)).astype(np.float32)
    power[10:12, 10:20] = -0.002
    angle = np.linspace(30, 45, 64 * 64, dtype=np.float32).reshape(64, 64)
    told = RasterLayer(href=write_tiff(tmp_path / "angle.tif", angle, box))
    scene = radar_scene(tmp_path, "rtc", {"VV": power, "VH": power / 5}, box, layers={"angle": told})
    bundle = look(scene, box)
    np.testing.assert_array_equal(bundle.power["VV"], power)
    np.testing.assert_array_equal(bundle.power["VH"], power / 5)
    assert bundle.quantity == "gamma0"
    assert isinstance(bundle.noise["VV"], float), "it describes no noise: one value for the scene"


def test_angle_of_the_annotation_is_that_of_the_pass(passes: dict[str, Acquisition], event: Event) -> None:
    layer, box = layer_of(passes[NEW]), geobox(event.grid)
    _, pixel = place_of(layer, box)
    points = swath_metadata(layer).annotation.grid
    np.testing.assert_allclose(
        incidence_on(layer, box), np.interp(pixel, points.pixels, points.incidence[0]), atol=1e-4
    )
