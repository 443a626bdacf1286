"""Looks to evidence: the newest wins, the past is merged in power, snow and shores hold a sensor back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scenes import NOON, evidence_of, flags, hours_ago, optical_bundle, plain, radar_bundle

from harmonization.bundle import Evidence, OpticalBundle, RadarBundle
from harmonization.evidence import Belief
from harmonization.radar.evidence import weigh_radar
from harmonization.reasons import Reason
from pipeline.weigh import Weighed, blind, settle, weigh

SHAPE = (6, 8)
WATER, LAND = 0.01, 0.1
"""C-VV of -20 and -10 dB."""


def left() -> NDArray[np.bool_]:
    """The western half."""
    return np.arange(SHAPE[1])[None].repeat(SHAPE[0], axis=0) < 4


def seen_in(where: NDArray[np.bool_], value: float, **told: Any) -> RadarBundle:
    """A look of one value that reaches only part of the unit."""
    power = np.where(where, np.float32(value), np.float32(np.nan)).astype(np.float32)
    reasons = np.where(where, 0, Reason.OUTSIDE_SWATH).astype(np.uint16)
    return radar_bundle({"VV": power}, reasons=reasons, **told)


def test_newest_look_wins_at_each_pixel_in_whatever_order_they_come() -> None:
    newest = seen_in(left(), WATER)
    older = seen_in(np.ones(SHAPE, bool), LAND, time=hours_ago(24))
    for looks in ([newest, older], [older, newest]):
        found = weigh("sentinel-1", looks, [], NOON)
        assert found.evidence.observed.all()
        np.testing.assert_array_equal(found.hours, np.where(left(), 0.0, 24.0))
        assert isinstance(found.bundle, RadarBundle)
        np.testing.assert_allclose(found.bundle.power["VV"], np.where(left(), WATER, LAND))
        expected = np.where(left(), weigh_radar("x", newest).llr, weigh_radar("x", older).llr)
        np.testing.assert_array_equal(found.evidence.llr, expected)
        assert (found.evidence.llr[0][left()] > 0).all()
        assert (found.evidence.llr[0][~left()] < 0).all()
        assert found.evidence.time == NOON
        assert (found.evidence.reasons == 0).all(), "what the newest could not see the older saw"


def test_the_angle_goes_with_the_power_of_its_look() -> None:
    """The newest at 33 degrees, behind it an older one at 43, one without angles, or both without."""
    newest = seen_in(left(), WATER, angle=plain(SHAPE, 33.0))
    whole = np.ones(SHAPE, bool)
    for angle, behind in ((plain(SHAPE, 43.0), 43.0), (None, np.nan)):
        older = seen_in(whole, LAND, time=hours_ago(24), angle=angle)
        found = weigh("sentinel-1", [newest, older], [], NOON).bundle
        assert isinstance(found, RadarBundle)
        np.testing.assert_array_equal(found.angle, np.where(left(), 33.0, behind).astype(np.float32))
    looks = [seen_in(left(), WATER, angle=None), seen_in(whole, LAND, time=hours_ago(24), angle=None)]
    found = weigh("sentinel-1", looks, [], NOON).bundle
    assert isinstance(found, RadarBundle)
    assert found.angle is None


def test_where_no_look_saw_there_is_no_evidence_and_no_hour() -> None:
    found = weigh("sentinel-1", [seen_in(left(), WATER), seen_in(left(), WATER, time=hours_ago(5))], [], NOON)
    np.testing.assert_array_equal(found.evidence.observed, left())
    np.testing.assert_array_equal(np.isnan(found.hours), ~left())
    assert (found.evidence.llr[:, ~left()] == 0).all()
    assert (found.evidence.reasons[~left()] == Reason.OUTSIDE_SWATH).all()


def test_hours_are_counted_either_way_from_the_mapped_instant() -> None:
    """t* six hours before this look: a look after t* is as old as one before."""
    found = weigh("sentinel-1", [seen_in(left(), WATER)], [], hours_ago(6))
    np.testing.assert_array_equal(found.hours[left()], 6.0)


def test_second_look_without_a_polarization_leaves_it_unknown() -> None:
    newest = seen_in(left(), WATER)
    both = radar_bundle({"VV": newest.power["VV"], "VH": plain(SHAPE, 0.001)}, reasons=newest.reasons)
    older = seen_in(np.ones(SHAPE, bool), LAND, time=hours_ago(24))
    found = weigh("sentinel-1", [both, older], [], NOON).bundle
    assert isinstance(found, RadarBundle)
    assert np.isnan(found.power["VH"][~left()]).all()


def test_clouded_newest_optical_look_gives_way_to_a_clear_older_one() -> None:
    cloud = np.where(left(), Reason.CLOUD, 0).astype(np.uint16)
    newest = optical_bundle(plain(SHAPE, 0.10), plain(SHAPE, 0.02), reasons=cloud)
    older = optical_bundle(plain(SHAPE, 0.08), plain(SHAPE, 0.30), time=hours_ago(48))
    found = weigh("sentinel-2", [newest, older], [], NOON)
    assert isinstance(found.bundle, OpticalBundle)
    np.testing.assert_allclose(found.bundle.reflectance["nir"], np.where(left(), 0.30, 0.02))
    np.testing.assert_array_equal(found.hours, np.where(left(), 48.0, 0.0))
    assert (found.evidence.llr[0][~left()] > 0).all()
    assert (found.evidence.llr[0][left()] < 0).all()


# ---- before


def merged(*before: Any, sensor: Any = "sentinel-1") -> Any:
    now = radar_bundle({"VV": plain(SHAPE, WATER)})
    if sensor == "sentinel-2":
        now = optical_bundle(plain(SHAPE, 0.1), plain(SHAPE, 0.02))  # type: ignore[assignment]
    found = weigh(sensor, [now], list(before), NOON)
    assert found.before is not None
    assert found.before_evidence is not None
    return found


def test_without_a_before_there_is_no_reference() -> None:
    found = weigh("sentinel-1", [radar_bundle({"VV": plain(SHAPE, WATER)})], [], NOON)
    assert found.before is None
    assert found.before_evidence is None


def test_before_looks_are_averaged_in_linear_power_over_what_each_saw() -> None:
    """0.001 and 0.1: 0.0505 (-13 dB), not the 0.01 of the mean in dB; where one did not see, the other alone."""
    one = seen_in(np.ones(SHAPE, bool), 0.1, time=hours_ago(500))
    other = seen_in(left(), 0.001, time=hours_ago(800))
    found = merged(one, other).before
    np.testing.assert_allclose(found.power["VV"], np.where(left(), 0.0505, 0.1), rtol=1e-6)
    assert (found.reasons == 0).all()


def test_one_before_look_is_taken_as_it_is() -> None:
    one = seen_in(left(), LAND, time=hours_ago(500))
    found = merged(one).before
    np.testing.assert_array_equal(found.power["VV"], one.power["VV"])
    np.testing.assert_array_equal(found.reasons, one.reasons)


def test_before_of_optics_is_the_newest_clear_look() -> None:
    cloud = np.where(left(), Reason.CLOUD, 0).astype(np.uint16)
    newest = optical_bundle(plain(SHAPE, 0.10), plain(SHAPE, 0.02), reasons=cloud, time=hours_ago(300))
    older = optical_bundle(plain(SHAPE, 0.08), plain(SHAPE, 0.30), time=hours_ago(500))
    found = merged(older, newest, sensor="sentinel-2").before
    np.testing.assert_allclose(found.reflectance["nir"], np.where(left(), 0.30, 0.02))
    assert (found.reasons == 0).all()


def test_before_sharpens_the_dry_state_and_says_what_was_water() -> None:
    found = merged(radar_bundle({"VV": plain(SHAPE, WATER)}, time=hours_ago(500)))
    assert (found.before_evidence.llr[0] > 0).all(), "water before: reference"
    dry = merged(radar_bundle({"VV": plain(SHAPE, LAND)}, time=hours_ago(500)))
    assert (dry.before_evidence.llr[0] < 0).all()
    alone = weigh("sentinel-1", [radar_bundle({"VV": plain(SHAPE, WATER)})], [], NOON)
    assert (dry.evidence.llr[0] > alone.evidence.llr[0]).all(), "a fall of 10 dB says more than being dark"


def test_blinded_sample_does_not_enter_the_mean_of_the_past() -> None:
    """Radar shadow is dark and no water: where one look lay in it, only the other tells."""
    shadow = radar_bundle(
        {"VV": plain(SHAPE, 0.001)},
        reasons=np.where(left(), Reason.RADAR_SHADOW, 0).astype(np.uint16),
        time=hours_ago(500),
    )
    clear = radar_bundle({"VV": plain(SHAPE, 0.1)}, time=hours_ago(800))
    found = merged(shadow, clear).before
    np.testing.assert_allclose(found.power["VV"], np.where(left(), 0.1, 0.0505), rtol=1e-6)


def test_pixel_that_every_past_look_is_blind_to_stays_unobserved() -> None:
    """In shadow from one side, in layover from the other: two reasons, no common bit, and nothing seen."""
    one = radar_bundle({"VV": plain(SHAPE, 0.001)}, reasons=flags(SHAPE, Reason.RADAR_SHADOW), time=hours_ago(500))
    other = radar_bundle({"VV": plain(SHAPE, 1.0)}, reasons=flags(SHAPE, Reason.LAYOVER), time=hours_ago(800))
    assert not merged(one, other).before_evidence.observed.any()


# ---- settle


def weighed(
    sensor: Any, water: NDArray[np.float32], vegetation: float = 0.0, hours: float = 0.0, **told: Any
) -> Weighed:
    """A look by its evidence alone; the bundle is of the sensor's kind."""
    shape = water.shape
    bundle: Any = radar_bundle({"VV": plain(shape, 0.05)})
    if sensor == "sentinel-2":
        bundle = optical_bundle(plain(shape, 0.1), plain(shape, 0.1), reasons=told.pop("snow", flags(shape)))
    evidence: Evidence = evidence_of(sensor, water, vegetation, **told)
    ages = np.where(evidence.observed, np.float32(hours), np.float32(np.nan))
    chosen = np.where(evidence.observed, 0, -1)
    return Weighed(sensor, evidence, ages, chosen, bundle, None, None)


