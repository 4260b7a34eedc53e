"""Fig. 8: overlaps, probabilities and answers that are known, and every section."""

import math

import msgspec
import pytest
import torch
from torch import Tensor

from lenet1998.data import Dataset
from lenet1998.evidence.facts import misread_digits
from lenet1998.evidence.fig08 import FIG08, PARTNER, Seeds, Values
from lenet1998.learning import Run, preset
from lenet1998.measures.misread import (
    by_difficulty,
    log10_probability,
    overlap_percent,
    rank_among,
    same_answer_percent,
    usual_answer,
    wrong_answers,
)
from lenet1998.models import LeNet5Classic
from lenet1998.report.sections import Section

SEEDS = ({0: 1, 1: 7, 2: 5}, {0: 1, 1: 2, 3: 5, 4: 5}, {0: 8, 2: 5})
ORIGINAL = {0: 1, 1: 2, 9: 3}


def test_wrong_answers() -> None:
    labels = torch.zeros(10, dtype=torch.int64)
    answers = labels.clone()
    answers[[0, 1, 2]] = torch.tensor([1, 7, 5])
    assert wrong_answers(answers, labels) == SEEDS[0]
    assert wrong_answers(labels, labels) == {}


def test_what_seeds_misread_together() -> None:
    first = SEEDS[0]
    assert Seeds(SEEDS).misread.values == (3, 4, 2)
    assert Seeds(SEEDS).every == [0] and usual_answer(SEEDS, 0) == 1
    assert [usual_answer(SEEDS, index) for index in (1, 2, 9)] == [7, 5, None]
    # 2 of (3 + 4) / 2, 2 of (3 + 2) / 2, 1 of (4 + 2) / 2
    overlaps = [overlap_percent(*pair) for pair in Seeds(SEEDS).pairs]
    assert overlaps == pytest.approx([400 / 7, 80, 100 / 3])
    # Alike are digit 0 of the first pair and digit 2 of the second.
    assert same_answer_percent(Seeds(SEEDS).pairs) == pytest.approx(40)
    assert same_answer_percent([(first, {5: 1})]) is None
    assert Seeds(SEEDS[:1]).pairs == [] and by_difficulty(SEEDS[:1], ORIGINAL, 10) == []
    # 1, 1 and 2 of five
    assert same_answer_percent((seed, ORIGINAL) for seed in SEEDS) == pytest.approx(60)


def test_probabilities_are_those_of_counting() -> None:
    # Of 10 digits they misread 3 and we 4; sharing 2 or 3 of them:
    ways = math.comb(3, 2) * math.comb(7, 2) + math.comb(3, 3) * math.comb(7, 1)
    assert 10 ** log10_probability(2, 4, 3, 10) == pytest.approx(ways / math.comb(10, 4))
    assert log10_probability(0, 4, 3, 10) == pytest.approx(0)
    # Far below the least float.
    assert log10_probability(1000, 1000, 1000, 10_000) < -1000


def test_overlap_of_nothing_is_none() -> None:
    assert overlap_percent({}, {}) == 0


def test_by_difficulty_leaves_each_seed_out_in_turn() -> None:
    groups = {(group.low, group.high): group for group in by_difficulty(SEEDS, ORIGINAL, 10)}
    assert set(groups) == {(0, 0), (1, 1), (2, 2)}
    # All others misread digit 0, and each of its neighbours once digits 1 or 2.
    assert groups[2, 2].digits == pytest.approx((1 + 2 + 2) / 3)
    assert sum(group.digits for group in groups.values()) == pytest.approx(10)
    assert sum(group.by_seed for group in groups.values()) == pytest.approx(3)
    assert sum(group.by_other for group in groups.values()) == pytest.approx(3)


def drawn(probability: Tensor) -> dict[int, int]:
    """Digits misread with these probabilities."""
    return {int(index): 1 for index in (torch.rand(len(probability)) < probability).nonzero()}


def test_each_place_among_the_seeds_is_as_likely_for_one_more_seed() -> None:
    # Overlaps of 50 % between the two seeds, of 50 and 0 % with the other: 50, 25 and 25 % in mean.
    seeds = ({1: 1, 2: 1}, {1: 1, 3: 1})
    assert rank_among({2: 1, 4: 1}, seeds) == 3
    assert rank_among({1: 1, 2: 1, 3: 1}, seeds) == 1
    places = [0] * 4
    for _ in range(4000):
        network, *others = (drawn(torch.full((60,), 0.3)) for _ in range(4))
        places[rank_among(network, others) - 1] += 1
    assert min(places) > 850 and max(places) < 1150  # five standard deviations around 1,000


