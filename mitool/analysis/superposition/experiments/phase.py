"""What becomes of an extra feature, over sparsity and its relative importance."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Int
from torch import Tensor

from mitool.analysis.superposition import phases
from mitool.analysis.superposition.experiments.base import (
    Experiment,
    Families,
    Plan,
    Studied,
    config,
    family_name,
    prefixed,
    require_directions,
    sizes,
)
from mitool.core.errors import InputError, UsageError
from mitool.core.result import Claim
from mitool.settings import SuperpositionSettings
from mitool.settings.spread import importances, n_listed, sparsities

PUBLISHED = ((2, 1), (3, 2))
RELATIVE_IMPORTANCE = "0.1..10"


@dataclass(frozen=True)
class Diagram:
    """The phase of an extra feature in each cell, as an index of ``PHASES``.

    Attributes:
        density: of each row.
        importance: of the extra feature, of each column.
        inside: whether a cell is away from the boundaries of the closed form.
    """

    density: tuple[float, ...]
    importance: tuple[float, ...]
    found: Int[Tensor, "density importance"]
    predicted: Int[Tensor, "density importance"]
    inside: Tensor

    @classmethod
    def of(cls, studied: Studied) -> "Diagram":
        """The diagram of the models of a grid, whose rows are densities."""
        models = studied.models
        n_columns = int((models.density == models.density[0]).sum())
        density = models.density.reshape(-1, n_columns)
        importance = models.importance[:, -1].reshape(-1, n_columns)
        size: Literal[2, 3] = 2 if models.cfg.n_features == 2 else 3
        predicted = phases.predicted(size, density.double(), importance.double())
        return cls(
            tuple(density[:, 0].tolist()),
            tuple(importance[0].tolist()),
            phases.found(models.W).reshape(predicted.shape),
            predicted,
            phases.away_from_boundaries(predicted),
        )

    def agreement(self, cells: Tensor | None = None) -> float | None:
        """The share of the cells, or of some of them, where both phases are the same."""
        same = (self.found == self.predicted).double()
        same = same if cells is None else same[cells]
        return same.mean().item() if same.numel() else None


def _plans(settings: SuperpositionSettings) -> Mapping[str, Plan]:
    chosen = sizes(settings, *PUBLISHED)
    for n_features, n_hidden in set(chosen).difference(PUBLISHED):
        raise UsageError(
            "n_features, n_hidden: expected 2 in 1 or 3 in 2, which have a closed form, found "
            f"{n_features} in {n_hidden}"
        )
    side = settings.n_instances
    importance = settings.importance or RELATIVE_IMPORTANCE
    columns = importances(importance, n_listed(importance) or side)
    rows = sparsities(settings.sparsity, side)
    for what, values in (("sparsity", rows), ("importance", columns)):
        if any(a >= b for a, b in itertools.pairwise(values)):
            raise UsageError(
                f"{what}: expected one value after the other to rise along the axis of the "
                f"diagram, found {settings.sparsity if what == 'sparsity' else settings.importance}"
            )
    return {
        family_name(size): Plan(
            config(settings, size),
            tuple(sparsity for sparsity in rows for _ in columns),
            tuple((1.0,) * (size[0] - 1) + (extra,) for _ in rows for extra in columns),
            settings.init_scale,
        )
        for size in chosen
    }


def _claims(families: Families) -> Mapping[str, Claim]:
    """The share of cells that agree with the closed form: all, and away from its boundaries."""
    claims: dict[str, Claim] = {}
    for family, studied in families.items():
        diagram = Diagram.of(studied)
        claims[prefixed(family, "phase_agreement")] = diagram.agreement()
        claims[prefixed(family, "phase_agreement_inside")] = diagram.agreement(diagram.inside)
    return claims


def _require_grid(families: Families) -> None:
    """Check that the models are a grid of sparsities and importances of one feature."""
    require_directions(families)
    for name, studied in families.items():
        models = studied.models
        same = models.density == models.density[0]
        n_columns = int(same.sum())
        is_grid = (
            (models.cfg.n_features, models.cfg.n_hidden) in PUBLISHED
            and len(models) % n_columns == 0
            and bool((models.importance[:, :-1] == 1).all())
            and _repeats(models.density.reshape(-1, n_columns).T)
            and _repeats(models.importance[:, -1].reshape(-1, n_columns))
        )
        if not is_grid:
            raise InputError(
                f"{name or 'models'}: expected a grid of sparsities and of importances of an extra "
                "feature, found other models; take a run of mitool superpose phase"
            )


def _repeats(rows: Tensor) -> bool:
    return bool(torch.all(rows == rows[:1]))


PHASE = Experiment(
    name="phase",
    plans=_plans,
    claims=_claims,
    require=_require_grid,
)
