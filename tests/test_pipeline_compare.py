"""Counts and ratios by hand, and the comparison of a handmade run with a reference."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from scenes import NORTH, WEST, grid, write_tiff

from pipeline.compare import compare_run
from pipeline.comparison.reference import open_reference
from pipeline.errors import ReferenceFileError, RunError
from pipeline.run_folder import finished_units
from pipeline.scores import Confusion, confusion

# ---- scores


def test_confusion_counts_only_where_it_is_told_to() -> None:
    mapped = np.array([1, 1, 0, 0, 1], dtype=bool)
    true = np.array([1, 0, 1, 0, 1], dtype=bool)
    assert confusion(mapped, true, np.array([1, 1, 1, 1, 0], dtype=bool)) == Confusion(1, 1, 1, 1)
    assert confusion(mapped, true, np.zeros(5, dtype=bool)) == Confusion()


def test_ratios_against_hand_values() -> None:
    """6 hits, 2 false alarms, 4 misses, 8 dry: 6/12, 12/18, 6/8, 6/10, 14/20."""
    found = Confusion(6, 2, 4, 8)
    assert found.flood_iou == 0.5
    assert found.f1 == pytest.approx(2 / 3)
    assert found.precision == 0.75
    assert found.recall == 0.6
    assert found.agreement == 0.7
    precision, recall = found.precision, found.recall
    assert found.f1 == pytest.approx(2 * precision * recall / (precision + recall))


def test_no_ratio_where_there_is_nothing_to_divide_by() -> None:
    nothing = Confusion()
    assert [getattr(nothing, name) for name in ("flood_iou", "f1", "precision", "recall", "agreement")] == [None] * 5
    dry = Confusion(correct_dry=5)
    assert (dry.flood_iou, dry.f1, dry.precision, dry.recall, dry.agreement) == (None, None, None, None, 1.0)
    missed = Confusion(miss=5)
    assert (missed.flood_iou, missed.f1, missed.precision, missed.recall) == (0.0, 0.0, None, 0.0)


def test_counts_of_units_add_up() -> None:
    assert Confusion(1, 2, 3, 4) + Confusion(10, 20, 30, 40) == Confusion(11, 22, 33, 44)


# ---- compare

SIDE = 16


def write_unit(run: Path, name: str, column: int, legend: str, **methods: NDArray[np.uint8]) -> None:
    """A finished unit: an item and one raster of codes a method."""
    folder = run / "units" / name
    (folder / "methods").mkdir(parents=True)
    for method, codes in methods.items():
        write_tiff(folder / "methods" / f"{method}.tif", codes, grid(SIDE, SIDE, column=column), 255)
    box = grid(SIDE, SIDE, column=column)
    place = {"proj:code": str(box.crs), "proj:shape": [SIDE, SIDE], "proj:transform": list(box.affine)[:6]}
    told = {"overbank:legend": legend, "overbank:fingerprint": "p", "datetime": "2024-02-12T05:10:00Z"}
    item = {"id": name, "properties": told | place}
    (folder / f"{name}.json").write_text(json.dumps(item))


def codes(*parts: tuple[int, int]) -> NDArray[np.uint8]:
    """Codes in bands of columns: (code, columns)."""
    row = np.concatenate([np.full(columns, code, dtype=np.uint8) for code, columns in parts])
    return np.tile(row, (SIDE, 1))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Two units side by side of 16 x 16 pixels of 100 m²; columns by code.

    a: physics 8 water, 4 vegetation, 4 dry; ndwi 8 water, 8 not observable.
    b: physics 4 water, 4 reference, 6 dry, 2 outside; ndwi 8 water, 6 dry, 2 outside.
    """
    run = tmp_path / "run"
    write_unit(run, "a", 0, "flood", physics=codes((1, 8), (2, 4), (0, 4)), ndwi=codes((1, 8), (4, 8)))
    write_unit(
        run, "b", SIDE, "flood", physics=codes((1, 4), (3, 4), (0, 6), (255, 2)), ndwi=codes((1, 8), (0, 6), (255, 2))
    )
    return run


def test_areas_and_agreement_without_a_reference(run: Path) -> None:
    found = compare_run(run, None)
    assert (found["units"], found["legend"], found["reference"]) == (2, "flood", None)
    physics, ndwi = found["methods"]["physics"], found["methods"]["ndwi"]
    # 16 rows: (12 + 4) columns · 16 · 1e-4 km²; inside 30 columns, all seen.
    assert physics == {"area_km2": pytest.approx(0.0256), "flood_share": 16 / 30, "observed_share": 1.0}
    assert ndwi == {"area_km2": pytest.approx(0.0256), "flood_share": 16 / 30, "observed_share": 22 / 30}
    # Both saw 8 + 14 columns. a: 8 of both. b: 4 of both, 4 of ndwi alone (reference is not flood), 6 dry.
    pair = found["agreement"]["ndwi / physics"]
    assert pair["pixels"] == 22 * SIDE
    assert pair["agreement"] == pytest.approx(18 / 22)
    assert pair["flood_iou"] == pytest.approx(12 / 16)
    assert (pair["only_first"], pair["only_second"]) == (4 * SIDE, 0)


