"""How a verb ends: mistakes of a user are one message and a code, a bug keeps its traceback."""

from __future__ import annotations

import errno
from typing import Any

import typer
from typer.core import TyperGroup

FAULTS, MISTAKE, INTERRUPTED = 1, 2, 130
DISK_TROUBLE = (
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOSPC,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
    errno.EDQUOT,
)


class Verbs(TyperGroup):
    """Commands whose users never see a traceback for a mistake of their own; a bug keeps its traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run a verb; a known error becomes one message and exit code 2."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            typer.echo("interrupted; run the same command again to go on", err=True)
            raise typer.Exit(INTERRUPTED) from None
        except Exception as problem:
            if not _is_mistake(problem):
                raise
            typer.echo(f"error: {problem}", err=True)
            raise typer.Exit(MISTAKE) from None


def _is_mistake(problem: Exception) -> bool:
    """Whether the message is meant for the user: what they gave, or where they let us write."""
    from catalogs.errors import CatalogError
    from models.contract import ContractMismatch
    from models.data.sources import ChipsUnfit
    from pipeline.errors import PipelineError

    known = isinstance(problem, CatalogError | PipelineError | ContractMismatch | ChipsUnfit)
    # A file that is missed by one of us has a message and no number; one that the system misses has a number.
    missed = isinstance(problem, FileNotFoundError) and problem.errno is None
    return known or missed or (isinstance(problem, OSError) and problem.errno in DISK_TROUBLE)
