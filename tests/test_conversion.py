"""Other libraries' weights become models that compute the same, bit for bit."""

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from safetensors import safe_open
from transformer_lens.config import TransformerBridgeConfig
from transformer_lens.model_bridge.sources import boot_native

from mitool.core.errors import InputError, UsageError
from mitool.models.subject import load
from mitool.models.transformer import ToyTransformer
from mitool.settings import ConversionSettings
from mitool.storage import checkpoint
from mitool.tasks.majority import Majority
from mitool.tasks.min import Min
from mitool.tasks.modadd import ModAdd
from mitool.tasks.sort import Sort
from mitool.training.conversion import ConversionResult, convert, convert_to_bridge
from tests.conversions import SAVERS, TASK, State, bridge, hooked, model_of, notebook
from tests.models.toys import all_pairs

PEERS = Path(__file__).parents[2] / "shared/data/peers"
peers = pytest.mark.skipif(not PEERS.exists(), reason="the peers' models are not here")

FACTORS: dict[str, tuple[Any, ...]] = {
    "n_layers": (1, 2),
    "n_heads": (1, 2, 4),
    "d_model": (8, 12),
    "d_head": (2, 8),
    "d_mlp": (8, 12),
    "act_fn": ("relu", "gelu", "solu"),
    "attn_only": (False, True),
    "normalization_type": ("none", "LN", "LNPre", "RMS", "RMSPre"),
    "biases": ("none", "mlp", "all"),
    "positional": ("learned", "zero"),
    "attention_dir": ("causal", "bidirectional"),
    "file": tuple(SAVERS),
}
PLAIN: dict[str, tuple[Any, ...]] = {
    "attn_only": (False,),
    "normalization_type": ("none",),
    "biases": ("none", "mlp"),
}
CASES = [(hooked, case) for case in all_pairs(FACTORS)]
CASES += [(bridge, case) for case in all_pairs(FACTORS)]
CASES += [(notebook, case) for case in all_pairs(FACTORS | PLAIN)]


@pytest.mark.parametrize(
    ("write", "case"), CASES, ids=lambda x: getattr(x, "__name__", None) or x["file"]
)
def test_a_converted_model_computes_the_same_to_the_bit(
    tmp_path: Path, write: Callable[[ToyTransformer], State], case: dict[str, object]
) -> None:
    case = dict(case)
    path = tmp_path / str(case.pop("file"))
    model = model_of(**case)
    SAVERS[path.name](write(model), path)
    unseen = ("act_fn", "attention_dir", "normalization_type", "n_heads")
    stated = ConversionSettings(**{name: case[name] for name in unseen})
    result = convert(path, TASK, stated, threads=1)
    biases = "none" if case["attn_only"] and case["biases"] == "mlp" else case["biases"]
    assert result.model.cfg == replace(model.cfg, biases=biases)
    tokens = TASK.examples().tokens
    assert torch.equal(result.model.logits(tokens), model.logits(tokens))
    out = tmp_path / "out.safetensors"
    result.save(out)
    assert torch.equal(load(out).model.logits(tokens), model.logits(tokens))


def test_square_matrices_do_not_mislead_the_reader(tmp_path: Path) -> None:
    """One head of the stream's width, as many neurons and tokens: only W_O's axes tell."""
    model = model_of(n_heads=1, d_model=6, d_head=6, d_mlp=6)
    for write in (hooked, notebook):
        torch.save(write(model), tmp_path / "x.pt")
        result = convert(tmp_path / "x.pt", TASK, threads=1)
        tokens = TASK.examples().tokens
        assert torch.equal(result.model.logits(tokens), model.logits(tokens))


def test_a_checkpoint_to_a_bridge_and_back_keeps_every_bit(tmp_path: Path) -> None:
    for norm, biases in (("none", "none"), ("LN", "all"), ("RMSPre", "mlp"), ("none", "mlp")):
        torch.save(hooked(model_of(normalization_type=norm, biases=biases)), tmp_path / "x.pt")
        stated = ConversionSettings(normalization_type=norm, act_fn="gelu")
        first = convert(tmp_path / "x.pt", TASK, stated, threads=1)
        first.save(tmp_path / "first.safetensors")
        there = convert_to_bridge(load(tmp_path / "first.safetensors"), threads=1)
        assert there.claims["max_logit_difference"] == pytest.approx(0, abs=1e-6)
        there.save(tmp_path / "bridge.safetensors")
        again = convert(tmp_path / "bridge.safetensors", TASK, threads=1)
        assert again.model.cfg == first.model.cfg
        assert ["right on" in warning for warning in again.warnings] == [True]  # random weights
        for name, weight in first.tensors.items():
            assert torch.equal(again.tensors[name], weight), name


