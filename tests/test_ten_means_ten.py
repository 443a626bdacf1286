"""Ten means ten: pixels of the same raw evidence have the same odds, whichever sensor gave it (issue-level promise).

A world is 320 scenes of 640 pixels. A pixel's state is drawn by a prior, its class by the shares of the state; its
deviation from the class mean is partly that of its scene (wind, moisture, calibration) and partly its own, with
variance shares that add up to the spread of the class table. `pytest -s` prints every figure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtri

from harmonization.bundle import Band, Evidence, OpticalBundle, RadarBundle
from harmonization.calibration import power_from_decibel
from harmonization.classes import BACKSCATTER, INDICES, OPTICAL_STATES, REFERENCE_ANGLE, STATES, Backscatter
from harmonization.dielectric import soil_permittivity, vegetation_permittivity, water_permittivity
from harmonization.evidence import combine
from harmonization.optical.evidence import weigh_optical
from harmonization.radar.evidence import weigh_radar
from harmonization.reasons import Reason
from harmonization.scattering.canopy import optical_depth, trunk_ground, water_cloud
from harmonization.scattering.soil import oh_1992
from harmonization.scattering.water import open_water
from harmonization.simulate.backscatter import FREQUENCY, OPAQUE_CROWN, POLARIZATIONS, STEM_STRENGTH, TRUNK_MOISTURE
from harmonization.simulate.ground import SimulatedCover

SCENES, PIXELS = 320, 640
PRIOR = {"dry": 0.60, "open_water": 0.25, "flooded_vegetation": 0.15}
WET = ("open_water", "flooded_vegetation")
SCENE_SHARE = 0.5
"""Of the variance of a class: what all its pixels of one scene share."""
NOISE_DB = {"VV": -24.0, "VH": -25.0, "HH": -28.0, "HV": -33.0}
LOOKS = 10.0
ALLOWED = 0.01
SENSORS = {"C": ("C",), "L": ("L",), "optics": ("optics",), "C + L": ("C", "L"), "all": ("C", "L", "optics")}
"""By name, the looks that are summed."""
CLASSES = tuple(BACKSCATTER)
OPTICAL = tuple(INDICES)
OPTICAL_CLASS = {"water_wind10": "open_water", "grass_crop": "grass_crops", "forest": "forest", "urban": "urban"}
Real = NDArray[np.float64]
Codes = NDArray[np.int64]


# --- a world of the class table


def stratified(rng: np.random.Generator, rows: int) -> Real:
    """(SCENES, rows) standard normal deviations, each column spread evenly: the scenes are few, the pixels many."""
    ranks = np.stack([rng.permutation(SCENES) for _ in range(rows)], axis=1)
    return np.asarray(ndtri((ranks + rng.random(ranks.shape)) / SCENES))


def states_of(rng: np.random.Generator) -> Codes:
    """(SCENES, PIXELS) index into `PRIOR`."""
    return rng.choice(3, (SCENES, PIXELS), p=list(PRIOR.values()))


def classes_of(
    rng: np.random.Generator, state: Codes, shares: Mapping[str, Mapping[str, float]], names: tuple[str, ...]
) -> Codes:
    """Index into `names` of each pixel, by the shares of its state."""
    found = np.zeros(state.shape, dtype=np.int64)
    for code, name in enumerate(PRIOR):
        chosen = state == code
        numbers = [names.index(one) for one in shares[name]]
        found[chosen] = rng.choice(numbers, int(chosen.sum()), p=list(shares[name].values()))
    return found


def deviations(rng: np.random.Generator, kind: Codes, kinds: int) -> Real:
    """Standard normal by pixel, `SCENE_SHARE` of the variance common to a class in a scene."""
    scene = np.take_along_axis(stratified(rng, kinds), kind, axis=1)
    return np.sqrt(SCENE_SHARE) * scene + np.sqrt(1.0 - SCENE_SHARE) * rng.standard_normal(kind.shape)


def angles_of(rng: np.random.Generator) -> Real:
    return rng.uniform(30.5, 44.5, (SCENES, 1)) + rng.uniform(-0.5, 0.5, (SCENES, PIXELS))


def column(band: Band, polarization: str, field: str) -> Real:
    return np.array([getattr(BACKSCATTER[name][f"{band}-{polarization}"], field) for name in CLASSES])


def radar_of_table(
    rng: np.random.Generator, kind: Codes, band: Band, polarizations: tuple[str, ...], common: float = 0.0
) -> RadarBundle:
    """A look at the classes; `common`: share of the variance that the polarizations have in common."""
    angle = angles_of(rng)
    shared = deviations(rng, kind, len(CLASSES))
    mean = {}
    for polarization in polarizations:
        own = deviations(rng, kind, len(CLASSES))
        off = np.sqrt(common) * shared + np.sqrt(1.0 - common) * own
        level, slope, std = (column(band, polarization, field)[kind] for field in ("mean", "slope", "std"))
        mean[polarization] = power_from_decibel(level + slope * (angle - REFERENCE_ANGLE) + std * off)
    return seen(rng, band, mean, angle)


def seen(rng: np.random.Generator, band: Band, sigma0: Mapping[str, Real], angle: Real) -> RadarBundle:
    """gamma0 with noise and speckle."""
    power = {}
    for name, values in sigma0.items():
        mean = values / np.cos(np.deg2rad(angle)) + power_from_decibel(NOISE_DB[name])
        power[name] = (mean * rng.gamma(LOOKS, 1.0 / LOOKS, mean.shape)).astype(np.float32)
    return RadarBundle(
        band=band,
        power=power,
        quantity="gamma0",
        angle=angle.astype(np.float32),
        angle_range=(30.0, 45.0),
        noise={name: float(power_from_decibel(NOISE_DB[name])) for name in power},
        denoised=False,
        looks=LOOKS,
        reasons=np.zeros(angle.shape, dtype=np.uint16),
        time=datetime(2024, 1, 1, tzinfo=UTC),
    )


def optics_of_table(rng: np.random.Generator, kind: Codes, haze: float) -> OpticalBundle:
    """Green held at 0.10, NIR and SWIR as NDWI and MNDWI of the class want them, haze in all three."""

    def field(name: str, place: int) -> Real:
        return np.array([getattr(INDICES[one], name)[place] for one in OPTICAL])[kind]

    first, second = deviations(rng, kind, len(OPTICAL)), deviations(rng, kind, len(OPTICAL))
    together = np.array([INDICES[name].correlation for name in OPTICAL])[kind]
    second = together * first + np.sqrt(1.0 - together**2) * second
    bands = {"green": np.full(kind.shape, 0.10)}
    for place, (band, off) in enumerate((("nir", first), ("swir1", second))):
        index = np.clip(field("mean", place) + field("std", place) * off, -0.98, 0.98)
        bands[band] = 0.10 * (1.0 - index) / (1.0 + index)
    lifted = {"green": 1.0, "nir": 0.59, "swir1": 0.25}
    values = {name: band + haze * lifted[name] * rng.standard_normal(kind.shape) for name, band in bands.items()}
    return OpticalBundle(
        {name: band.astype(np.float32) for name, band in values.items()},
        haze,
        "scene-classification",
        np.zeros(kind.shape, dtype=np.uint16),
        datetime(2024, 1, 1, tzinfo=UTC),
    )


@dataclass(frozen=True)
class World:
    """What is, and what each sensor says of it."""

    state: Codes
    looks: Mapping[str, Evidence]
    radar: Mapping[str, RadarBundle]

    def llr(self, sensor: str) -> NDArray[np.float32]:
        """Raw evidence of a sensor, or of several summed."""
        parts = [self.looks[name].llr for name in SENSORS[sensor]]
        return combine(np.zeros((2, *self.state.shape), dtype=np.float32), parts)


@lru_cache(maxsize=2)
def table_world(one_class_for_all: bool, seed: int = 1) -> World:
    """Sensors that know nothing of each other but the state; or that look at one class, as on the ground."""
    rng = np.random.default_rng(seed)
    state = states_of(rng)
    kind = classes_of(rng, state, STATES, CLASSES)
    optical = np.array([OPTICAL.index(optical_class(name)) for name in CLASSES])[kind]
    radar = {}
    for band, polarization in (("C", "VV"), ("L", "HH")):
        own = kind if one_class_for_all else classes_of(rng, state, STATES, CLASSES)
        radar[band] = radar_of_table(rng, own, band, (polarization,))
    own = optical if one_class_for_all else classes_of(rng, state, OPTICAL_STATES, OPTICAL)
    looks = {name: weigh_radar(name, bundle) for name, bundle in radar.items()}
    looks["optics"] = weigh_optical("optics", optics_of_table(rng, own, 0.0))
    return World(state, looks, radar)


def optical_class(name: str) -> str:
    if name.startswith("flooded"):
        return "flooded_vegetation"
    return "bare" if name.startswith("bare") else OPTICAL_CLASS.get(name, "open_water")


# --- how far odds are from evidence


def against_dry(state: Codes, llr: NDArray[np.float32], wet: str) -> tuple[Real, Real]:
    """Log-odds by the evidence and the prior, and 1 where wet, of the pixels that are wet or dry."""
    code = list(PRIOR).index(wet)
    chosen = (state == code) | (state == 0)
    log_odds = llr[WET.index(wet)][chosen].astype(np.float64) + np.log(PRIOR[wet] / PRIOR["dry"])
    return log_odds, (state[chosen] == code).astype(np.float64)


def equal_count_error(log_odds: Real, happened: Real, bins: int = 20) -> float:
    """Expected calibration error over bins of equal count."""
    believed, order = expit(log_odds), np.argsort(log_odds)
    parts = np.array_split(order, bins)
    return sum(part.size * abs(believed[part].mean() - happened[part].mean()) for part in parts) / believed.size


def logit_error(log_odds: Real, happened: Real, width: float = 0.25, least: int = 1000) -> float:
    """The same over bins of log-odds that hold at least 1000 pixels."""
    place = np.floor(log_odds / width).astype(np.int64)
    place -= place.min()
    count = np.bincount(place)
    gaps = np.abs(np.bincount(place, expit(log_odds)) - np.bincount(place, happened))
    return float(gaps[count >= least].sum() / count[count >= least].sum())


def errors(world: World, sensor: str, wet: str) -> tuple[float, float]:
    told = against_dry(world.state, world.llr(sensor), wet)
    return equal_count_error(*told), logit_error(*told)


# --- the promise


@pytest.mark.parametrize("wet", WET)
@pytest.mark.parametrize("sensor", SENSORS)
def test_ten_means_ten(sensor: str, wet: str) -> None:
    found = errors(table_world(one_class_for_all=False), sensor, wet)
    print(f"{sensor} {wet}: ECE {found[0]:.4f}, in logit bins {found[1]:.4f}")
    assert max(found) <= ALLOWED


def test_the_same_evidence_has_the_same_odds_in_every_sensor() -> None:
    world = table_world(one_class_for_all=False)
    compared = 0
    for wet in WET:
        for low in np.arange(-4.0, 4.0):
            gaps = []
            for sensor in SENSORS:
                log_odds, happened = against_dry(world.state, world.llr(sensor), wet)
                here = (log_odds >= low) & (log_odds < low + 1.0)
                wet_count, dry_count = happened[here].sum(), (1.0 - happened[here]).sum()
                if here.sum() >= 1000 and min(wet_count, dry_count) >= 100:
                    counting = np.sqrt(1.0 / wet_count + 1.0 / dry_count)
                    gaps.append((logit(happened[here].mean()) - logit(expit(log_odds[here]).mean()), counting))
            for gap, counting in gaps:
                # Pixels of a scene share half of their deviation, so counting is not all of the noise.
                assert abs(gap) < 0.12 + 4.0 * counting, (wet, low)
            compared += len(gaps)
    assert compared >= 30


def test_held_evidence_errs_to_the_side_of_dry() -> None:
    # What is used of L band is held to what water has over smooth dry soil: the price, and whose it is.
    world = table_world(one_class_for_all=False)
    look = world.looks["L"]
    held = World(world.state, {"L": replace(look, llr=look.held)}, {})
    found = errors(held, "L", "open_water")
    print(f"L as it is used, open_water: ECE {found[0]:.4f}, in logit bins {found[1]:.4f}")
    assert min(found) > ALLOWED
    log_odds, happened = against_dry(world.state, look.held, "open_water")
    for part in np.array_split(np.argsort(log_odds), 20):
        assert happened[part].mean() > expit(log_odds[part]).mean() - ALLOWED
    flagged = (look.reasons & Reason.SMOOTH_DRY) > 0
    assert (flagged | (look.llr[0] - look.held[0] <= 0.0501)).all()


def test_sensors_that_share_a_class_know_less_together_than_their_sum() -> None:
    # On the ground one pixel is of one class for all sensors: given the state, they are not independent. What the sum
    # of evidence by state costs then: measured, with only a bound against worse.
    world = table_world(one_class_for_all=True)
    for sensor in ("C", "L", "optics"):
        assert max(errors(world, sensor, "flooded_vegetation")) <= ALLOWED
    for wet in WET:
        for together in ("C + L", "all"):
            cost = errors(world, together, wet)
            print(f"one class for all sensors, {together}, {wet}: ECE {cost[0]:.4f}, in logit bins {cost[1]:.4f}")
            assert max(cost) < 0.05


@pytest.mark.parametrize(("band", "polarizations"), [("C", ("VV", "VH")), ("L", ("HH", "HV"))])
def test_half_weight_of_cross_polarization(band: Band, polarizations: tuple[str, ...]) -> None:
    # Full independence wants weight 1, full dependence less than one half: what half a weight costs between them.
    rng = np.random.default_rng(4)
    state = states_of(rng)
    kind = classes_of(rng, state, STATES, CLASSES)
    for common in (0.0, 0.5):
        evidence = weigh_radar(band, radar_of_table(rng, kind, band, polarizations, common))
        world = World(state, {band: evidence}, {})
        cost = {wet: max(errors(world, band, wet)) for wet in WET}
        print(f"{band} dual, {common:.2f} of the variance in common:", {w: round(float(c), 4) for w, c in cost.items()})
        assert max(cost.values()) < 0.02


def test_haze_that_the_error_term_knows_costs_little() -> None:
    rng = np.random.default_rng(5)
    state = states_of(rng)
    kind = classes_of(rng, state, OPTICAL_STATES, OPTICAL)
    world = World(state, {"optics": weigh_optical("optics", optics_of_table(rng, kind, 0.01))}, {})
    for wet in WET:
        found = errors(world, "optics", wet)
        print(f"optics through haze of 0.01, {wet}: ECE {found[0]:.4f}, in logit bins {found[1]:.4f}")
        assert max(found) <= 0.015


# --- the wrong way


def test_a_class_blind_shift_in_decibel_is_the_wrong_way() -> None:
    # L-HH moved by one number of dB and read as C-VV: whichever number, the odds are far off.
    world = table_world(one_class_for_all=False)
    told = world.radar["L"]
    worst = {}
    for shift in (0.0, 2.0, 3.9, 5.0, 7.0):
        power = {"VV": told.power["HH"] * np.float32(power_from_decibel(shift))}
        moved = replace(told, band="C", power=power, noise={"VV": float(power_from_decibel(NOISE_DB["VV"]))})
        wrong = World(world.state, {"L": weigh_radar("L", moved)}, {})
        worst[shift] = max(errors(wrong, "L", wet)[0] for wet in WET)
    print("class-blind shift of L-HH to C-VV, worst ECE by dB:", {k: round(float(v), 3) for k, v in worst.items()})
    assert min(worst.values()) >= 0.05


# --- a world of the forward models


def forward_sigma0(
    rng: np.random.Generator, kind: Codes, band: Band, angle: Real, truth: Mapping[str, Real]
) -> dict[str, Real]:
    """sigma0 of every pixel by the models of the scattering room; towns and rice in rows by the class table."""
    frequency = FREQUENCY[band]
    soil = soil_permittivity(frequency, truth["moisture"])
    stems = vegetation_permittivity(frequency, TRUNK_MOISTURE)
    bare = oh_1992(frequency, soil, truth["roughness"], angle)
    under = {True: water_permittivity(frequency, 15.0), False: soil}
    like, cross = POLARIZATIONS[band]
    result = {}
    for polarization, wave, share in ((like, like, 1.0), (cross, "HV", 0.03)):
        channel = f"{band}-{polarization}"
        level, slope, std = (column(band, polarization, field)[kind] for field in ("mean", "slope", "std"))
        off = deviations(rng, kind, len(CLASSES))
        power = power_from_decibel(level + slope * (angle - REFERENCE_ANGLE) + std * off)
        calm = open_water(channel, 1.0, angle)
        texture = power_from_decibel(1.0 * rng.standard_normal(kind.shape))
        for name in CLASSES:
            chosen = kind == CLASSES.index(name)
            flooded = name.startswith("flooded")
            if name in ("open_water", "water_wind10"):
                made = open_water(channel, truth["wind"], angle)
            elif name.startswith("bare"):
                made = bare[wave]
            elif name in ("forest", "flooded_forest", "grass_crop", "flooded_marsh"):
                cover = SimulatedCover.FOREST if "forest" in name else SimulatedCover.CROP
                depth = truth["forest_depth" if "forest" in name else "crop_depth"]
                corner = trunk_ground(
                    frequency,
                    under[flooded],
                    stems,
                    0.0 if flooded else truth["roughness"],
                    angle,
                    like,
                )
                ground = (calm if flooded else bare[wave]) + share * STEM_STRENGTH[cover] * depth * corner
                crown = power_from_decibel(OPAQUE_CROWN[channel][cover])
                made = water_cloud(crown, optical_depth(depth, frequency), ground, angle)
            else:
                continue
            power = np.where(chosen, made * texture, power)
        result[polarization] = power
    return result


def ground_truth(rng: np.random.Generator, kind: Codes) -> dict[str, Real]:
    """What the ground is: wind, moisture, roughness and depth of canopy, by scene and by pixel."""
    scene, own = stratified(rng, 4), rng.standard_normal((4, *kind.shape))

    def spread(place: int) -> Real:
        return np.sqrt(SCENE_SHARE) * scene[:, [place]] + np.sqrt(1.0 - SCENE_SHARE) * own[place]

    wet = np.isin(kind, [CLASSES.index("bare_wet"), CLASSES.index("bare_rough_wet")])
    rough = kind == CLASSES.index("bare_rough_wet")
    windy = np.where(kind == CLASSES.index("water_wind10"), 10.0, 5.0)
    return {
        "wind": np.clip(windy * np.exp(0.35 * spread(0)), 1.0, 15.0),
        "moisture": np.clip(np.where(wet, 0.33, 0.12) + 0.05 * spread(1), 0.03, 0.45),
        "roughness": np.where(rough, 0.02, 0.01) * np.exp(0.25 * spread(2)),
        "forest_depth": 0.5 * np.exp(0.35 * spread(3)),
        "crop_depth": 0.10 * np.exp(0.35 * spread(3)),
    }


def priors_of(kind: Codes, sigma0: Mapping[str, Real], angle: Real) -> dict[str, dict[str, Backscatter]]:
    """Mean, spread and slope of every class as the forward models have them."""
    found: dict[str, dict[str, Backscatter]] = {}
    for polarization, power in sigma0.items():
        level = 10.0 * np.log10(power)
        found[polarization] = {}
        for number in np.unique(kind):
            chosen = kind == number
            slope, mean = np.polyfit(angle[chosen] - REFERENCE_ANGLE, level[chosen], 1)
            left = level[chosen] - mean - slope * (angle[chosen] - REFERENCE_ANGLE)
            found[polarization][CLASSES[number]] = Backscatter(float(mean), float(left.std()), float(slope))
    return found


@pytest.mark.parametrize("band", ["C", "L"])
def test_forward_models_judged_by_the_table(band: Band) -> None:
    # Reported: how far the table is from the models, what it costs, and that moving the class means is what closes it.
    rng = np.random.default_rng(6)
    state = states_of(rng)
    kind = classes_of(rng, state, STATES, CLASSES)
    angle = angles_of(rng)
    like = POLARIZATIONS[band][0]
    sigma0 = {like: forward_sigma0(rng, kind, band, angle, ground_truth(rng, kind))[like]}
    bundle = seen(rng, band, sigma0, angle)
    moved = priors_of(kind, sigma0, angle)
    told: dict[str, Any] = {}
    for name, look in (("table", bundle), ("models", replace(bundle, priors=moved))):
        world = World(state, {band: weigh_radar(band, look)}, {})
        told[name] = {wet: errors(world, band, wet)[0] for wet in WET}
        print(
            f"{band}, forward world judged by the means of the {name}:",
            {w: round(float(e), 4) for w, e in told[name].items()},
        )
    gaps = {
        name: round(prior.mean - BACKSCATTER[name][f"{band}-{like}"].mean, 1) for name, prior in moved[like].items()
    }
    print(f"{band}-{like}, models minus table in dB:", gaps)
    assert max(told["models"].values()) < 0.02
    assert max(told["table"].values()) < 0.15
    assert sum(told["models"].values()) < sum(told["table"].values())
