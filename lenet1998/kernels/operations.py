"""What every kind of layer can do. The plans' modules say how, one overload for each kind.

All work on flat float32 arrays in the layout of the plans:

- `weights`, and `steps` and `gradients` of the same layout;
- `states`, and `errors` (derivatives of the loss) of the same layout.
"""

from __future__ import annotations


def forward(layer, weights, states) -> None:
    """States of the layer's units, squashed, from the states below."""


def backward(layer, order, weights, states, factors, errors, gradients) -> None:
    """From dE/da of the layer's units: dE/dw added to `gradients`, dE/da of the units below.

    With order 1, `factors` is `states`. Order 2 gives second derivatives in the same way (eqs. 25
    and 27): then `weights` holds the squares of the weights, `factors` those of the states, and
    `gradients` gathers h.
    """


def backward_and_learn(layer, weights, steps, states, errors) -> None:
    """As `backward` of order 1, but each weight takes its step at once: w -= step dE/dw."""


def finish_update(layer, weights) -> None:
    """Bring whatever the layer derives from its weights up to date with them."""
