"""The steps of the first pass: the equations that they give, and what meets them."""

import math
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lenet1998.data import Dataset, load_digits_dataset
from lenet1998.evidence import facts, first_steps
from lenet1998.evidence.first_steps import FIRST_STEPS, PAPER
from lenet1998.learning import Run, preset
from lenet1998.models import LeNet5Classic
from lenet1998.runs.run import PassRecord


@given(
    bound=st.floats(0.7, 2.3),
    largest=st.floats(0.5, 20),
    power=st.floats(3, 8),
    least=st.floats(5e-5, 1e-4),
    greatest=st.floats(0.01, 0.02),
)
def test_a_solution_gives_the_steps_it_was_solved_for(
    bound: float, largest: float, power: float, least: float, greatest: float
) -> None:
    smallest_h, largest_h = (PAPER.eta(1) / step - PAPER.mu for step in (greatest, least))
    ratio = np.log(largest_h / smallest_h)
    # Of a network whose least h falls with a power of the bound, met at `bound`.
    fall = power * (np.log(first_steps._BOUNDS) - math.log(bound))
    greatest_of_all = np.full_like(fall, math.log(largest))
    h = np.stack([greatest_of_all - ratio - fall, greatest_of_all], axis=1)
    ((solved, scale),) = first_steps._solutions(h, least, greatest)
    assert solved == pytest.approx(bound, abs=0.02)  # between two of the grid's bounds
    assert scale * largest == pytest.approx(largest_h)
    assert PAPER.eta(1) / (PAPER.mu + scale * largest) == pytest.approx(least)


def test_a_range_that_is_never_met_has_no_solution() -> None:
    h = np.stack([np.zeros(len(first_steps._BOUNDS)), np.ones(len(first_steps._BOUNDS))], axis=1)
    assert list(first_steps._solutions(h, *facts.FIRST_STEPS)) == []


def test_paper_meets_the_printed_range_and_what_was_fitted_does_not(
    mnist: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first_steps, "_SEEDS", range(6))
    fitted = first_steps._steps(preset("fitted"), mnist)
    # eta / mu is the greatest that there can be, less than half the printed one.
    assert max(fitted.greatest) < 5e-4 / 0.07 < facts.FIRST_STEPS[1] / 2
    assert not fitted.meet_the_printed
    paper = first_steps._steps(PAPER, mnist)
    assert paper.meet_the_printed
    for mean, end in zip(paper.means, facts.FIRST_STEPS, strict=True):
        assert mean == pytest.approx(end, rel=0.15)


def test_the_recipe_is_the_solution_for_half_the_bound(mnist: Dataset) -> None:
    few = [first_steps._few(replace(PAPER, seed=seed), mnist) for seed in first_steps._SEEDS]
    *_, reading = first_steps._readings(None, few)
    assert (PAPER.mu, PAPER.curvature_patterns, PAPER.coefficient) == (0.02, 500, None)
    assert PAPER.init_bound == pytest.approx(reading.bound, abs=0.01)
    assert PAPER.penalty_scale == pytest.approx(reading.scale, abs=0.01)


def test_section_names_what_is_met(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_steps, "_SEEDS", range(2))
    digits = replace(load_digits_dataset().first(600, 100), name="MNIST", is_papers=True)
    records = [PassRecord(number, 1e-4, 5.0 - number, 0.1, 6.0 - number) for number in (1, 2, 3)]
    runs = {
        recipe.name: [Run(LeNet5Classic(), recipe, "MNIST", "fused", records)]
        for recipe in FIRST_STEPS.recipes
    }
    values = FIRST_STEPS.measure(runs, digits)
    assert FIRST_STEPS.read(msgspec.json.decode(msgspec.json.encode(values))) == values
    section = FIRST_STEPS.present(values, digits)
    (line,) = section.conclusions
    assert line.paper == "7e-05 to 0.016" and line.verdict in ("met", "not met")
    assert [claim.number for claim in section.claims] == [17]
    printed = {row[0]: row for row in section.tables[3].rows}
    assert printed["trainable parameters, connections"][1:] == ("60,000, 340,908",) * 2 + ("met",)
    assert printed["μ"][3] == printed["rates"][3] == printed["passes"][3] == "met"
    assert printed["training and test patterns"][3] == ""  # 600 and 100 here
    assert "no bound" in printed["penalty (eq. 7)"][3]
    errors = section.tables[2]
    assert [row[0] for row in errors.rows] == ["1998", *(r.name for r in FIRST_STEPS.recipes)]
    assert errors.rows[1][1:] == ("4.00", "3.00", "2.00", "5.00", "4.00", "3.00")
    elsewhere = FIRST_STEPS.present(values, replace(digits, name="others", is_papers=False))
    assert {line.verdict for line in elsewhere.conclusions} == {""}
    assert "not to be set against the paper's" in elsewhere.text[-1]
