"""Report and viewer in a real headless Chromium: nothing is asked of the network, and what is shown is what is stored.

Needs Chromium (apt: chromium), playwright's Python package, and the fetched map libraries.
"""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from PIL import Image
from rasterio.shutil import copy

from pipeline.layers import FLOOD_CLASSES
from pipeline.run_folder import UnitFolder, open_run
from tests.drawn_run import box_at, drawn_run
from workflows.report import report
from workflows.viewer.fetch import FetchError, fetch
from workflows.viewer.server import Server, serve

pytestmark = pytest.mark.integration
NAMES = ("chromium", "chromium-browser", "google-chrome")
DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 360, "height": 740}
BOXES = (box_at(500_000, 5_300_000, 48, 64), box_at(500_640, 5_300_000, 48, 32))
TWO_ZONES = (box_at(816_400, 8_118_400, 32, 32, "EPSG:32760"), box_at(183_400, 8_118_400, 32, 32, "EPSG:32701"))
"""16.97 degrees south, on both sides of the antimeridian."""
ROWS, COLUMNS = 16_000, 25_000
SCREEN_MB = 20.0


@dataclass
class Seen:
    """What a page did."""

    strangers: list[str] = field(default_factory=list)
    """Requests to anything but this machine and this file."""
    troubles: list[str] = field(default_factory=list)
    """Errors, and what the page's policy refused."""
    raster_bytes: int = 0


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A browser that can reach 127.0.0.1 and files, and no name."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is installed")
    refuse = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox", refuse])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def libraries() -> Path:
    try:
        return fetch()
    except FetchError as problem:
        pytest.skip(f"no map libraries: {problem}")


@pytest.fixture
def look(chromium: Any) -> Iterator[Callable[..., tuple[Any, Seen]]]:
    """Open an address; at the end nothing may have been asked of anyone else, and nothing gone wrong."""
    opened: list[tuple[Any, Seen]] = []

    def open_page(address: str, size: dict[str, int] = DESKTOP) -> tuple[Any, Seen]:
        page, seen = chromium.new_page(viewport=size), Seen()
        opened.append((page, seen))

        def asked(request: Any) -> None:
            parts = urlsplit(request.url)
            ours = parts.scheme in ("data", "blob") or request.url == address or parts.hostname == "127.0.0.1"
            if not ours:
                seen.strangers.append(request.url)

        def answered(answer: Any) -> None:
            if "/units/" in answer.url:
                seen.raster_bytes += int(answer.headers.get("content-length", 0))

        page.on("request", asked)
        page.on("websocket", lambda socket: seen.strangers.append(socket.url))
        page.on("response", answered)
        page.on("pageerror", lambda error: seen.troubles.append(str(error)))
        page.on("console", lambda line: line.type == "error" and seen.troubles.append(line.text))
        page.goto(address)
        return page, seen

    yield open_page
    for page, seen in opened:
        assert seen.strangers == []
        assert seen.troubles == []
        page.close()


@contextmanager
def serving(run: Path) -> Iterator[Server]:
    with serve(open_run(run)) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drawn_run(tmp_path_factory.mktemp("drawn") / "run", BOXES, name="<script>alert('x')</script> \"flood\"")


@pytest.fixture(scope="module")
def truth(run: Path) -> Path:
    """A reference that covers the first unit alone."""
    path = run.parent / "truth.tif"
    shutil.copyfile(run / "units/unit_+0/methods/physics.tif", path)
    return path


@pytest.fixture(scope="module")
def page_file(run: Path, truth: Path) -> Path:
    return report(run, truth, run.parent / "report.html")


def shot(page: Any) -> NDArray[np.uint8]:
    """What is on the screen, (y, x, RGB)."""
    return np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB"))


def settled(page: Any) -> None:
    """Wait until every tile of the view is there and drawn."""
    page.wait_for_selector('#map[data-state="idle"]', timeout=30_000)
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def colour_of(code: int) -> tuple[int, ...] | None:
    """Of a class; None of what is transparent."""
    return None if code == 255 else tuple(bytes.fromhex(FLOOD_CLASSES[code][2].removeprefix("#")))


