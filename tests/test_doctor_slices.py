"""The doctor of a pass of several slices: each finding names its own item, and what is lost takes its slice at most."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scenes import NOON, grid, optical_scene, radar_scene, science, write_tiff

from catalogs.doctor.cure import cured
from catalogs.doctor.examine import examine
from catalogs.doctor.findings import Finding
from catalogs.passes import passes
from catalogs.records import Acquisition, RasterLayer
from harmonization.bundle import OpticalBundle, RadarBundle
from harmonization.reasons import Reason
from pipeline.decode import decode

TEXTURE = np.random.default_rng(5).gamma(4.0, 0.02, (96, 96)).astype(np.float32)
TRACK = {"relative_orbit": 51, "orbit_direction": "descending"}
NORTH, SOUTH = grid(48, 96), grid(48, 96, row=48)


def joined(*slices: Acquisition) -> Acquisition:
    (whole,), _ = passes(slices)
    return whole


def told(findings: Iterable[Finding], code: str) -> set[tuple[str, str]]:
    return {(finding.thing, finding.layer) for finding in findings if finding.code == code}


def decoded(scene: Acquisition) -> RadarBundle:
    found = decode(scene, grid(96, 96), science(), 12.0, {"VV": -30.0, "VH": -30.0})
    assert isinstance(found, RadarBundle)
    return found


def test_correction_is_of_the_slice_that_needs_it(tmp_path: Path) -> None:
    """The south slice was written in dB; its first layer is not the first raster of the pass."""
    decibel = 10.0 * np.log10(TEXTURE[48:])
    north = radar_scene(tmp_path, "north", {"VV": TEXTURE[:48]}, NORTH, **TRACK)
    south = radar_scene(tmp_path, "south", {"VV": decibel, "VH": decibel - 6}, SOUTH, **TRACK)
    scene = joined(north, south)
    found = examine(scene)
    assert told(found, "decibel-as-power") == {("south", "VV"), ("south", "VH")}
    right = cured(scene, found)
    assert right is not None
    by_item = {raster.item: raster.encoding for raster in right.layers["VV"]}
    assert by_item == {"north": "power", "south": "decibel"}
    assert right.layers["VH"][0].encoding == "decibel"
    whole = radar_scene(tmp_path, "whole", {"VV": TEXTURE}, grid(96, 96))
    np.testing.assert_allclose(decoded(right).power["VV"], decoded(whole).power["VV"], rtol=1e-5)


def test_bands_are_compared_within_their_slice(tmp_path: Path) -> None:
    """Only the south slice has VH, on its own grid half a pixel off the north one: nothing is wrong with that."""
    off = grid(48, 96, row=48)
    off = type(off)(off.shape, off.affine.translation(5.0, 0.0) * off.affine, off.crs)
    north = radar_scene(tmp_path, "north", {"VV": TEXTURE[:48]}, NORTH, **TRACK)
    south = radar_scene(tmp_path, "south", {"VV": TEXTURE[48:], "VH": TEXTURE[48:] / 4}, off, **TRACK)
    found = examine(joined(north, south))
    assert not told(found, "band-shift") | told(found, "band-header-shift")


def lose(raster: RasterLayer) -> None:
    Path(raster.href).unlink()


def with_mask(folder: Path, name: str, mask: NDArray[Any], box: Any) -> dict[str, RasterLayer]:
    return {"mask": RasterLayer(href=write_tiff(folder / f"{name}_mask.tif", mask, box))}


def test_lost_mask_takes_its_radar_slice_alone(tmp_path: Path) -> None:
    valid = np.zeros((48, 96), np.uint8)
    slices = [
        radar_scene(tmp_path, name, {"VV": TEXTURE[:48]}, box, mask_scheme="opera-rtc",
                    layers=with_mask(tmp_path, name, valid, box), **TRACK)
        for name, box in (("north", NORTH), ("south", SOUTH))
    ]  # fmt: skip
    lose(slices[1].layers["mask"][0])
    scene = joined(*slices)
    left = cured(scene, examine(scene))
    assert left is not None
    assert left.slices == ("north",)
    assert {raster.item for raster in left.rasters} == {"north"}
    seen = decoded(left)
    assert np.isfinite(seen.power["VV"][:46]).all()
    assert np.isnan(seen.power["VV"][50:]).all()
    assert (seen.reasons[50:] & Reason.OUTSIDE_SWATH != 0).all()


def test_lost_mask_takes_its_optical_tile_alone(tmp_path: Path) -> None:
    numbers = {"green": (9000 * TEXTURE[:48]).astype(np.uint16), "nir": (18000 * TEXTURE[:48]).astype(np.uint16)}
    clear = np.full((48, 96), 5, np.uint8)
    tiles = [
        optical_scene(tmp_path, name, numbers, box, mask_scheme="sentinel-2-scl", relative_orbit=22, part=name,
                      layers=with_mask(tmp_path, name, clear, box))
        for name, box in (("north", NORTH), ("south", SOUTH))
    ]  # fmt: skip
    lose(tiles[0].layers["mask"][0])
    scene = joined(*tiles)
    left = cured(scene, examine(scene))
    assert left is not None
    assert left.slices == ("south",)
    found = decode(left, grid(96, 96), science(), 1.0, {})
    assert isinstance(found, OpticalBundle)
    assert (found.reasons[:46] & Reason.OUTSIDE_SWATH != 0).all()
    assert (found.reasons[50:] == 0).all()


def mosaic_tile(folder: Path, name: str, box: Any) -> Acquisition:
    """A tile of a mosaic whose pixels are all of the day before the flood."""
    days = write_tiff(folder / f"{name}_date.tif", np.full((48, 96), 19494, np.uint16), box)
    return radar_scene(
        folder, name, {"HH": TEXTURE[:48], "HV": TEXTURE[:48] / 4}, box, sensor="alos-2", band="L",
        layers={"date": RasterLayer(href=days, nodata=(0.0,))}, reference_only=True, part=name,
        start=NOON - timedelta(days=100), end=NOON + timedelta(days=200),
    )  # fmt: skip


@pytest.mark.parametrize("layer", ["HH", "HV", "date"])
@pytest.mark.parametrize("name", ["north", "south"])
def test_lost_file_of_a_dated_mosaic_leaves_the_other_tile(tmp_path: Path, layer: str, name: str) -> None:
    """Which pixels may be read is told by the dates of their own tile, whatever files are left of the others."""
    tiles = [mosaic_tile(tmp_path, "north", NORTH), mosaic_tile(tmp_path, "south", SOUTH)]
    lose(next(tile for tile in tiles if tile.id == name).layers[layer][0])
    scene = joined(*tiles).model_copy(update={"usable_until": NOON.replace(hour=0)})
    left = cured(scene, examine(scene))
    assert left is not None
    found = decode(left, grid(96, 96), science(), 12.0, {"HH": -30.0, "HV": -30.0})
    assert isinstance(found, RadarBundle)
    here, there = (np.s_[:40], np.s_[56:]) if name == "north" else (np.s_[56:], np.s_[:40])
    for polarization in ("HH", "HV"):
        assert np.isfinite(found.power[polarization][there]).all()
        lost = layer in (polarization, "date")
        assert np.isnan(found.power[polarization][here]).all() == lost
    assert left.slices == (("south",) if name == "north" else ("north",)) or layer != "date"
