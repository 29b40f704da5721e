"""The settings of a model and of its training: what a task presets and an option overrides."""

from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from mitool.config import FROZEN

Activation = Literal["relu", "gelu", "gelu_new", "silu", "solu"]
Normalization = Literal["none", "LN", "LNPre", "RMS", "RMSPre"]
Biases = Literal["none", "mlp", "all"]
Positional = Literal["learned", "zero"]
Direction = Literal["denoise", "noise"]
Ablation = Literal["patch", "zero", "mean", "mean-positional"]
Between = Literal["frozen", "mlps", "recomputed"]
MetricName = Literal["logit-diff", "prob-diff", "greater-than", "log-prob", "kl", "accuracy"]
AttentionDir = Literal["causal", "bidirectional"]


@dataclass(frozen=True, kw_only=True, config=FROZEN)
class ModelSettings:
    """The shape of a toy transformer, in TransformerLens's names.

    What the task decides (vocabulary, context) and what follows from other settings (``d_head``
    and ``d_mlp`` left open) is resolved by ``mitool.models.transformer.TransformerConfig``.
    """

    n_layers: Annotated[int, Field(ge=1, le=64, description="Number of blocks")] = 1
    n_heads: Annotated[int, Field(ge=1, le=1024, description="Attention heads per block")] = 4
    d_model: Annotated[int, Field(ge=1, le=65536, description="Width of the residual stream")] = 128
    d_head: Annotated[
        int | None,
        Field(ge=1, le=65536, description="Width of a head; left out: d_model / n_heads"),
    ] = None
    d_mlp: Annotated[
        int | None,
        Field(ge=1, le=262144, description="Neurons per block; left out: 4 d_model"),
    ] = None
    act_fn: Annotated[Activation, Field(description="Activation of the MLPs")] = "relu"
    normalization_type: Annotated[
        Normalization,
        Field(description="Normalisation before each sublayer; Pre: without weights"),
    ] = "none"
    attn_only: Annotated[bool, Field(description="Leave out the MLPs")] = False
    biases: Annotated[
        Biases,
        Field(description="Biases that are trained: none, the MLPs' or all; the others stay 0"),
    ] = "none"
    positional: Annotated[
        Positional,
        Field(description="Positional embedding: learned, or frozen at 0"),
    ] = "learned"
    attention_dir: Annotated[AttentionDir, Field(description="Direction of attention")] = "causal"
    init_scale: Annotated[
        float,
        Field(gt=0, le=100, description="Weights start as N(0, (scale / sqrt(d_model))^2)"),
    ] = 0.8

    @model_validator(mode="after")
    def _check_widths(self) -> "ModelSettings":
        if self.d_head is None and self.d_model % self.n_heads:
            raise ValueError(
                f"d_model: expected a multiple of n_heads = {self.n_heads}, found {self.d_model};"
                " choose another, or give d_head"
            )
        return self


