from pathlib import Path

import pytest

from mitool.core.errors import InputError
from mitool.storage import atomic
from mitool.storage.records import find_records, natural, read_record
from tests.results import leave


def test_results_are_found_by_their_files_wherever_they_lie(tmp_path: Path) -> None:
    for name in ("", "attn", "points/p53", "points/p7", "deep/own name"):
        leave(tmp_path / name, "patch")
    for name in ("checkpoints", "figures", ".hidden", "tensorboard", "logs"):
        leave(tmp_path / name, "patch")
    found = find_records(tmp_path)
    places = [record.folder.relative_to(tmp_path).as_posix() for record in found.records]
    assert places == [".", "attn", "deep/own name", "points/p7", "points/p53"]
    assert (found.unfinished, found.unread) == ((), ())


def test_a_record_has_what_the_document_says(tmp_path: Path) -> None:
    artifacts = ["/old/run/figures/loss.png", r"C:\run\figures\own.png", 3]
    subject = {"epoch": 40}
    record = read_record(leave(tmp_path, "patch", artifacts=artifacts, subject=subject))
    assert (record.command, record.version, record.epoch) == ("patch", "0.1.0", 40)
    assert record.title == f"Title of {tmp_path.name}"
    assert record.artifacts == ["loss.png", "own.png"]
    assert record.finished == "2026-01-02T03:04:05+00:00"


def test_a_result_of_an_older_mitool_has_no_report_and_no_command_line(tmp_path: Path) -> None:
    atomic.write_json(tmp_path / "result.json", {"mitool": "0", "command": "patch", "claims": {}})
    record = read_record(tmp_path)
    assert (record.title, record.summary, record.command_line, record.finished) == (None,) * 4


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("{", "expected a JSON document"),
        ("[]", "expected a JSON document of mitool's, an object, found a list"),
        ('{"architectures": ["GPT2"]}', "expected a result of mitool's, found other JSON"),
        ('{"mitool": "0", "command": 3}', "expected a result of mitool's, found other JSON"),
        ("[" * 100_000, "expected a JSON document"),
    ],
    ids=["damaged", "a list", "foreign", "no command", "deep"],
)
def test_what_is_no_result_is_named_and_left_out(tmp_path: Path, content: str, what: str) -> None:
    leave(tmp_path / "good", "patch")
    (tmp_path / "result.json").write_text(content)
    found = find_records(tmp_path)
    assert [record.folder.name for record in found.records] == ["good"]
    (unread,) = found.unread
    assert unread.startswith(f"{tmp_path / 'result.json'}: {what}")


def test_values_of_another_kind_are_taken_for_none(tmp_path: Path) -> None:
    odd = {"subject": 3, "claims": [1], "warnings": "x", "report": "y", "seconds": "z"}
    record = read_record(leave(tmp_path, "patch", **odd))
    assert (record.subject, record.claims, record.warnings, record.title) == ({}, {}, [], None)
    assert record.seconds is None


def test_a_training_without_a_result_is_unfinished(tmp_path: Path) -> None:
    for name in ("config.json", "resume.safetensors"):
        (tmp_path / name).touch()
    assert find_records(tmp_path).unfinished == (tmp_path,)


@pytest.mark.parametrize(("name", "what"), [("none", "no such folder"), ("file", "found a file")])
def test_what_is_no_folder_is_refused(tmp_path: Path, name: str, what: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=f"expected a folder with results of mitool: {what}"):
        find_records(tmp_path / name)


def test_folders_are_sorted_by_the_numbers_in_their_names() -> None:
    names = ["p113", "p7", "x", "p53-seed10", "p53-seed2", "7"]
    in_order = sorted(map(Path, names), key=natural)
    assert [path.name for path in in_order] == ["7", "p7", "p53-seed2", "p53-seed10", "p113", "x"]
