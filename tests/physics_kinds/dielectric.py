"""Kinds of known answers: dielectric."""

from __future__ import annotations

from physics_kinds import Kind

KINDS: dict[str, Kind] = {}