def test_transformer_lens_alone_opens_the_bridge_file(tmp_path: Path) -> None:
    model = model_of(normalization_type="LN", biases="all", n_layers=2)
    torch.save(hooked(model), tmp_path / "x.pt")
    convert(tmp_path / "x.pt", TASK, threads=1).save(tmp_path / "x.safetensors")
    path = tmp_path / "bridge.safetensors"
    convert_to_bridge(load(tmp_path / "x.safetensors"), threads=1).save(path)
    with safe_open(path, framework="pt") as file:
        record = json.loads(file.metadata()["mitool"])
    found = boot_native(TransformerBridgeConfig(**record["model"]["bridge"]))
    found.load_state_dict(safetensors.torch.load_file(path))
    tokens = TASK.examples().tokens
    torch.testing.assert_close(found(tokens), model.logits(tokens), atol=1e-5, rtol=0)


@pytest.mark.parametrize("seed", [0, 1, 598])
def test_the_python_split_is_random_shuffle(tmp_path: Path, seed: int) -> None:
    pairs = [(a, b) for a in range(5) for b in range(5)]
    random.seed(seed)
    random.shuffle(pairs)
    torch.save(hooked(model_of()), tmp_path / "x.pt")
    settings = ConversionSettings(split="python", split_seed=seed)
    result = convert(tmp_path / "x.pt", TASK, settings, threads=1)
    result.save(tmp_path / "x.safetensors")
    subject = load(tmp_path / "x.safetensors")
    train = subject.training_examples()
    assert train is not None
    assert TASK.examples().tokens[train, :2].tolist() == [list(p) for p in pairs[: int(0.3 * 25)]]
    assert subject.metadata.split == {"method": "python", "frac_train": 0.3, "seed": seed}


def test_the_claims_are_those_of_the_split(tmp_path: Path) -> None:
    model = model_of()
    torch.save(hooked(model), tmp_path / "x.pt")
    result = convert(tmp_path / "x.pt", TASK, ConversionSettings(split_seed=4), threads=1)
    examples = TASK.examples()
    order = torch.randperm(25, generator=torch.Generator().manual_seed(4))
    logits, targets = model.logits(examples.tokens)[:, -1].double(), examples.targets[:, 0]
    losses = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
    right = (logits.argmax(dim=-1) == targets).double()
    for part, chosen in (("train", order[:7]), ("test", order[7:])):
        assert result.claims[f"{part}_loss"] == pytest.approx(losses[chosen].mean().item())
        assert result.claims[f"{part}_accuracy"] == pytest.approx(right[chosen].mean().item())


def test_what_the_task_lacks_is_dropped_and_said(tmp_path: Path) -> None:
    model = model_of(biases="all")
    state = hooked(model)
    state["unembed.W_U"] = torch.cat([state["unembed.W_U"], torch.full((8, 1), 9.0)], dim=1)
    state["unembed.b_U"] = torch.cat([state["unembed.b_U"], torch.ones(1)])
    state["pos_embed.W_pos"] = torch.cat([state["pos_embed.W_pos"], torch.ones(4, 8)])
    torch.save(state, tmp_path / "x.pt")
    result = convert(tmp_path / "x.pt", TASK, threads=1)
    tokens = TASK.examples().tokens
    assert torch.equal(result.model.logits(tokens), model.logits(tokens))
    assert "dropped: 1 of 6 outputs ('=')" in result.warnings[0]
    assert "dropped: the last 4 of 7 positions" in result.warnings[1]


def test_absent_biases_and_positions_are_zero(tmp_path: Path) -> None:
    model = model_of(positional="zero")
    state = hooked(model)
    left = {k: v for k, v in state.items() if ".b_" not in k and k != "pos_embed.W_pos"}
    torch.save(left, tmp_path / "x.pt")
    result = convert(tmp_path / "x.pt", TASK, threads=1)
    assert result.model.cfg == model.cfg
    for name, weight in model.state_dict().items():
        assert torch.equal(result.tensors[name], weight), name


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_formats_are_kept_or_widened(tmp_path: Path, dtype: torch.dtype) -> None:
    state = {k: v if "attn.m" in k else v.to(dtype) for k, v in hooked(model_of()).items()}
    torch.save(state, tmp_path / "x.pt")
    result = convert(tmp_path / "x.pt", TASK, threads=1)
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    for name, weight in result.tensors.items():
        assert weight.dtype == wide
        assert torch.equal(weight, state[name].to(wide))


def test_tied_weights_are_read(tmp_path: Path) -> None:
    state = hooked(model_of())
    state["blocks.0.attn.W_K"] = state["blocks.0.attn.W_Q"]
    torch.save(state, tmp_path / "x.pt")
    result = convert(tmp_path / "x.pt", TASK, threads=1)
    result.save(tmp_path / "out.safetensors")
    again = load(tmp_path / "out.safetensors").model.state_dict()
    assert torch.equal(again["blocks.0.attn.W_K"], state["blocks.0.attn.W_Q"])


