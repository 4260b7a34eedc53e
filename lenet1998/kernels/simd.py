"""Vectors of float32 and the one register-blocked product that all layers' sums are made of.

Numba compiles loops over scalars and leaves it to LLVM whether they become vector code. The inner
sums of a convolution are too important for that: the partial sums must stay in registers while a
row of patches passes. This module says so explicitly, in LLVM's own portable vectors, which map to
AVX-512, AVX2 or NEON as the machine has them.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel.models import PrimitiveModel
from numba.extending import intrinsic, overload, register_model

from lenet1998.kernels.known import Known, depends_on

_FLOAT = ir.FloatType()
_INDEX = ir.IntType(64)
_UNALIGNED = 4  # bytes: rows of patches start at any float


class Vector(types.Type):
    """`lanes` float32 values in one register (or a few, on a machine with narrower ones)."""

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        super().__init__(name=f"Vector({lanes})")


@register_model(Vector)
class _VectorModel(PrimitiveModel):
    def __init__(self, manager: Any, fe_type: Vector) -> None:
        super().__init__(manager, fe_type, ir.VectorType(_FLOAT, fe_type.lanes))


def _address(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.gep(data, [index])


def _load(builder: Any, address: Any, lanes: int) -> Any:
    pointer = builder.bitcast(address, ir.VectorType(_FLOAT, lanes).as_pointer())
    return builder.load(pointer, align=_UNALIGNED)


def _store(builder: Any, vector: Any, address: Any) -> None:
    pointer = builder.bitcast(address, vector.type.as_pointer())
    builder.store(vector, pointer, align=_UNALIGNED)


def _splat(builder: Any, scalar: Any, lanes: int) -> Any:
    vector_type = ir.VectorType(_FLOAT, lanes)
    undefined = ir.Constant(vector_type, ir.Undefined)
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
    first = builder.insert_element(undefined, scalar, ir.IntType(32)(0))
    return builder.shuffle_vector(first, undefined, zeros)


def _multiply_add(builder: Any, a: Any, b: Any, c: Any) -> Any:
    name = f"llvm.fmuladd.v{a.type.count}f32"
    function = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(a.type, [a.type] * 3), name
    )
    return builder.call(function, [a, b, c])


@intrinsic(prefer_literal=True)
def load(typingctx: Any, lanes: Any, array: Any, index: Any) -> Any:
    """`array[index : index + lanes]` as a vector; `lanes` is a constant."""
    vector = Vector(lanes.literal_value)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        address = _address(context, builder, signature.args[1], args[1], args[2])
        return _load(builder, address, vector.lanes)

    return vector(lanes, array, types.int64), codegen


@intrinsic
def store(typingctx: Any, vector: Any, array: Any, index: Any) -> Any:
    """Write a vector to `array[index : index + lanes]`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _store(builder, args[0], _address(context, builder, signature.args[1], args[1], args[2]))
        return context.get_dummy_value()

    return types.void(vector, array, types.int64), codegen


@intrinsic(prefer_literal=True)
def splat(typingctx: Any, lanes: Any, scalar: Any) -> Any:
    """The same scalar in every lane; `lanes` is a constant."""
    vector = Vector(lanes.literal_value)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _splat(builder, args[1], vector.lanes)

    return vector(lanes, types.float32), codegen


