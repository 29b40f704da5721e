"""A decoder as a function of its residual stream, one part at a time.

A model runs from its tokens to its logits. Interventions need its parts: to go on from a later
layer, from a later position, or with an input for each reader of its own. A ``Decoder`` holds the
weights, norms and MLPs and puts them together by the textbook; ``require_same`` holds the result
against the model's own run, on inputs that are studied.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from mitool.core.errors import InputError
from mitool.models.decoder.attention import EVERY_HEAD, Heads, Letter, Rotation
from mitool.models.decoder.layer import Layer
from mitool.models.decoder.norm import Norm
from mitool.models.decoder.original import Observed, Original, Tables
from mitool.models.shape import ModelShape

TOLERANCE = 5e-5
"""The largest difference from the model's own numbers, as a share of their largest, in float32."""

COMPARED = 2
"""Examples of a run that are compared with the model's own."""


@dataclass(frozen=True)
class Read:
    """What a model makes of tokens before its first block.

    Attributes:
        resid_pre: the residual stream before the first block.
        tables: what positions do, in each layer.
        observed: the model's own run over the first examples; None where it was compared already.
    """

    resid_pre: Float[Tensor, "example pos d_model"]
    tables: Tables
    observed: Observed | None = None


@dataclass(frozen=True)
class Unembedding:
    """The map from the last residual stream to logits.

    Attributes:
        norm: the norm that it reads through.
        weight: a row for each output.
        projection: a linear map before it, where the model has one.
        multiplier: what logits are multiplied by.
        soft_cap: ``c`` where logits are ``c tanh(logits / c)`` in the end.
    """

    norm: Norm
    weight: Float[Tensor, "d_vocab_out width"]
    bias: Float[Tensor, " d_vocab_out"] | None = None
    projection: Float[Tensor, "width d_model"] | None = None
    multiplier: float = 1.0
    soft_cap: float | None = None

    def __call__(
        self, x: Float[Tensor, "*batch d_model"], tokens: Int[Tensor, " token"] | None = None
    ) -> Float[Tensor, "*batch token"]:
        """Logits of the last residual stream, of all tokens or of some."""
        logits, cap = self.uncapped(x, tokens), self.soft_cap
        return logits if cap is None else cap * (logits / cap).tanh()

    def uncapped(
        self, x: Float[Tensor, "*batch d_model"], tokens: Int[Tensor, " token"] | None = None
    ) -> Float[Tensor, "*batch token"]:
        """Logits before their soft cap."""
        weight, bias = self.weight, self.bias
        if tokens is not None:
            weight, bias = weight[tokens], None if bias is None else bias[tokens]
        x = self.norm(x)
        if self.projection is not None:
            x = F.linear(x, self.projection)
        logits = F.linear(x, weight, bias)
        return logits if self.multiplier == 1 else logits * self.multiplier

    def W_U(self, tokens: Int[Tensor, " token"] | None = None) -> Float[Tensor, "d_model token"]:
        """The linear map from what the final norm lets through to logits before their soft cap."""
        weight = self.weight if tokens is None else self.weight[tokens]
        whole = weight if self.projection is None else weight @ self.projection
        return (whole if self.multiplier == 1 else whole * self.multiplier).T

    def constant(self) -> Float[Tensor, " d_vocab_out"] | None:
        """What biases add to every logit, whatever the stream; None where there are none."""
        found = None if self.bias is None else self.bias * self.multiplier
        if self.norm.bias is None:
            return found
        of_norm = self.norm.bias @ self.W_U()
        return of_norm if found is None else found + of_norm


