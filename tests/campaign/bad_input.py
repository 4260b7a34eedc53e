"""Bad input in numbers: `python -m tests.campaign.bad_input --cases 20000 --seed 1`.

Each way in makes cases from valid input that it harms, and each case must end with a right answer
or a documented error of one line that names the input; within its time and memory. A failing case
is made again, in this process, with `--only WAY --case N` and the same seed.
"""

import argparse
import faulthandler
import multiprocessing
import os
import random
import resource
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter, deque
from collections.abc import Iterator
from multiprocessing.connection import Connection, wait
from pathlib import Path

import numpy as np
import torch

from .arrays import arrays, labels
from .cases import FAILURES, Case, Way, judge
from .commands import commands, environment
from .files import idx, runs, weights
from .pictures import pictures
from .recipes import recipes

WAYS: dict[str, tuple[Way, float]] = {
    "pictures": (pictures, 0.3),
    "arrays": (arrays, 0.15),
    "labels": (labels, 0.05),
    "idx": (idx, 0.12),
    "weights": (weights, 0.12),
    "runs": (runs, 0.06),
    "recipes": (recipes, 0.147),
    "commands": (commands, 0.05),
    "environment": (environment, 0.003),
}
"""Each way in and its share of the cases."""

MEMORY = 2**30  # bytes that a case may take, above what its process had
_ALL_MEMORY = 6 * MEMORY  # that it can take, so that it is no harm to the machine

Job = tuple[str, int]  # a way in, and the number of its case
Ended = tuple[str, str, str]  # how, what there is to say, what the case was


def jobs(cases: int, only: str | None = None) -> Iterator[Job]:
    """The cases of a campaign, every way in from its first on."""
    for name, (_, share) in WAYS.items():
        if only in (None, name):
            yield from ((name, n) for n in range(max(1, round(cases * share))))


def made(job: Job, seed: int, folder: Path) -> Case:
    """A case: the same for the same seed."""
    name, number = job
    rng = np.random.default_rng([seed, list(WAYS).index(name), number])
    return WAYS[name][0](rng, folder)


def _resident(field: str) -> int:
    """VmRSS or VmHWM, the most since `clear_refs`, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line.split()[1] for line in lines if line.startswith(field)))


def ended(job: Job, seed: int) -> Ended:
    """Make a case, let it happen and judge it; the process ends itself if it hangs."""
    with tempfile.TemporaryDirectory(prefix="case-") as folder:
        case = made(job, seed, Path(folder))
        before = _resident("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # the most it had begins anew
        faulthandler.dump_traceback_later(case.seconds, exit=True)
        how, words = judge(case)
        faulthandler.cancel_dump_traceback_later()
        os.chdir("/")
        grown = _resident("VmHWM") - before
    if grown > MEMORY:
        how, words = "memory", f"{grown >> 20} MiB more; {how} {words}"
    return how, words, case.what


def _work(left: list[Job], seed: int, to: Connection) -> None:
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1), os.dup2(quiet, 2)  # what libraries in C print
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    mapped = 4096 * int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (mapped + _ALL_MEMORY,) * 2)
    parent = os.getppid()
    for job in left:
        if os.getppid() != parent:  # nobody waits for the rest
            return
        try:
            to.send(ended(job, seed))
        except Exception:  # of the campaign itself
            to.send(("traceback", repr(traceback.format_exc()[-300:]), "could not be made"))


def campaign(todo: list[Job], seed: int, workers: int) -> Iterator[tuple[Job, Ended]]:
    """All cases in forked processes; one that hangs or crashes ends its own, and is a result."""
    context = multiprocessing.get_context("fork")
    at_work: dict[Connection, tuple[multiprocessing.process.BaseProcess, deque[Job]]] = {}

    def start(left: deque[Job]) -> None:
        receive, send = context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(list(left), seed, send), daemon=True)
        process.start()
        send.close()
        at_work[receive] = process, left

    for worker in range(workers):
        start(deque(todo[worker::workers]))
    while at_work:
        for pipe in wait(list(at_work)):
            assert isinstance(pipe, Connection)
            process, left = at_work[pipe]
            try:
                result = pipe.recv()
            except EOFError:
                del at_work[pipe]
                process.join()
                if left:
                    how = "hang" if process.exitcode == 1 else "crash"
                    yield left.popleft(), (how, f"exit code {process.exitcode}", "")
                    start(left)
            else:
                yield left.popleft(), result


def main(arguments: list[str] | None = None) -> int:
    """Run the campaign; 1 if any case failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=WAYS, help="one way in")
    parser.add_argument("--case", type=int, help="with --only: this case alone, in this process")
    parser.add_argument("--minutes", type=float, default=60, help="after which it stops")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    if given.only and given.case is not None:
        with tempfile.TemporaryDirectory() as folder:
            case = made((given.only, given.case), given.seed, Path(folder))
            print(case.what)
            case.errors = ()
            print(case.act())
        return 0
    todo = list(jobs(given.cases, given.only))
    for name in WAYS:  # what all cases share is made once, before the processes part
        with tempfile.TemporaryDirectory() as folder:
            made((name, 0), given.seed, Path(folder))
    random.Random(given.seed).shuffle(todo)  # every worker has some of each way
    started, counts, failed = time.perf_counter(), Counter[tuple[str, str]](), 0
    for (name, number), (how, words, what) in campaign(todo, given.seed, given.workers):
        counts[name, how] += 1
        if how in FAILURES:
            failed += 1
            print(f"{how}: --seed {given.seed} --only {name} --case {number}  {what!r}  {words}")
            sys.stdout.flush()
        if time.perf_counter() - started > 60 * given.minutes:
            break
    for name in WAYS:
        ends = {how: count for (of, how), count in sorted(counts.items()) if of == name}
        if ends:
            of_name = ", ".join(f"{how} {count}" for how, count in ends.items())
            print(f"{name:12} {sum(ends.values()):6}  {of_name}")
    took = time.perf_counter() - started
    print(f"{sum(counts.values())} cases, {failed} failed, {took:.0f} s, {given.workers} workers")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
