"""Tables in Markdown."""

from __future__ import annotations

from lenet1998.errors import visible
from lenet1998.report.sections import Table


def table(shown: Table) -> str:
    """A table's lines, its caption left out."""
    lines = (shown.header, ["---"] * len(shown.header), *shown.rows)
    return "".join(f"| {' | '.join(map(_cell, line))} |\n" for line in lines)


def _cell(text: str) -> str:
    # Either would end the cell.
    return visible(text).replace("|", r"\|").replace("-\n", "-").replace("\n", " ")
