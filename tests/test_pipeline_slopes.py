"""Slopes of land covers from the scenes before a flood: a simulated stack on disk, of four orbits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from scenes import NOON, grid, radar_scene, science, write_tiff

from catalogs.records import Acquisition, Ancillary, RasterLayer
from harmonization.classes import BACKSCATTER, Backscatter
from harmonization.flattening import flatten_factor
from harmonization.geometry import local_incidence
from harmonization.land_cover import LandCover
from pipeline.slopes import estimate_slopes, moved_slopes, with_slopes

BOXES = [grid(48, 48), grid(48, 48, column=48)]
WHOLE = grid(48, 96)
TRUE = {LandCover.GRASS_CROPS: (-10.0, -0.30), LandCover.FOREST: (-7.5, -0.08), LandCover.OPEN_WATER: (-17.0, -0.39)}
"""sigma0 at 38.5 degrees and slope; water is seen well above the noise of -30 dB."""
ANGLES = {15: 31.0, 44: 36.0, 88: 41.0, 117: 45.0}
"""Degrees by relative orbit."""
LOOKS = 36


def land(box: GeoBox) -> NDArray[np.uint8]:
    cover = np.full(box.shape.yx, LandCover.GRASS_CROPS, dtype=np.uint8)
    cover[:16], cover[16:20] = LandCover.FOREST, LandCover.OPEN_WATER
    return cover


def date(folder: Path, orbit: int, number: int, **changes: Any) -> Acquisition:
    """One date of the stack: gamma0 with noise and speckle of 36 looks, and its angle layer."""
    rng = np.random.default_rng(number)
    angle = (ANGLES[orbit] + 0.003 * np.arange(96)[None].repeat(48, axis=0)).astype(np.float32)
    cover = land(WHOLE)
    field = 1.5 * np.sin(np.arange(96) / 9.0)[None]  # the same ground, unlike from place to place
    level = np.zeros(cover.shape)
    for code, (mean, slope) in TRUE.items():
        level[cover == code] = (mean + slope * (angle - 38.5) + field)[cover == code]
    level += changes.pop("shift", 0.0)
    gamma0 = 10 ** (level / 10) / np.cos(np.radians(angle)) + 1e-3
    power = (gamma0 * rng.gamma(LOOKS, 1 / LOOKS, gamma0.shape)).astype(np.float32)
    day = NOON - timedelta(days=100 - 3 * number)
    told: dict[str, Any] = {"start": day, "end": day, "relative_orbit": orbit}
    layer = RasterLayer(href=write_tiff(folder / f"angle{number}.tif", angle, WHOLE))
    return radar_scene(folder, f"s{number}", {"VV": power}, WHOLE, layers={"angle": layer}, **told | changes)


def stack(folder: Path, orbits: Sequence[int] = tuple(ANGLES), repeats: int = 3, **changes: Any) -> list[Acquisition]:
    return [date(folder, orbit, number, **changes) for number, orbit in enumerate(list(orbits) * repeats)]


def estimated(scenes: Sequence[Acquisition], cover: Any = land) -> dict[str, Any]:
    parameters = science(multilook={"C": 1, "L": 1})
    return estimate_slopes(scenes, BOXES, cover, parameters, flood_start=NOON, looks=LOOKS)["C-VV"]


def test_four_orbits_give_the_slopes_of_the_ground(tmp_path: Path) -> None:
    found = estimated(stack(tmp_path))
    grass = found["grass_crop"]
    assert grass.reason == ""
    assert grass.count == 2 * 12
    assert grass.slope == pytest.approx(-0.30, abs=0.02), "the prior is -0.13"
    assert found["forest"].slope == pytest.approx(-0.08, abs=0.02)
    assert found["open_water"].slope == pytest.approx(-0.39, abs=0.03), "gamma0 with noise inside, slope of sigma0"
    assert found["urban"] == type(grass)(BACKSCATTER["urban"]["C-VV"].slope, 0.05,
                                         "no stable pixels of this land cover")  # fmt: skip


def test_slopes_are_those_of_the_ground_as_it_lies(tmp_path: Path) -> None:
    """The same ground as sigma0 of the ellipsoid on a plane that rises by 0.05 in the direction of every look.

    Flattened it is gamma0 at the local angle; taken for sigma0 at that of the ellipsoid, its slope is off by 0.07.
    """
    rise = 0.05
    wide = WHOLE.pad(320)
    columns = np.arange(wide.shape.x)[None].repeat(wide.shape.y, axis=0)
    dem = (RasterLayer(href=write_tiff(tmp_path / "dem.tif", (2000.0 + 10.0 * rise * columns).astype("f4"), wide)),)
    scenes = []
    for scene in stack(tmp_path, look_azimuth=90.0, quantity="sigma0", noise_db={"VV": -60.0}):
        place = np.mean(ANGLES[scene.relative_orbit or 0]) + 0.15, rise, 0.0, 90.0
        local = float(local_incidence(*place))
        moved = 10 ** (-0.30 * (local - place[0]) / 10) * np.cos(np.radians(place[0])) ** 2 / np.cos(np.radians(local))
        (raster,) = scene.layers["VV"]
        with rasterio.open(raster.href, "r+") as file:
            file.write((file.read(1) * moved / flatten_factor(*place)).astype(np.float32), 1)
        scenes.append(scene)
    parameters = science(multilook={"C": 1, "L": 1})
    found = estimate_slopes(scenes, BOXES, land, parameters, flood_start=NOON, looks=LOOKS, elevation=dem)["C-VV"]
    assert found["grass_crop"].slope == pytest.approx(-0.30, abs=0.03)


@pytest.mark.parametrize(
    ("orbits", "reason"), [((15, 117), "2 orbits"), ((15, 44), "2 orbits"), ((88, 117, 88), "2 orbits")]
)
def test_too_few_orbits_leave_the_table(tmp_path: Path, orbits: tuple[int, ...], reason: str) -> None:
    found = estimated(stack(tmp_path, orbits))["grass_crop"]
    assert found.slope == BACKSCATTER["grass_crop"]["C-VV"].slope
    assert reason in found.reason


def test_scenes_of_the_flood_never_enter(tmp_path: Path) -> None:
    """One orbit has its only dates after the flood began, and a flood on them."""
    scenes = stack(tmp_path, (15, 44, 88))
    before = estimated(scenes)["grass_crop"]
    late = date(tmp_path, 117, 20, shift=-9.0, start=NOON, end=NOON)
    assert estimated([*scenes, late])["grass_crop"] == before
    without_orbit = date(tmp_path, 117, 21, shift=-9.0, relative_orbit=None)
    mosaic = date(tmp_path, 117, 22, shift=-9.0, reference_only=True)
    assert estimated([*scenes, without_orbit, mosaic])["grass_crop"] == before


def test_ground_that_changed_does_not_enter(tmp_path: Path) -> None:
    """Half of the grass is harvested, or flooded, on the flat orbits: 8 dB darker there."""
    scenes = stack(tmp_path)
    for scene in scenes[2::4] + scenes[3::4]:
        (raster,) = scene.layers["VV"]
        with rasterio.open(raster.href, "r+") as file:
            values = file.read(1)
            values[34:] *= 10**-0.8
            file.write(values, 1)
    found = estimated(scenes)["grass_crop"]
    assert found.slope == pytest.approx(-0.30, abs=0.03)


def test_without_land_cover_the_table_stays_and_says_so(tmp_path: Path) -> None:
    found = estimated(stack(tmp_path, repeats=1), lambda _: None)
    assert {one.reason for one in found.values()} == {"no land cover: classes are not known"}
    assert found["forest"].slope == BACKSCATTER["forest"]["C-VV"].slope


def test_no_scene_at_all_is_no_channel() -> None:
    assert estimate_slopes([], BOXES, land, science(), flood_start=NOON, looks=LOOKS) == {}


# --- in the prepare stage


def plan_of(scenes: Sequence[Acquisition], folder: Path, covered: bool) -> Any:
    """As much of a plan as the slopes ask for; the land cover as a raster of codes."""
    layer = RasterLayer(href=write_tiff(folder / "cover.tif", land(WHOLE), WHOLE))
    footprint = {"type": "Point", "coordinates": [0, 0]}
    tile = Ancillary(id="c", collection="of the job", theme="land-cover", raster=layer, footprint=footprint)
    ground = SimpleNamespace(land_cover=(tile,) if covered else ())
    ground.near = lambda box: ground
    job = SimpleNamespace(during=(NOON, NOON))
    return SimpleNamespace(job=job, before=tuple(scenes), ground=ground, elevation=())


def test_moved_slopes_enter_the_priors_of_every_scene(tmp_path: Path) -> None:
    scenes = stack(tmp_path)
    looks = {scene.id: LOOKS for scene in scenes}
    parameters = science(multilook={"C": 1, "L": 1})
    moved, told = moved_slopes(plan_of(scenes, tmp_path, True), BOXES, looks, parameters)
    assert set(moved["C-VV"]) == {"grass_crop", "forest", "open_water"}
    assert any(line.startswith("slope of grass_crop, C-VV: -0.3") for line in told)
    water = Backscatter(-21.0, 1.5, -0.394)  # what the scene's own water made of the class
    found = with_slopes({"VV": {"open_water": water}}, scenes[0], moved)["VV"]
    assert found["open_water"] == Backscatter(-21.0, 1.5, moved["C-VV"]["open_water"].slope)
    assert found["forest"].mean == BACKSCATTER["forest"]["C-VV"].mean
    assert "urban" not in found


def test_without_land_cover_or_orbits_the_table_stands(tmp_path: Path) -> None:
    scenes, parameters = stack(tmp_path, repeats=1), science(multilook={"C": 1, "L": 1})
    looks = {scene.id: LOOKS for scene in scenes}
    moved, told = moved_slopes(plan_of(scenes, tmp_path, False), BOXES, looks, parameters)
    assert moved == {}
    assert "no land cover" in told[0]
    assert moved_slopes(plan_of(scenes[:2], tmp_path, True), BOXES, looks, parameters) == ({}, [])
    assert with_slopes({}, scenes[0], {}) == {}
