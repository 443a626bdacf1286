"""A simulated Sentinel-1 pass as a SAFE product: the folder, names and XML of a real one, with pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement
from zlib import crc32

import numpy as np
import rasterio
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.control import GroundControlPoint

from harmonization.simulate.event import CRS
from harmonization.simulate.swath import BETA_FACTOR, SPACING, SwathScene, SwathTables, gamma_factor

Real = NDArray[np.float64]

LINE_SECONDS = 1.499191837510891e-3
"""Of a line of IW GRDH."""
PROCESSOR, OLD_PROCESSOR = "003.71", "002.84"
"""Versions of the Instrument Processing Facility: of new products, and of the last that left border noise."""
FIRST_ORBIT = 52_594
"""Absolute orbit of a pass of relative orbit 22 of Sentinel-1A, on the day `FIRST_DAY`."""
FIRST_DAY = datetime(2024, 1, 19, tzinfo=UTC)
ORBITS_A_CYCLE, DAYS_A_CYCLE, RELATIVE_ORBIT = 175, 12, 22
EARTH_RADIUS, ALTITUDE, LIGHT = 6_371_000.0, 700_000.0, 299_792_458.0
NAMESPACES = {
    "xfdu": "urn:ccsds:schema:xfdu:1",
    "gml": "http://www.opengis.net/gml",
    "safe": "http://www.esa.int/safe/sentinel-1.0",
    "s1": "http://www.esa.int/safe/sentinel-1.0/sentinel-1",
    "s1sarl1": "http://www.esa.int/safe/sentinel-1.0/sentinel-1/sar/level-1",
}
_SCHEMAS = {
    "annotation/{}.xml": "s1Level1ProductSchema",
    "annotation/calibration/calibration-{}.xml": "s1Level1CalibrationSchema",
    "annotation/calibration/noise-{}.xml": "s1Level1NoiseSchema",
    "measurement/{}.tiff": "s1Level1MeasurementSchema",
}


class _Product:
    """Names and times of one product."""

    def __init__(self, scene: SwathScene, seed: int) -> None:
        self.scene = scene
        self.lines, self.pixels = next(iter(scene.dn.values())).shape
        half = timedelta(seconds=LINE_SECONDS * (self.lines - 1) / 2.0)
        self.start, self.stop = scene.time - half, scene.time + half
        cycles = round((scene.time - FIRST_DAY) / timedelta(days=DAYS_A_CYCLE))
        self.orbit = FIRST_ORBIT + ORBITS_A_CYCLE * cycles
        self.take = self.orbit * 7
        self.short = f"{crc32(f'{seed} {scene.time}'.encode()) & 0xFFFF:04X}"

    @property
    def name(self) -> str:
        span = f"{self.start:%Y%m%dT%H%M%S}_{self.stop:%Y%m%dT%H%M%S}"
        return f"S1A_IW_GRDH_1SDV_{span}_{self.orbit:06d}_{self.take:06X}_{self.short}.SAFE"

    def stem(self, polarization: str) -> str:
        """Of the files of one polarization."""
        number = list(self.scene.dn).index(polarization) + 1
        span = f"{self.start:%Y%m%dt%H%M%S}-{self.stop:%Y%m%dt%H%M%S}"
        return f"s1a-iw-grd-{polarization.lower()}-{span}-{self.orbit:06d}-{self.take:06x}-{number:03d}"

    def line_time(self, line: float) -> str:
        """As the XML files write it."""
        return _stamp(self.start + timedelta(seconds=LINE_SECONDS * float(line)))


def write_safe(folder: Path, scene: SwathScene, seed: int) -> Path:
    """Write a scene as a SAFE product into a folder, and give the product's own folder back.

    Tie points name samples by their index, as real files do. The same scene gives the same bytes.
    """
    product = _Product(scene, seed)
    root = folder / product.name
    for place in ("annotation/calibration", "measurement"):
        (root / place).mkdir(parents=True, exist_ok=True)
    longitude, latitude = Transformer.from_crs(CRS, 4326, always_xy=True).transform(
        scene.tie_easting, scene.tie_northing
    )
    for name, values in scene.dn.items():
        stem = product.stem(name)
        _write_measurement(root / f"measurement/{stem}.tiff", values, scene, longitude, latitude)
        _write(root / f"annotation/{stem}.xml", _annotation(product, name, longitude, latitude))
        _write(root / f"annotation/calibration/calibration-{stem}.xml", _calibration(product, name))
        _write(root / f"annotation/calibration/noise-{stem}.xml", _noise(product, name))
    _write(root / "manifest.safe", _manifest(product, longitude, latitude))
    return root


def _write_measurement(
    path: Path, values: NDArray[np.uint16], scene: SwathScene, longitude: Real, latitude: Real
) -> None:
    columns = (scene.tie_line, scene.tie_pixel, longitude, latitude, scene.tie_height)
    points = [
        GroundControlPoint(row=row, col=col, x=x, y=y, z=z, id=str(index + 1))
        for index, (row, col, x, y, z) in enumerate(zip(*(table.ravel() for table in columns), strict=True))
    ]
    lines, pixels = values.shape
    profile = {"driver": "GTiff", "count": 1, "dtype": "uint16", "height": lines, "width": pixels}
    tiled = {"tiled": True, "blockxsize": 256, "blockysize": 256, "compress": "deflate"}
    with rasterio.open(path, "w", **profile, **tiled, gcps=points, crs="EPSG:4326") as target:
        target.write(values, 1)


def _annotation(product: _Product, polarization: str, longitude: Real, latitude: Real) -> Element:
    scene = product.scene
    root = Element("product")
    _header(root, product, polarization)
    general = SubElement(SubElement(root, "generalAnnotation"), "productInformation")
    _leaves(general, {"pass": "Descending", "platformHeading": _number(scene.heading - 360.0)})
    _leaves(general, {"projection": "Ground Range", "radarFrequency": "5.405000454334350e+09"})
    image = SubElement(SubElement(root, "imageAnnotation"), "imageInformation")
    incidence = scene.tie_incidence
    _leaves(
        image,
        {
            "productFirstLineUtcTime": _stamp(product.start),
            "productLastLineUtcTime": _stamp(product.stop),
            "slantRangeTime": _number(float(_slant_range_time(incidence)[0, 0])),
            "pixelValue": "Detected",
            "outputPixels": "16 bit Unsigned Integer",
            "rangePixelSpacing": _number(SPACING),
            "azimuthPixelSpacing": _number(SPACING),
            "azimuthTimeInterval": _number(LINE_SECONDS),
            "numberOfSamples": str(product.pixels),
            "numberOfLines": str(product.lines),
            "incidenceAngleMidSwath": _number(float(incidence.mean())),
        },
    )
    points = SubElement(SubElement(root, "geolocationGrid"), "geolocationGridPointList", count=str(incidence.size))
    columns = {
        "slantRangeTime": _slant_range_time(incidence),
        "latitude": latitude,
        "longitude": longitude,
        "height": scene.tie_height,
        "incidenceAngle": incidence,
        "elevationAngle": np.degrees(_elevation_angle(incidence)),
    }
    for index in np.ndindex(*incidence.shape):
        point = SubElement(points, "geolocationGridPoint")
        line, pixel = (int(table[index]) for table in (scene.tie_line, scene.tie_pixel))
        _leaves(point, {"azimuthTime": product.line_time(line), "line": str(line), "pixel": str(pixel)})
        _leaves(point, {name: _number(float(table[index])) for name, table in columns.items()})
    return root


def _elevation_angle(incidence: Real) -> Real:
    """At the antenna, over a round Earth."""
    return np.asarray(np.arcsin(np.sin(np.radians(incidence)) * EARTH_RADIUS / (EARTH_RADIUS + ALTITUDE)))


def _slant_range_time(incidence: Real) -> Real:
    """Seconds both ways, over a round Earth."""
    elevation = _elevation_angle(incidence)
    return np.asarray(
        2.0 * EARTH_RADIUS * np.sin(np.radians(incidence) - elevation) / np.sin(elevation) / LIGHT, dtype=np.float64
    )


def _calibration(product: _Product, polarization: str) -> Element:
    tables = product.scene.tables[polarization]
    root = Element("calibration")
    _header(root, product, polarization)
    _leaves(SubElement(root, "calibrationInformation"), {"absoluteCalibrationConstant": _number(1.0)})
    factors: Mapping[str, Callable[[Real], Real]] = {
        "sigmaNought": lambda angle: BETA_FACTOR / np.sqrt(np.sin(np.radians(angle))),
        "betaNought": lambda angle: np.full(angle.shape, BETA_FACTOR),
        "gamma": gamma_factor,
        "dn": lambda angle: np.full(angle.shape, BETA_FACTOR),
    }
    rows = {name: factor(tables.incidence) for name, factor in factors.items()}
    _vectors(root, "calibrationVectorList", "calibrationVector", product, tables, rows)
    return root


def _noise(product: _Product, polarization: str) -> Element:
    tables = product.scene.tables[polarization]
    root = Element("noise")
    _header(root, product, polarization)
    if product.scene.before_ipf_2_9:
        _vectors(root, "noiseVectorList", "noiseVector", product, tables, {"noiseLut": tables.noise})
        return root
    rows = {"noiseRangeLut": tables.noise}
    _vectors(root, "noiseRangeVectorList", "noiseRangeVector", product, tables, rows)
    blocks = SubElement(root, "noiseAzimuthVectorList", count="2")
    split = product.scene.split
    edges = ((0, split - 1), (split, product.pixels - 1))
    for swath, (first, last), factor in zip(("IW1", "IW2"), edges, tables.noise_factor, strict=True):
        block = SubElement(blocks, "noiseAzimuthVector")
        _leaves(block, {"swath": swath, "firstAzimuthLine": "0", "firstRangeSample": str(first)})
        _leaves(block, {"lastAzimuthLine": str(product.lines - 1), "lastRangeSample": str(last)})
        _series(block, "line", tables.noise_lines, whole=True)
        _series(block, "noiseAzimuthLut", factor)
    return root


def _vectors(
    root: Element, list_name: str, name: str, product: _Product, tables: SwathTables, rows: Mapping[str, Real]
) -> None:
    parent = SubElement(root, list_name, count=str(tables.lines.size))
    for index, line in enumerate(tables.lines):
        vector = SubElement(parent, name)
        _leaves(vector, {"azimuthTime": product.line_time(line), "line": str(int(line))})
        _series(vector, "pixel", tables.pixels, whole=True)
        for key, table in rows.items():
            _series(vector, key, table[index])


def _header(root: Element, product: _Product, polarization: str) -> None:
    _leaves(
        SubElement(root, "adsHeader"),
        {
            "missionId": "S1A",
            "productType": "GRD",
            "polarisation": polarization,
            "mode": "IW",
            "swath": "IW",
            "startTime": _stamp(product.start),
            "stopTime": _stamp(product.stop),
            "absoluteOrbitNumber": str(product.orbit),
            "missionDataTakeId": str(product.take),
            "imageNumber": product.stem(polarization)[-3:],
        },
    )


def _manifest(product: _Product, longitude: Real, latitude: Real) -> Element:
    for prefix, address in NAMESPACES.items():
        ElementTree.register_namespace(prefix, address)
    root = Element(_tag("xfdu:XFDU"), version="esa/safe/sentinel-1.0/sentinel-1/sar/level-1/grd/standard/iwdp")
    section = SubElement(root, "metadataSection")
    processing = SubElement(_wrapped(section, "processing"), _tag("safe:processing"), name="GRD Post Processing")
    version = OLD_PROCESSOR if product.scene.before_ipf_2_9 else PROCESSOR
    facility = SubElement(processing, _tag("safe:facility"), name="overbank simulate")
    SubElement(facility, _tag("safe:software"), name="Sentinel-1 IPF", version=version)
    platform = SubElement(_wrapped(section, "platform"), _tag("safe:platform"))
    _leaves(platform, {"safe:familyName": "SENTINEL-1", "safe:number": "A"})
    extension = SubElement(SubElement(platform, _tag("safe:instrument")), _tag("safe:extension"))
    _leaves(SubElement(extension, _tag("s1sarl1:instrumentMode")), {"s1sarl1:mode": "IW", "s1sarl1:swath": "IW"})
    orbit = SubElement(_wrapped(section, "measurementOrbitReference"), _tag("safe:orbitReference"))
    for name, number in (("orbitNumber", product.orbit), ("relativeOrbitNumber", RELATIVE_ORBIT)):
        SubElement(orbit, _tag(f"safe:{name}"), type="start").text = str(number)
        SubElement(orbit, _tag(f"safe:{name}"), type="stop").text = str(number)
    properties = SubElement(SubElement(orbit, _tag("safe:extension")), _tag("s1:orbitProperties"))
    _leaves(properties, {"s1:pass": "DESCENDING"})
    general = SubElement(_wrapped(section, "generalProductInformation"), _tag("s1sarl1:standAloneProductInformation"))
    for polarization in product.scene.dn:
        SubElement(general, _tag("s1sarl1:transmitterReceiverPolarisation")).text = polarization
    _leaves(general, {"s1sarl1:productClass": "S", "s1sarl1:productType": "GRD"})
    period = SubElement(_wrapped(section, "acquisitionPeriod"), _tag("safe:acquisitionPeriod"))
    _leaves(period, {"safe:startTime": _stamp(product.start), "safe:stopTime": _stamp(product.stop)})
    frame = SubElement(_wrapped(section, "measurementFrameSet"), _tag("safe:frameSet"))
    footprint = SubElement(SubElement(frame, _tag("safe:frame")), _tag("safe:footPrint"))
    corners = [(0, 0), (0, -1), (-1, -1), (-1, 0)]
    _leaves(footprint, {"gml:coordinates": " ".join(f"{latitude[at]:.6f},{longitude[at]:.6f}" for at in corners)})
    data = SubElement(root, "dataObjectSection")
    for polarization in product.scene.dn:
        for path, schema in _SCHEMAS.items():
            entry = SubElement(data, "dataObject", ID=f"{schema}-{polarization}", repID=schema)
            stream = SubElement(entry, "byteStream", mimeType="text/xml" if path.endswith("xml") else "image/tiff")
            href = f"./{path.format(product.stem(polarization))}"
            SubElement(stream, "fileLocation", locatorType="URL", href=href)
    return root


def _wrapped(section: Element, name: str) -> Element:
    """The place where a SAFE manifest puts one kind of metadata."""
    parent = SubElement(section, "metadataObject", ID=name, classification="DESCRIPTION", category="DMD")
    return SubElement(SubElement(parent, "metadataWrap", mimeType="text/xml", vocabularyName="SAFE"), "xmlData")


def _tag(name: str) -> str:
    """ "safe:number" as ElementTree writes a namespace."""
    prefix, _, rest = name.partition(":")
    return f"{{{NAMESPACES[prefix]}}}{rest}" if rest else name


def _leaves(parent: Element, texts: Mapping[str, str]) -> None:
    for name, text in texts.items():
        SubElement(parent, _tag(name)).text = text


def _series(parent: Element, name: str, values: Real, whole: bool = False) -> None:
    text = " ".join(str(int(value)) if whole else f"{value:.6e}" for value in values)
    SubElement(parent, name, count=str(values.size)).text = text


def _number(value: float) -> str:
    return f"{value:.15e}"


def _stamp(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.%f")


def _write(path: Path, root: Element) -> None:
    ElementTree.indent(root)
    ElementTree.ElementTree(root).write(path, encoding="UTF-8", xml_declaration=True)