# ---- the report


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_report_opens_from_a_file_and_its_swipe_works(
    look: Callable[..., tuple[Any, Seen]], page_file: Path, size: dict[str, int]
) -> None:
    page, _ = look(page_file.as_uri(), size)
    page.wait_for_selector("#swipe:not([hidden])")
    width = page.evaluate("() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert width[0] == width[1], "the page itself never scrolls sideways"
    before = page.get_attribute("#swipe-left", "src")
    page.select_option("#choose-left", "3")
    assert page.get_attribute("#swipe-left", "src") == page.get_attribute("#map-3", "src") != before
    page.focus("#swipe-range")
    page.keyboard.press("Home")
    assert page.evaluate("() => getComputedStyle(document.getElementById('swipe-left')).clipPath").startswith(
        "inset(0px 100%"
    )
    page.keyboard.press("End")
    page.locator("#swipe-maps").scroll_into_view_if_needed()
    assert page.get_attribute("#swipe-range", "aria-valuetext") == "left map on 100 % of the width"
    assert page.evaluate("() => getComputedStyle(document.getElementById('swipe-range')).outlineStyle") == "solid"


def test_the_reports_swipe_shows_the_two_maps_on_their_sides(
    look: Callable[..., tuple[Any, Seen]], page_file: Path
) -> None:
    page, _ = look(page_file.as_uri())
    page.select_option("#choose-left", "0")
    page.select_option("#choose-right", "1")
    page.locator("#swipe-maps").scroll_into_view_if_needed()
    frame = page.locator("#swipe-maps").bounding_box()
    shown = shot(page)
    painted = {side: decoded(page.get_attribute(f"#swipe-{side}", "src")) for side in ("left", "right")}
    for side, share in (("left", 0.25), ("right", 0.75)):
        picture = painted[side]
        height, width = picture.shape[:2]
        row, column = height // 2, int(width * share)
        x = frame["x"] + frame["width"] * (column + 0.5) / width
        y = frame["y"] + frame["height"] * (row + 0.5) / height
        assert np.abs(shown[int(y), int(x)].astype(int) - picture[row, column]).max() <= 2


def decoded(source: str) -> NDArray[np.uint8]:
    """A picture of the page on white, (y, x, RGB)."""
    picture = Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))).convert("RGBA")
    white = Image.new("RGBA", picture.size, "white")
    return np.asarray(Image.alpha_composite(white, picture).convert("RGB"))


def test_the_report_prints_without_its_controls(look: Callable[..., tuple[Any, Seen]], page_file: Path) -> None:
    page, _ = look(page_file.as_uri())
    page.emulate_media(media="print")
    assert not page.is_visible("#swipe")
    assert page.is_visible("#map-0")
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_no_name_from_the_data_runs(look: Callable[..., tuple[Any, Seen]], page_file: Path) -> None:
    page, _ = look(page_file.as_uri())
    assert page.inner_text("h1") == "<script>alert('x')</script> \"flood\""
    assert page.locator("script").count() == 1


# ---- the viewer


def zoomed(page: Any, unit: UnitFolder, rows: range, columns: range) -> None:
    """Look at the middle of some pixels, 8 of the screen to one of the raster."""
    x, y = unit.box.affine * ((columns[0] + columns[-1] + 1) / 2, (rows[0] + rows[-1] + 1) / 2)
    page.evaluate(
        "([zone, x, y, resolution]) => { const view = overbankMap.getView();"
        "view.setCenter(ol.proj.transform([x, y], zone, view.getProjection())); view.setResolution(resolution); }",
        [unit.facts["proj:code"], x, y, 10 / 8],
    )
    page.wait_for_timeout(100)
    settled(page)


