"""What an analyst asks for: where, when, which sensors, which methods. Frozen and closed."""

from __future__ import annotations

import difflib
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from catalogs.endpoint import is_known
from catalogs.records import SENSORS, Sensor
from models.contract import Rule
from pipeline.errors import JobError
from pipeline.job_methods import (
    BEST_FIRST,
    DEFAULT_METHODS,
    DEFAULT_RULE,
    METHODS,
    OPTION_OF,
    OPTIONS,
    Choice,
    Joins,
    MethodName,
    Rules,
    Weights,
)
from pipeline.yaml_lines import Lines, read_yaml

ExtraLayer = Literal["harmonized"]
RADARS: tuple[Sensor, ...] = ("sentinel-1", "alos-2")
Degrees = Annotated[float, Field(ge=-360, le=360, allow_inf_nan=False)]
WIDEST = 180.0
"""Degrees of longitude that a box or one polygon may span."""


def _no_number(value: object) -> object:
    """Seconds since 1970, which pydantic would make of 20230518, are never meant."""
    text = str(value).strip()
    if isinstance(value, int | float) or (isinstance(value, str) and text.replace(".", "").isdigit()):
        digits = text.replace("_", "")
        day = f"{digits[:4]}-{digits[4:6]}-{digits[6:]}" if len(digits) == 8 and digits.isdigit() else "2023-05-18"
        raise ValueError(f"{text} is a number, not a day; write {day}")
    return value


Moment = Annotated[date | datetime, BeforeValidator(_no_number)]
CollectionId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
"""Id of an ancillary collection: no dot and no slash, so that it is no path."""
GROUND_EXAMPLES = {
    "reference_water": "jrc-gsw",
    "elevation": "cop-dem-glo-30",
    "drainage": "glo-30-hand",
    "land_cover": "esa-worldcover",
}
"""By field that names a raster or an ancillary collection of the catalog: such a collection."""
GROUND_FIELDS = tuple(GROUND_EXAMPLES)
COMPUTED, NO_DRAINAGE = "computed", "none"
"""What `drainage` may say beside these."""


