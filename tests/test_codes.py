"""Section II.B, Fig. 3: the 96 output codes, bit for bit."""

from hashlib import sha256

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lenet1998.codes import CHARACTERS, DIGITS, bitmap, centres, draw

# Of the '#' and '.' read from the figure's own bitmaps, row by row, one character after the other.
SHA256_OF_DIGITS = "d741b8948f1858899a47bb8b0002af577b582835ce8df44a64d875d56e0aa1b3"
SHA256_OF_ALL = "670b0a8aef3f3eb5fbc3a4c18a399c5a5313bce66fd95c6ef60ee291b5c851dd"

INK_OF_DIGITS = [35, 27, 33, 32, 41, 35, 39, 25, 43, 39]


def cells(characters: str) -> str:
    return "".join("".join(bitmap(character)) for character in characters)


def hamming(a: str, b: str) -> int:
    return sum(x != y for x, y in zip(cells(a), cells(b), strict=True))


def test_mistake_invented_codes() -> None:
    assert len(CHARACTERS) == 96
    for characters, size, digest in (
        (DIGITS, 840, SHA256_OF_DIGITS),
        (CHARACTERS, 8064, SHA256_OF_ALL),
    ):
        drawing = cells(characters)
        assert len(drawing) == size
        assert sha256(drawing.encode()).hexdigest() == digest


def test_mistake_transposed_codes() -> None:
    seven = centres("7")[0]
    assert (seven[:7] == 1).all(), "the first 7 of the 84 are the bar of the 7: rows, not columns"
    assert (seven[-14:] == -1).all(), "digits do not reach the two lowest rows"
    picture = seven.view(12, 7)
    assert picture[:, 0].tolist() == [1, *[-1] * 11]


def test_mistake_ink_and_background_exchanged() -> None:
    assert (centres() == 1).sum(1).tolist() == INK_OF_DIGITS
    assert [cells(digit).count("#") for digit in DIGITS] == INK_OF_DIGITS


def test_codes_are_plus_and_minus_one_12_rows_of_7() -> None:
    assert all(len(bitmap(c)) == 12 and {len(row) for row in bitmap(c)} == {7} for c in CHARACTERS)
    codes = centres(CHARACTERS)
    assert codes.shape == (96, 84) and codes.dtype == torch.float32
    assert torch.equal(codes.abs(), torch.ones(96, 84))
    assert centres("AB", dtype=torch.float64).dtype == torch.float64
    assert centres("").shape == (0, 84)


def test_first_and_last_character_are_blank() -> None:
    assert CHARACTERS[0] == " " and CHARACTERS[-1] == "\x7f"
    assert cells(" \x7f") == "." * 168


def test_distances_between_digits() -> None:
    distance = {(a, b): hamming(a, b) for a in DIGITS for b in DIGITS if a < b}
    assert min(distance.values()) == 12 == distance["6", "8"]
    assert max(distance.values()) == 50
    # Eq. 7 between two codes: each cell that differs adds 2^2.
    penalty = torch.cdist(centres(), centres()).square()
    assert all(round(penalty[int(a), int(b)].item()) == 4 * d for (a, b), d in distance.items())


@pytest.mark.parametrize(("a", "b", "distance"), [("O", "o", 5), ("I", "l", 1)])
def test_lookalikes_have_near_codes(a: str, b: str, distance: int) -> None:
    assert hamming(a, b) == distance


@given(st.text(CHARACTERS))
def test_a_drawn_centre_is_the_bitmap(text: str) -> None:
    for character, centre in zip(text, centres(text), strict=True):
        assert draw(centre) == "\n".join(bitmap(character))


@given(st.lists(st.floats(-1.5, 1.5, width=32), min_size=84, max_size=84))
def test_any_state_can_be_drawn_and_read_back(state: list[float]) -> None:
    rows = draw(state).splitlines()
    assert len(rows) == 12 and {len(row) for row in rows} == {7}
    assert [cell == "#" for cell in "".join(rows)] == [value > 0 for value in state]


@pytest.mark.parametrize("character", ["é", "\x1f", "10", ""])
def test_a_character_that_the_figure_lacks_is_named(character: str) -> None:
    with pytest.raises(ValueError, match="ASCII 32 to 127") as error:
        bitmap(character)
    assert repr(character) in str(error.value)


def test_centres_name_the_character_without_a_code() -> None:
    with pytest.raises(ValueError, match="'ü'"):
        centres("für")


@pytest.mark.parametrize("size", [0, 83, 168])
def test_draw_refuses_anything_but_84_values(size: int) -> None:
    with pytest.raises(ValueError, match=f"84 values .* got {size}"):
        draw(torch.zeros(size))
