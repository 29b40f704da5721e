"""State dicts that ``mitool convert`` refuses: damaged, hostile, or of another model."""

import os
import pickle
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from typer.testing import CliRunner

from mitool.cli.main import app
from tests.cli.conftest import Invoke
from tests.conversions import OPTIONS, State, bridge, hooked, model_of, notebook

MARKER = Path("executed")


class Hostile:
    """Unpickled, it makes a file."""

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(MARKER), "w")


def state(**changes: torch.Tensor | None) -> State:
    """A good state dict, or one with weights changed or left out (``__`` for ``.``)."""
    named = {name.replace("__", "."): value for name, value in changes.items()}
    whole = hooked(model_of(n_layers=2)) | {k: v for k, v in named.items() if v is not None}
    return {name: value for name, value in whole.items() if named.get(name, value) is not None}


def content(value: object, **how: Any) -> bytes:
    torch.save(value, "made", **how)
    return Path("made").read_bytes()


def poisoned(value: float) -> torch.Tensor:
    weight = torch.ones(2, 8, 4)
    weight[1, 2, 3] = value
    return weight


def own_checkpoint() -> bytes:
    torch.save(hooked(model_of()), "own.pt")
    CliRunner().invoke(app, ["convert", "own.pt", *OPTIONS, "--overwrite"])
    return Path("own.safetensors").read_bytes()


def flipped_bridge() -> bytes:
    own_checkpoint()
    CliRunner().invoke(app, ["convert", "own.safetensors", "--to", "bridge", "--overwrite"])
    good = bytearray(Path("own-bridge.safetensors").read_bytes())
    good[-5] ^= 1
    return bytes(good)


def config(**fields: object) -> dict[str, object]:
    return {"model": state(), "cfg": fields}


