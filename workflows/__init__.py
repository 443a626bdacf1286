"""What an analyst runs: one module a verb."""
