"""What mapping gives back: where the run lies, what it did, and its layers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.job_windows import SERIES

if TYPE_CHECKING:
    import xarray

    from workflows.open_map import RunLayers


@dataclass
class MapSummary:
    """What a run did. Its layers are opened by name: `summary["flood_class"]`."""

    run: Path
    units: int
    skipped: int
    """Units that an earlier run of the same job had finished."""
    seconds: dict[str, float] = field(default_factory=dict)
    """By stage; decode to export are summed over threads."""
    windows: dict[str, MapSummary] = field(default_factory=dict)
    """Of a job with several flood windows the run of each, in the order of time; `run` is the folder of all."""

    @property
    def layers(self) -> RunLayers:
        """Layers by name, each read when it is computed; of several flood windows those of the series."""
        from workflows.open_map import RunLayers

        return RunLayers(self.run / SERIES if self.windows else self.run)

    def __getitem__(self, layer: str) -> xarray.DataArray:
        return self.layers[layer]
