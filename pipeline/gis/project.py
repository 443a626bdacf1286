"""A QGIS project over a run's mosaics and polygons: relative paths, groups, styles; made without QGIS, for 3.22 on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from pyproj import CRS, Transformer

from catalogs.lonlat import HALF_TURN
from pipeline.gis.mosaic import Mosaic
from pipeline.gis.polygons import FIELDS, class_swatches
from pipeline.gis.vector_files import LAYER
from pipeline.styles.polygons import add_polygon_style
from pipeline.styles.qml import DOCTYPE, VERSION, add_raster_style
from pipeline.styles.symbology import Symbology, symbology
from pipeline.styles.xml import clean, put, written
from pipeline.vectors import LONGITUDE_LATITUDE

GROUPS: dict[str, tuple[str, ...]] = {
    "Delivered map": ("flood_class", "agreement", "water_extent", "reference_water"),
    "Methods": ("methods/", "ndwi_water", "ndwi"),
    "Probabilities": ("flood_probability", "probability/", "uncertainty"),
    "Evidence by sensor": ("evidence", "trust", "trust/", "harmonized"),
    "What was seen, and why not": ("observed_by", "age", "exclusion"),
}
"""By group: the layers in it, or the folder that they lie in; in the order in which they are shown."""
OF_BAND = {
    "evidence": "Evidence of {}",
    "exclusion": "Why {} says nothing, or less",
    "uncertainty": "Uncertainty, {}",
}
"""How a band of a layer is called, where that is not the layer's title and the band's description."""
SHOWN = ("flood_class",)
"""Layers that are switched on; the polygons are too."""
MARGIN = 0.03
"""Share of the extent around the map when the project opens."""
NEAR_ZONES = 3
"""Zones up to which the grid of one serves to show them all, across ±180° too; wider runs are shown in degrees."""
Extent = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class MosaicFile:
    """A mosaic, and where it lies as seen from the project."""

    mosaic: Mosaic
    href: str
    present: frozenset[int]
    """Values of a bit field."""
    zone_told: bool
    """Whether its name says its zone: the run has several."""


@dataclass(frozen=True)
class _Entry:
    """A layer of the project."""

    id: str
    name: str
    href: str
    provider: str
    shown: bool


def project_qgs(
    title: str, about: str, legend: str, mosaics: Sequence[MosaicFile], polygons: str, polygon_crs: str
) -> bytes:
    """The project file; `polygons`: address of the GeoPackage. Paths as seen from where it will lie."""
    zones = sorted({one.mosaic.zone for one in mosaics})
    crs = zones[len(zones) // 2] if len(zones) <= NEAR_ZONES else LONGITUDE_LATITUDE
    root = Element("qgis", version=VERSION, projectname=clean(title))
    put(root, "homePath", path="")
    put(root, "title", title)
    _crs(put(root, "projectCrs"), crs)
    tree = put(root, "layer-tree-group")
    layers = put(root, "projectlayers")
    flood = _Entry("flood_polygons", f"{legend.capitalize()} polygons", f"{polygons}|layername={LAYER}", "ogr", True)
    _leaf(tree, flood)
    _polygons(layers, flood, legend, polygon_crs)
    for group, members in _grouped(mosaics):
        folder = put(
            tree, "layer-tree-group", name=group, checked="Qt::Checked", expanded=int(group == "Delivered map")
        )
        for entry, mosaic, band in members:
            look = symbology(mosaic.mosaic.kind, band, mosaic.present, entry.name)
            _without_band(_leaf(folder, entry), look)
            _raster(layers, entry, mosaic, look)
    _canvas(root, crs, _extent(mosaics, crs))
    _properties(root)
    metadata = put(root, "projectMetadata")
    put(metadata, "type", "dataset")
    put(metadata, "title", title)
    put(metadata, "abstract", about)
    return written(root, DOCTYPE)


def _grouped(mosaics: Sequence[MosaicFile]) -> Iterator[tuple[str, list[tuple[_Entry, MosaicFile, int]]]]:
    """By group its layers: each band of a mosaic is one, so that a click switches it on."""
    for group, wanted in GROUPS.items():
        found = [
            (_entry(one, band), one, band)
            for stem in wanted
            for one in mosaics
            if (one.mosaic.name.startswith(stem) if stem.endswith("/") else one.mosaic.name == stem)
            for band in range(1, len(one.mosaic.bands) + 1)
        ]
        if found:
            yield group, found


def _entry(one: MosaicFile, band: int) -> _Entry:
    mosaic = one.mosaic
    name = mosaic.kind.title.partition(":")[0]
    if len(mosaic.bands) > 1 or mosaic.name in OF_BAND:
        name = OF_BAND.get(mosaic.name, f"{name}: {{}}").format(mosaic.bands[band - 1])
    where = f" ({mosaic.zone})" if one.zone_told else ""
    identifier = re.sub(r"[^A-Za-z0-9]", "_", f"{mosaic.name}_{mosaic.zone}_{band}")
    return _Entry(identifier, name + where, one.href, "gdal", mosaic.name in SHOWN)


def _leaf(group: Element, entry: _Entry) -> Element:
    return put(
        group,
        "layer-tree-layer",
        id=entry.id,
        name=entry.name,
        source=entry.href,
        providerKey=entry.provider,
        checked="Qt::Checked" if entry.shown else "Qt::Unchecked",
        expanded=int(entry.shown),
    )


def _without_band(leaf: Element, look: Symbology) -> None:
    """Leave out the first line of a raster's legend, which repeats the name of its band."""
    lines = range(1, 2 if look.continuous else len(look.swatches) + 1)
    options = put(put(leaf, "customproperties"), "Option", type="Map")
    put(options, "Option", type="QString", name="legend/node-order", value=",".join(map(str, lines)))


