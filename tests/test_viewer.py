"""The viewer without a browser: what is served and to whom, what a pixel's values are, what is fetched."""

from __future__ import annotations

import base64
import hashlib
import http.client
import io
import json
import socket
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from rasterio.warp import transform as warped
from rasterio.windows import Window
from typer.testing import CliRunner

from harmonization.reasons import Reason
from pipeline.errors import MissingPartError, RunError
from pipeline.layers import FLOOD_CLASSES, SEEN_BITS
from pipeline.run_folder import open_run
from tests.drawn_run import box_at, drawn_run
from workflows.cli import app
from workflows.titles import UNSEEN_BY_METHOD
from workflows.viewer import fetch as fetching
from workflows.viewer import server as serving
from workflows.viewer.describe import describe
from workflows.viewer.fetch import COMMAND, LOCK, FetchError, fetch, is_fetched, require_fetched
from workflows.viewer.server import Server, part_of, serve
from workflows.viewer.values import values_at

BOXES = (box_at(500_000, 5_300_000, 48, 64), box_at(500_640, 5_300_000, 48, 32))
TWO_ZONES = (box_at(832_000, 7_700_000, 32, 32, "EPSG:32660"), box_at(168_000, 7_700_000, 32, 32, "EPSG:32601"))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drawn_run(tmp_path_factory.mktemp("drawn") / "run", BOXES)


@pytest.fixture
def libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand-ins for the map libraries, which a test of the server does not run."""
    folder = tmp_path / "vendor"
    folder.mkdir()
    (folder / "ol.js").write_text("globalThis.ol = {};")
    (folder / "lock.json").write_text("{}")
    monkeypatch.setattr(serving, "require_fetched", lambda: folder)
    return folder


@pytest.fixture
def served(run: Path, libraries: Path) -> Iterator[Server]:
    with serve(open_run(run)) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def asked(server: Server, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """An answer to a path that no client has tidied up."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.putrequest(method, path, skip_host="Host" in headers)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    found = answer.status, dict(answer.getheaders()), answer.read()
    connection.close()
    return found


# ---- what is served, and to whom


def test_every_raster_is_served_whole_and_in_parts(served: Server, run: Path) -> None:
    path = "units/unit_+0/methods/physics.tif"
    content = (run / path).read_bytes()
    for address in (f"/{path}", "/units/unit_%2B0/methods/physics.tif"):
        status, told, body = asked(served, address)
        assert (status, body, told["Accept-Ranges"]) == (200, content, "bytes")
    for given_range, part in {
        "bytes=0-9": content[:10],
        "bytes=100-": content[100:],
        "bytes=-7": content[-7:],
        "bytes=5-999999999": content[5:],
    }.items():
        status, told, body = asked(served, f"/{path}", Range=given_range)
        assert (status, body) == (206, part)
        assert told["Content-Range"].endswith(f"/{len(content)}")
    for nothing in (f"bytes={len(content)}-", "bytes=9-3", "bytes=-", "bytes=0-1,5-6", "rows=0-1"):
        status, told, body = asked(served, f"/{path}", Range=nothing)
        assert (status, body, told["Content-Range"]) == (416, b"", f"bytes */{len(content)}")
    assert asked(served, f"/{path}", "HEAD")[2] == b""


@given(st.integers(0, 12), st.integers(0, 14), st.integers(0, 14))
def test_a_part_is_what_a_slow_reader_takes(size: int, first: int, last: int) -> None:
    wanted = [byte for byte in range(size) if first <= byte <= last]
    found = part_of(f"bytes={first}-{last}", size)
    assert ([] if found is None else list(range(*found))) == wanted
    tail = part_of(f"bytes=-{last}", size)
    assert ([] if tail is None else list(range(*tail))) == list(range(size))[max(0, size - last) :]


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1", "127.0.0.1:1", "", "[::1]"])
def test_a_strange_host_is_refused(served: Server, host: str) -> None:
    """DNS rebinding: a page of someone else's whose name leads to this machine."""
    assert asked(served, "/run.json", Host=host)[0] == 421
    assert asked(served, "/run.json", Host=f"localhost:{served.port}")[0] == 200


