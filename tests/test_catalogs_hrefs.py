"""Which addresses may be opened."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.errors import RasterioIOError

from catalogs.errors import HrefError
from catalogs.hrefs import OPEN_DRIVERS, check_href, driver_for

LOCAL = "/data/catalog"
REMOTE = "https://example.org/stac/v1"


@pytest.mark.parametrize(
    ("href", "root"),
    [
        ("/data/scene/vv.tif", LOCAL),
        ("./vv.tif", LOCAL),
        ("../files/a/b.tif", Path(LOCAL)),
        ("./with:colon.tif", LOCAL),
        ("2020-01-01T10:00.tif", LOCAL),
        ("https://example.org/vv.tif?sig=a%3Ab", LOCAL),
        ("HTTP://example.org/vv.tif", REMOTE),
        ("s3://bucket/folder/a.tif", LOCAL),
        ("s3://bucket/with space/a+b.tif", REMOTE),
        ("S3://bucket.with.dots/a.jp2", None),
    ],
)
def test_plain_paths_and_web_addresses_are_allowed(href: str, root: str | Path) -> None:
    assert check_href(href, root) == href


@pytest.mark.parametrize(
    "href",
    [
        "",
        "/vsicurl/https://example.org/a.tif",
        "/VSIZIP//data/a.zip/a.tif",
        "vrt:///data/a.tif?bands=1",
        "/data/a.vrt",
        "/data/A.VRT",
        "https://example.org/a.vrt",
        "s3://bucket",
        "s3://bucket/",
        "s3:///a.tif",
        "s3://bucket/a.tif?versionId=1",
        "s3://bucket/a/../../other/a.tif",
        "s3://bucket//a.tif",
        "s3://bucket/a.vrt",
        "s3://bucket/a\nb.tif",
        "az://container/a.tif",
        "ftp://example.org/a.tif",
        "http:///a.tif",
        "http://[broken/a.tif",
        "https:a.tif",
        "gs://bucket/a.tif",
        "file:///etc/passwd",
        "zip+file:///data/a.zip!a.tif",
        "GTIFF_DIR:1:/data/a.tif",
        'NETCDF:"/data/a.nc":x',
        "HDF5:a.h5://x",
        "/data/a\n.tif",
    ],
)
@pytest.mark.parametrize("root", [LOCAL, REMOTE, None])
def test_everything_else_is_refused_with_a_remedy(href: str, root: str | None) -> None:
    with pytest.raises(HrefError) as caught:
        check_href(href, root)
    assert repr(href) in str(caught.value)
    assert str(caught.value).endswith(".")


def test_a_refusal_shows_no_signature_and_no_password() -> None:
    for href in ("https://example.org/a.vrt?sig=SECRET", "https://me:SECRET@example.org/a.tif"):
        with pytest.raises(HrefError) as caught:
            check_href(href, LOCAL)
        assert "SECRET" not in str(caught.value)
        assert "example.org/a." in str(caught.value)


@pytest.mark.parametrize("root", [REMOTE, "s3://bucket/catalog.json", None])
def test_a_catalog_elsewhere_names_no_local_file(root: str | None) -> None:
    with pytest.raises(HrefError, match="local path from a catalog that is not local"):
        check_href("/data/a.tif", root)


def test_a_vrt_in_disguise_is_not_opened(tmp_path: Path) -> None:
    plain, disguised = tmp_path / "a.tif", tmp_path / "b.tif"
    with rasterio.open(
        plain, "w", driver="GTiff", width=2, height=2, count=1, dtype="uint8", crs="EPSG:32631",
        transform=rasterio.Affine(10, 0, 0, 0, -10, 0),
    ) as target:  # fmt: skip
        target.write(np.ones((1, 2, 2), "uint8"))
    source = f"<SimpleSource><SourceFilename>{plain}</SourceFilename></SimpleSource>"
    band = f'<VRTRasterBand dataType="Byte" band="1">{source}</VRTRasterBand>'
    disguised.write_text(f'<VRTDataset rasterXSize="2" rasterYSize="2">{band}</VRTDataset>')
    assert driver_for(str(disguised)) in OPEN_DRIVERS
    with rasterio.open(plain, driver=driver_for(str(plain))) as opened:
        assert opened.driver == "GTiff"
    with pytest.raises(RasterioIOError):
        rasterio.open(disguised, driver=driver_for(str(disguised)))


def test_driver_by_name() -> None:
    assert driver_for("https://example.org/B02.JP2?sig=x.tif") == "JP2OpenJPEG"
    assert driver_for("/data/B02.tif") == "GTiff"
