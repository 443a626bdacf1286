"""Stress: doses that are what they say, the flow's own evidence behind them, and crossings by hand."""

from __future__ import annotations

import csv
import shutil
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from typer.testing import CliRunner

from benchmarks.inference import inputs_of, network_of
from harmonization.bundle import Bundle, OpticalBundle, RadarBundle
from harmonization.optical.indices import ndwi
from harmonization.reasons import Reason
from harmonization.simulate.event import simulate_event
from harmonization.simulate.ground import make_ground
from harmonization.simulate.optical import ENDMEMBERS
from harmonization.simulate.radar import simulate_sentinel1
from models.checkpoint import save
from models.contract import Architecture, read_contract
from models.early import EarlyFusion, early_contract
from models.inputs import CHANNELS, ModelInput
from models.predict import predict
from pipeline.clock import StageClock
from pipeline.errors import PipelineError
from pipeline.job import load_job
from pipeline.observe import observe
from pipeline.plan import make_plan
from pipeline.prepare import prepare
from pipeline.science import load_science
from pipeline.stress import curves, leads, ways_of
from pipeline.stress_degrade import STRESSES
from pipeline.stress_site import Site, observed
from workflows.cli import app
from workflows.simulate import job_text, simulate
from workflows.stress import simulated_site, stress

workflow = import_module("workflows.stress")

SIZE, SEED = 96, 11
SCIENCE = load_science("2026-11")
BY_NAME = {one.name: one for one in STRESSES}


@pytest.fixture(scope="module")
def site() -> Site:
    return simulated_site(SEED, SIZE, SCIENCE)


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    architecture = Architecture(depth=2, decoder_channels=(12, 8), members=2)
    contract = early_contract("tiny", architecture)
    folder = tmp_path_factory.mktemp("weights") / "tiny"
    save(folder, EarlyFusion(contract), contract)
    return folder


def optical(site: Site) -> OpticalBundle:
    bundle = site.during["sentinel-2"]
    assert isinstance(bundle, OpticalBundle)
    return bundle


def radar(site: Site, sensor: Any = "sentinel-1") -> RadarBundle:
    bundle = site.during[sensor]
    assert isinstance(bundle, RadarBundle)
    return bundle


def layers(bundle: Bundle) -> dict[str, Any]:
    return dict(bundle.power if isinstance(bundle, RadarBundle) else bundle.reflectance)


def changed(site: Site, name: str, level: float) -> Site:
    return BY_NAME[name].change(site, level)


def test_a_site_as_it_is_gives_what_map_gives(site: Site, tmp_path: Path) -> None:
    simulate(tmp_path, SIZE, SEED, cloud_cover=0.0)
    job = tmp_path / "plain.yaml"
    job.write_text(job_text(SEED), encoding="utf-8")
    plan = make_plan(load_job(job))
    prepared = prepare(plan, SCIENCE, lambda _: None)
    looks = observe(plan.units[0], SCIENCE, prepared, StageClock()).compute(scheduler="threads")
    plain = observed(replace(site, terrain=np.full_like(site.terrain, np.nan)), SCIENCE)
    assert set(plain.looks) == set(looks)
    for sensor, look in looks.items():
        np.testing.assert_allclose(plain.looks[sensor].contribution, look.contribution, atol=1e-5)
    water = np.log(prepared.water / (1.0 - prepared.water - prepared.vegetation))
    np.testing.assert_allclose(plain.prior[0], water, atol=1e-5)
    for scene in plan.during:
        if scene.kind == "radar":
            assert plain.thresholds[scene.sensor] == [prepared.thresholds[scene.id]]


