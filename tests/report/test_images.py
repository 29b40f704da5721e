import asyncio
import logging
import struct
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import kaleido
import plotly.graph_objects as go
import psutil
import pytest
from kaleido.errors import KaleidoError

from mitool.core.errors import RunError
from mitool.report import BrowserError, session, training_figures, write_images
from mitool.report.figures import HEIGHT
from mitool.training import TrainResult

from .conftest import HOSTILE, a_figure, needs_browser


def size(image: Path) -> tuple[int, int]:
    """The width and height that the header of a PNG file states."""
    head = image.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    assert head[12:16] == b"IHDR"
    width, height = struct.unpack(">II", head[16:24])
    return width, height


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)}


@pytest.fixture
def started() -> Callable[[], set[int]]:
    """The processes that the test has started, and that still run."""
    before = children()
    return lambda: children() - before


@pytest.fixture
def fake_browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "browser"
    path.touch(mode=0o755)
    monkeypatch.setenv("BROWSER_PATH", str(path))
    return path


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The browser sessions that are started, as they are."""
    started: list[object] = []

    start = session.DrawingSession

    def counted(**options: object) -> object:
        started.append(start(**options))
        return started[-1]

    monkeypatch.setattr(session, "DrawingSession", counted)
    return started


@needs_browser
def test_images_are_those_of_a_page_that_is_loaded_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heat = go.Figure(go.Heatmap(z=[[0.0, 1.0], [2.0, 5.0]]))
    figures = [a_figure(), a_figure("hostile", HOSTILE[0]), replace(a_figure("heat"), plot=heat)]
    twice = [*figures, *(replace(figure, name=f"{figure.name}_again") for figure in figures)]
    write_images(twice, tmp_path / "one_page")
    monkeypatch.setattr(session, "DrawingSession", kaleido.Kaleido)
    write_images(twice, tmp_path / "anew")
    for path in (tmp_path / "anew").iterdir():
        assert path.read_bytes() == (tmp_path / "one_page" / path.name).read_bytes()
    assert len(list((tmp_path / "anew").iterdir())) == len(twice)


@needs_browser
def test_all_images_are_drawn_in_one_session_even_inside_an_event_loop(
    run: TrainResult,
    tmp_path: Path,
    sessions: list[object],
    capfd: pytest.CaptureFixture[str],
    started: Callable[[], set[int]],
) -> None:
    figures = [*training_figures(run), a_figure(title=HOSTILE[0])]
    levels = [logging.getLogger(name).level for name in ("kaleido", "asyncio")]

    async def notebook() -> tuple[Path, ...]:
        return write_images(figures, tmp_path / "figures")

    paths = asyncio.run(notebook())
    assert len(sessions) == 1
    assert [path.name for path in paths] == [
        "loss.png",
        "accuracy.png",
        "weight_norms.png",
        "curve.png",
    ]
    assert sorted((tmp_path / "figures").iterdir()) == sorted(paths)
    for figure, path in zip(figures, paths, strict=True):
        assert size(path) == (1800, 2 * figure.height)
    assert figures[0].height == HEIGHT + 44
    assert capfd.readouterr() == ("", "")
    assert not started()
    assert levels == [logging.getLogger(name).level for name in ("kaleido", "asyncio")]


def test_a_figure_that_has_no_image_needs_no_browser(tmp_path: Path, fake_browser: Path) -> None:
    assert write_images([replace(a_figure(), has_image=False)], tmp_path) == ()


@needs_browser
def test_what_is_scalable_is_drawn_as_svg_too_in_the_same_session(
    tmp_path: Path, sessions: list[object]
) -> None:
    plain, scalable = a_figure("plain"), replace(a_figure(title=HOSTILE[0]), scalable=True)
    paths = write_images([scalable, plain], tmp_path)
    assert len(sessions) == 1
    assert [path.name for path in paths] == ["curve.png", "curve.svg", "plain.png"]
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    root = ElementTree.parse(paths[1]).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert (root.get("width"), root.get("height")) == ("900", str(HEIGHT))
    texts = {text for element in root.iter() for text in (element.text, element.tail) if text}
    assert {HOSTILE[0], "epoch"} <= texts
    assert size(paths[0]) == (1800, 2 * HEIGHT)


def test_no_figures_need_no_browser(tmp_path: Path, fake_browser: Path) -> None:
    assert write_images([], tmp_path / "figures") == ()
    assert not (tmp_path / "figures").exists()


@pytest.mark.parametrize(
    ("script", "what"),
    [("echo no >&2; exit 3", "ended early"), ("exec sleep 60", "was not done by then")],
    ids=["exits", "hangs"],
)
def test_a_browser_that_fails_is_an_error_and_leaves_nothing(
    script: str,
    what: str,
    tmp_path: Path,
    fake_browser: Path,
    capfd: pytest.CaptureFixture[str],
    started: Callable[[], set[int]],
) -> None:
    fake_browser.write_text(f"#!/bin/sh\n{script}\n")
    folder = tmp_path / "figures"
    folder.mkdir()
    (folder / "curve.png").write_bytes(b"as it was")
    start = time.monotonic()
    with pytest.raises(
        BrowserError, match=f"{fake_browser}: expected it to draw 2 images within 0.5 s"
    ) as caught:
        write_images([a_figure(), a_figure("other")], folder, timeout=0.5)
    assert time.monotonic() - start < 6
    assert what in str(caught.value)
    assert "BROWSER_PATH" in str(caught.value)
    assert [path.name for path in folder.iterdir()] == ["curve.png"]
    assert (folder / "curve.png").read_bytes() == b"as it was"
    assert capfd.readouterr() == ("", "")
    assert not started()


class Pretended:
    """In place of a browser session: it draws, except what is broken."""

    def __init__(self, **options: object) -> None:
        self.is_open = False

    async def open(self) -> None:
        self.is_open = True

    async def calc_fig(self, plot: go.Figure, options: dict[str, object]) -> bytes:
        assert self.is_open
        if plot.layout.title.text == "broken":
            raise KaleidoError(525, "plotly.js could not draw this")
        return b"drawn"

    async def close(self) -> None:
        self.is_open = False


def test_a_figure_that_cannot_be_drawn_is_an_error_and_leaves_no_other(
    tmp_path: Path, fake_browser: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "DrawingSession", Pretended)
    with pytest.raises(BrowserError, match="could not: Error 525: plotly.js could not draw this"):
        write_images([a_figure(), a_figure("other", "broken")], tmp_path / "figures")
    assert not (tmp_path / "figures").exists()


def test_a_folder_that_cannot_be_written_is_an_error(
    tmp_path: Path, fake_browser: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "DrawingSession", Pretended)
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="cannot be written") as caught:
        write_images([a_figure()], tmp_path / "file" / "figures")
    assert not isinstance(caught.value, BrowserError)
