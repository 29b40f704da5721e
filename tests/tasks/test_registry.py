import subprocess
import sys
from pathlib import Path

import pytest

from mitool import tasks
from mitool.core.errors import InputError, UsageError
from mitool.models.subject import load

PLUGIN = Path(__file__).parents[2] / "examples" / "custom_task"


def test_builtin_tasks_are_found_by_the_name_of_their_file() -> None:
    assert {"modadd", "min"} <= set(tasks.names())
    for name in ("modadd", "min"):
        assert tasks.get(name).name == name


def test_an_unknown_task_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="no task named 'mod-add': did you mean 'modadd'"):
        tasks.get("mod-add")
    with pytest.raises(InputError):
        tasks.installed("mod-add", InputError)


def test_listing_tasks_loads_no_torch() -> None:
    code = (
        "import sys, mitool.tasks as t; [t.get(n) for n in t.names()]; "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.fixture(scope="module")
def with_plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the example plugin was really installed by pip."""
    target = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    build += ["--no-build-isolation", "--target", str(target), str(PLUGIN)]
    subprocess.run(build, check=True)
    return target


def _python(site: Path, code: str) -> subprocess.CompletedProcess[str]:
    environment = {"PYTHONPATH": str(site), "PATH": "/usr/bin:/bin", "NO_COLOR": "1"}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_an_installed_plugin_is_a_task_like_any_other(with_plugin: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    code = (
        "import sys; sys.argv = ['mitool', 'train', 'parity', '--n-bits', '3', '--epochs', '3', "
        f"'--format', 'html', '--json', '--quiet', '-o', {str(run)!r}]; "
        "from mitool.cli.main import main; main()"
    )
    done = _python(with_plugin, code)
    assert done.returncode == 0, done.stderr
    assert '"name": "parity"' in done.stdout
    inspected = _python(
        with_plugin, f"import mitool, pathlib; print(mitool.load(pathlib.Path({str(run)!r})).task)"
    )
    assert "Parity(n_bits=3" in inspected.stdout
    # without the plugin, its checkpoint is an input that cannot be used
    with pytest.raises(InputError, match="no task named 'parity'"):
        load(run)


def test_a_plugin_that_takes_a_builtin_name_is_refused(tmp_path: Path) -> None:
    _dist(tmp_path, "rival", "modadd = rival:Task")
    done = _mitool(tmp_path, "train", "modadd")
    assert done.returncode == 2
    assert "two tasks are named 'modadd'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("nowhere:Task", "does not load"),
        ("json:nothing", "does not load"),
        ("json:loads", "expected a subclass of mitool.Task"),
    ],
)
def test_a_broken_plugin_is_one_message_and_the_rest_works(
    tmp_path: Path, value: str, message: str
) -> None:
    _dist(tmp_path, "broken", f"broken = {value}")
    used = _mitool(tmp_path, "train", "broken", "--n", "3")
    assert used.returncode == 2
    assert message in used.stderr
    assert "Traceback" not in used.stderr
    for command in (["tasks"], ["train", "--help"]):
        listed = _mitool(tmp_path, *command)
        assert listed.returncode == 0
        assert "modadd" in listed.stdout
        assert "broken" in listed.stdout + listed.stderr


def _mitool(site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    code = "import sys; from mitool.cli.main import main; sys.argv[1:] = {}; main()"
    return _python(site, code.format(list(arguments)))


def _dist(folder: Path, name: str, entry_point: str) -> None:
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[mitool.tasks]\n{entry_point}\n")
