"""Code that Numba compiles, kept on disk for the next process where that can be.

It is kept where Numba keeps its own: in `NUMBA_CACHE_DIR`, beside the sources, or in the user's
cache folder. Kept code is a convenience: without a place to write, or with a damaged file, it is
compiled in memory, and the work goes on.
"""

from __future__ import annotations

import hashlib
import logging
import pickle
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any

from numba import njit
from numba.core.caching import FunctionCache, NullCache
from numba.core.serialize import dumps

_log = logging.getLogger(__name__)
_SET = "set NUMBA_CACHE_DIR to a folder that can be written, with 10 MB free"


def compiled(function: Callable[..., Any]) -> Any:
    """Numba's `njit`, without Python's lock, of a function of a module; kept on disk if possible.

    That it compiles is told at level INFO, that it cannot keep the code at level WARNING, by the
    logger `lenet1998.compiled`.
    """
    dispatcher = njit(nogil=True)(function)
    try:
        dispatcher._cache = _Kept(function)
    except (RuntimeError, OSError):  # no folder can be written
        dispatcher._cache = _NotKept()
    return dispatcher


class _Kept(FunctionCache):
    """Numba's cache on disk, but that a fault of it is no fault of the program.

    Each entry has a checksum: damaged machine code would end the process.
    """

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        target_context.refresh()
        try:
            key = self._index_key(sig, target_context.codegen())
            entry = self._cache_file.load(key)
            if entry is not None:
                checksum, code = entry
                if checksum == self._checksum(key, code):
                    return self._impl.rebuild(target_context, pickle.loads(code))
        except Exception:  # damaged files fail in any way: as if there were none
            with suppress(OSError):
                self.flush()
        _tell("compiling, about 10 s, only once")
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        if not self._impl.check_cachable(data):
            return
        key, code = self._index_key(sig, data.codegen), dumps(self._impl.reduce(data))
        try:
            self._impl.locator.ensure_cache_path()
            self._cache_file.save(key, (self._checksum(key, code), code))
        except OSError as error:
            _log.warning("the compiled code is not kept (%s): %s", error, _SET)

    def _checksum(self, key: object, code: bytes) -> str:
        of = repr((key, self._impl.locator.get_source_stamp())).encode() + code
        return hashlib.sha256(of).hexdigest()


class _NotKept(NullCache):
    """No folder can be written."""

    def load_overload(self, sig: Any, target_context: Any) -> None:
        _tell(f"compiling, about 10 s, each time anew: {_SET}")


@cache  # once in a process
def _tell(text: str) -> None:
    _log.info(text)
