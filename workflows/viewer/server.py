"""A run on loopback: the page, its libraries and the run's rasters, by range; read-only, for this machine alone."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from pipeline.errors import RunError
from pipeline.run_folder import RunFolder, UnitFolder
from workflows.viewer.describe import describe
from workflows.viewer.fetch import require_fetched
from workflows.viewer.values import values_at

LOOPBACK = "127.0.0.1"
PAGE = Path(__file__).with_name("page")
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
}
BINARY, JSON = "application/octet-stream", "application/json"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
"""Of every answer: nothing runs that we did not write or pin, and no other page may read or frame it."""
EMPTY = {"Content-Length": "0"}
PIECE = 1 << 20
"""Bytes sent at once."""
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


@dataclass(frozen=True, eq=False)
class Shown:
    """What may be asked for: a table made once, so that no address can lead to another file."""

    run: RunFolder

    @cached_property
    def files(self) -> dict[str, Path]:
        """By the address's path: the page, its libraries, and the rasters that the run's items name."""
        page = {f"/{path.name}": path for path in PAGE.iterdir() if path.suffix in TYPES}
        vendor = {f"/vendor/{path.name}": path for path in require_fetched().iterdir() if path.suffix in TYPES}
        return page | {"/": PAGE / "index.html"} | vendor | self._rasters()

    def _rasters(self) -> dict[str, Path]:
        """A link that leads out of the run is not followed."""
        root = self.run.path.resolve()
        return {
            f"/units/{unit.id}/{layer}.tif": path
            for unit in self.run.units
            for layer in unit.layers
            if (path := unit.raster(layer)).resolve().is_relative_to(root)
        }

    @cached_property
    def described(self) -> bytes:
        """The run as JSON."""
        return json.dumps(describe(self.run), allow_nan=False).encode()

    @cached_property
    def units(self) -> Mapping[str, UnitFolder]:
        """Units by their id."""
        return {unit.id: unit for unit in self.run.units}

    def values(self, query: Mapping[str, list[str]]) -> bytes:
        """What the layers say of `unit`, `row`, `column`; KeyError, ValueError or IndexError where there is none."""
        unit = self.units[query["unit"][0]]
        return json.dumps(values_at(unit, int(query["row"][0]), int(query["column"][0])), allow_nan=False).encode()


class Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD to this machine's own browser, nothing else."""

    protocol_version = "HTTP/1.1"
    server_version = "overbank"
    sys_version = ""
    timeout = 60
    shown: Shown

    def do_GET(self) -> None:
        """Answer with a file, a part of it, or JSON."""
        if self._host_is_ours():
            self._answer()
        else:
            self._say(HTTPStatus.MISDIRECTED_REQUEST, b"not this host\n")

    do_HEAD = do_GET

    def _host_is_ours(self) -> bool:
        """Against DNS rebinding: a name of someone else's that resolves to 127.0.0.1 is not ours."""
        assert isinstance(self.server, Server)
        return self.headers.get("Host", "") in {f"{name}:{self.server.port}" for name in (LOOPBACK, "localhost")}

    def _answer(self) -> None:
        address = urlsplit(self.path)
        path = unquote(address.path)
        if path == "/run.json":
            self._say(HTTPStatus.OK, self.shown.described, JSON)
        elif path == "/values":
            try:
                self._say(HTTPStatus.OK, self.shown.values(parse_qs(address.query)), JSON)
            except (KeyError, ValueError, IndexError):
                self._say(HTTPStatus.NOT_FOUND, b"no such pixel\n")
        elif path in self.shown.files:
            self._send(self.shown.files[path])
        else:
            self._say(HTTPStatus.NOT_FOUND, b"not here\n")

    def _say(self, status: HTTPStatus, content: bytes, kind: str = "text/plain; charset=utf-8") -> None:
        self._head(status, {"Content-Type": kind, "Content-Length": str(len(content))})
        if self.command != "HEAD":
            self.wfile.write(content)

    def _send(self, path: Path) -> None:
        size = path.stat().st_size
        wanted = part_of(self.headers.get("Range"), size)
        if wanted is None:
            self._head(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, {"Content-Range": f"bytes */{size}"} | EMPTY)
            return
        start, stop = wanted
        told = {"Content-Type": TYPES.get(path.suffix, BINARY), "Content-Length": str(stop - start)}
        told["Accept-Ranges"] = "bytes"
        if "Range" in self.headers:
            told["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
        self._head(HTTPStatus.PARTIAL_CONTENT if "Range" in self.headers else HTTPStatus.OK, told)
        if self.command != "HEAD":
            with path.open("rb") as file:
                file.seek(start)
                for at in range(start, stop, PIECE):
                    self.wfile.write(file.read(min(PIECE, stop - at)))

    def _head(self, status: HTTPStatus, told: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in (HEADERS | told).items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing of each request: the command's own lines stay readable."""


def part_of(asked: str | None, size: int) -> tuple[int, int] | None:
    """First byte and the byte after the last that a Range header asks of a file; None where it holds no such part.

    One range alone: several at once, or another unit, are not satisfiable here.
    """
    if asked is None:
        return 0, size
    found = _RANGE.fullmatch(asked.strip())
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    start = int(first) if first else max(0, size - int(last))
    stop = min(size, int(last) + 1) if first and last else size
    return (start, stop) if start < stop else None


class Server(ThreadingHTTPServer):
    """A server whose browser may go at any time."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A page that is closed while it is being answered is no error; anything else is shown."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)

    @property
    def port(self) -> int:
        """The port that it is bound to."""
        return int(self.socket.getsockname()[1])

    @property
    def address(self) -> str:
        """Where the page is."""
        return f"http://{LOOPBACK}:{self.port}/"


def serve(run: RunFolder, port: int = 0) -> Server:
    """A server of a run on 127.0.0.1, bound and not yet answering; port 0 takes a free one.

    MissingPartError where the libraries were not fetched, RunError where the port is taken.
    """
    shown = Shown(run)
    shown.files  # noqa: B018 - what is missing is said before a browser opens
    handler: Callable[..., Handler] = type("RunHandler", (Handler,), {"shown": shown})
    try:
        return Server((LOOPBACK, port), handler)
    except OSError as problem:
        told = f"port {port} of {LOOPBACK} cannot be had ({problem.strerror}); give another --port, or 0 for a free one"
        raise RunError(told) from None
