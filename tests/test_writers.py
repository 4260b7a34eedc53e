"""How sure an error is: draws of writers and seeds whose outcome is known, and the section."""

from dataclasses import replace

import msgspec
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lenet1998.data import Dataset
from lenet1998.evidence import writers as evidence
from lenet1998.evidence.writers import ALL, DISTORTED, PLAIN, WRITERS
from lenet1998.learning import Run, preset
from lenet1998.measures.writers import Resampled, error_percent, gain_points
from lenet1998.models import LeNet5Classic
from lenet1998.report.sections import Section


def drawn(seeds: int, digits: int, share: float, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(seeds, digits, generator=generator) < share


# Draws


@settings(max_examples=20)
@given(digits=st.integers(50, 400), misread=st.integers(1, 49))
def test_one_seed_and_a_writer_for_each_digit_is_the_binomial(digits: int, misread: int) -> None:
    wrong = (torch.arange(digits) < misread)[None]
    share = misread / digits
    found = error_percent(wrong, torch.arange(digits))
    assert found.mean == pytest.approx(100 * share, abs=1e-4)
    expected = 100 * (share * (1 - share) / digits) ** 0.5
    assert found.deviation == pytest.approx(expected, rel=0.05)
    assert found == error_percent(wrong, None)


def test_digits_of_one_hand_count_once() -> None:
    # 100 people write 10 digits each, and 20 of them are misread in all: 100 trials, not 1,000.
    found = error_percent((torch.arange(1000) < 200)[None], torch.arange(1000) // 10)
    assert found.deviation == pytest.approx(100 * (0.2 * 0.8 / 100) ** 0.5, rel=0.05)
    low, high = found.interval
    assert low == pytest.approx(12, abs=1) and high == pytest.approx(28, abs=1)
    assert found.p is None


@pytest.mark.parametrize("wrong", [[[True, False]], [[True] * 2, [False] * 2]])
def test_two_writers_or_two_seeds(wrong: list[list[bool]]) -> None:
    # A draw takes the misread one twice, once or never: 100, 50 or 0 %, in 1, 2, 1 of 4 cases.
    found = error_percent(torch.tensor(wrong), torch.arange(2))
    assert (found.mean, found.interval) == (50, (0, 100))
    assert found.deviation == pytest.approx(50 / 2**0.5, rel=0.05)


def test_writers_of_many_digits_weigh_more() -> None:
    # One of two people writes 3 of 4 digits, all misread: 0, 75 or 100 %.
    found = error_percent(torch.tensor([[True, True, True, False]]), torch.tensor([7, 7, 7, 2]))
    assert found.deviation == pytest.approx((((0 + 100**2) + 2 * 75**2) / 4 - 62.5**2) ** 0.5, 0.05)


def test_seeds_and_writers_that_are_alike_leave_nothing_to_chance() -> None:
    wrong = torch.tensor([True, False]).repeat(3, 10)
    assert error_percent(wrong, torch.arange(20) // 2) == Resampled(50, 0, (50, 50))
    assert gain_points(wrong, wrong, None) == Resampled(0, 0, (0, 0), p=1)


@settings(max_examples=20)
@given(seed=st.integers(0, 1000), of=st.sampled_from([None, 1, 7]))
def test_swapping_the_recipes_swaps_the_sign(seed: int, of: int | None) -> None:
    ours, others = drawn(3, 60, 0.2, seed), drawn(3, 60, 0.3, seed + 1)
    writers = None if of is None else torch.arange(60) // of
    gain, loss = gain_points(ours, others, writers), gain_points(others, ours, writers)
    assert (gain.mean, gain.deviation, gain.p) == (-loss.mean, loss.deviation, loss.p)
    assert gain.interval == pytest.approx((-loss.interval[1], -loss.interval[0]), abs=2e-4)


def test_pairing_takes_out_what_the_recipes_share() -> None:
    others = drawn(5, 2000, 0.1)
    ours = others.clone()
    ours[:, :40] = False  # a few less, of each seed
    writers = torch.arange(2000) // 5
    gain = gain_points(ours, others, writers)
    apart = (error_percent(of, writers).deviation ** 2 for of in (ours, others))
    assert gain.deviation < 0.5 * sum(apart) ** 0.5
    assert gain.interval[0] > 0 and gain.p is not None and gain.p < 0.01


def test_what_does_not_belong_together_is_refused() -> None:
    wrong = drawn(2, 5, 0.5)
    with pytest.raises(ValueError, match="a writer for each of 5 digits"):
        error_percent(wrong, torch.arange(4))
    with pytest.raises(ValueError, match="at least one of each"):
        error_percent(wrong[:0], None)
    with pytest.raises(ValueError, match="same seeds and digits"):
        gain_points(wrong, wrong[:1], None)


# The section


@pytest.fixture
def dataset() -> Dataset:
    """20 digits of 2 students and 30 of 3 employees, as MNIST has them in its order."""
    images, labels = torch.zeros(50, 1, 32, 32), torch.arange(50) % 10
    writers = torch.tensor([2100, 2101] * 10 + [0, 1, 2] * 10)
    kinds = {"is_papers": True, "test_writers": writers}
    return Dataset("MNIST", images, labels, images, labels, **kinds)


def presented(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> Section:
    """With a distorted recipe that misreads half of the students' and nothing else, by JSON."""
    students, half = torch.arange(50) < 20, torch.arange(50) % 4 < 2
    wrong = {PLAIN: students, DISTORTED: students & half}
    answers = iter([wrong[name] for name in (PLAIN, PLAIN, DISTORTED, DISTORTED)])
    count = len(dataset.test_labels)
    monkeypatch.setattr(evidence, "misread", lambda *_: next(answers)[:count])
    net = LeNet5Classic()
    runs = {name: [Run(net, preset(name), "", "", [])] * 2 for name in (PLAIN, DISTORTED)}
    values = WRITERS.measure(runs, dataset)
    held = WRITERS.read(msgspec.json.decode(msgspec.json.encode(values)))
    assert held == values
    section = WRITERS.present(held, dataset)
    for table in section.tables:
        assert all(len(row) == len(table.header) for row in table.rows)
    return section


def test_errors_by_series_and_the_claim(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    section = presented(dataset, monkeypatch)
    assert "first 20 test digits are high-school students'" in section.text[1]
    errors = {row[:2]: row[2] for row in section.tables[0].rows}
    assert errors == {
        ("all: 50 of 5 writers", PLAIN): "40.00 ± 0.00",
        ("all: 50 of 5 writers", DISTORTED): "20.00 ± 0.00",
        ("employees: 30 of 3 writers", PLAIN): "0.00 ± 0.00",
        ("employees: 30 of 3 writers", DISTORTED): "0.00 ± 0.00",
        ("students: 20 of 2 writers", PLAIN): "100.00 ± 0.00",
        ("students: 20 of 2 writers", DISTORTED): "50.00 ± 0.00",
    }
    (claim,) = section.claims
    assert (claim.number, claim.holds) == (16, "yes") and "2 seeds" in claim.measured
    assert [line.what.split(",")[0] for line in section.conclusions] == [
        "test error of paper",
        "test error of paper-distorted",
        "gain of distorted patterns",
    ]


def test_other_digits_judge_nothing(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    few = dataset.first(50, 20)  # students' alone
    unknown = replace(dataset, name="others", is_papers=False, test_writers=None)
    for other, groups in ((few, [ALL, "students"]), (unknown, [ALL])):
        section = presented(other, monkeypatch)
        assert not section.claims and not section.conclusions and other.name in section.text[1]
        assert [row[0].split(":")[0] for row in section.tables[1].rows] == groups
