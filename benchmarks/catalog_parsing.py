"""How fast items become acquisitions: 10 000 items made from real ones, as an API gives them, through `search`.

python -m benchmarks.catalog_parsing [--items 10000] [--data ../shared/data/stac/items]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from time import perf_counter, process_time
from typing import Any
from unittest.mock import patch

from catalogs import search as searching
from catalogs.collection import known_collections
from catalogs.sources.query import Entry

START = datetime(2024, 1, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/stac/items"))
    told = parser.parse_args()
    items = varied(real_items(told.data), told.items)
    counts = Counter(item["collection"] for item in items)
    print(f"{len(items)} items of {len(counts)} collections: {dict(counts)}")
    text = json.dumps({"type": "FeatureCollection", "features": items})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "items.json"
        path.write_text(text)
        timed("from a list of dicts (an API's pages, parsed)", len(items), lambda: look("https://example.org", items))
        timed(f"from a file of {len(text) / 2**20:.0f} MiB (JSON parsed too)", len(items), lambda: look(path, None))


def timed(name: str, items: int, work: Any) -> None:
    begun, busy = perf_counter(), process_time()
    count = len(work().acquisitions)
    seconds, busy = perf_counter() - begun, process_time() - busy
    print(
        f"{name}: {count} acquisitions in {seconds:.2f} s ({busy:.2f} s of one processor), {items / busy:.0f} items/s"
    )


def look(place: Any, items: list[dict[str, Any]] | None) -> searching.Found:
    """A search over a file, or over items as if an API had given them."""
    window: dict[str, Any] = {"area": (-180.0, -90.0, 180.0, 90.0), "start": START, "end": START + timedelta(days=366)}
    if items is None:
        return searching.search(place, **window)
    entries = [Entry(item["id"], item, str(place)) for item in items]
    with patch.object(searching, "entries", lambda *_: iter(entries)):
        return searching.search(place, **window)


def real_items(folder: Path) -> list[dict[str, Any]]:
    """Real items of the collections that hold scenes."""
    found: list[dict[str, Any]] = []
    for path in sorted(folder.rglob("*.json")):
        data = json.loads(path.read_text())
        members = data if isinstance(data, list) else [data]
        found += [item for item in members if item.get("type") == "Feature"]
    scenes = {name for name, record in known_collections().items() if hasattr(record, "sensor")}
    return [item for item in found if item["collection"] in scenes and not item["id"].startswith("S1A_EW")]


def varied(items: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """So many items: the real ones in turn, each with an id and a minute of its own."""
    made = []
    for number in range(count):
        item = json.loads(json.dumps(items[number % len(items)]))
        time = (START + timedelta(minutes=number)).isoformat() + "Z"
        item["id"] = f"{item['id']}_{number}"
        item["properties"] |= {"datetime": time, "start_datetime": time, "end_datetime": time}
        made.append(item)
    return made


if __name__ == "__main__":
    main()
