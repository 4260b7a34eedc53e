"""The command line end to end, on the embedded digits."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from importlib import import_module

import pytest
import torch
from PIL import Image, ImageDraw
from safetensors.torch import load_file

from lenet1998 import cli, load
from lenet1998.data import mnist as mnist_files
from lenet1998.runs.run import Run


@pytest.fixture
def lenet1998(monkeypatch, capsys):
    """Run a command in this process: its exit status, standard output and standard error."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["lenet1998", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
            sys.exit(0)
        captured = capsys.readouterr()
        return ended.value.code or 0, captured.out, captured.err

    return run


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of two passes over the digits, as a user makes it: in a process of its own."""
    folder = tmp_path_factory.mktemp("run")
    command = [sys.executable, "-m", "lenet1998.cli", "reproduce", "--data", "digits"]
    done = subprocess.run(
        [*command, "--passes", "2", "--output", folder], capture_output=True, text=True, check=True
    )
    return folder, done.stdout


def test_reproduce_writes_all_that_it_promises(finished):
    folder, _ = finished
    assert {file.name for file in folder.iterdir()} == {
        "recipe.json", "metrics.csv", "weights.safetensors", "summary.json", "fig05.png",
        "report.html",
    }  # fmt: skip
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["dataset"] == "UCI digits, not MNIST"
    assert (summary["seed"], summary["recipe"], summary["passes"]) == (0, "paper", 2)
    assert summary["updates_per_second"] > 0
    rows = list(csv.DictReader((folder / "metrics.csv").read_text().splitlines()))
    assert [row["pass"] for row in rows] == ["1", "2"]
    assert float(rows[-1]["test_error_percent"]) == pytest.approx(
        summary["test_error_percent"], abs=1e-3
    )
    assert float(rows[-1]["online_training_error_percent"]) == pytest.approx(
        summary["training_error_percent"], abs=1e-3
    )
    assert summary["test_error_percent"] < 15
    assert (folder / "fig05.png").read_bytes().startswith(b"\x89PNG")


def test_reproduce_ends_with_the_comparison(finished):
    _, printed = finished
    assert re.search(r"trainable parameters\s+60,000\s+60,000", printed)
    assert re.search(r"connections\s+340,908\s+340,908", printed)
    assert re.search(r"1998, on MNIST\s+here, on UCI digits, not MNIST", printed)
    # Not the errors of 1998: they are of other digits.
    assert re.search(r"test error \(pass 2\)\s+–\s+\d+\.\d\d %", printed)
    assert "UCI digits, not MNIST" in printed


def test_report_is_one_self_contained_file_that_names_its_data(finished):
    folder, _ = finished
    page = (folder / "report.html").read_text()
    assert "UCI digits, not MNIST" in page
    assert page.count("data:image/png;base64,") >= 3
    assert not re.search(r"(src|href)=\"(?!data:|#)", page)
    for promised in ("1998", "340,908", "misread", "Fig. 5", "&#34;init_bound&#34;"):
        assert promised in page


def test_resume_goes_on_to_the_bits_of_an_uninterrupted_run(finished, tmp_path, lenet1998):
    folder, _ = finished
    reproduce = ("reproduce", "--data", "digits", "--output", tmp_path)
    assert lenet1998(*reproduce, "--passes", 1)[0] == 0
    assert lenet1998(*reproduce, "--passes", 2, "--resume")[0] == 0
    resumed, straight = (load_file(place / "weights.safetensors") for place in (tmp_path, folder))
    assert all(torch.equal(resumed[name], straight[name]) for name in straight)


def test_a_killed_run_resumes(tmp_path):
    command = [sys.executable, "-m", "lenet1998.cli", "reproduce", "--data", "digits"]
    command += ["--output", str(tmp_path)]
    running = subprocess.Popen([*command, "--passes", "100000"], stdout=subprocess.DEVNULL)
    weights = tmp_path / "weights.safetensors"
    deadline = time.monotonic() + 120
    while not weights.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    running.send_signal(signal.SIGKILL)
    running.wait()
    passes = len(Run.load(tmp_path).records)
    assert passes >= 1
    done = subprocess.run([*command, "--passes", str(passes + 1), "--resume"], check=False)
    assert done.returncode == 0
    assert json.loads((tmp_path / "summary.json").read_text())["passes"] == passes + 1


def _hear_ctrl_c():
    """A job in the background of a shell ignores it, and so would what it starts."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_ctrl_c_is_one_line(tmp_path):
    command = [sys.executable, "-m", "lenet1998.cli", "reproduce", "--data", "digits"]
    running = subprocess.Popen(
        [*command, "--passes", "100000", "--output", str(tmp_path)],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, preexec_fn=_hear_ctrl_c,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not (tmp_path / "weights.safetensors").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 1
    assert errors.strip().splitlines() == [
        "lenet1998: stopped; finished work is kept, the same command goes on (reproduce: --resume)"
    ]


def test_study_trains_a_grid_and_repeats_nothing(tmp_path, lenet1998):
    study = ("study", "--data", "digits", "--passes", 1, "--jobs", 1, "--output", tmp_path)
    status, out, _ = lenet1998(*study, "--seeds", 1)
    assert status == 0
    assert re.match(r"1/1  paper, seed 0: test error \d+\.\d\d %", out)
    assert (tmp_path / "fig05.png").read_bytes().startswith(b"\x89PNG")
    weights = tmp_path / "paper-seed0" / "weights.safetensors"
    written = weights.stat().st_mtime_ns
    status, out, errors = lenet1998(*study, "--seeds", 2, "--set", "mu=0.02,0.07", "--json")
    results = json.loads(out)
    assert status == 0
    assert results == json.loads((tmp_path / "study.json").read_text())
    assert [one["recipe"] for one in results] == ["paper", "paper,mu=0.07"]
    assert [one["choices"]["mu"] for one in results] == [0.02, 0.07]
    for one in results:
        assert (one["dataset"], one["passes"]) == ("UCI digits, not MNIST", 1)
        assert one["seeds"] == [0, 1]
        for curves in (one["test_error_percent"], one["online_training_error_percent"]):
            assert [len(curve) for curve in curves] == [1, 1]
        assert (tmp_path / f"fig05-{one['recipe']}.png").exists()
    assert results[0]["test_error_percent"][0] == [
        round(Run.load(tmp_path / "paper-seed0").records[0].test_error_percent, 4)
    ]
    assert weights.stat().st_mtime_ns == written
    assert re.match(r"1/4  paper, seed 0: .* finished before\n", errors)
    assert re.search(r"2/4 .*; about \d+:\d\d:\d\d left\n", errors)
    status, out, _ = lenet1998(*study, "--seeds", 2, "--set", "mu=0.02,0.07")
    assert status == 0
    assert out.count("finished before") == 4
    assert re.search(r"paper,mu=0.07\s+1\s+2\s+\d+\.\d\d ± \d+\.\d\d", out)


def test_evaluate_measures_what_the_run_measured(finished, lenet1998):
    folder, _ = finished
    weights = folder / "weights.safetensors"
    status, out, _ = lenet1998("evaluate", weights, "--data", "digits", "--json")
    measured, summary = json.loads(out), json.loads((folder / "summary.json").read_text())
    assert status == 0
    assert measured["error_percent"] == pytest.approx(summary["test_error_percent"], abs=1e-3)
    assert measured["dataset"] == summary["dataset"]
    assert sum(map(sum, measured["confusion"])) == measured["digits"] == 297
    low, high = measured["interval_percent"]
    assert low < measured["error_percent"] < high
    status, out, _ = lenet1998("evaluate", folder, "--data", "digits")
    assert status == 0
    assert "297 test digits misread" in out
    assert "other digits" not in out
    status, out, _ = lenet1998("evaluate", "lenet5-classic", "--data", "digits")
    assert status == 0
    assert "These weights have learnt from other digits: MNIST." in out


def test_summary_prints_and_gives_json(lenet1998):
    status, out, _ = lenet1998("summary")
    assert status == 0
    assert re.search(r"total\s+60,000 60,000 ✓\s+840\s+340,908 340,908 ✓", out)
    assert "345,308" in out
    status, out, _ = lenet1998("summary", "--json")
    counted = json.loads(out)
    assert [row["count"]["connections"] for row in counted["layers"]] == [
        122_304, 5_880, 151_600, 2_000, 48_120, 10_164, 840,
    ]  # fmt: skip
    assert all(row["parameters_agree"] for row in counted["layers"])


@pytest.fixture
def handwriting(tmp_path):
    """A seven drawn with a thick pen, a blank sheet, a text file and half a picture."""
    seven = Image.new("L", (200, 260), 250)
    ImageDraw.Draw(seven).line([(50, 60), (150, 60), (90, 210)], fill=20, width=22, joint="curve")
    seven.save(tmp_path / "seven.png")
    Image.new("L", (200, 260), 250).save(tmp_path / "blank.png")
    (tmp_path / "notes.txt").write_text("not a picture")
    (tmp_path / "half.png").write_bytes((tmp_path / "seven.png").read_bytes()[:200])
    return tmp_path


def test_predict_reads_a_drawing(handwriting, lenet1998):
    status, out, errors = lenet1998("predict", handwriting / "seven.png", "--json")
    (row,) = json.loads(out)
    assert (status, errors) == (0, "")
    assert row["digit"] == 7
    assert row["error"] is None
    assert len(row["penalties"]) == 10
    assert row["penalties"].index(min(row["penalties"])) == 7
    assert 0 < row["probability"] <= 1
    status, out, _ = lenet1998("predict", handwriting / "seven.png", "--show", handwriting / "out")
    assert status == 0
    assert f"{handwriting / 'seven.png'}: 7 (probability " in out
    assert (handwriting / "out" / "seven-layers.png").read_bytes().startswith(b"\x89PNG")


def test_predict_reads_with_any_network(handwriting, lenet1998):
    seven = handwriting / "seven.png"
    status, out, _ = lenet1998("predict", seven, "--weights", "lenet5-modern", "--json")
    (row,) = json.loads(out)
    assert (status, row["digit"], row["penalties"]) == (0, 7, None)
    assert 0.5 < row["probability"] <= 1
    status, _, errors = lenet1998("predict", seven, "--weights", "lenet-6")
    assert status == 1 and "lenet5-classic" in errors


def test_predict_reads_the_others_where_one_cannot_be_read(handwriting, lenet1998):
    names = ("blank.png", "seven.png", "notes.txt", "half.png", "absent.png")
    files = [handwriting / name for name in names]
    status, out, errors = lenet1998("predict", *files, "--json")
    rows = json.loads(out)
    assert status == 1
    assert [row["image"] for row in rows] == [str(file) for file in files]
    assert [row["digit"] for row in rows] == [None, 7, None, None, None]
    assert [row["error"] is None for row in rows] == [False, True, False, False, False]
    lines = errors.strip().splitlines()
    assert len(lines) == 4
    assert all(str(file) in errors for file in files if file.name != "seven.png")


def test_predict_prints_what_was_read_before_ctrl_c(handwriting, lenet1998, monkeypatch):
    module = import_module("lenet1998.commands.predict")
    files = [handwriting / "seven.png", handwriting / "blank.png"]
    reading = module.read_files

    def stopped(files, net):
        yield next(reading(files, net))
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "read_files", stopped)
    told = "lenet1998: stopped after 1 of 2 pictures; what was read is printed\n"
    status, out, errors = lenet1998("predict", *files)
    assert (status, errors) == (1, told) and f"{files[0]}: 7 (probability " in out
    status, out, errors = lenet1998("predict", *files, "--json")
    assert (status, errors) == (1, told) and json.loads(out)[0]["digit"] == 7


