"""Rasters in radar geometry: calibrated on their own lines and pixels, then placed on a GeoBox."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from rasterio.control import GroundControlPoint
from rasterio.enums import Resampling
from rasterio.transform import GCPTransformer
from rasterio.warp import reproject
from scenes import radar_scene, science
from scipy.ndimage import map_coordinates

from catalogs.formats.sentinel1 import swath_metadata, swath_of
from catalogs.records import RasterLayer
from harmonization.calibration import LookUpTable, look_up
from harmonization.geolocation import TiePoints, geolocation, terrain_shift
from pipeline.align import align
from pipeline.decode import decode
from pipeline.errors import PipelineError
from pipeline.grid import lattice_box
from pipeline.read import read_window, seen_share
from pipeline.swath import SwathWindow, incidence_on, noise_on
from pipeline.swath_geometry import SwathGeometry, annotated_geometry, positions, swath_geometry

Real = NDArray[np.float64]


# Where samples lie


def tilted(longitude: float = 15.0, latitude: float = 47.9, turn: float = 13.0) -> TiePoints:
    """A swath of 400 lines of 300 pixels of 10 m, turned against north."""
    line, pixel = np.meshgrid(np.linspace(0, 399, 6), np.linspace(0, 299, 8), indexing="ij")
    east = 10 * (pixel * np.cos(np.radians(turn)) + line * np.sin(np.radians(turn)))
    north = 10 * (pixel * np.sin(np.radians(turn)) - line * np.cos(np.radians(turn)))
    x = (longitude + east / (111_320.0 * np.cos(np.radians(latitude))) + 180.0) % 360.0 - 180.0
    y = latitude + north / 111_320.0
    return TiePoints(*(table.ravel() for table in (line, pixel, x, y, np.zeros(line.shape))))


def test_spline_goes_through_its_tie_points() -> None:
    points = tilted()
    line, pixel, shift = geolocation(points).locate(points.longitude, points.latitude)
    np.testing.assert_allclose(line, points.line, atol=1e-5)
    np.testing.assert_allclose(pixel, points.pixel, atol=1e-5)
    assert np.abs(shift).max() == 0


@pytest.mark.parametrize("longitude", [179.96, 179.98])
def test_antimeridian_is_a_place_like_any_other(longitude: float) -> None:
    there, here = tilted(longitude), tilted(15.0)
    assert np.ptp(there.longitude) > 350
    wanted = geolocation(here).locate(here.longitude[:20] + 3e-3, here.latitude[:20])
    for turns in (-360.0, 0.0, 360.0):
        found = geolocation(there).locate(there.longitude[:20] + 3e-3 + turns, there.latitude[:20])
        np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.mark.parametrize("few", [[0, 1, 2], [0, 8, 16, 24, 32], [0, 0, 5, 30, 40]])
def test_tie_points_that_span_no_area_are_refused(few: list[int]) -> None:
    points = tilted()
    with pytest.raises(ValueError, match="tie points"):
        geolocation(TiePoints(*(getattr(points, name)[few] for name in TiePoints.__dataclass_fields__)))


@pytest.fixture(scope="session")
def real(shared: Path) -> RasterLayer:
    """Real GRD numbers, reduced to 200 m: 210 GCPs and no coordinate system."""
    path = next((shared / "data" / "sentinel1" / "grd-gcp").glob("*/measurement/iw-vv.tiff"))
    return RasterLayer(href=str(path), encoding="power", nodata=(0.0,))


INDIA = lattice_box("EPSG:32643", 200.0, (-6208, -5072), (2816, 4272))
"""Around the whole real scene, on the lattice."""


def lonlat(box: GeoBox) -> tuple[Real, Real]:
    """Of every pixel centre."""
    rows, columns = box.shape.yx
    affine = box.affine
    x, y = np.meshgrid(affine.c + (np.arange(columns) + 0.5) * affine.a, affine.f + (np.arange(rows) + 0.5) * affine.e)
    longitude, latitude = Transformer.from_crs(str(box.crs), 4326, always_xy=True).transform(x, y)
    return longitude, latitude


def test_real_grd_lands_within_a_pixel_of_gdals_thin_plate_spline(real: RasterLayer) -> None:
    longitude, latitude = lonlat(INDIA)
    with rasterio.open(real.href) as source:
        line, pixel = positions(swath_geometry(real, source), INDIA)
        with GCPTransformer(source.gcps[0], tps=True) as gdal:
            row, column = gdal.rowcol(longitude.ravel(), latitude.ravel(), op=lambda value: value)
        inside = (line > -0.5) & (line < source.height - 0.5) & (pixel > -0.5) & (pixel < source.width - 0.5)
    row, column = (np.reshape(axis, line.shape) for axis in (row, column))
    away = np.hypot(line + 0.5 - row, pixel + 0.5 - column)[inside]
    print(f"against gdalwarp -tps: at most {away.max():.4f} of a sample, over {away.size} pixels")
    assert away.size > 1_000_000
    assert away.max() < 0.05, "GDAL counts from the corner of a sample, we from its middle"


def test_real_grd_looks_as_gdal_warps_it(real: RasterLayer) -> None:
    """The image, not only the place: the same as bilinear samples where GDAL's spline puts them; no shift is better."""
    box = INDIA[300:620, 500:820]
    found = align(read_window(real, box), box, "continuous")
    longitude, latitude = lonlat(box)
    with rasterio.open(real.href) as source:
        values, (gcps, crs) = source.read(1).astype(np.float32), source.gcps
        with GCPTransformer(gcps, tps=True) as gdal:
            place = gdal.rowcol(longitude.ravel(), latitude.ravel(), op=lambda value: value)
        warped = np.zeros(found.shape, np.float32)
        wanted = {"dst_crs": str(box.crs), "dst_transform": box.affine, "resampling": Resampling.bilinear}
        reproject(values, warped, gcps=gcps, src_crs=crs, SRC_METHOD="GCP_TPS", **wanted)
    exact = map_coordinates(values, np.array(place) - 0.5, order=1).reshape(found.shape)
    assert np.isfinite(found).all()
    assert np.corrcoef(found.ravel(), exact.ravel())[0, 1] > 0.9999
    middle = found[8:-8, 8:-8].ravel()
    alike = {
        (down, across): np.corrcoef(middle, np.roll(warped, (down, across), (0, 1))[8:-8, 8:-8].ravel())[0, 1]
        for down in (-1, 0, 1)
        for across in (-1, 0, 1)
    }
    assert max(alike, key=lambda shift: alike[shift]) == (0, 0)
    assert alike[0, 0] > 0.98


