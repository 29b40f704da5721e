"""Tasks of files that a user names."""

import importlib
import json
import re
import sys
from pathlib import Path

import pytest

import mitool
from mitool import tasks
from mitool.core.config import build
from mitool.core.errors import InputError, UsageError
from mitool.models.subject import load
from mitool.storage import checkpoint
from tests.cli.conftest import Invoke

EXAMPLE = Path(__file__).parents[2] / "examples" / "compare.py"
SOURCE = EXAMPLE.read_text()
OTHER = SOURCE.replace("class Compare(", "class Other(").replace('"compare"', '"other"')
QUICK = ("--format", "html", "--threads", "1", "--quiet", "--json")
SIZES = ("--n-values", "5", "--d-model", "8", "--n-heads", "2", "--epochs", "3")
PATCHED = ("--n-pairs", "8", "--resamples", "100", "--device", "cpu")


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The example, in the folder of the test."""
    monkeypatch.chdir(tmp_path)
    path = Path("mytask.py")
    path.write_text(SOURCE)
    return path


def test_the_example_takes_stable_names_alone() -> None:
    imported = re.findall(r"^ *(?:from (\S+) import|import (\S+))", SOURCE, flags=re.MULTILINE)
    modules = {first or second for first, second in imported}
    assert modules == {"__future__", "typing", "pydantic", "pydantic.dataclasses", "mitool"} | {
        "jaxtyping",
        "torch",
    }
    assert set(re.findall(r"mitool\.([A-Za-z_]+)\b(?!\")", SOURCE)) - {"train"} <= set(
        mitool.STABLE
    )


def test_the_task_of_the_example_is_right() -> None:
    task = build(tasks.get(str(EXAMPLE)), {"n_values": 4})
    examples = task.examples()
    said = {(a, b): target for (a, b, _), (target,) in zip(*map(list, rows(examples)), strict=True)}
    assert said == {(a, b): int(a < b) for a in range(4) for b in range(4)}


def rows(examples: mitool.Examples) -> tuple[list[list[int]], list[list[int]]]:
    return examples.tokens.tolist(), examples.targets.tolist()


@pytest.mark.parametrize("named", ["mytask.py", "./mytask.py:Compare"])
def test_a_task_of_a_file_is_trained_and_studied(invoke: Invoke, file: Path, named: str) -> None:
    trained = invoke("train", named, *SIZES, *QUICK, "-o", "run")
    assert trained.exit_code == 0, trained.stderr
    record = json.loads(trained.stdout)["subject"]["task"]
    assert record["name"] == "compare"
    assert record["file"] == f"{named.partition(':')[0]}:Compare"
    for words in (
        ["patch", "run", *PATCHED],
        ["analyze", "circuit", "run", *PATCHED],
        ["analyze", "attn", "run"],
    ):
        unnamed = invoke(*words, *QUICK, "-o", "unnamed")
        assert unnamed.exit_code == 3
        assert f"is not run unless it is named: give it with --task {record['file']}" in " ".join(
            unnamed.stderr.split()
        )
        done = invoke(*words, *QUICK, "-o", f"found-{'-'.join(words[:2])}", "--task", named)
        assert done.exit_code == 0, done.stderr
        envelope = json.loads(done.stdout)
        assert envelope["subject"]["task"]["file_sha256"] == record["file_sha256"]
        assert not any("has changed" in warning for warning in envelope["warnings"])


def test_what_needs_no_code_runs_none(invoke: Invoke, file: Path) -> None:
    invoke("train", "mytask.py", *SIZES, *QUICK, "-o", "run")
    file.write_text("raise SystemExit('it was run')")
    shown = invoke("inspect", "run", "--json")
    assert shown.exit_code == 0, shown.stderr
    claims = json.loads(shown.stdout)["claims"]
    assert (claims["task"], claims["task_file"]) == ("compare", "mytask.py:Compare")
    gathered = invoke("report", "run", "--json")
    assert gathered.exit_code == 0, gathered.stderr
    missing = json.loads(gathered.stdout)["claims"]["missing"]
    assert "mitool patch run --task mytask.py:Compare" in missing


def test_a_file_that_has_changed_is_warned_of_and_not_trained_on(
    invoke: Invoke, file: Path
) -> None:
    train = ("train", "mytask.py", *SIZES, *QUICK, "-o", "run")
    invoke(*train)
    file.write_text(f"{SOURCE}\n# changed\n")
    studied = invoke("patch", "run", *PATCHED, *QUICK, "--task", "mytask.py")
    assert studied.exit_code == 0, studied.stderr
    warnings = json.loads(studied.stdout)["warnings"]
    assert any("mytask.py:Compare has changed since the model was trained" in w for w in warnings)
    resumed = invoke(*train, "--resume")
    assert resumed.exit_code == 2
    assert "file_sha256 was" in resumed.stderr
    file.write_text(SOURCE)
    Path("moved").mkdir()
    moved = file.rename("moved/elsewhere.py")
    again = invoke("train", str(moved), *SIZES, *QUICK, "-o", "run", "--resume")
    assert again.exit_code == 0, again.stderr


def test_a_task_of_a_file_is_swept(invoke: Invoke, file: Path) -> None:
    base = "train ./mytask.py --d-model 8 --n-heads 2 --epochs 3"
    sweep = ("sweep", base, "--grid", "n_values=4,5", "-o", "swept", "--quiet", "--threads", "1")
    done = invoke(*sweep, "--json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["claims"]["done"] == 2
    for n in (4, 5):
        task = checkpoint.load(Path(f"swept/points/n_values{n}"))[1].task
        assert (task.name, task.parameters["n_values"]) == ("compare", n)
        assert task.file == f"{file.absolute()}:Compare"
    patched = invoke(*("patch", "swept/points/n_values4", *PATCHED, *QUICK, "--task", "mytask.py"))
    assert patched.exit_code == 0, patched.stderr
    file.write_text(f"{SOURCE}\n# changed\n")
    resumed = invoke(*sweep, "--resume", "--grid", "seed=0:2")
    assert resumed.exit_code == 2
    assert "task_sha256 was" in resumed.stderr


def test_a_task_of_a_file_is_used_from_python(file: Path) -> None:
    here = {"threads": 1, "progress": False}
    small = {"n_values": 5, "d_model": 8, "n_heads": 2, "epochs": 3}
    run = mitool.train(file, out="run", **small, **here)
    patched = run.patch(n_pairs=8, resamples=100, **here)
    assert patched.claims["n_pairs"] == 8
    with pytest.raises(mitool.InputError, match=r"give it with `task` mytask.py:Compare"):
        mitool.load("run")
    for task in ("mytask.py", file, "./mytask.py:Compare", type(run.task)):
        model = mitool.load("run", task=task)
        assert model.task == run.task
    again = mitool.load("run", task="mytask.py").patch(n_pairs=8, resamples=100, **here)
    assert again.claims == patched.claims
    page = again.page().html
    assert "mitool.load(&#39;run&#39;, task=&#39;mytask.py:Compare&#39;)" in page
    seeds = mitool.train_seeds("mytask.py", range(2), out="seeds", **small, **here)
    assert [one.task.n_examples for one in seeds] == [25, 25]


def test_a_class_that_was_imported_is_found_again_by_its_file(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(".")
    file.rename("imported_task.py")
    Compare = importlib.import_module("imported_task").Compare

    run = mitool.train(Compare, n_values=4, d_model=8, epochs=2, out="run", progress=False)
    record = run.metadata.task
    assert record.file == "imported_task.py:Compare"
    model = mitool.load("run", task=record.file)
    assert model.subject.notes == ()
    assert model.task.vocabulary == run.task.vocabulary
    del sys.modules["imported_task"]


def test_a_checkpoint_of_a_file_goes_to_a_bridge_and_back(invoke: Invoke, file: Path) -> None:
    invoke("train", "mytask.py", *SIZES, *QUICK, "-o", "run")
    to = ("convert", "run", "--to", "bridge", "-o", "bridge.safetensors", "--quiet")
    assert invoke(*to).exit_code == 3
    assert invoke(*to, "--task", "mytask.py", "--n-values", "7").exit_code == 2
    assert invoke(*to, "--task", "mytask.py").exit_code == 0
    back = ("convert", "bridge.safetensors", "--task", "mytask.py", "--n-values", "5")
    done = invoke(*back, "-o", "back.safetensors", "--quiet")
    assert done.exit_code == 0, done.stderr
    found = load("back.safetensors", tasks.get("mytask.py")).metadata.task
    assert (found.file, found.parameters["n_values"]) == ("mytask.py:Compare", 5)


BROKEN = {
    "no task": ("x = 1", "expected a task, a subclass of mitool.Task, found none", 3),
    "several": (
        f"{SOURCE}\n{OTHER[OTHER.index('@dataclass') :]}",
        "expected one task, found Compare, Other; name one of them, such as mytask.py:Compare",
        2,
    ),
    "an error": ("x = 1\nint('three')", "mytask.py, line 2: does not run: ValueError: invalid", 3),
    "its own exit": ("import sys\nsys.exit(7)", "line 2: does not run: SystemExit: 7", 3),
    "no Python": ("x = (", "mytask.py, line 1: does not run: SyntaxError", 3),
    "a built-in's name": (
        SOURCE.replace('"compare"', '"modadd"'),
        "its task has the name 'modadd', which is that of an installed one",
        3,
    ),
    "no dataclass": (SOURCE.replace("@dataclass", "#"), "expected a dataclass, whose fields", 3),
    "no summary": (
        SOURCE.replace("    summary: ", "    about: "),
        "expected a whole task, found none of summary",
        3,
    ),
    "no default": (
        SOURCE.replace("] = 32\n", "]\n"),
        "expected a default for every field, found none for ['n_values']",
        3,
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_file_that_cannot_be_used_is_one_message(invoke: Invoke, file: Path, kind: str) -> None:
    source, said, code = BROKEN[kind]
    file.write_text(source)
    refused = invoke("train", "mytask.py", *SIZES, *QUICK, "-o", "run")
    assert refused.exit_code == code, refused.stderr
    assert said in " ".join(refused.stderr.split())
    assert "Traceback" not in refused.stderr
    assert not Path("run").exists()


def test_debug_shows_the_whole_traceback(invoke: Invoke, file: Path) -> None:
    file.write_text("def f():\n    raise ValueError('deep')\nf()\n")
    shown = invoke("train", "mytask.py", "--debug").stderr
    assert 'File "mytask.py", line 2, in f' in shown
    assert "ValueError: deep" in shown


def test_what_a_file_prints_is_no_result(invoke: Invoke, file: Path) -> None:
    file.write_text(f"{SOURCE}\nprint('hello')\n")
    done = invoke("train", "mytask.py", *SIZES, *QUICK, "-o", "run")
    assert json.loads(done.stdout)["claims"]["epochs"] == 3
    assert "hello" in done.stderr


@pytest.mark.parametrize(
    ("named", "said", "error"),
    [
        ("nowhere.py", "nowhere.py: no such file; expected a Python file with a task", InputError),
        (
            "mytask.py:Compar",
            "expected a task 'Compar', found none; did you mean 'Compare'?",
            UsageError,
        ),
        ("mytask", "no task named 'mytask'", UsageError),
    ],
)
def test_what_names_no_task_is_refused(
    file: Path, named: str, said: str, error: type[Exception]
) -> None:
    with pytest.raises(error, match=re.escape(said)):
        tasks.get(named)


def test_a_task_is_of_its_checkpoint_or_refused(invoke: Invoke, file: Path) -> None:
    Path("other.py").write_text(OTHER)
    invoke("train", "mytask.py", *SIZES, *QUICK, "-o", "run")
    with pytest.raises(InputError, match="trained on the task 'compare', and --task is 'other'"):
        load("run", tasks.get("other.py"))
    with pytest.raises(UsageError, match="is a pretrained model, which has no task"):
        mitool.load("gpt2", task="other.py")


def test_a_checkpoint_of_an_installed_task_says_no_file(invoke: Invoke, file: Path) -> None:
    invoke("train", "modadd", "--p", "3", "--epochs", "2", *QUICK, "-o", "run")
    record = checkpoint.record_of(Path("run/ckpt.safetensors"))["task"]
    assert record.keys() == {"name", "parameters"}
