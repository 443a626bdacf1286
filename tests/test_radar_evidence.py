"""What a radar look says of open water, flooded vegetation and dry land (physics.md 0, 2, 4, 5.6, 10).

The world of these tests is the class table itself: a state by its prior, a class by the mixture of the state, a level
by the spread of the class, Gamma speckle over the sum of signal and noise. In it evidence must be calibrated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit

from harmonization.bundle import Band, Evidence, RadarBundle
from harmonization.calibration import power_from_decibel
from harmonization.classes import BACKSCATTER, STATES
from harmonization.evidence import combine, state_probabilities
from harmonization.incidence import class_mean
from harmonization.radar.evidence import class_log_likelihoods, weigh_radar
from harmonization.radar.pair_laws import DRAINED, ENHANCEMENT_STD, FLOODED_FORM, TEMPORAL_STD, WATER_BEFORE
from harmonization.radar.priors import CROSS_POLAR_WEIGHT
from harmonization.reasons import Reason

NOISE_DB = {"VV": -24.0, "VH": -25.0, "HH": -28.0, "HV": -33.0}
PRIOR = {"open_water": 0.25, "flooded_vegetation": 0.15, "dry": 0.60}
STATE_ORDER = ("dry", "open_water", "flooded_vegetation")
LOOKS = 10.0
CO_POLAR: tuple[tuple[Band, str], ...] = (("C", "VV"), ("L", "HH"))
DUAL: tuple[tuple[Band, tuple[str, str]], ...] = (("C", ("VV", "VH")), ("L", ("HH", "HV")))
Vector = NDArray[np.float64]


def bundle(
    band: Band, power: Mapping[str, Vector], angle: Vector | float | None = 38.5, looks: float = LOOKS
) -> RadarBundle:
    """One row of pixels, gamma0 with its noise."""
    size = next(iter(power.values())).size
    angles = None if angle is None else np.broadcast_to(np.float32(angle), (1, size)).astype(np.float32)
    return RadarBundle(
        band=band,
        power={name: np.asarray(values, dtype=np.float32).reshape(1, size) for name, values in power.items()},
        quantity="gamma0",
        angle=angles,
        angle_range=(30.0, 45.0),
        noise={name: float(power_from_decibel(NOISE_DB[name])) for name in power},
        denoised=False,
        looks=looks,
        reasons=np.zeros((1, size), dtype=np.uint16),
        time=datetime(2024, 1, 1, tzinfo=UTC),
    )


def sampled(
    band: Band,
    polarizations: tuple[str, ...],
    names: NDArray[np.str_],
    angle: Vector | float,
    seed: int,
) -> RadarBundle:
    """Pixels of the named classes, spread independent in each polarization."""
    rng = np.random.default_rng(seed)
    angles = np.broadcast_to(np.asarray(angle, dtype=np.float64), names.shape)
    power = {}
    for polarization in polarizations:
        level = np.empty(names.size)
        for name in np.unique(names):
            chosen = names == name
            prior = BACKSCATTER[str(name)][f"{band}-{polarization}"]
            spread = prior.std * rng.standard_normal(chosen.sum())
            level[chosen] = class_mean(prior, angles[chosen], "gamma0") + spread
        mean = power_from_decibel(level) + power_from_decibel(NOISE_DB[polarization])
        power[polarization] = mean * rng.gamma(LOOKS, 1.0 / LOOKS, names.size)
    return bundle(band, power, angles)


def of_class(band: Band, polarization: str, name: str, size: int = 4000, seed: int = 3) -> RadarBundle:
    return sampled(band, (polarization,), np.full(size, name), 38.5, seed)


@dataclass
class World:
    state: NDArray[np.str_]
    seen: RadarBundle
    evidence: Evidence

    @property
    def flagged(self) -> NDArray[np.bool_]:
        return (self.evidence.reasons[0] & Reason.SMOOTH_DRY) > 0


def world(band: Band, polarizations: tuple[str, ...], size: int = 150_000, seed: int = 1) -> World:
    rng = np.random.default_rng(seed)
    state = rng.choice(list(PRIOR), size, p=list(PRIOR.values()))
    names = np.empty(size, dtype="<U20")
    for wanted, shares in STATES.items():
        chosen = state == wanted
        names[chosen] = rng.choice(list(shares), chosen.sum(), p=list(shares.values()))
    seen = sampled(band, polarizations, names, rng.uniform(30.0, 45.0, size), seed + 1)
    return World(state, seen, weigh_radar("radar", seen))


def calibration_error(believed: Vector, happened: NDArray[np.bool_], bins: int = 20) -> float:
    """Expected calibration error over bins of equal count."""
    order = np.argsort(believed, kind="stable")
    return sum(
        part.size / believed.size * abs(believed[part].mean() - happened[part].mean())
        for part in np.array_split(order, bins)
    )


def error_of(told: World, wet: str, keep: NDArray[np.bool_]) -> float:
    """Calibration error of one wet state against dry, over the chosen pixels."""
    index = ("open_water", "flooded_vegetation").index(wet)
    chosen = keep & ((told.state == wet) | (told.state == "dry"))
    log_odds = told.evidence.llr[index, 0, chosen] + np.log(PRIOR[wet] / PRIOR["dry"])
    return calibration_error(expit(log_odds.astype(np.float64)), told.state[chosen] == wet)


# --- ten means ten: same evidence, same odds, whichever sensor gave it


@pytest.mark.parametrize(("band", "polarization"), CO_POLAR)
def test_three_states_are_calibrated_together(band: Band, polarization: str) -> None:
    told = world(band, (polarization,))
    prior = np.log([[PRIOR["open_water"]], [PRIOR["flooded_vegetation"]]]) - np.log(PRIOR["dry"])
    believed = state_probabilities(combine(prior, [told.evidence.llr[:, 0]]))
    for index, state in enumerate(STATE_ORDER):
        chosen = ~told.flagged
        happened = (told.state == state)[chosen]
        assert calibration_error(believed[index, chosen], happened) < 0.02, state


def test_same_evidence_means_same_odds_in_both_sensors() -> None:
    # In a bin of evidence L the water : dry ratio of pixels, over that of the world, is the mean of e^L over the dry.
    for band, polarization in CO_POLAR:
        told = world(band, (polarization,))
        llr = told.evidence.llr[0, 0].astype(np.float64)
        water, dry = told.state == "open_water", told.state == "dry"
        for low in (-3.0, -2.0, -1.0, 1.0, 2.0, 3.0):
            chosen = (llr >= low) & (llr < low + 1.0) & ~told.flagged
            if min((chosen & water).sum(), (chosen & dry).sum()) < 300:
                continue
            odds = ((chosen & water).sum() / water.sum()) / ((chosen & dry).sum() / dry.sum())
            want = np.log(np.exp(llr[chosen & dry]).mean())
            # Counting noise of 300 pixels on either side: sqrt(2/300) = 0.08; three times that.
            assert np.log(odds) == pytest.approx(want, abs=0.25), (band, low)


def test_half_weight_of_cross_polarization_costs_little() -> None:
    # Deliberate exception two: with a spread independent in each polarization, half a weight is too modest.
    assert CROSS_POLAR_WEIGHT == 0.5
    for band, polarizations in DUAL:
        told = world(band, polarizations, 100_000)
        for wet in ("open_water", "flooded_vegetation"):
            error = error_of(told, wet, ~told.flagged)
            everywhere = error_of(told, wet, np.ones(told.flagged.shape, np.bool_))
            print(f"{band} dual {wet}: ECE {error:.4f}, with smooth dry {everywhere:.4f}")
            assert error < 0.03


def test_a_shift_in_decibel_is_the_wrong_way() -> None:
    # L-HH moved by the offset of water (+3.9 dB from -23.2 to -19.3) and judged as C-VV: the odds are far off.
    told = world("L", ("HH",))
    shifted = told.seen.power["HH"].ravel() * power_from_decibel(3.9)
    wrong = weigh_radar("radar", bundle("C", {"VV": shifted}, told.seen.angle))
    misled = World(told.state, told.seen, wrong)
    error = error_of(misled, "open_water", np.ones(told.state.shape, np.bool_))
    print(f"L-HH shifted by 3.9 dB and judged as C-VV, open water: ECE {error:.4f}")
    assert error > 0.05


def remembering(band: Band, polarization: str, size: int = 150_000, seed: int = 5) -> tuple[World, RadarBundle]:
    """Pixels with a past, drawn as the pair is judged: land keeps its offset from its class, but for some change."""
    rng = np.random.default_rng(seed)
    channel = f"{band}-{polarization}"
    angle = rng.uniform(30.0, 45.0, size)

    def draw(shares: Mapping[str, float]) -> NDArray[np.str_]:
        weights = np.array(list(shares.values()))
        return rng.choice(list(shares), size, p=weights / weights.sum())

    def mean(names: NDArray[np.str_]) -> Vector:
        return np.select(
            [names == name for name in BACKSCATTER],
            [class_mean(prior[channel], angle, "gamma0") for prior in BACKSCATTER.values()],
        )

    def deviation(stds: Mapping[str, float], names: NDArray[np.str_]) -> Vector:
        return np.select([names == name for name in stds], list(stds.values())) * rng.standard_normal(size)

    def fresh(names: NDArray[np.str_]) -> Vector:
        return mean(names) + deviation({name: prior[channel].std for name, prior in BACKSCATTER.items()}, names)

    def seen(level: Vector) -> RadarBundle:
        power = power_from_decibel(level) + power_from_decibel(NOISE_DB[polarization])
        return bundle(band, {polarization: power * rng.gamma(LOOKS, 1.0 / LOOKS, size)}, angle)

    state = rng.choice(list(PRIOR), size, p=list(PRIOR.values()))
    water, vegetation = state == "open_water", state == "flooded_vegetation"
    drowned = draw({name: STATES["dry"][name] for name in FLOODED_FORM})
    was = np.where(vegetation, drowned, draw(STATES["dry"]))
    offset = fresh(was) - mean(was)
    wet_before = rng.random(size) < np.select([water, vegetation], [WATER_BEFORE, 0.0], DRAINED)
    past = np.where(wet_before, fresh(draw(STATES["open_water"])), mean(was) + offset)
    form = np.array([FLOODED_FORM[name] for name in drowned])
    kept = np.isin(drowned, list(ENHANCEMENT_STD))
    flooded = np.where(kept, mean(form) + offset + deviation(ENHANCEMENT_STD, drowned), fresh(form))
    stayed = mean(was) + offset + deviation(TEMPORAL_STD, was)
    dry = np.where(wet_before, fresh(draw(STATES["dry"])), stayed)
    during = seen(np.select([water, vegetation], [fresh(draw(STATES["open_water"])), flooded], dry))
    before = seen(past)
    return World(state, during, weigh_radar("radar", during, before)), before


@pytest.mark.parametrize(("band", "polarization"), CO_POLAR)
def test_a_pair_of_looks_is_calibrated(band: Band, polarization: str) -> None:
    told, _ = remembering(band, polarization)
    for wet in ("open_water", "flooded_vegetation"):
        error = error_of(told, wet, ~told.flagged)
        everywhere = error_of(told, wet, np.ones(told.flagged.shape, np.bool_))
        print(f"pair {band}-{polarization} {wet}: ECE {error:.4f}, with smooth dry {everywhere:.4f}")
        assert error < 0.02


@pytest.mark.parametrize(("band", "polarization"), CO_POLAR)
def test_a_pair_knows_more_than_its_later_look(band: Band, polarization: str) -> None:
    told, _ = remembering(band, polarization, 60_000)
    alone = weigh_radar("radar", told.seen)
    prior = np.log([[PRIOR["open_water"]], [PRIOR["flooded_vegetation"]]]) - np.log(PRIOR["dry"])
    truth = np.array([STATE_ORDER.index(name) for name in told.state])
    scores = []
    for llr in (told.evidence.llr, alone.llr):
        believed = state_probabilities(combine(prior, [llr[:, 0]]))
        scores.append(np.log(np.take_along_axis(believed, truth[None], axis=0)).mean())
    print(f"mean log score of {band}-{polarization}: pair {scores[0]:.3f}, later look alone {scores[1]:.3f}")
    assert scores[0] > scores[1] + 0.05


# --- what is not seen says nothing


def test_unseen_pixels_say_exactly_nothing() -> None:
    seen = of_class("C", "VV", "open_water", 12)
    seen.power["VV"][0, :4] = np.nan
    seen.reasons[0, 4] = Reason.RADAR_SHADOW
    seen.reasons[0, 5] = Reason.LAYOVER
    seen.reasons[0, 6] = Reason.BORDER_NOISE
    got = weigh_radar("sentinel-1", seen)
    assert got.observed[0].tolist() == [False] * 7 + [True] * 5
    assert (got.llr[:, ~got.observed] == 0.0).all()
    assert (got.llr[:, got.observed] != 0.0).all()
    assert (got.reasons[0, 4:7] == seen.reasons[0, 4:7]).all()


def test_a_reason_that_does_not_blind_leaves_the_evidence() -> None:
    seen = of_class("C", "VV", "grass_crop", 4)
    seen.reasons[0, 1] = Reason.URBAN
    got = weigh_radar("sentinel-1", seen)
    assert got.observed.all()
    assert got.reasons[0, 1] & Reason.URBAN


def test_a_pixel_seen_in_one_polarization_is_weighed_by_that_one() -> None:
    both = sampled("C", ("VV", "VH"), np.full(50, "grass_crop"), 38.5, 4)
    both.power["VH"][:] = np.nan
    alone = replace(both, power={"VV": both.power["VV"]}, noise={"VV": both.noise["VV"]})
    assert weigh_radar("s", both).llr == pytest.approx(weigh_radar("s", alone).llr, abs=1e-5)


def test_permuted_pixels_permute_the_evidence() -> None:
    seen = world("L", ("HH", "HV"), 400, 8).seen
    order = np.random.default_rng(1).permutation(400)
    assert seen.angle is not None
    shuffled = replace(
        seen,
        power={name: power[:, order] for name, power in seen.power.items()},
        angle=seen.angle[:, order],
    )
    want, got = weigh_radar("s", seen), weigh_radar("s", shuffled)
    assert (got.llr == want.llr[:, :, order]).all()
    assert (got.reasons == want.reasons[:, order]).all()


def test_power_below_zero_is_a_sample_of_dark_ground() -> None:
    noise = float(power_from_decibel(NOISE_DB["VV"]))
    denoised = replace(bundle("C", {"VV": np.array([-0.0005, 0.001, 0.08])}), denoised=True)
    raw = bundle("C", {"VV": np.array([-0.0005, 0.001, 0.08]) + noise})
    got = weigh_radar("s", denoised).llr
    assert got == pytest.approx(weigh_radar("s", raw).llr, abs=1e-4)
    assert (got[0, 0, :2] > 2.0).all()
    assert got[0, 0, 2] < -1.0


def test_impossible_power_does_not_break_the_sum() -> None:
    got = weigh_radar("s", replace(bundle("C", {"VV": np.array([-1.0, 0.0, 1e4])}), denoised=True))
    assert np.isfinite(got.llr).all()


# --- the angle


def test_water_is_judged_at_its_own_angle() -> None:
    # Water falls by 0.394 dB a degree: what is usual at 30 degrees is bright at 45.
    level = power_from_decibel(-14.5) * np.ones(2)
    got = weigh_radar("s", bundle("C", {"VV": level}, np.array([30.0, 45.0])))
    assert got.llr[0, 0, 0] > got.llr[0, 0, 1]


def test_an_unknown_angle_is_flagged_and_weakens_the_evidence() -> None:
    rng = np.random.default_rng(6)
    names = np.full(6000, "open_water")
    known = sampled("C", ("VV",), names, rng.uniform(30.0, 45.0, names.size), 7)
    without = weigh_radar("s", replace(known, angle=None))
    given = weigh_radar("s", known)
    assert (without.reasons & Reason.UNKNOWN_ANGLE).all()
    assert not (given.reasons & Reason.UNKNOWN_ANGLE).any()
    print(f"water, C-VV: {given.llr[0].mean():.2f} nat at a known angle, {without.llr[0].mean():.2f} unknown")
    assert 0.0 < without.llr[0].mean() < given.llr[0].mean()
    land = sampled("C", ("VV",), np.full(6000, "grass_crop"), rng.uniform(30.0, 45.0, 6000), 8)
    assert 0.0 > weigh_radar("s", replace(land, angle=None)).llr[0].mean() > weigh_radar("s", land).llr[0].mean()


def test_an_angle_unknown_in_places_is_marginalized_there_only() -> None:
    seen = of_class("C", "VV", "open_water", 10)
    assert seen.angle is not None
    gaps = seen.angle.copy()
    gaps[0, :5] = np.nan
    got = weigh_radar("s", replace(seen, angle=gaps))
    assert ((got.reasons[0] & Reason.UNKNOWN_ANGLE) > 0).tolist() == [True] * 5 + [False] * 5
    assert got.llr[:, 0, 5:] == pytest.approx(weigh_radar("s", seen).llr[:, 0, 5:])
    assert got.llr[:, 0, :5] == pytest.approx(weigh_radar("s", replace(seen, angle=None)).llr[:, 0, :5])


def test_an_unknown_angle_is_calibrated_too() -> None:
    told = world("C", ("VV",), 100_000)
    blind = World(told.state, told.seen, weigh_radar("s", replace(told.seen, angle=None)))
    assert error_of(blind, "open_water", ~blind.flagged) < 0.02


# --- water, smooth dry ground, vegetation


def test_l_band_says_next_to_nothing_between_water_and_smooth_dry_ground() -> None:
    # Between the means (-23.2 and -21.5 dB): flagged, and never strongly positive.
    between = bundle("L", {"HH": power_from_decibel(np.linspace(-23.0, -20.5, 6) + 1.06)})
    got = weigh_radar("alos-2", between)
    assert (got.reasons & Reason.SMOOTH_DRY).all()
    assert (np.abs(got.held[0]) < 1.5).all()
    density = class_log_likelihoods(between, ("open_water", "bare_dry"))
    assert (np.abs(density["open_water"] - density["bare_dry"]) < 1.5).all()


def test_l_band_tells_water_from_vegetation() -> None:
    water = of_class("L", "HH", "open_water")
    density = class_log_likelihoods(water, ("open_water", "grass_crop", "forest"))
    assert (density["open_water"] - density["grass_crop"]).mean() > 2.0
    assert (density["open_water"] - density["forest"]).mean() > 5.0
    assert weigh_radar("alos-2", of_class("L", "HH", "grass_crop")).llr[0].mean() < -2.0


def test_c_band_tells_water_from_smooth_dry_ground() -> None:
    for name, sign in (("open_water", 1.0), ("bare_dry", -1.0)):
        density = class_log_likelihoods(of_class("C", "VV", name), ("open_water", "bare_dry"))
        assert sign * (density["open_water"] - density["bare_dry"]).mean() > 1.0
    assert weigh_radar("sentinel-1", of_class("C", "VV", "open_water")).llr[0].mean() > 2.0


def test_evidence_of_water_falls_with_intensity() -> None:
    # Beside the held pixels, whose evidence lies below what their neighbours in level have.
    levels = np.linspace(-28.0, -5.0, 231)
    for band, polarization in CO_POLAR:
        got = weigh_radar("s", bundle(band, {polarization: power_from_decibel(levels)}))
        free = (got.reasons[0] & Reason.SMOOTH_DRY) == 0
        assert (np.diff(got.llr[0, 0, free]) < 0).all()


def test_class_densities_are_nan_where_not_seen() -> None:
    seen = of_class("C", "VV", "open_water", 6)
    seen.power["VV"][0, 0] = np.nan
    density = class_log_likelihoods(seen, ("open_water",))["open_water"]
    assert np.isnan(density[0]).tolist() == [True] + [False] * 5


# --- the pixel's own past


def test_flooded_forest_is_found_by_l_band_and_not_by_c_band() -> None:
    # Forest before: L-HH rises from -8.0 to -4.5 dB, C-VV from -7.6 to -7.0 (class table).
    told = {}
    for band, polarization in CO_POLAR:
        before = of_class(band, polarization, "forest", 6000, 11)
        during = of_class(band, polarization, "flooded_forest", 6000, 12)
        dry = of_class(band, polarization, "forest", 6000, 13)
        told[band] = (
            weigh_radar("s", during, before).llr[1].mean(),
            weigh_radar("s", dry, before).llr[1].mean(),
        )
    print("forest before, nats for flooded vegetation where (flooded, still dry):")
    print({band: tuple(round(float(value), 2) for value in values) for band, values in told.items()})
    assert told["L"][0] > 1.0
    assert told["L"][1] < 0.0
    assert abs(told["C"][0]) < 0.5
    assert abs(told["C"][1]) < 0.5


def test_a_past_sharpens_change_and_what_did_not_change() -> None:
    land, water = of_class("C", "VV", "grass_crop", 6000, 14), of_class("C", "VV", "open_water", 6000, 15)
    same = replace(land, power={"VV": land.power["VV"]})
    assert weigh_radar("s", water, land).llr[0].mean() > weigh_radar("s", water).llr[0].mean()
    assert weigh_radar("s", same, land).llr[0].mean() < weigh_radar("s", land).llr[0].mean()


def test_what_was_dark_before_is_no_sign_of_a_flood() -> None:
    # A smooth dry field, as dark as water at L band on both dates, is less likely water than on one date alone.
    field = of_class("L", "HH", "bare_dry", 6000, 16)
    darkened = weigh_radar("s", field, of_class("L", "HH", "grass_crop", 6000, 17)).llr[0]
    stayed = weigh_radar("s", field, field).llr[0]
    assert stayed.mean() < darkened.mean()


def test_a_past_that_was_not_seen_changes_nothing() -> None:
    seen = of_class("C", "VV", "open_water", 200)
    blank = replace(seen, power={"VV": np.full((1, 200), np.nan, dtype=np.float32)})
    assert (weigh_radar("s", seen, blank).llr == weigh_radar("s", seen).llr).all()
    half = replace(seen, power={"VV": seen.power["VV"].copy()})
    half.power["VV"][0, :100] = np.nan
    got = weigh_radar("s", seen, half).llr
    assert (got[..., :100] == weigh_radar("s", seen).llr[..., :100]).all()
    assert (got[..., 100:] != weigh_radar("s", seen).llr[..., 100:]).all()


def test_a_past_without_angles_still_counts_where_both_have_none() -> None:
    land, water = of_class("C", "VV", "grass_crop", 500, 18), of_class("C", "VV", "open_water", 500, 19)
    got = weigh_radar("s", replace(water, angle=None), replace(land, angle=None))
    assert (got.reasons & Reason.UNKNOWN_ANGLE).all()
    assert got.llr[0].mean() > 2.0


def test_other_polarizations_borrow_the_closest_channel() -> None:
    level = power_from_decibel(np.linspace(-25.0, -5.0, 9))
    horizontal = replace(bundle("C", {"HH": level}), noise={"HH": float(power_from_decibel(NOISE_DB["VV"]))})
    assert (weigh_radar("s", horizontal).llr == weigh_radar("s", bundle("C", {"VV": level})).llr).all()
