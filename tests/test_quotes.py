"""What other libraries and files say is repeated by ``mitool.core.errors.said`` alone, and cut."""

import ast
import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mitool
from mitool.core import errors
from mitool.core.errors import InputError, MitoolError, plain, quoted, said
from mitool.storage.checkpoint import read_safetensors

OWN = {name for name, held in vars(errors).items() if isinstance(held, type)} | {
    "BrowserError",
    "ValidationError",  # told of by mitool.core.config.describe
}
"""Errors whose words are mitool's, or are told of elsewhere."""

OF_OURS = {"settings/superposition.py", "analysis/superposition/experiments/base.py"}
"""Modules that repeat what mitool's own functions raise as ``ValueError``."""

ROOT = Path(mitool.__file__).parent


def handlers() -> Iterator[tuple[str, ast.ExceptHandler]]:
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ExceptHandler) and node.name is not None:
                yield path.relative_to(ROOT).as_posix(), node


def is_of_others(handler: ast.ExceptHandler) -> bool:
    caught = handler.type
    kinds = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(ast.unparse(kind).rpartition(".")[2] not in OWN for kind in kinds if kind)


def test_no_message_repeats_the_words_of_another_library_whole() -> None:
    faults, seen = [], 0
    for module, handler in handlers():
        if not is_of_others(handler) or module in OF_OURS:
            continue
        seen += 1
        for node in ast.walk(handler):
            if isinstance(node, ast.FormattedValue):
                shown = ast.unparse(node.value)
                if shown in (handler.name, f"str({handler.name})"):
                    faults.append(f"{module}:{node.lineno}")
    assert seen > 50
    assert not faults


@given(st.text(max_size=4000))
def test_what_is_quoted_is_short_and_says_how_long_it_is(text: str) -> None:
    shown = [quoted(text), plain(text), said(ValueError(text))]
    for words in shown:
        assert len(words) < 1200  # of 80, 200 and 400 letters, each up to ten as an escape
        assert "\n" not in words
    for words, most in zip(shown, (errors.MOST_SHOWN, errors.MOST_OF_A_NAME), strict=False):
        if len(text) > most:
            assert words.endswith(f".. ({len(text):,} characters)")


@pytest.mark.parametrize("size", [10, 100_000])
def test_a_header_of_strings_is_refused_in_a_line(tmp_path: Path, size: int) -> None:
    header = ('{"w": "' + "x" * size + '"}').encode()
    path = tmp_path / "m.safetensors"
    path.write_bytes(np.uint64(len(header)).tobytes() + header)
    with pytest.raises(InputError) as refused:
        read_safetensors(path)
    assert isinstance(refused.value, MitoolError)
    assert len(str(refused.value)) < 1000


@given(st.text(max_size=5000))
def test_no_message_is_beyond_all_measure(text: str) -> None:
    error = InputError(text)
    assert len(str(error)) < errors.MOST_OF_A_MESSAGE + 30
    if len(text) <= errors.MOST_OF_A_MESSAGE:
        assert str(error) == text
    else:
        assert str(error).endswith(f".. ({len(text):,} characters)")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