@dataclass(frozen=True, kw_only=True, config=FROZEN)
class TrainingSettings:
    """How a model is trained.

    An epoch is one pass over the training examples: one step where the batch is all of them,
    several for minibatches. For a task that is a stream of fresh examples it is one batch.
    """

    epochs: Annotated[int, Field(ge=1, description="Passes over the training examples")] = 25_000
    optimizer: Annotated[Literal["adamw", "adam", "sgd"], Field(description="Optimiser")] = "adamw"
    lr: Annotated[float, Field(gt=0, le=1000, description="Learning rate")] = 1e-3
    weight_decay: Annotated[float, Field(ge=0, le=1000, description="Weight decay")] = 1.0
    betas: Annotated[
        tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]],
        Field(description="Decay rates of AdamW's and Adam's two averages, each in [0, 1)"),
    ] = (0.9, 0.98)
    momentum: Annotated[float, Field(ge=0, lt=1, description="Momentum of SGD")] = 0.0
    warmup: Annotated[
        int, Field(ge=0, description="Steps over which the learning rate rises linearly")
    ] = 0
    schedule: Annotated[
        Literal["constant", "linear", "cosine"],
        Field(description="Learning rate after the warm-up: constant, or falling to 0 at the end"),
    ] = "constant"
    batch_size: Annotated[
        int | None,
        Field(ge=1, description="Examples per step; left out: the whole training set"),
    ] = None
    eval_every: Annotated[int, Field(ge=1, description="Epochs between evaluations")] = 25
    eval_size: Annotated[
        int, Field(ge=1, le=1_000_000, description="Held-out examples of a stream task")
    ] = 2048
    checkpoint_every: Annotated[
        int | None,
        Field(ge=0, description="Epochs between checkpoints; 0: only the last; left out: ~100"),
    ] = None
    checkpoint_spacing: Annotated[
        Literal["linear", "log"],
        Field(description="Spacing of the ~100 checkpoints that are the default"),
    ] = "linear"
    stop_test_loss: Annotated[
        float | None, Field(gt=0, description="Stop once the test loss is at or below this")
    ] = None
    stop_on_grok: Annotated[
        bool,
        Field(description="Stop once test accuracy is 1 and loss < 1e-4 for 200 epochs"),
    ] = False


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
    metric: Annotated[
        MetricName | None,
        Field(description="Measure of the answer; left out: the task's own, or logit-diff"),
    ] = None
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
    n_pairs: Annotated[
        int | None,
        Field(
            ge=1,
            le=1_000_000,
            description="Pairs: the first of a file, or drawn from the task; left out: all, or 256",
        ),
    ] = None
    resamples: Annotated[
        int, Field(ge=100, le=1_000_000, description="Bootstrap resamples, and permutations")
    ] = 5_000
    memory: Annotated[
        int | None,
        Field(
            ge=1,
            description="MiB that variants side by side may take; left out: 512, or a quarter of "
            "what is free if that is less",
        ),
    ] = None


@dataclass(frozen=True, kw_only=True, config=FROZEN)
class StatedModel:
    """What the shapes of a model's weights do not say; None leaves it to what else there is."""

    n_heads: Annotated[
        int | None,
        Field(
            ge=1,
            le=1024,
            description="Heads per block, which a TransformerBridge's shapes do not say; "
            "left out: the task's preset",
        ),
    ] = None
    act_fn: Annotated[
        Activation | None, Field(description="Activation of the MLPs; left out: the task's preset")
    ] = None
    normalization_type: Annotated[
        Normalization | None,
        Field(
            description="Normalisation, which LNPre and RMSPre have no weights of; "
            "left out: what the weights are of, or none"
        ),
    ] = None
    biases: Annotated[
        Biases | None, Field(description="Biases that are trained; left out: those that are not 0")
    ] = None
    positional: Annotated[
        Positional | None,
        Field(description="Positional embedding; left out: zero where it is 0 or not there"),
    ] = None
    attention_dir: Annotated[
        AttentionDir | None, Field(description="Direction of attention; left out: the task's")
    ] = None


@dataclass(frozen=True, kw_only=True, config=FROZEN)
class ConversionSettings(StatedModel):
    """How a state dict is read, and what the model is tried on."""

    split: Annotated[
        Literal["torch", "python"] | None,
        Field(
            description="Shuffle behind the division into training and test: torch.randperm or "
            "random.shuffle; left out: torch"
        ),
    ] = None
    split_seed: Annotated[
        int | None, Field(ge=0, le=2**63 - 1, description="Seed of that shuffle; left out: 0")
    ] = None
    eval_size: Annotated[
        int | None,
        Field(ge=1, le=1_000_000, description="Examples that a stream task draws; left out: 2048"),
    ] = None
    seed: Annotated[
        int, Field(ge=0, le=2**63 - 1, description="Seed of the examples of a stream task")
    ] = 0
