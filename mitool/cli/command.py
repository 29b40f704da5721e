"""What every command has: the shared options, the output and the error boundary."""

import contextlib
import functools
import inspect
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Annotated, Any

import typer

from mitool.core.errors import Interrupted, MitoolError

SHARED_PANEL = "Result"

JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON document.", rich_help_panel=SHARED_PANEL)
]
QuietOption = Annotated[
    bool,
    typer.Option(
        "--quiet",
        "-q",
        help="No progress and no notes on stderr, only warnings and errors.",
        rich_help_panel=SHARED_PANEL,
    ),
]
CheckOption = Annotated[
    list[str] | None,
    typer.Option(
        "--check",
        metavar="'NAME OP VALUE'",
        help="Exit with 4 unless the claim NAME meets this: >=, <=, ==, !=, > or < a VALUE. "
        "Repeatable; NAME may have wildcards.",
        rich_help_panel=SHARED_PANEL,
    ),
]
DebugOption = Annotated[
    bool,
    typer.Option(
        "--debug",
        help="Show the traceback of an error, and all that libraries say while a model is read.",
        rich_help_panel=SHARED_PANEL,
    ),
]

SHARED = [
    inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=option)
    for name, default, option in (
        ("as_json", False, JsonOption),
        ("quiet", False, QuietOption),
        ("check", None, CheckOption),
        ("debug", False, DebugOption),
    )
]


SPIN_COUNT, WAITING = "1000", ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
"""How often a thread of torch's that waits for others looks before it sleeps, some microseconds;
and the variables that say it to the library that it waits in, which reads them as it is loaded.
"""


def command(
    name: str, *, trains: bool = False
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a function whose first argument is an ``Output`` into a command of that name.

    Args:
        trains: it takes steps so short that threads are to wait for each other awake, and sees to
            it that they do so on cores of their own (``mitool.training.pace``).

    The command takes the function's other parameters and the shared options. A ``MitoolError``
    becomes one message on stderr and its exit code; SIGTERM and SIGINT become 143 and 130.
    """

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def run(
            *,
            as_json: bool = False,
            quiet: bool = False,
            check: list[str] | None = None,
            debug: bool = False,
            **options: Any,
        ) -> None:
            from mitool.cli.checks import parse_check
            from mitool.cli.output import Output

            if not trains:
                _let_waiting_threads_sleep()
            try:
                with _log_shown(debug), _signals_are_errors(), _memory_is_an_error():
                    checks = [parse_check(text) for text in check or ()]
                    function(Output(name, as_json, quiet, checks), **options)
            except (MitoolError, Interrupted) as error:
                if debug:
                    traceback.print_exc()
                Output(name).error(str(error), getattr(error, "__notes__", ()))
                raise typer.Exit(error.exit_code) from None

        signature = _signature(function)
        run.__annotations__ = {p.name: p.annotation for p in signature.parameters.values()}
        described: Any = run  # a type checker knows no signature to set on a function
        described.__signature__ = signature
        return run

    return decorate


def _let_waiting_threads_sleep() -> None:
    """Have threads that wait for each other sleep soon: beside other work a thread that spins keeps
    the one that it waits for from its core.
    """
    if "torch" not in sys.modules and not any(name in os.environ for name in WAITING):
        os.environ[WAITING[0]] = SPIN_COUNT


@contextlib.contextmanager
def _log_shown(debug: bool) -> Iterator[None]:
    """Show on stderr what mitool's own modules log, such as all that other libraries say."""
    if not debug:
        yield
        return
    import logging

    handler, logger = logging.StreamHandler(), logging.getLogger("mitool")
    handler.setFormatter(logging.Formatter("%(name)s: %(message)s"))
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


@contextlib.contextmanager
def _memory_is_an_error() -> Iterator[None]:
    """Turn running out of memory into an error wherever it was not foreseen."""
    try:
        yield
    except (MemoryError, RuntimeError, OSError) as failure:
        from mitool.core.memory import out_of_memory_is_an_error

        with out_of_memory_is_an_error("take a smaller model or task, or free some memory"):
            raise failure


def _signature(function: Callable[..., None]) -> inspect.Signature:
    _output, *own = inspect.signature(function).parameters.values()
    keyword = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]
    return inspect.Signature([*keyword, *SHARED])


@contextlib.contextmanager
def _signals_are_errors() -> Iterator[None]:
    """Raise ``Interrupted`` at a signal.

    Where torch loads numpy, it drops whatever is raised, and what is half loaded fails later on:
    an error after a signal is the signal's.
    """
    arrived: Interrupted | None = None

    def interrupt(signum: int, _frame: FrameType | None) -> None:
        nonlocal arrived
        arrived = Interrupted(f"interrupted by {signal.Signals(signum).name}", signum)
        raise arrived

    previous = {s: signal.signal(s, interrupt) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except Exception as error:  # of any kind, as a library is interrupted anywhere
        if arrived:
            raise arrived from error
        raise
    finally:
        for signum, handler in previous.items():
            signal.signal(signum, handler)
