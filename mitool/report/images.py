"""Figures as PNG and SVG files, all drawn in one session of a headless browser."""

import asyncio
import contextlib
import logging
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import psutil

from mitool.core.errors import said
from mitool.report.browser import VARIABLE, BrowserError, require_browser
from mitool.report.figures import WIDTH, Figure, titled
from mitool.storage.atomic import atomic_write

SCALES = {"png": 2, "svg": 1}
"""Pixels of an image for each of the plot, by format."""

TIMEOUT = 120.0
"""Seconds that the images of one report may take."""

GRACE = 4.0
"""Seconds that a browser has to close by itself, and kaleido to see that it is gone."""

BEAT = 0.25
"""Seconds between two looks at whether it still runs."""

Image = tuple[Figure, str]
"""A figure and the format to draw it in."""

NOISY = ("kaleido", "choreographer", "browser_proc", "asyncio", "concurrent.futures")
"""Loggers that report, while a browser fails, what is raised as one error anyway."""


def write_images(
    figures: Sequence[Figure], folder: Path, *, timeout: float = TIMEOUT
) -> tuple[Path, ...]:
    """Write ``NAME.png`` for every figure that has an image, and ``NAME.svg`` too for one that is
    scalable; where the browser fails, nothing.

    Args:
        timeout: seconds that the browser may take for all of them.

    Raises:
        BrowserMissing: there is no browser.
        BrowserError: the browser ended early, hung, or could not draw a figure.
        RunError: the folder cannot be written.
    """
    wanted = [(figure, kind) for figure in figures for kind in _formats(figure)]
    if not wanted:
        return ()
    images = _draw(wanted, require_browser(), timeout)
    paths = tuple(folder / f"{figure.name}.{kind}" for figure, kind in wanted)
    for path, image in zip(paths, images, strict=True):
        atomic_write(path, image)
    return paths


def _formats(figure: Figure) -> tuple[str, ...]:
    if not figure.has_image:
        return ()
    return ("png", "svg") if figure.scalable else ("png",)


def _draw(wanted: Sequence[Image], browser: Path, timeout: float) -> list[bytes]:
    # takes 0.2 s to load and sets the logger class of the whole process: only if it is needed
    from choreographer.errors import DevtoolsProtocolError
    from kaleido.errors import KaleidoError

    from mitool.report.session import DrawingSession

    failures = (RuntimeError, OSError, KaleidoError, DevtoolsProtocolError, asyncio.CancelledError)
    # the thread is for callers whose own runs an event loop already, as a notebook's does
    with _quiet(), ThreadPoolExecutor(1) as pool:
        session = DrawingSession(path=str(browser), mathjax=False, timeout=None)
        try:
            drawing = _drawn(session, wanted, timeout)
            return pool.submit(asyncio.run, drawing).result()
        except failures as failure:
            raise BrowserError(
                f"{browser}: expected it to draw {len(wanted)} images within {timeout:zg} s, "
                f"but it {_what_failed(failure)}; leave png out of --format, or set {VARIABLE} to "
                "another Chrome or Chromium"
            ) from failure
        finally:
            # after an interrupt it still runs
            _kill(_processes(session))


async def _drawn(session: Any, wanted: Sequence[Image], timeout: float) -> list[bytes]:
    """Draw the figures, and end the browser in any case.

    Cancelling a call of kaleido's is no way to end it when the browser hangs: while it cleans up
    it waits for an answer once more. Its calls return when the browser is gone, so that the
    limit kills the browser. Only what outlasts that, having lost track of it, is cancelled.
    """
    loop, late = asyncio.get_running_loop(), asyncio.Event()

    def give_up() -> None:
        if processes := _processes(session):
            late.set()
            _kill(processes)

    loop.set_exception_handler(lambda _loop, _context: None)
    limit = loop.call_later(timeout, give_up)
    drawing = asyncio.create_task(_draw_each(session, wanted))
    try:
        await _end(drawing, session, timeout + GRACE)
        while not drawing.done():
            drawing.cancel()
            await asyncio.wait([drawing], timeout=1)
        if late.is_set():
            raise TimeoutError
        return drawing.result()
    finally:
        limit.cancel()
        processes = _processes(session)
        with contextlib.suppress(RuntimeError, OSError, asyncio.CancelledError):
            await asyncio.wait_for(session.close(), GRACE)
        _kill(processes)


async def _end(drawing: asyncio.Task[list[bytes]], session: Any, seconds: float) -> None:
    """Wait for the end, for so many seconds, or for ``GRACE`` seconds without a browser: of what a
    browser says last kaleido's calls may make nothing, and then they wait for ever.
    """
    clock = asyncio.get_running_loop().time
    last, alive = clock() + seconds, clock()
    while not drawing.done() and clock() < last and clock() < alive + GRACE:
        await asyncio.wait([drawing], timeout=BEAT)
        if not _is_gone(session):
            alive = clock()


async def _draw_each(session: Any, wanted: Sequence[Image]) -> list[bytes]:
    await session.open()
    return [await session.calc_fig(_titled(figure), _options(figure, k)) for figure, k in wanted]


def _titled(figure: Figure) -> go.Figure:
    """The plot with its title; a menu has no place in an image, but what is chosen in it has."""
    plot = titled(figure)
    for menu in figure.plot.layout.updatemenus:
        plot.layout.title.text += f"<br><sup>{menu.buttons[menu.active or 0].label}</sup>"
    plot.layout.updatemenus = ()
    return plot


def _options(figure: Figure, kind: str) -> dict[str, Any]:
    return {"format": kind, "width": WIDTH, "height": figure.height, "scale": SCALES[kind]}


def _what_failed(failure: BaseException) -> str:
    from kaleido.errors import JavascriptError, KaleidoError

    if isinstance(failure, TimeoutError):
        return "was not done by then"
    if isinstance(failure, JavascriptError | KaleidoError):
        return f"could not: {said(failure)}"
    return "ended early"


def _is_gone(session: Any) -> bool:
    """Whether the browser has been started, and has ended."""
    browser = getattr(session, "subprocess", None)
    return browser is not None and browser.poll() is not None


def _processes(session: Any) -> list[psutil.Process]:
    """The browser and all that it started, of what still runs."""
    with contextlib.suppress(AttributeError, psutil.Error):
        browser = psutil.Process(session.subprocess.pid)
        return [browser, *browser.children(recursive=True)]
    return []


def _kill(processes: Sequence[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.kill()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in NOISY]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.CRITICAL + 1)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
