"""The prompts whose patterns are shown, and what stands at the positions of a mean pattern."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mitool.analysis.attention.material import Material
from mitool.analysis.attention.observe import OFFSETS, forward
from mitool.device import generator
from mitool.prompts import Prompts


@dataclass(frozen=True)
class ShownPattern:
    """Attention on one example.

    Attributes:
        title: which example it is.
        labels: its tokens.
        pattern: of every head.
    """

    title: str
    labels: tuple[str, ...]
    pattern: Float[Tensor, "layer head query key"]


def shown_patterns(
    material: Material, losses: Float[Tensor, " example"] | None, seed: int
) -> tuple[ShownPattern, ...]:
    """The patterns of some prompts.

    Args:
        losses: of the prompts, in their order.
    """
    return tuple(_shown(material, *one) for one in _chosen(material, losses, seed))


def key_labels(material: Material) -> tuple[str, ...]:
    """The token at each position, where it is the same in all prompts, or the position."""
    first = material.prompts[0]
    if len({p.tokens.shape[1] for p in material.prompts}) > 1:
        from_last = (f"{-back}" if back else "itself" for back in range(OFFSETS))
        return ("first token", *from_last)
    return tuple(_at(first, position, material.label) for position in range(first.tokens.shape[1]))


def answer_labels(material: Material) -> tuple[str, ...]:
    first = material.prompts[0]
    if len({p.tokens.shape[1] for p in material.prompts}) > 1:
        return ("last token",)
    return tuple(_at(first, position, material.label) for position in first.answer_positions)


def _at(prompts: Prompts, position: int, label: Callable[[int], str]) -> str:
    found = prompts.tokens[:, position]
    is_same = len(found) > 1 and bool((found == found[0]).all())
    return f"{position}: {label(int(found[0]))}" if is_same else str(position)


def _chosen(
    material: Material, losses: Float[Tensor, " example"] | None, seed: int
) -> list[tuple[str, Int[Tensor, " pos"]]]:
    """The prompts whose patterns are kept, each with a title."""
    every = [tokens for prompts in material.prompts for tokens in prompts.tokens.unbind()]
    n = min(material.n_shown, len(every))
    if not material.shows_hardest or losses is None:
        return [(f"prompt {index + 1}", every[index]) for index in range(n)]
    hardest = losses.topk(n // 2)
    titles = [f"loss {loss:.3g}" for loss in hardest.values.tolist()]
    drawn = torch.randperm(len(every), generator=generator(seed, "shown"))[: n - n // 2].tolist()
    return [
        *((title, every[i]) for title, i in zip(titles, hardest.indices.tolist(), strict=True)),
        *((f"drawn {number + 1}", every[i]) for number, i in enumerate(drawn)),
    ]


def _shown(material: Material, title: str, tokens: Int[Tensor, " pos"]) -> ShownPattern:
    seen = forward(material.bridge, Prompts(tokens[None], (len(tokens) - 1,)))
    labels = tuple(material.label(token) for token in tokens.tolist())
    return ShownPattern(title, labels, seen.patterns[:, 0])
