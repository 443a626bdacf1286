"""Open water as a scene shows it: what moves it, what must not, and what that does to the evidence."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit

from harmonization.bimodality import BimodalTiles, bimodal_tiles
from harmonization.bundle import RadarBundle, copolar
from harmonization.calibration import power_from_decibel
from harmonization.class_means import SeenWater, intensity_level, seen_water, shrunk, water_priors
from harmonization.classes import BACKSCATTER, STATES, Backscatter, overlap
from harmonization.incidence import class_mean
from harmonization.radar.evidence import weigh_radar
from harmonization.reasons import Reason

Image = NDArray[np.float64]
SIDE, LOOKS = 256, 36.0
NOISE_DB = {"VV": -24.0, "VH": -25.0, "HH": -28.0, "HV": -33.0}
TABLE = BACKSCATTER["open_water"]["C-VV"]
DARKEST = -15.4


def lakes() -> NDArray[np.bool_]:
    """A quarter of the window, in four lakes."""
    water = np.zeros((SIDE, SIDE), dtype=np.bool_)
    for top in (16, 144):
        for left in (16, 144):
            water[top : top + 64, left : left + 64] = True
    return water


def window(water: NDArray[np.bool_], shift: float, seed: int = 0, **told: Any) -> RadarBundle:
    """Water that the wind of the day shifts as a whole, 1.5 dB wide; dry land of the class table in patches."""
    options = {"band": "C", "polarizations": ("VV",), "angle": 38.5, "denoised": True} | told
    rng = np.random.default_rng(seed)
    names = rng.choice(list(STATES["dry"]), (16, 16), p=list(STATES["dry"].values())).repeat(16, 0).repeat(16, 1)
    power = {}
    for name in options["polarizations"]:
        channel = f"{options['band']}-{name}"
        level = np.empty((SIDE, SIDE))
        for land in STATES["dry"]:
            chosen = names == land
            prior = BACKSCATTER[land][channel]
            mean = float(class_mean(prior, options["angle"], "gamma0"))
            level[chosen] = mean + prior.std * rng.standard_normal(int(chosen.sum()))
        mean = float(class_mean(BACKSCATTER["open_water"][channel], options["angle"], "gamma0"))
        level[water] = mean + shift + 1.5 * rng.standard_normal(int(water.sum()))
        noise = float(power_from_decibel(NOISE_DB[name]))
        intensity = (power_from_decibel(level) + noise) * rng.gamma(LOOKS, 1.0 / LOOKS, level.shape)
        power[name] = (intensity - (noise if options["denoised"] else 0.0)).astype(np.float32)
    return RadarBundle(
        band=options["band"],
        power=power,
        quantity="gamma0",
        angle=np.full((SIDE, SIDE), options["angle"], dtype=np.float32),
        angle_range=(29.0, 46.0),
        noise={name: float(power_from_decibel(NOISE_DB[name])) for name in power},
        denoised=options["denoised"],
        looks=LOOKS,
        reasons=np.zeros((SIDE, SIDE), dtype=np.uint16),
        time=datetime(2024, 1, 1, tzinfo=UTC),
        cell=told.get("cell", 1),
    )


def tiles_of(*windows: RadarBundle) -> BimodalTiles:
    return bimodal_tiles([intensity_level(one, copolar(one.power)) for one in windows], DARKEST)


def updated(one: RadarBundle) -> dict[str, Backscatter]:
    return water_priors([one], tiles_of(one))


# ---- what was seen


@pytest.mark.parametrize("angle", [32.0, 38.5, 44.0])
@pytest.mark.parametrize("denoised", [True, False])
def test_seen_water_is_sigma0_at_the_reference_angle_without_noise(angle: float, denoised: bool) -> None:
    one = window(lakes(), -1.5, angle=angle, denoised=denoised)
    seen = seen_water([one], tiles_of(one), "VV", TABLE)
    assert seen.mean == pytest.approx(TABLE.mean - 1.5, abs=0.35)
    assert seen.spread == pytest.approx(1.5, abs=0.4)
    assert seen.samples == pytest.approx(4 * 64 * 64, rel=0.1)


def test_samples_are_counted_by_resolution_cells() -> None:
    one = window(lakes(), -1.5)
    coarse = replace(one, cell=5)
    assert seen_water([coarse], tiles_of(coarse), "VV", TABLE).samples == pytest.approx(
        seen_water([one], tiles_of(one), "VV", TABLE).samples / 25.0
    )


def test_windows_at_other_angles_tell_the_same_water() -> None:
    """Near and far range differ by 4.7 dB of water; brought to one angle they do not."""
    near, far = window(lakes(), -1.5, angle=32.0), window(lakes(), -1.5, seed=1, angle=44.0)
    seen = seen_water([near, far], tiles_of(near, far), "VV", TABLE)
    assert seen.mean == pytest.approx(TABLE.mean - 1.5, abs=0.35)
    assert seen.spread < 2.0


# ---- how far it moves the class


def test_shrinkage_by_hand() -> None:
    """500 samples weigh as much as the table: half-way in mean and in variance."""
    got = shrunk(Backscatter(-19.0, 3.0, -0.4), SeenWater(-21.0, 2.0, 500.0))
    assert got == Backscatter(-20.0, round(float(np.sqrt((4.0 + 9.0) / 2.0)), 3), -0.4)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (SeenWater(-40.0, 1.0, 1e9), Backscatter(-25.0, 1.8, -0.4)),  # two deviations at most, 0.6 of the spread left
        (SeenWater(-5.0, 5.0, 1e9), Backscatter(-13.0, 5.0, -0.4)),  # never narrower than what was seen
        (SeenWater(-40.0, 1.0, 0.0), Backscatter(-19.0, 3.0, -0.4)),  # nothing seen, nothing moved
    ],
)
def test_guards_of_the_shift_and_of_the_spread(seen: SeenWater, expected: Backscatter) -> None:
    assert shrunk(Backscatter(-19.0, 3.0, -0.4), seen) == expected


@pytest.mark.parametrize("seed", range(3))
def test_scene_without_water_moves_nothing(seed: int) -> None:
    one = window(np.zeros((SIDE, SIDE), dtype=np.bool_), 0.0, seed)
    assert updated(one) == {}


def test_shadow_is_no_water() -> None:
    """As dark as a lake, but masked by the product."""
    one = window(lakes(), -1.5)
    one.reasons[lakes()] = Reason.RADAR_SHADOW
    assert updated(one) == {}


def test_l_band_is_left_alone_for_its_dark_mode_may_be_smooth_soil() -> None:
    assert overlap(BACKSCATTER["open_water"]["L-HH"], BACKSCATTER["bare_dry"]["L-HH"]) == pytest.approx(0.96, abs=0.01)
    one = window(lakes(), -2.0, band="L", polarizations=("HH", "HV"))
    assert len(tiles_of(one)) > 0, "there is a dark mode"
    assert updated(one) == {}


def test_cross_polarization_below_the_noise_keeps_its_table() -> None:
    """VH of water lies 10 dB below the floor: the scene says "no brighter than that", which the table knew."""
    found = updated(window(lakes(), -1.5, polarizations=("VV", "VH")))
    assert found["VV"].mean < TABLE.mean - 1.0
    table = BACKSCATTER["open_water"]["C-VH"]
    assert found["VH"].mean == pytest.approx(table.mean, abs=0.05)


# ---- what it does to the evidence


def judged(one: RadarBundle, water: NDArray[np.bool_]) -> tuple[float, float]:
    """Intersection over union of water, and expected calibration error in 20 bins, at the true share."""
    share = water.mean()
    odds = weigh_radar("radar", one).llr[0].astype(np.float64) + np.log(share / (1.0 - share))
    found = odds > 0
    believed, happened = expit(odds).ravel(), water.ravel()
    order = np.argsort(believed, kind="stable")
    parts = np.array_split(order, 20)
    error = sum(part.size / order.size * abs(believed[part].mean() - happened[part].mean()) for part in parts)
    return float((found & water).sum() / (found | water).sum()), float(error)


@pytest.mark.parametrize(("shift", "gain", "error"), [(-3.0, 0.03, 0.7), (-1.5, 0.02, 0.7), (1.5, 0.004, 0.8)])
def test_wind_of_the_day_costs_less_where_the_scene_tells_it(shift: float, gain: float, error: float) -> None:
    water = lakes()
    one = window(water, shift)
    moved = replace(one, priors={"VV": {"open_water": updated(one)["VV"]}})
    (iou, ece), (new_iou, new_ece) = judged(one, water), judged(moved, water)
    print(f"water {shift:+.1f} dB: IoU {iou:.3f} → {new_iou:.3f}, ECE {ece:.4f} → {new_ece:.4f}")
    assert new_iou > iou + gain
    assert new_ece < error * ece


def test_water_as_bright_as_dry_soil_is_not_taken_for_water() -> None:
    """3 dB above the table its mode could be smooth dry soil: the gate holds, and the table stands."""
    assert updated(window(lakes(), 3.0)) == {}
