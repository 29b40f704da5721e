"""Labels of tokens, and columns of files of pairs."""

import html
import json
from pathlib import Path

import pytest

from tests.shared_cases.truth import (
    HEADING,
    Run,
    differences,
    document,
    encoded,
    loaded,
    mean,
    rows_of,
    whole_llama,
)


def test_tokens_are_shown_as_text_and_not_as_the_letters_that_stand_for_bytes(run: Run) -> None:
    model, tokenizer = loaded("labels-utf8/qwen_zh")
    rows = rows_of("labels-utf8/pairs_zh.csv")
    shown = [str(tokenizer.decode([token])) for token in encoded(tokenizer, rows[0]["clean"])[0]]
    assert shown == ["女孩", "很", "高兴"]
    done = document(run("analyze attn", "labels-utf8/qwen_zh", "pairs_zh.csv"))
    page = Path("out/report.html").read_text(encoding="utf-8")
    for token in shown:
        assert token in page or json.dumps(token)[1:-1] in page
    for letters in ("å¥³åŃ©", "å¾Ī"):
        assert letters not in page
        assert json.dumps(letters)[1:-1] not in page
    assert "å¥³" not in json.dumps(done, ensure_ascii=False)
    whole = document(run("patch", "labels-utf8/qwen_zh", "pairs_zh.csv", "-o", "patched"))
    true = mean(differences(model, tokenizer, rows))
    assert whole["claims"]["clean_metric"] == pytest.approx(true, abs=1e-5)


def test_tokens_that_are_part_of_a_character_are_shown_as_bytes(run: Run, tmp_path: Path) -> None:
    _, tokenizer = loaded("labels-utf8/qwen_zh")
    tokens = tokenizer.convert_ids_to_tokens(encoded(tokenizer, "女孩很狗")[0].tolist())
    parts = [len(token) for token in tokens[2:]]  # a letter stands for each byte
    assert len(parts) > 1
    assert sum(parts) == len("狗".encode())
    pairs = tmp_path / "parts.csv"
    pairs.write_text(f"{HEADING}女孩很狗,男孩很狗,她,他\n", encoding="utf-8")
    run("analyze attn", "labels-utf8/qwen_zh", str(pairs))
    page = Path("out/report.html").read_text(encoding="utf-8")
    data = html.unescape(page).replace("\\u003c", "<").replace("\\u003e", ">")
    start = 0
    for length in parts:
        label = "".join(f"<{byte:02X}>" for byte in "狗".encode()[start : start + length])
        assert label in data
        start += length


def test_answers_without_their_leading_space_are_a_warning(run: Run) -> None:
    model, tokenizer = loaded("pair-columns/llama")
    rows = rows_of("pair-columns/stripped.csv")
    as_given = mean(differences(model, tokenizer, rows))
    done = document(run("patch", "pair-columns/llama", "stripped.csv"))
    assert done["claims"]["clean_metric"] == pytest.approx(as_given, abs=1e-5)
    assert as_given != pytest.approx(whole_llama(), abs=0.1)
    (warning,) = [text for text in done["warnings"] if "space" in text]
    assert "She" in warning
    assert "▁She" in warning or "' She'" in warning


def test_a_file_s_own_columns_of_answers_decide_over_a_column_of_labels(run: Run) -> None:
    model, tokenizer = loaded("pair-columns/llama")
    true = mean(differences(model, tokenizer, rows_of("pair-columns/answer_idx_and_label.csv")))
    done = document(run("patch", "pair-columns/llama", "answer_idx_and_label.csv"))
    assert done["claims"]["clean_metric"] == pytest.approx(true, abs=1e-5)
    as_text = rows_of("missing-weights/pairs.csv")[:2]
    assert true == pytest.approx(mean(differences(model, tokenizer, as_text)), abs=1e-12)
