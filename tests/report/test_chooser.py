"""A page in a browser that shows one of several like things at a time."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

from mitool.report import Figure, Report, render_page
from tests.report.browsing import a_browser, opened
from tests.report.conftest import HOSTILE, Tags, a_figure, a_result, needs_browser

RUNS = ("rate=0.1", HOSTILE[0], HOSTILE[3])


def page_of(figures: list[Figure], folder: Path) -> Path:
    path = folder / "report.html"
    path.write_text(render_page(Report("t", "s", a_result(), figures)), encoding="utf-8")
    return path


def several() -> list[Figure]:
    own = [
        replace(a_figure(f"{kind}-{index}"), of=run)
        for index, run in enumerate(RUNS)
        for kind in ("a", "b")
    ]
    return [a_figure("shared"), *own]


def test_figures_of_one_thing_are_one_choice() -> None:
    read = Tags(render_page(Report("t", "s", a_result(), several())))
    assert read.texts["option"] == list(RUNS)
    assert [a["value"] for a in read.all("option")] == ["choice-0", "choice-1", "choice-2"]
    assert read.all("label") == [{"for": "chooser"}]
    groups = [a for a in read.all("div") if a.get("class") == "choice"]
    assert [group["aria-label"] for group in groups] == [f"Figures of {run}" for run in RUNS]


async def browse(path: Path) -> dict[str, Any]:
    async with a_browser() as browser:
        found: dict[str, Any] = {}
        for width in (1280, 400):
            page = await opened(browser, path, width)
            found[f"first at {width}"] = await page.drawn()
            await page.choose_next()
            found[f"second at {width}"] = await page.drawn()
            found[f"overflow at {width}"] = await page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            found[f"trouble at {width}"] = page.requests + page.errors
        return found


@needs_browser
def test_the_figures_of_what_is_chosen_are_drawn_then(tmp_path: Path) -> None:
    found = asyncio.run(browse(page_of(several(), tmp_path)))
    for width in (1280, 400):
        assert found[f"first at {width}"] == ["shared", "a-0", "b-0"]
        assert found[f"second at {width}"] == ["shared", "a-1", "b-1"]
        assert found[f"overflow at {width}"] == 0
        assert found[f"trouble at {width}"] == []
