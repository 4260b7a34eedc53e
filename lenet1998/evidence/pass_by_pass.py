"""What a pass changes: errors counted after it, second derivatives, weights (III.B, App. C)."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, pstdev

import torch
from torch import Tensor
from torch.nn.utils import parameters_to_vector

from lenet1998.data import Dataset
from lenet1998.evidence.experiment import Experiment, Runs, not_comparable
from lenet1998.learning.patterns import Patterns
from lenet1998.learning.presets import preset
from lenet1998.learning.recipe import Recipe
from lenet1998.measures.answers import misread, wilson_interval
from lenet1998.measures.spread import Paired, Spread
from lenet1998.models.chain import ChainNetwork
from lenet1998.report.sections import Claim, Section, Table
from lenet1998.runs.run import Run, learner_for, trainer_for

PAPER: Recipe = preset("paper")

_FIRST_PASSES, _FIRST_SEEDS = 3, 3  # that are trained anew here, from the start
_FURTHER_PASSES = 2  # of every finished run
_LAST = 5  # passes whose test errors are looked at, with as many before them


@dataclass(frozen=True)
class Errors:
    """Around one of the first passes, in percent; one value for each seed."""

    online: Spread  # of the training patterns, each just before its update
    training: Spread  # of all of them after the pass
    test: Spread  # likewise


@dataclass(frozen=True)
class Change:
    """From the second derivatives before one pass to those before the next; a value each seed.

    The steps are eta / (mu + h), changed by how many percent without eta's own change.
    """

    median: Spread  # over the parameters
    most: Spread  # of 95 % of them
    by_patterns: Spread  # the median where the network stays, and only the 500 patterns change
    correlation: Spread  # of log(mu + h) before and after


@dataclass(frozen=True)
class Unrest:
    """What further passes at the last rate do to the weights; a value for each seed."""

    eta: float
    parts: int  # of a pass, at whose ends the weights were looked at
    moved_percent: Spread  # from start to end of a pass, of the weights' length; mean of the passes
    path: Spread  # the way through all parts of a pass, in those distances; mean of the passes
    turn_degrees: Spread  # between one pass's move and the next one's
    test_deviation: Spread  # of the test error (%) between the last passes of the run
    passes: int  # how many
    test_drift: Paired  # their mean, less that of as many passes before


@dataclass(frozen=True)
class Values:
    """What was measured."""

    errors: dict[str, Errors]  # by the number of the pass
    changes: dict[str, Change]  # by the numbers of both passes
    unrest: Unrest


@dataclass(frozen=True)
class _Pass:
    """One pass, just learnt; `net` learns on with the next."""

    number: int
    net: ChainNetwork
    online_percent: float
    places: Tensor  # (parts + 1, parameters): the weights before it and after each part
    h_before: Tensor  # (parameters,), on the pass's own 500 patterns
    h_after: Tensor  # on those of the next
    h_on_the_same: Tensor  # of the network after it, on the pass's own

    @property
    def moved(self) -> Tensor:
        return self.places[-1] - self.places[0]


def _passes(run: Run, dataset: Dataset, count: int) -> Iterator[_Pass]:
    """Go on with a copy of a run, at the rates that its recipe has for these passes."""
    recipe, net = run.recipe, copy.deepcopy(run.net)
    assert isinstance(net, ChainNetwork) and isinstance(recipe, Recipe)
    patterns = Patterns(recipe, dataset)
    learner = learner_for(replace(run, net=net), dataset)

    def curvature(number: int) -> Tensor:
        images, _, order = patterns.of_pass(number)
        few = images[patterns.sample(order, number)]
        diagonal = trainer_for(net, recipe, run.engine).estimate_curvature(few)
        return torch.cat([diagonal[name].flatten() for name, _ in net.named_parameters()])

    def place() -> Tensor:
        return parameters_to_vector(net.parameters()).detach().clone()

    done = len(run.records)
    for number in range(done + 1, done + count + 1):
        h_before, places, errors = curvature(number), [place()], 0
        for part in learner.learn(number):
            errors += part.errors
            places.append(place())
        after, same = curvature(number + 1), curvature(number)
        online = 100 * errors / learner.patterns
        yield _Pass(number, net, online, torch.stack(places), h_before, after, same)


def _error(net: ChainNetwork, images: Tensor, labels: Tensor) -> float:
    return 100 * misread(net, images, labels).double().mean().item()


def _change(passes: Sequence[_Pass], mu: float) -> Change:
    """Over one pass, of all seeds."""

    def steps_moved(before: Tensor, after: Tensor) -> Tensor:
        return 100 * ((mu + before) / (mu + after) - 1).abs()

    changes = [steps_moved(one.h_before, one.h_after) for one in passes]
    chance = [steps_moved(one.h_on_the_same, one.h_after) for one in passes]
    logs = [torch.stack([mu + one.h_before, mu + one.h_after]).log() for one in passes]
    return Change(
        median=Spread.of(change.median().item() for change in changes),
        most=Spread.of(change.quantile(0.95).item() for change in changes),
        by_patterns=Spread.of(change.median().item() for change in chance),
        correlation=Spread.of(torch.corrcoef(both)[0, 1].item() for both in logs),
    )


def _unrest(runs: Sequence[Run], further: Sequence[Sequence[_Pass]]) -> Unrest:
    def path(one: _Pass) -> float:
        return float(one.places.diff(dim=0).norm(dim=1).sum() / one.moved.norm())

    def turn(first: _Pass, second: _Pass) -> float:
        cosine = torch.cosine_similarity(first.moved, second.moved, dim=0)
        return cosine.arccos().rad2deg().item()

    tested = [[record.test_error_percent for record in run.records] for run in runs]
    last = max(1, min(_LAST, len(tested[0]) // 2))
    ends = [errors[-last:] for errors in tested]
    before = [errors[-2 * last : -last] or errors[-last:] for errors in tested]
    (first, *_), *_ = further
    return Unrest(
        eta=PAPER.eta(first.number),
        parts=len(first.places) - 1,
        moved_percent=Spread.of(
            fmean((100 * one.moved.norm() / one.places[0].norm()).item() for one in of_seed)
            for of_seed in further
        ),
        path=Spread.of(fmean(map(path, of_seed)) for of_seed in further),
        turn_degrees=Spread.of(turn(*of_seed[-2:]) for of_seed in further),
        test_deviation=Spread.of(map(pstdev, ends)),
        passes=last,
        test_drift=Paired.of([*map(fmean, before)], [*map(fmean, ends)]),
    )


def _measure(runs: Runs, dataset: Dataset) -> Values:
    finished = runs[PAPER.name]
    errors: dict[str, list[tuple[float, float, float]]] = {}
    all_passes: dict[str, list[_Pass]] = {}
    for run in finished[:_FIRST_SEEDS]:
        start = replace(run, net=run.recipe.build().eval(), records=[])
        for one in _passes(start, dataset, _FIRST_PASSES):
            training = _error(one.net, dataset.training_images, dataset.training_labels)
            test = _error(one.net, dataset.test_images, dataset.test_labels)
            of_pass = errors.setdefault(f"{one.number}", [])
            of_pass.append((one.online_percent, training, test))
            all_passes.setdefault(f"{one.number} to {one.number + 1}", []).append(one)
    further = [list(_passes(run, dataset, _FURTHER_PASSES)) for run in finished]
    for of_seed in further:
        for one in of_seed:
            all_passes.setdefault(f"{one.number} to {one.number + 1}", []).append(one)
    return Values(
        errors={
            number: Errors(*map(Spread.of, zip(*seeds, strict=True)))
            for number, seeds in errors.items()
        },
        changes={name: _change(passes, PAPER.mu) for name, passes in all_passes.items()},
        unrest=_unrest(finished, further),
    )


def second_derivatives_in_words(values: Values) -> str:
    """How far the steps change from one estimate to the next, apart from eta (appendix C)."""
    each = ", ".join(
        f"from pass {name} by {change.median.mean:.2g} % ({change.by_patterns.mean:.2g} % owed to "
        "the patterns)"
        for name, change in values.changes.items()
    )
    return f"The median parameter's step changes {each}."


def unrest_in_words(values: Values) -> str:
    """Whether weights and test error come to rest (section III.B)."""
    unrest = values.unrest
    chance = unrest.parts**0.5
    return (
        f"At the last rate, eta = {unrest.eta:g}, a further pass moves the weights by "
        f"{unrest.moved_percent.mean_in_words()} % of their length from its start to its end, on a "
        f"way that is {unrest.path.mean_in_words(1)} times as long through {unrest.parts} parts "
        f"(steps at random: {chance:.1f}; straight on: 1). The next pass's move makes an angle of "
        f"{unrest.turn_degrees.mean_in_words(1)} degrees with it ({unrest.path.seeds}). So the "
        "weights swing to and fro within a pass, in the same way in each, as the order is the "
        f"same, around a slow drift. Over the last {unrest.passes} passes of the runs the test "
        f"error varies by {unrest.test_deviation.mean:.3f} points (standard deviation), and their "
        f"mean is {unrest.test_drift.mean:+.3f} points from that of as many passes before (95 % "
        f"interval {unrest.test_drift.interval_in_words(3)})."
    )


def _present(values: Values, dataset: Dataset) -> Section:
    text = [
        "Fig. 5's training error is counted while the network learns, each pattern before its "
        f"update. Here the first {len(values.errors)} passes are learnt anew, and all training "
        "patterns read after each.",
        "The second derivatives are estimated on 500 patterns before each pass. "
        + second_derivatives_in_words(values),
        unrest_in_words(values),
    ]
    if not dataset.is_comparable:
        text.append(not_comparable(dataset))
    of_errors = {
        "training, while learning": lambda of: of.online.mean_in_words(),
        "training, after it": lambda of: of.training.mean_in_words(),
        "test, after it": lambda of: of.test.mean_in_words(),
    }
    of_changes = {
        "median, %": lambda of: f"{of.median.mean:.3g}",
        "95th percentile, %": lambda of: f"{of.most.mean:.3g}",
        "other patterns alone, %": lambda of: f"{of.by_patterns.mean:.2g}",
        "correlation": lambda of: f"{of.correlation.mean:.4f}",
    }
    changes = "Change of the steps 1 / (μ + h) between the estimates, and correlation of log(μ + h)"
    tables = [
        Table.of("Errors (%) of the first passes", "pass", values.errors, of_errors),
        Table.of(changes, "before passes", values.changes, of_changes),
    ]
    claims = [_claim(values, len(dataset.test_labels))] if dataset.is_comparable else []
    return Section(text=text, tables=tables, claims=claims)


def _claim(values: Values, digits: int) -> Claim:
    """Of the training error's excess over the test error, which so many digits leave uncertain."""
    each = ", ".join(
        f"pass {number} {of.online.mean:.2f} while learning, {of.training.mean_in_words()} after "
        f"it (test {of.test.mean_in_words()})"
        for number, of in values.errors.items()
    )
    first = values.errors["1"]
    excess = first.online.least > first.test.greatest
    gone = all(
        of.training.mean <= wilson_interval(round(digits * of.test.mean / 100), digits)[1]
        for of in values.errors.values()
    )
    measured = f"training error (%): {each} ({first.online.seeds})"
    return Claim(20, measured, "yes" if excess and gone else "no" if excess else "not shown")


PASS_BY_PASS = Experiment(
    name="pass-by-pass",
    title="What a pass changes: errors, second derivatives, weights",
    recipes=(PAPER,),
    values=Values,
    measure=_measure,
    present=_present,
)
