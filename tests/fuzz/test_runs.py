"""The files of run directories, damaged between two commands."""

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import strategies as st

from mitool.storage import checkpoint, layout
from tests.fuzz.commands import Commands
from tests.fuzz.conftest import SMALL, TINY
from tests.fuzz.documents import DEEP, LONG_NUMBER, VALUES, changed, damaged, dumped
from tests.fuzz.profiles import fuzzed
from tests.fuzz.test_checkpoints import forge, others

TEXTS = (layout.CONFIG, layout.RESULT, layout.METRICS)
RUN = "run"
LONGER = ("train", "modadd", *TINY, *SMALL, "--epochs", "5", "-o", RUN, "--quiet")
STUDY = ("--format", "html", "-o", "study", "--overwrite")
LOOKS = (
    ("inspect", RUN, "--json"),
    ("analyze", "attn", RUN, "--examples", "2", *STUDY),
    ("analyze", "fourier", RUN, "--checkpoints", "all", *STUDY),
)
LINES = st.one_of(
    VALUES.map(dumped),
    st.binary(max_size=20),
    st.sampled_from([b"", b"{}", DEEP, LONG_NUMBER, b"NaN", b'{"epoch": 4}', b"\xff"]),
)


def fresh(commands: Commands, kind: str = "modadd") -> Path:
    """A copy of a run to damage."""
    run = commands.folder / RUN
    shutil.rmtree(run, ignore_errors=True)
    shutil.copytree(commands.folder / kind, run)
    return run


def damage(run: Path, name: str, data: st.DataObject) -> None:
    """Damage a text file of a run."""
    path = run / name
    content = path.read_bytes()
    if data.draw(st.booleans()):
        path.write_bytes(data.draw(damaged(content)))
    elif name == layout.METRICS:
        lines = content.splitlines()
        place = data.draw(st.integers(0, len(lines) - 1))
        line = data.draw(st.one_of(LINES, changed(json.loads(lines[place])).map(dumped)))
        path.write_bytes(b"\n".join([*lines[:place], line, *lines[place + 1 :]]) + b"\n")
    else:
        path.write_bytes(data.draw(st.one_of(LINES, changed(json.loads(content)).map(dumped))))


@fuzzed(5, name=st.sampled_from(TEXTS), look=st.sampled_from(LOOKS), data=st.data())
def test_a_damaged_run_is_looked_at_or_refused(
    commands: Commands, name: str, look: tuple[str, ...], data: st.DataObject
) -> None:
    damage(fresh(commands), name, data)
    commands.answered(*look, codes=(0, 3))


@fuzzed(
    6,
    name=st.sampled_from(TEXTS),
    how=st.sampled_from(["--resume", "--overwrite"]),
    data=st.data(),
)
def test_a_damaged_run_is_gone_on_with_replaced_or_refused(
    commands: Commands, name: str, how: str, data: st.DataObject
) -> None:
    damage(fresh(commands), name, data)
    commands.answered(*LONGER, how, codes=(0, 2, 3))


@fuzzed(6, data=st.data())
def test_a_forged_state_is_gone_on_with_or_refused(commands: Commands, data: st.DataObject) -> None:
    path = fresh(commands) / layout.RESUME
    tensors, record = checkpoint.read_tensors(path)
    match data.draw(st.sampled_from(["bytes", "record", "tensors"])):
        case "bytes":
            path.write_bytes(data.draw(damaged(path.read_bytes())))
        case "record":
            forge(path.parent, tensors, data.draw(changed(record)), path.name)
        case "tensors":
            forge(path.parent, data.draw(others(tensors)), record, path.name)
    # weights may be such that the training diverges, as it says then
    commands.answered(*LONGER, "--resume", codes=(0, 1, 3), keeping=(3,))


@pytest.mark.parametrize("name", [layout.CONFIG, layout.METRICS])
@pytest.mark.parametrize("content", [DEEP, b"\xff\xfe", None], ids=["deep", "no text", "a folder"])
def test_what_is_no_record_of_a_run_is_refused(
    commands: Commands, name: str, content: bytes | None
) -> None:
    path = fresh(commands) / name
    path.unlink()
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content + b"\n")
    commands.answered(*LOOKS[0], codes=(0,))
    commands.answered(*LONGER, "--resume", codes=(2, 3))
