"""A data set in pieces small enough to copy, and back: one archive, cut; every byte is held against its digest."""

from __future__ import annotations

import gzip
import hashlib
import json
import tarfile
from collections.abc import Iterator
from io import RawIOBase
from pathlib import Path
from typing import Any

MEGABYTE = 1_000_000
LIST = "pieces.json"
"""Names, sizes and digests of the pieces, in order."""
_FORMAT = 1
_NAME = "part-{:04d}"


class PackError(ValueError):
    """Pieces that are missing, damaged or not of one data set, or a folder that cannot be packed."""


class _Pieces(RawIOBase):
    """A stream that is cut into files of at most `size` bytes."""

    def __init__(self, folder: Path, size: int) -> None:
        self.folder, self.size = folder, size
        self.written: list[dict[str, Any]] = []
        self.piece = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.piece += data
        while len(self.piece) >= self.size:
            self._cut(self.size)
        return len(data)

    def finish(self) -> list[dict[str, Any]]:
        """Write what is left; the list of pieces."""
        if self.piece or not self.written:
            self._cut(len(self.piece))
        return self.written

    def _cut(self, size: int) -> None:
        data = bytes(self.piece[:size])
        del self.piece[:size]
        name = _NAME.format(len(self.written))
        (self.folder / name).write_bytes(data)
        self.written.append({"name": name, "bytes": size, "sha256": hashlib.sha256(data).hexdigest()})


def pack(root: Path, out: Path, megabytes: float) -> list[Path]:
    """Write all files below `root` as pieces of at most so many megabytes (10⁶ bytes), and their list; lossless.

    The pieces are the cuts of one compressed archive, so any file fits. The same files give the same bytes.

    Raises:
        PackError: nothing to pack, `out` holds something, or lies below `root`.
    """
    files = [path for path in sorted(root.rglob("*")) if path.is_file()]
    if not files:
        raise PackError(f"{root} holds no file: give the folder of a data set.")
    if out.resolve().is_relative_to(root.resolve()):
        raise PackError(f"{out} lies below {root}, and would pack itself: give a folder elsewhere.")
    if out.exists() and any(out.iterdir()):
        raise PackError(f"{out} holds files: give an empty folder, so that no piece of another data set stays.")
    out.mkdir(parents=True, exist_ok=True)
    pieces = _Pieces(out, max(int(megabytes * MEGABYTE), 1))
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=pieces, compresslevel=6, mtime=0) as squeezed,
        tarfile.open(fileobj=squeezed, mode="w|") as archive,
    ):
        for path in files:
            _add(archive, path, path.relative_to(root).as_posix())
    listed = pieces.finish()
    (out / LIST).write_text(json.dumps({"format": _FORMAT, "files": len(files), "pieces": listed}, indent=2) + "\n")
    return [out / LIST, *(out / piece["name"] for piece in listed)]


def unpack(pieces: Path, out: Path) -> int:
    """Write the data set of a folder of pieces to `out`, a new or empty folder; how many files.

    Raises:
        PackError: a piece is missing or damaged (named), or `out` holds something.
    """
    if out.exists() and any(out.iterdir()):
        raise PackError(f"{out} holds files: give an empty folder.")
    told = _listed(pieces)
    for piece in told["pieces"]:
        _check(pieces / piece["name"], piece)
    out.mkdir(parents=True, exist_ok=True)
    stream = _Joined([pieces / piece["name"] for piece in told["pieces"]])
    with gzip.GzipFile(fileobj=stream, mode="rb") as squeezed, tarfile.open(fileobj=squeezed, mode="r|") as archive:
        archive.extractall(out, filter="data")
    return int(told["files"])


class _Joined(RawIOBase):
    """Files read as one."""

    def __init__(self, paths: list[Path]) -> None:
        self.rest = self._blocks(paths)
        self.held = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self.held:
            self.held = next(self.rest, b"")
        count = min(len(buffer), len(self.held))
        buffer[:count], self.held = self.held[:count], self.held[count:]
        return count

    @staticmethod
    def _blocks(paths: list[Path]) -> Iterator[bytes]:
        for path in paths:
            with path.open("rb") as file:
                while block := file.read(1 << 20):
                    yield block


def _add(archive: tarfile.TarFile, path: Path, name: str) -> None:
    """Add one file, without owner and date: they are not of the data."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = path.stat().st_size, 0o644
    with path.open("rb") as file:
        archive.addfile(entry, file)


def _listed(pieces: Path) -> dict[str, Any]:
    if not (pieces / LIST).is_file():
        raise PackError(f"{pieces} has no {LIST}: give the --out folder of pack-dataset, copied whole.")
    told: dict[str, Any] = json.loads((pieces / LIST).read_text(encoding="utf-8"))
    if told.get("format") != _FORMAT:
        raise PackError(f"{pieces / LIST} is of format {told.get('format')}, {_FORMAT} is expected: pack it again.")
    return told


def _check(path: Path, piece: dict[str, Any]) -> None:
    if not path.is_file():
        raise PackError(f"{path} is missing: copy it again.")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != piece["sha256"]:
        raise PackError(
            f"{path} has {path.stat().st_size} bytes with sha256 {digest}, but {piece['bytes']} bytes with "
            f"{piece['sha256']} are expected: copy it again."
        )
