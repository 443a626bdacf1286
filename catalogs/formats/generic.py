"""GeoTIFFs of any origin, described by an `overbank.yaml`: each file becomes one self-describing item."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pystac

from catalogs.collection import LOCAL, REFLECTANCES
from catalogs.errors import DescriptionError, ProductError
from catalogs.formats.description import (
    AngleBand,
    AnyProduct,
    DateTag,
    GroundProduct,
    Lines,
    Product,
    Span,
    load_description,
    mistake_at,
    span_of,
)
from catalogs.header import Header, read_header
from catalogs.publish import SceneFile, scene_item

DESCRIPTION = "overbank.yaml"
ASSET = "data"
UNKNOWN_WATER = 255.0
"""Value of surface water that always means "not known", as in a job's reference raster."""


def described_items(folder: Path, description: Path) -> list[pystac.Item]:
    """One item for every file that the description matches below `folder`.

    Raises `DescriptionError` (with the line) for a mistake in the description or a file that does not fit it,
    `ProductError` for a file that cannot be read.
    """
    content, lines = load_description(description)
    items: dict[str, pystac.Item] = {}
    for index, product in enumerate(content.products):
        context = _Context(folder, description, lines, index, product)
        for path in context.files():
            item = (
                _ground_item(context, product, path)
                if isinstance(product, GroundProduct)
                else _item(context, product, path)
            )
            if item.id in items:
                raise context.mistake("files", f"{path} twice", "each file once", "Narrow the globs.")
            items[item.id] = item
    return list(items.values())


class _Context:
    """One product of a description, and how to complain about it."""

    def __init__(self, folder: Path, description: Path, lines: Lines, index: int, product: AnyProduct) -> None:
        self.folder, self.product = folder, product
        self._description, self._lines, self._index = description, lines, index

    def files(self) -> list[Path]:
        """The files of the product, sorted."""
        pattern = self.product.files
        if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
            raise self.mistake("files", repr(pattern), f"a glob below {self.folder}", "Give a relative glob.")
        found = sorted(path for path in self.folder.glob(pattern) if path.is_file())
        if not found:
            remedy = "Correct the glob, or give the folder it starts from."
            raise self.mistake("files", f"no file for {pattern!r}", f"GeoTIFFs below {self.folder}", remedy)
        return found

    def mistake(self, field: str, found: str, expected: str, remedy: str) -> DescriptionError:
        """An error at the line of a field, or of the product where the field is not written."""
        place = ("products", self._index, field)
        line = self._lines.get(place, self._lines[place[:-1]])
        return mistake_at(self._description, line, found, expected, remedy)


def _item(context: _Context, product: Product, path: Path) -> pystac.Item:
    header = read_header(path)
    bands = dict(product.bands)
    if isinstance(product.angle, AngleBand):
        bands["angle"] = product.angle.band
    _check_bands(context, path, bands, header)
    start, end = _span(context, path, header)
    layers = {str(name): _layer(product, name, band) for name, band in bands.items()}
    return scene_item(
        _identifier(context.folder, path),
        LOCAL,
        {ASSET: SceneFile(path=path, title=path.name)},
        start=start,
        end=end,
        properties=_properties(product, layers),
    )


def _ground_item(context: _Context, product: GroundProduct, path: Path) -> pystac.Item:
    """An item of `overbank-` and the product's theme."""
    header = read_header(path)
    if product.band > len(header.dtypes):
        found, expected = f"band {product.band} of {path}", f"a band from 1 to {len(header.dtypes)}"
        raise context.mistake("band", found, expected, "Correct the band number.")
    start, end = _span(context, path, header)
    nodata = (*product.nodata, *([UNKNOWN_WATER] if product.theme == "surface-water" else []))
    properties: dict[str, Any] = {"overbank:band": product.band, "overbank:nodata": list(dict.fromkeys(nodata))}
    if product.theme in ("elevation", "height-above-drainage"):
        properties |= {"overbank:scale": product.scale, "overbank:offset": product.offset}
    elif product.theme == "surface-water":
        properties["overbank:at_least"] = product.at_least
    else:
        properties["overbank:legend"] = {str(value): cover for value, cover in product.legend.items()}
    file = SceneFile(path=path, title=path.name)
    return scene_item(
        _identifier(context.folder, path),
        f"overbank-{product.theme}",
        {ASSET: file},
        start=start,
        end=end,
        properties=properties,
    )


