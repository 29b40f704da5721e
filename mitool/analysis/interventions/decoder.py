"""A decoder as a function of its residual stream, one component at a time.

A ``TransformerBridge`` runs a model from its tokens to its logits. Interventions need its parts:
to go on from a later layer, from a later position, or with an input for each reader of its own.
A ``Decoder`` holds the bridge's weights, norms and MLPs and puts them together by the textbook;
``require_same`` holds the result against the bridge's own, on inputs that are studied.
"""

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformer_lens.model_bridge import TransformerBridge

from mitool.analysis.interventions.layer import layer_of, module_of
from mitool.errors import InputError

Letter = Literal["q", "k", "v"]
"""The inputs of a head."""

TOLERANCE = 2e-4
"""The largest difference from the bridge's logits, as a share of the largest, in float32."""

COMPARED = 2
"""Examples of a run whose logits are compared with the bridge's own."""


@dataclass(frozen=True)
class Read:
    """What a model makes of tokens before its first block.

    Attributes:
        resid_pre: the residual stream before the first block.
        rotations: for each layer the cosines and sines that turn queries and keys; None where
            positions are embedded.
        logits: the bridge's own, of the first examples, at the positions asked for.
    """

    resid_pre: Float[Tensor, "example pos d_model"]
    rotations: tuple[tuple[Tensor, Tensor] | None, ...]
    logits: Float[Tensor, "first answer d_vocab_out"]


