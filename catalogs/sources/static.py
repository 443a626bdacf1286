"""A static catalog, on this disk or over HTTP: its links are followed, each document once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, NamedTuple

import requests

from catalogs.errors import BrokenOffError, SearchError
from catalogs.hrefs import is_web
from catalogs.records import OPEN
from catalogs.sources.documents import read_document, resolved
from catalogs.sources.query import Entry

MOST_DOCUMENTS = 50_000
"""Documents of one catalog that are read."""
TOGETHER = 64
"""Documents that are asked for at once; a host gets no more than `Access.connections` of them at a time."""


class _Linked(NamedTuple):
    relation: str
    """root, child or item."""
    address: str


class _Read(NamedTuple):
    link: _Linked
    data: Any
    """None where it could not be read."""
    problem: SearchError | None


def crawl(root: str, session: requests.Session, problems: list[str]) -> Iterator[Entry]:
    """Every item that a catalog's links lead to, in the order of the links; adds to `problems`.

    `root` is a path or an http(s) address: a catalog, a collection, an item, or a list of items. One document that is
    missing or broken is a problem. Raises `BrokenOffError` where a server cannot be read, or the catalog has no end;
    `SearchError` where the root itself is no catalog.
    """
    waiting, seen = [_Linked("root", root)], {root}
    while waiting:
        following: list[_Linked] = []
        for read in _documents(waiting, session):
            yield from _entries(read, problems)
            for link in _links(read, problems):
                if link.address not in seen:
                    seen.add(link.address)
                    following.append(link)
        if len(seen) > MOST_DOCUMENTS:
            remedy = "Give a part of it: one of its collections."
            raise BrokenOffError(f"catalog {root}", f"over {MOST_DOCUMENTS} documents", "a smaller catalog", remedy)
        waiting = following


def items_in(data: Any) -> list[Any] | None:
    """The items of a document: of one item, a FeatureCollection or a list; None where it is something else."""
    if isinstance(data, list):
        return data
    kind = data.get("type") if isinstance(data, dict) else None
    if kind == "FeatureCollection":
        features = data.get("features")
        return features if isinstance(features, list) else None
    return [data] if kind == "Feature" else None


def _documents(links: list[_Linked], session: requests.Session) -> Iterator[_Read]:
    """The documents of some links, in their order; those of the web at the same time."""
    if not any(is_web(link.address) for link in links):
        yield from (_read(link, session) for link in links)
        return
    remaining = iter(links)
    with ThreadPoolExecutor(OPEN.connections) as pool:
        while some := list(islice(remaining, TOGETHER)):
            yield from pool.map(lambda link: _read(link, session), some)


def _read(link: _Linked, session: requests.Session) -> _Read:
    try:
        return _Read(link, read_document(link.address, session), None)
    except BrokenOffError:
        raise
    except SearchError as problem:
        if link.relation == "root":
            raise
        return _Read(link, None, problem)


def _entries(read: _Read, problems: list[str]) -> Iterable[Entry]:
    address = read.link.address
    if read.problem is not None:
        problems.append(str(read.problem))
        return ()
    items = items_in(read.data)
    if items is not None and not (read.link.relation == "root" and not items):
        return (Entry(_name(address, item, len(items)), item, address) for item in items)
    if isinstance(read.data, dict) and read.data.get("type") in ("Catalog", "Collection"):
        return ()
    found = f"type {read.data.get('type')!r}" if isinstance(read.data, dict) else f"a JSON {type(read.data).__name__}"
    expected = "a STAC catalog, collection or item"
    if read.link.relation == "root":
        raise SearchError(f"catalog {address}", found, expected, "Give its catalog.json.")
    problems.append(f"file {address}: found {found}; expected {expected}. Take its link out of the catalog.")
    return ()


def _name(address: str, item: Any, count: int) -> str:
    identifier = item.get("id") if isinstance(item, dict) else None
    return address if count == 1 else f"{address} ({identifier})"


def _links(read: _Read, problems: list[str]) -> Iterator[_Linked]:
    """Children and items of a catalog or collection."""
    if not isinstance(read.data, dict) or read.data.get("type") not in ("Catalog", "Collection"):
        return
    links = read.data.get("links")
    for link in links if isinstance(links, list) else []:
        relation, href = (link.get("rel"), link.get("href")) if isinstance(link, dict) else (None, None)
        if relation not in ("child", "item"):
            continue
        try:
            yield _Linked(str(relation), resolved(str(href), read.link.address))
        except SearchError as problem:
            problems.append(str(problem))
