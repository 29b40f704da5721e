"""What a head does, in words, with the numbers that say so; no stronger than they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mitool.core.numerals import share as percent

KIND_NAMES = {
    "current_token": ("current-token head", "the token itself"),
    "previous_token": ("previous-token head", "the token before"),
    "duplicate_token": ("duplicate-token head", "earlier occurrences of the same token"),
    "induction": ("induction head", "what followed earlier occurrences of the same token"),
}
BY_CONTENT = ("duplicate_token", "induction")
"""Kinds that look for what stands somewhere: fixed positions do not make one."""

IS_KIND, LEANS_TO_KIND = 0.4, 0.2
"""Least share of its attention that makes a head one of a kind, or lets it lean to it; in both
cases twice as much as chance, and for kinds by content as fixed positions would give."""

MOSTLY = 0.9
"""Least share of answers for which a head looks at the operand that is the answer. Below, down to
half-way from chance to all, it leans to it; a share above is no less than half-way either, and the
operand has as much attention as makes a head one of a kind, or lets it lean to it."""

RESTS = 0.5
"""Least share of attention on the first token that counts as resting there."""

MOSTLY_ITSELF = 0.5
"""Least share of tokens whose largest output is themselves that makes a head copy."""

COPIES, SUPPRESSES = 0.9, 0.1
"""Copying scores from which on a head raises, and up to which it suppresses, what it reads; the
share of tokens whose own output is above the mean of all has to be as far."""

IN_ORDER, LEAST_VALUES = 0.9, 6
"""Least size of a rank correlation, and of how many values: an order by chance has it with 6 of
them in 1.7 % of cases, with 5 in 8.3 %, with 3 in a third."""


@dataclass(frozen=True)
class Scored:
    """A head's score as one of a kind, and what chance and fixed positions alone would score."""

    score: float
    chance: float
    by_position: float


@dataclass(frozen=True)
class OfAnswer:
    """For how many answers a head looks most at an operand that is the answer, the attention that
    it gives such operands, and the share by an operand drawn evenly.
    """

    share: float
    attention: float
    chance: float


@dataclass(frozen=True)
class Written:
    """What a head writes to the output of the token that it reads: see ``study.OnItself``.

    Attributes:
        copying_score: None where it writes nothing.
    """

    top1: float
    raised: float
    copying_score: float | None

    @property
    def copies(self) -> bool:
        return self.top1 >= MOSTLY_ITSELF


@dataclass(frozen=True)
class Evidence:
    """The measures of one head; None where one is undefined.

    Attributes:
        kinds_on: what the kinds were scored on, if that is not the prompts.
        rests_on_first: attention to the first token, where that is the same in all prompts and
            no operand.
        top_places: where most of the attention from the answers is, with the shares.
        by_embeddings: an earlier layer may have written what the head reads, of which its circuits
            know nothing: they are of the tokens' embeddings alone.
        n_values: how many values ``rank_correlation`` is over.
        against: what the answer's logit is told from.
    """

    to_answer: OfAnswer | None
    kinds: Mapping[str, Scored]
    kinds_on: str | None
    rests_on_first: float | None
    entropy: float
    top_places: Sequence[tuple[str, float]]
    writes: Written | None
    by_embeddings: bool
    rank_correlation: float | None
    n_values: int
    attribution: float | None
    against: str

    @property
    def by(self) -> str:
        """What a sentence on circuits ends in."""
        return ", by the tokens' embeddings alone" if self.by_embeddings else ""


def verdict(head: str, evidence: Evidence) -> str:
    """One line on the head named ``head``."""
    known, writes = _known_place(evidence), evidence.writes
    if known and writes is not None and writes.copies:
        parts = [f"{head} {known} and copies it{evidence.by}: OV top-1 {writes.top1:z.3f}"]
    else:
        parts = [f"{head} {known or f'looks most at {_places(evidence)}'}"]
        parts += [] if writes is None else [f"it {_does(writes, evidence.by)}"]
    rank = evidence.rank_correlation
    if rank is not None and abs(rank) >= IN_ORDER and evidence.n_values >= LEAST_VALUES:
        way = "fall" if rank < 0 else "rise"
        number = f"rank correlation {rank:z.4f}"
        parts.append(f"its scores {way} with the token's value{evidence.by} ({number})")
    if evidence.attribution is not None:
        added = f"it adds {evidence.attribution:+z.3g} to the answer's logit by itself"
        parts.append(f"{added}, less {evidence.against}")
    return "; ".join(parts)


def _known_place(evidence: Evidence) -> str:
    """Where the head looks, if that is one of the places that heads are known to look at."""
    found = _answer_operand(evidence) or _kind(evidence)
    if found:
        return found
    first = evidence.rests_on_first
    if first is not None and first >= RESTS:
        return f"rests on the first token ({first:z.2f} of its attention)"
    return ""


def _answer_operand(evidence: Evidence) -> str:
    of = evidence.to_answer
    if of is None or of.share < (1 + of.chance) / 2 or of.attention < LEANS_TO_KIND:
        return ""
    answers = f"{percent(of.share, 2)} of answers with a choice"
    if of.share >= MOSTLY and of.attention >= IS_KIND:
        return f"attends to the operand that is the answer in {answers}"
    return f"leans to the operand that is the answer, in {answers}"


def _kind(evidence: Evidence) -> str:
    found = [
        (kept.score, kind)
        for kind, kept in evidence.kinds.items()
        if kept.score >= max(LEANS_TO_KIND, 2 * _baseline(kind, kept))
    ]
    if not found:
        return ""
    score, kind = max(found)
    name, target = KIND_NAMES[kind]
    where = f" on {evidence.kinds_on}" if evidence.kinds_on else ""
    baseline = _baseline(kind, evidence.kinds[kind])
    numbers = f"{score:z.2f} of its attention{where}, {baseline:z.2f} by chance"
    if score < IS_KIND:
        return f"leans to {target} ({numbers})"
    name = f"an {name}" if name[0] in "aeiou" else f"a {name}"
    copies = evidence.writes is not None and evidence.writes.copies
    if kind == "induction" and not copies:
        return f"looks where {name} does, at {target} ({numbers})"
    return f"is {name}, looking at {target} ({numbers})"


def _baseline(kind: str, kept: Scored) -> float:
    return max(kept.chance, kept.by_position) if kind in BY_CONTENT else kept.chance


def _places(evidence: Evidence) -> str:
    listed = ", ".join(f"{place} ({share:z.2f})" for place, share in evidence.top_places)
    return f"{listed}, over all prompts; entropy {evidence.entropy:z.2f} nats"


def _does(writes: Written, by: str) -> str:
    """What the head writes, by its OV circuit."""
    copying, raised = writes.copying_score, writes.raised
    if copying is None:
        return "writes nothing"
    if writes.copies:
        return f"copies what it reads{by}: OV top-1 {writes.top1:z.3f}"
    numbers = f"{by}: OV top-1 {writes.top1:z.3f}, copying score {copying:z.2f}"
    own = f"{numbers}, own output above the mean for {percent(raised)} of tokens"
    if copying >= COPIES and raised >= COPIES:
        return f"raises what it reads{own}"
    if copying <= SUPPRESSES and raised <= SUPPRESSES:
        return f"suppresses what it reads{own}"
    return f"does not copy what it reads{numbers}"
