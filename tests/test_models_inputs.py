"""Records to network inputs."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from harmonization.bundle import Evidence, OpticalBundle, RadarBundle
from harmonization.reasons import Reason
from models.inputs import CHANNELS, Look, ModelInput, assemble, decibels

TIME = datetime(2024, 5, 1, tzinfo=UTC)
SHAPE = (2, 3)
PRIOR = np.array([-3.0, -4.0], dtype=np.float32)


def evidence(value=1.0, observed=True, reasons=0):
    return Evidence(
        sensor="any",
        llr=np.full((2, *SHAPE), value, dtype=np.float32),
        observed=np.full(SHAPE, observed),
        reasons=np.full(SHAPE, reasons, dtype=np.uint16),
        time=TIME,
    )


def radar(band="C", reasons=0, **power):
    return RadarBundle(
        band=band,
        power={name: np.full(SHAPE, value, dtype=np.float32) for name, value in power.items()},
        quantity="gamma0",
        angle=None,
        angle_range=(30.0, 46.0),
        noise={},
        denoised=False,
        looks=4.4,
        reasons=np.full(SHAPE, reasons, dtype=np.uint16),
        time=TIME,
    )


def optical(**bands):
    reflectance = {name: np.full(SHAPE, value, dtype=np.float32) for name, value in bands.items()}
    return OpticalBundle(reflectance, 0.01, "spectral", np.zeros(SHAPE, dtype=np.uint16), TIME)


def one(modality, look, part=1.0):
    inputs = assemble({modality: look}, {modality: np.full((2, *SHAPE), part)}, PRIOR)
    assert inputs.physics.dtype == np.float32
    return inputs


def test_decibels_are_clipped_at_the_floor_and_keep_what_is_not_observed():
    power = np.array([0.1, 1e-9, 0.0, -0.01, np.nan], dtype=np.float32)
    np.testing.assert_allclose(decibels(power), [-10.0, -40.0, -40.0, -40.0, np.nan], atol=1e-5)


def test_radar_channels_in_order():
    inputs = one("c_band", Look(evidence(2.5), radar(VV=0.1, VH=0.01), radar(VV=1.0)))
    np.testing.assert_allclose(inputs.modalities["c_band"][:, 0, 0], [2.5, 2.5, -10.0, -20.0, -10.0], atol=1e-5)
    assert inputs.presence["c_band"].all()
    assert inputs.presence["c_band_before"].all()


@pytest.mark.parametrize(
    ("modality", "band", "power", "expected"),
    [
        ("c_band", "C", {"VV": 0.1, "HH": 1.0, "VH": 0.01}, (-10.0, -20.0)),
        ("c_band", "C", {"HH": 1.0, "HV": 0.001}, (0.0, -30.0)),
        ("l_band", "L", {"VV": 0.1, "HH": 1.0, "HV": 0.01}, (0.0, -20.0)),
        ("l_band", "L", {"VV": 0.1, "VH": 0.01}, (-10.0, -20.0)),
        ("l_band", "L", {"HH": 0.1}, (-10.0, np.nan)),
    ],
)
def test_each_band_prefers_its_own_polarization(modality, band, power, expected):
    inputs = one(modality, Look(evidence(), radar(band, **power)))
    np.testing.assert_allclose(inputs.modalities[modality][2:4, 0, 0], expected, atol=1e-5)
    assert inputs.presence[modality].all()


@pytest.mark.parametrize(
    "before",
    [None, radar(HH=1.0), radar(VV=1.0, reasons=Reason.LAYOVER), radar(VV=np.nan)],
    ids=["none", "other polarization", "blinded", "not observed"],
)
def test_change_is_absent_without_a_usable_before(before):
    inputs = one("c_band", Look(evidence(), radar(VV=0.1), before))
    assert np.isnan(inputs.modalities["c_band"][4]).all()
    assert not inputs.presence["c_band_before"].any()
    assert inputs.presence["c_band"].all()


@pytest.mark.parametrize(
    "look",
    [
        Look(evidence(observed=False), radar(VV=0.1)),
        Look(evidence(reasons=Reason.RADAR_SHADOW), radar(VV=0.1)),
        Look(evidence(), radar(VV=0.1, reasons=Reason.OUTSIDE_SWATH)),
        Look(evidence(), radar(VV=np.nan)),
    ],
    ids=["unobserved", "evidence blinded", "bundle blinded", "fill"],
)
def test_what_was_not_seen_is_absent_and_adds_nothing_to_physics(look):
    inputs = one("c_band", look, part=7.0)
    assert not inputs.presence["c_band"].any()
    assert np.isnan(inputs.modalities["c_band"]).all()
    np.testing.assert_array_equal(inputs.physics[:, 0, 0], PRIOR)


def test_a_flag_that_only_weakens_does_not_hide():
    assert one("l_band", Look(evidence(reasons=Reason.SMOOTH_DRY), radar("L", HH=0.1))).presence["l_band"].all()


def test_optical_indices_and_a_missing_band():
    full = one("optical", Look(evidence(), optical(green=0.06, nir=0.02, swir1=0.02)))
    np.testing.assert_allclose(full.modalities["optical"][2:, 0, 0], [0.5, 0.5], atol=1e-6)
    part = one("optical", Look(evidence(), optical(green=0.06, nir=0.02)))
    np.testing.assert_allclose(part.modalities["optical"][2:, 0, 0], [0.5, np.nan], atol=1e-6)
    assert part.presence["optical"].all()
    assert "optical_before" not in full.presence


def test_no_sensor_at_all_is_the_prior():
    prior = np.broadcast_to(PRIOR[:, None, None], (2, *SHAPE)).copy()
    inputs = assemble({}, {}, prior)
    assert inputs.shape == SHAPE
    np.testing.assert_array_equal(inputs.physics, prior)
    with pytest.raises(ValueError, match=r"give the prior as \(2, y, x\)"):
        assemble({}, {}, PRIOR)


def test_unknown_modality_names_the_known_ones():
    with pytest.raises(ValueError, match="x_band; known: c_band, l_band, optical"):
        assemble({"x_band": Look(evidence(), radar(VV=0.1))}, {}, PRIOR)


def example() -> ModelInput:
    generator = np.random.default_rng(0)
    return ModelInput(
        modalities={name: generator.normal(size=(len(CHANNELS[name]), 4, 5)).astype("f4") for name in CHANNELS},
        presence={name: generator.random((4, 5)) < 0.6 for name in (*CHANNELS, "c_band_before")},
        parts={name: generator.normal(size=(2, 4, 5)).astype("f4") for name in CHANNELS},
        prior=PRIOR,
    )


def test_physics_is_the_prior_plus_the_parts_that_are_present():
    inputs = example()
    for row, column in np.ndindex(4, 5):
        parts = [inputs.parts[name][:, row, column] for name in CHANNELS if inputs.presence[name][row, column]]
        expected = np.sum([PRIOR, *parts], axis=0)
        np.testing.assert_allclose(inputs.physics[:, row, column], expected, atol=1e-6)


def test_without_takes_evidence_and_before_along_and_leaves_the_original():
    inputs = example()
    fewer = inputs.without({"c_band": True})
    assert not fewer.presence["c_band"].any()
    assert not fewer.presence["c_band_before"].any()
    assert inputs.presence["c_band"].any()
    gone = np.where(inputs.presence["c_band"], inputs.parts["c_band"], 0.0)
    np.testing.assert_allclose(fewer.physics, inputs.physics - gone, atol=1e-5)


def test_window_inside_and_over_the_edge():
    inputs = example()
    whole = inputs.window(-2, -1, 8, 9)
    np.testing.assert_array_equal(whole.window(2, 1, 4, 5).physics, inputs.physics)
    np.testing.assert_array_equal(whole.modalities["optical"][:, 2:6, 1:6], inputs.modalities["optical"])
    assert not whole.presence["c_band"][:2].any()
    assert np.isnan(whole.modalities["c_band"][:, :, 6:]).all()
    assert not inputs.window(10, 10, 3, 3).presence["c_band"].any()


def test_shapes_that_differ_are_refused_by_name():
    inputs = example()
    with pytest.raises(ValueError, match=r"presence 'optical' has shape \(1, 1\), but \(4, 5\)"):
        ModelInput(inputs.modalities, {**inputs.presence, "optical": np.ones((1, 1), bool)}, inputs.parts, PRIOR)
    with pytest.raises(ValueError, match="'l_band' lacks its presence"):
        ModelInput(inputs.modalities, {"c_band": inputs.presence["c_band"]}, inputs.parts, PRIOR)
