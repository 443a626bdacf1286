"""`open_map`: layers of a run in Python, as arrays with CRS and units."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import xarray

from pipeline.errors import RunError
from pipeline.layer_array import layer_array
from pipeline.run_folder import open_run

BY_METHOD = {"flood_class": "methods", "flood_probability": "probability", "trust": "trust"}
"""Layers that each method has of its own, and their folder."""


def open_map(
    run: Path | str,
    layer: str = "flood_class",
    method: str | None = None,
    *,
    zone: str | None = None,
    masked: bool = True,
) -> xarray.DataArray:
    """A layer of a run, or of the `series` of several; read when it is computed, in chunks.

    Args:
        run: the --out folder of `overbank map`, or its `series`.
        layer: as its file is called: "flood_class", "flood_probability", "ndwi" …
        method: of "flood_class", "flood_probability" and "trust": this method's; by default the delivered one's.
        zone: CRS of the grid wanted, of a run that has several.
        masked: True gives numbers in their units and NaN where not observed; False the codes of the file.

    Returns:
        (y, x), or (band, y, x), with CRS, `units`, `long_name`, and the meanings of classes.

    Raises:
        RunError: there is no such run, layer, method or zone.
    """
    if method is not None and layer not in BY_METHOD:
        raise RunError(f"{layer}: is one for all methods; of a method there are {', '.join(BY_METHOD)}")
    folder = open_run(Path(run))
    name = layer if method is None else f"{BY_METHOD[layer]}/{method}"
    if method in folder.methods and name not in folder.layers:
        have = sorted(one.partition("/")[2] for one in folder.layers if one.startswith(f"{BY_METHOD[layer]}/"))
        raise RunError(f"{folder.path}: {method} tells no {layer}; those that do: {', '.join(have) or 'none'}")
    return layer_array(folder, name, zone, masked)


class RunLayers(Mapping[str, xarray.DataArray]):
    """The layers of a run by name, each opened when it is asked for."""

    def __init__(self, run: Path) -> None:
        self._run = open_run(run)

    def __getitem__(self, name: str) -> xarray.DataArray:
        if name not in self._run.layers:
            raise KeyError(f"{name!r}; there are {', '.join(self._run.layers)}")
        return layer_array(self._run, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._run.layers)

    def __len__(self) -> int:
        return len(self._run.layers)
