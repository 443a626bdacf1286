"""Products that are recognised and cannot be read as they lie: packed ones, and ALOS-2 images in CEOS format."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from catalogs.errors import ProductError

_PACKED = re.compile(
    r"^(?:S[12][A-D]_\w+|L[COTEM]0[4-9]_L\w+|ALOS2\d+-.+|\d{10}_\d{6}_ALOS2\d+-.+)(?:\.SAFE)?\.(?:zip|tar|tgz|tar\.gz)$"
)
_ALOS2 = re.compile(r"^IMG-(?:HH|HV|VV|VH)-ALOS2\d+-\d{6}-\w+\d\.\d\w+$")


def packed_products(place: Path) -> Iterator[tuple[Path, ...]]:
    """Products of a folder that must be unpacked or described first."""
    for path in sorted(place.iterdir()):
        if path.is_file() and (_PACKED.match(path.name) or _ALOS2.match(path.name)):
            yield (path,)


def refuse(path: Path) -> NoReturn:
    """Always raises a `ProductError` that says what to do."""
    if _ALOS2.match(path.name):
        expected = "level 1.5 or 2.1 in GeoTIFF, geocoded (IMG-HH-…1.5GUA.tif)"
        remedy = "CEOS files cannot be read: order the scene in GeoTIFF, as level 2.1 where the terrain is not flat."
        raise ProductError(f"file {path}", "an ALOS-2 image in CEOS format", expected, remedy)
    raise ProductError(f"file {path}", "a packed product", "its folder", "Unpack it and ingest the folder.")
