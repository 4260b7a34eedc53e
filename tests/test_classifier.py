"""The scikit-learn classifier: scikit-learn's own checks, and what is particular to ours."""

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from lenet1998 import codes
from lenet1998.classifier import LeNet5Classifier, _characters
from lenet1998.data import Dataset, to_network_input
from lenet1998.learning import Recipe, preset, train
from lenet1998.losses import posterior

FEW = 300  # images, enough to learn something


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    """8x8 images, 0..16, and labels."""
    images, labels = load_digits(return_X_y=True)
    return images[:FEW], labels[:FEW]


@pytest.fixture(scope="module")
def fitted(digits: tuple[np.ndarray, np.ndarray]) -> LeNet5Classifier:
    return LeNet5Classifier(passes=4, random_state=3).fit(*digits)


def mnist_like(count: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (count, 28, 28), dtype=np.uint8)
    images[0, 0, :2] = 0, 255
    return images, np.arange(count) % 10


@pytest.mark.filterwarnings("ignore:.*no square image")
@parametrize_with_checks([LeNet5Classifier(passes=5)])
def test_scikit_learn_checks(estimator: LeNet5Classifier, check: Any) -> None:
    check(estimator)


def test_the_network_is_that_of_train() -> None:
    X, y = mnist_like(60)
    inputs, labels = to_network_input(torch.from_numpy(X)), torch.from_numpy(y)
    dataset = Dataset("noise", inputs, labels, inputs, labels)
    expected = train(preset("authors-software", seed=5), dataset, passes=2).net
    shapes = X.reshape(60, -1), X[:, None]
    for given in (X, *shapes, X.astype(np.float64), torch.from_numpy(X)):
        model = LeNet5Classifier("authors-software", passes=2, random_state=5).fit(given, y)
        for name, parameter in expected.named_parameters():
            assert torch.equal(model.net_.get_parameter(name), parameter), name
        assert (model.predict(given) == expected.predict(inputs).numpy()).all()
    assert model.recipe_ == preset("authors-software", seed=5)


def test_engines_agree() -> None:
    X, y = mnist_like(30)
    fused, reference = (
        LeNet5Classifier(passes=1, random_state=0, engine=engine).fit(X, y)
        for engine in ("fused", "torch")
    )
    np.testing.assert_allclose(fused.predict_proba(X), reference.predict_proba(X), atol=1e-3)


def test_it_learns_digits_of_another_size(digits: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = load_digits(return_X_y=True)
    model = LeNet5Classifier(random_state=0).fit(X[:1000], y[:1000])
    assert model.score(X[1000:], y[1000:]) > 0.88


def test_the_scale_of_the_values_does_not_matter(
    fitted: LeNet5Classifier, digits: tuple[np.ndarray, np.ndarray]
) -> None:
    X, y = digits
    for scaled in (X / 16, 8 * X - 64):  # exact in binary
        again = LeNet5Classifier(passes=4, random_state=3).fit(scaled, y)
        np.testing.assert_allclose(again.predict_proba(scaled), fitted.predict_proba(X), atol=1e-3)


def test_another_scale_than_in_fit_is_refused(
    fitted: LeNet5Classifier, digits: tuple[np.ndarray, np.ndarray]
) -> None:
    X = digits[0]
    others = {
        "from 0 to 256": 16 * X,
        "from 0 to 1": X / 16,
        "from -1 to 1": X / 8 - 1,
        "from 0 to 16, edge 16": 16 - X,
    }
    for name, other in others.items():
        words = rf"X is on another scale than in fit: it runs {name}.*; in fit it ran from 0 to 16"
        with pytest.raises(ValueError, match=words):
            fitted.predict(other)
    for one in (255 * X[:1], 16 - X[:1]):
        with pytest.raises(ValueError, match="on another scale than in fit"):
            fitted.predict_proba(one)


def test_single_images_that_are_faint_or_blank_are_read(
    fitted: LeNet5Classifier, digits: tuple[np.ndarray, np.ndarray]
) -> None:
    X = digits[0]
    blank = np.zeros((1, 64))
    for some in (X[:1] / 20, blank, blank.repeat(20, 0), np.concatenate([X[:9] / 20, X[9:10]])):
        assert fitted.predict(some).shape == (len(some),)


def test_values_beyond_those_of_fit_are_clipped(
    fitted: LeNet5Classifier, digits: tuple[np.ndarray, np.ndarray]
) -> None:
    X = digits[0][:50].copy()
    X[3, 0], X[4, 5] = 16, 0
    expected = fitted.predict_proba(X)
    X[3, 0], X[4, 5] = 5000, -3
    np.testing.assert_array_equal(fitted.predict_proba(X), expected)


def test_it_learns_behind_a_scaler_of_each_feature() -> None:
    X, y = load_digits(return_X_y=True)
    scaled = make_pipeline(MinMaxScaler(), LeNet5Classifier(random_state=0)).fit(X[:1000], y[:1000])
    assert scaled.score(X[1000:], y[1000:]) > 0.86


def test_a_scaler_that_saw_a_border_pixel_once(mnist: Dataset) -> None:
    levels = mnist.training_images[:600, 0, 2:-2, 2:-2]
    X, y = (200 * (levels + 0.1)).round().flatten(1).numpy(), mnist.training_labels[:600].numpy()
    model = LeNet5Classifier(passes=4, random_state=0)
    scaled = make_pipeline(MinMaxScaler(), clone(model)).fit(X[:300], y[:300])
    assert scaled[0].transform(X[300:]).max() > 10
    plain = model.fit(X[:300], y[:300]).score(X[300:], y[300:])
    assert scaled.score(X[300:], y[300:]) > plain - 0.05


def test_dark_ink_on_light_paper_is_learnt_alike(
    fitted: LeNet5Classifier, digits: tuple[np.ndarray, np.ndarray]
) -> None:
    X, y = digits
    inverted = LeNet5Classifier(passes=4, random_state=3).fit(16 - X, y)
    assert (inverted.background_, inverted.ink_) == (16, 0)
    np.testing.assert_allclose(inverted.predict_proba(16 - X), fitted.predict_proba(X), atol=1e-3)


def test_probabilities_are_the_posterior_without_the_rubbish_class(
    fitted: LeNet5Classifier, digits: tuple[np.ndarray, np.ndarray]
) -> None:
    found = fitted.predict_proba(digits[0])
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-9)
    assert (found.argmax(1) == fitted.predict(digits[0])).all()
    images = fitted._images(digits[0].astype(np.float32))
    with torch.no_grad():
        penalties = fitted.recipe_.penalty_scale * fitted.net_(images).double()
    with_rubbish = posterior(penalties, j=1.0)[:, :10]
    expected = with_rubbish / with_rubbish.sum(1, keepdim=True)
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)


