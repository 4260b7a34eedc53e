"""The comparison of 1998 with today: what it measures, and what it writes."""

import json
import sys
from dataclasses import replace

import pytest
import torch

from lenet1998 import certainty, cli, comparison
from lenet1998.comparison_page import write_comparison
from lenet1998.data import load_dataset
from lenet1998.data.disturbances import rotated, shifted, with_noise
from lenet1998.evaluation import evaluate
from lenet1998.evidence import comparison as pictures
from lenet1998.learning import RunError, seeds
from lenet1998.learning.seeds import CLASSIC, MODERN, SeedErrors
from lenet1998.models import registry

TUTORIAL = "tutorial-max-pooling"


@pytest.fixture(scope="module")
def digits():
    return load_dataset("digits")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Three networks, two seeds of each, after short trainings on the digits."""
    with pytest.MonkeyPatch.context() as patch:
        short = {
            name: (network, replace(recipe, epochs=2))
            for name, (network, recipe) in seeds.MINIBATCH.items()
        }
        patch.setattr(seeds, "MINIBATCH", short)
        folder = tmp_path_factory.mktemp("compare")
        lines = []
        runs = seeds.train_seeds(
            [CLASSIC, MODERN, TUTORIAL], [0, 1], "digits", folder, jobs=1, report=lines.append
        )
        yield folder, runs, lines


@pytest.fixture(scope="module")
def compared(trained, digits):
    return comparison.compare(comparison.of_runs(trained[1]), digits, disturbed_digits=100)


# Certainty


def test_fewest_digits_are_rejected_that_leave_the_target():
    certainty_ = torch.tensor([0.9, 0.8, 0.7, 0.6, 0.5])
    right = torch.tensor([True, True, False, True, True])
    assert certainty.rejected_percent(certainty_, right, 20) == 0
    assert certainty.rejected_percent(certainty_, right, 10) == 60
    assert certainty.rejected_percent(-certainty_, right, 10) == 60
    assert certainty.rejected_percent(certainty_, torch.zeros(5, dtype=torch.bool), 10) == 100


def test_digits_of_one_certainty_are_rejected_together():
    right = torch.tensor([True, True, True, False])
    assert certainty.rejected_percent(torch.ones(4), right, 10) == 100
    assert certainty.rejected_percent(torch.tensor([2.0, 1, 1, 1]), right, 10) == 75


def test_sure_answers_are_told_apart_by_probability():
    # In float64 the softmax of all three is 1 to the last bit.
    logits = torch.zeros(3, 10, dtype=torch.float64)
    logits[:, 4] = torch.tensor([50.0, 60, 40])
    result = certainty.rejection(logits, torch.tensor([True, True, False]))
    assert result.by_probability_percent == result.by_difference_percent == pytest.approx(100 / 3)


def test_rejection_curve_begins_with_the_error_of_all():
    logits = torch.randn(200, 10, dtype=torch.float64)
    right = torch.arange(200) % 4 != 0
    result = certainty.rejection(logits, right)
    assert result.error_percent[0] == 25
    best, second = logits.topk(2).values.unbind(1)
    kept = (best - second).sort(descending=True).indices[:180]
    assert certainty.REJECTED_PERCENT[-1] == 10
    assert result.error_percent[-1] == pytest.approx(100 * (~right[kept]).double().mean().item())


def _logits_of(probability):
    """Two classes, of which the first has this probability."""
    return torch.stack([probability, 1 - probability], dim=1).log()


def test_calibration_is_the_distance_of_probability_from_share_right():
    probability = torch.tensor([0.95] * 10 + [0.75] * 10, dtype=torch.float64)
    right = torch.tensor([True] * 8 + [False] * 2 + [True] * 9 + [False])
    result = certainty.calibrate(_logits_of(probability), right)
    assert result.expected_error_percent == pytest.approx(15)
    assert result.confidence_percent == pytest.approx(85)
    assert [count for count, _, _ in result.bins] == [10, 10]


def test_a_network_that_is_as_right_as_it_says_is_calibrated():
    probability = 0.5 + torch.rand(100_000, dtype=torch.float64) / 2
    right = torch.rand(100_000, dtype=torch.float64) < probability
    assert certainty.calibrate(_logits_of(probability), right).expected_error_percent < 0.5


# Disturbances


def test_noise_inverts_its_share_of_the_pixels(digits):
    images = digits.test_images
    noisy = with_noise(images, 0.1)
    changed = noisy != images
    # Grey levels in the middle (0.5375) are their own inverse, and rare.
    assert changed.double().mean().item() == pytest.approx(0.1, abs=0.005)
    assert torch.equal(noisy[changed], 1.175 - 0.1 - images[changed])
    assert torch.equal(with_noise(images, 0.0), images)
    assert torch.equal(with_noise(images, 0.1), noisy)


def test_shifts_go_right_down_left_and_up(digits):
    images = digits.test_images[:5]
    moved = shifted(images, 2)
    for index, (down, right) in enumerate(((0, 2), (2, 0), (0, -2), (-2, 0), (0, 2))):
        expected = images[index, 0].roll((down, right), (0, 1))  # its border is all background
        assert torch.equal(moved[index, 0], expected)
    gone = shifted(images, 32)
    assert torch.equal(gone, torch.full_like(images, -0.1))


def test_rotations_go_to_either_side_and_keep_the_levels(digits):
    images = digits.test_images[:2]
    assert torch.allclose(rotated(images, 0), images, atol=1e-6)
    quarter = rotated(images, 90)
    assert torch.allclose(quarter[0, 0], images[0, 0].rot90(1), atol=1e-4)
    assert torch.allclose(quarter[1, 0], images[1, 0].rot90(-1), atol=1e-4)
    turned = rotated(images, 30)
    assert turned.min() > -0.1001 and turned.max() < 1.1751
    assert (turned[:, :, 0, 0] == -0.1).all()


# Seeds


def test_median_seed():
    def of(*errors):
        return SeedErrors("MNIST", 20, tuple(range(len(errors))), errors).median_seed

    assert of(1.2) == 0
    assert of(1.2, 0.9, 1.0) == 2
    assert of(1.2, 0.9, 1.0, 1.1) == 2
    assert of(1.0, 1.0, 1.0) == 1


def test_finished_runs_are_kept_and_not_repeated(trained):
    folder, runs, lines = trained
    assert [seeds.seed_of(run) for of_one in runs.values() for run in of_one] == [0, 1] * 3
    assert len(lines) == 6
    files = [file for file in folder.rglob("*.safetensors") if "paper" not in str(file)]
    written = [file.stat().st_mtime_ns for file in files]
    again = seeds.train_seeds(list(runs), [0, 1], "digits", folder, jobs=1, report=lines.append)
    assert [file.stat().st_mtime_ns for file in files] == written
    for name, of_one in runs.items():
        assert SeedErrors.of(again[name]) == SeedErrors.of(of_one)
        for run, same in zip(of_one, again[name], strict=True):
            for ours, theirs in zip(run.net.parameters(), same.net.parameters(), strict=True):
                assert torch.equal(ours, theirs)


def test_a_seed_adds_to_those_there_are(trained):
    folder, _, _ = trained
    runs = seeds.train_seeds([TUTORIAL], [1, 2], "digits", folder, jobs=1, report=str)
    assert [seeds.seed_of(run) for run in runs[TUTORIAL]] == [1, 2]
    (folder / f"{TUTORIAL}-seed2.json").unlink()


def test_runs_of_another_recipe_are_refused(trained, monkeypatch):
    folder, _, _ = trained
    network, recipe = seeds.MINIBATCH[TUTORIAL]
    other = {**seeds.MINIBATCH, TUTORIAL: (network, replace(recipe, rate=0.1))}
    monkeypatch.setattr(seeds, "MINIBATCH", other)
    with pytest.raises(RunError, match="another recipe"):
        seeds.train_seeds([TUTORIAL], [0], "digits", folder, jobs=1)


def test_a_number_of_jobs_that_cannot_be_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"expected jobs >= 1, .* got 0"):
        seeds.train_seeds([TUTORIAL], [0], "digits", tmp_path, jobs=0)


def test_damaged_and_unknown_runs_are_named(tmp_path):
    (tmp_path / f"{TUTORIAL}-seed0.json").write_text("{")
    with pytest.raises(RunError, match=f"{TUTORIAL}-seed0"):
        seeds.finished_runs(tmp_path)
    with pytest.raises(ValueError, match="lenet5-modern"):
        seeds.finished_runs(tmp_path, ["lenet-6"])


def test_package_takes_the_median_run_and_all_errors(trained, tmp_path, monkeypatch):
    folder, runs, _ = trained
    for part in ("weights", "evidence"):
        (tmp_path / part).mkdir()
    seeds.package(folder, list(runs), tmp_path)
    monkeypatch.setattr(registry, "_folder", lambda: tmp_path / "weights")
    monkeypatch.setattr(seeds.resources, "files", lambda package: tmp_path)
    assert seeds.packaged_errors() == {name: SeedErrors.of(of) for name, of in runs.items()}
    for contender in comparison.packaged(list(runs)):
        run = seeds.median_run(runs[contender.name])
        assert (contender.recipe, contender.seed) == (run.recipe, seeds.seed_of(run))
        for ours, theirs in zip(contender.net.parameters(), run.net.parameters(), strict=True):
            assert torch.equal(ours, theirs)


@pytest.mark.parametrize("name", registry.cards().keys() & set(seeds.MINIBATCH))
def test_packaged_network_is_the_median_of_the_packaged_seeds(name):
    card, errors = registry.cards()[name], seeds.packaged_errors()[name]
    assert (card.dataset, card.passes, card.seed) == (
        errors.dataset,
        errors.passes,
        errors.median_seed,
    )
    assert card.test_error_percent == errors.test_error_percent[errors.seeds.index(card.seed)]


# The comparison


def test_errors_are_those_of_evaluate(compared, trained, digits):
    for measures, of_one in zip(compared.networks, trained[1].values(), strict=True):
        net = seeds.median_run(of_one).net
        expected = evaluate(net, digits.test_images, digits.test_labels, digits.name)
        assert measures.test_error_percent == pytest.approx(expected.error_percent)
        assert len(measures.misread) == expected.misread
        assert measures.interval_percent == expected.interval_percent
        assert measures.rejection.error_percent[0] == pytest.approx(expected.error_percent)


def test_undisturbed_digits_have_the_same_error_under_each_disturbance(compared):
    for measures in compared.networks:
        first = 100 * sum(index < 100 for index in measures.misread) / 100
        assert [errors[0] for errors in measures.robustness.values()] == pytest.approx([first] * 3)
        assert all(errors[-1] > first for errors in measures.robustness.values())


def test_overlaps_are_consistent(compared, digits):
    sets = [set(measures.misread) for measures in compared.networks]
    for i, row in enumerate(compared.shared):
        for k, count in enumerate(row):
            assert count == len(sets[i] & sets[k])
        assert compared.networks[i].misread_alone == len(
            sets[i] - set().union(*(other for k, other in enumerate(sets) if k != i))
        )
    assert {misread.index for misread in compared.misread_by_all} == set.intersection(*sets)
    for misread in compared.misread_by_all:
        assert misread.label == digits.test_labels[misread.index]
        assert misread.label not in misread.answers


def test_counts_and_times(compared):
    classic, modern, tutorial = compared.networks
    assert (classic.trainable, classic.connections) == (60_000, 340_908)
    assert modern.trainable == tutorial.trainable == 61_706
    assert classic.fused_microseconds_per_digit < classic.microseconds_per_digit
    assert modern.fused_microseconds_per_digit is None
    assert all(measures.seconds_per_pass > 0 for measures in compared.networks)


def test_measuring_changes_no_network(trained, digits):
    contenders = comparison.of_runs(trained[1])
    before = [[p.clone() for p in contender.net.parameters()] for contender in contenders]
    comparison.compare(contenders, digits, disturbed_digits=10)
    for contender, parameters in zip(contenders, before, strict=True):
        for now, then in zip(contender.net.parameters(), parameters, strict=True):
            assert torch.equal(now, then)


def test_probabilities_of_the_classic_network_are_those_of_eq_9(trained, digits):
    from lenet1998.losses import posterior

    contender = comparison.of_runs(trained[1])[0]
    ours = comparison._logits(contender, digits.test_images).softmax(1)
    penalties = contender.net(digits.test_images).detach().double()
    expected = posterior(0.5 * penalties)[:, :10]
    assert torch.allclose(ours, expected, atol=1e-4)


def test_errors_of_seeds_on_other_data_are_left_out(trained, digits):
    contender = comparison.of_runs(trained[1])[2]
    elsewhere = replace(digits, name="other digits")
    measured = comparison.compare([contender], elsewhere, disturbed_digits=10).networks[0]
    assert measured.seeds is None
    assert measured.trained_on == digits.name


def test_contenders_are_checked(trained, digits):
    contender = comparison.of_runs(trained[1])[0]
    with pytest.raises(ValueError, match="different names"):
        comparison.compare([contender, contender], digits)
    with pytest.raises(ValueError, match="MinibatchRecipe"):
        replace(contender, recipe=seeds.MINIBATCH[MODERN][1])


# What is written


def test_page_and_files_name_the_data(compared, digits, tmp_path):
    write_comparison(compared, digits, tmp_path / "new")
    written = {file.name for file in (tmp_path / "new").iterdir()}
    pictures = {"errors", "robustness", "rejection", "calibration", "shared"}
    pictures |= {"misread_by_all"} if compared.misread_by_all else set()
    assert written == {"compare.html", "compare.json", *(f"{name}.png" for name in pictures)}
    page = (tmp_path / "new" / "compare.html").read_text()
    assert digits.name in page
    assert 'src="http' not in page
    values = json.loads((tmp_path / "new" / "compare.json").read_text())
    assert values["dataset"] == digits.name
    assert [network["name"] for network in values["networks"]] == [CLASSIC, MODERN, TUTORIAL]
    errors = values["networks"][0]["seeds"]
    assert errors["mean"] == pytest.approx(sum(errors["test_error_percent"]) / 2, abs=1e-4)


def _run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["lenet1998", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
        sys.exit(0)
    return ended.value.code or 0


def test_command_trains_and_compares(trained, monkeypatch, capsys):
    folder, _, _ = trained
    status = _run(
        monkeypatch,
        *("compare", MODERN, TUTORIAL, "--data", "digits", "--train", "--seeds", 2),
        *("--jobs", 1, "--output", folder, "--json"),
    )
    captured = capsys.readouterr()
    assert status == 0
    assert [network["name"] for network in json.loads(captured.out)["networks"]] == [
        MODERN,
        TUTORIAL,
    ]
    assert "measuring" in captured.err
    assert (folder / "compare.html").exists()


def test_command_refuses_an_unknown_name(monkeypatch, capsys, tmp_path):
    assert _run(monkeypatch, "compare", "lenet-6", "--output", tmp_path) == 2
    assert "lenet-6" in capsys.readouterr().err


def test_every_network_has_a_colour_and_a_marker_of_its_own():
    assert len(set(pictures._COLOURS)) == len(pictures._COLOURS) >= len(seeds.COMPARED)
    assert len(set(pictures._MARKERS)) == len(pictures._MARKERS) >= len(seeds.COMPARED)
