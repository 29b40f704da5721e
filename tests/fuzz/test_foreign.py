"""Other libraries' weights: damaged, of other shapes, or hostile."""

import io
import pickle
import pickletools
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import strategies as st
from torch import Tensor

from tests.conversions import bridge, hooked, model_of, notebook
from tests.fuzz.commands import Commands
from tests.fuzz.documents import VALUES, damaged
from tests.fuzz.profiles import fuzzed
from tests.fuzz.test_checkpoints import others

LAYOUTS = {"hooked": hooked, "bridge": bridge, "notebook": notebook}
OUT = ("-o", "out.safetensors", "--overwrite", "--quiet")
OPTIONS = ("--task", "modadd", "--p", "5", *OUT)
MARKER = "executed"


class Hostile:
    """Unpickled, it makes a file."""

    def __init__(self, call: Any, *arguments: Any) -> None:
        self.call, self.arguments = call, arguments

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.call, self.arguments


@cache
def state(layout: str) -> dict[str, Tensor]:
    return LAYOUTS[layout](model_of())


def saved(value: object, zipped: bool = True) -> bytes:
    """What torch saves."""
    content = io.BytesIO()
    torch.save(value, content, _use_new_zipfile_serialization=zipped)
    return content.getvalue()


def converted(commands: Commands, content: bytes, name: str = "model.pt") -> int:
    """Convert a file that holds this; nothing in it may be run."""
    (commands.folder / name).write_bytes(content)
    answer = commands.answered("convert", name, *OPTIONS, codes=(0, 3))
    assert not list(commands.folder.glob(f"{MARKER}*"))
    return answer.exit_code


@fuzzed(10, layout=st.sampled_from([*LAYOUTS]), zipped=st.booleans(), data=st.data())
def test_damaged_bytes_are_converted_or_refused(
    commands: Commands, layout: str, zipped: bool, data: st.DataObject
) -> None:
    converted(commands, data.draw(damaged(saved(state(layout), zipped))))


@fuzzed(8, layout=st.sampled_from([*LAYOUTS]), zipped=st.booleans(), data=st.data())
def test_other_tensors_are_converted_or_refused(
    commands: Commands, layout: str, zipped: bool, data: st.DataObject
) -> None:
    converted(commands, saved(data.draw(others(state(layout))), zipped))


CONFIGS = st.dictionaries(
    st.sampled_from(["n_heads", "act_fn", "normalization_type", "attn_only", "init_range", "x"]),
    VALUES,
    max_size=3,
)
BESIDE = st.dictionaries(
    st.sampled_from(["cfg", "config", "train_losses", "test_losses", "model", "optimizer"]),
    st.one_of(VALUES, CONFIGS),
    max_size=3,
)


@fuzzed(8, layout=st.sampled_from([*LAYOUTS]), beside=BESIDE, value=st.none() | VALUES)
def test_what_lies_beside_weights_is_read_or_refused(
    commands: Commands, layout: str, beside: dict[str, Any], value: Any
) -> None:
    held = {"model": state(layout)} | beside if value is None else value
    converted(commands, saved(held))


OPTION = st.sampled_from(
    [
        ("--n-heads", "2"), ("--n-heads", "3"), ("--n-heads", "0"), ("--split", "python"),
        ("--split-seed", str(2**63)), ("--split-seed", str(2**63 - 1)), ("--eval-size", "5"),
        ("--act-fn", "gelu"), ("--normalization-type", "LN"), ("--biases", "none"),
        ("--positional", "zero"), ("--attention-dir", "bidirectional"), ("--p", "7"),
        ("--threads", "0"), ("--seed", "-1"), ("--task", "min"), ("--to", "bridge"),
        ("--index", "0"), ("--index", "-1"), ("--rename", "*=*"), ("--rename", "*=x"),
        ("--rename", "blocks.#.*=blocks.#.*"), ("--rename", "*["), ("--rename", "embed.*="),
    ]
)  # fmt: skip


