"""What a person said: an edited file held against what was handed out. Nothing in it is taken on trust."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import geopandas
import pyogrio
import shapely

from pipeline.errors import ReviewError
from pipeline.review.package import Export, read_record, run_fingerprint
from pipeline.review.style import VERDICTS
from pipeline.run_folder import RunFolder

WET = {"flood": True, "vegetation": True, "permanent water": True, "dry": False}
"""Verdicts that say something of water; "unsure" does not."""
NEEDED = ("id", "verdict", "export")
MAGIC = b"SQLite format 3\x00"
SLACK = 0.05
"""Of a pixel's area: how far an outline may differ and be the same; a copy in another CRS comes back within less."""
NAMED = 5
"""Ids in a message."""
LONGEST_NOTE = 500


@dataclass(frozen=True)
class Verdicts:
    """An edited review that fits its run."""

    record: Export
    said: dict[str, str]
    """Verdict by id, of the polygons that were judged; "unsure" among them."""
    notes: dict[str, str]
    missing: tuple[str, ...]
    """Ids that were handed out and are not in the file."""
    empty: tuple[str, ...]
    """Ids without a verdict."""
    digest: str
    """SHA-256 of the file."""
    told: tuple[str, ...] = field(default=())
    """What was odd and has been accepted."""

    @property
    def usable(self) -> dict[str, str]:
        """Verdicts that say something."""
        return {name: verdict for name, verdict in self.said.items() if verdict in WET}


def read_verdicts(path: Path, run: RunFolder) -> Verdicts:
    """Read an edited file and hold it against the run and what was exported from it.

    ReviewError names what does not fit: another run, ids that are unknown or occur twice, outlines that were changed,
    verdicts that are not in the list. Polygons that are missing or without verdict are "not judged", never "dry".
    """
    digest = _digest(path)
    table = _read(path)
    record = read_record(run.path, _export_of(path, table))
    if record.run != run_fingerprint(run):
        raise ReviewError(f"{run.path}: has been mapped anew since review {record.export} was exported; export again")
    ids = [_text(value) for value in table["id"]]
    _refuse_ids(path, ids, record)
    told = _refuse_outlines(path, ids, table, record, run)
    words = dict(zip(ids, (_text(value).lower() for value in table["verdict"]), strict=True))
    _refuse_verdicts(path, words)
    notes = table["note"] if "note" in table else [""] * len(table)
    missing = tuple(name for name in record.polygons if name not in words)
    empty = tuple(name for name in record.polygons if words.get(name) == "")
    if missing:
        told = (*told, f"{len(missing)} of {len(record.polygons)} polygons are missing and count as not judged")
    return Verdicts(
        record,
        {name: words[name] for name in record.polygons if words.get(name)},
        {name: _text(note)[:LONGEST_NOTE] for name, note in zip(ids, notes, strict=True) if _text(note)},
        missing,
        empty,
        digest,
        told,
    )


def _digest(path: Path) -> str:
    """SHA-256 of the file; ReviewError where it is none of ours, or edits still lie beside it."""
    if not path.is_file():
        raise ReviewError(f"{path}: no such file; give the GeoPackage that was edited")
    log = path.with_name(path.name + "-wal")
    if log.is_file() and log.stat().st_size:
        raise ReviewError(f"{path}: is open in another program ({log.name} holds edits); save and close it there first")
    data = path.read_bytes()
    if not data.startswith(MAGIC):
        raise ReviewError(f"{path}: is no GeoPackage; give the file that `overbank review export` wrote, edited")
    return sha256(data).hexdigest()


def _read(path: Path) -> geopandas.GeoDataFrame:
    try:
        layers = [str(name) for name, kind in pyogrio.list_layers(path) if kind is not None]
        if len(layers) != 1:
            raise ReviewError(f"{path}: holds {len(layers)} layers with geometry; give the edited review alone")
        table = pyogrio.read_dataframe(path, layer=layers[0])
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, UnicodeDecodeError) as problem:
        raise ReviewError(f"{path}: cannot be read as a GeoPackage ({problem})") from problem
    absent = [name for name in NEEDED if name not in table]
    if absent:
        raise ReviewError(f"{path}: lacks the fields {', '.join(absent)}; keep all fields of the export")
    if not len(table):
        raise ReviewError(f"{path}: holds no polygon; give the edited review")
    return table


def _export_of(path: Path, table: geopandas.GeoDataFrame) -> str:
    found = sorted({_text(value) for value in table["export"]})
    if len(found) != 1 or not found[0]:
        raise ReviewError(f"{path}: holds polygons of {len(found)} exports ({_few(found)}); apply each file by itself")
    return found[0]


def _refuse_ids(path: Path, ids: Sequence[str], record: Export) -> None:
    twice = sorted({name for name in ids if ids.count(name) > 1})
    if twice:
        raise ReviewError(f"{path}: holds {_few(twice)} more than once; keep one row of each polygon")
    strange = [name for name in ids if name not in record.polygons]
    if strange:
        raise ReviewError(f"{path}: holds polygons that were not exported ({_few(strange)}); remove these rows")


def _refuse_outlines(
    path: Path, ids: Sequence[str], table: geopandas.GeoDataFrame, record: Export, run: RunFolder
) -> tuple[str, ...]:
    """What is to be told of the outlines; ReviewError where one is not as it was handed out."""
    if table.crs is None:
        raise ReviewError(f"{path}: says no coordinate reference system; save it in {record.crs}")
    told: tuple[str, ...] = ()
    outlines = table.geometry
    if table.crs != record.crs:
        told = (f"the polygons came in {table.crs.to_string()} and were brought back to {record.crs}",)
        outlines = outlines.to_crs(record.crs)
    zone = run.zones[0]
    ours = geopandas.GeoSeries([shapely.from_wkt(record.polygons[name].geometry) for name in ids], crs=record.crs)
    pairs = zip(ids, outlines.to_crs(zone), ours.to_crs(zone), strict=True)
    slack = SLACK * run.units[0].pixel_km2 * 1e6
    changed = [name for name, given, own in pairs if not _same(given, own, slack)]
    if changed:
        raise ReviewError(
            f"{path}: the outlines of {_few(changed)} were changed, so nobody knows what they stand for; "
            "restore them from the export, or remove these rows"
        )
    return told


def _same(given: Any, own: Any, slack: float) -> bool:
    if given is None or given.is_empty or not given.is_valid:
        return False
    return bool(given.symmetric_difference(own).area <= slack)


def _refuse_verdicts(path: Path, words: Mapping[str, str]) -> None:
    unknown = {name: word for name, word in words.items() if word and word not in VERDICTS}
    if unknown:
        shown = _few([f"{name}: {word[:40]!r}" for name, word in unknown.items()])
        raise ReviewError(f"{path}: unknown verdicts ({shown}); known are {', '.join(VERDICTS)}, or leave it empty")


def _text(value: object) -> str:
    """A cell as text; nothing for what is not there."""
    return "" if value is None or value != value else str(value).strip()


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
