"""State dicts with wrappers, copies, other names and other things come back as they were."""

import random
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mitool.core.errors import InputError, UsageError
from mitool.models.transformer import ToyTransformer
from mitool.settings import ConversionSettings
from mitool.training.conversion import ConversionResult, convert
from tests.conversions import TASK, State, bridge, hooked, model_of, notebook

CASES = Path(__file__).parents[2] / "shared/data/cases/state-dicts"
GROUPS = Path(__file__).parents[2] / "shared/data/peers/groups"
LAYOUTS = {"hooked": hooked, "bridge": bridge, "notebook": notebook}
MODEL = model_of(n_layers=2, biases="mlp")
WHOLE = hooked(MODEL)


def converted(path: Path, held: object, **stated: Any) -> ConversionResult:
    torch.save(held, path / "x.pt")
    return convert(path / "x.pt", TASK, ConversionSettings(**stated), threads=1)


def notes(result: ConversionResult) -> list[str]:
    return [warning for warning in result.warnings if "right on" not in warning]


def is_same(result: ConversionResult, model: ToyTransformer = MODEL) -> bool:
    state = model.state_dict()
    return result.tensors.keys() == state.keys() and all(
        torch.equal(result.tensors[name], state[name]) for name in state
    )


def renamed(state: State, old: str, new: str) -> State:
    return {name.replace(old, new): weight for name, weight in state.items()}