class Decoder:
    """The parts of a bridge's model.

    Args:
        bridge: of a decoder whose blocks read the residual stream through a norm and add to it.

    Raises:
        InputError: the model is another kind of decoder.
    """

    def __init__(self, bridge: TransformerBridge) -> None:
        cfg = bridge.cfg
        if cfg.positional_embedding_type == "alibi":
            raise InputError(
                f"architecture {cfg.architecture}: expected positions that are embedded or turn "
                "queries and keys, found a bias on attention scores (ALiBi)"
            )
        self._bridge = bridge
        self.n_layers, self.n_heads, self.d_head = cfg.n_layers, cfg.n_heads, cfg.d_head
        self.n_kv_heads = getattr(cfg, "n_key_value_heads", None) or cfg.n_heads
        self.d_model, self.d_mlp = cfg.d_model, cfg.d_mlp or 4 * cfg.d_model
        self.d_vocab_out = cfg.d_vocab_out if cfg.d_vocab_out > 0 else cfg.d_vocab
        self.is_causal = cfg.attention_dir == "causal"
        self.is_parallel = bool(getattr(cfg, "parallel_attn_mlp", False))
        self.soft_cap = _soft_cap(cfg.attn_scores_soft_cap)
        held = {name: weight.detach() for name, weight in bridge.tl_parameters().items()}
        self._home = home = held["blocks.0.attn.W_O"].device
        self.layers = tuple(
            layer_of(block, held, f"blocks.{index}", self.n_kv_heads, cfg, home)
            for index, block in enumerate(bridge.blocks)
        )
        self.has_mlp = any(layer.mlp is not None for layer in self.layers)
        self._ln_final = module_of(bridge, "ln_final", home)
        self._unembed: nn.Linear = bridge.unembed.original_component

    @property
    def device(self) -> torch.device:
        return self._home

    @property
    def itemsize(self) -> int:
        """Bytes of a number."""
        return self.layers[0].W_O.itemsize

    @property
    def group(self) -> int:
        """How many heads share keys and values."""
        return self.n_heads // self.n_kv_heads

    @torch.no_grad()
    def read(
        self,
        tokens: Int[Tensor, "example pos"],
        positions: tuple[int, ...],
        like: Read | None = None,
    ) -> Read:
        """Run the bridge on tokens.

        Args:
            positions: where logits are kept.
            like: what was read of other tokens in as many positions, which turn alike; the bridge's
                logits are then left out.
        """
        if like is not None:
            resid_pre = self._bridge(tokens, stop_at_layer=0).to(self._home)
            return Read(resid_pre, like.rotations, like.logits[:0])
        turning = [hook for layer in range(self.n_layers) for hook in _turning(layer)]
        logits, cache = self._bridge.run_with_cache(
            tokens[:COMPARED], names_filter=lambda name: name in turning
        )
        hooks = map(_turning, range(self.n_layers))
        rotations = tuple(
            (cache[c][0].to(self._home), cache[s][0].to(self._home)) if c in cache else None
            for c, s in hooks
        )
        resid_pre = self._bridge(tokens, stop_at_layer=0).to(self._home)
        return Read(resid_pre, rotations, logits[:, list(positions)].to(self._home))

    def meet(
        self,
        layer: int,
        x: Float[Tensor, "*batch pos d_head"],
        read: Read,
        letter: Letter,
        start: int = 0,
    ) -> Float[Tensor, "*batch pos d_head"]:
        """Queries or keys of tokens from ``start`` on as they meet: normed and turned."""
        own = self.layers[layer]
        x = own.q_norm(x) if letter == "q" else own.k_norm(x)
        rotation = read.rotations[layer]
        if rotation is None:
            return x
        cos, sin = (table[start : start + x.shape[-2]] for table in rotation)
        return _rotated(x, cos, sin)

    def pattern(
        self,
        layer: int,
        q: Float[Tensor, "*#batch query d_head"],
        k: Float[Tensor, "*#batch key d_head"],
        queries: Int[Tensor, " query"],
    ) -> Float[Tensor, "*_ query key"]:
        """Attention of the queries, which stand at these positions, to the keys 0, 1, .."""
        scores = q @ k.transpose(-2, -1) * self.layers[layer].scale
        if self.soft_cap is not None:
            scores = self.soft_cap * (scores / self.soft_cap).tanh()
        if self.is_causal:
            later = torch.arange(k.shape[-2], device=q.device) > queries[:, None]
            scores = scores.masked_fill(later, -torch.inf)
        return scores.softmax(dim=-1)

    def shared(
        self, x: Float[Tensor, "*batch kv_head pos d_head"]
    ) -> Float[Tensor, "*batch head pos d_head"]:
        """Keys or values, a copy for each head that reads them."""
        return x if self.group == 1 else x.repeat_interleave(self.group, dim=-3)

    def unembed(
        self, x: Float[Tensor, "*batch d_model"], tokens: Int[Tensor, " token"] | None = None
    ) -> Float[Tensor, "*batch token"]:
        """Logits of the last residual stream, of all tokens or of some."""
        x, head = self._ln_final(x), self._unembed
        if tokens is None:
            logits = head(x).to(self._home)
        else:
            bias = None if head.bias is None else head.bias[tokens].to(self._home)
            logits = F.linear(x, head.weight[tokens].to(self._home), bias)
        cap = _soft_cap(self._bridge.cfg.output_logits_soft_cap)
        return logits if cap is None else cap * (logits / cap).tanh()

    def require_same(self, found: Float[Tensor, "..."], read: Read) -> None:
        """Check that logits put together from the parts are the bridge's.

        Raises:
            InputError: they are not.
        """
        if not found.isfinite().all():
            raise InputError(
                "the model's outputs are expected to be finite, found NaN or infinite ones"
            )
        if not len(read.logits):
            return
        error = (found[: len(read.logits)] - read.logits).abs().max().item()
        largest = read.logits.abs().max().item()
        if not error <= TOLERANCE * max(largest, 1.0):
            raise InputError(
                f"architecture {self._bridge.cfg.architecture}: expected a decoder whose blocks "
                "read the residual stream through a norm and add attention and an MLP to it; put "
                f"together so, its logits differ by {error:.2g} from those of the model, so that "
                "interventions in it would be wrong"
            )


def _turning(layer: int) -> tuple[str, str]:
    """The hooks of the cosines and sines that turn a layer's queries and keys."""
    return f"blocks.{layer}.attn.hook_cos", f"blocks.{layer}.attn.hook_sin"


def _soft_cap(value: float | None) -> float | None:
    return value if value is not None and value > 0 else None


def _rotated(
    x: Float[Tensor, "*batch pos d_head"],
    cos: Float[Tensor, "pos rotary"],
    sin: Float[Tensor, "pos rotary"],
) -> Float[Tensor, "*batch pos d_head"]:
    """Rotary positions: each of the first dimensions is turned with the one half of them away."""
    turned, kept = x[..., : cos.shape[-1]], x[..., cos.shape[-1] :]
    first, second = turned.chunk(2, dim=-1)
    turned = turned * cos + torch.cat([-second, first], dim=-1) * sin
    return torch.cat([turned, kept], dim=-1)
