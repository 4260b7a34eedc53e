"""The compiled programs that run a whole network: learn, estimate curvature, read.

A program is compiled for the plan of its network, sizes and all, and kept on disk by Numba.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numba.extending import register_jitable

from lenet1998.compiled import compiled
from lenet1998.data.field import HIGHEST_LEVEL, LOWEST_LEVEL
from lenet1998.kernels.chain import Chain
from lenet1998.kernels.known import called_by_kernels, depends_on
from lenet1998.kernels.layout import LANES
from lenet1998.kernels.operations import backward, backward_and_learn, finish_update, forward
from lenet1998.kernels.plan import Plan
from lenet1998.kernels.rbf import (
    backward_centres,
    backward_rbf,
    curvature_of_centres,
    curvature_of_loss,
    loss_and_slopes,
    penalties,
)
from lenet1998.kernels.simd import load, splat, store
from lenet1998.kernels.squash import through_squash

IMAGES_AT_ONCE = 8
"""Images that the full layers read together: enough to hide the loads of their weights."""


@called_by_kernels
def take_image(image, states):
    """Copy an image to the bottom of the states; false if a level is NaN or out of range."""
    fits = True
    for i in range(len(image)):
        level = image[i]
        fits &= (level >= LOWEST_LEVEL) & (level <= HIGHEST_LEVEL)
        states[i] = level
    return fits


@called_by_kernels
def take_steps(weights, steps, gradients):
    """w -= step dE/dw over whole vectors, and the gradients back to 0 for the next pattern."""
    for i in range(0, len(gradients), LANES):
        gradient = load(LANES, gradients, i)
        store(load(LANES, weights, i) - load(LANES, steps, i) * gradient, weights, i)
        store(splat(LANES, np.float32(0)), gradients, i)


_ADAM_MEMORIES, _ADAM_EPSILON = (0.9, 0.999), 1e-8
"""PyTorch's, of the mean and the mean square."""


# Without Python's check of every divisor the loop becomes vector code. Not `njit`: a program that
# captures a compiled function is found on the disk by its own process alone.
@register_jitable(error_model="numpy")
def take_adam_steps(weights, rates, gradients, means, squares, count):
    """One step of Adam, the `count`-th, and the gradients back to 0 for the next pattern."""
    to_mean = np.float32(1 - _ADAM_MEMORIES[0])
    to_square = np.float32(1 - _ADAM_MEMORIES[1])
    of_mean = np.float32(1 / (1 - _ADAM_MEMORIES[0] ** count))
    of_root = np.float32(1 / math.sqrt(1 - _ADAM_MEMORIES[1] ** count))
    epsilon = np.float32(_ADAM_EPSILON)
    for i in range(len(gradients)):
        gradient = gradients[i]
        means[i] += to_mean * (gradient - means[i])
        squares[i] += to_square * (gradient * gradient - squares[i])
        step = means[i] * of_mean / (np.sqrt(squares[i]) * of_root + epsilon)
        weights[i] -= rates[i] * step
        gradients[i] = 0


@dataclass(frozen=True)
class Programs:
    """The compiled programs of one plan; see `programs_for`."""

    learn: Callable[..., int]
    learn_by_adam: Callable[..., int]
    curvature: Callable[..., int]
    read: Callable[..., int]
    mirror: Callable[..., None]


