from pathlib import Path

import pytest
from choreographer.browsers import Chromium

from mitool.report import BrowserMissing, find_browser, require_browser


def program(path: Path) -> Path:
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without a browser; its PATH is the folder returned."""
    monkeypatch.delenv("BROWSER_PATH", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(Chromium, "find_browser", lambda skip_local: None)
    return tmp_path


def test_the_environment_decides(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(bare / "chromium")
    named = program(bare / "my browser")
    monkeypatch.setenv("BROWSER_PATH", str(named))
    assert find_browser() == named


def test_the_environment_allows_no_other(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(bare / "chromium")
    monkeypatch.setenv("BROWSER_PATH", "/nowhere/chrome")
    assert find_browser() is None
    with pytest.raises(BrowserMissing, match="BROWSER_PATH names no program: /nowhere/chrome"):
        require_browser()


@pytest.mark.parametrize("name", ["chromium-headless-shell", "headless_shell", "google-chrome"])
def test_known_names_are_looked_for_on_the_path(bare: Path, name: str) -> None:
    assert find_browser() is None
    assert program(bare / name) == find_browser() == require_browser()


def test_what_kaleido_would_find_is_the_last_resort(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Chromium, "find_browser", lambda skip_local: "/opt/chrome")
    assert find_browser() == Path("/opt/chrome")
    on_path = program(bare / "chromium")
    assert find_browser() == on_path


@pytest.mark.usefixtures("bare")
def test_the_error_says_how_to_get_one() -> None:
    with pytest.raises(BrowserMissing) as caught:
        require_browser()
    assert "apt-get install chromium-headless-shell" in str(caught.value)
    assert "BROWSER_PATH" in str(caught.value)
    assert caught.value.exit_code == 1
