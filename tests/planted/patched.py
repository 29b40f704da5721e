"""A planted model taken apart, its runs, and its edges patched."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache, cached_property

import torch
from torch import Tensor

from mitool import planted
from mitool.analysis.interventions.edges import EdgeRuns
from mitool.analysis.interventions.graph import Edge, Graph, Node
from mitool.analysis.interventions.run import Run, run
from mitool.analysis.metrics import METRICS
from mitool.models.decoder import Decoder
from mitool.models.decoder.toy import toy_decoder
from mitool.planted.base import Planted


@dataclass(frozen=True)
class Patched:
    """Metrics are logit differences of the clean run's answer and the corrupted run's, by pair."""

    planted: Planted
    decoder: Decoder
    clean: Run
    corrupted: Run

    @cached_property
    def graph(self) -> Graph:
        return Graph.of(self.decoder)

    @cached_property
    def truth(self) -> list[Edge]:
        return self.graph.matching(self.planted.truth, "truth")

    @property
    def others(self) -> list[Edge]:
        return [edge for edge in self.graph.edges() if edge not in self.truth]

    @property
    def distractors(self) -> list[Node]:
        """Heads and MLPs that are at no end of a true edge."""
        true = {node for edge in self.truth for node in (edge.source, edge.target)}
        return [node for node in self.graph.writers[1:] if node not in true]

    def metric(self, logits: Tensor) -> Tensor:
        pairs = self.planted.pairs
        return METRICS["logit-diff"](logits[None], pairs, self.clean.logits)[0]

    def with_corrupted(self, edges: Collection[Edge]) -> Tensor:
        """The metric of the clean run with these edges carrying the corrupted run's values."""
        at = self.planted.pairs.answer_positions
        (logits,) = EdgeRuns(self.decoder, self.clean, self.corrupted, at).patched(edges)
        return self.metric(logits)

    @property
    def whole(self) -> Tensor:
        return self.metric(self.clean.logits)

    @property
    def gap(self) -> float:
        return (self.whole - self.metric(self.corrupted.logits)).mean().item()


@cache
def patched(name: str) -> Patched:
    found = planted.plant(name)
    decoder, pairs = toy_decoder(found.model), found.pairs
    with torch.no_grad():
        runs = (run(decoder, x, pairs.answer_positions) for x in (pairs.clean, pairs.corrupted))
        return Patched(found, decoder, *runs)
