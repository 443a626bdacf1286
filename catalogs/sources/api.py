"""A STAC API: searched page by page through pystac-client, and held to the rules that it may not keep."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urljoin

import requests
from pystac import Link
from pystac_client import ItemSearch
from pystac_client.exceptions import APIError
from pystac_client.stac_api_io import StacApiIO

from catalogs.collection import LOCAL
from catalogs.endpoint import Endpoint
from catalogs.errors import BrokenOffError, SearchError
from catalogs.hrefs import is_web
from catalogs.sources.documents import answer_problem, unreachable
from catalogs.sources.query import Box, Entry, Query, boxes, interval, renamed

PAGE = 100
"""Items that are asked for at a time; every public API gives that many."""
MOST_PAGES = 500
"""Pages of one search that are read."""
NO_POST = (404, 405, 415, 501)
"""Answers of a server that takes searches by GET alone."""

_NARROW = "Ask for a smaller area or fewer days, or tell the provider."


def is_api(landing: Any) -> bool:
    """Whether a document is the landing page of a STAC API that can be searched.

    Raises `SearchError` for an API that cannot: its items are on no link that a static catalog has.
    """
    if not isinstance(landing, dict):
        return False
    if _search_link(landing, "") is None and isinstance(landing.get("conformsTo"), list):
        found, expected = "an API without item search", "a static catalog, or a STAC API with item search"
        raise SearchError(f"catalog {landing.get('id')}", found, expected, "Ask the provider for a STAC API.")
    return _search_link(landing, "") is not None


def api_entries(
    endpoint: Endpoint, landing: dict[str, Any], query: Query, session: requests.Session
) -> Iterator[Entry]:
    """What an API answers to a query; an item that lies in two boxes comes twice.

    The server is asked for area, dates and collections alone, since others of its filters may be ignored in silence.
    Raises `SearchError`, `BrokenOffError` among them, where the search cannot be completed.
    """
    link = _search_link(landing, endpoint.url)
    if link is None:
        remedy = "Give the address of its landing page."
        raise SearchError(f"catalog {endpoint.url}", "no link to a search", "a STAC API with item search", remedy)
    pages = Pages(session)
    names = _names(endpoint, landing, pages, query)
    ours = {theirs: mine for mine, theirs in names.items()}
    for references, wanted in ((False, query.passes), (True, query.references)):
        collections = [names[name] for name in wanted if name in names]
        if not collections:
            continue
        for box in boxes(query.region):
            for item in _items(pages, link, collections, box, interval(query, references)):
                data = renamed(item, ours)
                collection = data.get("collection") if isinstance(data, dict) else None
                yield Entry(*_place(data, endpoint.url), access=endpoint.access_of(collection))


def missing_collections(endpoint: Endpoint, query: Query) -> str | None:
    """A sentence where an endpoint is known to hold nothing of what is wanted."""
    wanted = (*query.passes, *query.references)
    if not endpoint.collections or set(wanted) & set(endpoint.collections):
        return None
    names = ", ".join(name for name in wanted if name != LOCAL)
    return f"{endpoint.title} holds none of {names}; it holds {', '.join(endpoint.collections)}"


class Pages(StacApiIO):
    """pystac-client's reader, with the project's session and a paging that cannot run for ever."""

    def __init__(self, session: requests.Session) -> None:
        super().__init__(max_retries=None)
        self.session = session  # it repeats, waits and gives up as all our requests do

    def get_pages(
        self, url: str, method: str | None = None, parameters: dict[str, Any] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Each page of a search or a list of collections, the last included.

        Raises `SearchError` where the server refuses, is away, gives something else than a page, or leads in circles.
        """
        page, asked, empty = self._page(url, url, method=method, parameters=parameters), set(), 0
        for _ in range(MOST_PAGES):
            yield page
            empty = 0 if _members(page) else empty + 1
            link = next((link for link in _links_of(page) if link.get("rel") == "next"), None)
            if link is None or empty > 1:  # some servers give a next page for ever, and nothing on it
                return
            key = json.dumps(link, sort_keys=True)
            if key in asked:
                raise _looping(url, "a page whose `next` leads back to one that was read")
            asked.add(key)
            page = self._page(url, _absolute(link, url), parameters=parameters)
        raise _looping(url, f"over {MOST_PAGES} pages")

    def _page(self, url: str, source: Any, **request: Any) -> dict[str, Any]:
        try:
            page = self.read_json(source, **request)
        except APIError as problem:
            status = getattr(problem, "status_code", None)
            raise (
                answer_problem(f"search {url}", status, str(problem))
                if status
                else unreachable(f"search {url}", problem)
            ) from problem
        except (ValueError, RecursionError) as problem:
            found, expected = f"a page that is not JSON ({problem})", "a GeoJSON FeatureCollection"
            raise BrokenOffError(
                f"search {url}", found, expected, "Check the address: this may be a web page."
            ) from problem
        if not isinstance(page, dict) or not isinstance(_members(page), list):
            found = f"a page without features: {str(page)[:200]}"
            raise BrokenOffError(f"search {url}", found, "a GeoJSON FeatureCollection", "Check the address of the API.")
        return page


