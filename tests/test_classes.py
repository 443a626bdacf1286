"""The class table is the one of the physics note, and its states are mixtures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harmonization.classes import BACKSCATTER, INDICES, OPTICAL_STATES, REFERENCE_ANGLE, STATES


def test_backscatter_is_the_shared_table(shared: Path) -> None:
    table = json.loads((shared / "class_table.json").read_text())
    assert table["reference_angle_deg"] == REFERENCE_ANGLE
    assert set(BACKSCATTER) == set(table["classes"])
    for name, channels in table["classes"].items():
        rows = {channel: row[:3] for channel, row in channels.items() if isinstance(row, list)}
        got = BACKSCATTER[name]
        assert {channel: [b.mean, b.std, b.slope] for channel, b in got.items()} == rows, name


def test_indices_are_the_shared_table(shared: Path) -> None:
    optical = json.loads((shared / "class_table.json").read_text())["optical"]
    assert optical["channels"] == ["NDWI", "MNDWI"]
    assert set(INDICES) == {name for name, row in optical.items() if isinstance(row, dict)}
    for name, indices in INDICES.items():
        row = optical[name]
        assert (list(indices.mean), list(indices.std), indices.correlation) == (
            row["mean"],
            row["std"],
            row["rho"],
        )


@pytest.mark.parametrize(("states", "classes"), [(STATES, set(BACKSCATTER)), (OPTICAL_STATES, set(INDICES))])
def test_states_are_mixtures_of_known_classes(states: dict[str, dict[str, float]], classes: set[str]) -> None:
    assert set(states) == {"open_water", "flooded_vegetation", "dry"}
    for shares in states.values():
        assert sum(shares.values()) == pytest.approx(1.0)
        assert set(shares) <= classes


def test_l_band_cannot_tell_water_from_smooth_dry_soil_and_c_band_can() -> None:
    # physics.md 10: at L-HH the means lie 1.7 dB apart with 3 dB of spread each, at C-VV 6.3 dB.
    gap = {
        channel: BACKSCATTER["bare_dry"][channel].mean - BACKSCATTER["open_water"][channel].mean
        for channel in ("C-VV", "L-HH")
    }
    assert gap["L-HH"] < BACKSCATTER["bare_dry"]["L-HH"].std < gap["C-VV"]
