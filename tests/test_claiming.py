import errno
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mitool.cli.main import app
from mitool.core.errors import InputError, RunError, UsageError
from mitool.report import Formats, Report, Written
from mitool.storage import atomic, layout, locking
from mitool.storage.atomic import atomic_write, read_lines
from mitool.storage.locking import claimed, held


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
        assert not layout.holds_run(tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "the user's own"


def test_only_the_images_that_a_result_lists_are_removed_with_it(tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    for name in ("own.png", "drawn.svg", "loss.png", "loss.jpg"):
        (tmp_path / "figures" / name).write_text(name)
    listed = ["runs/a/figures/drawn.svg", "figures/loss.png", "figures/loss.jpg", "../own", 3]
    result = {"mitool": "0", "claims": {}, "artifacts": listed}
    atomic.write_json(tmp_path / "result.json", result)
    with claimed(tmp_path, overwrite=True):
        left = {path.name for path in (tmp_path / "figures").iterdir()}
    assert left == {"own.png", "loss.jpg"}


def result_of(folder: Path, claim: int, *names: str) -> None:
    atomic.write_json(folder / "result.json", {"mitool": "0", "claims": {"a": claim}})
    for name in names:
        atomic_write(folder / name, str(claim))


@pytest.mark.parametrize("moved", range(4))
def test_a_result_that_a_killed_process_did_not_move_into_its_place_is_moved(
    tmp_path: Path, moved: int
) -> None:
    result_of(tmp_path, 1, "report.html", "notes.txt")
    with claimed(tmp_path, overwrite=True, clear=False):
        (tmp_path / locking.PART).mkdir()
        result_of(tmp_path / locking.PART, 2, "circuit.json", "arrays.safetensors")
        (tmp_path / locking.PART).rename(tmp_path / locking.WHOLE)
        if moved:
            layout.remove_run(tmp_path)
            (tmp_path / locking.WHOLE).rename(tmp_path / locking.MOVING)
        for name in ("circuit.json", "arrays.safetensors")[: max(0, moved - 1)]:
            (tmp_path / locking.MOVING / name).rename(tmp_path / name)
    with pytest.raises(UsageError, match="already holds a result"), claimed(tmp_path):
        pass
    assert atomic.read_json(tmp_path / "result.json")["claims"] == {"a": 2}
    assert (tmp_path / "arrays.safetensors").read_text() == "2"
    assert (tmp_path / "notes.txt").read_text() == "1"
    left = {path.name for path in tmp_path.iterdir()} - {layout.LOCK}
    assert left == {"result.json", "circuit.json", "arrays.safetensors", "notes.txt"}


def fail_on_the_way(folder: Path, failure: Exception) -> None:
    with locking.replaced(folder, kept=KeyError) as place:
        result_of(place, 2)
        raise failure


def test_a_result_that_fails_on_its_way_leaves_the_one_that_is_there(tmp_path: Path) -> None:
    result_of(tmp_path, 1, "report.html")
    before = {path: path.read_text() for path in tmp_path.iterdir()}
    with pytest.raises(ZeroDivisionError):
        fail_on_the_way(tmp_path, ZeroDivisionError())
    assert {path: path.read_text() for path in tmp_path.iterdir()} == before
    with pytest.raises(KeyError):
        fail_on_the_way(tmp_path, KeyError())
    assert atomic.read_json(tmp_path / "result.json")["claims"] == {"a": 2}


def test_an_index_is_removed_with_the_run_and_nobody_elses_page_is(tmp_path: Path) -> None:
    own = '<head><meta name="generator" content="mitool 0.1.0">'
    for text, is_left in ((own, False), ("<head>mine", True)):
        atomic.write_json(tmp_path / "result.json", {"mitool": "0", "claims": {}})
        (tmp_path / "index.html").write_text(text)
        with claimed(tmp_path, overwrite=True):
            assert (tmp_path / "index.html").exists() == is_left


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
    atomic.append_line(path, {"epoch": 0})
    atomic.append_line(path, {"epoch": 1})
    with path.open("a") as file:
        file.write('{"epoch": 2, "tra')
    assert read_lines(path) == [{"epoch": 0}, {"epoch": 1}]
    assert read_lines(tmp_path / "none") == []


@pytest.mark.parametrize("content", ["{\n", "3\n", '"x"\n', "\x00\x01\n", "[" * 100_000 + "\n"])
def test_damaged_lines_are_an_unusable_input(tmp_path: Path, content: str) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text(content)
    with pytest.raises(InputError, match="damaged"):
        read_lines(path)


def test_a_folder_in_the_place_of_lines_is_an_unusable_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        read_lines(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected a JSON document of mitool's; found: Expecting value"),
        (b"[1]", "expected a JSON document of mitool's, an object, found a list"),
        (b"{", "expected a JSON document of mitool's; found: Expecting property"),
        (b"\xff\xfe", "expected a JSON document of mitool's"),
        (b"[" * 100_000, "expected a JSON document of mitool's, found too many levels"),
    ],
    ids=["empty", "list", "cut short", "not UTF-8", "deep"],
)
def test_damaged_json_is_an_unusable_input(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        atomic.read_json(path)


def is_free(folder: Path) -> bool:
    """Whether another thread, which is as another process, could claim the folder."""

    def claim() -> bool:
        try:
            with claimed(folder, overwrite=True, clear=False):
                return True
        except UsageError as error:
            return "another run of mitool is writing here" not in str(error)

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(claim).result()


def test_who_holds_a_folder_may_claim_it_and_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "run"
    with held(folder):
        with claimed(Path("run")):
            assert not is_free(folder)
            atomic.write_json(folder / "result.json", {"mitool": "0", "claims": {}})
        assert not is_free(folder)
    assert is_free(folder)


@pytest.mark.parametrize(
    "line",
    [
        "train modadd --p 5 --epochs 1",
        "train modadd --p 5 --epochs 1 --seeds 0-1",
        "superpose train --n-features 3 --n-hidden 2 --steps 1",
        "superpose mono --scale small --log2-training-steps 1 --learning-rate 0.01",
        "patch run --site resid_pre",
    ],
)
def test_a_folder_is_held_until_its_report_is_written(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    written = []

    def write(_formats: Formats, folder: Path, _report: Report) -> Written:
        written.append(folder)
        assert not is_free(tmp_path / "out")
        return Written((), ())

    if line.startswith("patch"):
        before = "train modadd --p 5 --epochs 1 --format html -o run"
        assert CliRunner().invoke(app, before.split()).exit_code == 0
    monkeypatch.setattr(Formats, "write", write)
    done = CliRunner().invoke(app, [*line.split(), "-o", "out"], catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    assert written
    assert is_free(tmp_path / "out")
