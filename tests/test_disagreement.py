"""Where two maps differ: each reason by hand, and polygons against the pixels they came from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
from odc.geo.geobox import GeoBox
from rasterio.features import rasterize
from scenes import grid, write_tiff
from scipy.ndimage import label
from typer.testing import CliRunner

from harmonization.reasons import Reason
from pipeline.comparison.disagreement import COLUMNS, find_disagreement, pair_of, told
from pipeline.comparison.reasons import REASONS, Witnesses, pixel_reasons, reason_names
from pipeline.errors import RunError
from pipeline.run_folder import RunFolder, open_run
from workflows.cli import app
from workflows.compare import compare, compare_runs, told_apart

SENSORS = ("sentinel-1", "alos-2", "sentinel-2")
NO, SIDE = np.nan, 160

# ---- reasons


def reason_of(
    said: int = 1,
    other: int = 0,
    other_map: str = "ndwi",
    bits: tuple[int, int, int] = (0, 0, 0),
    nats: tuple[tuple[float, float], ...] = ((1, 1), (1, 1), (1, 1)),
    edge: bool = False,
) -> str:
    """The reason of one pixel; evidence of each sensor for open water and for flooded vegetation."""
    witnesses = Witnesses(SENSORS, np.array(bits, np.uint16)[:, None], np.array(nats, np.float32)[..., None])
    codes = pixel_reasons(
        np.array([said], np.uint8), np.array([other], np.uint8), other_map, np.array([edge]), witnesses
    )
    return reason_names(SENSORS)[int(codes[0])]


SNOW, MISSING, NO_SCENE = Reason.SNOW_OR_FROZEN, Reason.OUTSIDE_SWATH, Reason.NO_SCENE


@pytest.mark.parametrize(
    ("expected", "pixel"),
    [
        ("reference_water", {"other": 3, "bits": (0, 0, Reason.CLOUD)}),
        ("cloud", {"other": 4, "bits": (0, 0, Reason.CLOUD | Reason.CLOUD_SHADOW)}),
        ("cloud_shadow", {"other": 4, "bits": (0, 0, Reason.CLOUD_SHADOW)}),
        ("snow_or_frozen", {"other": 4, "bits": (0, 0, SNOW)}),
        ("sensor_missing", {"other": 4, "bits": (0, 0, NO_SCENE)}),
        ("sensor_missing", {"other": 4, "other_map": "radar_threshold", "bits": (MISSING, NO_SCENE, Reason.CLOUD)}),
        ("radar_shadow", {"other": 4, "other_map": "radar_threshold", "bits": (Reason.LAYOVER, 0, Reason.CLOUD)}),
        # the rule that hears optics alone is not blind for want of a radar
        ("not_observed", {"other": 4, "bits": (MISSING, MISSING, 0)}),
        # a map that hears all was blind where all were
        ("cloud", {"other": 4, "other_map": "physics", "bits": (MISSING, MISSING, Reason.CLOUD)}),
        # a cloud explains nothing where the other map did see
        ("weak_evidence", {"bits": (0, 0, Reason.CLOUD)}),
        ("vegetation", {"said": 2}),
        ("vegetation", {"bits": (Reason.DENSE_VEGETATION, 0, 0)}),
        ("wind_or_change", {"bits": (Reason.WIND, 0, 0)}),
        ("wind_or_change", {"nats": ((-1, 0), (2, 0), (NO, NO))}),
        ("wind_or_change", {"nats": ((-1, 0), (NO, NO), (2, 0)), "other_map": "physics"}),
        ("sentinel-1_says_dry", {"nats": ((-1, -2), (NO, NO), (NO, NO)), "other_map": "physics"}),
        ("smooth_dry_ground", {"bits": (Reason.SMOOTH_DRY, 0, 0)}),
        ("urban", {"bits": (0, Reason.URBAN, 0)}),
        ("glint_or_dark", {"bits": (0, 0, Reason.DARK)}),
        ("odd_angle", {"bits": (Reason.UNKNOWN_ANGLE, 0, 0)}),
        ("edge", {"edge": True, "nats": ((1, 1), (1, 1), (-3, -3))}),
        ("sentinel-2_says_dry", {"nats": ((1, 1), (1, 1), (-3, -2))}),
        ("alos-2_says_dry", {"nats": ((1, 1), (-4, -3.5), (-3, -2))}),
        # a sensor that speaks for plants in water does not speak against the flood
        ("alos-2_says_dry", {"nats": ((-5, 2), (-1, -1), (NO, NO))}),
        ("weak_evidence", {"nats": ((0, 0), (NO, NO), (0.5, 0))}),
    ],
)
def test_each_reason_by_hand(expected: str, pixel: dict[str, Any]) -> None:
    assert reason_of(**pixel) == expected


def test_a_run_that_keeps_no_witnesses_does_not_guess() -> None:
    nobody = Witnesses((), np.zeros((0, 2), np.uint16), np.zeros((0, 2, 2), np.float32))
    codes = pixel_reasons(np.array([1, 2], np.uint8), np.array([0, 0], np.uint8), "ndwi", np.zeros(2, np.bool_), nobody)
    assert [reason_names(())[code] for code in codes] == ["not_told", "vegetation"]
    assert len(REASONS) == len(reason_names(()))


# ---- polygons


def mosaic(run: RunFolder, layer: str, shape: tuple[int, int]) -> Any:
    found = np.full(shape, 255, np.uint8)
    first = run.units[0].box.affine
    for unit in run.units:
        column = round((unit.box.affine.c - first.c) / 10)
        row = round((first.f - unit.box.affine.f) / 10)
        rows, columns = unit.box.shape.yx
        found[row : row + rows, column : column + columns] = unit.read(layer)[0]
    return found


LEAST = 0.0015
"""km²: 15 pixels."""


def test_polygons_are_the_pieces_of_the_whole_run(finished: Path) -> None:
    run = open_run(finished / "run")
    assert run.units[0].id.endswith("+00000_+00000")
    found = find_disagreement(run, ("ndwi", "physics"), LEAST)
    ndwi, physics = (np.isin(mosaic(run, f"methods/{name}", (SIDE, SIDE)), (1, 2)) for name in ("ndwi", "physics"))
    dropped = 0
    for name, side in (("ndwi", ndwi & ~physics), ("physics", physics & ~ndwi)):
        pieces, _ = label(side)
        sizes = np.bincount(pieces.ravel())[1:]
        large = sizes >= 15
        ours = found.polygons[found.polygons["only_in"] == name]
        assert sorted(ours["area_km2"]) == pytest.approx(sorted(sizes[large] * 1e-4))
        keep = np.isin(pieces, 1 + np.flatnonzero(large))
        burnt = rasterize(ours.geometry, (SIDE, SIDE), transform=run.units[0].box.affine) if len(ours) else 0 * pieces
        assert np.array_equal(burnt == 1, keep)
        dropped += int(sizes[~large].sum())
    record = found.record()
    assert dropped > 0
    assert record["below_least_km2"] == pytest.approx(dropped * 1e-4)
    assert record["only_in_km2"]["ndwi"] == pytest.approx((ndwi & ~physics).sum() * 1e-4)
    assert sum(record["by_reason_km2"].values()) == pytest.approx(record["polygons_km2"])
    assert list(found.polygons["rank"]) == list(range(1, len(found.polygons) + 1))
    assert found.polygons["area_km2"].is_monotonic_decreasing


def test_what_a_polygon_says_is_what_its_pixels_say(finished: Path) -> None:
    run = open_run(finished / "run")
    found = find_disagreement(run, ("ndwi", "physics"), LEAST).polygons
    ndwi = mosaic(run, "methods/ndwi", (SIDE, SIDE))
    percent = mosaic(run, "probability/physics", (SIDE, SIDE)).astype(float)
    assert set(found["reason"]) & {"cloud", "vegetation"}
    for row in found.itertuples():
        mine = rasterize([row.geometry], (SIDE, SIDE), transform=run.units[0].box.affine) == 1
        known = mine & (percent <= 100)
        mean = row.mean_probability_only_in if row.only_in == "physics" else row.mean_probability_not_in
        assert mean == pytest.approx(percent[known].mean() / 100)
        assert np.isnan(row.mean_probability_not_in if row.only_in == "physics" else row.mean_probability_only_in)
        if row.only_in == "physics":
            blind = (ndwi[mine] == 4).mean()
            assert row.other_says == ("not_observable" if blind > 0.5 else "dry")
            if row.reason == "cloud":
                assert row.reason_share == pytest.approx(blind)
        assert row.geometry.covers(
            geopandas.GeoSeries.from_xy([row.longitude], [row.latitude], crs=4326).to_crs(found.crs)[0]
        )


def write_unit(run: Path, name: str, place: GeoBox, **methods: Any) -> None:
    """A finished unit of maps alone."""
    folder = run / "units" / name
    (folder / "methods").mkdir(parents=True)
    for method, codes in methods.items():
        write_tiff(folder / "methods" / f"{method}.tif", codes, place, 255)
    told = {"proj:code": str(place.crs), "proj:shape": list(place.shape.yx), "proj:transform": list(place.affine)[:6]}
    told |= {"overbank:legend": "flood", "overbank:delivered": "physics", "datetime": "2024-02-12T05:10:00Z"}
    (folder / f"{name}.json").write_text(json.dumps({"id": name, "properties": told}))


def test_runs_of_several_zones_come_in_degrees_and_one_ranking(tmp_path: Path) -> None:
    dry, wet = np.zeros((16, 16), np.uint8), np.zeros((16, 16), np.uint8)
    wet[2:14, 2:14] = 1
    smaller = wet.copy()
    smaller[2:4] = 0
    write_unit(tmp_path, "a", grid(16, 16), ndwi=dry, physics=smaller)
    write_unit(tmp_path, "b", grid(16, 16, crs="EPSG:32633"), ndwi=wet, physics=dry)
    found = find_disagreement(open_run(tmp_path), ("ndwi", "physics"))
    assert found.polygons.crs == "EPSG:4326"
    assert list(found.polygons["only_in"]) == ["ndwi", "physics"]
    assert list(found.polygons["rank"]) == [1, 2]
    assert list(found.polygons["area_km2"]) == pytest.approx([0.0144, 0.012])
    assert set(found.polygons["reason"]) == {"not_told"}
    assert found.only_km2 == pytest.approx((0.0144, 0.012))


def test_the_maps_to_compare_are_ndwi_and_the_delivered_one_unless_told(finished: Path) -> None:
    run = open_run(finished / "run")
    assert pair_of(run, run.methods, None) == ("ndwi", "physics")
    assert pair_of(run, {"physics", "early", "late"}, None) == ("physics", "early")
    assert pair_of(run, {"physics"}, None) is None
    assert pair_of(run, run.methods, ("late", "early")) == ("late", "early")
    with pytest.raises(RunError, match="holds no map nowhere; name two of early, intermediate"):
        pair_of(run, run.methods, ("ndwi", "nowhere"))
    with pytest.raises(RunError, match="names late twice"):
        pair_of(run, run.methods, ("late", "late"))


# ---- the verb


def test_compare_writes_its_record_and_polygons_whole(finished: Path, tmp_path: Path) -> None:
    run = finished / "run"
    found = compare(run, finished / "truth.tif", tmp_path / "told.json", by=("cloud",), least_km2=LEAST)
    assert json.loads((run / "compare.json").read_text()) == json.loads((tmp_path / "told.json").read_text())
    assert json.loads((run / "compare.json").read_text()) == json.loads(json.dumps(found))
    assert not list(run.glob(".partial*"))
    polygons = geopandas.read_file(run / "disagreement.gpkg")
    assert tuple(polygons.columns) == (*COLUMNS, "geometry")
    assert len(polygons) == found["disagreement"]["polygons"]
    first = found["disagreements"][0]
    assert (first["rank"], first["methods"]) == (1, ["ndwi", "physics"])
    assert first["reason"] == polygons["reason"][0]
    assert None in (first["mean_probability_only_in"], first["mean_probability_not_in"])
    assert len(told(find_disagreement(open_run(run), ("ndwi", "physics"), LEAST), 3)) == 3
    # again, with fewer: the old polygons are gone
    compare(run, least_km2=100.0)
    assert geopandas.read_file(run / "disagreement.gpkg").empty
    assert json.loads((run / "compare.json").read_text())["disagreements"] == []


def test_runs_of_the_same_name_are_told_by_the_folder_above() -> None:
    assert told_apart([Path("/a/may/run"), Path("/a/june/run")]) == ["may/run", "june/run"]
    assert told_apart([Path("/a/run"), Path("/a/run")]) == ["run", "run"]
    assert told_apart([Path("/a/crest"), Path("/a/falling")]) == ["crest", "falling"]


def test_the_command_line_shows_one_run_or_several(finished: Path, tmp_path: Path) -> None:
    run, truth = str(finished / "run"), str(finished / "truth.tif")
    one = CliRunner().invoke(
        app,
        ["compare", run, "--interval", "none", "--reference", truth, "--by", "cloud,sensor", "--least-area", "0.001"],
    )
    assert one.exit_code == 0, one.output
    for text in (
        "kappa",
        "accuracy",
        "ECE",
        "By cloud: IoU of flood",
        "c_band+l_band+optical",
        "Largest disagreements",
    ):
        assert text in one.stdout
    assert "critical success index" in one.stdout
    told = tmp_path / "both.json"
    both = CliRunner().invoke(
        app, ["compare", run, run, "--interval", "none", "--reference", truth, "--json", str(told)]
    )
    assert both.exit_code == 0, both.output
    assert both.stdout.count("2024-02-12 05:10") == 4
    record = json.loads(told.read_text())
    assert [one["run"] for one in record["runs"]] == ["run", "run"]
    assert compare_runs([finished / "run"], intervals=())["runs"][0]["units"] == 4
    for arguments, text in (
        (["--by", "colour"], "colour is not one of landcover"),
        (["--reference-extent", truth], "give that too"),
        (["--between", "ndwi", "nowhere"], "holds no map nowhere"),
    ):
        refused = CliRunner().invoke(app, ["compare", run, *arguments])
        assert refused.exit_code == 2
        assert text in refused.output