@pytest.mark.parametrize(
    ("labels", "codes"),
    [
        ((3, 8), (3, 8)),
        (("3", "8"), (3, 8)),
        (("eight", "three"), (0, 1)),
        ((-1, 5, 70), (0, 1, 2)),
    ],
)
def test_classes_have_the_codes_of_their_digits(labels: tuple[Any, ...], codes: Any) -> None:
    X, y = mnist_like(30)
    y = np.array(labels)[y % len(labels)]
    # Noise has nothing to tell it apart by: F6 moves to between the codes of the classes.
    model = LeNet5Classifier(passes=3, random_state=0).fit(X, y)
    penalties = model.net_(model._images(X.reshape(30, -1).astype(np.float32))).mean(0)
    assert sorted(penalties.argsort()[: len(labels)].tolist()) == list(codes)
    assert set(model.predict(X)) <= set(labels)
    assert model.predict_proba(X).shape == (30, len(labels))


@pytest.mark.parametrize(
    ("labels", "characters"),
    [
        ([7, 0], "70"),
        (["%", "A", "a", "3"], "%Aa3"),
        ([f"kind {k:02}" for k in range(12)], "0123456789ab"),
        (list(range(10, 22)), "0123456789ab"),
    ],
    ids=["digits", "characters", "text", "numbers"],
)
def test_whose_code_stands_for_a_class(labels: list[Any], characters: str) -> None:
    assert _characters(np.array(labels)) == characters


def test_as_many_classes_as_there_are_codes() -> None:
    X, y = mnist_like(95)[0], np.arange(95)
    model = LeNet5Classifier(passes=1, random_state=0, engine="torch").fit(X, y)
    assert len(set(model.characters_)) == 95
    assert torch.equal(model.net_.output.centres, codes.centres(model.characters_))
    assert len(model.net_.output.centres.unique(dim=0)) == 95
    assert model.predict_proba(X).shape == (95, 95) and set(model.predict(X)) <= set(y)


def test_random_state_decides() -> None:
    X, y = mnist_like(20)

    def proba(random_state: Any) -> np.ndarray:
        return LeNet5Classifier(passes=1, random_state=random_state).fit(X, y).predict_proba(X)

    np.testing.assert_array_equal(proba(1), proba(1))
    assert not np.array_equal(proba(1), proba(2))
    assert not np.array_equal(proba(None), proba(None))
    states = (np.random.RandomState(4) for _ in range(2))
    np.testing.assert_array_equal(*map(proba, states))


def test_it_goes_through_cross_validation_and_pickle(
    fitted: LeNet5Classifier, digits: tuple[np.ndarray, np.ndarray]
) -> None:
    X, y = digits
    recipe = Recipe(schedule=((1, 5e-4),))
    scores = cross_val_score(LeNet5Classifier(recipe, passes=3, random_state=0), X, y, cv=2)
    assert (scores > 0.3).all()
    copy = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(copy.predict_proba(X), fitted.predict_proba(X))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"recipe": "papre"}, "no recipe 'papre'"),
        ({"passes": 0}, "at least 1 pass"),
        ({"engine": "steam"}, "'fused' or 'torch'"),
    ],
)
def test_bad_parameters_are_named_in_fit(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LeNet5Classifier(**parameters).fit(*mnist_like(10))


def test_bad_data_are_named() -> None:
    X, y = mnist_like(12)
    with pytest.raises(ValueError, match=r"square images \(n, side, side\) .*, got \(12, 28, 27\)"):
        LeNet5Classifier().fit(X[:, :, :27], y)
    with pytest.raises(ValueError, match=r"got \(12, 3, 28, 28\)"):
        LeNet5Classifier().fit(X[:, None].repeat(3, 1), y)
    with pytest.raises(ValueError, match="at most 95 classes, got 96"):
        LeNet5Classifier().fit(mnist_like(96)[0], np.arange(96))
    with pytest.raises(NotFittedError):
        LeNet5Classifier().predict(X)
    with pytest.warns(UserWarning, match="785 features are no square image"):
        LeNet5Classifier(passes=1).fit(np.column_stack([y, X.reshape(12, -1)]), y)
