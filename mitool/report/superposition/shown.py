"""Which models of superposition are drawn, and how they are called."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor

from mitool.analysis.superposition.experiments import Families, Studied
from mitool.models.superposition import Autoencoders
from mitool.report.figures import drawable, spread

DENSITY = "density 1 - S"
INVERSE_DENSITY = "1/(1 - S), the inverse density"

UNREPRESENTED = "#B8BEC7"
"""The grey of features that are not represented."""

MAX_FAMILY = 24
"""Letters of the name of a family."""


@dataclass(frozen=True)
class Family:
    """Models of one shape, and how their figures are called.

    Attributes:
        key: of their losses in a history.
        name: in short; of a lone family without a name it is empty.
    """

    key: str
    name: str
    studied: Studied
    suffix: str
    is_lone: bool

    @property
    def models(self) -> Autoencoders:
        return self.studied.models

    def figure_name(self, kind: str) -> str:
        """Of a figure of that kind, which every family has one of."""
        return kind if self.is_lone else f"{kind}_{self.suffix}"

    def title(self, of: str) -> str:
        """Of a figure: what it shows, and of which family."""
        return f"{of}: {self.name}" if self.name else of

    @property
    def size(self) -> str:
        """The models' shape in words."""
        n, m = self.models.cfg.n_features, self.models.cfg.n_hidden
        features = f"{n:,} feature{'s' if n > 1 else ''}"
        return f"{features} in {m:,} dimension{'s' if m > 1 else ''}"


def families_of(families: Families) -> Iterator[Family]:
    """The families with names for their figures, no two alike."""
    for index, (key, studied) in enumerate(families.items()):
        name = key if len(key) <= MAX_FAMILY else f"{key[: MAX_FAMILY - 1]}…"
        safe = re.fullmatch(rf"[A-Za-z0-9]{{1,{MAX_FAMILY}}}", key)
        suffix = key if safe else f"family-{index}"
        yield Family(key, name, studied, suffix, len(families) == 1)


def chosen(models: Autoencoders, most: int) -> list[int]:
    """The models that are drawn, from the densest to the sparsest; of more than ``most``, some
    that are spread evenly.
    """
    order = by_density(models)
    return [order[place] for place in spread(len(order), most)]


def by_density(models: Autoencoders) -> list[int]:
    """All models, from the densest to the sparsest."""
    return models.density.argsort(descending=True, stable=True).tolist()


def left_out(models: Autoencoders, drawn: Sequence[int]) -> str:
    """What a caption says of the models that are not drawn."""
    if len(drawn) == len(models):
        return ""
    return f" {len(drawn)} of {len(models):,} models are drawn, from the densest to the sparsest."


def model_name(models: Autoencoders, index: int) -> str:
    """A model by its density, and by its number where others have the same."""
    density = models.density[index]
    name = f"1 - S = {density.item():z.2g}"
    return name if int((models.density == density).sum()) == 1 else f"{name}, no. {index}"


def inverse_density(models: Autoencoders) -> list[float | None]:
    """``1/(1 - S)`` of each model."""
    return [drawable(1 / value if value > 0 else None, 0) for value in models.density.tolist()]


def digits(values: Tensor) -> list[float]:
    """The values to the digits that can be seen."""
    return [float(f"{value:z.4g}") for value in values.tolist()]
