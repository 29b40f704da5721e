"""The settings of toy models of superposition."""

from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from mitool.core.config import FROZEN, build, field_hints
from mitool.core.errors import UsageError, quoted
from mitool.settings.spread import importances, n_listed, sparsities

OutputActivation = Literal["relu", "linear"]


@dataclass(frozen=True, kw_only=True, config=FROZEN)
class SuperpositionSettings:
    """Toy models of superposition that are trained side by side, and how.

    Where a size is left out, an experiment takes the published ones, which may be several.
    Published: Elhage et al. 2022, arXiv 2209.10652, and the notebook beside it.
    """

    n_features: Annotated[
        int | None, Field(ge=1, le=65_536, description="Features; left out: as published")
    ] = None
    n_hidden: Annotated[
        int | None, Field(ge=1, le=65_536, description="Hidden dimensions; left out: as published")
    ] = None
    n_instances: Annotated[
        int,
        Field(ge=1, le=10_000, description="Models; a list of sparsities says how many it is for"),
    ] = 10
    importance: Annotated[
        str | None,
        Field(
            description="Importance of feature i: 0.9^i, 1..0.01 (in equal ratios), a list such as "
            "1,0.5,0.2, one for each feature, or 1; left out: as published"
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
    init_scale: Annotated[
        float,
        Field(
            gt=0, le=100, description="First weights: so many times Glorot and Bengio's (xavier)"
        ),
    ] = 1.0
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
                "n_features (or a list of importances) and n_hidden: expected both or neither; "
                "give the other too"
            )
        if self.importance is not None:
            n = n_listed(self.importance) or self.n_features or 1
            try:
                importances(self.importance, n)
            except ValueError as failure:
                raise ValueError(f"importance: {failure}") from None
        try:
            sparsities(self.sparsity, self.n_instances)
        except ValueError as failure:
            raise ValueError(f"sparsity: {failure}") from None
        return self


OF_FEATURES = {"sparsity": "n_instances", "importance": "n_features"}
OF_DIAGRAM = {"sparsity": "n_instances", "importance": "n_instances"}
"""Settings that may be lists, each with the setting that says of how many values: of a diagram both
lists are a side.
"""


@dataclass(frozen=True, config=FROZEN)
class Preset:
    """An experiment's line of help, and its defaults.

    Attributes:
        counts: the settings that may be lists, each with the one that says of how many values.
    """

    summary: str
    settings: SuperpositionSettings
    counts: Mapping[str, str] = field(default_factory=lambda: OF_FEATURES)

    def settled(self, stated: Mapping[str, Any]) -> SuperpositionSettings:
        """The experiment's settings but for what is stated, in which a list says how many there
        are.

        Raises:
            UsageError: a number is stated that is not the one of a list, or a value is out of its
                range.
        """
        said = dict[str, int]()
        for name, count in self.counts.items():
            given = stated.get(name)
            n = n_listed(given) if isinstance(given, str) else None
            if n is None:
                continue
            if stated.get(count, n) != n:
                option = f"--{count.replace('_', '-')}"
                raise UsageError(
                    f"{option} {stated[count]} and --{name} {quoted(str(given))}: expected a list "
                    f"of as many values, found {n}; leave {option} out, or give another list"
                )
            said.setdefault(count, n)
        own = {name: getattr(self.settings, name) for name in field_hints(SuperpositionSettings)}
        return build(SuperpositionSettings, {**own, **said, **stated})


UNIFORM = SuperpositionSettings(
    n_features=200, n_hidden=20, n_instances=20, importance="1", init_scale=0.25
)
"""Many features of the same importance, ten for each dimension.

The published notebook draws about as small weights: torch's ``xavier_normal_`` takes its stack
[instance, feature, hidden] for the kernels of a convolution.
"""

PRESETS = {
    "intro": Preset(
        "Draw five features in two dimensions: the sparser, the more are superposed.",
        SuperpositionSettings(n_features=5, n_hidden=2, importance="0.9^i"),
    ),
    "norms": Preset(
        "Draw the norms of features, coloured by superposition, beside W^T W and b.",
        SuperpositionSettings(),
    ),
    "geometry": Preset(
        "Draw dimensions per feature over sparsity, with its plateaus at 1 and 1/2.", UNIFORM
    ),
    "dimensionality": Preset(
        "Draw the dimensionality of every feature over sparsity, and count its clusters.", UNIFORM
    ),
    "phase": Preset(
        "Draw what becomes of an extra feature over sparsity and importance.",
        SuperpositionSettings(
            n_instances=20,
            sparsity="0..0.99",
            importance="0.1..10",
            restarts=10,
            batch_size=512,
            steps=2000,
            lr=1e-2,
            eval_every=500,
        ),
        OF_DIAGRAM,
    ),
    "correlated": Preset(
        "Draw where correlated and anticorrelated features have their directions.",
        SuperpositionSettings(
            n_features=4,
            n_hidden=2,
            n_instances=5,
            importance="1",
            sparsity="0.6..0.98",
            restarts=8,
        ),
    ),
    "basis": Preset(
        "Draw what neurons stand for, and the computation of |x| in superposition.",
        SuperpositionSettings(n_instances=5, sparsity="0..0.99", init_scale=0.1, restarts=4),
    ),
    "train": Preset(
        "Train models of superposition of any size, and draw what all of them have.",
        SuperpositionSettings(n_features=5, n_hidden=2, importance="0.9^i"),
    ),
}
"""The experiments by name."""
