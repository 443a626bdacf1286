"""Chips with a known truth, whatever data set they come from."""
