"""The classifiers that are no networks: scikit-learn's checks, what they compute, what it costs."""

from typing import Any

import numpy as np
import pytest
from scipy.ndimage import shift
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from lenet1998.others._base import Scored
from lenet1998.others.linear import LinearClassifier, PairwiseLinearClassifier
from lenet1998.others.local import LocalLinearClassifier
from lenet1998.others.neighbours import NearestClassifier
from lenet1998.others.quadratic import QuadraticClassifier
from lenet1998.others.rbf import RBFClassifier
from lenet1998.others.svm import PolynomialSVM, ReducedSVM

MODELS = [
    LinearClassifier(),
    PairwiseLinearClassifier(),
    NearestClassifier(),
    QuadraticClassifier(),
    RBFClassifier(means=10),
    LocalLinearClassifier(50),
    PolynomialSVM(C=10.0, constant=1.0),
    ReducedSVM(C=10.0, constant=1.0, vectors=20, steps=10),
]


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    X, y = load_digits(return_X_y=True)
    return X / 16, y


@parametrize_with_checks(MODELS)
def test_scikit_learn_checks(estimator: Scored, check: Any) -> None:
    check(estimator)


def scores(model: Scored, digits: Any, learned: int = 1000) -> np.ndarray:
    X, y = digits
    return model.fit(X[:learned], y[:learned]).decision_function(X[learned:])


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_the_largest_score_is_the_answer_and_digits_are_read(model: Scored, digits: Any) -> None:
    X, y = digits
    found = scores(model, digits)
    assert found.shape == (797, 10) and np.array_equal(found.argmax(1), model.predict(X[1000:]))
    assert (found.argmax(1) == y[1000:]).mean() > 0.85
    images = X[1000:1010].reshape(-1, 8, 8)
    np.testing.assert_allclose(model.decision_function(images), found[:10], rtol=1e-3, atol=1e-3)


def test_linear_sums_are_least_squares(digits: Any) -> None:
    X, y = digits
    model = LinearClassifier(ridge=1e-9)
    inputs = np.c_[X, np.ones(len(X))]
    weights = np.linalg.lstsq(inputs[:1000], 2 * np.eye(10)[y[:1000]] - 1)[0]
    np.testing.assert_allclose(scores(model, digits), inputs[1000:] @ weights, atol=2e-3)


def test_pairs_are_scored_as_printed(digits: Any) -> None:
    X, _ = digits
    model = PairwiseLinearClassifier(squashed=False)
    found, total = scores(model, digits), np.zeros((797, 10))
    place = 0
    for i in range(10):
        for j in range(i + 1, 10):
            output = model.sums_[place].predict(X[1000:])
            total[:, i], total[:, j] = total[:, i] + output, total[:, j] - output
            place += 1
    np.testing.assert_allclose(found, total, rtol=1e-6, atol=1e-9)
    assert not np.allclose(scores(PairwiseLinearClassifier(), digits), total)


def test_neighbours_vote_and_the_nearest_decides(digits: Any) -> None:
    X, y = digits
    for count in (1, 3):
        other = KNeighborsClassifier(count, weights=lambda d: 1 + 1e-3 * (d == d[:, :1]))
        found = scores(NearestClassifier(count), digits)
        answers = other.fit(X[:1000], y[:1000]).predict(X[1000:])
        assert (found.argmax(1) == answers).mean() > 0.99  # equal distances, at the last place
    points, one = np.array([[0.0], [2.0], [3.0]]), NearestClassifier(3)
    np.testing.assert_allclose(
        one.fit(points, [0, 1, 1]).decision_function([[0.5]]), 2 + 1 / 6 - (1 + 1 / 2)
    )
    np.testing.assert_allclose(
        one.fit(points, [0, 1, 2])._scores(points[:1] + 1), [[1.5, 1.5, 1.25]]
    )


