"""A few cases of each way into the campaign of bad input, so that it keeps running."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(sys.platform != "linux", reason="measures memory in /proc")
def test_two_hundred_cases_of_bad_input_end_as_documented() -> None:
    command = [sys.executable, "-m", "tests.campaign.bad_input", "--cases", "200", "--workers", "1"]
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(
        command, cwd=root, env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "200 cases, 0 failed" in done.stdout
