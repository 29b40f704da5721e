"""What every call has: errors in the words of Python, and a text to have the same again."""

import contextlib
import re
import signal
from collections.abc import Collection, Iterator
from os import PathLike, fspath
from typing import Any

from mitool.core.errors import Interrupted, MitoolError

OPTION = re.compile(r"(?<![\w-])--([a-z][a-z0-9-]*)")
FLAGS = frozenset({"resume", "overwrite", "by_position"})
KEYWORDS = {
    "edge": "edges",
    "format": "formats",
    "metric": "metrics",
    "path": "paths",
    "prompt": "prompts",
    "site": "sites",
}
"""Keywords of another name than the option's, which can be given only once in Python."""

LONGEST = 200
"""Letters of an argument that a report shows."""


@contextlib.contextmanager
def in_words_of_python(keywords: Collection[str]) -> Iterator[None]:
    """Have errors name keywords where they name options, and signals end as Python's own do.

    Args:
        keywords: those of the call; other options are left as they are.

    Raises:
        KeyboardInterrupt: SIGINT arrived; its message says what is saved.
        SystemExit: SIGTERM arrived.
    """
    try:
        yield
    except MitoolError as error:
        error.args = (with_keywords(str(error), keywords),)
        raise
    except Interrupted as end:
        if end.signum == signal.SIGINT:
            raise KeyboardInterrupt(with_keywords(str(end), keywords)) from None
        raise SystemExit(end.exit_code) from None


def with_keywords(message: str, keywords: Collection[str]) -> str:
    """A message with the keyword in the place of each option that the call has."""

    def keyword(option: re.Match[str]) -> str:
        name = option[1].replace("-", "_")
        name = name if name in keywords else KEYWORDS.get(name, name)
        if name not in keywords:
            return option[0]
        return f"`{name}=True`" if name in FLAGS else f"`{name}`"

    return OPTION.sub(keyword, message)


def called(function: str, /, *arguments: object, **keywords: object) -> str:
    """The text of a call, for a report to say how to have the same again; keywords that are
    None, False or an empty tuple are left out.
    """
    words = [_shown(argument) for argument in arguments]
    words += [
        f"{name}={_shown(value)}"
        for name, value in keywords.items()
        if not (value is None or value is False or (isinstance(value, tuple) and not value))
    ]
    return f"{function}({', '.join(words)})"


def _shown(value: Any) -> str:
    text = repr(fspath(value)) if isinstance(value, PathLike) else repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
