"""Going on from the middle of a run: many variants of it side by side, each changed somewhere.

Nothing is computed that a change does not reach: not the layers before it, not, where attention
looks back only, the positions before it, not the MLP at positions where its input is the run's
own, and in the last block only what the answers are read from.
"""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from mitool.analysis.interventions.decoder import Decoder
from mitool.analysis.interventions.graph import Graph
from mitool.analysis.interventions.run import Run

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
    def logits(self, entry: Entry) -> Float[Tensor, "variant pair answer d_vocab_out"]:
        """The logits that each variant ends in."""
        n_variants = len(entry.stream)
        if self._is_behind_attention(entry):
            entry = _between(entry, min(self.positions), max(self.positions) + 1)
        entry = self.at(entry, self.decoder.n_layers)
        logits = self.base.logits.expand(n_variants, *self.base.logits.shape)
        stop = entry.start + entry.stream.shape[2]
        changed = [i for i, place in enumerate(self.positions) if entry.start <= place < stop]
        if not changed:
            return logits
        rows = [self.positions[index] - entry.start for index in changed]
        found = self.decoder.unembed(entry.stream[:, :, rows])
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
        own, start = decoder.layers[entry.layer], entry.start if decoder.is_causal else 0
        x = self._to_the_end(entry, start)
        normed = own.ln1(x)
        k = decoder.meet(entry.layer, own.k(normed), self.base.read, "k", start)
        keys, values = _after(base.met_k, k, start), _after(base.v, own.v(normed), start)
        first = max(start, min(self.positions)) if answers_only else start
        last = max(self.positions) + 1 if answers_only else self.base.n_positions
        if first >= last:  # every answer was read before the change
            return Entry(entry.layer + 1, "pre", start, x[:, :, :0])
        rows = slice(first - start, last - start)
        q = decoder.meet(entry.layer, own.q(normed[:, :, rows]), self.base.read, "q", first)
        queries = torch.arange(first, last, device=x.device)
        pattern = decoder.pattern(entry.layer, q, decoder.shared(keys), queries)
        attn_out = own.write(pattern @ decoder.shared(values))
        x = x[:, :, rows]
        if decoder.is_parallel:
            return Entry(entry.layer + 1, "pre", first, x + attn_out + own.mlp_out(x))
        return Entry(entry.layer, "mid", first, x + attn_out)

    def _is_behind_attention(self, entry: Entry) -> bool:
        """Whether nothing from one position reaches another any more."""
        left = self.decoder.n_layers - entry.layer
        return left == 0 or (left == 1 and entry.stage == "mid")

    def _behind_mlp(self, entry: Entry) -> Entry:
        written = self.decoder.layers[entry.layer].mlp_out(entry.stream)
        return Entry(entry.layer + 1, "pre", entry.start, entry.stream + written)

    def _to_the_end(self, entry: Entry, start: int) -> Float[Tensor, "variant pair pos d_model"]:
        """The stream from ``start`` to the last position."""
        own = self.base.resid_pre(entry.layer)
        stop = entry.start + entry.stream.shape[2]
        parts = [own[:, start : entry.start], entry.stream, own[:, stop:]]
        n_variants = len(entry.stream)
        whole = [part if part.ndim == 4 else part.expand(n_variants, *part.shape) for part in parts]
        return torch.cat([part for part in whole if part.shape[2]], dim=2)


def _between(entry: Entry, first: int, end: int) -> Entry:
    """The part of an entry at the positions from ``first`` to the one before ``end``."""
    start = max(entry.start, first)
    changed = slice(start - entry.start, max(end - entry.start, start - entry.start))
    return replace(entry, start=start, stream=entry.stream[:, :, changed])


def _after(
    own: Float[Tensor, "pair head pos d_head"],
    changed: Float[Tensor, "variant pair head later d_head"],
    start: int,
) -> Float[Tensor, "variant pair head pos d_head"]:
    """The run's own keys or values before ``start``, and the changed ones from there on."""
    if not start:
        return changed
    before = own[:, :, :start]
    return torch.cat([before.expand(len(changed), *before.shape), changed], dim=-2)