@pytest.mark.parametrize(
    "path",
    [
        "/../units/unit_+0/unit_+0.json",
        "/units/unit_+0/unit_+0.json",
        "/units/unit_+0/../../secret.txt",
        "/units/unit_%2B0/%2e%2e/%2e%2e/secret.txt",
        "//etc/passwd",
        "/etc/passwd",
        "/vendor/lock.json",
        "/vendor/../server.py",
        "/run.json/",
        "/units/unit_+0/methods\\physics.tif",
        "/units/unit_+0/linked.tif",
        "/values?unit=unit_%2B0&row=48&column=0",
        "/values?unit=unit_%2B0&row=-1&column=0",
        "/values?unit=../unit&row=0&column=0",
        "/values?unit=unit_%2B0&row=zero&column=0",
        "/values",
    ],
)
def test_nothing_else_is_served(run: Path, libraries: Path, tmp_path: Path, path: str) -> None:
    (run / "secret.txt").write_text("secret")
    secret = tmp_path / "linked.tif"
    secret.write_bytes(b"secret")
    link = run / "units/unit_+0/linked.tif"
    link.unlink(missing_ok=True)
    link.symlink_to(secret)
    try:
        with serve(open_run(run)) as server:
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
            status, told, body = asked(server, path)
            server.shutdown()
    finally:
        link.unlink()
    assert status == 404
    assert b"secret" not in body
    assert "default-src 'none'" in told["Content-Security-Policy"]


def test_it_is_read_only_and_for_this_machine_alone(served: Server) -> None:
    for method in ("POST", "PUT", "DELETE"):
        assert asked(served, "/run.json", method)[0] == 501
    assert served.socket.getsockname()[0] == "127.0.0.1"
    _, told, page = asked(served, "/")
    assert told["Cross-Origin-Resource-Policy"] == "same-origin"
    assert b"http:" not in page
    assert b"https:" not in page


