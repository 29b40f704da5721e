"""The stable names stand in one place; what else says them agrees with it."""

import ast
import inspect
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import mitool
from mitool.api.calls import called, with_keywords

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "python.md").read_text()
ROWS = re.findall(r"^\| `(?:mitool\.)?(\w+)(?:\(([^`]*)\))?` \|", PAGE, flags=re.MULTILINE)
FUNCTIONS = [name for name in mitool.STABLE if name.islower()]
METHODS = ("fourier", "attention", "patch", "circuit")


def test_a_type_checker_sees_the_names_that_load() -> None:
    tree = ast.parse((ROOT / "mitool" / "__init__.py").read_text())
    (block,) = [node for node in tree.body if ast.unparse(node).startswith("if TYPE_CHECKING")]
    seen = {}
    for node in ast.walk(block):
        if isinstance(node, ast.ImportFrom):
            assert node.module is not None
            for alias in node.names:
                assert alias.name == alias.asname
                seen[alias.name] = node.module
    assert seen == mitool.STABLE
    assert set(mitool.__all__) == {"__version__", *mitool.STABLE}


def test_no_name_is_a_modules() -> None:
    modules = {module.name for module in pkgutil.iter_modules(mitool.__path__)}
    assert not modules & mitool.STABLE.keys()


def test_import_is_instant_and_help_loads_no_torch() -> None:
    code = (
        "import sys, mitool\n"
        "assert not {'torch', 'pydantic', 'plotly', 'rich'} & sys.modules.keys()\n"
        "mitool.train, mitool.load, mitool.Model, mitool.superpose, mitool.sweep\n"
        "assert not {'torch', 'plotly', 'transformer_lens'} & sys.modules.keys()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def own_parameters(function: Any) -> list[str]:
    """The parameters of a function as it is written."""
    return [name for name in inspect.signature(function.__wrapped__).parameters if name != "self"]


def test_the_page_lists_every_stable_name() -> None:
    listed = [name for name, _ in ROWS]
    assert len(set(listed)) == len(listed)
    assert {name for name in listed if name in mitool.STABLE} == mitool.STABLE.keys()
    assert {name for name in listed if name not in mitool.STABLE} >= {*METHODS, "save", "study"}


def test_the_page_has_the_parameters_of_every_function() -> None:
    listed = dict(ROWS)
    functions = {name: getattr(mitool, name) for name in FUNCTIONS}
    functions |= {name: getattr(mitool.Model, name) for name in METHODS}
    functions |= {"save": mitool.Analysis.save, "study": mitool.ToyModels.study}
    for name, function in functions.items():
        parameters = [word.strip(" *") for word in listed[name].split(",")]
        assert [p for p in parameters if p] == own_parameters(function), name


@pytest.mark.parametrize("name", METHODS)
def test_help_has_the_fields_of_the_settings(name: str) -> None:
    method: Any = getattr(mitool.Model, name)
    (cls,) = method.settings
    parameters = inspect.signature(method).parameters
    for field in cls.__dataclass_fields__.values():
        assert parameters[field.name].default == field.default
        assert f"    {field.name}: " in method.__doc__
    assert "values" not in parameters


def test_the_signature_of_train_has_presets_in_the_place_of_defaults() -> None:
    shown = str(inspect.signature(mitool.train))
    assert "lr: float = <the task's>" in shown
    assert "n_layers: int = <the task's>" in shown
    assert shown.endswith("**parameters) -> 'Run'")
    assert "lr: Learning rate (0 < x <= 1000)." in str(mitool.train.__doc__)


def test_a_message_names_the_keywords_of_the_call_and_no_others() -> None:
    message = (
        "give --out, --n-pairs, --site or --resume; `--scale small` and x--out are as they are"
    )
    assert with_keywords(message, {"out", "n_pairs", "sites", "resume"}) == (
        "give `out`, `n_pairs`, `sites` or `resume=True`; `--scale small` and x--out are as they "
        "are"
    )


def test_a_call_is_shown_as_it_is_typed() -> None:
    assert called("f", "a'b", Path("x"), p=3, off=False, none=None, on=True) == (
        "f(\"a'b\", 'x', p=3, on=True)"
    )
    assert len(called("f", "x" * 1000)) < 220