def test_real_annotation_places_as_gdal_would(shared: Path) -> None:
    """210 tie points with heights from 100 to 1400 m; between the nodes of the lattice under 0.01 of a sample is
    lost."""
    geometry = real_geometry(shared)
    grid = swath_metadata(real_layer(shared)).annotation.grid
    line, pixel = np.meshgrid(grid.lines, grid.pixels, indexing="ij")
    columns = zip(*(table.ravel() for table in (line, pixel, grid.longitude, grid.latitude)), strict=True)
    gcps = [GroundControlPoint(row=row, col=col, x=x, y=y) for row, col, x, y in columns]
    for row in range(-500_880, -500_880 + 4096, 1024):
        box = lattice_box("EPSG:32631", 10.0, (row, row + 64), (54_000, 54_064))
        longitude, latitude = lonlat(box)
        with GCPTransformer(gcps, tps=True) as gdal:
            wanted = gdal.rowcol(longitude.ravel(), latitude.ravel(), op=lambda value: value)
        found = positions(geometry, box)
        assert (found[0] > 0).all()
        assert (found[0] < 16_676).all()
        away = np.hypot(found[0].ravel() - wanted[0], found[1].ravel() - wanted[1])
        assert away.max() < 0.01


def real_layer(shared: Path) -> RasterLayer:
    path = next((shared / "data" / "sentinel1").glob("*.SAFE/measurement/*-vv-*.tiff"))
    return RasterLayer(href=str(path), encoding="calibrated", swath=swath_of(str(path), {}, "VV"))


