"""1998 beside today: what is measured of trained networks, what is shown, what is packaged."""

import json
import shutil
import sys
from dataclasses import replace
from io import StringIO

import pytest
import torch
from rich.console import Console

from lenet1998 import catalogue, cli
from lenet1998.catalogue import COMPARED
from lenet1998.commands import compare as command
from lenet1998.data import load_dataset
from lenet1998.evidence import facts, today, today_page
from lenet1998.evidence.package import finished_runs, package
from lenet1998.evidence.today import STRENGTHS, Contender, SeedErrors, compare, packaged_errors
from lenet1998.learning import presets
from lenet1998.learning.presets import recipe_for
from lenet1998.losses import posterior
from lenet1998.measures.answers import evaluate
from lenet1998.models import LeNet5Classic
from lenet1998.models.saved import WEIGHTS, WeightsError, read_origin
from lenet1998.runs.many import run_folder, train_many
from lenet1998.runs.run import RunError
from lenet1998.runs.workers import Workers

CLASSIC, MODERN, TUTORIAL = NAMES = ("lenet5-classic", "lenet5-modern", "tutorial-max-pooling")
ONE, QUIET = Workers(jobs=1), Console(quiet=True)


@pytest.fixture(scope="module")
def digits():
    return load_dataset("digits")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Three networks, two seeds of each, after short trainings on the digits."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("modern", TUTORIAL):
            patch.setitem(presets.PRESETS, name, replace(presets.PRESETS[name], passes=2))
        folder = tmp_path_factory.mktemp("compare")
        lines = StringIO()
        contenders = command.trained(NAMES, 2, "digits", folder, ONE, Console(file=lines))
        yield folder, contenders, lines.getvalue().splitlines()


@pytest.fixture(scope="module")
def compared(trained, digits):
    return compare(trained[1], digits, disturbed_digits=100, report=lambda line: None)


def parameters(net):
    return [parameter.detach().clone() for parameter in net.parameters()]


def same(net, other):
    return all(map(torch.equal, parameters(net), parameters(other)))


# Seeds


def test_median_seed():
    def of(*errors):
        return SeedErrors("MNIST", 20, tuple(range(len(errors))), errors).median_seed

    assert of(1.2) == 0
    assert of(1.2, 0.9, 1.0) == 2
    assert of(1.2, 0.9, 1.0, 1.1) == 2
    assert of(1.0, 1.0, 1.0) == 1


def test_runs_of_different_kinds_are_not_thrown_together(trained):
    run = trained[1][0].run
    for other in (replace(run, dataset_name="MNIST"), replace(run, records=run.records[:1])):
        with pytest.raises(RunError, match="one data set with as many passes"):
            SeedErrors.of([run, other])


def test_finished_runs_are_kept_and_not_repeated(trained):
    folder, contenders, lines = trained
    assert [contender.name for contender in contenders] == list(NAMES)
    assert [contender.seeds.seeds for contender in contenders] == [(0, 1)] * 3
    written = {file: file.stat().st_mtime_ns for file in folder.rglob("*.safetensors")}
    told = StringIO()
    again = command.trained(NAMES, 2, "digits", folder, ONE, Console(file=told))
    assert len(written) == len(lines) == told.getvalue().count("finished before") == 6
    assert not any("finished before" in line for line in lines)
    assert written == {file: file.stat().st_mtime_ns for file in folder.rglob("*.safetensors")}
    for first, second in zip(contenders, again, strict=True):
        assert first.seeds == second.seeds and same(first.run.net, second.run.net)


def test_a_seed_adds_to_those_there_are(trained):
    folder = trained[0]
    (contender,) = command.trained([TUTORIAL], 3, "digits", folder, ONE, QUIET)
    assert contender.seeds.seeds == (0, 1, 2)
    assert [run.recipe.seed for run in finished_runs(folder, TUTORIAL)] == [0, 1, 2]
    shutil.rmtree(run_folder(folder, replace(recipe_for(TUTORIAL), seed=2)))


def test_runs_that_were_cut_off_do_not_count(trained, tmp_path):
    short = replace(recipe_for(TUTORIAL), seed=3)
    train_many([short], "digits", tmp_path, passes=1)
    whole = run_folder(trained[0], replace(short, seed=0))
    shutil.copytree(whole, tmp_path / whole.name)
    assert [run.recipe.seed for run in finished_runs(tmp_path, TUTORIAL)] == [0]


def test_runs_of_another_recipe_are_refused(trained, monkeypatch):
    changed = replace(presets.PRESETS[TUTORIAL], rate=0.1)
    monkeypatch.setitem(presets.PRESETS, TUTORIAL, changed)
    with pytest.raises(RunError, match="another recipe"):
        command.trained([TUTORIAL], 1, "digits", trained[0], ONE, QUIET)


