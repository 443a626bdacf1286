"""Calibration, noise and angles of the real product against xarray-sentinel, and the slowest reading of its XML.

xarray-sentinel's reader of azimuth noise is broken for GRD, as its source says; there the XML itself is the reference.
"""

from __future__ import annotations

import importlib
import warnings
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from numpy.typing import NDArray

from catalogs.formats.sentinel1 import SwathMetadata, swath_metadata, swath_of
from catalogs.records import RasterLayer
from harmonization.calibration import LookUpTable, calibrate, calibrate_with_noise, decibel, look_up, noise_equivalent
from pipeline.swath_tables import tables_of

Real = NDArray[np.float64]
SPAN = (2_900, 3_400), (8_500, 9_100)
"""Lines and pixels of a window over a calibration vector and over the seam of two noise blocks."""


@pytest.fixture(scope="module")
def product(shared: Path) -> Path:
    return next((shared / "data" / "sentinel1").glob("*.SAFE"))


@pytest.fixture(scope="module")
def library() -> Any:
    """Its readers of one file each."""
    pytest.importorskip("xarray_sentinel")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module("xarray_sentinel.sentinel1")


def metadata(product: Path, polarization: str) -> SwathMetadata:
    measurement = str(next(product.glob(f"measurement/*-{polarization.lower()}-*.tiff")))
    swath = swath_of(measurement, {}, polarization)
    return swath_metadata(RasterLayer(href=measurement, encoding="calibrated", swath=swath))