def real_geometry(shared: Path) -> SwathGeometry:
    return annotated_geometry(swath_metadata(real_layer(shared)))


def test_neighbours_place_shared_pixels_the_same_to_the_last_bit(shared: Path) -> None:
    geometry = real_geometry(shared)
    rows, columns = (-500_880, -500_880 + 128), (54_000, 54_128)
    for points in (1, 3):
        whole = positions(geometry, lattice_box("EPSG:32631", 10.0, rows, columns), points)
        for top, left in ((0, 0), (48, 64), (64, 16)):
            span = (rows[0] + top, rows[0] + top + 48), (columns[0] + left, columns[0] + left + 64)
            part = positions(geometry, lattice_box("EPSG:32631", 10.0, *span), points)
            window = np.s_[top * points : (top + 48) * points, left * points : (left + 64) * points]
            assert all(np.array_equal(full[window], own) for full, own in zip(whole, part, strict=True))


def test_known_terrain_moves_samples_towards_the_sensor(shared: Path) -> None:
    """At the height that the product was projected to nothing moves; 100 m more move 100 m / tan(incidence)."""
    geometry = real_geometry(shared)
    box = lattice_box("EPSG:32631", 10.0, (-500_880, -500_848), (54_000, 54_032))
    line, pixel = positions(geometry, box)
    _, _, shift = geometry.geolocation.locate(*lonlat(box))
    assert geometry.incidence is not None
    angle = look_up(geometry.incidence, line, pixel)
    own = (shift * np.tan(np.radians(angle))).astype(np.float32)
    np.testing.assert_allclose(positions(geometry, box, height=own)[1], pixel, atol=0.02)
    higher = positions(geometry, box, height=own + 100)
    np.testing.assert_allclose(pixel - higher[1], terrain_shift(np.float64(100), angle) / 10.0, atol=0.02)
    np.testing.assert_array_equal(higher[0], line)
    own[:8] = np.nan
    np.testing.assert_array_equal(positions(geometry, box, height=own)[1][:8], pixel[:8])


def test_height_shift_holds_on_a_round_earth() -> None:
    """The documented approximation against the law of cosines: under a metre off for 500 m of terrain."""
    earth, track = 6_371_000.0, 6_371_000.0 + 693_000.0
    for degrees in (30.0, 38.0, 46.0):
        incidence = np.radians(degrees)
        turn = incidence - np.arcsin(np.sin(incidence) * earth / track)  # angle at the middle of the Earth
        slant = np.sqrt(track**2 + (earth + 500.0) ** 2 - 2 * track * (earth + 500.0) * np.cos(turn))
        seen = np.arccos((track**2 + earth**2 - slant**2) / (2 * track * earth))  # where the same range meets sea level
        assert (turn - seen) * earth == pytest.approx(float(terrain_shift(np.float64(500.0), degrees)), abs=1.0)


# From samples to the target


def write_swath(path: Path, values: NDArray[Any], points: TiePoints) -> RasterLayer:
    """A raster of linear power with GCPs as GDAL counts them, from the corner of a sample."""
    lines, pixels = values.shape
    columns = zip(points.line + 0.5, points.pixel + 0.5, points.longitude, points.latitude, strict=True)
    gcps = [GroundControlPoint(row=row, col=col, x=x, y=y) for row, col, x, y in columns]
    profile = {"driver": "GTiff", "count": 1, "dtype": values.dtype, "height": lines, "width": pixels}
    with rasterio.open(path, "w", **profile, gcps=gcps, crs="EPSG:4326") as target:
        target.write(values, 1)
    return RasterLayer(href=str(path), encoding="power", nodata=(0.0,))


