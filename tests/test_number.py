"""Reading numbers in pictures."""

import json
import re
from itertools import product

import numpy as np
import pytest
import torch
from PIL import Image
from test_cli import lenet1998  # noqa: F401  a fixture

from lenet1998 import load, read
from lenet1998.codes import DIGITS
from lenet1998.data.strings import NORMAL, Strings, StringsOf
from lenet1998.learning.strings import log_posteriors
from lenet1998.reading import number
from lenet1998.reading.decoder import compose
from lenet1998.reading.grammar import GrammarError, any_number, of_length, pattern, words
from lenet1998.reading.number import NoNumbersError, Outputs, most_probable
from lenet1998.reading.pictures import ImageError, read_line

NET = load("lenet5-strings")


@pytest.fixture(scope="module")
def strings(mnist) -> Strings:
    """Some that the network reads."""
    drawn = StringsOf(3, NORMAL).draw(40, 0, mnist.test_images, mnist.test_labels)
    fields, labels, middles = drawn.fields, drawn.labels, drawn.middles
    right = [
        read(field, NET).text == text(label) for field, label in zip(fields, labels, strict=True)
    ]
    right = torch.tensor(right)
    assert right.sum() >= 20  # the printed recipe reads more than half of them
    return Strings(fields[right], labels[right], middles[right])


def text(labels) -> str:
    return "".join(map(str, labels.tolist()))


def grey(field) -> np.ndarray:
    """A field as a picture, ink high."""
    return ((field[0] + 0.1) * 200).round().byte().numpy()


def test_a_field_and_its_picture_are_read_alike(strings):
    for field, label, middles in zip(strings.fields, strings.labels, strings.middles, strict=True):
        ours = read(field, NET, n_best=3)
        assert ours.text == text(label) and len(ours.alternatives) == 2
        # An output sees 32 columns; it is nearest to the middle of its digit or beside it.
        assert all(abs(one.x - x) < 9 for one, x in zip(ours.digits, middles.tolist(), strict=True))
        assert [one.digit for one in ours.digits] == list(ours.text)
        assert 0 < ours.probability <= 1 and ours.penalty >= 0
        probabilities = [ours.probability, *(one.probability for one in ours.alternatives)]
        assert probabilities == sorted(probabilities, reverse=True) and sum(probabilities) < 1.001
        for picture in (grey(field), Image.fromarray(255 - grey(field))):
            assert read(picture, NET, n_best=3) == ours