def test_contribution_is_exactly_zero_where_unobserved() -> None:
    """Also of a sensor whose neighbours vouch for a stand of vegetation."""
    water = plain(SHAPE, 3.0)
    water[2:4, 2:5] = np.nan
    looks = {"alos-2": weighed("alos-2", water, vegetation=2.0, hours=5.0, cell=5, stand=2)}
    found = settle(looks, Belief())["alos-2"]  # type: ignore[arg-type]
    assert (found.contribution[:, np.isnan(water)] == 0).all()
    assert (found.contribution[:, ~np.isnan(water)] != 0).all()
    assert np.isfinite(found.contribution).all()
    np.testing.assert_array_equal(found.evidence.llr[0], np.nan_to_num(water))


def test_doubt_caps_what_a_sensor_adds_and_age_takes_from_it() -> None:
    """No sensor is worth more than ln(2·0.98/0.02) = 4.585 nats: three states, a stray to either of two others."""
    found = {
        hours: settle({"sentinel-1": weighed("sentinel-1", plain(SHAPE, 50.0), hours=hours)}, Belief())["sentinel-1"]
        for hours in (0.0, 24.0, 720.0)
    }
    cap = np.log(2 * 0.98 / 0.02)
    fresh, day, month = (float(found[hours].contribution[0, 0, 0]) for hours in (0.0, 24.0, 720.0))
    assert cap - 0.05 < fresh <= cap + 1e-4
    assert fresh > day > month > 0.0
    assert month < 0.01


