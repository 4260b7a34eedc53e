"""Fig. 10: rejection with known answers, and non-digits that are what they are said to be."""

import json
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from lenet1998 import codes
from lenet1998.data import Dataset
from lenet1998.evidence.fig10 import (
    FIG10,
    KEPT_PERCENT,
    certainty,
    of_kind,
    of_misread,
    paper_rejections,
)
from lenet1998.evidence.non_digits import LOOK_ALIKES, drawn_characters, non_digits
from lenet1998.learning import Run, preset
from lenet1998.models import LeNet5Classic


@pytest.fixture
def digits() -> Dataset:
    labels = torch.arange(40) % 10
    images = torch.rand(40, 1, 32, 32)
    return Dataset("40 patterns", images, labels, images, labels)


def with_best(best: Tensor, gap: float = 1.0) -> Tensor:
    """Penalties, `(1, N, 3)`, with these smallest ones and the next of each above it by `gap`."""
    return torch.stack([best + gap, best, best + 9], dim=-1).double()[None]


def test_certainty_by_each_rule() -> None:
    penalties = torch.tensor([[5.0, 2.0, 9.0], [1.0, 8.0, 1.5]])
    assert certainty(penalties, "penalty").tolist() == [-2, -1]
    assert certainty(penalties, "difference").tolist() == [3, 0.5]


def test_rejecting_until_few_enough_are_misread() -> None:
    # 1,000 digits; the ten least certain by the penalty are misread: 5 of 995 are 0.503 %.
    penalties = with_best(torch.arange(1000) / 1024)  # exact, so that all gaps are alike
    right = torch.arange(1000)[None] < 990
    found = of_misread(penalties, right)
    assert found["by_penalty_percent"]["values"] == [pytest.approx(0.6)]
    # By the difference all are alike, so all are rejected together or none.
    assert found["by_difference_percent"]["values"] == [100]


def test_what_is_left_when_the_doubtful_are_rejected() -> None:
    best = torch.linspace(0, 1, 1000)
    penalties = torch.stack([best, 3 - best, best + 9], dim=-1).double()[None]
    found = of_misread(penalties, torch.arange(1000)[None] < 990)
    assert found["by_difference_percent"]["values"] == [pytest.approx(0.6)]
    low, high = found["interval_percent"]
    assert 0 <= low < 0.6 < high < 2
    assert (found["digits_left"], found["errors_left"]) == (994, 4)
    low, high = found["error_left_percent"]
    assert low < 0.4 < high
    assert found["curve"]["mean"][0] == 1.0 and found["curve"]["mean"][2] == 0.0


def test_patterns_rejected_at_the_thresholds_that_keep_digits() -> None:
    known, strange = with_best(torch.arange(1000.0)), with_best(torch.tensor([0.5, 960, 995, 2000]))
    found = of_kind(known, strange, torch.tensor([994.0]))
    assert found["count"] == 4
    assert found["penalty"]["rejected_keeping_95_percent"]["mean"] == 75
    assert found["penalty"]["rejected_keeping_99_percent"]["mean"] == 50
    assert found["rubbish_percent"]["mean"] == 50
    # Digits with a smaller penalty than each pattern, and half of those with the same.
    expected = (1 + 960.5 + 995.5 + 1000) / 4000
    assert found["penalty"]["area"]["mean"] == pytest.approx(expected, abs=1e-4)
    assert found["difference"]["area"]["mean"] == 0.5
    assert found["difference"]["rejected_keeping_95_percent"]["mean"] == 0


def test_non_digits_are_the_same_each_time(digits: Dataset) -> None:
    first = non_digits(digits.test_images, digits.test_labels)
    second = non_digits(digits.test_images, digits.test_labels)
    for kind, images in first.items():
        assert torch.equal(images, second[kind])
        assert images.dtype == torch.float32 and images.shape[1:] == (1, 32, 32)
        assert images.amin() >= -0.1001 and images.amax() <= 1.1751


