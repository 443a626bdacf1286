"""The doctor: an item held against itself, against its files' headers, and against a coarse look at their pixels."""
