"""Consoles on the streams of the process: on a terminal, in a notebook, or in a file."""

import io
import sys
import unicodedata
from collections.abc import Iterable
from importlib.util import find_spec
from typing import TextIO

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from mitool.core.errors import RunError

PIPE_WIDTH = 10_000
"""Columns of what is printed to no terminal, so that no line of a table is broken."""

SPACE = "Zs"
"""Unicode's category of spaces, the wide and the narrow ones too."""


class _Stream(Console):
    """A console on a stream that may be closed, before or while it is written to."""

    def on_broken_pipe(self) -> None:
        self.quiet = True


def console_on(file: TextIO | None, *, pipe_width: int | None = PIPE_WIDTH) -> Console:
    """A console on a stream, as wide as the terminal.

    Args:
        file: None is a stream closed by whoever started the process.
        pipe_width: columns where it is no terminal; None: as of the process's terminal.
    """
    if file is None:
        return Console(file=io.StringIO())
    # without widgets a notebook can redraw nothing, and is told lines, as a file is
    in_notebook = None if find_spec("ipywidgets") else False
    width = None if file.isatty() else pipe_width
    return _Stream(file=file, emoji=False, width=width, force_jupyter=in_notebook)


def stderr() -> Console:
    """The console of progress, notes and warnings."""
    return console_on(sys.stderr)


def is_live(console: Console) -> bool:
    """Whether a bar can be drawn again and again in its place."""
    return console.is_terminal or console.is_jupyter


def note(console: Console | None, message: str) -> None:
    """Tell the user something in passing; nobody where there is no console."""
    if console is not None:
        console.print(escape(one_line(message)), soft_wrap=True, highlight=False)


def print_all(texts: Iterable[Text | str], file: TextIO | None) -> None:
    """Print lines of text, in colours where the stream is a terminal.

    Raises:
        RunError: they cannot be written.
    """
    out = console_on(file)
    try:
        for text in texts:
            out.print(text, soft_wrap=True, highlight=False, markup=False)
    except OSError as failure:
        raise RunError(f"this cannot be written to stdout: {failure.strerror}") from None


def one_line(text: str) -> str:
    """A text for a terminal, in which nothing but letters is left as it is: names of files and
    what files hold could end a line, or give the terminal orders.
    """
    return "".join(c if _is_shown(c) else ascii(c)[1:-1] for c in text)


def _is_shown(letter: str) -> bool:
    return letter.isprintable() or unicodedata.category(letter) == SPACE
