"""Real scenes through the whole flow: skipped, saying so, where the data is not beside the checkout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import yaml
from rasterio.warp import transform_bounds

from catalogs.products import ingest
from catalogs.records import Acquisition
from harmonization.radar.evidence import class_log_likelihoods, weigh_radar
from harmonization.reasons import Reason
from pipeline.align import align
from pipeline.classify import NOT_OBSERVABLE, OUTSIDE
from pipeline.compare import compare_run
from pipeline.decode import decode
from pipeline.job import load_job
from pipeline.ledger import read_item
from pipeline.observe import Prepared
from pipeline.plan import Plan, make_plan
from pipeline.read import read_window
from pipeline.run_folder import finished_units
from pipeline.science import load_science
from workflows.map import map_flood

DESCRIPTIONS = Path(__file__).parents[1] / "benchmarks" / "descriptions"


def box_of(path: Path) -> list[float]:
    with rasterio.open(path) as source:
        return [round(value, 6) for value in transform_bounds(source.crs, 4326, *source.bounds)]


def mapped(folder: Path, **told: Any) -> Path:
    job = folder / "job.yaml"
    job.write_text(yaml.safe_dump({"name": "real", "catalog": str(folder / "catalog"), **told}))
    map_flood(job, folder / "run")
    return folder / "run"


@pytest.mark.parametrize(
    ("place", "day", "water"),
    [
        ("282D_485L_3_3", "2021-07-21", True),  # coast with lagoon
        ("38D_378R_2_3", "2023-06-10", False),  # savanna
        ("637U_59R_1_3", "2017-10-30", False),  # farmland
    ],
)
def test_real_place_of_one_date(shared: Path, tmp_path: Path, place: str, day: str, water: bool) -> None:
    data = shared / "data" / "terramind"
    ingest(data, tmp_path / "catalog", DESCRIPTIONS / "terramind.yaml")
    run = mapped(tmp_path, area=box_of(data / "S1RTC" / f"{place}.tif"), during=[day, day])
    found = compare_run(run, None)
    assert found["legend"] == "water", "one date and no reference: not flood"
    told = read_item(finished_units(run)[0])["properties"]["overbank:sensors"]
    assert told["sentinel-1"]["unknown_angle_share"] == 1.0
    assert told["sentinel-2"]["cloud_test"] == "spectral"
    assert told["alos-2"] == "no scene"
    share = found["methods"]["physics"]["flood_share"]
    assert share > 0.2 if water else share < 0.005


def test_snow_and_ice_are_not_observable_and_not_dry(shared: Path, tmp_path: Path) -> None:
    data = shared / "data" / "terramind"
    ingest(data, tmp_path / "catalog", DESCRIPTIONS / "terramind.yaml")
    area = box_of(data / "S1RTC" / "609U_541L_3_0.tif")
    run = mapped(tmp_path, area=area, during=["2020-01-11", "2020-01-11"], methods=["ndwi", "physics"])
    (folder,) = finished_units(run)
    with rasterio.open(folder / "flood_class.tif") as source:
        classes = source.read(1)
    assert (classes[classes != OUTSIDE] == NOT_OBSERVABLE).mean() > 0.95
    with rasterio.open(folder / "exclusion.tif") as source:
        radar = source.read(source.descriptions.index("sentinel-1") + 1)
    assert (radar[classes == NOT_OBSERVABLE] & Reason.SNOW_OR_FROZEN != 0).mean() > 0.9


def test_real_flood_without_a_scene_classification(shared: Path, tmp_path: Path) -> None:
    data = shared / "data" / "sen1floods11"
    ingest(data, tmp_path / "catalog", DESCRIPTIONS / "sen1floods11.yaml")
    area = box_of(data / "Spain_7370579_S1Hand.tif")
    run = mapped(
        tmp_path, area=area, during=["2019-09-17", "2019-09-18"], methods=["ndwi", "radar_threshold", "physics"]
    )
    found = compare_run(run, None)
    assert found["legend"] == "water"
    assert found["agreement"]["ndwi / physics"]["agreement"] > 0.85
    assert found["agreement"]["physics / radar_threshold"]["agreement"] > 0.85
    assert 0.05 < found["methods"]["physics"]["flood_share"] < 0.4


@pytest.fixture(scope="module")
def niihau(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real PALSAR-2 tile, L band alone, mapped."""
    shared = Path(__file__).resolve().parents[1].parent / "shared"
    if not shared.is_dir():
        pytest.skip("../shared with the real PALSAR-2 tile is not beside the checkout")
    folder = tmp_path_factory.mktemp("niihau")
    ingest(shared / "data" / "palsar2" / "mosaic", folder / "catalog")
    area = [-160.75, 22.0, -160.04, 22.2]  # all of its data: ocean and the tip of an island; fill in the north
    mapped(folder, area=area, during=["2020-09-09", "2020-09-09"], resolution=25, sensors=["alos-2"])
    return folder


