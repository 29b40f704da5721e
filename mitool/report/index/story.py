"""The results of a run in the order of the story: from what was trained to its circuit."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mitool.report.index.cards import Card, card_of, of_command
from mitool.report.index.missing import command_for
from mitool.storage.records import Record, natural

MOST_CARDS = 4
"""Results of a chapter that are shown in full; of more, all but the first ones are rows."""


@dataclass(frozen=True)
class Chapter:
    """A part of the story, and the commands that tell it."""

    name: str
    heading: str
    commands: tuple[str, ...]


TRAINED = Chapter("trained", "What was trained", ("train", "superpose", "plant", "sweep"))
ANALYSES = (
    Chapter("heads", "What the heads do", ("analyze attn",)),
    Chapter("algorithm", "The algorithm", ("analyze fourier",)),
    Chapter("answer", "What the answer depends on", ("patch",)),
    Chapter("circuit", "The circuit", ("analyze circuit",)),
)
OTHERS = Chapter("others", "Other results", ())
CHAPTERS = (TRAINED, *ANALYSES, OTHERS)


@dataclass(frozen=True)
class Told:
    """A chapter with its results.

    Attributes:
        cards: those that are shown in full.
        rows: the rest.
        missing: the command that would give the first result, where there is none yet.
    """

    chapter: Chapter
    cards: tuple[Card, ...]
    rows: tuple[Card, ...]
    missing: str | None = None


def tell(records: Sequence[Record], root: Path, page: Path) -> tuple[Told, ...]:
    """The chapters that have results, or could have some."""
    told = []
    for chapter in CHAPTERS:
        own = [record for record in records if _chapter_of(record) == chapter]
        if own:
            told.append(_told(chapter, sorted(own, key=_order), root, page))
        elif chapter in ANALYSES and (command := command_for(chapter.commands[0], records)):
            told.append(Told(chapter, (), (), command))
    return tuple(told)


def _chapter_of(record: Record) -> Chapter:
    for chapter in CHAPTERS:
        if any(of_command(record, command) for command in chapter.commands):
            return chapter
    return OTHERS


def _order(record: Record) -> tuple[object, ...]:
    """An outer folder before those in it, and within one by epochs."""
    return (len(record.folder.parts), record.epoch or 0, natural(record.folder))


def _told(chapter: Chapter, records: Sequence[Record], root: Path, page: Path) -> Told:
    leading = list(records)
    if len(records) > MOST_CARDS:
        depth = len(records[0].folder.parts)
        leading = [record for record in records if len(record.folder.parts) == depth]
    if len(leading) > MOST_CARDS:
        leading = leading[-1:]  # of a trajectory, its end
    cards = tuple(card_of(record, root, page) for record in leading)
    rows = (card_of(record, root, page, whole=False) for record in records if record not in leading)
    return Told(chapter, cards, tuple(rows))
