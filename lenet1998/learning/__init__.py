"""Learning as in 1998: second derivatives, the update rule, recipes and training runs."""

from lenet1998.learning.curvature import gauss_newton_diagonal, loss_curvature
from lenet1998.learning.online import FusedTrainer, OnlineTrainer, ReferenceTrainer
from lenet1998.learning.recipe import PRESETS, Recipe, initialise, preset
from lenet1998.learning.sdlm import StochasticDiagonalLM
from lenet1998.learning.study import train_many
from lenet1998.learning.training import Run, RunError, train

__all__ = [
    "PRESETS",
    "FusedTrainer",
    "OnlineTrainer",
    "Recipe",
    "ReferenceTrainer",
    "Run",
    "RunError",
    "StochasticDiagonalLM",
    "gauss_newton_diagonal",
    "initialise",
    "loss_curvature",
    "preset",
    "train",
    "train_many",
]
