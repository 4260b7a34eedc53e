"""Fig. 10: rejection with known answers, and non-digits that are what they are said to be."""

import json
from dataclasses import replace

import msgspec
import pytest
import torch
from torch import Tensor

from lenet1998 import codes
from lenet1998.data import Dataset
from lenet1998.evidence import fig10
from lenet1998.evidence.fig10 import FIG10, RULES, Kind, Values, reject_doubtful, tell_apart
from lenet1998.evidence.non_digits import LOOK_ALIKES, drawn_characters, patterns
from lenet1998.learning import Run, preset
from lenet1998.measures.spread import Spread
from lenet1998.models import LeNet5Classic


@pytest.fixture
def digits() -> Dataset:
    labels = torch.arange(40) % 10
    images = torch.rand(40, 1, 32, 32)
    return Dataset("40 patterns", images, labels, images, labels)


def with_best(penalties: Tensor, gap: float = 1.0) -> Tensor:
    """Scores, `(1, N, 3)`, of these best penalties, the next of each above it by `gap`."""
    return -torch.stack([penalties + gap, penalties, penalties + 9], dim=-1).double()[None]


def measured(digits: Dataset, *nets: LeNet5Classic) -> Values:
    """Of networks that are the seeds of every recipe, by way of JSON."""
    runs = {
        recipe.name: [Run(net, recipe, "any", "fused", []) for net in nets]
        for recipe in FIG10.recipes
    }
    values = FIG10.measure(runs, digits)
    assert FIG10.read(json.loads(msgspec.json.encode(values))) == values
    return values


def test_certainty_by_each_rule() -> None:
    scores = -torch.tensor([[5.0, 2.0, 9.0], [1.0, 8.0, 1.5]])
    assert RULES["penalty"](scores).tolist() == [-2, -1]
    assert RULES["difference"](scores).tolist() == [3, 0.5]


def test_rejecting_until_few_enough_are_misread() -> None:
    # 1,000 digits; the ten least certain by the penalty are misread: 5 of 995 are 0.503 %.
    scores = with_best(torch.arange(1000) / 1024)  # exact, so that all gaps are alike
    doubtful = reject_doubtful(scores, torch.arange(1000)[None] < 990)
    assert doubtful.by_penalty_percent.values == (pytest.approx(0.6),)
    # By the difference all are alike, so all are rejected together or none.
    assert doubtful.by_difference_percent.values == (100,)


def test_what_is_left_when_the_doubtful_are_rejected() -> None:
    best = torch.linspace(0, 1, 1000)
    scores = -torch.stack([best, 3 - best, best + 9], dim=-1).double()[None]
    doubtful = reject_doubtful(scores, torch.arange(1000)[None] < 990)
    assert doubtful.by_difference_percent.values == (pytest.approx(0.6),)
    low, high = doubtful.interval_percent
    assert 0 <= low < 0.6 < high < 2
    assert (doubtful.digits_left, doubtful.errors_left) == (994, 4)
    low, high = doubtful.error_left_percent
    assert low < 0.4 < high
    (curve,) = doubtful.curves
    assert curve[0] == 1.0 and curve[2] == 0.0


def test_patterns_rejected_at_the_thresholds_that_keep_digits() -> None:
    known, strange = with_best(torch.arange(1000.0)), with_best(torch.tensor([0.5, 960, 995, 2000]))
    kind = tell_apart(known, strange, rubbish=-994)
    assert kind.count == 4
    # Digits with a smaller penalty than each pattern, and half of those with the same.
    area = pytest.approx((1 + 960.5 + 995.5 + 1000) / 4000, abs=1e-4)
    assert kind.means("95 % kept") == (75, 0)
    assert kind.means("99 % kept") == (50, 0)
    assert kind.means("area") == (area, 0.5)
    assert kind.rubbish_percent.values == (50,)


def test_equal_means_are_not_counted_as_more(digits: Dataset) -> None:
    ours = measured(digits, LeNet5Classic()).recipes["paper"]

    def told(penalty: list[float], difference: list[float]) -> str:
        by_rule = {
            "penalty": {"95 % kept": Spread.of(penalty)},
            "difference": {"95 % kept": Spread.of(difference)},
        }
        kinds = {kind: replace(ours.kinds[kind], by_rule=by_rule) for kind in ours.kinds}
        return replace(ours, kinds=kinds).more_by_penalty("95 % kept")

    # All but look-alikes and Fig. 3's digits.
    assert told([2 / 3, 1 / 3], [0.5, 0.5]) == "0 of 6"
    assert told([0.7, 0.4], [0.5, 0.5]) == "6 of 6"


def test_patterns_are_the_same_each_time(digits: Dataset) -> None:
    first = patterns(digits.test_images, digits.test_labels)
    second = patterns(digits.test_images, digits.test_labels)
    for kind, images in first.items():
        assert torch.equal(images, second[kind])
        assert images.dtype == torch.float32 and images.shape[1:] == (1, 32, 32)
        assert images.amin() >= -0.1001 and images.amax() <= 1.1751


def test_every_character_is_of_one_kind(digits: Dataset) -> None:
    kinds = patterns(digits.test_images, digits.test_labels)
    assert len(set(LOOK_ALIKES)) == len(LOOK_ALIKES)
    drawn = ("Fig. 3's digits", "letters", "signs", "look-alikes")
    assert sum(len(kinds[kind]) for kind in drawn) == len(codes.CHARACTERS) - 2
    assert torch.equal(kinds["Fig. 3's digits"], drawn_characters(codes.DIGITS))
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
    kinds = patterns(images, labels)
    halves, pairs = kinds["halves of two digits"], kinds["pairs of digits"]
    above, below = halves[:, 0, 15, 0], halves[:, 0, 16, 0]
    assert len(above) and (above != below).all()
    torch.testing.assert_close(pairs[:, 0, 9, 3], above)
    torch.testing.assert_close(pairs[:, 0, 9, 28], below)
    torch.testing.assert_close(pairs[:, 0, 9, 12], torch.maximum(above, below))


