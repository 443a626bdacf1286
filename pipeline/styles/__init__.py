"""How a GIS shows a layer: one table of layers (`pipeline.layers`) as QGIS styles and as SLD."""
