"""More than ten classes: printed characters, and which codes suit them (section II.B).

The fonts that come with Matplotlib stand in for the full printable ASCII set. A character is
normalised as MNIST's digits are, so that its size and its place on the line are lost: `O`, `o` and
`0`, or `l`, `I` and `|`, are then as confusable as the paper has them. The space, an empty field,
is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import ascii_lowercase, ascii_uppercase, digits, punctuation
from typing import Any

import matplotlib
import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from lenet1998 import codes
from lenet1998.data import Dataset, to_network_input
from lenet1998.data.distortions import Distortions, distort
from lenet1998.data.field import PADDING
from lenet1998.data.normalisation import normalise_digit
from lenet1998.evidence.experiment import Experiment, Runs, not_comparable
from lenet1998.learning.presets import preset
from lenet1998.measures.answers import scores
from lenet1998.measures.spread import Paired, Spread
from lenet1998.report import plots
from lenet1998.report.sections import Claim, Conclusion, Plot, Section, Table
from lenet1998.runs.run import train

KINDS = (digits, ascii_uppercase, ascii_lowercase, punctuation)
PRINTED = "".join(KINDS)
"""The classes; of fewer the first are taken."""

LEARNT = (
    *("DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique"),
    *("DejaVuSansMono", "DejaVuSansMono-Bold", "DejaVuSansMono-BoldOblique"),
    *("DejaVuSerif", "DejaVuSerif-Italic", "DejaVuSerif-BoldItalic"),
    *("STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic"),
)
UNSEEN = (
    *("DejaVuSans-BoldOblique", "DejaVuSansMono-Oblique", "DejaVuSerif-Bold"),
    *("STIXGeneralBolIta", "cmtt10"),
)
"""Faces to learn from, and to read: of Computer Modern only the typewriter has all of ASCII."""

ALIKE = (
    *("0Oo", "1Il[]|"),  # the paper's, with the bar
    *("Cc", "Pp", "Ss", "Uu", "Vv", "Ww", "Xx", "Zz", "-_", ",'"),  # that differ in size or place
)
"""Characters that look alike when they are normalised: our judgement, but for the paper's."""

DRAWN, PLACE, RANDOM = "drawn codes", "place codes", "random codes"
_NETWORKS = {DRAWN: "lenet5-classic", PLACE: "one-of-ten-codes", RANDOM: "random-codes"}
_FEW_DOZEN = 36
_BADLY = 1.5  # times the errors of the drawn codes, for place codes to behave badly: our judgement
_POINTS = 60  # size of the type before it is normalised
_DISTORTIONS = Distortions().narrowed(0.5)


@dataclass(frozen=True)
class Size:
    """How much is learnt and read."""

    classes: tuple[int, ...]
    patterns: int  # to learn from, whatever the number of classes
    passes: int
    read: int  # patterns
    seeds: int  # of the networks, and of the distortions that they learn from


WHOLE = Size((10, 36, 62, 94), patterns=10_000, passes=12, read=4_700, seeds=3)
SMALL = Size((10, 94), patterns=400, passes=1, read=200, seeds=2)


@dataclass(frozen=True)
class Read:
    """What networks with one kind of codes make of the faces held out, seed by seed."""

    misread: Spread  # in percent
    in_kind: Spread  # the same for a reader who knows digit, capital, small letter or sign
    runner_up: Spread  # of those misread, in percent, where the right one is second or third
    cells: Spread  # between Fig. 3's codes of the right one and the answer, mean of those misread
    alike: Spread  # distance of the penalties of the right character and a look-alike, mean
    others: Spread  # of it and any other

    @property
    def nearness(self) -> tuple[float, ...]:
        """The distance to look-alikes, as a share of that to the others."""
        pairs = zip(self.alike.values, self.others.values, strict=True)
        return tuple(alike / others for alike, others in pairs)


@dataclass(frozen=True)
class Characters:
    """What was measured."""

    size: Size
    read: dict[str, dict[int, Read]]  # by the kind of codes, and the number of classes


@cache
def printed(faces: tuple[str, ...]) -> Tensor:
    """All of `PRINTED` in each face, `(faces, 94, 1, 32, 32)`, as the network takes them."""
    fonts = Path(matplotlib.get_data_path(), "fonts", "ttf")
    images = []
    for face in faces:
        font = ImageFont.truetype(str(fonts / f"{face}.ttf"), _POINTS)
        for character in PRINTED:
            picture = Image.new("L", (3 * _POINTS, 3 * _POINTS))
            ImageDraw.Draw(picture).text((_POINTS, _POINTS), character, fill=255, font=font)
            images.append(normalise_digit(torch.from_numpy(np.array(picture))))
    inputs = to_network_input(torch.stack(images))
    return inputs.view(len(faces), len(PRINTED), *inputs.shape[1:])


