"""What a GIS is handed beside the units: mosaics over all of them, polygons, a project that opens styled."""
