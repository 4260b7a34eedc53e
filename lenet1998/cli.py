"""The command line: options only."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Argument, Option
from typer.core import TyperGroup

from lenet1998 import __version__
from lenet1998.errors import Failure, in_one_line, in_words, visible
from lenet1998.report.terminal import survive_any_encoding

if TYPE_CHECKING:
    from lenet1998.report.sections import Outcome


class _Lines(logging.Handler):
    """What a user may have to wait for, or should know, as a line on stderr as it is now."""

    def emit(self, record: logging.LogRecord) -> None:
        print(f"lenet1998: {visible(record.getMessage())}", file=sys.stderr)


class _Commands(TyperGroup):
    """A failure is one line on stderr and exit status 1."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except Failure as error:
            text = str(error)
        except OSError as error:
            text = in_words(error)
        except KeyboardInterrupt:
            text = "stopped; finished work is kept, the same command goes on (reproduce: --resume)"
        _complain(text)
        raise typer.Exit(1)


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

_MNIST = (
    "auto (MNIST, else the embedded digits), mnist, digits, qmnist, qmnist-test10k, "
    "qmnist-test50k, or a folder with MNIST."
)
Data = Annotated[str, Option(help=_MNIST)]
Passes = Annotated[int | None, Option(min=1, help="Through the training set [20, by the recipe].")]
Jobs = Annotated[int, Option(help="Runs at once; -1 for one on each core.")]
_SAVED = "Folder of a run or of save_pretrained, file, or name"
Weights = Annotated[str | None, Option(help=f"{_SAVED} [lenet5-classic].")]
Backend = Annotated[str, Option(help="loky (processes on this computer) or dask (a cluster).")]
Address = Annotated[str | None, Option(help="With --backend dask: its scheduler, tcp://HOST:PORT.")]
Json = Annotated[bool, Option("--json", help="Print JSON instead of a table.")]


def _complain(text: str) -> None:
    print(f"lenet1998: {in_one_line(text)}", file=sys.stderr)


@contextmanager
def _usage() -> Iterator[None]:
    """A ValueError is the user's, exit status 2."""
    try:
        yield
    except ValueError as error:
        raise typer.BadParameter(visible(str(error))) from error


def _show(outcome: Outcome, *, as_json: bool) -> None:
    from lenet1998.report import terminal

    if as_json:
        for warning in outcome.document.warnings:
            _complain(warning)
        print(json.dumps(outcome.values, indent=2))
    else:
        terminal.show(outcome, terminal.console())


def _version(asked: bool) -> None:
    if asked:
        print(__version__)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """LeNet-5 as LeCun, Bottou, Bengio and Haffner published it in 1998."""
    log = logging.getLogger("lenet1998")
    log.setLevel(logging.INFO)
    log.handlers = [_Lines()]
    # Where it keeps its fonts is its own affair: it tells of each home that can't be written.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)


@app.command()
def summary(
    network: Annotated[str, Argument(help="As `lenet1998 models` lists them.")] = "lenet5-classic",
    as_json: Json = False,
) -> None:
    """Count a network layer by layer, LeNet-5 beside the paper's figures."""
    from lenet1998.commands.summary import summary

    with _usage():
        counted = summary(network)
    _show(counted, as_json=as_json)


@app.command()
def reproduce(
    data: Data = "auto",
    passes: Passes = None,
    seed: Annotated[int, Option(min=0, help="Of weights, order and estimates.")] = 0,
    recipe: Annotated[str, Option(help="As paper-distorted; an unknown name lists all.")] = "paper",
    engine: Annotated[str | None, Option(help="fused (compiled) or torch (slow) [fused].")] = None,
    output: Annotated[Path | None, Option(help="For the results [runs/RECIPE-seedSEED].")] = None,
    resume: Annotated[bool, Option("--resume", help="Go on with the folder's run.")] = False,
    as_json: Json = False,
) -> None:
    """Train as in 1998 and lay the result beside the paper's."""
    from lenet1998.commands.progress import pass_progress
    from lenet1998.commands.reproduce import reproduce
    from lenet1998.data import load_dataset
    from lenet1998.learning.presets import preset
    from lenet1998.report.terminal import console
    from lenet1998.runs.run import train

    with _usage():
        how = preset(recipe, seed=seed)
    if engine not in (None, *how.ENGINES):
        raise typer.BadParameter(f"expected {' or '.join(how.ENGINES)}, got {engine}")
    place = output or Path("runs") / f"{recipe}-seed{seed}"
    digits = load_dataset(data)
    with pass_progress(console(stderr=as_json), digits.name) as bar:
        run = train(
            how, digits, passes=passes, engine=engine, folder=place, resume=resume, on_progress=bar
        )
    _show(reproduce(run, digits, place), as_json=as_json)