def _items(pages: Pages, link: tuple[str, str | None], collections: list[str], box: Box, dates: str) -> Iterator[Any]:
    """Every item of one search, whichever method the server takes; a page that brings nothing new ends in an error."""
    url, method = link
    seen: set[str] = set()
    for page in _answered(pages, url, method, {"collections": collections, "bbox": box, "datetime": dates}):
        features = _members(page)
        keys = {_key(feature) for feature in features}
        if features and keys <= seen:
            raise _looping(url, "a page of items that were all on earlier pages")
        seen |= keys
        yield from features


def _answered(pages: Pages, url: str, method: str | None, wanted: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """POST where the landing page does not say otherwise; GET where the server then takes no POST."""
    if method != "GET":
        found = pages.get_pages(url, "POST", ItemSearch(url, method="POST", limit=PAGE, **wanted).get_parameters())
        try:
            first = next(found)
        except SearchError as problem:
            if not any(f"HTTP {status}" in problem.args[1] for status in NO_POST):
                raise
        else:
            yield first
            yield from found
            return
    yield from pages.get_pages(url, "GET", ItemSearch(url, method="GET", limit=PAGE, **wanted).get_parameters())


def _names(endpoint: Endpoint, landing: dict[str, Any], pages: Pages, query: Query) -> Mapping[str, str]:
    """Our id of a collection → the API's, as its endpoint says, else as the API itself lists them."""
    if endpoint.collections:
        return endpoint.names()
    wanted = (*query.passes, *query.references)
    href = next((link.get("href") for link in _links_of(landing) if link.get("rel") == "data"), None)
    if not isinstance(href, str):
        return {name: name for name in wanted}
    listed = {
        member.get("id")
        for page in pages.get_pages(urljoin(endpoint.url, href), "GET", {})
        for member in _members(page)
        if isinstance(member, dict)
    }
    return {name: name for name in wanted if name in listed}


def _search_link(landing: dict[str, Any], base: str) -> tuple[str, str | None] | None:
    """Address of the item search, and the method it must be asked by where the landing page names only GET."""
    links = [link for link in _links_of(landing) if link.get("rel") == "search" and isinstance(link.get("href"), str)]
    if not links:
        conforms = landing.get("conformsTo")
        declared = isinstance(conforms, list) and any("/item-search" in str(name) for name in conforms)
        return (f"{base.rstrip('/')}/search", None) if declared else None
    methods = {str(link.get("method", "POST")).upper() for link in links}
    return urljoin(base, links[0]["href"]), None if "POST" in methods else "GET"


def _links_of(data: Any) -> list[dict[str, Any]]:
    """The links of a landing page, a page or an item, as far as they are such."""
    links = data.get("links") if isinstance(data, dict) else None
    return [link for link in links if isinstance(link, dict)] if isinstance(links, list) else []


def _members(page: dict[str, Any]) -> Any:
    return page.get("features", page.get("collections"))


def _absolute(link: dict[str, Any], url: str) -> Any:
    """The link to the next page as pystac-client reads it; it must stay on the web."""
    href = urljoin(url, str(link.get("href")))
    if not is_web(href):
        raise BrokenOffError(f"search {url}", f"a next page at {href!r}", "an http(s) address", "Tell the provider.")
    return Link.from_dict(link | {"href": href})


def _place(item: Any, url: str) -> tuple[str, Any, str]:
    """Name, JSON and home of an item: its self link where that is on the web, else the API."""
    hrefs = [str(link.get("href")) for link in _links_of(item) if link.get("rel") == "self"]
    home = next((href for href in hrefs if is_web(href)), url)
    name = f"{item.get('collection')}/{item.get('id')}" if isinstance(item, dict) else f"a {type(item).__name__}"
    return f"{url}: item {name}", item, home


def _key(item: Any) -> str:
    identifier = (item.get("collection"), item.get("id")) if isinstance(item, dict) else item
    return json.dumps(identifier, sort_keys=True, default=str)


def _looping(url: str, found: str) -> BrokenOffError:
    return BrokenOffError(f"search {url}", found, "an end of the pages", _NARROW)