def test_every_character_is_of_one_kind(digits: Dataset) -> None:
    kinds = non_digits(digits.test_images, digits.test_labels)
    assert len(set(LOOK_ALIKES)) == len(LOOK_ALIKES)
    count = sum(len(kinds[kind]) for kind in ("letters", "signs", "look-alikes"))
    assert count == len(codes.CHARACTERS) - 2 - len(codes.DIGITS)
    alike = "".join(c for c in LOOK_ALIKES if c.isalpha())
    assert len(kinds["letters"]) == 52 - len(alike)


def test_characters_are_drawn_as_digits_are_normalised() -> None:
    images = drawn_characters("A4%")
    for image in images:
        rows, columns = (image[0] > -0.099).nonzero().unbind(1)
        assert rows.max() - rows.min() + 1 == 20
        assert columns.max() - columns.min() + 1 <= 20
    ink = images[:, 0] + 0.1
    places = torch.arange(32.0)
    centre = (ink.sum(1) * places).sum(1) / ink.sum((1, 2))
    torch.testing.assert_close(centre, torch.full((3,), 16.0), atol=0.51, rtol=0)


def test_halves_and_pairs_are_of_two_classes() -> None:
    labels = torch.arange(10)
    level = torch.linspace(0, 1, 10)
    images = level.view(10, 1, 1, 1).expand(10, 1, 32, 32)
    kinds = non_digits(images, labels)
    above, below = (
        kinds["halves of two digits"][:, 0, 15, 0],
        kinds["halves of two digits"][:, 0, 16, 0],
    )
    assert len(above) and (above != below).all()
    pairs = kinds["pairs of digits"]
    torch.testing.assert_close(pairs[:, 0, 9, 3], above)
    torch.testing.assert_close(pairs[:, 0, 9, 28], below)
    torch.testing.assert_close(pairs[:, 0, 9, 12], torch.maximum(above, below))


def test_fig10_has_no_lenet5() -> None:
    rejections = dict(paper_rejections())
    assert len(rejections) == 9 and rejections["LeNet-4, 32x32"] == 1.8
    assert not any(name.startswith("LeNet-5") for name in rejections)


@pytest.mark.parametrize("seeds", [1, 2])
def test_the_section_is_made_of_values_that_went_through_json(digits: Dataset, seeds: int) -> None:
    runs = {
        recipe.name: [
            Run(LeNet5Classic(), preset(recipe.name), "any", "fused", []) for _ in range(seeds)
        ]
        for recipe in FIG10.recipes
    }
    values = json.loads(json.dumps(FIG10.measure(runs, digits)))
    assert values["recipes"]["paper"]["rubbish"]["limit"] == 2  # j = 1, half squared distances
    section = FIG10.present(values, digits)
    assert digits.name in section.text[0]
    assert len(section.tables[0].rows) == len(FIG10.recipes)  # no others where it is not MNIST
    for table in section.tables:
        assert all(len(row) == len(table.header) for row in table.rows)
    assert [one.name for one in section.pictures] == [
        "fig10",
        "fig10-penalties",
        "fig10-non-digits",
    ]
    kinds = values["recipes"]["paper"]["kinds"]
    assert len(section.tables[1].rows) == len(kinds)
    letters = kinds["letters"]["penalty"][f"rejected_keeping_{KEPT_PERCENT[0]}_percent"]["mean"]
    assert any(f"letters {letters:.0f} %" in paragraph for paragraph in section.text)


def test_others_stand_beside_ours_on_mnist(digits: Dataset) -> None:
    runs = {
        recipe.name: [Run(LeNet5Classic(), preset(recipe.name), "any", "fused", [])]
        for recipe in FIG10.recipes
    }
    as_mnist = replace(digits, name="MNIST")
    section = FIG10.present(FIG10.measure(runs, digits), as_mnist)
    rows = dict(section.tables[0].rows)
    assert rows["LeNet-4, 32x32"] == "1.8" and "LeNet-5, paper (here)" in rows
