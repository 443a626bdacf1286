"""Optics: reflectance, clouds, glint, water indices and their evidence."""
