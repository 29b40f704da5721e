"""What texts begin and end with, and where the answer is read."""

import json
from pathlib import Path

import pytest
import torch

from tests.huggingface.hooked import logits_of
from tests.shared_cases.truth import (
    HEADING,
    Run,
    answers,
    differences,
    document,
    encoded,
    loaded,
    mean,
    rows_of,
    whole_llama,
)


@pytest.mark.parametrize("pairs", ["pairs.csv", "pairs_tok.json"])
def test_no_bos_is_put_before_texts_where_the_tokenizer_puts_none(run: Run, pairs: str) -> None:
    model, tokenizer = loaded("bos-forced/gpt2_nobos")
    done = document(run("patch", "bos-forced/gpt2_nobos", pairs))
    own = mean(differences(model, tokenizer, rows_of("bos-forced/pairs.csv")))
    assert own == pytest.approx(-0.1726, abs=1e-4)
    assert done["claims"]["clean_metric"] == pytest.approx(own, abs=1e-5)


def test_a_bos_is_put_before_texts_where_the_option_says_so(run: Run) -> None:
    model, tokenizer = loaded("bos-forced/gpt2_nobos")
    done = document(run("patch", "bos-forced/gpt2_nobos", "pairs.csv", "--bos", "yes"))
    found = []
    for row in rows_of("bos-forced/pairs.csv"):
        right, wrong = answers(tokenizer, row)
        tokens = torch.cat([torch.tensor([[0]]), encoded(tokenizer, row["clean"])], dim=1)
        last = logits_of(model, tokens)[0, -1]
        found.append((last[right] - last[wrong]).item())
    assert mean(found) == pytest.approx(-0.8144, abs=1e-4)
    assert done["claims"]["clean_metric"] == pytest.approx(mean(found), abs=1e-5)


def test_a_bos_twice_is_a_warning(run: Run) -> None:
    model, tokenizer = loaded("bos-forced/llama")
    done = document(run("patch", "bos-forced/llama", "pairs_bos.csv"))
    twice = mean(differences(model, tokenizer, rows_of("bos-forced/pairs_bos.csv")))
    assert twice == pytest.approx(0.557, abs=1e-3)
    assert done["claims"]["clean_metric"] == pytest.approx(twice, abs=1e-5)
    assert any("twice" in warning for warning in done["warnings"])
    once = document(run("patch", "bos-forced/llama", "pairs_bos.csv", "--bos", "no", "-o", "once"))
    assert once["claims"]["clean_metric"] == pytest.approx(whole_llama(), abs=1e-5)
    assert once["claims"]["clean_metric"] == pytest.approx(0.363, abs=1e-3)
    assert not any("twice" in warning for warning in once["warnings"])


def test_what_texts_begin_with_is_said(run: Run) -> None:
    assert "<|endoftext|>" in json.dumps(document(run("patch", "bos-forced/llama"))["config"])


@pytest.mark.parametrize("pairs", ["pairs.csv", "pairs_bert_idx.csv"])
def test_answers_are_read_after_the_text_and_not_after_what_the_tokenizer_adds(
    run: Run, pairs: str
) -> None:
    model, tokenizer = loaded("special-tokens/gpt2_berttokenizer")
    found = []
    for row in rows_of("special-tokens/pairs_bert_idx.csv"):
        right, wrong = answers(tokenizer, row)
        logits = logits_of(model, encoded(tokenizer, row["clean"]))[0, -2:]
        found.append(logits[:, right] - logits[:, wrong])
    after_text, after_separator = torch.stack(found).mean(dim=0).tolist()
    assert after_text == pytest.approx(-1.1192, abs=1e-4)
    assert after_separator == pytest.approx(-1.4153, abs=1e-4)
    done = document(run("patch", "special-tokens/gpt2_berttokenizer", pairs))
    assert done["claims"]["clean_metric"] == pytest.approx(after_text, abs=1e-5)


def test_an_answer_that_the_tokenizer_does_not_know_is_refused(run: Run, tmp_path: Path) -> None:
    unknown = tmp_path / "unknown.csv"
    unknown.write_text(f"{HEADING}The girl was happy.,The boy was happy., Zebra, He\n")
    done = run("patch", "special-tokens/gpt2_berttokenizer", str(unknown))
    assert done.exit_code == 3
    assert "[UNK]" in done.stderr
    assert "Zebra" in done.stderr