@pytest.mark.parametrize("name", list(BY_NAME))
def test_level_0_changes_nothing_and_levels_rise(site: Site, name: str) -> None:
    one = BY_NAME[name]
    assert one.levels[0] == 0.0
    assert list(one.levels) == sorted(set(one.levels))
    assert len(one.levels) <= 8
    same = one.change(site, 0.0)
    most = one.change(site, one.levels[-1])
    moved = False
    for sensor, bundle in site.during.items():
        np.testing.assert_array_equal(same.during[sensor].reasons, bundle.reasons)
        for key, values in layers(bundle).items():
            np.testing.assert_allclose(layers(same.during[sensor])[key], values, rtol=1e-6)
            moved |= not np.array_equal(layers(most.during[sensor])[key], values, equal_nan=True)
    assert moved


def test_cloud_grows_where_it_is_and_with_the_rain_it_lies_over_the_flood(site: Site) -> None:
    flood = np.isin(site.truth, (1, 2))
    covered = {}
    for name in ("cloud", "cloud with the rain"):
        masks = [(optical(changed(site, name, share)).reasons & Reason.CLOUD) != 0 for share in (0.2, 0.6)]
        assert [mask.mean() for mask in masks] == pytest.approx([0.2, 0.6], abs=1e-3)
        assert not (masks[0] & ~masks[1]).any()
        covered[name] = masks[0][flood].mean()
    assert covered["cloud with the rain"] > 2.0 * covered["cloud"]


def test_missing_sensors_are_whole_tiles_and_more_of_them_with_the_rate(site: Site) -> None:
    hidden = {rate: (radar(changed(site, "missing sensors", rate)).reasons & Reason.NO_SCENE) != 0 for rate in (0.5, 1)}
    assert hidden[1].all()
    for row, column in ((0, 0), (64, 0), (0, 64), (64, 64)):
        tile = hidden[0.5][row : row + 64, column : column + 64]
        assert tile.all() or not tile.any()


def test_optical_doses_by_hand(site: Site) -> None:
    before = optical(site).reflectance
    hazy = optical(changed(site, "haze", 0.05)).reflectance
    np.testing.assert_allclose(hazy["green"] - before["green"], 0.05, atol=1e-5)
    np.testing.assert_allclose(hazy["nir"] - before["nir"], 0.05 * (833.0 / 560.0) ** -1.3, atol=1e-5)
    dim = optical(changed(site, "illumination", 0.5)).reflectance
    np.testing.assert_allclose(dim["green"], 0.5 * before["green"] + 0.5 * 0.008, atol=1e-5)
    muddy = optical(changed(site, "turbidity", 1.0)).reflectance
    step = ENDMEMBERS["turbid_water"][3] - ENDMEMBERS["clear_water"][3]
    water = np.isin(site.truth, (1, 3))
    np.testing.assert_allclose((muddy["nir"] - before["nir"])[water], step, atol=1e-5)
    np.testing.assert_array_equal(muddy["nir"][~water], before["nir"][~water])
    assert np.median(ndwi(muddy["green"], muddy["nir"])[water]) < np.median(ndwi(before["green"], before["nir"])[water])


def test_bias_is_in_decibels_and_of_c_band_alone(site: Site) -> None:
    bright, dark = (changed(site, name, 3.0) for name in ("C band too bright", "C band too dark"))
    np.testing.assert_allclose(radar(bright).power["VH"], radar(site).power["VH"] * 10.0**0.3, rtol=1e-5)
    np.testing.assert_allclose(radar(dark).power["VV"], radar(site).power["VV"] * 10.0**-0.3, rtol=1e-5)
    assert bright.during["alos-2"] is site.during["alos-2"]


def test_registration_moves_each_sensor_its_own_way_and_its_look_before_with_it(site: Site) -> None:
    moved = changed(site, "registration", 8.0)
    steps = set()
    for sensor, name in (("sentinel-1", "VV"), ("alos-2", "HH"), ("sentinel-2", "nir")):
        step = found_step(layers(site.during[sensor])[name], layers(moved.during[sensor])[name])
        assert found_step(layers(site.before[sensor])[name], layers(moved.before[sensor])[name]) == step
        assert np.hypot(*step) == pytest.approx(8.0, abs=0.8)
        steps.add(step)
    assert len(steps) == 3


