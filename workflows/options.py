"""Arguments and options that several verbs share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Device(StrEnum):
    """Where networks run."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


JobFile = Annotated[Path, typer.Argument(metavar="JOB.yaml", help="The job: where, when, which sensors and methods.")]
Out = Annotated[Path, typer.Option("--out", file_okay=False, help="Folder to write into; made if it is not there.")]
Json = Annotated[Path | None, typer.Option("--json", dir_okay=False, help="Write the same as JSON.")]
Size = Annotated[int, typer.Option(min=32, help="Side of the simulated area in pixels of 10 m.")]
Seed = Annotated[int, typer.Option(min=0, help="The same seed gives the same scenes.")]
On = Annotated[Device, typer.Option(help="Where networks run.")]
