"""Clean and corrupted inputs side by side: what an intervention carries from one to the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from mitool.core.errors import each
from mitool.pairs.files import PairTexts
from mitool.pairs.prompts import Prompts, of_one_length, of_texts
from mitool.pairs.tokens import Reader, answers_of, both_of, clean_of, year_answers, years_of
from mitool.tasks import NO_ANSWER, Examples, Pairs, Task


@dataclass(frozen=True)
class PromptPairs:
    """Clean and corrupted inputs of one length.

    Attributes:
        clean: what the model reads.
        corrupted: its counterparts.
        answer_positions: where answers are read.
        right: the tokens that are right for the clean input, padded with ``NO_ANSWER``; an answer
            position without any is read by no metric.
        wrong: those to compare them with, likewise.
        index: the place of each pair among all that were given or drawn.
        drawn: the task's own pairs that these were made of.
    """

    clean: Int[Tensor, "pair pos"]
    corrupted: Int[Tensor, "pair pos"]
    answer_positions: tuple[int, ...]
    right: Int[Tensor, "pair answer right"]
    wrong: Int[Tensor, "pair answer wrong"]
    index: Int[Tensor, " pair"]
    drawn: Pairs | None = None

    def __len__(self) -> int:
        return len(self.clean)

    def __getitem__(self, chosen: slice | Int[Tensor, " chosen"]) -> "PromptPairs":
        return PromptPairs(
            self.clean[chosen],
            self.corrupted[chosen],
            self.answer_positions,
            self.right[chosen],
            self.wrong[chosen],
            self.index[chosen],
            None if self.drawn is None else self.drawn[chosen],
        )

    def among(self, chosen: Int[Tensor, " chosen"]) -> "PromptPairs":
        """Those whose ``index`` is one of these."""
        return self[torch.isin(self.index, chosen).nonzero()[:, 0]]

    def to(self, device: torch.device) -> "PromptPairs":
        """The same on a device."""
        tensors = (self.clean, self.corrupted, self.right, self.wrong, self.index)
        clean, corrupted, right, wrong, index = (tensor.to(device) for tensor in tensors)
        drawn = None if self.drawn is None else self.drawn.to(device)
        return PromptPairs(clean, corrupted, self.answer_positions, right, wrong, index, drawn)


def of_task(pairs: Pairs, task: Task) -> PromptPairs:
    """A task's pairs.

    Right is what the task takes for right on the clean example, wrong what else it takes for right
    on the corrupted one, at the answer positions where the two differ.
    """
    clean, corrupted = (_right_answers(side, task) for side in (pairs.clean, pairs.corrupted))
    differ = (clean != corrupted) & clean.any(dim=-1, keepdim=True)
    counted = differ.any(dim=-1, keepdim=True) & corrupted.any(dim=-1, keepdim=True)
    right, wrong = clean & counted, corrupted & ~clean & counted
    index = torch.arange(len(clean))
    tokens = pairs.clean.tokens, pairs.corrupted.tokens
    return PromptPairs(*tokens, task.answer_positions, _listed(right), _listed(wrong), index, pairs)


def encode_pairs(
    pairs: Sequence[PairTexts], model: Reader, *, years: bool = False
) -> list[PromptPairs]:
    """A file's pairs, answered at their last token, in groups of one length, the shortest first.

    Args:
        pairs: at least one, as ``read_pairs`` gives them.
        years: the right answers are the years after each pair's label, and the wrong ones all
            others, instead of what the file gives.

    Raises:
        InputError: a pair's inputs are not as many tokens, or the same, or none that the model
            can read; or an answer is none that it can give.
    """
    tokens_of_years = years_of(model, pairs) if years else None
    encoded = each(partial(_encoded, model, tokens_of_years), pairs)
    inputs, answers = zip(*encoded, strict=True)
    groups = []
    for members in of_one_length([clean for clean, _ in inputs]):
        clean, corrupted = (torch.stack([inputs[i][side] for i in members]) for side in (0, 1))
        right, wrong = (_padded([answers[i][side] for i in members]) for side in (0, 1))
        last = (clean.shape[1] - 1,)
        groups.append(PromptPairs(clean, corrupted, last, right, wrong, torch.tensor(members)))
    return groups


def _encoded(
    model: Reader, years: Sequence[int] | None, pair: PairTexts
) -> tuple[tuple[Tensor, Tensor], tuple[list[int], list[int]]]:
    """The clean and the corrupted tokens of a pair, and its right and its wrong answers."""
    inputs = both_of(model, pair)
    if years is None:
        return inputs, answers_of(model, pair)
    return inputs, year_answers(pair, years, model, inputs[0])


def clean_prompts(pairs: Sequence[PairTexts], model: Reader) -> list[Prompts]:
    """The clean inputs of a file's pairs alone, with the first right and the first wrong answer
    where it gives them.

    Raises:
        InputError: the model can read one of them not, or give an answer not.
    """
    read = each(lambda pair: (clean_of(model, pair), answers_of(model, pair)), pairs)
    texts, answers = zip(*read, strict=True)
    if not all(right and wrong for right, wrong in answers):
        return of_texts(texts)
    return of_texts(texts, [(right[0], wrong[0]) for right, wrong in answers])


def _padded(sets: Sequence[Sequence[int]]) -> Int[Tensor, "pair 1 token"]:
    """Tokens of each pair at its one answer position."""
    n = max(map(len, sets))
    rows = [[*tokens, *[NO_ANSWER] * (n - len(tokens))] for tokens in sets]
    return torch.tensor(rows, dtype=torch.int64).reshape(len(sets), 1, n)


def _right_answers(examples: Examples, task: Task) -> Bool[Tensor, "example answer d_vocab_out"]:
    outputs = range(task.d_vocab_out)
    each = [task.is_right(torch.full_like(examples.targets, token), examples) for token in outputs]
    return torch.stack(each, dim=-1)


def _listed(
    chosen: Bool[Tensor, "pair answer d_vocab_out"],
) -> Int[Tensor, "pair answer one_of"]:
    """The tokens that are chosen, padded with ``NO_ANSWER``."""
    most = max(int(chosen.sum(dim=-1).max()), 1)
    found, tokens = chosen.int().sort(dim=-1, descending=True, stable=True)
    return tokens.masked_fill(found == 0, NO_ANSWER)[:, :, :most]
