"""The page that reads what is drawn on it: what Python writes, and what a browser makes of it."""

import base64
import json
import re
import shutil
import sys
from collections import Counter
from hashlib import sha256
from importlib import resources

import numpy as np
import pytest
import torch

from benchmarks.demo import GRID, answers, placed, strokes_of
from lenet1998 import catalogue, cli, codes, load
from lenet1998 import read as read_number
from lenet1998.commands import demo as command
from lenet1998.data import field, to_network_input
from lenet1998.data.normalisation import normalise_digit
from lenet1998.data.strings import StringsOf
from lenet1998.demo.networks import NETWORKS, NetworkError, describe
from lenet1998.demo.page import LINE_ASPECT, MODULES, page
from lenet1998.evidence import facts
from lenet1998.measures.counting import count_layers
from lenet1998.models import LeNet5Classic
from lenet1998.models.classic import TABLE_I
from lenet1998.reading import predict
from lenet1998.reading.decoder import compose
from lenet1998.reading.grammar import any_number
from lenet1998.reading.number import READERS, Outputs
from lenet1998.reading.pictures import read_line

DIGIT_NETWORKS = NETWORKS[:-1]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def digits(mnist):
    """MNIST's test digits, uint8, as the page's gallery takes them."""
    edge, paper = field.PADDING, field.BACKGROUND
    inner = mnist.test_images[:, 0, edge:-edge, edge:-edge]
    return ((inner - paper) / (field.INK - paper) * 255).round().byte()


@pytest.fixture(scope="module")
def whole():
    """The page of all networks, without a gallery."""
    return page()


def data_of(content):
    """What the page's script is given."""
    return json.loads(re.search(r'<script id="data"[^>]*>(.*?)</script>', content)[1])


# What Python writes


def test_the_page_is_as_small_as_promised(digits):
    assert len(page(["lenet5-classic"], digits).encode()) <= 450_000
    assert len(page(digits=digits).encode()) <= 1_600_000


def test_the_same_page_has_the_same_bytes(whole):
    assert page() == whole


def test_nothing_is_fetched(whole):
    assert not re.search(
        r"https?:|//\w+\.\w|@import|url\(|\bimport\b|\bfetch\(|XMLHttp|src=", whole
    )
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', whole)
    assert policy.startswith("default-src &#39;none&#39;;") or policy.startswith(
        "default-src 'none'"
    )
    for element in ("style", 'script type="module"'):
        content = re.search(rf"<{element}>(.*?)</{element.split()[0]}>", whole, re.DOTALL)[1]
        digest = base64.b64encode(sha256(content.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy.replace("&#39;", "'").replace("&#43;", "+")


def test_what_the_page_shows_is_the_packages(whole):
    data = data_of(whole)
    signs = torch.tensor(
        [[1.0 if cell == "#" else -1.0 for cell in code] for code in data["codes"]]
    )
    assert torch.equal(signs, codes.centres())
    assert data["sizes"]["background"] == field.BACKGROUND and data["sizes"]["ink"] == field.INK
    assert set(data["blank"]) == {"."} and data["line"]["reads"] == "numbers"
    for network in (*data["networks"], data["line"]):
        net, layers = load(network["name"]), {layer["name"]: layer for layer in network["layers"]}
        three = np.frombuffer(base64.b64decode(network["weights"]), np.uint8).reshape(-1, 3)
        counts = (np.pad(three, ((0, 0), (1, 0))).view("<i4")[:, 0] >> 8).tolist()
        for weight, step in zip(net.parameters(), network["steps"], strict=True):
            expected = weight.detach().double().flatten()
            shown = step * torch.tensor(counts[: len(expected)]).double()
            assert (shown - expected).abs().max() <= 0.501 * step <= 1e-7 * expected.abs().max()
            del counts[: len(expected)]
        assert counts == []
        for count in count_layers(net):
            text = layers[count.name]["text"]
            assert (
                f"{count.trainable or count.fixed:,} " in text and f"{count.connections:,} " in text
            )
        table = layers["c3"]["table"]
        assert table == ([list(row) for row in TABLE_I] if isinstance(net, LeNet5Classic) else None)
    assert [network["name"] for network in data["networks"]] == list(DIGIT_NETWORKS)
    assert data["line"]["name"] == NETWORKS[-1] == READERS[0]
    assert data["line"]["rubbish"] == load(READERS[0]).rubbish


def test_the_gallery_holds_the_digits_of_fig_8(digits):
    gallery = data_of(page(["lenet5-modern"], digits))["gallery"]
    assert len(gallery) == len(facts.misread_digits())
    for shown, fact in zip(gallery, facts.misread_digits(), strict=True):
        image = torch.zeros(field.IMAGE, field.IMAGE, dtype=torch.uint8)
        box = np.frombuffer(base64.b64decode(shown["pixels"]), np.uint8).reshape(20, 20)
        image[shown["top"] :, shown["left"] :][:20, :20] = torch.from_numpy(box.copy())
        assert torch.equal(image, digits[fact.index])
        assert (shown["label"], shown["answer"]) == (fact.label, fact.answer)


def test_a_name_cannot_forge_markup(tmp_path):
    folder = tmp_path / "<img src=x onerror=alert(1)></script><script>alert(1)<"
    folder.mkdir(parents=True)
    load("lenet5-modern").save_pretrained(folder / "script>")
    content = page([str(folder / "script>")])
    assert "<img" not in content and content.count("</script") == 2
    assert data_of(content)["networks"][0]["name"].endswith("script>")


def test_another_network_is_refused_in_one_line(tmp_path):
    with pytest.raises(NetworkError, match=r"^tutorial-max-pooling: .* LeNet5Modern, not a \w+$"):
        describe("tutorial-max-pooling")
    catalogue.find("lenet5-classic").build(characters="abc").save_pretrained(tmp_path)
    with pytest.raises(NetworkError, match="ten digits"):
        describe(str(tmp_path))
    with pytest.raises(NetworkError, match=r"^lenet5-strings: give a network of digits besides"):
        page(["lenet5-strings"])
    with pytest.raises(NetworkError, match=r"^lenet5-strings, lenet5-strings-global: .* one net"):
        page(["lenet5-classic", "lenet5-strings", "lenet5-strings-global"])


def test_modules_come_after_what_they_import_and_share_no_name():
    sources = {
        name: (resources.files("lenet1998.demo") / f"{name}.js").read_text("utf-8")
        for name in MODULES
    }
    exported, names = {}, Counter()
    for name, source in sources.items():
        for imported, module in re.findall(
            r'^import \{ (.*) \} from "\./(\w+)\.js";$', source, re.M
        ):
            assert set(imported.split(", ")) <= exported[module], name
        assert source.count("import ") == len(re.findall(r"^import .*;$", source, re.M))
        exported[name] = set(re.findall(r"^export (?:const|class|function) (\w+)", source, re.M))
        names.update(
            re.findall(r"^(?:export )?(?:async )?(?:const|let|class|function) (\w+)", source, re.M)
        )
    assert set(names.values()) == {1}
    files = {file.name for file in resources.files("lenet1998.demo").iterdir()}
    assert {file for file in files if file.endswith(".js")} == {f"{name}.js" for name in MODULES}


def test_the_command_writes_the_page_and_opens_it(tmp_path, monkeypatch, capsys):
    opened = []
    monkeypatch.setattr(command.webbrowser, "open", opened.append)
    monkeypatch.setattr(command, "mnist_digits", lambda: None)
    output = tmp_path / "new" / "page.html"
    for arguments in (["--no-open"], []):
        monkeypatch.setattr(
            sys,
            "argv",
            ["lenet1998", "demo", "lenet5-classic", *arguments, "--output", str(output)],
        )
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert not ended.value.code
    assert opened == [output.as_uri()]
    assert output.read_text() == page(["lenet5-classic"])
    said = capsys.readouterr().out
    assert str(output) in said and "MNIST is not on this machine" in said


# In a browser


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"needs one of {', '.join(BROWSERS)}")
    with playwright.sync_playwright() as started:
        launched = started.chromium.launch(executable_path=found)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory, whole, request):
    """The address of the page on the disk."""
    place = tmp_path_factory.mktemp("page") / "lenet1998.html"
    try:
        digits = request.getfixturevalue("digits")
    except pytest.skip.Exception:
        digits = None
    place.write_text(whole if digits is None else page(digits=digits))
    return place.as_uri()


