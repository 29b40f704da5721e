"""What libraries say while they work: kept from the user's terminal, and never lost."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator

LOGGERS = ("transformers", "huggingface_hub", "peft", "torch", "root")

HARMLESS = (
    *("FutureWarning: ", "DeprecationWarning: "),  # to authors of libraries
    "LOAD REPORT",  # every weight is accounted for here
    "tied weights mapping",  # likewise
    "Special tokens have been added in the vocabulary",
    "is_decoder=True",  # such a model is refused
    "generation flags are not valid",
    "Generation config file not found",
    "sequence length is longer than the specified maximum",
)
"""What warnings say that are no matter to a user."""

log = logging.getLogger(__name__)


@contextlib.contextmanager
def listening() -> Iterator[list[str]]:
    """Collect the warnings of libraries, and what they print, instead of showing them.

    All of it goes to this module's logger, which ``--debug`` shows.

    Yields:
        The warnings so far, without what is harmless; complete after the block.
    """
    heard: list[str] = []
    printed = io.StringIO()
    try:
        with _collected(heard, printed):
            yield heard
    finally:
        for text in filter(None, (*heard, printed.getvalue().strip())):
            log.debug("%s", text)
        heard[:] = [text for text in heard if not any(word in text for word in HARMLESS)]


@contextlib.contextmanager
def _collected(heard: list[str], printed: io.StringIO) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for logger in map(logging.getLogger, LOGGERS):
            stack.enter_context(_heard_by(logger, heard))
        caught = stack.enter_context(warnings.catch_warnings(record=True))
        warnings.simplefilter("default")
        stack.enter_context(contextlib.redirect_stderr(printed))
        stack.enter_context(contextlib.redirect_stdout(printed))
        try:
            yield
        finally:
            heard += [f"{item.category.__name__}: {item.message}" for item in caught or ()]


@contextlib.contextmanager
def _heard_by(logger: logging.Logger, heard: list[str]) -> Iterator[None]:
    """Have a logger tell its warnings to a list and to nobody else."""
    before = logger.handlers[:], logger.level, logger.propagate
    logger.handlers[:] = [_Listener(heard)]
    logger.setLevel(logging.WARNING)
    logger.propagate = False
    try:
        yield
    finally:
        logger.handlers[:], logger.propagate = before[0], before[2]
        logger.setLevel(before[1])


class _Listener(logging.Handler):
    def __init__(self, heard: list[str]) -> None:
        super().__init__()
        self._heard = heard

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(Exception):  # a message that does not fit its own arguments
            self._heard.append(record.getMessage())
