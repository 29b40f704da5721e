"""Activations of one run replaced by those of another: where that enters the residual stream."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mitool.analysis.interventions.restart import Entry
from mitool.analysis.interventions.run import Run
from mitool.models.decoder import Decoder, Letter

Activation = Literal[
    "resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out", "z", "q", "k", "v", "pattern"
]
"""TransformerLens's names of what can be replaced."""

ROUNDING = 16
"""Differences of so many units in the last place are none."""


@dataclass(frozen=True)
class Change:
    """An activation of a layer, at the positions from ``start`` to the one before ``stop``.

    Of a head's activations ``head`` says whose; of ``k`` and ``v`` it counts what heads share.
    """

    activation: Activation
    layer: int
    head: int | None
    start: int
    stop: int


class Replacement:
    """Puts activations of ``source`` into ``base``."""

    def __init__(self, decoder: Decoder, base: Run, source: Run) -> None:
        self.decoder, self.base, self.source = decoder, base, source

    def differs(self, change: Change) -> Bool[Tensor, "pair changed"]:
        """At which of its positions the replaced activation is another one."""
        return differ(*(self._activation(run, change) for run in (self.base, self.source)))

    @torch.no_grad()
    def entry(self, changes: Sequence[Change]) -> Entry:
        """The variants in which each change is made alone.

        Args:
            changes: of one activation and layer.
        """
        activation, layer = changes[0].activation, changes[0].layer
        reached = [self._reached(change) for change in changes]
        start, stop = min(first for first, _ in reached), max(end for _, end in reached)
        if activation in ("resid_pre", "resid_post"):
            at = layer + (activation == "resid_post")
            return Entry(
                at, "pre", start, self._replaced(self.base.resid_pre(at), changes, start, stop)
            )
        base = self.base.layers[layer]
        if activation == "resid_mid":
            return Entry(layer, "mid", start, self._replaced(base.resid_mid, changes, start, stop))
        if activation == "mlp_out":
            mlp_out = self._replaced(base.mlp_out, changes, start, stop)
            stream = self.decoder.layers[layer].after_mlp(base.resid_mid[:, start:stop], mlp_out)
            return Entry(layer + 1, "pre", start, stream)
        if activation == "attn_out":
            attn_out = self._replaced(base.attn_out, changes, start, stop)
        else:
            attn_out = base.attn_out[:, start:stop].repeat(len(changes), 1, 1, 1)
            for change, (first, end), written in zip(changes, reached, attn_out, strict=True):
                written[:, first - start : end - start] = self._with_heads(change, first, end)
        return after_attention(self.decoder, self.base, layer, start, attn_out)

    def _activation(self, run: Run, change: Change) -> Float[Tensor, "pair changed size"]:
        layer = run.layers[change.layer]
        whole: Tensor = getattr(layer, change.activation)
        if change.head is not None:
            whole = whole[:, change.head]
        return whole[:, change.start : change.stop]

    def _replaced(
        self,
        own: Float[Tensor, "pair pos d_model"],
        changes: Sequence[Change],
        start: int,
        stop: int,
    ) -> Float[Tensor, "variant pair changed d_model"]:
        values = own[:, start:stop].repeat(len(changes), 1, 1, 1)
        for change, value in zip(changes, values, strict=True):
            value[:, change.start - start : change.stop - start] = self._activation(
                self.source, change
            )
        return values

    def _reached(self, change: Change) -> tuple[int, int]:
        """Positions at which the change reaches the residual stream: first, and behind the last."""
        if change.activation not in ("k", "v"):
            return change.start, change.stop
        return change.start if self.decoder.is_causal else 0, self.base.n_positions

    def _with_heads(
        self, change: Change, start: int, stop: int
    ) -> Float[Tensor, "pair reached d_model"]:
        """``attn_out`` there once a head's activation is another one."""
        decoder, base = self.decoder, self.base.layers[change.layer]
        assert change.head is not None
        value = self._activation(self.source, change)
        group = decoder.group if change.activation in ("k", "v") else 1
        heads = slice(change.head * group, (change.head + 1) * group)
        match change.activation:
            case "z":
                new = value[:, None]
            case "pattern":
                new = value[:, None] @ base.used_v[:, [change.head // decoder.group]]
            case "q" | "k" | "v" as letter:
                values = {letter: value}
                new = head_z(decoder, self.base, change.layer, heads, values, change.start)
                new = new[:, :, start:stop]
                heads = reached(decoder, change.layer, heads, (letter,))
        return with_z(decoder, self.base, change.layer, heads, new, slice(start, stop))


def differ(
    base: Float[Tensor, "*place size"], source: Float[Tensor, "*place size"]
) -> Bool[Tensor, "*place"]:
    """Where two activations are not the same but for rounding."""
    allowed = ROUNDING * torch.finfo(base.dtype).eps * base.abs().amax(dim=-1)
    return (base - source).abs().amax(dim=-1) > allowed


def reached(decoder: Decoder, layer: int, heads: slice, letters: Collection[Letter]) -> slice:
    """The heads whose ``z`` is another one once these inputs of some heads are: all of a layer's
    where one norm is taken over the queries, or keys, of all of them.
    """
    is_shared = decoder.layers[layer].norms_span_heads and not {"q", "k"}.isdisjoint(letters)
    return slice(0, decoder.n_heads) if is_shared else heads


def head_z(
    decoder: Decoder,
    base: Run,
    layer: int,
    heads: slice,
    values: Mapping[Letter, Float[Tensor, "pair changed d_head"]],
    start: int,
) -> Float[Tensor, "pair head pos d_head"]:
    """``z`` of the heads that are reached where inputs of heads that share keys and values, or of
    one, are others.

    Args:
        values: what they are from ``start`` on, for all of these heads.
    """
    own, read, everywhere = base.layers[layer], base.read, slice(0, base.n_positions)
    found = reached(decoder, layer, heads, values)

    def own_keys(of: slice) -> slice:
        return slice(of.start // decoder.group, (of.stop - 1) // decoder.group + 1)

    def taken(letter: Letter, whole: Tensor) -> Tensor:
        """Those of the reached heads as attention takes them."""
        theirs = (lambda of: of) if letter == "q" else own_keys
        if letter in values:
            value, whole = values[letter], whole.clone()
            whole[:, theirs(heads), start : start + value.shape[1]] = value[:, None]
        x = decoder.to_attention(layer, letter, whole, read)[:, theirs(found)]
        return x if letter == "q" or x.shape[1] == 1 else decoder.shared(x)

    v = taken("v", own.v)
    if not {"q", "k"} & set(values):
        return own.pattern[:, found] @ v
    q, k = taken("q", own.q), taken("k", own.k)
    return decoder.pattern(layer, q, k, read, everywhere, found) @ v


def with_z(
    decoder: Decoder,
    base: Run,
    layer: int,
    heads: slice,
    z: Float[Tensor, "pair some_heads changed d_head"],
    places: slice,
) -> Float[Tensor, "pair changed d_model"]:
    """``attn_out`` at some positions once the ``z`` of some heads is another one."""
    own, part = base.layers[layer], decoder.layers[layer]
    if part.ln1_post.is_identity:
        change = z - own.z[:, heads, places]
        written = change.transpose(1, 2).flatten(-2) @ part.W_write[heads].flatten(0, 1)
        return own.attn_out[:, places] + written
    whole = own.z[:, :, places].clone()
    whole[:, heads] = z
    return part.write(whole)


def after_attention(
    decoder: Decoder,
    base: Run,
    layer: int,
    start: int,
    attn_out: Float[Tensor, "variant pair changed d_model"],
) -> Entry:
    """Where a change of ``attn_out`` from ``start`` on enters the stream."""
    own, part = base.layers[layer], decoder.layers[layer]
    changed = slice(start, start + attn_out.shape[2])
    mid = part.after_attention(own.resid_pre[:, changed], attn_out)
    if decoder.is_parallel:
        return Entry(layer + 1, "pre", start, part.after_mlp(mid, own.mlp_out[:, changed]))
    return Entry(layer, "mid", start, mid)
