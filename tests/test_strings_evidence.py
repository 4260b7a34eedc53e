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
    assert values.spots > 1 and values.saving.shared > 0
    shown = STRINGS.present(STRINGS.read(msgspec.to_builtins(values)), few)
    assert len(shown.tables) == 2 and len(shown.plots) == 1 and not shown.claims
    assert {claim.number for claim in STRINGS.present(values, mnist).claims} == {33, 34, 35, 36}
