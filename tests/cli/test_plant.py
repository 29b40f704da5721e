"""``mitool plant`` by its command line."""

import json
from pathlib import Path

from mitool import planted
from tests.cli.conftest import Invoke


def test_a_planted_run_is_a_run_like_any_other(invoke: Invoke) -> None:
    done = invoke("plant", "and", "-o", "run", "--json", "--check", "n_true_edges == 5")
    assert done.exit_code == 0, done.stderr
    document = json.loads(done.stdout)
    (check,) = document.pop("checks")
    assert check["met"]
    assert document == json.loads(Path("run/result.json").read_text())
    assert document["claims"]["truth"] == list(planted.plant("and").truth)
    assert document["claims"]["n_edges"] == 110
    names = ["ckpt.safetensors", "pairs.csv", "truth.txt"]
    assert [Path(path).name for path in document["artifacts"]] == names
    shown = invoke("inspect", "run")
    assert shown.exit_code == 0
    assert "gate" in shown.stdout
    assert invoke("analyze", "attn", "run", "--format", "html").exit_code == 0
    edges = [word for edge in planted.plant("and").truth for word in ("--edge", edge)]
    noise = ("--direction", "noise", "--pairs", "run/pairs.csv", "--format", "html")
    patched = invoke("patch", "run", *edges, *noise, "--check", "all_edges_effect > 0.999")
    assert patched.exit_code == 0, patched.stderr
    assert invoke("patch", "run", "--format", "html", "-o", "own-pairs").exit_code == 0


def test_models_are_listed(invoke: Invoke) -> None:
    for arguments in ([], ["--list"]):
        done = invoke("plant", *arguments)
        assert done.exit_code == 0
        lines = [line.split()[0] for line in done.stdout.splitlines() if line[:1].strip()]
        assert tuple(lines[1:]) == planted.NAMES
    listed = json.loads(invoke("plant", "--json").stdout)
    assert tuple(listed["claims"]["models"]) == planted.NAMES
    assert listed["subject"]["models"]["copy"]["truth"] == list(planted.plant("copy").truth)


def test_what_is_there_is_not_replaced_silently(invoke: Invoke) -> None:
    assert invoke("plant", "copy").exit_code == 0
    refused = invoke("plant", "copy")
    assert refused.exit_code == 2
    assert "replace it with --overwrite" in refused.stderr
    assert invoke("plant", "copy", "--overwrite").exit_code == 0
    mine = Path("mine/pairs.csv")
    mine.parent.mkdir()
    mine.write_text("mine")
    for option in ([], ["--overwrite"]):
        refused = invoke("plant", "copy", "-o", "mine", *option)
        assert refused.exit_code == 2
        assert "was not written by mitool plant" in refused.stderr
    assert [path.name for path in mine.parent.iterdir()] == ["pairs.csv"]
    assert mine.read_text() == "mine"


def test_an_unknown_model_is_answered_with_the_nearest(invoke: Invoke) -> None:
    done = invoke("plant", "indction")
    assert done.exit_code == 2
    assert "did you mean 'induction'? known: and, backup, copy" in done.stderr
    assert not any(Path().iterdir())
