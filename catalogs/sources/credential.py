"""A credential in a header of the search, for one host alone."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter


def send_header(session: requests.Session, address: str, name: str, value: str) -> None:
    """Send a header with every request to the host of `address`, and never elsewhere, redirects included."""
    parts = urlsplit(address)
    host = f"{parts.scheme}://{parts.netloc}/"
    session.mount(host, _WithHeader(session.get_adapter(host), name, value))


class _WithHeader(BaseAdapter):
    """Another adapter that sees each request with one header more; the request itself stays without it."""

    def __init__(self, inner: BaseAdapter, name: str, value: str) -> None:
        super().__init__()
        self.inner, self.name, self.value = inner, name, value

    def send(self, request: requests.PreparedRequest, *args: Any, **told: Any) -> requests.Response:
        sent = request.copy()
        sent.headers[self.name] = self.value
        response = self.inner.send(sent, *args, **told)
        response.request = request
        return response

    def close(self) -> None:
        self.inner.close()
