"""Path patching: what one node writes in another run, carried to one reader alone.

The writer's change reaches the reader in a run of its own, in which what lies between is frozen at
the base run's activations or recomputed; into the base run goes only what the reader makes of it,
and everything behind the reader is recomputed. Of what lies between,

- ``frozen`` leaves everything as it is but for the direct connection (Goldowsky-Dill et al. 2023,
  arXiv 2304.05969),
- ``mlps`` recomputes MLPs and leaves heads as they are (Wang et al. 2022, arXiv 2211.00593),
- ``recomputed`` recomputes everything, so that the change flows along every path.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mitool.analysis.interventions.edges import written
from mitool.analysis.interventions.graph import Edge, Node
from mitool.analysis.interventions.replace import after_attention, differ, reached, with_z
from mitool.analysis.interventions.restart import Entry, Restart, put
from mitool.analysis.interventions.run import Run
from mitool.models.decoder import Decoder, Letter, Projection
from mitool.settings import Between


@dataclass(frozen=True)
class Path:
    """From a writer to a reader; of a head ``letters`` says by what it reads.

    Attributes:
        span: the first position that is carried and the one behind the last; None: all.
    """

    source: Node
    target: Node
    letters: tuple[Letter, ...] = ()
    span: tuple[int, int] | None = None

    @property
    def origin(self) -> tuple[Node, tuple[int, int] | None]:
        """What is carried, whoever reads it."""
        return self.source, self.span

    def __str__(self) -> str:
        letters = "" if len(self.letters) in (0, 3) else f"<{''.join(self.letters)}>"
        return f"{self.source}->{self.target}{letters}"


def paths_of(edges: Sequence[Edge]) -> list[Path]:
    """Edges between the same two nodes as one path."""
    letters: dict[tuple[Node, Node], list[Letter]] = {}
    for edge in edges:
        held = letters.setdefault((edge.source, edge.target), [])
        held += [edge.letter] if edge.letter else []
    return [Path(*nodes, tuple(held)) for nodes, held in letters.items()]


class PathReplacement:
    """Carries what nodes write in ``source`` along paths into ``base``."""

    def __init__(self, restart: Restart, source: Run, between: Between) -> None:
        restart.decoder.require_sum("patching along paths")
        self.restart, self.decoder, self.base = restart, restart.decoder, restart.base
        self.source, self.between = source, between
        self._known: dict[Any, Tensor] = {}
        self._starts: dict[Any, int] = {}

    def differs(self, path: Path) -> Bool[Tensor, " pair"]:
        """In which pairs the writer writes something else."""
        return self._difference(path).flatten(1).any(dim=1)

    def start(self, path: Path) -> int:
        """The first position at which it does."""
        if path.origin not in self._starts:
            differs = self._difference(path).any(dim=-1).any(dim=0)
            self._starts[path.origin] = int(differs.int().argmax())
        return self._starts[path.origin]

    def kind(self, path: Path) -> Hashable:
        """Paths of one kind enter at one place."""
        behind = (path.source.kind, path.source.layer) if self.between == "recomputed" else ()
        return path.target.kind, path.target.layer, path.letters, self.start(path), behind

    @torch.no_grad()
    def entry(self, paths: Sequence[Path]) -> Entry:
        """The variants in which each path is patched alone.

        Args:
            paths: of one kind.
        """
        target = paths[0].target
        by_origin = {path.origin: path for path in paths}
        each = {origin: self._arriving(path) for origin, path in by_origin.items()}
        numbers = {origin: number for number, origin in enumerate(each)}
        which = [numbers[path.origin] for path in paths]
        first = next(iter(each.values()))
        arriving = replace(first, stream=torch.cat([entry.stream for entry in each.values()]))
        if target.kind == "a":
            return self._behind_heads(arriving, paths, which)
        if target.kind == "m":
            arriving = self._behind_mlp(arriving, target.layer)
        return replace(arriving, stream=arriving.stream[which])

    def _behind_mlp(self, arriving: Entry, layer: int) -> Entry:
        x, start = arriving.stream, arriving.start
        own = self.base.layers[layer].resid_mid[:, start : start + x.shape[2]]
        return Entry(layer + 1, "pre", start, own + self.decoder.layers[layer].mlp_out(x))

    def _behind_heads(self, arriving: Entry, paths: Sequence[Path], which: list[int]) -> Entry:
        """Where it enters that each path's head reads one of the streams that arrive.

        Args:
            which: of the streams, for each path.
        """
        layer, start = paths[0].target.layer, arriving.start
        heads, letters = [path.target.head for path in paths], paths[0].letters
        z = heads_z(self.decoder, self.base, layer, arriving, letters, which, heads)
        start = start if self.decoder.is_causal else 0
        of = [reached(self.decoder, layer, slice(head, head + 1), letters) for head in heads]
        attn_out = torch.stack(
            [
                with_z(self.decoder, self.base, layer, own, each, slice(start, None))
                for own, each in zip(of, z[:, :, :, start:].unbind(dim=1), strict=True)
            ]
        )
        return after_attention(self.decoder, self.base, layer, start, attn_out)

    def _arriving(self, path: Path) -> Entry:
        """The stream that the reader sees, from the first position that differs on."""
        if self.between == "recomputed":
            return self._recomputed(path)
        start, target = self.start(path), path.target
        change = self._difference(path)[:, start:]
        if self.between == "mlps":
            change = change + self._by_mlps(path, start, change)
        is_mid = target.kind == "m" and not self.decoder.is_parallel
        layer = self.decoder.n_layers if target.kind == "logits" else target.layer
        own = self.base.layers[layer].resid_mid if is_mid else self.base.resid_pre(layer)
        return Entry(layer, "mid" if is_mid else "pre", start, (own[:, start:] + change)[None])

    def _by_mlps(
        self, path: Path, start: int, change: Float[Tensor, "pair later d_model"]
    ) -> Float[Tensor, "pair later d_model"]:
        """What the MLPs between writer and reader add to a change of the stream."""
        source, target, total = path.source, path.target, torch.zeros_like(change)
        last = self.decoder.n_layers if target.kind == "logits" else target.layer
        for layer in range(source.layer, last):
            mlp = Node("m", layer)
            if self.restart.graph.reads(mlp, source):
                base = self.base.layers[layer]
                own = base.resid_pre if self.decoder.is_parallel else base.resid_mid
                new = self.decoder.layers[layer].mlp_out(own[:, start:] + change + total)
                total = total + new - base.mlp_out[:, start:]
        return total

    def _recomputed(self, path: Path) -> Entry:
        start, source, target = self.start(path), path.source, path.target
        change = self._difference(path)[None, :, start:]
        if source.kind == "a":
            attn_out = self.base.layers[source.layer].attn_out[:, start:] + change
            entry = after_attention(self.decoder, self.base, source.layer, start, attn_out)
        else:
            layer = 0 if source.kind == "input" else source.layer + 1
            entry = Entry(layer, "pre", start, self.base.resid_pre(layer)[:, start:] + change)
        if target.kind == "logits":
            return self.restart.at(entry, self.decoder.n_layers)
        if entry.stage == "mid" and target.kind == "m" and entry.layer == target.layer:
            return entry
        entry = self.restart.at(entry, target.layer)
        if target.kind == "m" and not self.decoder.is_parallel:
            return self.restart.behind_attention(entry)
        return entry

    def _difference(self, path: Path) -> Float[Tensor, "pair pos d_model"]:
        """What a path's writer writes in the source run less what it writes in the base run, where
        the path carries it.
        """
        if path.origin not in self._known:
            source, base = (
                written(self.decoder, run, path.source) for run in (self.source, self.base)
            )
            found = (source - base) * differ(base, source)[..., None]
            if path.span is not None:
                found[:, : path.span[0]], found[:, path.span[1] :] = 0.0, 0.0
            self._known[path.origin] = found
        return self._known[path.origin]


def heads_z(
    decoder: Decoder,
    base: Run,
    layer: int,
    arriving: Entry,
    letters: Sequence[Letter],
    which: Sequence[int],
    heads: Sequence[int],
) -> Float[Tensor, "pair variant reached pos d_head"]:
    """``z`` of the heads that are reached where one head reads another stream, and all other heads
    read what they did; see ``reached``.

    Args:
        arriving: the streams that are read; after their end each is the run's own.
        letters: by which of their inputs; by the others the heads read what they did.
        which: of the streams, for each variant.
        heads: which head reads it, for each variant.
    """
    part, own, read = decoder.layers[layer], base.layers[layer], base.read
    normed = part.ln1(arriving.stream)
    if part.norms_span_heads and not {"q", "k"}.isdisjoint(letters):
        each = zip(which, heads, strict=True)
        found = [
            _all_z(decoder, base, layer, normed[stream], arriving.start, letters, head)
            for stream, head in each
        ]
        return torch.stack(found, dim=1)

    def taken(letter: Letter, whole: Tensor, projection: Projection) -> Tensor:
        """Each variant's queries, keys or values as attention takes them."""
        whole = whole if letter == "q" else decoder.shared(whole)
        if letter not in letters:
            return decoder.to_attention(layer, letter, whole, read)[:, heads]
        projected = projection(normed)
        projected = projected if letter == "q" else decoder.shared(projected)
        changed = projected[which, :, heads].transpose(0, 1)[None]
        (found,) = put(whole[:, heads], changed, arriving.start)
        return decoder.to_attention(layer, letter, found, read, heads=heads)

    v = taken("v", own.v, part.v)
    if set(letters) == {"v"}:
        return (own.pattern[:, heads] @ v)[:, :, None]
    q, k = taken("q", own.q, part.q), taken("k", own.k, part.k)
    pattern = decoder.pattern(layer, q, k, read, slice(0, base.n_positions), heads)
    return (pattern @ v)[:, :, None]


def _all_z(
    decoder: Decoder,
    base: Run,
    layer: int,
    normed: Float[Tensor, "pair changed d_model"],
    start: int,
    letters: Sequence[Letter],
    head: int,
) -> Float[Tensor, "pair head pos d_head"]:
    """``z`` of all heads where one reads another stream, and a norm is taken over all of them."""
    part, own, read = decoder.layers[layer], base.layers[layer], base.read
    places = slice(start, start + normed.shape[1])

    def taken(letter: Letter, whole: Tensor, projection: Projection) -> Tensor:
        whole = whole.clone() if letter == "q" else decoder.shared(whole).clone()
        if letter in letters:
            projected = projection(normed)
            projected = projected if letter == "q" else decoder.shared(projected)
            whole[:, head, places] = projected[:, head]
        return decoder.to_attention(layer, letter, whole, read)

    q, k, v = taken("q", own.q, part.q), taken("k", own.k, part.k), taken("v", own.v, part.v)
    return decoder.pattern(layer, q, k, read, slice(0, base.n_positions)) @ v
