"""Forward models of backscatter: soil, water and canopy, each model with a `<model>_valid` for its published range."""
