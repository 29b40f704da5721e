"""The prompts whose patterns are shown, and what stands at the positions of a mean pattern."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mitool.analysis.attention.material import Material
from mitool.analysis.attention.observe import OFFSETS, forward
from mitool.core.device import generator
from mitool.pairs.prompts import Prompts


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
    if not material.has_one_length:
        from_last = (f"{-back}" if back else "itself" for back in range(OFFSETS))
        return ("first token", *from_last)
    return tuple(_at(first, position, material.label) for position in range(first.tokens.shape[1]))


def answer_labels(material: Material) -> tuple[str, ...]:
    """Likewise of each answer position; of several lengths it is the last token's."""
    first = material.prompts[0]
    if not material.has_one_length:
        return ("last token",)
    return tuple(_at(first, position, material.label) for position in first.answer_positions)


def _at(prompts: Prompts, position: int, label: Callable[[int], str]) -> str:
    found = prompts.tokens[:, position]
    is_same = len(found) > 1 and bool((found == found[0]).all())
    return f"{position}: {label(int(found[0]))}" if is_same else str(position)


def _chosen(
    material: Material, losses: Float[Tensor, " example"] | None, seed: int
) -> list[tuple[str, Int[Tensor, " pos"]]]:
    """The prompts whose patterns are kept, none twice, each with a title."""
    every = [tokens for prompts in material.prompts for tokens in prompts.tokens.unbind()]
    if not material.shows_hardest or losses is None:
        first = _distinct(every, range(len(every)), material.n_shown)
        return [(f"prompt {index + 1}", every[index]) for index in first]
    hardest = _distinct(every, losses.argsort(descending=True).tolist(), material.n_shown // 2)
    order = torch.randperm(len(every), generator=generator(seed, "shown")).tolist()
    drawn = _distinct(every, [*hardest, *order], material.n_shown)[len(hardest) :]
    return [
        *((f"loss {losses[index]:z.3g}", every[index]) for index in hardest),
        *((f"drawn {number + 1}", every[index]) for number, index in enumerate(drawn)),
    ]


def _distinct(every: Sequence[Int[Tensor, " pos"]], order: Iterable[int], n: int) -> list[int]:
    """The first ``n`` of ``order`` that are not alike."""
    chosen: dict[tuple[int, ...], int] = {}
    for index in order:
        if len(chosen) == n:
            break
        chosen.setdefault(tuple(every[index].tolist()), index)
    return list(chosen.values())


def _shown(material: Material, title: str, tokens: Int[Tensor, " pos"]) -> ShownPattern:
    seen = forward(material.decoder, Prompts(tokens[None], (len(tokens) - 1,)))
    labels = tuple(material.label(token) for token in tokens.tolist())
    return ShownPattern(title, labels, seen.patterns[:, 0])