def test_predict_prints_each_answer_as_it_comes(handwriting):
    command = [sys.executable, "-m", "lenet1998.cli", "predict", handwriting / "seven.png", "-"]
    running = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert b"seven.png: 7" in running.stdout.readline()  # while standard input is waited for
    running.stdout.readline()
    out, _ = running.communicate((handwriting / "seven.png").read_bytes(), timeout=60)
    assert out.startswith(b"-: 7 (probability ") and running.returncode == 0


@pytest.mark.parametrize("name", ["a[/x].png", "[red].png", ":smile:.png", "a\x1b[2J\r\nb\x07.png"])
def test_names_of_files_are_shown_as_they_are(name, handwriting, lenet1998):
    (handwriting / name).parent.mkdir(exist_ok=True)
    (handwriting / "seven.png").rename(handwriting / name)
    shown = str(handwriting / name).encode("unicode_escape").decode()
    status, out, _ = lenet1998("predict", handwriting / name)
    assert status == 0 and out.startswith(f"{shown}: 7 (probability ")
    status, _, errors = lenet1998("predict", f"{handwriting / name}.none")
    assert errors == f"lenet1998: {shown}.none: no such file\n"
    assert not {"\x1b", "\x07"} & {*lenet1998("predict", f"--{name}")[2]}
    status, out, _ = lenet1998("predict", handwriting / name, "--json")
    assert json.loads(out)[0]["image"] == str(handwriting / name)


