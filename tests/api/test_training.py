"""Trainings from Python leave what the command leaves, and are refused as it refuses them."""

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mitool
from mitool.tasks.modadd import ModAdd
from mitool.training.transformers import TransformerLearner
from tests.api.conftest import HERE, TINY, files_of, without_times
from tests.cli.conftest import QUICK, Invoke

TIMED = {"seconds_training", "steps_per_second"}


def test_a_run_has_the_bits_and_files_of_the_command(invoke: Invoke) -> None:
    done = invoke("train", "modadd", *QUICK, "--threads", "1", "-o", "cli/run", "--json")
    run = mitool.train("modadd", out="api/run", **TINY, **HERE)
    theirs, ours = files_of(Path("cli/run")), files_of(run.folder)
    assert ours.keys() == theirs.keys()
    assert ours["ckpt.safetensors"] == theirs["ckpt.safetensors"]
    envelope = json.loads(ours["result.json"])
    reference = json.loads(done.stdout.replace("cli/run", "api/run"))
    assert reference.pop("checks") == []  # which are the command line's
    for document in (envelope, reference):
        for name in TIMED:
            del document["claims"][name]
    assert without_times(envelope) == without_times(reference)
    assert len(run.history) == len(theirs["metrics.jsonl"].splitlines())
    again = "mitool.train(&#39;modadd&#39;, threads=1, p=5, epochs=6, d_model=8, n_heads=2)"
    assert again in ours["report.html"].decode()


def test_a_task_can_be_given_as_its_class_or_as_one_of_its_instances(
    run: mitool.Run, tmp_path: Path
) -> None:
    settings = {name: value for name, value in TINY.items() if name != "p"}
    given = [("class", ModAdd, TINY), ("instance", ModAdd(p=5), settings)]
    for name, task, values in given:
        other = mitool.train(task, out=tmp_path / name, **values, **HERE)
        assert (other.folder / "ckpt.safetensors").read_bytes() == (
            run.folder / "ckpt.safetensors"
        ).read_bytes()


def test_seeds_are_runs_of_their_own(run: mitool.Run, tmp_path: Path) -> None:
    runs = mitool.train_seeds("modadd", range(2), out=tmp_path / "runs", **TINY, **HERE)
    assert [one.folder.name for one in runs] == ["seed0", "seed1"]
    assert len(runs) == 2
    assert runs[0].claims["test_loss"] == run.claims["test_loss"]
    assert runs.claims["seed0.test_loss"] == run.claims["test_loss"]
    assert (tmp_path / "runs" / "report.html").exists()
    assert runs[1].metadata.seed == 1


BAD: dict[str, tuple[Callable[[], object], str]] = {
    "task": (lambda: mitool.train("modad"), "did you mean 'modadd'"),
    "task of a number": (lambda: mitool.train(3), "expected the name of a task, or a task"),
    "setting": (lambda: mitool.train("modadd", epoch=3), "epoch: no such setting; did you mean"),
    "keyword": (lambda: mitool.train("modadd", overwite=True), "did you mean 'overwrite'"),
    "another task's": (lambda: mitool.train("modadd", digits=3), "digits: no such setting"),
    "range": (lambda: mitool.train("modadd", p=1), "p: expected 2 <= p <= 65536, found 1"),
    "type": (
        lambda: mitool.train("modadd", p="x"),
        "p: expected a whole number, 2 <= p <= 65536, found 'x'",
    ),
    "seed": (lambda: mitool.train("modadd", seed=-1), "seed: expected 0 <= seed"),
    "seed of a text": (lambda: mitool.train("modadd", seed="1"), "found '1'"),
    "split seed": (lambda: mitool.train("modadd", split_seed=2**64), "split_seed: expected"),
    "seeds": (lambda: mitool.train_seeds("modadd", [0, 0]), "expected different seeds"),
    "one seed": (lambda: mitool.train_seeds("modadd", 3), "such as range(3), found 3"),
    "formats": (lambda: mitool.train("modadd", formats="pdf"), "`formats`: expected some of html"),
    "both": (
        lambda: mitool.train("modadd", resume=True, overwrite=True),
        "`overwrite=True` and `resume=True` exclude each other",
    ),
    "batch size": (lambda: mitool.train("min", k=9), "examples per step with `batch_size`"),
    "device": (lambda: mitool.train("modadd", device="tpu"), "cuda:INDEX"),
    "threads": (lambda: mitool.train("modadd", threads="two"), "found 'two'"),
    "no folder": (lambda: mitool.train("modadd", out=""), "expected a path, found ''"),
    "no path": (lambda: mitool.train("modadd", out=3), "expected a path, found 3"),
    "no command": (lambda: mitool.sweep(["train"], {"p": 5}), "such as 'train modadd'"),
    "experiment": (lambda: mitool.superpose("intr"), "did you mean 'intro'"),
    "their setting": (lambda: mitool.superpose("intro", step=3), "did you mean 'steps'"),
    "preset": (lambda: mitool.monosemanticity("LR9"), "no preset named 'LR9'"),
    "scale": (lambda: mitool.monosemanticity("LR1", scale="huge"), "one of published, small"),
    "swept": (
        lambda: mitool.monosemanticity("LR1", sweep={"rate": [1]}),
        "rate: no such setting",
    ),
    "planted": (lambda: mitool.plant("inducton"), "did you mean 'induction'"),
    "command": (lambda: mitool.sweep("train modad", {"p": [5]}), "did you mean 'modadd'"),
    "axis": (lambda: mitool.sweep("train modadd", {"q": [5]}), "has no option --q"),
    "value": (lambda: mitool.sweep("train modadd", {"p": [1]}), "2 <= p <= 65536"),
    "a point twice": (lambda: mitool.sweep("train modadd", {"p": [5, 5]}), "the value '5' twice"),
    "no values": (lambda: mitool.sweep("train modadd", {"p": []}), "the axis p has no values"),
    "a grid of None": (lambda: mitool.sweep("train modadd", {"p": None}), "expected a number"),
}


