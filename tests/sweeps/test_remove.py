"""What is removed of a sweep that is to be replaced."""

from pathlib import Path

from mitool.storage import atomic, layout, locking
from mitool.sweeps import _remove

RUN: dict[str, dict[str, int]] = {"task": {}, "model": {}, "training": {}}


def test_only_points_within_the_folder_are_removed(tmp_path: Path) -> None:
    sweep, elsewhere = tmp_path / "sweep", tmp_path / "elsewhere"
    for folder in (sweep / "points" / "a", sweep / "other", elsewhere):
        atomic.write_json(folder / layout.CONFIG, RUN)
    (sweep / "points" / "link").symlink_to(elsewhere)
    names = ("a", "link", "..", ".", "", "../other", "../../elsewhere", str(elsewhere))
    record = {"command": [], "axes": {}, "points": {name: {} for name in names}}
    atomic.write_json(sweep / layout.CONFIG, record)
    with locking.claimed(sweep, overwrite=True, clear=False):
        _remove(sweep)
        assert not layout.holds_run(sweep)
    assert not (sweep / "points" / "a").exists()
    for folder in (sweep / "other", elsewhere):
        assert atomic.read_json(folder / layout.CONFIG) == RUN
