"""Results show themselves: as text, and in a notebook, with all text escaped."""

import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import plotly.graph_objects as go
import pytest

import mitool
from mitool.api.finding import Finding
from mitool.report import training_report
from tests.api.conftest import HERE

HOSTILE = "<script>alert(1)</script>"


def hostile(run: mitool.Run) -> Finding[Any]:
    """A finding whose every text is from somebody who means harm."""
    task = {"name": HOSTILE, "parameters": {HOSTILE: HOSTILE}}
    claims = {**run.claims, HOSTILE: HOSTILE, "short": "<b>"}
    result = replace(run.result, claims=claims, warnings=(HOSTILE,), subject={"task": task})
    return Finding(result, Path(HOSTILE), HOSTILE, training_report)


def test_a_run_prints_as_text(run: mitool.Run) -> None:
    first, *lines = repr(run).splitlines()
    assert first == "Training of modadd (p = 5, op = add, frac_train = 0.3)"
    assert "  epochs            6" in lines
    assert any(line.startswith("Warning: memorised_at is undefined") for line in lines)
    assert lines[-1] == "figures: loss, accuracy, weight_norms"


def test_html_has_claims_and_no_script_and_is_light(run: mitool.Run) -> None:
    shown = run._repr_html_()
    assert "<script" not in shown
    assert "train_accuracy" in shown
    assert "<code>loss</code>" in shown
    assert len(shown) < 20_000


def test_all_text_in_html_is_escaped(run: mitool.Run) -> None:
    finding = hostile(run)
    for shown in (finding._repr_html_(), finding.page()._repr_html_()):
        assert HOSTILE not in shown
        assert "&lt;script&gt;alert(1)" in shown or "&amp;lt;script&amp;gt;alert(1)" in shown
    assert '<td class="text" title="&lt;b&gt;">&lt;b&gt;</td>' in finding._repr_html_()


def test_the_text_of_a_model_is_escaped(tmp_path: Path, run: mitool.Run) -> None:
    folder = tmp_path / "<b>run"
    folder.mkdir()
    (folder / "ckpt.safetensors").write_bytes((run.folder / "ckpt.safetensors").read_bytes())
    shown = mitool.load(folder)._repr_html_()
    assert "&lt;b&gt;run" in shown
    assert "<b>" not in shown


def test_a_page_shows_in_a_frame_of_its_own(run: mitool.Run) -> None:
    shown = run.page()._repr_html_()
    assert shown.startswith('<iframe srcdoc="&lt;!DOCTYPE html&gt;')
    assert shown.count('"') == 4  # those of its two attributes
    assert run.page().html == (run.folder / "report.html").read_text()
    assert repr(run.page()).endswith("3 figures)")


def test_figures_are_plotlys_with_titles(run: mitool.Run) -> None:
    assert list(run.figures) == ["loss", "accuracy", "weight_norms"]
    assert isinstance(run.figures["loss"], go.Figure)
    assert run.figures["loss"].layout.title.text == "Train and test loss"


def test_a_notebook_displays_the_claims_and_then_the_first_figures(
    run: mitool.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    displayed: list[Any] = []
    module = ModuleType("IPython.display")
    module.__dict__["display"] = lambda shown, raw=False: displayed.append(shown)
    monkeypatch.setitem(sys.modules, "IPython", ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    run.fourier(**HERE)._ipython_display_()
    first, *figures = displayed
    assert first.keys() == {"text/html", "text/plain"}
    assert [type(figure) for figure in figures] == [go.Figure] * 4


def test_the_tasks_are_listed_with_what_they_take() -> None:
    tasks = mitool.list_tasks()
    assert tasks["modadd"].name == "modadd"
    assert "(p=113, op='add', frac_train=0.3)" in repr(tasks)
    assert "modadd</th>" in tasks._repr_html_()
    with pytest.raises(KeyError):
        tasks["modad"]
