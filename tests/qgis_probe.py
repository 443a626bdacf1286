"""Run by QGIS's own Python, not by the tests': opens a project, tells what it holds, and paints it.

    qgis_probe.py PROJECT.qgs OUT [RUN]

Prints one JSON record; writes OUT/page.png (the map with its legend), OUT/layers/ID.png (each raster, a pixel a pixel)
and OUT/polygons-ID.png (the polygons over that raster, `FINE` points a pixel). With RUN also tells how each raster of
its units opens by itself.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

from qgis.core import (
    QgsApplication,
    QgsLayoutExporter,
    QgsLayoutItemLegend,
    QgsLayoutItemMap,
    QgsLayoutPoint,
    QgsLayoutSize,
    QgsLegendStyle,
    QgsMapRendererSequentialJob,
    QgsMapSettings,
    QgsPrintLayout,
    QgsProject,
    QgsRasterLayer,
    QgsUnitTypes,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor

FINE = 8
"""Points a side of a pixel when polygons are painted: the middle is clear of their outlines."""


def classes_of(layer):
    """Value, colour and label of each class or stop."""
    renderer = layer.renderer()
    if renderer.type() == "paletted":
        return [[one.value, one.color.name(QColor.HexArgb), one.label] for one in renderer.classes()]
    if renderer.type() == "singlebandpseudocolor":
        stops = renderer.shader().rasterShaderFunction().colorRampItemList()
        return [[one.value, one.color.name(QColor.HexArgb), one.label] for one in stops]
    if renderer.type() == "categorizedSymbol":
        return [[one.value(), one.symbol().color().name(QColor.HexArgb), one.label()] for one in renderer.categories()]
    return []


def told(layer):
    """What a layer is."""
    renderer = layer.renderer()
    return {
        "id": layer.id(),
        "name": layer.name(),
        "valid": layer.isValid(),
        "renderer": renderer.type() if renderer else None,
        "band": renderer.band() if hasattr(renderer, "band") else None,
        "classes": classes_of(layer) if renderer else [],
        "source": layer.source(),
    }


def painted(layers, extent, width, height, crs, path, smooth=False):
    """Paint layers on a grid of pixels."""
    settings = QgsMapSettings()
    settings.setLayers(layers)
    settings.setExtent(extent)
    settings.setOutputSize(QSize(width, height))
    settings.setDestinationCrs(crs)
    settings.setBackgroundColor(QColor(0, 0, 0, 0))
    settings.setFlag(QgsMapSettings.Antialiasing, smooth)
    job = QgsMapRendererSequentialJob(settings)
    job.start()
    job.waitForFinished()
    path.parent.mkdir(parents=True, exist_ok=True)
    job.renderedImage().save(str(path))


def placed(layout, layers, extent, left, top, side):
    """A map on a page."""
    canvas = QgsLayoutItemMap(layout)
    canvas.setRect(0, 0, side, side)
    layout.addLayoutItem(canvas)
    canvas.attemptMove(QgsLayoutPoint(left, top, QgsUnitTypes.LayoutMillimeters))
    canvas.attemptResize(QgsLayoutSize(side, side, QgsUnitTypes.LayoutMillimeters))
    canvas.setLayers(layers)
    canvas.setCrs(layout.project().crs())
    canvas.zoomToExtent(extent)
    canvas.setFrameEnabled(True)
    return canvas


def legend_of(layout, canvas, nodes, left, top):
    """The legend of some layers as the project's tree has them."""
    legend = QgsLayoutItemLegend(layout)
    legend.setLinkedMap(canvas)
    legend.setAutoUpdateModel(False)
    root = legend.model().rootGroup()
    for child in list(root.children()):
        root.removeChildNode(child)
    for node in nodes:
        root.addChildNode(node.clone())
    for part, size in (("SymbolLabel", 8), ("Subgroup", 9)):
        style = getattr(QgsLegendStyle, part)
        font = legend.styleFont(style)
        font.setPointSizeF(size)
        legend.setStyleFont(style, font)
    legend.attemptMove(QgsLayoutPoint(left, top, QgsUnitTypes.LayoutMillimeters))
    layout.addLayoutItem(legend)
    legend.adjustBoxSize()


