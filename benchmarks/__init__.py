"""Measurements of speed, and the figures of the documents; run as `python -m benchmarks.NAME`."""