def box_around(points: TiePoints, resolution: float = 10.0, side: int = 128) -> GeoBox:
    """In the middle of the swath, on the lattice."""
    x, y = Transformer.from_crs(4326, 32633, always_xy=True).transform(points.longitude.mean(), points.latitude.mean())
    row, column = (int(value / resolution - side / 2) // 16 * 16 for value in (-y, x))
    return lattice_box("EPSG:32633", resolution, (row, row + side), (column, column + side))


@pytest.mark.parametrize(("resolution", "tolerance"), [(10.0, 0.02), (5.0, 0.02), (25.0, 0.3), (40.0, 0.5)])
def test_ramp_lands_where_it_is(tmp_path: Path, resolution: float, tolerance: float) -> None:
    """A plane of lines and pixels keeps its values on any grid: interpolated where finer, averaged where coarser."""
    points = tilted()
    lines, pixels = np.mgrid[0:400, 0:300].astype(np.float32)
    layer = write_swath(tmp_path / "a.tif", (1 + lines + 1000 * pixels).astype(np.float32), points)
    box = box_around(points, resolution, 32)
    found = align(read_window(layer, box), box, "continuous")
    line, pixel, _ = geolocation(points).locate(*lonlat(box))
    np.testing.assert_allclose(found, 1 + line + 1000 * pixel, atol=1000 * tolerance)


def test_coarse_pixel_is_the_mean_of_its_samples(tmp_path: Path) -> None:
    """Speckle of mean 1: on 40 m its deviation falls to about that of 16 samples."""
    points = tilted()
    speckle = np.random.default_rng(0).gamma(1.0, 1.0, (400, 300)).astype(np.float32)
    layer = write_swath(tmp_path / "a.tif", speckle, points)
    box = box_around(points, 40.0, 48)
    found = align(read_window(layer, box), box, "continuous")
    assert np.nanmean(found) == pytest.approx(1.0, abs=0.02)
    assert np.nanstd(found) == pytest.approx(0.25, abs=0.06)


def test_missing_samples_lend_nothing(tmp_path: Path) -> None:
    """Half of the image is fill (0): its neighbours keep their value, and it is not observed itself."""
    points = tilted()
    values = np.full((400, 300), 3.0, np.float32)
    values[:, :150] = 0.0
    layer = write_swath(tmp_path / "a.tif", values, points)
    box = box_around(points)
    found = align(read_window(layer, box), box, "continuous")
    _, pixel, _ = geolocation(points).locate(*lonlat(box))
    assert np.isnan(found[pixel < 149.0]).all()
    assert (found[pixel > 150.0] == 3.0).all()
    assert set(np.unique(found[np.isfinite(found)])) == {3.0}
    assert seen_share(layer, box) == pytest.approx((pixel > 149.5).mean(), abs=0.04)


def test_masks_take_the_nearest_sample(tmp_path: Path) -> None:
    points = tilted()
    classes = np.random.default_rng(0).integers(1, 5, (400, 300)).astype(np.uint8)
    layer = write_swath(tmp_path / "a.tif", classes, points)
    box = box_around(points)
    found = align(read_window(layer, box), box, "mask")
    line, pixel, _ = geolocation(points).locate(*lonlat(box))
    wanted = classes[np.floor(line + 0.5).astype(int), np.floor(pixel + 0.5).astype(int)]
    assert (found == wanted).mean() > 0.999


def test_window_is_no_larger_than_needed_and_none_where_nothing_is(tmp_path: Path) -> None:
    points = tilted()
    layer = write_swath(tmp_path / "a.tif", np.ones((400, 300), np.float32), points)
    window = read_window(layer, box_around(points, side=16))
    assert isinstance(window, SwathWindow)
    assert max(window.values.shape) < 26
    assert window.pixel == pytest.approx(10.0, rel=0.01)
    far = box_around(tilted(16.0))
    assert read_window(layer, far) is None
    assert seen_share(layer, far) == 0.0
    assert np.isnan(align(read_window(layer, far), far, "continuous")).all()


def test_slices_of_a_pass_meet_without_a_gap(tmp_path: Path) -> None:
    """One image in two files, cut between two lines: each with tie points of its own, to the last line of its own."""
    points = tilted()
    lines, pixels = np.meshgrid(np.linspace(0, 199, 4), np.linspace(0, 299, 8), indexing="ij")
    ground = geolocation(
        TiePoints(points.longitude, points.latitude, points.pixel / 3000.0, points.line / 3000.0, points.shift)
    )  # the other way round: from line and pixel to longitude and latitude
    values = (10.0 + np.mgrid[0:400, 0:300][0]).astype(np.float32)
    rasters = []
    for first in (0, 200):
        x, y, _ = ground.locate(pixels / 3000.0, (lines + first) / 3000.0)
        ties = TiePoints(*(table.ravel() for table in (lines, pixels, x, y, np.zeros(x.shape))))
        rasters.append(write_swath(tmp_path / f"{first}.tif", values[first : first + 200], ties))
    box = box_around(points)
    scene = radar_scene(tmp_path, "s", {}, box, noise_db={"VV": -24.0}).model_copy(
        update={"layers": {"VV": tuple(rasters)}}
    )
    found = decode(scene, box, science(multilook={"C": 1, "L": 1}), 4.0, {"VV": -24.0}).power["VV"]
    line, _, _ = geolocation(points).locate(*lonlat(box))
    assert np.isfinite(found).all()
    assert ((line > 198) & (line < 202)).any()
    np.testing.assert_allclose(found, 10.0 + line, atol=0.6)


def test_numbers_without_annotation_are_not_guessed(tmp_path: Path) -> None:
    """Tie points place an image; only the annotation says what its numbers mean."""
    points = tilted()
    layer = write_swath(tmp_path / "grd.tif", np.full((400, 300), 100, np.uint16), points)
    told = layer.model_copy(update={"encoding": "calibrated"})
    scene = radar_scene(tmp_path, "s", {}, box_around(points), layers={"VV": told}, noise_db={"VV": -24.0})
    with pytest.raises(PipelineError, match=r"grd\.tif.*no annotation and calibration.*ingest the whole SAFE"):
        decode(scene, box_around(points), science(), 4.0, {"VV": -24.0})


def test_power_on_tie_points_alone_needs_no_annotation(tmp_path: Path) -> None:
    points = tilted()
    layer = write_swath(tmp_path / "a.tif", np.full((400, 300), 0.1, np.float32), points)
    scene = radar_scene(tmp_path, "s", {}, box_around(points), layers={"VV": layer}, noise_db={"VV": -24.0})
    bundle = decode(scene, box_around(points), science(), 4.0, {"VV": -24.0})
    assert np.allclose(bundle.power["VV"], 0.1)
    assert bundle.angle is None


def test_real_noise_and_angle_are_those_of_the_instrument(shared: Path) -> None:
    """Near, middle and far in the swath: the specification asks for -22 dB of sigma0 at most. Angles agree with those
    behind the calibration's own tables to 0.3 degrees (0.05 dB), as near as the file's two parts do."""
    layer = real_layer(shared)
    table = swath_metadata(layer).calibration
    factor = LookUpTable(table.lines, table.pixels, table.gamma)
    for column in (42_000, 54_000, 64_000):
        box = lattice_box("EPSG:32631", 10.0, (-504_000, -503_968), (column, column + 32))
        line, pixel = positions(real_geometry(shared), box)
        assert (pixel > 0).all()
        assert (pixel < 26_144).all()
        level = 10 * np.log10(noise_on(layer, box))
        assert np.isfinite(level).all()
        assert -34.0 < level.min() <= level.max() < -20.0
        tangent = (474.0 / look_up(factor, line, pixel)) ** 2
        np.testing.assert_allclose(incidence_on(layer, box), np.degrees(np.arctan(tangent)), atol=0.3)