@pytest.mark.parametrize("name", BAD)
def test_wrong_usage_is_a_usage_error_and_writes_nothing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    call, message = BAD[name]
    with pytest.raises(mitool.UsageError) as raised:
        call()
    assert message in str(raised.value)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_a_run_is_refused_in_words_of_python(run: mitool.Run) -> None:
    before = files_of(run.folder)
    with pytest.raises(mitool.UsageError) as raised:
        mitool.train("modadd", out=run.folder, **TINY, **HERE)
    assert str(raised.value) == (
        f"{run.folder}: already holds a run; go on with `resume=True`, replace it with "
        "`overwrite=True`, or choose another `out`"
    )
    assert files_of(run.folder) == before


def test_an_interrupt_saves_and_resuming_gives_the_same_bits(
    run: mitool.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate = TransformerLearner.evaluate

    def interrupted(self: TransformerLearner, *done: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        return evaluate(self, *done)

    with monkeypatch.context() as patched:
        patched.setattr(TransformerLearner, "evaluate", interrupted)
        with pytest.raises(KeyboardInterrupt, match="the same again with `resume=True` goes on"):
            mitool.train("modadd", out=tmp_path / "run", **TINY, **HERE)
    assert not (tmp_path / "run" / "report.html").exists()
    resumed = mitool.train("modadd", out=tmp_path / "run", resume=True, **TINY, **HERE)
    weights = (resumed.folder / "ckpt.safetensors").read_bytes()
    assert weights == (run.folder / "ckpt.safetensors").read_bytes()


def test_a_training_shows_that_it_lives(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mitool.train("modadd", out=tmp_path / "shown", **TINY, threads=1)
    shown = capsys.readouterr()
    assert "modadd seed 0: epoch" in shown.err
    mitool.train("modadd", out=tmp_path / "silent", **TINY, **HERE)
    assert (shown.out, capsys.readouterr()) == ("", ("", ""))


def test_numbers_of_numpy_are_numbers(tmp_path: Path) -> None:
    import numpy as np

    values = TINY | {"p": np.int64(5)}
    run = mitool.train("modadd", out=tmp_path / "run", seed=np.int64(2), **values, **HERE)
    assert run.metadata.task.parameters["p"] == 5
    assert run.metadata.seed == 2


def test_a_sweep_runs_its_points(tmp_path: Path) -> None:
    options = " ".join(QUICK)
    found = mitool.sweep(
        f"train modadd {options}", {"seed": range(1)}, out=tmp_path / "sweep", **HERE
    )
    assert found.claims["done"] == 1
    assert found.result.axes == {"seed": (0,)}
    assert {"points.csv", "points.parquet", "report.html", "result.json"} <= files_of(
        found.folder
    ).keys()
