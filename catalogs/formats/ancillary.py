"""Tiles of elevation, surface water and land cover, known by the names of their files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pystac

from catalogs.errors import ProductError
from catalogs.publish import SceneFile, scene_item

DEM_TIME = datetime(2021, 4, 22, tzinfo=UTC)
"""What the public catalogs give for the Copernicus DEM (its edition; the radar looked from 2011 to 2015)."""
WATER_START = datetime(1984, 3, 16, tzinfo=UTC)
WATER_FIRST_END = 2015
"""Last year of the first edition of JRC surface water: every edition reaches as far at least."""

_DEM = re.compile(r"^Copernicus_DSM_(?:COG_)?(?P<arc>10|30)_[NS]\d{2}_00_[EW]\d{3}_00_DEM\.tif$")
_WATER = re.compile(
    r"^(?P<layer>occurrence|change|extent|recurrence|seasonality|transitions)[-_]"
    r"(?P<tile>\d{10}-\d{10}|\d{1,3}[EW]_\d{1,2}[NS](?:v\d+_\d+_(?P<year>\d{4}))?)(?:cog)?\.tif$"
)
_WORLDCOVER = re.compile(r"^ESA_WorldCover_10m_(?P<year>\d{4})_v\d{3}_[NS]\d{2}[EW]\d{3}_Map\.tif$")
_LULC = re.compile(r"^\d{2}[C-X]_(?P<start>\d{8})-(?P<end>\d{8})\.tif$")


def elevation_tiles(place: Path) -> Iterator[tuple[Path, ...]]:
    """Tiles of the Copernicus DEM in a folder."""
    yield from _one_by_one(place, _DEM)


def elevation_item(files: Sequence[Path]) -> pystac.Item:
    """The item of one tile of the Copernicus DEM."""
    (path,) = files
    match = _DEM.match(path.name)
    assert match is not None
    collection = {"10": "cop-dem-glo-30", "30": "cop-dem-glo-90"}[match["arc"]]
    file = SceneFile(path=path, title="Elevation of the surface, EGM2008, metres")
    return scene_item(path.stem, collection, {"data": file}, start=DEM_TIME, properties={"platform": "tandem-x"})


def water_tiles(place: Path) -> Iterator[tuple[Path, ...]]:
    """The layers of each tile of JRC Global Surface Water in a folder."""
    tiles: dict[str, list[Path]] = {}
    for path in sorted(place.iterdir()):
        if path.is_file() and (match := _WATER.match(path.name)):
            tiles.setdefault(match["tile"], []).append(path)
    yield from map(tuple, tiles.values())


def water_item(files: Sequence[Path]) -> pystac.Item:
    """The item of one tile. Raises `ProductError` without its seasonality, which tells reference water."""
    matches = {match["layer"]: (match, path) for path in files if (match := _WATER.match(path.name))}
    if "seasonality" not in matches:
        found, expected = ", ".join(path.name for path in files), "the layer seasonality"
        raise ProductError(f"JRC tile in {files[0].parent}", found, expected, "Fetch it beside the others.")
    match = matches["seasonality"][0]
    end = datetime(int(match["year"] or WATER_FIRST_END), 12, 31, tzinfo=UTC)
    assets = {name: SceneFile(path=path, title=f"Water {name}") for name, (_, path) in matches.items()}
    return scene_item(f"jrc-gsw-{match['tile']}", "jrc-gsw", assets, start=WATER_START, end=end)


def worldcover_tiles(place: Path) -> Iterator[tuple[Path, ...]]:
    """Tiles of ESA WorldCover in a folder."""
    yield from _one_by_one(place, _WORLDCOVER)


def worldcover_item(files: Sequence[Path]) -> pystac.Item:
    """The item of one tile of ESA WorldCover."""
    (path,) = files
    match = _WORLDCOVER.match(path.name)
    assert match is not None
    year = int(match["year"])
    start, end = datetime(year, 1, 1, tzinfo=UTC), datetime(year, 12, 31, 23, 59, 59, tzinfo=UTC)
    file = SceneFile(path=path, title="Land cover classes")
    return scene_item(path.stem.removesuffix("_Map"), "esa-worldcover", {"map": file}, start=start, end=end)


def lulc_tiles(place: Path) -> Iterator[tuple[Path, ...]]:
    """Tiles of the land cover of Impact Observatory in a folder."""
    yield from _one_by_one(place, _LULC)


def lulc_item(files: Sequence[Path]) -> pystac.Item:
    """The item of one tile; names do not tell the ten-class map from the nine-class maps, whose values agree."""
    (path,) = files
    match = _LULC.match(path.name)
    assert match is not None
    start, end = (datetime.strptime(match[name], "%Y%m%d").replace(tzinfo=UTC) for name in ("start", "end"))
    file = SceneFile(path=path, title="Land cover classes")
    return scene_item(path.stem, "io-lulc", {"data": file}, start=start, end=end)


def _one_by_one(place: Path, name: re.Pattern[str]) -> Iterator[tuple[Path, ...]]:
    yield from ((path,) for path in sorted(place.iterdir()) if name.match(path.name) and path.is_file())
