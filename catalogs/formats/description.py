"""`overbank.yaml`: the description of GeoTIFFs, checked, with the line of every mistake."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import BeforeValidator, Discriminator, Field, Tag, ValidationError, model_validator

from catalogs.collection import POLARIZATIONS, REFLECTANCES, LayerName
from catalogs.errors import DescriptionError
from catalogs.records import LandCover, MaskScheme, Quantity, Record, Sensor, Theme
from catalogs.times import utc

RADARS: tuple[Sensor, ...] = ("sentinel-1", "alos-2")
Span = tuple[datetime, datetime]
PowerScale = Literal["decibel", "power", "amplitude"]


def span_of(value: object) -> Span:
    """First and last instant (UTC) of an ISO date or date and time; a bare date is the whole day.

    Raises `ValueError` for anything else.
    """
    if isinstance(value, str):
        text = value.strip()
        bare = len(text) == len("2020-01-31")
        value = date.fromisoformat(text) if bare else datetime.fromisoformat(text)
    if isinstance(value, datetime):
        return utc(value), utc(value)
    if isinstance(value, date):
        first = datetime.combine(value, time(), UTC)
        return first, first + timedelta(days=1, seconds=-1)
    raise ValueError(f"{value!r} is not an ISO date (2020-01-31) or date and time (2020-01-31T10:30:00Z)")


def _date_rule(value: object) -> object:
    """A moment, {tag: NAME}, or a mapping from glob to moment."""
    if isinstance(value, dict) and set(value) != {"tag"}:
        return {str(pattern): span_of(moment) for pattern, moment in value.items()}
    return DateTag.model_validate(value) if isinstance(value, dict) else span_of(value)


class DateTag(Record):
    """The date stands in a metadata tag of each file."""

    tag: str


class AngleBand(Record):
    """The incidence angle, in degrees, is a band of each file."""

    band: Annotated[int, Field(ge=1)]


class Product(Record):
    """One entry of `products`: files of one kind, each file a scene."""

    files: str
    """Glob below the folder."""
    sensor: Sensor
    quantity: Quantity
    scale: PowerScale | float
    """Of radar: how power is written. Of optics: reflectance = scale · DN + offset."""
    offset: float = 0.0
    calibration_db: float | None = None
    """Of amplitudes: power is 10^(calibration_db/10) · DN²."""
    nodata: tuple[float, ...] = ()
    bands: Annotated[dict[LayerName, Annotated[int, Field(ge=1)]], Field(min_length=1)]
    date: Annotated[Span | DateTag | dict[str, Span], BeforeValidator(_date_rule)]
    angle: Literal["unknown"] | float | AngleBand = "unknown"
    mask: MaskScheme | None = None
    denoised: bool = False
    noise_db: dict[str, float] = Field(default_factory=dict)
    platform: str | None = None

    @model_validator(mode="after")
    def _fits_the_sensor(self) -> Product:
        problem = _radar_problem(self) if self.sensor in RADARS else _optical_problem(self)
        if problem:
            raise ValueError(problem)
        return self


def _radar_problem(product: Product) -> str | None:
    if product.quantity not in ("gamma0", "sigma0"):
        return f"quantity of {product.sensor} must be gamma0 or sigma0, not {product.quantity}"
    if not isinstance(product.scale, str):
        return f"scale of {product.sensor} must be one of {', '.join(get_args(PowerScale))}"
    if product.scale == "amplitude" and product.calibration_db is None:
        return "an amplitude needs calibration_db (ALOS-2: -83)"
    return _band_problem(product, (*POLARIZATIONS, "angle", "mask", "date"), POLARIZATIONS)


def _optical_problem(product: Product) -> str | None:
    if product.quantity not in ("surface_reflectance", "toa_reflectance"):
        return f"quantity of {product.sensor} must be a reflectance, not {product.quantity}"
    if isinstance(product.scale, str):
        return f"scale of {product.sensor} must be a number, for example 0.0001"
    if not {"green", "nir"} <= set(product.bands):
        return f"bands of {product.sensor} must hold green and nir: every water index needs both"
    return _band_problem(product, (*REFLECTANCES, "mask"), REFLECTANCES)


def _band_problem(product: Product, allowed: tuple[str, ...], wanted: tuple[str, ...]) -> str | None:
    strange = [name for name in product.bands if name not in allowed]
    if strange:
        return f"bands of {product.sensor} cannot hold {', '.join(strange)}; they are {', '.join(allowed)}"
    if not any(name in product.bands for name in wanted):
        return f"bands must hold at least one of {', '.join(wanted)}"
    if ("mask" in product.bands) != (product.mask is not None):
        return "a mask band needs `mask:` with the scheme of its values, and the scheme needs a mask band"
    return None


class GroundProduct(Record):
    """One entry of `products` that is no scene: elevation, height above drainage, surface water or land cover."""

    files: str
    """Glob below the folder."""
    theme: Theme
    date: Annotated[Span | DateTag | dict[str, Span], BeforeValidator(_date_rule)]
    band: Annotated[int, Field(ge=1)] = 1
    scale: float = 1.0
    """Of elevation and height above drainage: metres = scale · DN + offset."""
    offset: float = 0.0
    nodata: tuple[float, ...] = ()
    at_least: float = 1.0
    """Of surface water: the value from which a pixel is permanent or seasonal water."""
    legend: dict[int, LandCover] = Field(default_factory=dict)
    """Of land cover: file value → land cover."""

    @model_validator(mode="after")
    def _fits_the_theme(self) -> GroundProduct:
        own: dict[Theme, set[str]] = {
            "elevation": {"scale", "offset"},
            "surface-water": {"at_least"},
            "land-cover": {"legend"},
            "height-above-drainage": {"scale", "offset"},
        }
        strange = self.model_fields_set & (set().union(*own.values()) - own[self.theme])
        if strange:
            raise ValueError(f"{', '.join(sorted(strange))} does not belong to the theme {self.theme}")
        if self.theme == "land-cover" and not self.legend:
            raise ValueError(f"land cover needs a legend: file value → one of {', '.join(get_args(LandCover))}")
        return self


SCENE, GROUND = "a scene", "the ground"
"""Names of the two kinds of entries; no field is called so."""


def _kind(entry: object) -> str:
    return GROUND if isinstance(entry, GroundProduct) or (isinstance(entry, dict) and "theme" in entry) else SCENE


AnyProduct = Annotated[Annotated[Product, Tag(SCENE)] | Annotated[GroundProduct, Tag(GROUND)], Discriminator(_kind)]


class Description(Record):
    """The whole file."""

    products: Annotated[tuple[AnyProduct, ...], Field(min_length=1)]


_GROUND_FIELDS = [name for name in GroundProduct.model_fields if name != "theme"]

Lines = dict[tuple[str | int, ...], int]
"""Place in the YAML → line, from 1."""


def load_description(path: Path) -> tuple[Description, Lines]:
    """Read and check a description. Raises `DescriptionError` that names the line and the remedy."""
    try:
        text = path.read_text(encoding="utf-8")
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        found = " ".join(str(error).split())
        raise DescriptionError(str(path), found, "a YAML file", "docs/jobs.md lists its fields.") from error
    lines: Lines = {(): 1}
    _collect_lines(path, tree, (), lines)
    try:
        return Description.model_validate(data), lines
    except ValidationError as error:
        raise _mistake(path, error, lines) from error


def line_of(lines: Lines, place: tuple[str | int, ...]) -> int:
    """The line of a place, or of the nearest one that encloses it."""
    while place not in lines:
        place = place[:-1]
    return lines[place]


def mistake_at(path: Path, line: int, found: str, expected: str, remedy: str) -> DescriptionError:
    """An error that points to a line of the description."""
    return DescriptionError(f"{path}, line {line}", found, expected, remedy)


def _collect_lines(path: Path, node: yaml.Node | None, place: tuple[str | int, ...], lines: Lines) -> None:
    """Fill `lines`; a key that stands twice is a mistake, for YAML would silently take the last."""
    if isinstance(node, yaml.SequenceNode):
        for index, child in enumerate(node.value):
            lines[(*place, index)] = child.start_mark.line + 1
            _collect_lines(path, child, (*place, index), lines)
    elif isinstance(node, yaml.MappingNode):
        for key, child in node.value:
            here = (*place, str(key.value))
            line = key.start_mark.line + 1
            if here in lines:
                raise mistake_at(path, line, f"{key.value!r} a second time", "each key once", "Take one out.")
            lines[here] = line
            _collect_lines(path, child, here, lines)


def _mistake(path: Path, error: ValidationError, lines: Lines) -> DescriptionError:
    """The first mistake, with all that pydantic says of the same field."""
    problems = error.errors(include_url=False)
    for problem in problems:
        problem["loc"] = tuple(part for part in problem["loc"] if part not in (SCENE, GROUND))
    place = tuple(str(part) if not isinstance(part, int) else part for part in problems[0]["loc"])
    while place not in lines and place:
        place = place[:-1]
    same = [p for p in problems if tuple(p["loc"])[: len(place)] == place]
    found = "; ".join(dict.fromkeys(_sentence(p["type"], p["loc"], p["msg"]) for p in same[:4]))
    name = ".".join(str(part) for part in place if not isinstance(part, int)) or "the file"
    expected = _expected(name)
    return mistake_at(path, line_of(lines, place), f"in {name}: {found}", expected, "Correct that line.")


def _sentence(kind: str, place: tuple[str | int, ...], message: str) -> str:
    if kind == "extra_forbidden":
        return f"the unknown field {place[-1]!r}"
    return f"{place[-1]!r} is missing" if kind == "missing" else message.removeprefix("Value error, ")


def _expected(name: str) -> str:
    fields: Mapping[str, Any] = Product.model_fields | GroundProduct.model_fields
    hints = {
        "theme": f"one of {', '.join(get_args(Theme))}",
        "legend": f"file value: one of {', '.join(get_args(LandCover))}",
        "scale": "decibel, power, amplitude, or a number for optics",
        "bands": f"a band number for each of {', '.join(get_args(LayerName))}",
        "date": "an ISO date, {tag: NAME}, or a mapping from glob to date",
        "angle": "unknown, degrees as a number, or {band: NUMBER}",
    }
    for part in reversed(name.split(".")):
        if part in hints or part in fields:
            return hints.get(part, f"a valid {part}")
    return f"products, each with the fields {', '.join(Product.model_fields)}; or theme, {', '.join(_GROUND_FIELDS)}"