@pytest.fixture
def opened(browser, file):
    """Opens the page, by default as it is on a desk; no error of its script is let pass."""
    contexts, errors = [], []

    def open_(link="", **options):
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        context.set_default_timeout(120_000)  # a busy machine fails no test
        contexts.append(context)
        tab = context.new_page()
        tab.on("pageerror", lambda error: errors.append(str(error)))
        tab.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
        tab.goto(file + link)
        return tab

    open_.errors = errors
    yield open_
    for context in contexts:
        context.close()
    assert errors == []


def draw(tab, strokes, left=0.0, top=0.0, size=1.0, every=1, on="#paper"):
    """Draw strokes, on a grid 4095 wide, with the mouse in a part of a paper, by its width."""
    tab.locator(on).scroll_into_view_if_needed()
    box = tab.locator(on).bounding_box()
    for stroke in strokes:
        points = [*stroke[:-1:every], stroke[-1]]
        for number, (x, y) in enumerate(points):
            tab.mouse.move(
                box["x"] + box["width"] * (left + size * x / 4095),
                box["y"] + box["width"] * (top + size * y / 4095),
            )
            if number == 0:
                tab.mouse.down()
        tab.mouse.up()


def example(tab, digit):
    return tab.evaluate("digit => lenet1998.example(digit)", digit)


