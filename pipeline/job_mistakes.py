"""Mistakes of a job file, each with its line and its remedy."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from catalogs.records import SENSORS
from pipeline.job_ground import COMPUTED, GROUND_EXAMPLES, GROUND_FIELDS, NO_DRAINAGE
from pipeline.job_methods import METHODS, OPTIONS
from pipeline.yaml_lines import Lines

NO_DAY = {
    f"{kind}_{problem}"
    for kind in ("date", "datetime", "date_from_datetime", "datetime_from_date")
    for problem in ("parsing", "inexact", "type")
}


def explain(path: Path, problem: ValidationError, lines: Lines, known: Sequence[str]) -> str:
    """What is wrong with the job file `path`, one sentence a mistake; `known`: the fields of a job."""
    errors = problem.errors()
    meant = {_meant(error["loc"][0], known) for error in errors if error["type"] == "extra_forbidden"}
    errors = [error for error in errors if error["type"] != "missing" or error["loc"][0] not in meant]
    told = [_sentence(error, lines, path, known) for error in errors]
    return "\n".join(dict.fromkeys(told))


def _sentence(error: Any, lines: Lines, path: Path, known: Sequence[str]) -> str:
    place = tuple(part for part in error["loc"] if isinstance(part, int) or part in known or not lines)
    if error["type"] == "extra_forbidden":
        place = tuple(error["loc"])
    field = str(place[0]) if place else str(error.get("ctx", {}).get("error", "")).split(":", maxsplit=1)[0]
    line = next((lines[key] for key in (place or (field,), (field,), ()) if key in lines), 1)
    return f"{path} line {line}: {remedy(error, field, known)}"


def remedy(error: Any, field: str, known: Sequence[str]) -> str:
    """One mistake of a field and what to do about it."""
    found = error.get("input")
    if error["type"] == "extra_forbidden":
        near = _meant(field, known)
        hint = f"; did you mean {near!r}?" if near else f"; known fields: {', '.join(known)}"
        return f"unknown field {field!r}{hint}"
    if error["type"] == "missing" and len(error["loc"]) == 1:
        return f"the field {field!r} is missing; add it"
    if field == "sensors" and error["type"] == "literal_error":
        return f"unknown sensor {found!r}; known sensors: {', '.join(SENSORS)}"
    if field == "methods" and error["type"] == "literal_error":
        return f"unknown method {found!r}; known methods: {', '.join(METHODS)}"
    if field in OPTIONS and error["type"] == "literal_error":
        return f"unknown {field} {found!r}; known {field}s: {', '.join(OPTIONS[field])}"
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    if field in GROUND_FIELDS:
        more = f", nor {COMPUTED!r} or {NO_DRAINAGE!r}" if field == "drainage" else ""
        return f"{field}: {found!r} is neither a raster nor the id of a collection ({GROUND_EXAMPLES[field]}){more}"
    if field == "area":
        return f"area: {found!r} is not a box [west, south, east, north] in degrees nor a GeoJSON or GeoPackage file"
    if error["type"] == "tuple_type":
        written = f"{found}, {found}" if field in ("during", "before") else found
        return f"{field}: {found} is no list; write [{written}]"
    return _value(error, field, found)


def _value(error: Any, field: str, found: object) -> str:
    """A value that its field cannot hold."""
    if error["type"] in NO_DAY:
        like = "2023-05-18T05:10Z" if field == "at" else "2023-05-18"
        return f"{field}: {found!r} is not a {'moment' if field == 'at' else 'day'}; write it like {like}"
    return f"{field}: {error['msg'].lower()} (found {found!r})"


def _meant(field: object, known: Sequence[str]) -> str | None:
    """The field that a misspelt one comes nearest to."""
    near = difflib.get_close_matches(str(field), known, n=1)
    return near[0] if near else None
