"""Recordings against the textbook's activations, on models of every kind of part."""

import pytest
import torch

from mitool.models.recording import logits_with_neurons, record
from mitool.models.transformer import TransformerConfig
from tests.models import textbook
from tests.models.toys import GRID, label, random_model, random_tokens


@pytest.mark.parametrize("cfg", GRID, ids=label)
def test_a_recording_holds_the_textbooks_activations(cfg: TransformerConfig) -> None:
    model = random_model(cfg, torch.float64)
    tokens = random_tokens(cfg)
    with torch.no_grad():
        expected = textbook.run(model, tokens)
    position = cfg.n_ctx - 1
    found = record(model, tokens, position)
    torch.testing.assert_close(found.logits, expected["unembed.hook_out"][:, position])
    for layer, pattern in enumerate(found.patterns):
        whole = expected[f"blocks.{layer}.attn.hook_pattern"]
        torch.testing.assert_close(pattern, whole[:, :, position])
    if cfg.attn_only:
        assert found.neurons is None
    else:
        assert found.neurons is not None
        whole = expected[f"blocks.{cfg.n_layers - 1}.mlp.hook_post"]
        torch.testing.assert_close(found.neurons, whole[:, position])


@pytest.mark.parametrize("cfg", [c for c in GRID if not c.attn_only][:8], ids=label)
def test_replaced_neurons_take_the_place_of_the_models_own(cfg: TransformerConfig) -> None:
    model = random_model(cfg, torch.float64)
    tokens = random_tokens(cfg)
    position = cfg.n_ctx - 1
    own = record(model, tokens, position)
    assert own.neurons is not None
    same = logits_with_neurons(model, tokens, position, own.neurons)
    torch.testing.assert_close(same, own.logits)
    written = model.get_parameter(f"blocks.{cfg.n_layers - 1}.mlp.W_out")
    with torch.no_grad():
        written.mul_(3)
        tripled = model.logits(tokens, (position,))[:, 0]
        written.div_(3)
    found = logits_with_neurons(model, tokens, position, 3 * own.neurons)
    torch.testing.assert_close(found, tripled)
