"""QGIS styles (.qml): a file of the same stem beside a raster is applied when QGIS opens it (3.22 and later)."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from pipeline.styles.symbology import Swatch, Symbology
from pipeline.styles.xml import put, written

VERSION = "3.22.16"
"""Of QGIS, whose elements these are; later versions read them too."""
DOCTYPE = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>"


def raster_qml(look: Symbology) -> bytes:
    """The style file of a raster layer."""
    root = Element("qgis", version=VERSION, styleCategories="AllStyleCategories")
    add_raster_style(root, look)
    return written(root, DOCTYPE)


def add_raster_style(parent: Element, look: Symbology) -> None:
    """The style of a raster layer, in a style file or in a project's layer."""
    pipe = put(parent, "pipe")
    _resampling(put(pipe, "provider"))
    _continuous(pipe, look) if look.continuous else _paletted(pipe, look)
    put(pipe, "brightnesscontrast", brightness=0, contrast=0, gamma=1)
    put(pipe, "huesaturation", saturation=0, grayscaleMode=0, invertColors=0, colorizeOn=0, colorizeStrength=100)
    put(pipe, "rasterresampler", maxOversampling=2)
    put(pipe, "resamplingStage", "resamplingFilter")
    put(parent, "blendMode", "0")


def _resampling(provider: Element) -> None:
    """Nearest: what a pixel shows is what it holds."""
    put(
        provider,
        "resampling",
        enabled="false",
        maxOversampling=2,
        zoomedInResamplingMethod="nearestNeighbour",
        zoomedOutResamplingMethod="nearestNeighbour",
    )


def _renderer(pipe: Element, kind: str, look: Symbology, **more: object) -> Element:
    renderer = put(pipe, "rasterrenderer", type=kind, band=look.band, opacity=1, alphaBand=-1, nodataColor="", **more)
    put(renderer, "rasterTransparency")
    origin = put(renderer, "minMaxOrigin")
    put(origin, "limits", "None")
    put(origin, "extent", "WholeRaster")
    put(origin, "statAccuracy", "Estimated")
    return renderer


def _paletted(pipe: Element, look: Symbology) -> None:
    palette = put(_renderer(pipe, "paletted", look), "colorPalette")
    for one in look.swatches:
        put(palette, "paletteEntry", value=f"{one.value:g}", color=one.colour, alpha=one.alpha, label=one.label)


def _continuous(pipe: Element, look: Symbology) -> None:
    low, high = look.swatches[0], look.swatches[-1]
    ends = {"classificationMin": f"{low.value:g}", "classificationMax": f"{high.value:g}"}
    shader = put(
        put(_renderer(pipe, "singlebandpseudocolor", look, **ends), "rastershader"),
        "colorrampshader",
        colorRampType="INTERPOLATED",
        classificationMode=1,
        clip=0,
        minimumValue=f"{low.value:g}",
        maximumValue=f"{high.value:g}",
        labelPrecision=2,
    )
    _gradient(shader, look)
    for one in look.swatches:
        put(shader, "item", value=f"{one.value:g}", color=one.colour, alpha=one.alpha, label=one.label)
    suffix = f" {look.unit}" if look.unit else ""
    put(
        shader,
        "rampLegendSettings",
        useContinuousLegend=1,
        orientation=2,
        direction=0,
        prefix="",
        suffix=suffix,
        minimumLabel="",
        maximumLabel="",
    )


def _gradient(shader: Element, look: Symbology) -> None:
    """The scale as QGIS keeps it for its legend: ends, and stops as shares of the way."""
    low, *between, high = look.swatches
    span = high.value - low.value
    told = {
        "color1": channels(low),
        "color2": channels(high),
        "discrete": "0",
        "rampType": "gradient",
        "stops": ":".join(f"{(one.value - low.value) / span:g};{channels(one)}" for one in between),
    }
    ramp = put(shader, "colorramp", name="[source]", type="gradient")
    options = put(ramp, "Option", type="Map")
    for name, value in told.items():
        put(options, "Option", type="QString", name=name, value=value)
        put(ramp, "prop", k=name, v=value)


def channels(one: Swatch) -> str:
    """A colour as QGIS writes it: red, green, blue, opacity."""
    return ",".join(str(value) for value in (*bytes.fromhex(one.colour[1:]), one.alpha))