def _check_bands(context: _Context, path: Path, bands: Mapping[Any, int], header: Header) -> None:
    count = len(header.dtypes)
    for name, band in bands.items():
        if band > count:
            expected = f"a band from 1 to {count}"
            raise context.mistake("bands", f"{name} as band {band} of {path}", expected, "Correct the band number.")


def _layer(product: Product, name: str, band: int) -> dict[str, Any]:
    """A `LayerRule` as plain data; only measurements take the product's scale, offset and nodata."""
    rule: dict[str, Any] = {"assets": [ASSET], "band": band}
    if name in ("angle", "mask", "date"):
        return rule
    rule["nodata"] = list(product.nodata)
    if name in REFLECTANCES:
        return rule | {"scale": product.scale, "offset": product.offset}
    return rule | {"encoding": product.scale, "calibration_db": product.calibration_db or 0.0}


def _properties(product: Product, layers: Mapping[str, Any]) -> dict[str, Any]:
    angle = [product.angle, product.angle] if isinstance(product.angle, float) else None
    properties = {
        "platform": product.platform or product.sensor,
        "overbank:sensor": product.sensor,
        "overbank:quantity": product.quantity,
        "overbank:layers": dict(layers),
        "overbank:mask_scheme": product.mask,
        "overbank:denoised": product.denoised or None,
        "overbank:noise_db": product.noise_db or None,
        "overbank:angle_range": angle,
    }
    return {key: value for key, value in properties.items() if value is not None}


def _span(context: _Context, path: Path, header: Header) -> tuple[datetime, datetime]:
    """First and last instant of a file, from what the description says of dates."""
    rule = context.product.date
    if isinstance(rule, DateTag):
        return _tag_span(context, path, header, rule.tag)
    if isinstance(rule, dict):
        return _glob_span(context, path, rule)
    return rule


def _tag_span(context: _Context, path: Path, header: Header, tag: str) -> Span:
    value = header.tags.get(tag)
    if value is None:
        found = f"no tag {tag!r} in {path} (it has {', '.join(sorted(header.tags)) or 'none'})"
        raise context.mistake("date", found, "a tag with the date", "Name another tag, or give the date here.")
    try:
        return span_of(re.sub(r"^(\d{4}):(\d{2}):(\d{2})", r"\1-\2-\3", value))  # TIFFTAG_DATETIME has colons
    except ValueError as error:
        remedy = "Give the date here."
        raise context.mistake("date", f"{value!r} in tag {tag!r} of {path}", "an ISO date", remedy) from error


def _glob_span(context: _Context, path: Path, dates: Mapping[str, Span]) -> Span:
    """The first glob that matches the file's name or its path below the folder."""
    relative = path.relative_to(context.folder).as_posix()
    for pattern, span in dates.items():
        if fnmatchcase(relative, pattern) or fnmatchcase(path.name, pattern):
            return span
    remedy = "Add a glob for it."
    raise context.mistake("date", f"no date for {relative}", f"one of the globs {', '.join(dates)}", remedy)


def _identifier(folder: Path, path: Path) -> str:
    """ "terramind-S1RTC-282D_485L_3_3" from the folder's name and the path below it."""
    parts = (folder.absolute().name, *path.relative_to(folder).with_suffix("").parts)
    identifier = re.sub(r"[^A-Za-z0-9_.\-]", "_", "-".join(part for part in parts if part)).lstrip(".-")
    if not identifier:
        raise ProductError(f"file {path}", "no name", "letters or digits", "Rename it.")
    return identifier
