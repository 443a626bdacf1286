"""The known catalogs of the web: one YAML each, read into frozen records; a YAML of one's own works the same way."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field, ValidationError

from catalogs.errors import SearchError
from catalogs.records import OPEN, Access, Record, first_problem

ENDPOINTS = Path(__file__).parent / "endpoints"
SUFFIXES = (".yaml", ".yml")

Kind = Literal["api", "static", "parquet"]


class Header(Record):
    """A header of the search itself, sent to the endpoint's own host and to no other."""

    name: str
    variable: str
    """The environment variable that holds its value."""
    required: bool = True
    """False where the API answers without it, only slower or less often."""


class Held(Record):
    """One of our collections in an endpoint."""

    name: str | None = None
    """What the endpoint calls it; its own id where None."""
    access: Access | None = None
    """What its files ask of a reader, where that is not what the endpoint's others ask."""


class Endpoint(Record):
    """One catalog of the web, and what it takes to search it and to read its files."""

    id: str
    title: str
    url: str
    """An http(s) address; of a file of one's own also a path, from the file's folder."""
    kind: Kind = "api"
    access: Access = OPEN
    header: Header | None = None
    collections: dict[str, Held] = Field(default_factory=dict)
    """Which of our collections it holds, by our id; where none is given the API is asked."""
    source: str = ""
    """Where this is documented."""

    def names(self) -> Mapping[str, str]:
        """Our id of each collection → the endpoint's."""
        return {ours: held.name or ours for ours, held in self.collections.items()}

    def access_of(self, collection: object) -> Access:
        """What the files of one of our collections ask of a reader."""
        held = self.collections.get(collection) if isinstance(collection, str) else None
        return held.access if held is not None and held.access is not None else self.access

    def credential(self, environment: Mapping[str, str] = os.environ) -> tuple[str, str] | None:
        """Name and value of the search's header; None where there is none. Raises `SearchError` where it is missing."""
        if self.header is None:
            return None
        value = environment.get(self.header.variable)
        if value:
            return self.header.name, value
        if not self.header.required:
            return None
        found = f"no environment variable {self.header.variable}"
        remedy = f"Set {self.header.variable} to the key that {self.title} gave you."
        raise SearchError(f"endpoint {self.id}", found, f"a key for the header {self.header.name}", remedy)


@cache
def known_endpoints(folder: Path = ENDPOINTS) -> Mapping[str, Endpoint]:
    """All endpoints of a folder, by their id. Raises `SearchError` for a YAML that does not fit."""
    records = [read_endpoint(path) for path in sorted(folder.glob("*.yaml"))]
    return {record.id: record for record in records}


def is_known(catalog: str | Path) -> bool:
    """Whether a job's `catalog` is the id of a known endpoint; a folder of that name is written ./NAME."""
    return str(catalog) in known_endpoints()


def read_endpoint(path: Path) -> Endpoint:
    """The endpoint of a YAML file; a path in `url` starts at the file's folder. Raises `SearchError`."""
    try:
        endpoint = Endpoint.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, yaml.YAMLError) as error:
        found = first_problem(error) if isinstance(error, ValidationError) else str(error)
        remedy = "Correct the YAML."
        raise SearchError(f"endpoint file {path}", found, "the fields of catalogs/endpoint.py", remedy) from error
    if "://" in endpoint.url:
        return endpoint
    return endpoint.model_copy(update={"url": str((path.absolute().parent / endpoint.url).resolve())})
