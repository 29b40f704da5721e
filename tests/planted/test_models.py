"""What planted models compute, and what is written of them."""

import math
from pathlib import Path

import pytest
import torch

from mitool.analysis.attention import analyze_attention
from mitool.analysis.fourier import analyze_fourier
from mitool.core.errors import UsageError
from mitool.core.node_names import published
from mitool.models.subject import load
from mitool.pairs.files import read_pairs
from mitool.pairs.prompt_pairs import encode_pairs
from mitool.planted import NAMES, plant, trig
from mitool.planted.stream import GAIN
from mitool.settings import AttentionSettings


@pytest.mark.parametrize("name", NAMES)
def test_the_model_is_right_on_both_inputs_of_every_pair(name: str) -> None:
    model, pairs = plant(name).model, plant(name).pairs
    for tokens, answers in ((pairs.clean, pairs.right), (pairs.corrupted, pairs.wrong)):
        logits = model.logits(tokens, pairs.answer_positions)
        assert torch.equal(logits.argmax(dim=-1), answers[:, 0])
    assert (pairs.right != pairs.wrong).all()


@pytest.mark.parametrize("name", NAMES)
def test_no_two_pairs_share_an_input(name: str) -> None:
    """Of tasks with 64 inputs there are 32 such pairs at most, of trig's 169 there are 84."""
    pairs = plant(name).pairs
    assert torch.cat([pairs.clean, pairs.corrupted]).unique(dim=0).shape[0] == 2 * len(pairs)
    least = {"xor": 30, "and": 25, "decoy": 25, "backup": 25, "trig": 80}.get(name, 96)
    assert least <= len(pairs) <= 96


@pytest.mark.parametrize("name", [name for name in NAMES if name != "induction"])
def test_the_model_is_right_on_its_task(name: str) -> None:
    """Induction apart, some of whose examples have answers that cannot be known."""
    task, model = plant(name).task, plant(name).model
    examples = task.sample(4096, torch.Generator().manual_seed(0))
    if task.n_examples is not None:
        examples = task.examples()
    answers = model.logits(examples.tokens, task.answer_positions).argmax(dim=-1)
    assert torch.equal(answers, examples.targets)


def test_induction_is_right_wherever_the_answer_is_known() -> None:
    """At a token that has stood there once before, and what followed it then."""
    task, model = plant("induction").task, plant("induction").model
    tokens = task.sample(512, torch.Generator().manual_seed(0)).tokens
    is_before = torch.ones(task.n_ctx, task.n_ctx).tril(-1).bool()
    same = (tokens[:, :, None] == tokens[:, None]) & is_before
    row, position = (same.sum(dim=-1) == 1).nonzero().unbind(dim=-1)
    earlier = same[row, position].int().argmax(dim=-1)
    answers = model.logits(tokens)[row, position].argmax(dim=-1)
    assert len(row) > 1000
    assert torch.equal(answers, tokens[row, earlier + 1])


@pytest.mark.parametrize(
    ("name", "right"), [("xor", 0b110), ("and", 0b001), ("backup", 0b111), ("decoy", 0b111)]
)
def test_gates_have_the_logits_of_their_bits(name: str, right: int) -> None:
    """Of 5 and 3, that is 101 and 011: a right bit adds half the gain, a wrong one takes it."""
    logits = plant(name).model.logits(torch.tensor([[5, 3, 8]]), (2,))[0, 0]
    wrong_bits = torch.tensor([(answer ^ right).bit_count() for answer in range(8)])
    torch.testing.assert_close(logits, GAIN * (1.5 - wrong_bits), rtol=0, atol=1e-4)


def test_trig_has_the_logits_of_its_formula() -> None:
    """Sums over both frequencies of |2 cos(w (a - b) / 2)| cos(w (a + b - c)), to a 25th."""
    task = plant("trig").task
    examples = task.examples()
    logits = plant("trig").model.logits(examples.tokens, (2,))[:, 0]
    a, b = (examples.tokens[:, place, None].double() for place in (0, 1))
    c = torch.arange(13)
    w = [2 * math.pi * k / 13 for k in trig.FREQUENCIES.values()]
    each = [2 * (v * (a - b) / 2).cos().abs() * (v * (a + b - c)).cos() for v in w]
    expected = GAIN * sum(each, torch.zeros(169, 13))
    assert (logits - expected).abs().max() < 2 * 2 * GAIN / 25


def test_the_analyses_find_what_was_planted(tmp_path: Path) -> None:
    for name in ("trig", "induction", "min", "copy"):
        plant(name).save(tmp_path / name)
    fourier = analyze_fourier(load(tmp_path / "trig")).claims
    assert sorted(map(int, fourier["key_frequencies_logits"])) == [1, 5]
    assert fourier["formula_agreement"] == 1.0
    few = AttentionSettings(examples=64)
    verdicts = {
        name: analyze_attention(load(tmp_path / name), few).verdicts
        for name in ("induction", "min", "copy")
    }
    said = [
        ("induction", "L0H1 is a previous-token head"),
        ("induction", "L1H2 is an induction head"),
        ("min", "L1H3 attends to the operand that is the answer in 100.00% of answers with a cho"),
        ("copy", "L0H2 is a previous-token head"),
    ]
    for name, words in said:
        assert any(words in line for line in verdicts[name]), (name, words)


@pytest.mark.parametrize("name", NAMES)
def test_weights_are_the_same_on_each_call_and_mixed(name: str) -> None:
    first, again = plant(name).build().state_dict(), plant(name).build().state_dict()
    assert all(torch.equal(weight, again[key]) for key, weight in first.items())
    for key in ("embed.W_E", "unembed.W_U", "blocks.0.attn.W_V"):
        assert (first[key] == 0).double().mean() < 0.01, key


@pytest.mark.parametrize("name", NAMES)
def test_what_is_saved_is_read_again(tmp_path: Path, name: str) -> None:
    model = plant(name)
    checkpoint, pairs, truth = model.save(tmp_path)
    subject = load(tmp_path)
    assert subject.path == checkpoint
    assert subject.task == model.task
    assert subject.metadata.training["planted"]["name"] == name
    assert subject.training_examples() is None
    found = encode_pairs(read_pairs(pairs), subject)
    assert len(found) == 1
    assert found[0].answer_positions == model.pairs.answer_positions
    for part in ("clean", "corrupted", "right", "wrong", "index"):
        assert torch.equal(getattr(found[0], part), getattr(model.pairs, part)), part
    heading, *edges = truth.read_text().splitlines()
    assert heading == f"# {name}: {model.summary}"
    assert tuple(edges) == tuple(map(published, model.truth))


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="no planted model named 'indction': did you mean 'ind"):
        plant("indction")
