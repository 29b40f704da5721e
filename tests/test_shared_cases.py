"""Small inputs on which version 0.1 was wrong, through the command line.

True values are given twice: as they were recorded with the inputs, and as the model's own modules
give them here in float64, with hooks.
"""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from typer.testing import CliRunner, Result

from mitool.cli.main import app
from tests.huggingface.hooked import (
    activations,
    direct_attribution,
    logits_of,
    one_token_scores,
    patched_logits,
)

CASES = Path(__file__).parents[2] / "shared/data/cases"

pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="the shared data are not there")

Rows = list[dict[str, str]]
Run = Callable[..., Result]
WHOLE = 0.3633
"""The metric of the Llama of several cases on the pairs, as recorded."""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A study of a case's folder and its pairs, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def command(study: str, folder: str, pairs: str = "pairs.csv", *options: str) -> Result:
        case = folder.split("/")[0]
        places = (str(CASES / folder), "--pairs", str(CASES / case / pairs))
        quick = ("--resamples", "100", "--site", "z") if study == "patch" else ()
        words = (*study.split(), *places, *quick, "--json", "--format", "html", "-o", "out")
        return CliRunner().invoke(app, [*words, *options], catch_exceptions=False)

    return command


def document(done: Result) -> dict[str, Any]:
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def loaded(folder: str) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A case's model as transformers reads it, in float64, and its tokenizer."""
    config = AutoConfig.from_pretrained(CASES / folder, attn_implementation="eager")
    config.return_dict = True
    model = AutoModelForCausalLM.from_pretrained(
        CASES / folder, config=config, dtype=torch.float32, attn_implementation="eager"
    )
    model.set_experts_implementation("eager")
    model.double().eval().requires_grad_(False)
    return model, AutoTokenizer.from_pretrained(CASES / folder)


