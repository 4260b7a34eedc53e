"""What a case is, how its end is judged, and how valid input is harmed."""

import json
import math
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

Rng: TypeAlias = np.random.Generator


@dataclass
class Case:
    """One input, what is done with it, and what may come of it."""

    what: str  # it is, for who reads of its failure
    act: Callable[[], Any]  # gives the answer
    named: str = ""  # a pattern for what the line of an error says of the input
    right: Callable[[Any], bool] = lambda answer: True  # whether an answer is right
    errors: tuple[type[Exception], ...] = (ValueError, TypeError)  # that may come instead
    seconds: int = 30  # after which it hangs


Way: TypeAlias = Callable[[Rng, Path], Case]
"""A way in: makes a case, with an empty folder for its files."""

FAILURES = ("wrong", "refused", "not one line", "unnamed", "traceback", "memory", "hang", "crash")
"""How no case may end. The others are "answer" and the documented errors by their type."""


def judge(case: Case) -> tuple[str, str]:
    """How the case ends, and what there is to say of it."""
    try:
        answer = case.act()
    except case.errors as error:
        line = str(error)
        if len(line.splitlines()) != 1:
            return "not one line", repr(line)
        if not re.search(case.named, line):
            return "unnamed", f"expected {case.named!r}: {line}"
        return type(error).__name__, line
    except MemoryError as error:
        return "memory", repr(error)
    except BaseException as error:
        return "traceback" if case.errors else "refused", f"{type(error).__name__}: {error}"
    return ("answer", "") if case.right(answer) else ("wrong", repr(answer)[:300])


def one_of(rng: Rng, choices: Any) -> Any:
    """One of these, as it is: NumPy's own `choice` makes an array of them first."""
    choices = list(choices)
    return choices[rng.integers(len(choices))]


EXTREME = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def harmed(content: bytes, rng: Rng, header: int = 64) -> bytes:
    """Bytes with one to six edits, half of them in the header."""
    edited = bytearray(content)
    for _ in range(rng.integers(1, 7)):
        reach = min(len(edited), header) if rng.random() < 0.5 else len(edited)
        at = int(rng.integers(reach + 1))
        length = int(rng.integers(1, 33))
        number = struct.pack(one_of(rng, "<>") + "Q", int(one_of(rng, EXTREME)))
        match rng.integers(7):
            case 0:
                edited[at : at + 1] = bytes(b ^ (1 << rng.integers(8)) for b in edited[at : at + 1])
            case 1:
                edited[at : at + 1] = rng.bytes(1)
            case 2:
                size = one_of(rng, (1, 2, 4, 8))
                edited[at : at + size] = number[-size:] if rng.random() < 0.5 else number[:size]
            case 3:
                del edited[at : at + length]
            case 4:
                edited[at:at] = rng.bytes(length)
            case 5:
                edited[at:at] = edited[at : at + length]
            case 6:
                del edited[at if rng.random() < 0.5 else -length :]
    return bytes(edited)


ODD_JSON: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 3, 2**31, 2**63, 2**64, 10**400, -0.0, 0.5, 1e-320, 1e308, -1e308,
    math.nan, math.inf, -math.inf, "", "x", "1", "paper", "\x1b[31m", "é☃", "a" * 5000, "\ud800",
    "two\nlines", [], [1], [[1, 0.1]], [[1]], [None], {}, {"a": 1}, [[]] * 3, ["0", "1"],
)  # fmt: skip
"""Values that may stand in JSON as Python reads it."""

ODD: tuple[Any, ...] = (
    *ODD_JSON, b"x", 1j, (), ((1, 0.1),), ((1, "x"),), ((1, math.nan),), object(), int, len, {1, 2},
    np.float32(0.5), np.int64(3), np.bool_(True), np.array([1, 2]), np.array(2.0), range(3),
)  # fmt: skip
"""Those, and some that only Python has."""


def harmed_json(value: Any, rng: Rng) -> Any:
    """A JSON value with one place in it changed, dropped or doubled, or another in its stead."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = one_of(rng, value)
        inner = harmed_json(value[key], rng) if rng.random() < 0.7 else one_of(rng, ODD_JSON)
        changed = {**value, key: inner}
        match rng.integers(8):
            case 0:
                del changed[key]
            case 1:
                changed[str(one_of(rng, ("x", "", f"{key}_", "\x1b", "é")))] = inner
        return changed
    if isinstance(value, list) and value and rng.random() < 0.9:
        at = int(rng.integers(len(value)))
        inner = one_of(rng, ([], [value[at]] * 2, [harmed_json(value[at], rng)]))
        return [*value[:at], *inner, *value[at + 1 :]]
    return one_of(rng, ODD_JSON)


def harmed_text(value: Any, rng: Rng) -> str:
    """A JSON value as text that is harmed: as a value, as text, or nested beyond all depth."""
    if rng.random() < 0.02:
        return "[" * 100_000
    text = json.dumps(harmed_json(value, rng) if rng.random() < 0.8 else value)
    if rng.random() < 0.2:
        return harmed(text.encode(), rng).decode("latin-1")
    return text
