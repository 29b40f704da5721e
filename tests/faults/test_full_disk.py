"""A disk that is full: one message that says so and where; it goes on once there is room."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.cases import CASES, FEW, GIVEN, outcome, require_whole
from tests.faults.conftest import PAGE, Whole
from tests.faults.processes import Commands
from tests.report.conftest import needs_browser

Mount = Callable[[Path, str], None]


@pytest.mark.parametrize("name", FEW)
def test_a_full_disk_is_one_message_and_nothing_is_lost(
    name: str,
    commands: Commands,
    place: Callable[[str], Path],
    whole: Callable[[str], Whole],
    mounted: Mount,
    draw: random.Random,
) -> None:
    case, folder = CASES[name], place(name)
    mounted(folder / "out", f"size={max(1, int(draw.uniform(0.1, 0.7) * whole(name).size))}")
    done = commands.run(case.arguments, folder)
    assert done.exit_code == 1
    assert done.error.startswith("out" if name != "sweep" else "all 2 points failed")
    assert "cannot be written: No space left on device; make room or choose" in done.stderr
    require_whole(folder)
    mounted(folder / "out", "size=64m")
    done = commands.run(case.again, folder)
    assert done.exit_code == 0, done.stderr
    assert outcome(folder / "out") == whole(name).left


@pytest.mark.parametrize("name", ["attn", "plant"])
def test_on_a_full_disk_a_result_is_not_replaced_by_half_of_another(
    name: str,
    commands: Commands,
    place: Callable[[str], Path],
    whole: Callable[[str], Whole],
    mounted: Mount,
) -> None:
    case, folder = CASES[name], place(name)
    mounted(folder / "out", f"size={int(1.5 * whole(name).size)}")
    assert commands.run(case.arguments, folder).exit_code == 0
    done = commands.run([*case.arguments, "--overwrite"], folder)
    assert done.exit_code == 1
    assert "No space left on device; make room" in done.error
    assert outcome(folder / "out") == whole(name).left


@needs_browser
def test_images_that_have_no_room_are_one_message_and_the_run_is_kept(
    commands: Commands, place: Callable[[str], Path], whole: Callable[[str], Whole], mounted: Mount
) -> None:
    case, folder = CASES["full batch"], place("full batch")
    mounted(folder / "out", f"size={whole('full batch').size + 8 * PAGE}")
    done = commands.run([*case.arguments, "--format", "html,png"], folder)
    assert done.exit_code == 1
    assert done.error.startswith("out/figures/")
    assert "No space left on device; make room" in done.error
    assert not list((folder / "out").rglob("*.tmp"))
    mounted(folder / "out", "size=64m")
    again = commands.run([*case.again, "--format", "html,png"], folder)
    assert again.exit_code == 0, again.stderr
    require_whole(folder)
    names = {path.name for path in (folder / "out" / "figures").iterdir()}
    assert names == {"loss.png", "accuracy.png", "weight_norms.png"}


@needs_browser
def test_a_browser_without_room_costs_the_images_alone(
    commands: Commands, tmp_path: Path, mounted: Mount
) -> None:
    (tmp_path / "tmp").mkdir()
    mounted(tmp_path / "tmp", "size=4k")
    arguments = [*GIVEN.replace("--format html", "").split()]
    done = commands.run(arguments, tmp_path, environment={"TMPDIR": str(tmp_path / "tmp")})
    assert done.exit_code == 0, done.stderr
    assert (tmp_path / "given" / "report.html").exists()
    images = list((tmp_path / "given" / "figures").glob("*.png"))
    assert images or done.stderr.count("Warning: no PNG images: ") == 1
