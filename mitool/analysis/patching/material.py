"""What patching is done on: a model with pairs, in groups whose positions correspond."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mitool.analysis.interventions.decoder import Decoder
from mitool.analysis.metrics import Metric, metric_of
from mitool.analysis.patching.columns import Column, columns_of
from mitool.device import Device, generator
from mitool.errors import InputError, UsageError
from mitool.models.bridge import moved
from mitool.models.pretrained import Pretrained
from mitool.pair_files import has_only_years, read_pairs
from mitool.pairs import PromptPairs, encode_pairs, of_task
from mitool.settings import MetricName, PatchSettings
from mitool.subject import Subject
from mitool.tasks import NO_ANSWER

DRAWN = 256
"""Pairs drawn from a task, if nothing else is said."""


@dataclass(frozen=True)
class Material:
    """A model with what is patched on it.

    Attributes:
        name: what the pairs are.
        groups: of pairs that have each column at one place.
        label: a token as a reader sees it.
    """

    name: str
    decoder: Decoder
    groups: list[PromptPairs]
    columns: tuple[Column, ...]
    metric: Metric
    label: Callable[[int], str]

    @property
    def n_pairs(self) -> int:
        return sum(map(len, self.groups))


def material_of(
    subject: Subject | Pretrained,
    settings: PatchSettings,
    device: Device,
    seed: int,
    path: Path | None = None,
) -> Material:
    """A subject with its pairs: those of a file, or drawn from its task.

    Raises:
        InputError: the file cannot be used, or the model is no decoder that can be taken apart.
        UsageError: there are no pairs, or none that the metric can be taken on.
    """
    if path is None:
        if isinstance(subject, Pretrained):
            raise UsageError(
                "expected pairs of clean and corrupted texts for a pretrained model; give them "
                "with --pairs FILE"
            )
        if settings.metric == "greater-than":
            raise UsageError(
                "--metric greater-than reads the labels of a file of pairs; leave it out, and the "
                "task's own metric is taken"
            )
        drawn = subject.task.pairs(settings.n_pairs or DRAWN, generator(seed, "pairs"))
        name, groups = f"pairs of task {subject.task.name}", [of_task(drawn, subject.task)]
        _require_answers(name, groups, settings.metric)
        metric = metric_of(settings.metric, subject.task)
    else:
        name, groups = "pairs of a file", _read(path, subject, settings)
        metric = metric_of(settings.metric or "logit-diff", None)
    bridge = moved(subject.bridge, device)
    groups, columns = columns_of(groups, subject.label)
    return Material(name, Decoder(bridge), groups, columns, metric, subject.label)


def _read(path: Path, subject: Subject | Pretrained, settings: PatchSettings) -> list[PromptPairs]:
    texts = read_pairs(path)[: settings.n_pairs]
    if settings.metric is None and has_only_years(texts):
        raise UsageError(
            f"{path}: its answers are the years after a label; give --metric greater-than"
        )
    groups = encode_pairs(texts, subject, years=settings.metric == "greater-than")
    _require_answers(str(path), groups, settings.metric or "logit-diff")
    return groups


def _require_answers(where: str, groups: list[PromptPairs], metric: MetricName | None) -> None:
    """Check that each pair has at least one answer that the metric can read."""
    if metric in (None, "kl"):
        return
    needs_wrong = metric not in ("log-prob", "accuracy")
    for pairs in groups:
        right, wrong = ((side != NO_ANSWER).any(dim=-1) for side in (pairs.right, pairs.wrong))
        readable = (right & wrong if needs_wrong else right).any(dim=-1)
        if not readable.all():
            first = int(pairs.index[~readable][0]) + 1
            expected = "a right and a wrong answer" if needs_wrong else "a right answer"
            raise InputError(
                f"{where}: expected {expected} for every pair, which --metric {metric} reads, "
                f"found none for pair {first}; give the answers, or --metric kl, which needs none"
            )