def test_a_port_that_is_taken_is_one_line(run: Path, libraries: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(RunError, match="cannot be had"):
            serve(open_run(run), other.getsockname()[1])


# ---- what a pixel says


def test_values_are_those_of_the_rasters(run: Path) -> None:
    for unit in open_run(run).units:
        for row, column in ((0, 0), (47, 31), (13, 7)):
            found = values_at(unit, row, column)
            rows = [one for section in found["sections"] for one in section["rows"]]
            told = {(one["layer"], one["band"]): one["value"] for one in rows}
            pixel = Window(column, row, 1, 1)
            slow = {
                (name, band): int(value)
                for name in unit.layers
                for band, value in enumerate(rasterio.open(unit.raster(name)).read(window=pixel)[:, 0, 0])
            }
            assert told == slow
            (east,), (north,) = warped("EPSG:4326", "EPSG:32633", [found["longitude"]], [found["latitude"]])
            assert east == pytest.approx(unit.box.affine.c + column * 10 + 5, abs=0.01)
            assert north == pytest.approx(5_300_000 - row * 10 - 5, abs=0.01)


def test_values_are_told_in_words(run: Path) -> None:
    texts: dict[tuple[str, int], set[str]] = {}
    unit = open_run(run).units[0]
    for place in range(30):
        for section in values_at(unit, place, place)["sections"]:
            for one in section["rows"]:
                texts.setdefault((one["layer"], one["value"]), set()).add(one["text"])
    assert all(len(found) == 1 for found in texts.values())
    told = {key: next(iter(found)) for key, found in texts.items()}
    assert told["evidence", 345] == "3.45 nat"
    assert told["evidence", -900] == "-9.00 nat"
    assert told["evidence", -32768] == told["ndwi", -32768] == told["flood_probability", 255] == "not observed"
    assert told["ndwi", 4321] == "0.4321"
    assert told["flood_probability", 93] == "93 %"
    assert told["age", 6] == "6 h"
    assert told["flood_class", 2] == FLOOD_CLASSES[2][1]
    assert told["flood_class", 4] == FLOOD_CLASSES[4][1]
    assert told["methods/ndwi", 4] == UNSEEN_BY_METHOD
    assert told["exclusion", 49152] == "outside model, dark"
    assert int(Reason.OUTSIDE_MODEL | Reason.DARK) == 49152
    assert told["observed_by", 119] == ", ".join(name.replace("_", " ") for name in SEEN_BITS if name)


def test_outside_of_a_unit_there_is_no_value(run: Path) -> None:
    unit = open_run(run).units[0]
    for row, column in ((-1, 0), (0, -1), (48, 0), (0, 64)):
        with pytest.raises(IndexError, match="48 x 64"):
            values_at(unit, row, column)


# ---- what the page is told


def test_every_band_of_every_raster_is_described(run: Path) -> None:
    found = describe(open_run(run))
    told = {(layer["file"], unit, band) for layer in found["layers"] for unit, band in layer["units"]}
    there = {
        (name, number, band)
        for number, unit in enumerate(open_run(run).units)
        for name in unit.layers
        for band in range(rasterio.open(unit.raster(name)).count)
    }
    assert told == there
    assert len({layer["key"] for layer in found["layers"]}) == len(found["layers"])
    assert len({(layer["group"], layer["title"]) for layer in found["layers"]}) == len(found["layers"])
    assert [one["file"] for one in found["layers"] if one["group"] == "Flood classes by method"] == [
        "methods/ndwi",
        "methods/physics",
        "methods/late-mean",
    ]


def test_paint_knows_each_kind(run: Path) -> None:
    paints = {layer["key"]: layer["paint"] for layer in describe(open_run(run))["layers"]}
    evidence = paints["evidence:0"]
    assert (evidence["unit"], evidence["scale"], evidence["nodata"]) == ("nat", 0.01, -32768)
    assert evidence["low"] == -evidence["high"]
    classes = {code: colour for code, _, colour in paints["flood_class:0"]["classes"]}
    assert classes == {code: told[2] for code, told in FLOOD_CLASSES.items() if code != 255}
    assert paints["observed_by:0"]["mask"] == 7
    assert paints["exclusion:0"]["kind"] == "reasons"


def test_several_zones_meet_over_the_antimeridian(tmp_path: Path) -> None:
    found = describe(open_run(drawn_run(tmp_path / "run", TWO_ZONES)))
    assert found["zones"] == ["EPSG:32601", "EPSG:32660"]
    assert abs(abs(found["plain"]["longitude"]) - 180) < 1.5
    assert len(found["units"]) == 2


def test_bands_are_found_by_name_where_units_order_them_otherwise(tmp_path: Path) -> None:
    run = drawn_run(tmp_path / "run", BOXES)
    item = run / "units/unit_+1/unit_+1.json"
    told = json.loads(item.read_text())
    told["assets"]["evidence"]["raster:bands"].reverse()
    item.write_text(json.dumps(told))
    layers = {one["title"]: one["units"] for one in describe(open_run(run))["layers"] if one["file"] == "evidence"}
    assert layers["Evidence, sentinel-1 open water : dry"] == [[0, 0], [1, 3]]


# ---- what is fetched


def test_the_lock_pins_versions_sums_and_licences() -> None:
    packages = json.loads(LOCK.read_text())["packages"]
    assert {"ol", "geotiff"} <= {one["name"] for one in packages}
    for one in packages:
        assert one["version"].replace(".", "").isdigit()
        assert len(base64.b64decode(one["integrity"].removeprefix("sha512-"))) == 64
        assert any(name.startswith("licences/") for name in one["files"].values())
        assert one["licence"]


def packed(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return content.getvalue()


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Answers by address, of a registry with one package that is pinned."""
    content = packed({"dist/a.js": b"let a = 1;", "LICENSE": b"free", "../escape.js": b"!"})
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()
    files = {"dist/a.js": "a.js", "LICENSE": "licences/a.txt"}
    lock = tmp_path / "lock.json"
    package: dict[str, Any] = {"name": "@some/a", "version": "1.2.3", "integrity": integrity, "files": files}
    lock.write_text(json.dumps({"packages": [package]}))
    monkeypatch.setattr(fetching, "LOCK", lock)
    answers = {"https://npm.example/@some/a/-/a-1.2.3.tgz": content}

    class Answer:
        def __init__(self, content: bytes) -> None:
            self.content = content

        def raise_for_status(self) -> None:
            """All is well."""

    def get(address: str, timeout: float) -> Answer:
        if address not in answers:
            raise fetching.requests.ConnectionError("no route")
        return Answer(answers[address])

    monkeypatch.setattr(fetching.requests, "get", get)
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", "https://npm.example/")
    return answers


def test_what_is_fetched_is_what_is_pinned(registry: dict[str, bytes], tmp_path: Path) -> None:
    folder = fetch(tmp_path / "vendor")
    assert {path.name for path in folder.rglob("*") if path.is_file()} == {"a.js", "a.txt", "lock.json"}
    assert is_fetched(folder)
    registry.clear()
    assert fetch(folder) == folder, "nothing is fetched twice"
    assert not list(tmp_path.glob(".partial*"))


def test_other_bytes_are_refused_and_nothing_is_left(registry: dict[str, bytes], tmp_path: Path) -> None:
    (address,) = registry
    registry[address] += b"more"
    with pytest.raises(FetchError, match="is pinned"):
        fetch(tmp_path / "vendor")
    registry.clear()
    with pytest.raises(FetchError, match="could not be fetched"):
        fetch(tmp_path / "vendor")
    assert not (tmp_path / "vendor").exists()
    assert not list(tmp_path.glob(".partial*"))


def test_what_is_missing_or_old_is_named_with_its_remedy(
    registry: dict[str, bytes], tmp_path: Path, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(MissingPartError, match="are not there"):
        require_fetched(tmp_path / "vendor")
    fetch(tmp_path / "vendor")
    fetching.LOCK.write_text(fetching.LOCK.read_text() + " ")
    with pytest.raises(MissingPartError, match="of other versions"):
        require_fetched(tmp_path / "vendor")
    monkeypatch.setattr(serving, "require_fetched", lambda: require_fetched(tmp_path / "vendor"))
    result = CliRunner().invoke(app, ["view", str(run), "--no-browser"])
    assert result.exit_code == 2
    assert COMMAND in result.stderr
