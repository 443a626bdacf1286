"""What it takes to open a file: credentials from the environment, and no more files of a host at once than it bears."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit

from catalogs.errors import AccessError
from catalogs.hrefs import is_s3, is_web, shown
from catalogs.records import Access
from catalogs.web.s3 import is_unsigned, place
from catalogs.web.signing import host_is

_HERE = ("localhost", "127.0.0.1", "::1")


def missing_credentials(access: Access, href: str, environment: Mapping[str, str] = os.environ) -> str | None:
    """What this environment lacks to open a file, and where to get it, in one sentence; None where nothing is missing.

    Asks no server: credentials that are there may still be refused. The sentence is the same for all files of a host.
    """
    if is_s3(href):
        return _missing_keys(access, href, environment)
    if _needs_bearer(access, href) and not environment.get(str(access.bearer), "").strip():
        host = urlsplit(href).hostname
        return f"{access.bearer} is not set: an access token that {host} asks for. {_where(access)}"
    return None


def require_credentials(access: Access, href: str) -> None:
    """Raises `AccessError` where the environment lacks what a file needs."""
    missing = missing_credentials(access, href)
    if missing is not None:
        found, _, remedy = missing.partition(". ")
        raise AccessError(f"file {shown(href)}", found, "credentials in the environment", remedy)


def bearer_token(access: Access, href: str, environment: Mapping[str, str] = os.environ) -> str | None:
    """The token to send with a request for this address; None for every host that is not one of `bearer_hosts`, and
    for http without TLS, unless it is on this machine."""
    if not _needs_bearer(access, href):
        return None
    parts = urlsplit(href)
    safe = parts.scheme.lower() == "https" or parts.hostname in _HERE
    return (environment.get(str(access.bearer), "").strip() or None) if safe else None


def host_of(href: str, access: Access) -> str:
    """The host, with its port, that a web or s3 address leads to."""
    return place(access).endpoint if is_s3(href) else urlsplit(href).netloc.lower()


_places: dict[tuple[str, int], threading.BoundedSemaphore] = {}
_places_lock = threading.Lock()
_held = threading.local()


@contextmanager
def one_of_few(host: str, connections: int) -> Iterator[None]:
    """Waits until fewer than `connections` files of a host are open in this process, and counts as one of them.

    A thread that holds a place of the host already (a file read while another is open) takes no second one.
    """
    mine: set[str] = _held.__dict__.setdefault("hosts", set())
    if host in mine:
        yield
        return
    with _places_lock:
        place = _places.setdefault((host, connections), threading.BoundedSemaphore(connections))
    with place:
        mine.add(host)
        try:
            yield
        finally:
            mine.remove(host)


def _needs_bearer(access: Access, href: str) -> bool:
    return bool(access.bearer and is_web(href) and host_is(href, access.bearer_hosts))


def _missing_keys(access: Access, href: str, environment: Mapping[str, str]) -> str | None:
    names = [name for name in (access.s3_key, access.s3_secret) if not environment.get(name)]
    if is_unsigned(access, environment) or not names:
        return None
    pays = ", which bills the reader," if access.requester_pays else ""
    free = "" if access.requester_pays else " If the bucket is open to all, set AWS_NO_SIGN_REQUEST=YES."
    verb = "is" if len(names) == 1 else "are"
    bucket = f"the bucket {href.split('/')[2]}{pays} at {host_of(href, access)}"
    return f"{' and '.join(names)} {verb} not set: keys for {bucket}. {_where(access)}{free}"


def _where(access: Access) -> str:
    return access.obtain or "Your account with the provider gives it; set it in the environment."
