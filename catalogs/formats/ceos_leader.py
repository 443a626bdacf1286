"""The leader file (LED-…) of an ALOS-2 product in CEOS format: the numbers that the summary leaves out."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from catalogs.errors import ProductError
from catalogs.records import Record

_HEADER = struct.Struct(">I4BI")
"""Of every record: number, four type codes, length in bytes (CEOS)."""
_SUMMARY, _RADIOMETRY = 10, 50
"""Second type code of the records "data set summary" and "radiometric data"."""
_CLOCK_ANGLE = slice(476, 484)
_INCIDENCE = slice(484, 492)
_CALIBRATION = slice(20, 36)
"""Bytes of the fields within their record."""
_REMEDY = "Fetch the product again, or take the leader out of its folder: the summary is enough."


class Leader(Record):
    """What a leader says."""

    incidence: float | None
    """Degrees at the centre of the scene."""
    look_side: str
    """"right" or "left"."""
    calibration_db: float
    """sigma0 is 10·log10(DN²) plus this, dB."""


def read_leader(path: Path) -> Leader:
    """The leader of an ALOS-2 product. Raises `ProductError` where it is broken."""
    try:
        records = dict(_records(path.read_bytes()))
        summary, radiometry = records[_SUMMARY], records[_RADIOMETRY]
        incidence = float(summary[_INCIDENCE])
        return Leader(
            incidence=incidence if incidence > 0 else None,
            look_side="right" if float(summary[_CLOCK_ANGLE]) > 0 else "left",
            calibration_db=float(radiometry[_CALIBRATION]),
        )
    except (OSError, KeyError, ValueError, struct.error) as error:
        found, expected = f"{type(error).__name__}: {error}", "a CEOS leader with data set summary and radiometric data"
        raise ProductError(f"file {path}", found, expected, _REMEDY) from error


def _records(data: bytes) -> Iterator[tuple[int, str]]:
    """Type and text of the records; the large ones at the end are left out."""
    place = 0
    while place + _HEADER.size <= len(data):
        _, _, kind, _, _, length = _HEADER.unpack_from(data, place)
        if length < _HEADER.size:
            raise ValueError(f"a record of {length} bytes at byte {place}")
        if kind in (_SUMMARY, _RADIOMETRY):
            yield kind, data[place : place + length].decode("latin-1")
        place += length
