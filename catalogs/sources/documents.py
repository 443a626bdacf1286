"""JSON documents of catalogs, on this disk or over HTTP, by one function."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import requests

from catalogs.errors import BrokenOffError, SearchError
from catalogs.hrefs import is_web
from catalogs.web.http import patience

MOST_BYTES = 256 * 2**20
"""Largest document that is read."""
MISSING = (403, 404, 410)
"""Answers for a document that is not there; object stores say 403 of what does not exist."""
_CORRECT = "Correct the file, or take its link out of the catalog."
_REMEDIES = {
    401: "Set the credentials that the catalog asks for (`header` in its endpoint YAML).",
    403: "Ask the provider for access, or check the credentials that the endpoint's YAML names.",
    404: "Check the address.",
    410: "Check the address.",
    429: "Wait, and run fewer jobs at the same time.",
}
_LATER = "The server is in trouble: run the same command again later."


def read_document(address: str, session: requests.Session) -> Any:
    """What the JSON at a path or an http(s) address holds.

    Raises `SearchError` where this one document is missing or broken, `BrokenOffError` where the server is to blame.
    """
    content = _fetched(address, session) if is_web(address) else _read(address)
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        begins = content[:60].decode("utf-8", "replace").strip()
        found = f"{type(error).__name__}: {error}, in what begins with {begins!r}"
        raise SearchError(f"file {address}", found, "JSON", _CORRECT) from error


def read_object(address: str, session: requests.Session) -> dict[str, Any]:
    """A document that must hold a JSON object; errors as those of `read_document`."""
    data = read_document(address, session)
    if not isinstance(data, dict):
        raise SearchError(f"file {address}", f"a JSON {type(data).__name__}", "a JSON object", _CORRECT)
    return data


def resolved(href: str, base: str) -> str:
    """The address that a link in the document at `base` leads to; an href off the web never leads onto this disk.

    Raises `SearchError`.
    """
    if is_web(href):
        return href.partition("#")[0]
    if is_web(base):
        joined = urljoin(base, href).partition("#")[0]
        if is_web(joined):
            return joined
    elif "://" not in href:
        return str((Path(base).parent / href).resolve())
    raise SearchError(f"{base}: the link {href!r}", "another scheme", "a relative, http or https address", _CORRECT)


def answer_problem(thing: str, status: int, told: str = "") -> SearchError:
    """The error for an answer that is none: `BrokenOffError` unless only this one document is gone."""
    kind = SearchError if status in MISSING else BrokenOffError
    found = f"HTTP {status}" + (f" ({' '.join(told.split())[:200]})" if told else "")
    return kind(thing, found, "HTTP 200", _REMEDIES.get(status, _LATER))


def unreachable(thing: str, problem: Exception) -> BrokenOffError:
    """The error for a server that does not answer, or not to the end."""
    remedy = "Check the address and the network, or run the same command again later."
    return BrokenOffError(thing, f"{type(problem).__name__}: {problem}", "an answer", remedy)


def _read(path: str) -> bytes:
    try:
        if Path(path).stat().st_size > MOST_BYTES:
            raise _too_large(path)
        return Path(path).read_bytes()
    except OSError as error:
        raise SearchError(f"file {path}", f"{type(error).__name__}: {error}", "a JSON file", _CORRECT) from error


def _fetched(address: str, session: requests.Session) -> bytes:
    """The body of an address. A body that breaks off is asked for again: streamed ones the session does not repeat."""
    limits = patience()
    for attempt in range(1, int(limits.attempts) + 1):
        try:
            return _body(address, session)
        except requests.RequestException as problem:
            if attempt >= limits.attempts or not isinstance(problem, requests.exceptions.ChunkedEncodingError):
                raise unreachable(f"file {address}", problem) from problem
            time.sleep(limits.pause(attempt))
    raise AssertionError("unreachable: the last attempt returns or raises")


def _body(address: str, session: requests.Session) -> bytes:
    with session.get(address, stream=True) as response:
        if response.status_code != 200:
            raise answer_problem(f"file {address}", response.status_code)
        content = bytearray()
        for piece in response.iter_content(2**18):
            content += piece
            if len(content) > MOST_BYTES:
                raise _too_large(address)
        return bytes(content)


def _too_large(address: str) -> SearchError:
    remedy = "Split it, or write it as stac-geoparquet."
    return SearchError(f"file {address}", f"more than {MOST_BYTES >> 20} MiB", "a smaller document", remedy)
