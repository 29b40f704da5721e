"""What a command prints of its result."""

import json
from pathlib import Path

import pytest

from mitool.cli.checks import parse_check
from mitool.cli.output import Output, claims_table
from mitool.core.errors import CheckFailed
from mitool.core.result import Result


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


class Found(Result):
    conclusion = "There is one thing."


def test_the_conclusion_is_printed_first(capsys: pytest.CaptureFixture[str]) -> None:
    Output("analyze attn").finish(Found({}, {}, {"found": 1}))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "There is one thing."
    assert lines[1].split() == ["found", "1"]


def test_a_long_claim_pads_no_other_line(capsys: pytest.CaptureFixture[str]) -> None:
    result = Result({}, {}, {"short": 1, "long": "word " * 200})
    Output("analyze attn").finish(result, tables=[claims_table(result.claims), "text"])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) > 900
    assert all(line == line.rstrip() for line in lines)
    assert len(lines[0]) < 20


def test_json_records_the_checks_and_their_outcome(capsys: pytest.CaptureFixture[str]) -> None:
    checks = [parse_check("a.* > 1"), parse_check("found == 1")]
    result = Result({}, {}, {"found": 1, "a.x": 2.0, "a.y": 0.5})
    with pytest.raises(CheckFailed, match=r"a\.\* > 1 \(it is 0\.5, a\.y\)"):
        Output("analyze attn", as_json=True, checks=checks).finish(result)
    assert json.loads(capsys.readouterr().out)["checks"] == [
        {"check": "a.* > 1", "met": False, "claims": {"a.x": 2.0, "a.y": 0.5}},
        {"check": "found == 1", "met": True, "claims": {"found": 1}},
    ]
