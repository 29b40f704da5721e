"""What the fuzz tests share: runs and models to damage, and how many cases there were."""

import shutil
from pathlib import Path

import pytest

from tests.fuzz import profiles
from tests.fuzz.commands import Commands

TINY = ("--p", "5", "--epochs", "4", "--eval-every", "2", "--checkpoint-every", "2")
SMALL = ("--d-model", "8", "--n-heads", "2", "--format", "html", "--device", "cpu")


@pytest.fixture(scope="session")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of each kind, ``modadd``, ``toys`` and ``mono``, and a planted model,
    ``planted``, each made once.
    """
    commands = Commands(tmp_path_factory.mktemp("originals"))
    quick = ("--format", "html", "--device", "cpu", "-o")
    toys = ("--steps", "2", "--n-instances", "2", "--eval-every", "1", *quick, "toys")
    sizes = ("--N", "6", "--m", "3", "--k", "4", "--log2-training-steps", "2")
    mono = (*sizes, "--log2-batch-size", "2", *quick, "mono")
    for arguments in (
        ("train", "modadd", *TINY, *SMALL, "-o", "modadd"),
        ("superpose", "intro", *toys),
        ("superpose", "mono", *mono),
        ("plant", "induction", "-o", "planted"),
    ):
        answer = commands.run(*arguments)
        assert answer.exit_code == 0, answer.stderr
    return commands.folder


@pytest.fixture(scope="module")
def commands(originals: Path, tmp_path_factory: pytest.TempPathFactory) -> Commands:
    """Commands in a folder that holds copies of the runs and models."""
    folder = tmp_path_factory.mktemp("fuzz")
    shutil.copytree(originals, folder, dirs_exist_ok=True)
    return Commands(folder)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if profiles.tried:
        total = sum(profiles.tried.values())
        terminalreporter.section(f"fuzz: {total:,} cases ({profiles.profile()})")
        for name, count in sorted(profiles.tried.items()):
            terminalreporter.write_line(f"{count:6,} {name}")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A nightly session of all fuzz tests has failed if it had fewer cases than it is to have."""
    is_nightly = profiles.profile() == profiles.NIGHTLY
    is_whole = session.config.args == ["tests/fuzz"] and not session.config.option.keyword
    if (
        is_nightly
        and is_whole
        and exitstatus == 0
        and sum(profiles.tried.values()) < profiles.LEAST_CASES
    ):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
