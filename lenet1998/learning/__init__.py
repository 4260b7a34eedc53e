"""Learning: the rule of 1998 and that of today, recipes, and training runs."""

from typing import TYPE_CHECKING

from lenet1998.lazy import lazily

if TYPE_CHECKING:
    from lenet1998.learning.curvature import loss_curvature as loss_curvature
    from lenet1998.learning.fused import FusedTrainer as FusedTrainer
    from lenet1998.learning.online import OnlineTrainer as OnlineTrainer
    from lenet1998.learning.online import ReferenceTrainer as ReferenceTrainer
    from lenet1998.learning.presets import PRESETS as PRESETS
    from lenet1998.learning.presets import preset as preset
    from lenet1998.learning.recipe import BoostedRecipe as BoostedRecipe
    from lenet1998.learning.recipe import MinibatchRecipe as MinibatchRecipe
    from lenet1998.learning.recipe import Recipe as Recipe
    from lenet1998.learning.recipe import initialise as initialise
    from lenet1998.learning.rule import gauss_newton_diagonal as gauss_newton_diagonal
    from lenet1998.learning.sdlm import StochasticDiagonalLM as StochasticDiagonalLM
    from lenet1998.runs.many import train_many as train_many
    from lenet1998.runs.run import Run as Run
    from lenet1998.runs.run import RunError as RunError
    from lenet1998.runs.run import train as train
    from lenet1998.runs.workers import Workers as Workers

__getattr__, __all__ = lazily(
    __name__,
    {
        "learning.curvature": "loss_curvature",
        "learning.fused": "FusedTrainer",
        "learning.online": "OnlineTrainer ReferenceTrainer",
        "learning.presets": "PRESETS preset",
        "learning.recipe": "BoostedRecipe MinibatchRecipe Recipe initialise",
        "learning.rule": "gauss_newton_diagonal",
        "learning.sdlm": "StochasticDiagonalLM",
        "runs.many": "train_many",
        "runs.run": "Run RunError train",
        "runs.workers": "Workers",
        "": "rule",
    },
)