def number(tab, text):
    return tab.evaluate(
        "([text, high]) => lenet1998.exampleOf(text, high)", [text, GRID // LINE_ASPECT]
    )


def said(tab):
    return tab.text_content("#said")


def test_ten_digits_are_read_wherever_and_however_large_they_are_drawn(opened):
    tab = opened()
    places = [(0, 0, 1), (0.05, 0.6, 0.3), (0.6, 0.1, 0.35), (0.3, 0.3, 0.5), (0.55, 0.6, 0.4)]
    for digit in range(10):
        draw(tab, example(tab, digit), *places[digit % 5], every=8)
        assert said(tab).startswith(f"Reads {digit}, at a penalty of"), digit
        assert tab.text_content("#numeral") == str(digit)
        assert tab.text_content("#classes .wins th") == str(digit)
        assert tab.locator("#networks .answer").all_text_contents() == [str(digit)] * 4
        tab.click("#clear")


def test_the_place_and_size_of_a_drawing_do_not_matter(opened, digits):
    generator = np.random.default_rng(0)
    drawn = [strokes_of(image) for image in digits[:100].numpy()]
    moved = [placed(strokes, generator) for strokes in drawn]
    read = answers(opened(), [{"strokes": strokes} for strokes in (*drawn, *moved)])
    assert (read[:100] != read[100:]).mean() <= 0.01


def test_nothing_drawn_is_said_and_a_scribble_is_rubbish(opened):
    tab = opened()
    assert tab.text_content("#verdict") == "Nothing drawn."
    generator = np.random.default_rng(0)
    draw(tab, [generator.integers(200, 3900, (25, 2)).tolist()])
    assert said(tab).startswith("Not a digit: the rubbish class wins, at 8.0.")
    assert tab.text_content("#numeral") == "?"
    assert tab.text_content("#classes .wins th") == "none"
    answers = tab.locator("#networks .answer").all_text_contents()
    assert answers[0] == "none" and answers[3].isdigit()
    tab.click("#clear")
    assert said(tab) == "Nothing drawn." and tab.is_disabled("#undo")


PACKED = """const packed = (numbers) => {
  const bytes = new Uint8Array(Float32Array.from(numbers).buffer);
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
};"""
"""Many numbers on their way to Python: as JSON they take longer than what is tested."""

READ_ALL = (
    """([blob, which]) => {
  const bytes = Uint8Array.from(atob(blob), (letter) => letter.charCodeAt(0));
  const { networks, inputOf, read } = lenet1998;
  const [outputs, answers, start] = [[], [], performance.now()];
  for (let at = 0; at < bytes.length; at += 784) {
    const pixels = bytes.subarray(at, at + 784);
    const reading = read(networks[which], inputOf({ strokes: [], pixels }));
    outputs.push(...reading.outputs);
    answers.push(reading.best);
  }
  const milliseconds = performance.now() - start;"""
    + PACKED
    + "return { outputs: packed(outputs), answers: packed(answers), milliseconds }; }"
)


def unpacked(text):
    return torch.from_numpy(np.frombuffer(base64.b64decode(text), "<f4").copy())


@pytest.mark.parametrize(
    ("name", "count"), [("lenet5-classic", 10_000), *((name, 1_000) for name in DIGIT_NETWORKS[1:])]
)
def test_the_test_digits_get_pythons_answers(opened, digits, capsys, name, count):
    tab, net = opened(), load(name)
    blob = base64.b64encode(digits[:count].numpy().tobytes()).decode()
    got = tab.evaluate(READ_ALL, [blob, NETWORKS.index(name)])
    with torch.no_grad():
        images = to_network_input(digits[:count]).split(500)
        expected = torch.cat([net(part) for part in images])
        scores = torch.cat([net.scores(part) for part in images])
    assert torch.equal(unpacked(got["answers"]).long(), scores.argmax(1))
    outputs = unpacked(got["outputs"]).view(-1, 10)
    # A logit may be near 0: there the sum's terms are what the error is to be held against.
    allowed = 0 if isinstance(net, LeNet5Classic) else 1e-4 * expected.abs().max().item()
    torch.testing.assert_close(outputs, expected, rtol=1e-4, atol=allowed)
    with capsys.disabled():
        print(f"\n{name}: {got['milliseconds'] / count:.2f} ms for a digit in the browser")


@pytest.mark.parametrize("which", [0, 3])
def test_the_numbers_under_a_unit_make_its_state(opened, which):
    """Of every layer, and the inspector's sums are those of the forward pass."""
    wrong = opened().evaluate(
        """(which) => {
          const { networks, inputOf, example, read, inputsOf } = lenet1998;
          const network = networks[which];
          const { states } = read(network, inputOf({ strokes: example(8), pixels: null }));
          return network.layers.slice(0, 6).flatMap((layer, below) =>
            [...states[below + 1].keys()].filter((unit) => {
              const [line, column] = [Math.floor(unit / layer.side), unit % layer.side];
              const [map, row] = [Math.floor(line / layer.side), line % layer.side];
              const { blocks, bias } = inputsOf(layer, states[below], map, row, column);
              let sum = bias ?? -Infinity;
              for (const { values, factors } of blocks)
                values.forEach((value, at) =>
                  (sum = bias === undefined ? Math.max(sum, value) : sum + value * factors[at]));
              if (layer.squash) sum = layer.squash.amplitude * Math.tanh(layer.squash.slope * sum);
              if (layer.rectified) sum = Math.max(0, sum);
              return Math.abs(sum - states[below + 1][unit]) > 1e-9;
            }).map((unit) => `${layer.name} ${unit}`));
        }""",
        which,
    )
    assert wrong == []


def test_strokes_are_normalised_as_data_does(opened):
    """Drawn at random places and sizes: the page's 28x28 is that of `normalise_digit`."""
    tab, generator = opened(), np.random.default_rng(1)
    near = []
    for digit in [*range(10)] * 3:
        size, (left, top) = generator.uniform(0.1, 0.9), generator.uniform(0, 0.1, 2)
        angle = generator.uniform(-0.4, 0.4)
        turn = size * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        strokes = [
            (np.array(stroke) @ turn + (4095 * left, 1600 * top + 1600 * size))
            .round()
            .astype(int)
            .tolist()
            for stroke in example(tab, digit)
        ]
        height, width, ink, pixels = tab.evaluate(
            """(strokes) => {
              const { rasterise, normalise, sizes, pen } = lenet1998;
              const picture = rasterise(strokes, pen);"""
            + PACKED
            + """
              const { height, width, ink } = picture;
              return [height, width, packed(ink), packed(normalise(picture, sizes))];
            }""",
            strokes,
        )
        expected = normalise_digit(unpacked(ink).view(height, width)).flatten()
        near.append((expected - unpacked(pixels)).abs() <= 2)
    assert torch.cat(near).double().mean() >= 0.99


def test_a_stroke_is_taken_back(opened):
    tab = opened()
    first, second = example(tab, 4)
    draw(tab, [first], every=5)
    before = said(tab)
    draw(tab, [second], every=5)
    assert said(tab).startswith("Reads 4") and said(tab) != before
    tab.click("#undo")
    assert said(tab) == before
    tab.click("#undo")
    assert said(tab) == "Nothing drawn."


def test_another_network_is_shown(opened):
    tab = opened()
    tab.click("#examples button >> nth=2")
    tab.check("#networks input >> nth=3")
    assert re.match(r"Reads 2, with \d+\.\d %\. Runner-up: .* no rubbish class", said(tab))
    assert "Maximum pooling" in tab.text_content("#s2 .operation")
    assert tab.text_content("#code figcaption") == "code"
    assert not tab.is_visible("#classes .rubbish")
    tab.check("#networks input >> nth=0")
    assert "at a penalty of" in said(tab) and tab.text_content("#code figcaption") == "code of 2"


@pytest.mark.parametrize("width", [360, 800, 1600])
def test_the_page_fits(opened, width):
    tab = opened(viewport={"width": width, "height": 740})
    draw(tab, example(tab, 5), every=5)
    for other in (width, 2000 - width, width):  # the drawing stays, whatever the window becomes
        tab.set_viewport_size({"width": other, "height": 740})
        assert tab.evaluate("document.documentElement.scrollWidth") == other
        paper = tab.locator("#paper").bounding_box()
        assert paper["width"] == pytest.approx(paper["height"], abs=1) and paper["width"] >= 300
    assert tab.text_content("#verdict").startswith("Reads 5")
    for name in ("input", "c1", "s2", "c3", "s4", "c5", "f6"):
        box = tab.locator(f"#{name} canvas").first.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= width


def test_a_finger_draws_and_does_not_scroll(opened):
    tab = opened(viewport={"width": 360, "height": 500}, has_touch=True, is_mobile=True)
    box = tab.locator("#paper").bounding_box()
    finger = tab.context.new_cdp_session(tab)

    def touch(kind, *points):
        places = [
            {"x": box["x"] + x, "y": box["y"] + y, "id": i} for i, (x, y) in enumerate(points)
        ]
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})

    touch("touchStart", (170, 250))
    for y in range(240, 40, -10):
        touch("touchMove", (170, y))
    touch("touchEnd")
    assert tab.evaluate("scrollY") == 0
    assert said(tab).startswith("Reads 1")