def test_damaged_absent_and_unknown_runs_are_named(tmp_path):
    with pytest.raises(RunError, match=f"holds no run of the recipe {TUTORIAL}: train it first"):
        finished_runs(tmp_path, TUTORIAL)
    (tmp_path / f"{TUTORIAL}-seed0").mkdir()
    (tmp_path / f"{TUTORIAL}-seed0" / WEIGHTS).write_text("{")
    with pytest.raises(RunError, match=f"{TUTORIAL}-seed0"):
        finished_runs(tmp_path, TUTORIAL)
    with pytest.raises(ValueError, match=MODERN):
        finished_runs(tmp_path, "lenet-6")


# The package


def test_package_takes_the_median_run_and_all_errors(trained, tmp_path, monkeypatch):
    folder, contenders, _ = trained
    for part in ("weights", "evidence"):
        (tmp_path / part).mkdir()
    with pytest.raises(RunError, match="full-c3"):
        package(folder, [*NAMES, "full-c3"], tmp_path)
    assert not list(tmp_path.rglob("*.*"))  # nothing is written then
    earlier = packaged_errors()
    package(folder, NAMES, tmp_path)
    monkeypatch.setattr(catalogue, "_WEIGHTS", tmp_path / "weights")
    monkeypatch.setattr(today.resources, "files", lambda package: tmp_path)
    assert packaged_errors() == earlier | {each.name: each.seeds for each in contenders}
    for contender in contenders:
        run, saved = contender.run, Contender.saved(contender.name)
        assert run.recipe.seed == contender.seeds.median_seed
        assert (saved.run.recipe, saved.run.dataset_name) == (run.recipe, run.dataset_name)
        assert saved.seeds == contender.seeds and same(saved.run.net, run.net)
        file = tmp_path / "weights" / f"{contender.name}.safetensors"
        assert file.read_bytes() == (run_folder(folder, run.recipe) / WEIGHTS).read_bytes()


def test_package_takes_the_run_of_the_seed_that_an_entry_has(trained, tmp_path, monkeypatch):
    for part in ("weights", "evidence"):
        (tmp_path / part).mkdir()
    entry = replace(catalogue.find(TUTORIAL), seed=1)
    monkeypatch.setitem(catalogue.NETWORKS, TUTORIAL, entry)
    package(trained[0], [TUTORIAL], tmp_path)
    monkeypatch.setattr(today.resources, "files", lambda package: tmp_path)
    assert packaged_errors()[TUTORIAL].seeds == (1,)
    origin = read_origin(tmp_path / "weights" / f"{TUTORIAL}.safetensors")
    assert origin.recipe["seed"] == 1


@pytest.mark.parametrize("name", packaged_errors())
def test_packaged_network_is_the_median_of_the_packaged_seeds(name):
    origin, errors = read_origin(name), packaged_errors()[name]
    held = (origin.dataset, len(origin.log), origin.recipe["seed"])
    assert held == (errors.dataset, errors.passes, errors.median_seed)
    median = errors.test_error_percent[errors.seeds.index(errors.median_seed)]
    assert origin.log[-1]["test_error_percent"] == pytest.approx(median, abs=5e-5)


def test_every_network_compared_is_packaged_with_its_seeds():
    assert set(COMPARED) <= set(packaged_errors())


def test_a_saved_network_without_a_recipe_is_named(tmp_path):
    LeNet5Classic().save_pretrained(tmp_path)
    with pytest.raises(WeightsError, match="does not say by which recipe"):
        Contender.saved(tmp_path)


# The comparison


def test_errors_are_those_of_evaluate(compared, trained, digits):
    for measures, contender in zip(compared.networks, trained[1], strict=True):
        net = contender.run.net
        expected = evaluate(net, digits.test_images, digits.test_labels, digits.name)
        assert measures.test_error_percent == pytest.approx(expected.error_percent)
        assert len(measures.misread) == expected.misread
        assert measures.interval_percent == expected.interval_percent
        assert measures.rejection.error_percent[0] == pytest.approx(expected.error_percent)


def test_undisturbed_digits_have_the_same_error_under_each_disturbance(compared):
    # Every third of 297, evenly taken from all.
    assert compared.disturbed_digits == 99
    for measures in compared.networks:
        assert {kind: len(errors) for kind, errors in measures.robustness.items()} == {
            kind: len(strengths) for kind, strengths in STRENGTHS.items()
        }
        first = 100 * sum(index % 3 == 0 for index in measures.misread) / 99
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
    assert classic.trainable == facts.NETWORK.trainable
    assert classic.connections == facts.NETWORK.connections
    assert modern.trainable == tutorial.trainable == 61_706
    assert classic.fused_microseconds_per_digit < classic.microseconds_per_digit
    assert modern.fused_microseconds_per_digit is None
    assert all(measures.seconds_per_pass > 0 for measures in compared.networks)


