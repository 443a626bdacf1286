"""Seconds by stage, summed over the threads that work on one unit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from functools import wraps
from threading import Lock
from time import perf_counter
from typing import ParamSpec, TypeVar

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class StageClock:
    """Adds up how long each stage took; lives and dies in one process."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._lock = Lock()

    def timed(self, stage: str, function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
        """The same function, its time added to a stage."""

        @wraps(function)
        def run(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
            start = perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                with self._lock:
                    self.seconds[stage] += perf_counter() - start

        return run
