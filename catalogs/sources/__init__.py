"""Where items come from: each module reads one kind of catalog, and all give the same `Entry`."""
