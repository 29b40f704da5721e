"""Browsers that are missing, hang, crash or talk nonsense cost a report its images, and no more."""

import signal
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import psutil
import pytest

from mitool.report import find_browser, images
from mitool.report.write import write_report
from mitool.storage import layout
from tests.faults.cases import MODADD, outcome
from tests.faults.processes import Commands
from tests.report.conftest import a_figure, needs_browser
from tests.report.test_write import REPORT

TRAIN = [*MODADD.replace("--format html", "").split(), "--epochs", "20", "-o", "run"]
FAKES = {
    "crashes at start": "kill -SEGV $$",
    "fails": "echo no display >&2; exit 3",
    "prints garbage": "head -c 100000 /dev/urandom | tr '\\0' x >&4; exit 0",
    "answers garbage": "printf 'garbage\\0[]\\0{}\\0{\"id\": 3}\\0' >&4; exit 0",
    "answers no text": "printf '\\377\\376\\0' >&4; exit 0",
    "says nothing": "exit 0",
    "is no program": None,
}
"""Shell scripts; a browser reads file 3 and writes to file 4.

Messages end in a zero byte. After one that cannot be decoded no more is read, and a browser that
still writes hangs: garbage that is to be followed by an end has none.
"""

HANGS = {
    "hangs": "exec sleep 1000",
    "ignores to be ended": "trap '' TERM INT HUP; while true; do sleep 0.1; done",
    "starts a child that hangs": "sleep 1000 & exec sleep 1000",
    "talks for ever": "exec yes >&4",
}


def fake(folder: Path, script: str | None) -> Path:
    browser = folder / "browser"
    browser.write_text(f"#!/bin/sh\n{script}\n" if script else "no program")
    browser.chmod(0o755)
    return browser


def left(environment: dict[str, str]) -> list[psutil.Process]:
    """The processes that have an environment, once all had a moment to end."""
    deadline = time.monotonic() + 5
    while found := [p for p in psutil.process_iter() if _has(p, environment)]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    return found


def _has(process: psutil.Process, environment: dict[str, str]) -> bool:
    try:
        return environment.items() <= process.environ().items()
    except psutil.Error:
        return False


def test_browsers_that_fail_cost_the_images_and_are_a_warning(
    commands: Commands, tmp_path: Path
) -> None:
    environments, running = {}, {}
    for name, script in FAKES.items():  # at the same time, as most of it is waiting
        folder = tmp_path / name
        folder.mkdir()
        environments[name] = {"BROWSER_PATH": str(fake(folder, script))}
        running[name] = commands.start(TRAIN, folder, environment=environments[name])
    for name, command in running.items():
        done, run = command.wait(), tmp_path / name / "run"
        assert done.exit_code == 0, (name, done.stderr)
        assert done.stderr.count("Warning: no PNG images: ") == 1, name
        assert "Traceback" not in done.stderr, name
        assert (run / layout.REPORT).exists(), name
        assert not (run / layout.FIGURES).exists(), name
        assert not left(environments[name]), name


@pytest.mark.parametrize("kind", ["missing", "not executable", "fails"])
def test_images_that_were_asked_for_are_an_error_without_a_browser(
    kind: str, commands: Commands, tmp_path: Path
) -> None:
    browser = fake(tmp_path, FAKES["fails"])
    if kind == "missing":
        browser.unlink()
    elif kind == "not executable":
        browser.chmod(0o644)
    environment = {"BROWSER_PATH": str(browser)}
    asked = [*TRAIN, "--format", "html,png"]
    done = commands.run(asked, tmp_path, environment=environment)
    assert done.exit_code == 1
    assert "BROWSER_PATH" in done.error
    assert (tmp_path / "run" / layout.CHECKPOINT).exists() == (kind == "fails")
    assert not left(environment)


@pytest.mark.parametrize("name", HANGS)
def test_a_browser_that_hangs_is_ended_in_time(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {"BROWSER_PATH": str(fake(tmp_path, HANGS[name]))}
    monkeypatch.setenv("BROWSER_PATH", environment["BROWSER_PATH"])
    limited = partial(images.write_images, timeout=0.5)
    monkeypatch.setattr("mitool.report.write.write_images", limited)
    begun = time.monotonic()
    written = write_report(tmp_path / "out", REPORT)
    assert time.monotonic() - begun < 15
    assert written.artifacts == (tmp_path / "out" / layout.REPORT,)
    assert "was not done by then" in written.warnings[0]
    assert not left(environment)


def real(tmp_path: Path, meanwhile: str) -> Path:
    """The browser, to which something happens while it draws."""
    return fake(tmp_path, f'({meanwhile}) & exec {find_browser()} "$@"')


@needs_browser
@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGSTOP], ids=["crashes", "hangs"])
def test_a_browser_that_goes_while_it_draws_is_a_warning(
    signum: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = real(tmp_path, f"sleep 0.3; kill -{int(signum)} $$")
    monkeypatch.setenv("BROWSER_PATH", str(browser))
    limited = partial(images.write_images, timeout=3.0)
    monkeypatch.setattr("mitool.report.write.write_images", limited)
    many = [a_figure(f"figure{index}") for index in range(100)]
    written = write_report(tmp_path / "out", replace(REPORT, figures=many))
    assert written.warnings[0].startswith("no PNG images: ")
    assert [path.name for path in (tmp_path / "out").iterdir()] == [layout.REPORT]
    assert not left({"BROWSER_PATH": str(browser)})


@needs_browser
@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM], ids=["SIGKILL", "SIGTERM"])
def test_a_command_that_ends_while_it_draws_leaves_no_browser(
    signum: signal.Signals, commands: Commands, tmp_path: Path
) -> None:
    environment = {"MITOOL_FAULT": str(tmp_path)}
    running = commands.start(TRAIN, tmp_path, environment=environment)

    def draws() -> bool:
        return running.is_running() and len(psutil.Process(running.pid).children()) > 0

    running.wait_for(draws)
    time.sleep(0.2)
    running.send(signum)
    assert running.wait().exit_code == (-9 if signum == signal.SIGKILL else 143)
    assert not left(environment)
    assert commands.run([*TRAIN, "--resume", "--format", "html"], tmp_path).exit_code == 0
    assert outcome(tmp_path / "run")
