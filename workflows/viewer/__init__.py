"""The viewer of a run: a server on loopback, and the page that it serves."""