def test_light_and_dark(opened):
    light, dark = opened(color_scheme="light"), opened(color_scheme="dark")

    def colour(tab):
        return tab.evaluate("getComputedStyle(document.body).backgroundColor")

    assert colour(light) != colour(dark)

    def ink(tab):
        tab.click("#examples button >> nth=0")
        script = (
            "[...document.querySelector('#paper').getContext('2d').getImageData(9, 9, 1, 1).data]"
        )
        return tab.evaluate(script)

    was = ink(light)
    assert was[0] > 200 > 100 > ink(dark)[0]
    light.click("#theme")
    assert colour(light) == colour(dark) and ink(light) == ink(dark)
    light.click("#theme")
    assert ink(light) == was


def test_all_by_keys(opened):
    tab = opened()

    def tab_to(selector):
        for _ in range(40):
            tab.keyboard.press("Tab")
            if tab.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
        raise AssertionError(f"no Tab leads to {selector}")

    def press(key, times):
        for _ in range(times):
            tab.keyboard.press(key)

    tab_to("#paper")
    press("ArrowLeft", 8)
    press(" ", 1)
    assert said(tab) == "Pen down."
    press("ArrowRight", 14)
    press("ArrowDown", 22)
    press(" ", 1)
    assert said(tab).startswith("Reads 7")
    press("Backspace", 1)
    assert said(tab) == "Nothing drawn."
    press(" ", 1)
    press("ArrowUp", 10)
    press(" ", 1)
    assert said(tab) != "Nothing drawn."
    press("Delete", 1)
    assert said(tab) == "Nothing drawn."
    tab_to("#examples button")
    press("Enter", 1)
    assert said(tab).startswith("Reads 0")
    tab_to("#networks input")
    press("ArrowDown", 1)
    assert tab.is_checked("#networks input >> nth=1")
    tab_to("#c3 canvas")
    assert tab.text_content("#story").startswith("C3, map 0, row 0, column 0: ")
    press("PageDown", 6)
    press("ArrowDown", 2)
    press("ArrowRight", 3)
    assert said(tab).startswith("C3, map 6, row 2, column 3: ")
    heads = tab.locator("#blocks figcaption").all_text_contents()
    assert heads == [f"S2, map {source}" for source in TABLE_I[6]]
    assert tab.locator("#blocks td").count() == 2 * 25 * len(TABLE_I[6])


