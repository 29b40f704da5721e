"""The command line on the cases, which skip where the shared data are not there."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mitool.cli.main import app
from tests.shared_cases.truth import CASES, Run

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not CASES.is_dir():
        for item in items:
            if HERE in item.path.parents:
                item.add_marker(pytest.mark.skip(reason="the shared data are not there"))


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A study of a case's folder and its pairs, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def command(study: str, folder: str, pairs: str = "pairs.csv", *options: str) -> Result:
        case = folder.split("/")[0]
        places = (str(CASES / folder), "--pairs", str(CASES / case / pairs))
        quick = ("--resamples", "100", "--site", "z") if study == "patch" else ()
        words = (*study.split(), *places, *quick, "--json", "--format", "html", "-o", "out")
        return CliRunner().invoke(app, [*words, *options], catch_exceptions=False)

    return command