def _raster(layers: Element, entry: _Entry, one: MosaicFile, look: Symbology) -> None:
    layer = put(layers, "maplayer", type="raster", styleCategories="AllStyleCategories")
    _common(layer, entry, one.mosaic.zone)
    nodata = put(layer, "noData")
    for number in range(1, len(one.mosaic.bands) + 1):
        put(nodata, "noDataList", bandNo=number, useSrcNoData=1)
    add_raster_style(layer, look)


def _polygons(layers: Element, entry: _Entry, legend: str, crs: str) -> None:
    layer = put(layers, "maplayer", type="vector", geometry="Polygon", styleCategories="AllStyleCategories")
    _common(layer, entry, crs)
    add_polygon_style(layer, "class", class_swatches(legend), FIELDS)


def _common(layer: Element, entry: _Entry, crs: str) -> None:
    put(layer, "id", entry.id)
    put(layer, "datasource", entry.href)
    put(layer, "layername", entry.name)
    _crs(put(layer, "srs"), crs)
    put(layer, "provider", entry.provider, **({"encoding": "UTF-8"} if entry.provider == "ogr" else {}))


def _crs(parent: Element, code: str) -> None:
    system = put(parent, "spatialrefsys")
    put(system, "wkt", CRS.from_user_input(code).to_wkt("WKT2_2019"))
    put(system, "authid", code)


def _extent(mosaics: Sequence[MosaicFile], crs: str) -> Extent:
    """Around all mosaics, with a margin."""
    boxes = [_box(one, crs) for one in {one.mosaic.zone: one for one in mosaics}.values()]
    west, south = min(box[0] for box in boxes), min(box[1] for box in boxes)
    east, north = max(box[2] for box in boxes), max(box[3] for box in boxes)
    across, up = (east - west) * MARGIN, (north - south) * MARGIN
    return west - across, south - up, east + across, north + up


def _box(one: MosaicFile, crs: str) -> Extent:
    bounds = one.mosaic.box.extent.boundingbox
    turn = Transformer.from_crs(one.mosaic.zone, crs, always_xy=True)
    west, south, east, north = turn.transform_bounds(*bounds)
    return (west, south, east, north) if west <= east else (-HALF_TURN, south, HALF_TURN, north)


def _canvas(root: Element, crs: str, extent: Extent) -> None:
    canvas = put(root, "mapcanvas", name="theMapCanvas", annotationsVisible=1)
    put(canvas, "units", "degrees" if crs == LONGITUDE_LATITUDE else "meters")
    corners = put(canvas, "extent")
    named = dict(zip(("xmin", "ymin", "xmax", "ymax"), extent, strict=True))
    for name, value in named.items():
        put(corners, name, f"{value:.6f}")
    put(canvas, "rotation", "0")
    _crs(put(canvas, "destinationsrs"), crs)
    view = put(put(root, "ProjectViewSettings"), "DefaultViewExtent", **{k: f"{v:.6f}" for k, v in named.items()})
    _crs(view, crs)


def _properties(root: Element) -> None:
    properties = put(root, "properties")
    put(put(properties, "Paths"), "Absolute", "false", type="bool")
    put(put(properties, "SpatialRefSys"), "ProjectionsEnabled", "1", type="int")
