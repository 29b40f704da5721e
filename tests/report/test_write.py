from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from mitool.core.errors import RunError, UsageError
from mitool.report import BrowserError, BrowserMissing, Figure, Report, Written, write_report
from mitool.storage.layout import holds_run

from .conftest import a_figure, a_result, needs_browser

REPORT = Report("t", "s", a_result(), [a_figure("a"), a_figure("b")])


@pytest.fixture
def no_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROWSER_PATH", "/nowhere/chrome")


def files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Images that no browser draws."""

    def write(figures: Sequence[Figure], folder: Path) -> tuple[Path, ...]:
        folder.mkdir()
        paths = tuple(folder / f"{figure.name}.png" for figure in figures)
        for path in paths:
            path.touch()
        return paths

    monkeypatch.setattr("mitool.report.write.write_images", write)


@pytest.mark.usefixtures("pretended")
def test_a_report_is_a_page_and_images(tmp_path: Path) -> None:
    written = write_report(tmp_path, REPORT)
    assert files(tmp_path) == ["figures/a.png", "figures/b.png", "report.html"]
    assert written.artifacts == (
        tmp_path / "report.html",
        tmp_path / "figures/a.png",
        tmp_path / "figures/b.png",
    )
    assert written.warnings == ()


@pytest.mark.usefixtures("no_browser")
def test_without_a_browser_the_default_is_the_page_and_one_warning(tmp_path: Path) -> None:
    written = write_report(tmp_path, REPORT)
    assert files(tmp_path) == ["report.html"]
    assert written.artifacts == (tmp_path / "report.html",)
    assert len(written.warnings) == 1
    assert written.warnings[0].startswith("no PNG images: PNG images need Chrome or Chromium")


@pytest.mark.usefixtures("no_browser")
def test_without_a_browser_images_that_were_asked_for_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(BrowserMissing):
        write_report(tmp_path, REPORT, ("html", "png"), explicit=True)
    assert files(tmp_path) == ["report.html"]


@pytest.mark.usefixtures("no_browser")
def test_a_page_alone_needs_no_browser(tmp_path: Path) -> None:
    assert write_report(tmp_path, REPORT, {"html"}, explicit=True) == Written(
        (tmp_path / "report.html",), ()
    )


@pytest.mark.usefixtures("pretended")
def test_images_alone_leave_out_the_page(tmp_path: Path) -> None:
    write_report(tmp_path, REPORT, ["png"], explicit=True)
    assert files(tmp_path) == ["figures/a.png", "figures/b.png"]


def test_a_browser_that_fails_costs_the_default_its_images_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(figures: Sequence[Figure], folder: Path) -> tuple[Path, ...]:
        raise BrowserError("chrome: it ended early")

    monkeypatch.setattr("mitool.report.write.write_images", fail)
    written = write_report(tmp_path, REPORT)
    assert written.warnings == ("no PNG images: chrome: it ended early",)
    with pytest.raises(BrowserError):
        write_report(tmp_path, REPORT, explicit=True)


@needs_browser
def test_artifacts_list_the_images_that_scale(tmp_path: Path) -> None:
    report = Report("t", "s", a_result(), [replace(a_figure("a"), scalable=True)])
    written = write_report(tmp_path, report, ["png"], explicit=True)
    assert written.artifacts == (tmp_path / "figures/a.png", tmp_path / "figures/a.svg")
    assert files(tmp_path) == ["figures/a.png", "figures/a.svg"]
    assert holds_run(tmp_path)


def test_a_full_disk_is_never_a_mere_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(figures: Sequence[Figure], folder: Path) -> tuple[Path, ...]:
        raise RunError("cannot be written")

    monkeypatch.setattr("mitool.report.write.write_images", fail)
    with pytest.raises(RunError, match="cannot be written"):
        write_report(tmp_path, REPORT)


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected html or png, found pdf"):
        write_report(tmp_path, REPORT, ("html", "pdf"))
    assert files(tmp_path) == []
