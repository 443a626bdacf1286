"""HTTP for catalogs and the small files beside scenes: one set of rules on waiting, repeating and giving up.

Rasters are read by GDAL's own client (`catalogs.opening`), which is told the same numbers.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import ChunkedEncodingError, ConnectionError
from urllib3 import BaseHTTPResponse
from urllib3.exceptions import InvalidHeader
from urllib3.util.retry import Retry

from catalogs.errors import CatalogError
from catalogs.records import OPEN

BUSY = (429, 500, 502, 503, 504)
"""Answers that may be another one a moment later."""


@dataclass(frozen=True)
class Patience:
    """How long a server is waited for and how often it is asked; each field may be set in the environment."""

    connect: float = 10.0
    """Seconds for a connection to come about: OVERBANK_HTTP_CONNECT."""
    timeout: float = 30.0
    """Seconds without a byte, after which a connection counts as dead: OVERBANK_HTTP_TIMEOUT."""
    attempts: int = 4
    """How often the same thing is asked for, the first time included: OVERBANK_HTTP_ATTEMPTS."""
    backoff: float = 0.5
    """Seconds before the second attempt, doubled each time, give or take a half: OVERBANK_HTTP_BACKOFF."""
    longest: float = 60.0
    """Longest wait in seconds between two attempts, whatever Retry-After says: OVERBANK_HTTP_LONGEST."""

    def pause(self, failures: int) -> float:
        """Seconds to wait after so many failures; random, so that many readers do not come back at once."""
        return min(self.longest, self.backoff * 2.0 ** (failures - 1) * random.uniform(0.5, 1.5))


def patience(environment: Mapping[str, str] = os.environ) -> Patience:
    """The patience of this process: the defaults, changed by the environment.

    Raises `CatalogError` where a variable holds no number above 0.
    """
    changes: dict[str, Any] = {}
    for field in fields(Patience):
        name = f"OVERBANK_HTTP_{field.name.upper()}"
        if name in environment:
            kind = int if field.name == "attempts" else float
            changes[field.name] = _positive(name, environment[name], kind)
    return Patience(**changes)


def session(connections: int = OPEN.connections, limits: Patience | None = None) -> requests.Session:
    """A session that repeats what may succeed, waits as `patience()` says, and follows redirects to http(s) only.

    429 and 5xx (honouring Retry-After), refused, cut and silent connections are asked for again, POST like GET:
    searches change nothing. What the last attempt gave is returned whatever its status, or raised
    (`requests.RequestException`). All sessions of a process share their connections, at most `connections` to a
    host. With `stream=True` the body is the caller's to read and is not asked for again; close the response, or the
    host's places run out. `limits` stands in for `patience()`.
    """
    made = requests.Session()
    for scheme in ("http://", "https://"):
        made.mount(scheme, _adapter(connections, limits or patience()))
    return made


def _positive(name: str, text: str, kind: type[int] | type[float]) -> float:
    try:
        value = kind(text)
    except ValueError:
        value = 0
    if not 0 < value < float("inf"):
        expected = "a whole number above 0" if kind is int else "a number above 0"
        raise CatalogError(f"environment variable {name}", repr(text), expected, "Correct it, or unset it.")
    return value


class _Again(Retry):
    """urllib3's retry, which waits like all others here, and which no server can send to sleep for a day."""

    def get_backoff_time(self) -> float:
        waits = Patience(backoff=self.backoff_factor, longest=self.backoff_max)
        return waits.pause(max(1, len(self.history)))

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        try:
            told = super().get_retry_after(response)
        except InvalidHeader:
            return None
        return None if told is None else min(told, self.backoff_max)


class _Adapter(HTTPAdapter):
    """requests' adapter, with time-outs by default and bodies that are asked for again when they break off."""

    def __init__(self, connections: int, limits: Patience) -> None:
        self._limits = limits
        retries = _Again(
            total=limits.attempts - 1,
            status_forcelist=BUSY,
            allowed_methods=None,
            raise_on_status=False,
            backoff_factor=limits.backoff,
            backoff_max=limits.longest,
        )
        super().__init__(pool_maxsize=connections, pool_block=True, max_retries=retries)

    def send(self, request: requests.PreparedRequest, *args: Any, **told: Any) -> requests.Response:
        told["timeout"] = told.get("timeout") or (self._limits.connect, self._limits.timeout)
        failures = 0
        while True:
            response = super().send(request, *args, **told)
            try:
                if not told.get("stream"):
                    response.content  # noqa: B018  (here, where it can be asked for again; requests keeps it)
                return response
            except (ChunkedEncodingError, ConnectionError):
                response.close()
                failures += 1
                if failures == self._limits.attempts:
                    raise
                time.sleep(self._limits.pause(failures))

    def close(self) -> None:
        """Nothing: all sessions of the process share it, and one that closes must not take the others' connections."""


@cache
def _adapter(connections: int, limits: Patience) -> _Adapter:
    return _Adapter(connections, limits)
