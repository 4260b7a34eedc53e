"""The grid of a study: every combination of recipes, of values of their fields, and of seeds."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import is_dataclass, replace
from itertools import product
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from lenet1998.learning.recipe import Recipe, preset

_WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a word",
    NoneType: "null",
    list: "a list",
    dict: "an object",
}


def _json_types(kind: Any) -> tuple[type, ...]:
    """What JSON has for a field of this type."""
    kinds = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    return tuple(
        list if get_origin(one) is tuple else dict if is_dataclass(one) else one for one in kinds
    )


_FIELDS = {
    name: _json_types(kind)
    for name, kind in get_type_hints(Recipe).items()
    if name not in ("name", "seed")
}


def grid(names: Sequence[str], settings: Sequence[str], seeds: Iterable[int]) -> list[Recipe]:
    """Every combination of named recipes, of values and of seeds.

    A recipe that a value changes says so in its name, which is fit for a folder's:
    `grid(["paper"], ["mu=0.02,0.07"], [0])` is `paper,mu=0.02` and, as 0.07 is its own mu, `paper`.

    Args:
        names: of presets.
        settings: `FIELD=VALUE[,VALUE...]`, a field of `Recipe` and values as `recipe.json` has
            them; words need no quotes.
        seeds: of each.

    Raises:
        ValueError: for an unknown preset or field, one that is set twice, or a value that it cannot
            have.
    """
    chosen = [_parse(setting) for setting in settings]
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


def _parse(setting: str) -> tuple[str, list[Any]]:
    name, _, text = setting.partition("=")
    if not text:
        raise ValueError(f"expected FIELD=VALUE[,VALUE...], got {setting!r}")
    if name not in _FIELDS:
        raise ValueError(
            f"no field {name!r} of a recipe to set: expected one of {', '.join(_FIELDS)}"
        )
    try:
        values = json.loads(f"[{text}]")
    except ValueError:
        values = [_word(part) for part in text.split(",")]
    return name, [_checked(name, value) for value in values]


def _word(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text.strip()


def _checked(name: str, value: Any) -> Any:
    """The value, a whole number made a float where the field is one; others must fit."""
    types = _FIELDS[name]
    if type(value) is int and int not in types and float in types:
        return float(value)
    if type(value) not in types:
        expected = " or ".join(_WORDS[one] for one in types)
        raise ValueError(f"expected for {name} {expected}, got {json.dumps(value)}")
    return value


def _changed(recipe: Recipe, values: dict[str, Any]) -> Recipe:
    """The recipe with these values, named after those that are not its own already."""
    old = json.loads(recipe.to_json())
    new = {
        name: {**old[name], **value} if isinstance(value, dict) else value
        for name, value in values.items()
    }
    try:
        changed = Recipe.from_json(json.dumps({**old, **new}))
    except (TypeError, KeyError) as error:
        wanted = ", ".join(f"{name}={json.dumps(value)}" for name, value in values.items())
        raise ValueError(
            f"expected values as recipe.json has them, got {wanted}: {error}"
        ) from error
    named = (f"{name}={_text(values[name])}" for name in values if new[name] != old[name])
    return replace(changed, name=",".join([recipe.name, *named]))


def _text(value: Any) -> str:
    """A value as a part of a file's name: letters, digits, `.`, `+`, `-`, `_`."""
    if isinstance(value, float):
        return format(value, ".15g")
    text = value if isinstance(value, str) else json.dumps(value)
    return re.sub(r"[^\w.+-]+", "-", text, flags=re.ASCII).strip("-")
