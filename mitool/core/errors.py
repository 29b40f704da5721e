"""The errors that mitool raises, each with the exit code that the command line gives it.

A message says what was expected, what was found and what to do, in that order and in one
paragraph: it is all that a user sees.
"""

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

MOST_TOLD = 20
"""Refused things of which an error tells, of however many."""

MOST_NAMED = 10
"""Things that a message names, of however many."""

MOST_SHOWN = 80
"""Letters of a text that a message quotes."""

MOST_OF_A_NAME = 200
"""Letters of a name that a message shows without quotes."""

REPRESENTED = re.compile(r"<(?:class )?'?([\w.]+)'?(?: object at 0x[0-9a-f]+)?>")
"""How Python shows a class or an object; its name is enough."""

TRACE = "Exception raised from "
"""What torch puts after a message: where in its own code it was raised."""

MOST_SAID = 400
"""Letters of what another library said that a message repeats."""


MOST_OF_A_MESSAGE = 2000
"""Letters of a whole message."""


class MitoolError(Exception):
    """Base of every error that is reported as one message rather than as a traceback.

    A message beyond all measure, as of something that a file holds and nobody foresaw, is cut.
    """

    exit_code: int = 1

    def __init__(self, message: str = "") -> None:
        if len(message) > MOST_OF_A_MESSAGE:
            message = f"{message[:MOST_OF_A_MESSAGE]}.. ({len(message):,} characters)"
        super().__init__(message)


class RunError(MitoolError):
    """The run failed: it diverged, ran out of memory or disk, or lacks a device."""

    exit_code = 1


class UsageError(MitoolError):
    """The request cannot be carried out as it is worded: a bad value, name or path."""

    exit_code = 2


class InputError(MitoolError):
    """An input file cannot be used: it is missing, damaged or of another kind."""

    exit_code = 3


class CheckFailed(MitoolError):
    """A ``--check`` on the claims of a result is not met."""

    exit_code = 4


class Interrupted(BaseException):
    """A signal ended the run after its state was saved.

    It is no ``Exception``, as ``KeyboardInterrupt`` is none: whoever catches whatever a library
    raises is not to take it for a fault of the library.

    Attributes:
        signum: the signal's number; the process exits with 128 + ``signum``.
    """

    def __init__(self, message: str, signum: int) -> None:
        super().__init__(message)
        self.signum = signum
        self.exit_code = 128 + signum


@contextlib.contextmanager
def about(path: Path) -> Iterator[None]:
    """Put the name of the file before an ``InputError`` about what it holds."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def each(work: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """What comes of each of several things that a user gave. All that are refused are told of at
    once: the first one's error is raised, and those of the next, ``MOST_TOLD`` in all, are its
    notes (``BaseException.add_note``).

    Raises:
        InputError: one was refused with it.
        UsageError: one was refused with it.
    """
    found: list[R] = []
    refused: list[MitoolError] = []
    for item in items:
        try:
            found.append(work(item))
        except (InputError, UsageError) as refusal:
            refused.append(refusal)
    if not refused:
        return found
    first, *others = refused
    for error in others[: MOST_TOLD - 1]:
        first.add_note(str(error))
    if len(refused) > MOST_TOLD:
        first.add_note(f"and {len(refused) - MOST_TOLD:,} more, {len(refused):,} in all")
    raise first


def first_few(names: Sequence[str], between: str = ", ") -> str:
    """Names for a message: all of a few, else the first and how many there are besides."""
    shown = between.join(map(plain, names[:MOST_NAMED]))
    return f"{shown} and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else shown


def quoted(text: str) -> str:
    """A text of a user's or a file's for a message, in quotes and in ASCII; of a long one the
    start, and its length.
    """
    if len(text) <= MOST_SHOWN:
        return ascii(text)
    return f"{text[:MOST_SHOWN]!a}.. ({len(text):,} characters)"


def plain(name: str) -> str:
    """A name in a user's or another's file for a message, without quotes: printable letters, of a
    long one the start, and its length.
    """
    if len(name) <= MOST_OF_A_NAME:
        return _printable(name)
    return f"{_printable(name[:MOST_OF_A_NAME])}.. ({len(name):,} characters)"


def said(failure: BaseException) -> str:
    """What another library said went wrong, for a message: on one line, its start if it is long.

    Whoever raises an error with it says ``from failure``, so that ``--debug`` shows the whole.
    """
    text = str(failure).partition(TRACE)[0]
    words = REPRESENTED.sub(r"\1", " ".join(text.split())) or type(failure).__name__
    shown = _printable(words)
    if len(shown) <= MOST_SAID:
        return shown.rstrip(".")
    start = shown[:MOST_SAID].rpartition(" ")[0] or shown[:MOST_SAID]
    return f"{start} .. (all {len(shown):,} characters: --debug)"


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