def found_step(before: Any, after: Any) -> tuple[int, int]:
    inner = slice(16, -16)
    for down in range(-9, 10):
        for across in range(-9, 10):
            rolled = np.roll(before, (down, across), axis=(0, 1))
            if np.array_equal(rolled[inner, inner], after[inner, inner], equal_nan=True):
                return down, across
    raise AssertionError("no shift within 9 pixels")


def test_wind_is_what_the_simulator_makes_of_the_same_wind(site: Site) -> None:
    """A second scene of the same ground, speckle and texture under 9 m/s of wind on its open water."""
    ground = make_ground(SIZE, SEED)
    scene = simulate_event(SIZE, SEED).scenes[-1]
    assert (scene.sensor, scene.window) == ("sentinel-1", "during")
    speed = np.fmax(ground.during.wind_speed, 9.0 / (1.0 - ground.canopy_fraction))
    windy = replace(ground, during=replace(ground.during, wind_speed=speed))
    again = simulate_sentinel1(windy, "during", scene.time, SEED)
    rougher = radar(changed(site, "wind", 9.0))
    water = np.isin(site.truth, (1, 3))
    clear = ndimage.binary_erosion(water, iterations=2)  # the boxcar mixes land into the shore
    inner = (slice(40, 40 + SIZE), slice(40, 40 + SIZE))
    for name in ("VV", "VH"):
        found, true = rougher.power[name][clear].mean(), again.layers[name.lower()].values[inner][clear].mean()
        assert 10.0 * np.log10(found / true) == pytest.approx(0.0, abs=0.8)
        assert found > 1.5 * radar(site).power[name][clear].mean()
    np.testing.assert_array_equal(rougher.power["VV"][~water], radar(site).power["VV"][~water])


def test_an_untrained_network_is_physics_at_every_level(site: Site, untrained: Path) -> None:
    ways = ways_of([untrained], SCIENCE, "cpu")
    tried = [replace(BY_NAME[name], levels=(0.0, level)) for name, level in (("cloud", 0.7), ("missing sensors", 0.5))]
    points = {(one.stress, one.level, one.method): one for one in curves([site], tried, ways, SCIENCE)}
    for one in tried:
        for level in one.levels:
            assert points[one.name, level, "tiny"].counts == points[one.name, level, "physics"].counts
    at_start = points["cloud", 0.0, "physics"].flood_iou
    assert at_start is not None
    assert at_start > 0.2
    assert points["cloud", 0.7, "ndwi"].answered == pytest.approx(0.3, abs=0.02)
    assert points["cloud", 0.0, "physics of c_band"].answered == 1.0


def test_a_smaller_window_gives_the_same_map(untrained: Path) -> None:
    trained = untrained.parent / "trained"
    contract = read_contract(untrained)
    save(trained, network_of(contract, {})[0], contract)
    drawn = inputs_of(contract, 1, 64)
    modalities = {name: values[0].numpy() for name, values in drawn.modalities.items()}
    presence = {name: mask[0].numpy() for name, mask in drawn.presence.items()}
    inputs = ModelInput(modalities, presence, {}, drawn.physics[0].numpy())
    whole, cut = (predict(trained, inputs, "cpu", window=window) for window in (None, 32))
    assert np.abs(whole.log_odds - inputs.physics).max() > 0.5
    np.testing.assert_allclose(cut.log_odds, whole.log_odds, atol=1e-4)


def test_where_no_sensor_is_left_there_is_nothing_to_score(site: Site) -> None:
    tried = [replace(BY_NAME["missing sensors"], levels=(1.0,))]
    for point in curves([site], tried, ways_of([], SCIENCE, "cpu"), SCIENCE):
        assert point.flood_iou is None
        assert point.answered == 0.0


