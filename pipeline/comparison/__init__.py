"""Who holds the maps of a finished run against each other and against a reference."""
