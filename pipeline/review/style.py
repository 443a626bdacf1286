"""How QGIS shows a review: colours by verdict, a list of verdicts to choose from, everything else locked."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

VERDICTS: dict[str, tuple[str, str]] = {
    "flood": ("Flood", "#2166ac"),
    "dry": ("Dry", "#e0c27a"),
    "permanent water": ("Permanent or seasonal water", "#9ecae1"),
    "vegetation": ("Flooded vegetation", "#1b9e77"),
    "unsure": ("Unsure", "#7f7f7f"),
}
"""What may stand in the field `verdict` → words and colour. Empty is "not judged"."""
NOT_JUDGED = ("Not judged", "#d95f02")
EDITABLE = ("verdict", "note")


def qml_text(fields: Sequence[str]) -> str:
    """The QGIS style of the layer with these fields."""
    root = ElementTree.Element("qgis", version="3.22", styleCategories="Symbology|Fields|Forms|Labeling")
    _renderer(root)
    _configuration(root, fields)
    _editable(root, fields)
    body = ElementTree.tostring(root, encoding="unicode")
    return f"<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n{body}\n"


def _renderer(root: ElementTree.Element) -> None:
    renderer = ElementTree.SubElement(
        root, "renderer-v2", type="categorizedSymbol", attr="verdict", symbollevels="0", enableorderby="0"
    )
    categories = ElementTree.SubElement(renderer, "categories")
    symbols = ElementTree.SubElement(renderer, "symbols")
    rows = [(value, *told) for value, told in VERDICTS.items()] + [("", *NOT_JUDGED)]
    for number, (value, label, colour) in enumerate(rows):
        ElementTree.SubElement(
            categories, "category", symbol=str(number), value=value, label=label, type="string", render="true"
        )
        _symbol(symbols, str(number), colour)


def _symbol(parent: ElementTree.Element, name: str, colour: str) -> None:
    """An outline over a tint, so that the picture below is still seen."""
    symbol = ElementTree.SubElement(
        parent, "symbol", type="fill", name=name, alpha="1", clip_to_extent="1", force_rhr="0"
    )
    layer = ElementTree.SubElement(symbol, "layer", {"class": "SimpleFill", "pass": "0", "locked": "0", "enabled": "1"})
    numbers = ",".join(str(int(colour[place : place + 2], 16)) for place in (1, 3, 5))
    told = {
        "color": f"{numbers},70",
        "style": "solid",
        "outline_color": f"{numbers},255",
        "outline_style": "solid",
        "outline_width": "0.6",
        "outline_width_unit": "MM",
        "joinstyle": "miter",
    }
    options = ElementTree.SubElement(layer, "Option", type="Map")
    for key, value in told.items():
        ElementTree.SubElement(options, "Option", type="QString", name=key, value=value)
    for key, value in told.items():  # as QGIS before 3.22 reads it
        ElementTree.SubElement(layer, "prop", k=key, v=value)


def _configuration(root: ElementTree.Element, fields: Sequence[str]) -> None:
    told = ElementTree.SubElement(root, "fieldConfiguration")
    for name in fields:
        field = ElementTree.SubElement(told, "field", name=name, configurationFlags="None")
        if name == "verdict":
            _value_map(field)
        else:
            widget = ElementTree.SubElement(field, "editWidget", type="TextEdit")
            ElementTree.SubElement(ElementTree.SubElement(widget, "config"), "Option", type="Map")


def _value_map(field: ElementTree.Element) -> None:
    widget = ElementTree.SubElement(field, "editWidget", type="ValueMap")
    outer = ElementTree.SubElement(ElementTree.SubElement(widget, "config"), "Option", type="Map")
    choices = ElementTree.SubElement(outer, "Option", type="List", name="map")
    rows = [(NOT_JUDGED[0], "")] + [(label, value) for value, (label, _) in VERDICTS.items()]
    for label, value in rows:
        one = ElementTree.SubElement(choices, "Option", type="Map")
        ElementTree.SubElement(one, "Option", type="QString", name=label, value=value)


def _editable(root: ElementTree.Element, fields: Sequence[str]) -> None:
    told = ElementTree.SubElement(root, "editable")
    for name in fields:
        ElementTree.SubElement(told, "field", name=name, editable="1" if name in EDITABLE else "0")
    ElementTree.SubElement(root, "previewExpression").text = '"id"'
    ElementTree.SubElement(root, "layerGeometryType").text = "2"