def test_what_the_file_says_of_its_model_is_heeded(tmp_path: Path) -> None:
    model = model_of(act_fn="gelu", normalization_type="LNPre", n_heads=4)
    config = {"act_fn": "gelu", "normalization_type": "LNPre", "n_heads": 4, "d_head": 4}
    torch.save({"model": bridge(model), "cfg": config}, tmp_path / "x.pt")
    result = convert(tmp_path / "x.pt", TASK, threads=1)
    assert result.model.cfg == model.cfg
    with pytest.raises(InputError, match="act_fn: stated as relu, but .* says gelu"):
        convert(tmp_path / "x.pt", TASK, ConversionSettings(act_fn="relu"), threads=1)


def test_heads_taken_for_granted_and_losses_that_differ_are_said(tmp_path: Path) -> None:
    torch.save({"model": bridge(model_of(n_heads=4)), "test_losses": [0.5]}, tmp_path / "x.pt")
    warnings = convert(tmp_path / "x.pt", TASK, threads=1).warnings
    assert "taken to be 4, the task's preset" in warnings[0]
    assert "the last in the file's own record is 0.5" in warnings[1]


def test_settings_that_do_not_go_with_the_task_are_refused(tmp_path: Path) -> None:
    torch.save(hooked(model_of()), tmp_path / "x.pt")
    with pytest.raises(UsageError, match="--eval-size: task modadd lists its examples"):
        convert(tmp_path / "x.pt", TASK, ConversionSettings(eval_size=10))
    with pytest.raises(UsageError, match="--split-seed: task sort is a stream"):
        convert(tmp_path / "x.pt", Sort(), ConversionSettings(split_seed=1))


def test_a_stream_task_is_tried_on_a_seeded_sample(tmp_path: Path) -> None:
    task = Majority()
    cfg = {"d_vocab": task.d_vocab, "d_vocab_out": task.d_vocab_out, "n_ctx": task.n_ctx}
    state = hooked(model_of())
    state["embed.W_E"] = torch.randn(cfg["d_vocab"], 8)
    state["pos_embed.W_pos"] = torch.randn(cfg["n_ctx"], 8)
    state["unembed.W_U"] = torch.randn(8, cfg["d_vocab_out"])
    state["unembed.b_U"] = torch.zeros(cfg["d_vocab_out"])
    torch.save(state, tmp_path / "x.pt")

    def tried(seed: int) -> ConversionResult:
        return convert(
            tmp_path / "x.pt", task, ConversionSettings(eval_size=64, seed=seed), threads=1
        )

    assert tried(0).claims == tried(0).claims != tried(1).claims
    assert tried(0).claims["train_loss"] is None
    assert any("are undefined" in warning for warning in tried(0).warnings)
    assert tried(0).metadata.split is None


@peers
def test_the_published_min_model() -> None:
    settings = ConversionSettings(split_seed=4)
    result = convert(PEERS / "min_int_model.pt", Min(), settings, threads=1)
    assert result.claims["test_accuracy"] == 0.99825  # published
    assert result.model.cfg.attn_only
    assert result.model.cfg.positional == "zero"
    assert result.warnings == ()


@peers
def test_the_published_sort_model(tmp_path: Path) -> None:
    result = convert(PEERS / "sort_fixed_len_list_model.pt", Sort(), threads=1)
    accuracy = result.claims["test_accuracy"]
    assert isinstance(accuracy, float)
    assert accuracy >= 0.994  # published: 99.57 %
    result.save(tmp_path / "sort.safetensors")
    assert checkpoint.load(tmp_path / "sort.safetensors")[1].task.name == "sort"


@peers
def test_the_published_grokking_run() -> None:
    settings = ConversionSettings(split="python", split_seed=1)
    result = convert(PEERS / "low_precision_mod_addition.pth", ModAdd(), settings, threads=1)
    assert result.claims["layout"] == "grokking-notebook"
    assert result.claims["train_loss"] == pytest.approx(3.045e-4, rel=1e-3)
    assert result.claims["test_loss"] == pytest.approx(3.995e-3, rel=1e-3)
    assert result.claims["test_accuracy"] == pytest.approx(0.9992, abs=5e-5)
    assert "dropped: 1 of 114 outputs ('=')" in result.warnings[0]


def test_a_file_of_torch_is_read_whatever_its_name(tmp_path: Path) -> None:
    model = model_of()
    torch.save(hooked(model), tmp_path / "renamed.safetensors")
    found = convert(tmp_path / "renamed.safetensors", TASK, threads=1).model
    torch.testing.assert_close(found.state_dict(), dict(model.state_dict()))


def test_what_is_no_file_of_torch_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "text.pt").write_text("a text")
    with pytest.raises(InputError, match="found a damaged or other file; restore it, or save"):
        convert(tmp_path / "text.pt", TASK, threads=1)
