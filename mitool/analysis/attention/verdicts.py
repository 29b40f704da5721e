"""What a head does, in words, with the numbers that say so; no stronger than they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

KIND_NAMES = {
    "previous_token": ("previous-token head", "the token before"),
    "duplicate_token": ("duplicate-token head", "earlier occurrences of the same token"),
    "induction": ("induction head", "what followed earlier occurrences of the same token"),
}
IS_KIND, LEANS_TO_KIND = 0.4, 0.2
"""Least share of its attention that makes a head one of a kind, or lets it lean to it; in both
cases twice as much as chance."""

MOSTLY = 0.9
"""Least share of examples in which a head looks at the operand that is the answer."""

RESTS = 0.5
"""Least share of attention on the first token that counts as resting there."""

MOSTLY_ITSELF = 0.5
"""Least share of tokens whose largest output is themselves that makes a head copy."""

COPIES, SUPPRESSES = 0.9, 0.1
"""Copying scores above which a head copies, and below which it suppresses, what it reads."""

IN_ORDER = 0.9
"""Least size of a rank correlation."""


@dataclass(frozen=True)
class Evidence:
    """The measures of one head; None where one is undefined.

    Attributes:
        kinds: for each kind the head's score, and that of chance.
        rests_on_first: attention to the first token, where that is the same in all prompts and
            no operand.
        top_tokens: the tokens with most of the attention from the answers, with their shares.
    """

    to_answer_operand: float | None
    kinds: Mapping[str, tuple[float, float]]
    rests_on_first: float | None
    entropy: float
    top_tokens: Sequence[tuple[str, float]]
    ov_top1: float
    copying_score: float | None
    rank_correlation: float | None
    attribution: float | None


def verdict(head: str, evidence: Evidence) -> str:
    """One line on the head named ``head``."""
    looks = _known_place(evidence)
    parts = (
        [f"{head} {looks} and {_does(evidence)}"]
        if looks
        else [
            f"{head} looks at no place that was tested for, most at {_tokens(evidence)}",
            f"it {_does(evidence)}",
        ]
    )
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
    found = [
        (score, chance, kind)
        for kind, (score, chance) in evidence.kinds.items()
        if score >= max(LEANS_TO_KIND, 2 * chance)
    ]
    if found:
        score, chance, kind = max(found)
        name, target = KIND_NAMES[kind]
        numbers = f"{score:.2f} of its attention, {chance:.2f} by chance"
        if score < IS_KIND:
            return f"leans to {target} ({numbers})"
        article = "an" if name[0] in "aeiou" else "a"
        return f"is {article} {name}, looking at {target} ({numbers}),"
    first = evidence.rests_on_first
    if first is not None and first >= RESTS:
        return f"rests on the first token ({first:.2f} of its attention)"
    return ""


def _tokens(evidence: Evidence) -> str:
    listed = ", ".join(f"{token!r} {share:.2f}" for token, share in evidence.top_tokens)
    return f"{listed} (shares of its attention; entropy {evidence.entropy:.2f} nats)"


def _does(evidence: Evidence) -> str:
    """What the head writes, by its OV circuit."""
    top1, copying = evidence.ov_top1, evidence.copying_score
    if copying is None:
        return "writes nothing"
    numbers = f"OV top-1 {top1:.3f}, copying score {copying:.2f}"
    if top1 >= MOSTLY_ITSELF:
        return f"copies it: OV top-1 {top1:.3f}"
    if copying >= COPIES:
        return f"raises what it reads: {numbers}"
    if copying <= SUPPRESSES:
        return f"suppresses what it reads: {numbers}"
    return f"does not copy what it reads: {numbers}"
