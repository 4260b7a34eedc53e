"""Tangent distance: against least squares, real movements, and scikit-learn's checks."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.optimize import lsq_linear
from sklearn.datasets import load_digits
from sklearn.utils.estimator_checks import parametrize_with_checks
from torch import Tensor

from lenet1998.data import Dataset, distort
from lenet1998.data.disturbances import rotated
from lenet1998.data.field import BACKGROUND
from lenet1998.others.tangent import TangentDistanceClassifier, one_sided, tangents, two_sided

CENTRE = 7.5
RIDGES = pytest.mark.parametrize("ridge", [0.0, 0.3])


def blobs(count: int, seed: int = 0, side: int = 16) -> Tensor:
    """(N, side, side) float64: smooth random images on background 0."""
    noise = np.random.default_rng(seed).normal(size=(count, side, side))
    noise[:, :4] = noise[:, -4:] = noise[:, :, :4] = noise[:, :, -4:] = 0
    return torch.from_numpy(10 * gaussian_filter(noise, 1.5, axes=(1, 2)))


def least(difference: Tensor, rows: Tensor, ways: Tensor, ridge: float) -> float:
    """The least |difference - c rows|² + ridge × the squares of the ways' lengths, over c."""
    A = torch.cat([rows, ridge**0.5 * ways], dim=1).T.numpy()
    b = torch.cat([difference, torch.zeros(ways.shape[1], dtype=torch.float64)]).numpy()
    lengths = np.linalg.norm(A, axis=0)
    return 2 * lsq_linear(A / lengths, b, tol=1e-14).cost


@RIDGES
def test_two_sided_is_the_least_over_both_planes(ridge: float) -> None:
    a, b = blobs(5), blobs(5, seed=1)
    found = two_sided(a, b, ridge)
    for one, other, Ta, Tb, value in zip(a, b, tangents(a), tangents(b), found, strict=True):
        ways = torch.block_diag(Ta, Tb)
        expected = least((other - one).flatten(), torch.cat([Ta, -Tb]), ways, ridge)
        assert value.item() == pytest.approx(expected, rel=1e-6)


@RIDGES
def test_one_sided_is_the_least_over_the_images_plane(ridge: float) -> None:
    images, prototypes = blobs(3), blobs(4, seed=1)
    found = one_sided(images, prototypes, ridge)
    for m, T in enumerate(tangents(images)):
        for n, prototype in enumerate(prototypes):
            expected = least((prototype - images[m]).flatten(), T, T, ridge)
            assert found[m, n].item() == pytest.approx(expected, rel=1e-6)


@given(st.integers(0, 1000), st.floats(0, 10))
def test_the_more_may_move_the_nearer_and_it_is_symmetric(seed: int, ridge: float) -> None:
    a, b = blobs(4, seed), blobs(4, seed + 1)
    both, one = two_sided(a, b, ridge), one_sided(a, b, ridge).diagonal()
    euclidean = (a - b).square().flatten(1).sum(1)
    assert (both <= one + 1e-9).all() and (one <= euclidean + 1e-9).all() and (both >= 0).all()
    torch.testing.assert_close(both, two_sided(b, a, ridge), rtol=1e-8, atol=1e-9)


def test_of_an_image_with_itself_or_blank() -> None:
    a, blank = blobs(3), torch.zeros(3, 16, 16, dtype=torch.float64)
    assert two_sided(a, a).max() < 1e-12 and two_sided(blank, blank).max() == 0
    torch.testing.assert_close(two_sided(a, blank), one_sided(a, blank).diagonal())
    torch.testing.assert_close(one_sided(blank, a)[0], a.square().sum((1, 2)))
    rising = two_sided(a, a.flip(0), 1e12)
    torch.testing.assert_close(rising, (a - a.flip(0)).square().sum((1, 2)))


MOVES = {  # the field (u, v) that each tangent follows, from x, y, gx, gy
    "shift right": lambda x, y, gx, gy: (1 + 0 * x, 0 * y),
    "shift down": lambda x, y, gx, gy: (0 * x, 1 + 0 * y),
    "size": lambda x, y, gx, gy: (x, y),
    "turn": lambda x, y, gx, gy: (y, -x),
    "squeeze": lambda x, y, gx, gy: (x, -y),
    "diagonal": lambda x, y, gx, gy: (y, x),
    "thickness": lambda x, y, gx, gy: (gx, gy),
}


