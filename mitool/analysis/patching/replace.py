"""Activations of one run replaced by those of another: where that enters the residual stream."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mitool.analysis.interventions.decoder import Decoder, Letter
from mitool.analysis.interventions.restart import Entry
from mitool.analysis.interventions.run import Run
from mitool.analysis.patching.sites import Activation

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
            return Entry(layer + 1, "pre", start, base.resid_mid[:, start:stop] + mlp_out)
        if activation == "attn_out":
            attn_out = self._replaced(base.attn_out, changes, start, stop)
        else:
            attn_out = base.attn_out[:, start:stop].repeat(len(changes), 1, 1, 1)
            for change, (first, end), written in zip(changes, reached, attn_out, strict=True):
                written[:, first - start : end - start] += self._head_change(change, first, end)
        return behind_attention(self.decoder, self.base, layer, start, attn_out)

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

    def _head_change(
        self, change: Change, start: int, stop: int
    ) -> Float[Tensor, "pair reached d_model"]:
        """What the change of a head's activation adds to ``attn_out`` there."""
        decoder, base = self.decoder, self.base.layers[change.layer]
        assert change.head is not None
        value = self._activation(self.source, change)
        group = decoder.group if change.activation in ("k", "v") else 1
        heads = slice(change.head * group, (change.head + 1) * group)
        old = base.z[:, heads, start:stop]
        match change.activation:
            case "z":
                new = value[:, None]
            case "pattern":
                new = value[:, None] @ base.v[:, [change.head // decoder.group]]
            case "q" | "k" | "v" as letter:
                values = {letter: value}
                new = head_z(decoder, self.base, change.layer, heads, values, change.start)
                new = new[:, :, start:stop]
        return written_by(decoder, change.layer, heads, new - old)


def differ(
    base: Float[Tensor, "*place size"], source: Float[Tensor, "*place size"]
) -> Bool[Tensor, "*place"]:
    """Where two activations are not the same but for rounding."""
    allowed = ROUNDING * torch.finfo(base.dtype).eps * base.abs().amax(dim=-1)
    return (base - source).abs().amax(dim=-1) > allowed


def head_z(
    decoder: Decoder,
    base: Run,
    layer: int,
    heads: slice,
    values: Mapping[Letter, Float[Tensor, "pair changed d_head"]],
    start: int,
) -> Float[Tensor, "pair head pos d_head"]:
    """``z`` of heads once their queries, keys or values are others.

    Args:
        values: what they are from ``start`` on, for all of these heads.
    """
    own = base.layers[layer]
    shared = [head // decoder.group for head in range(heads.start, heads.stop)]

    def changed(letter: Letter, whole: Tensor) -> Tensor:
        value = values.get(letter)
        if value is None:
            return whole
        stop = start + value.shape[1]
        value = value[:, None].expand(-1, whole.shape[1], -1, -1)
        return torch.cat([whole[:, :, :start], value, whole[:, :, stop:]], dim=2)

    v = changed("v", own.v[:, shared])
    if not {"q", "k"} & set(values):
        return own.pattern[:, heads] @ v
    q = decoder.meet(layer, changed("q", own.q[:, heads]), base.read, "q")
    k = decoder.meet(layer, changed("k", own.k[:, shared]), base.read, "k")
    return decoder.pattern(layer, q, k, torch.arange(q.shape[-2], device=q.device)) @ v


def written_by(
    decoder: Decoder, layer: int, heads: slice, z: Float[Tensor, "pair head pos d_head"]
) -> Float[Tensor, "pair pos d_model"]:
    """What these heads write."""
    W_O = decoder.layers[layer].W_O[heads]
    return z.transpose(1, 2).flatten(-2) @ W_O.flatten(0, 1)


def behind_attention(
    decoder: Decoder,
    base: Run,
    layer: int,
    start: int,
    attn_out: Float[Tensor, "variant pair changed d_model"],
) -> Entry:
    """Where a change of ``attn_out`` from ``start`` on enters the stream."""
    own, changed = base.layers[layer], slice(start, start + attn_out.shape[2])
    stream = own.resid_pre[:, changed] + attn_out
    if decoder.is_parallel:
        return Entry(layer + 1, "pre", start, stream + own.mlp_out[:, changed])
    return Entry(layer, "mid", start, stream)
