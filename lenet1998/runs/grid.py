"""The grid of a study: every combination of recipes, of values of their fields, and of seeds."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from itertools import product
from typing import Any

from lenet1998.learning.presets import preset
from lenet1998.learning.recipe import TrainingRecipe

__all__ = ["grid"]


def grid(
    names: Sequence[str], settings: Sequence[str], seeds: Iterable[int]
) -> list[TrainingRecipe]:
    """Every combination of named recipes, of values and of seeds.

    A recipe that a value changes says so in its name, which is fit for a folder's:
    `grid(["paper"], ["mu=0.02,0.07"], [0])` is `paper,mu=0.07` and, as 0.02 is its own mu, `paper`.

    Args:
        names: of presets.
        settings: `FIELD=VALUE[,VALUE...]`, a field of the recipes and values as `recipe.json` has
            them; words need no quotes.
        seeds: of each.

    Raises:
        ValueError: for an unknown preset or field, one that is set twice, or a value that it cannot
            have.
    """
    chosen = [_parsed(setting) for setting in settings]
    fields = [name for name, _ in chosen]
    twice = {name for name in fields if fields.count(name) > 1}
    if twice:
        raise ValueError(f"{twice.pop()} is set twice: give all its values at once, as A,B,C")
    recipes = (
        _changed(preset(name), dict(zip(fields, values, strict=True)))
        for name in names
        for values in product(*(values for _, values in chosen))
    )
    return [replace(recipe, seed=seed) for recipe in dict.fromkeys(recipes) for seed in seeds]


def _parsed(setting: str) -> tuple[str, list[Any]]:
    name, _, text = setting.partition("=")
    if not text:
        raise ValueError(f"expected FIELD=VALUE[,VALUE...], got {setting!r}")
    if name in ("name", "seed"):
        raise ValueError(f"the grid sets {name} itself: expected another field of a recipe")
    try:
        return name, list(json.loads(f"[{text}]"))
    except ValueError:
        return name, [_word(part) for part in text.split(",")]


def _word(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text.strip()


def _changed(recipe: TrainingRecipe, values: dict[str, Any]) -> TrainingRecipe:
    """The recipe with these values, named after those that are not its own already."""
    old = asdict(recipe)
    new = {
        name: {**old[name], **value}
        if isinstance(value, dict) and isinstance(old.get(name), dict)
        else value
        for name, value in values.items()
    }
    try:
        changed = recipe.from_values({**old, **new})
    except ValueError as error:
        wanted = ", ".join(f"{name}={json.dumps(value)}" for name, value in values.items())
        raise ValueError(f"cannot set {wanted}: {error}") from error
    differing = asdict(changed)
    named = (f"{name}={_text(values[name])}" for name in values if differing[name] != old[name])
    return replace(changed, name=",".join([recipe.name, *named]))


def _text(value: Any) -> str:
    """A value as a part of a file's name: letters, digits, `.`, `+`, `-`, `_`."""
    if isinstance(value, float):
        return format(value, ".15g")
    text = value if isinstance(value, str) else json.dumps(value)
    return re.sub(r"[^\w.+-]+", "-", text, flags=re.ASCII).strip("-")
