"""Documents and their renderers: the page, the terminal, Markdown and the plots."""

import base64
import io
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from matplotlib import rc_context
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image
from rich.console import Console

from lenet1998.catalogue import COMPARED
from lenet1998.report import html, markdown, plots, terminal
from lenet1998.report.sections import Conclusion, Document, Outcome, Plot, Section, Table

FEW = Table("Errors", ["network", "error"], [["LeNet-5", "0.95 %"], ["LeNet-4", "1.1 %"]])
WIDE = Table("", ["network", *("tutorial", "networks") * 2], [["LeNet-5", *"1234"]])
ERROR = Conclusion("test error", "0.95 %", "1.02 %")


def plot(name: str = "curve") -> Plot:
    figure, axes = plots.plot("The learning curve", "MNIST")
    axes.plot([1, 2, 3], [3, 2, 1], label="test")
    return Plot(name, figure, "What it shows.")


def sections(count: int) -> list[Section]:
    return [Section(f"Section {number}", text=["A line."]) for number in range(1, 1 + count)]


# Documents


def test_conclusions_and_plots_are_those_of_all_sections() -> None:
    other = replace(ERROR, what="training error")
    first, second = plot("first"), plot("second")
    document = Document(
        "Title",
        [
            Section(plots=[first], conclusions=[ERROR]),
            Section(),
            Section(plots=[second], conclusions=[other]),
        ],
    )
    assert document.conclusions == [ERROR, other]
    assert list(document.plots) == [first, second]


def test_no_conclusion_no_glance() -> None:
    assert Document("Title", sections(2)).glance is None


def glance(*conclusions: Conclusion, digits: str = "") -> Table:
    table = Document("Title", [Section(conclusions=conclusions)], digits=digits).glance
    assert table is not None
    return table


def test_glance_has_a_verdict_column_only_where_one_is_passed() -> None:
    assert glance(ERROR) == Table("", ["", "1998", "here"], [["test error", "0.95 %", "1.02 %"]])
    passed = replace(ERROR, verdict="holds")
    table = glance(ERROR, passed)
    assert table.header == ["", "1998", "here", "verdict"]
    assert [row[3] for row in table.rows] == ["", "holds"]


def test_glance_names_digits_that_are_not_the_papers() -> None:
    header = glance(ERROR, digits="UCI digits, not MNIST").header
    assert header == ["", "1998, on MNIST", "here, on UCI digits, not MNIST"]


def test_png_is_drawn_once() -> None:
    drawn = plot()
    assert drawn.png is drawn.png
    with Image.open(io.BytesIO(drawn.png)) as image:
        assert image.format == "PNG" and image.width == 800


# The page


class Elements(HTMLParser):
    """Every element of a page: its name, its attributes and the text right after its start."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None], str]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs), ""))

    def handle_data(self, data: str) -> None:
        if self.elements:
            tag, attributes, text = self.elements[-1]
            self.elements[-1] = (tag, attributes, text + data)

    def all(self, name: str) -> list[tuple[dict[str, str | None], str]]:
        return [(attrs, text.strip()) for tag, attrs, text in self.elements if tag == name]

    def texts(self, name: str) -> list[str]:
        return [text for _, text in self.all(name)]


def page(document: Document) -> Elements:
    return Elements(html.page(document))


def test_page_holds_all_of_a_document() -> None:
    section = Section(
        "A section",
        text=["First paragraph.", "Second paragraph."],
        tables=[FEW],
        plots=[plot()],
        code='{"seed": 0}',
        note="In small print.",
        conclusions=[ERROR],
    )
    shown = page(Document("The title", [section], warnings=["Beware."], text=["It begins."]))
    assert shown.texts("title") == shown.texts("h1") == ["The title"]
    assert shown.texts("h2") == ["At a glance", "A section"]
    assert shown.all("p") == [
        ({"class": "warning"}, "Beware."),
        ({}, "It begins."),
        ({}, "First paragraph."),
        ({}, "Second paragraph."),
        ({"class": "note"}, "In small print."),
    ]
    assert shown.texts("caption") == ["Errors"]
    assert shown.texts("th") == ["", "1998", "here", "network", "error"]
    glance_and_table = ["test error", "0.95 %", "1.02 %", "LeNet-5", "0.95 %", "LeNet-4", "1.1 %"]
    assert shown.texts("td") == glance_and_table
    assert shown.texts("pre") == ['{"seed": 0}']
    assert shown.texts("figcaption") == ["What it shows."]


def test_page_leaves_out_what_a_document_lacks() -> None:
    shown = page(Document("Title", [Section("A section")]))
    assert shown.texts("h2") == ["A section"]
    for name in ("p", "nav", "table", "figure", "pre"):
        assert shown.all(name) == []


def test_page_is_self_contained() -> None:
    document = Document("Title", [Section(plots=[drawn := plot()]), *sections(3)])
    text = html.page(document)
    ((image, _),) = Elements(text).all("img")
    kind, _, content = (image["src"] or "").partition(",")
    assert kind == "data:image/png;base64" and base64.b64decode(content) == drawn.png
    assert image["alt"] == "What it shows."
    assert not re.search(r"""(src|href)=["'](?!data:|#)|@import|url\(|<link|<script""", text)


