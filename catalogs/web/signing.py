"""Signatures for files in Azure, fetched when a pixel is read and kept until shortly before they expire.

The protocol is that of Planetary Computer: GET {service}/{account}/{container} answers {"token": …, "msft:expiry": …};
the token is a query that opens every file of the container (a shared access signature, SAS).
"""

from __future__ import annotations

import re
import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import requests

from catalogs.errors import AccessError
from catalogs.hrefs import is_web, shown
from catalogs.records import Access
from catalogs.times import utc
from catalogs.web.http import session

RENEWED_BEFORE = 120.0
"""Seconds before its end at which a signature is not used for a new file any more (at the latest at half its life)."""
SIGNATURE = re.compile(r"s[eiprstv]|srt|spr|sig|sdd|skoid|sktid|skt|sk[esv]|saoid|suoid|scid|rsc[cdelt]")
"""Parameters of a query that belong to a shared access signature."""


@dataclass(frozen=True)
class _Token:
    query: str
    good_until: float
    """Seconds since 1970 up to which new reads take it."""


_tokens: dict[str, _Token] = {}
_locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)


def signed(href: str, access: Access, refused: str | None = None) -> str:
    """The address with a signature that holds, where its catalog has a service for that host; else unchanged.

    A signature that the address already carries is put aside: it may have expired since the search. `refused` is an
    address signed here that the server did not take: its signature is renewed, once for all threads. Raises
    `AccessError` when the service gives none.
    """
    if not is_signed_by_service(href, access):
        return href
    plain = unsigned(href, access)
    service = _service(plain, access)
    with _locks[service]:  # one request a container, however many threads ask
        token = _tokens.get(service)
        if token is None or time.time() >= token.good_until or _joined(plain, token.query) == refused:
            token = _tokens[service] = _fetched(service)
    return _joined(plain, token.query)


def unsigned(href: str, access: Access) -> str:
    """The address without the signature that would expire; unchanged where its catalog has no service to renew it."""
    if not is_signed_by_service(href, access):
        return href
    parts = urlsplit(href)
    kept = [part for part in parts.query.split("&") if part and not SIGNATURE.fullmatch(part.partition("=")[0])]
    return parts._replace(query="&".join(kept)).geturl()


def is_signed_by_service(href: str, access: Access) -> bool:
    """Whether the catalog has a service of signatures for this address."""
    return bool(access.token_url and is_web(href) and host_is(href, access.token_hosts))


def host_is(href: str, ends: tuple[str, ...]) -> bool:
    """Whether an address's host is one of these, or lies below one of them."""
    host = (urlsplit(href).hostname or "").lower()
    return any(host == end.lower().lstrip(".") or host.endswith("." + end.lower().lstrip(".")) for end in ends)


def signature_ends(href: str) -> datetime | None:
    """When the signature in an address ends, as it says itself; None where it has none that names its end.

    Azure (`se`), AWS and Google version 4 (`X-Amz-Date` and `X-Amz-Expires`), CloudFront and version 2 (`Expires`).
    """
    try:
        query = {name.lower(): value for name, value in parse_qsl(urlsplit(href).query)}
        if "se" in query:
            return utc(datetime.fromisoformat(query["se"]))
        for maker in ("x-amz", "x-goog"):
            if f"{maker}-date" in query and f"{maker}-expires" in query:
                begin = datetime.strptime(query[f"{maker}-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
                return begin + timedelta(seconds=int(query[f"{maker}-expires"]))
        return datetime.fromtimestamp(int(query["expires"]), UTC) if "expires" in query else None
    except (ValueError, OverflowError, OSError):
        return None


def forget() -> None:
    """Forget all signatures of this process."""
    _tokens.clear()


def _service(plain: str, access: Access) -> str:
    parts = urlsplit(plain)
    account = (parts.hostname or "").split(".")[0]
    container = unquote(parts.path).lstrip("/").split("/")[0]
    if not container:
        remedy = "Correct the item's address: https://account.host/container/file."
        raise AccessError(f"file {shown(plain)}", "no container in its address", "one to ask a signature for", remedy)
    return f"{str(access.token_url).rstrip('/')}/{account}/{quote(container, safe='')}"


def _fetched(service: str) -> _Token:
    """A new signature, or `AccessError`."""
    now = time.time()
    try:
        with session() as http:
            answer = http.get(service, headers={"Cache-Control": "no-cache"})
        answer.raise_for_status()
        told = answer.json()
        query, end = str(told["token"]).lstrip("?&"), utc(datetime.fromisoformat(told["msft:expiry"])).timestamp()
        return _Token(query, max(now + (end - now) / 2, end - RENEWED_BEFORE))
    except requests.JSONDecodeError:
        found = "an answer that is no JSON"
    except requests.HTTPError as problem:
        found = f"status {problem.response.status_code}"
    except requests.RequestException as problem:
        found = f"no answer ({type(problem).__name__})"
    except (ValueError, TypeError, KeyError) as problem:
        found = f"an answer without a token ({type(problem).__name__})"
    remedy = "Try again later; ask the catalog's operator if it lasts."
    raise AccessError(f"signature service {shown(service)}", found, "a token and its expiry", remedy)


def _joined(plain: str, query: str) -> str:
    return f"{plain}{'&' if '?' in plain else '?'}{query}"
