"""Every choice of a training run in one place: those that the paper fixes, or leaves open."""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from numbers import Integral
from typing import Any, ClassVar, Self

import msgspec
import torch
from torch import nn

from lenet1998 import catalogue, codes
from lenet1998.data.distortions import LEANING, Distortions
from lenet1998.data.strings import BLANK
from lenet1998.errors import settle_types
from lenet1998.layers import Subsampling, TableConv2d
from lenet1998.models import saved
from lenet1998.models.boosted import BoostedLeNet4
from lenet1998.models.chain import LARGEST, ChainNetwork
from lenet1998.models.network import Network

__all__ = [
    "PRINTED_SCHEDULE", "BoostedRecipe", "MinibatchRecipe", "Recipe", "StringRecipe",
    "TrainingRecipe", "initialise",
]  # fmt: skip

PRINTED_SCHEDULE = ((1, 5e-4), (3, 2e-4), (6, 1e-4), (9, 5e-5), (13, 1e-5))
"""Section III.B: the global rate eta from each of these passes on."""


@dataclass(frozen=True)
class TrainingRecipe(ABC):
    """What all recipes have in common.

    Attributes:
        name: of the preset, or one that tells it from others, such as `paper,mu=0.02` of a study.
        seed: of the starting parameters, the order of the patterns and all else that is random, 0
            to 2^64 - 1.
        network: what is trained, a name of `lenet1998.catalogue`.

    Raises:
        ValueError: for a choice that there is not, or a number that is out of its range.
    """

    ENGINES: ClassVar[tuple[str, ...]] = ("torch",)  # what can carry it out, the usual first

    name: str = ""
    seed: int = 0
    network: str = "lenet5-classic"

    @property
    @abstractmethod
    def passes(self) -> int:
        """Through the training set."""

    def __post_init__(self) -> None:
        whole = isinstance(self.seed, Integral) and not isinstance(self.seed, bool)
        self._expect(whole and 0 <= self.seed < 2**64, "seed", "a whole number from 0 to 2^64 - 1")
        settle_types(self, "recipe")
        catalogue.find(self.network)

    def build(self) -> Network:
        """A new network with its starting parameters, a function of the seed alone."""
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(self.seed)
            return catalogue.find(self.network).build()

    def lasting(self, passes: int) -> Self:
        """The recipe for so many passes."""
        return self

    def choices(self) -> dict[str, Any]:
        """What tells it from the default of its kind, but for name and seed."""
        usual = asdict(type(self)(self.name, self.seed))
        return {name: value for name, value in asdict(self).items() if value != usual[name]}

    def to_json(self) -> str:
        """The recipe as a JSON object; `from_json` reads it back."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote; ValueError as `from_values`, or for text that is no JSON."""
        try:
            return cls.from_values(json.loads(text))
        except RecursionError as error:
            raise ValueError("recipe: expected a JSON object, got one nested too deep") from error

    @classmethod
    def from_values(cls, values: Any) -> Self:
        """A recipe from its JSON object, of which fields may be missing.

        Raises:
            ValueError: for what is no such object, an unknown field or a bad value.
        """
        try:
            recipe = msgspec.convert(values, cls)
        except UnicodeError as error:
            raise ValueError(f"recipe: expected text that UTF-8 can hold: {error}") from error
        unknown = list(_unknown(values, asdict(recipe)))
        if unknown:
            names = ", ".join(asdict(recipe))
            raise ValueError(f"recipe: no field {', '.join(unknown)}: expected some of {names}")
        return recipe

    def _expect(self, holds: bool, name: str, words: str) -> None:
        if not holds:
            raise ValueError(f"recipe: expected {name} {words}, got {getattr(self, name)!r}")

    def _expect_one_of(self, name: str, *allowed: str) -> None:
        self._expect(getattr(self, name) in allowed, name, " or ".join(map(repr, allowed)))


def _unknown(values: Mapping[str, Any], known: Mapping[str, Any]) -> Iterator[str]:
    for name, value in values.items():
        if name not in known:
            yield name
        elif isinstance(value, Mapping):
            yield from (f"{name}.{inner}" for inner in _unknown(value, known[name]))


