"""Which kind of catalog a job names: a path, an address, the id of a known endpoint, or an endpoint's YAML."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

from catalogs.endpoint import SUFFIXES, Endpoint, known_endpoints, read_endpoint
from catalogs.errors import SearchError
from catalogs.hrefs import is_web
from catalogs.sources.api import api_entries, is_api, missing_collections
from catalogs.sources.credential import send_header
from catalogs.sources.documents import read_document, read_object
from catalogs.sources.folder import folder_entries
from catalogs.sources.parquet import parquet_entries
from catalogs.sources.query import Entry, Query, renamed
from catalogs.sources.static import crawl
from catalogs.web.http import session as new_session

PARQUET = (".parquet", ".geoparquet")


def entries(catalog: str | Path, query: Query, problems: list[str]) -> Iterator[Entry]:
    """What a catalog of whichever kind gives for a query; adds to `problems`. Raises `SearchError`."""
    endpoint, landing = endpoint_of(catalog), None
    with new_session(endpoint.access.connections) as session:
        credential = endpoint.credential()
        if credential is not None:
            send_header(session, endpoint.url, *credential)
        if endpoint.kind == "api":
            landing = read_object(endpoint.url, session)
        elif endpoint.kind == "static" and is_web(catalog):  # only the document itself tells of which kind it is
            document = read_document(endpoint.url, session)
            landing = document if is_api(document) else None
        yield from _entries(endpoint, landing, query, session, problems)


def endpoint_of(catalog: str | Path) -> Endpoint:
    """The endpoint that a job's `catalog` names; one made for it where it is a path or an address."""
    name = str(catalog)
    if name in known_endpoints():
        return known_endpoints()[name]
    if is_web(name):
        return _made(name, "parquet" if _bare(name).endswith(PARQUET) else "static")
    path = Path(name).expanduser().absolute()
    if path.suffix.lower() in SUFFIXES and path.is_file():
        return read_endpoint(path)
    if not path.exists():
        expected = "a catalog, a folder of items, a .parquet file, an endpoint's YAML, an http(s) address, or one of "
        remedy = "Check the path, or make a catalog with `overbank catalog ingest FOLDER --out CATALOG`."
        known = ", ".join(known_endpoints())
        raise SearchError(f"catalog {catalog}", f"no file {path}, and no such endpoint", expected + known, remedy)
    return _made(str(path), "parquet" if path.suffix.lower() in PARQUET else "static")


def _made(url: str, kind: str) -> Endpoint:
    return Endpoint.model_validate({"id": url, "title": url, "url": url, "kind": kind})


def _entries(
    endpoint: Endpoint, landing: dict[str, Any] | None, query: Query, session: requests.Session, problems: list[str]
) -> Iterator[Entry]:
    missing = missing_collections(endpoint, query)
    if missing is not None:
        problems.append(missing)
    elif landing is not None:
        yield from api_entries(endpoint, landing, query, session)
    elif endpoint.kind == "parquet":
        yield from parquet_entries(endpoint, query, session)
    else:
        ours = {theirs: mine for mine, theirs in endpoint.names().items()}
        for entry in _static(endpoint.url, session, problems):
            data = renamed(entry.data, ours)
            collection = data.get("collection") if isinstance(data, dict) else None
            yield entry._replace(data=data, access=endpoint.access_of(collection))


def _static(place: str, session: requests.Session, problems: list[str]) -> Iterator[Entry]:
    """A catalog by its links, or a folder without one by its files."""
    if is_web(place) or not Path(place).is_dir():
        return crawl(place, session, problems)
    for name in ("catalog.json", "collection.json"):
        if (Path(place) / name).is_file():
            return crawl(str(Path(place) / name), session, problems)
    return folder_entries(Path(place), session, problems)


def _bare(address: str) -> str:
    return address.partition("?")[0].lower()
