"""A training run: passes over the data, their log, and a folder to go on from after each."""

from __future__ import annotations

import csv
import io
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from numbers import Integral
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout
from torch import Tensor

from lenet1998 import catalogue
from lenet1998.data import Dataset, load_dataset
from lenet1998.errors import Failure, in_words
from lenet1998.files import FileError, make_folder, remove_parts, write_atomically
from lenet1998.learning.boosting import BoostedLearner
from lenet1998.learning.learner import Learner
from lenet1998.learning.minibatch import MinibatchLearner
from lenet1998.learning.online import OnlineLearner, OnlineTrainer, ReferenceTrainer
from lenet1998.learning.presets import from_values, named
from lenet1998.learning.recipe import (
    BoostedRecipe,
    MinibatchRecipe,
    Recipe,
    StringRecipe,
    TrainingRecipe,
)
from lenet1998.learning.strings import StringLearner
from lenet1998.measures.answers import misread
from lenet1998.models import saved
from lenet1998.models.boosted import BoostedLeNet4
from lenet1998.models.chain import ChainNetwork
from lenet1998.models.classic import LeNet5Classic
from lenet1998.models.network import Network

__all__ = ["METRICS", "RECIPE", "PassRecord", "Run", "RunError", "Standing", "train"]

RECIPE, METRICS = "recipe.json", "metrics.csv"
"""What a run writes to its folder as it goes, beside the network."""

LOCK = ".lock"
"""In the folder of a run or of a study while a process trains in it; a crash may leave it, free."""

_IN_USE = "{} is in use by another process: let it end, or write to another folder (--output)"

_TIMES = ("seconds", "learning_seconds")  # of the log, kept apart: the rest is the same every time


class RunError(Failure):
    """A run cannot start or go on."""


@dataclass(frozen=True)
class PassRecord:
    """What one pass showed.

    Attributes:
        number: of the pass, from 1.
        eta: the global rate at its start.
        online_training_error_percent: patterns misread when they were seen, before their update,
            as Fig. 5 counts them.
        online_loss: mean loss of the patterns when they were seen.
        test_error_percent: after the pass.
        seconds: since the run's start, of all passes so far, curvature and test included.
        learning_seconds: of this pass, spent on updates alone.
    """

    number: int
    eta: float
    online_training_error_percent: float
    online_loss: float
    test_error_percent: float
    seconds: float = 0.0
    learning_seconds: float = 0.0


@dataclass(frozen=True)
class Standing:
    """Where a run stands, a few times a second."""

    pass_number: int  # from 1
    passes: int  # in all
    patterns: int  # seen in this pass so far
    patterns_in_pass: int  # as many as the recipe learns from
    online_training_error_percent: float  # of this pass so far
    patterns_per_second: float  # likewise, updates alone
    finished: PassRecord | None  # of the pass, if it has just ended


@dataclass
class Run:
    """A network in training, and its log.

    Attributes:
        net: in evaluation mode.
        recipe: every choice.
        dataset_name: what it learns from.
        engine: that carries out the recipe.
        records: one for each pass.
        learner: what the next pass needs beside the network; empty for the rule of 1998.
    """

    net: Network
    recipe: TrainingRecipe
    dataset_name: str
    engine: str
    records: list[PassRecord]
    learner: Mapping[str, Tensor] = field(default_factory=dict)

    def save(self, folder: str | Path) -> None:
        """Write the metrics, then the network with its log: this says that the pass is done."""
        folder = Path(folder)
        write_atomically(folder / METRICS, metrics_csv(self.records))
        log = [asdict(record) for record in self.records]
        origin = saved.Origin(
            recipe=asdict(self.recipe),
            dataset=self.dataset_name,
            engine=self.engine,
            log=tuple({k: v for k, v in one.items() if k not in _TIMES} for one in log),
        )
        saved.write(folder / saved.WEIGHTS, self.net, origin, self.learner)

    @classmethod
    def load(cls, folder: str | Path) -> Run:
        """Read a run back after its last whole pass.

        Raises:
            RunError: if the folder holds none, or it is damaged.
        """
        folder = Path(folder)
        file = folder / saved.WEIGHTS
        if not file.is_file():
            raise RunError(f"{folder} holds no run to go on with: {saved.WEIGHTS} is not there")
        try:
            net, origin, learner = saved.read(file)
            if origin.recipe is None or origin.dataset is None or not origin.log:
                raise RunError(f"{file} is a network without the log of a run: delete it")
            times = _times(folder / METRICS)
            recipe = from_values(origin.recipe)
            if not isinstance(net, catalogue.find(recipe.network).kind):
                raise RunError(f"{file} holds a {origin.network}, not its recipe's: delete it")
            log = [{**one, **times.get(one["number"], {})} for one in origin.log]
            records = msgspec.convert(log, list[PassRecord])
            if [record.number for record in records] != [*range(1, len(records) + 1)]:
                raise RunError(f"{file}: the passes of its log do not count from 1 on: delete it")
            return cls(
                net=net,
                recipe=recipe,
                dataset_name=origin.dataset,
                engine=origin.engine or "",
                records=records,
                learner=learner,
            )
        except (saved.WeightsError, KeyError, TypeError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise RunError(f"{reason}: delete {file} to start the run again") from error


def metrics_csv(records: list[PassRecord]) -> str:
    """The log as CSV, a row for each pass."""
    text = io.StringIO()
    columns = [field.name for field in fields(PassRecord)]
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["pass", *columns[1:]])
    for record in records:
        writer.writerow([round(value, 6) for value in asdict(record).values()])
    return text.getvalue()