def test_larger_pictures_dark_or_light_are_read_and_say_where(strings):
    right = places = 0
    count = 12
    for field, label, middles in zip(
        *(of[:count] for of in (strings.fields, strings.labels, strings.middles)), strict=True
    ):
        image = Image.fromarray(255 - grey(field))
        image = image.resize((5 * image.width, 5 * image.height), Image.Resampling.BICUBIC)
        sheet = Image.new("L", (image.width + 200, image.height + 260), 255)
        sheet.paste(image, (150, 90))
        for picture in (sheet, Image.eval(sheet, lambda level: 255 - level // 2)):
            found = read(picture)
            right += found.text == text(label)
            if found.text == text(label):
                close = [
                    abs((one.x - 150) / 5 - x) < 10
                    for one, x in zip(found.digits, middles.tolist(), strict=True)
                ]
                places += all(close)
    assert right >= 0.9 * 2 * count and places == right


def test_a_wide_picture_is_looked_at_in_parts(strings):
    field = strings.fields[0]
    number = Image.fromarray(255 - grey(field))
    number = number.resize((2 * number.width, 2 * number.height))
    page = Image.new("L", (4000, 120), 255)
    page.paste(number, (3000, 30))
    looked_at, x_of = read_line(page)
    assert 3000 < x_of(20) < 3000 + number.width and looked_at.shape[-1] < 200
    assert read(page, NET).text == text(strings.labels[0])


def test_parts_of_a_long_field_come_to_the_whole():
    field = torch.rand(1, 1, 32, 2500) * 0.5 - 0.1
    ours = Outputs.of([NET], field)
    with torch.no_grad():
        whole = NET.penalty_map(field, every=2)[0, :, 0]
    torch.testing.assert_close(ours.penalties, whole, rtol=1e-4, atol=1e-3)
    assert ours.logs.shape == (2, whole.shape[1], 11)


def test_each_network_sees_the_field_and_the_field_moved_by_a_pixel():
    field, nets = torch.rand(1, 1, 32, 64) * 0.5 - 0.1, [NET, load("lenet5-strings-global")]
    moved = torch.cat([torch.full((1, 1, 32, 1), -0.1), field[..., :-1]], 3)
    views = Outputs.of(nets, field).logs
    for view, (net, seen) in zip(views, product(nets, (field, moved)), strict=True):
        with torch.no_grad():
            ours = log_posteriors(net, net.penalty_map(seen, every=2))[0]
        torch.testing.assert_close(torch.from_numpy(view), ours.double(), rtol=1e-4, atol=1e-3)


def test_several_networks_read_together(strings):
    field, nets = strings.fields[0], [NET, load("lenet5-strings-global")]
    together = read(field, nets)
    alone = [read(field, net, grammar=together.text).probability for net in nets]
    assert alone == [1, 1]  # nothing else is allowed
    of_each = [read(field, net, n_best=6) for net in nets]
    shares = [
        {one.text: one.probability for one in (of, *of.alternatives)}[together.text]
        for of in of_each
    ]
    assert together.probability == pytest.approx((shares[0] * shares[1]) ** 0.5, abs=1e-5)
    assert read(field) == read(field, number.default_networks())


def test_the_answer_is_the_most_probable_string_over_all_views():
    rows = np.random.default_rng(0).dirichlet(np.full(11, 0.3), (4, 7))
    found = most_probable(np.log(rows), any_number(), n=3)

    def share(text):
        grammar = pattern(text)
        of_all, of_text = (
            compose(one, DIGITS).total(np.log(rows)) for one in (any_number(), grammar)
        )
        return np.exp((of_text - of_all).mean())

    assert [probability for _, probability in found] == pytest.approx(
        [share(path.text) for path, _ in found]
    )
    best = compose(any_number(), DIGITS).best(np.log(rows[0]), 6)
    shares = sorted((share(path.text) for path in best), reverse=True)
    assert [probability for _, probability in found] == pytest.approx(shares[:3])
    assert found[0][0].text != best[0].text  # as the seed was chosen


def test_a_long_text_is_as_probable_in_pieces(monkeypatch):
    generator = np.random.default_rng(1)
    logs = np.log(generator.dirichlet(np.full(11, 0.02), 300) + 1e-12)
    logs = np.stack([logs, logs + generator.normal(0, 0.5, logs.shape)])
    (path,) = compose(any_number(), DIGITS).best(logs[0])
    assert len(path.text) > 100
    pieces = number._total(path, logs)
    monkeypatch.setattr(number, "_PIECE", 1000)
    whole = number._total(path, logs)
    assert (pieces <= whole + 1e-9).all() and pieces == pytest.approx(whole, rel=0.02)


def test_the_grammar_rules(strings):
    field, right = strings.fields[0], text(strings.labels[0])
    assert len(read(field, NET, grammar=of_length(4)).text) == 4
    assert re.fullmatch(r"\d-\d\d", read(field, NET, grammar=r"\d-\d\d").text)
    other = ("7" if right[0] != "7" else "1") + right[1:]
    found = read(field, NET, grammar=words([other, "12345678"]), n_best=5)
    # As long a number has no path here, or one that nothing speaks for.
    assert found.text == other and len(found.alternatives) <= 1
    assert read(field, NET, grammar="").text is None


def test_nothing_to_read_is_an_answer():
    for empty in (np.full((40, 90), 255, np.uint8), np.zeros((32, 64), np.uint8)):
        assert read(empty, NET).text is None
    assert read(torch.full((1, 32, 64), -0.1), NET).digits == ()


def test_bad_input_is_one_line(tmp_path):
    for bad in (tmp_path / "none.png", np.zeros((3, 3, 3, 3)), b"no picture"):
        with pytest.raises(ImageError) as error:
            read(bad, NET)
        assert "\n" not in str(error.value)
    picture = np.zeros((32, 64), np.uint8)
    with pytest.raises(NoNumbersError, match="reads no numbers: expected LeNet-5 of the ten"):
        read(picture, load("lenet5-classic"))
    with pytest.raises(GrammarError):
        read(picture, NET, grammar="(")
    with pytest.raises(ValueError, match="n_best from 1 on, got 0"):
        read(picture, NET, n_best=0)


def test_a_list_of_words_without_an_end_is_one_line(tmp_path, lenet1998):  # noqa: F811
    for words_, says in (("/dev/zero", "characters of words"), (tmp_path / "none", "no such file")):
        status, _, errors = lenet1998("read", tmp_path / "a.png", "--words", words_)
        assert status in (1, 2) and says in errors and "Traceback" not in errors


def test_the_command(strings, tmp_path, lenet1998):  # noqa: F811
    names = []
    for place in range(2):
        names.append(str(tmp_path / f"{place}.png"))
        Image.fromarray(255 - grey(strings.fields[place])).save(names[-1])
    blank = tmp_path / "blank.png"
    Image.new("L", (90, 40), 255).save(blank)
    weights = ("--weights", "lenet5-strings")
    shown = tmp_path / "shown"
    arguments = (*names, blank, tmp_path / "none.png", *weights, "--n-best", "2", "--show", shown)
    status, out, errors = lenet1998("read", *arguments, "--json")
    assert status == 1 and "none.png: no such file" in errors
    rows = json.loads(out)
    assert [row["text"] for row in rows] == [*map(text, strings.labels[:2]), None, None]
    assert [bool(row["error"]) for row in rows] == [False, False, False, True]
    assert {"image", "text", "penalty", "digits", "alternatives", "error"} <= {*rows[0]}
    assert {*rows[0]["digits"][0]} == {"digit", "x", "penalty"}
    assert rows[0]["alternatives"][0]["text"] != rows[0]["text"]
    assert {file.name for file in shown.iterdir()} == {"0-read.png", "1-read.png"}
    with Image.open(shown / "0-read.png") as drawn:
        assert drawn.width == 800
    status, out, _ = lenet1998("read", names[0], blank, *weights, "--length", "3")
    assert status == 0 and f"{names[0]}: {text(strings.labels[0])} (probability " in out
    assert f"{blank}: nothing to read" in out and "digits  " in out
    listed = tmp_path / "words.txt"
    listed.write_text("12\n" + text(strings.labels[0]) + "\n")
    status, out, _ = lenet1998("read", names[0], *weights, "--words", listed)
    assert status == 0 and text(strings.labels[0]) in out
    for wrong, words_ in (
        (("--pattern", "("), "did not expect"),
        (("--length", "2", "--pattern", "1"), "expected one"),
    ):  # fmt: skip
        status, _, errors = lenet1998("read", names[0], *wrong)
        assert status == 2 and words_ in " ".join(errors.split())
    status, _, errors = lenet1998("read", names[0], "--weights", "lenet5-classic")
    assert status == 1 and "reads no numbers" in errors


def test_predict_points_to_it(strings, tmp_path, lenet1998):  # noqa: F811
    image = Image.fromarray(255 - grey(strings.fields[0]))
    image.resize((4 * image.width, 4 * image.height)).save(tmp_path / "two.png")
    _, out, _ = lenet1998("predict", tmp_path / "two.png")
    assert "several marks" in out and "lenet1998 read reads numbers" in out
