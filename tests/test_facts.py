"""The facts of the paper: read from its figures, and typed nowhere else."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import lenet1998
from lenet1998.evidence import facts

MODULES = sorted(Path(lenet1998.__file__).parent.rglob("*.py"))
COUNTS = {
    count
    for layer in (*facts.LAYERS.values(), facts.NETWORK)
    for count in (layer.trainable, layer.connections)
    if count > 1000 and count % 1000  # round ones, such as 60,000, stand for other things too
}
ERRORS = (facts.TEST_ERROR, facts.TEST_ERROR_DISTORTED, facts.TRAINING_ERROR[0])


def test_figures_are_read_from_their_files() -> None:
    curve = facts.learning_curve()
    assert len(curve.test) == len(curve.online_training) == 21
    assert (curve.test[0], curve.online_training[0]) == (2.65, 4.89)
    assert (curve.test[19], curve.online_training[18]) == (0.96, 0.36)
    assert len(facts.size_points()) == 4 and len(facts.misread_digits()) == 82
    bars = {(bar.classifier, bar.input, bar.distorted): bar for bar in facts.all_bars()}
    assert len(bars) == len(facts.all_bars()) == 27
    assert bars["Linear", "20x20 deslanted", False].test_error == 8.4
    assert bars["LeNet-5", "32x32", False].rejected is None
    assert bars["Boosted LeNet-4", "32x32", True].rejected == 0.5


def test_errors_of_the_text_are_those_of_the_figures() -> None:
    assert (facts.TEST_ERROR, facts.TEST_ERROR_DISTORTED) == (0.95, 0.8)
    # Fig. 8 shows the digits that the network trained with distortions misread.
    assert round(len(facts.misread_digits()) / 100, 1) == facts.TEST_ERROR_DISTORTED
    plain = [point.test for point in facts.size_points() if not point.distorted]
    assert round(plain[-1], 2) == pytest.approx(facts.TEST_ERROR, abs=0.011)


def constants(module: Path) -> Iterator[object]:
    """The numbers and texts of a module's code, its docstrings left out."""
    nodes = list(ast.walk(ast.parse(module.read_text())))
    documentation = [node.value for node in nodes if isinstance(node, ast.Expr)]
    for node in nodes:
        if isinstance(node, ast.Constant) and node not in documentation:
            yield node.value


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.stem)
def test_no_figure_of_the_paper_is_typed_elsewhere(module: Path) -> None:
    if module.name == "facts.py":
        return
    words = "|".join([*(f"{count:,}" for count in COUNTS), *(f"{error} %" for error in ERRORS)])
    for value in constants(module):
        if isinstance(value, str):
            assert not re.search(rf"(?<![\d.])({words})", value)
        else:
            assert value not in COUNTS
