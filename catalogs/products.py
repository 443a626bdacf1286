"""`overbank catalog ingest`: a folder of products on disk → items in a static catalog."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import pystac

from catalogs.errors import CatalogError, ProductError
from catalogs.formats import (
    alos2,
    ancillary,
    landsat,
    packed,
    palsar2,
    scansar,
    sentinel1_safe,
    sentinel2,
    sentinel2_safe,
)
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
    is_archive: bool = False


def _first(make: Callable[[Path], pystac.Item]) -> Callable[[Files, Path], pystac.Item]:
    return lambda files, _: make(files[0])


def _all(make: Callable[[Files], pystac.Item]) -> Callable[[Files, Path], pystac.Item]:
    return lambda files, _: make(files)


KINDS: tuple[Kind, ...] = (
    Kind("Sentinel-1 GRD SAFE (manifest.safe)", sentinel1_safe.safe_products, _first(sentinel1_safe.safe_item)),
    Kind("Sentinel-2 L2A SAFE (MTD_MSIL2A.xml)", sentinel2_safe.safe_folders, _first(sentinel2_safe.safe_item)),
    Kind("Landsat Collection 2 Level-2 (*_MTL.json)", landsat.landsat_scenes, _all(landsat.landsat_item)),
    Kind("JAXA ScanSAR L2.2 (*_summary.xml)", scansar.scansar_scenes, _all(scansar.scansar_item)),
    Kind("JAXA PALSAR-2 L1.5 and L2.1 (IMG-HH-ALOS2*.tif)", palsar2.palsar2_scenes, _all(palsar2.palsar2_item)),
    Kind("JAXA mosaic tiles (*_sl_HH_*.tif)", alos2.mosaic_tiles, _all(alos2.mosaic_item)),
    Kind("packed products, to be unpacked first", packed.packed_products, _first(packed.refuse)),
    Kind("JAXA mosaic archives (*.tar.gz)", alos2.mosaic_archives, alos2.archive_item, is_archive=True),
    Kind("Sentinel-2 band files with their STAC item", sentinel2.band_folders, _first(sentinel2.beside)),
    Kind("Copernicus DEM (Copernicus_DSM_*.tif)", ancillary.elevation_tiles, _all(ancillary.elevation_item)),
    Kind("JRC surface water (seasonality_*.tif)", ancillary.water_tiles, _all(ancillary.water_item)),
    Kind("ESA WorldCover (*_Map.tif)", ancillary.worldcover_tiles, _all(ancillary.worldcover_item)),
    Kind("Impact Observatory land cover (33T_*.tif)", ancillary.lulc_tiles, _all(ancillary.lulc_item)),
)
"""Every known kind; a file belongs to the first that finds it. A new kind is one line."""

LOOKED_FOR = (
    f"an {DESCRIPTION} (or --description FILE), or, in the folder or one level below: "
    f"{', '.join(kind.name for kind in KINDS)}"
)

_RASTERS = (".tif", ".tiff", ".jp2", ".img", ".vrt", ".nc", ".h5", ".hdf", ".zip", ".tar", ".gz", ".tgz", ".safe")
"""Ends of names that a product may have: what has one and is not understood is told."""
MOST_FILES = 20_000
"""Files of one folder that are looked at for such names."""


class Ingested(Record):
    """What an ingest did."""

    catalog: Path
    """The catalog.json."""
    items: tuple[str, ...]
    """Ids of the items written, in the order found."""
    skipped: tuple[str, ...] = ()
    """One sentence for each product that could not be used, and for each folder with files that nothing knows."""


class Described(NamedTuple):
    """Products of a folder as items in memory."""

    items: list[pystac.Item]
    places: tuple[Path, ...]
    """Files and folders of the products: JSON among them is theirs."""
    problems: list[str]
    """One sentence for each product that is recognised but cannot be used as it lies there."""
    unknown: list[str]
    """One sentence for each folder with files that look like products and are of no known kind."""


def ingest(folder: Path, catalog: Path, description: Path | None = None) -> Ingested:
    """Describe the products of `folder` in the catalog at `catalog`, which is made or extended.

    Source files are neither copied nor changed; archives are extracted to `catalog`/files. `description` is
    an overbank.yaml that lies elsewhere; its globs start at `folder`. Raises `DescriptionError` for a mistake
    in it, `ProductError` when nothing can be ingested or an id is already taken by other files.
    """
    folder, catalog = Path(folder).absolute(), Path(catalog).absolute()
    if not folder.is_dir():
        raise ProductError(f"folder {folder}", "no such folder", LOOKED_FOR, "Check the path.")
    items, _, problems, unknown = describe(folder, description, catalog)
    if not items:
        if problems:  # known, and broken or packed: an overbank.yaml would not help
            remedy = "\n  ".join(["What was found:", *problems, *unknown])
            raise ProductError(f"folder {folder}", "no product that can be used as it lies there", "one", remedy)
        found = ", ".join(sorted(path.name for path in folder.iterdir())[:10]) or "nothing"
        remedy = f"Describe your GeoTIFFs in {folder / DESCRIPTION}."
        raise ProductError(f"folder {folder}", found, LOOKED_FOR, remedy)
    for item in items:
        _check_not_taken(catalog, item)
    path = write_catalog(catalog, items, title=f"Scenes of {folder.name}")
    return Ingested(catalog=path, items=tuple(item.id for item in items), skipped=(*problems, *unknown))


def describe(folder: Path, description: Path | None = None, catalog: Path | None = None) -> Described:
    """The products of a folder as items. Nothing is written but what archives hold, below `catalog`/files.

    Without a `catalog`, archives become problems. Raises `DescriptionError` for a mistake in the overbank.yaml.
    """
    folder = Path(folder).absolute()
    chosen = description or folder / DESCRIPTION
    items = described_items(folder, chosen) if description or chosen.is_file() else []
    taken = {Path(asset.href) for item in items for asset in item.assets.values()}
    problems: list[str] = []
    places = _places(folder, catalog)
    for kind, product in _products(places, taken):
        if kind.is_archive and catalog is None:
            remedy = f"ingest it first: `overbank catalog ingest {folder} --out CATALOG`"
            problems.append(f"{product[0]}: an archive, which must be unpacked; {remedy}")
            continue
        try:
            items.append(kind.item(product, (catalog or folder) / "files"))
        except CatalogError as error:
            problems.append(str(error))
    return Described(_each_once(items, problems), tuple(sorted(taken)), problems, list(_unknown(places, taken)))


def _each_once(items: Iterable[pystac.Item], problems: list[str]) -> list[pystac.Item]:
    """Items, the first of each id; the others are told: an archive and its extracted folder are one product."""
    found: dict[tuple[str | None, str], pystac.Item] = {}
    for item in items:
        first = found.setdefault((item.collection_id, item.id), item)
        if first is not item:
            places = [next(iter(one.assets.values())).href for one in (first, item)]
            problems.append(f"item {item.id}: found twice; {places[0]} is used and {places[1]} is not")
    return list(found.values())


def _places(folder: Path, catalog: Path | None) -> list[Path]:
    """The folder and those one level below, but for the catalog that is being written; of a product, it alone."""
    below = sorted(path for path in folder.iterdir() if path.is_dir() and path != catalog)
    return [folder] if any((folder,) in kind.find(folder) for kind in KINDS) else [folder, *below]


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
    known = taken | set(below)
    for place in (root, *below):
        if place in taken:
            continue
        deep = place != root and not any(path.is_relative_to(place) for path in taken)
        files = islice(place.rglob("*") if deep else place.iterdir(), MOST_FILES)
        strange = (path for path in files if path.suffix.lower() in _RASTERS and path not in known)
        names = sorted(path.relative_to(place).as_posix() for path in strange)
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            yield (
                f"folder {place}: {', '.join(names[:3])}{more}: of no kind that is known here; describe GeoTIFFs in an "
                f"{DESCRIPTION}, and ingest a folder of folders one by one"
            )


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
