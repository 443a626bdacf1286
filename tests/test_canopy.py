"""Stands dry and flooded, and C minus L by class, against the reference note, sections 5.3 and 0.3."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harmonization.dielectric import soil_permittivity, vegetation_permittivity, water_permittivity
from harmonization.scattering.canopy import (
    OPAQUE_CROWN,
    Stand,
    canopy,
    canopy_valid,
    optical_depth,
    transmissivity,
    trunk_ground,
    trunk_ground_valid,
    water_cloud,
    water_cloud_attema_ulaby,
    water_cloud_valid,
)
from harmonization.scattering.soil import oh_1992
from harmonization.scattering.two_scale import two_scale

C, L = 5.405, 1.2575


def decibel(power: Any) -> Any:
    return 10.0 * np.log10(power)


def stands(depth: float) -> tuple[Stand, Stand]:
    """L-HH and C-VV of the stand of the reference note, section 5.3."""
    return (
        canopy(L, "HH", OPAQUE_CROWN["L-HH"], depth, 38.5),
        canopy(C, "VV", OPAQUE_CROWN["C-VV"], depth, 38.5),
    )


@pytest.mark.parametrize(
    ("depth", "l_dry", "l_flooded", "c_dry", "c_flooded"),
    [
        (0.1, -10.2, -7.3, -7.6, -8.8),
        (0.3, -7.8, -4.5, -7.6, -7.6),
        (0.5, -7.2, -4.2, -7.6, -7.6),
        (1.0, -7.3, -5.3, -7.6, -7.6),
    ],
)
def test_canopy_flood_contrast(depth: float, l_dry: float, l_flooded: float, c_dry: float, c_flooded: float) -> None:
    got = [float(decibel(power)) for stand in stands(depth) for power in stand]
    assert got == pytest.approx([l_dry, l_flooded, c_dry, c_flooded], abs=0.1)


def test_no_common_offset_turns_l_band_into_c_band() -> None:
    """Reference note, section 0.3: C-VV minus L-HH at 38.5 degrees by class."""
    soils = [
        decibel(oh_1992(C, soil_permittivity(C, moisture), rough, 38.5)["VV"])
        - decibel(oh_1992(L, soil_permittivity(L, moisture), rough, 38.5)["HH"])
        for moisture in (0.08, 0.2, 0.35)
        for rough in (0.005, 0.01, 0.02)
    ]
    assert [min(soils), max(soils)] == pytest.approx([7.3, 14.8], abs=0.1)
    wind = np.array([3.0, 5.0, 10.0])
    water_c, water_l = (two_scale(f, complex(water_permittivity(f, 20.0)), wind, 38.5) for f in (C, L))
    assert decibel(water_c["VV"]) - decibel(water_l["HH"]) == pytest.approx([1.8, 2.8, 5.4], abs=0.12)
    forest_l, forest_c = stands(0.4)
    offsets = [float(decibel(c / low)) for c, low in zip(forest_c, forest_l, strict=True)]
    assert offsets == pytest.approx([-0.2, -3.4], abs=0.1)


def test_crown_is_nothing_or_everything_at_its_ends() -> None:
    assert water_cloud(0.2, 0.0, 0.07, 38.5) == pytest.approx(0.07)
    assert water_cloud(0.2, 50.0, 0.07, 38.5) == pytest.approx(0.2 * np.cos(np.radians(38.5)))
    assert water_cloud_attema_ulaby(0.1, 2.0, 0.2, 1.5, 0.05, 30.0) == water_cloud(0.2, 0.2 * 1.5, 0.05, 30.0)
    assert transmissivity(optical_depth(0.3, C), 38.5) < transmissivity(0.3, 38.5)


def test_flood_brightens_a_stand_most_where_the_crown_is_open() -> None:
    gain = [float(decibel(stand.flooded / stand.dry)) for stand in (stands(depth)[0] for depth in (0.5, 1.0, 2.0))]
    assert gain == sorted(gain, reverse=True)
    assert all(2.0 < one < 10.0 for one in gain[:2])


def test_corner_of_water_is_stronger_in_hh() -> None:
    # Reference note, section 5.3: +5.0 dB at L.
    water, trunk = water_permittivity(L, 20.0), vegetation_permittivity(L, 0.5)
    hh = trunk_ground(L, water, trunk, 0.0, 38.5, "HH")
    vv = trunk_ground(L, water, trunk, 0.0, 38.5, "VV")
    assert decibel(hh / vv) == pytest.approx(5.0, abs=0.05)


@pytest.mark.parametrize(
    ("inside", "outside"),
    [
        (water_cloud_valid(0.5, 38.5), water_cloud_valid(0.5, 65.0)),
        (trunk_ground_valid(L, 0.02, 38.5), trunk_ground_valid(L, 0.02, 38.5, trunk_radius=0.02)),
        (trunk_ground_valid(L, 0.02, 38.5), trunk_ground_valid(L, 0.02, 38.5, slope=8.0)),
        (canopy_valid(L, 0.5, 38.5), canopy_valid(L, 6.0, 38.5)),
        (canopy_valid(C, 0.5, 38.5), canopy_valid(C, 0.5, np.nan)),
    ],
)
def test_outside_its_range_a_stand_is_flagged(inside: Any, outside: Any) -> None:
    assert inside
    assert not outside


def test_stands_take_arrays_and_pass_nan_on() -> None:
    depth, angle = np.array([[0.3], [np.nan]]), np.array([30.0, 38.5, 45.0])
    found = canopy(L, "HH", OPAQUE_CROWN["L-HH"], depth, angle)
    for power in found:
        assert power.shape == (2, 3)
        assert np.isfinite(power[0]).all()
        assert np.isnan(power[1]).all()
    assert found.flooded[0, 1] == pytest.approx(stands(0.3)[0].flooded, rel=1e-12)
