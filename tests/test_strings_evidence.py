"""The section on strings: the rivals of the space-displacement network, and what is measured."""

import msgspec
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lenet1998 import load
from lenet1998.data import Dataset
from lenet1998.data.field import BACKGROUND
from lenet1998.data.strings import StringsOf
from lenet1998.evidence import strings as section
from lenet1998.evidence.fig24 import FIG24, PLAIN_SHARED, SHARED, WINDOWS
from lenet1998.evidence.fig25 import FIG25, FIG26, SPELT
from lenet1998.evidence.segmenting import by_components, by_cuts, cuts
from lenet1998.evidence.strings import KINDS, STRINGS, SYSTEMS, edits


@given(st.text("ab", max_size=6), st.text("ab", max_size=6))
def test_edits_are_a_distance(one, other):
    assert edits(one, other) == edits(other, one)
    assert (edits(one, other) == 0) == (one == other)
    assert abs(len(one) - len(other)) <= edits(one, other) <= max(len(one), len(other))
    assert edits(one, one + "c") == 1 and edits("c" + one, one) == 1


def test_digits_that_stand_apart_are_read_by_their_ink(mnist: Dataset):
    net = load("lenet5-classic")
    apart = StringsOf(4, (6, 6)).draw(40, 0, mnist.test_images, mnist.test_labels)
    touching = StringsOf(4, (-3, -3)).draw(40, 0, mnist.test_images, mnist.test_labels)

    def right(read, strings):
        pairs = zip(strings.fields, strings.labels.tolist(), strict=True)
        return sum(read(net, field[0]) == labels for field, labels in pairs)

    assert right(by_components, apart) >= 30 and right(by_cuts, apart) >= 20
    assert right(by_components, touching) <= 10 < 10 + right(by_cuts, touching)
    empty = torch.full((32, 64), BACKGROUND)
    assert by_components(net, empty) == by_cuts(net, empty) == []


def test_cuts_lie_where_there_is_least_ink():
    ink = torch.zeros(32, 40)
    ink[6:26, 5:15] = ink[6:26, 18:30] = 1.0
    ink[15, 15:18] = 1.0
    assert cuts(ink)[0] == 5 and cuts(ink)[-1] == 30
    assert any(15 <= place <= 17 for place in cuts(ink))


def test_the_section_is_measured_and_shown(mnist: Dataset, monkeypatch: pytest.MonkeyPatch):
    few = mnist.first(100, 100)
    kinds = ("gap -3", "gap 0", "5 digits", "one hand", "noise")
    monkeypatch.setattr(section, "KINDS", {kind: KINDS[kind] for kind in kinds})
    monkeypatch.setattr(section, "GLOBAL", "lenet5-strings")
    monkeypatch.setattr(section, "_GAPS", (-3, 0))
    monkeypatch.setattr(section, "_DISTURBED", ("noise",))
    values = STRINGS.measure({}, few)
    assert set(values.read) == set(kinds) and values.count == 10
    usual = values.read["5 digits"]
    assert set(usual) == set(SYSTEMS)
    # With one network for both, global training is the Viterbi search.
    assert usual[section.TRAINED] == usual[section.VITERBI]
    assert usual[section.ALONE].characters > usual[section.VITERBI].characters
    assert values.spots > 1
    shown = STRINGS.present(STRINGS.read(msgspec.to_builtins(values)), few)
    assert len(shown.tables) == 2 and len(shown.plots) == 1 and not shown.claims
    assert {claim.number for claim in STRINGS.present(values, mnist).claims} == {34, 35, 36}


def test_along_a_field_shared_states_are_counted_once(mnist: Dataset):
    values = FIG24.measure({}, mnist)
    shared, windows = values.ways[SHARED], values.ways[WINDOWS]
    # By hand: C1 and S2 on 252 and 126 columns, C3 and S4 on 122 and 61, the others 57 times.
    below = 28 * 252 * 6 * 25 + 14 * 126 * 6 * 4 + 10 * 122 * 60 * 25 + 5 * 61 * 16 * 4
    assert shared.multiply_adds == below + 57 * (120 * 400 + 84 * 120 + 11 * 84)
    assert values.ways[PLAIN_SHARED].multiply_adds == shared.multiply_adds
    assert windows.multiply_adds % 57 == 0 and all(way.seconds > 0 for way in values.ways.values())
    (claim,) = FIG24.present(values, mnist).claims
    assert claim.number == 33 and "3.0 times fewer" in claim.measured


def test_a_string_is_shown_with_what_the_network_puts_out(mnist: Dataset):
    values = FIG25.measure({}, mnist)
    assert len(values.penalties) == 11 and len(values.states[0]) == 84
    assert len(values.penalties[0]) in (2 * len(values.states) - 1, 2 * len(values.states))
    for character, begin, end in values.spelt:
        columns = [[row[place] for row in values.penalties] for place in range(begin, end)]
        assert all(min(column[:10]) == column[int(character)] for column in columns)
    shown = FIG25.present(FIG25.read(msgspec.to_builtins(values)), mnist)
    assert shown.conclusions[0].here == "".join(one for one, *_ in values.spelt) == "2345"


def test_strings_like_those_of_the_paper_are_read_by_each_system(mnist: Dataset):
    values = FIG26.measure({}, mnist)
    assert all(set(of_kind) == set(SPELT) for of_kind in values.read.values())
    of_apart = values.read["apart"]
    assert all(of_apart[text][section.READ] == text for text in SPELT)
    (table,) = FIG26.present(FIG26.read(msgspec.to_builtins(values)), mnist).tables
    assert len(table.rows) == len(values.read) * len(SPELT)
