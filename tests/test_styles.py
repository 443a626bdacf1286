"""Styles: every layer's classes, bits and scales as QGIS and the OGC want them."""

from __future__ import annotations

from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harmonization.reasons import Reason
from pipeline.layers import FOLDERS, KINDS, OBSERVED_CLASSES, WATER_CLASSES, kind_of
from pipeline.styles.polygons import polygon_qml
from pipeline.styles.qml import raster_qml
from pipeline.styles.sld import polygon_sld, raster_sld
from pipeline.styles.symbology import REASON_COLOURS, Swatch, Symbology, present_values, symbology

SLD = "{http://www.opengis.net/sld}"
OGC = "{http://www.opengis.net/ogc}"
ORDER: dict[str, tuple[str, ...]] = {
    "StyledLayerDescriptor": ("Name", "Title", "Abstract", "NamedLayer", "UserLayer"),
    "NamedLayer": ("Name", "LayerFeatureConstraints", "NamedStyle", "UserStyle"),
    "UserStyle": ("Name", "Title", "Abstract", "IsDefault", "FeatureTypeStyle"),
    "FeatureTypeStyle": ("Name", "Title", "Abstract", "FeatureTypeName", "SemanticTypeIdentifier", "Rule"),
    "Rule": ("Name", "Title", "Abstract", "LegendGraphic", "Filter", "ElseFilter", "MinScaleDenominator",
             "MaxScaleDenominator", "PolygonSymbolizer", "RasterSymbolizer"),
    "RasterSymbolizer": ("Geometry", "Opacity", "ChannelSelection", "OverlapBehavior", "ColorMap",
                         "ContrastEnhancement", "ShadedRelief", "ImageOutline"),
    "PolygonSymbolizer": ("Geometry", "Fill", "Stroke"),
    "ChannelSelection": ("GrayChannel",),
    "GrayChannel": ("SourceChannelName", "ContrastEnhancement"),
    "ColorMap": ("ColorMapEntry",),
    "Fill": ("GraphicFill", "CssParameter"),
    "Stroke": ("GraphicFill", "GraphicStroke", "CssParameter"),
    "Filter": ("PropertyIsEqualTo",),
    "PropertyIsEqualTo": ("PropertyName", "Literal"),
}  # fmt: skip
"""By element, its children in the order in which the schema of SLD 1.0.0 and Filter 1.0.0 has them."""


def out_of_order(element: Element) -> list[str]:
    """Where a document leaves the schema's order; an element without a row there holds text alone."""
    name = element.tag.partition("}")[2]
    tags = [child.tag.partition("}")[2] for child in element]
    known = ORDER.get(name, ())
    here = [f"{name}: {tags}" for tag in tags if tag not in known]
    if not here and [known.index(tag) for tag in tags] != sorted(known.index(tag) for tag in tags):
        here = [f"{name}: {tags}"]
    return here + [fault for child in element for fault in out_of_order(child)]


def names() -> list[str]:
    return [*KINDS, *(f"{folder}/early" for folder in FOLDERS)]


@pytest.mark.parametrize("name", names())
def test_every_layer_has_a_style_of_its_own_values(name: str) -> None:
    kind = kind_of(name)
    present = {0, 1, 3, 1 << 14} if kind.bits == KINDS["exclusion"].bits else {0, 1, 7, 119} if kind.bits else set()
    look = symbology(kind, present=present)
    root = ElementTree.fromstring(raster_qml(look).partition(b"\n")[2])
    renderer = root.find("pipe/rasterrenderer")
    assert renderer is not None
    told = [float(one.get("value", "nan")) for one in renderer.iter() if one.tag in ("paletteEntry", "item")]
    sld = ElementTree.fromstring(raster_sld(name, look))
    entries = list(sld.iter(f"{SLD}ColorMapEntry"))
    assert [float(one.get("quantity", "nan")) for one in entries] == told
    assert out_of_order(sld) == []
    if kind.classes is not None:
        assert renderer.get("type") == "paletted"
        assert set(told) == set(kind.classes) - {kind.nodata}
        colours = {int(one.get("value", "-1")): one.get("color") for one in renderer.iter("paletteEntry")}
        assert all(colours[code] == kind.classes[code][2] for code in colours)
    elif kind.bits:
        assert (renderer.get("type"), set(told)) == ("paletted", present)
    else:
        assert renderer.get("type") == "singlebandpseudocolor"
        assert told == sorted(told)
        limit = np.iinfo(kind.dtype).max * kind.scale
        assert max(map(abs, told)) <= limit, "stops are values with scale applied"
        assert all(one.get("label", "").endswith(kind.unit) for one in renderer.iter("item"))


