"""Command lines, in this process or one of their own, and what the environment may hold."""

import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any
from unicodedata import category

from click.testing import Result
from typer.testing import CliRunner

from lenet1998 import cli
from lenet1998.data import digits as embedded
from lenet1998.data import loading, mnist

from .cases import Case, Rng, harmed, one_of
from .files import run_folders
from .pictures import drawn, encoded

VERBS: dict[str, tuple[str, ...]] = {
    "summary": (), "models": (),
    "predict": ("--weights", "--show"),
    "read": ("--weights", "--show", "--pattern", "--length", "--words", "--n-best"),
    "evaluate": ("--weights", "--data"),
    "compare": ("--data", "--seeds", "--jobs", "--backend", "--address", "--output"),
    "study": ("--recipe", "--set", "--seeds", "--passes", "--data", "--jobs", "--backend"),
    "reproduce": ("--data", "--passes", "--seed", "--recipe", "--engine", "--output"),
    "paper": ("--only", "--seeds", "--data", "--jobs", "--backend", "--address"),
}  # fmt: skip
"""Each with the options that take a value."""

NAMES = (
    "", "-", "x", "nowhere/at/all", "\x1b[2J", "a\nb", "[red]x[/red]", ":smile:", "é☃\U0001f600",
    "x" * 300, "y" * 5000, "../..", "/dev/null", "/dev/zero", "--", "--json", "-1",
    "a\rb", "%s%n", "$(id)", "\u202e", "a" * 100 + "/" + "b" * 100, "lenet5-classic", "digits",
)  # fmt: skip
VALUES = (
    *NAMES, "0", "1", "1e9", "nan", "inf", "0x1", "1.5", "99999999999999999999999", "True", "null",
    "mu=0", "mu=nan", "mu", "=", "name=x", "mu=[", "loss=mle,x", "fig05", "fig05,fig99", "papier",
    r"\d{5}(-\d{4})?", "(", "[9-0]", "a{2,1}", r"(\d-?)*", "((((", "\\", "0|1|", r"\d{999999}",
    "tcp://127.0.0.1:1", "loky", "dask", "gpu", "torch",
)  # fmt: skip


@cache
def _without_a_network() -> None:
    """No download, and the embedded digits made once."""

    def refuse(*_: Any) -> None:
        raise OSError("no network in the campaign")

    mnist._download = refuse  # type: ignore[assignment]
    embedded.load_digits_dataset = cache(embedded.load_digits_dataset)  # type: ignore[assignment]
    assert loading.digits is embedded


def _files(rng: Rng, folder: Path) -> list[str]:
    good = encoded(drawn(rng), "PNG")
    (folder / "good.png").write_bytes(good)
    (folder / "bad.png").write_bytes(harmed(good, rng))
    name = one_of(rng, ("\x1b[31m.png", "a\nb.png", "[b].png", "é☃.png", "-x.png"))
    (folder / name).write_bytes(one_of(rng, (good, b"")))
    places = ("good.png", "good.png", "bad.png", name, "none.png", ".")
    return [str(folder / one_of(rng, places)) for _ in range(rng.integers(1, 4))]


def line_of(rng: Rng, folder: Path) -> list[str]:
    """A command line that asks for no long work."""
    verb = one_of(rng, (*VERBS, *["predict"] * 4, *["read"] * 2))
    line = [verb, *(_files(rng, folder) if verb in ("predict", "read") else ())]
    for option in VERBS[verb]:
        if rng.random() < 0.4:
            line += [option, one_of(rng, VALUES)]
    for extra in (one_of(rng, VALUES), "--json", f"--{one_of(rng, NAMES)}", "--resume", "--train"):
        if rng.random() < 0.1:
            line.insert(int(rng.integers(len(line) + 1)), extra)
    if "paper" in line:  # else it may be two hours' work
        line += ["--only", "fig05,nothing"]
    if {"reproduce", "study", "compare", "evaluate"} & {*line}:
        line += ["--data", str(folder / "absent")]
    return line


def _complaint(status: int, out: str, err: str) -> str:
    """What is wrong with how a command ended; nothing if all is well."""
    lines = err.splitlines()
    if any(category(sign) == "Cc" and sign != "\n" for sign in err):
        return "control characters on stderr"
    if "Traceback" in err + out or status not in (0, 1, 2):
        return "no documented end"
    if status == 1 and not (lines and all(line.startswith("lenet1998: ") for line in lines)):
        return "exit status 1 without a line, or with others"
    if status == 2 and not any(line.startswith(("Error: ", "Usage: ")) for line in lines[-40:]):
        return "exit status 2 without a line"
    return ""


