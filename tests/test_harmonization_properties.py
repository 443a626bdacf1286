"""What must hold whatever the numbers: of evidence and its sum, of masks, of decibels, and of NaN."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from harmonization import speckle_law
from harmonization.bundle import Evidence, OpticalBundle, RadarBundle
from harmonization.calibration import (
    decibel,
    mean_power_db,
    power_from_amplitude,
    power_from_decibel,
)
from harmonization.dielectric import soil_permittivity
from harmonization.evidence import (
    UNINFORMATIVE,
    Belief,
    combine,
    contribution,
    contributions,
    doubt,
    doubt_states,
    relax,
    relax_states,
    state_probabilities,
    witness,
)
from harmonization.geometry import gamma0_from_sigma0, sigma0_from_beta0, sigma0_from_gamma0
from harmonization.incidence import cosine_power
from harmonization.optical.evidence import weigh_optical
from harmonization.optical.indices import mndwi, ndwi
from harmonization.optical.reflectance import reflectance_from_dn
from harmonization.radar.evidence import weigh_radar
from harmonization.reasons import BLINDING, Reason
from harmonization.scattering.canopy import optical_depth, water_cloud
from harmonization.scattering.soil import oh_1992
from harmonization.scattering.water import open_water, water_line
from harmonization.speckle import multilook
from harmonization.terrain import drainage_prior_factor
from harmonization.wavelength import class_average, harmonize

SHAPE = (3, 4)
TIME = datetime(2024, 1, 1, tzinfo=UTC)
BELIEF = Belief()
Pixels = NDArray[np.floating[Any]]
nats = st.floats(-40.0, 40.0, width=32)
ratios = arrays(np.float32, (2, *SHAPE), elements=nats)
masks = arrays(np.bool_, SHAPE)
levels = arrays(np.float32, SHAPE, elements=st.floats(-40.0, 5.0, width=32))
few = settings(max_examples=15, deadline=None)


def evidence(llr: NDArray[np.float32], observed: NDArray[np.bool_] | None = None, cell: int = 1) -> Evidence:
    seen = np.ones(SHAPE, dtype=np.bool_) if observed is None else observed
    return Evidence("any", np.where(seen, llr, np.float32(0.0)), seen, np.zeros(SHAPE, np.uint16), TIME, cell)


# --- evidence and its sum


@given(ratios, ratios, st.floats(0.0, 10.0, width=32), st.floats(0.0, 240.0), st.sampled_from([0, 1]))
@few
def test_more_evidence_never_makes_its_state_less_likely(
    first: NDArray[np.float32], second: NDArray[np.float32], more: float, hours: float, state: int
) -> None:
    raised = first.copy()
    raised[state] += np.float32(more)
    believed, summed = [], []
    for llr in (first, raised):
        added = [contribution(evidence(one), hours, BELIEF, 0.0) for one in (llr, second)]
        believed.append(state_probabilities(combine(BELIEF.log_odds[:, None, None], added)))
        summed.append(state_probabilities(combine(BELIEF.log_odds[:, None, None], [llr, second])))
    assert (believed[1][state + 1] >= believed[0][state + 1] - 1e-6).all()
    # Without doubt dry never gains either; with it, it may: a part of what is said of water may be meant of dry land.
    assert (summed[1][state + 1] >= summed[0][state + 1] - 1e-6).all()
    assert (summed[1][0] <= summed[0][0] + 1e-6).all()


@given(st.lists(ratios, min_size=2, max_size=4))
@few
def test_the_order_of_the_sensors_changes_nothing(parts: list[NDArray[np.float32]]) -> None:
    prior = np.broadcast_to(BELIEF.log_odds[:, None, None], (2, *SHAPE))
    want = combine(prior, parts)
    for order in permutations(parts):
        np.testing.assert_allclose(combine(prior, order), want, atol=1e-4)
    named = {f"sensor {number}": evidence(part) for number, part in enumerate(parts)}
    fresh = np.zeros(SHAPE, dtype=np.float32)
    forth = contributions({name: (one, fresh) for name, one in named.items()}, BELIEF)
    back = contributions({name: (named[name], fresh) for name in reversed(named)}, BELIEF)
    for name in named:
        np.testing.assert_array_equal(forth[name], back[name])


@given(ratios, st.floats(0.0, 240.0))
@few
def test_a_sensor_without_reliability_changes_nothing(llr: NDArray[np.float32], hours: float) -> None:
    np.testing.assert_allclose(doubt(llr, 0.5), 0.0, atol=1e-6)
    np.testing.assert_allclose(doubt_states(llr, UNINFORMATIVE), 0.0, atol=1e-5)
    np.testing.assert_allclose(doubt_states(llr, 1.0), 0.0, atol=1e-5, err_msg="beyond, its negative would speak")
    np.testing.assert_allclose(contribution(evidence(llr), hours, BELIEF, UNINFORMATIVE), 0.0, atol=1e-5)
    coin = witness("coin", llr[0] > 0, np.ones(SHAPE, np.bool_), (0.5, 0.5), 0.5, TIME)
    np.testing.assert_array_equal(coin.llr, 0.0)


@given(ratios, masks, st.floats(0.0, 240.0))
@few
def test_what_was_not_observed_adds_exactly_nothing(
    llr: NDArray[np.float32], seen: NDArray[np.bool_], hours: float
) -> None:
    for cell in (1, 3):
        look = replace(evidence(llr, seen), cell=cell, stand=cell)
        assert (contribution(look, hours, BELIEF, 0.0)[:, ~seen] == 0.0).all()
        finer = evidence(llr[::-1])
        both = contributions({"fine": (finer, np.zeros(SHAPE)), "coarse": (look, np.full(SHAPE, hours))}, BELIEF)
        assert (both["coarse"][:, ~seen] == 0.0).all()


@given(ratios, st.floats(0.0, 0.6), st.floats(0.0, 480.0))
@few
def test_doubt_and_age_never_create_certainty(llr: NDArray[np.float32], crossover: float, hours: float) -> None:
    # The widest gap between any two states never grows.
    def gap(values: Pixels) -> Pixels:
        states = np.concatenate([np.zeros((1, *SHAPE)), values])
        return np.asarray(states.max(axis=0) - states.min(axis=0))

    assert (gap(doubt_states(llr, crossover)) <= gap(llr) + 1e-4).all()
    assert (gap(relax_states(llr, hours, BELIEF)) <= gap(llr) + 1e-4).all()


# --- masks


def radar(level: NDArray[np.float32], **changes: Any) -> RadarBundle:
    told: dict[str, Any] = {
        "band": "C",
        "power": {"VV": (10.0 ** (level / 10.0)).astype(np.float32)},
        "quantity": "gamma0",
        "angle": np.full(SHAPE, 38.5, dtype=np.float32),
        "angle_range": (30.0, 45.0),
        "noise": {"VV": 0.004},
        "denoised": False,
        "looks": 10.0,
        "reasons": np.zeros(SHAPE, dtype=np.uint16),
        "time": TIME,
    }
    return RadarBundle(**told | changes)


def optics(level: NDArray[np.float32], reasons: NDArray[np.uint16]) -> OpticalBundle:
    bands = {"green": 0.1 + 0.001 * level, "nir": np.full(SHAPE, 0.1, np.float32), "swir1": np.full(SHAPE, 0.05, "f4")}
    return OpticalBundle(bands, 0.01, "scene-classification", reasons, TIME)


blinding = st.sampled_from([one for one in Reason if one & BLINDING])


@given(levels, masks, blinding)
@few
def test_masks_never_create_evidence(level: NDArray[np.float32], hidden: NDArray[np.bool_], why: Reason) -> None:
    clear = np.zeros(SHAPE, dtype=np.uint16)
    reasons = np.where(hidden, np.uint16(why), clear)
    pairs = [
        (weigh_radar("s", radar(level, reasons=reasons)), weigh_radar("s", radar(level))),
        (weigh_radar("s", radar(level, reasons=reasons), radar(level)), weigh_radar("s", radar(level), radar(level))),
        (weigh_optical("s", optics(level, reasons)), weigh_optical("s", optics(level, clear))),
    ]
    for masked, free in pairs:
        assert (masked.llr[:, hidden] == 0.0).all()
        assert not masked.observed[hidden].any()
        np.testing.assert_array_equal(masked.llr[:, ~hidden], free.llr[:, ~hidden])


# --- decibels and averages


@given(levels)
@few
def test_decibels_there_and_back(level: NDArray[np.float32]) -> None:
    np.testing.assert_allclose(decibel(power_from_decibel(level)), level, atol=1e-9)


@given(arrays(np.float64, 6, elements=st.floats(-40.0, 5.0)))
@few
def test_means_are_taken_in_power(level: NDArray[np.float64]) -> None:
    assert mean_power_db(level) >= level.mean() - 1e-9, "the mean of logarithms is too low"
    assert mean_power_db(level) == pytest.approx(10.0 * np.log10(np.mean(10.0 ** (level / 10.0))))
    tile = np.resize(10.0 ** (level / 10.0), (3, 3)).astype(np.float32)
    assert multilook(tile, 3)[1, 1] == pytest.approx(tile.mean(), rel=1e-5)


@given(levels, st.floats(20.0, 50.0))
@few
def test_sigma0_and_gamma0_there_and_back(level: NDArray[np.float32], angle: float) -> None:
    power = power_from_decibel(level)
    np.testing.assert_allclose(sigma0_from_gamma0(gamma0_from_sigma0(power, angle), angle), power, rtol=1e-12)


# --- NaN in, NaN out, and nowhere else

Leaf = Callable[[Pixels], Any]
LEAVES: dict[str, Leaf] = {
    # Each of a (y, x) field between 0.05 and 0.4.
    "decibel": decibel,
    "power_from_decibel": power_from_decibel,
    "power_from_amplitude": lambda x: power_from_amplitude(1e4 * x, -83.0),
    "sigma0_from_beta0": lambda x: sigma0_from_beta0(x, 38.5),
    "gamma0_from_sigma0, angle": lambda x: gamma0_from_sigma0(0.1, 100.0 * x),
    "cosine_power": lambda x: cosine_power(x, 38.5, 30.0, 2.0),
    "cosine_power, angle": lambda x: cosine_power(-12.0, 100.0 * x, 30.0, 2.0),
    "multilook": lambda x: multilook(x.astype(np.float32), 3),
    "speckle about one mean": lambda x: speckle_law.log_density(x, 0.1, 4.4),
    "speckle ratio": lambda x: speckle_law.log_ratio(x, 0.1, 0.2, 4.4),
    "class_average": lambda x: class_average([x, 2 * x], [4.0, 4.0], [np.ones(SHAPE), np.ones(SHAPE)]),
    "harmonize": lambda x: (lambda h: (h.level, h.std))(harmonize(radar(np.asarray(-40 * x, "f4")), BELIEF.log_odds)),
    "reflectance_from_dn": lambda x: reflectance_from_dn(1e4 * x.astype(np.float32), 1e-4, -0.1),
    "ndwi": lambda x: ndwi(x.astype(np.float32), np.float32(0.1)),
    "mndwi": lambda x: mndwi(np.full(SHAPE, 0.1, np.float32), x.astype(np.float32)),
    "drainage_prior_factor": lambda x: drainage_prior_factor(20.0 * x),
    "soil_permittivity": lambda x: np.abs(soil_permittivity(1.2575, x)),
    "oh_1992": lambda x: tuple(oh_1992(5.405, 9.5 - 1.9j, 0.1 * x, 38.5).values()),
    "water_line": lambda x: water_line(100.0 * x),
    "open_water": lambda x: open_water("L-HH", 20.0 * x, 38.5),
    "optical_depth": lambda x: optical_depth(x, 5.405),
    "water_cloud": lambda x: water_cloud(0.2, x, 0.1, 38.5),
    "doubt": lambda x: doubt(x, 0.02),
    "relax": lambda x: relax(x, 24.0, 0.05, 72.0),
}


@pytest.mark.parametrize("name", LEAVES)
@given(field=arrays(np.float64, SHAPE, elements=st.floats(0.05, 0.4)), hidden=masks)
@settings(max_examples=5, deadline=None)
def test_nan_in_nan_out_and_nowhere_else(name: str, field: NDArray[np.float64], hidden: NDArray[np.bool_]) -> None:
    found = LEAVES[name](np.where(hidden, np.nan, field))
    for one in found if isinstance(found, tuple) else (found,):
        np.testing.assert_array_equal(np.isnan(one).reshape(SHAPE), hidden, err_msg=name)


@given(levels, masks)
@few
def test_nan_in_a_look_is_no_evidence_and_never_nan(level: NDArray[np.float32], hidden: NDArray[np.bool_]) -> None:
    look = radar(np.where(hidden, np.float32(np.nan), level))
    found = weigh_radar("s", look)
    assert np.isfinite(found.llr).all()
    np.testing.assert_array_equal(found.observed, ~hidden)
    np.testing.assert_array_equal(found.llr[:, hidden], 0.0)
    np.testing.assert_array_equal(found.llr[:, ~hidden], weigh_radar("s", radar(level)).llr[:, ~hidden])
