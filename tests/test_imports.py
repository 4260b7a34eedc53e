"""What imports what, and when: only down the list of pyproject.toml, and PyTorch on demand."""

import os
import re
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest
from importlinter.cli import lint_imports

import lenet1998

HEAVY = {
    *("torch", "torchvision", "numpy", "scipy", "sklearn", "numba", "matplotlib", "PIL"),
    *("joblib", "jinja2"),
}
LAZY = ("lenet1998", "lenet1998.learning", "lenet1998.models")


def test_imports_go_down_the_list_and_in_no_circle(capsys: pytest.CaptureFixture[str]) -> None:
    config = Path(__file__).parents[1] / "pyproject.toml"
    status = lint_imports(str(config), no_cache=True)
    out = capsys.readouterr().out
    assert status == 0 and "Contracts: 2 kept, 0 broken" in out, out


def test_importing_the_package_imports_the_standard_library_alone() -> None:
    code = """
import sys
before = set(sys.modules)
import lenet1998
print(*{name.partition(".")[0] for name in set(sys.modules) - before} - sys.stdlib_module_names)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["lenet1998"]


@pytest.mark.parametrize("package", LAZY)
def test_importing_a_package_of_lazy_names_stays_light(package: str) -> None:
    code = f"import sys, {package}; print(*{HEAVY} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize(
    ("arguments", "spared"),
    [
        (["--help"], HEAVY | {"rich"}),
        (["--version"], HEAVY | {"rich"}),
        (["summary", "--help"], HEAVY | {"rich"}),
        (["models"], HEAVY),
    ],
    ids=["help", "version", "summary help", "models"],
)
def test_commands_that_need_no_network_import_no_torch(
    arguments: list[str], spared: set[str]
) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "lenet1998.cli", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    imported = {name.partition(".")[0] for name in re.findall(r"\| +(\S+)$", done.stderr, re.M)}
    assert "typer" in imported and not imported & spared
    assert done.returncode == 0 and done.stdout


def test_predict_imports_no_matplotlib() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "lenet1998.cli", "predict", "absent.png"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "absent.png: no such file" in done.stderr and "| torch\n" in done.stderr.replace(
        "  ", ""
    )
    assert not re.search(r"\| +matplotlib", done.stderr)


@pytest.mark.parametrize("package", LAZY)
def test_all_names_are_fetched_at_once_for_the_api_reference(package: str) -> None:
    code = f"import {package} as package; print(*{{*package.__all__}} - vars(package).keys())"
    command, environment = [sys.executable, "-c", code], {**os.environ, "EAGER_IMPORT": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_version_is_printed() -> None:
    command = [sys.executable, "-m", "lenet1998.cli", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == lenet1998.__version__


def test_the_packages_names_are_those_of_their_modules() -> None:
    from lenet1998.models.classic import LeNet5Classic
    from lenet1998.models.modern import LeNet5Modern
    from lenet1998.models.saved import load
    from lenet1998.reading import predict

    assert lenet1998.LeNet5Classic is LeNet5Classic and lenet1998.LeNet5Modern is LeNet5Modern
    assert lenet1998.load is load and lenet1998.predict is predict


@pytest.mark.parametrize("package", LAZY)
def test_every_lazy_name_is_there_and_hidden_by_no_module(package: str) -> None:
    module = import_module(package)
    for name in module.__all__:
        value = getattr(module, name)
        assert getattr(module, name) is value
        # Importing a module of that name would put it in the name's place.
        assert isinstance(value, ModuleType) == (find_spec(f"{package}.{name}") is not None), name


@pytest.mark.parametrize("package", LAZY)
def test_an_unknown_name_is_an_attribute_error(package: str) -> None:
    module = import_module(package)
    with pytest.raises(AttributeError, match=rf"module '{package}' has no attribute 'LeNet6'"):
        module.LeNet6  # noqa: B018
    with pytest.raises(ImportError, match="LeNet6"):
        exec(f"from {package} import LeNet6")
    assert not hasattr(module, "__wrapped__")
