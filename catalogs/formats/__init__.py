"""Readers of product metadata: archives and band folders to plain records."""
