"""Vectors of float32 and the one register-blocked product that all layers' sums are made of.

Numba compiles loops over scalars and leaves it to LLVM whether they become vector code. The inner
sums of a convolution are too important for that: the partial sums must stay in registers while a
row of patches passes. This module says so explicitly, in LLVM's own portable vectors, which map to
AVX-512, AVX2 or NEON as the machine has them.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel.models import PrimitiveModel
from numba.extending import intrinsic, lower_builtin, register_model, type_callable

from lenet1998.kernels.known import Known

_FLOAT = ir.FloatType()
_INDEX = ir.IntType(64)
_UNALIGNED = 4  # bytes: rows of patches start at any float

_Axes = tuple[tuple[int, int, int], ...]


class Vector(types.Type):
    """`lanes` float32 values in one register (or a few, on a machine with narrower ones)."""

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        super().__init__(name=f"Vector({lanes})")


@register_model(Vector)
class _VectorModel(PrimitiveModel):
    def __init__(self, manager, fe_type: Vector) -> None:
        super().__init__(manager, fe_type, ir.VectorType(_FLOAT, fe_type.lanes))


def _address(context, builder, array_type, array, index):
    data = context.make_array(array_type)(context, builder, array).data
    return builder.gep(data, [index])


def _load(builder, address, lanes: int):
    pointer = builder.bitcast(address, ir.VectorType(_FLOAT, lanes).as_pointer())
    return builder.load(pointer, align=_UNALIGNED)


def _store(builder, vector, address) -> None:
    pointer = builder.bitcast(address, vector.type.as_pointer())
    builder.store(vector, pointer, align=_UNALIGNED)


def _shuffled(builder, lanes: Iterable[int], first, second=None):
    """These lanes, counted through both vectors."""
    mask = [*lanes]
    second = ir.Constant(first.type, ir.Undefined) if second is None else second
    mask_type = ir.VectorType(ir.IntType(32), len(mask))
    return builder.shuffle_vector(first, second, ir.Constant(mask_type, mask))


def _splat(builder, scalar, lanes: int):
    undefined = ir.Constant(ir.VectorType(_FLOAT, lanes), ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.IntType(32)(0))
    return _shuffled(builder, [0] * lanes, first)


def _multiply_add(builder, a, b, c):
    kind, name = ir.FunctionType(a.type, [a.type] * 3), f"llvm.fmuladd.v{a.type.count}f32"
    function = cgutils.get_or_insert_function(builder.module, kind, name)
    return builder.call(function, [a, b, c])


@intrinsic(prefer_literal=True)
def load(typingctx, lanes, array, index):
    """`array[index : index + lanes]` as a vector; `lanes` is a constant."""
    vector = Vector(lanes.literal_value)

    def codegen(context, builder, signature, args):
        address = _address(context, builder, signature.args[1], args[1], args[2])
        return _load(builder, address, vector.lanes)

    return vector(lanes, array, types.int64), codegen


@intrinsic
def store(typingctx, vector, array, index):
    """Write a vector to `array[index : index + lanes]`."""

    def codegen(context, builder, signature, args):
        _store(builder, args[0], _address(context, builder, signature.args[1], args[1], args[2]))
        return context.get_dummy_value()

    return types.void(vector, array, types.int64), codegen


@intrinsic(prefer_literal=True)
def splat(typingctx, lanes, scalar):
    """The same scalar in every lane; `lanes` is a constant."""
    vector = Vector(lanes.literal_value)

    def codegen(context, builder, signature, args):
        return _splat(builder, args[1], vector.lanes)

    return vector(lanes, types.float32), codegen


@intrinsic
def sum_lanes(typingctx, vector):
    """The sum of the lanes, added as a tree."""

    def codegen(context, builder, signature, args):
        (value,) = args
        count = value.type.count
        while count > 1:
            count //= 2
            low = _shuffled(builder, range(count), value)
            high = _shuffled(builder, range(count, 2 * count), value)
            value = builder.fadd(low, high)
        return builder.extract_element(value, ir.IntType(32)(0))

    return types.float32(vector), codegen


@intrinsic(prefer_literal=True)
def turned(typingctx, vector, count):
    """The lanes from `count` on, a constant, and then those before."""
    lanes = [(count.literal_value + lane) % vector.lanes for lane in range(vector.lanes)]

    def codegen(context, builder, signature, args):
        return _shuffled(builder, lanes, args[0])

    return vector(vector, count), codegen


@intrinsic(prefer_literal=True)
def repeated(typingctx, vector, count):
    """The first `count` lanes, a constant, over and over."""
    lanes = [lane % count.literal_value for lane in range(vector.lanes)]

    def codegen(context, builder, signature, args):
        return _shuffled(builder, lanes, args[0])

    return vector(vector, count), codegen


@intrinsic(prefer_literal=True)
def transpose(
    typingctx, lanes, rows, source, source_start, source_stride, target, target_start, target_stride
):
    """Write `rows` vectors of `lanes` floats as `lanes` vectors of `rows` floats and then zeros.

    `lanes` and `rows` <= `lanes` are constants. In registers, by shuffles: of rows half the lanes
    apart, halves change places; then quarters of rows half as far apart; and so on.
    """
    count, lane_count, index = rows.literal_value, lanes.literal_value, types.int64
    signature = types.void(lanes, rows, source, index, index, target, index, index)

    def codegen(context, builder, signature, args):
        source_at = _address(context, builder, signature.args[2], args[2], args[3])
        target_at = _address(context, builder, signature.args[5], args[5], args[6])
        source_stride, target_stride = args[4], args[7]

        def row_address(start, stride, row: int):
            return builder.gep(start, [builder.mul(stride, _INDEX(row))])

        empty = ir.Constant(ir.VectorType(_FLOAT, lane_count), [0.0] * lane_count)
        matrix = [
            _load(builder, row_address(source_at, source_stride, row), lane_count)
            if row < count
            else empty
            for row in range(lane_count)
        ]
        every, distance = range(lane_count), lane_count // 2
        while distance:
            # Of a pair of rows, the upper takes the lanes without this bit, the lower those with.
            without = [i if not i & distance else lane_count + i - distance for i in every]
            with_bit = [i + distance if not i & distance else lane_count + i for i in every]
            for row in every:
                if not row & distance:
                    upper, lower = matrix[row], matrix[row + distance]
                    matrix[row] = _shuffled(builder, without, upper, lower)
                    matrix[row + distance] = _shuffled(builder, with_bit, upper, lower)
            distance //= 2
        for row, vector in enumerate(matrix):
            _store(builder, vector, row_address(target_at, target_stride, row))
        return context.get_dummy_value()

    return signature, codegen


def _elementwise(python_operator: Any, emit: Callable[[Any, Any, Any], Any]) -> None:
    """Let an operator take two vectors, or a vector and a float32 that stands for all its lanes.

    Typed and lowered by hand: each `overload` would be compiled as a function of its own first.
    """

    @type_callable(python_operator)
    def _(context):
        def typed(a, b):
            vectors = {kind for kind in (a, b) if isinstance(kind, Vector)}
            if len(vectors) == 1 and all(isinstance(kind, Vector | types.Float) for kind in (a, b)):
                (vector,) = vectors
                return vector(*(kind if kind == vector else types.float32 for kind in (a, b)))
            return None

        return typed

    def codegen(context, builder, signature, args):
        lanes = signature.return_type.lanes
        left, right = (
            value if isinstance(kind, Vector) else _splat(builder, value, lanes)
            for kind, value in zip(signature.args, args, strict=True)
        )
        return emit(builder, left, right)

    for kinds in ((Vector, Vector), (Vector, types.Float), (types.Float, Vector)):
        lower_builtin(python_operator, *kinds)(codegen)


# "contract" lets a product and a sum become one instruction, rounded once.
_elementwise(operator.add, lambda builder, a, b: builder.fadd(a, b, flags=("contract",)))
_elementwise(operator.sub, lambda builder, a, b: builder.fsub(a, b, flags=("contract",)))
_elementwise(operator.mul, lambda builder, a, b: builder.fmul(a, b, flags=("contract",)))
_elementwise(operator.truediv, lambda builder, a, b: builder.fdiv(a, b))
# 1 where it holds, else 0.
_elementwise(operator.gt, lambda b, x, y: b.uitofp(b.fcmp_ordered(">", x, y), x.type))
_elementwise(min, lambda b, x, y: b.select(b.fcmp_ordered("<", x, y), x, y))
_elementwise(max, lambda b, x, y: b.select(b.fcmp_ordered(">", x, y), x, y))


@dataclass(frozen=True)
class Tile(Known):
    """The plan of a block of sums that stays in registers.

        c[row, column, lane] = start + sum over k of a[k, row] * b[k, column, lane]

    Every axis is a tuple of nested `(count, stride, stride)`, strides in floats; `rows` times
    `columns` accumulators live at once, so that product is bounded by the machine's registers
    (32 on AVX-512) and `rows` and `columns` are unrolled, while `sums` become loops.
    """

    lanes: int  # width of a vector, a power of two
    sums: _Axes  # (count, stride in a, stride in b), outermost first
    rows: _Axes  # (count, stride in a, stride in c): scalars, each broadcast to all lanes
    columns: _Axes  # (count, stride in b, stride in c): vectors
    # what is added to: "c", what is there, or "vector", a bias, with c's strides for columns
    start: str


def _offsets(axes: _Axes) -> Iterator[tuple[int, int]]:
    """Both offsets of every step of nested axes."""
    for steps in product(*(range(count) for count, _, _ in axes)):
        yield (
            sum(step * axis[1] for step, axis in zip(steps, axes, strict=True)),
            sum(step * axis[2] for step, axis in zip(steps, axes, strict=True)),
        )


@intrinsic
def tile_product(typingctx, tile_type, c, c_start, a, a_start, b, b_start, start, start_start):
    """Compute one block of sums by its `Tile`; each array comes with the index to start from."""
    tile = tile_type.value
    index = types.int64
    signature = types.void(tile_type, c, index, a, index, b, index, start, index)

    def codegen(context, builder, signature, args):
        c_address, a_address, b_address, start_address = (
            _address(context, builder, signature.args[at], args[at], args[at + 1])
            for at in (1, 3, 5, 7)
        )
        vector_type = ir.VectorType(_FLOAT, tile.lanes)
        rows, columns = list(_offsets(tile.rows)), list(_offsets(tile.columns))

        def at(address, offset: int):
            return builder.gep(address, [_INDEX(offset)])

        accumulators = {}
        for (_, c_row), (_, c_column) in product(rows, columns):
            accumulator = cgutils.alloca_once(builder, vector_type)
            from_c = tile.start == "c"
            first = at(c_address, c_row + c_column) if from_c else at(start_address, c_column)
            builder.store(_load(builder, first, tile.lanes), accumulator)
            accumulators[c_row, c_column] = accumulator

        def sum_over(axes, a_pointer, b_pointer) -> None:
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
