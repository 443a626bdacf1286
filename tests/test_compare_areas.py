"""`compare` with intervals and with reference samples, from the command line's function to the record."""

from __future__ import annotations

import json
import shutil
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from pipeline.errors import RunError
from pipeline.run_folder import open_run
from workflows.cli import app
from workflows.compare import compare


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    shutil.copytree(finished / "run", folder)
    return folder


def write_samples(run: Path, path: Path, each: int = 12) -> None:
    """Points in the middle of pixels, of the class that the map has there, but for every sixth."""
    from pyproj import Transformer

    units = open_run(run).units
    to_lonlat = Transformer.from_crs(units[0].facts["proj:code"], "EPSG:4326", always_xy=True)
    rows = ["lon,lat,class"]
    for unit, code in product(units, (0, 1, 2, 3)):
        codes = unit.read("flood_class")[0]
        places = np.argwhere(codes == code)[:: max((codes == code).sum() // each, 1)][:each]
        for number, (row, column) in enumerate(places):
            lon, lat = to_lonlat.transform(*(unit.box.affine * (column + 0.5, row + 0.5)))
            rows.append(f"{lon:.9f},{lat:.9f},{(code + (number % 6 == 5)) % 4}")
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")


def test_reference_samples_give_areas_with_intervals(run: Path, tmp_path: Path) -> None:
    write_samples(run, tmp_path / "samples.csv")
    told = CliRunner().invoke(
        app, ["compare", str(run), "--samples", str(tmp_path / "samples.csv"), "--interval", "none"]
    )
    assert told.exit_code == 0, told.output
    found = json.loads((run / "compare.json").read_text(encoding="utf-8"))["samples"]
    flood = found["classes"]["open_water_flood"]
    low, high = flood["area_km2"]["interval"]
    assert low < flood["area_km2"]["value"] < high
    assert 0.5 < flood["users_accuracy"]["value"] < 1.0
    assert "producer's accuracy" in told.output or "producer" in told.output


def test_a_map_that_is_not_there_has_no_interval(run: Path) -> None:
    with pytest.raises(RunError, match="holds no map magic"):
        compare(run, intervals=["magic"])
    assert "area_interval_km2" not in compare(run, intervals=["ndwi"])["methods"]["ndwi"]
