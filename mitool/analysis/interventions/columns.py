"""Positions by which pairs of several lengths are compared: each a span in every pair."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from mitool.pairs.prompt_pairs import PromptPairs

MOST_TOKENS = 3
"""Tokens that a column's label names."""


@dataclass(frozen=True)
class Column:
    """A position, or a span of positions that is one of its kind in every pair.

    Attributes:
        name: ``p2`` where all pairs have one length. Else positions are counted from the first
            token that differs: ``before`` it, ``d+0``, ``d+1``, .., what is left in the
            ``middle``, and from the last token back, .., ``end-1``, ``end``; ``rest`` is
            the difference and all behind it.
        tokens: what stands there in the clean texts, as a reader sees it.
        spans: first position and the one behind the last, in each group of pairs.
    """

    name: str
    tokens: str
    spans: tuple[tuple[int, int], ...]

    @property
    def label(self) -> str:
        return f"{self.name} {self.tokens}".strip()


def columns_of(
    groups: Sequence[PromptPairs], label: Callable[[int], str]
) -> tuple[list[PromptPairs], tuple[Column, ...]]:
    """The columns of pairs, and the pairs in groups that have each column at one place.

    Of pairs of one length each position is a column. Of several lengths all have as many columns
    as the shortest has tokens from its first difference on, and one before it; what longer ones
    have more goes into one column in the middle.

    Args:
        groups: of one length each.
    """
    lengths = {group.clean.shape[1] for group in groups}
    if len(lengths) == 1:
        placed = [(f"p{i}", [(i, i + 1)] * len(groups)) for i in range(lengths.pop())]
    else:
        groups = [part for group in groups for part in _split_by_difference(group)]
        placed = _aligned(groups)
    columns = (Column(name, _tokens(groups, spans, label), tuple(spans)) for name, spans in placed)
    return list(groups), tuple(columns)


def _split_by_difference(pairs: PromptPairs) -> list[PromptPairs]:
    """Pairs in groups that first differ at the same position."""
    first = (pairs.clean != pairs.corrupted).int().argmax(dim=1)
    return [pairs[(first == place).nonzero()[:, 0]] for place in first.unique().tolist()]


def _first_difference(pairs: PromptPairs) -> int:
    """The first position at which any pair differs."""
    return int((pairs.clean != pairs.corrupted).any(dim=0).int().argmax())


def _first_run(pairs: PromptPairs) -> int:
    """How many positions in a row differ from the first one on."""
    differ = (pairs.clean != pairs.corrupted).any(dim=0)[_first_difference(pairs) :]
    same = (~differ).nonzero()
    return int(same[0]) if len(same) else len(differ)


def _aligned(groups: Sequence[PromptPairs]) -> list[tuple[str, list[tuple[int, int]]]]:
    lengths = [group.clean.shape[1] for group in groups]
    firsts = [_first_difference(group) for group in groups]
    run = min(map(_first_run, groups))
    if min(firsts) == 0 < max(firsts):  # only some pairs have something before their difference
        firsts, run = [0] * len(lengths), 0
    shortest = min(n - first for n, first in zip(lengths, firsts, strict=True))
    from_start = min(run, max(shortest - 2, 0))
    from_end = shortest - from_start - 1
    placed = []
    if min(firsts) > 0:
        placed.append(("before", [(0, first) for first in firsts]))
    for i in range(from_start):
        placed.append((f"d+{i}", [(first + i, first + i + 1) for first in firsts]))
    middle = [(f + from_start, n - from_end) for n, f in zip(lengths, firsts, strict=True)]
    placed.append(("middle" if from_end else "rest", middle))
    for i in reversed(range(from_end)):
        placed.append((f"end-{i}" if i else "end", [(n - i - 1, n - i) for n in lengths]))
    return placed


def _tokens(
    groups: Sequence[PromptPairs],
    spans: Sequence[tuple[int, int]],
    label: Callable[[int], str],
) -> str:
    """The tokens that stand at a column most often; nothing where those are few of all."""
    if any(stop - start != 1 for start, stop in spans):
        return ""
    seen = torch.cat(
        [group.clean[:, start] for group, (start, _) in zip(groups, spans, strict=True)]
    )
    count = Counter(seen.tolist())
    most = count.most_common(MOST_TOKENS)
    if 2 * sum(times for _, times in most) < len(seen):
        return ""
    return "|".join([label(token) for token, _ in most] + [".."] * (len(count) > MOST_TOKENS))
