"""Real STAC servers for the tests: rustac's API process, and an API of our own that breaks every rule on demand."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

Reply = tuple[int, dict[str, str], bytes]
Page = Callable[["BrokenApi", dict[str, Any]], Reply]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def rustac_api(items: list[dict[str, Any]], folder: Path) -> Iterator[str]:
    """The address of a STAC API process that holds some items."""
    path, port = folder / "items.json", free_port()
    path.write_text(json.dumps({"type": "FeatureCollection", "features": items}))
    program = Path(sys.executable).parent / "rustac"
    with (folder / "rustac.log").open("w") as log:
        command = [str(program), "serve", "--addr", f"127.0.0.1:{port}", "--create-collections", str(path)]
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            wait_for(port, process, folder / "rustac.log")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(10)


def wait_for(port: int, process: subprocess.Popen[Any], log: Path, seconds: float = 30.0) -> None:
    """Until something listens on a port of this machine."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1.0).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"nothing listens on port {port}: {log.read_text()[-2000:]}")


class BrokenApi:
    """A STAC API whose search is one function: from itself and the query, to status, headers and body."""

    def __init__(self, page: Page, methods: tuple[str, ...] = ("GET", "POST"), declares: bool = True) -> None:
        self.page, self.methods, self.declares = page, methods, declares
        self.searches: list[dict[str, Any]] = []
        """What each search asked, its `method` and `headers` among it."""
        self.landings = 0
        handler = type("_BoundHandler", (_Handler,), {"api": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def landing(self) -> dict[str, Any]:
        links = [{"rel": "search", "href": "./search"} | ({"method": name} if self.declares else {})
                 for name in (self.methods if self.declares else ("",))]  # fmt: skip
        return {"type": "Catalog", "id": "broken", "stac_version": "1.0.0", "description": "", "links": links,
                "conformsTo": ["https://api.stacspec.org/v1.0.0/item-search"]}  # fmt: skip

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def page_of(items: list[Any], following: dict[str, Any] | None = None) -> Reply:
    """A page of items, with a link to the next one."""
    links = [following | {"rel": "next"}] if following else []
    body = json.dumps({"type": "FeatureCollection", "features": items, "links": links}).encode()
    return 200, {"Content-Type": "application/geo+json"}, body


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    api: BrokenApi
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path.rstrip("/") == "":
            self.api.landings += 1
            self.reply(200, {}, json.dumps(self.api.landing()).encode())
        else:
            self.search("GET", {key: values[0] for key, values in parse_qs(parts.query).items()})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.search("POST", json.loads(body))

    def search(self, method: str, asked: dict[str, Any]) -> None:
        self.api.searches.append(asked | {"method": method, "headers": dict(self.headers)})
        if method not in self.api.methods:
            self.reply(405, {}, b"")
            return
        self.reply(*self.api.page(self.api, asked))

    def reply(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        if int(headers.get("Content-Length", len(body))) > len(body):
            self.close_connection = True
