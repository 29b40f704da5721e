"""A block's parts, and what it writes to the residual stream."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from mitool.models.decoder.attention import (
    EVERY_HEAD,
    HeadNorm,
    Heads,
    Letter,
    Projection,
    Rotation,
)
from mitool.models.decoder.norm import Norm


@dataclass(frozen=True)
class Layer:
    """A block: attention, an MLP, and the norms before and after them.

    With ``m`` the residual multiplier, and the norms of what reads and writes::

        attn_out   = m * ln1_post(sum over heads of z W_O + b_O)
        resid_mid  = norm_mid(resid_pre + attn_out)
        mlp_out    = m * ln2_post(mlp(ln2(resid_mid)))     in parallel: of resid_pre
        resid_post = norm_post(resid_mid + mlp_out)

    Attributes:
        ln1: the norm that attention reads through.
        q, k, v: the maps to queries, keys and values.
        W_O: how each head writes.
        b_O: what attention writes besides.
        scale: what a query times a key is multiplied by.
        ln2: the norm that the MLP reads through.
        mlp: what the MLP, or the mixture of experts, makes of what its norm lets through; None in
            an attention-only model.
        q_norm, k_norm: norms of queries and keys, where the model has them.
        clip: the largest size of a query's, key's or value's numbers, where they are cut.
        rotates: whether queries and keys are turned by their positions.
        norms_rotated: whether they are turned before their norms, and not after them.
        soft_cap: ``c`` where scores are ``c tanh(scores / c)``.
        sinks: the score of a key that is no token and has no value, by head.
        ln1_post, ln2_post: norms of what attention and the MLP write.
        residual_multiplier: what both are multiplied by.
        norm_mid, norm_post: norms of the stream itself.
    """

    ln1: Norm
    q: Projection
    k: Projection
    v: Projection
    W_O: Float[Tensor, "head d_head d_model"]
    b_O: Float[Tensor, " d_model"]
    scale: float
    ln2: Norm = field(default_factory=Norm)
    mlp: Callable[[Tensor], Tensor] | None = None
    q_norm: HeadNorm | None = None
    k_norm: HeadNorm | None = None
    clip: float | None = None
    rotates: bool = False
    norms_rotated: bool = False
    soft_cap: float | None = None
    sinks: Float[Tensor, " head"] | None = None
    ln1_post: Norm = field(default_factory=Norm)
    ln2_post: Norm = field(default_factory=Norm)
    residual_multiplier: float = 1.0
    norm_mid: Norm = field(default_factory=Norm)
    norm_post: Norm = field(default_factory=Norm)

    @property
    def couples_heads(self) -> bool:
        """Whether what one head does depends on what all others of the layer do."""
        return not self.ln1_post.is_identity or self.norms_span_heads

    @property
    def norms_span_heads(self) -> bool:
        return any(norm is not None and norm.spans_heads for norm in (self.q_norm, self.k_norm))

    def taken(
        self,
        letter: Letter,
        x: Float[Tensor, "*batch some_heads pos d_head"],
        rotation: Rotation | None,
        n_heads: int,
        heads: Heads = EVERY_HEAD,
    ) -> Float[Tensor, "*batch some_heads pos d_head"]:
        """Queries, keys or values as attention takes them: normed, clipped, and turned.

        Args:
            x: as they are projected.
            rotation: how positions turn them; None: not at all.
            n_heads: see ``HeadNorm``, as for ``heads``.
        """
        norm = {"q": self.q_norm, "k": self.k_norm}.get(letter)
        turn = rotation if self.rotates and letter != "v" else None
        if turn is not None and self.norms_rotated:
            x, turn = turn(x), None
        if norm is not None:
            x = norm(x, n_heads, heads)
        if self.clip is not None:
            x = x.clamp(-self.clip, self.clip)
        return x if turn is None else turn(x)

    @cached_property
    def W_write(self) -> Float[Tensor, "head d_head d_model"]:
        """How each head writes to the stream: ``W_O`` through the norm after attention, but for
        its scale, times the residual multiplier.
        """
        weight = self.ln1_post.linear(self.W_O)
        return weight if self.residual_multiplier == 1 else weight * self.residual_multiplier

    def written_scale(
        self, z: Float[Tensor, "*batch head pos d_head"]
    ) -> Float[Tensor, "*batch pos 1"] | None:
        """What the norm after attention divides by; None where there is no such norm."""
        return None if self.ln1_post.is_identity else self.ln1_post.scale(self.summed(z))

    def scaled(
        self, z: Float[Tensor, "*batch head pos d_head"]
    ) -> Float[Tensor, "*batch head pos d_head"]:
        """``z`` over the scale of the norm after attention, so that ``W_write`` of it is what each
        head writes.
        """
        scale = self.written_scale(z)
        return z if scale is None else z / scale.unsqueeze(-3)

    def write(
        self, z: Float[Tensor, "*batch head pos d_head"]
    ) -> Float[Tensor, "*batch pos d_model"]:
        """What attention writes: ``attn_out``."""
        return self._multiplied(self.ln1_post(self.summed(z)))

    def written_besides(
        self, z: Float[Tensor, "*batch head pos d_head"]
    ) -> Float[Tensor, "*batch pos d_model"] | Float[Tensor, " d_model"]:
        """What attention writes that no head does: its biases'."""
        if self.ln1_post.is_identity:
            return self._multiplied(self.b_O)
        scale = self.ln1_post.scale(self.summed(z))
        share = self.ln1_post.linear(self.b_O) / scale
        return self._multiplied(share + self.ln1_post.constant(share))

    def mlp_out(
        self, x: Float[Tensor, "*batch pos d_model"]
    ) -> Float[Tensor, "*batch pos d_model"]:
        """What the MLP writes for what it reads, before its norm."""
        if self.mlp is None:
            return torch.zeros_like(x)
        return self._multiplied(self.ln2_post(self.mlp(self.ln2(x))))

    def after_attention(
        self, resid_pre: Float[Tensor, "*#b d_model"], attn_out: Float[Tensor, "*#b d_model"]
    ) -> Float[Tensor, "*_ d_model"]:
        """The stream once attention has written to it: ``resid_mid``."""
        return self.norm_mid(resid_pre + attn_out)

    def after_mlp(
        self, resid_mid: Float[Tensor, "*#b d_model"], mlp_out: Float[Tensor, "*#b d_model"]
    ) -> Float[Tensor, "*_ d_model"]:
        """The stream once the MLP has written to it too: ``resid_post``."""
        return self.norm_post(resid_mid + mlp_out)

    def summed(
        self, z: Float[Tensor, "*batch head pos d_head"]
    ) -> Float[Tensor, "*batch pos d_model"]:
        """What attention returns, before any norm after it."""
        return z.transpose(-3, -2).flatten(-2) @ self.W_O.flatten(0, 1) + self.b_O

    def _multiplied(self, x: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch d_model"]:
        return x if self.residual_multiplier == 1 else x * self.residual_multiplier