class Record(BaseModel):
    """Frozen and closed: an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Job(Record):
    """One flood, to be mapped. Validation touches no disk and no network."""

    name: str = Field(min_length=1)
    area: tuple[Degrees, Degrees, Degrees, Degrees] | Path
    """West, south, east, north in degrees, or a GeoJSON or GeoPackage file. West > east is a box across the
    antimeridian; longitudes beyond ±180 say the same."""
    catalog: str
    """Path of a catalog, a folder of items or a stac-geoparquet file, an http(s) address, or a known endpoint's id."""
    during: tuple[Moment, Moment]
    """First and last day of the flood window (the last one included)."""
    before: tuple[Moment, Moment] | None = None
    """First and last day of the window that shows the ground before the flood."""
    sensors: tuple[Sensor, ...] = Field(default=("sentinel-1", "alos-2", "sentinel-2"), min_length=1)
    methods: tuple[MethodName, ...] = Field(default=DEFAULT_METHODS, min_length=1)
    join: Joins = ()
    """How `intermediate` joins its sensors: one or several, a map each; by default as its weights do."""
    rule: Rules = ()
    """How `late` makes one map of its experts': one or several, a map each; by default `DEFAULT_RULE`."""
    deliver: str | None = None
    """The method, or the one of `maps`, that is delivered; by default the best of those asked for (see `delivered`)."""
    extra_layers: tuple[ExtraLayer, ...] = ()
    """Layers beyond those of every run. "harmonized": backscatter of each radar in the terms of C-VV, for display."""
    resolution: float = Field(default=10.0, gt=0, le=1000, allow_inf_nan=False)
    """Pixel in metres."""
    tile: int = Field(default=1024, ge=64, le=8192, multiple_of=16)
    """Side of a unit in pixels."""
    reference_water: CollectionId | Path | None = None
    """Permanent or seasonal water: a raster (value 1 is water), the id of a surface-water collection of the catalog, or
    another catalog or run ("./dry-season", "other/catalog.json"); without it the "before" scenes tell."""
    elevation: CollectionId | Path | None = None
    """Elevation: a raster in metres, or the id of an elevation collection of the catalog."""
    flattening: Literal["facet", "sarsen"] = "facet"
    """How Sentinel-1 GRD is flattened where `elevation` is known: by facets, for slopes below 15°; or in mountains by
    range and Doppler (the extra `mountains`), from whole SAFE products on this disk."""
    drainage: CollectionId | Path | None = None
    """Height above drainage, for the prior: a raster in metres, the id of a collection of the catalog, "computed" from
    `elevation` (the default where that is given), or "none"."""
    land_cover: CollectionId | Path | None = None
    """Land cover before the flood: a raster of the codes of `harmonization.land_cover.LandCover`, or the id of a
    land-cover collection of the catalog; without it dry ground is a mixture of covers."""
    weights: Weights | None = None
    """Folder of weights by method, or one folder for all (see `pipeline.networks`); by default those shipped."""
    science: str = "2026-11"
    """The dated file of science parameters."""

    @model_validator(mode="after")
    def _windows_in_order(self) -> Self:
        for name, window in (("during", self.during), ("before", self.before)):
            if window is not None and span(window)[0] > span(window)[1]:
                raise ValueError(f"{name}: {window[0]} is later than {window[1]}; write the earlier day first")
        if self.before is not None and span(self.before)[1] >= span(self.during)[0]:
            raise ValueError(f"before: ends {self.before[1]}, not before the flood window opens ({self.during[0]})")
        return self

    @model_validator(mode="after")
    def _ground_to_flatten_by(self) -> Self:
        if self.flattening == "sarsen" and self.elevation is None:
            raise ValueError("flattening: sarsen needs an elevation; name one, or leave the field out")
        return self

    @model_validator(mode="after")
    def _nothing_twice(self) -> Self:
        for name in ("sensors", "methods", "join", "rule", "extra_layers"):
            listed = getattr(self, name)
            twice = next((one for one in listed if listed.count(one) > 1), None)
            if twice is not None:
                raise ValueError(f"{name}: {twice!r} stands there twice; write it once")
        return self

    @model_validator(mode="after")
    def _box_has_area(self) -> Self:
        if not isinstance(self.area, Path):
            west, south, east, north = self.area
            told = f"area: [{west}, {south}, {east}, {north}]"
            if west == east or south >= north or abs(south) > 90 or abs(north) > 90:
                raise ValueError(f"{told} is empty; write west, south, east, north")
            width = east - west if east > west else east - west + 360.0
            if not 0 < width <= WIDEST:
                across = ", read across the antimeridian" if east < west else ""
                raise ValueError(
                    f"{told} spans {width:g}° of longitude{across}; write west, south, east, north, and one job for "
                    f"each part of at most {WIDEST:.0f}°"
                )
        return self

    @model_validator(mode="after")
    def _drainage_has_elevation(self) -> Self:
        if self.drainage == COMPUTED and self.elevation is None:
            raise ValueError("drainage: is computed from elevation; add the field `elevation`, or leave `drainage` out")
        return self

    @model_validator(mode="after")
    def _delivers_what_it_maps(self) -> Self:
        if self.deliver is not None and self.deliver not in (*self.methods, *self.maps):
            raise ValueError(
                f"deliver: {self.deliver!r} is not among what the job maps, {', '.join(self.maps)}; name one of these, "
                "or add it to the methods"
            )
        return self

    @model_validator(mode="after")
    def _options_have_their_method(self) -> Self:
        for name, method in OPTION_OF.items():
            if getattr(self, name) and method not in self.methods:
                raise ValueError(f"{name}: is of the method {method}; add it to the methods, or leave the field out")
        return self

    @model_validator(mode="after")
    def _layers_have_their_sensor(self) -> Self:
        if "harmonized" in self.extra_layers and not set(self.sensors) & set(RADARS):
            raise ValueError(
                f"extra_layers: 'harmonized' is of radars, and none is among the sensors {list(self.sensors)}; add one "
                f"of {list(RADARS)}, or leave the field out"
            )
        return self

    @property
    def computes_drainage(self) -> bool:
        """Whether height above drainage is computed from the elevation."""
        return self.elevation is not None and self.drainage in (None, COMPUTED)

    @property
    def maps(self) -> tuple[str, ...]:
        """The names of the job's maps: its methods, by join and rule where these are named ("late-mean")."""
        return tuple(name for method in self.methods for name in self.maps_of(method))

    def maps_of(self, method: str) -> tuple[str, ...]:
        """The names of the maps that one method gives."""
        options: tuple[str, ...] = {"intermediate": self.join, "late": self.rules}.get(method, ())
        return tuple(f"{method}-{option}" for option in options) or (method,)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """By which rules late fusion maps."""
        return self.rule or (DEFAULT_RULE,)

    @property
    def delivered(self) -> str:
        """The map that becomes `flood_class`: what the job says, else physics, else the next best.

        Of a method with several maps it is the first.
        """
        best = next(name for name in BEST_FIRST if name in self.methods)
        chosen = best if self.deliver is None else self.deliver
        return self.maps_of(chosen)[0] if chosen in self.methods else chosen


