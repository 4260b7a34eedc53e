"""Values that the compiler knows: sizes and plans as part of a kernel's type."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from numba.core import types
from numba.core.datamodel.models import OpaqueModel
from numba.core.imputils import lower_constant
from numba.extending import overload, register_jitable, register_model, typeof_impl

_Function = TypeVar("_Function", bound=Callable[..., Any])

called_by_kernels = register_jitable(no_cfunc_wrapper=True)
"""Numba's `register_jitable`, without the wrapper for callers in C, which takes time to compile."""


class Known:
    """A value fixed when a kernel is compiled.

    A frozen dataclass that derives from this class can be passed to compiled code. Its Numba type
    carries the value itself, so an overload reads it in plain Python while it writes the kernel,
    every size in it is a constant to LLVM, and nothing of it is left at run time.
    """


class KnownType(types.Type):
    """The Numba type of one such value."""

    def __init__(self, value: Known) -> None:
        self.value = value
        super().__init__(name=f"Known({value!r})")


@typeof_impl.register(Known)
def _typeof(value: Known, context: Any) -> KnownType:
    return KnownType(value)


register_model(KnownType)(OpaqueModel)


@lower_constant(KnownType)
def _lower(context: Any, builder: Any, known_type: KnownType, value: Known) -> Any:
    return context.get_dummy_value()


def overload_for(operation: Callable[..., Any], kind: type) -> Callable[[_Function], _Function]:
    """Numba's `overload` where the first argument is of one kind of `Known`.

    What it decorates is given that value alone, and returns the function to compile.
    """

    def register(write: _Function) -> _Function:
        @overload(operation, strict=False, jit_options={"no_cfunc_wrapper": True})
        def of_kind(argument, *others):
            is_known = isinstance(argument, KnownType) and isinstance(argument.value, kind)
            return write(argument.value) if is_known else None

        return write

    return register


def operation_on(kind: type) -> Callable[[Callable[..., Any]], Callable[..., None]]:
    """Make an operation that one kind alone has of what `overload_for` takes to write it."""

    def made(write: Callable[..., Any]) -> Callable[..., None]:
        @wraps(write)
        def operation(*arguments):
            raise NotImplementedError("for compiled code only")

        overload_for(operation, kind)(write)
        return operation

    return made


def depends_on(*what: object) -> Callable[[_Function], _Function]:
    """Put what a function captures, as its `repr` says it, into its name before it is compiled.

    Numba names compiled code by the function, its arguments' types, and a count that starts anew in
    every process. Code that two processes have kept on disk may so come to share a name, and in a
    third that loads both one silently takes the other's place. What a `Known` argument says is in
    its type; what a function captures has to be said here.
    """
    digest = hashlib.sha256(repr(what).encode()).hexdigest()[:16]

    def renamed(function: _Function) -> _Function:
        function.__qualname__ += f"_{digest}"
        return function

    return renamed
