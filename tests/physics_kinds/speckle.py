"""Kinds of known answers: speckle."""

from __future__ import annotations

from physics_kinds import Kind

KINDS: dict[str, Kind] = {}