def rows_of(path: str) -> Rows:
    with (CASES / path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def encoded(tokenizer: PreTrainedTokenizerBase, text: str) -> Tensor:
    return torch.tensor([tokenizer(text)["input_ids"]])


def answers(tokenizer: PreTrainedTokenizerBase, row: dict[str, str]) -> list[int]:
    """The right and the wrong token of a row."""
    found = [
        tokenizer(row[name], add_special_tokens=False)["input_ids"]
        for name in ("correct", "incorrect")
    ]
    assert all(len(tokens) == 1 for tokens in found)
    return [tokens[0] for tokens in found]


def differences(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, rows: Rows, side: str = "clean"
) -> list[float]:
    """logit(correct) - logit(incorrect) after each text."""
    found = []
    for row in rows:
        right, wrong = answers(tokenizer, row)
        last = logits_of(model, encoded(tokenizer, row[side]))[0, -1]
        found.append((last[right] - last[wrong]).item())
    return found


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def whole_llama() -> float:
    """The metric of the Llama whose weights the cases have in several states."""
    model, tokenizer = loaded("pair-columns/llama")
    return mean(differences(model, tokenizer, rows_of("missing-weights/pairs.csv")))


def test_prefixes_of_wrappers_are_taken_off_weights(run: Run) -> None:
    done = document(run("patch", "missing-weights/miss_ddp"))
    assert done["claims"]["clean_metric"] == pytest.approx(WHOLE, abs=1e-4)
    assert done["claims"]["clean_metric"] == pytest.approx(whole_llama(), abs=1e-5)


@pytest.mark.parametrize(
    ("folder", "named"),
    [
        ("miss_head", ["lm_head.weight"]),
        ("miss_layer", ["model.layers.1.self_attn.q_proj.weight", "model.layers.1.mlp"]),
        ("seqcls", ["LlamaForSequenceClassification"]),
    ],
)
def test_no_study_is_of_weights_that_are_not_there(run: Run, folder: str, named: list[str]) -> None:
    done = run("patch", f"missing-weights/{folder}")
    assert done.exit_code == 3
    for name in named:
        assert name in done.stderr


def test_the_weights_that_are_not_there_are_what_the_files_lack() -> None:
    whole = set(load_file(CASES / "pair-columns/llama/model.safetensors"))
    folders = CASES / "missing-weights"
    found = {
        name: set(load_file(folders / name / "model.safetensors"))
        for name in ("miss_head", "miss_layer", "miss_ddp")
    }
    assert whole - found["miss_head"] == {"lm_head.weight"}
    assert len(whole - found["miss_layer"]) == 9
    assert found["miss_ddp"] == {f"module.{name}" for name in whole}


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


def test_answers_are_read_after_the_text_and_not_after_what_the_tokenizer_adds(run: Run) -> None:
    model, tokenizer = loaded("special-tokens/gpt2_berttokenizer")
    found = []
    for row in rows_of("special-tokens/pairs_bert_idx.csv"):
        logits = logits_of(model, encoded(tokenizer, row["clean"]))[0]
        found.append(logits[:, int(row["correct_idx"])] - logits[:, int(row["incorrect_idx"])])
    after_text, after_separator = torch.stack([x[-2:] for x in found]).mean(dim=0).tolist()
    assert after_text == pytest.approx(-1.1192, abs=1e-4)
    assert after_separator == pytest.approx(-1.4153, abs=1e-4)
    done = document(run("patch", "special-tokens/gpt2_berttokenizer", "pairs_bert_idx.csv"))
    assert done["claims"]["clean_metric"] == pytest.approx(after_text, abs=1e-5)


def test_an_answer_that_the_tokenizer_does_not_know_is_refused(run: Run) -> None:
    done = run("patch", "special-tokens/gpt2_berttokenizer")
    assert done.exit_code == 3
    assert "[UNK]" in done.stderr
    assert "She" in done.stderr


@pytest.mark.parametrize("folder", ["Gemma", "Gemma2", "Nemotron", "Olmo2", "Llama_mqa"])
def test_direct_logit_attribution_is_of_the_model_itself(run: Run, folder: str) -> None:
    model, tokenizer = loaded(f"attn-attribution/{folder}")
    rows = rows_of("attn-attribution/pairs.csv")
    shares = [
        direct_attribution(model, encoded(tokenizer, row["clean"]), *answers(tokenizer, row))
        for row in rows
    ]
    true = {name: mean([of[name].item() for of in shares]) for name in shares[0]}
    recorded = {"Gemma": ("a0.h1", -0.680), "Olmo2": ("a0.h2", 0.250)}
    if folder in recorded:
        name, value = recorded[folder]
        assert true[name] == pytest.approx(value, abs=1e-3)
    if folder != "Gemma2":  # whose logits are capped after
        whole = mean(differences(model, tokenizer, rows))
        assert sum(true.values()) == pytest.approx(whole, abs=1e-10)
    claims = document(run("analyze attn", f"attn-attribution/{folder}"))["claims"]
    for layer in range(2):
        for head in range(4):
            found = claims[f"L{layer}H{head}.direct_logit_attribution"]
            assert found == pytest.approx(true[f"a{layer}.h{head}"], abs=1e-4)


def test_norms_of_queries_and_keys_are_part_of_the_qk_circuit(run: Run) -> None:
    rows = {}
    for folder in ("q3_pos", "q3_neg"):
        document(run("analyze attn", f"qk-norm-circuit/{folder}", "pairs.csv", "-o", folder))
        rows[folder] = load_file(f"{folder}/arrays.safetensors")["qk_answer_row"].double()
    assert rows["q3_pos"].abs().max() > 0.1
    torch.testing.assert_close(rows["q3_neg"], -rows["q3_pos"], rtol=0, atol=1e-5)
    model, tokenizer = loaded("qk-norm-circuit/q3_pos")
    full_stop = encoded(tokenizer, "The girl was happy.")[0, -1]
    for layer in range(2):
        true = one_token_scores(model, layer)[:, full_stop]
        torch.testing.assert_close(rows["q3_pos"][layer], true, rtol=0, atol=1e-4)


def test_heads_with_norms_of_queries_and_keys_are_patched_right(run: Run) -> None:
    true = effects_of_z("stablelm-qknorm/StableLm_par", "stablelm-qknorm/pairs.csv", layer=0)
    assert true == pytest.approx([0.652, -0.154, -0.106, 0.604], abs=1e-3)
    claims = document(run("patch", "stablelm-qknorm/StableLm_par"))["claims"]
    found = [claims[f"effects.z.L0H{head}"] for head in range(4)]
    assert found == pytest.approx(true, abs=1e-4)


def effects_of_z(folder: str, pairs: str, layer: int) -> list[float]:
    """For each head, the share of the gap that its clean z restores in the corrupted runs."""
    model, tokenizer = loaded(folder)
    rows = rows_of(pairs)
    clean, corrupted = (mean(differences(model, tokenizer, rows, side)) for side in SIDES)
    patched: list[list[float]] = [[], [], [], []]
    for row in rows:
        right, wrong = answers(tokenizer, row)
        good, bad = (encoded(tokenizer, row[side]) for side in SIDES)
        z = activations(model, good).z[layer]
        for head, found in enumerate(patched):
            last = patched_logits(model, bad, layer, "z", z[:, :, head], head=head)[0, -1]
            found.append((last[right] - last[wrong]).item())
    return [(mean(found) - corrupted) / (clean - corrupted) for found in patched]


SIDES = ("clean", "corrupted")


def test_many_pairs_of_a_model_with_norms_of_queries_and_keys(run: Run, tmp_path: Path) -> None:
    lines = (CASES / "stablelm-qknorm/pairs.csv").read_text().splitlines()
    many = tmp_path / "nine.csv"
    many.write_text("\n".join([lines[0], *lines[1:] * 3]) + "\n")
    claims = document(run("patch", "stablelm-qknorm/StableLm_par", str(many)))["claims"]
    assert claims["n_pairs"] == 9
    assert claims["effects.z.L0H0"] == pytest.approx(0.652, abs=1e-3)


@pytest.mark.parametrize(
    "folder",
    [
        "crash-not-refused/Mixtral",
        "crash-not-refused/Qwen2Moe",
        "crash-not-refused/OPT_post",
        "crash-not-refused/return_dict",
        "window-reason/GPTNeo",
        "window-reason/Mistral_win",
    ],
)
def test_models_of_other_makes_are_patched_right(run: Run, folder: str) -> None:
    pairs = f"{folder.split('/')[0]}/pairs.csv"
    model, tokenizer = loaded(folder)
    clean, corrupted = (mean(differences(model, tokenizer, rows_of(pairs), side)) for side in SIDES)
    claims = document(run("patch", folder))["claims"]
    assert claims["clean_metric"] == pytest.approx(clean, abs=1e-5)
    assert claims["corrupted_metric"] == pytest.approx(corrupted, abs=1e-5)
    # as differences of the metric, since of a small gap the shares are large
    found = [claims[f"effects.z.L1H{head}"] * (clean - corrupted) for head in range(4)]
    true = [share * (clean - corrupted) for share in effects_of_z(folder, pairs, layer=1)]
    assert found == pytest.approx(true, abs=1e-5)


@pytest.mark.parametrize(("folder", "reason"), [("T5", "encoder"), ("Mamba", "recurrent")])
def test_models_that_are_no_decoders_with_attention_are_refused(
    run: Run, folder: str, reason: str
) -> None:
    done = run("patch", f"crash-not-refused/{folder}")
    assert done.exit_code == 3
    assert reason in done.stderr
    assert "Traceback" not in done.stderr


def test_an_infinity_that_no_one_reads_is_a_warning(run: Run) -> None:
    done = document(run("patch", "hf-folder-reasons/inf_config"))
    assert any("Infinity" in warning for warning in done["warnings"])
    assert done["claims"]["clean_metric"] == pytest.approx(WHOLE, abs=1e-4)


def test_a_way_of_computing_attention_that_is_not_installed_is_no_hindrance(run: Run) -> None:
    done = document(run("patch", "hf-folder-reasons/attn_implementation"))
    assert done["claims"]["clean_metric"] == pytest.approx(WHOLE, abs=1e-4)


@pytest.mark.parametrize(
    ("folder", "reason", "remedy"),
    [
        ("lfs_pointer", "Git LFS pointer", "git lfs pull"),
        ("no_tokenizer", "expected a tokenizer", "save"),
        ("peft", "adapter", "merge"),
    ],
)
def test_folders_that_lack_something_are_refused_with_the_true_reason(
    run: Run, folder: str, reason: str, remedy: str
) -> None:
    done = run("patch", f"hf-folder-reasons/{folder}")
    assert done.exit_code == 3
    assert reason in done.stderr
    assert remedy in done.stderr
    assert "ckpt.safetensors" not in done.stderr


def test_tokens_are_shown_as_text_and_not_as_the_letters_that_stand_for_bytes(run: Run) -> None:
    model, tokenizer = loaded("labels-utf8/qwen_zh")
    rows = rows_of("labels-utf8/pairs_zh.csv")
    shown = [tokenizer.decode([token]) for token in encoded(tokenizer, rows[0]["clean"])[0]]
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


def test_tokens_that_are_part_of_a_character_are_shown_as_bytes(run: Run) -> None:
    _, tokenizer = loaded("labels-utf8/qwen_zh")
    (single,) = tokenizer.convert_tokens_to_ids(["å"])
    assert tokenizer.decode([single]) == "\ufffd"
    document(run("analyze attn", "labels-utf8/qwen_zh", "pairs_zh.csv"))
    page = Path("out/report.html").read_text(encoding="utf-8")
    assert "\ufffd" not in page
    assert "\\ufffd" not in page


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
    done = document(run("patch", "pair-columns/llama", "answer_idx_and_label.csv"))
    assert done["claims"]["clean_metric"] == pytest.approx(whole_llama(), abs=1e-5)
    assert done["claims"]["clean_metric"] == pytest.approx(WHOLE, abs=1e-4)


@pytest.mark.parametrize("name", ["ddp", "lightning", "copies_of_W_E"])
def test_state_dicts_under_other_names_are_the_same_model(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ("--task", "modadd", "--p", "5", "--act-fn", "relu")
    for file in ("plain", name):
        words = ["convert", str(CASES / f"state-dicts/{file}.pt"), *options]
        done = CliRunner().invoke(app, [*words, "-o", f"{file}.safetensors"])
        assert done.exit_code == 0, done.stderr
    plain, other = (load_file(f"{file}.safetensors") for file in ("plain", name))
    assert plain.keys() == other.keys()
    assert all(torch.equal(plain[key], other[key]) for key in plain)
    given = torch.load(CASES / "state-dicts/plain.pt", weights_only=True)
    assert torch.equal(other["embed.W_E"], given["embed.W_E"])