def test_products_of_components_and_the_bias_are_821_inputs() -> None:
    X = np.random.default_rng(0).normal(size=(900, 50))
    model = QuadraticClassifier().fit(X, np.sign(X[:, 0] * X[:, 1]))
    assert (
        model.sums_.n_features_in_ + 1 == 821 and model.score(X, np.sign(X[:, 0] * X[:, 1])) > 0.9
    )
    assert model.multiply_adds_ == 40 * 50 + 820 + 2 * 820
    assert model.variables_ == 40 * 50 + 40 + 2 * 821


def test_local_weights_are_those_of_the_nearest(digits: Any) -> None:
    X, y = digits
    model, image = LocalLinearClassifier(30, ridge=0.5), X[1000]
    found = scores(model, digits)[0]
    near = np.linalg.norm(X[:1000] - image, axis=1).argsort()[:30]
    middle, wanted = X[near].mean(0), 2 * np.eye(10)[y[near]] - 1
    A = X[near] - middle
    ridge = 0.5 * (A**2).mean() * 30 * np.eye(64)
    weights = np.linalg.solve(A.T @ A + ridge, A.T @ (wanted - wanted.mean(0)))
    np.testing.assert_allclose(found, (image - middle) @ weights + wanted.mean(0), atol=1e-4)


def test_machines_fitted_by_chunks_are_those_of_all_images(
    digits: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lenet1998.others.svm._FIRST", 100)
    X, y = digits
    found = scores(PolynomialSVM(4, C=1.0, constant=0.5), digits)
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    for place in range(10):
        machine = SVC(C=1.0, kernel="poly", degree=4, gamma=2 / 3, coef0=1 / 3, tol=1e-5)
        machine.fit(unit[:1000], y[:1000] == place)
        np.testing.assert_allclose(
            found[:, place], machine.decision_function(unit[1000:]), atol=0.02
        )


def test_shifted_support_vectors_make_shifts_matter_less(digits: Any) -> None:
    X, y = digits
    plain, virtual = PolynomialSVM(4), PolynomialSVM(4, shifts=4)
    moved = np.stack([shift(image.reshape(8, 8), (0, 1), order=0).ravel() for image in X[1000:]])
    misread = [
        (model.fit(X[:1000], y[:1000]).predict(moved) != y[1000:]).mean()
        for model in (plain, virtual)
    ]
    assert misread[1] < 0.5 * misread[0]
    assert len(virtual.vectors_) > len(plain.vectors_)


def test_a_reduced_set_comes_near_the_machines(digits: Any) -> None:
    full, close = PolynomialSVM(5), ReducedSVM(5, vectors=20)
    exact = scores(full, digits)
    apart = [
        np.abs(scores(ReducedSVM(5, vectors=20, steps=steps), digits) - exact).mean()
        for steps in (0, 100)
    ]
    assert apart[1] < 0.5 * apart[0]
    scores(close, digits)
    assert close.multiply_adds_ == 10 * 20 * 64 + 10 * 20 < full.multiply_adds_
    assert close.variables_ == close.multiply_adds_ + 10


def test_costs_are_counted(digits: Any) -> None:
    for model, reads, keeps in (
        (LinearClassifier(), 640, 650),
        (PairwiseLinearClassifier(), 45 * 64, 45 * 65),
        (NearestClassifier(), 64_000, 64_000),
        (RBFClassifier(5), 50 * 64 + 500, 50 * 64 + 1 + 510),
        (LocalLinearClassifier(30), 64_000 + 30 * 64**2 + 64**3 // 3, 65_000),
    ):
        scores(model, digits)
        assert (model.multiply_adds_, model.variables_) == (reads, keeps), model


def test_bad_parameters_are_named(digits: Any) -> None:
    for model, words in (
        (NearestClassifier(0), "expected n_neighbors >= 1, got 0"),
        (PolynomialSVM(shifts=3), "expected shifts 0, 4 or 8, got 3"),
    ):
        with pytest.raises(ValueError, match=words):
            model.fit(*digits)