@app.command()
def study(
    recipe: Annotated[list[str] | None, Option(help="As reproduce's; may repeat [paper].")] = None,
    settings: Annotated[
        list[str] | None,
        Option("--set", metavar="FIELD=VALUE[,VALUE...]", help="Values to try; repeat for a grid."),
    ] = None,
    seeds: Annotated[int, Option(min=1, max=10_000, help="How many seeds of each, from 0.")] = 10,
    passes: Passes = None,
    data: Data = "auto",
    jobs: Jobs = -1,
    backend: Backend = "loky",
    address: Address = None,
    output: Annotated[Path, Option(help="Folder for the runs.")] = Path("runs/study"),
    as_json: Json = False,
) -> None:
    """Train a grid of recipes and seeds, all cores at once; finished runs are not repeated."""
    from lenet1998.commands.progress import RunProgress
    from lenet1998.commands.study import study
    from lenet1998.report.terminal import console
    from lenet1998.runs.grid import grid
    from lenet1998.runs.many import train_many
    from lenet1998.runs.workers import Workers

    with _usage():
        workers = Workers(jobs, backend, address)
        recipes = grid(recipe or ["paper"], settings or [], range(seeds))
    log = RunProgress(console(stderr=as_json), len(recipes))
    runs = train_many(
        recipes, data, output, passes=passes, workers=workers, on_run=log.ended, on_found=log.found
    )
    _show(study(runs, output), as_json=as_json)


@app.command()
def paper(
    only: Annotated[str, Option(help="Such as fig05,fig08 [all; --list names them].")] = "",
    quick: Annotated[bool, Option("--quick", help="Fewer seeds, passes, digits; says so.")] = False,
    seeds: Annotated[
        int | None, Option(min=1, max=10_000, help="Per recipe [5 to 10, by experiment].")
    ] = None,
    data: Data = "auto",
    jobs: Jobs = -1,
    backend: Backend = "loky",
    address: Address = None,
    output: Annotated[Path | None, Option(help="Folder for report and runs [runs/paper].")] = None,
    list_names: Annotated[bool, Option("--list", help="Only name the experiments.")] = False,
    as_json: Json = False,
) -> None:
    """Recompute what sections II and III show of LeNet-5, and set it beside the paper's figures."""
    from lenet1998.commands import paper as command
    from lenet1998.report.terminal import console
    from lenet1998.runs.workers import Workers

    if list_names:
        for name, experiment in command.experiments().items():
            print(f"{name}: {experiment.title}")
        return
    names = [name.strip() for name in only.split(",") if name.strip()]
    with _usage():
        command.check_names(names)
        workers = Workers(jobs, backend, address)
    folder = output or Path("runs/paper-quick" if quick else "runs/paper")
    to = console(stderr=as_json)
    outcome = command.paper(
        folder, only=names, place=data, quick=quick, seeds=seeds, workers=workers, report=to.print
    )
    _show(outcome, as_json=as_json)


@app.command()
def evaluate(
    network: Annotated[str | None, Argument(help="The same as --weights.")] = None,
    weights: Weights = None,
    data: Data = "auto",
    as_json: Json = False,
) -> None:
    """Measure a saved network on the test digits."""
    from lenet1998.commands.evaluate import evaluate
    from lenet1998.data import load_dataset

    if network and weights:
        raise typer.BadParameter(f"two networks, {network} and {weights}: name one")
    name = network or weights or "lenet5-classic"
    _show(evaluate(name, load_dataset(data)), as_json=as_json)


@app.command()
def predict(
    images: Annotated[list[Path], Argument(help="Of one digit each; - is standard input.")],
    weights: Weights = None,
    show: Annotated[Path | None, Option(help="Folder for a picture of each one's layers.")] = None,
    as_json: Json = False,
) -> None:
    """Read the digit in pictures: photographs, scans, drawings."""
    from lenet1998.commands.predict import in_words, predict

    def go(tell: Callable[[Any], None]) -> None:
        predict(images, weights=weights, folder=show, on_warning=_complain, on_read=tell)

    _one_by_one(len(images), go, in_words, as_json=as_json)


