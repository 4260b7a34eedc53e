"""Fig. 8: overlaps, probabilities and answers that are known, and every section."""

import json
import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from lenet1998.data import Dataset
from lenet1998.evidence.fig08 import FIG08, PARTNER, draw_digits
from lenet1998.evidence.misreadings import (
    Misreading,
    among_seeds,
    beside_1998,
    by_difficulty,
    log10_probability,
    overlap_percent,
    paper_misreadings,
    rank_of_1998,
)
from lenet1998.learning import Run, preset
from lenet1998.models import LeNet5Classic

LABELS = torch.zeros(10, dtype=torch.int64)
ORIGINAL = (Misreading(0, 0, 1), Misreading(1, 0, 2), Misreading(9, 0, 3))


def answers(*seeds: dict[int, int]) -> Tensor:
    """Of ten digits 0, each seed misreads those of its dict."""
    rows = LABELS.repeat(len(seeds), 1)
    for row, misread in zip(rows, seeds, strict=True):
        for index, answer in misread.items():
            row[index] = answer
    return rows


THREE = answers({0: 1, 1: 7, 2: 5}, {0: 1, 1: 2, 3: 5, 4: 5}, {0: 8, 2: 5})


def test_what_seeds_misread_together() -> None:
    found = among_seeds(THREE, LABELS)
    assert found["misread"]["values"] == [3, 4, 2]
    assert found["every_seed"] == [0] and found["usual_answers"] == [1]
    assert found["pairs"]["shared"]["values"] == [2, 2, 1]
    # 2 of (3 + 4) / 2, 2 of (3 + 2) / 2, 1 of (4 + 2) / 2
    overlaps = [400 / 7, 80, 100 / 3]
    assert found["pairs"]["overlap_percent"]["values"] == pytest.approx(overlaps, abs=1e-4)
    a, b, c = overlaps
    assert found["pairs"]["mean_overlap_percent"]["values"] == pytest.approx(
        [(a + b) / 2, (a + c) / 2, (b + c) / 2], abs=1e-4
    )
    # Alike are digit 0 of the first pair and digit 2 of the second.
    assert found["pairs"]["same_answer_percent"] == 40


def test_one_seed_has_no_pair() -> None:
    assert among_seeds(THREE[:1], LABELS)["pairs"] is None
    assert beside_1998(THREE[:1], LABELS, ORIGINAL)["by_difficulty"] == []


def test_what_is_shared_with_1998() -> None:
    found = beside_1998(THREE, LABELS, ORIGINAL)
    assert found["shared"]["values"] == [2, 2, 1]
    assert found["chance"]["values"] == pytest.approx([0.9, 1.2, 0.6])
    assert found["chance_overlap_percent"] == pytest.approx(30)  # 0.9 of 3
    assert found["same_answer_percent"] == 60  # 1, 1 and 2 of five
    assert found["seeds_misreading"] == [3, 2, 0]
    assert found["usual_answers"] == [1, 7, 0]


def test_probabilities_are_those_of_counting() -> None:
    # Of 10 digits they misread 3 and we 4; sharing 2 or 3 of them:
    ways = math.comb(3, 2) * math.comb(7, 2) + math.comb(3, 3) * math.comb(7, 1)
    assert 10 ** log10_probability(2, 4, 3, 10) == pytest.approx(ways / math.comb(10, 4))
    assert log10_probability(0, 4, 3, 10) == pytest.approx(0)
    # Far below the least float.
    assert log10_probability(1000, 1000, 1000, 10_000) < -1000


def test_overlap_of_nothing_is_none() -> None:
    assert overlap_percent(torch.zeros(3).bool(), torch.zeros(3).bool()) == 0


def test_by_difficulty_leaves_each_seed_out_in_turn() -> None:
    wrong, then = THREE != LABELS, torch.zeros(10).bool()
    then[[0, 1, 9]] = True
    rows = {tuple(row["others"]): row for row in by_difficulty(wrong, then)}
    assert set(rows) == {(0, 0), (1, 1), (2, 2)}
    # All others misread digit 0, and each of its neighbours once digits 1 or 2.
    assert rows[2, 2]["digits"] == pytest.approx((1 + 2 + 2) / 3, abs=1e-4)
    assert sum(row["digits"] for row in rows.values()) == pytest.approx(10, abs=1e-3)
    assert sum(row["seed"] for row in rows.values()) == pytest.approx(3, abs=1e-3)
    assert sum(row["1998"] for row in rows.values()) == pytest.approx(3, abs=1e-3)