NOTED: dict[str, tuple[State, list[str]]] = {
    "wrapped": (
        {f"module.{name}": weight for name, weight in WHOLE.items()},
        ["names are read without 'module.'"],
    ),
    "a copy": (
        {**WHOLE, "x_embed": WHOLE["embed.W_E"].clone()},
        ["dropped: x_embed, which is a copy of embed.W_E"],
    ),
    "a transposed copy": (
        {**WHOLE, "tied": WHOLE["unembed.W_U"].t()},
        ["dropped: tied, which is a copy of unembed.W_U"],
    ),
    "a mask": (
        {**WHOLE, "causal_mask": torch.ones(3, 3).tril()},
        ["dropped: causal_mask, masks or constants and no weights"],
    ),
    "other layers": (
        {name.replace("blocks.", "attn_blocks.").replace("attn.W_O", "W_O"): weight
         for name, weight in WHOLE.items() if "attn.W_O" in name}
        | {name: weight for name, weight in WHOLE.items() if "attn.W_O" not in name},
        ["read: attn_blocks.#.W_O as blocks.#.attn.W_O"],
    ),
    "a copy at 0": (
        {**WHOLE, "old_b_U": WHOLE["unembed.b_U"].clone()},
        ["dropped: old_b_U, which is a copy of unembed.b_U"],
    ),
    "an average beside": (
        {f"model.{name}": weight for name, weight in WHOLE.items()}
        | {"ema.embed.W_E": WHOLE["embed.W_E"]},
        ["names are read without 'model.'", "dropped: ema.embed.W_E, which is a copy of embed.W_E"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NOTED)
def test_what_was_changed_or_dropped_is_said(tmp_path: Path, name: str) -> None:
    held, said = NOTED[name]
    result = converted(tmp_path, held)
    assert is_same(result)
    assert notes(result) == said


def without(state: State, *names: str) -> State:
    return {name: weight for name, weight in state.items() if name not in names}


REFUSED: dict[str, tuple[State, str]] = {
    "a changed copy": (
        {**WHOLE, "x_embed": WHOLE["embed.W_E"] + 1},
        "x_embed: unknown, .* nor is it a copy of embed.W_E, from which it differs by up to 1; .*"
        "--rename 'x_embed=' leaves it out",
    ),
    "a norm that is 1": ({**WHOLE, "blocks.0.ln1_post.w": torch.ones(8)}, "ln1_post.w: unknown"),
    "a bias that is 0": ({**WHOLE, "blocks.0.mlp.b_gate": torch.zeros(12)}, "b_gate: unknown"),
    "a norm's bias at 0": (
        {**WHOLE, "head.norm_bias": torch.zeros(5)},
        "head.norm_bias: unknown",
    ),
    "another name": (
        renamed(WHOLE, "attn.W_Q", "attn.query"),
        "blocks.0.attn.W_Q: missing, and blocks.1.attn.W_Q too; .*left over: blocks.0.attn.query, "
        "blocks.1.attn.query; try --rename 'blocks.#.attn.query=blocks.#.attn.W_Q'",
    ),
    "other positions": (
        renamed(WHOLE, "pos_embed.W_pos", "pos_embed.table"),
        "pos_embed.table: unknown.*--rename 'pos_embed.table=' leaves it out",
    ),
    "two models": (
        {f"model.{n}": w for n, w in WHOLE.items()} | {f"ema.{n}": w + 1 for n, w in WHOLE.items()
                                                     if w.is_floating_point()},
        r"ema.embed.W_E: unknown.*--rename 'ema.\*=' leaves it out",
    ),
    "transposed": (
        {**WHOLE, "embed.W_E": WHOLE["embed.W_E"].t().contiguous()},
        "embed.W_E would fit if it were transposed",
    ),
    "no head at all": (without(WHOLE, "unembed.W_U"), "unembed.W_U: missing; expected"),
    "another mask": ({**WHOLE, "blocks.0.attn.mask": torch.eye(3)}, "causal or hides nothing"),
    "masks of two kinds": ({**WHOLE, "blocks.0.attn.mask": torch.ones(3, 3)}, "masks of one kind"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_understood_is_refused_with_the_option_that_mends_it(
    tmp_path: Path, name: str
) -> None:
    held, message = REFUSED[name]
    with pytest.raises(InputError, match=message):
        converted(tmp_path, held)


def test_the_option_that_a_refusal_shows_mends_it(tmp_path: Path) -> None:
    held = renamed(renamed(WHOLE, "attn.W_O", "attn.Wo"), "unembed.W_U", "unembedding.matrix_U")
    with pytest.raises(InputError) as error:
        converted(tmp_path, held)
    shown = [part.split("'")[1] for part in str(error.value).split("try ")[1].split("--rename")[1:]]
    assert shown[0] == "blocks.#.attn.Wo=blocks.#.attn.W_O"
    assert is_same(converted(tmp_path, held, rename=[shown[0], "unembedding.*=unembed.W_U"]))


def test_renames_and_what_is_left_out(tmp_path: Path) -> None:
    odd = renamed(renamed(WHOLE, "blocks.", "stage."), "attn.W_", "attn.w")
    held = {f"net.{name}": weight for name, weight in odd.items()} | {"loss.scale": torch.randn(3)}
    result = converted(
        tmp_path,
        held,
        rename=["net.stage.#.attn.w?=blocks.#.attn.W_?", "net.stage.#.*=blocks.#.*", "loss.*="],
    )
    assert is_same(result)
    assert "left out, as --rename says: loss.scale" in result.warnings
    with pytest.raises(UsageError, match="'nte.*' fits no name of the file"):
        converted(tmp_path, held, rename=["nte.*=*"])
    with pytest.raises(UsageError, match="'embed.W_E' and 'pos_embed.W_pos' would both be 'a'"):
        converted(tmp_path, WHOLE, rename=["embed.*=a", "pos_embed.*=a"])


def test_the_masks_of_a_file_show_the_direction_of_attention(tmp_path: Path) -> None:
    held = {n: torch.ones(3, 3) if n.endswith("mask") else w for n, w in WHOLE.items()}
    result = converted(tmp_path, held)
    assert result.claims["attention_dir"] == "bidirectional"
    assert "as the file's masks show, not causal as in the task's preset" in result.warnings[0]
    stated = converted(tmp_path, held, attention_dir="causal")
    assert stated.claims["attention_dir"] == "causal"
    assert "as stated, but masks are bidirectional" in stated.warnings[0]


def test_the_arguments_of_a_lightning_module_are_heeded(tmp_path: Path) -> None:
    state = {f"net.{name}": weight for name, weight in bridge(MODEL).items()}
    arguments = {"n_heads": 2, "act_fn": "ReLU", "eps": 1e-8, "lr": 1e-3}
    held = {"state_dict": state, "hyper_parameters": arguments, "optimizer_states": [{}]}
    result = converted(tmp_path, held)
    assert is_same(result)
    assert notes(result) == [
        "names are read without 'net.'",
        "settings are those of the file's hyper_parameters: n_heads 2, act_fn relu",
    ]
    other = converted(tmp_path, held, n_heads=4)
    assert other.claims["n_heads"] == 4
    assert "n_heads is 4, as stated, though the file's hyper_parameters say 2" in notes(other)
    with pytest.raises(InputError, match=r"pathlib.*weights_only=False\)\['state_dict'\]"):
        converted(tmp_path, held | {"hyper_parameters": {"folder": tmp_path}})


def test_arguments_that_the_weights_contradict_are_told_and_left_out(tmp_path: Path) -> None:
    arguments = {"n_heads": 3, "normalization_type": "LN", "act_fn": "gelu"}
    held = {"state_dict": WHOLE, "hyper_parameters": arguments}
    result = converted(tmp_path, held, act_fn="relu")
    assert is_same(result)
    said = "though the file's hyper_parameters say"
    assert f"n_heads is 2, as the weights show, {said} 3" in result.warnings
    assert f"normalization_type is none, as the weights show, {said} LN" in result.warnings
    assert f"act_fn is relu, as stated, {said} gelu" in result.warnings


def test_tensors_in_any_storage_are_read(tmp_path: Path) -> None:
    floats = {name: w for name, w in WHOLE.items() if w.is_floating_point() and w.ndim}
    flat = torch.cat([weight.flatten() for weight in floats.values()])
    parts = flat.split([weight.numel() for weight in floats.values()])
    shared = {n: part.view(w.shape) for (n, w), part in zip(floats.items(), parts, strict=True)}
    strided = {n: w.transpose(0, -1).contiguous().transpose(0, -1) for n, w in floats.items()}
    trained = {n: torch.nn.Parameter(weight) for n, weight in floats.items()}
    for held in (shared, strided, trained):
        result = converted(tmp_path, held)
        assert is_same(result)
        assert notes(result) == []
        assert not any(weight.requires_grad for weight in result.tensors.values())
    halved = {name: weight.bfloat16() for name, weight in floats.items()}
    assert notes(converted(tmp_path, halved)) == [
        "weights of torch.bfloat16 are read into torch.float32"
    ]


def test_one_of_a_trainings_steps_is_read(tmp_path: Path) -> None:
    steps = [{**WHOLE, "unembed.W_U": WHOLE["unembed.W_U"] * scale} for scale in (0, 0.5, 1)]
    assert is_same(converted(tmp_path, steps, index=-1))
    first = converted(tmp_path, {"state_dicts": steps, "test_losses": [9.0]}, index=0)
    assert not first.tensors["unembed.W_U"].any()
    assert notes(first) == ["of the list of 3 in the file, number 0 of 0 to 2 is read"]
    with pytest.raises(InputError, match="x.pt: expected one state dict, found a list of 3"):
        converted(tmp_path, steps)


WRAPPERS = ["", "module.", "model.", "net.", "_orig_mod.", "lit.model._orig_mod.", "module.module."]
NESTINGS = {
    "alone": lambda state: state,
    "model": lambda state: {"model": state, "epoch": 3},
    "lightning": lambda state: {"state_dict": state, "callbacks": {"a": torch.ones(1)}},
    "list": lambda state: [state],
}


@settings(
    deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    layout=st.sampled_from([*LAYOUTS]),
    wrapper=st.sampled_from(WRAPPERS),
    inner=st.sampled_from(["", "_orig_mod.", "module."]),
    nesting=st.sampled_from([*NESTINGS]),
    n_copies=st.integers(0, 3),
    n_renamed=st.integers(0, 2),
    seed=st.integers(0, 99),
)
def test_random_checkpoints_come_back_bit_for_bit_or_are_refused_with_a_reason(
    tmp_path: Path,
    layout: str,
    wrapper: str,
    inner: str,
    nesting: str,
    n_copies: int,
    n_renamed: int,
    seed: int,
) -> None:
    draw = random.Random(seed)
    state = dict(LAYOUTS[layout](MODEL))
    names = [name for name in state if "mask" not in name and "IGNORE" not in name]
    varied = [name for name in names if len(state[name].unique()) > 1]
    for place in range(n_copies):
        state[f"copy_{place}"] = state[draw.choice(varied)].clone()
    odd = draw.sample(names, n_renamed)
    own = {f"odd{place}.tensor": name for place, name in enumerate(odd)}
    for new, name in own.items():
        state[new] = state.pop(name)
    where = draw.choice(["blocks.0.", "blocks.1."])
    state = {wrapper + name.replace(where, where + inner): w for name, w in state.items()}
    held = NESTINGS[nesting](state)
    if not odd:
        assert is_same(converted(tmp_path, held, n_heads=2))
        return
    asked = [f"{wrapper}{new}={name}" for new, name in own.items()]
    assert is_same(converted(tmp_path, held, n_heads=2, rename=asked))
    with pytest.raises(InputError, match=r"(missing|unknown|state dict of a)[\s\S]*--rename"):
        converted(tmp_path, held, n_heads=2)


@pytest.mark.skipif(not CASES.exists(), reason="the cases are not here")
def test_the_cases_of_others_come_out_alike() -> None:
    plain = convert(CASES / "plain.pt", TASK, threads=1)
    for name in ("ddp", "lightning", "copies_of_W_E"):
        found = convert(CASES / f"{name}.pt", TASK, threads=1)
        assert found.claims == plain.claims
        assert all(torch.equal(found.tensors[n], weight) for n, weight in plain.tensors.items())
        assert len(notes(found)) == (2 if name == "copies_of_W_E" else 1)


@pytest.mark.skipif(not GROUPS.exists(), reason="the peers' models are not here")
def test_a_published_group_model_whose_embeddings_are_saved_thrice() -> None:
    from mitool.tasks.modadd import ModAdd

    found = convert(GROUPS / "C113_T_seed1.pt", ModAdd(p=113, frac_train=0.4), threads=1)
    assert found.claims["test_accuracy"] == 1
    assert notes(found) == [f"dropped: {n}_embed, which is a copy of embed.W_E" for n in "xy"]
