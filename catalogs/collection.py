"""The known collections: one YAML each, read into frozen records."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError

from catalogs.errors import CatalogError, ItemError, UnknownCollectionError
from catalogs.records import Encoding, LandCover, MaskScheme, Quantity, Record, Sensor, Theme, first_problem

COLLECTIONS = Path(__file__).parent / "collections"
LOCAL = "overbank-local"
"""The collection of self-describing GeoTIFFs: its items carry what a YAML says of the others."""

LayerName = Literal[
    "VV", "VH", "HH", "HV", "angle", "date", "mask", "blue", "green", "red", "nir", "swir1", "swir2", "cirrus"
]
POLARIZATIONS: tuple[LayerName, ...] = ("VV", "VH", "HH", "HV")
REFLECTANCES: tuple[LayerName, ...] = ("blue", "green", "red", "nir", "swir1", "swir2", "cirrus")


class LayerRule(Record):
    """Where one layer lies in an item, and how its numbers are encoded unless the item says otherwise."""

    assets: tuple[str, ...]
    """Asset keys that may hold it; the first that is present counts."""
    band: int = 1
    encoding: Encoding = "linear"
    calibration_db: float = 0.0
    scale: float = 1.0
    offset: float = 0.0
    nodata: tuple[float, ...] = ()


class SensorFacts(Record):
    """What is true of a sensor, or of one mode of it, whatever the scene."""

    kind: Literal["radar", "optical"]
    band: Literal["C", "L"] | None = None
    platform: str
    """Where the item names none."""
    look_side: Literal["right", "left"] | None = None
    angle_range: tuple[float, float] | None = None
    """Near and far incidence angle of the mode, degrees."""
    angle_by_mode: dict[str, tuple[float, float]] = Field(default_factory=dict)
    """Where modes differ: the same by `sar:instrument_mode`."""
    noise_db: dict[str, float] = Field(default_factory=dict)
    """Noise-equivalent backscatter where the product names none, dB."""
    denoised: bool = False


class Collection(SensorFacts):
    """One known collection; the fields are explained in docs and in the YAML files themselves."""

    id: str
    title: str
    sensor: Sensor
    quantity: Quantity
    layers: dict[LayerName, LayerRule]
    mask_scheme: MaskScheme | None = None
    reference_only: bool = False
    """True for mosaics over months; an item of at most three days is an ordinary pass all the same."""
    offset_by_baseline: bool = False
    """True where Sentinel-2's -0.1 depends on the processing baseline."""
    requester_pays: bool = False
    """True where the reader pays for the transfer although the items do not say so."""
    preference: int = 0
    """Where the same pass is in two collections, the one with the higher number is read."""
    date_epochs: dict[str, date] = Field(default_factory=dict)
    """By platform: the day that the `date` layer counts from."""
    licence: str
    source: str


class SelfDescribing(Record):
    """A collection whose items say everything but what is true of their sensor anyway."""

    id: str
    title: str
    sensors: dict[Sensor, SensorFacts]
    licence: str
    source: str


class AncillaryCollection(Record):
    """What is known of the ground beforehand: elevation, drainage, surface water or land cover. No flood is in it."""

    id: str
    title: str
    theme: Theme
    assets: tuple[str, ...]
    """Asset keys that may hold it; the first that is present counts."""
    band: int = 1
    scale: float = 1.0
    offset: float = 0.0
    nodata: tuple[float, ...] = ()
    """File values that mean "not known"."""
    legend: dict[int, LandCover] = Field(default_factory=dict)
    """Land cover only: file value → land cover of this project; a value that is not there is not known."""
    at_least: float | None = None
    """Surface water only: the value from which a pixel is permanent or seasonal water."""
    self_described: bool = False
    """True where the items say band, scale, nodata, legend and at_least themselves (`overbank:*`)."""
    licence: str
    source: str


AnyCollection = Collection | SelfDescribing | AncillaryCollection


@cache
def known_collections(folder: Path = COLLECTIONS) -> Mapping[str, AnyCollection]:
    """All collections of a folder, by their id. Raises `CatalogError` for a YAML that does not fit."""
    records = [_read(path) for path in sorted(folder.glob("*.yaml"))]
    return {record.id: record for record in records}


def collection_for(identifier: str | None, properties: Mapping[str, Any]) -> Collection:
    """The record for an item of collection `identifier`, made from its properties where it describes itself.

    Raises `UnknownCollectionError`, which lists the known ones, or `ItemError` for an incomplete description.
    """
    known = known_collections()
    if identifier is None or identifier not in known:
        raise UnknownCollectionError(
            f"collection {identifier!r}",
            "an id that is not known",
            f"one of {', '.join(known)}",
            "Add a YAML to catalogs/collections, or ingest the files with `overbank catalog ingest`.",
        )
    record = known[identifier]
    if isinstance(record, AncillaryCollection):
        found, expected = f"a collection of ancillary data ({record.theme})", "a collection of a sensor"
        raise UnknownCollectionError(f"collection {identifier!r}", found, expected, "Use it as a field of the job.")
    return record if isinstance(record, Collection) else _described(record, properties)


def ancillary_collections(theme: Theme | None = None) -> Mapping[str, AncillaryCollection]:
    """The known collections of ancillary data, by their id; of one theme, or of all."""
    found = {name: record for name, record in known_collections().items() if isinstance(record, AncillaryCollection)}
    return {name: record for name, record in found.items() if theme in (None, record.theme)}


def _read(path: Path) -> AnyCollection:
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    model: type[AnyCollection] = Collection
    if "sensors" in data or "theme" in data:
        model = SelfDescribing if "sensors" in data else AncillaryCollection
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise CatalogError(
            f"collection file {path}",
            first_problem(error),
            "the fields of collection.py",
            "Correct the YAML.",
        ) from error


def _described(record: SelfDescribing, properties: Mapping[str, Any]) -> Collection:
    """A `Collection` from the `overbank:*` properties of one item."""
    sensor = properties.get("overbank:sensor")
    facts = record.sensors.get(sensor) if isinstance(sensor, str) else None  # type: ignore[call-overload]
    if facts is None:
        raise ItemError(
            f"item of collection {record.id}",
            f"overbank:sensor {sensor!r}",
            f"one of {', '.join(record.sensors)}",
            "Ingest the files again with `overbank catalog ingest`.",
        )
    fields = {name: getattr(facts, name) for name in SensorFacts.model_fields}
    fields |= {name: getattr(record, name) for name in ("id", "title", "licence", "source")}
    for name in ("sensor", "quantity", "layers", "mask_scheme"):
        fields[name] = properties.get(f"overbank:{name}")
    try:
        return Collection.model_validate(fields)
    except ValidationError as error:
        raise ItemError(
            f"item of collection {record.id}",
            first_problem(error),
            "overbank:sensor, overbank:quantity and overbank:layers",
            "Ingest the files again with `overbank catalog ingest`.",
        ) from error
