"""The same update in JAX and the same reading in onnxruntime, where these are installed.

Both are held to PyTorch's before they are timed. `uv run --group benchmarks` installs them.
"""

import copy
import os
import tempfile
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lenet1998.layers import Squash
from lenet1998.learning import Recipe, ReferenceTrainer
from lenet1998.models import LeNet5Classic
from lenet1998.models.export import to_onnx

PACKAGES = ("jax", "onnxruntime")
CHECKED = 20  # updates, or digits


def installed(*packages: str) -> bool:
    return all(find_spec(package) is not None for package in packages)


def learners(
    net: LeNet5Classic, recipe: Recipe, h: Mapping[str, Tensor], images: Tensor, labels: Tensor
) -> dict[str, Callable[[Tensor, float], object]]:
    """Name -> what makes an update for each pattern of an order, at a rate, from the net's weights.

    Raises:
        AssertionError: where the first updates are not the reference's to rounding.
    """
    if not installed("jax"):
        return {}
    # One thread, as PyTorch has here; it is read when jax is imported.
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    learn = _jax_learner(net, recipe, h, images, labels)

    ours, order, eta = copy.deepcopy(net), torch.arange(CHECKED), recipe.eta(1)
    reference = ReferenceTrainer(ours, recipe)
    reference.set_curvature(h)
    seen = reference.learn(images, labels, order, eta)
    learned, energies = learn(order, eta)
    np.testing.assert_allclose(energies, seen.energies, rtol=1e-4, atol=1e-4)
    for name, parameter in ours.named_parameters():
        np.testing.assert_allclose(learned[name], parameter.detach(), rtol=1e-4, atol=1e-5)
    return {"jax": learn}


def _jax_learner(net, recipe, h, images, labels):
    import jax
    import jax.numpy as jnp

    def arrays(tensors):
        return {name: jnp.array(tensor.detach().numpy()) for name, tensor in tensors}

    weights, h = arrays(net.named_parameters()), arrays(h.items())
    centres, connection = net.output.centres.numpy(), net.c3.connection.numpy()

    def squash(sums):
        return Squash.AMPLITUDE * jnp.tanh(Squash.SLOPE * sums)

    def convolution(x, kernels, bias):
        return jax.lax.conv(x[None], kernels, (1, 1), "VALID")[0] + bias[:, None, None]

    def subsampling(x, coefficient, bias):
        maps, side, _ = x.shape
        summed = x.reshape(maps, side // 2, 2, side // 2, 2).sum((2, 4))
        return coefficient[:, None, None] * summed + bias[:, None, None]

    def loss(w, image, label):
        sparse = jnp.zeros((16 * 6, 5, 5)).at[connection].set(w["c3.weight"])
        x = squash(convolution(image, w["c1.weight"], w["c1.bias"]))
        x = squash(subsampling(x, w["s2.coefficient"], w["s2.bias"]))
        x = squash(convolution(x, sparse.reshape(16, 6, 5, 5), w["c3.bias"]))
        x = squash(subsampling(x, w["s4.coefficient"], w["s4.bias"]))
        x = squash(w["c5.weight"].reshape(120, 400) @ x.ravel() + w["c5.bias"])
        x = squash(w["f6.weight"] @ x + w["f6.bias"])
        y = recipe.penalty_scale * ((x - centres) ** 2).sum(1)
        return y[label] + jax.nn.logsumexp(-jnp.append(y, recipe.j))

    @jax.jit
    def scan(weights, eta, images, labels):
        def update(w, pattern):
            energy, of_w = jax.value_and_grad(loss)(w, *pattern)
            return {k: w[k] - eta / (recipe.mu + h[k]) * of_w[k] for k in w}, energy

        return jax.lax.scan(update, weights, (images, labels))

    def learn(order: Tensor, eta: float):
        patterns = images[order].numpy(), labels[order].numpy()
        return jax.block_until_ready(scan(weights, eta, *patterns))

    return learn


def readers(net: LeNet5Classic, images: Tensor) -> dict[str, Callable[[Tensor], object]]:
    """Name -> what gives the penalties of images.

    Raises:
        AssertionError: where the first digits' are not PyTorch's to rounding.
    """
    if not installed("onnxruntime", "onnx", "onnxscript"):
        return {}
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "net.onnx")
        to_onnx(net, file)
        providers = ["CPUExecutionProvider"]
        session = onnxruntime.InferenceSession(file, options, providers=providers)

    def read(images: Tensor) -> np.ndarray:
        (penalties,) = session.run(None, {"images": images.numpy()})
        return penalties

    few = images[:CHECKED]
    np.testing.assert_allclose(read(few), net(few).detach(), rtol=1e-4, atol=1e-4)
    return {"onnxruntime": read}