@dataclass(frozen=True)
class Recipe(TrainingRecipe):
    """How a network learns by the rule of 1998, one pattern at a time. Saved with every run.

    The defaults are the preset `paper`. "Printed" is what the paper says, "open" that it does not.

    Attributes:
        seed: also of the patterns of each curvature estimate. Open.
        network: one that ends in penalties: LeNet-5, or LeNet-5 with a part replaced.
        init_bound, init_power: weights start uniform in +- init_bound / F^init_power, F the fan-in
            (for C3 that of each map). Printed: 2.4 and 1 (appendix A), which does not learn.
            Biases start at 0 and the coefficients of S2 and S4 at the bound of their fan-in 4:
            open.
        penalty_scale: penalties are this times the squared distance. Printed: 1 (eq. 7), with which
            no bound gives the printed range of the first steps.
        loss: `"map"` (eq. 9) or `"mle"` (eq. 8). Which one gave 0.95 % is open.
        j: penalty of the rubbish class of eq. 9. Open.
        mu: of the step eta / (mu + h). Printed: 0.02.
        schedule: `(first pass, eta)`, ascending. Printed as `PRINTED_SCHEDULE`.
        curvature_patterns: patterns in the estimate of h before each pass. Printed: 500.
        output_curvature: what enters the back-propagation of second derivatives at F6:
            `"constant"`, twice the penalty scale, or `"loss"`, the loss's own. Open.
        order: `"constant"`, one random order for all passes as printed, or `"reshuffled"`.
        distorted_copies: distorted versions of each training pattern that are added to the
            originals; 9 in the paper's second experiment. A pass stays as long as without.
        distortions: their distribution, recovered from Fig. 7.
        fresh: each distorted version is a new one whenever its turn comes, not one of
            `distorted_copies` fixed ones. These then say no more than the share of originals.
        inverted_pixels: probability that a pixel is inverted, drawn anew whenever the pattern is
            seen; 0.1 for the noise-resistant network of section III.E.
        flanked: between two other digits, and at times left out, as `data.strings.flanked` has it;
            then one of the characters is its blank (section VII).
        training_patterns: learn from so many random ones of the training set, as for Fig. 6; None
            for all.
        coefficient: of S2 and S4 at the start; None for the bound of their fan-in. Open.
        rule: of the update, one pattern at a time: `"sdlm"`; `"sgd"`, with all second derivatives
            taken as 0, so that the step is the same everywhere, eta / mu; or `"adam"`, with
            PyTorch's moments and eta as its rate.
        characters: the classes, each by its character in Fig. 3, ASCII 32 to 126; None for the ten
            digits.

    Raises:
        ValueError: as `TrainingRecipe`.
    """

    ENGINES = ("fused", "torch")
    KIND: ClassVar[type[Network]] = ChainNetwork  # what it trains
    WHAT: ClassVar[str] = "that ends in penalties"  # in words

    name: str = "paper"
    init_bound: float = 1.4
    init_power: float = 0.5
    penalty_scale: float = 0.22
    loss: str = "map"
    j: float = 1.0
    mu: float = 0.02
    schedule: tuple[tuple[int, float], ...] = PRINTED_SCHEDULE
    curvature_patterns: int = 500
    output_curvature: str = "constant"
    order: str = "constant"
    distorted_copies: int = 0
    distortions: Distortions = field(default_factory=Distortions)
    fresh: bool = False
    inverted_pixels: float = 0.0
    flanked: bool = False
    training_patterns: int | None = None
    coefficient: float | None = None
    rule: str = "sdlm"
    characters: str | None = None

    @property
    def passes(self) -> int:
        """As many as in the paper; the schedule has a rate for any number."""
        return 20

    def __post_init__(self) -> None:
        super().__post_init__()
        self._expect(issubclass(catalogue.find(self.network).kind, self.KIND), "network", self.WHAT)
        self._expect_one_of("loss", "map", "mle")
        self._expect_one_of("output_curvature", "constant", "loss")
        self._expect_one_of("order", "constant", "reshuffled")
        self._expect_one_of("rule", "sdlm", "sgd", "adam")
        for name in ("init_bound", "penalty_scale", "mu", "curvature_patterns"):
            self._expect(0 < getattr(self, name) < LARGEST, name, "> 0, below 1e30 and finite")
        self._expect(abs(self.init_power) <= 10, "init_power", "from -10 to 10 and finite")
        for name in ("j", "coefficient"):
            value = getattr(self, name)
            fits = value is None or abs(value) < LARGEST
            self._expect(fits, name, "below 1e30 and finite")
        of_all = self.training_patterns is None or self.training_patterns >= 1
        self._expect(of_all, "training_patterns", ">= 1 or None")
        self._expect(0 <= self.inverted_pixels <= 1, "inverted_pixels", "from 0 to 1")
        self._expect(self.distorted_copies >= 0, "distorted_copies", ">= 0")
        passes = [first for first, _ in self.schedule]
        ascends = passes[:1] == [1] and passes == sorted(set(passes))
        self._expect(ascends, "schedule", "of (first pass, eta) from pass 1 on, ascending")
        if (given := self.characters) is not None:
            # The last of Fig. 3's characters is blank too, and so has the code of the first.
            differ = 0 < len(given) == len(set(given) & set(codes.CHARACTERS[:-1]))
            self._expect(differ, "characters", "of ASCII 32 to 126, each once, or None")
        has_blank = BLANK in (self.characters or "")
        self._expect(has_blank or not self.flanked, "flanked", "only where a character is a blank")
        for _, eta in self.schedule:
            if not 0 < eta < math.inf:
                words = "expected every eta of the schedule > 0 and finite"
                raise ValueError(f"recipe: {words}, got {eta!r}")

    def build(self) -> Network:
        arguments: dict[str, Any] = {"penalty_scale": self.penalty_scale, "j": self.j}
        if self.characters is not None:
            arguments["characters"] = self.characters
        net = catalogue.find(self.network).build(**arguments)
        self.start(net)
        return net

    def start(self, net: Network) -> None:
        """Set the starting parameters."""
        assert isinstance(net, ChainNetwork)
        initialise(net, self)

    def eta(self, pass_number: int) -> float:
        """The global rate during a pass, counted from 1."""
        return next(eta for first, eta in reversed(self.schedule) if first <= pass_number)

    def bound(self, fan_in: float) -> float:
        """Initial weights into a unit of this fan-in lie within this of 0."""
        return float(self.init_bound / fan_in**self.init_power)