@intrinsic
def sum_lanes(typingctx: Any, vector: Any) -> Any:
    """The sum of the lanes, added as a tree."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        (value,) = args
        count = value.type.count
        while count > 1:
            count //= 2
            low, high = (
                builder.shuffle_vector(
                    value,
                    ir.Constant(value.type, ir.Undefined),
                    ir.Constant(
                        ir.VectorType(ir.IntType(32), count), list(range(start, start + count))
                    ),
                )
                for start in (0, count)
            )
            value = builder.fadd(low, high)
        return builder.extract_element(value, ir.IntType(32)(0))

    return types.float32(vector), codegen


@intrinsic(prefer_literal=True)
def transpose(
    typingctx: Any,
    lanes: Any,
    rows: Any,
    source: Any,
    source_start: Any,
    source_stride: Any,
    target: Any,
    target_start: Any,
    target_stride: Any,
) -> Any:
    """Write `rows` vectors of `lanes` floats as `lanes` vectors of `rows` floats and then zeros.

    `lanes` and `rows` <= `lanes` are constants. In registers, by shuffles: of rows half the lanes
    apart, halves change places; then quarters of rows half as far apart; and so on.
    """
    count, lane_count, index = rows.literal_value, lanes.literal_value, types.int64
    signature = types.void(lanes, rows, source, index, index, target, index, index)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        source_at = _address(context, builder, signature.args[2], args[2], args[3])
        target_at = _address(context, builder, signature.args[5], args[5], args[6])
        source_stride, target_stride = args[4], args[7]

        def row_address(start: Any, stride: Any, row: int) -> Any:
            return builder.gep(start, [builder.mul(stride, _INDEX(row))])

        empty = ir.Constant(ir.VectorType(_FLOAT, lane_count), [0.0] * lane_count)
        matrix = [
            _load(builder, row_address(source_at, source_stride, row), lane_count)
            if row < count
            else empty
            for row in range(lane_count)
        ]
        every, mask_type = range(lane_count), ir.VectorType(ir.IntType(32), lane_count)
        distance = lane_count // 2
        while distance:
            # Of a pair of rows, the upper takes the lanes without this bit, the lower those with.
            without = [i if not i & distance else lane_count + i - distance for i in every]
            with_bit = [i + distance if not i & distance else lane_count + i for i in every]
            for row in every:
                if not row & distance:
                    upper, lower = matrix[row], matrix[row + distance]
                    for at, lanes_taken in ((row, without), (row + distance, with_bit)):
                        mask = ir.Constant(mask_type, lanes_taken)
                        matrix[at] = builder.shuffle_vector(upper, lower, mask)
            distance //= 2
        for row, vector in enumerate(matrix):
            _store(builder, vector, row_address(target_at, target_stride, row))
        return context.get_dummy_value()

    return signature, codegen


def _elementwise(emit: Callable[[Any, Any, Any], Any]) -> Callable[..., Any]:
    """An operation on two vectors, or on a vector and a float32 that stands for all its lanes."""

    @intrinsic
    def operation(typingctx: Any, a: Any, b: Any) -> Any:
        vector = a if isinstance(a, Vector) else b

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            left, right = (
                value if isinstance(kind, Vector) else _splat(builder, value, vector.lanes)
                for kind, value in zip(signature.args, args, strict=True)
            )
            return emit(builder, left, right)

        operands = (kind if isinstance(kind, Vector) else types.float32 for kind in (a, b))
        return vector(*operands), codegen

    return operation


# "contract" lets a product and a sum become one instruction, rounded once.
_OPERATIONS: dict[Any, Any] = {
    operator.add: _elementwise(lambda builder, a, b: builder.fadd(a, b, flags=("contract",))),
    operator.sub: _elementwise(lambda builder, a, b: builder.fsub(a, b, flags=("contract",))),
    operator.mul: _elementwise(lambda builder, a, b: builder.fmul(a, b, flags=("contract",))),
    operator.truediv: _elementwise(lambda builder, a, b: builder.fdiv(a, b)),
    # 1 where it holds, else 0.
    operator.gt: _elementwise(lambda b, x, y: b.uitofp(b.fcmp_ordered(">", x, y), x.type)),
    min: _elementwise(lambda b, x, y: b.select(b.fcmp_ordered("<", x, y), x, y)),
    max: _elementwise(lambda b, x, y: b.select(b.fcmp_ordered(">", x, y), x, y)),
}


def _overload(python_operator: Any, operation: Any) -> None:
    @overload(python_operator)
    def _(a, b):
        kinds = [kind for kind in (a, b) if isinstance(kind, Vector)]
        scalars = [kind for kind in (a, b) if isinstance(kind, types.Float)]
        if kinds and len(kinds) + len(scalars) == 2 and kinds[0] == kinds[-1]:
            return depends_on(python_operator)(lambda a, b: operation(a, b))
        return None


for _python_operator, _operation in _OPERATIONS.items():
    _overload(_python_operator, _operation)


@dataclass(frozen=True)
class Tile(Known):
    """The plan of a block of sums that stays in registers.

        c[row, column, lane] = start + sum over k of a[k, row] * b[k, column, lane]

    Every axis is a tuple of nested `(count, stride, stride)`, strides in floats; `rows` times
    `columns` accumulators live at once, so that product is bounded by the machine's registers
    (32 on AVX-512) and `rows` and `columns` are unrolled, while `sums` become loops.

    Attributes:
        lanes: width of a vector, a power of two.
        sums: `(count, stride in a, stride in b)`, outermost first.
        rows: `(count, stride in a, stride in c)`: scalars, each broadcast to all lanes.
        columns: `(count, stride in b, stride in c)`: vectors.
        start: what the sums start from: `"zero"`, `"c"` (they are added to what is there), or
            `"vector"` (a bias, with the strides of c for columns).
    """

    lanes: int
    sums: tuple[tuple[int, int, int], ...]
    rows: tuple[tuple[int, int, int], ...] = ()
    columns: tuple[tuple[int, int, int], ...] = ()
    start: str = "zero"


def _offsets(axes: tuple[tuple[int, int, int], ...]) -> Iterator[tuple[int, int]]:
    """Both offsets of every step of nested axes."""
    for steps in product(*(range(count) for count, _, _ in axes)):
        yield (
            sum(step * axis[1] for step, axis in zip(steps, axes, strict=True)),
            sum(step * axis[2] for step, axis in zip(steps, axes, strict=True)),
        )


@intrinsic
def tile_product(
    typingctx: Any,
    tile_type: Any,
    c: Any,
    c_start: Any,
    a: Any,
    a_start: Any,
    b: Any,
    b_start: Any,
    start: Any,
    start_start: Any,
) -> Any:
    """Compute one block of sums by its `Tile`; each array comes with the index to start from."""
    tile = tile_type.value
    index = types.int64
    signature = types.void(tile_type, c, index, a, index, b, index, start, index)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        c_address, a_address, b_address, start_address = (
            _address(context, builder, signature.args[at], args[at], args[at + 1])
            for at in (1, 3, 5, 7)
        )
        vector_type = ir.VectorType(_FLOAT, tile.lanes)
        rows, columns = list(_offsets(tile.rows)), list(_offsets(tile.columns))

        def at(address: Any, offset: int) -> Any:
            return builder.gep(address, [_INDEX(offset)])

        accumulators = {}
        for (_, c_row), (_, c_column) in product(rows, columns):
            accumulator = cgutils.alloca_once(builder, vector_type)
            if tile.start == "zero":
                first = ir.Constant(vector_type, [0.0] * tile.lanes)
            elif tile.start == "c":
                first = _load(builder, at(c_address, c_row + c_column), tile.lanes)
            else:
                first = _load(builder, at(start_address, c_column), tile.lanes)
            builder.store(first, accumulator)
            accumulators[c_row, c_column] = accumulator

        def sum_over(axes: Any, a_pointer: Any, b_pointer: Any) -> None:
            if axes:
                (count, a_stride, b_stride), *inner = axes
                with cgutils.for_range(builder, _INDEX(count)) as loop:
                    sum_over(
                        inner,
                        builder.gep(a_pointer, [builder.mul(loop.index, _INDEX(a_stride))]),
                        builder.gep(b_pointer, [builder.mul(loop.index, _INDEX(b_stride))]),
                    )
                return
            vectors = [
                (c_column, _load(builder, at(b_pointer, b_column), tile.lanes))
                for b_column, c_column in columns
            ]
            for a_row, c_row in rows:
                scalar = _splat(builder, builder.load(at(a_pointer, a_row)), tile.lanes)
                for c_column, vector in vectors:
                    accumulator = accumulators[c_row, c_column]
                    summed = _multiply_add(builder, scalar, vector, builder.load(accumulator))
                    builder.store(summed, accumulator)

        sum_over(tile.sums, a_address, b_address)
        for (c_row, c_column), accumulator in accumulators.items():
            _store(builder, builder.load(accumulator), at(c_address, c_row + c_column))
        return context.get_dummy_value()

    return signature, codegen
