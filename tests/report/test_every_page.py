"""A page of every kind in a browser, wide and narrow, with hostile texts wherever texts come from
outside.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.report.browsing import Page, a_browser, opened
from tests.report.conftest import needs_browser
from tests.report.kinds import KINDS, NAME, TOKENS

WIDE, NARROW = 1280, 400

LEAST_LETTER = 8
"""Pixels."""

SHOWN = {
    "attention": TOKENS,
    "attention of layers": TOKENS,
    "attention of a pretrained model": TOKENS,
    "patching of a pretrained model": TOKENS[2:],
}
"""Tokens that are labels in the figures of a kind."""


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as one:
        yield one


@pytest.fixture(scope="module")
def browser(runner: asyncio.Runner) -> Iterator[Any]:
    one = a_browser()
    runner.run(one.open())
    yield one
    runner.run(one.close())


async def visit(browser: Any, path: Path) -> tuple[Page, dict[int, dict[str, Any]]]:
    """Open a page wide, and make the window narrow."""
    page = await opened(browser, path, WIDE)
    found = {WIDE: await page.probe()}
    await page.resize(NARROW)
    found[NARROW] = await page.probe()
    await page.close()
    return page, found


@needs_browser
@pytest.mark.parametrize("kind", KINDS)
def test_a_page_is_drawn_legible_and_unharmed(
    kind: str, tmp_path: Path, runner: asyncio.Runner, browser: Any
) -> None:
    page, seen = runner.run(visit(browser, KINDS[kind](tmp_path)))
    assert page.errors == page.requests == []
    for width, found in seen.items():
        assert found["title"] == found["heading"] != ""
        # what all experiments claim alike comes with their training, which here is none
        assert found["claims"] or kind in ("superposition, norms", "superposition, train")
        assert found["overflow"] == 0, width
        assert found["cut"] == [], width
        assert found["foreign"] == [], width
        assert all(found["images"])
        assert found["figures"] or kind == "index"
        for figure in found["figures"]:
            told = f"{figure['name']} at {width}"
            assert figure["marks"] > 0, told
            assert figure["isApart"], told
            assert figure["isInside"], told
            assert figure["smallest"] is None or figure["smallest"] >= LEAST_LETTER, told
            assert figure["collisions"] == [], told
        assert NAME in found["texts"] or "alert" in found["texts"]
        assert [token for token in SHOWN.get(kind, ()) if token not in found["texts"]] == []
