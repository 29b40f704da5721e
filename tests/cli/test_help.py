"""What --help says of every command, group and task."""

import shlex
from typing import Any

import pytest

from mitool.cli.checks import parse_check
from mitool.cli.examples import EXAMPLES, examples_of
from mitool.cli.help_page import TWO_COLUMNS, help_page
from mitool.cli.main import COMMANDS, GROUPS
from mitool.cli.point_commands import read_command
from mitool.cli.settings import settings_of
from mitool.sweeps.grid import parse_grid
from tests.cli.conftest import Invoke
from tests.cli.tree import CONTEXTS, NAMES, is_group, name_of, read

EVERY = pytest.mark.parametrize("context", CONTEXTS, ids=[name or "mitool" for name in NAMES])


def page(context: Any, columns: int = 100) -> list[str]:
    return "\n".join(block.plain for block in help_page(context, columns)).splitlines()


def words(lines: list[str]) -> str:
    return " ".join(" ".join(lines).split())


def test_every_command_group_and_task_is_here() -> None:
    assert {"", *COMMANDS, *GROUPS, "train modadd", "train gate"} <= set(NAMES)
    assert len(NAMES) == len(set(NAMES)) >= 35


@EVERY
def test_a_page_says_what_the_command_does_and_shows_examples(context: Any) -> None:
    usage, blank, line, *_ = page(context)
    assert usage.startswith(f"Usage: {context.command_path}")
    assert blank == ""
    assert line[0].isupper()
    assert context.command.help.partition("\n\n")[0].endswith(".")
    examples = examples_of(name_of(context))
    assert 2 <= len(examples) <= 4
    shown = page(context)
    start = shown.index("Examples:") + 1
    assert shown[start : start + len(examples)] == [f"  {example}" for example in examples]


@EVERY
def test_every_option_has_a_sentence_and_a_default(context: Any) -> None:
    shown = words(page(context))
    for param in context.command.get_params(context):
        assert param.help, param.name
        assert param.help.endswith("."), param.name
        assert "\n" not in param.help, param.name
        told = words([param.help])
        assert told in shown
        rest = shown[shown.index(told) + len(told) :].partition("]")[0]
        is_said = "left out" in told or "default: " in rest or "[required" in rest
        is_switch = getattr(param, "is_flag", False) and not param.secondary_opts
        assert is_said or is_switch, param.name


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_names_are_whole_and_texts_fit_at_every_width(columns: int) -> None:
    for context in CONTEXTS:
        lines = page(context, columns)
        shown = words(lines)
        for param in context.command.get_params(context):
            for name in (*param.opts, *param.secondary_opts):
                assert name in shown.replace(",", " ").split() or not name.startswith("-")
        texts = [line for line in lines if line.startswith(" " * 6)]
        assert all(len(line) <= columns for line in texts)


def test_texts_stand_beside_names_where_there_is_room() -> None:
    (modadd,) = (context for context in CONTEXTS if name_of(context) == "train modadd")
    entry = "  --p INT                   Modulus (2 <= x <= 65536). [default: 113]"
    assert entry in page(modadd, TWO_COLUMNS)
    narrow = page(modadd, TWO_COLUMNS - 1)
    below = narrow[narrow.index("  --p INT") + 1]
    assert below == "      Modulus (2 <= x <= 65536). [default: 113]"


def test_every_example_is_of_its_command_and_can_be_read() -> None:
    assert set(EXAMPLES) <= set(NAMES)
    for name, examples in EXAMPLES.items():
        for example in examples:
            mitool, *typed = shlex.split(example)
            context = read(typed)
            assert mitool == "mitool"
            assert f"{name_of(context)} ".startswith(f"{name} ".lstrip())
            assert not is_group(context)
            callback = context.command.callback
            if hasattr(callback, "settings"):
                settings_of(callback, context.params)
            for check in context.params.get("check") or ():
                parse_check(check)
            if grid := context.params.get("grid"):
                assert read_command(context.params["base"]).points(parse_grid(grid))


def test_a_task_that_is_not_listed_is_shown_the_line_that_trains_it() -> None:
    assert examples_of("train parity") == ("mitool train parity",)


def test_nothing_asked_of_a_group_is_a_page_on_stderr(invoke: Invoke) -> None:
    done = invoke("superpose")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("Usage: mitool superpose EXPERIMENT [OPTIONS]\n")
    assert invoke("superpose", "--").stderr == done.stderr
