"""The toy transformer: its start, its short cuts, and its values by hand and by the textbook."""

import math
from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.func import functional_call

from mitool.models.inputs import prepare
from mitool.models.layers import Attention
from mitool.models.transformer import ToyTransformer, TransformerConfig
from mitool.settings import ModelSettings, Normalization
from mitool.tasks.modadd import ModAdd
from tests.models import textbook
from tests.models.toys import GRID, label, random_model, random_tokens

every_model = pytest.mark.parametrize("cfg", GRID, ids=map(label, GRID))

WIDE = TransformerConfig(
    n_layers=2,
    n_heads=4,
    d_model=64,
    d_head=16,
    d_mlp=256,
    d_vocab=50,
    d_vocab_out=49,
    n_ctx=40,
    normalization_type="LN",
    biases="all",
)


@pytest.fixture(params=[False, True], ids=["products", "mixture"])
def _either_path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Attention's two ways through the first block, whichever would pay."""
    monkeypatch.setattr(Attention, "_mixing_pays", lambda *_: request.param)


def test_the_shape_follows_from_the_task() -> None:
    cfg = TransformerConfig.for_task(ModelSettings(d_model=24, n_heads=3), ModAdd(p=11))
    assert (cfg.d_head, cfg.d_mlp, cfg.d_vocab, cfg.d_vocab_out, cfg.n_ctx) == (8, 96, 12, 11, 3)
    assert cfg.initial_std == pytest.approx(0.8 / math.sqrt(24), rel=1e-15)


def test_a_given_width_is_kept() -> None:
    settings = ModelSettings(d_model=10, n_heads=3, d_head=5, d_mlp=7)
    cfg = TransformerConfig.for_task(settings, ModAdd(p=11))
    assert (cfg.d_head, cfg.d_mlp) == (5, 7)


def test_a_width_that_heads_do_not_divide_is_refused() -> None:
    with pytest.raises(ValueError, match="multiple of n_heads = 3, found 10"):
        ModelSettings(d_model=10, n_heads=3)


@pytest.mark.parametrize("init_scale", [0.8, 2.0])
def test_every_matrix_starts_at_the_same_deviation(init_scale: float) -> None:
    """W_O and W_out as well. Of n draws, the deviation's own is sigma / sqrt(2 n) and the
    mean's sigma / sqrt(n): the bounds are five of each.
    """
    cfg = replace(WIDE, init_scale=init_scale)
    model = ToyTransformer(cfg).initialise(torch.Generator().manual_seed(0))
    sigma, matrices = init_scale / math.sqrt(64), 0
    for name, weight in model.named_parameters():
        if ".W_" in name:
            matrices += 1
            bound = 5 * sigma / math.sqrt(weight.numel())
            assert weight.std().item() == pytest.approx(sigma, abs=bound / math.sqrt(2)), name
            assert weight.mean().item() == pytest.approx(0, abs=bound), name
        else:
            assert weight.eq(1 if name.endswith(".w") else 0).all(), name
    assert matrices == 3 + 2 * 6


def test_weights_follow_from_the_seed_alone() -> None:
    first, again, other = (
        ToyTransformer(WIDE).initialise(torch.Generator().manual_seed(seed)) for seed in (3, 3, 4)
    )
    double = ToyTransformer(WIDE).double().initialise(torch.Generator().manual_seed(3))
    for name, weight in first.named_parameters():
        assert torch.equal(weight, again.get_parameter(name))
        assert torch.equal(weight.double(), double.get_parameter(name))
        assert (".W_" in name) != torch.equal(weight, other.get_parameter(name))


@every_model
def test_frozen_weights_are_0_and_not_computed_with(cfg: TransformerConfig) -> None:
    model, tokens = random_model(cfg), random_tokens(cfg)
    logits, frozen = model.logits(tokens), []
    for name, weight in model.named_parameters():
        assert weight.requires_grad != model.is_frozen(name)
        if model.is_frozen(name):
            frozen.append(name)
            assert not weight.any()
            weight.fill_(math.nan)
    assert torch.equal(model.logits(tokens), logits)
    kinds = {name.rpartition(".")[2] for name in frozen}
    assert ("W_pos" in kinds) == (cfg.positional == "zero")
    assert ("b_in" in kinds) == (cfg.biases == "none" and not cfg.attn_only)
    assert ({"b_Q", "b_K", "b_V", "b_O", "b_U"} <= kinds) == (cfg.biases != "all")


