"""From looks to maps and codes: each rule against its sentence, each code against its meaning."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scenes import NOON, evidence_of, flags, look_of, optical_bundle, plain, radar_bundle

from harmonization.bundle import OpticalBundle, RadarBundle
from harmonization.evidence import Belief, combine, state_probabilities
from harmonization.reasons import Reason
from pipeline.assemble import assemble_layers
from pipeline.classify import (
    agreement,
    flood_classes,
    flood_probability,
    reference_from_before,
    uncertainty,
)
from pipeline.crop import crop, crop_look, crop_method
from pipeline.job import Job
from pipeline.methods import (
    MethodMap,
    by_ndwi,
    by_physics,
    by_radar_threshold,
    from_log_odds,
    network_input,
    optical_index,
    seen_by_any,
)

SHAPE = (2, 4)
PRIOR = Belief(water=0.04, vegetation=0.01)
FLAT = np.ascontiguousarray(np.broadcast_to(PRIOR.log_odds[:, None, None], (2, *SHAPE)))
"""The same everywhere."""


def row(*values: float) -> NDArray[np.float32]:
    return np.array([values, values], dtype=np.float32)


def c_band(level: NDArray[np.float32] | float, water: NDArray[np.float32] | None = None, **told: Any) -> Any:
    """A C-band look of some power and evidence (zero nats where nothing is told)."""
    power = plain(SHAPE, level) if isinstance(level, float) else level
    return look_of("sentinel-1", radar_bundle({"VV": power, "VH": power / 10}), _nats(power, water), **told)


def l_band(level: NDArray[np.float32] | float, water: NDArray[np.float32] | None = None, **told: Any) -> Any:
    power = plain(SHAPE, level) if isinstance(level, float) else level
    return look_of("alos-2", radar_bundle({"HH": power}, band="L", cell=7), _nats(power, water), **told)


def optics(green: NDArray[np.float32], nir: NDArray[np.float32], water: NDArray[np.float32] | None = None) -> Any:
    return look_of("sentinel-2", optical_bundle(green, nir), _nats(green + nir, water))


def _nats(measured: NDArray[np.float32], water: NDArray[np.float32] | None) -> NDArray[np.float32]:
    return np.where(np.isfinite(measured), np.float32(0.0), np.float32(np.nan)) if water is None else water


def by_name(*looks: Any) -> Any:
    return {look.sensor: look for look in looks}


# ---- rules


def test_ndwi_rule() -> None:
    """(G - N)/(G + N): (0.1 - 0.05)/0.15 = 1/3, 0, (0.1 - 0.3)/0.4 = -0.5, clouded."""
    look = optics(row(0.1, 0.1, 0.1, np.nan), row(0.05, 0.1, 0.3, np.nan))
    index = optical_index(by_name(look))
    np.testing.assert_allclose(index, row(1 / 3, 0.0, -0.5, np.nan), rtol=1e-6)
    found = by_ndwi(by_name(look), 0.0, SHAPE)
    np.testing.assert_array_equal(found.water, row(1, 0, 0, 0))
    np.testing.assert_array_equal(found.observed, row(1, 1, 1, 0))
    assert not found.vegetation.any()
    assert found.states is None
    np.testing.assert_array_equal(by_ndwi(by_name(look), -0.6, SHAPE).water, row(1, 1, 1, 0))


@pytest.mark.parametrize("looks", [{}, by_name(c_band(0.1))])
def test_ndwi_rule_is_silent_without_optics(looks: Any) -> None:
    assert optical_index(looks) is None
    found = by_ndwi(looks, 0.0, SHAPE)
    assert not found.observed.any()
    assert not found.water.any()
    assert found.water.shape == SHAPE


def test_radar_threshold_is_on_the_copolar_power_in_db() -> None:
    """-20, -15, -10 dB against -16 dB; the cross-polar band, ten times darker, is not asked."""
    look = c_band(row(0.01, 0.0316, 0.1, np.nan))
    found = by_radar_threshold(by_name(look), {"sentinel-1": [-16.0]}, SHAPE)
    np.testing.assert_array_equal(found.water, row(1, 0, 0, 0))
    np.testing.assert_array_equal(found.observed, row(1, 1, 1, 0))
    assert not found.vegetation.any()
    assert found.states is None


def test_denoised_sample_below_zero_is_dark() -> None:
    """Zero and negative power have no dB: they are darker than any threshold, not unknown."""
    found = by_radar_threshold(by_name(c_band(row(-0.001, 0.0, 0.1, 0.1))), {"sentinel-1": [-16.0]}, SHAPE)
    np.testing.assert_array_equal(found.water, row(1, 1, 0, 0))
    assert found.observed.all()


@pytest.mark.parametrize("limits", [{"sentinel-1": [None]}, {}])
def test_scene_without_a_threshold_has_no_water_and_is_observed(limits: Any) -> None:
    found = by_radar_threshold(by_name(c_band(0.0001)), limits, SHAPE)
    assert not found.water.any()
    assert found.observed.all()


def test_c_band_goes_before_l_band_where_both_saw() -> None:
    """C sees the two pixels in the west (dry, wet), L all four (wet, dry, wet, dry)."""
    looks = by_name(l_band(row(0.001, 0.1, 0.001, 0.1)), c_band(row(0.1, 0.001, np.nan, np.nan)))
    found = by_radar_threshold(looks, {"sentinel-1": [-16.0], "alos-2": [-18.0]}, SHAPE)
    np.testing.assert_array_equal(found.water, row(0, 1, 1, 0))
    assert found.observed.all()


def test_threshold_rule_is_silent_without_radar() -> None:
    found = by_radar_threshold(by_name(optics(plain(SHAPE, 0.1), plain(SHAPE, 0.1))), {}, SHAPE)
    assert not found.observed.any()
    assert not found.water.any()


def test_blinded_radar_is_not_asked() -> None:
    """Dark in a radar shadow: power is there, observed is not."""
    look = c_band(row(0.001, 0.001, 0.001, 0.001), water=row(np.nan, 0, 0, 0))
    found = by_radar_threshold(by_name(look), {"sentinel-1": [-16.0]}, SHAPE)
    np.testing.assert_array_equal(found.water, row(0, 1, 1, 1))
    np.testing.assert_array_equal(found.observed, row(0, 1, 1, 1))


# ---- physics


def test_physics_is_prior_plus_contributions() -> None:
    a, b = c_band(0.1, water=row(6, 2, 2, np.nan)), optics(plain(SHAPE, 0.1), plain(SHAPE, 0.1), row(0, 2, -1, np.nan))
    found = by_physics(by_name(a, b), FLAT)
    prior = PRIOR.log_odds[:, None, None]
    np.testing.assert_array_equal(
        found.states,
        state_probabilities(combine(np.broadcast_to(prior, (2, *SHAPE)), [a.contribution, b.contribution])),
    )
    # ln(0.04/0.95) = -3.17: 6 nats carry it (+2.83), 4 do (+0.83), 1 does not (-2.17), none were given.
    np.testing.assert_array_equal(found.water, row(1, 1, 0, 0))
    np.testing.assert_array_equal(found.observed, row(1, 1, 1, 0))
    assert found.states is not None
    # Odds of water exp(0.832) = 2.297 and of vegetation 0.01/0.95 = 0.0105, dry 1: 1/3.308.
    assert found.states[0, 0, 1] == pytest.approx(0.3023, abs=1e-3)


def test_physics_without_any_sensor_says_nothing() -> None:
    found = by_physics({}, FLAT)
    assert not found.observed.any()
    assert not (found.water | found.vegetation).any()
    assert not seen_by_any({}, SHAPE).any()


def test_likelier_wet_state_is_named_where_wet_is_likelier_than_dry() -> None:
    """Odds of water and vegetation against dry: 0.7 and 0.6 are wet together, and more water than vegetation."""
    odds = np.log(np.array([[0.7, 0.6, 0.4, 9.0], [0.6, 0.7, 0.4, 9.0]], dtype=np.float32))
    log_odds = np.stack([odds[:1].repeat(2, axis=0), odds[1:].repeat(2, axis=0)])
    found = from_log_odds(log_odds, np.array([[True] * 4, [False] * 4]))
    np.testing.assert_array_equal(found.water, [[1, 0, 0, 1], [0, 0, 0, 0]])
    np.testing.assert_array_equal(found.vegetation, [[0, 1, 0, 0], [0, 0, 0, 0]])


def test_network_is_given_physics_by_modality() -> None:
    """Two optical sensors share a modality: their nats add up, the channels are of the first."""
    first = optics(plain(SHAPE, 0.1), plain(SHAPE, 0.05), row(1, 1, 1, 1))
    second = look_of("landsat", optical_bundle(plain(SHAPE, 0.1), plain(SHAPE, 0.3)), row(2, 2, 2, 2))
    radar = c_band(0.1, water=row(3, 3, 3, 3))
    found = network_input(by_name(first, second, radar), FLAT)
    assert set(found.modalities) == {"optical", "c_band"}
    np.testing.assert_array_equal(found.parts["optical"][0], 3.0)
    np.testing.assert_array_equal(found.parts["c_band"][0], 3.0)
    np.testing.assert_allclose(found.prior, np.broadcast_to(PRIOR.log_odds[:, None, None], (2, *SHAPE)))
    np.testing.assert_allclose(found.physics[0], PRIOR.log_odds[0] + 6.0, rtol=1e-6)


def test_where_one_optical_sensor_is_clouded_the_other_is_used() -> None:
    """Sentinel-2 ten hours and Landsat two hours from t*: the nearer one that saw the pixel gives the index."""
    nan = np.nan
    first = optics(plain(SHAPE, 0.3), plain(SHAPE, 0.1), row(1, 1, nan, nan))  # NDWI 0.5
    second = look_of(
        "landsat",
        optical_bundle(plain(SHAPE, 0.1), plain(SHAPE, 0.3)),
        row(2, nan, 2, nan),  # NDWI -0.5
    )
    looks = by_name(replace(first, hours=first.hours + 10), replace(second, hours=second.hours + 2))
    np.testing.assert_allclose(optical_index(looks)[0], [-0.5, 0.5, -0.5, nan], rtol=1e-6)
    found = network_input(looks, FLAT)
    np.testing.assert_array_equal(found.presence["optical"][0], [True, True, True, False])
    np.testing.assert_array_equal(found.modalities["optical"][0, 0], [2, 1, 2, nan])
    np.testing.assert_allclose(found.physics[0, 0] - PRIOR.log_odds[0], [3, 1, 2, 0], rtol=1e-6)


# ---- classes


def method(water: Any, vegetation: Any, observed: Any, wet: Any = None) -> MethodMap:
    masks = [row(*values).astype(bool) for values in (water, vegetation, observed)]
    states = None if wet is None else np.stack([1 - row(*wet), row(*wet), 0 * row(*wet)])
    return MethodMap(*masks, states)


YES = np.ones(SHAPE, dtype=bool)
NO = np.zeros(SHAPE, dtype=bool)


def mask(*values: int) -> NDArray[np.bool_]:
    return row(*values).astype(bool)


def test_class_codes_and_what_outranks_what() -> None:
    found = method((0, 1, 0, 1), (0, 0, 1, 0), (1, 1, 1, 1))
    np.testing.assert_array_equal(flood_classes(found, NO, YES), row(0, 1, 2, 1))
    np.testing.assert_array_equal(flood_classes(found, mask(1, 1, 1, 0), YES), row(3, 3, 3, 1))
    blind = method((0, 0, 0, 1), (0, 0, 0, 0), (0, 0, 1, 1))
    np.testing.assert_array_equal(flood_classes(blind, mask(0, 1, 0, 0), YES), row(4, 4, 0, 1))
    np.testing.assert_array_equal(flood_classes(blind, mask(0, 1, 0, 1), mask(0, 0, 1, 1)), row(255, 255, 0, 3))
    assert flood_classes(found, NO, YES).dtype == np.uint8


def test_probability_is_percent_of_wet_and_nothing_where_nothing_was_seen() -> None:
    found = method((0, 1, 1, 0), (0, 0, 0, 0), (1, 1, 1, 0), wet=(0.124, 0.996, 0.8, 0.05))
    percent = flood_probability(found, mask(0, 0, 1, 0), YES)
    assert percent is not None
    np.testing.assert_array_equal(percent, row(12, 100, 0, 255))
    np.testing.assert_array_equal(flood_probability(found, NO, mask(1, 0, 1, 1)), row(12, 255, 80, 255))
    assert flood_probability(method((0, 0, 0, 0), (0, 0, 0, 0), (1, 1, 1, 1)), NO, YES) is None


def test_uncertainty_of_one_sensor_has_no_epistemic_part() -> None:
    """p = 0.5 has the largest aleatoric spread, 50 %; with one sensor nothing tells how far the map rests on it."""
    looks = by_name(c_band(0.1, water=row(0, 0, 0, np.nan)))
    found = uncertainty(method((0,) * 4, (0,) * 4, (1, 1, 1, 0), wet=(0.5, 0.1, 1.0, 0.05)), looks, FLAT, YES)
    assert found is not None
    np.testing.assert_array_equal(found[0], row(50, 30, 0, 255))
    np.testing.assert_array_equal(found[1], 255)


def test_epistemic_part_is_the_jackknife_over_the_sensors() -> None:
    """Two sensors, p without each: the spread is half their difference.

    Column 0: both say 3 nats, so neither is missed: 0. Column 1: one says 6, the other 0. Without the first the prior
    is left, p = 0.05; without the second 6 - 3.168 = 2.832, odds 16.98 + 0.01, p = 16.99/17.99 = 0.944: 45 %.
    Column 2: only one saw: 255. Column 3: outside.
    """
    looks = by_name(
        c_band(0.1, water=row(3, 6, 6, 6)),
        optics(plain(SHAPE, 0.1), plain(SHAPE, 0.1), row(3, 0, np.nan, 0)),
    )
    found = uncertainty(by_physics(looks, FLAT), looks, FLAT, mask(1, 1, 1, 0))
    assert found is not None
    np.testing.assert_array_equal(found[1], row(0, 45, 255, 255))
    assert (found[0][:, 3] == 255).all()


def test_no_uncertainty_for_rules() -> None:
    assert uncertainty(method((0,) * 4, (0,) * 4, (1,) * 4), {}, FLAT, YES) is None


def test_agreement_codes() -> None:
    rule = method((0, 1, 1, 0), (0, 0, 0, 0), (1, 1, 1, 1))
    fused = method((0, 1, 0, 0), (0, 0, 0, 1), (1, 1, 1, 1))
    np.testing.assert_array_equal(agreement(rule, fused, NO, YES), row(0, 1, 2, 3))
    np.testing.assert_array_equal(agreement(rule, fused, mask(0, 1, 1, 1), YES), row(0, 0, 0, 0))
    blind = method((0, 0, 0, 0), (0, 0, 0, 0), (1, 0, 1, 1))
    np.testing.assert_array_equal(agreement(blind, fused, NO, mask(1, 1, 0, 1)), row(0, 255, 255, 3))


def test_reference_water_is_what_the_past_makes_likelier_than_not() -> None:
    """-3.17 + 4 nats = 0.83: p 0.69, water; + 3: p 0.45, not; not seen: unknown."""
    look = c_band(0.1, before_evidence=evidence_of("sentinel-1", row(4, 3, -2, np.nan)))
    found = reference_from_before(by_name(look), PRIOR)
    assert found is not None
    np.testing.assert_array_equal(found[0], row(1, 0, 0, 0))
    np.testing.assert_array_equal(found[1], row(1, 1, 1, 0))
    assert reference_from_before(by_name(c_band(0.1)), PRIOR) is None


# ---- halo off


def test_crop_takes_the_halo_off_the_last_two_axes() -> None:
    array = np.arange(2 * 6 * 8).reshape(2, 6, 8)
    np.testing.assert_array_equal(crop(array, 2), array[:, 2:4, 2:6])
    np.testing.assert_array_equal(crop(array[0], 0), array[0])


def test_looks_and_maps_are_cropped_in_all_their_parts() -> None:
    wide, narrow = (8, 10), (4, 6)
    values = np.arange(80, dtype=np.float32).reshape(wide)
    past = radar_bundle({"VV": values + 1}, angle=None)
    now = radar_bundle({"VV": values})
    look = look_of("sentinel-1", now, values, before=past, before_evidence=evidence_of("sentinel-1", values))
    found = crop_look(look, 2)
    inner = values[2:6, 2:8]
    assert isinstance(found.bundle, RadarBundle)
    assert isinstance(found.before, RadarBundle)
    assert found.before_evidence is not None
    np.testing.assert_array_equal(found.bundle.power["VV"], inner)
    np.testing.assert_array_equal(found.before.power["VV"], inner + 1)
    assert found.before.angle is None
    assert found.bundle.angle is not None
    for array in (
        found.bundle.angle,
        found.bundle.reasons,
        found.hours,
        found.evidence.observed,
        found.evidence.reasons,
        found.evidence.llr[0],
        found.before_evidence.llr[0],
        found.contribution[0],
    ):
        assert array.shape == narrow
    clear = crop_look(look_of("sentinel-2", optical_bundle(values, values), values), 2).bundle
    assert isinstance(clear, OpticalBundle)
    np.testing.assert_array_equal(clear.reflectance["nir"], inner)
    rule = crop_method(MethodMap(values > 9, values > 99, values > -1, None), 2)
    assert rule.states is None
    np.testing.assert_array_equal(rule.water, inner > 9)
    states = np.stack([values, values, values])
    assert crop_method(MethodMap(values > 9, values > 99, values > -1, states), 2).states.shape == (3, *narrow)  # type: ignore[union-attr]


# ---- layers of a unit

JOB = Job(
    name="a",
    area=(0, 0, 1, 1),
    catalog="c",
    during=(date(2023, 5, 1), date(2023, 5, 2)),
    methods=("ndwi", "physics"),
)


def unit_layers(looks: Any, given: NDArray[np.float32] | None = None, inside: NDArray[np.bool_] = YES) -> Any:
    maps = {"ndwi": by_ndwi(looks, 0.0, SHAPE), "physics": by_physics(looks, FLAT)}
    told = given is not None or any(look.before_evidence is not None for look in looks.values())
    return assemble_layers(JOB, FLAT, looks, maps, inside, reference_from_before(looks, PRIOR), given, told, NOON)


def values_of(layers: Any, name: str) -> NDArray[Any]:
    return layers.layers[name].values  # type: ignore[no-any-return]


def test_unit_without_a_reference_maps_water_and_says_so() -> None:
    found = unit_layers(by_name(c_band(0.01, water=row(6, -1, 6, np.nan))))
    assert found.facts["overbank:legend"] == "water"
    np.testing.assert_array_equal(values_of(found, "flood_class")[0], row(1, 0, 1, 4))
    assert found.layers["flood_class"].kind.classes[1][0] == "open_water"
    assert (values_of(found, "reference_water") == 255).all()
    assert "ndwi" not in found.layers, "no index without optics"
    assert (values_of(found, "ndwi_water") == 255).all()
    assert (values_of(found, "agreement") == 255).all()
    assert found.facts["overbank:sensors"]["alos-2"] == "no scene"


def test_given_reference_outranks_the_past_where_it_is_known() -> None:
    look = c_band(0.01, water=row(6, 6, 6, 6), before_evidence=evidence_of("sentinel-1", row(9, -9, 9, np.nan)))
    found = unit_layers(by_name(look), given=row(0, 1, np.nan, np.nan))
    assert found.facts["overbank:legend"] == "flood"
    np.testing.assert_array_equal(values_of(found, "reference_water")[0], row(0, 1, 1, 255))
    np.testing.assert_array_equal(values_of(found, "flood_class")[0], row(1, 3, 3, 1))
    np.testing.assert_array_equal(values_of(found, "water_extent")[0], 1)
    assert found.layers["flood_class"].kind.classes[1][0] == "open_water_flood"
    alone = unit_layers(by_name(c_band(0.01, water=row(6, 6, 6, 6))), given=row(0, 1, np.nan, np.nan))
    np.testing.assert_array_equal(values_of(alone, "flood_class")[0], row(1, 3, 1, 1))


def test_unit_tells_who_saw_what_when_and_how_strongly() -> None:
    radar = c_band(
        0.01, water=row(6, -1.234, np.nan, 400), before_evidence=evidence_of("sentinel-1", row(np.nan, 0, 0, 0))
    )
    clear = optics(row(0.1, np.nan, np.nan, 0.1), row(0.3, np.nan, np.nan, 0.05))
    looks = by_name(radar, clear)
    looks["sentinel-2"] = look_of("sentinel-2", clear.bundle, clear.evidence.llr[0], hours=row(30, np.nan, np.nan, 300))
    looks["sentinel-2"] = looks["sentinel-2"].__class__(**vars(looks["sentinel-2"]) | {"evidence": clear.evidence})
    found = unit_layers(looks, inside=mask(1, 1, 1, 0))
    # 1 C band during, 4 optics during, 16 C band before.
    np.testing.assert_array_equal(values_of(found, "observed_by")[0], row(5, 17, 16, 0))
    np.testing.assert_array_equal(values_of(found, "age")[0], row(0, 0, 255, 255))
    evidence = found.layers["evidence"]
    assert evidence.bands[0] == "sentinel-1 open water : dry"
    assert len(evidence.bands) == 6, "two a sensor of the job, scene or not"
    # Hundredths of a nat; -32768 where not seen or outside.
    np.testing.assert_array_equal(evidence.values[0], row(600, -123, -32768, -32768))
    assert (evidence.values[2:4] == -32768).all(), "L band has no scene"
    exclusion = dict(zip(found.layers["exclusion"].bands, values_of(found, "exclusion"), strict=True))
    np.testing.assert_array_equal(exclusion["alos-2"], row(*(3 * [int(Reason.NO_SCENE)]), 0))
    # 1e-4: (0.1 - 0.3)/0.4 = -0.5.
    np.testing.assert_array_equal(values_of(found, "ndwi")[0], row(-5000, -32768, -32768, -32768))


def test_harmonized_levels_end_where_the_sensor_has_no_say() -> None:
    """Snow that optics saw silences the radar's evidence; its power is still in the bundle."""
    look = c_band(0.01)
    evidence = replace(look.evidence, observed=look.evidence.observed & (np.arange(SHAPE[1]) > 0))
    job = JOB.model_copy(update={"extra_layers": ("harmonized",)})
    looks: Any = by_name(look.__class__(**vars(look) | {"evidence": evidence}))
    maps = {"ndwi": by_ndwi(looks, 0.0, SHAPE), "physics": by_physics(looks, FLAT)}
    found = assemble_layers(job, FLAT, looks, maps, YES, None, None, False, NOON).layers["harmonized"].values
    assert (found[:2, :, 0] == -32768).all()
    assert (found[:2, :, 1:] > -32768).all()


def test_share_of_flagged_pixels_is_told() -> None:
    look = c_band(0.01)
    reasons = flags(SHAPE)
    reasons[0] = Reason.UNKNOWN_ANGLE
    reasons[0, 0] = Reason.OUTSIDE_MODEL
    evidence = evidence_of("sentinel-1", plain(SHAPE, 0.0), reasons=reasons)
    look = look.__class__(**vars(look) | {"evidence": evidence})
    fact = unit_layers(by_name(look)).facts["overbank:sensors"]["sentinel-1"]
    assert fact["unknown_angle_share"] == pytest.approx(0.5 - fact["outside_model_share"])
    assert fact["outside_model_share"] > 0.0
    assert fact["smooth_dry_share"] == 0.0
    assert fact["observed_share"] == 1.0
    assert fact["change_detection"] is False
