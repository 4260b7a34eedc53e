"""The report of the paper's evidence: what it holds, how it resumes, what is committed of it."""

import json
import re
from html import unescape
from importlib import resources
from pathlib import Path

import pytest

from lenet1998 import paper
from lenet1998.data import Source
from lenet1998.evidence.experiment import Section, in_words, spread

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def committed():
    return json.loads((resources.files("lenet1998") / "evidence" / "results.json").read_text())


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Two experiments on a few of the embedded digits."""
    folder = tmp_path_factory.mktemp("paper")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paper, "QUICK", Source(first=(300, 100)))
        patch.setattr(paper, "QUICK_PASSES", 2)
        lines = []
        for only in (["fig08"], ["fig05"]):
            results = paper.recompute(
                folder, only=only, place="digits", quick=True, jobs=2, report=lines.append
            )
        yield folder, results, lines


def test_report_is_whole(report):
    folder, results, lines = report
    # The earlier one stays, in the order of the report.
    assert list(results["experiments"]) == ["fig05", "fig08"]
    assert json.loads((folder / "paper.json").read_text()) == json.loads(json.dumps(results))
    page = unescape((folder / "paper.html").read_text())
    for found in results["experiments"].values():
        assert found["title"] in page
        assert (found["seeds"], found["passes"]) == (2, 2)
    assert results["digits"] in page and "cannot be set against the paper's" in page
    assert not re.search(r'(src|href)="(?!data:)', page)  # self-contained
    assert "width=device-width" in page
    assert (folder / "fig05.png").read_bytes().startswith(b"\x89PNG")
    assert any("Fig. 5" in line for line in lines)


def test_finished_runs_are_not_repeated(report):
    folder, _, _ = report
    states = sorted(folder.glob("runs/test/**/state.safetensors"))
    assert len(states) >= 4
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paper, "QUICK", Source(first=(300, 100)))
        patch.setattr(paper, "QUICK_PASSES", 2)
        written = [state.stat().st_mtime_ns for state in states]
        paper.recompute(folder, only=["fig05"], place="digits", quick=True, jobs=1)
    assert [state.stat().st_mtime_ns for state in states] == written


def test_results_of_other_digits_are_not_mixed_in(tmp_path, report):
    (tmp_path / "paper.json").write_text('{"digits": "MNIST", "experiments": {"fig05": {}}}')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paper, "QUICK", Source(first=(300, 100)))
        patch.setattr(paper, "QUICK_PASSES", 1)
        results = paper.recompute(
            tmp_path, only=["fig05"], place="digits", quick=True, seeds=1, jobs=1
        )
    assert results["digits"].startswith("UCI digits, not MNIST")
    assert results["experiments"]["fig05"]["values"]["passes"] == 1


@pytest.mark.parametrize("damage", ["values", "recipes", "all"])
def test_what_another_version_measured_is_left_out(damage, tmp_path, report):
    folder, _, _ = report
    results = json.loads((folder / "paper.json").read_text())
    dataset = Source("digits", first=(300, 100)).load()
    known = paper.experiments(300)
    assert set(paper._earlier(folder, dataset, known)) == {"fig05", "fig08"}
    if damage != "all":
        results["experiments"]["fig05"][damage] = {}
    text = json.dumps(results)
    (tmp_path / "paper.json").write_text(text[: len(text) // 2] if damage == "all" else text)
    left = paper._earlier(tmp_path, dataset, known)
    assert set(left) == (set() if damage == "all" else {"fig08"})


def test_unknown_experiments_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"fig99.*fig05"):
        paper.recompute(tmp_path, only=["fig99"])
    assert not list(tmp_path.iterdir())


def test_every_experiment_is_committed_with_its_present_recipes(committed):
    assert committed["digits"] == "MNIST"
    for name, experiment in paper.experiments().items():
        there = committed["experiments"][name]
        assert there["title"] == experiment.title
        assert there["seeds"] >= experiment.seeds
        assert there["passes"] == experiment.passes
        recipes = {
            one.name: json.loads(json.dumps(paper.choices(one))) for one in experiment.recipes
        }
        assert there["recipes"] == recipes


def test_the_readmes_table_is_that_of_the_committed_results(committed, mnist):
    chosen = paper.experiments()
    sections = [
        chosen[name].present(found["values"], mnist)
        for name, found in committed["experiments"].items()
    ]
    assert paper.markdown(sections, mnist.name) in (REPOSITORY / "README.md").read_text()


def test_spread():
    values = spread([1.0, 2.0, 3.0])
    assert (values["mean"], values["standard_deviation"]) == (2.0, 1.0)
    assert (values["least"], values["greatest"]) == (1.0, 3.0)
    assert in_words(values) == "2.00 ± 1.00 % (3 seeds)"
    assert in_words(spread([1.5])) == "1.50 % (1 seed)"


def test_markdown():
    section = Section((), summary=[("error", "0.95 %", "1.02 %")])
    lines = paper.markdown([section], "MNIST").splitlines()
    assert (lines[0], lines[-1]) == ("|  | 1998 | here |", "| error | 0.95 % | 1.02 % |")
    other = paper.markdown([section], "UCI digits, not MNIST").splitlines()
    assert other[0] == "|  | 1998, on MNIST | here, on UCI digits, not MNIST |"
