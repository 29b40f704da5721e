"""Greater-than: a span of years must end after it starts (Hanna et al. 2023, arXiv 2305.00586)."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Generator

from mitool.core.errors import InputError
from mitool.pairs.files import PairTexts
from mitool.pairs.generated.base import (
    REMEDY,
    Prompt,
    PromptTask,
    choose,
    one_token_words,
    spells,
)
from mitool.pairs.tokens import Reader, years_of
from mitool.tasks.greater_than import CENTURIES, CORRUPTED_YEAR, YEARS

NAME = "greater-than"

NOUNS = (
    *("alliance", "battle", "blockade", "boom", "boycott", "campaign", "ceasefire", "celebration"),
    *("conflict", "conquest", "construction", "crisis", "crusade", "decline", "deployment"),
    *("dispute", "drought", "dynasty", "embargo", "empire", "epidemic", "excavation", "exhibition"),
    *("exile", "expansion", "expedition", "experiment", "famine", "festival", "feud", "friendship"),
    *("imprisonment", "insurgency", "invasion", "investigation", "journey", "marriage"),
    *("migration", "mission", "monopoly", "occupation", "operation", "outbreak", "partnership"),
    *("persecution", "pilgrimage", "plague", "project", "protest", "quarantine", "quest"),
    *("rebellion", "recession", "reign", "renovation", "restoration", "revolt", "rivalry"),
    *("siege", "slump", "standoff", "strike", "struggle", "survey", "tenure", "tour", "treaty"),
    *("trial", "truce", "unrest", "uprising", "voyage", "war"),
)
"""Events that last."""


@dataclass(frozen=True)
class GreaterThanPrompts:
    """The prompts that are as many tokens, each of whose years is its century and a token more.

    Attributes:
        nouns: events of one token.
        starts: the years that a span starts from, as XX and YY.
    """

    nouns: tuple[str, ...]
    starts: tuple[tuple[int, int], ...]

    @property
    def n_clean(self) -> int:
        return len(self.nouns) * len(self.starts)

    def draw(self, generator: Generator) -> Prompt:
        noun = self.nouns[choose(generator, len(self.nouns))]
        century, year = self.starts[choose(generator, len(self.starts))]
        clean, corrupted = _text(noun, century, year), _text(noun, century, CORRUPTED_YEAR)
        return Prompt(clean, corrupted, label=year)


def greater_than_prompts(model: Reader) -> GreaterThanPrompts:
    """The prompts of greater-than that a model's tokenizer reads as the paper's does.

    The paper's XX, 11 to 17, and its YY, 02 to 98, less the years that the tokenizer does not
    read as the tokens XX and YY (`` 1300`` is one token of GPT-2, and `` 1102`` is `` 110`` and
    ``2``). Of the years that remain the paper leaves out the first and the last of each century,
    so that one of those before and one of those after YY remain too; here the answers are all
    years from 00 to 99, and none more is left out. The nouns are a list of our own.

    Raises:
        InputError: no noun is one token, or no year is two.
    """
    nouns = one_token_words(model, NAME, NOUNS)
    if not nouns:
        raise InputError(
            f"{NAME}: expected a tokenizer to which events such as {NOUNS[-1]!r} are one token, "
            f"found none of {len(NOUNS)}; {REMEDY}"
        )
    starts = _starts(model, nouns[0])
    if not starts:
        year = f"{CENTURIES[-1]}{YEARS[-1]}"
        tokens = "|".join(model.label(token) for token in model.encode(f"The year {year}").tolist())
        raise InputError(
            f"{NAME}: expected a tokenizer that reads a year as its century and one token more, "
            f"found none of {CENTURIES[0]}{YEARS[0]:02d} to {year}, and `{tokens}`; {REMEDY}"
        )
    return GreaterThanPrompts(nouns, starts)


def _starts(model: Reader, noun: str) -> tuple[tuple[int, int], ...]:
    """The years, as XX and YY, that can be asked for."""
    text = _text(noun, CENTURIES[0], YEARS[0])
    example = PairTexts(text, text, (), (), YEARS[0], 0, NAME)
    try:
        years = years_of(model, [example])
    except InputError as error:
        raise InputError(f"{error}; {REMEDY}") from None
    return tuple(
        (century, year) for century in CENTURIES for year in _starts_of(model, noun, century, years)
    )


def _starts_of(model: Reader, noun: str, century: int, years: Sequence[int]) -> list[int]:
    """The years YY of a century whose prompt differs from the corrupted one by YY alone."""
    corrupted = model.encode(_text(noun, century, CORRUPTED_YEAR)).tolist()
    if not spells(model, corrupted[-1], str(century)):
        return []
    return [
        year
        for year in YEARS
        if _is_apart(
            model.encode(_text(noun, century, year)).tolist(),
            corrupted,
            (years[year], years[CORRUPTED_YEAR]),
        )
    ]


def _is_apart(clean: list[int], corrupted: list[int], years: tuple[int, int]) -> bool:
    """Whether two prompts differ by their years' tokens alone, which stand behind the century's,
    the token that both end on.
    """
    if len(clean) != len(corrupted):
        return False
    places = [i for i, (a, b) in enumerate(zip(clean, corrupted, strict=True)) if a != b]
    return (
        len(places) == 1
        and (clean[places[0]], corrupted[places[0]]) == years
        and clean[places[0] - 1] == clean[-1]
    )


def _text(noun: str, century: int, year: int) -> str:
    return f"The {noun} lasted from the year {century}{year:02d} to the year {century}"


GREATER_THAN = PromptTask(
    NAME,
    "A span of years must end after it starts: any year > YY",
    "Hanna et al. 2023, arXiv 2305.00586",
    "greater-than",
    greater_than_prompts,
)
