"""The simulator: what must hold in every scene for the rest to be tested on it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion

from harmonization.simulate.event import Event, simulate_event
from harmonization.simulate.grid import Grid, area_average
from harmonization.simulate.ground import SimulatedCover, Truth, make_ground, truth_map
from harmonization.simulate.optical import OFFSET, QUANTIFICATION, reflectance_dn
from harmonization.simulate.radar import ALOS2_NOISE_DB, S1_NOISE_DB, amplitude_dn
from harmonization.simulate.scene import WINDOWS, Scene, Window

SIZE, SEED = 256, 1
Mask = NDArray[np.bool_]


@pytest.fixture(scope="module")
def event() -> Event:
    return simulate_event(SIZE, SEED)


@pytest.fixture(scope="module")
def quiet() -> Event:
    return simulate_event(SIZE, SEED, flood=False)


def scene(event: Event, sensor: str, window: Window) -> Scene:
    (found,) = (s for s in event.scenes if s.sensor == sensor and s.window == window)
    return found


def power(event: Event, channel: str, window: Window) -> NDArray[np.float32]:
    """gamma0 in linear power on the grid of the area, NaN where not observed."""
    if channel in ("VV", "VH"):
        layer = scene(event, "sentinel-1", window).layers[channel.lower()]
        values = layer.values
    else:
        layer = scene(event, "alos-2", window).layers[f"{channel}_SLP"]
        values = np.where(layer.values > 0, layer.values.astype(np.float64) ** 2 * 10.0**-8.3, np.nan)
    return area_average(values, layer.grid, event.grid)


def decibel(event: Event, channel: str, window: Window, where: Mask) -> float:
    return float(10.0 * np.log10(np.nanmean(power(event, channel, window)[where])))


def cover(event: Event, code: SimulatedCover) -> Mask:
    return event.ground.land_cover[event.ground.inner] == code


def flooded_forest(event: Event) -> Mask:
    return (event.truth == Truth.FLOODED_VEGETATION) & cover(event, SimulatedCover.FOREST)


def test_same_seed_same_numbers() -> None:
    first, second, other = (simulate_event(64, seed) for seed in (7, 7, 8))
    assert np.array_equal(first.truth, second.truth)
    assert not np.array_equal(first.truth, other.truth)
    for one, two in zip(first.scenes, second.scenes, strict=True):
        assert one.metadata == two.metadata
        for name, layer in one.layers.items():
            assert layer.values.tobytes() == two.layers[name].values.tobytes()


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_truth_has_the_share_of_every_class(seed: int) -> None:
    ground = make_ground(SIZE, seed)
    truth = truth_map(ground)
    share = np.bincount(truth.ravel(), minlength=4) / truth.size
    forest = ground.land_cover[ground.inner] == SimulatedCover.FOREST
    assert truth.shape == (SIZE, SIZE)
    assert 0.08 <= share[Truth.OPEN_WATER] <= 0.20
    assert 0.03 <= ((truth == Truth.FLOODED_VEGETATION) & forest).mean() <= 0.08
    assert 0.01 <= share[Truth.PERMANENT_WATER] <= 0.04
    assert len(np.unique(ground.land_cover[ground.inner])) == len(SimulatedCover)


def test_water_stands_level_and_touches_the_river(event: Event) -> None:
    ground = event.ground
    for surface in (ground.before, ground.during):
        wet = surface.depth > 0.0
        assert np.allclose((ground.elevation + surface.depth)[wet], surface.water_surface[wet])
    assert (ground.during.depth >= ground.before.depth).all()


def test_without_a_flood_nothing_is_flooded(quiet: Event, event: Event) -> None:
    assert set(np.unique(quiet.truth)) == {Truth.DRY, Truth.PERMANENT_WATER}
    assert np.array_equal(quiet.truth == Truth.PERMANENT_WATER, event.truth == Truth.PERMANENT_WATER)
    assert np.array_equal(quiet.ground.land_cover, event.ground.land_cover)


def test_flooded_forest_brightens_at_l_band_only(event: Event, quiet: Event) -> None:
    inside = binary_erosion(flooded_forest(event), iterations=3)
    rise = {
        channel: decibel(event, channel, "during", inside) - decibel(quiet, channel, "during", inside)
        for channel in ("HH", "VV")
    }
    assert 2.0 < rise["HH"] < 6.0
    assert abs(rise["VV"]) < 1.0


def test_open_water_is_dark_in_both_bands_and_sand_at_l_band_only(event: Event) -> None:
    water = binary_erosion(event.truth == Truth.OPEN_WATER, iterations=4)
    sand = binary_erosion((event.ground.roughness == 0.008)[event.ground.inner], iterations=4)
    crop = (event.truth == Truth.DRY) & cover(event, SimulatedCover.CROP)
    for channel in ("VV", "HH"):
        assert decibel(event, channel, "during", water) < decibel(event, channel, "during", crop) - 5.0
    assert decibel(event, "HH", "during", sand) < decibel(event, "HH", "during", water) + 3.0
    assert decibel(event, "VV", "during", sand) > decibel(event, "VV", "during", water) + 4.0


def test_dry_ground_keeps_its_texture(quiet: Event) -> None:
    dry = (quiet.truth == Truth.DRY) & cover(quiet, SimulatedCover.FOREST)
    before, during = (power(quiet, "HH", window)[dry & np.isfinite(power(quiet, "HH", "before"))] for window in WINDOWS)
    assert np.corrcoef(np.log(before), np.log(during))[0, 1] > 0.3
    assert np.std(10.0 * np.log10(during / before)) < 3.0


def test_noise_floor(event: Event) -> None:
    water = binary_erosion(event.truth == Truth.OPEN_WATER, iterations=4)
    cross = power(event, "VH", "during")[water]
    noise = 10.0 ** (S1_NOISE_DB["VH"] / 10.0)
    assert (cross < 0.0).any(), "denoised samples of dark water scatter about zero"
    assert cross.min() >= -noise
    assert abs(cross.mean()) < 0.3 * noise
    assert decibel(event, "HV", "during", water) > ALOS2_NOISE_DB["HV"]


def test_coverage(event: Event) -> None:
    for channel in ("VV", "VH"):
        assert np.isfinite(power(event, channel, "during")).all()
    outside = np.isnan(power(event, "HH", "during")).mean()
    assert 0.05 < outside < 0.12
    layers = scene(event, "alos-2", "during").layers
    valid = layers["MSK"].values == 1
    for name in ("HH_SLP", "HV_SLP", "LIN"):
        assert np.array_equal(layers[name].values > 0, valid)


def test_optical(event: Event) -> None:
    layers = scene(event, "sentinel-2", "during").layers
    green, nir = (
        area_average((layers[b].values - OFFSET) / QUANTIFICATION, layers[b].grid, event.grid) for b in ("B03", "B08")
    )
    ndwi = (green - nir) / (green + nir)
    classes = np.repeat(np.repeat(layers["SCL"].values, 2, 0), 2, 1)[40:-40, 40:-40]
    clear = np.isin(classes, (4, 5, 6))
    assert np.median(ndwi[clear & (event.truth == Truth.OPEN_WATER)]) > 0.0
    assert np.median(ndwi[clear & flooded_forest(event)]) < -0.2
    assert 0.25 < np.isin(classes, (8, 9, 10)).mean() < 0.40
    assert (classes == 3).any()


def test_area_average_against_the_slow_way() -> None:
    stream = np.random.default_rng(0)
    values = stream.random((60, 50))
    source = Grid(100.0, 900.0, 10.0, 60, 50)
    target = Grid(132.5, 861.0, 25.0, 4, 5)
    # Both grids nest in cells of half a metre: the mean over those is the slow and obvious answer.
    fine = np.repeat(np.repeat(values, 20, 0), 20, 1)[78:278, 65:315]
    want = fine.reshape(4, 50, 5, 50).mean(axis=(1, 3))
    assert area_average(values, source, target) == pytest.approx(want, rel=1e-6)


def test_area_average_keeps_the_mean_and_ends_with_the_source() -> None:
    values = np.random.default_rng(1).random((50, 50))
    source = Grid(0.0, 500.0, 10.0, 50, 50)
    assert area_average(values, source, Grid(0.0, 500.0, 25.0, 20, 20)).mean() == pytest.approx(values.mean())
    shifted = area_average(values, source, Grid(3.0, 500.0, 10.0, 50, 50))
    assert np.isnan(shifted[:, -1]).all()
    assert np.isfinite(shifted[:, :-1]).all()


def test_numbers_of_the_products_go_back_to_physics() -> None:
    assert list(amplitude_dn(np.array([10.0**-2.3, 10.0**-2.0, np.nan]))) == [1000, 1413, 0]
    reflectance = np.array([-0.02, 0.0, 0.1234, 0.9])
    assert (reflectance_dn(reflectance) - 1000.0) / 10_000.0 == pytest.approx(reflectance, abs=5e-5)
    assert reflectance_dn(np.array([np.nan]))[0] == 0
