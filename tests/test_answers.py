"""One way to read digits, whatever the reader: scores, answers, and how many are wrong."""

from dataclasses import asdict

import pytest
import torch
from networks import randomised
from torch import Tensor

from lenet1998.losses import posterior
from lenet1998.measures.answers import evaluate, misread, probabilities, scores, wilson_interval
from lenet1998.models import LeNet5Classic, LeNet5Modern, Network
from lenet1998.models.tutorials import OneConvolutionNet


class Scripted:
    """Reads the answer off the first pixel, a tenth of it: no network, but a reader."""

    rubbish = -float("inf")

    def scores(self, images: Tensor) -> Tensor:
        return torch.eye(10)[(10 * images[:, 0, 0, 0]).round().long()]


def script(*answers: int) -> Tensor:
    images = torch.zeros(len(answers), 1, 32, 32)
    images[:, 0, 0, 0] = torch.tensor(answers) / 10
    return images


@pytest.mark.parametrize(
    "net",
    [randomised(LeNet5Classic()), LeNet5Classic().double(), LeNet5Modern(), OneConvolutionNet()],
    ids=["kernels", "double", "modern", "with statistics of the batch"],
)
def test_scores_are_the_networks_in_evaluation_mode(net: Network) -> None:
    dtype = next(net.parameters()).dtype
    images = torch.rand(520, 1, 32, 32)  # more than are read at once
    net.train()
    before = {name: values.clone() for name, values in net.state_dict().items()}
    ours = scores(net, images)
    assert net.training and not ours.requires_grad and ours.shape == (520, 10)
    assert all(torch.equal(values, before[name]) for name, values in net.state_dict().items())
    with torch.no_grad():
        expected = net.eval().scores(images.to(dtype))
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-4)
    assert torch.equal(misread(net, images, expected.argmax(1)), torch.zeros(520, dtype=bool))
    assert not net.training  # as it was, whichever


def test_levels_of_another_scale_are_refused() -> None:
    for net in (LeNet5Classic(), LeNet5Modern()):
        with pytest.raises(ValueError, match=r"0\.\.255"):
            scores(net, torch.full((2, 1, 32, 32), 255.0))
        with pytest.raises(ValueError, match="NaN"):
            scores(net, torch.full((2, 1, 32, 32), torch.nan))


def test_evaluation_counts_every_digit() -> None:
    images, labels = script(3, 3, 8, 5, 0), torch.tensor([3, 3, 3, 5, 1])
    assert misread(Scripted(), images, labels).tolist() == [False, False, True, False, True]
    measured = evaluate(Scripted(), images, labels, "five digits")
    assert (measured.dataset, measured.digits, measured.misread) == ("five digits", 5, 2)
    assert measured.error_percent == 40
    assert measured.interval_percent == wilson_interval(2, 5)
    counted = {
        (label, answer): count
        for label, row in enumerate(measured.confusion)
        for answer, count in enumerate(row)
        if count
    }
    assert counted == {(3, 3): 2, (3, 8): 1, (5, 5): 1, (1, 0): 1}
    assert asdict(measured)["confusion"] == measured.confusion
    with pytest.raises(ValueError, match="at least one"):
        evaluate(Scripted(), images[:0], labels[:0], "none")


@pytest.mark.parametrize(("wrong", "digits"), [(0, 100), (95, 10_000), (3, 7), (100, 100)])
def test_the_errors_bounds_lie_so_many_of_their_own_deviations_away(
    wrong: int, digits: int
) -> None:
    share = wrong / digits
    for bound in (percent / 100 for percent in wilson_interval(wrong, digits)):
        deviation = (bound * (1 - bound) / digits) ** 0.5
        assert abs(share - bound) == pytest.approx(1.96 * deviation, abs=1e-8)


@pytest.mark.parametrize(("wrong", "digits"), [(0, 0), (-1, 10), (11, 10)])
def test_no_interval_without_digits(wrong: int, digits: int) -> None:
    with pytest.raises(ValueError, match=f"got {wrong}"):
        wilson_interval(wrong, digits)


def test_probabilities_are_eq_9s_posterior_with_the_rubbish_class_last() -> None:
    net, images = LeNet5Classic(penalty_scale=0.3, j=2.0), torch.rand(4, 1, 32, 32)
    with torch.no_grad():
        expected = posterior(0.3 * net(images), j=2.0)
    torch.testing.assert_close(probabilities(scores(net, images), net.rubbish), expected)
    of_today = probabilities(torch.tensor([[1.0, 2.0, 3.0]]))
    torch.testing.assert_close(of_today[:, :3], torch.tensor([[1.0, 2.0, 3.0]]).softmax(1))
    assert of_today[0, 3] == 0