def opened(read: Any, path: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of numpy, for how the library reads numbers
        return read(str(path))


def numbers() -> NDArray[np.float32]:
    shape = SPAN[0][1] - SPAN[0][0], SPAN[1][1] - SPAN[1][0]
    return np.random.default_rng(0).integers(1, 900, shape).astype(np.float32)


@pytest.mark.parametrize("polarization", ["VV", "VH"])
@pytest.mark.parametrize(
    ("ours", "theirs"), [("sigma_nought", "sigmaNought"), ("beta_nought", "betaNought"), ("gamma", "gamma")]
)
def test_calibration_is_that_of_the_library(
    product: Path, library: Any, polarization: str, ours: str, theirs: str
) -> None:
    """Every table over the whole image, and the power of a window. Its tables are float32, hence 1e-6."""
    xarray = importlib.import_module("xarray")
    path = next(product.glob(f"annotation/calibration/calibration-*-{polarization.lower()}-*"))
    table = opened(library.open_calibration_dataset, path)[theirs]
    found = metadata(product, polarization).calibration
    factor = LookUpTable(found.lines, found.pixels, getattr(found, ours))
    lines, pixels = np.arange(0, 16_676, 97), np.arange(0, 26_144, 53)
    wanted = table.astype(np.float64).interp(line=lines, pixel=pixels).values
    np.testing.assert_allclose(look_up(factor, lines[:, None], pixels), wanted, rtol=1e-6)

    dn = numbers()
    image = xarray.DataArray(dn, {"line": np.arange(*SPAN[0]), "pixel": np.arange(*SPAN[1])}, ("line", "pixel"))
    power = library.calibrate_intensity(image, table).values
    np.testing.assert_allclose(calibrate(dn, factor, (SPAN[0][0], SPAN[1][0])), power, rtol=1e-6)


@pytest.mark.parametrize("polarization", ["VV", "VH"])
def test_range_noise_is_that_of_the_library(product: Path, library: Any, polarization: str) -> None:
    path = next(product.glob(f"annotation/calibration/noise-*-{polarization.lower()}-*"))
    table = opened(library.open_noise_range_dataset, path)["noiseRangeLut"].astype(np.float64)
    raw = metadata(product, polarization).noise
    assert raw is not None
    noise = LookUpTable(raw.lines, raw.pixels, raw.power)
    lines, pixels = np.arange(0, int(noise.lines[-1]), 97), np.arange(0, 26_144, 53)
    wanted = table.interp(line=lines, pixel=pixels).values
    np.testing.assert_allclose(look_up(noise, lines[:, None], pixels), wanted, rtol=1e-6)


def floats(element: ElementTree.Element, name: str) -> Real:
    return np.array((element.findtext(name) or "").split(), dtype=float)


def slow_noise(path: Path, line: float, pixel: float) -> float:
    """eta at one sample, from the XML: in the two vectors around it, then between them, times its block's factor."""
    root = ElementTree.parse(path).getroot()
    vectors = {float(one.findtext("line") or "nan"): one for one in root.iter("noiseRangeVector")}
    at = {key: np.interp(pixel, floats(one, "pixel"), floats(one, "noiseRangeLut")) for key, one in vectors.items()}
    ranged = float(np.interp(line, sorted(at), [at[key] for key in sorted(at)]))
    for block in root.iter("noiseAzimuthVector"):
        first_line, last_line, first_pixel, last_pixel = (
            int(block.findtext(f"{end}{axis}") or -1)
            for axis in ("AzimuthLine", "RangeSample")
            for end in ("first", "last")
        )
        if first_line <= line <= last_line and first_pixel <= pixel <= last_pixel:
            ranged *= float(np.interp(line, floats(block, "line"), floats(block, "noiseAzimuthLut")))
    return ranged


def test_noise_in_all_is_that_of_the_xml(product: Path) -> None:
    """Range times azimuth over gamma², in samples on both sides of the seams of the blocks and between all vectors."""
    path = next(product.glob("annotation/calibration/noise-*-vv-*"))
    found = metadata(product, "VV")
    tables, raw = tables_of(found), found.noise
    assert raw is not None
    noise = LookUpTable(raw.lines, raw.pixels, raw.power)
    stream = np.random.default_rng(1)
    seams = [(stream.integers(0, 16_676), pixel) for pixel in (0, 8_759, 8_760, 17_560, 17_561, 26_143)]
    anywhere = [(stream.integers(0, 16_676), stream.integers(0, 26_144)) for _ in range(6)]
    for line, pixel in seams + anywhere:
        one = np.ones((1, 1), dtype=np.float32)
        _, floor = calibrate_with_noise(one, tables.gamma, noise, tables.blocks, (int(line), int(pixel)))
        eta = float(floor[0, 0]) * float(look_up(tables.gamma, line, pixel)) ** 2
        assert eta == pytest.approx(slow_noise(path, float(line), float(pixel)), rel=1e-6)


def test_noise_does_not_fall_to_nothing_where_the_image_ends(product: Path) -> None:
    """The last values of every vector are 0, 1 or 2, beyond the image; the NESZ of all samples is one of the radar."""
    for polarization in ("VV", "VH"):
        found = metadata(product, polarization)
        tables = tables_of(found)
        assert found.noise is not None
        assert tables.noise is not None
        known = found.noise.power > 2.0
        assert (known.sum(axis=1) >= 649).all()
        assert not known[:, -6:].any()
        np.testing.assert_array_equal(tables.noise.values[known], found.noise.power[known])
        lines, pixels = (
            np.arange(0, 16_676, 131)[:, None],
            np.append(np.arange(0, 25_800, 37), np.arange(25_800, 26_144)),
        )
        level = decibel(noise_equivalent(tables.noise, tables.blocks, tables.gamma, lines, pixels))
        print(f"{polarization}: NESZ {level.min():.1f} to {level.max():.1f} dB, median {np.median(level):.1f}")
        assert -29.0 < level.min() <= level.max() < -19.0


def test_angles_are_those_of_the_library(product: Path, library: Any) -> None:
    table = opened(library.open_gcp_dataset, next(product.glob("annotation/s1a-iw-grd-vv-*")))
    grid = metadata(product, "VV").annotation.grid
    np.testing.assert_array_equal(grid.incidence, table.incidenceAngle.values)
    angles = table.incidenceAngle.swap_dims(azimuth_time="line", slant_range_time="pixel").drop_vars(
        ["azimuth_time", "slant_range_time"]
    )
    lines, pixels = np.arange(0, 16_676, 997), np.arange(0, 26_144, 533)
    found = look_up(LookUpTable(grid.lines, grid.pixels, grid.incidence), lines[:, None], pixels)
    np.testing.assert_allclose(found, angles.interp(line=lines, pixel=pixels).values, rtol=1e-12)
