"""Maps as arrays: against the files themselves, and the verbs as functions."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import dask
import numpy as np
import pytest
import rasterio
import rioxarray
import xarray
from scenes import grid

import workflows
from pipeline.errors import RunError
from pipeline.export import layer_assets, write_layer
from pipeline.layers import Layer, layer
from workflows import open_map

SIDE = 48
RANDOM = np.random.default_rng(5)


def write_unit(run: Path, name: str, row: int, column: int, crs: str = "EPSG:32632") -> None:
    """A unit as `map` leaves it: four layers and an item."""
    box = grid(SIDE, SIDE, row=row, column=column, crs=crs)
    folder = run / "units" / name
    (folder / "methods").mkdir(parents=True)
    codes = RANDOM.choice([0, 1, 2, 3, 4, 255], (SIDE, SIDE))
    layers: dict[str, Layer] = {
        "flood_class": layer("flood_class", codes),
        "methods/ndwi": layer("flood_class", RANDOM.choice([0, 1], (SIDE, SIDE))),
        "ndwi": layer("ndwi", RANDOM.choice([-32768, -5000, 0, 2500], (SIDE, SIDE))),
        "exclusion": layer("exclusion", RANDOM.integers(0, 999, (2, SIDE, SIDE)), ("sentinel-1", "alos-2")),
    }
    told = {"proj:code": crs, "proj:shape": [SIDE, SIDE], "proj:transform": list(box.affine)[:6]}
    assets = {}
    for key, one in layers.items():
        write_layer(folder, key, one, box)
        assets |= {name: asset.to_dict() for name, asset in layer_assets(key, one, folder).items()}
    (folder / f"{name}.json").write_text(json.dumps({"id": name, "properties": told, "assets": assets}))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three units of two by two; the fourth is not there."""
    folder = tmp_path_factory.mktemp("run")
    for row, column in ((0, 0), (0, SIDE), (SIDE, 0)):
        write_unit(folder, f"{row}_{column}", row, column)
    return folder


def test_values_and_places_are_those_of_the_files(run: Path) -> None:
    whole = open_map(run, "flood_class", masked=False)
    assert whole.dtype == np.uint8
    assert dask.is_dask_collection(whole)
    assert whole.shape == (2 * SIDE, 2 * SIDE)
    for path in (run / "units").glob("*/flood_class.tif"):
        one = rioxarray.open_rasterio(path)
        assert isinstance(one, xarray.DataArray)
        there = whole.sel(x=one.x, y=one.y)
        assert np.array_equal(there.values, one.values[0])
        assert whole.rio.crs == one.rio.crs
        assert whole.rio.resolution() == one.rio.resolution()
    assert (whole.values[SIDE:, SIDE:] == 255).all(), "no unit is there"
    assert whole.rio.nodata == 255


def test_masked_values_are_in_units_and_nothing_is_nan(run: Path) -> None:
    index, codes = open_map(run, "ndwi"), open_map(run, "ndwi", masked=False)
    assert index.dtype == np.float32
    assert np.array_equal(np.isnan(index.values), codes.values == -32768)
    seen = codes.values != -32768
    assert np.allclose(index.values[seen], codes.values[seen] * 1e-4)
    classes = open_map(run)
    assert set(np.unique(classes.values[np.isfinite(classes.values)])) == {0, 1, 2, 3, 4}
    assert classes.attrs["long_name"] == "Flood classes of the delivered method"
    meanings = dict(zip(classes.attrs["flag_values"].tolist(), classes.attrs["flag_meanings"].split(), strict=True))
    assert meanings[4] == "not_observable"
    assert 255 not in meanings


def test_bits_and_bands(run: Path) -> None:
    why = open_map(run, "exclusion")
    assert why.dims == ("band", "y", "x")
    assert list(why.band.values) == ["sentinel-1", "alos-2"]
    masks = dict(zip(why.attrs["flag_meanings"].split(), why.attrs["flag_masks"].tolist(), strict=True))
    assert masks["cloud"] == 1
    assert masks["layover"] == 8
    with rasterio.open(run / "units" / "0_0" / "exclusion.tif") as source:
        assert np.array_equal(why.values[:, :SIDE, :SIDE], source.read())


def test_a_layer_becomes_a_file_again(run: Path, tmp_path: Path) -> None:
    open_map(run, "flood_class", "ndwi", masked=False).rio.to_raster(tmp_path / "ndwi.tif")
    with rasterio.open(tmp_path / "ndwi.tif") as ours, rasterio.open(run / "units/0_0/methods/ndwi.tif") as theirs:
        assert ours.crs == theirs.crs
        assert ours.transform.almost_equals(theirs.transform)
        assert np.array_equal(ours.read(1, window=((0, SIDE), (0, SIDE))), theirs.read(1))


def test_what_is_not_there_is_named(run: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"holds no layer 'rain'; it holds exclusion, flood_class"):
        open_map(run, "rain")
    with pytest.raises(RunError, match="holds no layer 'methods/late'"):
        open_map(run, "flood_class", "late")
    with pytest.raises(RunError, match="is one for all methods"):
        open_map(run, "ndwi", "early")
    with pytest.raises(RunError, match="holds no finished unit"):
        open_map(tmp_path)


def test_of_several_zones_one_is_named(tmp_path: Path) -> None:
    write_unit(tmp_path, "32632_a", 0, 0)
    write_unit(tmp_path, "32633_b", 0, 0, "EPSG:32633")
    with pytest.raises(RunError, match="several grids; name one of its zones: EPSG:32632, EPSG:32633"):
        open_map(tmp_path)
    assert open_map(tmp_path, zone="EPSG:32633").rio.crs == "EPSG:32633"
    with pytest.raises(RunError, match="no grid 'EPSG:1'"):
        open_map(tmp_path, zone="EPSG:1")


@pytest.mark.parametrize("name", workflows.VERBS)
def test_a_verb_is_a_function_also_after_its_module_was_imported(name: str) -> None:
    import_module(f"workflows.{workflows.MODULES.get(name, name)}")
    assert getattr(workflows, name).__name__ == name
    assert name in dir(workflows)


def test_the_package_is_imported_fast_and_knows_its_verbs() -> None:
    heavy = ("torch", "xarray", "pydantic", "typer")
    code = f"import sys, workflows; print([name for name in {heavy} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
    with pytest.raises(AttributeError, match="its verbs: check, compare"):
        workflows.fly  # noqa: B018


def test_a_method_that_tells_no_probability_is_named(run: Path) -> None:
    with pytest.raises(RunError, match=r"ndwi tells no flood_probability; those that do: none"):
        open_map(run, "flood_probability", "ndwi")