def _times(file: Path) -> dict[int, dict[str, float]]:
    """What the clock said of each pass, by its number; a run goes on without."""
    try:
        rows = list(csv.DictReader(file.read_text().splitlines()))
        return {int(row["pass"]): {name: float(row[name]) for name in _TIMES} for row in rows}
    except (OSError, KeyError, TypeError, ValueError):
        return {}


def train(
    recipe: TrainingRecipe | str,
    dataset: Dataset | str | Path,
    *,
    passes: int | None = None,
    engine: str | None = None,
    folder: str | Path | None = None,
    resume: bool = False,
    on_progress: Callable[[Standing], None] | None = None,
) -> Run:
    """Train a network by a recipe, as in section III.B or as today.

    The same recipe, data and engine give the same bits on the same machine, in one go or resumed;
    where PyTorch learns, with the same number of threads. The fused kernels' bits depend on whether
    the processor multiplies and adds with one rounding (FMA), not on how wide its vectors are.

    Args:
        recipe: every choice, or the name of a preset.
        dataset: what to learn, and what to test on after each pass; or where it is, as for
            `load_dataset`.
        passes: how many in all, each over as many patterns as the training set holds, or as the
            recipe takes of it; by default as many as the recipe has.
        engine: for the rule of 1998 `"fused"` (compiled, the default) or `"torch"` (the reference,
            some 50 times slower).
        folder: where the recipe, the metrics and, after each pass, the network go; none are written
            without it.
        resume: go on from what the folder holds.
        on_progress: called a few times a second.

    Raises:
        RunError: if the folder holds a run already and `resume` is not set, or it is one of another
            recipe, data set or engine; if another process trains in it; or if the network diverges.
        ValueError: for an unknown recipe or engine, passes that are no whole number from 1 on, or
            images that no network can take.
        DatasetError: as `load_dataset`.
        FileError: the folder cannot be written to, or the disk is full; the passes before are kept.
    """
    recipe = named(recipe)
    dataset = dataset if isinstance(dataset, Dataset) else load_dataset(dataset)
    engine = engine or recipe.ENGINES[0]
    if engine not in recipe.ENGINES:
        expected = " or ".join(map(repr, recipe.ENGINES))
        raise ValueError(f"expected the engine {expected} for {recipe.name}, got {engine!r}")
    passes = recipe.passes if passes is None else passes
    if not isinstance(passes, Integral) or passes < 1:
        raise ValueError(f"expected at least 1 pass, a whole number, got {passes!r}")
    passes = int(passes)
    folder = None if folder is None else Path(folder)
    with nullcontext() if folder is None else alone_in(folder):
        run = _start(recipe.lasting(passes), dataset, engine, folder, resume)
        _go_on(run, dataset, passes, folder, on_progress)
    return run