def commands(rng: Rng, folder: Path) -> Case:
    """Any command line ends with an answer, or with status 1 or 2 and a line."""
    _without_a_network()
    line = line_of(rng, folder)
    env = {"COLUMNS": one_of(rng, ("80", "0", "-1", "x", "100000")), "LENET1998_DATA": "/nowhere"}

    def act() -> str:
        os.chdir(folder)
        done: Result = CliRunner().invoke(cli.app, line, env=env, input=one_of(rng, ("", "x")))
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise RuntimeError(f"{type(done.exception).__name__}: {done.exception}") from (
                done.exception
            )
        return _complaint(done.exit_code, done.stdout, done.stderr) and (
            f"{_complaint(done.exit_code, done.stdout, done.stderr)}: {done.exit_code} "
            f"{done.stderr[-200:]!r}"
        )

    return Case(repr(line)[:400], act, right=lambda complaint: not complaint, errors=(EOFError,))


ENVIRONMENT: dict[str, tuple[str | None, ...]] = {
    "LENET1998_DATA": (None, "", "/nowhere", "~nobody/x", "\x1b[31m", "/dev/null", "x" * 5000),
    "NUMBA_CACHE_DIR": (None, "", "/nowhere", "/dev/null", "/proc", "x" * 300),
    "COLUMNS": (None, "", "0", "-5", "1", "x", "99999999999999999999"),
    "NO_COLOR": (None, "", "1"),
    "FORCE_COLOR": (None, "1"),
    "TERM": (None, "", "dumb", "nonsense", "\x1b"),
    "PYTHONIOENCODING": (None, "ascii", "latin-1", "utf-16", "ascii:strict"),
    "HOME": (None, "", "/nowhere", "/dev/null"),
    "LANG": (None, "C", "POSIX", "tr_TR.UTF-8", "x"),
    "LC_ALL": (None, "C", "x"),
    "PYTHONUTF8": (None, "0", "1"),
    "OMP_NUM_THREADS": (None, "1", "0", "x"),
}


def environment(rng: Rng, folder: Path) -> Case:
    """A process of its own, with odd variables, answers as ever, or ends as documented."""
    variables = {name: one_of(rng, values) for name, values in ENVIRONMENT.items()}
    env = {k: v for k, v in os.environ.items() if k not in variables}
    env |= {name: value for name, value in variables.items() if value is not None}
    (folder / "good.png").write_bytes(encoded(drawn(rng), "PNG"))
    lines = {
        "predict": (["good.png"], r"good\.png: \d \(probability"),
        "predict x": ([one_of(rng, ("\x1b[31m☃.png", "\udce9.png"))], "no such file"),
        "summary": ([], "60,000"),
        "models": ([], "lenet5-classic"),
        "evaluate": (["--data", "digits"], "297 test digits misread"),
        "evaluate x": (["--data", str(run_folders()["1998"])], "does not hold MNIST"),
        "summary --json": ([], '"network": "LeNet5Classic"'),
    }
    name = one_of(rng, lines)
    verb, more = name.split()[0], [word for word in name.split()[1:] if word != "x"]
    arguments, says = lines[name]
    command = [sys.executable, "-m", "lenet1998.cli", verb, *more, *arguments]

    def act() -> str:
        done = subprocess.run(command, env=env, cwd=folder, capture_output=True, check=False)
        encoding = "utf-16" if variables["PYTHONIOENCODING"] == "utf-16" else "utf-8"
        out, err = (text.decode(encoding, "replace") for text in (done.stdout, done.stderr))
        said = " ".join((out + err).split())  # broken where the terminal is narrow
        found = re.search(says, said) or (said and variables["COLUMNS"] == "1")
        complaint = "" if found else f"without {says!r}"
        return (complaint or "Traceback" in err) and f"{complaint}: {out[-300:]!r} {err[-300:]!r}"

    what = (
        f"{verb} {more} {arguments} with { {k: v for k, v in variables.items() if v is not None} }"
    )
    return Case(
        what[:600], act, right=lambda complaint: not complaint, errors=(EOFError,), seconds=300
    )
