"""Everything that the README and the other pages tell their reader to type, typed."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mitool.cli.main import app
from mitool.sweeps.grid import parse_values

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCES = re.findall(r"```(\w+)\n(.*?)```", README, flags=re.DOTALL)


def commands() -> list[list[str]]:
    """The command lines of mitool, in their order: table cells and fenced blocks."""
    text = "\n".join(page.read_text() for page in PAGES).replace("\\\n", " ")
    found = re.findall(r"^mitool .*$|`mitool [^`]*`", text, flags=re.MULTILINE)
    words = [shlex.split(line.strip("`"), comments=True)[1:] for line in found]
    return [
        line
        for line in words
        if not {
            "TASK",
            "PATH",
            "FILE",
            "RUN",
            "MODEL",
            "EXPERIMENT",
            "PRESET",
            "COMMAND",
            "ADDRESS",
            "--help",
        }
        & set(line)
    ]


def short_of(words: list[str]) -> list[str]:
    """The command with its trainings cut short, unless a check says how they must end."""
    if words[0] != "sweep":
        is_whole = {"--check", "--from", "--list"} & set(words)
        shorter = SHORT.get(" ".join(words[:2]), SHORT.get(words[0], []))
        return [*words, *([] if is_whole else shorter)]
    name, base, *options = words
    return [name, shlex.join(short_of(shlex.split(base))), *map(two_of, options)]


def two_of(option: str) -> str:
    """The first two values of an axis of a sweep; any other option as it is."""
    axis, equals, values = option.partition("=")
    is_axis = axis.replace("-", "_").isidentifier() and equals
    return f"{axis}={','.join(parse_values(values, axis)[:2])}" if is_axis else option


SHORT = {
    "train": ["--epochs", "2"],
    "superpose": ["--steps", "2"],
    "superpose mono": ["--log2-training-steps", "1"],
}
REPORTING = ("train", "analyze", "patch", "superpose", "sweep")


def test_every_command_of_the_pages_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert len(commands()) >= 8
    for words in commands():
        again = ["--overwrite", "--format", "html"] if words[0] in REPORTING else []
        arguments = [*short_of(words), *again]
        done = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert done.exit_code == 0, (words, done.stderr)


PRINTED = {
    "bridge.safetensors": ["torch.Size([114, 128])"],
    "mitool.train": [
        "1.0",
        "torch.Size([49, 4, 3, 3])",
        "torch.Size([3])",
        "torch.Size([1, 4])",
        "torch.Size([3, 256])",
        "torch.Size([14, 6, 1])",
        "torch.Size([10, 5])",
    ],
}
"""What the snippet with this in it prints."""


def test_every_python_snippet_of_the_readme_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for line in (
        "train modadd --epochs 1 --format html -o run",
        "convert run --to bridge -o bridge.safetensors",
    ):
        assert CliRunner().invoke(app, line.split(), catch_exceptions=False).exit_code == 0
    snippets = [code for language, code in FENCES if language == "python"]
    assert len(snippets) == len(PRINTED)
    for code in snippets:
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        (expected,) = [lines for mark, lines in PRINTED.items() if mark in code]
        assert done.stdout.splitlines() == expected


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_figure_of_a_page_is_left_open(page: Path) -> None:
    assert not re.findall(r"@[A-Z]+@", page.read_text())


def test_every_make_target_of_the_readme_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"(?:^|`)make ([a-z-]+)", README, flags=re.MULTILINE))
    assert {"demo", "test", "check"} <= targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_a_page_points_to_is_there(page: Path) -> None:
    links = re.findall(r"\]\(([^)]*)\)", page.read_text())
    targets = [link for link in links if "://" not in link]
    assert len(targets) >= 4
    for link in targets:
        assert (page.parent / link).exists(), link


def test_the_exit_codes_of_the_readme_are_those_of_the_errors() -> None:
    from mitool import errors

    codes = {
        errors.RunError: "1 the run failed",
        errors.UsageError: "2 wrong usage",
        errors.InputError: "3 an input that cannot be used",
        errors.CheckFailed: "4 a check not met",
    }
    text = " ".join(README.split())
    for error, words in codes.items():
        assert words in text
        assert words.startswith(f"{error.exit_code} ")
