"""ln, exp and ln Σ exp over the pixels of a block, in short loops that compilers turn into vector code.

Every function works on whole blocks of `BLOCK` pixels in float32. No sum is reordered: a pixel gives the same bytes in
whatever block, and on whatever thread, it stands.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numba
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

BLOCK = 256
"""Pixels weighed together: their class likelihoods fill half of a first-level cache."""
_LOWEST = np.float32(-80.0)
"""Nats below the likeliest class at which another adds nothing that float32 could hold."""
_LOG2_E = np.float32(1.0 / math.log(2.0))
LN_2 = np.float32(math.log(2.0))
_ROOT_2 = np.float32(math.sqrt(2.0))
_BIAS = np.float32(127.0)
"""Of the exponent of a float32."""
_HALF, _ONE, _TWO = np.float32(0.5), np.float32(1.0), np.float32(2.0)
_THIRD, _FIFTH, _SEVENTH = np.float32(1.0 / 3.0), np.float32(1.0 / 5.0), np.float32(1.0 / 7.0)
_SIXTH, _TWENTY_FOURTH, _HUNDRED_TWENTIETH = np.float32(1.0 / 6.0), np.float32(1.0 / 24.0), np.float32(1.0 / 120.0)

compiled = numba.njit(cache=True, nogil=True, fastmath={"contract"}, error_model="numpy")
if TYPE_CHECKING:
    inner = compiled
else:  # What numba says of its types leaves the last two options out.
    inner = numba.njit(
        cache=True,
        nogil=True,
        fastmath={"contract"},
        error_model="numpy",
        no_cfunc_wrapper=True,
        no_cpython_wrapper=True,
    )
"""For functions that compiled ones call, and none else: without a door to Python they compile in less time."""


@inner
def log_of(values: Float, result: Float) -> None:
    """ln of positive values, to 2e-5: the exponent by its bits, the mantissa by the series of artanh."""
    bits = values.view(np.int32)
    mantissa = np.empty(BLOCK, dtype=np.float32)
    mantissa_bits = mantissa.view(np.int32)
    for p in range(BLOCK):
        mantissa_bits[p] = (bits[p] & 0x7FFFFF) | 0x3F800000
        result[p] = np.float32((bits[p] >> 23) - 127)
    for p in range(BLOCK):
        t = (mantissa[p] - _ONE) / (mantissa[p] + _ONE)
        square = t * t
        series = _ONE + square * (_THIRD + square * (_FIFTH + square * _SEVENTH))
        result[p] = result[p] * LN_2 + _TWO * t * series


@inner
def _exp_below(values: Float, power: Float) -> None:
    """exp of values below 0, in place: 2^n by bits, 2^f by its series around one half, to 3e-6. `power`: scratch."""
    bits = power.view(np.int32)
    for q in range(values.size):
        x = max(values[q], _LOWEST) * _LOG2_E + _BIAS
        whole = np.int32(x)
        y = (x - np.float32(whole) - _HALF) * LN_2
        values[q] = _ONE + y * (_ONE + y * (_HALF + y * (_SIXTH + y * (_TWENTY_FOURTH + y * _HUNDRED_TWENTIETH))))
        bits[q] = whole << 23
    for q in range(values.size):
        values[q] *= power[q] * _ROOT_2


@inner
def log_sum(stack: Float, first: int, last: int, result: Float, scratch: Float) -> None:
    """ln Σ exp of some rows of (row, pixel). `scratch`: two of at least as many rows, and one row in a third."""
    off, power, total = scratch[0, : last - first], scratch[1, : last - first], scratch[2, 0]
    for p in range(BLOCK):
        result[p] = stack[first, p]
        total[p] = np.float32(0.0)
    for row in range(first + 1, last):
        for p in range(BLOCK):
            result[p] = max(result[p], stack[row, p])
    for row in range(first, last):
        for p in range(BLOCK):
            off[row - first, p] = stack[row, p] - result[p]
    _exp_below(off.ravel(), power.ravel())
    for row in range(last - first):
        for p in range(BLOCK):
            total[p] += off[row, p]
    log_of(total, off[0])
    for p in range(BLOCK):
        result[p] += off[0, p]
