"""The page as one file: template, style and modules, the networks and their figures."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from hashlib import sha256
from importlib import resources
from typing import Any

from jinja2 import Environment, StrictUndefined, Template
from torch import Tensor

from lenet1998 import codes
from lenet1998.data import field, mnist
from lenet1998.data.strings import BLANK
from lenet1998.demo.networks import NETWORKS, NetworkError, describe
from lenet1998.evidence import facts
from lenet1998.measures.counting import count_layers
from lenet1998.models.classic import LeNet5Classic
from lenet1998.reading.digit import CLOSE_UP
from lenet1998.reading.line import OFF_LINE, SPECK
from lenet1998.reading.pictures import BESIDE

__all__ = ["mnist_digits", "page"]

PEN = 3.1
"""Width of a drawn stroke in MNIST's pixels: the median of its training digits."""

LINE_ASPECT = 3
"""How often a paper for numbers is as wide as high."""

MODULES = (
    *("dom", "network", "ink", "strokes", "examples", "paper", "tiles", "words", "figure"),
    *("number", "strip", "line", "page"),
)  # fmt: skip
"""The page's JavaScript, each module after those that it imports from."""

# As the modules write both, on lines of their own; what is exported keeps its name.
_IMPORT, _EXPORT = re.compile(r"^import .*;\n", re.M), re.compile(r"^export (?=\w)", re.M)

LAYERS = {
    "input": "Input",
    "c1": "C1: feature maps",
    "s2": "S2: feature maps",
    "c3": "C3: feature maps",
    "s4": "S4: feature maps",
    "c5": "C5: layer",
    "f6": "F6: layer",
}
"""The layers below the output, as Fig. 2 heads them."""

_INPUT_TEXT = (
    f"The drawing, fitted into {field.BOX}×{field.BOX} pixels and centred by its mass in "
    f"{field.IMAGE}×{field.IMAGE}. Paper is {field.BACKGROUND}, ink {field.INK}."
).replace("-", "−")


def page(networks: Sequence[str] = NETWORKS, digits: Tensor | None = None) -> str:
    """The whole page as HTML; the same arguments give the same bytes.

    Nothing in it asks a network for anything, and its policy forbids to.

    Args:
        networks: names or files, as `lenet1998.load` takes them; the first is shown first. With one
            that reads numbers the page has a wide paper for them.
        digits: MNIST's test digits, `(10000, 28, 28)` uint8, for the gallery of Fig. 8's; None
            leaves it out.

    Raises:
        NetworkError, WeightsError: as `describe`; NetworkError for several networks that read
            numbers too, and for none that reads digits.
    """
    described, line = _sorted(networks)
    gallery = []
    if digits is not None:
        gallery = [asdict(one) | _box(digits[one.index]) for one in facts.misread_digits()]
    data = {
        "networks": described,
        "line": line,
        "lineAspect": LINE_ASPECT,
        "digits": codes.DIGITS,
        "codes": ["".join(codes.bitmap(digit)) for digit in codes.DIGITS],
        "blank": "".join(codes.bitmap(BLANK)),
        "columns": codes.COLUMNS,
        "sizes": {
            "field": field.FIELD,
            "image": field.IMAGE,
            "padding": field.PADDING,
            "box": field.BOX,
            "centre": field.CENTRE,
            "background": field.BACKGROUND,
            "ink": field.INK,
            "beside": BESIDE,
        },
        "pen": {"closeUp": CLOSE_UP, "pen": PEN / field.BOX, "speck": SPECK, "offLine": OFF_LINE},
        "gallery": gallery,
    }
    style, script = _part("page.css"), _script()
    return _template().render(
        networks=described,
        line=line,
        numbers=_numbers(),
        layers=_heads(described[0]["layers"]),
        digits=codes.DIGITS,
        input_text=_INPUT_TEXT,
        gallery=gallery,
        style=style,
        script=script,
        # JSON has no other place for this sign than its strings: no text can end the element.
        data=json.dumps(data).replace("<", "\\u003c"),
        policy=f"script-src '{_digest(script)}'; style-src '{_digest(style)}'",
    )


def _sorted(networks: Sequence[str]) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    """Those that read digits, and the one that reads numbers, described."""
    described = [describe(network) for network in networks]
    digits, numbers = (
        [one for one in described if one["reads"] == what] for what in ("digits", "numbers")
    )
    names = ", ".join(one["name"] for one in numbers)
    if len(numbers) > 1:
        raise NetworkError(f"{names}: the page shows one network that reads numbers")
    if not digits:
        raise NetworkError(f"{names}: give a network of digits besides, such as lenet5-classic")
    return digits, next(iter(numbers), None)


def _numbers() -> list[str]:
    """Examples: the year, LeNet-5's trainable parameters and connections."""
    counts = count_layers(LeNet5Classic())
    sums = (
        sum(of) for of in zip(*((one.trainable, one.connections) for one in counts), strict=True)
    )
    return ["1998", *map(str, sums)]


def mnist_digits() -> Tensor | None:
    """MNIST's test digits, `(10000, 28, 28)` uint8, if they are on this machine already."""
    for folder in mnist.search_folders():
        if raw := mnist.raw_folder(folder):
            strangers: list[str] = []
            _, images = mnist.read_idx(raw, "t10k-images-idx3-ubyte", (field.IMAGE,) * 2, strangers)
            return None if strangers else images
    return None


def _box(image: Tensor) -> dict[str, Any]:
    """The part of a digit that holds its ink, and where that lies: half of the bytes of the whole.

    Shape: (28, 28) uint8, the ink within 20x20.
    """
    top, left = (min(int(image.any(axis).nonzero()[0]), field.IMAGE - field.BOX) for axis in (1, 0))
    box = image[top : top + field.BOX, left : left + field.BOX].contiguous()
    pixels = base64.b64encode(box.numpy().tobytes()).decode()
    return {"top": top, "left": left, "pixels": pixels}


def _heads(layers: Sequence[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """Of the input and each layer but the output: name, title and size, as in Fig. 2."""
    sizes = {"input": f"{field.FIELD}×{field.FIELD}"}
    for layer in layers:
        maps, side = layer["maps"], layer["side"]
        sizes[layer["name"]] = f"{maps}@{side}×{side}" if side > 1 else f"{maps}"
    return [(name, title, sizes[name]) for name, title in LAYERS.items()]


def _script() -> str:
    """The modules as one: in their order no import is needed."""
    return "".join(_EXPORT.sub("", _IMPORT.sub("", _part(f"{name}.js"))) for name in MODULES)


def _digest(content: str) -> str:
    """Of an element's content, as a content security policy names it."""
    return f"sha256-{base64.b64encode(sha256(content.encode()).digest()).decode()}"


def _part(name: str) -> str:
    return (resources.files(__package__) / name).read_text("utf-8")


@cache
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.from_string(_part("page.html.jinja"))
