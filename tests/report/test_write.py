from pathlib import Path

import pytest

from mitool.errors import UsageError
from mitool.report import BrowserMissing, Report, Written, write_images, write_report

from .conftest import a_figure, a_result, needs_browser

REPORT = Report("t", "s", a_result(), [a_figure("a"), a_figure("b")])


@pytest.fixture
def no_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROWSER_PATH", "/nowhere/chrome")


def files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


@needs_browser
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


def test_images_alone_leave_out_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr("mitool.report.write.write_images", lambda *what: asked.append(what) or ())
    write_report(tmp_path, REPORT, ["png"], explicit=True)
    assert asked == [(REPORT.figures, tmp_path / "figures")]
    assert files(tmp_path) == []
    assert write_images is not asked


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected html or png, found pdf"):
        write_report(tmp_path, REPORT, ("html", "pdf"))
    assert files(tmp_path) == []
