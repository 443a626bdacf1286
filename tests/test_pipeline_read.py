"""Windows of files, and their way onto the unit's grid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from scenes import NORTH, WEST, grid, write_tiff

from catalogs.errors import HrefError, ReadError
from catalogs.records import RasterLayer
from pipeline.align import align
from pipeline.errors import PipelineError
from pipeline.read import MARGIN, NativeWindow, read_window, seen_share

LONGITUDE, LATITUDE = Transformer.from_crs(32632, 4326, always_xy=True).transform(WEST, NORTH)


def counted(rows: int, columns: int, dtype: str = "float32") -> NDArray[np.generic]:
    """Each pixel its own number: 100·row + column."""
    return (100 * np.arange(rows)[:, None] + np.arange(columns)[None]).astype(dtype)


def layer(
    path: Path, values: NDArray[np.generic], box: GeoBox, nodata: float | None = None, **told: object
) -> RasterLayer:
    return RasterLayer(href=write_tiff(path, values, box, nodata), **told)  # type: ignore[arg-type]


def read(source: RasterLayer, box: GeoBox) -> NativeWindow:
    window = read_window(source, box)
    assert window is not None
    return window


# ---- read


def test_window_holds_the_target_and_a_margin(tmp_path: Path) -> None:
    """Target rows 10..13 and columns 20..27 of the file: three pixels more a side."""
    source = layer(tmp_path / "a.tif", counted(50, 60), grid(50, 60))
    found = read(source, grid(4, 8, row=10, column=20))
    np.testing.assert_array_equal(found.values, counted(50, 60)[10 - MARGIN : 14 + MARGIN, 20 - MARGIN : 28 + MARGIN])
    assert found.box == grid(4 + 2 * MARGIN, 8 + 2 * MARGIN, row=10 - MARGIN, column=20 - MARGIN)


def test_window_ends_at_the_border_of_the_file(tmp_path: Path) -> None:
    source = layer(tmp_path / "a.tif", counted(50, 60), grid(50, 60))
    found = read(source, grid(10, 10, row=-5, column=55))
    np.testing.assert_array_equal(found.values, counted(50, 60)[: 5 + MARGIN, 55 - MARGIN :])


def test_file_elsewhere_gives_none(tmp_path: Path) -> None:
    source = layer(tmp_path / "a.tif", counted(10, 10), grid(10, 10))
    assert read_window(source, grid(10, 10, row=500)) is None
    assert read_window(source, grid(10, 10, column=-500)) is None


def test_nodata_of_the_record_and_of_the_header_become_nan(tmp_path: Path) -> None:
    """1 and 2 by the record, 3 by the header; 0 and 4 are values."""
    values = np.array([[0, 1, 2], [3, 4, 5]], dtype=np.uint16)
    source = RasterLayer(href=write_tiff(tmp_path / "a.tif", values, grid(2, 3), 3), nodata=(1.0, 2.0))
    found = read(source, grid(2, 3)).values
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, [[0, np.nan, np.nan], [np.nan, 4, 5]])


def test_nan_is_always_nodata(tmp_path: Path) -> None:
    values = np.array([[1, np.nan]], dtype=np.float32)
    source = RasterLayer(href=write_tiff(tmp_path / "a.tif", values, grid(1, 2), np.nan), nodata=(-1.0,))
    np.testing.assert_array_equal(read(source, grid(1, 2)).values, values)


def test_band_of_the_record_is_read_with_its_own_nodata(tmp_path: Path) -> None:
    values = np.stack([np.full((4, 4), 7.0), np.full((4, 4), 8.0)]).astype(np.float32)
    href = write_tiff(tmp_path / "a.tif", values, grid(4, 4))
    assert (read(RasterLayer(href=href, band=2), grid(4, 4)).values == 8.0).all()


def test_band_that_is_not_in_the_file_names_the_file(tmp_path: Path) -> None:
    source = layer(tmp_path / "a.tif", counted(4, 4), grid(4, 4), band=2)
    with pytest.raises(ReadError, match=r"a\.tif"):
        read_window(source, grid(4, 4))


@pytest.mark.parametrize(
    "href",
    ["/vsicurl/http://a.example/a.tif", "/vsizip/a.zip/a.tif", "a.vrt", "/tmp/A.VRT", "GTIFF_DIR:1:a.tif", "s3://a/b"],
)
def test_address_outside_the_allowlist_is_never_opened(href: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rasterio, "open", lambda *_, **__: pytest.fail("opened"))
    with pytest.raises(HrefError):
        read_window(RasterLayer(href=href), grid(4, 4))


def test_file_of_another_kind_under_a_good_name_is_refused(tmp_path: Path) -> None:
    """A VRT called .tif: the driver is chosen by name, so GDAL does not follow it."""
    target = write_tiff(tmp_path / "secret.tif", counted(4, 4), grid(4, 4))
    (tmp_path / "a.tif").write_text(
        f'<VRTDataset rasterXSize="4" rasterYSize="4"><VRTRasterBand dataType="Float32" band="1"><SimpleSource>'
        f"<SourceFilename>{target}</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"
    )
    with pytest.raises(ReadError, match=r"a\.tif.*a raster that can be read"):
        read_window(RasterLayer(href=str(tmp_path / "a.tif")), grid(4, 4))


def test_file_without_crs_is_refused(tmp_path: Path) -> None:
    href = write_tiff(tmp_path / "a.tif", counted(4, 4), GeoBox((4, 4), grid(4, 4).affine, None))
    with pytest.raises(PipelineError, match=r"a\.tif: has no coordinate system"):
        read_window(RasterLayer(href=href), grid(4, 4))


def test_missing_file_is_named_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match=r"gone\.tif.*Check the file, or ingest it again"):
        read_window(RasterLayer(href=str(tmp_path / "gone.tif")), grid(4, 4))


def test_seen_share_counts_what_is_neither_nodata_nor_zero(tmp_path: Path) -> None:
    """The western half is zero, of the rest the northern half is nodata: a quarter is seen."""
    values = np.ones((160, 160), dtype=np.float32)
    values[:80, 80:] = -9.0
    values[:, :80] = 0.0
    source = RasterLayer(href=write_tiff(tmp_path / "a.tif", values, grid(160, 160)), nodata=(-9.0,))
    assert seen_share(source, grid(160, 160)) == pytest.approx(0.25, abs=0.04)
    assert seen_share(source, grid(64, 64, row=90, column=90)) == 1.0
    assert seen_share(source, grid(64, 64, row=5, column=5)) == 0.0


def test_seen_share_is_nothing_where_the_file_does_not_reach(tmp_path: Path) -> None:
    source = layer(tmp_path / "a.tif", np.ones((20, 20), np.float32), grid(20, 20))
    assert seen_share(source, grid(20, 20, row=400)) == 0.0


def test_seen_share_counts_what_lies_outside_the_file_as_unseen(tmp_path: Path) -> None:
    source = layer(tmp_path / "a.tif", np.ones((100, 100), np.float32), grid(100, 100))
    assert seen_share(source, grid(100, 100, column=75)) == pytest.approx(0.25, abs=0.1)


# ---- align


def aligned(source: RasterLayer, box: GeoBox, kind: str = "continuous") -> NDArray[np.float32]:
    return align(read_window(source, box), box, kind)  # type: ignore[arg-type]


def test_nothing_read_is_nan_everywhere() -> None:
    found = align(None, grid(3, 5), "continuous")
    assert found.shape == (3, 5)
    assert found.dtype == np.float32
    assert np.isnan(found).all()


def test_same_grid_changes_nothing(tmp_path: Path) -> None:
    values = counted(40, 40)
    source = layer(tmp_path / "a.tif", values, grid(40, 40))
    for kind in ("continuous", "mask"):
        np.testing.assert_array_equal(aligned(source, grid(8, 8, row=16, column=20), kind), values[16:24, 20:28])


def test_power_is_averaged_on_a_coarser_grid_in_linear_units(tmp_path: Path) -> None:
    """0.001 and 0.1 (-30 and -10 dB) in a checkerboard: the mean is 0.0505, not the 0.01 of -20 dB."""
    values = np.where((np.indices((40, 40)).sum(axis=0) % 2) == 0, 0.001, 0.1).astype(np.float32)
    source = layer(tmp_path / "a.tif", values, grid(40, 40))
    found = aligned(source, grid(20, 20, resolution=20.0))
    np.testing.assert_allclose(found, 0.0505, rtol=1e-5)


def test_average_leaves_nan_out(tmp_path: Path) -> None:
    """One of four pixels unknown: the mean of the other three; all four unknown: unknown."""
    values = np.array([[1, 2, np.nan, np.nan], [3, np.nan, np.nan, np.nan]], dtype=np.float32)
    source = layer(tmp_path / "a.tif", values, grid(2, 4))
    np.testing.assert_allclose(aligned(source, grid(1, 2, resolution=20.0)), [[2.0, np.nan]])


def test_finer_grid_is_interpolated_linearly(tmp_path: Path) -> None:
    """Columns of 20 m hold their number; 10 m pixels have their middles at 1/4 and 3/4 between two of them."""
    values = np.repeat(np.arange(20, dtype=np.float32)[None], 20, axis=0)
    source = layer(tmp_path / "a.tif", values, grid(20, 20, resolution=20.0))
    found = aligned(source, grid(4, 6, row=10, column=10))
    # The first target pixel has its middle at 105 m: 105/20 - 0.5 = 4.75 columns.
    np.testing.assert_allclose(found, np.tile(4.75 + 0.5 * np.arange(6), (4, 1)), atol=1e-5)


def test_mask_takes_the_nearest_code_and_never_a_mixture(tmp_path: Path) -> None:
    codes = np.tile(np.array([[0, 100], [150, 255]], dtype=np.uint8), (10, 10))
    for resolution in (20.0, 5.0):
        source = layer(tmp_path / f"{resolution}.tif", codes, grid(20, 20, resolution=resolution))
        found = aligned(source, grid(8, 8), "mask")
        assert set(np.unique(found)) <= {0.0, 100.0, 150.0, 255.0}
    coarse = layer(tmp_path / "c.tif", codes, grid(20, 20, resolution=20.0))
    np.testing.assert_array_equal(aligned(coarse, grid(4, 4), "mask"), np.kron(codes[:2, :2], np.ones((2, 2))))


def test_beyond_the_file_is_nan(tmp_path: Path) -> None:
    source = layer(tmp_path / "a.tif", counted(8, 8), grid(8, 8))
    found = aligned(source, grid(8, 8, column=4))
    np.testing.assert_array_equal(np.isnan(found), np.arange(8)[None].repeat(8, axis=0) >= 4)


def test_degrees_land_on_the_right_metres(tmp_path: Path) -> None:
    """A field of longitudes on a grid in degrees: each UTM pixel holds the longitude of its middle."""
    step = 2e-4
    box = GeoBox((300, 300), Affine(step, 0, LONGITUDE - 0.01, 0, -step, LATITUDE + 0.01), "EPSG:4326")
    east = LONGITUDE - 0.01 + step * (np.arange(300) + 0.5)
    source = layer(tmp_path / "a.tif", np.tile(east - LONGITUDE, (300, 1)).astype(np.float32), box)
    target = grid(16, 16)
    x, y = np.meshgrid(WEST + 10 * (np.arange(16) + 0.5), NORTH - 10 * (np.arange(16) + 0.5))
    expected = Transformer.from_crs(32632, 4326, always_xy=True).transform(x, y)[0] - LONGITUDE
    # A hundredth of a source pixel.
    np.testing.assert_allclose(aligned(source, target), expected, atol=0.01 * step)


def test_pixel_is_in_metres_at_the_middle_of_the_file(tmp_path: Path) -> None:
    metric = layer(tmp_path / "a.tif", counted(8, 8), grid(8, 8, resolution=25.0))
    assert read_window(metric, grid(8, 8)).pixel == 25.0
    box = GeoBox((8, 8), Affine(1e-4, 0, LONGITUDE, 0, -1e-4, LATITUDE), "EPSG:4326")
    degrees = layer(tmp_path / "b.tif", counted(8, 8), box)
    # One degree of latitude is 111.1 km, of longitude 111.3·cos(45.15°) = 78.5 km: pixels of 7.9 by 11.1 m.
    assert 7.5 < read_window(degrees, grid(8, 8)).pixel < 11.2


# ---- a pixel does not depend on the unit through which it is read

PARTS = [(32, 16, 48, 32), (0, 0, 16, 16), (80, 80, 16, 16), (16, 64, 32, 16)]
"""Row, column, rows, columns of parts of a box of 96 pixels."""


def speckled(side: int) -> NDArray[np.float32]:
    values = np.random.default_rng(1).gamma(4.0, 0.025, (side, side)).astype(np.float32)
    values[30:34, 30:50] = np.nan
    return values


def worst_difference(source: RasterLayer, kind: str) -> float:
    """Largest relative difference between a pixel read through a big box and through a part of it."""
    whole = aligned(source, grid(96, 96), kind)
    assert np.isfinite(whole).mean() > 0.9
    worst = 0.0
    for row, column, rows, columns in PARTS:
        part = aligned(source, grid(rows, columns, row=row, column=column), kind)
        same = whole[row : row + rows, column : column + columns]
        np.testing.assert_array_equal(np.isnan(part), np.isnan(same))
        worst = max(worst, float(np.nanmax(np.abs(part - same) / same)))
    return worst


@pytest.mark.parametrize("kind", ["continuous", "mask"])
@pytest.mark.parametrize("resolution", [5.0, 10.0, 20.0])
def test_lattice_grids_give_the_same_bytes_through_every_unit(tmp_path: Path, kind: str, resolution: float) -> None:
    box = grid(260, 260, resolution=resolution, row=-20, column=-20)
    assert worst_difference(layer(tmp_path / "a.tif", speckled(260), box), kind) == 0.0


@pytest.mark.parametrize("resolution", [3.7, 25.0])
def test_other_grids_of_the_zone_give_the_same_to_the_last_bit(tmp_path: Path, resolution: float) -> None:
    """Fractions of pixels are not exact there: one unit in the last place of float32 is 1.2e-7."""
    side = round(1100 / resolution) + 20
    box = grid(side, side, resolution=resolution, row=-3, column=-3)
    assert worst_difference(layer(tmp_path / "a.tif", speckled(side), box), "continuous") < 3e-7


@pytest.mark.parametrize("step", [2.25e-4, 0.4e-4])
def test_degrees_give_the_same_through_every_unit(tmp_path: Path, step: float) -> None:
    """Coarser than the target (interpolated) and finer (averaged)."""
    side = round(0.03 / step) if step < 1e-4 else 400
    corner = Affine(step, 0, LONGITUDE - 10 * step, 0, -step, LATITUDE + 40 * step)
    source = layer(tmp_path / "a.tif", speckled(side), GeoBox((side, side), corner, "EPSG:4326"))
    assert worst_difference(source, "continuous") < 3e-7


def test_neighbouring_zone_gives_the_same_through_every_unit(tmp_path: Path) -> None:
    x, y = Transformer.from_crs(32632, 32633, always_xy=True).transform(WEST, NORTH)
    box = GeoBox((200, 200), Affine(10, 0, round(x) - 300, 0, -10, round(y) + 300), "EPSG:32633")
    assert worst_difference(layer(tmp_path / "a.tif", speckled(200), box), "continuous") < 3e-7


def test_masks_in_degrees_give_the_same_through_every_unit(tmp_path: Path) -> None:
    """Wide cells: no middle of a pixel lies within the error of the transform of their borders."""
    corner = Affine(1e-3, 0, LONGITUDE - 2e-3, 0, -1e-3, LATITUDE + 2e-3)
    codes = 1.0 + np.arange(900, dtype=np.float32).reshape(30, 30)
    source = layer(tmp_path / "a.tif", codes, GeoBox((30, 30), corner, "EPSG:4326"))
    assert worst_difference(source, "mask") == 0.0


# ---- degrees across the antimeridian

STEP = 1 / 360
"""Degrees of a pixel, about 300 m."""


def plane(longitude: NDArray[np.float64], latitude: NDArray[np.float64]) -> NDArray[np.float32]:
    """A value that rises evenly eastward and northward, on both sides of the antimeridian."""
    return (100.0 + 10.0 * (longitude % 360.0 - 180.0) + (latitude + 17.0)).astype(np.float32)


def degrees(path: Path, west: float, columns: int, step: float = STEP) -> RasterLayer:
    """One degree of latitude from 16 to 17 south, so many columns from a western edge."""
    rows = round(1.0 / step)
    x, y = west + (np.arange(columns) + 0.5) * step, -16.0 - (np.arange(rows) + 0.5) * step
    box = GeoBox((rows, columns), Affine(step, 0, west, 0, -step, -16.0), "EPSG:4326")
    return layer(path, plane(x[None], y[:, None]), box)


TILES: dict[str, list[tuple[float, int, float]]] = {
    "a tile of 1° on either side": [(179.0, 360, STEP), (-180.0, 360, STEP)],
    "one file that runs beyond 180": [(179.0, 720, STEP)],
    "one file from beyond -180": [(-181.0, 720, STEP)],
    "one file round the globe": [(-180.0, 36_000, 0.01)],
    "one file round the globe from Greenwich": [(0.0, 36_000, 0.01)],
}


@pytest.mark.parametrize("files", TILES)
@pytest.mark.parametrize("crs", ["EPSG:32760", "EPSG:32701"])
@pytest.mark.parametrize("resolution", [100.0, 1000.0])
def test_files_in_degrees_have_no_gap_at_the_antimeridian(
    tmp_path: Path, files: str, crs: str, resolution: float
) -> None:
    """Whatever file holds the ground, finer and coarser than the unit; and no window goes round the globe."""
    to_metres = Transformer.from_crs(4326, crs, always_xy=True)
    west, north = to_metres.transform(179.75, -16.4)
    target = GeoBox(
        (round(3e4 / resolution), round(5e4 / resolution)), Affine(resolution, 0, west, 0, -resolution, north), crs
    )
    windows = [read_window(degrees(tmp_path / f"{n}.tif", *told), target) for n, told in enumerate(TILES[files])]
    assert all(window is not None and max(window.values.shape) < 250 for window in windows)
    rows, columns = np.indices(target.shape.yx) + 0.5
    x, y = Transformer.from_crs(crs, 4326, always_xy=True).transform(*(target.affine * (columns, rows)))
    assert x.max() > 179 > -179 > x.min()
    for kind, error in (("continuous", 0.1), ("mask", 0.1)):
        pieces = [align(window, target, kind) for window in windows]  # type: ignore[arg-type]
        found = pieces[0] if len(pieces) == 1 else np.where(np.isnan(pieces[0]), pieces[1], pieces[0])
        assert np.isfinite(found).all(), kind
        assert np.abs(found - plane(x, y)).max() < error, kind


def test_tile_far_from_the_antimeridian_is_not_read_for_a_unit_on_it(tmp_path: Path) -> None:
    target = GeoBox((64, 64), Affine(1000.0, 0, 168_000.0, 0, -1000.0, 8_200_000.0), "EPSG:32701")
    assert read_window(degrees(tmp_path / "a.tif", 0.0, 360), target) is None
    assert seen_share(degrees(tmp_path / "b.tif", -178.0, 360), target) == 0.0


def test_size_of_a_pixel_in_degrees_is_the_same_at_every_longitude(tmp_path: Path) -> None:
    """1/360° at 16.5° south: the mean of 296.5 and 307.4 m."""
    sizes = []
    for name, west in (("a", 30.0), ("b", 179.5), ("c", -180.5), ("d", 179.0)):
        source = degrees(tmp_path / f"{name}.tif", west, 360)
        middle = Transformer.from_crs(4326, 32701, always_xy=True).transform(west + 0.5, -16.5)
        found = read(source, GeoBox((4, 4), Affine(300.0, 0, middle[0], 0, -300.0, middle[1]), "EPSG:32701"))
        sizes.append(found.pixel)
    assert sizes == pytest.approx([301.9] * 4, rel=2e-3)
