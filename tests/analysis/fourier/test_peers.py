"""A real modular-addition run in the layout of the original grokking notebook."""

import random
from pathlib import Path

import pytest
import torch
from torch import Tensor

from mitool.analysis.fourier.form import cyclic_form
from mitool.analysis.fourier.interventions import LogitTests
from mitool.analysis.fourier.logits import SumDirections, fit_cosines
from mitool.analysis.fourier.observe import Division, observe, pairs_of
from mitool.models.transformer import ToyTransformer, TransformerConfig
from mitool.settings import FourierSettings
from mitool.tasks.modadd import ModAdd

PEER = Path(__file__).parents[4] / "shared/data/peers/low_precision_mod_addition.pth"
pytestmark = pytest.mark.skipif(not PEER.exists(), reason="the peers' models are not here")


def peer_model(task: ModAdd) -> ToyTransformer:
    """The notebook's weights, which are transposed, without its output for ``=``."""
    held = torch.load(PEER, map_location="cpu", weights_only=True)["model"]
    heads = {f"blocks.0.attn.W_{name}": held[f"blocks.0.attn.W_{name}"].mT for name in "QKV"}
    matrices = ("embed.W_E", "blocks.0.mlp.W_in", "blocks.0.mlp.W_out")
    weights: dict[str, Tensor] = {
        **heads,
        **{name: held[name].T for name in matrices},
        "blocks.0.attn.W_O": held["blocks.0.attn.W_O"].T.unflatten(0, (4, 32)),
        "pos_embed.W_pos": held["pos_embed.W_pos"],
        "blocks.0.mlp.b_in": held["blocks.0.mlp.b_in"],
        "blocks.0.mlp.b_out": held["blocks.0.mlp.b_out"],
        "unembed.W_U": held["unembed.W_U"][:, : task.p],
    }
    cfg = TransformerConfig(
        **{"n_layers": 1, "n_heads": 4, "d_model": 128, "d_head": 32, "d_mlp": 512},
        **{"biases": "mlp", "d_vocab": 114, "d_vocab_out": 113, "n_ctx": 3},
    )
    model = ToyTransformer(cfg)
    missing = model.load_state_dict(weights, strict=False).missing_keys
    assert all(".b_" in name for name in missing)
    return model.double().requires_grad_(False)


def test_the_peers_frequencies_bias_and_losses() -> None:
    task = ModAdd()
    form = cyclic_form(task)
    pairs = list(range(task.p**2))
    random.Random(1).shuffle(pairs)
    train = torch.tensor(pairs[: int(0.3 * len(pairs))])
    asked = pairs_of(task, form, train)
    seen = observe(peer_model(task), asked)
    # 3.045e-4, 3.995e-3 and 99.92 % are what the run's own record says of it
    losses, accuracy = asked.division.means(seen.losses), asked.division.means(seen.is_right)
    assert losses["train"] == pytest.approx(3.045e-4, rel=1e-3)
    assert losses["test"] == pytest.approx(3.995e-3, rel=1e-3)
    assert accuracy["test"] == pytest.approx(0.9992, abs=5e-5)
    directions = SumDirections(form.sums.flatten(), form.order)
    fit = fit_cosines(seen.logits, directions)
    keys = fit.key_frequencies(FourierSettings().threshold)
    assert keys[:3] == [23, 6, 39]
    assert fit.share(keys) == pytest.approx(0.47, abs=0.01)
    assert fit.bias_share == pytest.approx(0.25, abs=0.01)
    tests = LogitTests(seen.logits, directions, Division(None))
    assert tests.only(keys).accuracy["all"] == 1.0
