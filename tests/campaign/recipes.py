"""Recipes with fields of every kind, from Python and from JSON, and the settings of a grid."""

import json
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from lenet1998.data import Distortions
from lenet1998.learning import PRESETS, MinibatchRecipe, Recipe, preset
from lenet1998.learning.presets import from_values
from lenet1998.learning.recipe import TrainingRecipe
from lenet1998.runs.grid import grid

from .cases import ODD, Case, Rng, harmed_json, harmed_text, one_of


def _is_whole(recipe: TrainingRecipe) -> bool:
    """Whether a recipe that was taken can be saved, read back and begun."""
    recipe.build()
    return from_values(json.loads(recipe.to_json())) == recipe


def recipes(rng: Rng, folder: Path) -> Case:
    """Fields of every odd type and value are refused by their name, or make a whole recipe."""
    kind, usual = one_of(rng, (Recipe, MinibatchRecipe)), PRESETS[one_of(rng, PRESETS)]
    names = [field.name for field in fields(kind)]
    changes = {one_of(rng, names): one_of(rng, ODD) for _ in range(rng.integers(1, 3))}
    range_name = one_of(rng, [field.name for field in fields(Distortions)])
    range_value = one_of(rng, ODD)
    text, values = harmed_text(asdict(usual), rng), harmed_json(asdict(usual), rng)
    word = one_of(rng, (*names, "x", "", "=", "name"))
    setting = f"{word}={one_of(rng, ('', ',', '[', 'nan', '1e999', *map(repr, ODD)))}"
    uses: dict[str, tuple[Any, Any]] = {
        "Recipe(**)": (changes, lambda: kind(**changes)),
        "preset(**)": (changes, lambda: replace(preset(usual.name), **{
            name: value for name, value in changes.items() if hasattr(usual, name)})),
        "Distortions": ({range_name: range_value}, lambda: Recipe(
            distortions=Distortions(**{range_name: range_value}))),
        "from_json": (text[:300], lambda: type(usual).from_json(text)),
        "from_values": (values, lambda: from_values(values)),
        "grid": (setting[:300], lambda: grid([usual.name], [setting], [0])[0]),
    }  # fmt: skip
    use = one_of(rng, uses)
    given, act = uses[use]

    def whole() -> bool:
        return _is_whole(act())

    return Case(
        f"{use} of {given!r}"[:400],
        whole,
        "expected|recipe|distortions|JSON|Expect|set|no |column|range",
        bool,
    )
