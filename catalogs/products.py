"""`overbank catalog ingest`: a folder of products on disk → items in a static catalog."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import pystac

from catalogs.errors import CatalogError, ProductError
from catalogs.formats import alos2, ancillary, landsat, packed, safe, scansar, sentinel2
from catalogs.formats.generic import DESCRIPTION, described_items
from catalogs.publish import write_catalog
from catalogs.records import Record

Files = tuple[Path, ...]
"""What one product is made of: its files, or its folder alone."""


class Kind(NamedTuple):
    """One kind of product."""

    name: str
    """What a person looks for, with the names of its files."""
    find: Callable[[Path], Iterable[Files]]
    """The products of this kind that lie in a folder itself, not below it."""
    item: Callable[[Files, Path], pystac.Item]
    """The item of one product; archives are extracted below the folder given. `CatalogError` where it is broken."""


KINDS: tuple[Kind, ...] = (
    Kind("Sentinel-2 L2A SAFE (MTD_MSIL2A.xml)", safe.safe_folders, lambda found, _: safe.safe_item(found[0])),
    Kind(
        "Landsat Collection 2 Level-2 (*_MTL.json)",
        landsat.landsat_scenes,
        lambda found, _: landsat.landsat_item(found),
    ),
    Kind("JAXA ScanSAR L2.2 (*_summary.xml)", scansar.scansar_scenes, lambda found, _: scansar.scansar_item(found)),
    Kind("JAXA mosaic tiles (*_sl_HH_*.tif)", alos2.mosaic_tiles, lambda found, _: alos2.mosaic_item(found)),
    Kind("packed products, to be unpacked first", packed.packed_products, lambda found, _: packed.refuse(found[0])),
    Kind(
        "JAXA mosaic archives (*.tar.gz)", alos2.mosaic_archives, lambda found, to: alos2.ingest_archive(found[0], to)
    ),
    Kind(
        "Sentinel-2 band files with their STAC item",
        sentinel2.band_folders,
        lambda found, _: sentinel2.band_folder_item(found[0].parent),
    ),
    Kind(
        "Copernicus DEM (Copernicus_DSM_*.tif)",
        ancillary.elevation_tiles,
        lambda found, _: ancillary.elevation_item(found),
    ),
    Kind("JRC surface water (seasonality_*.tif)", ancillary.water_tiles, lambda found, _: ancillary.water_item(found)),
    Kind("ESA WorldCover (*_Map.tif)", ancillary.worldcover_tiles, lambda found, _: ancillary.worldcover_item(found)),
    Kind(
        "Impact Observatory land cover (33T_*.tif)", ancillary.lulc_tiles, lambda found, _: ancillary.lulc_item(found)
    ),
)
"""Every known kind; a file belongs to the first that finds it. A new kind is one line."""

LOOKED_FOR = (
    f"an {DESCRIPTION} (or --description FILE), or, in the folder or one level below: "
    f"{', '.join(kind.name for kind in KINDS)}"
)

_RASTERS = (".tif", ".tiff", ".jp2", ".img", ".vrt", ".nc", ".h5", ".hdf", ".zip", ".tar", ".gz", ".tgz", ".safe")
"""Ends of names that a product may have: what has one and is not understood is told."""


class Ingested(Record):
    """What an ingest did."""

    catalog: Path
    """The catalog.json."""
    items: tuple[str, ...]
    """Ids of the items written, in the order found."""
    skipped: tuple[str, ...] = ()
    """One sentence for each product that could not be used, and for each folder with files that nothing knows."""


def ingest(folder: Path, catalog: Path, description: Path | None = None) -> Ingested:
    """Describe the products of `folder` in the catalog at `catalog`, which is made or extended.

    Source files are neither copied nor changed; archives are extracted to `catalog`/files. `description` is
    an overbank.yaml that lies elsewhere; its globs start at `folder`. Raises `DescriptionError` for a mistake
    in it, `ProductError` when nothing can be ingested or an id is already taken by other files.
    """
    folder, catalog = Path(folder).absolute(), Path(catalog).absolute()
    if not folder.is_dir():
        raise ProductError(f"folder {folder}", "no such folder", LOOKED_FOR, "Check the path.")
    items: list[pystac.Item] = []
    broken: list[str] = []
    chosen = description or folder / DESCRIPTION
    if description or chosen.is_file():
        items += described_items(folder, chosen)
    taken = {Path(asset.href) for item in items for asset in item.assets.values()}
    places = _places(folder, catalog)
    for kind, product in _products(places, taken):
        try:
            items.append(kind.item(product, catalog / "files"))
        except CatalogError as error:
            broken.append(str(error))
    if not items:
        found = "; ".join(broken) or ", ".join(sorted(path.name for path in folder.iterdir())[:10]) or "nothing"
        remedy = f"Describe your GeoTIFFs in {folder / DESCRIPTION}."
        raise ProductError(f"folder {folder}", found, LOOKED_FOR, remedy)
    for item in items:
        _check_not_taken(catalog, item)
    path = write_catalog(catalog, items, title=f"Scenes of {folder.name}")
    return Ingested(catalog=path, items=tuple(item.id for item in items), skipped=(*broken, *_unknown(places, taken)))


def _places(folder: Path, catalog: Path) -> list[Path]:
    """The folder and those one level below, but for the catalog that is being written."""
    below = sorted(path for path in folder.iterdir() if path.is_dir() and path != catalog)
    return [folder] if any(list(kind.find(folder)) == [(folder,)] for kind in KINDS) else [folder, *below]


def _products(places: Iterable[Path], taken: set[Path]) -> Iterator[tuple[Kind, Files]]:
    """Every product with its kind; its files are added to `taken`, and no file is taken twice."""
    for place in places:
        for kind in KINDS:
            for product in kind.find(place):
                if taken.isdisjoint((place, *product)):
                    taken.update(product)
                    yield kind, product


def _unknown(places: Iterable[Path], taken: set[Path]) -> Iterator[str]:
    """One sentence for each folder with files that look like a product and belong to none."""
    root, *below = places
    for place in (root, *below):
        if place in taken:
            continue
        deep = place != root and not any(path.is_relative_to(place) for path in taken)
        files = place.rglob("*") if deep else place.iterdir()
        strange = (path for path in files if path.suffix.lower() in _RASTERS and path not in taken | set(below))
        names = sorted(path.relative_to(place).as_posix() for path in islice(strange, 1000))
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            found = f"{', '.join(names[:3])}{more}, which no known kind of product has"
            yield str(ProductError(f"folder {place}", found, LOOKED_FOR, f"Describe GeoTIFFs in an {DESCRIPTION}."))


def _check_not_taken(catalog: Path, item: pystac.Item) -> None:
    """Refuse to replace an item of the same id that describes quite other files."""
    path = catalog / str(item.collection_id) / item.id / f"{item.id}.json"
    if not path.is_file():
        return
    assets = json.loads(path.read_text(encoding="utf-8"))["assets"].values()
    before = {(path.parent / asset["href"]).resolve() for asset in assets}
    after = {Path(asset.href).resolve() for asset in item.assets.values()}
    if before.isdisjoint(after):
        found = f"an item of this id for {min(before)}"
        remedy = "Rename the folder or the files, or ingest into another catalog."
        raise ProductError(f"item {item.id} in {catalog}", found, f"one for {min(after)}", remedy)
