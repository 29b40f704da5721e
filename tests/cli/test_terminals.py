"""What is printed on wide and narrow terminals, without colours, into pipes and in ASCII."""

import io
import re
import subprocess
import sys

import pytest
from rich.console import Console
from rich.table import Table
from typer.testing import CliRunner

from mitool.cli import main as entry
from mitool.cli.main import app
from mitool.cli.tables import fitted
from tests.cli.conftest import Invoke, mitool

HEADINGS = ("weight", "QK rank", "what it is", "norm")
ROWS = [
    ("blocks.0.attn.W_Q", "0.123", "the queries of each head, by the residual stream", "2.218"),
    ("blocks.10.mlp.W_out", "-0.999", "", "1234.5"),
]


def printed(width: int) -> list[str]:
    table = Table(*HEADINGS, box=None, pad_edge=False)
    for row in ROWS:
        table.add_row(*row)
    out = Console(file=io.StringIO(), width=width, force_terminal=False)
    out.print(fitted(table, out))
    assert isinstance(out.file, io.StringIO)
    return [line.rstrip() for line in out.file.getvalue().splitlines()]


@pytest.mark.parametrize("width", [20, 40, 45, 60, 80, 200])
def test_no_word_of_a_table_is_cut(width: int) -> None:
    lines = printed(width)
    assert all(len(line) <= width for line in lines)
    shown = "".join("".join(lines).split()) if width == 20 else " ".join(lines).split()
    for word in " ".join([*HEADINGS, *(cell for row in ROWS for cell in row)]).split():
        assert word in shown, word


def test_a_table_is_whole_where_there_is_room_and_listed_where_there_is_not() -> None:
    assert len(printed(100)) == 3
    assert printed(80)[1:] == [
        "blocks.0.attn.W_Q    0.123    the queries of each head, by the residual   2.218",
        "                              stream",
        "blocks.10.mlp.W_out  -0.999                                               1234.5",
    ]
    assert printed(40)[:6] == [
        "weight      blocks.0.attn.W_Q",
        "QK rank     0.123",
        "what it is  the queries of each head, by",
        "            the residual stream",
        "norm        2.218",
        "",
    ]
    assert printed(40)[6:9] == [
        "weight      blocks.10.mlp.W_out",
        "QK rank     -0.999",
        "norm        1234.5",
    ]


def test_a_table_in_a_pipe_has_each_row_on_a_line(invoke: Invoke) -> None:
    (line,) = (x for x in invoke("tasks").stdout.splitlines() if x.startswith("digits "))
    assert "--digits 5 --operators --no-reverse-sum" in line
    assert "Nanda et al. 2023, arXiv 2301.05217 (non-modular tasks)" in line


@pytest.mark.parametrize(
    ("environment", "escapes"),
    [
        ({}, set()),
        ({"FORCE_COLOR": "1"}, {"1;33", "1", "1;36", "0"}),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, {"1", "0"}),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, set()),
    ],
)
def test_colours_are_those_of_the_environment(
    environment: dict[str, str], escapes: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    env = {"TERM": "xterm-256color", **environment}
    done = CliRunner().invoke(app, ["inspect", "--help"], env=env, color=True)
    assert set(re.findall(r"\x1b\[([\d;]*)m", done.stdout)) == escapes
    assert "--check" in done.stdout


@pytest.mark.parametrize("line", ["--help", "train modadd --help", "--version"])
def test_a_reader_who_has_gone_is_no_error(line: str) -> None:
    with subprocess.Popen(
        mitool(line.split()), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


def test_what_an_encoding_lacks_is_a_question_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, "ascii", write_through=True))
    monkeypatch.setattr(entry, "app", lambda prog_name: sys.stdout.write(f"{prog_name}: Kramár …"))
    entry.main()
    assert written.getvalue() == b"mitool: Kram?r ?"
