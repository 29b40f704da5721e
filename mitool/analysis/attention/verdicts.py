"""What a head does, in words, with the numbers that say so; no stronger than they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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

MOSTLY, OFTEN = 0.9, 0.5
"""Least share of answers for which a head looks at the operand that is the answer, or leans to it;
the second also one and a half times as much as chance."""

RESTS = 0.5
"""Least share of attention on the first token that counts as resting there."""

MOSTLY_ITSELF = 0.5
"""Least share of tokens whose largest output is themselves that makes a head copy."""

COPIES, SUPPRESSES = 0.9, 0.1
"""Copying scores above which a head copies, and below which it suppresses, what it reads."""

IN_ORDER = 0.9
"""Least size of a rank correlation."""


@dataclass(frozen=True)
class Scored:
    """A head's score as one of a kind, and what chance and fixed positions alone would score."""

    score: float
    chance: float
    by_position: float


@dataclass(frozen=True)
class Evidence:
    """The measures of one head; None where one is undefined.

    Attributes:
        operands: their number, for ``to_answer_operand``.
        kinds_on: what the kinds were scored on, if that is not the prompts.
        rests_on_first: attention to the first token, where that is the same in all prompts and
            no operand.
        top_places: where most of the attention from the answers is, with the shares.
    """

    to_answer_operand: float | None
    operands: int
    kinds: Mapping[str, Scored]
    kinds_on: str | None
    rests_on_first: float | None
    entropy: float
    top_places: Sequence[tuple[str, float]]
    ov_top1: float
    copying_score: float | None
    rank_correlation: float | None
    attribution: float | None


def verdict(head: str, evidence: Evidence) -> str:
    """One line on the head named ``head``."""
    known = _known_place(evidence)
    if known and _copies(evidence):
        parts = [f"{head} {known} and copies it: OV top-1 {evidence.ov_top1:.3f}"]
    else:
        looks = known or f"looks most at {_places(evidence)}"
        parts = [f"{head} {looks}", f"it {_does(evidence)}"]
    if (rank := evidence.rank_correlation) is not None and abs(rank) >= IN_ORDER:
        way = "fall" if rank < 0 else "rise"
        parts.append(f"its scores {way} with the token's value (rank correlation {rank:.4f})")
    if evidence.attribution is not None:
        parts.append(f"it adds {evidence.attribution:+.3g} to the answer's logit by itself")
    return "; ".join(parts)


def _known_place(evidence: Evidence) -> str:
    """Where the head looks, if that is one of the places that heads are known to look at."""
    share = evidence.to_answer_operand
    if share is not None and share >= MOSTLY:
        return f"attends to the operand that is the answer in {share:.2%} of examples"
    if share is not None and share >= max(OFTEN, 1.5 / evidence.operands):
        return f"leans to the operand that is the answer, in {share:.2%} of examples"
    found = [
        (kept.score, kind)
        for kind, kept in evidence.kinds.items()
        if kept.score >= max(LEANS_TO_KIND, 2 * _baseline(kind, kept))
    ]
    if found:
        score, kind = max(found)
        name, target = KIND_NAMES[kind]
        where = f" on {evidence.kinds_on}" if evidence.kinds_on else ""
        baseline = _baseline(kind, evidence.kinds[kind])
        numbers = f"{score:.2f} of its attention{where}, {baseline:.2f} by chance"
        if score < IS_KIND:
            return f"leans to {target} ({numbers})"
        name = f"an {name}" if name[0] in "aeiou" else f"a {name}"
        if kind == "induction" and not _copies(evidence):
            return f"looks where {name} does, at {target} ({numbers})"
        return f"is {name}, looking at {target} ({numbers})"
    first = evidence.rests_on_first
    if first is not None and first >= RESTS:
        return f"rests on the first token ({first:.2f} of its attention)"
    return ""


def _baseline(kind: str, kept: Scored) -> float:
    return max(kept.chance, kept.by_position) if kind in BY_CONTENT else kept.chance


def _places(evidence: Evidence) -> str:
    listed = ", ".join(f"{place} ({share:.2f})" for place, share in evidence.top_places)
    return f"{listed}, over all prompts; entropy {evidence.entropy:.2f} nats"


def _copies(evidence: Evidence) -> bool:
    return evidence.ov_top1 >= MOSTLY_ITSELF


def _does(evidence: Evidence) -> str:
    """What the head writes, by its OV circuit."""
    top1, copying = evidence.ov_top1, evidence.copying_score
    if copying is None:
        return "writes nothing"
    numbers = f"OV top-1 {top1:.3f}, copying score {copying:.2f}"
    if _copies(evidence):
        return f"copies what it reads: OV top-1 {top1:.3f}"
    if copying >= COPIES:
        return f"raises what it reads: {numbers}"
    if copying <= SUPPRESSES:
        return f"suppresses what it reads: {numbers}"
    return f"does not copy what it reads: {numbers}"
