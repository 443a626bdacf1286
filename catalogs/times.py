"""Times are UTC everywhere."""

from __future__ import annotations

from datetime import UTC, datetime


def utc(time: datetime) -> datetime:
    """A time in UTC; one without a zone is taken as UTC."""
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
