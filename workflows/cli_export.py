"""The verb that hands a run over in other formats."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from workflows.options import Json


class Format(StrEnum):
    """What `overbank export` writes: `workflows.export.FORMATS`."""

    gpkg = "gpkg"
    geoparquet = "geoparquet"
    geojson = "geojson"
    shapefile = "shapefile"
    kml = "kml"
    geotiff = "geotiff"
    vrt = "vrt"
    qgis = "qgis"
    mlm = "mlm"


def add_commands(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command("export")(export)


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The --out folder of `overbank map`.")],
    formats: Annotated[
        list[Format],
        typer.Option(
            "--format",
            help="Repeated: polygons as gpkg, geoparquet, geojson, shapefile, kml; all units in one file as geotiff, "
            "vrt; all of RUN/gis as qgis; the networks as STAC items, mlm.",
        ),
    ],
    method: Annotated[str, typer.Option(help="Whose polygons and raster; the delivered one if none is given.")] = "",
    layer: Annotated[
        list[str] | None, typer.Option(help="For geotiff, repeated: evidence, probability/early …; else the classes.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", file_okay=False, help="Folder; RUN/export by default.")] = None,
    smallest: Annotated[float, typer.Option(min=0.0, help="km² under which a polygon is left out.")] = 0.001,
    json_file: Json = None,
) -> None:
    """Write a run's map in formats that are not written by default; RUN/gis holds the others already."""
    from catalogs.publish import write_json
    from workflows.export import export as export_run
    from workflows.export import export_record

    chosen = [one.value for one in formats]
    found = export_run(run, chosen, method=method, layers=layer or (), out=out, smallest_km2=smallest)
    for path in (path for paths in found.values() for path in paths):
        typer.echo(str(path))
    if json_file is not None:
        write_json(json_file, export_record(found))
