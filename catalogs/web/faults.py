"""What went wrong with a remote file, in the words of HTTP, and whether it helps to ask again."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from threading import local
from time import time

import requests

from catalogs.errors import AccessError, ReadError, without_secrets
from catalogs.hrefs import is_s3, is_web, shown
from catalogs.records import Access
from catalogs.times import utc
from catalogs.web.http import BUSY
from catalogs.web.signing import is_signed_by_service, signature_ends

Probe = Callable[[], requests.Response]
"""Asks the server for the first byte of the file, once."""

_STATUS = re.compile(r"response[ _]code(?: on [^:]*)?[:=] ?([45]\d\d)")
_CURL = re.compile(r"CURL error: (.+)|HTTP response code: 30\d - (.+)")
_LOST = re.compile(r"IO error during reading|Cannot read offset/size|Can not read TIFF directory")
"""What GDAL says when it could not fetch a part of a header, and goes on as if the part were not there: without it a
grid, a nodata value or tiles are silently missing."""


@dataclass(frozen=True)
class Fault:
    """One failed attempt to read a file."""

    found: str
    remedy: str
    status: int | None = None
    """HTTP status, None where no answer came or none was wrong."""
    attempts: int = 1
    """So many attempts at most make sense; `patience()` may allow fewer."""
    wait: float | None = None
    """Seconds that the server asks to wait."""

    @property
    def refused(self) -> bool:
        """Whether the server does not let us in."""
        return self.status in (401, 403)


ALWAYS = 10**6


def of_status(status: int, href: str, access: Access, wait: float | None = None) -> Fault:
    """The fault behind an HTTP status."""
    found = f"status {status}"
    if status in (401, 403):
        return Fault(f"{found} (refused)", _refused_remedy(href, access), status)
    if status in (404, 410):
        remedy = "The catalog's item is stale: search again, or take the item out of the catalog."
        return Fault(f"{found} (the file is gone)", remedy, status)
    if status == 429:
        remedy = "Try again later, or lower the catalog's `connections`."
        return Fault(f"{found} (too many requests)", remedy, status, ALWAYS, wait)
    if status in BUSY:
        return Fault(f"{found} (the server is at fault)", "Try again later.", status, ALWAYS, wait)
    return Fault(found, "Open the address by hand, and correct the item.", status)


def of_connection(text: str, href: str) -> Fault:
    """The fault behind a connection that failed, from what libcurl or urllib3 says of it."""
    lower = text.lower()
    if "resolve" in lower or "name or service" in lower or "nodename" in lower:
        return Fault("a host name that no server is known for", "Check the address and the network.", None, ALWAYS)
    if "timed out" in lower or "too slow" in lower or "timeout" in lower:
        remedy = "Try again later, or give it more time with OVERBANK_HTTP_TIMEOUT (seconds)."
        return Fault("a server that answers too slowly", remedy, None, ALWAYS)
    if "certificate" in lower or "ssl" in lower:
        return Fault(
            "a server whose certificate cannot be trusted", "Check the address and the machine's certificates."
        )
    if "disabled (in redirect)" in lower or "connection adapters" in lower:
        return Fault("a redirect to something that is not http(s)", "Do not trust this catalog: report it.")
    return Fault("a connection that was refused or cut", "Check the network, and try again later.", None, ALWAYS)


def of_reading(text: str, href: str, access: Access, probe: Probe) -> Fault:
    """The fault behind GDAL's messages; where they do not tell, the server is asked for one byte."""
    broken = _CURL.search(text)
    statuses = [int(status) for status in _STATUS.findall(text)]
    if broken:
        return of_connection(broken[1] or broken[2], href)
    if statuses and statuses[-1] not in (429, 503):  # those may say how long to wait
        return of_status(statuses[-1], href, access)
    try:
        answer = probe()
    except requests.RequestException as problem:
        return of_connection(str(problem), href)
    with answer:
        if answer.status_code >= 400 and answer.status_code != 416:
            return of_status(answer.status_code, href, access, retry_after(answer))
    if statuses:
        return of_status(statuses[-1], href, access)
    remedy = "Check the file, or take the item out of the catalog."
    return Fault(f"a file that is broken, cut short or of another format ({_last_word(text)})", remedy, None, 2)


def _last_word(text: str) -> str:
    """The deepest of GDAL's messages, which says most."""
    return without_secrets(text.strip().splitlines()[-1] if text.strip() else "no message")


def error(fault: Fault, href: str, attempts: int, expected: str = "a raster that can be read") -> ReadError:
    """The error to raise after the last attempt."""
    kind = AccessError if fault.refused else ReadError
    times = "1 attempt" if attempts == 1 else f"{attempts} attempts"
    return kind(f"file {shown(href)}", f"{fault.found}, after {times}", expected, fault.remedy)


def retry_after(answer: requests.Response) -> float | None:
    """Seconds that a server asks to wait; None where it says nothing that can be understood."""
    told = answer.headers.get("Retry-After", "").strip()
    if told.isdigit():
        return float(told)
    try:
        return max(0.0, utc(parsedate_to_datetime(told)).timestamp() - time())
    except ValueError:
        return None


def lost(messages: list[str]) -> str | None:
    """What GDAL went on without, from what it said while a file was read; None where nothing was lost."""
    return next((message for message in messages if _LOST.search(message)), None)


@contextmanager
def listening() -> Iterator[list[str]]:
    """The warnings of GDAL in this thread, as they come.

    GDAL carries on when a part of a header cannot be fetched, with a warning as the only sign.
    """
    before = getattr(_heard, "messages", None)
    messages: list[str] = []
    _heard.messages = messages
    for name in _GDAL:
        if not logging.getLogger(name).isEnabledFor(logging.WARNING):
            logging.getLogger(name).setLevel(logging.WARNING)
    try:
        yield messages
    finally:
        _heard.messages = before


class _Ear(logging.Filter):
    """Hears what GDAL tells rasterio's loggers, and cuts the secrets out of addresses before anyone else does."""

    def filter(self, record: logging.LogRecord) -> bool:
        said = record.getMessage()
        messages = getattr(_heard, "messages", None)
        if messages is not None and record.levelno >= logging.WARNING:
            messages.append(said)
        record.msg, record.args = without_secrets(said), ()
        return record.name not in _GDAL or logging.getLogger("rasterio").isEnabledFor(record.levelno)


_heard = local()
_GDAL = ("rasterio._env", "rasterio._err")
"""Loggers through which GDAL speaks."""
for _name in (*_GDAL, "rasterio._base", "rasterio._io", "urllib3.connectionpool", "urllib3.util.retry"):
    logging.getLogger(_name).addFilter(_Ear())


def _refused_remedy(href: str, access: Access) -> str:
    if is_signed_by_service(href, access):
        return (
            f"Its signature is new, from {access.token_url}: the container is not open to it; choose another catalog."
        )
    if is_s3(href):
        who = "" if access.s3_unsigned else f"Check {access.s3_key} and {access.s3_secret}, and "
        return f"{who or 'Set keys for the bucket, and '}ask its owner for the right to read."
    ends = signature_ends(href)
    if ends is not None:
        return f"The signature in its address holds until {ends:%Y-%m-%d %H:%M} UTC: search the catalog again."
    if access.bearer and is_web(href):
        return f"Get a new access token, and set {access.bearer}."
    return "The file needs credentials that its catalog does not speak of: add them to the catalog's access."
