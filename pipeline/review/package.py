"""The file that a person edits: polygons with an empty verdict, styled for QGIS; and the record it is held against."""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import geopandas
import pyogrio
import shapely
from pydantic import ValidationError

from catalogs.publish import write_json
from catalogs.records import Record, first_problem
from pipeline.errors import ReviewError
from pipeline.review.contested import SURE_DRY
from pipeline.review.style import qml_text
from pipeline.run_folder import RunFolder

FOLDER, EXPORTS, FILE = "review", "exports", "review.gpkg"
LAYER = "review"
PATTERNS = (
    "dry, nobody doubts it",
    "flood, nobody doubts it",
    "reference water",
    "dry, others say flood",
    "flood, others say dry",
    "dry, most others say flood",
    "flood, most others say dry",
)
"""Words for the patterns of `contested`, from `SURE_DRY` on."""


class Asked(Record):
    """One polygon of a review as it was handed out."""

    stratum: Literal["chosen", "random"]
    probability: float
    """That it was drawn."""
    score: float
    uncertainty: float
    disagreement: float
    area_km2: float
    geometry: str
    """Well-known text, in the record's CRS."""


class Export(Record):
    """What was handed out: edited files are held against it."""

    export: str
    run: str
    """The fingerprint of the run, `run_fingerprint`."""
    overbank: str
    budget: int
    at_random: int
    seed: int
    crs: str
    observed_km2: float
    """What the delivered map observes."""
    frame_km2: float
    """Of it what lies in candidates, all together; the rest is too small to be judged."""
    candidates: int
    polygons: dict[str, Asked]

    @property
    def frame(self) -> geopandas.GeoDataFrame:
        """The polygons in their order, by id."""
        shapes = [shapely.from_wkt(one.geometry) for one in self.polygons.values()]
        return geopandas.GeoDataFrame({"id": list(self.polygons)}, geometry=shapes, crs=self.crs)


def run_fingerprint(run: RunFolder) -> str:
    """SHA-256 over the fingerprints of the run's units: which maps a review is about."""
    told = [[unit.id, unit.facts.get("overbank:fingerprint"), unit.delivered] for unit in run.units]
    return sha256(json.dumps(told).encode()).hexdigest()


def export_record(
    run: RunFolder, drawn: geopandas.GeoDataFrame, frame: dict[str, float], asked: tuple[int, int, int]
) -> Export:
    """The record of a draw; `frame`: observed_km2, frame_km2, candidates; `asked`: budget, at random, seed."""
    told = run_fingerprint(run)
    shapes = [shapely.to_wkt(shape, rounding_precision=-1) for shape in drawn.geometry]
    chances = [f"{value:.12g}" for value in drawn["probability"]]
    key = sha256(json.dumps([told, asked, shapes, chances]).encode()).hexdigest()[:12]
    names = ("stratum", "probability", "score", "uncertainty", "disagreement", "area_km2")
    polygons = {
        f"{key[:6]}-{number:03d}": Asked(**{name: row[name] for name in names}, geometry=shape)
        for number, (row, shape) in enumerate(zip(drawn.to_dict("records"), shapes, strict=True), start=1)
    }
    budget, at_random, seed = asked
    return Export(
        export=key,
        run=told,
        overbank=version("overbank"),
        budget=budget,
        at_random=at_random,
        seed=seed,
        crs=str(drawn.crs),
        observed_km2=frame["observed_km2"],
        frame_km2=frame["frame_km2"],
        candidates=int(frame["candidates"]),
        polygons=polygons,
    )


