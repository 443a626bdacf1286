"""One seeded ground state seen by every sensor: scenes with a known truth."""
