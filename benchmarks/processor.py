"""What the processor at hand can do: products of matrices, copies of memory, and how long a task takes."""

from __future__ import annotations

import signal
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Device:
    """The processor, and what it was measured to do."""

    torch: torch.device
    matrix: dict[torch.dtype, float]
    """Multiplications and additions a second, of products of two matrices."""
    bandwidth: float
    """Bytes a second, read and written."""


def synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds(
    task: Callable[[], object],
    device: torch.device,
    repeats: int,
    of: Callable[[list[float]], float] = statistics.median,
) -> float:
    """Median of the repeats, or `of` them, after one that is not counted."""
    task()
    taken = []
    for _ in range(repeats):
        synchronize(device)
        start = time.perf_counter()
        task()
        synchronize(device)
        taken.append(time.perf_counter() - start)
    return of(taken)


def measured(device: torch.device, repeats: int) -> Device:
    """Matrix rate and bandwidth of the device, by products and copies that are large for it."""
    side, words = (8192, 2**28) if device.type == "cuda" else (2048, 2**25)
    rates = {}
    for dtype in (torch.float32, torch.bfloat16):
        one, two = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
        with exact():
            rates[dtype] = 2.0 * side**3 / seconds(lambda a=one, b=two: a @ b, device, repeats, min)
    source = torch.zeros(words, device=device)
    target = torch.empty_like(source)
    return Device(device, rates, 2.0 * 4.0 * words / seconds(lambda: target.copy_(source), device, repeats, min))


@contextmanager
def exact() -> Iterator[None]:
    """Full float32 products, as `predict` takes them."""
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


@contextmanager
def limit(duration: int) -> Iterator[None]:
    """TimeoutError after so many seconds."""

    def stop(*_: object) -> None:
        raise TimeoutError(f"no result after {duration} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(duration)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
