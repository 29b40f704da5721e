"""The layers of the toy transformer, with TransformerLens's names for their weights."""

import math
from functools import cache

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from mitool.models.activations import ACTIVATIONS
from mitool.models.features import EPS
from mitool.models.inputs import Inputs, Queries
from mitool.models.mixing import look_up
from mitool.models.residual import Dense, Mixture, Product, Stream
from mitool.settings import Activation, Normalization

MIX_COST = 5
"""What one multiplication of a mixture costs, in multiplications of a matrix product.

Measured on two cores of an AVX-512 CPU: 18 against 90 thousand million a second.
"""


class Embed(nn.Module):
    """The token embedding, ``W_E`` [d_vocab, d_model]."""

    def __init__(self, d_vocab: int, d_model: int) -> None:
        super().__init__()
        self.W_E = nn.Parameter(torch.empty(d_vocab, d_model))


class PosEmbed(nn.Module):
    """The positional embedding, ``W_pos`` [n_ctx, d_model]."""

    def __init__(self, n_ctx: int, d_model: int) -> None:
        super().__init__()
        self.W_pos = nn.Parameter(torch.zeros(n_ctx, d_model))


class Unembed(nn.Module):
    """The unembedding, ``W_U`` [d_model, d_vocab_out]."""

    def __init__(self, d_model: int, d_vocab_out: int) -> None:
        super().__init__()
        self.W_U = nn.Parameter(torch.empty(d_model, d_vocab_out))
        self.b_U = nn.Parameter(torch.zeros(d_vocab_out))


class Norm(nn.Module):
    """Normalisation over the residual stream's width: TransformerLens's five kinds."""

    def __init__(self, kind: Normalization, d_model: int) -> None:
        super().__init__()
        self.kind = kind
        if kind in ("LN", "RMS"):
            self.w = nn.Parameter(torch.ones(d_model))
        if kind == "LN":
            self.b = nn.Parameter(torch.zeros(d_model))

    def forward(self, x: Float[Tensor, "*rows d_model"]) -> Float[Tensor, "*rows d_model"]:
        if self.is_identity:
            return x
        weight = self.w if self.kind in ("LN", "RMS") else None
        if self.kind in ("LN", "LNPre"):
            bias = self.b if self.kind == "LN" else None
            return F.layer_norm(x, x.shape[-1:], weight, bias, EPS)
        return F.rms_norm(x, x.shape[-1:], weight, EPS)

    @property
    def is_identity(self) -> bool:
        return self.kind == "none"

    def of_stream(self, stream: Stream) -> Stream:
        """The normalised stream; without normalisation its products stay as they are."""
        if self.is_identity:
            return stream
        return Stream((Dense(self(stream.dense())),))