def test_page_is_the_same_each_time() -> None:
    assert len({html.page(Document("Title", [Section(plots=[plot()])])) for _ in range(2)}) == 1


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_more_than_two_sections_have_contents_with_links(count: int) -> None:
    shown = page(Document("Title", sections(count)))
    ids = [attributes["id"] for attributes, _ in shown.all("section")]
    assert len(set(ids)) == count
    links = [(attributes["href"], text) for attributes, text in shown.all("a")]
    expected = [(f"#{id_}", f"Section {number}") for number, id_ in enumerate(ids, 1)]
    assert links == (expected if count > 2 else [])
    assert len(shown.all("nav")) == (count > 2)


def test_text_is_no_html() -> None:
    script = '<script>alert("&amp;")</script>'
    section = Section(
        script,
        text=[script],
        tables=[Table(script, [script, "a rather long head" * 3], [[script, script]])],
        plots=[Plot("plot", plot().figure, script)],
        code=script,
        note=script,
        conclusions=[Conclusion(*[script] * 4)],
    )
    document = Document(script, [section] * 3, [script], [script], digits=script)
    text = html.page(document)
    assert "<script" not in text
    shown = Elements(text)
    for name in ("title", "h1", "p", "td", "th", "caption", "figcaption", "pre", "a"):
        assert script in shown.texts(name), name
    assert {attributes["alt"] for attributes, _ in shown.all("img")} == {script}
    assert any(attributes["data-of"] == script for attributes, _ in shown.all("td"))


def test_wide_tables_are_stacked_and_every_cell_has_its_head() -> None:
    shown = page(Document("Title", [Section(tables=[FEW, WIDE])]))
    assert [attributes["class"] for attributes, _ in shown.all("table")] == ["", "stacked"]
    heads = [attributes["data-of"] for attributes, _ in shown.all("td")]
    assert heads == [*FEW.header * 2, *WIDE.header]


@pytest.mark.parametrize(
    ("header", "row", "is_wide"),
    [
        (["", "x"], ["a" * 20, "b" * 20], False),
        (["", "x"], ["a" * 20, "b" * 21], True),
        (["", "one two three four five six"], ["a" * 20, "b"], False),  # a head wraps at its spaces
        (["", "x" * 30], ["a" * 20, "b"], True),
    ],
)
def test_wide_is_what_a_phone_cannot_hold(
    header: Sequence[str], row: Sequence[str], is_wide: bool
) -> None:
    shown = page(Document("Title", [Section(tables=[Table("", header, [row])])]))
    assert shown.all("table")[0][0]["class"] == ("stacked" if is_wide else "")


def test_a_row_that_does_not_fit_its_header_is_refused() -> None:
    with pytest.raises(ValueError, match=r"cells in the row \['LeNet-5'\]"):
        replace(FEW, rows=[["LeNet-5"]])


# The terminal


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_any_output_takes_every_sign(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding))
    terminal.survive_any_encoding()
    table = Table("√", ["maps", "±"], [["6×28", "60,000 ✓"]])
    section = Section(text=["1 → 2 — μ", os.fsdecode(b"\xff.png"), "\u4e03"], tables=[table])
    terminal.show(Outcome(None, Document("", [section])), terminal.console())
    sys.stdout.flush()
    lines = raw.getvalue().decode(encoding)
    if encoding == "ascii":
        for line in ("1 -> 2 - mu\n", "\\udcff.png\n", "\\u4e03\n", "sqrt", "6x28", "60,000 ="):
            assert line in lines
    if encoding == "utf-8":
        for line in ("1 → 2 — μ\n", "\\udcff.png\n", "\u4e03\n", "√", "6×28", "60,000 ✓"):
            assert line in lines


