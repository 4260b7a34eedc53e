"""The report of the paper's evidence: what it holds, how it resumes, what is committed of it."""

import json
import re
from collections import Counter
from html import unescape
from importlib import resources
from pathlib import Path

import pytest

from lenet1998.commands import paper
from lenet1998.data import Dataset, Source
from lenet1998.evidence import characters
from lenet1998.report import markdown
from lenet1998.runs.workers import Workers

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
            outcome = paper.paper(
                folder, only=only, place="digits", quick=True, workers=Workers(2),
                report=lines.append,
            )  # fmt: skip
        yield folder, outcome.values, lines


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
    assert not re.search(r'(src|href)="(?!data:|#)', page)  # self-contained
    assert "width=device-width" in page
    assert (folder / "fig05.png").read_bytes().startswith(b"\x89PNG")
    assert any("Fig. 5" in line for line in lines)


def test_finished_runs_are_not_repeated(report):
    folder, _, _ = report
    states = sorted(folder.glob("runs/test/**/weights.safetensors"))
    assert len(states) >= 4
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paper, "QUICK", Source(first=(300, 100)))
        patch.setattr(paper, "QUICK_PASSES", 2)
        written = [state.stat().st_mtime_ns for state in states]
        paper.paper(folder, only=["fig05"], place="digits", quick=True, workers=Workers(1))
    assert [state.stat().st_mtime_ns for state in states] == written


def test_results_of_other_digits_are_not_mixed_in(tmp_path, report):
    (tmp_path / "paper.json").write_text('{"digits": "MNIST", "experiments": {"fig05": {}}}')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paper, "QUICK", Source(first=(300, 100)))
        patch.setattr(paper, "QUICK_PASSES", 1)
        results = paper.paper(
            tmp_path, only=["fig05"], place="digits", quick=True, seeds=1, workers=Workers(1)
        ).values
    assert results["digits"].startswith("UCI digits, not MNIST")
    assert results["experiments"]["fig05"]["passes"] == 1


def test_an_experiment_may_train_its_own_networks(tmp_path, monkeypatch):
    size = characters.Size((10,), patterns=20, passes=1, read=20, seeds=2)
    monkeypatch.setattr(characters, "SMALL", size)
    monkeypatch.setattr(paper, "QUICK", Source(first=(300, 100)))
    lines = []
    results = paper.paper(
        tmp_path, only=["characters"], place="digits", quick=True, report=lines.append
    ).values
    assert results["experiments"]["characters"]["values"]["size"]["classes"] == [10]
    assert "networks of its own" in lines[0]
    assert "Values: paper.json, characters." in (tmp_path / "paper.html").read_text()
    assert not (tmp_path / "runs").exists()


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
        paper.paper(tmp_path, only=["fig99"])
    assert not list(tmp_path.iterdir())


def test_every_experiment_is_committed_with_its_present_recipes(committed):
    assert committed["digits"] == "MNIST"
    for name, experiment in paper.experiments().items():
        held = committed["experiments"][name]
        assert held["title"] == experiment.title
        assert held["seeds"] >= experiment.seeds
        assert held["passes"] == experiment.passes
        assert held["recipes"] == paper._recipes(experiment)
        experiment.read(held["values"])


def test_the_readmes_lines_are_those_of_the_committed_results(mnist):
    glance = markdown.table(paper.committed(mnist).glance).splitlines()
    readme = (REPOSITORY / "README.md").read_text()
    quoted = re.search(r"## Results at a glance\n.*?\n\n(\|.*?)\n\n", readme, re.DOTALL)
    assert quoted is not None and len(quoted[1].splitlines()) > 8
    assert [line for line in quoted[1].splitlines() if line not in glance] == []


def test_the_readme_counts_the_claims_as_the_committed_results_judge_them(mnist: Dataset) -> None:
    claims = paper.committed(mnist).sections[0].tables[0].rows
    counts = Counter(holds.partition(",")[0] for *_, holds in claims)
    words = " ".join((REPOSITORY / "README.md").read_text().split())
    assert (
        f"Of the paper's {len(claims)} statements that can be measured, {counts['yes']} hold, "
        f"{counts['not contradicted']} is not contradicted, {counts['in part']} hold in part, "
        f"{counts['not shown']} are not shown, {counts['not here']} is not so here"
    ) in words
    assert counts["not yet"] == 0
