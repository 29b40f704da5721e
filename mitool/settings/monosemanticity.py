"""The settings of runs that engineer monosemanticity, and the published table of them.

Jermyn, Schiefer and Hubinger 2022, "Engineering Monosemanticity in Toy Models", arXiv 2211.09169.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from mitool.core.config import FROZEN
from mitool.settings.spread import in_equal_ratios

FeatureTask = Literal["decoder", "abs", "reproject"]
NeuronActivation = Literal["relu", "gelu", "solu"]
SampleKind = Literal["equal", "power-law"]
Value = int | float | str
Axes = Mapping[str, tuple[Value, ...]]
"""Settings that are swept, by name: a model is trained for each combination of their values."""


@dataclass(frozen=True, kw_only=True, config=FROZEN)
class MonosemanticitySettings:
    """An MLP of one hidden layer on embedded features, and how it is trained.

    ``N``, ``m`` and ``k`` are the paper's names.
    """

    N: Annotated[int, Field(ge=1, le=65_536, description="Features")] = 512
    m: Annotated[int, Field(ge=1, le=65_536, description="Dimensions of the embedding")] = 64
    k: Annotated[int, Field(ge=1, le=65_536, description="Neurons")] = 1024
    eps: Annotated[
        float, Field(gt=0, le=1, description="How often a feature is not 0, on average")
    ] = 1 / 64
    log2_batch_size: Annotated[
        int, Field(ge=0, le=20, description="Fresh examples a step, as a power of two")
    ] = 13
    log2_training_steps: Annotated[
        int, Field(ge=0, le=24, description="Steps of training, as a power of two")
    ] = 17
    learning_rate: Annotated[
        float, Field(gt=0, le=10, description="Largest learning rate of LAMB")
    ] = 0.003
    half_period: Annotated[
        int, Field(ge=1, description="Steps in which the learning rate falls to 0, or rises again")
    ] = 512
    sample_kind: Annotated[
        SampleKind, Field(description="Features are equally frequent, or as i^-1.1")
    ] = "equal"
    task: Annotated[
        FeatureTask,
        Field(description="Output: the features, their absolute values or a second projection"),
    ] = "decoder"
    activation: Annotated[NeuronActivation, Field(description="Activation of the neurons")] = "relu"
    decay: Annotated[
        float,
        Field(
            ge=0,
            le=1000,
            description="In the first half of training the bias shrinks by decay times the "
            "learning rate a step",
        ),
    ] = 0.0
    initial_bias: Annotated[
        float, Field(ge=-1000, le=1000, description="Offset of the neurons' first biases")
    ] = 0.0
    reg: Annotated[
        float, Field(ge=0, le=1000, description="Weight of the activations' L1 norm in the loss")
    ] = 0.0
    mono_threshold: Annotated[
        float,
        Field(
            ge=0,
            lt=1,
            description="A neuron is monosemantic if one feature has more than this share of its "
            "activations",
        ),
    ] = 0.999

    @property
    def batch_size(self) -> int:
        return 2**self.log2_batch_size

    @property
    def steps(self) -> int:
        return 2**self.log2_training_steps


FIXED = ("log2_training_steps", "mono_threshold")
"""What all models of a sweep share."""

SWEEPABLE = tuple(f.name for f in fields(MonosemanticitySettings) if f.name not in FIXED)


@dataclass(frozen=True, config=FROZEN)
class Preset:
    """A line of the published table: settings, and what is swept."""

    settings: MonosemanticitySettings
    axes: dict[str, tuple[Value, ...]]


def _rounded(values: Iterable[float]) -> tuple[float, ...]:
    return tuple(float(f"{value:z.4g}") for value in values)


RATES: Axes = {"learning_rate": _rounded(in_equal_ratios(0.001, 0.03, 6))}
BIASES: Axes = {"initial_bias": tuple(round(-2 + 0.3 * i, 1) for i in range(11))}
DENSITIES: Axes = {"eps": _rounded(in_equal_ratios(1 / 2, 1 / 32, 11))}
NEURONS: Axes = {"k": tuple(2**i for i in range(4, 12))}
REGS: Axes = {"reg": tuple(10.0**-i for i in range(1, 8))}
DECAYS: Axes = {"decay": _rounded(in_equal_ratios(0.001, 0.1, 5))}
POWER_LAW = {"sample_kind": "power-law"}
NEGATIVE = {"decay": 0.03, "initial_bias": -1.0}
"""A negative bias that decays, which makes neurons monosemantic."""


def _preset(axes: Axes, **settings: Any) -> Preset:
    return Preset(MonosemanticitySettings(**settings), dict(axes))


PRESETS = {
    "LR1": _preset(RATES),
    "LR2": _preset(RATES, **POWER_LAW),
    "LR3": _preset(RATES, **NEGATIVE),
    "LR4": _preset(RATES, **POWER_LAW, **NEGATIVE),
    "LR5": _preset(RATES, task="abs", k=2048, **NEGATIVE),
    "B1": _preset(BIASES, eps=1 / 16, decay=0.03),
    "B2": _preset(BIASES, eps=1 / 32, decay=0.003),
    "B3": _preset(BIASES, eps=1 / 64, decay=0.003),
    "B4": _preset(BIASES, eps=1 / 128, decay=0.003),
    "B5": _preset(BIASES, eps=1 / 256, decay=0.003),
    "B6": _preset({**RATES, **BIASES}, activation="gelu", decay=0.03),
    "E1": _preset(DENSITIES, decay=0.03, initial_bias=-1.0),
    "E2": _preset(DENSITIES, decay=0.01, initial_bias=-1.0),
    "E3": _preset(DENSITIES, decay=0.003, initial_bias=-1.0),
    "E4": _preset(DENSITIES, decay=0.001, initial_bias=-1.0),
    "K0": _preset(NEURONS, learning_rate=0.007),
    "K1": _preset(NEURONS, learning_rate=0.007, **NEGATIVE),
    "K2": _preset(NEURONS, learning_rate=0.007, **POWER_LAW, **NEGATIVE),
    "RG1": _preset(REGS, learning_rate=0.005, **NEGATIVE),
    "RP1": _preset(RATES, task="reproject", **NEGATIVE),
    "D1": _preset(DECAYS, task="abs", k=2048, learning_rate=0.007, initial_bias=-1.0),
}
"""The published runs; B6 is what the source's table calls a second B3."""


