"""A document in the terminal: its text and its tables."""

from __future__ import annotations

import codecs
import sys
from io import TextIOWrapper
from textwrap import TextWrapper
from typing import TYPE_CHECKING, Any

from lenet1998.errors import in_one_line, visible

if TYPE_CHECKING:
    from rich.console import Console

    from lenet1998.report.sections import Outcome, Table

_ROOMY = 8  # columns, up to which there is room between them
_LONG = 30  # characters, above which words in a cell are text that may wrap
_PLAIN = {
    **{
        "✓": "=",
        "—": "-",
        "–": "-",
        "−": "-",
        "·": ".",
        "×": "x",
        "→": "->",
        "±": "+-",
        "√": "sqrt",
    },
    **{"μ": "mu", "µ": "u", "η": "eta", "°": " degrees"},
}  # for an output that has no such signs


def survive_any_encoding() -> None:
    """Let signs that standard output or error cannot take be written in plain letters."""
    codecs.register_error("plain", _in_plain_letters)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="plain")


def _in_plain_letters(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    signs = error.object[error.start : error.end]
    return "".join(_PLAIN.get(sign) or ascii(sign)[1:-1] for sign in signs), error.end


def console(*, stderr: bool = False) -> Console:
    """A terminal keeps its width; any other output has room for 100 columns.

    Of what it is given as text, a caption or a cell too, no control character comes through.
    """
    from rich.console import Console
    from rich.text import Text

    class Visible(Console):
        def render_str(self, text: str, **options: Any) -> Text:
            return super().render_str(visible(text), **options)

    shown = Visible(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not shown.is_terminal or shown.width < 1:  # COLUMNS=0
        shown.width = 100
    return shown


def show(outcome: Outcome, to: Console) -> None:
    """Print what a command came to: the conclusions and, unless it is brief, all sections."""
    document = outcome.document
    sections = () if outcome.is_brief else document.sections
    for line in (*document.warnings, *document.text):
        print_text(line, to)
    for section in sections:
        for line in section.text:
            print_text(line, to)
        for table in section.tables:
            _print_table(table, to)
    if document.glance is not None:
        _print_table(document.glance, to)
    if outcome.page:
        print_text(f"Page: {outcome.page}", to)


def print_text(text: str, to: Console) -> None:
    """Broken between words where a terminal shows it; words, such as names of files, stay whole."""
    text = in_one_line(text)
    words = TextWrapper(to.width, break_long_words=False, break_on_hyphens=False)
    for line in words.wrap(text) if to.is_terminal else [text]:
        to.print(line, soft_wrap=True)


def _print_table(table: Table, to: Console) -> None:
    from rich import box
    from rich.table import Table as Drawn

    spare = () if to.width >= 100 else table.spare
    rows = [[visible(cell) for cell in row] for row in table.rows]  # as wide as they are shown
    all_columns = zip(table.header, *rows, strict=True)
    columns = [column for column in all_columns if column[0] not in spare]
    are_long = [any(len(cell) > _LONG and " " in cell for cell in cells) for _, *cells in columns]
    widths = [
        _LONG if is_long else max(len(line) for cell in column for line in cell.split("\n"))
        for column, is_long in zip(columns, are_long, strict=True)
    ]
    gaps, room = len(columns) - 1, to.width - sum(widths)
    drawn = Drawn(
        title=table.caption or None,
        title_justify="left",
        box=box.HORIZONTALS,
        show_edge=False,
        pad_edge=False,
        padding=(0, int(len(columns) <= _ROOMY and room >= 3 * gaps)),
    )
    for place, ((head, *_), is_long) in enumerate(zip(columns, are_long, strict=True)):
        drawn.add_column(
            head,
            justify="left" if place == 0 or is_long else "right",
            # Without room for all a number would be cut off: better in two lines than in part.
            no_wrap=not is_long and room >= gaps,
            overflow="fold",
        )
    for row in zip(*(cells for _, *cells in columns), strict=True):
        drawn.add_row(*row)
    to.print(drawn)
    to.print()
