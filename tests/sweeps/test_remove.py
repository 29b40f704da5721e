"""What is removed of a sweep that is to be replaced."""

from pathlib import Path

from mitool import claiming, files, rundir
from mitool.sweeps import _remove

RUN: dict[str, dict[str, int]] = {"task": {}, "model": {}, "training": {}}


def test_only_points_within_the_folder_are_removed(tmp_path: Path) -> None:
    sweep, elsewhere = tmp_path / "sweep", tmp_path / "elsewhere"
    for folder in (sweep / "points" / "a", sweep / "other", elsewhere):
        files.write_json(folder / rundir.CONFIG, RUN)
    (sweep / "points" / "link").symlink_to(elsewhere)
    names = ("a", "link", "..", ".", "", "../other", "../../elsewhere", str(elsewhere))
    record = {"command": [], "axes": {}, "points": {name: {} for name in names}}
    files.write_json(sweep / rundir.CONFIG, record)
    with claiming.claimed(sweep, overwrite=True, clear=False):
        _remove(sweep)
        assert not rundir.holds_run(sweep)
    assert not (sweep / "points" / "a").exists()
    for folder in (sweep / "other", elsewhere):
        assert files.read_json(folder / rundir.CONFIG) == RUN
