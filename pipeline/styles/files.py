"""A QGIS style and an SLD beside a raster, of the same stem."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from pipeline.layers import LayerKind
from pipeline.styles.qml import raster_qml
from pipeline.styles.sld import raster_sld
from pipeline.styles.symbology import symbology

MEDIA_TYPES = {".qml": "application/x-qgis-layer-settings", ".sld": "application/vnd.ogc.sld+xml"}
"""By suffix of a style file."""


def write_styles(raster: Path, name: str, kind: LayerKind, bands: tuple[str, ...], present: Collection[int]) -> None:
    """Write the styles of a raster's first band; `present`: the values of all its bands, where it is a bit field.

    Every band of a kind of layer has the same classes or bits, so that of another band only its number is changed.
    """
    title = kind.title if len(bands) == 1 else f"{kind.title}: {bands[0]}"
    look = symbology(kind, 1, present, title)
    raster.with_suffix(".qml").write_bytes(raster_qml(look))
    raster.with_suffix(".sld").write_bytes(raster_sld(name.replace("/", "-"), look))
