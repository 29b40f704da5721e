"""How threads that wait for each other wait: a study's sleep soon, as users say where they do."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Shell

Says = Callable[..., dict[str, object]]

SAYS = """
import json, os, sys
from mitool.cli.main import main
try:
    main()
finally:
    names = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
    found = {"torch": "torch" in sys.modules, **{name: os.environ.get(name) for name in names}}
    print("\\n" + json.dumps(found), file=sys.stderr)
"""
TRAIN = ("train", "min", "--max-value", "5", "--epochs", "2", "--d-model", "8", "-o", "run")
PATCH = ("patch", "run", "--n-pairs", "4", "--resamples", "100", "--overwrite")


@pytest.fixture
def says(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Says:
    """Run a command that says at its end how threads were to wait."""
    script = tmp_path / "says.py"
    script.write_text(SAYS)
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(
        "tests.cli.conftest.mitool", lambda words: [sys.executable, str(script), *words]
    )

    def run(*words: str, **env: str) -> dict[str, object]:
        done = shell(*words, "--format", "html", "--quiet", env=env)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stderr.splitlines()[-1])

    return run


def test_of_a_study_and_of_a_training(says: Says) -> None:
    assert says(*TRAIN) == {"torch": True, "GOMP_SPINCOUNT": None, "OMP_WAIT_POLICY": None}
    assert says(*PATCH) == {"torch": True, "GOMP_SPINCOUNT": "1000", "OMP_WAIT_POLICY": None}
    active = says(*PATCH, OMP_WAIT_POLICY="ACTIVE")
    assert active == {"torch": True, "GOMP_SPINCOUNT": None, "OMP_WAIT_POLICY": "ACTIVE"}
    assert says(*PATCH, GOMP_SPINCOUNT="7")["GOMP_SPINCOUNT"] == "7"
