"""Variants of a run side by side, in batches that fit into memory."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mitool.analysis.interventions.restart import Entry, Restart
from mitool.analysis.interventions.table import EdgeTable
from mitool.analysis.metrics import Metric
from mitool.core.device import HOST, Device, to_float64
from mitool.core.memory import is_out_of_memory
from mitool.models.decoder import Decoder
from mitool.pairs.prompt_pairs import PromptPairs
from mitool.tasks import NO_ANSWER

Variant = TypeVar("Variant")
Found = TypeVar("Found")

SMALL = 2**16
"""Numbers in the stream of a batch up to which variants that enter at different positions go
together: one product costs less than two smaller ones, though a part of it is for nothing.
"""

STREAMS, HIDDEN, LOGITS = 16, 4, 3
"""How many tensors of the width of the stream, of the MLP and of the vocabulary a batch holds."""

RUNS = 3

MIB = 2**20
USUAL = 512
"""MiB of a budget, if nothing else is said; more makes nothing faster."""


@dataclass
class Budget:
    """How much a batch may hold.

    Attributes:
        size: bytes of activations at a time.
    """

    size: int

    @classmethod
    def of(cls, memory: int | None, device: Device) -> "Budget":
        """So many MiB; left out, the usual, or a quarter of what is free if that is less."""
        usual = min(USUAL * MIB, device.free_memory() // 4)
        return cls(usual if memory is None else memory * MIB)

    def pairs(self, decoder: Decoder, n_positions: int) -> int:
        """How many pairs it has room for the runs of, clean, corrupted and what is put in."""
        per_layer = 8 * decoder.d_model + 2 * decoder.n_heads * n_positions
        each = RUNS * decoder.n_layers * n_positions * per_layer
        return max(1, self.size // (decoder.itemsize * each))

    def attributed_pairs(self, decoder: Decoder, table: EdgeTable, n_positions: int) -> int:
        """How many pairs it has room for attribution of."""
        each = self.size_of_attribution(decoder, table, n_positions)
        return min(self.pairs(decoder, n_positions), max(1, self.size // each))

    @staticmethod
    def size_of_attribution(decoder: Decoder, table: EdgeTable, n_positions: int) -> int:
        """Bytes for a pair: what every writer writes in both runs, and every reader's gradient."""
        n_rows = len(table.readers) + 3 * len(table.writers) + 6 * decoder.n_heads
        return decoder.itemsize * n_positions * n_rows * decoder.d_model

    def variants(self, decoder: Decoder, pairs: PromptPairs, start: int) -> int:
        """How many variants of these pairs it has room for that go on from a position."""
        return max(1, self.size // _size_of_one(decoder, pairs, start))

    def shrink_to(self, n_variants: int, decoder: Decoder, pairs: PromptPairs, start: int) -> None:
        """Leave room for so many."""
        self.size = n_variants * _size_of_one(decoder, pairs, start)


def _size_of_one(decoder: Decoder, pairs: PromptPairs, start: int) -> int:
    """Bytes of a variant that goes on from a position."""
    n_pairs, n_positions = pairs.clean.shape
    wide = STREAMS * decoder.d_model + HIDDEN * decoder.d_mlp
    per_token = wide + 3 * decoder.n_heads * n_positions
    per_pair = (n_positions - start) * per_token
    per_pair += LOGITS * len(pairs.answer_positions) * decoder.d_vocab_out
    return decoder.itemsize * n_pairs * per_pair


@dataclass(frozen=True)
class Judged:
    """Pairs with what their variants are judged by.

    Attributes:
        clean: the clean run's logits, which some metrics compare with.
    """

    pairs: PromptPairs
    metric: Metric
    clean: Float[Tensor, "pair answer d_vocab_out"]

    def __call__(
        self, logits: Float[Tensor, "variant pair answer d_vocab_out"]
    ) -> Float[Tensor, "variant pair"]:
        return to_float64(self.metric(logits, self.pairs, self.clean)).to(HOST)

    @cached_property
    def of_answers(self) -> "tuple[Int[Tensor, ' token'], Judged] | None":
        """The tokens that the metric reads, and the same for logits of these alone; None where it
        reads all.
        """
        if not self.metric.reads_answers_only:
            return None
        sides = self.pairs.right, self.pairs.wrong
        tokens = torch.cat([side.flatten() for side in sides]).unique()
        tokens = tokens[tokens != NO_ANSWER]
        places = (torch.searchsorted(tokens, side.contiguous()) for side in sides)
        right, wrong = (
            place.where(side != NO_ANSWER, side) for place, side in zip(places, sides, strict=True)
        )
        pairs = replace(self.pairs, right=right, wrong=wrong)
        return tokens, Judged(pairs, self.metric, self.clean[..., tokens])


def judge_variants(
    restart: Restart,
    judged: Judged,
    variants: Sequence[Variant],
    *,
    kind: Callable[[Variant], Hashable],
    start: Callable[[Variant], int],
    entry: Callable[[Sequence[Variant]], Entry],
    budget: Budget,
    done: Callable[[int], None] = lambda n: None,
) -> Float[Tensor, "variant pair"]:
    """The metric of every variant.

    Out of memory, the batch is halved, and so are those to come.

    Args:
        kind: variants of one kind may enter in one batch.
        start: the first position that a variant changes.
        entry: where a batch of one kind enters.
        done: told of the number of variants done, batch by batch.
    """
    n_pairs, n_positions = judged.pairs.clean.shape
    tokens, judged = judged.of_answers or (None, judged)
    found = torch.empty(len(variants), n_pairs, dtype=torch.float64)
    for members in _by_kind(variants, kind, start):
        while members:
            first = start(variants[members[0]])
            most = budget.variants(restart.decoder, judged.pairs, first)
            small = SMALL // (restart.decoder.d_model * n_pairs * (n_positions - first))
            batch = [
                m for i, m in enumerate(members[:most]) if i < small or start(variants[m]) == first
            ]
            try:
                values = judged(restart.logits(entry([variants[m] for m in batch]), tokens))
            except (MemoryError, RuntimeError) as failure:
                if not is_out_of_memory(failure) or len(batch) == 1:
                    raise
                budget.shrink_to(len(batch) // 2, restart.decoder, judged.pairs, first)
                continue
            found[batch] = values
            members = members[len(batch) :]
            done(len(batch))
    return found


def halving(n: int, most: int, compute: Callable[[slice], Found]) -> Iterator[tuple[slice, Found]]:
    """Batches of ``n`` things with what is found of each; out of memory, they become smaller."""
    start = 0
    while start < n:
        batch = slice(start, min(start + most, n))
        try:
            found = compute(batch)
        except (MemoryError, RuntimeError) as failure:
            if not is_out_of_memory(failure) or batch.stop == start + 1:
                raise
            most = (batch.stop - start) // 2
            continue
        yield batch, found
        start = batch.stop


def _by_kind(
    variants: Sequence[Variant],
    kind: Callable[[Variant], Hashable],
    start: Callable[[Variant], int],
) -> Iterator[list[int]]:
    """The numbers of the variants of each kind, by where they start."""
    kinds: dict[Any, list[int]] = {}
    for index in sorted(range(len(variants)), key=lambda index: start(variants[index])):
        kinds.setdefault(kind(variants[index]), []).append(index)
    yield from kinds.values()
