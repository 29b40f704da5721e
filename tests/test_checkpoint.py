import dataclasses
import json
import pickle
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
import safetensors.torch
import torch
from safetensors import safe_open
from typer.testing import CliRunner

from mitool.cli.main import app
from mitool.core.config import as_dict
from mitool.core.device import generator
from mitool.core.errors import InputError
from mitool.models.subject import load as load_subject
from mitool.models.transformer import ToyTransformer, TransformerConfig
from mitool.settings import ModelSettings
from mitool.storage import checkpoint
from mitool.storage.checkpoint import KEY, load, read_tensors, save, write_tensors
from mitool.tasks.modadd import ModAdd

TASK = ModAdd(p=5)
CONFIG = TransformerConfig.for_task(ModelSettings(n_heads=2, d_model=8), TASK)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A real checkpoint."""
    model = ToyTransformer(CONFIG).initialise(generator(0))
    save(tmp_path / "ckpt.safetensors", model.state_dict(), _metadata())
    return tmp_path / "ckpt.safetensors"


def _metadata() -> checkpoint.Metadata:
    return checkpoint.Metadata(
        kind="transformer",
        model=as_dict(CONFIG),
        task=checkpoint.TaskRecord("modadd", as_dict(TASK)),
        training=as_dict(TASK.training),
        split={"method": "torch", "frac_train": 0.3, "seed": 0},
        seed=0,
        step=3,
        epoch=3,
        version="0.1.0",
    )


def test_a_checkpoint_is_all_that_a_study_needs(path: Path) -> None:
    tensors, metadata = load(path)
    assert metadata == _metadata()
    model = ToyTransformer(CONFIG).initialise(generator(0))
    for name, value in model.state_dict().items():
        assert torch.equal(tensors[name], value)
    subject = load_subject(path)
    assert subject.task == TASK
    assert subject.model.cfg == CONFIG
    tokens = TASK.examples().tokens
    assert torch.equal(subject.model.logits(tokens), model.logits(tokens))


def test_tensors_are_named_and_shaped_as_in_transformer_lens(path: Path) -> None:
    shapes = {name: tuple(t.shape) for name, t in safetensors.torch.load_file(path).items()}
    assert shapes["embed.W_E"] == (6, 8)
    assert shapes["pos_embed.W_pos"] == (3, 8)
    assert shapes["blocks.0.attn.W_Q"] == (2, 8, 4)
    assert shapes["blocks.0.attn.W_O"] == (2, 4, 8)
    assert shapes["blocks.0.mlp.W_in"] == (8, 32)
    assert shapes["unembed.W_U"] == (8, 5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tensors_come_back_bit_for_bit(tmp_path: Path, dtype: torch.dtype) -> None:
    tensors = {
        "a": torch.randn(3, 2, dtype=dtype),
        "scalar": torch.tensor(1.5),
        "none": torch.ones(0),
    }
    write_tensors(tmp_path / "x", tensors, {"epoch": 3})
    found, record = read_tensors(tmp_path / "x")
    assert record == {"epoch": 3}
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[name], tensors[name]) for name in tensors)


def test_a_file_that_is_replaced_while_it_is_read_is_read_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings = 0

    def replaced_meanwhile(name: Path, framework: str) -> object:
        nonlocal readings
        readings += 1
        if readings == 1:
            write_tensors(path, {"a": torch.ones(2)}, {})
            raise safetensors.SafetensorError("half of each")
        return safe_open(name, framework=framework)

    monkeypatch.setattr(checkpoint, "safe_open", replaced_meanwhile)
    assert read_tensors(path)[0].keys() == {"a"}
    assert readings == 2


def test_a_run_directory_serves_as_its_last_checkpoint(path: Path) -> None:
    assert load_subject(path.parent).path == path


def test_a_flipped_bit_in_a_weight_is_caught_by_the_digest(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="digest"):
        load(path)


def test_a_thousand_mutations_each_give_exit_3_and_one_message(path: Path) -> None:
    good, runner, kinds = path.read_bytes(), CliRunner(), set()
    victim = path.parent / "victim.safetensors"
    for kind, content in _mutations(good, 1000):
        victim.write_bytes(content)
        outcome = runner.invoke(app, ["inspect", str(victim)], catch_exceptions=False)
        assert outcome.exit_code == 3, (kind, outcome.output)
        assert outcome.stdout == "", kind
        assert outcome.stderr.count("Error:") == 1, (kind, outcome.stderr)
        assert "Traceback" not in outcome.stderr, kind
        kinds.add(kind)
    assert len(kinds) == 9


def test_a_missing_file_an_empty_folder_and_a_pickle_are_refused(tmp_path: Path) -> None:
    runner, marker = CliRunner(), tmp_path / "executed"
    (tmp_path / "hostile.safetensors").write_bytes(pickle.dumps(_Hostile(str(marker))))
    (tmp_path / "empty").mkdir()
    for name in ("missing.safetensors", "empty", "hostile.safetensors"):
        outcome = runner.invoke(app, ["inspect", str(tmp_path / name)], catch_exceptions=False)
        assert outcome.exit_code == 3
        assert outcome.stderr.count("Error:") == 1
    assert not marker.exists()


class _Hostile:
    def __init__(self, marker: str) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (self.marker, "w")


def _mutations(good: bytes, total: int) -> Iterator[tuple[str, bytes]]:
    """Damaged files made from a good one, of nine kinds in turn; the same ones every time."""
    draw = random.Random(0)
    with _opened(good) as (tensors, record):
        makers = [
            ("truncated", lambda: good[: draw.randrange(len(good))]),
            ("bit flipped", lambda: _flip(good, draw)),
            ("bits flipped", lambda: _flip(_flip(_flip(good, draw), draw), draw)),
            ("noise", lambda: draw.randbytes(draw.randrange(5000))),
            ("empty", lambda: b""),
            ("pickle", lambda: pickle.dumps({"weights": [draw.random()]})),
            ("metadata changed", lambda: _resealed(tensors, _changed(record, draw))),
            ("shape changed", lambda: _resealed(_misshapen(tensors, draw), record)),
            ("NaN", lambda: _resealed(_poisoned(tensors, draw), record)),
        ]
        for index in range(total):
            kind, make = makers[index % len(makers)]
            yield kind, make()


class _opened:
    def __init__(self, content: bytes) -> None:
        self.content = content

    def __enter__(self) -> tuple[dict[str, torch.Tensor], dict[str, object]]:
        tensors = safetensors.torch.load(self.content)
        header_size = int.from_bytes(self.content[:8], "little")
        header = json.loads(self.content[8 : 8 + header_size])
        record = json.loads(header["__metadata__"][KEY])
        del record["digest"]
        return tensors, record

    def __exit__(self, *_: object) -> None: ...


def _flip(content: bytes, draw: random.Random) -> bytes:
    place = draw.randrange(len(content))
    return (
        content[:place] + bytes([content[place] ^ (1 << draw.randrange(8))]) + content[place + 1 :]
    )


def _resealed(tensors: dict[str, torch.Tensor], record: dict[str, object]) -> bytes:
    """A file whose digest is right, so that what it says must be checked."""
    sealed = {**record, "digest": checkpoint._digest(tensors, record)}
    return safetensors.torch.save(tensors, {KEY: json.dumps(sealed)})


def _changed(record: dict[str, object], draw: random.Random) -> dict[str, object]:
    values: list[object] = [
        None,
        -1,
        0,
        10**9,
        1e300,
        "x",
        [],
        {},
        True,
        "<script>",
        "../../etc/passwd",
    ]
    changed = json.loads(json.dumps(record))
    part = draw.choice([changed, changed["model"], changed["task"], changed["task"]["parameters"]])
    if part is changed:
        # free text and numbers that no reading depends on may be anything of their type
        key = draw.choice(["kind", "model", "task", "format"])
    else:
        key = draw.choice([k for k in part if k not in ("frac_train", "op", "init_scale")])
    old = part[key]
    candidates = [v for v in values if v != old and not (key == "attn_only" and v is True)]
    part[key] = draw.choice([v for v in candidates if not _is_fine(key, v)])
    return changed


def _is_fine(key: str, value: object) -> bool:
    """Values that leave a valid checkpoint behind."""
    return key in ("format", "attn_only") and value in (True, 1, 0) and value is not None


def _misshapen(tensors: dict[str, torch.Tensor], draw: random.Random) -> dict[str, torch.Tensor]:
    name = draw.choice(sorted(tensors))
    changes = [
        lambda t: t.unsqueeze(0).contiguous(),
        lambda t: torch.cat([t, t]),
        lambda t: t.half(),
        lambda t: t.long(),
        lambda t: None,
    ]
    value = draw.choice(changes)(tensors[name])
    rest = {k: v for k, v in tensors.items() if k != name}
    return rest if value is None else {**rest, draw.choice([name, name + "x"]): value}


def _poisoned(tensors: dict[str, torch.Tensor], draw: random.Random) -> dict[str, torch.Tensor]:
    name = draw.choice(sorted(tensors))
    value = tensors[name].clone()
    value.view(-1)[draw.randrange(value.numel())] = draw.choice([float("nan"), float("inf")])
    return {**tensors, name: value}


def test_files_of_other_kinds_say_what_they_are(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.safetensors"
    safetensors.torch.save_file({"weight": torch.ones(2)}, foreign)
    with pytest.raises(InputError, match="without mitool's metadata"):
        load(foreign)
    other = dataclasses.replace(_metadata(), kind="superposition")
    save(tmp_path / "other.safetensors", {"W": torch.ones(2)}, other)
    with pytest.raises(InputError, match="expected a transformer, found a superposition"):
        load_subject(tmp_path / "other.safetensors")


def test_the_metadata_is_readable_json(path: Path) -> None:
    with safe_open(path, framework="pt") as file:
        record = json.loads(file.metadata()[KEY])
    assert record["task"] == {"name": "modadd", "parameters": as_dict(TASK)}
    assert record["format"] == 1
    assert len(record["digest"]) == 64


@pytest.mark.parametrize(
    ("record", "found"),
    [
        ({"kind": "arrays", "subject": {}, "config": {}}, "found the arrays of a result"),
        ({"epoch": 1, "batch": 0, "seconds": 0.5}, "found other tensors"),
    ],
    ids=["arrays", "resume"],
)
def test_other_files_of_a_run_are_no_checkpoints(
    tmp_path: Path, record: dict[str, object], found: str
) -> None:
    write_tensors(tmp_path / "x.safetensors", {"x": torch.ones(1)}, record)
    with pytest.raises(InputError, match=f"expected a checkpoint, as a run's .*, {found}"):
        load(tmp_path / "x.safetensors")
