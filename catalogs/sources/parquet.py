"""stac-geoparquet, on this disk or over HTTP: only the rows that may matter are read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import requests
from stac_geoparquet.arrow import stac_table_to_items

from catalogs.endpoint import Endpoint
from catalogs.errors import SearchError
from catalogs.hrefs import is_web
from catalogs.sources.query import Box, Entry, Query, boxes, renamed
from catalogs.sources.ranges import buffered

ROWS = 2048
"""Items that are in memory at a time."""


def parquet_entries(endpoint: Endpoint, query: Query, session: requests.Session) -> Iterator[Entry]:
    """Items of a stac-geoparquet file whose bbox touches the area and whose times meet the dates.

    Row groups that cannot hold any are not read. A column that the file lacks does not filter. Raises `SearchError`.
    """
    place = endpoint.url
    ours = {theirs: mine for mine, theirs in endpoint.names().items()}
    references = {endpoint.names().get(name, name) for name in query.references}
    try:
        file = pq.ParquetFile(buffered(place, session) if is_web(place) else place)
        for batch in _batches(file, query, references):
            for item in stac_table_to_items(batch):
                data = renamed(_stated(item), ours)
                name = f"{place}: item {data.get('id')}"
                yield Entry(name, data, place, endpoint.access_of(data.get("collection")))
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as problem:
        found = f"{type(problem).__name__}: {problem}"
        raise SearchError(f"catalog {place}", found, "a stac-geoparquet file", "Check the file.") from problem


def _stated(value: Any) -> Any:
    """JSON without the nulls that stand where other items of the file say something."""
    if isinstance(value, dict):
        return {key: _stated(member) for key, member in value.items() if member is not None}
    return [_stated(member) for member in value] if isinstance(value, list | tuple) else value


def _batches(file: pq.ParquetFile, query: Query, references: set[str]) -> Iterator[pa.Table]:
    """The rows that may matter, a few thousand at a time."""
    groups = matching_groups(file, query, references)
    if not groups:
        return
    for batch in file.iter_batches(batch_size=ROWS, row_groups=groups):
        rows = pa.Table.from_batches([batch])
        kept = rows.filter(_mask(rows, query, references))
        if kept.num_rows:
            yield kept


def matching_groups(file: pq.ParquetFile, query: Query, references: set[str]) -> list[int]:
    """Numbers of the row groups that may hold an item of the query, by the least and greatest of their columns."""
    areas = boxes(query.region)
    return [
        index
        for index in range(file.num_row_groups)
        if _may_hold(_ranges(file.metadata.row_group(index)), query, areas, bool(references))
    ]


class _Range(NamedTuple):
    least: Any
    greatest: Any
    nulls: int


def _ranges(group: Any) -> dict[str, _Range]:
    """Column → least and greatest value, of those columns that say so."""
    ranges = {}
    for index in range(group.num_columns):
        column = group.column(index)
        told = column.statistics if column.is_stats_set else None
        if told is not None and told.has_min_max:
            ranges[column.path_in_schema] = _Range(told.min, told.max, told.null_count or 0)
    return ranges


def _may_hold(ranges: Mapping[str, _Range], query: Query, areas: list[Box], undated: bool) -> bool:
    return _in_boxes(ranges, areas) and _in_time(ranges, query, undated)


def _in_boxes(ranges: Mapping[str, _Range], areas: list[Box]) -> bool:
    sides = [ranges.get(f"bbox.{name}") for name in ("xmin", "ymin", "xmax", "ymax")]
    known = [side for side in sides if side is not None and not side.nulls]
    if len(known) < 4:
        return True
    west, south, east, north = known
    if west.greatest > east.least:  # one of them may cross ±180°
        return True
    return any(_touch((west.least, south.least, east.greatest, north.greatest), area) for area in areas)


def _in_time(ranges: Mapping[str, _Range], query: Query, undated: bool) -> bool:
    """By the first and last of all times; an item has a start and an end, or a `datetime`, or both."""
    names = [name for name in ("start_datetime", "end_datetime", "datetime") if name in ranges]
    if not names or not all(isinstance(ranges[name].least, datetime) for name in names):
        return True
    first = min(_utc(ranges[name].least) for name in names)
    last = max(_utc(ranges[name].greatest) for name in names)
    return first <= query.end and (undated or last >= query.start)


def _mask(rows: pa.Table, query: Query, references: set[str]) -> pa.ChunkedArray:
    mask = pa.chunked_array([pa.array([True] * rows.num_rows)])
    for part in (_in_area(rows, query), _in_dates(rows, query, references)):
        if part is not None:
            mask = pc.and_(mask, pc.fill_null(part, True))
    return mask


def _in_area(rows: pa.Table, query: Query) -> Any:
    """Whether each row's bbox touches a box of the area; None where there is no bbox column."""
    names = rows.schema.names
    if "bbox" not in names or not pa.types.is_struct(rows.schema.field("bbox").type):
        return None
    west, south, east, north = (pc.struct_field(rows["bbox"], name) for name in ("xmin", "ymin", "xmax", "ymax"))
    touching = pc.less(east, west)  # a bbox across ±180° is looked at later
    for box in boxes(query.region):
        inside = pc.and_(pc.less_equal(west, box[2]), pc.greater_equal(east, box[0]))
        inside = pc.and_(inside, pc.and_(pc.less_equal(south, box[3]), pc.greater_equal(north, box[1])))
        touching = pc.or_(touching, inside)
    return touching


def _in_dates(rows: pa.Table, query: Query, references: set[str]) -> Any:
    """Whether each row's times meet the dates, or it is of a reference; None where there are no times."""
    start, end = (_times(rows, name) for name in ("start_datetime", "end_datetime"))
    if start is None or end is None:
        return None
    meeting = pc.and_(pc.less_equal(start, _like(start, query.end)), pc.greater_equal(end, _like(end, query.start)))
    if "collection" not in rows.schema.names:
        return meeting
    older = pc.is_in(rows["collection"], pa.array(sorted(references), pa.string()))
    return pc.or_(meeting, pc.and_(older, pc.less_equal(start, _like(start, query.end))))


def _times(rows: pa.Table, name: str) -> Any:
    """A column of times, `datetime` where it is null; None where the file has neither."""
    found = [rows[key] for key in (name, "datetime") if key in rows.schema.names]
    found = [column for column in found if pa.types.is_timestamp(column.type)]
    return pc.coalesce(*found) if found else None


def _like(column: Any, time: datetime) -> pa.Scalar:
    return pa.scalar(time if column.type.tz else time.astimezone(UTC).replace(tzinfo=None), column.type)


def _utc(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time


def _touch(one: Box, two: Box) -> bool:
    return one[0] <= two[2] and one[2] >= two[0] and one[1] <= two[3] and one[3] >= two[1]