def test_pointing_at_a_unit_frames_what_it_sees(opened):
    tab = opened()
    tab.click("#examples button >> nth=3")
    script = """() => ["input", "s2", "s4"].map((name) =>
      document.querySelector(`#${name} canvas`).toDataURL().length)"""
    before = tab.evaluate(script)
    tab.hover("#c3 canvas", position={"x": 75, "y": 20})
    assert tab.text_content("#story").startswith("C3, map 1, row ")
    after = tab.evaluate(script)
    assert [a != b for a, b in zip(before, after, strict=True)] == [True, True, False]
    tab.hover("#s2 canvas", position={"x": 20, "y": 20})
    assert tab.locator("#blocks td").count() == 8
    tab.mouse.move(5, 5)
    assert (
        tab.text_content("#story").startswith("Point at a unit") and tab.evaluate(script) == before
    )


def test_a_link_restores_the_drawing(opened):
    tab = opened()
    draw(tab, example(tab, 6), 0.2, 0.3, 0.5, every=3)
    tab.wait_for_url(re.compile("html#."))
    link = tab.evaluate("location.hash")
    again = opened(link)
    assert re.fullmatch(r"#[\w.-]+", link)
    assert said(again) == said(tab) and said(tab).startswith("Reads 6")
    assert again.evaluate("lenet1998.paper.strokes") == tab.evaluate("lenet1998.paper.strokes")
    again.click("#clear")
    again.wait_for_url(re.compile("html$"))


HOSTILE = (
    *(
        "#<img src=x onerror=alert(1)>",
        "#%3Cscript%3Ealert(1)%3C/script%3E",
        "#javascript:alert(1)",
    ),
    *("#AAAAA", "#AAAA..AAAA", "#AAAA.", "#.", "#AAAA\u0661\u0661\u0661\u0661", "#__proto__"),
    *("#" + "AAAA" * 3001, "#" + "AAAA." * 40_000, "#" + "-" * 500_003),
    *("#~", "#AAAA~", "#~AAAA~AAAA", "#AAAA~<img>", "#AAAA~AA__", "#~" + "AAAA" * 3001),
)


def test_a_hostile_link_does_nothing(opened):
    tab, asked = opened(), []
    shown = tab.evaluate("document.body.innerHTML")
    tab.on("dialog", lambda dialog: asked.append(dialog.dismiss()))
    tab.on("request", lambda request: asked.append(request.url))
    for link in HOSTILE:
        tab.evaluate("link => { location.hash = link }", link)
        tab.wait_for_timeout(30)
        for verdict in ("#verdict", "#line-verdict"):
            assert tab.text_content(verdict) == "Nothing drawn." and asked == [], link[:40]
        assert tab.evaluate("document.body.innerHTML") == shown, link[:40]


def test_nothing_is_asked_of_a_network(opened, file):
    tab, asked = opened(), []
    tab.on("request", lambda request: asked.append(request.url))
    tab.reload()
    tab.click("#examples button >> nth=3")
    assert asked == [file]
    assert tab.evaluate("fetch('data:,x').then(() => false, () => true)")
    assert all("Content Security Policy" in error for error in opened.errors)
    opened.errors.clear()


def test_the_png_is_read_by_predict(opened, tmp_path):
    tab = opened()
    tab.click("#examples button >> nth=3")
    with tab.expect_download() as waited:
        tab.click("#save")
    waited.value.save_as(tmp_path / "digit.png")
    assert predict(tmp_path / "digit.png").digit == 3


def test_the_gallery_shows_what_1998_misread(opened, digits):
    tab = opened()
    tab.click("#gallery summary")
    tab.locator("#gallery button").first.wait_for()
    assert tab.locator("#gallery button").count() == len(facts.misread_digits())
    first = facts.misread_digits()[0]
    tab.click("#gallery button >> nth=0")
    with torch.no_grad():
        penalties = load("lenet5-classic")(to_network_input(digits[first.index][None]))[0]
    assert f"{penalties.min():.1f}" in said(tab)
    ours = dict.fromkeys(("lenet5-classic", "lenet5-modern"))
    images = to_network_input(digits[[fact.index for fact in facts.misread_digits()]])
    labels = [fact.label for fact in facts.misread_digits()]
    for name in ours:
        net = load(name)
        read = [predict(image, net).digit for image in images]
        tab.check(f"#networks input >> nth={NETWORKS.index(name)}")
        shown = tab.locator("#gallery span").all_text_contents()
        assert shown == ["none" if one is None else str(one) for one in read]
        wrong = sum(one != label for one, label in zip(read, labels, strict=True))
        assert f"{name}, which reads {wrong} of the 82" in tab.text_content("#gallery p")
        assert tab.locator("#gallery .wrong").count() == wrong


# A number


FIELDS = (
    """([blob, rubbish]) => {
  const bytes = Uint8Array.from(atob(blob), (letter) => letter.charCodeAt(0));
  const { line, readNumber, sizes } = lenet1998;
  const { penalties, digits, penalty, states } = readNumber(
    { ...line.network, rubbish }, Float64Array.from(new Float32Array(bytes.buffer)), sizes);"""
    + PACKED
    + "return { penalties: packed(penalties), digits, penalty, f6: states.at(-2).length / 84 }; }"
)


