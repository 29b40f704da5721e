"""Which heads are drawn where a model has more than a figure or a page can hold."""

from collections.abc import Sequence

from mitool.analysis.attention import AttentionStudy
from mitool.core.node_names import head_name

Head = tuple[int, int]
"""(layer, head)."""


def ranked(study: AttentionStudy) -> list[Head]:
    """The heads, first those that add most to the answers, or take most; else in their order."""
    attribution = study.observation.attribution
    if attribution is None:
        return study.weights.heads
    size = attribution.heads.abs().nan_to_num(nan=0.0)
    return sorted(study.weights.heads, key=lambda head: -size[head].item())


def left_out(study: AttentionStudy, drawn: Sequence[Head], of: int | None = None) -> str:
    """What a caption says of the heads that are not drawn.

    Args:
        of: how many there are to draw, where that is not all heads.
    """
    n = len(study.weights.heads) if of is None else of
    if len(drawn) >= n:
        return ""
    if study.observation.attribution is None:
        return f" {len(drawn)} of {n} heads are drawn, the first ones."
    return (
        f" {len(drawn)} of {n} heads are drawn, those whose direct logit attribution is largest, "
        "of either sign."
    )


def name(head: Head) -> str:
    """``L0H0`` and so on."""
    return head_name(*head)
