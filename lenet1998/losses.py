"""The two losses of section II.C, on penalties of any scale.

The paper writes them on the squared distances of eq. 7. The authors' software uses half of them:
pass `0.5 * net(images)` for its scale.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def mle_loss(penalties: Tensor, labels: Tensor) -> Tensor:
    """Maximum likelihood, eq. 8: the mean penalty of the right class.

    Args:
        penalties: `(N, classes)`.
        labels: `(N,)` int64.

    Returns:
        A scalar >= 0; NaN for an empty batch, as a mean is.
    """
    return _of_right_class(penalties, labels).mean()


def map_loss(penalties: Tensor, labels: Tensor, j: float = 1.0) -> Tensor:
    """Maximum a posteriori, eq. 9, with a rubbish class of constant penalty j.

        E = mean of  y_D + log( e^-j + sum over all i of e^-y_i )

    It pulls the right class's penalty down and pushes the others' up, each as far as it still
    matters. Computed as softplus of the log-sum-exp of the other classes' margins y_D - y_i and
    y_D - j: nothing overflows or underflows for penalties of thousands, and a loss near 0 keeps
    its digits.

    Args:
        penalties: `(N, classes)`.
        labels: `(N,)` int64.
        j: penalty of the rubbish class, > 0 in the paper, which prints no value.

    Returns:
        A scalar >= 0; NaN for an empty batch, as a mean is.
    """
    right = _of_right_class(penalties, labels).unsqueeze(1)
    margins = torch.cat([right - penalties, right - j], dim=1)
    others = margins.scatter(1, labels.unsqueeze(1), -math.inf)
    # Above its threshold softplus(x) is x; from 40 on that is so to the last bit of a float64.
    return F.softplus(torch.logsumexp(others, dim=1), threshold=40).mean()


def posterior(penalties: Tensor, j: float = math.inf) -> Tensor:
    """Eq. 9's probability of each class, with the rubbish class of penalty j behind them.

    Args:
        penalties: `(N, classes)`.
        j: penalty of the rubbish class; infinity leaves it out.

    Returns:
        `(N, classes + 1)`, rows that sum to 1; the last column is the rubbish class.
    """
    rubbish = penalties.new_full((len(penalties), 1), j)
    return torch.softmax(-torch.cat([penalties, rubbish], dim=1), dim=1)


def _of_right_class(penalties: Tensor, labels: Tensor) -> Tensor:
    return penalties.gather(1, labels.unsqueeze(1)).squeeze(1)
