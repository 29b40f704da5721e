"""What heads do on prompts, against slow twins and exact decompositions."""

import math
from dataclasses import replace

import pytest
import torch

from mitool.analysis.attention import observe as observing
from mitool.analysis.attention.observe import OFFSETS, observe
from mitool.analysis.attention.scores import KINDS, KindScores, duplicate_token, induction
from mitool.analysis.attention.weights import weights_of
from mitool.analysis.interventions.run import run
from mitool.core.errors import InputError
from mitool.models.bridge import to_bridge
from mitool.models.decoder.toy import toy_decoder
from mitool.models.pretrained.parts import decoder_of
from mitool.pairs.prompts import Prompts, of_texts
from mitool.tasks import NO_ANSWER
from tests.analysis.attention.models import random_model
from tests.huggingface.random_models import random_model as random_huggingface


@pytest.mark.parametrize("norm", ["none", "LN", "RMSPre"])
@pytest.mark.parametrize("has_others", [False, True])
def test_attributions_and_the_direct_path_make_up_the_logits(norm: str, has_others: bool) -> None:
    model = random_model(n_layers=2, normalization_type=norm, positional="learned")
    bridge, decoder = to_bridge(model), toy_decoder(model)
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(9, (20, 6), generator=generator)
    targets = torch.randint(9, (20, 2), generator=generator)
    others = torch.randint(9, (20, 2), generator=generator) if has_others else None
    prompts = Prompts(tokens, (3, 5), targets, others)
    weights = weights_of(decoder)
    attribution = observe(decoder, weights, [prompts]).attribution
    assert attribution is not None
    found = attribution.heads
    logits, cache = bridge.run_with_cache(tokens)
    logits = logits[:, [3, 5]]
    other = logits.mean(dim=-1) if others is None else logits.gather(-1, others[..., None])[..., 0]
    whole = logits.gather(-1, targets[..., None])[..., 0] - other
    scale = cache["ln_final.hook_scale"][:, [3, 5]] if norm != "none" else 1.0
    assert weights.W_pos is not None
    direct = ((weights.W_E[tokens] + weights.W_pos)[:, [3, 5]] / scale) @ weights.W_U
    other = direct.mean(dim=-1) if others is None else direct.gather(-1, others[..., None])[..., 0]
    rest = direct.gather(-1, targets[..., None])[..., 0] - other
    torch.testing.assert_close(found.sum(), (whole - rest).mean())
    torch.testing.assert_close(attribution.total, whole.mean())
    torch.testing.assert_close(attribution.embed, rest.mean())


def test_parts_that_do_not_add_up_are_refused() -> None:
    decoder = toy_decoder(random_model(n_layers=2))
    weights = weights_of(decoder)
    other = replace(weights, W_U=1.01 * weights.W_U)
    prompts = Prompts(torch.tensor([[3, 1, 4, 1, 5]]), (4,), torch.tensor([[2]]))
    observe(decoder, weights, [prompts])
    with pytest.raises(InputError, match="expected parts that add up to the model's logits"):
        observe(decoder, other, [prompts])


def test_a_sink_counts_as_a_key_in_the_entropy() -> None:
    decoder = decoder_of(random_huggingface("gpt_oss", 0).float())
    tokens = torch.randint(40, (3, 4), generator=torch.Generator().manual_seed(0))
    pattern = torch.stack([layer.pattern for layer in run(decoder, tokens, (3,)).layers])
    kept = pattern[:, :, :, 3].double()
    whole = torch.cat([kept, 1 - kept.sum(dim=-1, keepdim=True)], dim=-1)
    assert whole[..., -1].min() > 0.001
    found = observe(decoder, weights_of(decoder), [Prompts(tokens, (3,))]).entropy
    expected = torch.distributions.Categorical(whole).entropy().mean(dim=1)
    torch.testing.assert_close(found, expected)


