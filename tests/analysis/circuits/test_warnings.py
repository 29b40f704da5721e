"""What a reader must know of a circuit that says little, or nothing."""

from pathlib import Path

import pytest

from mitool import planted
from mitool.analysis.circuits import CircuitResult, analyze_circuit
from mitool.core.device import exact
from mitool.models.subject import load
from mitool.settings import CircuitSettings


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("xor")
    planted.plant("xor").save(folder)
    return folder


def searched(folder: Path, **settings: object) -> CircuitResult:
    chosen = CircuitSettings(**{"resamples": 100, "random_circuits": 3, **settings})
    return analyze_circuit(load(folder), chosen, pairs=folder / planted.base.PAIRS, device=exact())


@pytest.mark.parametrize("level", ["edge", "node", "neuron"])
def test_an_empty_circuit_says_so_and_how_many_would_leave_one(folder: Path, level: str) -> None:
    empty = searched(folder, edges=1, level=level)
    assert (empty.claims["n_edges"], empty.claims["faithfulness"]) == (0, 0)
    assert empty.conclusion == (
        "the circuit is empty: what was chosen of 110 edges forms no path from the input to the "
        "answer"
    )
    (told,) = (text for text in empty.warnings if "so that the circuit is empty" in text)
    assert told.startswith(f"none of the 1 chosen {level}s lies on a path from the input")
    fewest = int(told.partition("--edges ")[2].rstrip(")"))
    assert searched(folder, edges=fewest - 1, level=level).claims["n_edges"] == 0
    some = searched(folder, edges=fewest, level=level)
    assert some.claims["n_edges"]
    assert not any("is empty" in text for text in some.warnings)


def test_a_threshold_that_nothing_reaches_says_so_too(folder: Path) -> None:
    told = searched(folder, threshold=1e6).warnings
    assert any(text.startswith("none of the 0 chosen edges lies on a path") for text in told)


def test_a_circuit_that_was_looked_for_on_few_pairs_says_so(folder: Path) -> None:
    def told(**settings: object) -> list[str]:
        return [text for text in searched(folder, **settings).warnings if "searched for on" in text]

    assert told(n_pairs=1, edges=5) == [
        "the circuit was searched for on only 1 pair: others may give another circuit"
    ]
    assert "on only 3 pairs: others may" in told(n_pairs=3, edges=5)[0]
    assert told(edges=5) == []
