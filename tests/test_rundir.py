import errno
import os
from pathlib import Path

import pytest

from mitool import files, rundir
from mitool.errors import InputError, RunError, UsageError
from mitool.files import atomic_write, read_lines
from mitool.rundir import claimed


def test_a_write_that_fails_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    atomic_write(path, "before")

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match="No space left on device; make room"):
        atomic_write(path, "after")
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_with_a_run_is_refused_resumed_or_replaced(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"task": {}, "model": {}, "training": {}}')
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "00000000.safetensors").write_text("x")
    (tmp_path / "notes.txt").write_text("the user's own")
    with (
        pytest.raises(UsageError, match="already holds a run; go on with --resume"),
        claimed(tmp_path, resume=False),
    ):
        pass
    with (
        pytest.raises(UsageError, match="already holds a result; replace it with --overwrite"),
        claimed(tmp_path),
    ):
        pass
    with claimed(tmp_path, resume=True):
        assert (tmp_path / "config.json").exists()
    with claimed(tmp_path, overwrite=True, clear=False):
        assert (tmp_path / "config.json").exists()
    with claimed(tmp_path, overwrite=True):
        assert not rundir.holds_run(tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "the user's own"


def test_only_the_images_that_a_result_lists_are_removed_with_it(tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    for name in ("own.png", "drawn.svg", "loss.png", "loss.jpg"):
        (tmp_path / "figures" / name).write_text(name)
    listed = ["runs/a/figures/drawn.svg", "figures/loss.png", "figures/loss.jpg", "../own", 3]
    result = {"mitool": "0", "claims": {}, "artifacts": listed}
    files.write_json(tmp_path / "result.json", result)
    with claimed(tmp_path, overwrite=True):
        left = {path.name for path in (tmp_path / "figures").iterdir()}
    assert left == {"own.png", "loss.jpg"}


def test_a_folder_of_which_nothing_comes_is_taken_away_again(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), claimed(tmp_path / "made"):
        raise ZeroDivisionError
    assert not (tmp_path / "made").exists()
    with claimed(tmp_path / "kept"):
        (tmp_path / "kept" / "report.html").write_text("x")
    assert (tmp_path / "kept" / "report.html").exists()
    (tmp_path / "own").mkdir()
    with claimed(tmp_path / "own"):
        pass
    assert (tmp_path / "own").exists()


@pytest.mark.parametrize("name", ["config.json", "result.json", "figures/x.png", "report.html"])
def test_files_of_a_run_s_names_that_mitool_did_not_write_are_left_alone(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text('{"architectures": ["GPT2"]}')
    for overwrite in (False, True):
        with (
            pytest.raises(UsageError, match="no run of mitool's"),
            claimed(tmp_path, overwrite=overwrite),
        ):
            pass
    assert (tmp_path / name).read_text() == '{"architectures": ["GPT2"]}'


def test_leftovers_of_killed_runs_are_removed(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    leftovers = [tmp_path / ".ckpt.safetensors.7.tmp", tmp_path / "checkpoints" / ".1.x.7.tmp"]
    other = tmp_path / ".mine.tmp"
    for path in (*leftovers, other):
        path.write_text("x")
    with claimed(tmp_path):
        assert not any(path.exists() for path in leftovers)
    assert other.exists()


def test_overwrite_and_resume_exclude_each_other(tmp_path: Path) -> None:
    with (
        pytest.raises(UsageError, match="exclude each other"),
        claimed(tmp_path, overwrite=True, resume=True),
    ):
        pass


def test_a_path_that_the_system_refuses_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="File name too long"), claimed(tmp_path / ("x" * 300)):
        pass


def test_two_runs_cannot_share_a_folder(tmp_path: Path) -> None:
    with claimed(tmp_path):
        with (
            pytest.raises(UsageError, match="another run of mitool is writing here"),
            claimed(tmp_path, overwrite=True),
        ):
            pass
    with claimed(tmp_path):
        pass


@pytest.mark.parametrize("below", ["", "run", "deep/run"])
def test_an_output_path_through_a_file_is_refused(tmp_path: Path, below: str) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    with (
        pytest.raises(UsageError, match=r"expected a folder to write to, found the file .*file"),
        claimed(file / below),
    ):
        pass
    assert file.read_text() == "mine"


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    place = Path("/proc/mitool") if os.getuid() == 0 else tmp_path / "closed" / "run"
    if os.getuid():
        (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises(UsageError, match="cannot be written"), claimed(place):
        pass


def test_lines_survive_a_crash_in_the_last_one(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    files.append_line(path, {"epoch": 0})
    files.append_line(path, {"epoch": 1})
    with path.open("a") as file:
        file.write('{"epoch": 2, "tra')
    assert read_lines(path) == [{"epoch": 0}, {"epoch": 1}]
    assert read_lines(tmp_path / "none") == []


@pytest.mark.parametrize("content", ["{\n", "3\n", '"x"\n', "\x00\x01\n"])
def test_damaged_lines_are_an_unusable_input(tmp_path: Path, content: str) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text(content)
    with pytest.raises(InputError, match="damaged"):
        read_lines(path)


@pytest.mark.parametrize("content", [b"", b"[1]", b"{", b"\xff\xfe", b"[" * 100_000])
def test_damaged_json_is_an_unusable_input(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(InputError):
        files.read_json(path)
