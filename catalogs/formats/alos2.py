"""JAXA's ALOS-2 global mosaic: archive → checked extraction → metadata → item."""

from __future__ import annotations

import math
import os
import re
import shutil
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import pystac
from pydantic import Field

from catalogs.errors import ProductError
from catalogs.formats.product_xml import common, read_metadata_of, texts
from catalogs.publish import SceneFile, scene_item
from catalogs.records import Record
from catalogs.times import utc

COLLECTION = "alos-palsar-mosaic"
ARCHIVES = (".tar.gz", ".tgz", ".tar")
MAXIMUM_MEMBERS = 64
MAXIMUM_MEMBER_BYTES = 200_000_000
"""A layer of 4500 × 4500 samples is 40 MB uncompressed."""

_TILE = r"(?P<tile>[NS]\d{2}[EW]\d{3})_(?P<year>\d{2})"
_LAYER = re.compile(rf"^{_TILE}_(?P<layer>sl_HH|sl_HV|sl_VV|sl_VH|date|mask|linci)(?:_(?P<mode>[A-Z0-9]+))?\.tif$")
_XML = re.compile(rf"^{_TILE}(?:_(?P<mode>[A-Z0-9]+))?\.xml$")
_RAW = re.compile(rf"^{_TILE}_sl_(HH|HV)(?:_[A-Z0-9]+)?$")
_MODE = re.compile(r"^(?P<mode>[A-Z])(?P<beam>\d{2})(?P<count>[SDQ])(?P<orbit>[AD])(?P<side>[LR])$")
_TITLES = {"linci": "Local incidence angle, degrees", "mask": "Quality mask", "date": "Days since 2014-05-24"}


class MosaicMetadata(Record):
    """What the XML of a tile says; all of it may be missing."""

    start: datetime | None = None
    end: datetime | None = None
    angle_range: tuple[float, float] | None = None
    """Incidence angle at near and far range, degrees, over all passes of the tile."""
    noise_sigma0_db: dict[str, float] = Field(default_factory=dict)
    """Noise-equivalent sigma0 by polarization, dB; the highest of the passes."""
    orbit_direction: str | None = None
    look_side: str | None = None
    beams: tuple[str, ...] = ()


def mosaic_archives(place: Path) -> Iterator[tuple[Path, ...]]:
    """Archives of a folder that may hold a mosaic tile, by their names."""
    for path in sorted(place.iterdir()):
        if path.name.lower().endswith(ARCHIVES) and path.is_file():
            yield (path,)


def mosaic_tiles(place: Path) -> Iterator[tuple[Path, ...]]:
    """The files of each mosaic tile that lies extracted in a folder."""
    tiles: dict[tuple[str, ...], list[Path]] = {}
    for path in sorted(place.iterdir()):
        if path.is_file() and (match := _LAYER.match(path.name) or _XML.match(path.name)):
            tiles.setdefault((match["tile"], match["year"], match["mode"] or ""), []).append(path)
    yield from (tuple(files) for files in tiles.values() if any(_is_backscatter(path) for path in files))


def _is_backscatter(path: Path) -> bool:
    match = _LAYER.match(path.name)
    return match is not None and match["layer"].startswith("sl_")


def archive_item(found: Sequence[Path], files: Path) -> pystac.Item:
    """Extract a mosaic archive into a folder of its own below `files`, and describe it as an item.

    Raises `ProductError` when the archive is damaged, unsafe or something else.
    """
    folder = extract(found[0], files)
    return mosaic_item(sorted(folder.iterdir()))


def extract(archive: Path, files: Path) -> Path:
    """Extract the known members of an archive into `files`/<tile>, by one rename; the folder.

    Absolute paths, parent folders, links, devices and members that are too many or too large are refused;
    other files are left in the archive. Members keep their time, so extracting again changes nothing.
    """
    files.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=files, prefix=".extracting-"))
    try:
        with tarfile.open(archive) as source:
            names = [_extract_member(source, member, temporary) for member in _wanted(archive, source)]
        target = files / _tile_name(archive, names)
        shutil.rmtree(target, ignore_errors=True)
        temporary.chmod(0o755)
        temporary.rename(target)
    except (tarfile.TarError, EOFError, OSError) as error:
        remedy = "Fetch the archive again."
        raise ProductError(f"archive {archive}", f"{type(error).__name__}: {error}", "a tar archive", remedy) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return target