def test_what_a_name_holds_is_shown_and_not_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    name = "a[/x][red]:smile:\x1b[2J\x07\r\n\u202e.png"
    table = Table("", ["name", "sign"], [[name, "✓"]])
    section = Section(text=[f"{name}: 7"], tables=[table])
    lines = printed(capsys, Document("", [section]))
    before, after = r"a[/x][red]:smile:\x1b[2J\x07\r", r"\u202e.png"
    assert lines[0] == rf"{before}\n{after}: 7"
    assert [line.split()[0] for line in lines[3:5]] == [before, after]  # a cell keeps its lines


def printed(
    capsys: pytest.CaptureFixture[str], document: Document, width: int = 100, **outcome: object
) -> list[str]:
    to = terminal.console()
    to.width = width
    terminal.show(Outcome(None, document, **outcome), to)  # type: ignore[arg-type]
    return capsys.readouterr().out.splitlines()


def test_terminal_shows_text_tables_conclusions_and_the_page(
    capsys: pytest.CaptureFixture[str],
) -> None:
    section = Section("A section", text=["The line."], tables=[FEW], conclusions=[ERROR])
    document = Document("Title", [section], warnings=["Beware."], text=["It begins."])
    lines = printed(capsys, document, page="run/report.html")
    text = "\n".join(lines)
    for earlier, later in zip(
        ("Beware.", "It begins.", "The line.", "Errors", "LeNet-5", "test error"),
        ("It begins.", "The line.", "Errors", "LeNet-5", "test error", "Page: run/report.html"),
        strict=True,
    ):
        assert 0 <= text.index(earlier) < text.index(later)
    brief = "\n".join(printed(capsys, document, is_brief=True))
    assert "Beware." in brief and "test error" in brief
    assert "The line." not in brief and "LeNet-5" not in brief and "Page" not in brief


def test_spare_columns_go_under_100_columns(capsys: pytest.CaptureFixture[str]) -> None:
    document = Document("Title", [Section(tables=[replace(FEW, spare=["error"])])])
    for width, has_errors in ((100, True), (99, False), (200, True)):
        text = "\n".join(printed(capsys, document, width))
        assert "LeNet-5" in text
        assert ("error" in text) is ("0.95 %" in text) is has_errors


def test_lines_stay_whole_and_long_cells_do_not(capsys: pytest.CaptureFixture[str]) -> None:
    long = "word " * 50 + "end"
    table = Table("", ["name", "what it says"], [["LeNet-5", long]])
    lines = printed(capsys, Document("Title", [Section(text=[long], tables=[table])]), 80)
    assert lines[0] == long
    assert max(map(len, lines[1:])) <= 80
    assert " ".join(lines[1:]).count("word") == 50


def test_a_terminal_breaks_lines_between_words_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Console, "is_terminal", True)
    path = "runs/" + 100 * "x"
    text = [f"{'word ' * 10}{path}", "  penalties  " + "7: 0.1  " * 5]
    lines = printed(capsys, Document("Title", [Section(text=text)]), 40)
    assert path in lines and max(len(line) for line in lines if line != path) <= 40
    assert " ".join(lines).split() == " ".join(text).split()
    assert any(line.startswith("  penalties  7: 0.1  7: 0.1") for line in lines)


@pytest.mark.parametrize("width", [24, 40, 60, 79, 80, 100])
@pytest.mark.parametrize(
    "words", ["convolution", "a whole sentence that says what there is to say"]
)
def test_no_part_of_a_cell_is_lost(
    capsys: pytest.CaptureFixture[str], width: int, words: str
) -> None:
    header = ["layer", "kind", *("trainable", "connections") * 3]
    table = Table("", header, [["c1", words, *("48,120", "340,908") * 3], ["total", *[""] * 7]])
    lines = printed(capsys, Document("Title", [Section(tables=[table])]), width)
    assert max(map(len, lines)) <= width
    shown = "".join(lines).replace("─", "").replace(" ", "")
    given = "".join(header + [cell for row in table.rows for cell in row]).replace(" ", "")
    assert sorted(shown) == sorted(given)