def by_mask(folder: Path) -> dict[int, dict[str, np.ndarray]]:
    """Over ocean (50) and land (255) of JAXA's own mask: power, evidence, and water against single classes."""
    plan: Plan = make_plan(load_job(folder / "job.yaml"))
    prepared = Prepared.model_validate(json.loads((folder / "run" / "prepared.json").read_text())["prepared"])
    scene: Acquisition = plan.during[0]
    rows: dict[int, list[np.ndarray]] = {50: [], 255: []}
    for unit in plan.units:
        bundle = decode(scene, unit.box, load_science("2026-11"), prepared.looks[scene.id], prepared.noise_db[scene.id])
        mask = align(read_window(scene.layers["mask"][0], unit.box), unit.box, "mask")
        evidence = weigh_radar("alos-2", bundle)
        single = class_log_likelihoods(bundle, ("open_water", "grass_crop", "bare_dry"))
        for code, found in rows.items():
            where = (mask == code) & evidence.observed
            grass, bare = (single["open_water"] - single[name] for name in ("grass_crop", "bare_dry"))
            flagged = (evidence.reasons & Reason.SMOOTH_DRY) != 0
            layers = (bundle.power["HH"], bundle.power["HV"], evidence.held[0], grass, bare, flagged)
            found.append(np.stack([layer[where] for layer in layers]))
    names = ("HH", "HV", "water", "against_grass", "against_bare", "smooth")
    return {code: dict(zip(names, np.concatenate(found, axis=1), strict=True)) for code, found in rows.items()}


def test_l_band_alone_is_calibrated_and_honest(niihau: Path) -> None:
    """Medians of gamma0 as JAXA's tile has them; water against vegetation is clear, against smooth soil it is not.

    What a map uses is the evidence under its ceiling: nobody knows the share of smooth soil.
    """
    found = by_mask(niihau)
    for code, title in ((50, "ocean"), (255, "land")):
        median = {name: float(np.median(values)) for name, values in found[code].items()}
        print(
            f"{title}: HH {10 * np.log10(median['HH']):.2f} dB, HV {10 * np.log10(median['HV']):.2f} dB; nats of water "
            f"against dry {median['water']:.2f}, grass {median['against_grass']:.2f}, smooth soil "
            f"{median['against_bare']:.2f}; flagged smooth dry {found[code]['smooth'].mean():.0%}"
        )
    for code, expected in ((50, (-18.07, -31.59)), (255, (-11.62, -19.44))):
        for name, level in zip(("HH", "HV"), expected, strict=True):
            assert 10 * np.log10(np.median(found[code][name])) == pytest.approx(level, abs=0.3)
    ocean = found[50]
    assert np.median(ocean["against_grass"]) > 2.0
    assert abs(np.median(ocean["against_bare"])) < 0.5
    assert abs(np.median(ocean["water"])) < 0.5, "near zero, not positive"
    assert ocean["smooth"].mean() > 0.5, "and the map says so"


def test_fill_of_the_tile_is_not_observable(niihau: Path) -> None:
    codes = []
    for folder in finished_units(niihau / "run"):
        with rasterio.open(folder / "flood_class.tif") as source:
            codes.append(source.read(1).ravel())
    inside = np.concatenate(codes)
    inside = inside[inside != OUTSIDE]
    assert (inside == NOT_OBSERVABLE).mean() > 0.2