def test_predict_draws_the_layers_of_lenet5_alone(handwriting, lenet1998):
    arguments = (handwriting / "seven.png", "--show", handwriting / "out")
    status, out, errors = lenet1998("predict", *arguments, "--weights", "lenet5-modern")
    told = "lenet1998: the layers of a LeNet5Modern are not those of LeNet-5 in 1998\n"
    assert (status, out, errors) == (1, "", told) and not (handwriting / "out").exists()
    status, _, errors = lenet1998(
        "predict", handwriting / "seven.png", "--show", handwriting / "seven.png"
    )
    assert status == 1 and "a file is where a folder must be" in errors


def test_drawing_says_nothing_of_a_home_that_cannot_be_written(handwriting, tmp_path):
    command = [sys.executable, "-m", "lenet1998.cli", "predict", handwriting / "seven.png"]
    unset = {"MPLCONFIGDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"}
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    done = subprocess.run(
        [*command, "--show", tmp_path],
        env={**environment, "HOME": os.devnull},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == "" and (tmp_path / "seven-layers.png").exists()


def test_networks_are_named_in_every_way(finished, handwriting, lenet1998):
    folder, _ = finished
    load("lenet5-modern").save_pretrained(handwriting / "saved")
    learnt = "These weights have learnt from other digits: {}."
    for weights, warning in (
        (folder, learnt.format("UCI digits, not MNIST")),
        (folder / "weights.safetensors", learnt.format("UCI digits, not MNIST")),
        (handwriting / "saved", ""),
        ("lenet5-modern", ""),
    ):
        status, _, errors = lenet1998("predict", handwriting / "seven.png", "--weights", weights)
        assert (status, errors) == (0, f"lenet1998: {warning}\n" if warning else "")
    for arguments in ((handwriting / "saved",), ("--weights", "lenet5-modern"), ()):
        status, out, errors = lenet1998("evaluate", *arguments, "--data", "digits", "--json")
        warned = learnt.format("MNIST") if arguments[-1:] != (handwriting / "saved",) else ""
        assert (status, json.loads(out)["digits"]) == (0, 297)
        assert errors == (f"lenet1998: {warned}\n" if warned else "")
    status, _, errors = lenet1998("evaluate", folder, "--weights", "lenet5-modern")
    assert status == 2 and "name one" in errors


def test_summary_counts_any_network(lenet1998):
    status, out, _ = lenet1998("summary", "lenet1", "--json")
    assert status == 0 and json.loads(out)["total"]["count"]["trainable"] == 2_578
    status, _, err = lenet1998("summary", "lenet6")
    assert status == 2 and "no network 'lenet6': expected one of lenet5-classic" in err


def test_summary_survives_an_output_without_check_marks():
    command = [sys.executable, "-m", "lenet1998.cli", "summary"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "60,000 =" in done.stdout and done.stderr == ""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_output_is_one_line():
    command = [sys.executable, "-m", "lenet1998.cli", "models"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1 and line.startswith("lenet1998: standard input or output: no space")


def test_auto_falls_back_loudly_and_mnist_does_not(tmp_path, monkeypatch, lenet1998):
    monkeypatch.delenv("LENET1998_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(mnist_files, "user_cache_path", lambda name: tmp_path / "cache")

    def no_network(folder, of):
        raise OSError("no route to host")

    monkeypatch.setattr(mnist_files, "_download", no_network)
    status, out, errors = lenet1998("reproduce", "--passes", 1, "--output", tmp_path / "run")
    assert status == 0
    assert "does NOT use MNIST" in errors
    assert "UCI digits, not MNIST" in out
    status, _, errors = lenet1998("reproduce", "--data", "mnist", "--output", tmp_path / "other")
    assert status == 1
    assert "no route to host" in errors
    assert "--data digits" in errors
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("arguments", "status", "named"),
    [
        (("reproduce", "--recipe", "papier", "--data", "digits"), 2, "authors-software"),
        (("reproduce", "--engine", "gpu", "--data", "digits"), 2, "fused"),
        (("reproduce", "--passes", "0", "--data", "digits"), 2, "passes"),
        (("reproduce", "--data", "nowhere"), 1, "nowhere"),
        (("evaluate", "nowhere.safetensors", "--data", "digits"), 1, "nowhere.safetensors"),
        (("study", "--set", "nu=1"), 2, "curvature_patterns"),
        (("compare", "lenet-6"), 2, "lenet5-modern"),
        (("evaluate", "lenet-6", "--data", "digits"), 1, "lenet5-modern"),
        (("study", "--set", "mu=0"), 2, "mu > 0"),
        (("study", "--recipe", "papier"), 2, "authors-software"),
        (("study", "--backend", "dask"), 2, "tcp://HOST:PORT"),
        (("study", "--jobs", "0"), 2, "jobs >= 1"),
        (("reproduce", "--seed", 2**64, "--data", "digits"), 2, "2^64 - 1"),
        (("study", "--seeds", 10**12, "--data", "digits"), 2, "seeds"),
        (("frobnicate",), 2, "frobnicate"),
    ],
)
def test_errors_name_what_is_wrong(arguments, status, named, lenet1998):
    code, _, errors = lenet1998(*arguments)
    assert code == status
    assert named in errors
    if status == 1:
        assert len(errors.strip().splitlines()) == 1


def test_evaluate_names_damaged_weights(finished, tmp_path, lenet1998):
    folder, _ = finished
    whole = (folder / "weights.safetensors").read_bytes()
    for name, content in (("cut", whole[:5000]), ("text", b"not weights")):
        file = tmp_path / f"{name}.safetensors"
        file.write_bytes(content)
        status, _, errors = lenet1998("evaluate", file, "--data", "digits")
        assert status == 1
        assert str(file) in errors
        assert len(errors.strip().splitlines()) == 1


def test_a_run_is_not_overwritten(finished, lenet1998):
    folder, _ = finished
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    status, _, errors = lenet1998("reproduce", "--data", "digits", "--output", folder)
    assert status == 1
    assert "--resume" in errors
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_json_output_is_json_alone(tmp_path, lenet1998):
    status, out, _ = lenet1998(
        "reproduce", "--data", "digits", "--passes", 1, "--output", tmp_path, "--json"
    )
    assert status == 0
    assert json.loads(out) == json.loads((tmp_path / "summary.json").read_text())
