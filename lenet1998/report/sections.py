"""What a command comes to: a document of sections, which the renderers know how to show."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Conclusion:
    """One line of what is concluded, for the table at the top."""

    what: str  # was measured
    paper: str  # what the paper has; a dash where it has nothing
    here: str  # what we have
    verdict: str = ""  # in a word or two; empty where none is passed


@dataclass(frozen=True)
class Claim:
    """What was measured of a statement of the paper, which `evidence.facts.claims` has."""

    number: int
    measured: str  # with its uncertainty
    holds: str  # in a word or two


@dataclass(frozen=True)
class Table:
    """A table; the first column names the row."""

    caption: str  # above it; empty for none
    header: Sequence[str]  # the cells, as text
    rows: Sequence[Sequence[str]]
    spare: Sequence[str] = ()  # columns that a terminal of fewer than 100 columns may leave out

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.header):
                raise ValueError(f"expected {len(self.header)} cells in the row {row}")

    @classmethod
    def of(
        cls,
        caption: str,
        what: str,
        rows: Mapping[str, Any],
        columns: Mapping[str, Callable[[Any], str]],
        spare: Sequence[str] = (),
    ) -> Table:
        """A row for each item, by its name; `what` heads the names, and each column its cells."""
        cells = [(name, *(cell(item) for cell in columns.values())) for name, item in rows.items()]
        return cls(caption, (what, *columns), cells, spare)


@dataclass(frozen=True)
class Plot:
    """A picture."""

    name: str  # of its file, without `.png`
    figure: Figure  # 5 inches wide, to stay readable on a phone
    caption: str  # one or two sentences

    @cached_property
    def png(self) -> bytes:
        """Its file's content, the same bytes each time."""
        from lenet1998.report.plots import png

        return png(self.figure)


@dataclass(frozen=True)
class Section:
    """One question, and what is shown of the answer."""

    title: str = ""  # of the section; that of an experiment comes from the experiment
    text: Sequence[str] = ()  # paragraphs: what the paper says, what was measured, whether it holds
    tables: Sequence[Table] = ()
    plots: Sequence[Plot] = ()  # below the text
    code: str = ""  # below these, as it stands
    note: str = ""  # at the end, in small print
    conclusions: Sequence[Conclusion] = ()  # for the table at the top of the document
    claims: Sequence[Claim] = ()  # that it judges, for the table of all


@dataclass(frozen=True)
class Document:
    """A whole result."""

    title: str  # of the page
    sections: Sequence[Section]  # in their order
    warnings: Sequence[str] = ()  # what a reader must not miss
    text: Sequence[str] = ()  # at the beginning
    digits: str = ""  # the data set, where it is not the paper's: named above the conclusions
    beside: str = "1998"  # what the conclusions set ours beside

    @property
    def conclusions(self) -> list[Conclusion]:
        """Those of all sections."""
        return [line for section in self.sections for line in section.conclusions]

    @property
    def glance(self) -> Table | None:
        """The conclusions as a table; None where there are none."""
        if not self.conclusions:
            return None
        on_mnist, on_digits = (", on MNIST", f", on {self.digits}") if self.digits else ("", "")
        header = ["", f"{self.beside}{on_mnist}", f"here{on_digits}", "verdict"]
        rows = [list(astuple(line)) for line in self.conclusions]
        if not any(line.verdict for line in self.conclusions):
            header, *rows = (row[:3] for row in (header, *rows))
        return Table("", header, rows)

    @property
    def plots(self) -> Iterator[Plot]:
        """Those of all sections."""
        return (plot for section in self.sections for plot in section.plots)


@dataclass(frozen=True)
class Outcome:
    """What a command comes to."""

    values: Any  # what `--json` prints
    document: Document  # what is shown else
    page: str = ""  # where the document was written, if it was
    is_brief: bool = False  # whether the terminal shows its conclusions alone
