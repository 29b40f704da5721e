"""A trained model whose heads are known: induction."""

from dataclasses import replace

import pytest

from mitool.analysis.attention import AttentionResult, analyze_attention
from mitool.core.device import resolve
from mitool.models.subject import load
from mitool.tasks.induction import Induction
from mitool.training import RunConfig, train


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> AttentionResult:
    task = Induction(length=24, max_value=63, subsequence=6)
    training = replace(
        task.training, epochs=300, lr=1e-2, weight_decay=0.01, eval_every=100, eval_size=256
    )
    model = replace(task.model, d_model=64, d_head=32, n_heads=2)
    folder = tmp_path_factory.mktemp("induction") / "run"
    run = train(RunConfig(task, model, training, resolve("cpu", threads=1)), folder)
    accuracy = run.claims["test_accuracy"]
    assert isinstance(accuracy, float)
    assert accuracy > 0.95
    return analyze_attention(load(folder))


def test_verdicts_name_the_previous_token_head_and_the_induction_heads(
    result: AttentionResult,
) -> None:
    first, second = result.verdicts[:2], result.verdicts[2:]
    assert any("is a previous-token head" in line for line in first)
    assert not any("induction" in line for line in first)
    assert all("is an induction head" in line and "copies it" in line for line in second)
    assert result.conclusion in second


def test_induction_heads_read_the_previous_token_heads_by_their_keys(
    result: AttentionResult,
) -> None:
    scores = result.study.kinds["previous_token"].scores[0]
    previous = int(scores.argmax())
    composed = result.study.composition
    assert composed is not None
    for induction in (2, 3):
        others = (composed.q[previous, induction], composed.v[previous, induction])
        assert composed.k[previous, induction] > 2 * max(others)
    assert result.warnings == (
        "qk_rank_correlation is undefined: no answer is read at a token that is the same in all "
        "prompts",
    )
