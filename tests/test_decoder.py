"""The decoder and its grammars, against all paths written out."""

import itertools
import re

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from lenet1998.codes import DIGITS
from lenet1998.reading import decoder
from lenet1998.reading.decoder import compose
from lenet1998.reading.grammar import GrammarError, any_number, of_length, pattern, words

CLASSES = "012"
GAP = 3


def collapsed(labelling):
    """What a labelling of the outputs spells, by the words of the character model."""
    return "".join(CLASSES[label] for label, _ in itertools.groupby(labelling) if label != GAP)


def by_hand(outputs, allowed):
    """The best score of each string that is allowed, and the sum over all of its labellings."""
    best, total = {}, {}
    for labelling in itertools.product(range(GAP + 1), repeat=len(outputs)):
        text = collapsed(labelling)
        if allowed(text):
            score = sum(outputs[at, label] for at, label in enumerate(labelling))
            best[text] = max(best.get(text, -np.inf), score)
            total[text] = np.logaddexp(total.get(text, -np.inf), score)
    return best, total


rows = st.integers(1, 5).flatmap(
    lambda count: st.lists(
        st.lists(st.floats(-9, 0), min_size=4, max_size=4), min_size=count, max_size=count
    ).map(np.array)
)
PATTERNS = ("[012]*", "0[12]+", "(01|1)?2", "[012]{2}", "0{1,2}1*", "(0|11)*", "")


@given(rows, st.sampled_from(PATTERNS))
@example(np.array([[0.0, 0.0, 0.0, -2e-313]]), "[012]*")
def test_the_best_strings_and_the_forward_score_are_those_of_all_paths(outputs, text):
    best, total = by_hand(outputs, re.compile(text).fullmatch)
    automaton = compose(pattern(text), CLASSES)
    found = automaton.best(outputs, 4)
    assert [path.score for path in found] == pytest.approx(sorted(best.values())[::-1][:4])
    assert len({path.text for path in found}) == len(found) == min(4, len(best))
    for path in found:
        assert path.score == pytest.approx(best[path.text])
        # Its spans give the same score: what they leave out are gaps.
        labels = np.full(len(outputs), GAP)
        for character, (first, end) in zip(path.text, path.spans, strict=True):
            labels[first:end] = CLASSES.index(character)
        assert outputs[np.arange(len(outputs)), labels].sum() == pytest.approx(path.score)
        assert collapsed(labels) == path.text
    whole = np.logaddexp.reduce([*total.values()]) if total else -np.inf
    assert automaton.total(outputs) == pytest.approx(whole)


@given(rows)
def test_one_string_alone_has_its_own_paths(outputs):
    _, total = by_hand(outputs, lambda text: True)
    for text in ("", "0", "00", "012", "0000"):
        expected = total.get(text, -np.inf)
        assert compose(pattern(text), CLASSES).total(outputs) == pytest.approx(expected)


@given(st.data())
def test_the_forward_criterion_is_what_learning_takes(data):
    from lenet1998.learning.strings import forward_loss

    count = data.draw(st.integers(1, 6))
    numbers = data.draw(st.lists(st.floats(-6, 6), min_size=4 * count, max_size=4 * count))
    outputs = torch.tensor(numbers, dtype=torch.float64).view(1, count, 4).log_softmax(-1)
    labels = data.draw(st.lists(st.integers(0, 2), min_size=1, max_size=3))
    text = "".join(CLASSES[label] for label in labels)
    row = outputs[0].numpy()
    of_all, of_right = (compose(pattern(one), CLASSES).total(row) for one in ("[012]*", text))
    expected = (of_all - of_right) / len(labels) if np.isfinite(of_right) else 0.0
    loss = forward_loss(outputs, torch.tensor([labels]))
    assert loss.item() == pytest.approx(expected, abs=1e-9)


@given(
    st.sampled_from(
        [r"\d{2}(-\d{3})?", "[0-2a]+|b", r"(ab?|\(c\))*", "a{2,}b{0,2}", "[-x]", r"\\?", "(a|)b"]
    ),
    st.text("0123ab-xc()\\", max_size=6),
)
def test_patterns_are_regular_expressions(text, string):
    assert accepts(pattern(text), string) == bool(re.fullmatch(text, string))


def accepts(grammar, string):
    if not string:
        return grammar.nothing
    places = {place for place in grammar.first if grammar.characters[place] == string[0]}
    for character in string[1:]:
        follow = frozenset().union(*(grammar.after[place] for place in places))
        places = {place for place in follow if grammar.characters[place] == character}
    return bool(places & grammar.last)


@given(st.lists(st.text("012", min_size=1, max_size=4), min_size=1, max_size=5), st.data())
def test_words_are_those_of_the_list(given_words, data):
    grammar = words(f" {word}\n" for word in [*given_words, ""])
    for word in given_words:
        assert accepts(grammar, word)
    other = data.draw(st.text("012", max_size=4))
    assert accepts(grammar, other) == (other in given_words)


def test_the_usual_grammars():
    assert accepts(any_number(), "") and accepts(any_number(), "0099")
    assert accepts(of_length(3), "123") and not accepts(of_length(3), "12")


@pytest.mark.parametrize(
    "text", ["(", ")", "(1", "[", "[]", "[^1]", "[2-1]", "*", "1{", "1{2", "1{x}", "1{3,2}", "\\w"]
)
def test_what_is_no_pattern_is_said_in_one_line(text):
    with pytest.raises(GrammarError, match=r"pattern '.*': did not expect .*; there are") as error:
        pattern(text)
    assert "\n" not in str(error.value)


def test_a_grammar_has_an_end():
    with pytest.raises(GrammarError, match="more than 200,000"):
        pattern(r"(\d{1000}){1000}")
    for bad in (lambda: of_length(0), lambda: words([" ", ""])):
        with pytest.raises(GrammarError, match="expected"):
            bad()


def test_what_the_network_has_no_class_for_looks_like_a_gap():
    outputs = np.full((3, 4), -9.0)
    outputs[[0, 1, 2], [1, GAP, 2]] = 0
    (path,) = compose(pattern("1-2"), CLASSES).best(outputs)
    assert (path.text, path.score, path.spans) == ("1-2", 0.0, ((0, 1), (1, 2), (2, 3)))


def test_many_outputs_alike_are_read_at_once():
    outputs = np.full((3000, 4), -1.0)
    assert len(compose(any_number("012"), CLASSES).best(outputs, 5)) == 5
    assert compose(any_number("012"), CLASSES).best(outputs[:0]) == []


def test_what_may_be_left_out_anywhere_does_not_multiply_the_search(monkeypatch):
    outputs = np.log(np.random.default_rng(0).dirichlet(np.full(11, 0.1), 400) + 1e-9)
    (plain,) = compose(any_number(), DIGITS).best(outputs)
    popped, pop = [], decoder.heappop
    monkeypatch.setattr(decoder, "heappop", lambda heap: popped.append(0) or pop(heap))
    (ours,) = compose(pattern(r"(\d-?)*"), DIGITS).best(outputs)
    assert ours.text.replace("-", "") == plain.text
    assert ours.score == pytest.approx(plain.score)
    assert len(popped) == len(outputs)  # each way with and without a hyphen is as good


@pytest.mark.parametrize("length", [10**6, 10**30])
def test_a_length_beyond_all_pictures_costs_no_memory(length):
    with pytest.raises(GrammarError, match="more than 200,000 characters have a place in it"):
        of_length(length)
