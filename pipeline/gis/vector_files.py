"""Flood polygons to files: a GeoPackage that brings its style along, GeoParquet, and what else is asked for."""

from __future__ import annotations

from pathlib import Path

import geopandas
import pandas
import pyogrio

from pipeline.gis.polygons import FIELDS, FloodPolygons, class_swatches
from pipeline.styles.polygons import polygon_qml
from pipeline.styles.sld import polygon_sld
from pipeline.vectors import in_degrees

LAYER = "flood"
"""Of the GeoPackage."""
GEOPACKAGE_VERSION = "1.2"
"""Which the GIS of an office reads without a murmur, QGIS 3.22 among them."""
SHORT_NAMES = {
    "class_name": "class_text",
    "mean_probability": "mean_prob",
    "c_band_share": "c_share",
    "l_band_share": "l_share",
    "optical_share": "opt_share",
}
"""Names that fit the ten letters of a shapefile."""


def write_geopackage(path: Path, polygons: FloodPolygons, legend: str) -> None:
    """The polygons with their QGIS style and SLD in the table `layer_styles`, from which QGIS takes them on opening."""
    pyogrio.write_dataframe(
        polygons.frame,
        path,
        layer=LAYER,
        driver="GPKG",
        promote_to_multi=True,
        geometry_type="MultiPolygon",
        dataset_options={"VERSION": GEOPACKAGE_VERSION},
        layer_options={"DESCRIPTION": polygons.told, "GEOMETRY_NAME": "geom", "DATETIME_PRECISION": "MILLISECOND"},
    )
    swatches = class_swatches(legend)
    style = {
        "f_table_catalog": "",
        "f_table_schema": "",
        "f_table_name": LAYER,
        "f_geometry_column": "geom",
        "styleName": LAYER,
        "styleQML": polygon_qml("class", swatches, FIELDS).decode(),
        "styleSLD": polygon_sld(LAYER, polygons.told, "class", swatches).decode(),
        "useAsDefault": True,
        "description": "Flood classes",
        "owner": "",
        "update_time": pandas.Timestamp.now("UTC"),
    }
    pyogrio.write_dataframe(
        pandas.DataFrame([style]), path, layer="layer_styles", driver="GPKG", layer_options={"FID": "id"}
    )


def write_geoparquet(path: Path, polygons: FloodPolygons) -> None:
    """The polygons as GeoParquet 1.0."""
    polygons.frame.to_parquet(path, index=False, schema_version="1.0.0")


def write_geojson(path: Path, polygons: FloodPolygons) -> None:
    """The polygons in longitude and latitude, by RFC 7946: outer rings run counter-clockwise, none crosses ±180°."""
    frame = _in_text(in_degrees(polygons.frame))
    pyogrio.write_dataframe(frame, path, driver="GeoJSON", layer_options={"RFC7946": "YES"})


def write_shapefile(path: Path, polygons: FloodPolygons) -> None:
    """The polygons as a shapefile: short names, the time as text."""
    frame = _in_text(polygons.frame).rename(columns=SHORT_NAMES)
    pyogrio.write_dataframe(frame, path, driver="ESRI Shapefile", layer_options={"ENCODING": "UTF-8"})


def write_kml(path: Path, polygons: FloodPolygons) -> None:
    """The polygons for a globe viewer, in longitude and latitude."""
    frame = _in_text(in_degrees(polygons.frame))
    frame.insert(
        0,
        "Name",
        [f"{text}, {area:.3f} km²" for text, area in zip(frame["class_name"], frame["area_km2"], strict=True)],
    )
    pyogrio.write_dataframe(frame, path, driver="LIBKML", layer=LAYER)


def _in_text(frame: geopandas.GeoDataFrame) -> geopandas.GeoDataFrame:
    """The time as text: formats differ in what they make of a time zone."""
    return frame.assign(time=frame["time"].dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
