"""The structure that the design promises; the layers are held by import-linter (`make check`)."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "mitool"
MODULES = sorted(PACKAGE.rglob("*.py"))
DEVICES = {"cuda", "mps", "cpu", "cuda:0"}


def test_no_file_is_over_300_lines() -> None:
    folders = ("mitool", "tests", "examples", "benchmarks", "docs")
    files = [path for name in folders for path in (PACKAGE.parent / name).rglob("*.py")]
    lengths = {str(path): len(path.read_text().splitlines()) for path in files}
    assert {name: length for name, length in lengths.items() if length > 300} == {}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_devices_are_named_in_one_place(path: Path) -> None:
    if path.name == "device.py":
        return
    tree = ast.parse(path.read_text())
    words = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not {word for word in words if isinstance(word, str)} & DEVICES
    assert not attributes & {"cuda", "mps"}


def test_public_names_are_listed_and_load() -> None:
    import mitool

    for name in mitool.__all__:
        assert getattr(mitool, name) is not None
