"""What an analysis finds and saves from Python is what the command finds and writes."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mitool
from tests.analysis.attention.models import tiny_llama
from tests.api.conftest import HERE, files_of, without_times
from tests.cli.conftest import Invoke

THREE: Any = [3]
Call = Callable[[mitool.Model], "mitool.Analysis[Any]"]

SAME: dict[str, tuple[list[str], Call]] = {
    "fourier": (
        ["analyze", "fourier", "MODEL", "--threshold", "0.02", "--checkpoints", "all"],
        lambda model: model.fourier(threshold=0.02, checkpoints="all", **HERE),
    ),
    "attn": (
        ["analyze", "attn", "MODEL", "--prompt", "3 4 =", "--prompt", "1 2 ="],
        lambda model: model.attention(prompts=["3 4 =", "1 2 ="], **HERE),
    ),
    "patch": (
        ["patch", "MODEL", "--site", "resid_post", "--n-pairs", "6", "--ablation", "zero"],
        lambda model: model.patch(sites="resid_post", n_pairs=6, ablation="zero", **HERE),
    ),
    "circuit": (
        [
            *("analyze", "circuit", "MODEL", "--method", "exact", "--edges", "4"),
            *("--n-pairs", "6", "--random-circuits", "1"),
        ],
        lambda model: model.circuit(method="exact", edges=4, n_pairs=6, random_circuits=1, **HERE),
    ),
}


@pytest.mark.parametrize("name", SAME)
def test_an_analysis_finds_and_saves_what_the_command_does(
    run: mitool.Run, invoke: Invoke, name: str
) -> None:
    typed, call = SAME[name]
    command = [word.replace("MODEL", str(run.folder)) for word in typed]
    done = invoke(*command, "--threads", "1", "--format", "html", "--json", "-o", "cli")
    assert done.exit_code == 0, done.stderr
    found = call(mitool.load(run.folder))
    document = json.loads(done.stdout)
    assert found.claims == document["claims"]
    assert list(found.warnings) == document["warnings"]
    assert found.folder == run.folder / name
    assert found.save("api") == found.folder == Path("api")
    theirs, ours = files_of(Path("cli")), files_of(Path("api"))
    assert ours.keys() == theirs.keys()
    assert _same(ours) == _same(theirs)


def _same(written: dict[str, bytes]) -> dict[str, object]:
    """The files less what differs between two times: seconds, paths and what was typed."""
    found: dict[str, object] = dict(written)
    document = json.loads(written["result.json"])
    names = [Path(path).name for path in document.pop("artifacts")]
    found["result.json"] = without_times(document) | {"names": names}
    page = written["report.html"].decode()
    found["report.html"] = re.sub(r"<pre><code>.*?</code></pre>", "", page, flags=re.DOTALL)
    return found


def test_the_report_says_how_to_have_the_same_again(run: mitool.Run, tmp_path: Path) -> None:
    found = mitool.load(run.folder).patch(sites=["z"], n_pairs=3, seed=2, **HERE)
    page = found.page().html
    asked = "sites=(&#39;z&#39;,), seed=2, threads=1, n_pairs=3)</code>"
    assert f"mitool.load(&#39;{run.folder}&#39;).patch({asked}" in page


def test_the_same_again_is_where_it_was_computed_too(run: mitool.Run) -> None:
    model = mitool.load(run.folder)
    found = model.patch(sites=["z"], n_pairs=3, device="cpu", dtype="float64", **HERE)
    again = "patch(sites=('z',), device='cpu', dtype='float64', threads=1, n_pairs=3)"
    assert again in found.page().html.replace("&#39;", "'")
    circuit = model.circuit(n_pairs=3, dtype="float64", random_circuits=1, progress=False)
    again = "circuit(dtype='float64', n_pairs=3, random_circuits=1)"
    assert again in circuit.page().html.replace("&#39;", "'")


def test_a_folder_without_a_name_is_refused(
    run: mitool.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = run.attention(prompts="3 4 =", **HERE)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(mitool.UsageError, match="expected a path, found ''"):
        found.save("")
    assert list(tmp_path.iterdir()) == []


def test_settings_can_be_given_as_an_object_with_single_ones_changed(run: mitool.Run) -> None:
    settings = mitool.FourierSettings(threshold=0.02, neuron_threshold=0.5)
    found = run.fourier(settings, neuron_threshold=0.1, **HERE)
    assert found.result.config["threshold"] == 0.02
    assert found.result.config["neuron_threshold"] == 0.1


def test_a_result_that_is_there_is_not_replaced_unasked(run: mitool.Run, tmp_path: Path) -> None:
    found = run.attention(prompts="3 4 =", **HERE)
    found.save(tmp_path / "attn")
    with pytest.raises(mitool.UsageError, match="already holds a result; replace it with `over"):
        found.save(tmp_path / "attn")
    assert found.save(tmp_path / "attn", overwrite=True) == tmp_path / "attn"


BAD: dict[str, tuple[Call, str]] = {
    "setting": (lambda m: m.fourier(thresold=0.1), "did you mean 'threshold'? known: neuron_"),
    "range": (lambda m: m.fourier(threshold=2), "expected 0 < threshold < 1, found 2"),
    "settings": (lambda m: m.fourier(0.1), "settings: expected FourierSettings, found 0.1"),
    "of another": (lambda m: m.patch(mitool.CircuitSettings()), "expected PatchSettings"),
    "checkpoints": (lambda m: m.fourier(checkpoints="some"), "one of last, all, found 'some'"),
    "a token": (lambda m: m.attention(prompts="3 x ="), "found 'x'"),
    "prompts": (lambda m: m.attention(prompts=THREE), "prompts: expected texts, found 3"),
    "site": (lambda m: m.patch(sites="zz"), "`sites`"),
    "between": (lambda m: m.patch(between="mlps"), "`between` says what becomes of"),
    "sizes": (lambda m: m.circuit(edges=3, fraction=0.5), "expected one of them"),
    "task": (lambda m: m.circuit(task="ioi"), "`task` ioi makes texts for a pretrained model"),
    "threads": (lambda m: m.fourier(threads=0), "threads: expected 1 to"),
}


@pytest.mark.parametrize("name", BAD)
def test_wrong_usage_is_a_usage_error(run: mitool.Run, name: str) -> None:
    call, message = BAD[name]
    with pytest.raises(mitool.UsageError) as raised:
        call(run)
    assert message in str(raised.value)


def test_a_pretrained_model_is_looked_into_and_has_no_task(tmp_path: Path) -> None:
    model = mitool.load(tiny_llama(tmp_path / "llama"))
    found = model.attention(prompts=["The girl was happy."], **HERE)
    assert found.result.config["prompts"] == ["The girl was happy."]
    assert "llama; n_layers" in repr(model)
    for ask in (lambda: model.task, lambda: model.checkpoints, lambda: model.fourier(**HERE)):
        with pytest.raises(mitool.InputError, match="found a pretrained model"):
            ask()