W_K, W_E = "blocks__1__attn__W_K", "embed__W_E"
DAMAGED: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "found an empty file"),
    "text": (lambda: b"these are no weights\n" * 9, "damaged or other file"),
    "noise": (lambda: random.Random(0).randbytes(5000), "damaged or other file"),
    "JSON": (lambda: b'{"p": 5}{"weights": 1}', "not a readable safetensors"),
    "truncated": (lambda: content(state())[:-700], "damaged or other file"),
    "truncated, old": (
        lambda: content(state(), _use_new_zipfile_serialization=False)[:-700],
        "damaged or other file",
    ),
    "truncated safetensors": (
        lambda: safetensors.torch.save(state())[:-700],
        "not a readable safetensors",
    ),
    "code in a pickle": (lambda: pickle.dumps(Hostile()), "save the state dict alone"),
    "code in an old pickle": (lambda: pickle.dumps(Hostile(), 2), "would run as code"),
    "code in a zip": (lambda: content({"model": state(), "x": Hostile()}), "which reading would"),
    "a module": (lambda: content(model_of()), "which reading would run as code"),
    "a tensor": (lambda: content(torch.ones(3)), "found a Tensor"),
    "a list": (lambda: content([1, 2]), "found a list"),
    "nothing": (lambda: content({}), "found an empty one"),
    "numbers": (lambda: content({"epoch": 3}), "found 'epoch' of type int"),
    "numbered": (lambda: content({3: torch.ones(3)}), "found '3' of type Tensor"),
    "half tensors": (lambda: content({"model": {**state(), "x": [1]}}), "found 'x' of type list"),
    "another model": (lambda: content({"fc.weight": torch.ones(2, 2)}), "found 'fc.weight'"),
    "no W_K": (lambda: content(state(**{W_K: None})), "blocks.1.attn.W_K: missing"),
    "no W_E": (lambda: content(state(embed__W_E=None)), "embed.W_E: missing"),
    "no W_out": (lambda: content(state(blocks__0__mlp__W_out=None)), "blocks.0.mlp.W_out: missing"),
    "no layer 0": (
        lambda: content({k: v for k, v in state().items() if "blocks.0" not in k}),
        "blocks.0.attn.W_Q: missing",
    ),
    "no layer at all": (
        lambda: content({k: v for k, v in state().items() if "blocks" not in k}),
        "blocks.0.attn.W_Q: missing",
    ),
    "a far layer": (
        lambda: content({k.replace("blocks.1", "blocks.9999"): v for k, v in state().items()}),
        "blocks.1.attn.W_Q: missing",
    ),
    "half a norm": (lambda: content(state(ln_final__w=torch.ones(8))), "blocks.0.ln1.w: missing"),
    "rotary": (
        lambda: content(state(blocks__0__attn__rotary_sin=torch.ones(3, 4))),
        "blocks.0.attn.rotary_sin: unknown",
    ),
    "a gate": (
        lambda: content(state(blocks__0__mlp__W_gate=torch.ones(8, 12))),
        "blocks.0.mlp.W_gate: unknown",
    ),
    "another width": (
        lambda: content(state(**{W_K: torch.ones(2, 9, 4)})),
        "blocks.1.attn.W_K: expected d_model 8, as in embed.W_E",
    ),
    "other heads": (
        lambda: content(state(**{W_K: torch.ones(4, 8, 2)})),
        "blocks.1.attn.W_K: expected n_heads 2, as in blocks.0.attn.W_Q",
    ),
    "an axis too many": (
        lambda: content(state(embed__W_E=torch.ones(6, 8, 1))),
        "embed.W_E: expected 2 axes (d_vocab d_model)",
    ),
    "NaN": (
        lambda: content(state(**{W_K: poisoned(float("nan"))})),
        "blocks.1.attn.W_K: expected finite numbers",
    ),
    "infinity": (
        lambda: content(state(**{W_K: poisoned(float("inf"))})),
        "blocks.1.attn.W_K: expected finite numbers",
    ),
    "integers": (lambda: content(state(embed__W_E=torch.ones(6, 8).long())), "torch.float32"),
    "complex": (lambda: content(state(embed__W_E=torch.ones(6, 8) * 1j)), "torch.float32"),
    "eight bits": (
        lambda: content(state(embed__W_E=torch.ones(6, 8).to(torch.float8_e5m2))),
        "found torch.float8_e5m2",
    ),
    "sparse": (lambda: content(state(embed__W_E=torch.ones(6, 8).to_sparse())), "dense"),
    "meta": (lambda: content(state(embed__W_E=torch.ones(6, 8, device="meta"))), "found meta"),
    "far more than the file": (
        lambda: content(state(embed__W_E=torch.ones(1, 1).expand(10**6, 10**6))),
        "more values than the file",
    ),
    "weights that overflow": (
        lambda: content(state(embed__W_E=torch.full((6, 8), 3e38))),
        "expected finite logits on the task",
    ),
    "no width": (lambda: content(state(embed__W_E=torch.ones(6, 0))), "embed.W_E"),
    "another vocabulary": (
        lambda: content(state(embed__W_E=torch.ones(7, 8))),
        "expected d_vocab 6, which the task has, found weights for 7; give the options",
    ),
    "too few outputs": (
        lambda: content(state(unembed__W_U=torch.ones(8, 4), unembed__b_U=torch.zeros(4))),
        "expected d_vocab_out 5",
    ),
    "too few positions": (
        lambda: content(state(pos_embed__W_pos=torch.ones(2, 8))),
        "expected n_ctx 3",
    ),
    "heads that do not divide": (
        lambda: content(bridge(model_of(n_heads=3, d_head=3))),
        "blocks.0.attn.q.weight: expected a multiple of 4",
    ),
    "a notebook's norm in use": (
        lambda: content({**notebook(model_of()), "blocks.0.ln1.w_ln": torch.full((8,), 0.9)}),
        "blocks.0.ln1.w_ln: expected 1 everywhere",
    ),
    "shortformer positions": (
        lambda: content(config(positional_embedding_type="shortformer")),
        "positional_embedding_type: expected 'standard'",
    ),
    "a configuration of tensors": (
        lambda: content(config(act_fn=torch.ones(2))),
        "act_fn: expected 'relu'",
    ),
    "a configuration of another model": (
        lambda: content(config(n_heads=4)),
        "n_heads: stated as 4, but the weights",
    ),
    "mitool's own": (own_checkpoint, "found a file of mitool's own, of kind 'transformer'"),
    "a flipped bit": (flipped_bridge, "digest"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_what_cannot_be_used_is_one_message(invoke: Invoke, name: str) -> None:
    make, message = DAMAGED[name]
    Path("victim.pt").write_bytes(make())
    done = invoke("convert", "victim.pt", *OPTIONS)
    assert done.exit_code == 3, done.output
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    assert not Path("victim.safetensors").exists()
    assert not MARKER.exists()


def test_paths_that_are_no_files_are_one_message(invoke: Invoke) -> None:
    Path("folder").mkdir()
    os.mkfifo("pipe")
    Path("loop").symlink_to("loop")
    Path("out.safetensors").write_bytes(b"mine")
    for path, message in (
        ("folder", "found a folder"),
        (".", "found a folder"),
        ("/", "found a folder"),
        ("pipe", "found a pipe or device"),
        ("none", "no such file"),
        ("loop", "no such file"),
        ("x" * 300, "File name too long"),
    ):
        done = invoke("convert", path, *OPTIONS)
        assert done.exit_code == 3
        done = invoke("convert", path, *OPTIONS, "-o", "out.safetensors", "--overwrite")
        assert done.exit_code == 3
        assert message in done.stderr
        assert done.stderr.count("\n") == 1
        assert Path("out.safetensors").read_bytes() == b"mine"


def test_mutations_never_end_in_a_traceback(invoke: Invoke) -> None:
    draw, codes = random.Random(0), []
    good = [content(hooked(model_of())), safetensors.torch.save(hooked(model_of()))]
    good.append(content(bridge(model_of()), _use_new_zipfile_serialization=False))
    for index in range(300):
        changed = bytearray(good[index % 3])
        places = [draw.randrange(min(len(changed), 2000)) for _ in range(1 + index % 4)]
        for place in places:
            changed[place] = draw.randrange(256)
        Path("victim.pt").write_bytes(changed)
        done = invoke("convert", "victim.pt", *OPTIONS, "--overwrite", "--quiet")
        assert done.exit_code in (0, 3), done.output
        assert "Traceback" not in done.stderr
        codes.append(done.exit_code)
    assert codes.count(3) > 100
    assert not MARKER.exists()
