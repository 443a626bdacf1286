"""Search through an API that misbehaves: named, repeated where it helps, never silent, never for ever."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from stac_servers import BrokenApi, Page, Reply, page_of
from test_catalogs_search import at, look, mosaic, radar, real_items

from catalogs.collection import known_collections
from catalogs.errors import BrokenOffError, SearchError
from catalogs.search import Found
from catalogs.sources import api as api_source

Start = Callable[..., BrokenApi]
FIRST, SECOND = at("2024-05-01"), at("2024-05-02")


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits between attempts are short, and so is patience."""
    monkeypatch.setenv("OVERBANK_HTTP_BACKOFF", "0.01")
    monkeypatch.setenv("OVERBANK_HTTP_TIMEOUT", "0.3")
    monkeypatch.setenv("OVERBANK_HTTP_LONGEST", "0.2")


@pytest.fixture
def start() -> Iterator[Start]:
    running: list[BrokenApi] = []

    def begin(page: Page, **options: Any) -> BrokenApi:
        running.append(BrokenApi(page, **options))
        return running[-1]

    yield begin
    for api in running:
        api.close()


def passes(found: Found) -> list[str]:
    return [one.id for one in found.acquisitions]


def paged(*pages: list[Any]) -> Page:
    """Pages with numbers, each but the last with a link to the next, as a POST with a body."""

    def page(api: BrokenApi, asked: dict[str, Any]) -> Reply:
        number = int(asked.get("page", 0))
        if "alos-palsar-mosaic" in asked["collections"]:
            return page_of([])
        following = {"href": "./search", "method": "POST", "merge": True, "body": {"page": number + 1}}
        return page_of(pages[number], following if number + 1 < len(pages) else None)

    return page


def first_then(*replies: Reply) -> Page:
    """These replies to the first searches, then one item."""
    waiting = list(replies)
    return lambda api, asked: waiting.pop(0) if waiting else page_of([FIRST])


def test_pages_are_followed_to_the_end_by_post(start: Start) -> None:
    api = start(paged([FIRST], [], [SECOND]))
    assert passes(look(api.url)) == ["2024-05-01", "2024-05-02"]
    assert {asked["method"] for asked in api.searches} == {"POST"}
    assert api.searches[1]["limit"] == 100  # merged with the first body


def test_what_a_search_costs(start: Start) -> None:
    """The landing page, and one search for passes and one for mosaics; nothing is asked twice."""
    api = start(paged([FIRST]))
    look(api.url)
    assert len(api.searches) == 2
    assert api.landings == 1


def test_get_where_the_api_has_no_post(start: Start) -> None:
    def page(api: BrokenApi, asked: dict[str, Any]) -> Reply:
        return page_of([FIRST], {"href": f"{api.url}/search?page=2"}) if "page" not in asked else page_of([SECOND])

    for declares in (True, False):
        api = start(page, methods=("GET",), declares=declares)
        assert passes(look(api.url, sensors=["sentinel-1"])) == ["2024-05-01", "2024-05-02"]
        asked = next(asked for asked in api.searches if asked["method"] == "GET")
        assert asked["bbox"] == "-180.0,-90.0,180.0,90.0"
        assert "sentinel-1-rtc" in asked["collections"].split(",")


def test_only_collections_of_the_sensors_are_asked_for_and_mosaics_without_a_first_day(start: Start) -> None:
    api = start(lambda api, asked: page_of([mosaic(2019)] if asked["collections"] == ["alos-palsar-mosaic"] else []))
    found = look(api.url, sensors=["alos-2"], start=datetime(2024, 5, 1), end=datetime(2024, 5, 2))
    assert passes(found) == ["mosaic-2019"]
    ordinary, references = api.searches
    assert "palsar2-scansar" in ordinary["collections"]
    assert not [name for name in ordinary["collections"] if name.startswith("sentinel")]
    assert ordinary["datetime"] == "2024-04-30T23:00:00Z/2024-05-02T01:00:00Z"
    assert references["datetime"].startswith("../2025")


