"""Where units run: on the threads of this process, or one task each on the workers of a Dask scheduler."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import islice

from distributed import Client, as_completed, get_worker

from pipeline.errors import RunError
from pipeline.plan import Unit
from pipeline.run import Setting, run_unit

PATIENCE_SECONDS = 30
"""How long a scheduler may be without workers."""
Done = tuple[Unit, dict[str, float]]
IN_FLIGHT = 2
"""Units a worker thread may have waiting: the plan is streamed, however long it is."""


def threads_here() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_units(units: Iterable[Unit], setting: Setting, scheduler: str | None) -> Iterator[Done]:
    """Map units and yield each as it is done, with its seconds by stage.

    Without a scheduler one unit after the other, each on all threads of this process, so memory is that of one unit.
    With an address ("tcp://…") one task a unit; workers need this package and the same file system. RunError if
    the scheduler does not answer.
    """
    if scheduler is None:
        return ((unit, run_unit(unit, setting, threads_here())) for unit in units)
    return _distributed(iter(units), setting, scheduler)


def _distributed(units: Iterator[Unit], setting: Setting, scheduler: str) -> Iterator[Done]:
    client = _connected(scheduler)
    with client:
        width = IN_FLIGHT * max(1, sum(client.nthreads().values()))
        first = [client.submit(_on_worker, unit, setting, pure=False) for unit in islice(units, width)]
        waiting = as_completed(first, with_results=True, loop=client.loop)
        for future, result in waiting:
            yield result
            future.release()
            following = next(units, None)
            if following is not None:
                waiting.add(client.submit(_on_worker, following, setting, pure=False))


def _connected(scheduler: str) -> Client:
    """A client of a scheduler that has workers; RunError where either is missing."""
    if "://" not in scheduler:
        raise RunError(f"scheduler {scheduler!r}: is not an address; write it as tcp://HOST:PORT")
    try:
        client = Client(scheduler, timeout="10s", set_as_default=False)
    except (OSError, ValueError, TimeoutError) as problem:
        raise RunError(f"scheduler {scheduler}: no answer ({problem}); start it, or leave --scheduler out") from problem
    try:
        client.wait_for_workers(1, timeout=PATIENCE_SECONDS)
    except TimeoutError as problem:
        client.close()
        raise RunError(f"scheduler {scheduler}: has no workers; start `dask worker {scheduler}`") from problem
    return client


def _on_worker(unit: Unit, setting: Setting) -> Done:
    return unit, run_unit(unit, setting, get_worker().state.nthreads)