def test_a_long_name_stays_in_one_line_where_there_is_room(
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = "tutorial-resized-input-unflipped"
    table = Table("", ["name", *["error"] * 7], [[name, *["0.95 %"] * 7]])
    for width in (100, 85):
        lines = printed(capsys, Document("Title", [Section(tables=[table])]), width)
        assert any(line.startswith(name) and line.count("0.95 %") == 7 for line in lines)


@pytest.mark.parametrize("text", ["[/x]", "[bold]x[/bold]", ":smile:", "[red]", "\\[x]", "[1, 2]"])
def test_text_is_no_markup(capsys: pytest.CaptureFixture[str], text: str) -> None:
    table = Table(text, [text, "x"], [[text, "y"], ["z", text]])
    conclusion = Conclusion(text, text, text, text)
    section = Section(text=[text], tables=[table], conclusions=[conclusion])
    lines = printed(capsys, Document("Title", [section], [text], [text]), page=text)
    assert "\n".join(lines).count(text) == 3 + 4 + 4 + 1
    assert "\x1b" not in "".join(lines)


def test_where_there_is_no_terminal_tables_have_100_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert terminal.console().width == 100
    terminal.console(stderr=True).print("words")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "words\n")


def test_a_terminal_keeps_its_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr(Console, "is_terminal", True)
    assert terminal.console().width == 40


# Markdown


def test_markdown_table() -> None:
    assert markdown.table(FEW) == (
        "| network | error |\n| --- | --- |\n| LeNet-5 | 0.95 % |\n| LeNet-4 | 1.1 % |\n"
    )


def test_bars_and_line_breaks_do_not_end_a_markdown_cell() -> None:
    table = Table("", ["multiply-\nadds", "two\nlines"], [["|log q|", "1"]])
    assert markdown.table(table) == (
        "| multiply-adds | two lines |\n| --- | --- |\n| \\|log q\\| | 1 |\n"
    )


# Plots


def test_png_gives_the_same_bytes_each_time() -> None:
    figure = plot().figure
    assert plots.png(figure) == plots.png(figure) == plots.png(plot().figure)
    assert b"Software" not in plots.png(figure) and b"tIME" not in plots.png(figure)


def test_every_network_has_a_colour_and_a_marker_of_its_own() -> None:
    styles = [plots.style(place) for place in range(8)]
    assert len(COMPARED) <= len(styles)
    for part in ("color", "marker"):
        assert len({style[part] for style in styles}) == len(styles)
    assert plots.style(8) == plots.style(0)


def test_dots_draw_each_value_and_the_mean() -> None:
    figure, axes = plots.plot("Errors", "MNIST")
    rows = {"LeNet-5": [0.8, 1.0, 1.5], "LeNet-4": [1.1], "none": []}
    plots.dots(axes, rows, [plots.RED, plots.BLUE], chosen={"LeNet-4": 1.1})
    circles, means, full = {}, {}, {}
    for line in axes.lines:
        x, y = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
        if line.get_marker() == "None":
            means[y.mean().item()] = x.tolist()
        elif line.get_markerfacecolor() == "none":
            circles[len(circles)] = (x.tolist(), set(y.tolist()), to_hex(line.get_color()))
        else:
            full[y.item()] = x.item()
    assert circles == {
        0: ([0.8, 1.0, 1.5], {0}, plots.RED),
        1: ([1.1], {1}, plots.BLUE),
        2: ([], set(), plots.RED),
    }
    assert means == {0: pytest.approx([1.1, 1.1]), 1: pytest.approx([1.1, 1.1])}
    assert full == {1: 1.1}
    assert [label.get_text() for label in axes.get_yticklabels()] == list(rows)
    bottom, top = axes.get_ylim()
    assert bottom > 2 and top < 0  # the first row on top
    plots.png(figure)


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_band_is_the_mean_between_the_lowest_and_the_highest(seeds: int) -> None:
    _, axes = plots.plot("Errors", "MNIST")
    values = np.array([[3.0, 2.0], [1.0, 2.5], [2.0, 0.0]])[:seeds]
    plots.band(axes, [1, 2], values.tolist(), plots.GREEN, "test")
    (line,) = axes.lines
    assert np.asarray(line.get_ydata()) == pytest.approx(values.mean(0))
    assert len(axes.collections) == (seeds > 1)
    for area in axes.collections:
        corners = {tuple(corner) for corner in area.get_paths()[0].vertices.tolist()}
        assert {(1, 1), (1, 3), (2, 0), (2, 2.5)} <= corners


def test_titles_name_the_digits() -> None:
    short, _ = plots.plot("Errors", "MNIST")
    assert short.get_suptitle() == "Errors — MNIST"
    digits = "UCI digits, not MNIST, validation split of 300 training patterns"
    long, all_axes = plots.panels("Errors", digits, count=3, height=2)
    first, *others = long.get_suptitle().splitlines()
    assert first == "Errors" and " ".join(others) == digits and max(map(len, others)) <= 55
    assert len(all_axes) == 3
    assert long.get_size_inches().tolist() == pytest.approx([plots.WIDTH, 6.4])


