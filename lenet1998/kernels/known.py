"""Values that the compiler knows: sizes and plans as part of a kernel's type."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, TypeVar

from numba.core import types
from numba.core.datamodel.models import OpaqueModel
from numba.core.imputils import lower_constant
from numba.extending import register_model, typeof_impl

_Function = TypeVar("_Function", bound=Callable[..., Any])


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


def known(argument: Any, kind: type) -> Any:
    """The value behind an overload's argument if it is a `Known` of that kind, else None."""
    value = argument.value if isinstance(argument, KnownType) else None
    return value if isinstance(value, kind) else None


def depends_on(*what: object) -> Callable[[_Function], _Function]:
    """Put what a function captures into its name, before it is compiled.

    Numba names compiled code by the function, its arguments' types, and a count that starts anew in
    every process. Code that two processes have kept on disk may so come to share a name, and in a
    third that loads both one silently takes the other's place. What a `Known` argument says is in
    its type; what a function captures has to be said here.

    Args:
        what: values whose `repr` says all of them.
    """
    digest = hashlib.sha256(repr(what).encode()).hexdigest()[:16]

    def renamed(function: _Function) -> _Function:
        function.__qualname__ += f"_{digest}"
        return function

    return renamed
