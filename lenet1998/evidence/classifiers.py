"""What stands here for each bar of Figs. 9 to 12, in a line or two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from lenet1998.evidence.fits import Fit
from lenet1998.learning.presets import preset, recipe_for
from lenet1998.learning.recipe import Recipe

__all__ = ["ROWS", "OnStates", "network"]


def network(name: str, *, distorted: bool = False) -> Recipe:
    """The recipe of a network of the catalogue, perhaps with the patterns of `paper-distorted`."""
    recipe = recipe_for(name)
    assert isinstance(recipe, Recipe)
    if not distorted:
        return replace(recipe, name=name)
    like: Recipe = preset("paper-distorted")
    copies, distortions = like.distorted_copies, like.distortions
    return replace(
        recipe, name=f"{name}-distorted", distorted_copies=copies, distortions=distortions
    )


@dataclass(frozen=True)
class OnStates:
    """A classifier that takes the states of LeNet-4's last hidden layer for pixels."""

    fit: Fit


_PLAIN, _DESLANTED = "28x28", "20x20 deslanted"
_SVM = "svm:PolynomialSVM"
_MIXED = {"constant": 1.0, "C": 10.0}  # products of all degrees up to the highest

ROWS: Mapping[str, Recipe | Fit | OnStates] = {
    "Linear": Fit("linear", "linear:LinearClassifier"),
    "Linear, deslanted": Fit("linear-deslanted", "linear:LinearClassifier", version=_DESLANTED),
    "Pairwise linear": Fit("pairwise", "linear:PairwiseLinearClassifier"),
    "K-NN Euclidean": Fit("neighbours", "neighbours:NearestClassifier"),
    "K-NN Euclidean, deslanted": Fit(
        "neighbours-deslanted", "neighbours:NearestClassifier", version=_DESLANTED
    ),
    "40 PCA + quadratic": Fit("quadratic", "quadratic:QuadraticClassifier"),
    "1000 RBF + linear": Fit("rbf", "rbf:RBFClassifier"),
    "Tangent distance": Fit("tangent", "tangent:TangentDistanceClassifier", version="16x16"),
    "SVM poly 4": Fit("svm-4", _SVM, {"degree": 4}),
    "RS-SVM poly 5": Fit("rs-svm-5", "svm:ReducedSVM", {"degree": 5, **_MIXED}),
    "V-SVM poly 9, distorted": Fit("v-svm-9", _SVM, {"degree": 9, "shifts": 4, **_MIXED}),
    "MLP 300-10": network("fully-connected-300"),
    "MLP 300-10, distorted": network("fully-connected-300", distorted=True),
    "MLP 300-10, deslanted": network("fully-connected-300-deslanted"),
    "MLP 1000-10": network("fully-connected-1000"),
    "MLP 1000-10, distorted": network("fully-connected-1000", distorted=True),
    "MLP 300-100-10": network("fully-connected-300-100"),
    "MLP 300-100-10, distorted": network("fully-connected-300-100", distorted=True),
    "MLP 500-150-10": network("fully-connected-500-150"),
    "MLP 500-150-10, distorted": network("fully-connected-500-150", distorted=True),
    "LeNet-1": network("lenet1"),
    "LeNet-4": network("lenet4"),
    "LeNet-4 + local learning": OnStates(Fit("local", "local:LocalLinearClassifier")),
    "LeNet-4 + K-NN": OnStates(Fit("neighbours", "neighbours:NearestClassifier")),
    "LeNet-5": preset("paper"),
    "LeNet-5, distorted": preset("paper-distorted"),
    "Boosted LeNet-4, distorted": network("lenet4-boosted"),
}
"""By the names and in the order of the bars (`evidence.facts.all_bars`)."""