@app.command()
def read(
    images: Annotated[list[Path], Argument(help="Of one number each; - is standard input.")],
    pattern: Annotated[str | None, Option(help=r"Numbers there are, as '\d{5}(-\d{4})?'.")] = None,
    length: Annotated[int | None, Option(min=1, help="Digits of each number.")] = None,
    words: Annotated[
        Path | None, Option(help="File with the numbers there are, one a line.")
    ] = None,
    n_best: Annotated[int, Option(min=1, max=1000, help="How many it may be.")] = 1,
    weights: Annotated[str | None, Option(help=f"{_SAVED} [the two packaged].")] = None,
    show: Annotated[Path | None, Option(help="Folder for a picture of each one's outputs.")] = None,
    as_json: Json = False,
) -> None:
    """Read handwritten numbers in pictures: touching digits, uneven spacing."""
    from lenet1998.commands.read import grammar, in_words, read

    with _usage():
        strings = grammar(pattern, length, words)

    def go(tell: Callable[[Any], None]) -> None:
        read(
            images, strings=strings, n_best=n_best, weights=weights, folder=show,
            on_warning=_complain, on_read=tell,
        )  # fmt: skip

    _one_by_one(len(images), go, in_words, as_json=as_json)


def _one_by_one(
    count: int,
    go: Callable[[Callable[[Any], None]], None],
    in_words: Callable[[Any], Iterable[str]],
    *,
    as_json: bool,
) -> None:
    """Show what is read of so many pictures as it comes; what can't be read is exit status 1.

    `go` reads, and calls what it is given with each reading.
    """
    from lenet1998.commands.progress import picture_bar
    from lenet1998.report.terminal import console, print_text

    rows: list[Any] = []

    def tell(row: Any) -> None:
        rows.append(row)
        advance()
        if row["error"] is not None:
            _complain(row["error"])
        elif not as_json:
            for line in in_words(row):
                print_text(line, to)

    to = console()
    screen = to if to.is_terminal and not as_json else console(stderr=True)
    try:
        with picture_bar(screen, count) as advance:
            go(tell)
    finally:
        if as_json and rows:
            print(json.dumps(rows, indent=2))
    if len(rows) < count:
        raise Failure(f"stopped after {len(rows)} of {count} pictures; what was read is printed")
    if any(row["error"] is not None for row in rows):
        raise typer.Exit(1)


@app.command()
def models(as_json: Json = False) -> None:
    """List the trained networks that come with the package."""
    from lenet1998.commands.models import models

    _show(models(), as_json=as_json)


@app.command()
def compare(
    networks: Annotated[list[str] | None, Argument(help="Names of models, or files [all].")] = None,
    data: Data = "auto",
    train: Annotated[bool, Option("--train", help="Train again what is not finished.")] = False,
    seeds: Annotated[
        int, Option(min=1, max=10_000, help="With --train: seeds of each, from 0.")
    ] = 5,
    jobs: Jobs = -1,
    backend: Backend = "loky",
    address: Address = None,
    output: Annotated[Path, Option(help="Folder for the results.")] = Path("runs/compare"),
    as_json: Json = False,
) -> None:
    """LeNet-5 of 1998 beside its modern form and the tutorials' networks."""
    from lenet1998.catalogue import COMPARED
    from lenet1998.commands.compare import compare, trained
    from lenet1998.evidence.today import Contender
    from lenet1998.report.terminal import console
    from lenet1998.runs.workers import Workers

    names = list(dict.fromkeys(networks or COMPARED))
    to = console(stderr=as_json)
    with _usage():
        workers = Workers(jobs, backend, address)
        if train:
            contenders = trained(names, seeds, data, output, workers, to)
        else:
            contenders = [Contender.saved(name) for name in names]
    _show(compare(contenders, data, output, to.print), as_json=as_json)


@app.command()
def demo(
    networks: Annotated[
        list[str] | None, Argument(help="Names of models, or files [five].")
    ] = None,
    output: Annotated[Path, Option(help="The HTML file to write.")] = Path("lenet1998.html"),
    is_opened: Annotated[bool, Option("--open/--no-open", help="In the browser.")] = True,
    as_json: Json = False,
) -> None:
    """Write one page that reads the digits and numbers drawn on it, and open it."""
    from lenet1998.commands.demo import demo

    _show(demo(networks or [], output, is_opened=is_opened), as_json=as_json)


def main() -> None:
    """Run a command: exit status 0, 2 for wrong usage, 1 for a failure."""
    survive_any_encoding()
    app()


if __name__ == "__main__":
    main()
