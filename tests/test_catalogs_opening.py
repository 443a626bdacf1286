"""Rasters and small files wherever they lie: each fault of a real server, made on purpose, is mended or named."""

from __future__ import annotations

import logging
import multiprocessing
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import repeat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import rasterio
import requests
from numpy.typing import NDArray
from scenes import grid
from servers import FINE, Answer, Bucket, FileServer, Signatures

from catalogs.errors import AccessError, CatalogError, HrefError, ReadError
from catalogs.fetch import fetch_bytes
from catalogs.opening import GDAL_RETRIES, with_raster
from catalogs.records import OPEN, Access, RasterLayer
from catalogs.web import attempts, signing
from catalogs.web.access import missing_credentials
from catalogs.web.http import patience, session
from catalogs.web.s3 import Signature
from catalogs.web.signing import signed, unsigned
from pipeline.read import read_window

PIXELS = np.random.default_rng(1).integers(1, 255, (1024, 1024), dtype=np.uint8)
WINDOW = ((900, 950), (300, 700))
"""Rows and columns in two tiles, both far from the header."""
ATTEMPTS = 3


@pytest.fixture(autouse=True)
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("TIMEOUT", "1"), ("CONNECT", "1"), ("BACKOFF", "0.01"), ("ATTEMPTS", str(ATTEMPTS))):
        monkeypatch.setenv(f"OVERBANK_HTTP_{name}", value)
    signing.forget()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`a.tif`, tiled; `b.tif`, whose tile offsets and georeference lie behind the first 64 kB; two other files."""
    path = tmp_path_factory.mktemp("files")
    write(path / "a.tif", 256)
    write(path / "b.tif", 16, 2048)
    (path / "a.xml").write_bytes(b"<product/>")
    (path / "c").mkdir()
    for name in ("a.tif", "b.tif", "a.xml"):
        (path / "c" / name).hardlink_to(path / name)
    (path / "c.tif").write_bytes(b"not a raster")
    return path


def write(path: Path, tile: int, side: int = 1024) -> None:
    told: dict[str, Any] = {"width": side, "height": side, "count": 1, "dtype": "uint8", "crs": "EPSG:32632"}
    with rasterio.open(
        path, "w", driver="GTiff", tiled=True, blockxsize=tile, blockysize=tile, nodata=0,
        transform=grid().affine, **told,
    ) as target:  # fmt: skip
        target.write(np.tile(PIXELS, (1, side // 1024, side // 1024)))


@pytest.fixture
def server(folder: Path) -> Iterator[FileServer]:
    made = FileServer(folder)
    yield made
    made.close()


def pixels(href: str, access: Access = OPEN) -> NDArray[Any]:
    return with_raster(RasterLayer(href=href, access=access), lambda source: source.read(1, window=WINDOW))


RIGHT = PIXELS[900:950, 300:700]
HEADER = [FINE, FINE]
"""Answers to the question for the size and for the first bytes: GDAL has opened the file."""


# ---- reading, and what it costs


def test_a_window_costs_its_tiles_and_the_header(server: FileServer) -> None:
    np.testing.assert_array_equal(pixels(f"{server.url}/a.tif"), RIGHT)
    assert [asked.method for asked in server.asked].count("HEAD") <= 1
    assert len(server.asked) <= 5
    assert sum(asked.bytes for asked in server.asked) <= 3 * 256 * 256 + 65536 + 2 * 16384
    assert {asked.path for asked in server.asked} == {"/a.tif"}


def test_a_file_of_100_megapixels_is_read_where_it_is_needed(tmp_path: Path) -> None:
    """5 km by 5 km of 100 km by 100 km: under 2 % of the bytes, in a handful of requests."""
    path = tmp_path / "large.tif"
    side, rng = 10_000, np.random.default_rng(0)
    with rasterio.open(
        path, "w", driver="GTiff", width=side, height=side, count=1, dtype="uint8", tiled=True, blockxsize=512,
        blockysize=512, crs="EPSG:32632", transform=grid().affine,
    ) as target:  # fmt: skip
        block = rng.integers(0, 255, (1, 2048, side), dtype=np.uint8)
        for row in range(0, side, 2048):
            height = min(2048, side - row)
            target.write(block[:, :height], window=((row, row + height), (0, side)))
    server = FileServer(tmp_path)
    found = read_window(RasterLayer(href=f"{server.url}/large.tif"), grid(500, 500, row=4600, column=7000))
    server.close()
    assert found is not None
    np.testing.assert_array_equal(found.values, block[0, 4597 - 4096 : 5103 - 4096, 6997:7503])
    assert sum(asked.bytes for asked in server.asked) < 0.02 * path.stat().st_size
    assert len(server.asked) <= 6


# ---- faults that pass


@pytest.mark.parametrize(
    "answers",
    [
        [Answer(500)] * 2,
        [Answer(503)] * 4,
        [Answer(429)] * 2,
        [Answer(reset=True)] * 3,
        [Answer(wait=1.5)],
        [FINE, Answer(cut=True)],
        [*HEADER, *[Answer(500)] * 8],
        [*HEADER, *[Answer(429)] * 8],
        [*HEADER, *[Answer(cut=True)] * 5],
        [*HEADER, *[Answer(reset=True)] * 5],
        [*HEADER, Answer(wait=1.5)],
    ],
    ids=str,
)
def test_a_fault_that_passes_is_mended(server: FileServer, answers: list[Answer]) -> None:
    server.answer("/a.tif", answers)
    np.testing.assert_array_equal(pixels(f"{server.url}/a.tif"), RIGHT)


@pytest.mark.parametrize("lost", [Answer(cut=True), Answer(500), Answer(reset=True)], ids=str)
@pytest.mark.parametrize("which", [2, 3, 4])
def test_a_part_of_the_header_that_is_lost_is_fetched_again(server: FileServer, lost: Answer, which: int) -> None:
    """GDAL alone goes on without the grid, the nodata value or the tile offsets, and reads zeros."""
    server.answer("/b.tif", [*[FINE] * which, *[lost] * 3])
    raster = RasterLayer(href=f"{server.url}/b.tif")
    found = with_raster(raster, lambda source: (source.read(1, window=WINDOW), source.transform, source.nodata))
    np.testing.assert_array_equal(found[0], RIGHT)
    assert found[1:] == (grid().affine, 0)


@pytest.mark.parametrize("lost", [Answer(cut=True), Answer(403)], ids=str)
@pytest.mark.parametrize("which", [2, 3, 4])
def test_a_header_that_stays_lost_is_named_and_never_zeros(server: FileServer, lost: Answer, which: int) -> None:
    server.answer("/b.tif", [*[FINE] * which, *repeat(lost, 100)])
    with pytest.raises(ReadError, match=r"b\.tif: found (status 403|a file that is broken)"):
        pixels(f"{server.url}/b.tif")


def test_retry_after_is_honoured_within_bounds(server: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(attempts, "time", SimpleNamespace(sleep=waits.append))
    monkeypatch.setenv("OVERBANK_HTTP_LONGEST", "50")
    for told in ("7", "86400"):
        asked = 1 + GDAL_RETRIES + 1  # by GDAL, and by us to learn how long
        server.answer(f"/{told}.tif", [Answer(429, {"Retry-After": told})] * asked)
        with pytest.raises(ReadError, match="404"):
            pixels(f"{server.url}/{told}.tif")
    assert waits == [7.0, 50.0]


def test_gdals_memory_of_a_failure_does_not_outlive_it(server: FileServer) -> None:
    server.answer("/a.tif", [Answer(404)] * 2)
    with pytest.raises(ReadError, match="404"):
        pixels(f"{server.url}/a.tif")
    server.forget()
    np.testing.assert_array_equal(pixels(f"{server.url}/a.tif"), RIGHT)
    assert server.asked


# ---- faults that stay


@pytest.mark.parametrize(
    ("answer", "kind", "named", "times"),
    [
        (Answer(401), AccessError, "status 401.*1 attempt;.*credentials", 1),
        (Answer(403), AccessError, "status 403.*1 attempt;.*credentials", 1),
        (Answer(404), ReadError, "status 404.*gone.*1 attempt;.*stale", 1),
        (Answer(429), ReadError, f"status 429.*{ATTEMPTS} attempts;.*connections", ATTEMPTS),
        (Answer(500), ReadError, f"status 500.*{ATTEMPTS} attempts;", ATTEMPTS),
        (Answer(503), ReadError, f"status 503.*{ATTEMPTS} attempts;", ATTEMPTS),
        (Answer(reset=True), ReadError, f"refused or cut.*{ATTEMPTS} attempts;", ATTEMPTS),
        (Answer(wait=1.3), ReadError, f"too slowly.*{ATTEMPTS} attempts;.*OVERBANK_HTTP_TIMEOUT", ATTEMPTS),
        (Answer(302, {"Location": "file:///etc/hostname"}), ReadError, "redirect to something.*1 attempt;", 1),
    ],
    ids=str,
)
@pytest.mark.parametrize("path", ["/a.tif", "/a.xml"])
def test_a_fault_that_stays_is_named(
    server: FileServer, answer: Answer, kind: type[ReadError], named: str, times: int, path: str
) -> None:
    server.answer(path, repeat(answer))
    with pytest.raises(ReadError, match=named) as caught:
        pixels(server.url + path) if path.endswith("tif") else fetch_bytes(server.url + path)
    assert type(caught.value) is kind
    assert f"{server.url}{path}" in str(caught.value)
    assert len(server.asked) <= 8 * times


@pytest.mark.parametrize("at", [1, 2])
@pytest.mark.parametrize(("answer", "named"), [(Answer(403), "status 403"), (Answer(404), "status 404"),
                                               (Answer(500), "status 500"), (Answer(cut=True), "broken")])  # fmt: skip
def test_a_fault_in_the_middle_is_named(server: FileServer, answer: Answer, named: str, at: int) -> None:
    server.answer("/a.tif", [*[FINE] * at, *repeat(answer, 100)])
    with pytest.raises(ReadError, match=named):
        pixels(f"{server.url}/a.tif")


def test_a_file_of_another_format_is_named(server: FileServer) -> None:
    with pytest.raises(ReadError, match=r"c\.tif.*another format.*not recognized"):
        pixels(f"{server.url}/c.tif")


def test_a_name_that_no_server_has_and_a_closed_port_are_named() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{free.getsockname()[1]}"
    for read in (pixels, fetch_bytes):
        with pytest.raises(ReadError, match="host name"):
            read("http://no-such-host.invalid/a.tif")  # type: ignore[operator]
        with pytest.raises(ReadError, match="refused or cut"):
            read(f"{closed}/a.tif")  # type: ignore[operator]


def test_errors_survive_the_way_from_a_worker_and_hold_no_cause_with_an_address(server: FileServer) -> None:
    with pytest.raises(ReadError) as caught:
        pixels(f"{server.url}/none.tif?sig=SECRET")
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert "SECRET" not in str(caught.value)


def test_what_the_action_raises_passes_and_is_not_repeated(server: FileServer) -> None:
    calls = []

    def action(source: rasterio.DatasetReader) -> None:
        calls.append(source)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        with_raster(RasterLayer(href=f"{server.url}/a.tif"), action)
    assert len(calls) == 1


# ---- signatures


@pytest.fixture
def service() -> Iterator[Signatures]:
    made = Signatures()
    yield made
    made.close()


@pytest.fixture
def guarded(folder: Path, service: Signatures) -> Iterator[FileServer]:
    made = FileServer(folder, signatures=service)
    yield made
    made.close()


def azure(service: Signatures, **told: Any) -> Access:
    return Access(token_url=service.url, token_hosts=("127.0.0.1",), **told)


def test_one_signature_opens_a_container_for_many_threads(guarded: FileServer, service: Signatures) -> None:
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: pixels(f"{guarded.url}/c/a.tif", azure(service)), range(8)))
    assert all((values == RIGHT).all() for values in found)
    assert service.asked == ["/127/c"]  # account: the host's first part; container: the path's first part


@pytest.mark.parametrize("read", [pixels, fetch_bytes], ids=str)
def test_a_signature_that_the_server_does_not_take_any_more_is_renewed(
    guarded: FileServer, service: Signatures, read: Any
) -> None:
    read(f"{guarded.url}/c/a.tif", azure(service))
    service.expire()
    read(f"{guarded.url}/c/b.tif", azure(service))
    assert len(service.given) == 2


def test_a_signature_that_ends_while_a_file_is_read_is_renewed(guarded: FileServer, service: Signatures) -> None:
    """The file takes three requests; the first signature is good for two."""
    service.uses = 2
    signed(f"{guarded.url}/c/a.tif", azure(service))
    service.uses = 10
    np.testing.assert_array_equal(pixels(f"{guarded.url}/c/a.tif", azure(service)), RIGHT)
    assert len(service.given) == 2


def test_a_new_signature_that_is_refused_too_is_the_end(guarded: FileServer, service: Signatures) -> None:
    service.uses = 0
    for read in (pixels, fetch_bytes):
        with pytest.raises(AccessError, match=r"status 403 \(refused\), after 2 attempts.*signature is new"):
            read(f"{guarded.url}/c/a.tif", azure(service))  # type: ignore[operator]


def test_eight_threads_renew_once(guarded: FileServer, service: Signatures) -> None:
    access = azure(service)
    signed(f"{guarded.url}/c/a.xml", access)
    service.expire()
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: fetch_bytes(f"{guarded.url}/c/a.xml", access), range(8)))
    assert len(service.given) == 2


def test_an_old_signature_is_put_aside(guarded: FileServer, service: Signatures) -> None:
    old = f"{guarded.url}/a.tif?x=1&se=2020-01-01T00%3A00Z&sp=r&sv=2019&sr=c&skoid=1&sig=OLD%3D"
    assert unsigned(old, azure(service)) == f"{guarded.url}/a.tif?x=1"
    assert unsigned(old, OPEN) == old
    np.testing.assert_array_equal(pixels(old, azure(service)), RIGHT)
    with pytest.raises(AccessError, match=r"holds until 2020-01-01 00:00 UTC: search the catalog again"):
        pixels(old)


@pytest.mark.parametrize(("lasts", "asked"), [(3600.0, 1), (0.0, 3)])
def test_a_signature_is_kept_until_shortly_before_its_end(service: Signatures, lasts: float, asked: int) -> None:
    service.lasts = lasts
    for name in "abc":
        signed(f"http://127.0.0.1/container/{name}.tif", azure(service))
    assert len(service.asked) == asked


def test_only_the_named_hosts_get_a_signature(service: Signatures) -> None:
    access = Access(token_url=service.url, token_hosts=("blob.core.windows.net",))
    assert "sig=" in signed("https://account.blob.core.windows.net/c/a.tif", access)
    for href in ("https://blob.core.windows.net.evil.org/c/a.tif", "https://evilblob.core.windows.net/c/a.tif"):
        assert signed(href, access) == href
    assert service.asked == ["/account/c"]


def test_a_service_that_gives_no_signature_is_named(server: FileServer) -> None:
    access = Access(token_url=f"{server.url}/token", token_hosts=("127.0.0.1",))
    with pytest.raises(AccessError, match=r"signature service .*/token/127/a\.tif: found status 404"):
        pixels(f"{server.url}/a.tif", access)


def test_no_secret_is_said_or_logged(
    guarded: FileServer, service: Signatures, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_TOKEN", "SECRETBEARER")
    caplog.set_level(logging.DEBUG)
    access = azure(service, bearer="MY_TOKEN", bearer_hosts=("127.0.0.1",))
    service.uses = 1  # so that GDAL fails on the way, with warnings that name the file
    for read, name in ((pixels, "a.tif"), (pixels, "b.tif"), (fetch_bytes, "none.xml")):
        with pytest.raises(ReadError) as caught:
            read(f"{guarded.url}/c/{name}?sig=SECRET", access)  # type: ignore[operator]
        assert "SECRET" not in str(caught.value)
    assert len(service.given) > 2
    assert "a.tif?…" in caplog.text
    assert "SECRET" not in caplog.text


# ---- tokens


def test_a_bearer_token_goes_to_its_host_and_no_other(
    folder: Path, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = FileServer(folder, bearer="T1")
    access = Access(bearer="MY_TOKEN", bearer_hosts=("127.0.0.1",))
    with pytest.raises(AccessError, match="MY_TOKEN is not set"):
        pixels(f"{closed.url}/a.tif", access)
    assert not closed.asked
    monkeypatch.setenv("MY_TOKEN", "T1")
    np.testing.assert_array_equal(pixels(f"{closed.url}/a.tif", access), RIGHT)
    assert fetch_bytes(f"{closed.url}/a.xml", access) == b"<product/>"
    other = server.url.replace("127.0.0.1", "localhost")
    pixels(f"{other}/a.tif", access)
    closed.answer("/b.tif", repeat(Answer(302, {"Location": f"{other}/a.tif"})))
    pixels(f"{closed.url}/b.tif", access)
    fetch_bytes(f"{closed.url}/b.tif", access)
    closed.close()
    assert len(server.asked) > 4
    assert not any("Authorization" in asked.headers for asked in server.asked)


def test_a_token_in_use_is_unknown_to_other_threads(
    folder: Path, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """rasterio configures the main thread for all: reading a guarded file there must not arm the others."""
    closed = FileServer(folder, bearer="T1")
    monkeypatch.setenv("MY_TOKEN", "T1")
    access = Access(bearer="MY_TOKEN", bearer_hosts=("127.0.0.1",))

    def read_another(_: Any) -> None:
        with ThreadPoolExecutor(1) as threads:
            threads.submit(pixels, server.url.replace("127.0.0.1", "localhost") + "/a.tif").result()

    with_raster(RasterLayer(href=f"{closed.url}/a.tif", access=access), read_another)
    closed.close()
    assert server.asked
    assert not any("Authorization" in asked.headers for asked in server.asked)


def test_a_refused_token_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = FileServer(folder, bearer="T2")
    monkeypatch.setenv("MY_TOKEN", "T1")
    with pytest.raises(AccessError, match=r"status 401.*set MY_TOKEN"):
        pixels(f"{closed.url}/a.tif", Access(bearer="MY_TOKEN", bearer_hosts=("127.0.0.1",)))
    closed.close()


# ---- no more than a host bears


@pytest.mark.parametrize("read", [pixels, fetch_bytes], ids=str)
def test_no_more_files_of_a_host_are_read_at_once_than_allowed(server: FileServer, read: Any) -> None:
    server.answer("/a.tif", repeat(Answer(wait=0.02)))
    with ThreadPoolExecutor(12) as threads:
        list(threads.map(lambda _: read(f"{server.url}/a.tif", Access(connections=3)), range(24)))
    assert server.busiest <= 3


def test_a_file_beside_the_one_that_is_open_waits_for_nobody(server: FileServer) -> None:
    one = Access(connections=1)
    raster = RasterLayer(href=f"{server.url}/a.tif", access=one)
    assert with_raster(raster, lambda _: fetch_bytes(f"{server.url}/a.xml", one)) == b"<product/>"


# ---- S3


@pytest.fixture(scope="module")
def bucket(folder: Path) -> Iterator[Bucket]:
    made = Bucket()
    made.put(
        "scenes", {"x/a.tif": folder / "a.tif", "y/a.tif": folder / "a.tif", "x/with space+.xml": folder / "a.xml"}
    )
    yield made
    made.close()


@pytest.fixture
def s3(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    for name, value in bucket.environment.items():
        monkeypatch.setenv(name, value)
    return bucket


def test_a_bucket_is_read_like_a_folder(s3: Bucket) -> None:
    np.testing.assert_array_equal(pixels("s3://scenes/x/a.tif"), RIGHT)
    assert fetch_bytes("s3://scenes/x/with space+.xml") == b"<product/>"
    with ThreadPoolExecutor(2) as threads:
        np.testing.assert_array_equal(threads.submit(pixels, "s3://scenes/x/a.tif").result(), RIGHT)


def test_a_worker_process_reads_with_its_own_environment(s3: Bucket) -> None:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as processes:
        np.testing.assert_array_equal(processes.submit(pixels, "s3://scenes/x/a.tif").result(), RIGHT)


def test_keys_of_another_service_have_their_own_names(s3: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    told = s3.environment
    for name in told:
        monkeypatch.delenv(name)
    access = Access(s3_endpoint=f"http://{told['AWS_S3_ENDPOINT']}", s3_key="OTHER_KEY", s3_secret="OTHER_SECRET")
    with pytest.raises(AccessError, match="OTHER_KEY and OTHER_SECRET are not set"):
        pixels("s3://scenes/x/a.tif", access)
    monkeypatch.setenv("OTHER_KEY", told["AWS_ACCESS_KEY_ID"])
    monkeypatch.setenv("OTHER_SECRET", told["AWS_SECRET_ACCESS_KEY"])
    np.testing.assert_array_equal(pixels("s3://scenes/x/a.tif", access), RIGHT)
    assert fetch_bytes("s3://scenes/x/with space+.xml", access) == b"<product/>"


@pytest.mark.parametrize("href", ["s3://scenes/x/none.tif", "s3://elsewhere/x/a.tif"])
def test_what_is_not_in_a_bucket_is_named(s3: Bucket, href: str) -> None:
    for read in (pixels, fetch_bytes):
        with pytest.raises(ReadError, match=rf"{href}: found status 404 \(the file is gone\), after 1 attempt"):
            read(href)  # type: ignore[operator]


def test_without_keys_a_private_bucket_refuses(s3: Bucket) -> None:
    for read in (pixels, fetch_bytes):
        with pytest.raises(AccessError, match=r"status 403.*Set keys"):
            read("s3://scenes/y/a.tif", Access(s3_unsigned=True))  # type: ignore[operator]


def test_who_pays_says_so(server: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against a plain server, which shows what was sent."""
    (server.folder / "scenes").mkdir(exist_ok=True)
    (server.folder / "scenes" / "a.tif").write_bytes((server.folder / "a.tif").read_bytes())
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "K")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "S")
    access = Access(s3_endpoint=server.url, requester_pays=True)
    np.testing.assert_array_equal(pixels("s3://scenes/a.tif", access), RIGHT)
    fetch_bytes("s3://scenes/a.tif", access)
    assert len(server.asked) == 3
    assert all(asked.headers["x-amz-request-payer"] == "requester" for asked in server.asked)
    assert all(asked.headers["Authorization"].startswith("AWS4-HMAC-SHA256") for asked in server.asked)


