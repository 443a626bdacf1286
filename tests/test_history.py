"""Several looks before the flood as one: counted, of one geometry, and how much they vary."""

from __future__ import annotations

import numpy as np
import pytest
from scenes import flags, hours_ago, plain, radar_bundle

from harmonization.radar.evidence import weigh_radar
from harmonization.radar.history import LEAST_SPREAD, past_of
from harmonization.reasons import Reason

SHAPE = (3, 5)


def test_looks_of_the_later_geometry_count_alone_where_there_are_any() -> None:
    same = [radar_bundle({"VV": plain(SHAPE, value)}, time=hours_ago(300)) for value in (0.1, 0.3)]
    other = radar_bundle({"VV": plain(SHAPE, 0.9)}, angle=plain(SHAPE, 30.0), time=hours_ago(200))
    same[0].power["VV"][0, 0] = same[1].power["VV"][0, 0] = np.nan
    merged, history = past_of([*same, other], plain(SHAPE, 38.5))
    assert merged.angle is not None
    np.testing.assert_allclose(merged.power["VV"][1:], 0.2, rtol=1e-6)
    np.testing.assert_allclose(merged.angle[1:], 38.0)
    assert (history.count[1:] == 2).all()
    assert (merged.power["VV"][0, 0], merged.angle[0, 0], history.count[0, 0]) == (np.float32(0.9), 30.0, 1)


def test_spread_is_that_between_dates_without_speckle() -> None:
    """Levels that vary by 2 dB, 12 looks of speckle on top: 2 dB come back; steady ground is as steady as radar is."""
    rng = np.random.default_rng(1)
    shape = (40, 50)
    for true, want in ((2.0, 2.0), (0.0, LEAST_SPREAD)):
        looks = []
        for date in range(30):
            level = 10 ** ((-11.0 + true * rng.standard_normal(shape)) / 10)
            power = (level * rng.gamma(12.0, 1 / 12.0, shape)).astype(np.float32)
            looks.append(radar_bundle({"VV": power}, noise={"VV": 1e-6}, time=hours_ago(24 * (date + 5))))
        _, history = past_of(looks, None)
        assert (history.count == 30).all()
        assert np.median(history.spread["VV"]) == pytest.approx(want, abs=0.15)


def test_one_date_has_no_spread_and_blind_samples_do_not_count() -> None:
    shadow = radar_bundle({"VV": plain(SHAPE, 0.001)}, reasons=flags(SHAPE, Reason.RADAR_SHADOW), time=hours_ago(100))
    clear = radar_bundle({"VV": plain(SHAPE, 0.1)}, time=hours_ago(200))
    _, history = past_of([shadow, clear], None)
    assert (history.count == 1).all()
    assert np.isnan(history.spread["VV"]).all()
    _, nothing = past_of([shadow, shadow], None)
    assert (nothing.count == 0).all()


def test_noise_floors_that_differ_are_averaged_with_the_power() -> None:
    one = radar_bundle({"VV": plain(SHAPE, 0.1)}, noise={"VV": plain(SHAPE, 0.001)}, time=hours_ago(100))
    other = radar_bundle({"VV": plain(SHAPE, 0.1)}, noise={"VV": 0.003}, time=hours_ago(200))
    merged, _ = past_of([one, other], None)
    np.testing.assert_allclose(merged.noise["VV"], 0.002, rtol=1e-6)


def test_a_steady_pixel_shows_a_small_change_and_a_restless_one_does_not() -> None:
    """A fall of 3 dB: a sign on ground that moved by half a dB in twelve dates, none where it always moves by 4 dB."""
    power = plain(SHAPE, 0.08)
    now = radar_bundle({"VV": plain(SHAPE, 0.04)}, looks=36.0)
    before = radar_bundle({"VV": power}, looks=36.0, time=hours_ago(300))
    merged, history = past_of([before] * 12, now.angle)
    assert (history.count == 12).all()
    steady = weigh_radar("s", now, merged, history=history).llr[0]
    history.spread["VV"][:] = 4.0
    restless = weigh_radar("s", now, merged, history=history).llr[0]
    assert (steady > restless + 0.5).all()
