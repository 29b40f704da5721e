"""What attention is looked at on: a task's examples, pairs from a file, or prompts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from jaxtyping import Int
from torch import Tensor

from mitool.analysis.attention.observe import IsRight, equals_target
from mitool.core.device import generator
from mitool.core.errors import InputError, UsageError, each, quoted
from mitool.models.decoder import Decoder
from mitool.models.subject import Studied, Subject
from mitool.pairs.files import read_pairs
from mitool.pairs.prompt_pairs import clean_prompts
from mitool.pairs.prompts import Prompts, examples_of, of_examples, of_texts
from mitool.settings import AttentionSettings
from mitool.tasks import Task

if TYPE_CHECKING:  # it takes seconds to load
    from mitool.models.pretrained import Pretrained

LISTED, DRAWN = 65_536, 1024
"""Examples of a list that is taken whole, and examples drawn else."""

REPEATED_TOKENS = "random tokens, repeated"
REPEATED, REPEATS, LEAST_REPEATED = 32, 16, 4
"""The greatest length of random tokens that are repeated to score kinds of heads, the number of
such texts, and the least length.
"""


@dataclass(frozen=True, kw_only=True)
class Material:
    """A model with what its attention is looked at on.

    Attributes:
        name: what the prompts are.
        label: a token as a reader sees it.
        prompts: in groups of one length.
        n_shown: of how many prompts the patterns are kept.
        shows_hardest: half of those are the ones with the largest loss and the others are drawn;
            else they are the first.
        diagnostic: what kinds of heads are scored on; None where that is the prompts.
        operand_positions: the positions of the operands of the answers, if they have some.
        copies_operand: whether every answer is one of the operands.
        grid: (values of a, values of b) where the prompts are all pairs of operands, row by row.
        values: the value of each output that is a number, by token.
        is_right: which answers are right.
        outputs_are_tokens: whether output i stands for token i, so that a head can copy it.
    """

    name: str
    decoder: Decoder
    label: Callable[[int], str]
    prompts: Sequence[Prompts]
    n_shown: int
    shows_hardest: bool = False
    diagnostic: Prompts | None = None
    operand_positions: tuple[int, ...] = ()
    copies_operand: bool = False
    grid: tuple[int, int] | None = None
    values: Mapping[int, int] = field(default_factory=dict)
    is_right: IsRight = equals_target
    outputs_are_tokens: bool = True

    @property
    def has_one_length(self) -> bool:
        """Whether all prompts are of one length, so that a position is a place in all of them."""
        return len(self.prompts) == 1

    @property
    def has_wrong_answers(self) -> bool:
        """Whether each right answer has a wrong one beside it."""
        return all(prompts.others is not None for prompts in self.prompts)

    @property
    def has_common_start(self) -> bool:
        """Whether all prompts start with the same token, which is no operand."""
        first = torch.cat([prompts.tokens[:, 0] for prompts in self.prompts])
        return 0 not in self.operand_positions and bool((first == first[0]).all())


def material_of(
    subject: Studied,
    settings: AttentionSettings,
    seed: int,
    pairs: Path | None = None,
    texts: Sequence[str] = (),
) -> Material:
    """What to look at: the pairs' clean texts, or the texts, or what the model was trained on.

    A pretrained model without either is looked at on random tokens, repeated.

    Raises:
        InputError: the file of pairs cannot be used.
        UsageError: a text has tokens that the model does not know, or too many.
    """
    if pairs is not None and texts:
        raise UsageError("--pairs and --prompt exclude each other: give one of them")
    diagnostic = None if isinstance(subject, Subject) else _repeated(subject, seed)
    given: list[Prompts] = []
    if pairs is not None:
        given = clean_prompts(read_pairs(pairs), subject)
    elif texts:
        given = of_texts(each(partial(_encoded, subject), texts))
    if given:
        name = "prompts" if pairs is None else "clean texts of pairs"
        return _untasked(subject, name, given, diagnostic, settings.shown)
    if isinstance(subject, Subject):
        return _of_task(subject, settings, seed)
    assert diagnostic is not None
    return _untasked(subject, REPEATED_TOKENS, [diagnostic], diagnostic, 1)


def _untasked(
    subject: Studied,
    name: str,
    prompts: Sequence[Prompts],
    diagnostic: Prompts | None,
    n_shown: int,
) -> Material:
    return Material(
        name=name,
        decoder=subject.decoder(),
        label=subject.label,
        prompts=prompts,
        n_shown=n_shown,
        diagnostic=diagnostic,
        values=_values(subject.task) if isinstance(subject, Subject) else {},
        outputs_are_tokens=not isinstance(subject, Subject) or _names_tokens(subject.task),
    )


def _of_task(subject: Subject, settings: AttentionSettings, seed: int) -> Material:
    task, n = subject.task, settings.examples
    is_whole = task.n_examples is not None and task.n_examples <= (n or LISTED)
    if is_whole:
        examples = task.examples()
    else:
        examples = task.sample(n or DRAWN, generator(seed, "attention"))
    return Material(
        name=f"examples of task {task.name}",
        decoder=subject.decoder(),
        label=subject.label,
        prompts=[of_examples(examples, task)],
        n_shown=settings.shown,
        shows_hardest=True,
        operand_positions=task.operand_positions,
        copies_operand=task.copies_operand,
        grid=task.grid_shape if is_whole else None,
        values=_values(task),
        is_right=lambda answers, prompts: task.is_right(answers, examples_of(prompts)),
        outputs_are_tokens=_names_tokens(task),
    )


def _names_tokens(task: Task) -> bool:
    """Whether outputs stand for tokens; those of a task whose answers are operands do."""
    return task.outputs_are_tokens or task.copies_operand


def _values(task: Task) -> dict[int, int]:
    """The value of each output that is a number."""
    labels = task.vocabulary[: task.d_vocab_out]
    return {token: int(label) for token, label in enumerate(labels) if label.isdecimal()}


def _encoded(subject: Studied, text: str) -> Int[Tensor, " pos"]:
    tokens = subject.encode(text)
    if len(tokens) < 2:
        raise UsageError(
            f"--prompt: expected a text of at least two tokens, found {quoted(text)} with "
            f"{len(tokens)}"
        )
    if len(tokens) > (n_ctx := subject.shape.n_ctx):
        raise UsageError(
            f"--prompt: expected a text of at most {n_ctx} tokens, which the model reads, found "
            f"{quoted(text)} with {len(tokens)}"
        )
    return tokens


def _repeated(subject: "Pretrained", seed: int) -> Prompts:
    """Random tokens, repeated, after the token that every text starts with.

    What is repeated is of another length in each, so that what followed the last occurrence of a
    token is at no fixed distance.
    """
    shape, start = subject.shape, subject.start
    special = set(subject.tokenizer.all_special_ids)
    known = min(shape.d_vocab, len(subject.tokenizer))
    usual = torch.tensor([token for token in range(known) if token not in special])
    length = min(2 * REPEATED, shape.n_ctx - len(start))
    drawn = generator(seed, "repeated tokens")
    rows = []
    for period in range(length // 2, max(length // 2 - REPEATS, 1), -1):
        tokens = usual[torch.randint(len(usual), (period,), generator=drawn)]
        rows.append(tokens.repeat(-(-length // period))[:length])
    if not rows:
        raise InputError(
            f"expected a model that reads at least {len(start) + LEAST_REPEATED} tokens, on which "
            f"kinds of heads are told apart by what repeats, found one that reads {shape.n_ctx}"
        )
    first = torch.tensor(start, dtype=torch.int64).expand(len(rows), len(start))
    return Prompts(torch.cat([first, torch.stack(rows)], dim=1), (len(start) + length - 1,))