def test_two_methods_of_one_name_are_refused(untrained: Path) -> None:
    with pytest.raises(PipelineError, match="second method is called 'tiny'; rename"):
        ways_of([untrained, untrained], SCIENCE, "cpu")


def test_leads_by_hand() -> None:
    assert leads([0, 1, 2], [0.9, 0.8, 0.4], [0.6, 0.6, 0.6]) == ((pytest.approx(1.5), 2.0),)
    assert leads([0, 1, 2], [0.9, 0.8, 0.7], [0.6, 0.6, 0.6]) == ()
    assert leads([0, 1, 2], [0.5, 0.4, 0.3], [0.6, 0.6, 0.6]) == ((0.0, 2.0),)
    assert leads([0, 1, 2], [0.9, 0.5, 0.9], [0.7] * 3) == ((pytest.approx(0.5), pytest.approx(1.5)),)


SCORE = st.integers(0, 100).map(lambda percent: percent / 100.0)


@given(st.lists(SCORE, min_size=2, max_size=8), st.lists(SCORE, min_size=8, max_size=8))
def test_in_a_lead_the_other_is_as_good_and_nowhere_else(network: list[float], other: list[float]) -> None:
    levels = list(map(float, range(len(network))))
    found = leads(levels, network, other[: len(network)])
    for level, one, two in zip(levels, network, other, strict=False):
        assert any(start <= level <= end for start, end in found) == (two >= one)


def test_late_rules_share_one_run_of_their_experts(
    site: Site, untrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(untrained, tmp_path / "late" / "c_band")
    (tmp_path / "late" / "late.json").write_text("{}", encoding="utf-8")
    runs: list[tuple[str, ...]] = []

    def predict_late(folder: Path, rules: tuple[str, ...], inputs: ModelInput, device: str) -> dict[str, Any]:
        runs.append(rules)
        assert inputs.channels["c_band"] == CHANNELS["c_band"]
        return {rule: SimpleNamespace(log_odds=inputs.physics) for rule in rules}

    monkeypatch.setitem(sys.modules, "models.late.checkpoint", SimpleNamespace(predict_late=predict_late))
    tried = [replace(BY_NAME["cloud"], levels=(0.0,))]
    ways = ways_of([tmp_path / "late"], SCIENCE, "cpu", ("mean", "median"))
    points = {one.method: one for one in curves([site], tried, ways, SCIENCE)}
    assert runs == [("mean", "median")]
    assert points["late mean"].counts == points["late median"].counts == points["physics"].counts
    assert "expert c_band" in points


def test_the_verb_writes_tables_and_a_figure(tmp_path: Path, untrained: Path) -> None:
    tried = [replace(BY_NAME["haze"], levels=(0.0, 0.08))]
    stress([untrained], tmp_path, scenes=1, size=64, stresses=tried, device="cpu")
    rows = records(tmp_path / "curves.csv")
    assert {row["method"] for row in rows} >= {"ndwi", "radar_threshold", "physics", "tiny"}
    assert len(rows) == 2 * 7
    told = {(row["network"], row["other"]): row["as_good"] for row in records(tmp_path / "crossings.csv")}
    assert told["tiny", "physics"] == "always"
    page = (tmp_path / "stress.md").read_text(encoding="utf-8")
    assert "## haze (path reflectance)" in page
    assert "| haze | tiny | always |" in page
    assert (tmp_path / "stress.png").stat().st_size > 10_000


def records(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_command_takes_one_folder_of_weights_or_several(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(workflow, "stress", lambda weights, out, **told: asked.append((weights, out, told)))
    result = CliRunner().invoke(app, ["stress", "--weights", "a", "b", "--out", str(tmp_path), "--scenes", "3"])
    assert result.exit_code == 0, result.output
    weights, out, told = asked[0]
    assert weights == [Path("a"), Path("b")]
    assert out == tmp_path
    assert told["scenes"] == 3
