"""The README tells the truth."""

import json
import re
from importlib import resources
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest

from lenet1998.data import load_digits_dataset
from lenet1998.data import mnist as mnist_files
from lenet1998.evidence.choices import ALTERNATIVES
from lenet1998.evidence.today import packaged_errors
from lenet1998.learning import preset

REPOSITORY = Path(__file__).parents[1]
README = (REPOSITORY / "README.md").read_text()


@pytest.fixture(scope="module")
def curves():
    """Of all seeds: errors after each pass, by kind."""
    text = (resources.files("lenet1998") / "evidence" / "results.json").read_text()
    values = json.loads(text)["experiments"]["fig05"]["values"]
    return {kind: values[kind]["curves"] for kind in ("test", "online_training")}


@pytest.fixture
def printed(tmp_path, monkeypatch, capsys):
    """Runs a block of the README in an empty folder, without MNIST: what it prints."""
    monkeypatch.delenv("LENET1998_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(mnist_files, "user_cache_path", lambda name: tmp_path)

    def no_network(folder, of):
        raise OSError("no network in tests")

    monkeypatch.setattr(mnist_files, "_download", no_network)

    def run(block):
        exec(compile(block, "README.md", "exec"), {})
        return capsys.readouterr().out

    return run


def test_ten_lines_of_python_run(printed):
    out = printed(re.findall(r"```python\n(.*?)```", README, re.DOTALL)[0])
    assert "torch.Size([5, 10])" in out
    assert "torch.Size([1, 10, 1, 9])" in out


def test_ten_lines_on_own_arrays_run(printed):
    digits = load_digits_dataset().first(300, 1)
    values = (digits.training_images[:, 0, 2:30, 2:30] * 200 + 20).round().byte()
    np.save("images.npy", values.numpy())
    np.save("labels.npy", digits.training_labels.numpy())
    block = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[1].replace("=20", "=2")
    out = printed(block)
    assert re.search(r"\d+\.\d+ % misread\ntensor\(\[(\d(, )?){5}\]\)", out)
    assert Path("runs/mine/weights.safetensors").exists() and Path("runs/mine/metrics.csv").exists()


def test_first_three_seeds_reach_the_figures_of_1998(curves):
    test, training = (
        fmean(curve[19] for curve in curves[kind][:3]) for kind in ("test", "online_training")
    )
    assert 0.80 <= test <= 1.10
    assert 0.28 <= training <= 0.45


def test_errors_of_all_networks_are_those_of_their_seeds():
    for name, seeds in packaged_errors().items():
        errors = seeds.test_error_percent
        row = f"{fmean(errors):.2f} % ({min(errors):.2f}–{max(errors):.2f})"
        assert row in README.replace("\n", " "), name


def test_the_table_of_choices_states_the_recipe():
    recipe = preset("paper")
    assert f"within {recipe.init_bound:g}/√F" in README
    assert f"| {recipe.penalty_scale:g} times it |" in README
    fitted = preset("fitted")
    assert (fitted.penalty_scale, fitted.init_bound) == (0.5, 1)
    assert f"(half distances, bound 1, μ = {fitted.mu:g})" in README
    assert f"tries\n{len(ALTERNATIVES)} more readings" in README


def test_commands_in_the_readme_exist():
    from lenet1998 import cli

    verbs = {command.callback.__name__ for command in cli.app.registered_commands}
    named = set(re.findall(r"`(?:uv run )?lenet1998 (\w+)", " ".join(README.split())))
    assert named == verbs


@pytest.mark.parametrize("link", re.findall(r"\]\((?!http)([^)]+)\)", README))
def test_links_lead_somewhere(link):
    assert (REPOSITORY / link).exists()
