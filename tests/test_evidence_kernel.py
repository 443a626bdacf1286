"""The compiled pass over pixels against the same evidence written down pixel by pixel (physics.md 5.6)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from slow_evidence import Told, one_look, two_looks

from harmonization.bundle import Band, RadarBundle
from harmonization.classes import BACKSCATTER, STATES, Backscatter
from harmonization.land_cover import LandCover, shares
from harmonization.radar.evidence import class_log_likelihoods, weigh_radar
from harmonization.radar.history import PixelHistory
from harmonization.reasons import Reason

BUDGET = 0.01
"""Nats that tables and short series may cost."""


def pixels(band: Band, looks: float, count: int, seed: int, **told: Any) -> RadarBundle:
    """Levels from under the noise to the brightest, in both polarizations, some in one only, at all fitted angles."""
    rng = np.random.default_rng(seed)
    names = ("VV", "VH") if band == "C" else ("HH", "HV")
    noise = {name: (10 ** (rng.uniform(-25.3, -24.7, (1, count)) / 10)).astype(np.float32) for name in names}
    if told.pop("one_floor", False):
        noise = dict.fromkeys(names, 10**-2.5)  # type: ignore[arg-type]
    level = {name: 10 ** (rng.uniform(-36.0, 1.0, (1, count)) / 10) + noise[name] for name in names}
    power = {name: (level[name] * rng.gamma(looks, 1 / looks, (1, count))).astype(np.float32) for name in names}
    power[names[1]][0, 1:3] = np.nan
    if told.get("denoised"):
        power = {name: (power[name] - noise[name]).astype(np.float32) for name in names}
        power[names[0]][0, 3:6] = [-0.003, -1.0, 0.0]
    values: dict[str, Any] = {
        "band": band,
        "power": power,
        "quantity": "gamma0",
        "angle": (rng.choice([27.0, 33.2, 38.4, 43.1, 47.0], (1, count)) + rng.random((1, count))).astype(np.float32),
        "angle_range": (30.0, 45.0),
        "noise": noise,
        "denoised": False,
        "looks": looks,
        "reasons": np.zeros((1, count), dtype=np.uint16),
        "time": datetime(2024, 1, 1, tzinfo=UTC),
    }
    return RadarBundle(**values | told)


def check(got: Any, want: list[Told], budget: float = BUDGET) -> None:
    np.testing.assert_allclose(got.llr[0, 0], [w[0] for w in want], rtol=0.0, atol=budget)
    np.testing.assert_allclose(got.llr[1, 0], [w[1] for w in want], rtol=0.0, atol=budget)
    np.testing.assert_allclose(got.held[0, 0], [w[3] for w in want], rtol=0.0, atol=2 * budget)
    flagged = (got.reasons[0] & Reason.SMOOTH_DRY) > 0
    # At the edge of the flag a hundredth of a nat decides.
    assert (flagged != [w[2] for w in want]).mean() < 0.1


@pytest.mark.parametrize(
    ("band", "looks", "told"),
    [
        ("C", 1.0, {"denoised": True}),
        ("C", 4.4, {"one_floor": True}),
        ("L", 15.0, {"quantity": "sigma0"}),
        ("C", 36.0, {"denoised": True}),
        ("L", 120.0, {}),
        ("C", 500.0, {"one_floor": True}),
        ("C", 12.0, {"angle": None, "denoised": True}),
    ],
)
def test_one_look(band: Band, looks: float, told: dict[str, Any]) -> None:
    seen = pixels(band, looks, 30, 1, **told)
    check(weigh_radar("s", seen), [one_look(seen, (0, index)) for index in range(30)])


@pytest.mark.parametrize(
    ("band", "looks", "told", "dates"),
    [
        ("C", 4.4, {"one_floor": True}, 0),
        ("L", 15.0, {"denoised": True}, 0),
        ("C", 10.0, {"angle": None, "one_floor": True}, 0),
        ("C", 15.0, {"one_floor": True}, 4),
        ("C", 15.0, {"one_floor": True}, 12),
    ],
)
def test_two_looks(band: Band, looks: float, told: dict[str, Any], dates: int) -> None:
    count = 16
    seen, past = pixels(band, looks, count, 2, **told), pixels(band, looks, count, 3, **told)
    history = None
    if dates:
        spread = np.random.default_rng(4).uniform(0.5, 4.0, (1, count)).astype(np.float32)
        history = PixelHistory(np.full((1, count), dates), dict.fromkeys(seen.power, spread))
    want = [two_looks(seen, past, (0, index), history=history) for index in range(count)]
    check(weigh_radar("s", seen, past, history=history), want)


@pytest.mark.parametrize("band", ["C", "L"])
def test_every_land_cover(band: Band) -> None:
    count = 16
    seen, past = pixels(band, 15.0, count, 5, one_floor=True), pixels(band, 15.0, count, 6, one_floor=True)
    codes = (np.arange(count) % 9).astype(np.uint8)[None]  # 8 is no cover: unknown
    covers = [LandCover(code if code < 8 else 0) for code in codes[0].tolist()]
    check(weigh_radar("s", seen, cover=codes), [one_look(seen, (0, i), c) for i, c in enumerate(covers)])
    want = [two_looks(seen, past, (0, i), c) for i, c in enumerate(covers)]
    check(weigh_radar("s", seen, past, codes), want)


def test_cover_of_nothing_known_is_no_cover() -> None:
    seen = pixels("L", 10.0, 400, 7, one_floor=True)
    unknown = np.zeros((1, 400), dtype=np.uint8)
    assert (weigh_radar("s", seen, cover=unknown).llr == weigh_radar("s", seen).llr).all()


def test_dark_ground_in_a_forest_is_no_smooth_soil() -> None:
    """At L-HH between water and smooth soil: held to nothing on a field, said of a forest."""
    seen = pixels("L", 15.0, 9, 8, one_floor=True, angle=np.full((1, 9), 38.5, np.float32))
    dark = replace(seen, power={"HH": np.full((1, 9), 10**-2.05, np.float32)}, noise={"HH": 1e-3})
    said = {
        cover: weigh_radar("s", dark, cover=np.full((1, 9), cover, np.uint8))
        for cover in (LandCover.UNKNOWN, LandCover.BARE, LandCover.FOREST)
    }
    for cover in (LandCover.UNKNOWN, LandCover.BARE):
        assert (said[cover].reasons & Reason.SMOOTH_DRY).all()
        assert (np.abs(said[cover].held[0]) < 1.5).all()
    assert (said[LandCover.FOREST].held[0] > said[LandCover.BARE].held[0] + 1.0).all()


@pytest.mark.parametrize("cover", list(LandCover))
def test_shares_of_a_cover_are_a_mixture(cover: LandCover) -> None:
    for state, prior in STATES.items():
        got = shares(state, cover)
        assert set(got) == set(prior)
        assert sum(got.values()) == pytest.approx(1.0)
        assert min(got.values()) > 0.0
        if cover in (LandCover.UNKNOWN, LandCover.SNOW_ICE):
            assert got == pytest.approx(prior)


def test_the_same_bytes_whatever_the_threads_and_the_window() -> None:
    flat = pixels("C", 15.0, 3000, 9)
    assert flat.angle is not None
    seen = replace(
        flat,
        power={name: values.reshape(50, 60) for name, values in flat.power.items()},
        noise={name: np.asarray(values).reshape(50, 60) for name, values in flat.noise.items()},
        angle=(34.0 + 0.1 * (flat.angle - 27.0)).astype(np.float32).reshape(50, 60),
        reasons=np.where(np.arange(3000) % 7 == 0, Reason.LAYOVER, 0).astype(np.uint16).reshape(50, 60),
    )
    past = replace(seen, power={name: values[::-1].copy() for name, values in seen.power.items()})
    assert seen.angle is not None
    for before in (None, past):
        whole = weigh_radar("s", seen, before)
        assert (weigh_radar("s", seen, before, threads=3).llr == whole.llr).all()

        def window(bundle: RadarBundle) -> RadarBundle:
            part = (slice(7, 31), slice(11, 48))
            assert bundle.angle is not None
            return replace(
                bundle,
                power={name: values[part] for name, values in bundle.power.items()},
                noise={name: np.asarray(values)[part] for name, values in bundle.noise.items()},
                angle=bundle.angle[part],
                reasons=bundle.reasons[part],
            )

        some = weigh_radar("s", window(seen), None if before is None else window(before))
        assert (some.llr == whole.llr[:, 7:31, 11:48]).all()
        assert (some.reasons == whole.reasons[7:31, 11:48]).all()


def test_a_pixel_without_a_noise_floor_is_not_seen_in_that_polarization() -> None:
    seen = pixels("C", 15.0, 20, 10)
    noise = {name: np.array(values) for name, values in seen.noise.items()}
    noise["VH"][:] = np.nan
    alone = replace(seen, power={"VV": seen.power["VV"]}, noise={"VV": noise["VV"]})
    got = weigh_radar("s", replace(seen, noise=noise))
    assert (got.llr == weigh_radar("s", alone).llr).all()
    noise["VV"][0, 4] = np.nan
    assert weigh_radar("s", replace(seen, noise=noise)).observed[0].tolist() == [index != 4 for index in range(20)]


def test_outside_of_the_fitted_angles_too() -> None:
    """Where the spread grows with the angle, straight lines between half degrees cost more in the tails."""
    seen = pixels("C", 15.0, 30, 14, one_floor=True)
    seen = replace(seen, angle=np.linspace(15.0, 27.0, 30, dtype=np.float32)[None])
    check(weigh_radar("s", seen), [one_look(seen, (0, index)) for index in range(30)], budget=0.1)


def test_angles_outside_of_the_fit_are_flagged_and_say_less() -> None:
    """The same place among the classes, eight degrees beyond the fitted angles and within them."""
    inside, outside = 40.0, 56.0
    for name in ("open_water", "grass_crop"):
        prior = BACKSCATTER[name]["C-VV"]
        told = []
        for angle in (inside, outside):
            level = 10 ** ((prior.mean + prior.slope * (angle - 38.5)) / 10) + 1e-3
            bundle = pixels("C", 15.0, 1, 11, quantity="sigma0", angle=np.full((1, 1), angle, np.float32))
            bundle = replace(bundle, power={"VV": np.full((1, 1), level, np.float32)}, noise={"VV": 1e-3})
            slopes = {key: replace(BACKSCATTER[key]["C-VV"], slope=0.0) for key in BACKSCATTER}
            level = 10 ** (prior.mean / 10) + 1e-3
            flat = replace(
                bundle, power={"VV": np.full((1, 1), level, np.float32)}, priors={"VV": slopes}
            )  # no slope: only the angle's own doubt differs
            told.append(weigh_radar("s", flat))
        assert not (told[0].reasons & Reason.OUTSIDE_MODEL).any()
        assert (told[1].reasons & Reason.OUTSIDE_MODEL).all()
        assert abs(told[1].llr[0, 0, 0]) < 0.8 * abs(told[0].llr[0, 0, 0])


def test_priors_of_the_scene_replace_those_of_the_table() -> None:
    """A scene whose water is 4 dB brighter: there bright water speaks for water."""
    seen = pixels("C", 15.0, 30, 12, one_floor=True)
    prior = BACKSCATTER["open_water"]["C-VV"]
    moved = replace(seen, priors={"VV": {"open_water": Backscatter(prior.mean + 4.0, prior.std, prior.slope)}})
    got = weigh_radar("s", moved)
    check(got, [one_look(moved, (0, index)) for index in range(30)])
    assert np.abs(got.llr - weigh_radar("s", seen).llr).max() > 1.0


def test_more_classes_than_a_row_holds() -> None:
    seen = pixels("C", 15.0, 10, 13, one_floor=True)
    names = tuple(BACKSCATTER) * 2
    assert set(class_log_likelihoods(seen, names)) == set(BACKSCATTER)