def write_package(target: Path, record: Export, drawn: geopandas.GeoDataFrame) -> None:
    """Write the GeoPackage with its style inside, and a .qml beside; each appears by one rename.

    ReviewError where a file is there that holds verdicts.
    """
    _refuse_judged(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    table = _table(record, drawn)
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.stem}.", suffix=".gpkg")
    os.close(descriptor)
    draft = Path(name)
    try:
        draft.unlink()
        pyogrio.write_dataframe(table, draft, layer=LAYER, driver="GPKG", dataset_options={"VERSION": "1.2"})
        style = qml_text(list(table.columns.drop("geometry")))
        _keep_style(draft, style)
        os.chmod(draft, 0o644)
        os.replace(draft, target)
    finally:
        draft.unlink(missing_ok=True)
    target.with_suffix(".qml").write_text(style, encoding="utf-8")


def _table(record: Export, drawn: geopandas.GeoDataFrame) -> geopandas.GeoDataFrame:
    parts = ("score", "uncertainty", "disagreement", "area_km2", "pixels", "stratum", "probability")
    return geopandas.GeoDataFrame(
        {
            "id": list(record.polygons),
            "verdict": geopandas.pd.Series([None] * len(drawn), dtype="str"),
            "note": geopandas.pd.Series([None] * len(drawn), dtype="str"),
            "map_says": [PATTERNS[pattern - SURE_DRY] for pattern in drawn["pattern"]],
            **{name: list(drawn[name]) for name in parts},
            "run": record.run,
            "export": record.export,
            "overbank": record.overbank,
        },
        geometry=list(drawn.geometry),
        crs=drawn.crs,
    )


def _refuse_judged(target: Path) -> None:
    """Verdicts are a person's work: never written over."""
    if not target.exists():
        return
    try:
        found = pyogrio.read_dataframe(target, layer=LAYER, read_geometry=False)["verdict"]
    except Exception as problem:
        raise ReviewError(f"{target}: is there and is no review; give another --out") from problem
    judged = int((found.fillna("").astype(str).str.strip() != "").sum())
    if judged:
        raise ReviewError(
            f"{target}: holds {judged} verdicts that a new export would lose; apply it with `overbank review apply`, "
            "or give another --out"
        )


def _keep_style(path: Path, style: str) -> None:
    """Put the style where QGIS finds it by itself: the table `layer_styles`."""
    connection = sqlite3.connect(path)
    try:
        connection.executescript(
            """CREATE TABLE layer_styles (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, f_table_catalog TEXT,
            f_table_schema TEXT, f_table_name TEXT, f_geometry_column TEXT, styleName TEXT, styleQML TEXT,
            styleSLD TEXT, useAsDefault BOOLEAN, description TEXT, owner TEXT, ui TEXT,
            update_time DATETIME DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')));
            INSERT INTO gpkg_contents (table_name, data_type, identifier) VALUES
            ('layer_styles', 'attributes', 'layer_styles');"""
        )
        connection.execute(
            "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, f_geometry_column, styleName, "
            "styleQML, styleSLD, useAsDefault, description, owner) VALUES ('', '', ?, 'geom', ?, ?, '', 1, ?, '')",
            (LAYER, LAYER, style, "Verdicts by colour, with a list to choose from"),
        )
        connection.commit()
    finally:
        connection.close()


def keep_record(run: Path, record: Export) -> Path:
    """Write the record into the run, where `read_record` finds it."""
    path = run / FOLDER / EXPORTS / f"{record.export}.json"
    write_json(path, record.model_dump(mode="json"))
    return path


def read_record(run: Path, export: str) -> Export:
    """The record of an export of this run; ReviewError where there is none."""
    folder = run / FOLDER / EXPORTS
    there = sorted(path.stem for path in folder.glob("*.json"))
    if export not in there:
        held = f"it knows {', '.join(there)}" if there else "nothing was exported from it"
        raise ReviewError(f"{run}: knows no review {export!r}; {held}. Give the run that the polygons are from")
    path = folder / f"{export}.json"
    try:
        return Export.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError as problem:
        raise ReviewError(f"{path}: is no record of an export ({first_problem(problem)})") from problem


def as_told(record: Export) -> dict[str, Any]:
    """What an export says of itself, without its polygons."""
    return record.model_dump(mode="json", exclude={"polygons"}) | {"polygons": len(record.polygons)}