def test_measures_are_those_of_one_prompt_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    model = random_model(n_layers=2, normalization_type="LN")
    bridge, decoder = to_bridge(model), toy_decoder(model)
    generator = torch.Generator().manual_seed(2)
    tokens = torch.randint(9, (7, 5), generator=generator)
    targets = torch.randint(9, (7, 2), generator=generator)
    targets[0, 0] = targets[3, 1] = NO_ANSWER
    prompts = Prompts(tokens, (2, 4), targets)
    weights = weights_of(decoder)
    monkeypatch.setattr(observing, "CHUNK", 300)  # three passes
    found = observe(decoder, weights, [prompts], operand_positions=(0, 1))
    attention, entropies, losses, n_right = [], [], [], 0
    for row, answers in zip(tokens, targets, strict=True):
        logits, cache = bridge.run_with_cache(row[None])
        seen = torch.stack([cache[f"blocks.{i}.attn.hook_pattern"][0] for i in range(2)])
        attention.append(seen[:, :, [2, 4]])
        entropies.append(-(seen[:, :, [2, 4]] * seen[:, :, [2, 4]].clamp(min=1e-99).log()).sum(-1))
        logprobs = logits[0, [2, 4]].log_softmax(dim=-1)
        known = [-logprobs[i, a] for i, a in enumerate(answers.tolist()) if a != NO_ANSWER]
        losses.append(torch.stack(known).mean())
        n_right += int((logprobs.argmax(dim=-1) == answers).sum())
    stacked = torch.stack(attention)
    torch.testing.assert_close(found.mean_attention, stacked.mean(dim=0))
    torch.testing.assert_close(found.entropy, torch.stack(entropies).mean(dim=(0, 3)))
    torch.testing.assert_close(found.first_token, stacked[..., 0].mean(dim=(0, 3)))
    by_token = torch.zeros(2, 2, 9, dtype=torch.float64)
    for seen, row in zip(stacked, tokens, strict=True):
        for position, token in enumerate(row.tolist()):
            by_token[:, :, token] += seen[..., position].mean(dim=-1) / 7
    torch.testing.assert_close(found.by_token, by_token)
    assert n_right > 0
    assert found.accuracy == n_right / 12  # two of fourteen answers are not known
    assert found.losses is not None
    torch.testing.assert_close(found.losses, torch.stack(losses))
    assert found.operands is not None
    torch.testing.assert_close(
        found.operands.double(), stacked[..., :2].permute(1, 2, 0, 3, 4), atol=1e-6, rtol=1e-5
    )


def test_prompts_of_several_lengths_are_counted_back_from_their_last_token() -> None:
    model = random_model()
    bridge, decoder = to_bridge(model), toy_decoder(model)
    texts = [torch.tensor(t) for t in ([1, 2, 3], [4, 5, 6], [7, 8, 1, 2, 3])]
    groups = of_texts(texts, [(0, 1), (1, 2), (2, 3)])
    assert [len(group) for group in groups] == [2, 1]
    found = observe(decoder, weights_of(decoder), groups).mean_attention
    assert found.shape == (1, 2, 1, 1 + OFFSETS)
    expected = torch.zeros(2, 1 + OFFSETS).double()
    for text in texts:
        _, cache = bridge.run_with_cache(text[None])
        last = cache["blocks.0.attn.hook_pattern"][0, :, -1]
        expected[:, 0] += last[:, 0] / 3
        expected[:, 1 : len(text)] += last[:, 1:].flip(-1) / 3
    torch.testing.assert_close(found[0, :, 0], expected)


def test_the_keys_that_each_kind_looks_at() -> None:
    tokens = torch.tensor([[5, 6, 5, 6, 6]])
    assert duplicate_token(tokens)[0].nonzero().tolist() == [[2, 0], [3, 1], [4, 1], [4, 3]]
    # what followed 5 at 0 is 1; 6 at 1: 2; of 6 at 4 also what followed 3, which is 4 itself
    assert induction(tokens)[0].nonzero().tolist() == [[2, 1], [3, 2], [4, 2]]


