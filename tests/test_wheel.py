"""What is published: the package and nothing else, with its data and its licences."""

import shutil
import subprocess
import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The sdist's names, and the wheel that is built from it."""
    if (uv := shutil.which("uv")) is None:
        pytest.skip("needs uv to build")
    folder = tmp_path_factory.mktemp("dist")
    command = [uv, "build", "--out-dir", str(folder), str(REPOSITORY)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if "Failed to resolve requirements from `build-system.requires`" in result.stderr:
        pytest.skip("needs hatchling, from the package index or uv's cache")
    assert result.returncode == 0, result.stderr
    with tarfile.open(next(folder.glob("*.tar.gz"))) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        yield names, wheel


def test_the_wheel_holds_the_whole_package_and_nothing_else(built):
    _, wheel = built
    package = REPOSITORY / "lenet1998"
    files = {file.relative_to(REPOSITORY) for file in package.rglob("*") if file.is_file()}
    expected = {file.as_posix() for file in files if "__pycache__" not in file.parts}
    assert {name for name in wheel.namelist() if ".dist-info/" not in name} == expected
    assert {"lenet1998/py.typed", "lenet1998/weights/lenet5-classic.safetensors"} <= expected


def test_the_sdist_holds_what_tests_it(built):
    names, _ = built
    tests = {f"tests/{file.name}" for file in (REPOSITORY / "tests").glob("*.py")}
    assert tests | {"notebooks/execute.py", "CONTRIBUTING.md", ".ci/run"} <= names


def test_the_licences_are_those_of_the_files(built):
    _, wheel = built
    read = {name.rpartition(".dist-info/")[2]: name for name in wheel.namelist()}
    said = message_from_bytes(wheel.read(read["METADATA"]))
    assert said["License-Expression"] == "MIT AND BSD-3-Clause"
    texts = [wheel.read(read[f"licenses/{file}"]).decode() for file in said.get_all("License-File")]
    assert len(texts) == 2 and texts[0].startswith("MIT License") and "BSD License" in texts[1]