def screens_of(page: Any, unit: UnitFolder, pixels: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Where the middles of pixels (row, column) are on the screen (x, y)."""
    places = [list(unit.box.affine * (column + 0.5, row + 0.5)) for row, column in pixels]
    found = page.evaluate(
        "([zone, places]) => { const box = document.getElementById('map').getBoundingClientRect();"
        "return places.map(place => overbankMap.getPixelFromCoordinate("
        "ol.proj.transform(place, zone, overbankMap.getView().getProjection())))"
        ".map(([x, y]) => [x + box.left, y + box.top]); }",
        [unit.facts["proj:code"], places],
    )
    return [(int(x), int(y)) for x, y in found]


def matches(page: Any, unit: UnitFolder, layer: str, rows: range, columns: range) -> float:
    """Share of the pixels of a class layer whose colour on the screen is that of their class."""
    window = rasterio.windows.Window(columns[0], rows[0], len(columns), len(rows))
    codes, shown = unit.read(layer, window)[0], shot(page)
    pixels = [(row, column) for row in rows for column in columns]
    found = []
    for (x, y), (row, column) in zip(screens_of(page, unit, pixels), pixels, strict=True):
        colour = colour_of(int(codes[row - rows[0], column - columns[0]]))
        if colour is not None:
            found.append(np.abs(shown[y, x].astype(int) - colour).max() <= 2)
    assert len(found) > 50
    return float(np.mean(found))


def set_swipe(page: Any, percent: int) -> None:
    page.evaluate(
        "value => { const range = document.getElementById('swipe'); range.value = value;"
        "range.dispatchEvent(new Event('input')); }",
        percent,
    )
    page.wait_for_timeout(100)


def test_what_is_painted_is_what_is_stored_on_both_sides_of_the_swipe(
    look: Callable[..., tuple[Any, Seen]], run: Path, libraries: Path
) -> None:
    with serving(run) as server:
        page, _ = look(server.address)
        settled(page)
        assert page.title().startswith("<script>alert")
        unit = open_run(run).units[0]
        rows, columns = range(10, 24), range(20, 36)
        zoomed(page, unit, rows, columns)
        set_swipe(page, 100)
        assert matches(page, unit, "methods/ndwi", rows, columns) == 1.0
        set_swipe(page, 0)
        assert matches(page, unit, "methods/physics", rows, columns) == 1.0
        page.focus("#swipe")
        page.keyboard.press("End")
        page.wait_for_timeout(100)
        assert matches(page, unit, "methods/ndwi", rows, columns) == 1.0


def test_a_click_tells_the_values_of_the_rasters(
    look: Callable[..., tuple[Any, Seen]], run: Path, libraries: Path
) -> None:
    with serving(run) as server:
        page, _ = look(server.address)
        settled(page)
        for unit, row, column in ((open_run(run).units[0], 17, 60), (open_run(run).units[1], 3, 5)):
            zoomed(page, unit, range(row - 2, row + 3), range(column - 2, column + 3))
            page.mouse.click(*screens_of(page, unit, [(row, column)])[0])
            page.wait_for_selector(f"#values p:has-text('unit {unit.id}, row {row}, column {column}')")
            told = page.eval_on_selector_all(
                "#values tr", "rows => rows.map(row => [row.dataset.layer, +row.dataset.band, +row.dataset.value])"
            )
            stored = {
                (name, band): int(value)
                for name in unit.layers
                for band, value in enumerate(unit.read(name)[:, row, column])
            }
            assert {(name, band): value for name, band, value in told} == stored


def test_layers_opacity_and_keys(look: Callable[..., tuple[Any, Seen]], run: Path, libraries: Path) -> None:
    with serving(run) as server:
        page, _ = look(server.address)
        settled(page)
        page.select_option("#right", label="Evidence, sentinel-1 open water : dry")
        settled(page)
        assert "nat" in page.inner_text("#legend")
        page.select_option("#left", label="NDWI rule")
        assert "Open-water flood" in page.inner_text("#legend")
        page.evaluate(
            "() => { const range = document.getElementById('left-opacity'); range.value = 0;"
            "range.dispatchEvent(new Event('input')); }"
        )
        set_swipe(page, 100)
        page.wait_for_timeout(200)
        box = page.locator("#map").bounding_box()
        middle = shot(page)[int(box["y"] + box["height"] / 2), int(box["x"] + box["width"] / 2)]
        assert tuple(middle) == (0xE9, 0xE9, 0xE9), "nothing but the background"
        before = page.evaluate("() => overbankMap.getView().getCenter()")
        page.focus("#map")
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(500)
        assert page.evaluate("() => overbankMap.getView().getCenter()")[0] > before[0]
        page.focus("#centre")
        page.keyboard.press("Enter")
        page.wait_for_selector("#values tr")


def test_zones_on_both_sides_of_the_antimeridian(
    look: Callable[..., tuple[Any, Seen]], tmp_path: Path, libraries: Path
) -> None:
    run = drawn_run(tmp_path / "run", TWO_ZONES)
    with serving(run) as server:
        page, _ = look(server.address)
        settled(page)
        set_swipe(page, 100)
        for unit in open_run(run).units:
            zoomed(page, unit, range(8, 24), range(8, 24))
            assert matches(page, unit, "methods/ndwi", range(8, 24), range(8, 24)) > 0.97
            page.mouse.click(*screens_of(page, unit, [(12, 20)])[0])
            page.wait_for_selector(f"#values p:has-text('unit {unit.id}, row 12, column 20')")


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_viewer_fits_its_screen(
    look: Callable[..., tuple[Any, Seen]], run: Path, libraries: Path, size: dict[str, int]
) -> None:
    with serving(run) as server:
        page, _ = look(server.address, size)
        settled(page)
        width = page.evaluate("() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert width[0] == width[1]
        assert page.locator("#map").bounding_box()["height"] > 250


# ---- a layer of 25 000 x 16 000


@pytest.fixture(scope="module")
def wide_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One unit of 16 000 x 25 000: blobs of classes with speckle, about as hard to pack as a real map."""
    run = tmp_path_factory.mktemp("wide") / "run"
    folder = drawn_run(run, (box_at(400_000, 5_400_000, 32, 32),), seed=3) / "units/unit_+0"
    random = np.random.default_rng(4)
    blobs = random.choice(np.array([0, 0, 0, 1, 1, 2, 3, 4], np.uint8), size=(ROWS // 40, COLUMNS // 40))
    grid = {"crs": "EPSG:32633", "transform": Affine(10, 0, 400_000, 0, -10, 5_400_000)}
    draft = run.parent / "draft.tif"
    profile = {"driver": "GTiff", "height": ROWS, "width": COLUMNS, "count": 1, "dtype": "uint8", "nodata": 255}
    with rasterio.open(draft, "w", **profile, **grid) as target:
        for top in range(0, ROWS, 400):
            values = np.repeat(np.repeat(blobs[top // 40 : top // 40 + 10], 40, axis=0), 40, axis=1)
            values = np.where(random.random(values.shape, np.float32) < 0.03, 1, values).astype(np.uint8)
            target.write(values, 1, window=((top, top + 400), (0, COLUMNS)))
    for path in folder.rglob("*.tif"):
        path.unlink()
    (folder / "methods").mkdir(exist_ok=True)
    options = {"BLOCKSIZE": 256, "COMPRESS": "DEFLATE", "OVERVIEW_RESAMPLING": "MODE", "NUM_THREADS": 2}
    copy(draft, folder / "methods/ndwi.tif", driver="COG", **options)
    os.link(folder / "methods/ndwi.tif", folder / "methods/physics.tif")
    draft.unlink()
    item = folder / "unit_+0.json"
    told = json.loads(item.read_text())
    told["properties"]["proj:shape"] = [ROWS, COLUMNS]
    item.write_text(json.dumps(told))
    return run


def test_a_wide_layer_is_there_at_once_and_cheaply(
    look: Callable[..., tuple[Any, Seen]],
    wide_run: Path,
    libraries: Path,
    record_property: Callable[[str, object], None],
) -> None:
    with serving(wide_run) as server:
        page, seen = look(server.address)
        settled(page)
        first = page.evaluate("() => performance.getEntriesByName('first tile')[0].startTime") / 1000
        record_property("first tile, s", round(first, 2))
        megabytes = [seen.raster_bytes / 1e6]
        unit = open_run(wide_run).units[0]
        page.click("#pixels")
        for row, column in ((8_000, 12_500), (8_000, 13_100), (8_300, 13_100), (15_700, 24_500), (200, 300)):
            before = seen.raster_bytes
            x, y = unit.box.affine * (column, row)
            page.evaluate("place => overbankMap.getView().setCenter(place)", [x, y])
            page.wait_for_timeout(200)
            settled(page)
            megabytes.append((seen.raster_bytes - before) / 1e6)
        record_property("MB a screen", [round(one, 2) for one in megabytes])
        print(f"first tile {first:.2f} s; MB a screen {[round(one, 2) for one in megabytes]}")
        assert max(megabytes) < SCREEN_MB
        set_swipe(page, 100)
        zoomed(page, unit, range(200, 214), range(300, 316))
        assert matches(page, unit, "methods/ndwi", range(200, 214), range(300, 316)) == 1.0
