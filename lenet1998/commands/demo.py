"""`lenet1998 demo`: the page that reads what is drawn on it."""

from __future__ import annotations

import webbrowser
from collections.abc import Sequence
from pathlib import Path

from lenet1998.demo.networks import NETWORKS
from lenet1998.demo.page import mnist_digits, page
from lenet1998.files import make_folder, write_atomically
from lenet1998.report.sections import Document, Outcome, Section


def demo(networks: Sequence[str], output: Path, *, is_opened: bool) -> Outcome:
    """Write the page, whole or not at all, and open it in the browser.

    `networks` and errors as for `page`, by default those of the package; FileError where it cannot
    be written.
    """
    digits = mnist_digits()
    content = page(networks or NETWORKS, digits).encode()
    make_folder(output.parent)
    write_atomically(output, content)
    if is_opened:
        webbrowser.open(output.absolute().as_uri())
    lines = [f"{len(content) / 1e3:.0f} kB, all in one file: send it, or open it from a disk."]
    if digits is None:
        lines.append("Without the digits of Fig. 8: MNIST is not on this machine.")
    values = {"page": str(output), "bytes": len(content), "gallery": digits is not None}
    return Outcome(values, Document("Demo", [Section(text=lines)]), page=str(output))