@dataclass(frozen=True)
class BoostedRecipe(Recipe):
    """How three networks learn by the rule of 1998, one after the other (`learning.boosting`).

    A pass is one of each of them, so 60,000 patterns are seen three times in it; but the first
    network makes all of its passes before the second begins.

    Attributes:
        distortions: of the patterns that the second and the third network learn from.
        passes: of each network. The schedule begins anew with each.

    Raises:
        ValueError: as `Recipe`.
    """

    KIND = BoostedLeNet4
    WHAT = "of several that learn one after the other"

    name: str = "lenet4-boosted"
    network: str = "lenet4-boosted"
    passes: int = 20

    def __post_init__(self) -> None:
        super().__post_init__()
        self._expect(self.passes >= 1, "passes", ">= 1")
        self._expect(self.characters is None, "characters", "None")

    def lasting(self, passes: int) -> BoostedRecipe:
        return replace(self, passes=passes)

    def start(self, net: Network) -> None:
        """All 0, so that a network that has not begun to learn adds nothing to the scores."""
        for parameter in net.parameters():
            nn.init.zeros_(parameter)


@dataclass(frozen=True)
class MinibatchRecipe(TrainingRecipe):
    """How a network of today is trained: mini-batches and the cross-entropy of its scores.

    Attributes:
        optimiser: `"adam"` with PyTorch's moments, or `"sgd"` with momentum 0.9.
        rate: greatest learning rate.
        schedule: of the rate, step by step: `"constant"`; `"cosine"`, from the rate down to 0; or
            `"one-cycle"`, up to the rate in the first 30 % of the steps and down to 0.
        batch_size: patterns per update. The last batch of a pass may be smaller.
        passes: through the training set, each in a new random order.
        weight_decay: for Adam apart from the gradient, as AdamW has it (each update takes this
            times the current rate off every parameter); for SGD a part of the gradient.
        label_smoothing: probability that the targets spread evenly over all classes.
        distortions: their distribution; each pattern is distorted anew whenever it is seen.
        flips: mirror each pattern left to right with probability 1/2. A mirrored digit is none:
            only for a tutorial's recipe that does so.

    Raises:
        ValueError: as `TrainingRecipe`.
    """

    name: str = "minibatch"
    network: str = "lenet5-modern"
    optimiser: str = "adam"
    rate: float = 0.001
    schedule: str = "constant"
    batch_size: int = 64
    passes: int = 10
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    distortions: Distortions | None = None
    flips: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self._expect_one_of("optimiser", "adam", "sgd")
        self._expect_one_of("schedule", "constant", "cosine", "one-cycle")
        for name in ("rate", "batch_size", "passes"):
            self._expect(0 < getattr(self, name) < math.inf, name, "> 0 and finite")
        self._expect(0 <= self.weight_decay < math.inf, "weight_decay", ">= 0 and finite")
        self._expect(0 <= self.label_smoothing < 1, "label_smoothing", "from 0 to below 1")

    def lasting(self, passes: int) -> MinibatchRecipe:
        return replace(self, passes=passes)