@pytest.mark.parametrize(("place", "move"), list(enumerate(MOVES.values())), ids=MOVES.keys())
def test_tangents_are_what_small_movements_change(place: int, move: Any) -> None:
    image = blobs(1)[0].numpy()
    smooth, step = gaussian_filter(image, 1.0, mode="constant"), 1e-3
    y, x = np.mgrid[:16, :16] - CENTRE
    gy, gx = (gaussian_filter(image, 1.0, order, mode="constant") for order in ((1, 0), (0, 1)))
    u, v = move(x, y, gx, gy)
    ahead, behind = (
        map_coordinates(smooth, [y + s * v + CENTRE, x + s * u + CENTRE], order=5, mode="mirror")
        for s in (step, -step)
    )
    change = ((ahead - behind) / (2 * step))[3:-3, 3:-3]
    tangent = tangents(torch.from_numpy(image)[None])[0, place].view(16, 16).numpy()[3:-3, 3:-3]
    assert np.linalg.norm(tangent - change) < 0.05 * np.linalg.norm(change)


def test_small_movements_of_digits_are_near(mnist: Dataset) -> None:
    digits = mnist.training_images[:20]
    found = {}
    for name, moved in {
        "shift": distort(digits, torch.tensor([[1, 0, 0, 0.7, 0.0]]).repeat(20, 1)),
        "size": distort(digits, torch.tensor([[1.05, 0, 0, 0, 0.0]]).repeat(20, 1)),
        "squeeze": distort(digits, torch.tensor([[1, 0.05, 0, 0, 0.0]]).repeat(20, 1)),
        "turn": rotated(digits, 6.0),
    }.items():
        a, b = (images[:, 0] - BACKGROUND for images in (digits, moved))
        euclidean = (a - b).square().sum((1, 2))
        found[name] = (two_sided(a, b) / euclidean).mean().item()
    assert max(found.values()) < 0.4, found


# The classifier


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    return load_digits(return_X_y=True)


@parametrize_with_checks([TangentDistanceClassifier()])
def test_scikit_learn_checks(estimator: TangentDistanceClassifier, check: Any) -> None:
    check(estimator)


def test_with_all_let_through_it_is_the_nearest_of_all(digits: Any) -> None:
    X, y = digits[0][:60].reshape(-1, 8, 8), digits[1][:60]
    model = TangentDistanceClassifier(3, shortlist=None, ridge=0.1, sigma=1.0).fit(X[:40], y[:40])
    distances, indices = model.kneighbors(X[40:])
    images = torch.from_numpy(X).float()
    rows = [two_sided(image.expand(40, 8, 8), images[:40], 0.1) for image in images[40:]]
    nearest = torch.stack(rows).topk(3, largest=False)
    np.testing.assert_array_equal(indices, nearest.indices)
    np.testing.assert_allclose(distances, nearest.values.sqrt(), rtol=1e-4)
    few = TangentDistanceClassifier(3, shortlist=20, ridge=0.1, sigma=1.0).fit(X[:40], y[:40])
    assert np.mean(few.kneighbors(X[40:])[1] == indices) > 0.9
    np.testing.assert_array_equal(model.predict(X[40:]), model.predict(X[40:].reshape(20, 64)))


def test_it_reads_better_than_euclidean_neighbours(digits: Any) -> None:
    X, y = digits
    errors = [
        1 - TangentDistanceClassifier(ridge=ridge).fit(X[:300], y[:300]).score(X[300:], y[300:])
        for ridge in (0.1, 1e9)
    ]
    assert errors[0] < 0.8 * errors[1]


def test_the_nearest_decides_a_draw() -> None:
    X = np.zeros((4, 8, 8))
    X[:, 3, 3] = 0, 1, 5, 6
    model = TangentDistanceClassifier(4, ridge=1e9).fit(X, ["b", "a", "a", "b"])
    assert list(model.predict(X)) == ["b", "a", "a", "b"]


def test_bad_input_is_named() -> None:
    images = blobs(2)
    for bad, words in (
        (images[:, :, :9], r"images \(N, side, side\) of a float type, got \(2, 16, 9\)"),
        (images[0], r"got \(16, 16\)"),
        (images.long(), "got .* torch.int64"),
        (images / 0, "NaN or infinite"),
    ):
        with pytest.raises(ValueError, match=words):
            tangents(bad)
    for sigma in (0.0, float("nan")):
        with pytest.raises(ValueError, match="expected sigma > 0"):
            tangents(images, sigma)
    for ridge in (-1.0, float("nan")):
        with pytest.raises(ValueError, match="expected ridge >= 0"):
            two_sided(images, images, ridge)
        with pytest.raises(ValueError, match="expected ridge >= 0"):
            TangentDistanceClassifier(ridge=ridge).fit(images.numpy(), [0, 1])
    for distance in (one_sided, two_sided):
        with pytest.raises(ValueError, match="images of one shape"):
            distance(images, blobs(2, side=12))
    for count, shortlist in ((0, 1), (3, None), (2, 1)):
        model = TangentDistanceClassifier(count, shortlist).fit(images.numpy(), [0, 1])
        with pytest.raises(ValueError, match="expected n_neighbors from 1 to"):
            model.kneighbors(images.numpy())
