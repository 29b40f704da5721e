"""Everything that the README and the other pages tell their reader to type, typed."""

import json
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mitool.cli.main import app
from tests.pages import short_of

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands() -> list[list[str]]:
    """The command lines of mitool, in their order: table cells and fenced blocks."""
    text = "\n".join(page.read_text() for page in PAGES).replace("\\\n", " ")
    found = re.findall(r"^mitool .*$|`mitool [^`]*`", text, flags=re.MULTILINE)
    lines = dict.fromkeys(line.strip("`").strip() for line in found)  # each of them once
    words = [shlex.split(line, comments=True)[1:] for line in lines]
    return [line for line in words if not NOT_RUN & set(line)]


NOT_RUN = {
    *("TASK", "PATH", "FILE", "RUN", "MODEL", "EXPERIMENT", "PRESET", "COMMAND", "ADDRESS"),
    *("--help", "--install-completion", "./mytask.py"),
    *("parity", "runs/parity-n_bits6-seed0"),  # a task that is not installed here
}
"""What stands for something of the reader's."""


REPORTING = ("train", "analyze", "patch", "superpose", "sweep")


@pytest.mark.long
def test_every_command_of_the_pages_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("examples").symlink_to(ROOT / "examples")
    assert len(commands()) >= 8
    for words in commands():
        again = ["--overwrite", "--format", "html"] if words[0] in REPORTING else []
        arguments = [*short_of(words), *again]
        done = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert done.exit_code == 0, (words, done.stderr)


def snippets(page: Path) -> list[str]:
    """The Python of a page, in its order."""
    return re.findall(r"```python\n(.*?)```", page.read_text(), flags=re.DOTALL)


PRINTED = {
    "README.md": [["1.0", "torch.Size([3])", "torch.Size([1, 4, 3, 3])"]],
    "conversion.md": [["torch.Size([114, 128])"]],
    "python.md": [
        ["1.0", "13 300"],
        ["epoch: no such setting; did you mean 'epochs'"],
        [
            "torch.Size([1, 4, 3, 3])",
            "torch.Size([3])",
            "torch.Size([1, 4])",
            "torch.Size([3, 27])",
            "torch.Size([14, 6, 1])",
        ],
        [
            "7 ['attention.L0H0.to_a', 'attention.L0H0.to_b']",
            "['logit_frequencies', 'logit_by_difference']",
            "['arrays.safetensors', 'report.html', 'result.json']",
        ],
        ["torch.Size([3, 5])", "True", "1.0", "[0, 1]"],
    ],
}
"""What the Python snippets of each page print, in their order."""


def run_code(code: str) -> None:
    """Run a snippet as a script is run."""
    exec(compile(code, "snippet", "exec"), {"__name__": "__main__"})


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.name in PRINTED], ids=lambda page: page.name
)
def test_every_python_snippet_of_a_page_runs(
    page: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    if page.name == "conversion.md":
        for line in (
            "train modadd --epochs 1 --format html -o run",
            "convert run --to bridge -o bridge.safetensors",
        ):
            assert CliRunner().invoke(app, line.split(), catch_exceptions=False).exit_code == 0
    for code, expected in zip(snippets(page), PRINTED[page.name], strict=True):
        run_code(code)
        assert capsys.readouterr().out.splitlines() == expected


def test_no_page_has_python_snippets_that_are_not_run() -> None:
    assert {page.name for page in PAGES if snippets(page)} == PRINTED.keys()


def test_every_cell_of_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    notebook = json.loads((ROOT / "examples" / "notebook.ipynb").read_text())
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert not any(cell["outputs"] or cell["execution_count"] for cell in cells)
    run_code("\n".join("".join(cell["source"]) for cell in cells))


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
    for link in targets:
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.*)$", target.read_text(), flags=re.MULTILINE)
            assert anchor in {heading.lower().replace(" ", "-") for heading in headings}, link


def test_the_exit_codes_of_the_readme_are_those_of_the_errors() -> None:
    from mitool.core import errors

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
