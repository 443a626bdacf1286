"""A STAC item of a known collection becomes an `Acquisition`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, cast

import pystac
from pystac.utils import str_to_datetime

from catalogs.collection import POLARIZATIONS, REFLECTANCES, Collection, LayerName, LayerRule, collection_for
from catalogs.encoding import band_fields, nodata_values, scale_and_offset
from catalogs.errors import ItemError
from catalogs.footprints import footprint_json
from catalogs.formats.sentinel1 import swath_of
from catalogs.hrefs import check_href, is_remote
from catalogs.identity import baseline_of, orbits_of, part_of, platform_of, updated_of
from catalogs.items import understood
from catalogs.records import OPEN, Access, Acquisition, RasterLayer, Swath
from catalogs.stated import stated_of
from catalogs.times import utc
from catalogs.web.signing import unsigned

SNAPSHOT = timedelta(days=3)
"""A mosaic whose times lie closer together than this is a pass, not a reference over months."""

_DAY_ZERO = datetime(1970, 1, 1, tzinfo=UTC).date()


def to_acquisition(item: pystac.Item, *, catalog_root: str | Path | None = None, access: Access = OPEN) -> Acquisition:
    """The record of one item: layers with absolute addresses and encoding, times, geometry, noise.

    `catalog_root` says where the item was found, a local path or an address, and decides whether local
    files may be named (see `catalogs.hrefs`); the default is the item's own self link. Items of a remote
    catalog must be read with its address given here. `access` is what the catalog asks of a reader. No file
    is opened; local files are asked for size and time. Raises `UnknownCollectionError`, `ItemError` or
    `HrefError`.
    """
    with understood(item):
        return _acquisition(item, catalog_root if catalog_root is not None else item.get_self_href(), access)


def _acquisition(item: pystac.Item, root: str | Path | None, access: Access) -> Acquisition:
    collection = collection_for(item.collection_id, item.properties)
    assets = dict(_found_assets(item, collection))
    _require_measurement(item, collection, assets)
    access = paid(access, collection.requester_pays or item.properties.get("storage:requester_pays") is True)
    layers = {name: _layer(item, collection, name, key, root, access) for name, key in assets.items()}
    start, end = _span(item)
    return Acquisition(
        id=item.id,
        slices=(item.id,),
        collection=collection.id,
        sensor=collection.sensor,
        kind=collection.kind,
        quantity=collection.quantity,
        band=collection.band,
        start=start,
        end=end,
        layers={str(name): (layer,) for name, layer in layers.items()},
        mask_scheme=collection.mask_scheme if "mask" in layers else None,
        reference_only=collection.reference_only and end - start > SNAPSHOT,
        footprint=footprint_json(item),
        bytes=_total_bytes(item, assets, layers),
        version=_version(item, assets, layers),
        baseline=baseline_of(item.id, item.properties),
        updated=updated_of(item.properties),
        **_view(item, collection),
        **_sun(item, collection),
        **_noise(item, collection, layers),
    )


def located(item: pystac.Item, key: str, root: str | Path | None) -> str:
    """The allowed absolute address of one asset; `root` as `catalog_root` of `to_acquisition`."""
    return _absolute(item, item.assets[key], root if root is not None else item.get_self_href())


def _found_assets(item: pystac.Item, collection: Collection) -> Iterator[tuple[LayerName, str]]:
    """(layer, asset key) of every layer that the item has."""
    for name, rule in collection.layers.items():
        key = next((key for key in rule.assets if key in item.assets), None)
        if key is not None:
            yield name, key


def _require_measurement(item: pystac.Item, collection: Collection, assets: Mapping[LayerName, str]) -> None:
    wanted = POLARIZATIONS if collection.kind == "radar" else REFLECTANCES
    if any(name in assets for name in wanted):
        return
    keys = [key for name in wanted if name in collection.layers for key in collection.layers[name].assets]
    raise ItemError(
        f"item {item.id} of collection {collection.id}",
        f"assets {', '.join(item.assets) or 'none'}",
        f"at least one of {', '.join(keys)}",
        "Correct the item's asset keys or its collection.",
    )


def _layer(
    item: pystac.Item, collection: Collection, name: LayerName, key: str, root: str | Path | None, access: Access
) -> RasterLayer:
    rule: LayerRule = collection.layers[name]
    asset = item.assets[key]
    fields = band_fields(asset.extra_fields, rule.band)
    scale, offset = rule.scale, rule.offset
    if rule.encoding == "linear":
        scale, offset = scale_and_offset(collection, name, rule, fields, item.properties)
    if name == "date":
        offset += _epoch_days(item, collection)
    href = unsigned(_absolute(item, asset, root), access)  # signed anew when a pixel is read
    return RasterLayer(
        href=href,
        item=item.id,
        band=rule.band,
        encoding=rule.encoding,
        calibration_db=_calibration(rule, item.properties),
        scale=scale,
        offset=offset,
        nodata=nodata_values(rule, fields),
        access=access,
        swath=_swath(item, name, href, root, access) if rule.encoding == "calibrated" else None,
        stated=stated_of(item.properties, asset.extra_fields, rule.band),
    )


def _calibration(rule: LayerRule, properties: Mapping[str, Any]) -> float:
    """Factor of an amplitude, dB: what the product states, else what holds for its collection."""
    return float(properties.get("overbank:calibration_db", rule.calibration_db))


def _swath(item: pystac.Item, polarization: str, measurement: str, root: str | Path | None, access: Access) -> Swath:
    """The metadata beside a measurement, each address allowed."""
    found = {key: asset for key, asset in item.assets.items() if key.startswith("schema-")}
    assets = {key: unsigned(_absolute(item, asset, root), access) for key, asset in found.items()}
    swath = swath_of(measurement, assets, polarization)
    for href in swath.files:
        check_href(href, root)
    return swath


def paid(access: Access, pays: bool) -> Access:
    """The access with "requester pays" where an item (STAC storage extension 1) or its collection says so."""
    return access.model_copy(update={"requester_pays": True}) if pays else access


def _absolute(item: pystac.Item, asset: pystac.Asset, root: str | Path | None) -> str:
    """The asset's absolute address, allowed before and after it is resolved against the item's."""
    relative = not is_remote(asset.href) and not asset.href.startswith("/")
    check_href(asset.href, "/" if relative else root)  # where a relative one leads is checked below
    if not relative:
        return asset.href
    absolute = asset.get_absolute_href()
    if absolute is None or item.get_self_href() is None:
        raise ItemError(
            f"item {item.id}",
            f"the relative address {asset.href!r} and no self link",
            "a place to resolve it against",
            "Read the item from its file, or set its self link.",
        )
    return check_href(absolute, root)


def _epoch_days(item: pystac.Item, collection: Collection) -> int:
    """Days from 1970-01-01 to the day that the date layer counts from: its value becomes days since 1970."""
    epoch = collection.date_epochs.get(_platform(item, collection))
    return (epoch - _DAY_ZERO).days if epoch else 0


def _span(item: pystac.Item) -> tuple[datetime, datetime]:
    """First and last instant in UTC; a lone `datetime` is both."""
    times = [item.properties.get(name) for name in ("start_datetime", "end_datetime")]
    try:
        start, end = (str_to_datetime(str(time)) if time else item.datetime for time in times)
    except ValueError as error:
        raise _bad_time(item, str(error)) from error
    if start is None or end is None:
        raise _bad_time(item, "no time")
    start, end = (utc(time) for time in (start, end))
    if end < start:
        raise _bad_time(item, f"the end {end.isoformat()} before the start {start.isoformat()}")
    return start, end


def _bad_time(item: pystac.Item, found: str) -> ItemError:
    expected = "datetime, or start_datetime and end_datetime (RFC 3339)"
    return ItemError(f"item {item.id}", found, expected, "Correct the item's times.")


def _platform(item: pystac.Item, collection: Collection) -> str:
    return platform_of(item.id, item.properties, collection.platform)


def _view(item: pystac.Item, collection: Collection) -> dict[str, Any]:
    """Satellite, orbit and angles."""
    properties, platform = item.properties, _platform(item, collection)
    direction = str(properties.get("sat:orbit_state")).lower()
    side = str(properties.get("sar:observation_direction", collection.look_side)).lower()
    relative, absolute = orbits_of(item.id, collection.sensor, properties, platform)
    return {
        "platform": platform,
        "orbit_direction": direction if direction in ("ascending", "descending") else None,
        "relative_orbit": relative,
        "absolute_orbit": absolute,
        "part": part_of(item.id, collection.sensor, properties),
        "look_side": side if side in ("right", "left") and collection.kind == "radar" else None,
        "look_azimuth": properties.get("view:azimuth") if collection.kind == "radar" else None,
        "angle_range": properties.get("overbank:angle_range", _mode_angles(properties, collection)),
        "incidence": properties.get("view:incidence_angle") if collection.kind == "radar" else None,
        "off_nadir": properties.get("view:off_nadir") if collection.kind == "radar" else None,
    }


def _sun(item: pystac.Item, collection: Collection) -> dict[str, float]:
    """Degrees of sun and satellite as far as the item of an optical scene gives them; what is no angle is left out."""
    if collection.kind == "radar":
        return {}
    elevation = _angle(item.properties.get("view:sun_elevation"), -90.0, 90.0)
    found = {
        "sun_zenith": _angle(item.properties.get("s2:mean_solar_zenith"), 0.0, 180.0)
        if elevation is None
        else 90.0 - elevation,
        "sun_azimuth": _first_angle(item, "view:sun_azimuth", "s2:mean_solar_azimuth", limit=360.0),
        "view_zenith": _first_angle(item, "view:incidence_angle", "view:off_nadir", limit=90.0),
        "view_azimuth": _first_angle(item, "view:azimuth", limit=360.0),
    }
    return {name: value for name, value in found.items() if value is not None}


def _first_angle(item: pystac.Item, *names: str, limit: float) -> float | None:
    found = (_angle(item.properties.get(name), 0.0, limit) for name in names)
    return next((angle for angle in found if angle is not None), None)


def _angle(value: Any, low: float, high: float) -> float | None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if number and low <= value <= high else None


def _mode_angles(properties: Mapping[str, Any], collection: Collection) -> tuple[float, float] | None:
    mode = properties.get("sar:instrument_mode")
    return collection.angle_by_mode.get(str(mode), collection.angle_range)


def _noise(item: pystac.Item, collection: Collection, layers: Mapping[LayerName, RasterLayer]) -> dict[str, Any]:
    """Noise of the polarizations that are there; the product's own where it gives one, else the mode's."""
    stated = item.properties.get("overbank:noise_db") or {}
    noise = {**collection.noise_db, **stated}
    source: Literal["product", "default"] = "product" if stated else "default"
    return {
        "noise_db": {name: noise[name] for name in POLARIZATIONS if name in layers and name in noise},
        "noise_source": source,
        "denoised": item.properties.get("overbank:denoised", collection.denoised),
    }


def _files(
    item: pystac.Item, assets: Mapping[LayerName, str], layers: Mapping[LayerName, RasterLayer]
) -> dict[str, pystac.Asset]:
    """Address → asset, each file once."""
    return {layers[name].href: item.assets[key] for name, key in assets.items()}


def _total_bytes(
    item: pystac.Item, assets: Mapping[LayerName, str], layers: Mapping[LayerName, RasterLayer]
) -> int | None:
    sizes = [_size(href, asset) for href, asset in _files(item, assets, layers).items()]
    return None if None in sizes else sum(cast(list[int], sizes))


def _size(href: str, asset: pystac.Asset) -> int | None:
    """The file's size on this disk, else what the item says."""
    if not is_remote(href) and Path(href).is_file():
        return Path(href).stat().st_size
    size = asset.extra_fields.get("file:size")
    return size if isinstance(size, int) else None


def _version(item: pystac.Item, assets: Mapping[LayerName, str], layers: Mapping[LayerName, RasterLayer]) -> str:
    """A digest of when and how it was made, checksums, and size and time of local files; empty: nothing is known."""
    changed = updated_of(item.properties)
    parts = [changed.isoformat() if changed else "", baseline_of(item.id, item.properties)]
    for href, asset in sorted(_files(item, assets, layers).items()):
        parts.append(str(asset.extra_fields.get("file:checksum", "")))
        parts += local_stamp(href)
    for layer in layers.values():
        parts += [stamp for href in (layer.swath.files if layer.swath else ()) for stamp in local_stamp(href)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16] if any(parts) else ""


def local_stamp(href: str) -> list[str]:
    """Size and time of a file on this disk, else nothing."""
    if is_remote(href) or not Path(href).is_file():
        return []
    stat = Path(href).stat()
    return [f"{stat.st_size}:{stat.st_mtime_ns}"]
