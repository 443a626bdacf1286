"""How flood polygons look in QGIS: coloured by class, named fields, a map tip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element

from pipeline.styles.qml import DOCTYPE, VERSION, channels
from pipeline.styles.sld import OUTLINE
from pipeline.styles.symbology import Swatch
from pipeline.styles.xml import put, written


def polygon_qml(field: str, swatches: Sequence[Swatch], aliases: Mapping[str, str]) -> bytes:
    """The style file of polygons whose colour follows a field; `aliases`: names of fields for people."""
    root = Element("qgis", version=VERSION, styleCategories="AllStyleCategories", labelsEnabled="0")
    add_polygon_style(root, field, swatches, aliases)
    return written(root, DOCTYPE)


def add_polygon_style(parent: Element, field: str, swatches: Sequence[Swatch], aliases: Mapping[str, str]) -> None:
    """The style of polygons, in a style file or in a project's layer."""
    renderer = put(parent, "renderer-v2", type="categorizedSymbol", attr=field, symbollevels=0, enableorderby=0)
    categories = put(renderer, "categories")
    symbols = put(renderer, "symbols")
    for number, one in enumerate(swatches):
        put(
            categories,
            "category",
            value=f"{one.value:g}",
            type="integer",
            symbol=number,
            label=one.label,
            render="true",
        )
        _fill(put(symbols, "symbol", type="fill", name=number, alpha=1, clip_to_extent=1, force_rhr=0), one)
    put(parent, "blendMode", "0")
    put(parent, "layerOpacity", "1")
    names = put(parent, "aliases")
    for number, (name, alias) in enumerate(aliases.items()):
        put(names, "alias", field=name, index=number, name=alias)
    put(parent, "mapTip", "<br>".join(f"{alias}: [% {name} %]" for name, alias in aliases.items()))
    put(parent, "layerGeometryType", "2")


def _fill(symbol: Element, one: Swatch) -> None:
    layer = put(symbol, "layer", **{"class": "SimpleFill"}, enabled=1, locked=0)
    layer.set("pass", "0")
    told = {
        "color": channels(one),
        "style": "solid",
        "outline_color": channels(Swatch(0, OUTLINE, "")),
        "outline_style": "solid",
        "outline_width": "0.2",
        "outline_width_unit": "MM",
        "joinstyle": "bevel",
    }
    options = put(layer, "Option", type="Map")
    for name, value in told.items():
        put(options, "Option", type="QString", name=name, value=value)
        put(layer, "prop", k=name, v=value)
