"""What a fit tells while it runs: a CSV and TensorBoard events, one row an epoch."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

Row = dict[str, float]


class TrainingLog:
    """Rows of a fit, in `csv`, and as curves in `events`; a fit that goes on writes over what it runs again."""

    def __init__(self, csv: Path, events: Path, rows: Sequence[Row] = ()) -> None:
        from torch.utils.tensorboard import SummaryWriter  # a second of imports, and only a fit needs them

        self.csv, self.rows = csv, list(rows)
        csv.parent.mkdir(parents=True, exist_ok=True)
        self._events = SummaryWriter(str(events), purge_step=len(self.rows))

    def add(self, row: Row) -> None:
        """Write one epoch; the CSV is written whole, for its columns are those of all rows."""
        self.rows.append(row)
        names = list(dict.fromkeys(name for known in self.rows for name in known))
        with self.csv.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=names)
            writer.writeheader()
            writer.writerows(self.rows)
        for name, value in row.items():
            if name != "epoch":
                tag = name.replace(": ", "/")
                self._events.add_scalar(tag, value, int(row["epoch"]))
        self._events.flush()

    def close(self) -> None:
        """Close the events."""
        self._events.close()


def progress_line(row: Row, epochs: int) -> str:
    """One epoch in a line."""
    loss = f"loss {row['loss']:.4f}, " if "loss" in row else ""
    return (
        f"epoch {row['epoch']:.0f}/{epochs}: {loss}mean flood IoU {row['score']:.4f}; all sensors: "
        f"network {row['all: network']:.4f}, physics {row['all: physics']:.4f}; {row['seconds']:.0f} s"
    )
