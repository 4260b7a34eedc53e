"""The command line: verbs only."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

app = typer.Typer(
    help="LeNet-5 as LeCun, Bottou, Bengio and Haffner published it in 1998.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

DataOption = Annotated[
    str,
    typer.Option(
        "--data",
        help="auto (MNIST, else the embedded digits), mnist, digits, or a folder with MNIST.",
    ),
]
BackendOption = Annotated[
    str, typer.Option(help="loky (processes on this computer) or dask (a cluster).")
]
AddressOption = Annotated[
    str | None, typer.Option(help="With --backend dask: its scheduler, tcp://HOST:PORT.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@contextmanager
def _failures() -> Iterator[None]:
    """A failure is one line on stderr and exit status 1."""
    from lenet1998.data import DatasetError
    from lenet1998.learning.training import RunError
    from lenet1998.models.weights import WeightsError

    try:
        yield
    except (DatasetError, RunError, WeightsError, OSError) as error:
        message = str(error)
    except KeyboardInterrupt:
        message = "stopped; finished work is kept, the same command goes on (reproduce: --resume)"
    else:
        return
    print(f"lenet1998: {message}", file=sys.stderr)
    raise typer.Exit(1)


@app.command()
@_failures()
def summary(as_json: JsonOption = False) -> None:
    """Count LeNet-5, layer by layer, beside the paper's figures."""
    from lenet1998 import counting
    from lenet1998.models import LeNet5Classic

    counted = counting.summary(LeNet5Classic())
    if as_json:
        print(json.dumps(asdict(counted), indent=2))
    else:
        counting.print_summary(counted, _console())


