"""A document as one self-contained HTML page, readable on a phone."""

from __future__ import annotations

import base64
from functools import cache
from importlib import resources

from jinja2 import Environment, StrictUndefined, Template

from lenet1998.errors import visible
from lenet1998.report.sections import Document, Table

_NARROW = 44  # characters that a phone holds side by side, the columns' gaps taken off
_WORDY = 24  # characters in a cell, above which it is text: such a table is set from the left


def page(document: Document) -> str:
    """The whole page: text, tables and pictures in one file.

    A table that is too wide for a phone is shown there row by row, each cell with its head.
    """
    return _template().render(document=document)


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        finalize=lambda value: visible(value) if isinstance(value, str) else value,
    )
    environment.filters["base64"] = lambda data: base64.b64encode(data).decode()
    environment.tests["wide"] = _is_wide
    environment.tests["wordy"] = _is_wordy
    text = (resources.files("lenet1998.report") / "page.html.jinja").read_text()
    return environment.from_string(text)


def _is_wide(table: Table) -> bool:
    columns = zip(table.header, *table.rows, strict=True)
    words = ([*head.split(), *cells] for head, *cells in columns)
    return sum(2 + max(map(len, column), default=0) for column in words) > _NARROW


def _is_wordy(table: Table) -> bool:
    return any(len(cell) > _WORDY for _, *cells in table.rows for cell in cells)
