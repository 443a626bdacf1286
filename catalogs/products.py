"""`overbank catalog ingest`: a folder of products on disk → items in a static catalog."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pystac

from catalogs.errors import CatalogError, ProductError
from catalogs.formats import alos2, sentinel1_safe, sentinel2
from catalogs.formats.generic import DESCRIPTION, described_items
from catalogs.publish import write_catalog
from catalogs.records import Record

LOOKED_FOR = (
    f"an {DESCRIPTION} (or --description FILE), JAXA mosaic archives (*.tar.gz), "
    "Sentinel-1 products (*.SAFE), or Sentinel-2 band files with their STAC item, in the folder or one level below"
)


class Ingested(Record):
    """What an ingest did."""

    catalog: Path
    """The catalog.json."""
    items: tuple[str, ...]
    """Ids of the items written, in the order found."""
    skipped: tuple[str, ...] = ()
    """One sentence for each product that was recognised but could not be used."""


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
    skipped: list[str] = []
    chosen = description or folder / DESCRIPTION
    if description or chosen.is_file():
        items += described_items(folder, chosen)
    for product in _products(folder):
        try:
            items.append(_item(product, catalog))
        except CatalogError as error:
            skipped.append(str(error))
    if not items:
        found = "; ".join(skipped) or ", ".join(sorted(path.name for path in folder.iterdir())[:10]) or "nothing"
        remedy = f"Describe your GeoTIFFs in {folder / DESCRIPTION}."
        raise ProductError(f"folder {folder}", found, LOOKED_FOR, remedy)
    for item in items:
        _check_not_taken(catalog, item)
    path = write_catalog(catalog, items, title=f"Scenes of {folder.name}")
    return Ingested(catalog=path, items=tuple(item.id for item in items), skipped=tuple(skipped))


def _products(folder: Path) -> Iterator[Path]:
    """Archives, products and band folders, in the folder and one level below."""
    for place in (folder, *sorted(path for path in folder.iterdir() if path.is_dir())):
        yield from (path for (path,) in sentinel1_safe.safe_products(place))
        yield from (path for path in sorted(place.iterdir()) if path.is_file() and alos2.is_mosaic_archive(path))
        if sentinel2.is_band_folder(place):
            yield place


def _item(product: Path, catalog: Path) -> pystac.Item:
    if sentinel1_safe.is_sentinel1(product):
        return sentinel1_safe.safe_item(product)
    if product.is_dir():
        return sentinel2.band_folder_item(product)
    return alos2.ingest_archive(product, catalog / "files")


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
