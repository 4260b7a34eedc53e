"""What the benchmarks print of their results, and that the others do the same work."""

import json

import pytest
import torch

from benchmarks import peers
from benchmarks.__main__ import HERE, best, rows
from lenet1998.data import load_digits_dataset
from lenet1998.learning import FusedTrainer, Recipe, initialise
from lenet1998.models import LeNet5Classic


def timing(microseconds: float, repeats: int = 7) -> dict[str, float]:
    return {"median_seconds": 1e-6 * microseconds, "spread_percent": 2.0, "repeats": repeats}


def test_each_way_to_read_is_held_to_fused_at_the_best_batch_of_each():
    reading = {
        "10": {"fused": timing(12), "eager": timing(80), "modern": timing(50)},
        "100": {"fused": timing(11), "eager": timing(55, repeats=3), "modern": timing(44)},
        "1000": {"fused": timing(10), "eager": timing(90), "modern": timing(70)},
    }
    assert best(reading, "eager") == ("100", reading["100"]["eager"])
    table = {what: cells for what, *cells in rows({"reading": reading})}
    ours = table["reading at its best batch, 100: eager PyTorch"]
    assert ours == ["55.0 µs", "5.5 × fused's best", "3", "2 %"]
    assert not any("onnxruntime" in what for what in table)


def test_every_row_of_the_kept_results_says_how_many_repeats():
    table = rows(json.loads((HERE / "results.json").read_text()))
    assert len(table) > 20
    assert all(repeats.isdigit() for what, *_, repeats, _ in table if what != "  of which all else")


def test_jax_makes_the_same_updates():
    pytest.importorskip("jax")
    digits, net, recipe = load_digits_dataset(), LeNet5Classic(), Recipe()
    initialise(net, recipe)
    images, labels = digits.training_images[:100], digits.training_labels[:100]
    h = FusedTrainer(net, recipe).estimate_curvature(images)
    (learn,) = peers.learners(net, recipe, h, images, labels).values()  # it holds them together
    weights, _ = learn(torch.arange(3), 1e-3)
    assert abs(weights["f6.bias"] - net.f6.bias.detach().numpy()).max() > 1e-4