def test_reference_on_the_same_grid_by_hand(run: Path, tmp_path: Path) -> None:
    """Truth by column, a: 10 water, 2 vegetation, 4 dry; b: 2 water, 2 permanent, 10 dry, 2 water."""
    truth = np.concatenate([codes((1, 10), (2, 2), (0, 4)), codes((1, 2), (3, 2), (0, 10), (1, 2))], axis=1)
    reference = tmp_path / "truth.tif"
    write_tiff(reference, truth, grid(SIDE, 2 * SIDE))
    found = compare_run(run, reference)
    assert found["reference"] == "truth.tif"
    physics, ndwi = found["methods"]["physics"], found["methods"]["ndwi"]
    # physics: a 12 hits, 4 dry; b 2 hits, 2 false alarms, 10 dry; outside is left out.
    assert physics["flood_iou"] == pytest.approx(14 / 16)
    assert physics["precision"] == pytest.approx(14 / 16)
    assert physics["recall"] == 1.0
    assert physics["f1"] == pytest.approx(28 / 30)
    assert physics["true_area_km2"] == pytest.approx(14 * SIDE * 1e-4)
    # ndwi: a 8 hits, 4 misses where it saw nothing; b 2 hits, 6 false alarms.
    assert ndwi["recall"] == pytest.approx(10 / 14)
    assert ndwi["precision"] == pytest.approx(10 / 16)
    assert ndwi["where_observed"]["recall"] == 1.0
    assert ndwi["where_observed"]["flood_iou"] == pytest.approx(10 / 16)


def test_other_values_of_the_reference_are_not_in_it(run: Path, tmp_path: Path) -> None:
    """-1 and 255 (unknown) and 7 (who knows): only the first four columns of a, all water, are compared."""
    truth = np.concatenate([codes((1, 4)), codes((255, 12)), codes((7, 16))], axis=1).astype(np.int16)
    truth[:, 4:8] = -1
    reference = tmp_path / "truth.tif"
    write_tiff(reference, truth, grid(SIDE, 2 * SIDE))
    physics = compare_run(run, reference)["methods"]["physics"]
    assert (physics["flood_iou"], physics["true_area_km2"]) == (1.0, pytest.approx(4 * SIDE * 1e-4))


def test_reference_in_degrees_is_laid_over_the_run(run: Path, tmp_path: Path) -> None:
    """Water west of the middle of unit a in cells of a second of arc: its border falls on no pixel's middle."""
    to_degrees = Transformer.from_crs(32632, 4326, always_xy=True)
    west, north = to_degrees.transform(WEST, NORTH)
    east, _ = to_degrees.transform(WEST + 83.0, NORTH - 80.0)
    step = (east - west) / 4
    truth = np.zeros((60, 60), dtype=np.uint8)
    truth[:, :24] = 1
    box = GeoBox((60, 60), Affine(step, 0, west - 20 * step, 0, -step, north + 20 * step), "EPSG:4326")
    reference = tmp_path / "truth.tif"
    write_tiff(reference, truth, box)
    physics = compare_run(run, reference)["methods"]["physics"]
    # Truth: the 8 western columns of a. Physics: these, 4 more of a, and 4 of b.
    assert physics["recall"] == 1.0
    assert physics["precision"] == pytest.approx(8 / 16, abs=0.03)


def test_in_a_run_without_a_reference_of_its_own_permanent_water_counts(tmp_path: Path) -> None:
    """Legend "water": the map cannot know what is permanent, so the truth's 3 is water too."""
    run = tmp_path / "run"
    write_unit(run, "a", 0, "water", physics=codes((1, 8), (0, 8)))
    truth = codes((1, 4), (3, 4), (0, 8))
    reference = tmp_path / "truth.tif"
    write_tiff(reference, truth, grid(SIDE, SIDE))
    found = compare_run(run, reference)
    assert found["legend"] == "water"
    assert found["methods"]["physics"]["flood_iou"] == 1.0
    assert found["methods"]["physics"]["true_area_km2"] == pytest.approx(8 * SIDE * 1e-4)
    true, known = open_reference(reference).on(grid(SIDE, SIDE), "flood")
    assert known.all()
    np.testing.assert_array_equal(true, truth == 1)


def test_reference_that_misses_the_run_is_refused(run: Path, tmp_path: Path) -> None:
    far = tmp_path / "far.tif"
    write_tiff(far, codes((1, SIDE)), grid(SIDE, SIDE, row=1000))
    with pytest.raises(ReferenceFileError, match=r"far\.tif: covers no pixel of the run"):
        compare_run(run, far)
    with pytest.raises(ReferenceFileError, match=r"gone\.tif: is not there"):
        compare_run(run, tmp_path / "gone.tif")
    (tmp_path / "words.tif").write_text("no raster")
    with pytest.raises(ReferenceFileError, match=r"words\.tif"):
        compare_run(run, tmp_path / "words.tif")


def test_run_without_a_finished_unit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="holds no finished unit"):
        compare_run(tmp_path, None)
    (tmp_path / "units" / "half" / "methods").mkdir(parents=True)
    with pytest.raises(RunError, match="holds no finished unit"):
        finished_units(tmp_path)


def test_folder_around_runs_points_at_them(run: Path) -> None:
    with pytest.raises(RunError, match=rf"holds no finished unit; .*did you mean {run}\?$"):
        compare_run(run.parent, None)


def test_drafts_are_not_units(run: Path) -> None:
    draft = run / "units" / ".partial-x"
    draft.mkdir()
    (draft / ".partial-x.json").write_text('{"properties": {"overbank:legend": "flood"}}')
    assert [folder.name for folder in finished_units(run)] == ["a", "b"]
