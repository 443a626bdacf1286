"""What an analyst asks for: where, when, which sensors, which methods. Frozen and closed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from catalogs.endpoint import is_known
from catalogs.records import Sensor
from models.contract import Rule
from pipeline.errors import JobError
from pipeline.job_ground import COMPUTED, GROUND_FIELDS, CollectionId
from pipeline.job_methods import (
    BEST_FIRST,
    DEFAULT_METHODS,
    DEFAULT_RULE,
    OPTION_OF,
    Choice,
    Joins,
    MethodName,
    Rules,
    Weights,
)
from pipeline.job_mistakes import explain, remedy
from pipeline.job_windows import During, Moment, Window, require_order, span
from pipeline.yaml_lines import read_yaml

ExtraLayer = Literal["harmonized"]
RADARS: tuple[Sensor, ...] = ("sentinel-1", "alos-2")
Degrees = Annotated[float, Field(ge=-360, le=360, allow_inf_nan=False)]
WIDEST = 180.0
"""Degrees of longitude that a box or one polygon may span."""


class Record(BaseModel):
    """Frozen and closed: an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Job(Record):
    """One flood, to be mapped. Validation touches no disk and no network."""

    name: str = Field(min_length=1)
    """What the map is called."""
    area: tuple[Degrees, Degrees, Degrees, Degrees] | Path
    """West, south, east, north in degrees, or a GeoJSON or GeoPackage file. West > east is a box across the
    antimeridian; longitudes beyond ±180 say the same."""
    catalog: str
    """Path of a catalog, a folder of items or a stac-geoparquet file, an http(s) address, or a known endpoint's id."""
    during: During
    """First and last day of the flood window (the last one included), or several such windows by name: a map each, and
    what they say together (`pipeline.series`)."""
    before: Window | None = None
    """First and last day of the window that shows the ground before the flood."""
    at: Moment | None = None
    """The instant whose state is mapped; by default that of the latest radar pass of the flood window."""
    sensors: tuple[Sensor, ...] = Field(default=("sentinel-1", "alos-2", "sentinel-2"), min_length=1)
    """Whose scenes are read."""
    methods: tuple[MethodName, ...] = Field(default=DEFAULT_METHODS, min_length=1)
    """By which ways maps are made, one or several maps each."""
    join: Joins = ()
    """How `intermediate` joins its sensors: one or several, a map each; by default as its weights do."""
    rule: Rules = ()
    """How `late` makes one map of its experts': one or several, a map each; by default `gate`."""
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
        require_order(self.during, self.before)
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
    def by_window(self) -> dict[str, Job]:
        """A job for each of several flood windows, by name in the order of time; of one window none."""
        if not isinstance(self.during, dict):
            return {}
        ordered = sorted(self.during.items(), key=lambda one: span(one[1])[::-1])
        return {
            name: self.model_copy(update={"name": f"{self.name}, {name}", "during": window}) for name, window in ordered
        }

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
        raise JobError(explain(path, problem, lines, tuple(Job.model_fields))) from None
    return _resolved(job, path.resolve().parent)


def with_choice(job: Job, choice: Choice) -> Job:
    """The job with what the command line says of networks. JobError lists what there is of joins and rules."""
    try:
        return Job.model_validate(job.model_dump() | choice.fields | {"methods": choice.methods(job.methods)})
    except ValidationError as problem:
        known = tuple(Job.model_fields)
        told = [remedy(error, str((*error["loc"], "")[0]), known) for error in problem.errors()]
        raise JobError("\n".join(told)) from None


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
