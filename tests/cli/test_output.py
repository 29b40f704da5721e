"""What a command prints of its result."""

from pathlib import Path

import pytest

from mitool.cli.output import Output
from mitool.result import Result


@pytest.mark.parametrize(
    ("artifacts", "printed"),
    [
        (["run/report.html", "run/figures/a.png"], ["report  run/report.html"]),
        (["run/figures/a.png", "run/figures/b.svg"], ["figures  run/figures"]),
        (["run/arrays.safetensors"], []),
    ],
)
def test_where_a_report_lies_is_printed(
    capsys: pytest.CaptureFixture[str], artifacts: list[str], printed: list[str]
) -> None:
    result = Result({}, {}, {"found": 1})
    Output("analyze attn").finish(result, artifacts=[Path(name) for name in artifacts])
    first, *others = capsys.readouterr().out.splitlines()
    assert first.split() == ["found", "1"]
    assert others == printed
