"""Pages of the documentation that are read off the records and the command line, so that they cannot be out of date."""
