"""Architectures that were read wrong, or not at all."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.huggingface.hooked import direct_attribution, one_token_scores
from tests.shared_cases.truth import (
    CASES,
    SIDES,
    Run,
    answers,
    differences,
    document,
    effects_of_z,
    encoded,
    loaded,
    mean,
    rows_of,
)


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