def patterns(faces: tuple[str, ...], classes: int, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """So many distorted characters and their labels; classes and faces take turns."""
    labels = torch.arange(count) % classes
    images = printed(faces)[torch.arange(count) // classes % len(faces), labels]
    return distort(images, _DISTORTIONS.draw(count, seed)), labels


def read(penalties: Tensor, labels: Tensor, characters: str) -> dict[str, float]:
    """A value for each field of `Read`; 0 where there is nothing to take the mean of.

    Args:
        penalties: `(N, classes)`, on the scale of the training.
        labels: `(N,)`, of the right classes.
        characters: of the classes.
    """
    right = penalties.gather(1, labels[:, None])
    before = penalties < right
    places, answers = before.sum(1), penalties.argmin(1)
    wrong = places > 0
    same_kind = _together(KINDS, characters)
    of_alike = _together(ALIKE, characters) & ~torch.eye(len(characters), dtype=torch.bool)
    alike = of_alike[labels]
    others = ~alike
    others[torch.arange(len(labels)), labels] = False
    away = (penalties - right).abs()
    return {
        "misread": 100 * _mean(wrong),
        "in_kind": 100 * _mean((before & same_kind[labels]).any(1)),
        "runner_up": 100 * _mean(places[wrong] <= 2),
        "cells": _mean(cells(characters)[labels, answers][wrong]),
        "alike": _mean(away[alike]),
        "others": _mean(away[others]),
    }


def cells(characters: str) -> Tensor:
    """How many cells the codes of Fig. 3 differ by, `(classes, classes)`."""
    drawn = codes.centres(characters)
    return (drawn[:, None] != drawn).sum(2)


def _together(groups: Iterable[str], characters: str) -> Tensor:
    """`(classes, classes)` bool: which are in one group."""
    return torch.tensor(
        [[any(a in group and b in group for group in groups) for b in characters]
         for a in characters]
    )  # fmt: skip


def _mean(values: Tensor) -> float:
    return values.double().mean().item() if len(values) else 0.0


def _trained_and_read(kind: str, classes: int, seed: int, size: Size) -> dict[str, float]:
    characters = PRINTED[:classes]
    images, labels = patterns(LEARNT, classes, size.patterns, seed + 1)
    learnt = Dataset("printed", images, labels, images[:0], labels[:0], classes=classes)
    recipe = preset("paper", name=kind, seed=seed, network=_NETWORKS[kind], characters=characters)
    net = train(recipe, learnt, passes=size.passes).net
    images, labels = patterns(UNSEEN, classes, size.read, seed=0)
    return read(-scores(net, images), labels, characters)


def _measure(runs: Runs, dataset: Dataset) -> Characters:
    """Its own networks, in this process; the data set only says how thoroughly."""
    size = WHOLE if dataset.is_comparable else SMALL
    ends = (size.classes[0], size.classes[-1])
    found: dict[str, dict[int, Read]] = {}
    for kind in _NETWORKS:
        found[kind] = {}
        for classes in ends if kind == RANDOM else size.classes:
            of_seeds = [_trained_and_read(kind, classes, seed, size) for seed in range(size.seeds)]
            spreads = {name: Spread.of(one[name] for one in of_seeds) for name in of_seeds[0]}
            found[kind][classes] = Read(**spreads)
    return Characters(size, found)


@dataclass(frozen=True)
class _Judged:
    """The two claims."""

    values: Characters

    def _cost(self, kind: str, classes: int, name: str = "misread") -> Paired:
        """How much more a kind of codes misreads than the drawn ones."""
        drawn, other = (getattr(self.values.read[which][classes], name) for which in (DRAWN, kind))
        return Paired.of(drawn.values, other.values)

    @property
    def drawn(self) -> Claim:
        least, most = self.values.size.classes[0], self.values.size.classes[-1]
        drawn, random = (self.values.read[kind][most] for kind in (DRAWN, RANDOM))
        few, many = self._cost(RANDOM, least), self._cost(RANDOM, most, "in_kind")
        nearer = Paired.of(drawn.nearness, random.nearness)
        near, useful = nearer.verdict == "worse", many.verdict == "worse"
        holds = "not shown"
        if near:
            holds = "yes" if useful and few.verdict == "same" else "in part"
        characters = PRINTED[:most]
        pairs = torch.ones(most, most).triu(1).bool()
        every = _mean(cells(characters)[pairs])
        measured = (
            f"characters that random codes confuse are {random.cells.mean:.1f} cells apart in Fig. "
            f"3, all pairs {every:.1f}; look-alikes' penalties {_percent(drawn.nearness)} as far "
            f"from the right one as others' (random codes: {_percent(random.nearness)}, "
            f"{drawn.misread.seeds}); random codes cost {_points(few)} on the ten digits, and "
            f"{_points(many)} on {most} where the kind of character is known"
        )
        return Claim(7, measured, holds)

    @property
    def place(self) -> Claim:
        costs = {classes: self._cost(PLACE, classes) for classes in self.values.size.classes}
        of_many = [classes for classes in costs if classes > _FEW_DOZEN]
        verdicts = [costs[classes].verdict for classes in of_many]
        times = {classes: self._times(classes) for classes in of_many}
        ten, *_, most = costs.values()
        holds = "not shown"
        if "worse" in verdicts:
            badly = set(verdicts) == {"worse"} and min(times.values()) > _BADLY
            holds = "yes" if badly and most.mean > ten.mean else "in part"
        elif "better" in verdicts:
            holds = "no"
        each = "; ".join(f"{classes}: {_points(cost)}" for classes, cost in costs.items())
        last = f"with {of_many[-1]} they misread {times[of_many[-1]]:.2f} times as many"
        seeds = self.values.read[PLACE][of_many[-1]].misread.seeds
        measured = f"place codes cost, by the number of classes, {each} ({seeds}); {last}"
        return Claim(8, measured, holds)

    def _times(self, classes: int) -> float:
        """How many times the errors of the drawn codes place codes make."""
        drawn, place = (self.values.read[kind][classes].misread.mean for kind in (DRAWN, PLACE))
        return place / drawn


def _points(cost: Paired) -> str:
    interval = "" if cost.interval is None else f" ({cost.interval_in_words()})"
    return f"{cost.mean:+.2f} points{interval}"


def _percent(shares: Iterable[float]) -> str:
    return f"{Spread.of(100 * share for share in shares).mean_in_words(0)} %"


def _misread_of(classes: int) -> Callable[[Any], str]:
    """A cell of the table of errors, empty where no such network was trained."""
    return lambda of: of[classes].misread.mean_in_words(1) if classes in of else "–"


def _present(values: Characters, dataset: Dataset) -> Section:
    size, judged = values.size, _Judged(values)
    most = size.classes[-1]
    text = [
        f"Each network learns {size.patterns:,} patterns in {size.passes} passes, by the recipe "
        f"'paper', and reads {size.read:,} others: characters in {len(LEARNT)} faces of the fonts "
        f"that come with Matplotlib, and in {len(UNSEEN)} faces that it has not seen, distorted "
        "half as far as Fig. 7's digits are. Classes are the digits, then the capitals, the small "
        "letters and the signs, without the space. Size and place on the line are normalised away, "
        "so that no reader can tell all look-alikes apart; what the codes do to that is the "
        "question.",
        "The codes are Fig. 3's, as drawn; 84 random signs; or places: a unit of F6 for each "
        "class, on for its own and off for all others. A linguistic post-processor knows from the "
        "context what may stand at a place: here, that it is a digit, a capital, a small letter or "
        "a sign.",
    ]
    if not dataset.is_comparable:
        text.append(f"A few patterns and one pass, to try it out. {not_comparable(dataset)}")
    of_errors = {str(classes): _misread_of(classes) for classes in size.classes}
    of_codes = {
        "misread, %": lambda at: at.misread.mean_in_words(1),
        "kind known": lambda at: at.in_kind.mean_in_words(1),
        "right one 2nd or 3rd, %": lambda at: at.runner_up.mean_in_words(0),
        "look-alikes' distance": lambda at: _percent(at.nearness),
        "cells in Fig. 3": lambda at: at.cells.mean_in_words(1),
    }
    in_all = {kind: of[most] for kind, of in values.read.items()}
    tables = [
        Table.of("Misread, in %, by the number of classes", "", values.read, of_errors),
        Table.of(
            f"All {most}: of those misread, where the right one comes second or third; how far the "
            "penalties of look-alikes are from the right one's, for others' 100 %; and how many "
            "cells the confused characters differ by in Fig. 3",
            "",
            in_all,
            of_codes,
        ),
    ]
    errors = {kind: at.misread.mean_in_words(1) for kind, at in in_all.items()}
    claims = [judged.drawn, judged.place] if dataset.is_comparable else []
    verdicts = [claim.holds for claim in claims] or ["", ""]
    conclusions = [
        Conclusion(f"{most} characters", "–", f"{errors[DRAWN]} %, {kind} {errors[kind]} %", says)
        for kind, says in zip((RANDOM, PLACE), verdicts, strict=True)
    ]
    return Section(
        text=text,
        tables=tables,
        plots=[_plot(values), _sheet()],
        conclusions=conclusions,
        claims=claims,
    )


def _plot(values: Characters) -> Plot:
    figure, axes = plots.plot("Errors by the number of classes", "printed characters", 3.0)
    for place, (kind, of) in enumerate(values.read.items()):
        of_seeds = np.transpose([at.misread.values for at in of.values()])
        plots.band(axes, list(of), of_seeds.tolist(), plots.COLOURS[place], kind)
    axes.set(xlabel="classes", ylabel="misread (%)", ylim=(0, None))
    axes.set_xticks(values.size.classes)
    axes.legend(frameon=False)
    return Plot("characters", figure, "Characters of faces held out that are misread.")


def _sheet() -> Plot:
    groups = []
    for face in UNSEEN[-2:]:
        shown = printed(UNSEEN)[UNSEEN.index(face), :, 0, PADDING:-PADDING, PADDING:-PADDING]
        groups.append((face, "not learnt from", shown, [("", False)] * len(shown)))
    figure = plots.digit_groups(groups, columns=20)
    return Plot("characters_printed", figure, "Two of the faces held out, before the distortion.")


CHARACTERS = Experiment(
    name="characters",
    title="More than ten classes: printed characters",
    recipes=(),
    values=Characters,
    measure=_measure,
    present=_present,
    seeds=WHOLE.seeds,
    passes=WHOLE.passes,
)
