"""JAXA PALSAR-2 Level 1.5 and 2.1: amplitude GeoTIFFs (IMG-HH-ALOS2…-FBDR2.1GUA.tif), summary.txt, perhaps a leader."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pystac
import rasterio
from rasterio.errors import NotGeoreferencedWarning, RasterioIOError

from catalogs.errors import ProductError
from catalogs.formats.ceos_leader import Leader, read_leader
from catalogs.hrefs import driver_for
from catalogs.publish import SceneFile, scene_item
from catalogs.records import Record

COLLECTION = "palsar2-amplitude"
SUMMARY = "summary.txt"

_NAME = re.compile(
    r"^IMG-(?P<polarization>HH|HV|VV|VH)-(?P<scene>ALOS2(?P<orbit>\d{5})\d{4}-\d{6})-(?P<product>"
    r"(?P<mode>[A-Z]{3})(?P<side>[RL])(?P<level>\d\.\d)(?P<option>[GR_])(?P<map>[A-Z_])(?P<direction>[AD]))\.tiff?$"
)
"""JAXA, PALSAR-2 GeoTIFF product format: mode, look side, level, geocoded or georeferenced, map, direction of pass."""
_FIELD = re.compile(r'^(?P<name>\w+)="(?P<value>[^"]*)"\s*$')
LEVELS = ("1.5", "2.1")
_DESCRIBE = "describe it in an overbank.yaml"


class Summary(Record):
    """What the summary.txt of a scene says."""

    scene: str
    product: str
    start: datetime
    end: datetime
    off_nadir: float | None = None
    """Degrees of the beam."""


def palsar2_scenes(place: Path) -> Iterator[tuple[Path, ...]]:
    """The files of each amplitude scene in a folder: its images, and the summary and leader that lie beside them."""
    scenes: dict[tuple[str, str], list[Path]] = {}
    for path in sorted(place.iterdir()):
        if path.is_file() and (match := _NAME.match(path.name)):
            scenes.setdefault((match["scene"], match["product"]), []).append(path)
    for (scene, product), images in scenes.items():
        beside = [place / SUMMARY] if len(scenes) == 1 else []  # one summary cannot be that of two scenes
        beside += [place / f"LED-{scene}-{product}"]
        yield (*images, *(path for path in beside if path.is_file()))


def palsar2_item(files: Sequence[Path]) -> pystac.Item:
    """The item of one scene. Quantity: sigma0 of the ellipsoid.

    Raises `ProductError` for levels without calibrated amplitude, images without a map projection, and a summary that
    is missing or of another scene.
    """
    images = {match["polarization"]: path for path in files if (match := _NAME.match(path.name))}
    match = _NAME.match(next(iter(images.values())).name)
    assert match is not None
    _check_level(files[0], match)
    for path in images.values():
        _check_projection(path)
    summary = _summary_of(files, match)
    leader = next((read_leader(path) for path in files if path.name.startswith("LED-")), None)
    item = scene_item(
        f"{match['scene']}-{match['product']}",
        COLLECTION,
        {name: _scene_file(name, path) for name, path in images.items()},
        start=summary.start,
        end=summary.end,
        properties=_properties(match, list(images), summary, leader),
    )
    for path in files:
        if path not in images.values():
            item.add_asset(path.name.split("-")[0].removesuffix(".txt").lower(), _metadata_asset(path))
    return item


def read_summary(path: Path) -> Summary:
    """The summary.txt of a product: lines of NAME="value". Raises `ProductError` where something needed is missing."""
    text = path.read_text(encoding="ascii", errors="replace")
    fields = {match["name"]: match["value"].strip() for line in text.splitlines() if (match := _FIELD.match(line))}
    try:
        off_nadir = fields.get("Img_OffNadirAngle")
        return Summary(
            scene=fields["Scs_SceneID"],
            product=fields["Pds_ProductID"],
            start=_time(fields["Img_SceneStartDateTime"]),
            end=_time(fields["Img_SceneEndDateTime"]),
            off_nadir=float(off_nadir) if off_nadir else None,
        )
    except (KeyError, ValueError) as error:
        found = f"no {error.args[0]}" if isinstance(error, KeyError) else str(error)
        expected = "Scs_SceneID, Pds_ProductID, Img_SceneStartDateTime and Img_SceneEndDateTime"
        raise ProductError(
            f"metadata {path}", found, expected, "Fetch the summary.txt of the product again."
        ) from error


def _time(text: str) -> datetime:
    """ "20140909 04:33:42.052", UTC."""
    return datetime.strptime(text, "%Y%m%d %H:%M:%S.%f").replace(tzinfo=UTC)


def _check_level(path: Path, name: re.Match[str]) -> None:
    if name["level"] in LEVELS:
        return
    found = f"an ALOS-2 image of level {name['level']}"
    why = "complex in slant range" if name["level"] == "1.1" else "changed in its dynamic range, no longer calibrated"
    raise ProductError(
        f"file {path}", f"{found}: {why}", f"level {' or '.join(LEVELS)}", "Order the scene as level 2.1 in GeoTIFF."
    )


def _check_projection(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # said better below
        try:
            with rasterio.open(path, driver=driver_for(str(path))) as source:
                _, turned, _, tilted = tuple(source.transform)[:4]
                found = "no map projection" if source.crs is None else "lines askew" if turned or tilted else ""
        except RasterioIOError as error:
            raise ProductError(f"file {path}", str(error), "a GeoTIFF", "Fetch the product again.") from error
    if found:
        expected = "a geocoded image (map north)"
        remedy = (
            "It lies in the geometry of the pass: order the scene as level 2.1, or as level 1.5 geocoded (…1.5G…), or "
            f"correct it for terrain with another tool, and {_DESCRIBE}."
        )
        raise ProductError(f"file {path}", found, expected, remedy)


def _summary_of(files: Sequence[Path], name: re.Match[str]) -> Summary:
    path = next((path for path in files if path.name == SUMMARY), None)
    expected = f"the {SUMMARY} of {name['scene']} {name['product']} beside its images"
    if path is None:
        remedy = f"Put each scene with its {SUMMARY} into a folder of its own, or {_DESCRIBE}."
        raise ProductError(f"ALOS-2 scene in {files[0].parent}", f"no {SUMMARY} that is its own", expected, remedy)
    summary = read_summary(path)
    if (summary.scene, summary.product) != (name["scene"], name["product"]):
        found = f"one of {summary.scene} {summary.product}"
        raise ProductError(f"metadata {path}", found, expected, "Put the summary of the scene beside its images.")
    return summary


def _scene_file(name: str, path: Path) -> SceneFile:
    return SceneFile(path=path, title=f"{name} sigma0 amplitude, 10 log10(DN²) + calibration factor", nodata=0)


def _metadata_asset(path: Path) -> pystac.Asset:
    return pystac.Asset(str(path.absolute()), roles=["metadata"])


def _properties(
    name: re.Match[str], polarizations: Sequence[str], summary: Summary, leader: Leader | None
) -> Mapping[str, Any]:
    """Platform, sar, sat and view fields: by the product id, the summary, and where it is there, the leader."""
    side = {"R": "right", "L": "left"}[name["side"]]
    properties = {
        "platform": "alos-2",
        "instruments": ["palsar-2"],
        "sar:frequency_band": "L",
        "sar:instrument_mode": name["mode"],
        "sar:product_type": f"L{name['level']}",
        "sar:polarizations": list(polarizations),
        "sar:observation_direction": leader.look_side if leader else side,
        "sat:orbit_state": {"A": "ascending", "D": "descending"}[name["direction"]],
        "sat:absolute_orbit": int(name["orbit"]),
        "view:off_nadir": summary.off_nadir,
        "view:incidence_angle": leader.incidence if leader else None,
        "overbank:calibration_db": leader.calibration_db if leader else None,
    }
    return {key: value for key, value in properties.items() if value is not None}
