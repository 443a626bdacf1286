"""The flow: decode, align, evidence, methods, layers, files. The only room that knows Dask and xarray."""
