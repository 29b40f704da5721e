"""Claims and verdicts: of a model set by hand, and of real ones."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mitool.analysis.attention import analyze_attention, claim_names
from mitool.analysis.attention.answers import answer_operand
from mitool.analysis.attention.circuits import ov_circuit, ov_on_itself
from mitool.analysis.attention.material import material_of
from mitool.analysis.attention.observe import observe
from mitool.analysis.attention.weights import weights_of
from mitool.core.errors import InputError, UsageError
from mitool.models.pretrained import load_pretrained
from mitool.models.subject import open_model
from mitool.models.transformer import ToyTransformer
from mitool.settings import AttentionSettings, ConversionSettings
from mitool.tasks.min import Min
from mitool.training.conversion import convert
from tests.analysis.attention.models import SHARED, config, subject_of, tiny_llama

NEEDS_PEERS = pytest.mark.skipif(not SHARED.exists(), reason="the peers' models are not here")
N = 6


def smallest() -> ToyTransformer:
    """Takes the minimum of two of 0 to 5 by attention: ``=`` scores a key by 60 less 10 times its
    value, and itself by 0, and the head copies what it reads.
    """
    sizes = {"n_heads": 1, "d_model": N + 1, "d_head": N + 1, "d_vocab": N + 1, "d_vocab_out": N}
    model = ToyTransformer(config(n_ctx=3, **sizes)).double()
    weights = {name: torch.zeros_like(value) for name, value in model.state_dict().items()}
    eye = torch.eye(N + 1, dtype=torch.float64)
    weights |= {"embed.W_E": eye, "unembed.W_U": eye[:, :N], "blocks.0.attn.W_K": eye[None]}
    weights |= {"blocks.0.attn.W_V": 5 * eye[None], "blocks.0.attn.W_O": eye[None]}
    scores = torch.tensor([60.0 - 10 * value for value in range(N)] + [0.0])
    weights["blocks.0.attn.W_Q"][0, N] = scores * (N + 1) ** 0.5
    model.load_state_dict(weights)
    return model


def test_answers_without_a_choice_of_operands_are_not_counted() -> None:
    """A head that always looks at the first operand finds the smaller one in half of the pairs of
    different ones.
    """
    task = Min(max_value=N - 1)
    material = material_of(subject_of(smallest(), task), AttentionSettings(), 0)
    seen = observe(material.decoder, weights_of(material.decoder), material.prompts)
    assert answer_operand(material, seen) is None
    first = torch.tensor([1.0, 0.0]).expand(1, 1, N * N, 1, 2)
    found = answer_operand(material, replace(seen, operands=first))
    assert found is not None
    assert found.share.tolist() == [[0.5]]


def test_repeated_tokens_are_no_special_ones(tmp_path: Path) -> None:
    subject = load_pretrained(tiny_llama(tmp_path, n_words=4))
    (prompts,) = material_of(subject, AttentionSettings(), 0).prompts
    assert (prompts.tokens[:, 0] == subject.tokenizer.bos_token_id).all()
    special = set(subject.tokenizer.all_special_ids)
    assert not special & set(prompts.tokens[:, 1:].flatten().tolist())


def test_a_minimum_by_hand() -> None:
    result = analyze_attention(subject_of(smallest(), Min(max_value=N - 1)))
    claims = result.claims
    assert claims["attention_to_answer_operand"] == claims["accuracy"] == 1.0
    assert claims["L0H0.ov_top1"] == 1.0
    assert claims["L0H0.copying_score"] == 1.0
    assert claims["L0H0.qk_rank_correlation"] == pytest.approx(-1)
    # all attention on the smaller operand: 5 to its logit, less the mean 5/6 of all six
    assert claims["L0H0.direct_logit_attribution"] == pytest.approx(5 - 5 / 6, abs=1e-3)
    # unsure between equal operands alone, 6 pairs of 36
    assert claims["L0H0.entropy"] == pytest.approx(torch.tensor(2.0).log().item() / 6, abs=1e-3)
    assert claims["L0H0.verdict"] == (
        "L0H0 attends to the operand that is the answer in 100.00% of answers with a choice and "
        "copies it: OV top-1 1.000; its scores fall with the token's value (rank correlation "
        "-1.0000); it adds +4.17 to the answer's logit by itself, less the mean of all outputs"
    )
    assert result.conclusion == claims["L0H0.verdict"]
    assert set(claim_names(1, 1)) == set(claims)
    assert result.warnings == (
        "induction_score is undefined: no prompt has a token that such a head would look at",
    )
    assert result.study.grid == (N, N)
    assert result.study.key_labels == ("0", "1", "2: =")
    assert result.config["prompts_read"] == N**2


def test_the_prompts_that_are_shown_are_the_hardest_and_some_drawn() -> None:
    model = smallest()
    model.state_dict()["blocks.0.attn.W_Q"][0, N, 3] = -30.0  # a 3 looks larger than all others
    subject = subject_of(model, Min(max_value=N - 1))
    shown = analyze_attention(subject, AttentionSettings(shown=4)).study.shown
    assert [example.title[:4] for example in shown] == ["loss", "loss", "draw", "draw"]
    assert all("3" in example.labels for example in shown[:2])
    again = analyze_attention(subject, AttentionSettings(shown=4)).study.shown
    assert [example.labels for example in shown] == [example.labels for example in again]


def test_a_toy_model_is_asked_by_the_labels_of_its_tokens() -> None:
    subject = subject_of(smallest(), Min(max_value=N - 1))
    result = analyze_attention(subject, texts=["4 2 =", "1 5 ="])
    assert [example.labels for example in result.study.shown] == [("4", "2", "="), ("1", "5", "=")]
    assert result.study.shown[0].pattern[0, 0, 2, 1] > 0.99
    assert result.claims["L0H0.direct_logit_attribution"] is None
    assert "attention_to_answer_operand" not in result.claims
    with pytest.raises(UsageError, match=r"expected its tokens, .* \(0 1 .. 5 =\), found '7'"):
        analyze_attention(subject, texts=["7 2 ="])
    with pytest.raises(UsageError, match="at least two tokens, found '' with 0"):
        analyze_attention(subject, texts=[""])
    with pytest.raises(UsageError, match="at most 3 tokens, .* found '1 2 3 =' with 4"):
        analyze_attention(subject, texts=["1 2 3 ="])


def test_a_pretrained_folder(tmp_path: Path) -> None:
    subject = open_model(str(tiny_llama(tmp_path / "llama")))
    assert subject.encode("w0 w3").tolist() == [0, 3, 6]
    (tmp_path / "pairs.csv").write_text(
        "\ufeffclean,corrupted,correct_idx,incorrect_idx\r\nw0 w3,w1 w3,5,6\r\n"
        "w0 <b>& w3,w0 w1 w3,7,6\r\n"
    )
    result = analyze_attention(subject, pairs=tmp_path / "pairs.csv")
    assert result.subject["n_key_value_heads"] == 2
    assert [name for name in result.claims if name.endswith(".verdict")] == [
        f"L{layer}H{head}.verdict" for layer in range(2) for head in range(4)
    ]
    assert result.study.key_labels[:3] == ("first token", "itself", "-1")
    assert [s.labels for s in result.study.shown] == [
        ("<s>", "w0", "w3"),
        ("<s>", "w0", "<b>&", "w3"),
    ]
    assert result.study.kinds["induction"].n_queries >= 16 * 15  # of random tokens, repeated
    assert result.config["read"] == "clean texts of pairs"
    without = analyze_attention(subject)
    assert without.config["read"] == "random tokens, repeated"
    assert without.claims["L0H0.induction_score"] == result.claims["L0H0.induction_score"]
    assert without.claims["L0H0.direct_logit_attribution"] is None


def test_a_large_vocabulary_is_never_squared(tmp_path: Path) -> None:
    subject = load_pretrained(tiny_llama(tmp_path / "llama", n_words=40_000))
    result = analyze_attention(subject, texts=["w0 w3 w0", "w5 w39999"])
    study = result.study
    assert study.weights.W_E.dtype == torch.float32
    assert study.labels is None
    assert set(study.drawn) == set(subject.encode("w0 w3 w5 w39999").tolist())
    assert not [name for name, x in result.arrays().items() if x.numel() > 40_003 * 8]
    # what is multiplied out of one head is a row for each of 512 tokens
    dense = ov_circuit(study.weights, 1, 2).rows(torch.arange(100)).argmax(dim=-1)
    found = ov_on_itself(study.weights, 1, 2, torch.arange(100))
    assert found.top1 == (dense == torch.arange(100)).double().mean().item()


def test_answers_may_be_text(tmp_path: Path) -> None:
    subject = load_pretrained(tiny_llama(tmp_path / "llama"))
    heading = "clean,corrupted,{}\n"
    tokens, words = tmp_path / "tokens.csv", tmp_path / "words.csv"
    tokens.write_text(heading.format("correct_idx,incorrect_idx") + "w0 w1,w1 w0,5,7\n")
    words.write_text(heading.format("correct,incorrect") + "w0 w1,w1 w0, w2, w4\n")
    found, expected = (analyze_attention(subject, pairs=path).claims for path in (words, tokens))
    assert found == expected
    assert found["L1H0.direct_logit_attribution"] is not None
    sets = tmp_path / "sets.json"  # of which the first of each is read
    sets.write_text(
        '{"prompts": [{"clean": "w0 w1", "corrupt": "w1", "answers": [" w2", " w5"], '
        '"wrong_answers": [" w4"]}]}'
    )
    assert analyze_attention(subject, pairs=sets).claims == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a;b\n1;2\n", "apart by commas, with the columns clean and corrupted; found 'a;b'"),
        ("clean,corrupted\n,w0\n", "line 2: expected a clean and a corrupted text"),
        ("clean,corrupted\nw0,\n", "line 2: expected a clean and a corrupted text"),
        ("clean,corrupted,correct_idx,incorrect_idx\nw0,w1,3,\n", "line 2: .* both answers or n"),
        ("clean,corrupted\n", "at least one pair"),
        ("clean,corrupted\nw0\n", "line 2: expected as many fields"),
        (
            "clean,corrupted,correct_idx,incorrect_idx\nw0,w1,x,3\n",
            "line 2: expected the number of a token",
        ),
        ("clean,corrupted,correct,incorrect\nw0,w1, w2 w3, w4\n", "line 2: .* one token after .*"),
        (
            "clean,corrupted,correct_idx,incorrect_idx\nw0,w1,99,3\n",
            "among the model's outputs, 0 to 31, found 99",
        ),
    ],
)
def test_a_damaged_file_of_pairs_is_refused(tmp_path: Path, text: str, message: str) -> None:
    subject = load_pretrained(tiny_llama(tmp_path / "llama"))
    (tmp_path / "pairs.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        analyze_attention(subject, pairs=tmp_path / "pairs.csv")


@NEEDS_PEERS
def test_the_published_minimum() -> None:
    peer = SHARED / "peers/min_int_model.pt"
    model = convert(peer, Min(), ConversionSettings(split_seed=4)).model
    claims = analyze_attention(subject_of(model, Min())).claims
    assert claims["L0H0.ov_top1"] == 0.995
    assert claims["L0H0.qk_rank_correlation"] == pytest.approx(-0.99999, abs=5e-6)
    share = claims["attention_to_answer_operand"]
    assert isinstance(share, float)
    assert share >= 0.9995


@NEEDS_PEERS
def test_a_real_language_model() -> None:
    subject = open_model(str(SHARED / "stories260k"))
    result = analyze_attention(subject, pairs=SHARED / "pronoun_pairs.csv")
    measures = ("copying_score", "previous_token_score", "induction_score", "entropy")
    for layer in range(5):
        for head in range(8):
            for measure in measures:
                value = result.claims[f"L{layer}H{head}.{measure}"]
                assert isinstance(value, float)
    assert result.config["prompts_read"] == 160
    # the head that moves the pronoun's gender to the answer
    assert result.study.observation.attribution is not None
    assert result.study.observation.attribution.heads.argmax().item() == 4 * 8 + 2
    assert result.claims["L4H2.direct_logit_attribution"] == pytest.approx(3.34, abs=0.05)


def test_a_model_of_few_positions_cannot_be_told_by_what_repeats(tmp_path: Path) -> None:
    subject = load_pretrained(tiny_llama(tmp_path / "llama"))
    subject.model.config.max_position_embeddings = 4  # one of them for <s>
    with pytest.raises(InputError, match="at least 5 tokens, .* found one that reads 4"):
        analyze_attention(subject)
    subject = load_pretrained(tmp_path / "llama")
    subject.model.config.max_position_embeddings = 5
    assert analyze_attention(subject).claims["n_heads"] == 4
