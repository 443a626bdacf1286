"""A file of the web that is read in pieces, as pyarrow wants to read Parquet."""

from __future__ import annotations

import io

import requests

from catalogs.errors import BrokenOffError
from catalogs.sources.documents import answer_problem, unreachable

PIECE = 2**20
"""Bytes that are asked for at a time."""


class RangeFile(io.RawIOBase):
    """An http(s) address as a file that can be sought; each read is one byte range.

    Raises `SearchError` where the server has no such file, gives no ranges, or changes the file under the reader.
    """

    def __init__(self, address: str, session: requests.Session) -> None:
        super().__init__()
        self.address, self.session = address, session
        self.position = 0
        first = self._get(0, 0)
        self.size = int(first.headers["Content-Range"].rpartition("/")[2])
        self.mark = first.headers.get("ETag")

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """Where the next read begins."""
        return self.position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move there; asks for nothing."""
        self.position = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self.position, io.SEEK_END: self.size}[whence]
        return self.position

    def readinto(self, buffer: object) -> int:
        """Fill a buffer by one request; 0 at the end."""
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        wanted = min(len(view), self.size - self.position)
        if wanted <= 0:
            return 0
        response = self._get(self.position, self.position + wanted - 1)
        if response.headers.get("ETag") != self.mark or len(response.content) != wanted:
            found = f"{len(response.content)} bytes of a file that has changed"
            raise BrokenOffError(f"file {self.address}", found, f"{wanted} bytes", "Run the same command again.")
        view[:wanted] = response.content
        self.position += wanted
        return wanted

    def _get(self, first: int, last: int) -> requests.Response:
        try:
            response = self.session.get(self.address, headers={"Range": f"bytes={first}-{last}"}, stream=True)
            if response.status_code == 206:
                response.content  # noqa: B018  (read here, where a cut connection is caught)
                return response
            response.close()
        except requests.RequestException as problem:
            raise unreachable(f"file {self.address}", problem) from problem
        if response.status_code != 200:
            raise answer_problem(f"file {self.address}", response.status_code)
        remedy = "Download it, and give the local file."
        raise BrokenOffError(f"file {self.address}", "a server without byte ranges", "ranges (HTTP 206)", remedy)


def buffered(address: str, session: requests.Session) -> io.BufferedReader:
    """The address as a file that reads a piece ahead. Errors as those of `RangeFile`."""
    return io.BufferedReader(RangeFile(address, session), PIECE)
