"""How a job is run, and what is said of one that failed."""

import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from mitool.core.errors import UsageError
from mitool.storage import atomic, locking
from mitool.sweeps import Point
from mitool.sweeps.base import End, Job, error_of, run_here
from mitool.sweeps.cluster import _task
from mitool.sweeps.local import shared_cores


@pytest.fixture
def job(tmp_path: Path) -> Job:
    (tmp_path / "logs").mkdir()
    folder, log = tmp_path / "points" / "a", tmp_path / "logs" / "a.log"
    return Job(Point("a", {}, ()), ("train", "modadd"), folder, log)


def test_a_job_writes_to_its_log_and_nowhere_else(
    job: Job, capfd: pytest.CaptureFixture[str]
) -> None:
    def command(arguments: Sequence[str]) -> int:
        sys.stdout.write("a result\n")
        sys.stderr.write(f"Error: {' '.join(arguments)}\n")
        return 3

    assert run_here(command, job) == 3
    assert error_of(job, End(3)) == "train modadd"
    assert capfd.readouterr() == ("", "")


def test_what_nobody_foresaw_is_a_failure_with_its_traceback_in_the_log(job: Job) -> None:
    def command(_arguments: Sequence[str]) -> int:
        raise ZeroDivisionError("by zero")

    assert run_here(command, job) == 1
    assert error_of(job, End(1)) == "ZeroDivisionError: by zero"
    assert "Traceback" in job.log.read_text()


def test_a_job_waits_for_a_process_that_still_holds_its_folder(job: Job) -> None:
    released: list[float] = []

    def hold() -> None:
        with locking.claimed(job.folder):
            (job.folder / "file").touch()
            held.set()
            time.sleep(0.5)
            released.append(time.monotonic())

    held = threading.Event()
    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    assert run_here(lambda _arguments: 0, job) == 0
    assert released
    holder.join()


def test_the_error_of_a_job_that_says_nothing_is_its_exit_code(job: Job) -> None:
    assert error_of(job, End(7)) == "exit code 7, and nothing on stderr"
    assert error_of(job, End(-9, "killed by SIGKILL")) == "killed by SIGKILL"


def test_a_worker_that_does_not_see_the_folder_says_so(job: Job) -> None:
    with pytest.raises(FileNotFoundError, match="an --out that all nodes see"):
        _task(lambda _arguments: 0, job)
    atomic.write_json(job.log.parent.parent / "config.json", {})
    assert _task(lambda _arguments: 0, job) == 0


@pytest.mark.parametrize(
    ("n_points", "jobs", "threads", "found"),
    [
        (6, None, None, (6, 1)),
        (100, None, None, (8, 1)),
        (3, None, None, (3, 2)),
        (1, None, None, (1, 8)),
        (6, 2, None, (2, 4)),
        (6, None, 3, (2, 3)),
        (6, 2, 4, (2, 4)),
    ],
)
def test_eight_cores_are_shared_out(
    monkeypatch: pytest.MonkeyPatch,
    n_points: int,
    jobs: int | None,
    threads: int | None,
    found: tuple[int, int],
) -> None:
    monkeypatch.setattr("mitool.sweeps.local.available_cores", lambda: 8)
    assert shared_cores(n_points, jobs, threads) == found
    for too_many in ((9, None), (None, 9), (3, 3)):
        with pytest.raises(UsageError, match="at most 8 threads"):
            shared_cores(n_points, *too_many)
