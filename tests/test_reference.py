"""Against the authors' own later software: what it computed, and where it learnt to.

`reference_sample.json` carries a few hundred of the recorded numbers and says how they were made;
the full recording is checked where `$LENET1998_REFERENCE` or `../shared/reference` holds it. All of
it is in the authors' scale: half squared distances, eq. 9 with junk cost 1.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from lenet1998 import LeNet5Classic, codes
from lenet1998.data import Dataset
from lenet1998.layers import EuclideanRBF, Squash
from lenet1998.learning import FusedTrainer, Recipe, ReferenceTrainer, rule
from lenet1998.learning.online import OnlineTrainer, Seen
from lenet1998.losses import map_loss

JUNK_COST = 1.0

Recording = dict[str, Tensor]

RECIPE = Recipe(penalty_scale=0.5, loss="map", j=JUNK_COST)


class RulePage(OnlineTrainer):
    """`learning.rule` as it stands, with nothing around it."""

    def estimate_curvature(self, images: Tensor) -> dict[str, Tensor]:
        return rule.gauss_newton_diagonal(self.net, images)

    def set_curvature(self, diagonal: Mapping[str, Tensor]) -> None:
        self.h = diagonal

    def learn(self, images: Tensor, labels: Tensor, order: Tensor, eta: float) -> Seen:
        def update(gradient: Mapping[str, Tensor]) -> None:
            for name, w in self.net.named_parameters():
                rule.step(w, gradient[name], self.h[name], eta, self.recipe.mu)

        seen = rule.learn(self.net, images, labels, order, self.recipe, update)
        penalties, energies = zip(*seen, strict=True)
        return Seen(torch.cat(penalties), torch.stack(energies))


TRAINERS = pytest.mark.parametrize(
    "trainer_class", [RulePage, ReferenceTrainer, FusedTrainer], ids=["rule", "torch", "fused"]
)


def load(file: Path) -> Recording:
    with np.load(file) as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays.files}


def group(recording: Recording, prefix: str) -> dict[str, Tensor]:
    """The recorded tensors called `prefix/<parameter>`, by parameter."""
    start = f"{prefix}/"
    return {n.removeprefix(start): value for n, value in recording.items() if n.startswith(start)}


def network(parameters: dict[str, Tensor]) -> LeNet5Classic:
    net = LeNet5Classic()
    net.load_state_dict({**parameters, "output.centres": codes.centres()})
    return net


def relative_error(ours: dict[str, Tensor], recorded: dict[str, Tensor]) -> dict[str, float]:
    """Norm of the difference by norm of the recorded tensor, for each parameter."""
    assert set(ours) == set(recorded)
    return {n: ((ours[n] - r).norm() / r.norm()).item() for n, r in recorded.items()}


def close(ours: Tensor, recorded: Tensor, tolerance: float) -> bool:
    return torch.allclose(ours, recorded, rtol=tolerance, atol=tolerance)


# The carried sample


@pytest.fixture(scope="module")
def sample() -> dict[str, Any]:
    file = Path(__file__).with_name("reference_sample.json")
    recorded: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return recorded


@pytest.mark.parametrize("pattern", [0, 1])
def test_sample_from_the_state_of_f6_up_and_back(sample: dict[str, Any], pattern: int) -> None:
    recorded = {
        name: torch.tensor(value, dtype=torch.float64)
        for name, value in sample["patterns"][pattern].items()
    }
    label = recorded["label"].long().view(1)
    state = recorded["f6_state"].requires_grad_()
    penalty = 0.5 * EuclideanRBF(codes.centres(dtype=torch.float64))(state)
    energy = map_loss(penalty[None], label, sample["junk_cost"])
    (slope,) = torch.autograd.grad(energy, state)
    squash = Squash.derivative(state.detach())
    assert close(penalty, recorded["penalty"], 1e-5)
    assert close(energy, recorded["energy"], 1e-5)
    assert close(squash * slope, recorded["gradient"], 1e-4)
    assert close(squash.square(), recorded["second_derivative"], 1e-4)


def test_sample_of_energies_where_classes_compete(sample: dict[str, Any]) -> None:
    """Rubbish cheapest, the right class cheapest, a wrong one cheapest."""
    for update in sample["updates"]:
        penalty = torch.tensor([update["penalty"]], dtype=torch.float64)
        label = torch.tensor([update["label"]])
        for energy in (
            map_loss(penalty, label, sample["junk_cost"]),
            rule.loss(penalty, label, RECIPE),
        ):
            assert energy.item() == pytest.approx(update["energy"], rel=1e-5, abs=1e-5)


def test_sample_is_part_of_the_recording(sample: dict[str, Any], reference: Path) -> None:
    static, trajectory = (load(reference / f"lush_{n}.npz") for n in ("static", "trajectory"))
    arrays = {"gradient": "gradient/f6.bias", "second_derivative": "second_derivative/f6.bias"}
    for i, pattern in enumerate(sample["patterns"]):
        for name, values in pattern.items():
            assert np.allclose(static[arrays.get(name, name)][i], values, rtol=1e-6, atol=0)
    for update in sample["updates"]:
        for name in ("penalty", "energy"):
            recorded = trajectory[name][update["training_image"]]
            assert np.allclose(recorded, update[name], rtol=1e-6, atol=0)


# The full recording


@pytest.fixture(scope="module")
def static(reference: Path) -> Recording:
    return load(reference / "lush_static.npz")


@pytest.fixture(scope="module")
def trajectory(reference: Path) -> Recording:
    return load(reference / "lush_trajectory.npz")


def test_states_penalties_and_energies(static: Recording) -> None:
    net, images = network(group(static, "parameter")), static["image"].unsqueeze(1)
    penalties = 0.5 * net(images)
    assert static["junk_cost"] == JUNK_COST
    assert close(net.f6_state(images), static["f6_state"], 1e-4)
    assert close(penalties, static["penalty"], 1e-4)
    for penalty, label, energy in zip(
        penalties.split(1), static["label"].split(1), static["energy"], strict=True
    ):
        assert close(map_loss(penalty, label, JUNK_COST), energy, 1e-4)


def gradient_of_one_update(
    trainer_class: type[OnlineTrainer], net: LeNet5Classic, image: Tensor, label: Tensor
) -> dict[str, Tensor]:
    """An update of step 1 moves each parameter by its gradient."""
    before = {n: p.detach().clone() for n, p in net.named_parameters()}
    trainer = trainer_class(net, RECIPE)
    trainer.set_curvature({n: torch.zeros_like(p) for n, p in before.items()})
    trainer.learn(image, label, torch.tensor([0]), eta=RECIPE.mu)
    return {n: before[n] - p.detach() for n, p in net.named_parameters()}


@TRAINERS
@pytest.mark.parametrize("pattern", range(4))
def test_first_and_second_derivatives(
    static: Recording, pattern: int, trainer_class: type[OnlineTrainer]
) -> None:
    net, image = network(group(static, "parameter")), static["image"][pattern, None, None]
    label = static["label"][pattern, None]
    h = trainer_class(net, RECIPE).estimate_curvature(image)
    gradient = gradient_of_one_update(trainer_class, net, image, label)
    recorded_gradient = {n: r[pattern] for n, r in group(static, "gradient").items()}
    recorded_h = {n: r[pattern] for n, r in group(static, "second_derivative").items()}
    assert max(relative_error(gradient, recorded_gradient).values()) < 5e-4
    assert max(relative_error(h, recorded_h).values()) < 8e-4


@pytest.fixture(scope="module")
def seen(trajectory: Recording, mnist: Dataset) -> tuple[Tensor, Tensor]:
    """The images that the authors' software was trained on, and their labels."""
    first = int(trajectory["first_training_image"])
    patterns = slice(first, first + int(trajectory["steps"]))
    return mnist.training_images[patterns], mnist.training_labels[patterns]


@TRAINERS
def test_mean_curvature_and_400_updates(
    trajectory: Recording, seen: tuple[Tensor, Tensor], trainer_class: type[OnlineTrainer]
) -> None:
    start, end = group(trajectory, "initial_parameter"), group(trajectory, "final_parameter")
    net = network(start)
    trainer = trainer_class(net, replace(RECIPE, mu=trajectory["mu"].item()))
    h = trainer.estimate_curvature(seen[0])
    assert max(relative_error(h, group(trajectory, "mean_second_derivative")).values()) < 8e-4

    trainer.set_curvature(h)
    penalties, energies = trainer.learn(
        *seen, torch.arange(len(seen[0])), eta=trajectory["eta"].item()
    )
    assert close(penalties, trajectory["penalty"], 1e-3)
    assert close(energies, trajectory["energy"], 1e-3)
    missed = torch.cat([(net.get_parameter(n).detach() - p).flatten() for n, p in end.items()])
    moved = torch.cat([(p - start[n]).flatten() for n, p in end.items()])
    assert missed.norm() < 1e-3 * moved.norm()