def test_measuring_changes_no_network(trained, digits):
    before = [parameters(contender.run.net) for contender in trained[1]]
    threads = torch.get_num_threads()
    lines = []
    compare(trained[1], digits, disturbed_digits=10, report=lines.append)
    for contender, values in zip(trained[1], before, strict=True):
        assert all(map(torch.equal, parameters(contender.run.net), values))
        assert not contender.run.net.training and contender.run.records
    assert torch.get_num_threads() == threads
    assert lines == [f"measuring {name}" for name in NAMES]


def test_probabilities_of_the_classic_network_are_those_of_eq_9(compared, trained, digits):
    with torch.no_grad():
        net = trained[1][0].run.net
        penalties = net.penalty_scale * net(digits.test_images).double()
    right = posterior(penalties)[:, :10].amax(1)
    expected = 100 * right.mean().item()
    assert compared.networks[0].calibration.confidence_percent == pytest.approx(expected, abs=1e-3)


def test_errors_of_seeds_on_other_data_are_left_out(trained, digits):
    elsewhere = replace(digits, name="other digits")
    comparison = compare([trained[1][2]], elsewhere, disturbed_digits=10)
    (measured,) = comparison.networks
    assert measured.seeds is None
    assert measured.trained_on == digits.name
    (warning,) = today_page.present(comparison, elsewhere).warnings
    assert "other digits" in warning


def test_contenders_are_checked(trained, digits):
    contender = trained[1][0]
    for none_or_alike in ([], [contender, contender]):
        with pytest.raises(ValueError, match="different names, at least one"):
            compare(none_or_alike, digits)


# What is written


def run_command(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["lenet1998", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
        sys.exit(0)
    return ended.value.code or 0


def test_page_and_files_name_the_data(compared, trained, digits, tmp_path, monkeypatch):
    monkeypatch.setattr(today, "compare", lambda contenders, dataset, report: compared)
    outcome = command.compare(trained[1], "digits", tmp_path / "new", str)
    written = {file.name for file in (tmp_path / "new").iterdir()}
    pictures = {"errors", "robustness", "rejection", "calibration", "shared"}
    pictures |= {"misread_by_all"} if compared.misread_by_all else set()
    assert written == {"compare.html", "compare.json", *(f"{name}.png" for name in pictures)}
    page = (tmp_path / "new" / "compare.html").read_text()
    assert outcome.page == str(tmp_path / "new" / "compare.html")
    assert digits.name in page and 'src="http' not in page
    assert "the one of median test error is measured" in page
    values = json.loads((tmp_path / "new" / "compare.json").read_text())
    assert values == json.loads(json.dumps(outcome.values))
    assert values["dataset"] == digits.name
    assert [network["name"] for network in values["networks"]] == list(NAMES)
    errors = values["networks"][0]["seeds"]
    assert errors["mean"] == pytest.approx(sum(errors["test_error_percent"]) / 2, abs=1e-4)
    assert errors["standard_deviation"] == compared.networks[0].seeds.spread.deviation


def test_page_shows_what_was_published(compared, digits):
    document = today_page.present(compared, digits)
    lines = {line.what: line for line in document.conclusions}
    assert lines[f"test error of {CLASSIC}"].paper == f"{facts.TEST_ERROR:.2f} %"
    assert lines[f"test error of {TUTORIAL}"].paper == "–"
    for section in document.sections:
        for table in section.tables:
            assert all(len(row) == len(table.header) for row in table.rows)


def test_command_trains_and_compares(trained, monkeypatch, capsys):
    folder = trained[0]
    status = run_command(
        monkeypatch,
        *("compare", MODERN, TUTORIAL, "--data", "digits", "--train", "--seeds", 2),
        *("--jobs", 1, "--output", folder, "--json"),
    )
    captured = capsys.readouterr()
    assert status == 0
    networks = json.loads(captured.out)["networks"]
    assert [network["name"] for network in networks] == [MODERN, TUTORIAL]
    assert "measuring" in captured.err
    assert (folder / "compare.html").exists()


def test_command_compares_saved_runs(trained, monkeypatch, capsys, tmp_path):
    folders = [run_folder(trained[0], contender.run.recipe) for contender in trained[1][1:]]
    status = run_command(
        monkeypatch, "compare", *folders, "--data", "digits", "--output", tmp_path, "--json"
    )
    assert status == 0
    networks = json.loads(capsys.readouterr().out)["networks"]
    assert [network["name"] for network in networks] == list(map(str, folders))
    assert [network["seeds"] for network in networks] == [None, None]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["lenet-6"], "lenet-6"),
        (["lenet-6", "--train", "--data", "digits"], "lenet-6"),
        ([TUTORIAL, "--train", "--data", "digits", "--jobs", 0], "jobs >= 1"),
    ],
)
def test_command_refuses_what_there_is_not(arguments, named, monkeypatch, capsys, tmp_path):
    assert run_command(monkeypatch, "compare", *arguments, "--output", tmp_path) == 2
    assert named in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