@pytest.mark.parametrize(
    ("count", "gaps", "j"),
    [
        *((1, (0, 0), 100), (2, (-3, -3), 100), (5, (0, 0), 100), (12, (-1, 4), 100)),
        (5, (2, 6), 30),  # so that the rubbish class takes what is no sure digit
    ],
)
def test_fields_of_digits_get_pythons_numbers(opened, mnist, count, gaps, j):
    tab, net = opened(), load(READERS[0])
    assert net.j == 100
    net.j = j
    drawn = StringsOf(count, gaps).draw(12, 7, mnist.test_images, mnist.test_labels)
    for string in drawn.fields:
        field, _ = read_line(string)
        blob = base64.b64encode(field.numpy().tobytes()).decode()
        got = tab.evaluate(FIELDS, [blob, net.rubbish])
        expected = Outputs.of([net], field)
        (path,) = compose(any_number(), codes.DIGITS).best(expected.logs[0])
        penalties = unpacked(got["penalties"]).view(expected.penalties.shape)
        torch.testing.assert_close(penalties, expected.penalties, rtol=1e-4, atol=0)
        assert "".join(str(one["digit"]) for one in got["digits"]) == path.text
        assert got["f6"] == expected.penalties.shape[-1]
        assert got["penalty"] == pytest.approx(-path.score, rel=0.02, abs=2e-3)
        for ours, one, (first, end) in zip(got["digits"], path.text, path.spans, strict=True):
            assert ours["column"] == first + end - 1 + (field.shape[2] - 1) / 2
            penalty = expected.penalties[int(one), first:end].min().item()
            assert ours["penalty"] == pytest.approx(penalty, rel=1e-4)


def test_a_field_that_is_blank_all_along_spells_nothing(opened):
    tab = opened()
    blank = np.full((32, 64), field.BACKGROUND, np.float32)
    got = tab.evaluate(FIELDS, [base64.b64encode(blank.tobytes()).decode(), -100])
    assert got["digits"] == []