@pytest.mark.parametrize("seeds", [1, 2])
def test_the_section_is_made_of_values_that_went_through_json(digits: Dataset, seeds: int) -> None:
    values = measured(digits, *(LeNet5Classic() for _ in range(seeds)))
    ours = values.recipes["paper"]
    assert ours.rubbish_limit == 2  # j = 1, half squared distances
    section = FIG10.present(values, digits)
    assert digits.name in section.text[0]
    # No others where it is not MNIST.
    assert not any(row[0].startswith("LeNet-4") for table in section.tables for row in table.rows)
    for table in section.tables:
        assert all(len(row) == len(table.header) for row in table.rows)
    rejected = [row[1] for row in section.tables[0].rows]
    doubtful = [measured.doubtful for measured in values.recipes.values()]
    assert rejected == [of.by_difference_percent.mean_in_words() for of in doubtful]
    names = [plot.name for plot in section.plots]
    assert names == ["fig10", "fig10-non-digits", "fig10-kinds", "fig10-penalties"]
    of_kinds = {row[0]: row[1] for row in section.tables[1].rows}
    assert of_kinds.keys() >= ours.kinds.keys()
    letters = "{:.0f} / {:.0f}".format(*ours.kinds["letters"].means("95 % kept"))
    assert of_kinds["letters"] == letters
    assert f"in {ours.more_by_penalty('95 % kept')} kinds with 95 % kept" in section.text[-2]


def test_the_rubbish_class_wins_above_j_in_the_scale_of_training(digits: Dataset) -> None:
    net = LeNet5Classic(penalty_scale=0.25)
    with torch.no_grad():
        best, answers = net(digits.test_images).double().min(1)
    net.j = 0.25 * best.median().item() + 1e-4
    ours = measured(digits, net).recipes["paper"]
    assert ours.rubbish_limit == pytest.approx(4 * net.j)
    assert ours.penalty_quantiles["test digits"][2] == pytest.approx(
        best.quantile(0.5).item(), rel=1e-4
    )
    refused, right = best > ours.rubbish_limit, answers == digits.test_labels
    assert 0 < refused.sum() < len(refused)
    shares = (ours.right_refused_percent, right), (ours.misread_refused_percent, ~right)
    for share, among in shares:
        assert share.mean == pytest.approx(100 * refused[among].double().mean().item(), abs=1e-4)


def test_others_stand_beside_ours_on_mnist_and_no_lenet5(digits: Dataset) -> None:
    section = FIG10.present(
        measured(digits, LeNet5Classic()), replace(digits, name="MNIST", is_papers=True)
    )
    assert "not among its 9 classifiers" in section.text[0]
    rows = dict(section.tables[1].rows)
    assert len(rows) == 9 + 2 and rows["LeNet-4, 32x32"] == "1.8"
    ours = {name for name in rows if name.startswith("LeNet-5")}
    assert ours == {"LeNet-5, paper (here)", "LeNet-5, paper-distorted (here)"}


def test_codes_are_judged_by_pairs_of_seeds(digits: Dataset) -> None:
    values = measured(digits, *(LeNet5Classic() for _ in range(3)))

    def judged(sigmoids: list[float], distributed: list[float]) -> tuple[str, str]:
        def kinds(penalty: list[float]) -> dict[str, Kind]:
            spread = dict.fromkeys(("95 % kept", "99 % kept", "area"), Spread.of(penalty))
            kept = values.place_codes
            by_rule = dict.fromkeys(RULES, spread)
            return {kind: replace(kept[kind], by_rule=by_rule) for kind in kept}

        paper = replace(values.recipes["paper"], kinds=kinds(distributed))
        told = Values({**values.recipes, "paper": paper}, kinds(sigmoids))
        mnist = replace(digits, name="MNIST", is_papers=True)
        (claim,) = FIG10.present(told, mnist).claims
        return claim.holds, claim.measured

    holds, words = judged([50, 60, 70], [80, 91, 99])
    assert holds == "yes" and "in 6 of 6 kinds (fewer in 0) with 95 % kept" in words
    assert judged([80, 91, 99], [50, 60, 70])[0] == "no"
    assert judged([50, 60, 70], [60, 50, 71])[0] == "not shown"
    assert judged([50, 50, 50], [60, 60, 60])[0] == "yes"  # without any deviation
    assert FIG10.present(values, digits).claims == []


def test_place_codes_are_told_by_their_sigmoids(digits: Dataset) -> None:
    nets = [preset("paper", network="one-of-ten-codes", seed=seed).build() for seed in range(2)]
    runs = [Run(net, preset("paper"), "any", "fused", []) for net in nets]
    outputs = fig10._outputs(runs, digits.test_images)
    assert outputs.shape == (2, 40, 10)
    # What the penalties say of these outputs: 4 times as far apart.
    penalties = nets[1](digits.test_images)
    apart = (penalties[:, 0] - penalties[:, 1]).double()
    torch.testing.assert_close(apart, 4 * (outputs[1, :, 1] - outputs[1, :, 0]), atol=1e-4, rtol=0)
