"""The stratified estimator against the worked example of its paper, and against a simulated sample."""

from __future__ import annotations

from pathlib import Path

import geopandas
import numpy as np
import pytest
from area_runs import write_area_run
from scenes import grid

from pipeline.errors import ReferenceFileError
from pipeline.run_folder import open_run
from pipeline.stratified_area import sampled_area, stratified_area

# Olofsson et al. 2014, section 5: deforestation, forest gain, stable forest, stable non-forest.
COUNTS = np.array([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]])
HECTARES = [18_000.0, 13_500.0, 288_000.0, 580_500.0]


def test_worked_example_of_the_paper() -> None:
    found = stratified_area(COUNTS, HECTARES)
    assert np.round(found.area_km2).tolist() == [21_158, 11_686, 285_770, 581_386]
    assert found.area_half == pytest.approx([6_158, 3_756, 15_510, 16_282], rel=2e-3)
    assert np.round(found.users, 2).tolist() == [0.88, 0.73, 0.93, 0.96]
    assert np.round(found.users_half, 2).tolist() == [0.07, 0.10, 0.04, 0.02]
    assert np.round(found.producers, 2).tolist() == [0.75, 0.85, 0.93, 0.96]
    assert found.producers_half[0] == pytest.approx(0.21, abs=0.005)
    assert (round(found.overall, 2), round(found.overall_half, 2)) == (0.95, 0.02)


def test_producers_accuracy_varies_as_samples_drawn_anew_do() -> None:
    stream = np.random.default_rng(8)
    weight = np.array(HECTARES) / sum(HECTARES)
    drawn = np.stack([stream.multinomial(row.sum(), row / row.sum(), 20_000) for row in COUNTS], axis=1)
    cells = weight[:, None] * drawn / COUNTS.sum(axis=1)[:, None]
    spread = (cells.diagonal(axis1=1, axis2=2) / cells.sum(axis=1)).std(axis=0)
    assert stratified_area(COUNTS, HECTARES).producers_half / 1.96 == pytest.approx(spread, rel=0.1)


def test_intervals_hold_what_was_sampled() -> None:
    """Samples of a known confusion: 95 % intervals of area hold the true area about that often, and are unbiased."""
    stream = np.random.default_rng(5)
    mapped = np.array([80.0, 20.0])
    share = np.array([[0.95, 0.05], [0.2, 0.8]])
    true = (mapped[:, None] * share).sum(axis=0)
    found = [
        stratified_area(np.stack([stream.multinomial(500, row) for row in share]), mapped.tolist()) for _ in range(400)
    ]
    area = np.array([one.area_km2 for one in found])
    half = np.array([one.area_half for one in found])
    assert area.mean(axis=0) == pytest.approx(true, abs=0.3)
    assert 0.92 <= (np.abs(area - true) <= half)[:, 1].mean() <= 0.98


def test_a_stratum_without_samples_is_refused_unless_it_is_empty() -> None:
    counts = np.array([[5, 1, 0], [1, 5, 0], [0, 0, 0]])
    assert stratified_area(counts, [3.0, 1.0, 0.0]).area_km2.sum() == pytest.approx(4.0)
    with pytest.raises(ValueError, match="stratum 2 has 0"):
        stratified_area(counts, [3.0, 1.0, 1.0])


def test_samples_of_a_file_correct_the_area_of_a_map(tmp_path: Path) -> None:
    """Map: a quarter water, a quarter not observed. Of the samples in mapped water three of four are dry."""
    classes = np.zeros((16, 16), dtype=np.uint8)
    classes[:, :4], classes[:, 12:] = 1, 4
    box = grid(16, 16)
    run = open_run(write_area_run(tmp_path / "run", box, classes))
    columns, rows = np.array([0, 1, 2, 3, 5, 6, 7, 8, 13]), np.arange(9)
    x, y = box.affine @ np.stack([columns + 0.5, rows + 0.5])
    names = ["open_water_flood", "dry", "dry", "dry", "dry", "dry", "0", "0.0", "1"]
    points = geopandas.GeoDataFrame({"Class": names}, geometry=geopandas.points_from_xy(x, y), crs=str(box.crs))
    points.to_file(tmp_path / "samples.gpkg")
    lonlat = points.to_crs("EPSG:4326").geometry
    table = geopandas.pd.DataFrame({"lon": lonlat.x, "lat": lonlat.y, "class": names})
    table.to_csv(tmp_path / "samples.csv", index=False)
    found = sampled_area(run, "physics", tmp_path / "samples.gpkg")
    assert found == sampled_area(run, "physics", tmp_path / "samples.csv")
    assert (found["samples"], found["left_out"]) == (8, 1)
    water = found["classes"]["open_water_flood"]
    assert water["mapped_km2"] == pytest.approx(64e-4)
    assert water["area_km2"]["value"] == pytest.approx(16e-4)
    assert water["users_accuracy"]["value"] == 0.25
    assert water["producers_accuracy"]["value"] == 1.0
    assert found["classes"]["flooded_vegetation"]["producers_accuracy"] == {"value": None, "interval": None}
    table.iloc[4:].to_csv(tmp_path / "few.csv", index=False)
    with pytest.raises(ReferenceFileError, match="open_water_flood has 0"):
        sampled_area(run, "physics", tmp_path / "few.csv")
    table.rename(columns={"class": "kind"}).to_csv(tmp_path / "none.csv", index=False)
    with pytest.raises(ReferenceFileError, match="no column 'class'"):
        sampled_area(run, "physics", tmp_path / "none.csv")
    (tmp_path / "bad.csv").write_text("lon,lat,class\n11,44,lake\n")
    with pytest.raises(ReferenceFileError, match="class 'lake' is not known"):
        sampled_area(run, "physics", tmp_path / "bad.csv")