@fuzzed(4, layout=st.sampled_from([*LAYOUTS]), options=st.lists(OPTION, max_size=3))
def test_options_of_a_conversion_fit_or_are_refused(
    commands: Commands, layout: str, options: list[tuple[str, str]]
) -> None:
    (commands.folder / "model.pt").write_bytes(saved(state(layout)))
    words = [word for option in options for word in option]
    commands.answered("convert", "model.pt", *OPTIONS, *words, codes=(0, 2, 3))


CALLS = st.sampled_from(
    [
        Hostile(open, MARKER, "w"),
        Hostile(Path.touch, Path(MARKER)),
        Hostile(exec, f"open({MARKER!r}, 'w')"),
        Hostile(eval, f"open({MARKER!r}, 'w')"),
        Hostile(getattr, open, "__call__"),
        Hostile(torch.load, MARKER),
        Hostile(torch.save, {}, MARKER),
        Hostile(map, print, [MARKER]),
    ]
)


@fuzzed(
    12,
    call=CALLS,
    place=st.sampled_from(["alone", "nested", "beside", "weight", "key"]),
    how=st.sampled_from(["pickle", "torch", "old"]),
    protocol=st.integers(0, 5),
    name=st.sampled_from(["model.pt", "model.pth", "model.bin", "model.safetensors", "model"]),
)
def test_a_hostile_pickle_is_never_run(
    commands: Commands, call: Hostile, place: str, how: str, protocol: int, name: str
) -> None:
    weights = dict(state("hooked"))
    held: Any = {
        "alone": call,
        "nested": {"model": {"state": call}},
        "beside": {"model": weights, "cfg": call},
        "weight": weights | {"blocks.0.attn.W_Q": call},
        "key": {"model": weights, "train_losses": [call]},
    }[place]
    content = pickle.dumps(held, protocol) if how == "pickle" else saved(held, how == "torch")
    assert converted(commands, content, name) == 3
    answer = commands.answered(
        "analyze", "circuit", "modadd", "--circuit", name, "-o", "circuit", codes=(3,)
    )
    assert not (commands.folder / MARKER).exists(), answer


OPCODES = [opcode.code.encode("latin-1") for opcode in pickletools.opcodes]


@fuzzed(
    12,
    words=st.lists(
        st.one_of(
            st.sampled_from(OPCODES),
            st.sampled_from(
                [b"cos\nsystem\n", b"c__builtin__\nopen\n", b"X\x08\x00\x00\x00executed"]
            ),
            st.binary(max_size=4),
        ),
        max_size=12,
    ),
)
def test_any_pickle_is_refused(commands: Commands, words: list[bytes]) -> None:
    converted(commands, b"\x80\x02" + b"".join(words) + b".")


def test_a_file_that_unpacks_to_gigabytes_is_refused_in_bounds(commands: Commands) -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/data.pkl", b"\x80\x02" + b"N" * (64 * 2**20) + b".")
        archive.writestr("x/version", "3")
    assert converted(commands, bomb.getvalue()) == 3
    shapes = {name: tensor.expand(1, *tensor.shape) for name, tensor in state("hooked").items()}
    lying = shapes | {"embed.W_E": torch.zeros(1).expand(2**30, 2**10)}
    assert converted(commands, saved(lying)) == 3


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_state_dict_comes_back_as_it_was(commands: Commands, layout: str) -> None:
    assert converted(commands, saved(state(layout))) == 0
    there = ("convert", "out.safetensors", "--to", "bridge", "-o", "back.safetensors")
    commands.answered(*there, "--overwrite", codes=(0,))
    again = (
        "convert",
        "back.safetensors",
        "--task",
        "modadd",
        "--p",
        "5",
        "-o",
        "again.safetensors",
    )
    commands.answered(*again, "--overwrite", codes=(0,))
    from mitool.storage.checkpoint import load

    first, second = (load(commands.folder / f"{n}.safetensors")[0] for n in ("out", "again"))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
