"""`lenet1998 read`: the numbers in pictures."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from lenet1998.commands.predict import Drawings
from lenet1998.data import mnist
from lenet1998.errors import Failure
from lenet1998.models.saved import load, read_origin
from lenet1998.reading import number
from lenet1998.reading.grammar import Grammar, GrammarError, any_number, of_length, pattern, words
from lenet1998.reading.number import NumberRow
from lenet1998.report.sections import Document, Outcome, Section

_LARGEST = 2**22  # characters of a list of words


def grammar(
    matching: str | None = None, length: int | None = None, one_of: Path | None = None
) -> Grammar:
    """The grammar that the options ask for: any number where they ask for none.

    Raises:
        GrammarError: for more than one of them, or as `lenet1998.reading.grammar` has it.
        Failure: for a list of words that is no text.
        OSError: for one that can't be read.
    """
    if sum(option is not None for option in (matching, length, one_of)) > 1:
        raise GrammarError("expected one of a pattern, a length and a list of words")
    if matching is not None:
        return pattern(matching)
    if length is not None:
        return of_length(length)
    if one_of is None:
        return any_number()
    try:
        with one_of.open(encoding="utf-8") as file:
            text = file.read(_LARGEST + 1)  # what has no end, such as a device, is not read on
        if len(text) > _LARGEST:
            raise GrammarError(f"{one_of}: more than {_LARGEST:,} characters of words: give fewer")
        return words(text.splitlines())
    except UnicodeError as error:
        raise Failure(f"{one_of}: expected text in UTF-8, a word on each line") from error


def read(
    images: Sequence[Path],
    *,
    strings: Grammar | None = None,
    n_best: int = 1,
    weights: str | None = None,
    folder: Path | None = None,
    on_warning: Callable[[str], None] | None = None,
    on_read: Callable[[NumberRow], None] | None = None,
) -> Outcome:
    """Read the number in each picture; Ctrl-C ends it, and leaves what was read.

    Args:
        images: files; `-` is standard input.
        strings: which there are; any number by default.
        n_best: how many to give of each picture.
        weights: of the network that reads, as for `lenet1998.load`.
        folder: for pictures of what the network puts out along each, as in Fig. 25.
        on_warning: called with each warning, before anything is read.
        on_read: called with each reading as it comes.

    Raises:
        Failure: for a network that reads no numbers.
    """
    try:
        nets = number.default_networks() if weights is None else (number.checked(load(weights)),)
    except number.NoNumbersError as error:
        raise Failure(str(error)) from error
    draw = None if folder is None else Drawings(folder, "read")
    notes = [] if weights is None else read_origin(weights).unlike(mnist.NAME)
    if on_warning is not None:
        for note in notes:
            on_warning(note)
    rows: list[NumberRow] = []
    with suppress(KeyboardInterrupt), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of what it reads all the same
        for row, outputs in number.read_each(images, nets, grammar=strings, n_best=n_best):
            rows.append(row)
            if on_read is not None:
                on_read(row)
            if draw is not None and outputs is not None:
                from lenet1998.report.views import line_of_outputs  # Matplotlib is slow to import

                line = line_of_outputs(
                    outputs.field, outputs.states[::2], outputs.penalties, nets[0].characters,
                    outputs.spelt,
                )  # fmt: skip
                draw(row["image"], line)
    lines = [line for row in rows if row["error"] is None for line in in_words(row)]
    return Outcome(rows, Document("Numbers read", [Section(text=lines)], notes))


def in_words(row: NumberRow) -> Iterator[str]:
    """The number, how sure, where its digits are, what else it may be."""
    if row["text"] is None:
        yield f"{row['image']}: nothing to read"
        return
    yield f"{row['image']}: {row['text']} (probability {row['probability']:.1%})"
    yield "  digits  " + "  ".join(
        f"{one['digit']} at {one['x']:g} ({one['penalty']:.1f})" for one in row["digits"]
    )
    if row["alternatives"]:
        yield "  or  " + "  ".join(
            f"{one['text']} ({one['probability']:.1%})" for one in row["alternatives"]
        )
