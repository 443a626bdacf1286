"""Small files beside scenes, from wherever the scene lies: metadata, annotation, JSON."""

from __future__ import annotations

import time
from pathlib import Path

import requests
from requests.auth import AuthBase

from catalogs.errors import ReadError
from catalogs.hrefs import check_href, is_remote, is_s3, shown
from catalogs.records import OPEN, Access
from catalogs.web import faults, s3
from catalogs.web.access import bearer_token
from catalogs.web.attempts import until_read
from catalogs.web.http import Patience, patience, session

LIMIT = 64 * 2**20
"""Bytes beyond which a file is not small."""
LONGEST = 10.0
"""Times the time-out that one body may take as a whole."""
_PIECE = 2**16
_EXPECTED = "a file that can be read"


def fetch_bytes(href: str, access: Access = OPEN, limit_bytes: int = LIMIT) -> bytes:
    """The whole content of a small file: a local path, an http(s) or an s3 address.

    Asked for again where that helps. Raises `AccessError` (credentials missing or refused), `ReadError` (gone, broken,
    larger than `limit_bytes`) or `HrefError`.
    """
    check_href(href, catalog_root="/")  # the catalog was held against it; this keeps schemes out
    if not is_remote(href):
        return _local(href, limit_bytes)
    limits = patience()
    return until_read(href, access, _EXPECTED, lambda address: _attempt(address, href, access, limits, limit_bytes))


def first_byte(address: str, href: str, access: Access) -> requests.Response:
    """The server's answer when it is asked, once, for the first byte of a file; close it."""
    return _answer(address, href, access, patience(), {"Range": "bytes=0-0"})


def _local(href: str, limit_bytes: int) -> bytes:
    try:
        with Path(href).open("rb") as source:
            content = source.read(limit_bytes + 1)
    except OSError as problem:
        found = problem.strerror or str(problem)
        raise ReadError(f"file {href}", found, _EXPECTED, "Check the file, or ingest it again.") from problem
    if len(content) > limit_bytes:
        raise _too_large(href, limit_bytes)
    return content


def _attempt(address: str, href: str, access: Access, limits: Patience, limit_bytes: int) -> bytes | faults.Fault:
    try:
        with _answer(address, href, access, limits, {}) as answer:
            if answer.status_code >= 300:
                return faults.of_status(answer.status_code, href, access, faults.retry_after(answer))
            return _body(answer, href, limits, limit_bytes)
    except requests.RequestException as problem:
        return faults.of_connection(str(problem), href)


def _body(answer: requests.Response, href: str, limits: Patience, limit_bytes: int) -> bytes:
    end = time.monotonic() + LONGEST * limits.timeout
    content = bytearray()
    for piece in answer.iter_content(_PIECE):
        content += piece
        if len(content) > limit_bytes:
            raise _too_large(href, limit_bytes)
        if time.monotonic() > end:
            raise requests.Timeout("timed out while the body was read")
    return bytes(content)


def _answer(address: str, href: str, access: Access, limits: Patience, headers: dict[str, str]) -> requests.Response:
    """One answer, unread and asked for once: who repeats it decides what went wrong first."""
    once = Patience(limits.connect, limits.timeout, 1, limits.backoff, limits.longest)
    with session(access.connections, once) as http:
        if not is_s3(href):
            token = bearer_token(access, href)
            return http.get(address, headers=headers, auth=_Bearer(token), stream=True)
        answer = _bucket(http, href, access, None, headers)
        region = answer.headers.get("x-amz-bucket-region")
        if answer.status_code in (301, 307, 400) and region and region != s3.place(access).region:
            answer.close()
            answer = _bucket(http, href, access, region, headers)
        return answer


def _bucket(
    http: requests.Session, href: str, access: Access, region: str | None, headers: dict[str, str]
) -> requests.Response:
    address = s3.web_address(href, access, region)
    auth = s3.signature(access, region) or _Bearer(None)
    return http.get(address, headers=headers, auth=auth, stream=True, allow_redirects=False)


class _Bearer(AuthBase):
    """Sends a token, or none; given always, so that requests takes no password from a .netrc in its place."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token is not None:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _too_large(href: str, limit_bytes: int) -> ReadError:
    remedy = "Check that the address is that of a metadata file."
    return ReadError(f"file {shown(href)}", "a file that is too large", f"at most {limit_bytes} bytes", remedy)