def test_each_place_among_the_seeds_is_as_likely_for_one_more_seed() -> None:
    # Means with all others: 55 and 40 % of the two seeds, 45 % of 1998.
    assert rank_of_1998([50, 50], [60, 30]) == 2
    wrong = torch.rand(4000, 4, 60) < 0.3
    places = [0] * 4
    for networks in wrong:
        *seeds, then = networks
        pairs = [[overlap_percent(one, other) for other in seeds] for one in seeds]
        own = [(sum(row) - row[k]) / 2 for k, row in enumerate(pairs)]
        places[rank_of_1998(own, [overlap_percent(one, then) for one in seeds]) - 1] += 1
    assert min(places) > 850 and max(places) < 1150  # five standard deviations around 1,000


def test_one_more_seed_is_as_likely_as_1998_to_misread_hard_digits() -> None:
    difficulty = torch.rand(20_000).pow(4)
    wrong = torch.rand(5, 20_000) < difficulty
    then = torch.rand(20_000) < difficulty
    for row in by_difficulty(wrong, then):
        assert row["1998"] == pytest.approx(row["seed"], rel=0.08)


def test_the_originals_digits(mnist: Dataset) -> None:
    original = paper_misreadings()
    assert len(original) == 82 and [one.index for one in original[:2]] == [247, 449]
    for one in original:
        assert one.label == int(mnist.test_labels[one.index]) != one.answer


def test_a_picture_holds_every_digit() -> None:
    figure = draw_digits(torch.zeros(9, 1, 32, 32), [f"{k}\nnote" for k in range(9)], "title")
    assert len(figure.axes[0].images) == 9
    assert [text.get_text() for text in figure.axes[0].texts][-1] == "title"


def untrained(seeds: int) -> dict[str, list[Run]]:
    runs = {}
    for recipe in FIG08.recipes:
        nets = [LeNet5Classic() for _ in range(seeds)]
        runs[recipe.name] = [Run(net, preset(recipe.name), "any", "fused", []) for net in nets]
    return runs


@pytest.mark.parametrize("seeds", [1, 2])
def test_other_digits_are_not_compared(seeds: int) -> None:
    labels = torch.arange(20) % 10
    images = torch.rand(20, 1, 32, 32)
    dataset = Dataset("MNIST, first 20 test digits", images, labels, images, labels)
    values = json.loads(json.dumps(FIG08.measure(untrained(seeds), dataset)))
    assert "with_1998" not in values["recipes"][PARTNER]
    section = FIG08.present(values, dataset)
    assert "nothing can be said of 1998" in section.text[0] and dataset.name in section.text[0]
    assert not any("1998" in cell for row in section.tables[0].rows for cell in row)


@pytest.mark.parametrize("seeds", [1, 2])
def test_the_section_is_made_of_measured_values(mnist: Dataset, seeds: int) -> None:
    original = paper_misreadings()
    # Networks that misread the digits of 1998, all but the first, and digit 0 besides.
    read = mnist.test_labels.clone()
    for one in original[1:]:
        read[one.index] = one.answer
    read[0] = (read[0] + 1) % 10
    stacked = read.repeat(seeds, 1)
    of_recipe = among_seeds(stacked, mnist.test_labels)
    of_recipe["with_1998"] = beside_1998(stacked, mnist.test_labels, original)
    values = {"digits": 10_000, "recipes": {one.name: of_recipe for one in FIG08.recipes}}
    section = FIG08.present(json.loads(json.dumps(values)), mnist)
    text = " ".join(section.text)
    assert "each misreads 82.0" in text and "81.0" in text
    assert "misreads 81, 81 of them usually with the answer of 1998, and no seed misreads 1" in text
    assert "nothing follows" in text or "a single seed can't show it" in text
    names = [picture.name for picture in section.pictures]
    assert names == ["fig08-overlap", "fig08-shared", "fig08-only-1998"]
    assert [len(picture.figure.axes[0].images) for picture in section.pictures[1:]] == [81, 1]
    for table in section.tables:
        assert all(len(row) == len(table.header) for row in table.rows)


def test_measured_on_another_name_stays_apart(mnist: Dataset) -> None:
    few = replace(
        mnist,
        name="MNIST, part",
        test_images=mnist.test_images[:50],
        test_labels=mnist.test_labels[:50],
    )
    values = FIG08.measure(untrained(1), few)
    assert values["digits"] == 50 and "with_1998" not in values["recipes"]["paper"]