@cache
def programs_for(plan: Plan) -> Programs:
    """Programs over a plan's flat arrays, compiled at their first call or read from the disk."""
    convolutional, full, output = plan.convolutional, plan.full, plan.output
    state_count = plan.states
    classes, top, top_end = output.classes, output.inputs, output.inputs + output.padded
    top_squash = full.layers[-1].squash

    @called_by_kernels
    @depends_on(plan)
    def by_steps(weights, steps, means, squares, count, states, errors, gradients):
        """Each weight takes its own step: the full layers' as the error passes."""
        backward_and_learn(full, weights, steps, states, errors)
        backward(convolutional, 1, weights, states, states, errors, gradients)
        take_steps(weights, steps, gradients)

    @called_by_kernels
    @depends_on(plan)
    def by_adam(weights, rates, means, squares, count, states, errors, gradients):
        backward(full, 1, weights, states, states, errors, gradients)
        backward(convolutional, 1, weights, states, states, errors, gradients)
        take_adam_steps(weights, rates, gradients, means, squares, count)

    def learning(update: Callable[..., None], gradient_count: int) -> Callable[..., int]:
        @compiled
        @depends_on(plan, update.__name__)
        def learn(
            weights, steps, means, squares, taken, scale, is_map, j, images, labels, order, seen,
            energies,
        ):  # fmt: skip
            """One update for each index in `order`; Adam's rule has `taken` steps before them.

            `seen` and `energies` take what came before each. Stops at the first image with a level
            out of range; returns how many were in order.
            """
            states = np.zeros(state_count, np.float32)
            errors = np.zeros(state_count, np.float32)
            gradients = np.zeros(gradient_count, np.float32)
            slopes = np.zeros(classes, np.float32)
            for step in range(len(order)):
                pattern = order[step]
                if not take_image(images[pattern], states):
                    return step
                forward(convolutional, weights, states)
                forward(full, weights, states)
                penalties(output, weights, states, scale, seen[step])
                label = labels[pattern]
                energies[step] = loss_and_slopes(seen[step], classes, label, is_map, j, slopes)
                for i in range(classes):
                    slopes[i] *= 2 * scale
                backward_rbf(output, weights, states, slopes, errors)
                through_squash(top_squash, 1, errors, states, top, top_end)
                backward_centres(output, weights, states, slopes, gradients)
                count = taken + step + 1
                update(weights, steps, means, squares, count, states, errors, gradients)
                finish_update(convolutional, weights)
            return len(order)

        return learn

    @compiled
    @depends_on(plan)
    def curvature(weights, is_exact, scale, is_map, j, images, total):
        """The second derivatives of each image, added to `total` in the layout of the weights."""
        states = np.zeros(state_count, np.float32)
        squares = np.zeros(state_count, np.float32)
        errors = np.zeros(state_count, np.float32)
        out = np.zeros(classes, np.float32)
        slopes = np.zeros(classes, np.float32)
        squared_weights = np.empty_like(weights)
        for i in range(len(weights)):
            squared_weights[i] = weights[i] * weights[i]
        for pattern in range(len(images)):
            if not take_image(images[pattern], states):
                return pattern
            forward(convolutional, weights, states)
            forward(full, weights, states)
            if is_exact and is_map:
                penalties(output, weights, states, scale, out)
                loss_and_slopes(out, classes, 0, True, j, slopes)
                slopes[0] -= np.float32(1)
                posterior, of_digits = slopes, np.float32(0)
                for i in range(classes):
                    posterior[i] = -slopes[i]
                    of_digits += posterior[i]
                rubbish = max(np.float32(0), np.float32(1) - of_digits)
                curvature_of_loss(output, weights, states, scale, posterior, rubbish, errors)
            else:
                for i in range(top, top_end):
                    errors[i] = 2 * scale
            curvature_of_centres(output, errors, total)
            for i in range(state_count):
                squares[i] = states[i] * states[i]
            through_squash(top_squash, 2, errors, states, top, top_end)
            backward(full, 2, squared_weights, states, squares, errors, total)
            backward(convolutional, 2, squared_weights, states, squares, errors, total)
        return len(images)

    # To read many images the full layers, whose weights outgrow the nearest cache, take several
    # at once: their states, and those that they see, then lie image by image in an array apart.
    # Of a field of several digits they take several places.
    places, seen_by_full = plan.places, full.layers[0].inputs
    next_place = convolutional.layers[-1].padded if places > 1 else 0
    several = {"images": IMAGES_AT_ONCE, "stride": state_count}
    full_of_several = Chain(tuple(replace(layer, **several) for layer in full.layers))

    @compiled
    @depends_on(plan)
    def read(weights, images, out):
        """The penalties of each image, squared distances; stops as `learn` does.

        Of a field of several digits those of each place are a row of `out`.
        """
        states = np.zeros(state_count, np.float32)
        apart = np.zeros((IMAGES_AT_ONCE, state_count), np.float32)
        for begin in range(0, len(out), IMAGES_AT_ONCE):
            count = min(IMAGES_AT_ONCE, len(out) - begin)
            for i in range(count):
                image, place = divmod(begin + i, places)
                if place == 0:
                    if not take_image(images[image], states):
                        return image
                    forward(convolutional, weights, states)
                shift = place * next_place
                # By hand: Numba checks the shapes of slices with words, 2 s more to compile.
                for k in range(seen_by_full, state_count - shift):
                    apart[i, k] = states[k + shift]
            if count == IMAGES_AT_ONCE:
                forward(full_of_several, weights, apart.reshape(-1))
            else:
                for i in range(count):
                    forward(full, weights, apart[i])
            for i in range(count):
                penalties(output, weights, apart[i], np.float32(1), out[begin + i])
        return len(images)

    @compiled
    @depends_on(plan)
    def mirror(weights):
        finish_update(convolutional, weights)

    return Programs(
        learn=learning(by_steps, plan.convolutional_weights),
        learn_by_adam=learning(by_adam, plan.trained_weights),
        curvature=curvature,
        read=read,
        mirror=mirror,
    )
