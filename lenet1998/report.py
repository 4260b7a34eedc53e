"""Self-contained HTML pages: text, tables and figures in one file, readable on a phone."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from textwrap import wrap
from typing import Any

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 Georgia, serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2 { line-height: 1.2; font-weight: normal; }
h2 { margin-top: 2.5rem; }
.note { opacity: .75; }
.warning { border: 2px solid #b5403a; padding: .5rem 1rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font: 14px/1.4 system-ui, sans-serif; }
th, td { padding: .3rem .8rem .3rem 0; text-align: right; border-bottom: 1px solid #8884; }
th:first-child, td:first-child, .words th, .words td { text-align: left; }
.words td { min-width: 5.5rem; vertical-align: top; }
caption { text-align: left; opacity: .75; padding: .5rem 0; }
figure { margin: 1.5rem 0; }
img { max-width: 100%; background: white; }
figcaption { font-size: 14px; opacity: .75; }
pre { overflow-x: auto; font-size: 13px; }
"""


def png(figure: Figure) -> bytes:
    """A figure as a PNG file's content, the same bytes each time."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=160, metadata={"Software": None})
    return content.getvalue()


def plain_axes(axes: Axes, **grid: Any) -> None:
    """The look of all plots: no frame above and at the right, a faint grid.

    Args:
        axes: with its plot.
        grid: which lines, as matplotlib's `Axes.grid` takes it.
    """
    axes.grid(alpha=0.25, **grid)
    axes.spines[["top", "right"]].set_visible(False)


def titled(what: str, dataset_name: str) -> str:
    """The title of a plot: what it shows, on which digits, in lines that five inches hold."""
    line = f"{what} — {dataset_name}"
    return line if len(line) <= 50 else "\n".join([what, *wrap(dataset_name, 55)])


def log_percent(axis: Axis) -> None:
    """Label a logarithmic axis 0.5, 1, 2, 5, ... and not with powers of ten."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())


class Page:
    """An HTML page, put together from the top down.

    Args:
        title: of the page, also its heading.
    """

    def __init__(self, title: str) -> None:
        self._title = escape(title)
        self._parts = [f"<h1>{self._title}</h1>"]

    def heading(self, text: str) -> None:
        """Begin a section."""
        self._parts.append(f"<h2>{escape(text)}</h2>")

    def text(self, text: str, kind: str = "") -> None:
        """A paragraph; `kind` is a style: `"note"` or `"warning"`."""
        self._parts.append(f'<p class="{escape(kind)}">{escape(text)}</p>')

    def code(self, text: str) -> None:
        """Text as it stands, in a fixed-width face."""
        self._parts.append(f"<pre>{escape(text)}</pre>")

    def table(
        self, header: Sequence[str], rows: Sequence[Sequence[str]], caption: str = ""
    ) -> None:
        """A table; the first column is text, the others numbers, or text if a cell is long."""
        is_words = any(len(cell) > 30 for row in rows for cell in row[1:])
        head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
        )
        self._parts.append(
            f'<div class="scroll"><table class="{"words" if is_words else ""}">'
            + (f"<caption>{escape(caption)}</caption>" if caption else "")
            + f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        )

    def figure(self, figure: Figure, caption: str) -> None:
        """A figure, embedded, with its caption."""
        self.picture(png(figure), caption)

    def picture(self, data: bytes, caption: str) -> None:
        """A PNG file's content, embedded, with its caption."""
        source = f"data:image/png;base64,{base64.b64encode(data).decode()}"
        self._parts.append(
            f'<figure><img alt="{escape(caption)}" src="{source}">'
            f"<figcaption>{escape(caption)}</figcaption></figure>"
        )

    def html(self) -> str:
        """The whole page."""
        body = "\n".join(self._parts)
        return (
            f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{self._title}</title>\n<style>{_STYLE}</style>\n</head>\n"
            f"<body>\n{body}\n</body>\n</html>\n"
        )
