"""Kinds of known answers: evidence."""

from __future__ import annotations

from physics_kinds import Kind

KINDS: dict[str, Kind] = {}