def span(window: tuple[Moment, Moment]) -> tuple[datetime, datetime]:
    """First and last instant (UTC) of a window of days or instants."""
    first, last = window
    start = first if isinstance(first, datetime) else datetime.combine(first, time.min)
    end = last if isinstance(last, datetime) else datetime.combine(last, time.max)
    return _utc(start), _utc(end)


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def load_job(path: Path) -> Job:
    """The job of a YAML file, its paths resolved against the file's folder.

    JobError names the line and the remedy for an unknown field, sensor or method, wrong dates, an empty area.
    """
    document, lines = read_yaml(path)
    if not isinstance(document, dict):
        raise JobError(f"{path}: holds no job; it wants fields such as name, area, catalog, during, sensors")
    try:
        job = Job.model_validate(document)
    except ValidationError as problem:
        raise JobError(_explain(path, problem, lines)) from None
    return _resolved(job, path.resolve().parent)


def with_choice(job: Job, choice: Choice) -> Job:
    """The job with what the command line says of networks. JobError lists what there is of joins and rules."""
    try:
        return Job.model_validate(job.model_dump() | choice.fields | {"methods": choice.methods(job.methods)})
    except ValidationError as problem:
        raise JobError("\n".join(_remedy(error, str((*error["loc"], "")[0])) for error in problem.errors())) from None


def _resolved(job: Job, folder: Path) -> Job:
    changes: dict[str, Any] = {
        name: folder / value
        for name in ("area", *GROUND_FIELDS, "weights")
        if isinstance(value := getattr(job, name), Path)
    }
    if isinstance(job.weights, dict):
        changes["weights"] = {method: folder / path for method, path in job.weights.items()}
    if job.science.endswith((".yaml", ".yml")):
        changes["science"] = str(folder / job.science)
    if "://" not in job.catalog and not is_known(job.catalog):
        changes["catalog"] = str(folder / job.catalog)
    return job.model_copy(update=changes)


def _explain(path: Path, problem: ValidationError, lines: Lines) -> str:
    told = [_sentence(error, lines, path) for error in problem.errors()]
    return "\n".join(dict.fromkeys(told))


def _sentence(error: Any, lines: Lines, path: Path) -> str:
    place = tuple(part for part in error["loc"] if isinstance(part, int) or part in Job.model_fields or not lines)
    if error["type"] == "extra_forbidden":
        place = tuple(error["loc"])
    field = str(place[0]) if place else str(error.get("ctx", {}).get("error", "")).split(":", maxsplit=1)[0]
    line = next((lines[key] for key in (place or (field,), (field,), ()) if key in lines), 1)
    return f"{path} line {line}: {_remedy(error, field)}"


def _remedy(error: Any, field: str) -> str:
    found = error.get("input")
    if error["type"] == "extra_forbidden":
        known = list(Job.model_fields)
        near = difflib.get_close_matches(field, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; known fields: {', '.join(known)}"
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
    return f"{field}: {error['msg'].lower()} (found {found!r})"
