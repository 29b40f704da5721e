"""What is said where a cluster does not answer, or a task of it fails, with Ray played."""

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from mitool.core.errors import RunError, UsageError
from mitool.sweeps.base import End
from mitool.sweeps.cluster import RayRunner, _end, require_gpus


class RayError(Exception):
    """What all errors of Ray's are."""


class RayTaskError(RayError):
    def __init__(self, cause: BaseException | None, message: str = "") -> None:
        super().__init__(message)
        self.cause = cause


class WorkerCrashedError(RayError):
    pass


def played(outcome: Exception | int) -> Any:
    """Ray, whose one task ends so."""

    def get(_reference: object) -> int:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    errors = SimpleNamespace(
        RayError=RayError, RayTaskError=RayTaskError, WorkerCrashedError=WorkerCrashedError
    )
    return SimpleNamespace(get=get, exceptions=errors)


@pytest.mark.parametrize(
    ("outcome", "end"),
    [
        (3, End(3)),
        (RayTaskError(FileNotFoundError("a\nb is not there")), End(1, "b is not there")),
        (RayTaskError(None, "first\nlast\n"), End(1, "last")),
        (RayTaskError(KeyboardInterrupt()), End(1, "KeyboardInterrupt")),
        (WorkerCrashedError(), End(1, "its worker was lost 4 times")),
        (RayError("two\n lines"), End(1, "two lines")),
        (RayError(), End(1, "RayError")),
    ],
)
def test_how_a_task_ended(outcome: Exception | int, end: End) -> None:
    assert _end(played(outcome), object()) == end


@pytest.mark.parametrize("address", ["127.0.0.1:1", f"127.0.0.1:{10**30}", "ray://127.0.0.1:1"])
def test_an_address_at_which_nothing_listens_is_a_failed_run(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace())  # which is not asked
    runner = RayRunner(lambda _arguments: 0, address, threads=1)
    with (
        pytest.raises(RunError, match=f"--ray {address}: no Ray cluster answers there"),
        runner.available(),
    ):
        pass


@pytest.mark.parametrize("gpus", [-1.0, 1.5, float("inf"), float("nan")])
def test_gpus_that_cannot_be_shared_out(gpus: float) -> None:
    with pytest.raises(UsageError, match="expected a share from 0 to 1, or a whole number, found"):
        require_gpus(gpus)