def test_what_the_server_did_not_filter_is_filtered_here(start: Start) -> None:
    everything = [FIRST, at("2021-05-01"), radar("elsewhere", 100.0), mosaic(2030)]
    api = start(lambda api, asked: page_of(everything))
    found = look(api.url, area=(10.1, 45.1, 10.2, 45.2), start=datetime(2024, 5, 1), end=datetime(2024, 5, 2))
    assert passes(found) == ["2024-05-01"]
    assert found.problems == ()


def test_an_empty_answer_finds_nothing(start: Start) -> None:
    found = look(start(lambda api, asked: page_of([])).url)
    assert (found.acquisitions, found.problems) == ((), ())


def test_items_that_are_broken_are_named_and_the_rest_is_used(start: Start) -> None:
    broken = [
        "text", None, {"type": "Feature"}, radar("no-assets", assets={}), radar("no-time", properties={}),
        radar("no-place", geometry=None, bbox=None), radar("odd", assets=[]), radar("links", links=7),
    ]  # fmt: skip
    found = look(start(paged([FIRST, *broken, radar("boxed", geometry=None)])).url)
    assert passes(found) == ["2024-05-01", "boxed"]
    assert len(found.problems) == len(broken)
    for name in ("no-assets", "no-time", "no-place", "odd", "links"):
        assert any(name in problem for problem in found.problems), name
    (repaired,) = [finding for finding in found.findings if finding.code == "footprint-repaired"]
    assert repaired.thing == "boxed"
    assert "its bbox is used instead" in repaired.found


def test_whatever_an_item_holds_is_named_and_never_a_crash(shared: Path, tmp_path: Path) -> None:
    """Real items with one value, anywhere in them, replaced by something else."""
    draw = random.Random(7)
    items = [item for item in real_items(shared) if item["collection"] in known_collections()]
    for number in range(400):
        item = json.loads(json.dumps(draw.choice(items)))
        _spoil(item, draw)
        (tmp_path / f"{number}.json").write_text(json.dumps([item, FIRST]))
        found = look(tmp_path / f"{number}.json")
        assert "2024-05-01" in passes(found)


def _spoil(value: Any, draw: random.Random) -> None:
    """Replace one member of a JSON value, at any depth."""
    key = draw.choice(list(value) if isinstance(value, dict) else range(len(value)))
    if isinstance(value[key], dict | list) and value[key] and draw.random() < 0.7:
        _spoil(value[key], draw)
    else:
        value[key] = draw.choice([None, 7, -1e300, "", "text", [], {}, [None], {"a": 1}, True])


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_busy_server_is_asked_again(status: int, start: Start) -> None:
    reply = (status, {"Retry-After": "0"}, b"") if status == 429 else (status, {}, b"")
    api = start(first_then(reply, reply))
    assert passes(look(api.url, sensors=["sentinel-1"])) == ["2024-05-01"]
    assert len(api.searches) == 3


def test_retry_after_is_waited_for(start: Start) -> None:
    api = start(first_then((429, {"Retry-After": "1"}, b"")))
    begun = time.monotonic()
    assert passes(look(api.url, sensors=["sentinel-1"])) == ["2024-05-01"]
    assert time.monotonic() - begun >= 0.2  # no longer than OVERBANK_HTTP_LONGEST allows


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        (401, "Set the credentials"),
        (403, "Ask the provider for access"),
        (404, "Check the address"),
        (429, "run fewer jobs at the same time"),
        (500, "run the same command again later"),
    ],
)
def test_a_server_that_refuses_is_named_with_a_remedy(status: int, remedy: str, start: Start) -> None:
    api = start(lambda api, asked: (status, {}, b'{"detail": "no"}'))
    with pytest.raises(SearchError, match=rf"/search: found HTTP {status}.*{remedy}"):
        look(api.url)


def test_what_breaks_off_on_a_later_page_says_how_far_it_came(start: Start) -> None:
    def page(api: BrokenApi, asked: dict[str, Any]) -> Reply:
        if "page" in asked:
            return 500, {}, b""
        return page_of([FIRST, SECOND], {"href": "./search", "method": "POST", "merge": True, "body": {"page": 2}})

    with pytest.raises(BrokenOffError, match=r"HTTP 500, after 2 items.*They are not used"):
        look(start(page).url)


