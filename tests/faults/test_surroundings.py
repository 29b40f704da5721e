"""A home, a language and folders as one does not expect them."""

import os
import shutil
from pathlib import Path

import pytest

from mitool.storage import layout
from tests.faults.cases import MODADD, outcome
from tests.faults.processes import Commands

TRAIN = [*MODADD.split(), "--epochs", "20", "-o"]
ATTN = ["analyze", "attn"]
PLAIN = ["--threads", "1", "--format", "html"]


@pytest.mark.parametrize(
    "environment",
    [
        {"HOME": ""},
        {"HOME": "/proc/nowhere"},
        {"TMPDIR": "/proc/nowhere"},
        {"HOME": "/proc", "TMPDIR": "/proc", "XDG_CACHE_HOME": "/proc"},
        {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"},
    ],
    ids=lambda environment: "-".join(f"{k}={v}" for k, v in environment.items()),
)
def test_no_home_no_place_for_temporary_files_and_no_language(
    environment: dict[str, str], commands: Commands, tmp_path: Path
) -> None:
    for arguments in ([*TRAIN, "añ→b"], [*ATTN, "añ→b", *PLAIN], ["inspect", "añ→b"]):
        done = commands.run(arguments, tmp_path, environment=environment)
        assert done.exit_code == 0, done.stderr


NAMES = ["two words", "a\nline", "100%d", "-rf", "*[x]", "añ→b", "[red]x[red]", "q'\"<b>&"]


@pytest.mark.parametrize("name", NAMES)
def test_odd_names_of_folders_are_names(name: str, commands: Commands, tmp_path: Path) -> None:
    path = f"./{name}"
    done = commands.run([*TRAIN, path], tmp_path)
    assert done.exit_code == 0, done.stderr
    for arguments in (["inspect", path], [*ATTN, path, *PLAIN], [*TRAIN, path, "--resume"]):
        done = commands.run(arguments, tmp_path)
        assert done.exit_code == 0, done.stderr
    assert {entry.name for entry in tmp_path.iterdir()} == {name}
    assert (tmp_path / name / "attn" / layout.REPORT).exists()
    assert "<b>&" not in (tmp_path / name / layout.REPORT).read_text()


def test_a_name_that_is_no_unicode_is_refused(commands: Commands, tmp_path: Path) -> None:
    """Which safetensors could write and not read."""
    path = os.fsdecode(b"run-\xff")
    done = commands.run([*TRAIN, path], tmp_path)
    assert done.exit_code == 2
    assert "expected a path of Unicode letters" in done.error
    assert not list(tmp_path.iterdir())
    assert commands.run([*TRAIN, "run"], tmp_path).exit_code == 0
    (tmp_path / "run").rename(tmp_path / path)
    for arguments in (["inspect", path], [*ATTN, path, *PLAIN]):
        done = commands.run(arguments, tmp_path)
        assert done.exit_code == 3
        assert "is not valid UTF-8; rename it" in done.error
    (tmp_path / path / "below").mkdir()
    done = commands.run(["inspect", "../ckpt.safetensors"], tmp_path / path / "below")
    assert done.exit_code == 0, done.stderr


def test_a_run_that_is_linked_to_is_the_run(commands: Commands, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to("elsewhere")
    assert commands.run([*TRAIN, "link"], tmp_path).exit_code == 0
    (tmp_path / "link" / layout.RESULT).unlink()
    assert commands.run([*TRAIN, "link", "--resume"], tmp_path).exit_code == 0
    assert commands.run([*ATTN, "link", *PLAIN], tmp_path).exit_code == 0
    assert commands.run([*TRAIN, "link", "--overwrite"], tmp_path).exit_code == 0
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "elsewhere" / "attn" / layout.REPORT).exists()
    assert (tmp_path / "elsewhere" / layout.CHECKPOINT).exists()


def test_a_link_that_leads_nowhere_is_one_message(commands: Commands, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    done = commands.run([*TRAIN, "link"], tmp_path)
    assert done.exit_code == 2
    assert "link" in done.error
    assert commands.run(["inspect", "link"], tmp_path).exit_code == 3


@pytest.mark.parametrize("fate", ["moved", "deleted"])
def test_a_folder_that_goes_during_a_run_is_one_message(
    fate: str, commands: Commands, tmp_path: Path
) -> None:
    running = commands.start([*TRAIN, "run", "--epochs", "1000000"], tmp_path)
    running.wait_for((tmp_path / "run" / layout.RESUME).exists)
    if fate == "moved":
        (tmp_path / "run").rename(tmp_path / "moved")
    else:
        while (tmp_path / "run").exists() and running.is_running():
            shutil.rmtree(tmp_path / "run", ignore_errors=True)
    done = running.wait()
    assert done.exit_code == 1
    assert "run/" in done.error
    assert "cannot be written: No such file or directory" in done.error
    if fate == "moved":
        again = [*TRAIN, "moved", "--resume"]
        assert commands.run([*again, "--epochs", "1000"], tmp_path).exit_code in (0, 2)
        assert outcome(tmp_path / "moved")
