"""The settings of analyses."""

from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from mitool.core.config import FROZEN

Direction = Literal["denoise", "noise"]
Ablation = Literal["patch", "zero", "mean", "mean-positional"]
Between = Literal["frozen", "mlps", "recomputed"]
MetricName = Literal["logit-diff", "prob-diff", "greater-than", "log-prob", "kl", "accuracy"]
Level = Literal["edge", "node", "neuron"]
MethodName = Literal[
    "eap", "eap-ig", "eap-ig-activations", "clean-corrupted", "exact", "acdc", "random"
]
Selection = Literal["absolute", "signed", "greedy"]
Bos = Literal["auto", "yes", "no"]


@dataclass(frozen=True, kw_only=True, config=FROZEN)
class FourierSettings:
    """What the Fourier analysis counts as a key frequency."""

    threshold: Annotated[
        float,
        Field(gt=0, lt=1, description="Least share of the logit variance of a key frequency"),
    ] = 0.01
    neuron_threshold: Annotated[
        float,
        Field(gt=0, lt=1, description="Least share of the neurons of a key frequency of theirs"),
    ] = 0.01


ChosenBos = Annotated[
    Bos,
    Field(
        description="Whether texts of a pretrained model start with its tokenizer's BOS: auto is "
        "the tokenizer's own rule, yes exactly one, no none"
    ),
]


@dataclass(frozen=True, kw_only=True, config=FROZEN)
class AttentionSettings:
    """What the analysis of attention looks at."""

    examples: Annotated[
        int | None,
        Field(
            ge=1,
            le=1_000_000,
            description="Examples of the task; left out: all of a list of up to 65 536, else 1 024",
        ),
    ] = None
    shown: Annotated[
        int, Field(ge=1, le=16, description="Examples whose patterns the report shows")
    ] = 6
    bos: ChosenBos = "auto"


ChosenMetric = Annotated[
    MetricName | None,
    Field(description="Measure of the answer; left out: the task's own, or logit-diff"),
]
NumberOfPairs = Annotated[
    int | None,
    Field(
        ge=1,
        le=1_000_000,
        description="Pairs: the first of a file, or drawn from the task; left out: all, or 256, "
        "or as many as a small task has inputs for",
    ),
]
Memory = Annotated[
    int | None,
    Field(
        ge=1,
        description="MiB of activations at a time; left out: 512, or a quarter of "
        "what is free if that is less",
    ),
]
"""What all interventions share."""


@dataclass(frozen=True, kw_only=True, config=FROZEN)
class PatchSettings:
    """What is patched from where, and what it is judged by."""

    direction: Annotated[
        Direction | None,
        Field(
            description="denoise: clean into the corrupted run; noise: the other way round; "
            "left out: denoise, and noise for ablations"
        ),
    ] = None
    ablation: Annotated[
        Ablation,
        Field(description="What is put in: the other run's activation, zeros, or means over pairs"),
    ] = "patch"
    metric: ChosenMetric = None
    between: Annotated[
        Between,
        Field(
            description="What lies between the ends of a --path: frozen, only mlps recomputed, or "
            "all recomputed"
        ),
    ] = "frozen"
    by_position: Annotated[
        bool, Field(description="Patch heads at each position too, not only at all at once")
    ] = False
    n_pairs: NumberOfPairs = None
    bos: ChosenBos = "auto"
    resamples: Annotated[
        int, Field(ge=100, le=1_000_000, description="Bootstrap resamples, and permutations")
    ] = 5_000
    memory: Memory = None


SIZES = ("edges", "threshold", "fraction")
"""Settings that say how large a circuit is."""


@dataclass(frozen=True, kw_only=True, config=FROZEN)
class CircuitSettings:
    """How edges are scored, which of them make a circuit, and what it is tested by."""

    method: Annotated[
        MethodName | None,
        Field(
            description="How units are scored; left out: eap-ig, or not at all where a circuit or "
            "scores are given"
        ),
    ] = None
    level: Annotated[
        Level,
        Field(
            description="Units of a circuit: edges, nodes, or neurons (dimensions of what nodes "
            "write)"
        ),
    ] = "edge"
    by_position: Annotated[
        bool, Field(description="Tell edges apart by the positions that they carry")
    ] = False
    ablation: Annotated[
        Ablation,
        Field(
            description="What all else carries: what is written on the corrupted input, zeros, or "
            "means over pairs"
        ),
    ] = "patch"
    ig_steps: Annotated[
        int, Field(ge=1, le=10_000, description="Points of integrated gradients")
    ] = 5
    selection: Annotated[
        Selection,
        Field(
            description="Largest scores of either sign first, or the largest, or greedily from "
            "the logits"
        ),
    ] = "absolute"
    edges: Annotated[
        int | None,
        Field(
            ge=1,
            description="Edges to keep (nodes or neurons, at those levels), before dead ones are "
            "pruned; left out: the fewest that reach --reach",
        ),
    ] = None
    threshold: Annotated[
        float | None,
        Field(
            ge=0,
            description="Keep what has at least this score; of acdc, what the metric may lose by "
            "an edge (left out: 1 % of what all of them carry)",
        ),
    ] = None
    fraction: Annotated[
        float | None, Field(gt=0, le=1, description="Keep this share of all units")
    ] = None
    reach: Annotated[
        float,
        Field(gt=0, le=1, description="Faithfulness to reach where no size is given, where found"),
    ] = 0.9
    metric: ChosenMetric = None
    n_pairs: NumberOfPairs = None
    bos: ChosenBos = "auto"
    holdout: Annotated[
        float,
        Field(
            ge=0,
            lt=1,
            description="Share of the pairs kept for testing alone, which share no input with the "
            "others; 0: none",
        ),
    ] = 0.0
    random_circuits: Annotated[
        int, Field(ge=0, le=1000, description="Random circuits of the same size to compare with")
    ] = 10
    minimality: Annotated[
        int,
        Field(
            ge=0,
            le=1_000_000,
            description="Units of the circuit to take away, each alone; of more, a random sample",
        ),
    ] = 64
    audit: Annotated[
        int, Field(ge=0, le=1_000_000, description="Units to patch exactly, beside their scores")
    ] = 0
    resamples: Annotated[int, Field(ge=100, le=1_000_000, description="Bootstrap resamples")] = (
        5_000
    )
    memory: Memory = None

    @model_validator(mode="after")
    def _check_size(self) -> "CircuitSettings":
        given = [name for name in SIZES if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)}: expected one of them; leave the others out")
        if self.by_position and self.level != "edge":
            raise ValueError(f"by_position: expected edges, found level {self.level}")
        return self
