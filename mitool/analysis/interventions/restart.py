"""Going on from the middle of a run: many variants of it side by side, each changed somewhere.

Nothing is computed that a change does not reach: not the layers before it, not, where attention
looks back only, the positions before it, not the MLP at positions where its input is the run's
own, and in the last block only what the answers are read from.
"""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mitool.analysis.interventions.graph import Graph
from mitool.analysis.interventions.run import Run
from mitool.models.decoder import Decoder

Stage = Literal["pre", "mid"]


@dataclass(frozen=True)
class Entry:
    """Variants of a run's residual stream, each changed at some positions.

    Attributes:
        layer: where it enters; the number of layers stands for behind the last one.
        stage: ``pre``, before the block, or ``mid``, behind its attention.
        start: the first position of ``stream``.
        stream: from there on; behind its end it is the run's own.
    """

    layer: int
    stage: Stage
    start: int
    stream: Float[Tensor, "variant pair changed d_model"]


class Restart:
    """Goes on from the middle of one run.

    Args:
        positions: where answers are read.
    """

    def __init__(self, decoder: Decoder, base: Run, positions: tuple[int, ...]) -> None:
        self.decoder, self.base, self.positions = decoder, base, positions
        self.graph = Graph.of(decoder)

    @torch.no_grad()
    def logits(
        self, entry: Entry, tokens: Int[Tensor, " token"] | None = None
    ) -> Float[Tensor, "variant pair answer token"]:
        """The logits that each variant ends in.

        Args:
            tokens: of these alone.
        """
        n_variants = len(entry.stream)
        if self._is_behind_attention(entry):
            entry = _between(entry, min(self.positions), max(self.positions) + 1)
        entry = self.at(entry, self.decoder.n_layers)
        logits = self.base.logits if tokens is None else self.base.logits[..., tokens]
        logits = logits.expand(n_variants, *logits.shape)
        stop = entry.start + entry.stream.shape[2]
        changed = [i for i, place in enumerate(self.positions) if entry.start <= place < stop]
        if not changed:
            return logits
        rows = [self.positions[index] - entry.start for index in changed]
        found = self.decoder.unembed(entry.stream[:, :, rows], tokens)
        if len(changed) == len(self.positions):
            return found
        return logits.index_copy(2, torch.tensor(changed, device=found.device), found)

    @torch.no_grad()
    def at(self, entry: Entry, layer: int) -> Entry:
        """The variants before a later block, or behind the last one.

        Behind the last one they hold no more than the answers.
        """
        if entry.stage == "mid" and entry.layer < layer:
            entry = self._behind_mlp(entry)
        while entry.layer < layer:
            is_last = entry.layer + 1 == self.decoder.n_layers
            entry = self.behind_attention(entry, answers_only=is_last)
            entry = entry if entry.stage == "pre" else self._behind_mlp(entry)
        return entry

    def behind_attention(self, entry: Entry, *, answers_only: bool = False) -> Entry:
        """From before a block to behind its attention, or where the two read side by side, to
        behind the block.

        Args:
            answers_only: at the positions from the first answer to the last one.
        """
        decoder, base = self.decoder, self.base.layers[entry.layer]
        own, layer = decoder.layers[entry.layer], entry.layer
        first = entry.start if decoder.is_causal else 0
        last = self.base.n_positions
        if answers_only:
            first, last = max(first, min(self.positions)), max(self.positions) + 1
        if first >= last:  # every answer was read before the change
            return Entry(layer + 1, "pre", first, entry.stream[:, :, :0])
        normed, start, read = own.ln1(entry.stream), entry.start, self.base.read
        k = decoder.to_attention(layer, "k", own.k(normed), read, start)
        v = decoder.to_attention(layer, "v", own.v(normed), read, start)
        keys = decoder.shared(put(base.rot_k, k, start))
        values = decoder.shared(put(base.used_v, v, start))
        asking = _between(replace(entry, stream=normed), first, last)
        q = put(base.q[:, :, first:last], own.q(asking.stream), asking.start - first)
        q = decoder.to_attention(layer, "q", q, read, first)
        pattern = decoder.pattern(layer, q, keys, read, slice(first, last))
        attn_out = own.write(pattern @ values)
        x = self._stream(entry, first, last)
        mid = own.after_attention(x, attn_out)
        if decoder.is_parallel:
            return Entry(layer + 1, "pre", first, own.after_mlp(mid, own.mlp_out(x)))
        return Entry(layer, "mid", first, mid)

    def _is_behind_attention(self, entry: Entry) -> bool:
        """Whether nothing from one position reaches another any more."""
        left = self.decoder.n_layers - entry.layer
        return left == 0 or (left == 1 and entry.stage == "mid")

    def _behind_mlp(self, entry: Entry) -> Entry:
        own = self.decoder.layers[entry.layer]
        stream = own.after_mlp(entry.stream, own.mlp_out(entry.stream))
        return Entry(entry.layer + 1, "pre", entry.start, stream)

    def _stream(
        self, entry: Entry, first: int, last: int
    ) -> Float[Tensor, "variant pair pos d_model"]:
        """The stream before the block from ``first`` to the position before ``last``."""
        own = self.base.resid_pre(entry.layer)[:, first:last]
        changed = _between(entry, first, last)
        return put(own, changed.stream, changed.start - first)


def _between(entry: Entry, first: int, last: int) -> Entry:
    """The part of an entry from ``first`` to the position before ``last``."""
    start = min(max(entry.start, first), last)
    skipped, stop = start - entry.start, max(last - entry.start, 0)
    return replace(entry, start=start, stream=entry.stream[:, :, max(skipped, 0) : stop])


def put(
    own: Float[Tensor, "*place pos width"],
    changed: Float[Tensor, "variant *place changed width"],
    start: int,
) -> Float[Tensor, "variant *place pos width"]:
    """A run's own tensor for each variant, with what is changed in it from ``start`` on."""
    stop = start + changed.shape[-2]
    if changed.shape[-2] == own.shape[-2]:
        return changed
    whole = own.expand(len(changed), *own.shape)
    return torch.cat([whole[..., :start, :], changed, whole[..., stop:, :]], dim=-2)
