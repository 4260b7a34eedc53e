"""Values that the compiler knows: sizes and plans as part of a kernel's type."""

from __future__ import annotations

from typing import Any

from numba.core import types
from numba.core.datamodel.models import OpaqueModel
from numba.core.imputils import lower_constant
from numba.extending import register_model, typeof_impl


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