def test_signature_of_amazons_own_example() -> None:
    """ "GET Object" in "Signature Calculations for the Authorization Header", Amazon S3 API reference."""
    sign = Signature(
        "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "us-east-1", None, False,
        datetime(2013, 5, 24, tzinfo=UTC),
    )  # fmt: skip
    request = requests.Request(
        "GET", "https://examplebucket.s3.amazonaws.com/test.txt", headers={"Range": "bytes=0-9"}, auth=sign
    ).prepare()
    assert request.headers["Authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
        "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
        "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    )


# ---- what is missing, before anything is read


@pytest.mark.parametrize(
    ("access", "href", "environment", "named"),
    [
        (OPEN, "/data/a.tif", {}, None),
        (OPEN, "https://example.org/a.tif", {}, None),
        (OPEN, "s3://b/a.tif", {}, "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set"),
        (OPEN, "s3://b/a.tif", {"AWS_ACCESS_KEY_ID": "K"}, "AWS_SECRET_ACCESS_KEY is not set"),
        (OPEN, "s3://b/a.tif", {"AWS_NO_SIGN_REQUEST": "YES"}, None),
        (OPEN, "s3://b/a.tif", {"AWS_ACCESS_KEY_ID": "K", "AWS_SECRET_ACCESS_KEY": "S"}, None),
        (Access(s3_unsigned=True), "s3://b/a.tif", {}, None),
        (Access(s3_unsigned=True, requester_pays=True), "s3://b/a.tif", {}, "which bills the reader"),
        (Access(bearer="T", bearer_hosts=("x.org",), obtain="See /me."), "https://a.x.org/a", {}, "T is not.*See /me."),
        (Access(bearer="T", bearer_hosts=("x.org",)), "https://a.x.org/a", {"T": "1"}, None),
        (Access(bearer="T", bearer_hosts=("x.org",)), "https://y.org/a", {}, None),
    ],
)  # fmt: skip
def test_missing_credentials(access: Access, href: str, environment: dict[str, str], named: str | None) -> None:
    found = missing_credentials(access, href, environment)
    assert (found is None) if named is None else re.search(named, str(found))


# ---- small files, and the session behind them


def test_small_files(server: FileServer, folder: Path) -> None:
    assert fetch_bytes(str(folder / "a.xml")) == fetch_bytes(f"{server.url}/a.xml") == b"<product/>"
    for href in (str(folder / "a.tif"), f"{server.url}/a.tif"):
        with pytest.raises(ReadError, match=r"a\.tif: found a file that is too large; expected at most 1000 bytes"):
            fetch_bytes(href, limit_bytes=1000)
    with pytest.raises(ReadError, match="No such file"):
        fetch_bytes(str(folder / "none.xml"))
    for href in ("/vsicurl/http://x/a.xml", "ftp://x/a.xml", "a.vrt"):
        with pytest.raises(HrefError):
            fetch_bytes(href)


@pytest.mark.parametrize(
    "answers", [[Answer(500)] * 2, [Answer(429, {"Retry-After": "0"})], [Answer(cut=True)] * 2, [Answer(reset=True)]],
    ids=str,
)  # fmt: skip
def test_small_files_and_sessions_ask_again(server: FileServer, answers: list[Answer]) -> None:
    server.answer("/a.xml", answers)
    assert fetch_bytes(f"{server.url}/a.xml") == b"<product/>"
    server.answer("/a.xml", answers)
    with session() as http:
        assert http.get(f"{server.url}/a.xml").content == b"<product/>"


def test_patience_comes_from_the_environment() -> None:
    assert patience({}).attempts == 4
    told = patience({"OVERBANK_HTTP_ATTEMPTS": "2", "OVERBANK_HTTP_TIMEOUT": "2.5"})
    assert (told.attempts, told.timeout) == (2, 2.5)
    for wrong in ("0", "-1", "many", "2.5", "inf", "nan"):
        with pytest.raises(CatalogError, match="OVERBANK_HTTP_ATTEMPTS"):
            patience({"OVERBANK_HTTP_ATTEMPTS": wrong})
