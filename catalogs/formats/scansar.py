"""JAXA PALSAR-2 ScanSAR Level 2.2 (CARD4L Normalized Radar Backscatter): a folder of COGs and their summary."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import pystac
from pydantic import Field

from catalogs.collection import Collection, known_collections
from catalogs.errors import ProductError
from catalogs.formats.alos2 import noise_gamma0
from catalogs.formats.product_xml import common, only, read_metadata_of, texts
from catalogs.publish import SceneFile, scene_item
from catalogs.records import Record
from catalogs.times import utc

COLLECTION = "palsar2-scansar"
MASK_VALUES = {"NoData": 0, "ValidData": 1, "Layover": 2, "Shadow": 3, "OceanWater": 4, "InvalidData": 5}
"""The classes of the mask scheme "palsar-scansar"; a summary that says otherwise is refused."""

_NAME = r"(?P<scene>ALOS2(?P<orbit>\d{5})\d{4,5}-\d{6}_[A-Z0-9.]+?)"
_LAYER = re.compile(rf"^{_NAME}_(?P<layer>(?:HH|HV|VV|VH)_SLP|LIN|MSK)\.tif$")
_SUMMARY = re.compile(rf"^{_NAME}_summary\.xml$")
_CONVERSION = re.compile(r"10\*log10\(DN\^2\)\s*([+-]\s*\d+(?:\.\d+)?)")


class ScanSarMetadata(Record):
    """What the summary of a scene says."""

    start: datetime
    end: datetime
    calibration_db: float
    """gamma0 is 10·log10(DN²) plus this, dB."""
    angle_range: tuple[float, float] | None = None
    """Incidence angle at near and far range of the beam, degrees."""
    noise_sigma0_db: dict[str, float] = Field(default_factory=dict)
    """Noise-equivalent sigma0 by polarization, dB. JAXA states the least over the swath."""
    denoised: bool = False
    orbit_direction: str | None = None
    look_side: str | None = None
    path: int | None = None
    """Number of the reference orbit (RSP), 1 to 207."""
    mode: str = "WBD"
    beams: tuple[str, ...] = ()
    polarizations: tuple[str, ...] = ()


def scansar_scenes(place: Path) -> Iterator[tuple[Path, ...]]:
    """The files of each ScanSAR scene that lies in a folder, the summary among them where it is there."""
    scenes: dict[str, list[Path]] = {}
    for path in sorted(place.iterdir()):
        if path.is_file() and (match := _LAYER.match(path.name) or _SUMMARY.match(path.name)):
            scenes.setdefault(match["scene"], []).append(path)
    yield from map(tuple, scenes.values())


def scansar_item(files: Sequence[Path]) -> pystac.Item:
    """The item of one scene from its files.

    Raises `ProductError` without a summary or without backscatter, and where the summary contradicts what the
    collection says of calibration and mask.
    """
    layers = {match["layer"]: (match, path) for path in files if (match := _LAYER.match(path.name))}
    summary = next((path for path in files if _SUMMARY.match(path.name)), None)
    if summary is None or not any(name.endswith("_SLP") for name in layers):
        found = ", ".join(path.name for path in files)
        expected, remedy = "*_summary.xml and at least one *_SLP.tif", "Fetch the missing files of the scene."
        raise ProductError(f"ScanSAR scene in {files[0].parent}", found, expected, remedy)
    metadata = read_summary(summary)
    match = next(match for match, _ in layers.values())
    item = scene_item(
        match["scene"],
        COLLECTION,
        {name: _scene_file(name, path) for name, (_, path) in layers.items()},
        start=metadata.start,
        end=metadata.end,
        properties=_properties(metadata, [name[:2] for name in layers if name.endswith("_SLP")], int(match["orbit"])),
    )
    item.add_asset("summary", pystac.Asset(str(summary.absolute()), media_type="application/xml", roles=["metadata"]))
    return item


def read_summary(path: Path) -> ScanSarMetadata:
    """The summary of a scene. Raises `ProductError` where it is broken or of another kind of product."""
    return read_metadata_of(path, lambda root: _metadata(path, root), "Fetch the scene again.")


def _metadata(path: Path, root: Element) -> ScanSarMetadata:
    _check_mask(path, root)
    near, far = texts(root, "IncAngleNearRange"), texts(root, "IncAngleFarRange")
    track = texts(root, "RSP_Path_Number")
    return ScanSarMetadata(
        start=utc(datetime.fromisoformat(only(path, root, "FirstAcquisitionDate"))),
        end=utc(datetime.fromisoformat(only(path, root, "LastAcquisitionDate"))),
        calibration_db=_calibration(path, root),
        angle_range=(min(map(float, near)), max(map(float, far))) if near and far else None,
        noise_sigma0_db=_noise(root),
        denoised=common(root, "NoiseRemovalApplied") == "true",
        orbit_direction=common(root, "PassDirection"),
        look_side=common(root, "AntennaPointing"),
        path=int(track[0]) if track else None,
        mode=only(path, root, "ObservationMode"),
        beams=tuple(dict.fromkeys(texts(root, "BeamID"))),
    )


def _calibration(path: Path, root: Element) -> float:
    """The calibration factor; it must be what the collection says, for the pixels are read with that one."""
    convention, equation = only(path, root, "BackscatterMeasurement"), only(path, root, "BackscatterConversionEq")
    match = _CONVERSION.fullmatch(equation)
    collection = known_collections()[COLLECTION]
    assert isinstance(collection, Collection)
    expected = collection.layers["HH"].calibration_db
    value = float(match[1].replace(" ", "")) if match else None
    if value != expected or convention.lower() != "gamma-0":
        wanted = f"Gamma-0 as 10*log10(DN^2){expected:+g}"
        remedy = "Describe the files in overbank.yaml with their own calibration_db and quantity."
        raise ProductError(f"metadata {path}", f"{convention} as {equation}", wanted, remedy)
    return expected


def _check_mask(path: Path, root: Element) -> None:
    """The values of the mask must mean what the mask scheme says."""
    for element in root.iter("BitValues"):
        stated = {child.tag: int((child.text or "").strip()) for child in element}
        if stated != MASK_VALUES:
            remedy = "This edition is not known yet: leave the mask out by describing the files in overbank.yaml."
            raise ProductError(f"metadata {path}", f"mask values {stated}", f"{MASK_VALUES}", remedy)


def _noise(root: Element) -> dict[str, float]:
    noise: dict[str, float] = {}
    for element in root.iter("PerformanceIndicators"):
        name = element.get("pol")
        values = [
            float(text) for inner in element.iter("NoiseEquivalentIntensity") for text in texts(inner, "Estimates")
        ]
        if name and values:
            noise[name] = max(values)
    return noise


def _scene_file(name: str, path: Path) -> SceneFile:
    if name == "MSK":
        return SceneFile(path=path, title="Quality mask", roles=("data-mask",), nodata=0)
    if name == "LIN":
        title = "Local incidence angle"
        return SceneFile(path=path, title=title, roles=("local-incidence-angle",), scale=0.01, offset=0.0, nodata=0)
    return SceneFile(path=path, title=f"{name[:2]} gamma0 amplitude, 10 log10(DN²) − 83 dB", nodata=0)


def _properties(metadata: ScanSarMetadata, polarizations: Sequence[str], orbit: int) -> Mapping[str, Any]:
    noise = noise_gamma0(metadata.noise_sigma0_db, metadata.angle_range)
    properties = {
        "platform": "alos-2",
        "instruments": ["palsar-2"],
        "sar:frequency_band": "L",
        "sar:instrument_mode": metadata.mode,
        "sar:product_type": "NRB",
        "sar:polarizations": list(polarizations),
        "sar:observation_direction": metadata.look_side,
        "sar:beam_ids": list(metadata.beams) or None,
        "sat:orbit_state": metadata.orbit_direction,
        "sat:relative_orbit": metadata.path,
        "sat:absolute_orbit": orbit,
        "overbank:angle_range": metadata.angle_range and list(metadata.angle_range),
        "overbank:noise_db": {name: noise[name] for name in polarizations if name in noise} or None,
        "overbank:denoised": metadata.denoised,
    }
    return {key: value for key, value in properties.items() if value is not None}
