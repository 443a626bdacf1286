"""`RUN/gis/`: mosaics, polygons and a QGIS project of a run, made anew whenever its units change."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from catalogs.publish import write_json
from pipeline.gis.mosaic import Mosaic, mosaic_of, present_in, vrt
from pipeline.gis.polygons import FloodPolygons, flood_polygons
from pipeline.gis.project import MosaicFile, project_qgs
from pipeline.gis.vector_files import write_geopackage, write_geoparquet
from pipeline.ledger import appearing, file_digest
from pipeline.run_folder import RunFolder, open_run
from pipeline.styles.qml import raster_qml
from pipeline.styles.symbology import symbology

Say = Callable[[str], None]
FOLDER = "gis"
RECORD = "handover.json"
"""What was made from which units, with a digest of each file: whoever changed one since keeps it."""
PROJECT, GEOPACKAGE, GEOPARQUET = "flood.qgs", "flood_polygons.gpkg", "flood_polygons.parquet"
PASSING = (".aux.xml", "-wal", "-shm", "-journal")
"""Endings of what a GIS leaves beside files that it has open."""


@dataclass(frozen=True)
class HandOver:
    """What lies in `RUN/gis/`."""

    folder: Path
    made: bool
    """False where it was there already, of the same units."""
    polygons: str
    """How many polygons, and what was left out of them."""
    kept: tuple[str, ...] = ()
    """Files of the analyst that were taken over from an older hand-over."""


def hand_over(run: Path, say: Say = lambda _: None) -> HandOver:
    """Make `RUN/gis/`, or leave it where it is of the same units; it appears by one rename.

    What somebody else put there, or changed there, is taken over: a changed file as NAME.edited.SUFFIX.
    """
    folder = open_run(run)
    target, key = run / FOLDER, _key(folder)
    before = _record(target)
    if before.get("units") == key:
        return HandOver(target, False, str(before["polygons"]))
    with appearing(target) as draft:
        told = write_hand_over(folder, draft)
        made = {name: file_digest(draft / name) for name in _files(draft)}
        kept = tuple(_take_over(target, draft, before.get("files", {})))
        write_json(draft / RECORD, {"units": key, "polygons": told, "files": made})
    say(f"gis: {told}")
    for name in kept:
        say(f"gis: kept {name}, which was changed or put there by hand")
    return HandOver(target, True, told, kept)


def write_hand_over(run: RunFolder, folder: Path, method: str = "") -> str:
    """Write mosaics with styles, polygons and project into a folder; what the polygons hold, in a sentence.

    `method`: whose polygons; by default the delivered one's. RunError where the run has no such map.
    """
    polygons = flood_polygons(run, method)
    write_geopackage(folder / GEOPACKAGE, polygons, run.legend)
    write_geoparquet(folder / GEOPARQUET, polygons)
    mosaics = write_mosaics(run, folder)
    (folder / PROJECT).write_bytes(_project(run, mosaics, polygons))
    return polygons.told


def write_mosaics(run: RunFolder, folder: Path) -> list[MosaicFile]:
    """A VRT and a QGIS style of every layer and zone."""
    found = []
    for zone in run.zones:
        for name in run.layers:
            mosaic = mosaic_of(run, name, zone)
            if mosaic is not None:
                found.append(write_mosaic(mosaic, folder, len(run.zones) > 1))
    return found


def write_mosaic(mosaic: Mosaic, folder: Path, zone_told: bool) -> MosaicFile:
    """One VRT and its style: NAME.vrt, or NAME-EPSG.vrt where the run has several zones."""
    suffix = f"-{mosaic.zone.rpartition(':')[2]}" if zone_told else ""
    path = folder / f"{mosaic.name}{suffix}.vrt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(vrt(mosaic, path))
    present = frozenset(present_in(mosaic))
    path.with_suffix(".qml").write_bytes(raster_qml(symbology(mosaic.kind, 1, present)))
    return MosaicFile(mosaic, f"./{path.relative_to(folder).as_posix()}", present, zone_told)


def _project(run: RunFolder, mosaics: list[MosaicFile], polygons: FloodPolygons) -> bytes:
    title = str(run.units[0].facts.get("overbank:job", run.path.name))
    about = (
        f"State at {run.at:%Y-%m-%d %H:%M} UTC by {run.delivered}, {len(run.units)} units. {polygons.told}. "
        f"Made by overbank {version('overbank')}."
    )
    return project_qgs(title, about, run.legend, mosaics, f"./{GEOPACKAGE}", polygons.frame.crs.to_string())


def _key(run: RunFolder) -> str:
    """Of the units that the hand-over is of, and of what made it."""
    told = {unit.id: unit.facts.get("overbank:fingerprint", "") for unit in run.units}
    return hashlib.sha256(json.dumps([version("overbank"), told], sort_keys=True).encode()).hexdigest()


def _record(target: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((target / RECORD).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return found


def _files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def _take_over(old: Path, new: Path, made: Mapping[str, str]) -> Iterator[str]:
    """Copy what an older hand-over did not make, or was changed since, into the new one."""
    for name in _files(old):
        if name == RECORD or name.endswith(PASSING) or made.get(name) == file_digest(old / name):
            continue
        target = _free(new / name)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(old / name, target)
        yield target.relative_to(new).as_posix()


def _free(path: Path) -> Path:
    """The path, or one beside it that nothing lies at: flood.edited.qgs, flood.edited-2.qgs …"""
    found, count = path, 1
    while found.exists():
        found = path.with_name(f"{path.stem}.edited{'' if count == 1 else f'-{count}'}{path.suffix}")
        count += 1
    return found