def test_water_that_may_be_permanent_is_not_called_flood() -> None:
    labels = [one.label for one in symbology(kind_of("methods/late-mean", "water")).swatches]
    assert labels == [WATER_CLASSES[code][1] for code in (0, 1, 2, 3, 4)]


def test_level_and_spread_of_backscatter_have_scales_of_their_own() -> None:
    kind = KINDS["harmonized"]
    level, spread, other = (symbology(kind, band) for band in (1, 2, 3))
    assert level.swatches[0].value == -30
    assert spread.swatches[0].value == 0
    assert other.swatches == level.swatches


def test_a_combination_of_reasons_is_named_whole_and_coloured_by_what_blinds() -> None:
    value = int(Reason.WIND | Reason.CLOUD | Reason.DARK)
    (swatch,) = symbology(KINDS["exclusion"], present=[value]).swatches
    assert swatch.label == "Cloud + wind + dark"
    assert swatch.colour == REASON_COLOURS[Reason.CLOUD]
    assert symbology(KINDS["exclusion"], present=[0]).swatches[0].alpha == 0
    assert set(REASON_COLOURS) == set(Reason)


def test_sensors_that_saw_have_the_colours_of_the_report() -> None:
    during = 0b101
    (swatch,) = symbology(KINDS["observed_by"], present=[during | 0b001 << 4]).swatches
    assert swatch.colour == OBSERVED_CLASSES[during][2]
    assert swatch.label == "C band and optical; before: C band alone"


def test_only_bit_fields_are_searched_for_their_values() -> None:
    values = np.array([[0, 3], [3, 64]])
    assert present_values(KINDS["observed_by"], values) == {0, 3, 64}
    assert present_values(KINDS["flood_class"], values) == set()


@settings(max_examples=30)
@given(st.text(max_size=30))
def test_whatever_a_data_set_is_called_the_xml_holds(text: str) -> None:
    look = Symbology(text, (Swatch(1, "#2166ac", text),), False)
    swatches = [Swatch(1, "#2166ac", text)]
    for document in (raster_sld(text, look), polygon_sld(text, text, "class", swatches)):
        assert out_of_order(ElementTree.fromstring(document)) == []
    for document in (raster_qml(look), polygon_qml("class", swatches, {"class": text})):
        ElementTree.fromstring(document.partition(b"\n")[2])


def test_polygons_are_coloured_by_a_field() -> None:
    swatches = [Swatch(1, "#2166ac", "Open water", 160), Swatch(2, "#1b9e77", "Plants", 160)]
    root = ElementTree.fromstring(polygon_qml("class", swatches, {"class": "Class"}).partition(b"\n")[2])
    renderer = root.find("renderer-v2")
    assert renderer is not None
    assert renderer.get("attr") == "class"
    assert [(one.get("value"), one.get("symbol")) for one in renderer.iter("category")] == [("1", "0"), ("2", "1")]
    sld = ElementTree.fromstring(polygon_sld("flood", "Flood", "class", swatches))
    assert [one.text for one in sld.iter(f"{OGC}Literal")] == ["1", "2"]