def _go_on(
    run: Run,
    dataset: Dataset,
    passes: int,
    folder: Path | None,
    on_progress: Callable[[Standing], None] | None,
) -> None:
    learner = learner_for(run, dataset)
    before = run.records[-1].seconds if run.records else 0.0
    started = time.perf_counter()
    for number in range(len(run.records) + 1, passes + 1):
        eta, in_pass = learner.eta(number), learner.patterns
        errors, loss, seen, learning = 0, 0.0, 0, 0.0
        try:
            for part in learner.learn(number):
                errors, loss, seen = errors + part.errors, loss + part.loss, seen + part.patterns
                learning += part.seconds
                if on_progress is not None and seen < in_pass:
                    error, speed = 100 * errors / seen, seen / learning
                    on_progress(Standing(number, passes, seen, in_pass, error, speed, None))
        except FloatingPointError:
            loss = math.nan
        if not (math.isfinite(loss) and all(p.isfinite().all() for p in run.net.parameters())):
            raise RunError(
                f"the network diverged in pass {number}, its loss, its parameters or their second "
                "derivatives are no longer finite: ask for smaller steps"
            )
        wrong = misread(run.net, dataset.test_images, dataset.test_labels)
        record = PassRecord(
            number=number,
            eta=eta,
            online_training_error_percent=100 * errors / seen,
            online_loss=loss / seen,
            test_error_percent=100 * wrong.double().mean().item(),
            seconds=before + time.perf_counter() - started,
            learning_seconds=learning,
        )
        run.records.append(record)
        run.learner = learner.state()
        if folder is not None:
            run.save(folder)
        if on_progress is not None:
            error = record.online_training_error_percent
            on_progress(Standing(number, passes, seen, in_pass, error, seen / learning, record))


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Make a folder, and keep out others that come this way, to the end or crash of the process.

    Raises:
        RunError: if another holds it.
        FileError: it cannot be written.
    """
    file = folder / LOCK
    lock = FileLock(file)
    make_folder(folder)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise RunError(_IN_USE.format(folder)) from None
    except OSError as error:
        raise FileError(in_words(error, folder)) from error
    try:
        if not file.exists():  # its holder ended, and took it away, as it was opened
            raise RunError(_IN_USE.format(folder))
        yield
    finally:
        with suppress(OSError):  # while it is held: none after this may be another's
            file.unlink()
        lock.release()


def check_same(
    run: Run, recipe: TrainingRecipe, dataset_name: str, engine: str, folder: Path
) -> None:
    """See that a folder's run is the one that is asked for.

    Raises:
        RunError: if it is not, saying what differs.
    """
    held, asked = asdict(run.recipe), asdict(recipe)
    for what, found, wanted in (
        *((f"recipe, whose {name}", held.get(name), asked[name]) for name in asked),
        ("data set, which", run.dataset_name, dataset_name),
        ("engine, which", run.engine, engine),
    ):
        if found != wanted:
            raise RunError(
                f"{folder} holds a run of another {what} is {found!r}, not {wanted!r}: ask for "
                "the same to go on with it, or write to another folder (--output)"
            )


def _start(
    recipe: TrainingRecipe, dataset: Dataset, engine: str, folder: Path | None, resume: bool
) -> Run:
    if folder is not None:
        for name in (RECIPE, METRICS, saved.WEIGHTS):
            remove_parts(folder / name)
    if folder is not None and (folder / saved.WEIGHTS).exists():
        if not resume:
            raise RunError(
                f"{folder} holds a run already: go on with it (--resume), or write to another "
                "folder (--output)"
            )
        run = Run.load(folder)
        check_same(run, recipe, dataset.name, engine, folder)
        return run
    net = recipe.build().eval()
    if folder is not None:
        write_atomically(folder / RECIPE, recipe.to_json())
    return Run(net, recipe, dataset.name, engine, [])


def learner_for(run: Run, dataset: Dataset) -> Learner:
    """What carries out the run's recipe, from where it stands."""
    learner: Learner
    if isinstance(run.recipe, MinibatchRecipe):
        learner = MinibatchLearner(run.net, run.recipe, dataset)
    elif isinstance(run.recipe, BoostedRecipe):
        assert isinstance(run.net, BoostedLeNet4)
        trainer = partial(trainer_for, engine=run.engine)
        learner = BoostedLearner(run.net, run.recipe, dataset, trainer)
    elif isinstance(run.recipe, StringRecipe):
        assert isinstance(run.net, LeNet5Classic)
        learner = StringLearner(run.net, run.recipe, dataset)
    else:
        assert isinstance(run.recipe, Recipe) and isinstance(run.net, ChainNetwork)
        learner = OnlineLearner(trainer_for(run.net, run.recipe, run.engine), dataset)
    if run.learner:
        try:
            learner.resume(run.learner)
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise RunError(f"the run's state does not fit its recipe: {reason}") from error
    return learner


def trainer_for(net: ChainNetwork, recipe: Recipe, engine: str) -> OnlineTrainer:
    """The trainer of an engine, `"fused"` or `"torch"`."""
    if engine == "torch":
        return ReferenceTrainer(net, recipe)
    from lenet1998.learning.fused import FusedTrainer  # Numba is slow to import

    return FusedTrainer(net, recipe)
