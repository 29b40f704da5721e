"""What is intervened on: a model with pairs, in groups whose positions correspond."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from jaxtyping import Int
from torch import Tensor

from mitool.analysis.interventions.batches import Budget
from mitool.analysis.interventions.columns import Column, columns_of
from mitool.analysis.interventions.pair_groups import PairGroups, grouped
from mitool.analysis.interventions.reproduction import (
    require_edges_reproduced,
    require_variants_reproduced,
)
from mitool.analysis.interventions.run import Run, run
from mitool.analysis.metrics import Metric, metric_of
from mitool.core.device import Device, generator
from mitool.core.errors import InputError, UsageError, each
from mitool.models.decoder import Decoder, Tables
from mitool.models.subject import Studied, Subject
from mitool.pairs.files import PairTexts, group_names_of, has_only_years, read_pairs
from mitool.pairs.prompt_pairs import PromptPairs, encode_pairs, of_task
from mitool.settings import MetricName
from mitool.tasks import NO_ANSWER
from mitool.tasks.apart import pairs_apart

DRAWN = 256
"""Pairs drawn from a task, if nothing else is said."""

GivenPairs = Path | Sequence[PairTexts] | None
"""A file of pairs (``mitool.pairs.files.read_pairs``), such pairs themselves, as also
``mitool.pairs.generated.generated_pairs`` makes them, or none.
"""


@dataclass(frozen=True)
class Material:
    """A model with what is done on it.

    Attributes:
        name: what the pairs are.
        groups: of pairs that have each column at one place.
        label: a token as a reader sees it.
        group_names: the group of each pair, in the sense of ``pair_groups``, where a file gives
            it.
    """

    name: str
    decoder: Decoder
    groups: list[PromptPairs]
    columns: tuple[Column, ...]
    metric: Metric
    label: Callable[[int], str]
    group_names: tuple[str, ...] | None = None
    _tables: dict[int, Tables] = field(default_factory=dict, repr=False, compare=False)
    _reproduced: set[bool] = field(default_factory=set, repr=False, compare=False)

    @property
    def n_pairs(self) -> int:
        return sum(map(len, self.groups))

    @cached_property
    def pair_groups(self) -> PairGroups:
        """Which pairs have an input in common, whatever their length."""
        return grouped(self.groups, self.group_names)

    def chunks(
        self, budget: Budget, chosen: Int[Tensor, " pair"] | None = None
    ) -> Iterator[tuple[int, PromptPairs]]:
        """Pairs whose runs fit the budget, with the number of their group.

        Args:
            chosen: which, by their numbers; left out, all.
        """
        for group, every in enumerate(self.groups):
            pairs = every if chosen is None else every.among(chosen)
            size = budget.pairs(self.decoder, pairs.clean.shape[1])
            for start in range(0, len(pairs), size):
                yield group, pairs[start : start + size]

    def clean(self, pairs: PromptPairs) -> Run:
        """The run over the clean inputs, held against the model's own for the first pairs of each
        length.
        """
        n, tokens = pairs.clean.shape[1], pairs.clean.to(self.decoder.device)
        found = run(self.decoder, tokens, pairs.answer_positions, self._tables.get(n))
        self._tables.setdefault(n, found.read.tables)
        return found

    def runs(self, pairs: PromptPairs, *, edges: bool = False) -> tuple[Run, Run]:
        """The runs over the clean and the corrupted inputs; with the first ones, variants of them
        are held against the model's own.

        Args:
            edges: whether it is runs along edges that are made of them, not such as go on from
                their middle.

        Raises:
            InputError: the model is not reproduced by its parts, or its outputs are not finite.
        """
        clean, tokens = self.clean(pairs), pairs.corrupted.to(self.decoder.device)
        corrupted = run(self.decoder, tokens, pairs.answer_positions, clean.read.tables)
        if edges not in self._reproduced:
            check = require_edges_reproduced if edges else require_variants_reproduced
            check(self.decoder, pairs, clean, corrupted)
            self._reproduced.add(edges)
        return clean, corrupted


def material_of(
    subject: Studied,
    pairs: GivenPairs,
    metric: MetricName | None,
    n_pairs: int | None,
    device: Device,
    seed: int,
) -> Material:
    """A subject with its pairs.

    Args:
        pairs: a file, or pairs that were read or made; left out, they are drawn from the task.
        metric: what they are judged by; left out, the task's own, or the difference of logits.
        n_pairs: the first so many, or to be drawn.

    Raises:
        InputError: the pairs cannot be read or used, or the model is no decoder that can be taken
            apart.
        UsageError: there are no pairs, or none that the metric can be taken on.
    """
    group_names = None
    if pairs is None:
        name, groups, judge = _drawn(subject, metric, n_pairs, seed)
    else:
        chosen = (read_pairs(pairs) if isinstance(pairs, Path) else pairs)[:n_pairs]
        name, groups = f"pairs of {_origin(chosen)}", _encoded(chosen, subject, metric)
        judge = metric_of(metric or "logit-diff", None)
        group_names = group_names_of(chosen)
    groups, columns = columns_of(groups, subject.label)
    decoder = subject.decoder(device)
    return Material(name, decoder, groups, columns, judge, subject.label, group_names)


def _drawn(
    subject: Studied, metric: MetricName | None, n_pairs: int | None, seed: int
) -> tuple[str, list[PromptPairs], Metric]:
    if not isinstance(subject, Subject):
        raise UsageError(
            "expected pairs of clean and corrupted texts for a pretrained model; give them "
            "with --pairs FILE"
        )
    if metric == "greater-than":
        raise UsageError(
            "--metric greater-than reads the labels of a file of pairs; leave it out, and the "
            "task's own metric is taken"
        )
    task = subject.task
    pairs = of_task(pairs_apart(task, n_pairs or DRAWN, generator(seed, "pairs")), task)
    name = f"pairs of task {task.name}"
    _require_answers([pairs], metric, lambda number: f"{name}, pair {number + 1}")
    return name, [pairs], metric_of(metric, task)


def _encoded(
    texts: Sequence[PairTexts], subject: Studied, metric: MetricName | None
) -> list[PromptPairs]:
    if metric is None and has_only_years(texts):
        raise UsageError(
            f"{_origin(texts)}: its answers are the years after a label; give --metric greater-than"
        )
    groups = encode_pairs(texts, subject, years=metric == "greater-than")
    _require_answers(groups, metric or "logit-diff", lambda number: texts[number].where)
    return groups


def _origin(texts: Sequence[PairTexts]) -> str:
    """The file that pairs are of, or what made them."""
    return texts[0].where.rpartition(",")[0]


def _require_answers(
    groups: Sequence[PromptPairs], metric: MetricName | None, where: Callable[[int], str]
) -> None:
    """Check that each pair has at least one answer that the metric can read."""
    if metric in (None, "kl"):
        return
    needs_wrong = metric not in ("log-prob", "accuracy")
    unread: list[int] = []
    for pairs in groups:
        right, wrong = ((side != NO_ANSWER).any(dim=-1) for side in (pairs.right, pairs.wrong))
        readable = (right & wrong if needs_wrong else right).any(dim=-1)
        unread += pairs.index[~readable].tolist()
    expected = "a right and a wrong answer" if needs_wrong else "a right answer"

    def refuse(number: int) -> None:
        raise InputError(
            f"{where(number)}: expected {expected}, which --metric {metric} reads, found none; "
            "give the answers of all pairs, or --metric kl, which needs none"
        )

    each(refuse, sorted(unread))
