"""Flooded area, people, cropland and buildings by zone: shapes, what lies in them, sums, the table."""