@pytest.mark.parametrize("text", ["7", "11", "1998", "31415", "60000", "8877665544"])
def test_a_drawn_number_is_the_field_that_read_line_makes(opened, text):
    """Of its ink, reduced to a picture as high as a field; what is larger it looks at otherwise."""
    tab, generator = opened(), np.random.default_rng(int(text))
    size, (left, top) = generator.uniform(0.3, 0.9), generator.uniform(0, 0.1, 2)
    strokes = [
        (size * np.array(stroke) + (4095 * left, 1365 * top)).round().astype(int).tolist()
        for stroke in number(tab, text)
    ]
    height, width, ink, levels, digits = tab.evaluate(
        """(strokes) => {
          const { rasteriseLine, fieldOfNumber, readNumber, line, sizes, pen } = lenet1998;
          const picture = rasteriseLine(strokes, pen, sizes);
          const levels = fieldOfNumber(strokes, pen, sizes);
          const { digits } = readNumber(line.network, levels, sizes);"""
        + PACKED
        + """
          const { height, width, ink } = picture;
          return [height, width, packed(ink), packed(levels),
            digits.map(({ digit, column }) => [digit, column])];
        }""",
        strokes,
    )
    ink = unpacked(ink).view(height, width)
    fine = height // field.FIELD
    small = ink.view(field.FIELD, fine, width // fine, fine).mean((1, 3))
    expected, _ = read_line((small / small.max() * 255).round().byte().numpy())
    assert levels_within(unpacked(levels), expected, 2) >= 0.99
    # The ink is as high as MNIST's digits, and its middle is that of the field.
    rows = ink.any(1).nonzero()[:, 0] / fine
    assert rows[-1] - rows[0] == pytest.approx(field.BOX, abs=1.5)
    assert (rows[-1] + rows[0]) / 2 == pytest.approx(field.FIELD / 2, abs=0.3)
    assert "".join(str(digit) for digit, _ in digits) == text
    columns = [column for _, column in digits]
    assert columns == sorted(columns) and columns[-1] < expected.shape[-1] - 14
    # As large as it was drawn, Python reads the same.
    assert read_number(np.pad((255 * ink).byte().numpy(), 60)).text == text


def levels_within(levels, field_, grey):
    """Of the pixels of two fields, how many are within so many of 255 grey levels."""
    apart = (levels.view(field_.shape) - field_).abs() * 255 / (field.INK - field.BACKGROUND)
    return (apart <= grey).double().mean().item()


def test_a_number_is_read_wherever_and_however_large_it_is_drawn(opened):
    tab = opened()
    assert tab.text_content("#line-verdict") == "Nothing drawn."
    assert tab.is_disabled("#line-undo") and tab.is_disabled("#line-copy")
    for text, place in (
        ("1998", (0, 0, 1)),
        ("60000", (0.4, 0.1, 0.55)),
        ("27", (-0.3, 0.02, 0.9)),
    ):
        draw(tab, number(tab, text), *place, every=8, on="#line-paper")
        assert said(tab).startswith(f"Reads {text}; the best path has a penalty of ")
        assert tab.text_content("#line-text") == text
        assert tab.text_content("#line-verdict") == said(tab)
        items = tab.locator("#places li").all_text_contents()
        assert [item[0] for item in items] == list(text)
        columns = [float(re.search(r"column ([\d.]+)", item)[1]) for item in items]
        assert columns == sorted(columns)
        tab.click("#line-clear")
        assert said(tab) == "Nothing drawn." and tab.locator("#places li").count() == 0
    assert tab.text_content("#verdict") == "Nothing drawn."  # the other paper is another drawing


def test_specks_and_what_is_off_the_line_are_no_part_of_a_number(opened):
    tab = opened()
    strokes = number(tab, "340")
    small = [[[x // 2 + 1000, y // 2 + 600] for x, y in stroke] for stroke in strokes]
    draw(tab, small, every=8, on="#line-paper")
    before = said(tab)
    assert before.startswith("Reads 340;")
    draw(tab, [[(3000, 900)], [(2000, 40), (2100, 60)]], on="#line-paper")
    assert said(tab) == before
    tab.click("#line-clear")
    draw(tab, [[(2000, 700)]], on="#line-paper")  # a dot alone is all there is
    assert said(tab) != "Nothing drawn."


def test_a_digit_may_be_drawn_in_parts_that_hardly_touch(opened):
    """A 9 as a ring and a stick at its edge: it is as high as the stick, not as most of its ink."""
    tab = opened()
    turn = np.linspace(0, 2 * np.pi, 30)
    for at in range(3):
        ring = np.array([(700 + 700 * at, 450)]) + 150 * np.stack([np.cos(turn), np.sin(turn)], 1)
        stick = [(860 + 700 * at, 320), (850 + 700 * at, 900)]
        draw(tab, [ring.tolist(), stick], on="#line-paper")
    assert said(tab).startswith("Reads 999;")
    rows = tab.evaluate(
        """() => {
          const levels = lenet1998.line.reading.states[0], wide = levels.length / 32;
          return [...Array(32).keys()].filter((row) =>
            levels.slice(row * wide, (row + 1) * wide).some((level) => level > 0.5)).length;
        }"""
    )
    assert rows == pytest.approx(field.BOX, abs=2)


def test_any_strokes_have_an_answer(opened):
    tab, generator = opened(), np.random.default_rng(0)
    for count in (*range(1, 40), 3000):
        spread = generator.uniform(0.01, 1, 2) ** 2 * (GRID, GRID // LINE_ASPECT)
        points = generator.uniform(0, spread, (count, 2)).astype(int).tolist()
        sizes = generator.integers(1, 5, count)
        ends = sizes.cumsum()
        strokes = [points[end - size : end] for size, end in zip(sizes, ends, strict=True)]
        strokes = [stroke for stroke in strokes if stroke]
        tab.evaluate("strokes => lenet1998.line.paper.show(strokes)", strokes)
        assert re.match(r"(Reads \d+;|No digit: )", said(tab))
    tab.click("#line-clear")
    draw(tab, [[(20, 20)], [(4000, 1300)]], on="#line-paper")  # neither is in the row of the other
    assert said(tab) == "No digit: nothing stands in a row."


def test_digits_as_low_as_dashes_are_not_enlarged(opened):
    """A row of dashes has no height: the field must not grow with what it would be enlarged to."""
    tab = opened()
    draw(tab, [[(400 * at, 700), (400 * at + 200, 700)] for at in range(10)], on="#line-paper")
    assert tab.evaluate("lenet1998.line.reading.states[0].length / 32") < 600


def test_a_number_by_keys_and_taken_back(opened):
    tab = opened()

    def press(key, times=1):
        for _ in range(times):
            tab.keyboard.press(key)

    tab.focus("#to-line")
    press("Enter")
    assert tab.evaluate("document.activeElement.id") == "line-paper"
    for _ in range(2):
        press(" ")
        press("ArrowDown", 22)
        press(" ")
        press("ArrowUp", 22)
        press("ArrowRight", 16)
    assert said(tab).startswith("Reads 11;")
    press("Backspace")
    assert said(tab).startswith("Reads 1;")
    press("Delete")
    assert said(tab) == "Nothing drawn."
    press("ArrowDown", 40)  # the paper is three times as wide as high: the pen stays on it
    press(" ")
    press("ArrowUp", 2)
    press(" ")
    assert tab.evaluate("lenet1998.line.paper.strokes[0][0][1]") == GRID // LINE_ASPECT


def test_a_link_restores_both_drawings(opened):
    tab = opened()
    tab.click("#line-examples button >> nth=0")
    tab.wait_for_url(re.compile("html#~."))
    only_the_number = opened(tab.evaluate("location.hash"))
    assert only_the_number.text_content("#line-text") == "1998"
    assert only_the_number.text_content("#verdict") == "Nothing drawn."
    tab.click("#examples button >> nth=6")
    tab.wait_for_url(re.compile("html#[^~]+~"))
    again = opened(tab.evaluate("location.hash"))
    assert said(again) == said(tab) and said(tab).startswith("Reads 6, ")
    assert again.text_content("#line-text") == "1998"
    for which in ("paper", "line.paper"):
        strokes = f"lenet1998.{which}.strokes"
        assert again.evaluate(strokes) == tab.evaluate(strokes)
    again.click("#clear")
    again.click("#line-clear")
    again.wait_for_url(re.compile("html$"))


def test_the_png_of_a_number_is_read_by_python(opened, tmp_path):
    tab = opened()
    tab.click("#line-examples button >> nth=1")
    with tab.expect_download() as waited:
        tab.click("#line-save")
    waited.value.save_as(tmp_path / "number.png")
    assert read_number(tmp_path / "number.png").text == "60000"


@pytest.mark.parametrize("width", [360, 800, 1600])
def test_the_wide_paper_fits_and_nothing_jumps(opened, width):
    tab = opened(viewport={"width": width, "height": 740})

    def tops():
        script = "name => document.querySelector(name).getBoundingClientRect().top + scrollY"
        return [tab.evaluate(script, name) for name in ("#line-verdict", "#strip", "#places")]

    before = tops()
    for at in range(3):
        tab.click(f"#line-examples button >> nth={at}")
        assert tab.evaluate("document.documentElement.scrollWidth") == width
        assert tops() == before
    paper, strip = (tab.locator(name).bounding_box() for name in ("#line-paper", "#strip"))
    assert paper["width"] == pytest.approx(3 * paper["height"], abs=3) and paper["width"] >= 300
    assert strip["x"] >= 0 and strip["x"] + strip["width"] <= width
    # All of a number that goes from edge to edge is in the picture.
    draw(tab, [[(180 * at, 600), (180 * at, 900)] for at in range(22)], on="#line-paper")
    assert (
        tab.evaluate("document.documentElement.scrollWidth") == width and tops()[:2] == before[:2]
    )


def test_a_finger_on_the_wide_paper_does_not_scroll(opened):
    tab = opened(viewport={"width": 360, "height": 500}, has_touch=True, is_mobile=True)
    tab.locator("#line-paper").scroll_into_view_if_needed()
    box, before = tab.locator("#line-paper").bounding_box(), tab.evaluate("scrollY")
    finger = tab.context.new_cdp_session(tab)

    def touch(kind, *points):
        places = [{"x": box["x"] + x, "y": box["y"] + y, "id": 0} for x, y in points]
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})

    for x in (100, 140):
        touch("touchStart", (x, 90))
        for y in range(85, 15, -5):
            touch("touchMove", (x, y))
        touch("touchEnd")
    assert tab.evaluate("scrollY") == before
    assert said(tab).startswith("Reads 11;")


def test_the_picture_of_a_number_shows_its_path(opened):
    """In the row of each digit's class, at its outputs: the accent; and as shaded as it is good."""
    tab = opened(color_scheme="light")
    blank = tab.evaluate("document.querySelector('#strip').toDataURL()")
    tab.click("#line-examples button >> nth=2")
    assert tab.evaluate("document.querySelector('#strip').toDataURL()") != blank
    red = tab.evaluate(
        """() => {
          const strip = document.querySelector("#strip");
          const { width, height } = strip;
          const { data } = strip.getContext("2d").getImageData(0, 0, width, height);
          const found = [];
          for (let at = 0; at < data.length / 4; at++)
            if (data[4 * at] > 150 && data[4 * at + 1] < 70) found.push(
              [at % width, Math.floor(at / width)]);
          return found;
        }"""
    )
    red, digits = np.array(red), [3, 4, 0, 9, 0, 8]
    path = red[red[:, 1] < red[:, 1].max() - 25]
    middles = tab.evaluate("lenet1998.line.reading.digits.map(({ column }) => column)")
    scale = 4  # pixels of a column, on a page so wide
    for digit, middle in zip(digits, middles, strict=True):
        near = path[abs(path[:, 0] - 26 - scale * (middle + 0.5)) < 8]
        assert len(near), digit
        row = (
            np.median(near[:, 1]) - np.median(path[path[:, 1] < path[:, 1].min() + 3][:, 1])
        ) / 10
        assert row == pytest.approx(digit, abs=0.3)


def test_without_a_network_of_numbers_there_is_no_wide_paper(browser, tmp_path):
    place = tmp_path / "page.html"
    place.write_text(page(["lenet5-classic"]))
    tab = browser.new_page()
    errors = []
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.goto(place.as_uri() + "#AAAA~AAAA")
    tab.click("#examples button >> nth=3")
    assert said(tab).startswith("Reads 3")
    assert tab.locator("#line, #to-line").count() == 0 and errors == []
    tab.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation(opened, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    for width in (360, 1600):
        tab = opened(color_scheme=scheme, viewport={"width": width, "height": 900})
        assert axe.run(tab).response["violations"] == []
        tab.click("#examples button >> nth=3")
        tab.click("#line-examples button >> nth=1")
        tab.focus("#c3 canvas")
        tab.keyboard.press("ArrowDown")
        assert axe.run(tab).response["violations"] == []


def test_timings_are_printed(opened, capsys):
    tab = opened()
    tab.evaluate(
        """() => {
          globalThis.frames = [];
          // After the page's own listener, so in the same frame after the page's work.
          addEventListener("pointermove", () => requestAnimationFrame((start) =>
            frames.push(performance.now() - start)));
        }"""
    )
    draw(tab, example(tab, 8), every=4)
    times = tab.evaluate(
        """() => {
          const { networks, inputOf, read, example, line, exampleOf } = lenet1998;
          line.paper.show(exampleOf("60000", 1365));
          const median = (times) => times.sort((a, b) => a - b)[times.length >> 1];
          const timed = (work) => median(Array.from({ length: 100 }, () => {
            const start = performance.now();
            work();
            return performance.now() - start;
          }));
          const drawing = { strokes: example(8), pixels: null };
          const input = inputOf(drawing);
          return {
            "input from strokes": timed(() => inputOf(drawing)),
            "forward pass": timed(() => read(networks[0], input)),
            "five digits read at once": timed(() => line.read()),
            "all that a frame of drawing does": median(frames),
            "first paint": performance.getEntriesByName("first-contentful-paint")[0].startTime,
          };
        }"""
    )
    with capsys.disabled():
        print("\n" + "; ".join(f"{what}: {time:.1f} ms" for what, time in times.items()))