@dataclass(frozen=True)
class StringRecipe(TrainingRecipe):
    """How a trained network goes on to learn from whole strings of digits (sections VI, VII.C).

    Attributes:
        network: of the digits and a blank.
        start: the trained network of the package, or its file, that it begins as.
        j: penalty of the rubbish class. With 100 it plays no part: all that is no digit is blank.
        rate: the greatest of Adam, reached after a tenth of the steps; it then falls to 0.
        batch_size: strings per update, all of one length.
        strings: in a pass, always new ones.
        passes: of so many strings each.
        every: pixels from one output to the next, as `LeNet5Classic.penalty_map` takes it.
        digits: in a string, fewest and most.
        gaps: between their bounding boxes, least and greatest, in pixels.
        distortions: of each digit.
        slant: greatest shear of a whole string to either side, in columns per row.
        disturbed: share of the batches in which a tenth of the pixels are inverted, and, drawn for
            itself, of those in which each string has a line through it.

    Raises:
        ValueError: as `TrainingRecipe`.
    """

    name: str = "strings"
    start: str = "lenet5-strings"
    j: float = 100.0
    rate: float = 0.003
    batch_size: int = 32
    strings: int = 6400
    passes: int = 420
    every: int = 2
    digits: tuple[int, int] = (1, 6)
    gaps: tuple[int, int] = (-5, 6)
    distortions: Distortions = field(default_factory=lambda: LEANING.narrowed(0.33))
    slant: float = 0.05
    disturbed: float = 0.05

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("rate", "batch_size", "strings", "passes", "j"):
            self._expect(0 < getattr(self, name) < math.inf, name, "> 0 and finite")
        self._expect(self.every in (4, 2), "every", "4 or 2")
        self._expect(0 < self.digits[0] <= self.digits[1], "digits", "(fewest, most), from 1 on")
        self._expect(self.gaps[0] <= self.gaps[1], "gaps", "(least, greatest)")
        self._expect(0 <= self.slant < math.inf, "slant", ">= 0 and finite")
        self._expect(0 <= self.disturbed <= 1, "disturbed", "from 0 to 1")

    def build(self) -> Network:
        net = saved.load(self.start)
        assert isinstance(net, ChainNetwork)
        net.j = float(self.j)
        return net

    def lasting(self, passes: int) -> StringRecipe:
        return replace(self, passes=passes)


def initialise(net: ChainNetwork, recipe: Recipe) -> None:
    """Set the starting parameters of a network, a function of the recipe's seed alone."""
    generator = torch.Generator().manual_seed(recipe.seed)
    for name in net.TRAINED_LAYERS:
        layer: Any = net.get_submodule(name)
        if isinstance(layer, nn.AvgPool2d | nn.MaxPool2d):
            continue
        nn.init.zeros_(layer.bias)
        if isinstance(layer, Subsampling):
            usual = recipe.bound(layer.WINDOW**2)
            start = usual if recipe.coefficient is None else recipe.coefficient
            nn.init.constant_(layer.coefficient, start)
            continue
        weights: Sequence[torch.Tensor] = (layer.weight,)
        fan_ins: Sequence[int] = (layer.weight[0].numel(),)
        if isinstance(layer, TableConv2d):
            weights = layer.weight.detach().split([len(row) for row in layer.table])
            fan_ins = layer.fan_in
        for weight, fan_in in zip(weights, fan_ins, strict=True):
            bound = recipe.bound(fan_in)
            nn.init.uniform_(weight, -bound, bound, generator)
