"""Progress of a verb on standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter

from rich.console import Console


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Lines of progress on standard error, each with the seconds since the start; on a terminal with a spinner."""
    err = Console(stderr=True, highlight=False)
    start = perf_counter()

    def line(text: str) -> None:
        err.print(f"{perf_counter() - start:7.1f} s  {text}", markup=False, soft_wrap=True)

    if not err.is_terminal:
        yield line
        return
    with err.status("starting") as status:

        def told(text: str) -> None:
            line(text)
            status.update(text.split(":", maxsplit=1)[0])

        yield told
