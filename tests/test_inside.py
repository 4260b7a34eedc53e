"""What networks have learnt, where their centres go, and what a pass changes."""

from dataclasses import replace

import msgspec
import pytest
import torch
from torch import nn

from lenet1998.data import Dataset, load_digits_dataset
from lenet1998.evidence import centres, inside, pass_by_pass
from lenet1998.evidence.centres import CENTRES
from lenet1998.evidence.experiment import Experiment
from lenet1998.evidence.inside import AND, BETWEEN, BLUR, INSIDE, OR, STILL
from lenet1998.evidence.pass_by_pass import PASS_BY_PASS
from lenet1998.learning.presets import preset
from lenet1998.losses import map_loss, mle_loss
from lenet1998.measures.spread import Spread
from lenet1998.models.classic import LeNet5Classic
from lenet1998.models.variants import TrainableCentres
from lenet1998.runs.run import PassRecord, Run, train


@pytest.fixture(scope="module")
def digits() -> Dataset:
    """Called MNIST, so that all that is said of MNIST is said."""
    return replace(load_digits_dataset().first(150, 60), name="MNIST", is_papers=True)


def untrained(experiment: Experiment) -> dict[str, list[Run]]:
    """Two runs of each recipe that say they have learnt for two passes."""
    records = [PassRecord(number, 1e-4, 5.0, 0.1, 6.0 - number) for number in (1, 2)]
    seeded = [replace(recipe, seed=seed) for recipe in experiment.recipes for seed in (0, 1)]
    runs: dict[str, list[Run]] = {}
    for recipe in seeded:
        run = Run(recipe.build().eval(), recipe, "MNIST", "fused", list(records))
        runs.setdefault(recipe.name, []).append(run)
    return runs


@pytest.mark.parametrize(
    ("experiment", "claims"),
    [(INSIDE, {1, 2, 6, 28}), (CENTRES, {10, 12, 15}), (PASS_BY_PASS, {20})],
    ids=lambda value: getattr(value, "name", ""),
)
def test_sections_judge_their_claims_on_mnist_alone(experiment, claims, digits):
    values = experiment.measure(untrained(experiment), digits)
    assert experiment.read(msgspec.json.decode(msgspec.json.encode(values))) == values
    section = experiment.present(values, digits)
    assert {claim.number for claim in section.claims} == claims
    assert all(claim.holds and "(2 seeds)" in claim.measured for claim in section.claims) or (
        all("2 seeds" in claim.measured for claim in section.claims)
    )
    assert all(plot.png.startswith(b"\x89PNG") for plot in section.plots)
    other = experiment.present(values, replace(digits, name="others", is_papers=False))
    assert other.claims == [] and "not to be set against" in other.text[-1]


# Inside


def test_maps_shift_with_the_image_unless_a_place_counts(digits):
    net = LeNet5Classic().eval()
    assert inside.shift_deviation(net, digits.test_images[:5]) < 1e-6
    uneven = nn.Conv2d(1, 6, 5, padding=0)
    net.c1 = nn.Sequential(uneven, nn.Flatten(2), nn.Linear(28 * 28, 28 * 28))
    net.c1.append(nn.Unflatten(2, (28, 28)))
    assert inside.shift_deviation(net, digits.test_images[:5]) > 1e-3


@pytest.mark.parametrize(
    ("coefficient", "bias", "needed"),
    [(0.5, 1.5, 1), (0.5, 0.9, 2), (0.5, 0.0, 3), (0.5, -0.9, 3), (0.5, -1.5, 4), (-0.5, 1.5, 4)],
)
def test_a_regime_is_named_by_the_inputs_that_turn_a_unit_on(coefficient, bias, needed):
    sign = 1 if coefficient > 0 else -1
    on = [n for n in range(5) if sign * (coefficient * (2 * n - 4) + bias) > 0]
    assert on[0] == needed
    assert inside.regime(coefficient, bias) == {1: OR, 4: AND}.get(needed, BETWEEN)


def test_units_are_counted_by_the_range_of_their_activations():
    ramp = torch.linspace(-1, 1, 200).view(-1, 1, 1, 1)
    # Still, within the straight part, beyond it; outliers among the digits do not count.
    units = torch.cat([0.01 * ramp, 0.9 * ramp, 3 * ramp, 0.9 * ramp], dim=3)
    units[0, ..., 3] = 9.0
    maps = torch.cat([units, units], dim=1)
    shares = inside.unit_regimes(maps, torch.tensor([0.5, 0.5]), torch.tensor([1.5, -1.5]))
    assert shares == {STILL: 25, BLUR: 50, OR: 12.5, BETWEEN: 0, AND: 12.5}


def test_likeness_is_that_of_the_states_whatever_their_sign_and_level():
    one, other = torch.randn(2, 50, 1, 10, 10)
    alike = inside.likeness(torch.cat([one, 3 - 2 * one, other], dim=1))
    assert alike[0, 1] == pytest.approx(1) and alike[0, 0] == 0
    assert alike[0, 2] < 0.1


@pytest.mark.parametrize("bits", [8, 4])
def test_rounded_variables_have_so_many_bits(bits, digits):
    net = LeNet5Classic().eval()
    before = net.c5.weight.detach().clone()
    rounded = inside.coarse(net, bits, states_too=True)
    for name, parameter in rounded.named_parameters():
        exact = net.get_parameter(name)
        step = exact.abs().max() / (2 ** (bits - 1) - 1)
        assert (parameter - exact).abs().max() <= 0.51 * step, name
        assert len(parameter.unique()) < 2**bits
    assert len(inside.states(rounded, digits.test_images, "f6").unique()) < 2**bits
    assert torch.equal(net.c5.weight, before)


# Centres


def test_the_trivial_solution_has_no_loss_under_eq_8_and_one_under_eq_9(digits):
    net = TrainableCentres().eval()
    assert centres.distances(net).min() == pytest.approx(2 * 12**0.5)  # 12 bits: 6 and 8
    with torch.no_grad():
        penalties = centres.collapse(net)(digits.test_images)
    assert mle_loss(penalties, digits.test_labels) == 0
    assert map_loss(penalties, digits.test_labels) > 2
    assert centres.distances(net).min() > 6  # the network itself is left alone


# Pass by pass


def test_further_passes_are_those_of_a_longer_run_and_leave_it_alone(digits):
    recipe = preset("paper")
    run, longer = (train(recipe, digits, passes=passes) for passes in (1, 3))
    before = run.net.f6.weight.detach().clone()
    (second, third) = pass_by_pass._passes(run, digits, 2)
    assert (second.number, third.number) == (2, 3)
    flat = nn.utils.parameters_to_vector(longer.net.parameters())
    assert torch.equal(third.places[-1], flat) and torch.equal(third.places[0], second.places[-1])
    assert second.online_percent == longer.records[1].online_training_error_percent
    assert torch.equal(second.h_after, third.h_before)
    assert torch.equal(run.net.f6.weight, before) and len(run.records) == 1


@pytest.mark.parametrize(
    ("training", "holds"), [((1.9, 1.8), "yes"), ((2.1, 2.0), "yes"), ((2.6, 2.5), "no")]
)
def test_what_the_test_digits_leave_open_is_no_excess(training, holds):
    errors = pass_by_pass.Errors(Spread((4.1, 4.0)), Spread(training), Spread((2.0, 1.9)))
    values = pass_by_pass.Values({"1": errors}, {}, None)  # type: ignore[arg-type]
    assert pass_by_pass._claim(values, 10_000).holds == holds
