"""Layers to files: COGs and a STAC item in one folder that appears by one rename."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pystac
from shapely.geometry import mapping

from catalogs.lonlat import bbox, bbox_around
from catalogs.publish import EXTENSIONS, write_json
from catalogs.records import Acquisition
from pipeline.cog import write_cog
from pipeline.grid import outline_lonlat
from pipeline.layers import Classes, Layer, UnitLayers
from pipeline.ledger import appearing
from pipeline.plan import Unit
from pipeline.radar_angle import angle_told

COLLECTION = "overbank-units"
RUN_ID = "overbank-run"
_USED = ("projection", "raster", "classification", "processing", "file")


def export_unit(target: Path, unit: Unit, layers: UnitLayers, fingerprint: str, job_name: str, science: str) -> None:
    """Write every layer of a unit and its item into `target`, all of it or nothing."""
    with appearing(target) as folder:
        for name, layer in layers.layers.items():
            path = folder / f"{name}.tif"
            path.parent.mkdir(exist_ok=True)
            write_cog(path, layer, unit.box)
        item = unit_item(unit, layers, folder)
        item.properties |= {
            "overbank:fingerprint": fingerprint,
            "overbank:job": job_name,
            "overbank:science": science,
        }
        write_json(folder / f"{unit.id}.json", item.to_dict(include_self_link=False, transform_hrefs=False))


def unit_item(unit: Unit, layers: UnitLayers, folder: Path) -> pystac.Item:
    """The STAC item of a unit whose rasters lie in `folder`; addresses relative to it."""
    outline = outline_lonlat(unit.box).geom
    item = pystac.Item(
        id=unit.id,
        geometry=mapping(outline),
        bbox=bbox(outline),
        datetime=unit.at,
        properties=_properties(unit) | dict(layers.facts),
        collection=COLLECTION,
        stac_extensions=[EXTENSIONS[name] for name in _USED],
    )
    for name, layer in layers.layers.items():
        item.add_asset(name, asset_of(name, layer, folder / f"{name}.tif"))
    for scene in unit.scenes:
        for name in scene.slices:
            item.add_link(pystac.Link("derived_from", f"urn:stac:{scene.collection}:{name}", title=_source(scene)))
    item.add_link(pystac.Link("collection", "../../collection.json", media_type=pystac.MediaType.JSON))
    item.add_link(pystac.Link("root", "../../catalog.json", media_type=pystac.MediaType.JSON))
    item.add_link(pystac.Link("parent", "../../collection.json", media_type=pystac.MediaType.JSON))
    return item


def _properties(unit: Unit) -> dict[str, Any]:
    box = unit.box
    return {
        "proj:code": str(box.crs),
        "proj:shape": list(box.shape.yx),
        "proj:transform": list(box.affine)[:6],
        "processing:level": "L4",
        "processing:software": {"overbank": version("overbank")},
        "overbank:scenes": _scene_times(unit),
    }


def _scene_times(unit: Unit) -> dict[str, list[dict[str, str]]]:
    def told(scenes: tuple[Acquisition, ...]) -> list[dict[str, str]]:
        return [_scene(scene) for scene in scenes]

    return {"during": told(unit.during), "before": told(unit.before)}


def _scene(scene: Acquisition) -> dict[str, str]:
    told = {"id": scene.id, "sensor": scene.sensor, "platform": scene.platform, "time": _iso(scene.time)}
    return told | ({"angle": angle_told(scene)} if scene.kind == "radar" else {})


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _source(scene: Acquisition) -> str:
    return f"{scene.platform} {_iso(scene.time)}"


def asset_of(name: str, layer: Layer, path: Path) -> pystac.Asset:
    """The asset of a layer that lies at `path`: what it is, its size and its checksum."""
    kind = layer.kind
    band: dict[str, Any] = {"data_type": kind.dtype, "scale": kind.scale, "offset": 0.0}
    if kind.nodata is not None:
        band["nodata"] = kind.nodata
    if kind.unit:
        band["unit"] = kind.unit
    data = path.read_bytes()
    fields: dict[str, Any] = {
        "raster:bands": [band | {"description": text} if len(layer.bands) > 1 else band for text in layer.bands],
        "file:size": len(data),
        "file:checksum": "1220" + hashlib.sha256(data).hexdigest(),
    }
    if kind.classes is not None:
        fields["classification:classes"] = _classes(kind.classes)
    if kind.bits:
        fields["classification:bitfields"] = [_bitfield(bit, name) for bit, name in enumerate(kind.bits) if name]
    return pystac.Asset(
        href=f"./{name}.tif", title=kind.title, media_type=pystac.MediaType.COG, roles=[kind.role], extra_fields=fields
    )


def _classes(classes: Classes) -> list[dict[str, Any]]:
    return [
        {"value": code, "name": name, "description": text, "color_hint": colour.removeprefix("#")[:6].upper()}
        for code, (name, text, colour) in classes.items()
    ]


def _bitfield(bit: int, name: str) -> dict[str, Any]:
    classes = [{"value": 0, "description": "no"}, {"value": 1, "description": name.replace("_", " ")}]
    return {"name": name, "offset": bit, "length": 1, "classes": classes}


def publish_run(run: Path, items: Mapping[str, dict[str, Any]], title: str) -> None:
    """Write the run's catalog.json and collection.json over all its units, with relative links."""
    boxes = [item["bbox"] for item in items.values()]
    times = [item["properties"]["datetime"] for item in items.values()]
    extent = pystac.Extent(
        pystac.SpatialExtent([bbox_around(boxes)]),
        pystac.TemporalExtent([[_moment(min(times)), _moment(max(times))]]),
    )
    collection = pystac.Collection(COLLECTION, f"Units of {title}", extent, title=title, license="other")
    collection.add_link(pystac.Link("root", "./catalog.json"))
    collection.add_link(pystac.Link("parent", "./catalog.json"))
    for name in sorted(items):
        collection.add_link(pystac.Link("item", f"./units/{name}/{name}.json", media_type=pystac.MediaType.GEOJSON))
    catalog = pystac.Catalog(RUN_ID, f"Flood maps of {title}", title=title)
    catalog.clear_links("root")
    catalog.add_link(pystac.Link("root", "./catalog.json"))
    catalog.add_link(pystac.Link("child", "./collection.json", media_type=pystac.MediaType.JSON))
    write_json(run / "collection.json", collection.to_dict(include_self_link=False, transform_hrefs=False))
    write_json(run / "catalog.json", catalog.to_dict(include_self_link=False, transform_hrefs=False))


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