def page(project, shown, beside, extent, path):
    """The map that the project opens with and its legend; beside it other layers, each with its own."""
    tree, width = project.layerTreeRoot(), 128 + 52 * max(len(beside), 1)
    layout = QgsPrintLayout(project)
    layout.initializeDefaults()
    layout.pageCollection().page(0).setPageSize(QgsLayoutSize(width, 120, QgsUnitTypes.LayoutMillimeters))
    canvas = placed(layout, [project.mapLayer(name) for name in shown], extent, 3, 3, 114)
    legend_of(layout, canvas, [tree.findLayer(name) for name in shown], 119, 1)
    for number, name in enumerate(beside):
        left = 121 + 52 * number
        small = placed(layout, [project.mapLayer(name)], extent, left, 65, 34)
        legend_of(layout, small, [tree.findLayer(name)], left - 2, 100)
    settings = QgsLayoutExporter.ImageExportSettings()
    settings.dpi = 110
    QgsLayoutExporter(layout).exportToImage(str(path), settings)


def units(run):
    """How each raster of the units opens by itself, with the style beside it."""
    found = {}
    for path in sorted(Path(run).glob("units/*/**/*.tif")):
        layer = QgsRasterLayer(str(path), path.stem)
        found[str(path.relative_to(run))] = told(layer)
        del layer
    return found


def main(project_file, out, run=None):
    """See above."""
    out = Path(out)
    project = QgsProject.instance()
    record = {"read": project.read(project_file), "title": project.title(), "crs": project.crs().authid()}
    layers = project.mapLayers()
    record["layers"] = {name: told(layer) for name, layer in layers.items()}
    record["invalid"] = [name for name, layer in layers.items() if not layer.isValid()]
    record["groups"] = [group.name() for group in project.layerTreeRoot().findGroups()]
    record["shown"] = [node.layerId() for node in project.layerTreeRoot().findLayers() if node.isVisible()]
    extent = project.viewSettings().defaultViewExtent()
    record["extent"] = [extent.xMinimum(), extent.yMinimum(), extent.xMaximum(), extent.yMaximum()]
    out.mkdir(parents=True, exist_ok=True)
    for name, layer in layers.items():
        if layer.isValid() and layer.type() == layer.RasterLayer:
            size = (layer.width(), layer.height())
            painted([layer], layer.extent(), *size, layer.crs(), out / "layers" / f"{name}.png")
    polygons = layers["flood_polygons"]
    grids = [one for name, one in layers.items() if name.startswith("flood_class_")]
    for grid in grids:
        size = (FINE * grid.width(), FINE * grid.height())
        painted([polygons], grid.extent(), *size, grid.crs(), out / f"polygons-{grid.id()}.png")
    beside = [name for name in layers if re.match("(flood_probability|evidence)_EPSG_[0-9]+_[13]$", name)]
    page(project, record["shown"], sorted(beside)[-2:], extent, out / "page.png")
    record["polygons"] = [
        {**{name: str(row[name]) for name in ("class", "area_km2", "sensors")}} for row in polygons.getFeatures()
    ]
    alone = QgsVectorLayer(str(Path(project_file).parent / "flood_polygons.gpkg") + "|layername=flood", "alone", "ogr")
    record["alone"] = told(alone)
    if run:
        record["units"] = units(run)
    print("RECORD", json.dumps(record))
    sys.stdout.flush()
    os._exit(0)  # QGIS tears its layers down in an order that Python's own does not like


if __name__ == "__main__":
    application = QgsApplication([], False)
    application.initQgis()
    main(*sys.argv[1:])