def texts(figure: Figure) -> list[str]:
    return [text.get_text().strip() for text in figure.axes[0].texts]


def test_levels_have_their_words() -> None:
    figure, axes = plots.plot("Errors", "MNIST")
    plots.level(axes, 0.95, "1998")
    plots.level(axes, 20.0, "20 passes", upright=True)
    plots.level(axes, 0.8)
    across, up, bare = axes.lines
    assert set(across.get_ydata()) == {0.95} and set(bare.get_ydata()) == {0.8}
    assert set(up.get_xdata()) == {20.0}
    assert texts(figure) == ["1998", "20 passes"]


def test_logarithmic_percents_are_no_powers_of_ten() -> None:
    figure, axes = plots.plot("Errors", "MNIST")
    axes.plot([1, 2], [0.5, 20])
    plots.log_percent(axes.yaxis)
    figure.draw_without_rendering()
    assert axes.get_yscale() == "log" and axes.get_xscale() == "linear"
    labels = {label.get_text() for label in axes.get_yticklabels()}
    assert {"0.5", "1", "2", "5", "10", "20"} <= labels
    assert {label.get_text() for label in axes.get_yticklabels(minor=True)} <= {""}


def test_whole_passes_have_no_halves() -> None:
    figure, axes = plots.plot("Errors", "MNIST")
    axes.plot([1, 2, 3], [3, 2, 1])
    plots.whole_passes(axes)
    figure.draw_without_rendering()
    assert axes.get_xlabel() == "passes through the training set"
    assert all(float(place).is_integer() for place in axes.get_xticks())


def test_a_sheet_is_filled_whatever_layout_is_the_default() -> None:
    with rc_context({"figure.constrained_layout.use": True}):
        figure, axes = plots.sheet(height=50)
        figure.draw_without_rendering()
    assert axes.get_position().bounds == (0, 0, 1, 1)
    assert figure.get_size_inches().tolist() == [5, 2.5]


@pytest.mark.parametrize(("count", "columns"), [(0, 12), (1, 12), (13, 12), (9, 8)])
def test_a_sheet_holds_every_digit_with_its_note(count: int, columns: int) -> None:
    images = torch.full((count, 1, 32, 32), -0.1) + torch.arange(count).view(-1, 1, 1, 1) / 100
    notes = [f"{number}\nnote-{number}" for number in range(count)]
    figure = plots.digit_sheet("MNIST", "so many", images, notes, columns)
    axes = figure.axes[0]
    assert texts(figure) == ["MNIST", "so many", *(note.replace("-", "−") for note in notes)]
    drawn = [np.asarray(image.get_array()) for image in axes.images]
    assert len(drawn) == count and all(picture.shape == (28, 28) for picture in drawn)
    places = [image.get_extent()[0] for image in axes.images]
    assert len({round(place, 6) for place in places}) == min(count, columns)
    bottom, _ = axes.get_ylim()
    assert all(0 < x < 100 and 0 < y < bottom for x, y in map(Text.get_position, axes.texts[2:]))


# What is no sign


def test_no_control_character_reaches_terminal_page_or_markdown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    evil = "MNIST\x1b]0;x\x07\x9b31m\r\x7f\u202e"
    shown = Table(evil, [evil, evil], [[evil, evil]])
    conclusion = Conclusion(evil, evil, evil, evil)
    section = Section(evil, [evil], [shown], code=evil, note=evil, conclusions=[conclusion])
    document = Document(evil, [section] * 3, [evil], [evil], digits=evil, beside=evil)
    for to in (terminal.console(), terminal.console(stderr=True)):
        terminal.show(Outcome({}, document, page=evil), to)
        to.print(evil)
        to.print(evil, soft_wrap=True)
    pages = (*capsys.readouterr(), html.page(document), markdown.table(shown))
    for written in pages:
        assert r"MNIST\x1b]0;x\x07\x9b31m\r\x7f\u202e" in written.replace("\n", "")
        assert all(sign.isprintable() or sign == "\n" for sign in written)


def test_line_ends_and_rare_signs_stay() -> None:
    text = "two\nlines\tµ ±\u00a0–"
    page = html.page(Document("Title", [Section(code=text)]))
    assert text in page