@dataclass(frozen=True)
class Decoder:
    """The parts of a model.

    Attributes:
        is_causal: whether attention only looks back.
        is_parallel: whether the MLP reads what attention reads, and not what it writes.
        interleaves: whether rotary positions turn neighbouring dimensions.
        original: the model itself.
    """

    shape: ModelShape
    layers: tuple[Layer, ...]
    unembed: Unembedding
    original: Original
    is_causal: bool = True
    is_parallel: bool = False
    interleaves: bool = False

    @property
    def device(self) -> torch.device:
        return self.original.device

    @property
    def itemsize(self) -> int:
        """Bytes of a number."""
        return self.layers[0].W_O.itemsize

    @property
    def n_layers(self) -> int:
        return len(self.layers)

    @property
    def n_heads(self) -> int:
        return self.shape.n_heads

    @property
    def n_kv_heads(self) -> int:
        return self.layers[0].k.n_heads

    @property
    def d_head(self) -> int:
        return self.shape.d_head

    @property
    def d_model(self) -> int:
        return self.shape.d_model

    @property
    def d_mlp(self) -> int:
        return self.shape.d_mlp

    @property
    def d_vocab_out(self) -> int:
        return self.shape.d_vocab_out

    @property
    def has_mlp(self) -> bool:
        return any(layer.mlp is not None for layer in self.layers)

    @property
    def adds(self) -> bool:
        """Whether the stream is the sum of what was written to it; else norms of the stream itself
        lie between.
        """
        return all(norm.is_identity for norm in self.stream_norms(0, self.n_layers))

    def stream_norms(self, first: int, stop: int) -> list[Norm]:
        """The norms that the stream itself goes through in the layers from ``first`` to the one
        before ``stop``, in order; those of a stream that is a sum leave it as it is.
        """
        layers = self.layers[first:stop]
        return [norm for layer in layers for norm in (layer.norm_mid, layer.norm_post)]

    @property
    def group(self) -> int:
        """How many heads share keys and values."""
        return self.n_heads // self.n_kv_heads

    def require_sum(self, what: str) -> None:
        """Check that the stream is the sum of what was written to it, which ``what`` takes it for.

        Raises:
            InputError: it is not.
        """
        if not self.adds:
            raise InputError(
                f"architecture {self.original.name}: {what} expects a residual stream that is the "
                "sum of what is written to it, found norms of the stream itself after attention "
                "and MLPs, through which no write is carried by itself; patch activations instead"
            )

    @torch.no_grad()
    def read(
        self,
        tokens: Int[Tensor, "example pos"],
        positions: tuple[int, ...],
        tables: Tables | None = None,
    ) -> Read:
        """What the model makes of tokens before its first block.

        Args:
            positions: where the model's own logits are kept.
            tables: of as many positions, from a run that was held against the model's own already;
                left out, the model itself is run over the first examples.

        Raises:
            InputError: what it makes of them is no residual stream.
        """
        resid_pre = self.original.embed(tokens)
        if resid_pre.shape != (*tokens.shape, self.d_model):
            raise InputError(
                f"architecture {self.original.name}: expected blocks that read one residual stream "
                f"of {self.d_model} dimensions for each token, found that for {list(tokens.shape)} "
                f"tokens they read {list(resid_pre.shape)} numbers"
            )
        if tables is not None:
            return Read(resid_pre, tables)
        observed = self.original.observe(tokens[:COMPARED], positions)
        return Read(resid_pre, observed.tables, observed)

    def to_attention(
        self,
        layer: int,
        letter: Letter,
        x: Float[Tensor, "*batch some_heads pos d_head"],
        read: Read,
        start: int = 0,
        heads: Heads = EVERY_HEAD,
    ) -> Float[Tensor, "*batch some_heads pos d_head"]:
        """Queries, keys or values of tokens from ``start`` on as attention takes them: normed,
        clipped, and turned by their positions.

        Args:
            x: as they are projected; of all heads, of what they share, or of ``heads`` alone.
        """
        own = self.layers[layer]
        shares = letter != "q" and x.shape[-3] == self.n_kv_heads and heads == EVERY_HEAD
        tables, rotation = read.tables.rotations[layer], None
        if tables is not None:
            cos, sin = (table[start : start + x.shape[-2]] for table in tables)
            rotation = Rotation(cos, sin, self.interleaves)
        return own.taken(letter, x, rotation, self.n_kv_heads if shares else self.n_heads, heads)

    def pattern(
        self,
        layer: int,
        q: Float[Tensor, "*#batch query d_head"],
        k: Float[Tensor, "*#batch key d_head"],
        read: Read,
        queries: slice,
        heads: Heads = EVERY_HEAD,
    ) -> Float[Tensor, "*_ query key"]:
        """Attention of the queries, which stand at these positions, to the keys 0, 1, ..

        Args:
            q: with an axis of heads before that of queries, as ``k`` has one before that of keys.
            heads: whose queries they are.
        """
        own, tables = self.layers[layer], read.tables
        scores = q @ k.transpose(-2, -1) * own.scale
        if (bias := tables.biases[layer]) is not None:
            rows = bias[heads] if bias.shape[1] == 1 else bias[heads][:, queries]
            scores = scores + rows
        if own.soft_cap is not None:
            scores = own.soft_cap * (scores / own.soft_cap).tanh()
        hidden = self._hidden(tables.visible[layer], k.shape[-2], queries, q.device)
        if hidden is not None:
            scores = scores.masked_fill(hidden, -torch.inf)
        if own.sinks is None:
            return scores.softmax(dim=-1)
        sinks = own.sinks[heads].view(-1, 1, 1).expand(*scores.shape[:-1], 1)
        whole = torch.cat([scores, sinks], dim=-1)
        return whole.softmax(dim=-1)[..., :-1]

    def _hidden(
        self, visible: Tensor | None, n_keys: int, queries: slice, device: torch.device
    ) -> Tensor | None:
        if visible is not None:
            return ~visible[queries, :n_keys]
        if not self.is_causal:
            return None
        places = torch.arange(queries.start, queries.stop, device=device)
        return torch.arange(n_keys, device=device) > places[:, None]

    def shared(
        self, x: Float[Tensor, "*batch kv_head pos d_head"]
    ) -> Float[Tensor, "*batch head pos d_head"]:
        """Keys or values, a copy for each head that reads them."""
        return x if self.group == 1 else x.repeat_interleave(self.group, dim=-3)
