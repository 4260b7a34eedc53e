"""What can go wrong for reasons that a user can mend."""

import errno
from dataclasses import fields
from functools import cache
from typing import Any, get_type_hints

_REMEDIES = {
    **dict.fromkeys(("ENOSPC", "EDQUOT"), "free some space, or write to another disk"),
    **dict.fromkeys(("EACCES", "EPERM", "EROFS"), "give a place where you may read and write"),
    **dict.fromkeys(("ENOENT", "EISDIR", "ENAMETOOLONG", "ELOOP"), "give another name"),
    **dict.fromkeys(("EEXIST", "ENOTDIR"), "a file is where a folder must be; give another name"),
    **dict.fromkeys(("EMFILE", "ENFILE"), "close other files, or raise the limit (ulimit -n)"),
    "EFBIG": "raise the limit of a file's size (ulimit -f), or write to another disk",
    "EIO": "see whether the disk is in order",
}

_OBEYED = (
    *range(9),
    *range(11, 32),
    *range(127, 160),
    *range(0x202A, 0x202F),
    *range(0x2066, 0x206A),
)
_SPELT_OUT = {code: ascii(chr(code))[1:-1] for code in _OBEYED}
_IN_ONE_LINE = {ord(sign): ascii(sign)[1:-1] for sign in "\t\n\u2028\u2029"}


def visible(text: str) -> str:
    """Text with all spelt out that a terminal obeys and does not show, but tabs and line ends.

    The name of a file or of a data set may hold some, such as the escape that begins a command.
    """
    return text.translate(_SPELT_OUT)


def in_one_line(text: str) -> str:
    """`visible`, tabs and line ends too: a name may not forge another line."""
    return visible(text).translate(_IN_ONE_LINE)


@cache
def _types(kind: Any) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}


def settle_types(choices: Any, what: str) -> None:
    """Make the fields of a frozen dataclass what they are declared to be, such as float for int.

    Raises:
        ValueError: for one that cannot be that; it names the field, as one of `what`.
    """
    import msgspec  # it and NumPy are slow to import, and the command line imports this module
    import numpy as np

    def plain(value: Any) -> Any:  # a scalar of NumPy's has no place in JSON
        if isinstance(value, tuple | list):
            return tuple(map(plain, value))
        return value.item() if isinstance(value, np.generic) else value

    for name, kind in _types(choices.__class__).items():
        value = getattr(choices, name)
        try:
            held = msgspec.convert(plain(value), kind)
        except ValueError as error:  # msgspec's, or of text that UTF-8 cannot hold
            raise ValueError(f"{what}: {name}: {error}, got {value!r:.80}") from error
        object.__setattr__(choices, name, held)


class Failure(Exception):
    """The message is one line: what, where, and what to do. The command line shows it as it is."""


def in_words(error: OSError, file: object = None) -> str:
    """A system error as one line: the file (by default the error's own), what is wrong, what to do.

    An error that has words of its own, and no number, is left at these.
    """
    if error.errno is None:
        return str(error)
    file = file or error.filename or "standard input or output"
    reason = (error.strerror or errno.errorcode.get(error.errno, str(error.errno))).lower()
    remedy = _REMEDIES.get(errno.errorcode.get(error.errno, ""))
    return f"{file}: {reason}" + (f"; {remedy}" if remedy else "")
