"""An item as an acquisition: what its record lacks, or why there is none. No file is opened."""

from __future__ import annotations

import math
from pathlib import Path

import pystac

from catalogs.acquisition import to_acquisition
from catalogs.collection import POLARIZATIONS, REFLECTANCES
from catalogs.doctor.findings import Finding
from catalogs.doctor.item import item_findings
from catalogs.encoding import baseline
from catalogs.errors import CatalogError, HrefError, ItemError, UnknownCollectionError
from catalogs.formats.sentinel1 import stray_assets
from catalogs.hrefs import shown
from catalogs.records import OPEN, Access, Acquisition, RasterLayer


def record_findings(item: pystac.Item, scene: Acquisition) -> tuple[Finding, ...]:
    """What the acquisition of an item lacks, by its record alone."""
    found = _strays(item, scene)
    if scene.kind == "radar" and scene.angle_source in ("pass", "mode"):
        low, high = scene.angle_range or (math.nan, math.nan)
        more = "orbit, look side and " if scene.angle_source == "pass" else "only "
        told = f"{more}the range of the mode, {low:g} to {high:g} degrees"
        found.append(Finding(code="missing-angle", thing=scene.id, found=told, expected="an angle layer or annotation"))
    for name, rasters in scene.layers.items():
        found += [_against_type(scene.id, name, raster) for raster in rasters if not _type_holds(name, raster)]
        if name in (*POLARIZATIONS, *REFLECTANCES) and not all(raster.nodata for raster in rasters):
            told = "none in item and collection"
            found.append(
                Finding(code="missing-nodata", thing=scene.id, layer=name, found=told, expected="a nodata value")
            )
    return tuple(found)


def read_record(
    item: pystac.Item, catalog_root: str | Path | None = None, access: Access = OPEN
) -> tuple[Acquisition | None, tuple[Finding, ...]]:
    """The item's acquisition, or None and the finding that says why there is none; with `record_findings`."""
    try:
        scene = to_acquisition(item, catalog_root=catalog_root, access=access)
    except CatalogError as error:
        return None, (refusal(item, error),)
    return scene, record_findings(item, scene)


def _strays(item: pystac.Item, scene: Acquisition) -> list[Finding]:
    """Metadata assets of a product in radar geometry that lead to another kind of file: one finding for all."""
    assets = {key: asset.href for key, asset in item.assets.items()}
    swaths = {name: raster.swath for name in scene.polarizations for raster in scene.layers[name] if raster.swath}
    stray = [(key, swaths[name].annotation) for name in swaths for key in stray_assets(assets, name)]
    if not stray:
        return []
    told = " and ".join(f"{key} leads to {shown(assets[key])}" for key, _ in stray)
    expected = f"a file such as {shown(stray[0][1])}"
    return [Finding(code="stray-metadata", thing=scene.id, found=told, expected=expected)]


def refusal(item: pystac.Item, error: CatalogError) -> Finding:
    """The finding of an item that cannot become a record."""
    thing, found, expected, _ = error.args
    if isinstance(error, UnknownCollectionError):
        found, expected = thing, "a collection of catalogs/collections"
    return Finding(code=_code_of(item, error), thing=item.id, found=found, expected=expected)


def _code_of(item: pystac.Item, error: CatalogError) -> str:
    if isinstance(error, UnknownCollectionError):
        return "unknown-collection"
    if isinstance(error, HrefError):
        return "refused-address"
    if isinstance(error, ItemError) and any(finding.code == "broken-times" for finding in item_findings(item)):
        return "broken-times"
    if isinstance(error, ItemError) and _is_sentinel2(item) and not _has_baseline(item):
        return "unknown-baseline"
    return "broken-item"


def _is_sentinel2(item: pystac.Item) -> bool:
    return str(item.collection_id).startswith("sentinel-2") or "s2" in str(item.collection_id)


def _has_baseline(item: pystac.Item) -> bool:
    try:
        baseline(item.properties)
    except ItemError:
        return False
    return True


def _type_holds(layer: str, raster: RasterLayer) -> bool:
    """Whether the declared number type can hold the declared encoding."""
    kind = raster.stated.data_type
    if kind is None or layer == "mask":
        return True
    whole = kind.startswith(("int", "uint"))
    if layer in POLARIZATIONS:
        return {
            "power": not whole,
            "decibel": not kind.startswith("uint"),
            "amplitude": kind not in ("int8", "uint8"),
        }.get(raster.encoding, True)
    return whole or raster.scale > 0.01 or layer == "angle"


def _against_type(thing: str, layer: str, raster: RasterLayer) -> Finding:
    encoding = raster.encoding if raster.encoding != "linear" else f"numbers of scale {raster.scale:g}"
    told = f"{raster.stated.data_type} for {encoding}"
    expected = "a type that can hold it"
    return Finding(code="type-against-encoding", thing=thing, layer=layer, found=told, expected=expected)
