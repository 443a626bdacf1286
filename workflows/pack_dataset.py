"""`overbank pack-dataset` and `unpack-dataset`: a data set in pieces, and back."""

from __future__ import annotations

from pathlib import Path

from models.data.pack import PackError, pack, unpack
from pipeline.errors import DatasetError


def pack_root(root: Path, out: Path, megabytes: float) -> list[Path]:
    """Pack all files below `root`; the list and the pieces, see `models.data.pack`. DatasetError where it cannot."""
    try:
        return pack(root, out, megabytes)
    except PackError as problem:
        raise DatasetError(str(problem)) from None


def unpack_pieces(pieces: Path, out: Path) -> int:
    """Put the files together again; how many. DatasetError where a piece is missing or damaged."""
    try:
        return unpack(pieces, out)
    except PackError as problem:
        raise DatasetError(str(problem)) from None
