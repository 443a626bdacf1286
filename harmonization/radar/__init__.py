"""Radar evidence: from power to nats, one look or a pair, all classes in one compiled pass."""
