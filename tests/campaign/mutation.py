"""Mutation testing: does a module's own test file notice each small change of its code?

    uv run --with cosmic-ray python tests/campaign/mutation.py [--sample 150] [MODULE ...]

The changes are cosmic-ray's. Each is tried in a process forked after the libraries are imported
and lives in its memory alone: no file is touched, and what costs seconds is paid once. Examples of
hypothesis are the same in each run. What survives is printed.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import gc
import importlib
import multiprocessing
import os
import random
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path
from types import CodeType

import hypothesis
import pytest
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.provider import OperatorProvider

REPOSITORY = Path(__file__).resolve().parents[2]
TESTS = {
    "codes": "codes",
    "losses": "losses",
    "layers": "layers",
    "learning.curvature": "curvature",
    "learning.recipe": "recipe",
    "measures.counting": "counting",
    "data.normalisation": "data",
}
LIMIT = 300.0  # seconds for one mutant; an endless loop is noticed too

hypothesis.settings.register_profile(
    "mutation",
    deadline=None,
    derandomize=True,
    database=None,
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
)


class Mutant(SourceFileLoader):
    """Gives one module another text, on `sys.meta_path` and as its loader."""

    text: str

    def find_spec(self, name: str, path: object, target: object = None) -> ModuleSpec | None:
        return spec_from_file_location(name, self.path, loader=self) if name == self.name else None

    def get_code(self, fullname: str) -> CodeType:
        return compile(self.text, self.path, "exec")


def mutants(source: str) -> Iterator[str]:
    """The source with one change that Python would notice, in a random but fixed order."""
    nodes = list(ast_nodes(get_ast(source)))
    changes = [
        (operator, occurrence)
        for operator in map(OperatorProvider().__getitem__, OperatorProvider())
        if not operator.arguments()  # these would have to be told names of variables
        for occurrence in range(sum(len([*operator().mutation_positions(node)]) for node in nodes))
    ]
    random.Random(0).shuffle(changes)
    for operator, occurrence in changes:
        text = mutate_code(source, operator(), occurrence)
        if meaning(text) != meaning(source):
            yield text


def meaning(source: str) -> str:
    """The syntax tree, but for annotations of functions: nothing evaluates those."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return ""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        elif isinstance(node, ast.arg):
            node.annotation = None
    return ast.dump(tree)


def run(module: str, text: str, libraries: Connection | None = None) -> None:
    """In a process of its own: the module's tests with that text. Exits as pytest does."""
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    path = REPOSITORY.joinpath("lenet1998", *module.split(".")).with_suffix(".py")
    mutant = Mutant(f"lenet1998.{module}", str(path))
    mutant.text = text
    sys.meta_path.insert(0, mutant)
    arguments = ["-n0", "-x", "-pno:cacheprovider", "--tb=no", "--hypothesis-profile=mutation"]
    code = pytest.main([*arguments, str(REPOSITORY / "tests" / f"test_{TESTS[module]}.py")])
    if libraries:
        own = ("lenet1998", "test_", "tests", "conftest", "__main__")
        libraries.send([name for name in sys.modules if not name.startswith(own)])
    os._exit(code)


def survives(module: str, text: str) -> bool:
    process = multiprocessing.get_context("fork").Process(target=run, args=(module, text))
    process.start()
    process.join(LIMIT)
    process.kill()
    process.join()
    return process.exitcode == 0


def campaign(module: str, sample: int, at_once: int) -> None:
    source = REPOSITORY.joinpath("lenet1998", *module.split(".")).with_suffix(".py").read_text()
    ours, theirs = multiprocessing.Pipe()
    first = multiprocessing.get_context("fork").Process(target=run, args=(module, source, theirs))
    first.start()
    for library in ours.recv():
        with suppress(Exception):
            importlib.import_module(library)
    first.join()
    if first.exitcode != 0:
        sys.exit(f"tests/test_{TESTS[module]}.py fails as it is: mend that first")
    gc.freeze()
    tried = list(islice(mutants(source), sample))
    survived = 0
    with ThreadPoolExecutor(at_once) as pool:
        for text, lives in zip(tried, pool.map(partial(survives, module), tried), strict=True):
            if lives:
                survived += 1
                print(*changed(source, text), sep="\n", flush=True)
    print(f"{module}: {len(tried)} mutants, {survived} survived", flush=True)


def changed(source: str, text: str) -> list[str]:
    lines = difflib.unified_diff(source.splitlines(), text.splitlines(), n=0, lineterm="")
    return list(lines)[2:]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=", ".join(TESTS))
    parser.add_argument("--sample", type=int, default=150, help="at most so many of a module")
    parser.add_argument("--at-once", type=int, default=os.cpu_count() or 1, help="processes")
    options = parser.parse_args()
    for module in options.modules or TESTS:
        campaign(module, options.sample, options.at_once)