def test_coarse_sensor_is_doubted_at_a_shore_that_the_finer_sees() -> None:
    """Shore between columns 15 and 16; a coarse cell of 9 pixels reaches 4 pixels to each side of its middle."""
    shape = (24, 32)
    west = np.arange(32)[None].repeat(24, axis=0) < 16
    fine = weighed("sentinel-2", np.where(west, 4.0, -4.0).astype(np.float32), vegetation=-4.0, cell=3)
    coarse = weighed("alos-2", plain(shape, 4.0), cell=9)
    looks: dict[Any, Weighed] = {"alos-2": coarse, "sentinel-2": fine}
    both = settle(looks, Belief())
    alone = settle({"alos-2": coarse}, Belief())["alos-2"].contribution[0]
    held = both["alos-2"].contribution[0]
    away = np.abs(np.arange(32) - 15.5) > 4.5
    np.testing.assert_allclose(held[:, away], alone[:, away], rtol=0.02)
    assert (np.abs(held[:, [15, 16]]) < 0.75 * np.abs(alone[:, [15, 16]])).all()
    np.testing.assert_array_equal(
        both["sentinel-2"].contribution, settle({"sentinel-2": fine}, Belief())["sentinel-2"].contribution
    )
    assert list(both) == ["alos-2", "sentinel-2"], "in the order they came"