@app.command()
@_failures()
def reproduce(
    data: DataOption = "auto",
    passes: Annotated[int, typer.Option(min=1, help="Passes through the training set.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Of weights, order and estimates.")] = 0,
    recipe: Annotated[
        str, typer.Option(help="Such as paper-distorted; an unknown name lists all.")
    ] = "paper",
    engine: Annotated[
        str, typer.Option(help="fused (compiled) or torch (the slow reference).")
    ] = "fused",
    output: Annotated[
        Path | None, typer.Option(help="Folder for the results [runs/RECIPE-seedSEED].")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the folder's run.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Train as in 1998 and lay the result beside the paper's."""
    from lenet1998 import reproduction
    from lenet1998.data import load_dataset
    from lenet1998.learning.online import TRAINERS
    from lenet1998.learning.recipe import LITERAL_NOTE, preset
    from lenet1998.progress import pass_progress

    chosen = _usage(lambda: preset(recipe, seed=seed))
    if engine not in TRAINERS:
        raise typer.BadParameter(f"expected {' or '.join(TRAINERS)}, got {engine}")
    console = _console(stderr=as_json)
    if chosen.name == "paper-literal":
        console.print(LITERAL_NOTE, highlight=False)
    dataset = load_dataset(data)
    folder = output or Path("runs") / f"{recipe}-seed{seed}"
    with pass_progress(console, dataset.name) as on_progress:
        result = reproduction.reproduce(
            chosen,
            dataset,
            folder,
            passes=passes,
            engine=engine,
            resume=resume,
            on_progress=on_progress,
        )
    if as_json:
        print(json.dumps(result.figures, indent=2))
    else:
        reproduction.print_result(result, folder, console)


@app.command()
@_failures()
def study(
    recipe: Annotated[
        list[str] | None, typer.Option(help="As for reproduce; several times for several [paper].")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="FIELD=VALUE[,VALUE...]",
            help="Change a field of the recipes, to each of the values; several times for a grid.",
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds of each, from 0.")] = 10,
    passes: Annotated[int, typer.Option(min=1, help="Passes through the training set.")] = 20,
    data: DataOption = "auto",
    jobs: Annotated[int, typer.Option(help="Runs at once; -1 for one on each core.")] = -1,
    backend: BackendOption = "loky",
    address: AddressOption = None,
    output: Annotated[Path, typer.Option(help="Folder for the runs.")] = Path("runs/study"),
    as_json: JsonOption = False,
) -> None:
    """Train a grid of recipes and seeds, all cores at once; finished runs are not repeated."""
    from lenet1998.learning.grid import grid
    from lenet1998.learning.study import check_backend
    from lenet1998.progress import run_progress
    from lenet1998.study_report import print_study
    from lenet1998.study_report import study as run

    _usage(lambda: check_backend(backend, address, jobs))
    recipes = _usage(lambda: grid(recipe or ["paper"], settings or [], range(seeds)))
    console = _console(stderr=as_json)
    with run_progress(console, len(recipes)) as progress:
        results = run(
            recipes,
            data,
            output,
            passes=passes,
            jobs=jobs,
            backend=backend,
            address=address,
            on_run=progress.ended,
            on_found=progress.found,
        )
    if as_json:
        print(json.dumps(results, indent=2))
    else:
        print_study(results, output, console)


@app.command()
@_failures()
def paper(
    only: Annotated[
        str, typer.Option(help="Some experiments, such as fig05,fig08 [all; --list names them].")
    ] = "",
    quick: Annotated[
        bool, typer.Option("--quick", help="Fewer seeds, passes and digits; labelled so.")
    ] = False,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Of each recipe [5 to 10, by experiment].")
    ] = None,
    data: DataOption = "auto",
    jobs: Annotated[int, typer.Option(help="Processes; -1 for one on each core.")] = -1,
    backend: BackendOption = "loky",
    address: AddressOption = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder for report and runs [runs/paper].")
    ] = None,
    list_names: Annotated[
        bool, typer.Option("--list", help="Name the experiments and do nothing else.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Recompute what sections II and III show of LeNet-5, and set it beside the paper's figures."""
    from lenet1998 import paper as evidence
    from lenet1998.learning.study import check_backend

    console = _console(stderr=as_json)
    if list_names:
        for name, experiment in evidence.experiments().items():
            console.print(f"{name}: {experiment.title}", highlight=False)
        return
    names = [name.strip() for name in only.split(",") if name.strip()]
    _usage(lambda: evidence.check_names(names))
    _usage(lambda: check_backend(backend, address, jobs))
    folder = output or Path("runs") / ("paper-quick" if quick else "paper")
    results = evidence.recompute(
        folder,
        only=names,
        place=data,
        quick=quick,
        seeds=seeds,
        jobs=jobs,
        backend=backend,
        address=address,
        report=lambda line: console.print(line, highlight=False),
    )
    if as_json:
        print(json.dumps(results, indent=1))
    else:
        evidence.print_summary(folder, console)


@app.command()
@_failures()
def evaluate(
    weights: Annotated[Path, typer.Argument(help="weights.safetensors of a run.")],
    data: DataOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Measure a saved network on the test digits."""
    from lenet1998 import evaluation
    from lenet1998.data import load_dataset
    from lenet1998.models.weights import load_classic

    net, _ = load_classic(weights)
    dataset = load_dataset(data)
    measured = evaluation.evaluate(net, dataset.test_images, dataset.test_labels, dataset.name)
    if as_json:
        print(json.dumps(measured.to_dict(), indent=2))
    else:
        evaluation.print_evaluation(measured, _console())


@app.command()
@_failures()
def predict(
    images: Annotated[list[Path], typer.Argument(help="Pictures of one digit each.")],
    show: Annotated[
        Path | None, typer.Option(help="Folder for a picture of every layer, one per image.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Read the digit in pictures: photographs, scans, drawings."""
    from lenet1998 import reading

    rows = reading.predict_files(images)
    if show is not None:
        reading.show([row["image"] for row in rows if row["error"] is None], show)
    if as_json:
        print(json.dumps(rows, indent=2))
    else:
        reading.print_readings(rows, _console())
    failed = [row for row in rows if row["error"] is not None]
    for row in failed:
        print(f"lenet1998: {row['error']}", file=sys.stderr)
    if failed:
        raise typer.Exit(1)


@app.command()
@_failures()
def models(as_json: JsonOption = False) -> None:
    """List the trained networks that come with the package."""
    from rich.table import Table

    from lenet1998.models import cards

    if as_json:
        print(json.dumps([asdict(card) for card in cards().values()], indent=2))
        return
    table = Table(box=None)
    for column in ("name", "test error", "data", "recipe", "seed", "passes", "sha256"):
        table.add_column(column)
    for card in cards().values():
        error = f"{card.test_error_percent:.2f} %"
        recipe, run = str(card.recipe["name"]), (str(card.seed), str(card.passes))
        table.add_row(card.name, error, card.dataset, recipe, *run, card.sha256[:12])
    _console().print(table)


@app.command()
@_failures()
def compare(
    networks: Annotated[
        list[str] | None, typer.Argument(help="Which to compare, by name [all].")
    ] = None,
    data: DataOption = "auto",
    train: Annotated[
        bool, typer.Option("--train", help="Train them again; finished runs are not repeated.")
    ] = False,
    seeds: Annotated[int, typer.Option(min=1, help="With --train: seeds of each, from 0.")] = 5,
    jobs: Annotated[int, typer.Option(help="With --train: processes; -1 for all cores.")] = -1,
    output: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("runs/compare"),
    as_json: JsonOption = False,
) -> None:
    """LeNet-5 of 1998 beside its modern form and the tutorials' networks."""
    from lenet1998 import comparison, comparison_page
    from lenet1998.data import load_dataset
    from lenet1998.learning.seeds import COMPARED, train_seeds

    console = _console(stderr=as_json)
    names = list(dict.fromkeys(networks or COMPARED))

    def contenders() -> list[comparison.Contender]:
        if not train:
            return comparison.packaged(names)
        places = (range(seeds), data, output)
        return comparison.of_runs(train_seeds(names, *places, jobs=jobs, report=console.print))

    chosen = _usage(contenders)
    dataset = load_dataset(data)
    compared = comparison.compare(chosen, dataset, report=console.print)
    comparison_page.write_comparison(compared, dataset, output)
    if as_json:
        print(json.dumps(compared.to_dict(), indent=2))
    else:
        comparison_page.print_comparison(compared, output, console)


def _console(*, stderr: bool = False) -> Console:
    console = Console(stderr=stderr)
    # Where the output is not a terminal there is no width to keep to: let tables be whole.
    return console if console.is_terminal else Console(stderr=stderr, width=100)


def _usage(make: Callable[[], Any]) -> Any:
    """A value made from options; a ValueError is the user's, exit status 2."""
    try:
        return make()
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def main() -> None:
    """Run a command: exit status 0, 2 for wrong usage, 1 for a failure."""
    app()


if __name__ == "__main__":
    main()