@dataclass(frozen=True, config=FROZEN)
class Scale:
    """How runs are made smaller.

    The bias decays by as much over all of training: where there are fewer steps, by more a step.

    Attributes:
        sizes: by which ``N``, ``m`` and ``k`` are divided.
        batch: the same of the examples of a step.
        steps: the same of the steps.
    """

    sizes: int
    batch: int
    steps: int

    def __call__(self, preset: Preset) -> Preset:
        """The smaller runs."""
        s = preset.settings
        settings = replace(
            s,
            N=s.N // self.sizes,
            m=s.m // self.sizes,
            k=s.k // self.sizes,
            log2_batch_size=s.log2_batch_size - round(math.log2(self.batch)),
            log2_training_steps=s.log2_training_steps - round(math.log2(self.steps)),
            decay=s.decay * self.steps,
        )
        return Preset(settings, {name: self._scaled(name, v) for name, v in preset.axes.items()})

    def _scaled(self, name: str, values: tuple[Value, ...]) -> tuple[Value, ...]:
        if name == "k":
            return tuple(int(value) // self.sizes for value in values)
        if name == "decay":
            return tuple(float(value) * self.steps for value in values)
        return values

    def __str__(self) -> str:
        return (
            f"N, m and k divided by {self.sizes}, examples a step by {self.batch}, steps by "
            f"{self.steps}, and decay times {self.steps}, so that the bias decays by as much"
        )


ScaleName = Literal["published", "small"]
SCALES: Mapping[str, Scale] = {"published": Scale(1, 1, 1), "small": Scale(2, 32, 8)}
"""Sizes of the runs: the published ones, and some that two cores train in minutes."""
