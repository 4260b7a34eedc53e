"""Printed characters: what is drawn, what is measured of it, and how the claims are judged."""

from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import msgspec
import pytest
import torch

from lenet1998 import codes
from lenet1998.data import Dataset, load_dataset
from lenet1998.evidence import characters
from lenet1998.evidence.characters import (
    ALIKE,
    CHARACTERS,
    DRAWN,
    LEARNT,
    PLACE,
    PRINTED,
    RANDOM,
    UNSEEN,
    WHOLE,
    Characters,
    Read,
    Size,
)  # fmt: skip
from lenet1998.measures.spread import Spread

TINY = Size((10, 36, 94), patterns=20, passes=1, read=20, seeds=2)


@pytest.fixture(scope="module")
def digits() -> Dataset:
    """Called MNIST, so that the claims are judged."""
    return replace(load_dataset("digits").first(6, 6), name="MNIST", is_papers=True)


def test_the_classes_are_all_printable_characters_but_the_space() -> None:
    assert sorted(PRINTED) == list(codes.CHARACTERS[1:-1])
    assert len((codes.centres(PRINTED)).unique(dim=0)) == 94
    assert not set(LEARNT) & set(UNSEEN)


@pytest.mark.parametrize("face", LEARNT + UNSEEN)
def test_every_face_has_every_character(face: str) -> None:
    """A face draws one box for all that it lacks."""
    images = characters.printed((face,))[0]
    assert images.shape == (94, 1, 32, 32) and images.amax((1, 2, 3)).allclose(torch.tensor(1.175))
    same = (images.flatten(1)[:, None] == images.flatten(1)).all(2).nonzero().tolist()
    for a, b in ((PRINTED[i], PRINTED[j]) for i, j in same if i < j):
        assert any(a in group and b in group for group in ALIKE), (a, b)


def test_classes_and_faces_take_turns() -> None:
    images, labels = characters.patterns(UNSEEN, 10, 100, seed=0)
    assert images.shape == (100, 1, 32, 32) and set(Counter(labels.tolist()).values()) == {10}
    # The same character twice: in other faces, or distorted in another way.
    assert len(images[labels == 3].unique(dim=0)) == 10
    again, _ = characters.patterns(UNSEEN, 10, 100, seed=1)
    assert not torch.equal(images, again)


def test_what_is_read_of_penalties() -> None:
    # Right; its look-alike of another kind wins; one of its kind is better, another sign the best.
    penalties = torch.tensor([[0.0, 1, 5, 9], [1, 2, 8, 8], [2, 8, 3, 1]])
    found = characters.read(penalties, torch.tensor([0, 1, 2]), "O0A1")
    assert found["misread"] == pytest.approx(200 / 3)
    assert found["in_kind"] == pytest.approx(100 / 3)
    assert found["runner_up"] == 100
    hamming = characters.cells("O0A1")
    assert found["cells"] == pytest.approx((hamming[1, 0] + hamming[2, 3]).item() / 2)
    assert found["alike"] == pytest.approx((1 + 1) / 2)
    assert found["others"] == pytest.approx((5 + 9 + 6 + 6 + 1 + 5 + 2) / 7)
    assert hamming[0, 0] == 0 and torch.equal(hamming, hamming.T)


def test_networks_have_the_classes_that_they_are_read_with(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def built(recipe, dataset, passes):
        assert dataset.classes == len(recipe.characters) and passes == TINY.passes
        asked.append((recipe.network, len(recipe.characters), recipe.seed))
        return SimpleNamespace(net=recipe.build())

    monkeypatch.setattr(characters, "WHOLE", TINY)
    monkeypatch.setattr(characters, "train", built)
    monkeypatch.setattr(characters, "scores", lambda net, images: net.scores(images).detach())
    values = CHARACTERS.measure({}, digits)
    counts = {"lenet5-classic": (10, 36, 94), "one-of-ten-codes": (10, 36, 94)}
    counts["random-codes"] = (10, 94)
    expected = [(name, n, seed) for name, of in counts.items() for n in of for seed in (0, 1)]
    assert asked == expected
    assert CHARACTERS.read(msgspec.json.decode(msgspec.json.encode(values))) == values


def kind(errors: dict[int, float], between_seeds: float, alike: float) -> dict[int, Read]:
    """Networks with these errors, whose penalties of look-alikes are so far apart."""

    def spread(mean: float) -> Spread:
        return Spread.of(mean + shift * between_seeds for shift in (-1, 0, 1))

    others = Spread.of([10, 10, 10])
    return {
        classes: Read(*3 * [spread(error)], cells=others, alike=spread(alike), others=others)
        for classes, error in errors.items()
    }


@pytest.mark.parametrize(
    ("place", "random", "holds"),
    [
        ((1.0, 9.0, 16.0, 31.0), (1.0, 23.0), ["yes", "yes"]),
        ((1.0, 5.0, 10.0, 31.0), (1.0, 20.0), ["in part", "in part"]),
        ((1.0, 6.0, 11.0, 22.0), (1.0, 23.0), ["yes", "in part"]),
        ((1.0, 4.0, 8.0, 15.0), (2.0, 23.0), ["in part", "no"]),
    ],
)
def test_claims_are_judged_by_intervals(
    place: tuple[float, ...], random: tuple[float, ...], holds: list[str], digits: Dataset
) -> None:
    drawn = dict(zip(WHOLE.classes, (1.0, 5.0, 10.0, 20.0), strict=True))
    read = {
        DRAWN: kind(drawn, 0.0, 2.0),
        PLACE: kind(dict(zip(drawn, place, strict=True)), 0.1, 9.0),
        RANDOM: kind(dict(zip((10, 94), random, strict=True)), 0.1, 8.0),
    }
    section = CHARACTERS.present(Characters(WHOLE, read), digits)
    assert [claim.number for claim in section.claims] == [7, 8]
    assert [claim.holds for claim in section.claims] == holds
    assert all("3 seeds" in claim.measured for claim in section.claims)
    assert all(plot.png for plot in section.plots)
    other = replace(digits, name="others", is_papers=False)
    assert CHARACTERS.present(Characters(WHOLE, read), other).claims == []
