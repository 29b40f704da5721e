"""The settings of toy models of superposition."""

from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from mitool.config import FROZEN
from mitool.settings.spread import importances, sparsities

OutputActivation = Literal["relu", "linear"]


@dataclass(frozen=True, kw_only=True, config=FROZEN)
class SuperpositionSettings:
    """Toy models of superposition that are trained side by side, and how.

    Where a size is left out, an experiment takes the published ones, which may be several.
    """

    n_features: Annotated[
        int | None, Field(ge=1, le=65_536, description="Features; left out: as published")
    ] = None
    n_hidden: Annotated[
        int | None, Field(ge=1, le=65_536, description="Hidden dimensions; left out: as published")
    ] = None
    n_instances: Annotated[
        int, Field(ge=1, le=10_000, description="Models, one for each sparsity")
    ] = 10
    importance: Annotated[
        str | None,
        Field(
            description="Importance of feature i: 0.9^i, 1..0.01 (in equal ratios) or 1; left out: "
            "as published"
        ),
    ] = None
    sparsity: Annotated[
        str,
        Field(
            description="How often a feature is 0, by model: 0..0.95 (densities in equal ratios), "
            "a list such as 0,0.5,0.9, or one"
        ),
    ] = "0..0.95"
    activation: Annotated[OutputActivation, Field(description="Activation of the outputs")] = "relu"
    restarts: Annotated[
        int,
        Field(ge=1, le=10_000, description="Models trained for each one, of which the best counts"),
    ] = 1
    batch_size: Annotated[int, Field(ge=1, le=1_000_000, description="Fresh examples a step")] = (
        1024
    )
    steps: Annotated[int, Field(ge=1, description="Steps of training")] = 10_000
    lr: Annotated[float, Field(gt=0, le=1000, description="Learning rate of AdamW")] = 1e-3
    weight_decay: Annotated[
        float, Field(ge=0, le=1000, description="Weight decay of AdamW (torch's default)")
    ] = 0.01
    eval_every: Annotated[int, Field(ge=1, description="Steps between evaluations")] = 100
    checkpoint_every: Annotated[
        int, Field(ge=0, description="Steps between checkpoints; 0: only the last")
    ] = 0

    @model_validator(mode="after")
    def _check(self) -> "SuperpositionSettings":
        if (self.n_features is None) != (self.n_hidden is None):
            raise ValueError(
                "n_features and n_hidden: expected both or neither; give the other too"
            )
        if self.importance is not None:
            try:
                importances(self.importance, self.n_features or 1)
            except ValueError as failure:
                raise ValueError(f"importance: {failure}") from None
        try:
            sparsities(self.sparsity, self.n_instances)
        except ValueError as failure:
            raise ValueError(f"sparsity: {failure}") from None
        return self