def test_a_loop_of_pages_is_an_error(start: Start) -> None:
    again = {"href": "./search", "method": "POST", "merge": True, "body": {"page": 1}}
    with pytest.raises(BrokenOffError, match=r"leads back to one that was read, after|all on earlier pages, after"):
        look(start(lambda api, asked: page_of([FIRST], again)).url)


def test_tokens_that_change_over_the_same_items_are_a_loop_too(start: Start) -> None:
    def page(api: BrokenApi, asked: dict[str, Any]) -> Reply:
        return page_of([FIRST], {"href": f"./search?token={len(api.searches)}", "method": "POST", "body": asked})

    api = start(page)
    with pytest.raises(BrokenOffError, match="all on earlier pages, after 1 items"):
        look(api.url)
    assert len(api.searches) == 2


def test_pages_without_end_are_an_error(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_source, "MOST_PAGES", 5)

    def page(api: BrokenApi, asked: dict[str, Any]) -> Reply:
        number = len(api.searches)
        return page_of(
            [at("2024-05-01", str(number))], {"href": f"./search?token={number}", "method": "POST", "body": asked}
        )

    with pytest.raises(BrokenOffError, match=r"over 5 pages, after 5 items.*smaller area or fewer days"):
        look(start(page).url)


def test_empty_pages_without_end_are_the_end(start: Start) -> None:
    def page(api: BrokenApi, asked: dict[str, Any]) -> Reply:
        number = len(api.searches)
        return page_of(
            [FIRST] if number == 1 else [], {"href": f"./search?token={number}", "method": "POST", "body": asked}
        )

    assert passes(look(start(page).url, sensors=["sentinel-1"])) == ["2024-05-01"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<html>Sign in</html>", "not JSON"),
        (b'{"type": "FeatureCollection", "features": [', "not JSON"),
        (b'{"detail": "quota"}', "a page without features"),
        (b"[]", "a page without features"),
        (b'{"features": {}}', "a page without features"),
        (b"\xff\xfe", "answer|JSON"),
    ],
)
def test_an_answer_that_is_no_page(body: bytes, message: str, start: Start) -> None:
    with pytest.raises(BrokenOffError, match=message):
        look(start(lambda api, asked: (200, {}, body)).url)


def test_a_cut_answer_is_asked_for_again_and_then_named(start: Start) -> None:
    body = json.dumps({"type": "FeatureCollection", "features": [FIRST]}).encode()
    cut = (200, {"Content-Length": str(len(body) + 100)}, body)
    assert passes(look(start(first_then(cut)).url, sensors=["sentinel-1"])) == ["2024-05-01"]
    with pytest.raises(BrokenOffError, match="an answer"):
        look(start(lambda api, asked: cut).url)


def test_a_server_that_is_silent_is_given_up(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERBANK_HTTP_ATTEMPTS", "2")
    released = time.monotonic() + 3

    def page(api: BrokenApi, asked: dict[str, Any]) -> Reply:
        time.sleep(max(0.0, min(1.0, released - time.monotonic())))
        return page_of([FIRST])

    with pytest.raises(BrokenOffError, match=r"timed? ?out|network"):
        look(start(page).url)


def test_a_next_page_off_the_web_is_refused(start: Start) -> None:
    with pytest.raises(BrokenOffError, match="file:///etc/passwd"):
        look(start(lambda api, asked: page_of([FIRST], {"href": "file:///etc/passwd"})).url)


def test_nobody_there() -> None:
    with pytest.raises(BrokenOffError, match="Check the address and the network"):
        look("http://127.0.0.1:9")


def test_items_of_an_api_cannot_name_files_of_this_disk(start: Start) -> None:
    links = [{"rel": "self", "href": "/etc/item.json"}]
    hostile = [
        radar("a", links=links, assets={"vv": {"href": "hostname"}}),
        radar("b", assets={"vv": {"href": "/etc/hostname"}}),
    ]
    api = start(paged(hostile))
    found = look(api.url)
    assert [raster.href for one in found.acquisitions for raster in one.rasters] == [f"{api.url}/hostname"]
    assert "a local path from a catalog that is not local" in found.problems[0]