def test_kind_scores_worked_out_by_hand() -> None:
    tokens = torch.tensor([[5, 6, 5]])
    pattern = torch.tensor([[1.0, 0.0, 0.0], [0.7, 0.3, 0.0], [0.2, 0.5, 0.3]])
    scores = KindScores(1, 1, causal=True)
    scores.add(tokens, pattern[None, None, None])
    found = scores.result()
    assert found["previous_token"].scores.item() == pytest.approx((0.7 + 0.5) / 2)
    assert found["previous_token"].chance == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert found["current_token"].scores.item() == pytest.approx((0.3 + 0.3) / 2)
    assert found["duplicate_token"].scores.item() == pytest.approx(0.2)
    assert found["induction"].scores.item() == pytest.approx(0.5)
    assert found["induction"].chance == pytest.approx(1 / 3)
    assert found["induction"].n_queries == 1


def test_chance_is_what_permuted_attention_scores() -> None:
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(4, (6, 8), generator=generator)
    scores = torch.randn(1, 6, 1, 8, 8, generator=generator)
    causal = torch.ones(8, 8).tril().bool()
    pattern = scores.masked_fill(~causal, -math.inf).softmax(dim=-1)
    permuted = KindScores(1, 1, causal=True)
    for _ in range(400):
        order = torch.rand(8, 8, generator=generator).masked_fill(~causal, math.inf).argsort(dim=-1)
        permuted.add(tokens, pattern.gather(-1, order.expand_as(pattern)))
    for kind, found in permuted.result().items():
        assert kind in KINDS
        assert found.scores.item() == pytest.approx(found.chance, abs=0.01)


def test_fixed_positions_score_what_patterns_of_other_prompts_do() -> None:
    """Against the mean over all pairs of one prompt's pattern with another's keys."""
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(4, (5, 6), generator=generator)
    scores = torch.randn(1, 5, 2, 6, 6, generator=generator)
    pattern = scores.masked_fill(~torch.ones(6, 6).tril().bool(), -math.inf).softmax(dim=-1)
    kinds = KindScores(1, 2, causal=True)
    kinds.add(tokens[:2], pattern[:, :2])
    kinds.add(tokens[2:], pattern[:, 2:])
    for kind, found in kinds.result().items():
        keys = KINDS[kind](tokens).double()
        crossed = torch.einsum("lehqk,fqk->lh", pattern.double(), keys) / 5
        torch.testing.assert_close(found.by_position, crossed / found.n_queries)


def test_a_head_that_looks_at_fixed_positions_is_told_by_it() -> None:
    """As where a token always stands again at the same place: 'what followed it' is a place."""
    tokens = torch.tensor([[7, 1, 3, 1], [8, 2, 4, 2], [9, 1, 5, 1]])
    pattern = torch.zeros(1, 3, 1, 4, 4)
    pattern[..., 0, 0] = pattern[..., 1, 0] = pattern[..., 2, 0] = pattern[..., 3, 2] = 1.0
    kinds = KindScores(1, 1, causal=True)
    kinds.add(tokens, pattern)
    found = kinds.result()["induction"]
    assert found.scores.item() == found.by_position.item() == 1.0
    assert found.chance == pytest.approx(1 / 4)


def test_a_kind_that_no_prompt_has_is_undefined() -> None:
    scores = KindScores(1, 1, causal=True)
    scores.add(torch.tensor([[1, 2]]), torch.tensor([[1.0, 0.0], [0.5, 0.5]])[None, None, None])
    found = scores.result()["induction"]
    assert (found.n_queries, math.isnan(found.chance)) == (0, True)
    assert found.scores.isnan().all()


def test_outputs_that_are_no_numbers_are_refused() -> None:
    model = random_model()
    model.unembed.W_U.data[0, 0] = math.nan
    decoder = toy_decoder(model)
    with pytest.raises(InputError, match="expected to be finite, found NaN"):
        observe(decoder, weights_of(decoder), [Prompts(torch.tensor([[1, 2]]), (1,))])
