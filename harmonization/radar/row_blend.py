"""One row of all classes from four rows of a table, as one vector: what a compiler does not see by itself.

Written as a loop over sixteen lanes it is unrolled and stays scalar, for the rows might overlap; it is most of the time
that a pixel takes.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

from harmonization.radar.class_tables import LANES

_VECTOR = ir.VectorType(ir.FloatType(), LANES)
_FLOAT_BYTES = 4


@intrinsic  # type: ignore[misc, unused-ignore]
def add_blend(typing: Any, into: Any, at: Any, rows: Any, corners: Any, weights: Any) -> Any:
    """into[at] += Σ weights[i] · rows[corners[i]], (n, LANES) float32 both; `corners`, `weights` tuples of one length.

    Places are not checked.
    """
    count = len(corners)

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def row_of(array: int, place: Any) -> Any:
            """Pointer to a row of the array that is the argument of this number."""
            data = context.make_array(signature.args[array])(context, builder, arguments[array]).data
            wide = builder.zext(place, ir.IntType(64)) if place.type.width < 64 else place
            start = builder.gep(data, [builder.mul(wide, ir.Constant(ir.IntType(64), LANES))])
            return builder.bitcast(start, _VECTOR.as_pointer())

        target = row_of(0, arguments[1])
        total = builder.load(target, align=_FLOAT_BYTES)
        for number in range(count):
            row = builder.load(row_of(2, builder.extract_value(arguments[3], number)), align=_FLOAT_BYTES)
            weight = builder.insert_element(
                ir.Constant(_VECTOR, ir.Undefined), builder.extract_value(arguments[4], number), ir.IntType(32)(0)
            )
            mask = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
            weight = builder.shuffle_vector(weight, ir.Constant(_VECTOR, ir.Undefined), mask)
            total = builder.fadd(total, builder.fmul(weight, row, flags=("contract",)), flags=("contract",))
        builder.store(total, target, align=_FLOAT_BYTES)
        return context.get_dummy_value()

    return types.void(into, at, rows, corners, weights), code