def _wanted(archive: Path, source: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Members to extract, each checked. Raises `ProductError` at the first that is not safe."""
    seen: set[str] = set()
    for count, member in enumerate(source, start=1):
        name = Path(member.name).name
        reason = _unsafe(member, count)
        if reason is None and _RAW.match(name):
            reason = f"the raw raster {name} of an early edition"
        if reason is None and name in seen:
            reason = f"two members {name}"
        if reason is not None:
            remedy = "Fetch it from JAXA again; rasters of early editions: convert to GeoTIFF with gdal_translate."
            raise ProductError(f"archive {archive}", reason, "the GeoTIFFs and the XML of one mosaic tile", remedy)
        if member.isfile() and (_LAYER.match(name) or _XML.match(name)):
            seen.add(name)
            yield member


def _unsafe(member: tarfile.TarInfo, count: int) -> str | None:
    """What makes a member unsafe, or None."""
    if count > MAXIMUM_MEMBERS:
        return f"more than {MAXIMUM_MEMBERS} members"
    if not (member.isfile() or member.isdir()):
        return f"the link or device {member.name!r}"
    if member.name.startswith("/") or ".." in Path(member.name).parts:
        return f"the path {member.name!r} that leads out of the archive"
    if member.size > MAXIMUM_MEMBER_BYTES:
        return f"{member.name!r} of {member.size} bytes"
    return None


def _extract_member(source: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> str:
    """Write one regular member under its bare name, with its own time; the name."""
    target = folder / Path(member.name).name
    stream = source.extractfile(member)
    if stream is None:
        raise tarfile.ReadError(f"no data for {member.name}")
    with stream, target.open("xb") as file:
        shutil.copyfileobj(stream, file)
    os.utime(target, (member.mtime, member.mtime))
    return target.name


def _tile_name(archive: Path, names: Iterable[str]) -> str:
    """ "N23W161_20_F02DAR" from the members; all must be of one tile."""
    matches = [match for name in names if (match := _LAYER.match(name))]
    tiles = {(match["tile"], match["year"], match["mode"] or "") for match in matches}
    if len(tiles) != 1 or not any(match["layer"].startswith("sl_") for match in matches):
        found = f"{len(tiles)} mosaic tiles with backscatter"
        remedy = "Only archives of the JAXA global mosaic (N23W161_20_MOS_F02DAR.tar.gz) are read."
        raise ProductError(f"archive {archive}", found, "files like N23W161_20_sl_HH_F02DAR.tif", remedy)
    return "_".join(part for part in tiles.pop() if part)


def mosaic_item(files: Sequence[Path]) -> pystac.Item:
    """The item of an extracted tile from its files. A missing mask, date, angle or XML leaves its part out."""
    layers = {match["layer"]: path for path in files if (match := _LAYER.match(path.name))}
    xml = next((path for path in files if _XML.match(path.name)), None)
    metadata = read_metadata(xml) if xml else MosaicMetadata()
    name = _tile_name(files[0], [path.name for path in files])
    start, end = _times(name, metadata)
    assets = {layer.removeprefix("sl_"): _scene_file(layer, path) for layer, path in layers.items()}
    item = scene_item(
        f"{name}_MOS", COLLECTION, assets, start=start, end=end,
        properties=_properties(name, layers, metadata),
    )  # fmt: skip
    if xml:
        item.add_asset("metadata", pystac.Asset(str(xml.absolute()), media_type="application/xml", roles=["metadata"]))
    return item


def _scene_file(layer: str, path: Path) -> SceneFile:
    title = _TITLES.get(layer, f"{layer.removeprefix('sl_')} gamma0 amplitude, 10 log10(DN²) − 83 dB")
    roles = {"mask": ("data-mask",), "linci": ("local-incidence-angle",), "date": ("date",)}
    return SceneFile(path=path, title=title, roles=roles.get(layer, ("data",)))


def _times(name: str, metadata: MosaicMetadata) -> tuple[datetime, datetime]:
    """From the XML; the whole year of the tile's name where it is silent."""
    if metadata.start and metadata.end:
        return metadata.start, metadata.end
    year = 2000 + int(name.split("_")[1])
    return datetime(year, 1, 1, tzinfo=UTC), datetime(year, 12, 31, 23, 59, 59, tzinfo=UTC)


def _properties(name: str, layers: Iterable[str], metadata: MosaicMetadata) -> dict[str, Any]:
    """Platform, sar and sat fields; the file name's mode code (F02DAR) stands in for a silent XML."""
    mode = _MODE.match(name.split("_")[-1])
    orbit = {"A": "ascending", "D": "descending"}[mode["orbit"]] if mode else None
    side = {"L": "left", "R": "right"}[mode["side"]] if mode else None
    properties = {
        "platform": "alos-2",
        "instruments": ["palsar-2"],
        "sar:frequency_band": "L",
        "sar:instrument_mode": mode["mode"] if mode else "F",
        "sar:product_type": "GTC",
        "sar:polarizations": [layer[3:] for layer in layers if layer.startswith("sl_")],
        "sar:observation_direction": metadata.look_side or side,
        "sar:beam_ids": list(metadata.beams) or None,
        "sat:orbit_state": metadata.orbit_direction or orbit,
        "overbank:angle_range": metadata.angle_range and list(metadata.angle_range),
        "overbank:noise_db": noise_gamma0(metadata.noise_sigma0_db, metadata.angle_range) or None,
    }
    return {key: value for key, value in properties.items() if value is not None}


def noise_gamma0(sigma0_db: Mapping[str, float], angle_range: tuple[float, float] | None) -> dict[str, float]:
    """Noise-equivalent gamma0 in dB: the XML states sigma0, the pixels are gamma0 = sigma0 / cos(incidence).

    The cosine is that of mid-range (0.4 dB of spread over a fine beam, 1.6 dB over ScanSAR).
    """
    if angle_range is None:
        return dict(sigma0_db)
    middle = math.radians(sum(angle_range) / 2)
    shift = -10 * math.log10(math.cos(middle))
    return {name: round(value + shift, 2) for name, value in sigma0_db.items()}


def read_metadata(path: Path) -> MosaicMetadata:
    """The XML of a tile (CARD4L-NRB). Raises `ProductError` when it is not well-formed, or too large."""
    return read_metadata_of(path, _metadata, "Fetch the archive again.")


def _metadata(root: Element) -> MosaicMetadata:
    starts, ends = texts(root, "UTCStartTime"), texts(root, "UTCEndTime")
    near, far = texts(root, "IncAngleNearRange"), texts(root, "IncAngleFarRange")
    return MosaicMetadata(
        start=min(map(_time, starts), default=None),
        end=max(map(_time, ends), default=None),
        angle_range=(min(map(float, near)), max(map(float, far))) if near and far else None,
        noise_sigma0_db=_noise(root.iter("NoiseEquivalentSigma0")),
        orbit_direction=common(root, "PassDirection"),
        look_side=common(root, "AntennaPointing"),
        beams=tuple(dict.fromkeys(texts(root, "BeamID"))),
    )


def _noise(elements: Iterable[Element]) -> dict[str, float]:
    noise: dict[str, float] = {}
    for element in elements:
        name, value = element.get("pol"), (element.text or "").strip()
        if name and value:
            noise[name] = max(noise.get(name, -math.inf), float(value))
    return noise


def _time(text: str) -> datetime:
    return utc(datetime.fromisoformat(text))
