"""Scenes: where they are, what they hold, how their numbers are encoded. No physics."""
