"""Physics: what brings every sensor to one unit, evidence in nats. Arrays in, arrays out; no files, no labels."""
