"""The toy transformer: small, fast to train on a CPU, and equal to TransformerLens's up to
rounding (``mitool.models.bridge`` turns one into the other).
"""

import math
from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from mitool.core.config import FROZEN, as_dict, build
from mitool.core.errors import InputError
from mitool.models.inputs import Inputs, prepare
from mitool.models.layers import MLP, Attention, Embed, Norm, PosEmbed, Unembed, at_positions
from mitool.models.residual import Dense, Stream
from mitool.models.weights import require_finite, require_floats
from mitool.settings import ModelSettings
from mitool.tasks import Task


@dataclass(frozen=True, kw_only=True, config=FROZEN)
class TransformerConfig(ModelSettings):
    """A toy transformer's shape, with everything resolved."""

    # without `field()` the settings' None would be inherited as a default
    d_head: Annotated[int, Field(ge=1, le=65536)] = field()
    d_mlp: Annotated[int, Field(ge=1, le=262144)] = field()
    d_vocab: Annotated[int, Field(ge=1)]
    d_vocab_out: Annotated[int, Field(ge=1)]
    n_ctx: Annotated[int, Field(ge=1)]

    @classmethod
    def for_task(cls, settings: ModelSettings, task: Task) -> "TransformerConfig":
        """The shape that ``settings`` give on ``task``.

        Raises:
            UsageError: a value is out of its range.
        """
        resolved = {
            "d_head": settings.d_head or settings.d_model // settings.n_heads,
            "d_mlp": settings.d_mlp or 4 * settings.d_model,
            "d_vocab": task.d_vocab,
            "d_vocab_out": task.d_vocab_out,
            "n_ctx": task.n_ctx,
        }
        return build(cls, as_dict(settings) | resolved)

    @property
    def initial_std(self) -> float:
        """Standard deviation of every weight matrix at the start, output matrices included."""
        return self.init_scale / math.sqrt(self.d_model)


class ToyTransformer(nn.Module):
    """A decoder-only transformer with learned positions, in TransformerLens's names.

    Every TransformerLens weight is there. Those that the settings freeze (biases, positions)
    are zeros that are neither trained nor computed with.
    """

    def __init__(self, cfg: TransformerConfig) -> None:
        super().__init__()
        self.cfg = cfg
        self.embed = Embed(cfg.d_vocab, cfg.d_model)
        self.pos_embed = PosEmbed(cfg.n_ctx, cfg.d_model)
        self.blocks = nn.ModuleList(Block(cfg) for _ in range(cfg.n_layers))
        self.ln_final = Norm(cfg.normalization_type, cfg.d_model)
        self.unembed = Unembed(cfg.d_model, cfg.d_vocab_out)
        for name, parameter in self.named_parameters():
            parameter.requires_grad_(not self.is_frozen(name))

    def is_frozen(self, name: str) -> bool:
        """Whether the weight of that name stays 0 throughout training."""
        weight = name.rpartition(".")[2]
        if weight == "W_pos":
            return self.cfg.positional == "zero"
        if weight in ("b_in", "b_out"):
            return self.cfg.biases == "none"
        return weight.startswith("b_") and self.cfg.biases != "all"

    @torch.no_grad()
    def initialise(self, generator: torch.Generator) -> "ToyTransformer":
        """Draw the weights: matrices from N(0, (init_scale / sqrt(d_model))^2), biases 0.

        Drawn on the CPU in float32 whatever the model's device and format, so that a seed gives
        the same weights everywhere. transformer-lens's native init scales the output matrices
        by a further 1 / sqrt(2 n_layers), which the published runs did not.
        """
        for name, parameter in self.named_parameters():
            if name.endswith(".w"):  # of a normalisation
                parameter.fill_(1.0)
            elif self.is_frozen(name) or ".W_" not in name:
                parameter.zero_()
            else:
                draw = torch.randn(parameter.shape, generator=generator)
                parameter.copy_(draw * self.cfg.initial_std)
        return self

    def forward(self, inputs: Inputs) -> Float[Tensor, "example answer d_vocab_out"]:
        """Logits at the answer positions of ``inputs``."""
        rows = self.embedded(inputs.row_tokens, inputs.row_positions)
        first, *later = cast("list[Block]", list(self.blocks))
        positions = inputs.all_positions if later else inputs.answer_positions
        stream = first.of_table(rows, inputs, positions)
        for depth, block in enumerate(later, start=1):
            last = depth == len(later)
            positions = inputs.answer_positions if last else inputs.all_positions
            stream = block(stream.dense().unflatten(0, (-1, inputs.n_ctx)), positions)
        logits = self.ln_final.of_stream(stream).project(self.unembed.W_U)
        if self.cfg.biases == "all":
            logits = logits + Dense(self.unembed.b_U[None])
        return logits.dense().unflatten(0, (-1, len(inputs.answer_positions)))

    def embedded(
        self, tokens: Int[Tensor, " *row"], positions: Int[Tensor, " *row"]
    ) -> Float[Tensor, "*row d_model"]:
        """The stream before the first block."""
        embedded = F.embedding(tokens, self.embed.W_E)
        if self.cfg.positional == "learned":
            embedded = embedded + F.embedding(positions, self.pos_embed.W_pos)
        return embedded

    def logits(
        self, tokens: Int[Tensor, "example pos"], positions: tuple[int, ...] | None = None
    ) -> Float[Tensor, "example answer d_vocab_out"]:
        """Logits of plain tokens, at ``positions`` or at every position."""
        return self(prepare(tokens, positions))