def test_coarse_sensor_has_its_full_say_where_the_finer_is_blind() -> None:
    """A flat field of unobserved optics knows of no shore."""
    fine = weighed("sentinel-2", plain(SHAPE, np.nan), cell=3)
    coarse = weighed("alos-2", plain(SHAPE, 4.0), cell=9)
    looks: dict[Any, Weighed] = {"alos-2": coarse, "sentinel-2": fine}
    np.testing.assert_array_equal(
        settle(looks, Belief())["alos-2"].contribution,
        settle({"alos-2": coarse}, Belief())["alos-2"].contribution,
    )


def test_snow_in_optics_takes_the_say_from_radar() -> None:
    snow = np.where(left(), Reason.SNOW_OR_FROZEN, 0).astype(np.uint16)
    optics = weighed("sentinel-2", np.where(left(), np.nan, 1.0).astype(np.float32), snow=snow)
    looks: dict[Any, Weighed] = {
        "sentinel-2": optics,
        "sentinel-1": weighed("sentinel-1", plain(SHAPE, 3.0), reasons=flags(SHAPE, Reason.UNKNOWN_ANGLE)),
        "alos-2": weighed("alos-2", plain(SHAPE, 3.0), cell=7, stand=7),
    }
    found = settle(looks, Belief())
    for sensor in ("sentinel-1", "alos-2"):
        look = found[sensor]  # type: ignore[index]
        np.testing.assert_array_equal(look.evidence.observed, ~left())
        assert (look.evidence.llr[:, left()] == 0).all()
        assert (look.contribution[:, left()] == 0).all()
        assert (look.evidence.reasons[left()] & Reason.SNOW_OR_FROZEN != 0).all()
        assert (look.evidence.reasons[~left()] & Reason.SNOW_OR_FROZEN == 0).all()
        assert np.isnan(look.hours[left()]).all()
        assert (look.contribution[0][~left()] > 0).all()
    assert (found["sentinel-1"].evidence.reasons & Reason.UNKNOWN_ANGLE != 0).all(), "other reasons stay"
    assert found["sentinel-2"].evidence is optics.evidence


def test_without_snow_nothing_is_touched() -> None:
    looks: dict[Any, Weighed] = {
        "sentinel-1": weighed("sentinel-1", plain(SHAPE, 3.0)),
        "sentinel-2": weighed("sentinel-2", plain(SHAPE, 1.0)),
    }
    assert settle(looks, Belief())["sentinel-1"].evidence is looks["sentinel-1"].evidence
    assert settle({}, Belief()) == {}


def test_sensor_without_a_scene_says_so_everywhere() -> None:
    found = blind("landsat", SHAPE, NOON)
    assert not found.observed.any()
    assert (found.llr == 0).all()
    assert (found.reasons == Reason.NO_SCENE).all()
    assert found.llr.shape == (2, *SHAPE)


@pytest.mark.parametrize(
    ("sensor", "modality"),
    [("sentinel-1", "c_band"), ("alos-2", "l_band"), ("sentinel-2", "optical"), ("landsat", "optical")],
)
def test_modality_of_a_sensor(sensor: Any, modality: str) -> None:
    assert weighed(sensor, plain(SHAPE, 0.0)).modality == modality
