"""The settings of a model and of its training: what a task presets and an option overrides."""

from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from mitool.core.config import FROZEN

Activation = Literal["relu", "gelu", "gelu_new", "silu", "solu"]
Normalization = Literal["none", "LN", "LNPre", "RMS", "RMSPre"]
Biases = Literal["none", "mlp", "all"]
Positional = Literal["learned", "zero"]
AttentionDir = Literal["causal", "bidirectional"]
Shuffle = Literal["torch", "python"]
"""Behind the division into training and test: ``torch.randperm`` or ``random.shuffle``."""


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
