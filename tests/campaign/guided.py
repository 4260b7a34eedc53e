"""A coverage-guided run on one reader, for so many seconds, by atheris, which is no dependency:

    uv run --with atheris python -m tests.campaign.guided idx|weights|pictures 300

It starts from the seeds of the campaign, and ends at the first input that raises anything but the
reader's documented error; the input stays in `crash-...` in the working folder.
"""

import gzip
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

try:
    import atheris
except ImportError:
    sys.exit("the guided run needs atheris: uv run --with atheris python -m tests.campaign.guided")

with atheris.instrument_imports(include=["lenet1998", "PIL", "gzip", "safetensors"]):
    from lenet1998.data import DatasetError
    from lenet1998.data.mnist import read_idx
    from lenet1998.models.saved import WEIGHTS, WeightsError, load
    from lenet1998.reading import ImageError, predict

from .cases import Case, judge
from .files import idx_files, run_folders
from .pictures import LOSSLESS, LOSSY, drawn, encoded, is_reading

SCRATCH = Path(tempfile.mkdtemp(prefix="guided-"))
IDX, NET = "t10k-images-idx3-ubyte", SCRATCH / WEIGHTS


def idx(content: bytes) -> Case:
    """As a plain or a compressed file."""
    file = SCRATCH / f"{IDX}{'.gz' * content.startswith(bytes((31, 139)))}"
    for old in SCRATCH.glob(f"{IDX}*"):
        old.unlink()
    file.write_bytes(content)
    return Case("", lambda: read_idx(SCRATCH, IDX, (28, 28)), str(file), errors=(DatasetError,))


def weights(content: bytes) -> Case:
    NET.write_bytes(content)
    return Case("", lambda: load(NET), str(NET), errors=(WeightsError,))


def pictures(content: bytes) -> Case:
    named = f"^picture of {len(content)} bytes: "
    return Case("", lambda: predict(content), named, is_reading, (ImageError,))


def seeds(name: str) -> Iterator[bytes]:
    """Valid input to start from."""
    if name == "idx":
        yield idx_files()[IDX]
        yield gzip.compress(idx_files()[IDX])
    elif name == "weights":
        for folder in run_folders().values():
            yield (folder / WEIGHTS).read_bytes()
    else:
        rng = np.random.default_rng(0)
        for kinds in (LOSSLESS, LOSSY):
            for kind, (options, *_) in kinds.items():
                yield encoded(drawn(rng, large=50), kind, **options)


READERS: dict[str, Callable[[bytes], Case]] = {"idx": idx, "weights": weights, "pictures": pictures}


def main(name: str, seconds: str = "300") -> None:
    corpus = SCRATCH / "corpus"
    corpus.mkdir()
    for number, content in enumerate(seeds(name)):
        (corpus / str(number)).write_bytes(content)

    def once(content: bytes) -> None:
        how, words = judge(READERS[name](content))
        if how not in ("answer", "DatasetError", "WeightsError", "ImageError", "NotOneDigit"):
            raise AssertionError(f"{how}: {words}")

    limits = [f"-max_total_time={seconds}", "-max_len=300000", "-timeout=30", "-rss_limit_mb=4096"]
    atheris.Setup([sys.argv[0], *limits, str(corpus)], once)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
