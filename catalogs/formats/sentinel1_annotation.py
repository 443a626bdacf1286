"""The three XML files beside a Sentinel-1 measurement: annotation, calibration and noise, as plain arrays.

Formats: Sentinel-1 Product Specification (S1-RS-MDA-52-7441); thermal noise by range and azimuth vectors: Piantanida
2017 (MPC-0392). Lines and pixels are indices of samples: 0 is the middle of the first one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeVar
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from catalogs.errors import CatalogError, ReadError
from catalogs.formats.safe_xml import named_xml
from catalogs.times import utc

Real = NDArray[np.float64]
Whole = NDArray[np.int64]
Kind = TypeVar("Kind")

MAXIMUM_XML_BYTES = 32_000_000
"""An annotation of IW is 2 MB, of a long strip of EW 10 MB."""
_FETCH_AGAIN = "Download the product again."


@dataclass(frozen=True, eq=False)
class GeolocationGrid:
    """Tie points of the image, on a regular grid of lines and pixels; all but the axes are (lines, pixels)."""

    lines: Real
    pixels: Real
    latitude: Real
    longitude: Real
    """Degrees; jumps by 360 across the antimeridian."""
    height: Real
    """Metres above the ellipsoid: of the terrain that the product was projected to."""
    incidence: Real
    """Degrees, on the ellipsoid."""
    elevation: Real
    """Degrees, at the antenna."""
    azimuth_time: NDArray[np.datetime64]
    """UTC."""
    slant_range_time: Real
    """Seconds, both ways."""


@dataclass(frozen=True, eq=False)
class Annotation:
    """What the annotation says of one polarization."""

    mission: str
    """For example "S1A"."""
    product_type: str
    mode: str
    polarization: str
    start: datetime
    stop: datetime
    absolute_orbit: int
    direction: Literal["ascending", "descending"]
    heading: float
    """Of the platform, degrees clockwise from north."""
    shape: tuple[int, int]
    """Lines and samples of the image."""
    range_spacing: float
    """Metres between samples on the ground."""
    azimuth_spacing: float
    grid: GeolocationGrid


@dataclass(frozen=True, eq=False)
class Calibration:
    """Look-up tables A of the calibration: value = DN²/A². All tables are (lines, pixels)."""

    lines: Real
    pixels: Real
    sigma_nought: Real
    beta_nought: Real
    gamma: Real
    dn: Real


@dataclass(frozen=True, eq=False)
class AzimuthNoise:
    """How the noise varies along the track inside one block of the image; the same in all its pixels."""

    swath: str
    first_line: int
    last_line: int
    first_pixel: int
    last_pixel: int
    lines: Real
    factor: Real


@dataclass(frozen=True, eq=False)
class Noise:
    """Thermal noise in the units of DN²: `power`, linear between its lines and pixels, times the factor of a block."""

    lines: Real
    pixels: Real
    power: Real
    """(lines, pixels)."""
    blocks: tuple[AzimuthNoise, ...]
    """Empty before IPF 2.9: the factor is 1."""
    before_ipf_2_9: bool = False
    """Whether the file has the form of processors up to March 2018, which left noise at the borders of the image."""


def parse_annotation(data: bytes, name: str, error: type[CatalogError] = ReadError) -> Annotation:
    """The annotation of one polarization. What is broken or missing is told as an `error` about `name`."""
    root = _root(data, name, error)
    return _checked(lambda: _annotation(root), name, "the annotation of a Sentinel-1 GRD", error)


def parse_calibration(data: bytes, name: str, error: type[CatalogError] = ReadError) -> Calibration:
    """The look-up tables of one polarization; vectors of unlike pixels are brought onto all of their pixels."""
    root = _root(data, name, error)
    return _checked(lambda: _calibration(root), name, "calibration vectors of Sentinel-1", error)


def parse_noise(data: bytes, name: str, error: type[CatalogError] = ReadError) -> Noise:
    """The thermal noise of one polarization, of the present form or of that before IPF 2.9."""
    root = _root(data, name, error)
    return _checked(lambda: _noise(root), name, "noise vectors of Sentinel-1", error)


def _root(data: bytes, name: str, error: type[CatalogError]) -> Element:
    return named_xml(data, MAXIMUM_XML_BYTES, f"metadata {name}", error, _FETCH_AGAIN)


def _checked(parse: Callable[[], Kind], name: str, expected: str, error: type[CatalogError]) -> Kind:
    try:
        return parse()
    except ValueError as problem:
        raise error(f"metadata {name}", str(problem), expected, _FETCH_AGAIN) from problem


def _annotation(root: Element) -> Annotation:
    header = _child(root, "adsHeader")
    general = _child(root, "generalAnnotation/productInformation")
    image = _child(root, "imageAnnotation/imageInformation")
    direction = _text(general, "pass").lower()
    if direction not in ("ascending", "descending"):
        raise ValueError(f"pass {direction!r}")
    return Annotation(
        mission=_text(header, "missionId"),
        product_type=_text(header, "productType"),
        mode=_text(header, "mode"),
        polarization=_text(header, "polarisation"),
        start=utc(datetime.fromisoformat(_text(header, "startTime"))),
        stop=utc(datetime.fromisoformat(_text(header, "stopTime"))),
        absolute_orbit=int(_text(header, "absoluteOrbitNumber")),
        direction="ascending" if direction == "ascending" else "descending",
        heading=float(_text(general, "platformHeading")) % 360.0,
        shape=(int(_text(image, "numberOfLines")), int(_text(image, "numberOfSamples"))),
        range_spacing=float(_text(image, "rangePixelSpacing")),
        azimuth_spacing=float(_text(image, "azimuthPixelSpacing")),
        grid=_geolocation(root),
    )


def _geolocation(root: Element) -> GeolocationGrid:
    points = _listed(root, "geolocationGrid/geolocationGridPointList", "geolocationGridPoint")
    line, pixel = _column(points, "line"), _column(points, "pixel")
    order = np.lexsort((pixel, line))
    lines, pixels = np.unique(line), np.unique(pixel)
    regular = np.stack(np.meshgrid(lines, pixels, indexing="ij"))
    if len(points) != regular[0].size or not np.array_equal(
        regular.reshape(2, -1), np.stack([line[order], pixel[order]])
    ):
        raise ValueError(f"{len(points)} geolocation points on {len(lines)} lines and {len(pixels)} pixels")
    shape = regular[0].shape
    times = np.array([_text(point, "azimuthTime") for point in points], dtype="datetime64[ns]")

    def table(name: str) -> Real:
        return _column(points, name)[order].reshape(shape)

    return GeolocationGrid(
        lines=lines,
        pixels=pixels,
        latitude=table("latitude"),
        longitude=table("longitude"),
        height=table("height"),
        incidence=table("incidenceAngle"),
        elevation=table("elevationAngle"),
        azimuth_time=times[order].reshape(shape),
        slant_range_time=table("slantRangeTime"),
    )


def _calibration(root: Element) -> Calibration:
    vectors = _listed(root, "calibrationVectorList", "calibrationVector")
    names = ("sigmaNought", "betaNought", "gamma", "dn")
    lines, pixels, tables = _tables(vectors, names)
    if min(float(table.min()) for table in tables) <= 0.0:
        raise ValueError("a look-up value that is not positive")
    return Calibration(lines, pixels, *tables)


def _noise(root: Element) -> Noise:
    if root.find("noiseRangeVectorList") is None:  # before IPF 2.9
        lines, pixels, (power,) = _tables(_listed(root, "noiseVectorList", "noiseVector"), ("noiseLut",))
        return Noise(lines, pixels, power, (), before_ipf_2_9=True)
    vectors = _listed(root, "noiseRangeVectorList", "noiseRangeVector")
    lines, pixels, (power,) = _tables(vectors, ("noiseRangeLut",))
    blocks = root.findall("noiseAzimuthVectorList/noiseAzimuthVector")
    return Noise(lines, pixels, power, tuple(_block(block) for block in blocks))


def _block(block: Element) -> AzimuthNoise:
    lines, factor = _numbers(block, "line"), _numbers(block, "noiseAzimuthLut")
    if lines.size != factor.size:
        raise ValueError(f"{factor.size} azimuth noise values at {lines.size} lines")
    return AzimuthNoise(
        swath=_text(block, "swath"),
        first_line=int(_text(block, "firstAzimuthLine")),
        last_line=int(_text(block, "lastAzimuthLine")),
        first_pixel=int(_text(block, "firstRangeSample")),
        last_pixel=int(_text(block, "lastRangeSample")),
        lines=lines,
        factor=factor,
    )


def _tables(vectors: Sequence[Element], names: Sequence[str]) -> tuple[Real, Real, list[Real]]:
    """Lines, pixels and (lines, pixels) tables of vectors, which may list unlike pixels.

    They are brought onto the union of their pixels, linearly: nothing is lost, for that is how they are read anyway.
    A vector of one value holds everywhere.
    """
    line = np.array([float(_text(vector, "line")) for vector in vectors])
    places = [_numbers(vector, "pixel") for vector in vectors]
    lines, first = np.unique(line, return_index=True)
    pixels = np.unique(np.concatenate(places))
    tables = []
    for name in names:
        rows = [_numbers(vector, name) for vector in vectors]
        for row, place in zip(rows, places, strict=True):
            if row.size != place.size or (np.diff(place) <= 0).any():
                raise ValueError(f"{row.size} values {name} at {place.size} pixels")
        tables.append(np.stack([np.interp(pixels, places[index], rows[index]) for index in first]))
    return lines, pixels, tables


def _listed(root: Element, list_path: str, name: str) -> list[Element]:
    """The members of a list, as many as it announces and at least one."""
    parent = _child(root, list_path)
    found = parent.findall(name)
    announced = parent.get("count")
    if not found or (announced is not None and int(announced) != len(found)):
        raise ValueError(f"{len(found)} of {announced or 'no'} {name}")
    return found


def _numbers(element: Element, name: str) -> Real:
    """The numbers of a child, as many as it announces, all finite."""
    child = _child(element, name)
    values = np.array((child.text or "").split(), dtype=np.float64)
    announced = child.get("count")
    if values.size == 0 or (announced is not None and int(announced) != values.size):
        raise ValueError(f"{values.size} of {announced or 'no'} numbers in {name}")
    if not np.isfinite(values).all():
        raise ValueError(f"a number in {name} that is not finite")
    return values


def _column(points: Sequence[Element], name: str) -> Real:
    return np.array([float(_text(point, name)) for point in points])


def _child(element: Element, path: str) -> Element:
    child = element.find(path)
    if child is None:
        raise ValueError(f"no {path} in {element.tag}")
    return child


def _text(element: Element, name: str) -> str:
    text = (_child(element, name).text or "").strip()
    if not text:
        raise ValueError(f"an empty {name}")
    return text