class Attention(nn.Module):
    """Multi-head self-attention.

    ``W_Q``, ``W_K``, ``W_V`` are [head, d_model, d_head], ``W_O`` is [head, d_head, d_model].
    """

    def __init__(
        self, n_heads: int, d_model: int, d_head: int, *, causal: bool, has_biases: bool
    ) -> None:
        super().__init__()
        self.causal = causal
        self.has_biases = has_biases
        self.W_Q = nn.Parameter(torch.empty(n_heads, d_model, d_head))
        self.b_Q = nn.Parameter(torch.zeros(n_heads, d_head))
        self.W_K = nn.Parameter(torch.empty(n_heads, d_model, d_head))
        self.b_K = nn.Parameter(torch.zeros(n_heads, d_head))
        self.W_V = nn.Parameter(torch.empty(n_heads, d_model, d_head))
        self.b_V = nn.Parameter(torch.zeros(n_heads, d_head))
        self.W_O = nn.Parameter(torch.empty(n_heads, d_head, d_model))
        self.b_O = nn.Parameter(torch.zeros(d_model))

    def forward(
        self, x: Float[Tensor, "example pos d_model"], positions: tuple[int, ...]
    ) -> Float[Tensor, "query d_model"]:
        """Attention's output at ``positions`` of each example, one row for each."""
        asking = at_positions(x, positions)
        q, k, v = self._queries(asking), self._keys(x), self._values(x)
        return self._attend(q, k, v, positions)

    def of_table(
        self,
        rows: Float[Tensor, "row d_model"],
        normalised: Float[Tensor, "row d_model"],
        inputs: Inputs,
        positions: tuple[int, ...],
    ) -> Stream:
        """The stream after attention in the first block, one row for each example and position.

        Args:
            rows: the stream before attention, of each distinct (token, position) pair.
            normalised: the same after normalisation, which attention reads.
        """
        queries = inputs.queries(positions)
        q = self._queries(F.embedding(queries.rows, normalised))
        v = self._values(normalised)
        asking = F.embedding(queries.rows, rows)
        if self._mixing_pays(inputs, queries):
            scores = self._scores(q, normalised)
            stream = Stream((self._mixture(scores, v, asking, inputs, queries),))
            return stream + Dense(self.b_O[None]) if self.has_biases else stream
        k = _pick(self._keys(normalised), inputs.index)
        q, v = _pick(q, queries.index), _pick(v, inputs.index)
        before = F.embedding(queries.index.flatten(), asking)
        return Stream((Dense(before), Dense(self._attend(q, k, v, positions))))

    def _mixing_pays(self, inputs: Inputs, queries: Queries) -> bool:
        """Whether sums over a table of values beat products over all examples.

        Per output column and query, a mixture takes one multiplication for each of its terms,
        at MIX_COST; attention's output projected as a matrix takes d_model of them. The table
        itself takes heads * rows * d_head.
        """
        n_heads, d_model, d_head = self.W_Q.shape
        saved = queries.index.numel() * (d_model - MIX_COST * (1 + n_heads * inputs.n_ctx))
        return inputs.index.is_cpu and saved > n_heads * inputs.n_rows * d_head

    def _scores(
        self, q: Float[Tensor, "head query d_head"], normalised: Float[Tensor, "row d_model"]
    ) -> Float[Tensor, "query_row head"]:
        """Attention's scores of each query for each row, one query after the other.

        Where few rows ask, their queries are mapped to the stream instead of its rows to keys.
        """
        if q.shape[1] < len(normalised) // 2:
            scores = (q @ self.W_K.mT) @ normalised.T
            if self.has_biases:
                scores = scores + q @ self.b_K[:, :, None]
        else:
            scores = q @ self._keys(normalised).mT
        return (scores / math.sqrt(q.shape[-1])).flatten(1).T.contiguous()

    def _mixture(
        self,
        scores: Float[Tensor, "query_row head"],
        v: Float[Tensor, "head row d_head"],
        asking: Float[Tensor, "query d_model"],
        inputs: Inputs,
        queries: Queries,
    ) -> Mixture:
        scores = look_up(scores, inputs.score_pattern(queries))
        scores = scores.view(inputs.n_examples, len(queries.positions), inputs.n_ctx, len(v))
        if (mask := self._mask(queries.positions, inputs.n_ctx)) is not None:
            scores = scores.masked_fill(~mask[:, :, None], -math.inf)
        pattern = scores.softmax(dim=-2)
        base = asking
        if inputs.shared_row is not None:
            shared = v[:, inputs.shared_row, None]
            base = asking + (shared @ self.W_O).sum(dim=0)
            v, pattern = v - shared, pattern[:, :, :-1]
        pattern = pattern.flatten(2).flatten(end_dim=1)
        weights = torch.cat([pattern.new_ones(len(pattern), 1), pattern], dim=1)
        return Mixture(weights, base, v, self.W_O, inputs.mixing_pattern(queries, len(v)))

    def pattern(
        self, x: Float[Tensor, "example pos d_model"], positions: tuple[int, ...]
    ) -> Float[Tensor, "example head query pos"]:
        """Attention from ``positions`` of each example; what ``forward`` mixes values with."""
        q, k = self._queries(at_positions(x, positions)), self._keys(x)
        scores = q @ k.mT / math.sqrt(q.shape[-1])
        if (mask := self._mask(positions, x.shape[1])) is not None:
            scores = scores.masked_fill(~mask, -math.inf)
        return scores.softmax(dim=-1)

    def _attend(
        self,
        q: Float[Tensor, "*example head query d_head"],
        k: Float[Tensor, "*example head pos d_head"],
        v: Float[Tensor, "*example head pos d_head"],
        positions: tuple[int, ...],
    ) -> Float[Tensor, "row d_model"]:
        mask = self._mask(positions, k.shape[-2])
        z = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        out = z.transpose(-3, -2).flatten(-2).flatten(end_dim=-2) @ self.W_O.flatten(end_dim=1)
        return out + self.b_O if self.has_biases else out

    def _queries(
        self, x: Float[Tensor, "*example pos d_model"]
    ) -> Float[Tensor, "*example head pos d_head"]:
        return self._heads(x, self.W_Q, self.b_Q)

    def _keys(
        self, x: Float[Tensor, "*example pos d_model"]
    ) -> Float[Tensor, "*example head pos d_head"]:
        return self._heads(x, self.W_K, self.b_K)

    def _values(
        self, x: Float[Tensor, "*example pos d_model"]
    ) -> Float[Tensor, "*example head pos d_head"]:
        return self._heads(x, self.W_V, self.b_V)

    def _heads(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """One product for all heads: a product for each pair of example and head is slow."""
        heads = (x @ weight.transpose(0, 1).flatten(1)).unflatten(-1, bias.shape)
        return (heads + bias if self.has_biases else heads).transpose(-3, -2)

    def _mask(self, positions: tuple[int, ...], n_ctx: int) -> Bool[Tensor, "query pos"] | None:
        """True where a query may look; None where all may look everywhere."""
        if not self.causal or min(positions) == n_ctx - 1:
            return None
        asking = on_device(positions, self.W_Q.device)
        return torch.arange(n_ctx, device=asking.device) <= asking[:, None]


class MLP(nn.Module):
    """``act(x W_in + b_in) W_out + b_out``; W_in is [d_model, d_mlp].

    Its activations [row, d_mlp] pass through ``hook_post``, at which a module's forward hook can
    read or replace them.
    """

    def __init__(self, d_model: int, d_mlp: int, act_fn: Activation, *, has_biases: bool) -> None:
        super().__init__()
        self.act = ACTIVATIONS[act_fn]
        self.has_biases = has_biases
        self.W_in = nn.Parameter(torch.empty(d_model, d_mlp))
        self.b_in = nn.Parameter(torch.zeros(d_mlp))
        self.W_out = nn.Parameter(torch.empty(d_mlp, d_model))
        self.b_out = nn.Parameter(torch.zeros(d_model))
        self.hook_post = nn.Identity()

    def forward(self, normalised: Stream) -> Stream:
        """What the MLP adds to the stream, its last product not yet multiplied out."""
        pre = normalised.project(self.W_in)
        if self.has_biases:
            pre = pre + Dense(self.b_in[None])
        post = self.hook_post(self.act(pre.dense()))
        out = Stream((Product(post, self.W_out),))
        return out + Dense(self.b_out[None]) if self.has_biases else out


def at_positions(
    x: Float[Tensor, "example pos width"], positions: tuple[int, ...]
) -> Float[Tensor, "example query width"]:
    """``x`` at ``positions``: itself, uncopied, where they are all of them in their order."""
    if positions == tuple(range(x.shape[1])):
        return x
    return x.index_select(1, on_device(positions, x.device))


@cache
def on_device(positions: tuple[int, ...], device: torch.device) -> Int[Tensor, " position"]:
    """Positions as a tensor; made once, as nothing can be copied while a graph is captured."""
    return torch.tensor(positions, device=device)


def _pick(
    heads: Float[Tensor, "head row d_head"], index: Tensor
) -> Float[Tensor, "example head pos d_head"]:
    """The rows of a table of heads at each position of each example."""
    n_heads, n_rows, d_head = heads.shape
    table = heads.transpose(0, 1).reshape(n_rows, n_heads * d_head)
    return F.embedding(index, table).unflatten(-1, (n_heads, d_head)).transpose(1, 2)
