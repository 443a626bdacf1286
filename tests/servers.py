"""Real servers on real sockets for the tests: files with byte ranges, faults on demand, and signatures that expire."""

from __future__ import annotations

import json
import re
import socket
import struct
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

import requests

_RANGE = re.compile(r"bytes=(\d+)-(\d*)$")


@dataclass(frozen=True)
class Answer:
    """One answer that is not the file: a status, or the file cut, delayed or led elsewhere."""

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut: bool = False
    """Half of the promised bytes, then the end of the connection."""
    reset: bool = False
    """No answer; the connection is reset."""
    wait: float = 0.0
    """Seconds of silence before anything is sent."""

    def __str__(self) -> str:
        names = [str(self.status or ""), "cut" * self.cut, "reset" * self.reset, "slow" * bool(self.wait)]
        return "".join(names) or "fine"


FINE = Answer()
"""In a list of answers: the file as it is."""


@dataclass(frozen=True)
class Asked:
    """One request as the server saw it."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    status: int
    bytes: int
    """Of the body that was sent."""


class FileServer:
    """A folder over HTTP: byte ranges, counts, and for each path a list of answers to give before the file itself.

    With `signatures` a request needs one that still holds in its query; with `bearer` it needs that token.
    """

    def __init__(self, folder: Path, signatures: Signatures | None = None, bearer: str | None = None) -> None:
        self.folder, self.signatures, self.bearer = folder, signatures, bearer
        self.asked: list[Asked] = []
        self.busiest = 0
        """Most requests that were answered at the same time."""
        self._answers: dict[str, Iterator[Answer]] = {}
        self._busy: dict[int, int] = defaultdict(int)
        self._lock = threading.Lock()
        handler = type("_BoundHandler", (_Handler,), {"files": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, path: str, answers: Iterable[Answer]) -> None:
        """Give these answers to the next requests of `path`; afterwards the file."""
        self._answers[path] = iter(answers)

    def to(self, path: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.path == path]

    def forget(self) -> None:
        self.asked.clear()
        self._answers.clear()
        self.busiest = 0

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def next_answer(self, path: str) -> Answer:
        with self._lock:
            return next(self._answers.get(path, iter(())), FINE)

    def note(self, asked: Asked) -> None:
        with self._lock:
            self.asked.append(asked)

    def enter(self, change: int) -> None:
        with self._lock:
            self._busy[0] += change
            self.busiest = max(self.busiest, self._busy[0])


class Signatures:
    """A service like Planetary Computer's: GET /ACCOUNT/CONTAINER gives a signature; `expire` ends all given so far."""

    def __init__(self, lasts: float = 3600.0, uses: int | None = None) -> None:
        self.lasts, self.uses = lasts, uses
        self.given: list[str] = []
        self.asked: list[str] = []
        self._left: dict[str, int] = {}
        self._lock = threading.Lock()
        handler = type("_BoundTokens", (_Tokens,), {"service": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/token"

    def give(self, path: str) -> dict[str, str]:
        with self._lock:
            end = datetime.now(UTC) + timedelta(seconds=self.lasts)
            name = f"SECRET{len(self.given)}"
            self.given.append(name)
            self.asked.append(path)
            self._left[name] = self.uses if self.uses is not None else 10**9
        token = f"se={end:%Y-%m-%dT%H}%3A{end:%M}%3A{end:%S}Z&sp=rl&sig={name}%3D"
        return {"token": token, "msft:expiry": f"{end:%Y-%m-%dT%H:%M:%SZ}"}

    def expire(self) -> None:
        with self._lock:
            self._left.clear()

    def holds(self, query: str) -> bool:
        """Whether a request with this query is let in; it is counted as a use."""
        name = parse_qs(query).get("sig", [""])[0].removesuffix("=")
        with self._lock:
            self._left[name] = self._left.get(name, 0) - 1
            return self._left[name] >= 0

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are part of the tests."""


class _Quiet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def reply(self, status: int, headers: dict[str, str], body: bytes, promised: int | None = None) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if promised is None else promised))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class _Handler(_Quiet):
    files: FileServer

    def do_GET(self) -> None:
        self.files.enter(1)
        try:
            self._answer()
        finally:
            self.files.enter(-1)

    do_HEAD = do_GET

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        path = unquote(parts.path)
        answer = self.files.next_answer(path)
        time.sleep(answer.wait)
        if answer.reset:
            self._note(parts, 0, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
            return
        status, headers, body = self._file(path, parts.query)
        if answer.status is not None:
            status, headers, body = answer.status, answer.headers, answer.body
        sent = body[: len(body) // 2] if answer.cut else body
        self._note(parts, status, 0 if self.command == "HEAD" else len(sent))
        self.close_connection = self.close_connection or answer.cut
        self.reply(status, headers, sent, len(body))

    def _note(self, parts: Any, status: int, sent: int) -> None:
        path = unquote(parts.path)
        self.files.note(Asked(self.command, path, parts.query, dict(self.headers), status, sent))

    def _file(self, path: str, query: str) -> tuple[int, dict[str, str], bytes]:
        if self.files.signatures is not None and not self.files.signatures.holds(query):
            return 403, {}, b"<Error><Code>AuthenticationFailed</Code></Error>"
        if self.files.bearer is not None and self.headers.get("Authorization") != f"Bearer {self.files.bearer}":
            return 401, {}, b"who are you"
        file = (self.files.folder / path.lstrip("/")).resolve()
        if not file.is_relative_to(self.files.folder.resolve()) or not file.is_file():
            return 404, {}, b"not here"
        size = file.stat().st_size
        wanted = _RANGE.match(self.headers.get("Range", ""))
        with file.open("rb") as source:
            if not wanted:
                return 200, {"Accept-Ranges": "bytes"}, source.read()
            first, last = int(wanted[1]), min(int(wanted[2] or size - 1), size - 1)
            if first >= size:
                return 416, {"Content-Range": f"bytes */{size}"}, b""
            source.seek(first)
            return 206, {"Content-Range": f"bytes {first}-{last}/{size}"}, source.read(last - first + 1)


class _Tokens(_Quiet):
    service: Signatures

    def do_GET(self) -> None:
        body = json.dumps(self.service.give(urlsplit(self.path).path.removeprefix("/token"))).encode()
        self.reply(200, {"Content-Type": "application/json"}, body)


class Bucket:
    """An S3 service in a process of its own (moto), and the environment that leads to it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._process.stderr is not None
        told = next(line for line in self._process.stderr if "Running on http" in line)
        self.host = told.split("http://")[1].split()[0].strip("/")
        self._log = threading.Thread(target=self._process.stderr.read, daemon=True)  # or it fills the pipe
        self._log.start()

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_S3_ENDPOINT": self.host,
            "AWS_HTTPS": "NO",
            "AWS_VIRTUAL_HOSTING": "FALSE",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
        }

    def put(self, bucket: str, files: dict[str, Path]) -> None:
        """Make a bucket of these files, each under its key."""
        for key, content in [("", b""), *((f"/{key}", path.read_bytes()) for key, path in files.items())]:
            address = f"http://{self.host}/{bucket}{quote(key)}"
            requests.put(address, data=content, headers=_AWS, timeout=30).raise_for_status()

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()
        self._log.join()
        if self._process.stderr is not None:
            self._process.stderr.close()


_AWS = {"Authorization": "AWS4-HMAC-SHA256 Credential=testing/20240101/us-east-1/s3/aws4_request"}
