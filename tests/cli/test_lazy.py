"""Commands load when they are used, and the table that lists them says what they say."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mitool.cli.main import COMMANDS, GROUPS
from tests.cli.conftest import Invoke, mitool

HEAVY = {"torch", "plotly", "mitool.core.config", "mitool.settings"}
MODULES = {target.partition(":")[0] for target, _ in COMMANDS.values()}


def _loaded(*arguments: str, **environment: str) -> tuple[str, set[str]]:
    """What a command line writes to stdout, and which modules it loads."""
    code = (
        "import sys\n"
        "from mitool.cli.main import app\n"
        "try: app(sys.argv[1:], prog_name='mitool')\n"
        "finally: print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
    )
    return done.stdout, set(done.stderr.split())


def _words(shown: str) -> str:
    return " ".join(shown.replace("│", " ").split())


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_has_the_first_line_of_the_commands_help(invoke: Invoke, name: str) -> None:
    done = invoke(*name.split(), "--help")
    assert done.exit_code == 0
    usage, line, *_ = re.split(r"\n\s*\n", done.stdout.strip())
    assert f" {name} " in _words(usage)
    assert _words(line) == COMMANDS[name][1]


@pytest.mark.parametrize("group", ["", "analyze"])
def test_help_lists_the_commands_and_loads_none(group: str) -> None:
    stdout, modules = _loaded(*group.split(), "--help")
    shown = _words(stdout)
    own = {name: line for name, (_, line) in COMMANDS.items() if name.rpartition(" ")[0] == group}
    assert own
    for name, line in own.items():
        assert f"{name.split()[-1]} {line}" in shown
    assert not modules & (HEAVY | MODULES)


def test_help_at_the_top_lists_the_groups_and_loads_no_pydantic() -> None:
    """Typer loads it for the value of an option, here --version; help alone needs none."""
    stdout, modules = _loaded("--help")
    for name, group in GROUPS.items():
        assert f"{name} {group.info.help}" in _words(stdout)
    assert "pydantic" not in modules


@pytest.mark.timed
def test_help_is_fast() -> None:
    """Under 0.3 s; the best of five, as another process may be at work."""
    times = []
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run(mitool(["--help"]), stdout=subprocess.DEVNULL, check=True)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.3


OF_TOYS = """
import sys
from mitool.cli.main import app
from typer.main import get_command

for line in sys.argv[1:]:
    get_command(app).main(line.split(), standalone_mode=False)
print(*sys.modules, file=sys.stderr)
"""
UNUSED = ("transformer_lens", "transformers", "tokenizers", "sympy", "torch._dynamo", "kaleido")
"""Libraries that take a second each to load, and of which the study of a toy uses nothing."""


def test_studies_of_a_toy_load_nothing_that_they_do_not_use(tmp_path: Path) -> None:
    run, more = tmp_path / "run", ["--format", "html", "--quiet"]
    training = f"train modadd --p 5 --epochs 2 --d-model 8 -o {run}".split()
    subprocess.run(mitool([*training, *more]), check=True, capture_output=True)
    studies = ("patch", "analyze attn", "analyze fourier", "analyze circuit")
    typed = [" ".join([study, str(run), *more]) for study in studies]
    done = subprocess.run(
        [sys.executable, "-c", OF_TOYS, *typed], capture_output=True, text=True, check=True
    )
    loaded = set(done.stderr.splitlines()[-1].split())
    assert "mitool.report.circuits" in loaded
    assert {name for name in UNUSED if name in loaded} == set()


def test_completion_of_a_name_loads_no_command() -> None:
    typed = {"COMP_WORDS": "mitool in", "COMP_CWORD": "1"}
    stdout, modules = _loaded(_MITOOL_COMPLETE="complete_bash", **typed)
    assert stdout.split() == ["inspect"]
    assert "mitool.cli.main" in modules
    assert not modules & (HEAVY | MODULES)


def test_completion_of_an_option_loads_its_command() -> None:
    typed = {"COMP_WORDS": "mitool analyze attn --thr", "COMP_CWORD": "3"}
    stdout, modules = _loaded(_MITOOL_COMPLETE="complete_bash", **typed)
    assert stdout.split() == ["--threads"]
    assert modules & MODULES == {"mitool.cli.attn"}


@pytest.mark.parametrize(
    ("typed", "meant"), [(["tsks"], "tasks"), (["analyze", "atn"], "attn"), (["trian"], "train")]
)
def test_a_mistyped_command_is_answered_with_the_nearest(
    invoke: Invoke, typed: list[str], meant: str
) -> None:
    done = invoke(*typed)
    assert done.exit_code == 2
    assert f"named '{typed[-1]}': did you mean '{meant}'?" in done.stderr


@pytest.mark.parametrize("group", ["", *GROUPS])
def test_nothing_asked_is_help_and_exit_2(invoke: Invoke, group: str) -> None:
    bare, short = invoke(*group.split()), invoke(*group.split(), "-h")
    assert (bare.exit_code, short.exit_code) == (2, 0)
    assert _words(short.stdout) in _words(bare.stdout + bare.stderr)


def test_a_training_and_its_page_load_no_transformer_lens() -> None:
    code = "import sys, mitool.actions.training; sys.exit('transformer_lens' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