def with_weights(cfg: TransformerConfig, tensors: Mapping[str, Tensor]) -> ToyTransformer:
    """The model of that shape with these weights, which are not copied.

    Raises:
        InputError: a weight is missing, unknown, misshapen, no finite number, or not 0 where the
            settings freeze it; or the weights are of several formats.
    """
    with torch.device("meta"):
        model = ToyTransformer(cfg)
    expected = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in tensors.items()}
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            raise InputError(
                f"weight {name}: expected shape {expected.get(name, 'none')}, "
                f"found {found.get(name, 'none')}"
            )
    require_floats(tensors)
    require_finite(tensors)
    for name, value in tensors.items():
        if model.is_frozen(name) and value.any():
            raise InputError(
                f"weight {name} is frozen at 0 by the model's settings, found other values"
            )
    model.load_state_dict(dict(tensors), assign=True)
    return model


class Block(nn.Module):
    """Attention and, unless the model is attention-only, an MLP, each after normalisation."""

    def __init__(self, cfg: TransformerConfig) -> None:
        super().__init__()
        self.ln1 = Norm(cfg.normalization_type, cfg.d_model)
        self.attn = Attention(
            cfg.n_heads,
            cfg.d_model,
            cfg.d_head,
            causal=cfg.attention_dir == "causal",
            has_biases=cfg.biases == "all",
        )
        self.mlp = None
        if not cfg.attn_only:
            self.ln2 = Norm(cfg.normalization_type, cfg.d_model)
            self.mlp = MLP(cfg.d_model, cfg.d_mlp, cfg.act_fn, has_biases=cfg.biases != "none")

    def of_table(
        self, rows: Float[Tensor, "row d_model"], inputs: Inputs, positions: tuple[int, ...]
    ) -> Stream:
        """The stream after this block as the first one, at ``positions`` of each example."""
        return self._with_mlp(self.attn.of_table(rows, self.ln1(rows), inputs, positions))

    def forward(
        self, x: Float[Tensor, "example pos d_model"], positions: tuple[int, ...]
    ) -> Stream:
        """The stream after this block, at ``positions`` of each example."""
        before = at_positions(x, positions)
        attended = self.attn(self.ln1(x), positions)
        return self._with_mlp(Stream((Dense(before.flatten(end_dim=1) + attended),)))

    def _with_mlp(self, stream: Stream) -> Stream:
        if self.mlp is None:
            return stream
        if not self.ln2.is_identity:
            stream = stream.multiplied_out()  # read twice: by the normalisation and by the sum
        return Stream(stream.terms + self.mlp(self.ln2.of_stream(stream)).terms)
