"""The Chrome or Chromium that draws images: which one, and what if there is none."""

import os
import shutil
from pathlib import Path

from mitool.core.errors import RunError

VARIABLE = "BROWSER_PATH"
NAMES = (
    "chromium-headless-shell",
    "headless_shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "msedge",
)


class BrowserError(RunError):
    """The browser that draws the images failed."""


class BrowserMissing(BrowserError):
    """There is no browser to draw the images."""


def find_browser() -> Path | None:
    """The browser to draw images with, or None.

    It is the one that the environment variable ``BROWSER_PATH`` names, and then no other; else
    the first known name on the PATH; else what kaleido downloaded or finds in its usual places.
    """
    if named := os.environ.get(VARIABLE):
        return _as_path(shutil.which(named))
    if found := next(filter(None, map(shutil.which, NAMES)), None):
        return Path(found)
    # takes 0.2 s to load, and is needed only here
    from choreographer.browsers import Chromium

    return _as_path(Chromium.find_browser(skip_local=False))


def require_browser() -> Path:
    """The browser to draw images with.

    Raises:
        BrowserMissing: there is none; the message says how to get one.
    """
    browser = find_browser()
    if browser is None:
        named = os.environ.get(VARIABLE)
        found = f"{VARIABLE} names no program: {named}" if named else "none was found"
        raise BrowserMissing(
            f"PNG images need Chrome or Chromium, and {found}; install one (on Debian: apt-get "
            f"install chromium-headless-shell), or set {VARIABLE} to the path of one"
        )
    return browser


def _as_path(found: str | None) -> Path | None:
    return Path(found) if found else None