@every_model
@pytest.mark.usefixtures("_either_path")
def test_logits_are_the_textbook_s(cfg: TransformerConfig) -> None:
    model, tokens = random_model(cfg), random_tokens(cfg)
    expected = textbook.run(model, tokens)["unembed.hook_out"]
    torch.testing.assert_close(model.logits(tokens), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shared", [False, True], ids=["any last token", "one last token"])
@pytest.mark.parametrize("last_only", [False, True], ids=["all positions", "last position"])
@every_model
def test_both_ways_through_the_first_block_agree(
    cfg: TransformerConfig, last_only: bool, shared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, tokens = random_model(cfg), random_tokens(cfg)
    if shared:
        tokens[:, -1] = 3
    inputs = prepare(tokens, (cfg.n_ctx - 1,) if last_only else None)
    assert shared == (inputs.shared_row is not None)
    outcomes = []
    for pays in (False, True):
        monkeypatch.setattr(Attention, "_mixing_pays", lambda *_, pays=pays: pays)
        logits = model(inputs)
        outcomes.append({"logits": logits} | gradients(model, logits.square().sum()))
    assert_same(*outcomes, relative=1e-12)


def test_the_published_model_takes_the_mixture() -> None:
    """3 830 training examples save 3 830 (128 - 5 (1 + 4 3)) = 241 290 multiplications a
    column, and the table of 227 rows takes 4 227 32 = 29 056 of them; 400 save 25 200.
    """
    task = ModAdd()
    model = ToyTransformer(TransformerConfig.for_task(task.model, task))
    attn = model.get_submodule("blocks.0.attn")
    assert isinstance(attn, Attention)
    train, _ = task.split(0).indices(113**2)
    inputs = prepare(task.examples().tokens[train], (2,))
    assert (len(train), inputs.n_rows) == (3830, 227)
    assert attn._mixing_pays(inputs, inputs.queries((2,)))
    few = inputs[torch.arange(400)]
    assert not attn._mixing_pays(few, few.queries((2,)))


@every_model
@pytest.mark.usefixtures("_either_path")
def test_answer_positions_are_places_in_the_full_logits(cfg: TransformerConfig) -> None:
    model, tokens = random_model(cfg), random_tokens(cfg)
    full, last = model.logits(tokens), cfg.n_ctx - 1
    for positions in {(last,), (0,), tuple(range(0, cfg.n_ctx, 2)), tuple(range(last, -1, -1))}:
        logits = model.logits(tokens, positions)
        torch.testing.assert_close(logits, full[:, list(positions)], rtol=1e-12, atol=1e-12)


@every_model
@pytest.mark.usefixtures("_either_path")
def test_a_minibatch_is_as_if_it_were_prepared_alone(cfg: TransformerConfig) -> None:
    model, tokens = random_model(cfg), random_tokens(cfg)
    last, chosen = (cfg.n_ctx - 1,), torch.tensor([7, 2, 2, 0])
    outcomes = []
    for inputs in (prepare(tokens, last)[chosen], prepare(tokens[chosen], last)):
        logits = model(inputs)
        outcomes.append({"logits": logits} | gradients(model, logits.square().sum()))
    assert_same(*outcomes, relative=1e-12)


@pytest.mark.usefixtures("_either_path")
@pytest.mark.parametrize("cfg", [c for c in GRID if c.attention_dir == "causal"], ids=label)
def test_a_causal_model_does_not_look_ahead(cfg: TransformerConfig) -> None:
    model, tokens = random_model(cfg), random_tokens(cfg)
    logits = model.logits(tokens)
    for place in range(cfg.n_ctx):
        changed = tokens.clone()
        changed[:, place] = (changed[:, place] + 1) % cfg.d_vocab
        difference = (model.logits(changed) - logits).abs().amax(dim=(0, 2))
        assert (difference[:place] <= 1e-12).all()
        assert difference[place] > 1e-3


@pytest.mark.parametrize("cfg", [c for c in GRID if c.attention_dir != "causal"], ids=label)
def test_a_bidirectional_model_looks_ahead(cfg: TransformerConfig) -> None:
    model, tokens = random_model(cfg), random_tokens(cfg)
    changed = tokens.clone()
    changed[:, -1] = (changed[:, -1] + 1) % cfg.d_vocab
    difference = (model.logits(changed) - model.logits(tokens)).abs().amax(dim=(0, 2))
    assert (difference > 1e-3).all()


@pytest.mark.usefixtures("_either_path")
def test_logits_worked_out_by_hand() -> None:
    """Tokens [0, 1] in a model of width 2 with one head and an MLP of two neurons.

    Stream before attention, W_E[token] + W_pos[position]:
        x0 = (1, 2) + (0, 0) = (1, 2), x1 = (3, 4) + (1, 0) = (4, 4).
    Query of the last position: 4 / 4 = 1; keys: 2 ln3 / 2 = ln3 and 4 ln3 / 2 = 2 ln3.
    Scores ln3 and 2 ln3, so attention is 3 / (3 + 9) = 1/4 and 3/4; position 0 sees itself.
    Values: 1 + 2 = 3 and 4 + 4 = 8, so z0 = 3 and z1 = 3/4 + 6 = 6.75.
    After attention, x + z (1, -1): (4, -1) and (10.75, -2.75).
    Before the ReLU: (4 - 2, -4 - 1) = (2, -5) and (10.75 - 5.5, -10.75 - 2.75) = (5.25, -13.5).
    After it (2, 0) and (5.25, 0), so the MLP adds (4, 0) and (10.5, 0).
    After the block (8, -1) and (21.25, -2.75); logits (x, 2 y).
    """
    cfg = TransformerConfig(
        n_heads=1, d_model=2, d_head=1, d_mlp=2, d_vocab=2, d_vocab_out=2, n_ctx=2
    )
    model = ToyTransformer(cfg).double()
    weights = {
        "embed.W_E": [[1, 2], [3, 4]],
        "pos_embed.W_pos": [[0, 0], [1, 0]],
        "blocks.0.attn.W_Q": [[[1 / 4], [0]]],
        "blocks.0.attn.W_K": [[[0], [math.log(3) / 2]]],
        "blocks.0.attn.W_V": [[[1], [1]]],
        "blocks.0.attn.W_O": [[[1, -1]]],
        "blocks.0.mlp.W_in": [[1, -1], [2, 1]],
        "blocks.0.mlp.W_out": [[2, 0], [1, 1]],
        "unembed.W_U": [[1, 0], [0, 2]],
    }
    values = {name: torch.tensor(value, dtype=torch.float64) for name, value in weights.items()}
    model.load_state_dict(values, strict=False)
    logits = model.logits(torch.tensor([[0, 1]]))[0]
    expected = torch.tensor([[8, -2], [21.25, -5.5]]).double()
    torch.testing.assert_close(logits, expected, rtol=1e-14, atol=1e-14)


@pytest.mark.usefixtures("_either_path")
@pytest.mark.parametrize(("norm", "shared"), [("none", True), ("LN", False), ("RMSPre", True)])
def test_gradients_are_the_numerical_ones(norm: Normalization, shared: bool) -> None:
    cfg = TransformerConfig(
        n_layers=2,
        n_heads=2,
        d_model=3,
        d_head=2,
        d_mlp=4,
        act_fn="gelu",
        normalization_type=norm,
        biases="all",
        d_vocab=3,
        d_vocab_out=2,
        n_ctx=2,
    )
    model, tokens = random_model(cfg), torch.tensor([[0, 1], [2, 2]])
    if shared:
        tokens[:, -1] = 1
    inputs, names = prepare(tokens), [name for name, _ in model.named_parameters()]

    def logits(*weights: Tensor) -> Tensor:
        return functional_call(model, dict(zip(names, weights, strict=True)), (inputs,))

    assert torch.autograd.gradcheck(logits, tuple(model.parameters()))


def gradients(model: ToyTransformer, loss: Tensor) -> dict[str, Tensor]:
    trained = {name: w for name, w in model.named_parameters() if w.requires_grad}
    grads = torch.autograd.grad(loss, tuple(trained.values()), allow_unused=True)
    return {name: grad for name, grad in zip(trained, grads, strict=True) if grad is not None}


def assert_same(one: Mapping[str, Tensor], other: Mapping[str, Tensor], *, relative: float) -> None:
    """Logits to their own scale, gradients to that of the largest."""
    assert one.keys() == other.keys()
    scales = {name: value.abs().max().item() for name, value in other.items()}
    largest = max(scale for name, scale in scales.items() if name != "logits")
    for name, value in other.items():
        own = scales["logits"] if name == "logits" else largest
        assert (one[name] - value).abs().max() <= relative * own, name
