"""Networks saved and read back: one form, one loader."""

import random
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from networks import randomised
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from lenet1998 import codes, load
from lenet1998.catalogue import COMPARED, NETWORKS
from lenet1998.data import Dataset, load_dataset
from lenet1998.learning import Recipe, train
from lenet1998.learning.presets import from_values, recipe_for
from lenet1998.measures.answers import evaluate
from lenet1998.models import LeNet5Classic, LeNet5Modern, read_origin
from lenet1998.models.chain import ChainNetwork
from lenet1998.models.saved import WEIGHTS, WeightsError
from lenet1998.models.variants import LeNet5Variant, Rectified
from lenet1998.runs.run import PassRecord, Run

PACKAGED = [name for name, entry in NETWORKS.items() if entry.weights]


@pytest.fixture
def images() -> Tensor:
    return torch.rand(3, 1, 32, 32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    LeNet5Classic().save_pretrained(tmp_path / "net")
    return tmp_path / "net"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training run."""
    folder = tmp_path_factory.mktemp("run")
    train(Recipe(seed=3), load_dataset("digits").first(100, 50), passes=2, folder=folder)
    return folder


# Back as it was


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_comes_back_as_itself_bit_for_bit(
    name: str, tmp_path: Path, images: Tensor
) -> None:
    net = NETWORKS[name].build().eval()
    if isinstance(net, ChainNetwork):
        net = randomised(NETWORKS[name].build(penalty_scale=0.3, j=2.5))
    net.save_pretrained(tmp_path / "new" / "folder")
    assert [file.name for file in (tmp_path / "new" / "folder").iterdir()] == [WEIGHTS]
    for back in (
        load(tmp_path / "new" / "folder"),
        load(str(tmp_path / "new" / "folder" / WEIGHTS)),
        type(net).from_pretrained(str(tmp_path / "new" / "folder")),
    ):
        assert type(back) is type(net) and not back.training
        assert torch.equal(back(images), net(images))
        assert torch.equal(back.scores(images), net.scores(images))
        assert back.rubbish == net.rubbish
        names = [name for name, _ in net.named_parameters()]
        assert [name for name, p in back.named_parameters() if p.requires_grad] == names


@pytest.mark.parametrize("name", ["relu", "plain-tanh"])
def test_the_run_of_a_variant_is_never_read_as_the_published_network(
    name: str, tmp_path: Path, images: Tensor
) -> None:
    """It has the parameters of LeNet-5, which would compute something else from them."""
    recipe = Recipe(network=name)
    net = recipe.build()
    Run(net, recipe, "digits", "fused", [PassRecord(1, 5e-4, 50.0, 1.0, 40.0)]).save(tmp_path)
    for back in (Run.load(tmp_path).net, load(tmp_path), LeNet5Classic.from_pretrained(tmp_path)):
        assert type(back) is type(net) is NETWORKS[name].kind
        assert torch.equal(back(images), net(images))
    as_published = LeNet5Classic()
    as_published.load_state_dict(net.state_dict())
    assert not torch.allclose(as_published(images), net(images))


def test_dtype_and_memory_format_survive(tmp_path: Path, images: Tensor) -> None:
    net = LeNet5Modern().double().to(memory_format=torch.channels_last)
    net.save_pretrained(tmp_path)
    back = LeNet5Modern.from_pretrained(tmp_path)
    assert back.c3.weight.dtype == torch.float64
    torch.testing.assert_close(back(images.double()), net(images.double()), atol=0, rtol=1e-12)


@pytest.mark.parametrize("name", ["lenet5-classic", "random-codes", "one-of-ten-codes"])
def test_classes_other_than_the_digits_survive(name: str, tmp_path: Path, images: Tensor) -> None:
    """More than ten of them, from the recipe through training, saving and loading."""
    characters = codes.CHARACTERS[:-1]
    labels = torch.tensor([0, 50, 94])
    dataset = Dataset("mine", images, labels, images, labels, classes=95)
    recipe = Recipe(network=name, characters=characters)
    net = train(recipe, dataset, passes=1, engine="torch", folder=tmp_path).net
    back = load(tmp_path)
    assert back.characters == characters and Run.load(tmp_path).recipe == recipe
    assert torch.equal(back.output.centres, net.output.centres) and len(net.output.centres) == 95
    assert torch.equal(back(images), net(images))
    if name == "lenet5-classic":
        assert torch.equal(back.output.centres, codes.centres(characters))


def test_a_run_from_before_recipes_had_characters_goes_on(tmp_path: Path, images: Tensor) -> None:
    dataset = Dataset("mine", images, torch.arange(3), images, torch.arange(3))

    def without(values: object) -> dict[str, object]:
        return {name: value for name, value in asdict(values).items() if name != "characters"}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lenet1998.runs.run.asdict", without)
        train(Recipe(), dataset, passes=1, engine="torch", folder=tmp_path)
    assert "characters" not in read_origin(tmp_path).recipe
    run = train(Recipe(), dataset, passes=2, engine="torch", folder=tmp_path, resume=True)
    assert len(run.records) == 2


def test_description_is_kept_and_replaced_with_the_network(tmp_path: Path) -> None:
    net, description = LeNet5Classic(), {"dataset": "MNIST", "error": 0.95, "passes": [1, 2]}
    net.save_pretrained(tmp_path, description)
    assert read_origin(tmp_path).description == description
    nn.init.zeros_(net.f6.bias.detach())
    net.save_pretrained(tmp_path)
    assert read_origin(tmp_path).description == {}
    assert not LeNet5Classic.from_pretrained(tmp_path).f6.bias.any()


def test_the_same_network_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    load(folder).save_pretrained(tmp_path / "again")
    assert (tmp_path / "again" / WEIGHTS).read_bytes() == (folder / WEIGHTS).read_bytes()


def test_where_a_run_comes_from(run: Path) -> None:
    origin = read_origin(run)
    assert (origin.network, origin.arguments["characters"]) == ("lenet5-classic", "0123456789")
    assert from_values(origin.recipe) == Recipe(seed=3)
    assert origin.dataset.startswith("UCI digits, not MNIST")
    assert (origin.engine, [record["number"] for record in origin.log]) == ("fused", [1, 2])


# What it refuses


@pytest.mark.parametrize("value", [torch.zeros(1), float("nan")])
def test_a_description_that_is_not_json_leaves_the_folder_as_it_was(
    folder: Path, value: object
) -> None:
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    with pytest.raises((TypeError, ValueError), match="JSON"):
        LeNet5Classic().save_pretrained(folder, {"value": value})
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_a_network_without_an_entry_in_the_catalogue_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"LeNet5Variant is no network of lenet1998\.catalogue"):
        LeNet5Variant({"c3": nn.Sigmoid()}).save_pretrained(tmp_path)
    assert not list(tmp_path.iterdir())


def test_another_class_is_named(folder: Path) -> None:
    for other in (LeNet5Modern, Rectified):
        with pytest.raises(WeightsError, match=f"a LeNet5Classic, not a {other.__name__}"):
            other.from_pretrained(folder)


def test_what_is_not_there_is_named(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    with pytest.raises(WeightsError, match=f"net holds no saved network: {WEIGHTS} is not there"):
        load(folder)
    with pytest.raises(WeightsError, match=f"{WEIGHTS}: there is no such file"):
        load(folder / WEIGHTS)
    with pytest.raises(ValueError, match=r"no trained network 'lenet-6': .*lenet5-classic"):
        load("lenet-6")


@pytest.mark.parametrize("kept", [0, 20, 100, 1000, 200_000])
def test_a_file_that_is_cut_off_is_named(folder: Path, kept: int) -> None:
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:kept])
    with pytest.raises(WeightsError, match=WEIGHTS):
        load(folder)


def test_a_flipped_bit_is_refused_wherever_it_is(run: Path, tmp_path: Path) -> None:
    """Among the values, their names and shapes, and in what is said of the network."""
    whole = (run / WEIGHTS).read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    choice = random.Random(1)
    places = [choice.randrange(header) for _ in range(150)]
    places += [choice.randrange(header, len(whole)) for _ in range(50)] + [len(whole) - 1]
    file = tmp_path / "flipped.safetensors"
    for place in places:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << choice.choice((0, 1, 2, 3, 4, 6, 7))  # 5 makes 1e-5 the same 1E-5
        file.write_bytes(damaged)
        with pytest.raises(WeightsError, match=r"flipped\.safetensors"):
            load(file)


@pytest.mark.parametrize(
    "header",
    [
        None,
        {"format": "pt"},
        {"lenet1998": "[]"},
        {"lenet1998": "{"},
        {"lenet1998": '{"network": "lenet5-classic"}'},
        {"lenet1998": "[" * 100_000},
        {"lenet1998": '{"network": "lenet5-classic", "log": [], "weather": "fine"}'},
    ],
)
def test_a_file_that_does_not_say_what_it_holds_is_named(
    folder: Path, header: dict[str, str] | None
) -> None:
    save_file(load_file(folder / WEIGHTS), folder / WEIGHTS, metadata=header)
    for read in (load, read_origin):
        with pytest.raises(WeightsError, match=f"{WEIGHTS} does not say which network it holds"):
            read(folder)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda net: delattr(net, "f6"), r"f6\.weight"),
        (lambda net: setattr(net, "c1", nn.Conv2d(1, 6, 3)), r"c1\.weight"),
        (lambda net: setattr(net, "c9", nn.Linear(2, 1)), r"c9\.weight"),
        (lambda net: setattr(net, "characters", "é"), "does not hold a lenet5-classic"),
        (lambda net: net.f6.double(), r"one dtype, got torch\.float32, torch\.float64"),
        (lambda net: net.f6.to(torch.float8_e4m3fn), "does not hold a lenet5-classic"),
        (lambda net: setattr(net, "penalty_scale", -0.5), "penalty_scale > 0"),
        (lambda net: setattr(net, "j", "x"), "does not hold a lenet5-classic"),
        (lambda net: nn.init.constant_(net.f6.bias, torch.nan), r"NaN or infinite .* f6\.bias"),
        (lambda net: nn.init.constant_(net.s2.bias, -torch.inf), r"NaN or infinite .* s2\.bias"),
    ],
    ids=[
        "missing",
        "another shape",
        "one too many",
        "arguments",
        "two dtypes",
        "eight bits",
        "negative scale",
        "j is text",
        "NaN",
        "infinity",
    ],
)
def test_parameters_that_do_not_fit_are_named(
    tmp_path: Path, change: Callable[[LeNet5Classic], None], reason: str
) -> None:
    net = LeNet5Classic()
    change(net)
    net.save_pretrained(tmp_path)
    with pytest.raises(WeightsError, match=rf"{WEIGHTS}.*{reason}") as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value)


def test_nothing_is_unpickled(folder: Path) -> None:
    torch.save(LeNet5Classic().state_dict(), folder / WEIGHTS)
    with pytest.raises(WeightsError, match="expected a safetensors file"):
        load(folder)


# The trained networks of the package


@pytest.mark.parametrize("name", PACKAGED)
def test_a_packaged_network_has_the_error_that_its_log_ends_with(name: str, mnist: Dataset) -> None:
    net, origin = load(name), read_origin(name)
    measured = evaluate(net, mnist.test_images, mnist.test_labels, mnist.name)
    # Sums are rounded in another order on other machines: a digit or two may change sides.
    error = origin.log[-1]["test_error_percent"]
    assert measured.error_percent == pytest.approx(error, abs=0.021)
    assert origin.dataset == mnist.name
    assert not net.training


@pytest.mark.parametrize("name", PACKAGED)
def test_a_packaged_network_was_trained_by_the_recipe_of_the_catalogue(name: str) -> None:
    origin = read_origin(name)
    recipe = from_values(origin.recipe)
    assert recipe == replace(recipe_for(name), seed=recipe.seed)
    assert type(load(name)) is NETWORKS[name].kind
    assert origin.log[-1]["number"] == recipe.passes


def test_the_networks_of_the_paper_and_of_the_comparison_are_there() -> None:
    packaged = {"lenet5-classic", "lenet5-classic-distorted", "lenet5-classic-noise"}
    packaged |= {"lenet1", "lenet4", "lenet4-boosted"}
    strings = {name for name in PACKAGED if name.startswith("lenet5-strings")}
    assert strings and set(PACKAGED) - strings == packaged | set(COMPARED)
