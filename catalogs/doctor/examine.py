"""An acquisition held against its files: every file opened once, several at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from catalogs.collection import REFLECTANCES
from catalogs.doctor.bands import Place, check_bands
from catalogs.doctor.cure import cured_raster, thing_of
from catalogs.doctor.findings import Correction, Finding, ordered
from catalogs.doctor.header import check_header
from catalogs.doctor.look import Look, header_of, look_at
from catalogs.doctor.pixels import (
    check_offset,
    check_pixels,
    darkest,
    fill_values,
    valid_values,
    without_fill,
    zero_filled,
)
from catalogs.errors import CatalogError
from catalogs.formats.sentinel1 import check_shape, swath_metadata
from catalogs.hrefs import shown
from catalogs.records import Acquisition, RasterLayer

THREADS = 8
"""Files read at the same time: most of the time goes into waiting for a server."""
Layer = tuple[str, RasterLayer]
"""Name, raster."""


def examine(scene: Acquisition, threads: int = THREADS) -> tuple[Finding, ...]:
    """What is wrong with the files of an acquisition: headers, coarse pixels, bands against each other.

    Findings are of the items that it is made of. A file that cannot be read is a finding, not an error.
    """
    layers = [(name, raster) for name, rasters in scene.layers.items() for raster in rasters]
    with ThreadPoolExecutor(threads) as pool:
        looks = list(pool.map(lambda layer: _look(scene, layer), layers))
    found: list[Finding] = []
    seen: list[tuple[Layer, Look]] = []
    for layer, look in zip(layers, looks, strict=True):
        if isinstance(look, Finding):
            found.append(look)
            continue
        found += _one(scene, layer, look)
        seen.append((layer, look))
    return ordered([*found, *_together(scene, seen, found)])


def examine_files(thing: str, rasters: Mapping[str, RasterLayer], threads: int = THREADS) -> tuple[Finding, ...]:
    """Readability and coordinate system of files that are no acquisition's, by name: elevation, land cover."""

    def one(entry: tuple[str, RasterLayer]) -> list[Finding]:
        name, raster = entry
        try:
            return list(check_header(thing, name, raster, header_of(raster)))
        except CatalogError as error:
            return [unreadable(thing, name, raster, error)]

    with ThreadPoolExecutor(threads) as pool:
        return ordered(finding for findings in pool.map(one, rasters.items()) for finding in findings)


def unreadable(thing: str, layer: str, raster: RasterLayer, error: CatalogError) -> Finding:
    """The finding of a file that could not be opened or read; one that lies beside it is named."""
    file, found, expected, _ = error.args
    if shown(raster.href) not in file:
        found = f"{found} ({file})"
    return Finding(code="unreadable", thing=thing, layer=layer, href=raster.href, found=found, expected=expected)


def _look(scene: Acquisition, layer: Layer) -> Look | Finding:
    name, raster = layer
    try:
        look = look_at(raster, classes=name == "mask")
        if raster.swath is not None:
            check_shape(raster, swath_metadata(raster), look.header.shape)  # without them its numbers mean nothing
    except CatalogError as error:
        return unreadable(thing_of(scene, raster), name, raster, error)
    return look


def _one(scene: Acquisition, layer: Layer, look: Look) -> list[Finding]:
    name, raster = layer
    thing = thing_of(scene, raster)
    found = list(check_header(thing, name, raster, look.header))
    if any(finding.severity == "unusable" for finding in found):
        return found
    return found + check_pixels(thing, name, raster, look, scene.mask_scheme)


def _together(scene: Acquisition, seen: Iterable[tuple[Layer, Look]], found: Iterable[Finding]) -> Iterator[Finding]:
    """What only several layers of a slice tell."""
    corrections = list(found)
    slices: dict[str, dict[str, tuple[RasterLayer, Look]]] = {}
    for (name, raster), look in seen:
        thing = thing_of(scene, raster)
        slices.setdefault(thing, {})[name] = cured_raster(thing, name, raster, corrections), look
    for thing, layers in slices.items():
        places: dict[str, Place] = {name: (raster, look.header) for name, (raster, look) in layers.items()}
        yield from check_bands(thing, places)
        optics = {str(name): pair for name, pair in layers.items() if name in REFLECTANCES and name != "cirrus"}
        yield from _zeros(thing, optics)
        applied = any(raster.offset for raster, _ in optics.values())
        yield from check_offset(thing, dict(_dark(optics)), applied)


def _zeros(thing: str, optics: Mapping[str, tuple[RasterLayer, Look]]) -> Iterator[Finding]:
    """Zeros that no nodata declares, where they are fill: zero in all bands of one pixel size."""
    undeclared = {
        name: (raster, look)
        for name, (raster, look) in optics.items()
        if 0.0 not in raster.nodata and look.header.nodata != 0.0
    }
    sizes = {look.header.shape for _, look in undeclared.values()}
    for size in sizes:
        bands = {name: pair for name, pair in undeclared.items() if pair[1].header.shape == size}
        share = zero_filled({name: look.values for name, (_, look) in bands.items()})
        for name, (raster, _) in bands.items() if share else ():
            yield Finding(
                code="undeclared-fill",
                thing=thing,
                layer=name,
                href=raster.href,
                found=f"zero in {share:.1%} of the coarse look, in all bands at once",
                expected="a nodata value",
                correction=Correction(nodata=(0.0,)),
            )


def _dark(optics: Mapping[str, tuple[RasterLayer, Look]]) -> Iterator[tuple[str, float]]:
    for name, (raster, look) in optics.items():
        values = valid_values(raster, look)
        values = without_fill(values, fill_values(values))
        if values.size:
            yield name, darkest(values, raster)
