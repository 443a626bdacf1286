"""Backscatter in the terms of C-VV at 38.5 degrees: class by class, with its doubt, and never in a decision."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scenes import NOON, evidence_of, look_of, plain, radar_bundle

from harmonization.bundle import RadarBundle
from harmonization.classes import BACKSCATTER, STATES
from harmonization.evidence import Belief
from harmonization.incidence import class_mean
from harmonization.reasons import Reason
from harmonization.wavelength import (
    HARMONIZED,
    STABLE_GAMMA0,
    class_average,
    class_posteriors,
    harmonize,
    track_constant,
)
from models.inputs import CHANNELS, Look, assemble
from pipeline.job import Job
from pipeline.methods import by_physics
from pipeline.run_folder import finished_units
from workflows.map import map_flood
from workflows.simulate import simulate

ROOT = Path(__file__).resolve().parents[1]
PRIOR = Belief().log_odds
QUIET = 1e-9


def look(band: str, power_db: Any, **changes: Any) -> RadarBundle:
    """One row of co-polar power (dB) in sigma0 at 38.5 degrees with hardly a noise floor, ten looks."""
    levels = np.atleast_2d(np.asarray(power_db, dtype=np.float64))
    polarization = {"C": "VV", "L": "HH"}[band]
    told: dict[str, Any] = {
        "band": band,
        "power": {polarization: (10.0 ** (levels / 10.0)).astype(np.float32)},
        "quantity": "sigma0",
        "angle": np.full(levels.shape, 38.5, dtype=np.float32),
        "angle_range": (30.0, 45.0),
        "noise": {polarization: QUIET},
        "denoised": False,
        "looks": 10.0,
        "reasons": np.zeros(levels.shape, dtype=np.uint16),
        "time": NOON,
    }
    return RadarBundle(**told | changes)


LEVELS = np.linspace(-30.0, 0.0, 121)


# --- the level


def test_c_vv_at_the_reference_angle_is_left_alone() -> None:
    # Every class has the same offset there: none.
    found = harmonize(look("C", LEVELS), PRIOR)
    assert found.level[0] == pytest.approx(LEVELS, abs=1e-3)
    assert found.std[0] == pytest.approx(2.0, abs=1e-4)


def test_l_band_of_a_certain_class_moves_by_the_class_means() -> None:
    # Forest, dry beyond doubt at -8 dB: -7.6 - (-8.0) = +0.4 dB. Bright enough for a town, so only that share differs.
    found = class_average([[-7.6], [3.0]], [4.0, 4.0], [[1.0], [0.0]])
    assert found[0][0] == pytest.approx(-7.6, abs=1e-6)
    assert found[1][0] == pytest.approx(2.0, abs=1e-6)


def test_the_average_by_hand() -> None:
    # Shares 3:1 of -10 and -6 dB, u = 2 dB: mean -9; variance 4 + 0.75·1 + 0.25·9 = 7.
    mean, std = class_average([[-10.0], [-6.0]], [4.0, 4.0], [[3.0], [1.0]])
    assert mean[0] == pytest.approx(-9.0)
    assert std[0] == pytest.approx(np.sqrt(7.0))


@pytest.mark.parametrize(("quantity", "angle"), [("gamma0", 31.0), ("gamma0", 44.0), ("sigma0", 31.0)])
def test_the_level_is_the_slow_sum_over_classes(quantity: Any, angle: float) -> None:
    noise = 10.0**-2.6
    seen = look("L", [-22.0, -14.0, -8.0], quantity=quantity, noise={"HH": noise})
    seen = replace(seen, angle=np.full((1, 3), angle, dtype=np.float32))
    found = harmonize(seen, PRIOR)
    posterior = class_posteriors(seen, PRIOR)
    for column in range(3):
        shares = {name: float(posterior[name][0, column]) for name in HARMONIZED}
        total = sum(shares.values())
        levels = {}
        for name in HARMONIZED:
            own = 10.0 ** (float(class_mean(BACKSCATTER[name]["L-HH"], angle, quantity)) / 10.0) + noise
            measured = 10.0 * np.log10(float(seen.power["HH"][0, column]))
            levels[name] = measured + BACKSCATTER[name]["C-VV"].mean - 10.0 * np.log10(own)
        mean = sum(shares[name] / total * levels[name] for name in HARMONIZED)
        variance = sum(shares[name] / total * (4.0 + (levels[name] - mean) ** 2) for name in HARMONIZED)
        assert found.level[0, column] == pytest.approx(mean, abs=1e-4)
        assert found.std[0, column] == pytest.approx(np.sqrt(variance), abs=1e-4)


def test_posteriors_are_those_of_bayes() -> None:
    found = class_posteriors(look("C", LEVELS), PRIOR)
    assert set(found) == {name for classes in STATES.values() for name in classes}
    assert sum(found.values())[0] == pytest.approx(1.0, abs=1e-5)
    # A prior sure of water leaves water alone, whatever the level.
    sure = class_posteriors(look("C", LEVELS), np.array([60.0, -60.0]))
    assert (sure["open_water"] + sure["water_wind10"])[0] == pytest.approx(1.0, abs=1e-5)


def test_denoised_power_is_the_same_look() -> None:
    noise = 10.0**-2.2
    raw = look("C", [-20.0, -21.5], noise={"VV": noise})
    less = {"VV": raw.power["VV"] - np.float32(noise)}
    found, again = harmonize(raw, PRIOR), harmonize(replace(raw, power=less, denoised=True), PRIOR)
    assert again.level == pytest.approx(found.level, abs=1e-3)
    assert again.std == pytest.approx(found.std, abs=1e-3)


def test_a_noise_layer_is_read_pixel_by_pixel() -> None:
    layer = np.array([[1e-4, 5e-3]], dtype=np.float32)
    both = harmonize(look("C", [-21.0, -21.0], noise={"VV": layer}), PRIOR)
    assert both.level[0, 1] < both.level[0, 0] - 0.3, "what the noise explains is not signal"


# --- where it is valid


@pytest.mark.parametrize(
    ("changes", "valid"),
    [
        ({}, True),
        ({"reasons": np.array([[Reason.LAYOVER]], dtype=np.uint16)}, False),
        ({"reasons": np.array([[Reason.URBAN]], dtype=np.uint16)}, False),
        ({"reasons": np.array([[Reason.SMOOTH_DRY]], dtype=np.uint16)}, True),
        ({"angle": np.array([[24.9]], dtype=np.float32)}, False),
        ({"angle": np.array([[25.1]], dtype=np.float32)}, True),
        ({"angle": None}, True),
        ({"angle": None, "angle_range": (20.0, 45.0)}, False),
    ],
)
def test_validity(changes: dict[str, Any], valid: bool) -> None:
    assert bool(harmonize(look("C", [-12.0], **changes), PRIOR).valid[0, 0]) == valid


def test_flooded_vegetation_and_towns_have_no_harmonized_form() -> None:
    # -1 dB at L-HH: town or flooded forest; a prior that expects flooded stands makes -4.5 dB one of them too.
    assert not harmonize(look("L", [-1.0]), PRIOR).valid[0, 0]
    wet = np.log(np.array([0.03, 0.3]) / 0.67)
    assert not harmonize(look("L", [-4.5]), wet).valid[0, 0]


def test_an_unknown_angle_widens_water_by_its_slope() -> None:
    # 0.394 dB a degree over 30 to 45 degrees: 0.394·15/sqrt(12) = 1.706 dB beside 2 dB of the models.
    sure = np.array([60.0, -60.0])
    known = harmonize(look("C", [-19.3]), sure)
    unknown = harmonize(look("C", [-19.3], angle=None), sure)
    between = known.std[0, 0] ** 2 - 4.0
    assert unknown.std[0, 0] == pytest.approx(np.sqrt(4.0 + 1.706**2 + between), abs=0.05)


def test_what_was_not_seen_has_no_level() -> None:
    seen = look("C", [-12.0, -12.0])
    seen.power["VV"][0, 0] = np.nan
    found = harmonize(seen, PRIOR)
    assert np.isnan([found.level[0, 0], found.std[0, 0]]).all()
    assert found.valid[0].tolist() == [False, True]
    assert np.isfinite([found.level[0, 1], found.std[0, 1]]).all()


def test_the_same_land_reads_alike_in_both_bands() -> None:
    # Land of a class mean at L-HH comes out within one model deviation of that mean at C-VV; so does water, which is
    # 3.9 dB darker at L-HH, where the prior knows it to be water. Without that it reads as the soil that it looks like.
    water = np.array([6.0, -6.0])
    for name, prior in (("open_water", water), ("grass_crop", PRIOR), ("forest", PRIOR)):
        found = harmonize(look("L", [BACKSCATTER[name]["L-HH"].mean]), prior)
        assert abs(found.level[0, 0] - BACKSCATTER[name]["C-VV"].mean) < 2.0, name


# --- anchoring


def test_a_track_is_moved_to_its_stable_targets() -> None:
    # 4500 stable pixels 0.6 dB too dark: +0.6·4500/5000 = 0.54 dB.
    expected = STABLE_GAMMA0["L-HH"]
    level = np.full((50, 100), expected - 0.6)
    stable = np.zeros(level.shape, dtype=np.bool_)
    stable[:45] = True
    level[~stable] = -20.0
    assert track_constant(level, expected, stable) == pytest.approx(0.54)


def test_a_track_is_never_moved_by_more_than_a_decibel_and_not_at_all_without_stable_targets() -> None:
    level = np.full((1000, 1000), -12.0)
    assert track_constant(level, -6.5, True) == pytest.approx(1.0 * 1e6 / (1e6 + 500))
    assert track_constant(level, -6.5, False) == 0.0
    assert track_constant(np.full((4, 4), np.nan), -6.5, True) == 0.0


@given(st.floats(-30.0, 5.0), st.integers(1, 3000))
@settings(max_examples=30, deadline=None)
def test_the_constant_never_overshoots(level: float, count: int) -> None:
    found = track_constant(np.full(count, level), -6.5, True)
    gap = -6.5 - level
    assert abs(found) <= min(abs(gap), 1.0) + 1e-12
    assert found * gap >= 0.0


# --- never in the decision


def importers(module: str) -> set[str]:
    """Files of the packages that import a module."""
    found = set()
    for room in ("catalogs", "harmonization", "models", "pipeline", "workflows"):
        for path in (ROOT / room).rglob("*.py"):
            names = [
                node.module
                for node in ast.walk(ast.parse(path.read_text()))
                if isinstance(node, ast.ImportFrom) and node.module
            ]
            if module in names:
                found.add(path.relative_to(ROOT).as_posix())
    return found


def test_only_the_layer_and_the_network_channel_read_it() -> None:
    assert importers("harmonization.wavelength") == {"models/inputs.py", "pipeline/assemble.py"}


def test_the_decision_of_physics_does_not_read_levels_at_all() -> None:
    # Same evidence over levels 20 dB apart: the same map.
    shape = (3, 4)
    water = np.linspace(-4.0, 4.0, 12, dtype=np.float32).reshape(shape)
    maps, prior = [], np.ascontiguousarray(np.broadcast_to(Belief().log_odds[:, None, None], (2, *shape)))
    for level in (0.3, 0.003):
        bundle = radar_bundle({"VV": plain(shape, level)})
        maps.append(by_physics({"sentinel-1": look_of("sentinel-1", bundle, water)}, prior))
    assert maps[0].states is not None
    np.testing.assert_array_equal(maps[0].states, maps[1].states)


# --- a channel for networks


def asked(channels: tuple[str, ...], level: NDArray[np.float64]) -> Any:
    seen = look("L", level)
    evidence = evidence_of("alos-2", np.zeros(level.shape[-1:], dtype=np.float32)[None])
    parts = {"l_band": evidence.llr}
    return assemble({"l_band": Look(evidence, seen)}, parts, PRIOR, {"l_band": channels})


def test_a_contract_may_ask_for_the_harmonized_level() -> None:
    level = np.array([-14.0, -1.0])  # grass; a town, which has no harmonized form
    found = asked((*CHANNELS["l_band"], "harmonized_db"), level)
    want = harmonize(look("L", level), PRIOR)
    channel = found.modalities["l_band"][-1, 0]
    assert channel[0] == pytest.approx(want.level[0, 0])
    assert np.isnan(channel[1])
    assert found.presence["l_band_harmonized"][0].tolist() == [True, False]
    hidden = found.without({"l_band": True})
    assert not hidden.presence["l_band_harmonized"].any()


def test_channels_come_in_the_order_asked_for_and_only_when_asked() -> None:
    level = np.array([-14.0])
    default = asked(CHANNELS["l_band"], level)
    assert "l_band_harmonized" not in default.presence
    turned = asked(tuple(reversed(CHANNELS["l_band"])), level)
    np.testing.assert_array_equal(turned.modalities["l_band"][::-1], default.modalities["l_band"])
    with pytest.raises(ValueError, match="Unknown channel coherence of 'l_band'; known: evidence_water"):
        asked(("coherence",), level)


# --- a layer of a run


def test_a_run_writes_the_layer_when_asked_and_maps_the_same_flood(tmp_path: Path) -> None:
    simulate(tmp_path, 64, 3)
    told = yaml.safe_load((tmp_path / "job.yaml").read_text()) | {
        "methods": ["physics"],
        "sensors": ["alos-2", "sentinel-1"],
        "before": None,
    }
    runs = {}
    for name, extra in (("with", ["harmonized"]), ("without", [])):
        job = tmp_path / f"{name}.yaml"
        job.write_text(yaml.safe_dump(told | {"extra_layers": extra}))
        map_flood(job, tmp_path / name)
        (runs[name],) = finished_units(tmp_path / name)
    assert (runs["with"] / "flood_class.tif").read_bytes() == (runs["without"] / "flood_class.tif").read_bytes()
    assert not (runs["without"] / "harmonized.tif").exists()
    with rasterio.open(runs["with"] / "harmonized.tif") as source:
        values = source.read(masked=True).astype(np.float64) * source.scales[0]
        assert source.descriptions[2] == "sentinel-1 C-VV-equivalent sigma0"
        assert source.units[0] == "dB"
    assert values.shape == (4, 64, 64)
    for level, std in (values[:2], values[2:]):
        assert (~level.mask).mean() > 0.3
        assert -32.0 < level.min() < level.max() < 5.0
        assert 2.0 <= std.min() < std.max() <= 4.0
        assert (level.mask == std.mask).all()


def test_the_layer_wants_a_radar() -> None:
    told = {"name": "x", "area": (0, 0, 1, 1), "catalog": "c", "during": ("2024-01-01", "2024-01-02")}
    with pytest.raises(ValueError, match="none is among the sensors"):
        Job.model_validate(told | {"sensors": ("sentinel-2",), "extra_layers": ("harmonized",)})
