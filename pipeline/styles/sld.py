"""Styles of the OGC (SLD 1.0.0) for GeoServer, MapServer and others.

`type` of a colour map is not in the schema of 1.0.0; GeoServer brought it, QGIS, MapServer and GeoStyler write and read
it, and without it classes would be blended into each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from pipeline.styles.symbology import Swatch, Symbology
from pipeline.styles.xml import put, written

NAMESPACES = {"xmlns": "http://www.opengis.net/sld", "xmlns:ogc": "http://www.opengis.net/ogc", "version": "1.0.0"}
OUTLINE = "#053061"


def raster_sld(name: str, look: Symbology) -> bytes:
    """The style of a raster layer. Values are in the layer's unit: a reader applies scale and offset first."""
    root, rule = _document(name, look.title)
    symbolizer = put(rule, "RasterSymbolizer")
    put(symbolizer, "Opacity", "1")
    put(put(put(symbolizer, "ChannelSelection"), "GrayChannel"), "SourceChannelName", str(look.band))
    colours = put(symbolizer, "ColorMap", type="ramp" if look.continuous else "values")
    for one in look.swatches:
        clear = {} if one.alpha == 255 else {"opacity": f"{one.alpha / 255:.3g}"}
        put(colours, "ColorMapEntry", color=one.colour, quantity=f"{one.value:g}", label=one.label, **clear)
    return written(root)


def polygon_sld(name: str, title: str, field: str, swatches: Sequence[Swatch]) -> bytes:
    """The style of polygons whose colour follows a field."""
    root, first = _document(name, title)
    for number, one in enumerate(swatches):
        rule = first if number == 0 else put(_feature_style(root), "Rule")
        put(rule, "Title", one.label)
        equal = put(put(rule, "ogc:Filter"), "ogc:PropertyIsEqualTo")
        put(equal, "ogc:PropertyName", field)
        put(equal, "ogc:Literal", f"{one.value:g}")
        symbolizer = put(rule, "PolygonSymbolizer")
        fill = put(symbolizer, "Fill")
        put(fill, "CssParameter", one.colour, name="fill")
        put(fill, "CssParameter", f"{one.alpha / 255:.3g}", name="fill-opacity")
        stroke = put(symbolizer, "Stroke")
        put(stroke, "CssParameter", OUTLINE, name="stroke")
        put(stroke, "CssParameter", "0.5", name="stroke-width")
    return written(root)


def _document(name: str, title: str) -> tuple[Element, Element]:
    root = Element("StyledLayerDescriptor", NAMESPACES)
    layer = put(root, "NamedLayer")
    put(layer, "Name", name)
    style = put(layer, "UserStyle")
    put(style, "Name", name)
    put(style, "Title", title)
    return root, put(put(style, "FeatureTypeStyle"), "Rule")


def _feature_style(root: Element) -> Element:
    found = root.find("NamedLayer/UserStyle/FeatureTypeStyle")
    assert found is not None
    return found