def test_one_more_seed_is_as_likely_as_1998_to_misread_hard_digits() -> None:
    difficulty = torch.rand(20_000).pow(4)
    *seeds, original = (drawn(difficulty) for _ in range(6))
    for group in by_difficulty(seeds, original, 20_000):
        assert group.by_other == pytest.approx(group.by_seed, rel=0.08)


def test_the_originals_digits(mnist: Dataset) -> None:
    original = misread_digits()
    assert len(original) == 82 and [digit.index for digit in original[:2]] == [247, 449]
    for digit in original:
        assert digit.label == int(mnist.test_labels[digit.index]) != digit.answer


def untrained(seeds: int) -> dict[str, list[Run]]:
    runs = {}
    for recipe in FIG08.recipes:
        nets = [LeNet5Classic() for _ in range(seeds)]
        runs[recipe.name] = [Run(net, preset(recipe.name), "any", "fused", []) for net in nets]
    return runs


def presented(values: Values, dataset: Dataset) -> Section:
    """By way of JSON."""
    held = FIG08.read(msgspec.json.decode(msgspec.json.encode(values)))
    assert held == values
    return FIG08.present(held, dataset)


@pytest.mark.parametrize("seeds", [1, 2])
def test_other_digits_are_not_compared(seeds: int) -> None:
    labels = torch.arange(20) % 10
    images = torch.rand(20, 1, 32, 32)
    dataset = Dataset("MNIST, first 20 test digits", images, labels, images, labels)
    values = FIG08.measure(untrained(seeds), dataset)
    section = presented(values, dataset)
    assert "nothing can be said of 1998" in section.text[0] and dataset.name in section.text[0]
    assert not any("1998" in cell for row in section.tables[0].rows for cell in row)
    assert section.conclusions == ()
    (sheet,) = section.plots
    axes = sheet.figure.axes[0]
    assert sheet.name == "fig08-every-seed"
    assert len(axes.images) == len(values.recipes[PARTNER].every)
    assert any(dataset.name in text.get_text() for text in axes.texts)


@pytest.mark.parametrize("seeds", [1, 2])
def test_the_section_is_made_of_measured_values(mnist: Dataset, seeds: int) -> None:
    original = misread_digits()
    # Networks that misread the digits of 1998, all but the first, and digit 0 besides.
    wrong = {0: 1} | {digit.index: digit.answer for digit in original[1:]}
    of_recipe = Seeds((wrong,) * seeds)
    section = presented(Values(10_000, {recipe.name: of_recipe for recipe in FIG08.recipes}), mnist)
    text = " ".join(section.text)
    cells = {row[0]: row[1] for row in section.tables[0].rows}
    assert cells["misread"].startswith("82.0") and cells["of these in 1998"].startswith("81.0")
    assert cells["same wrong answer as 1998"] == "100 %"
    assert "misreads 81, 81 of them usually with the answer of 1998, and no seed misreads 1" in text
    assert "nothing follows" in text or "a single seed can't show it" in text
    assert [plot.name for plot in section.plots] == [
        "fig08-overlap",
        "fig08-shared",
        "fig08-only-1998",
    ]
    sheets = [plot.figure.axes[0] for plot in section.plots[1:]]
    assert [len(axes.images) for axes in sheets] == [81, 1]
    notes = [[text.get_text() for text in axes.texts] for axes in sheets]
    first, second = original[:2]
    answers = f"{second.label}→{second.answer}→{second.answer}"
    assert f"{answers}\n{seeds} of {seeds}" in notes[0]
    assert f"{first.label}→{first.answer}→{first.label}" in notes[1]
    for table in section.tables:
        assert all(len(row) == len(table.header) for row in table.rows)
    conclusion, _ = section.conclusions
    assert conclusion.here == "81.0 (0.7 by chance)" and conclusion.verdict == "beyond chance"


def test_measured_on_another_name_stays_apart(mnist: Dataset) -> None:
    few = mnist.first(len(mnist.training_labels), 50)
    values = FIG08.measure(untrained(1), few)
    assert values.digits == 50
    assert "nothing can be said of 1998" in FIG08.present(values, few).text[0]
