import base64
import hashlib
import json
import re
from typing import Any

import pytest
from plotly.offline import get_plotlyjs

from mitool.report import Figure, Report, render_page, training_report
from mitool.report.figures import add_line, new_plot
from mitool.training import SeedsResult, TrainResult

from .conftest import HOSTILE, Tags, a_figure, a_result, make_run


def own(page: str) -> str:
    """The page less plotly, whose code speaks of URLs that it never opens here."""
    return page.replace(get_plotlyjs(), "")


def plots(page: str) -> list[Any]:
    found = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', own(page), re.S)
    return [json.loads(text) for text in found]


def hostile_everywhere(text: str) -> Report:
    plot = new_plot(text, text)
    add_line(plot, text, [0, 1], [1.0, 2.0])
    return Report(
        title=text,
        summary=text,
        result=a_result(
            {text: text, "list": [text]},
            config={text: text, "nested": {text: {text: text}}, "list": [{text: text}]},
            warnings=(text,),
        ),
        figures=[Figure("hostile", text, text, plot)],
        command=text,
        version=text,
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_becomes_a_tag(text: str) -> None:
    report = hostile_everywhere(text)
    harmless = Tags(own(render_page(hostile_everywhere("x"))))
    read = Tags(own(render_page(report)))
    assert {tag for tag, _ in read.tags} == {tag for tag, _ in harmless.tags}
    assert len(read.all("script")) == 3
    assert not [a for _, attributes in read.tags for a in attributes if a.startswith("on")]
    assert read.texts["h1"] == read.texts["figcaption"] == read.texts["li"] == [text]
    assert read.texts["code"] == [text]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_label_of_a_plot_becomes_a_tag(text: str) -> None:
    plot = new_plot("epoch", "loss")
    # a label that its author forgot to escape
    plot.add_scatter(x=[0], y=[1], name=text, text=[text])
    page = render_page(Report("t", "s", a_result(), [Figure("curve", "t", "c", plot)]))
    scripts = re.findall(r"<script[^>]*>", own(page))
    assert scripts == [
        '<script type="application/json" id="figure-curve-data">',
        "<script>",
        "<script>",
    ]
    assert plots(page)[0]["data"][0]["name"] == text


def test_a_hostile_task_is_harmless(run: TrainResult) -> None:
    subject = {**run.subject, "task": {"name": HOSTILE[1], "parameters": {"p": HOSTILE[3]}}}
    result = make_run(run.folder)
    object.__setattr__(result, "subject", subject)
    read = Tags(own(render_page(training_report(result))))
    assert read.texts["h1"] == [f"Training of {HOSTILE[1]} (p = {HOSTILE[3]})"]
    assert not read.all("img")


def test_plotly_is_inlined_once() -> None:
    page = render_page(Report("t", "s", a_result(), [a_figure("a"), a_figure("b")]))
    assert page.count(get_plotlyjs()) == 1
    assert "</script" not in get_plotlyjs()


def test_a_page_without_figures_carries_no_scripts() -> None:
    assert "<script" not in render_page(Report("t", "s", a_result(), []))


def test_the_page_asks_for_nothing(run: TrainResult) -> None:
    page = own(render_page(training_report(run, "mitool train modadd")))
    for request in ("src=", "href=", "@import", "url(", "fetch(", "XMLHttpRequest", "http"):
        assert request not in page.replace("http-equiv", "")


def test_the_page_forbids_itself_all_but_its_own_scripts() -> None:
    page = render_page(Report("t", "s", a_result(), [a_figure()]))
    policy = next(a["content"] for a in Tags(own(page)).all("meta") if "http-equiv" in a)
    assert policy is not None
    assert "default-src 'none'" in policy
    scripts = re.findall(r"<script>(.*?)</script>", page, re.S)
    assert len(scripts) == 2
    for script in scripts:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy


def test_the_page_shows_the_whole_result(run: TrainResult) -> None:
    report = training_report(run, "mitool train modadd --seed 0")
    page = own(render_page(report))
    read = Tags(page)
    assert read.texts["h1"] == ["Training of modadd (p = 113)"]
    assert set(run.claims) <= set(read.texts["th"])
    assert {a["id"] for a in read.all("div") if "id" in a} == {
        f"figure-{figure.name}" for figure in report.figures
    }
    assert [f.caption for f in report.figures] == read.texts["figcaption"]
    assert {"n_heads", "weight_decay", "split_seed"} <= set(read.texts["th"])
    assert {"model", "training", "task.parameters"} <= set(read.texts["h3"])
    assert read.texts["code"] == ["mitool train modadd --seed 0"]
    assert {"title": str(run.claims["seconds_training"]), "class": "number"} in read.all("td")


def test_what_the_settings_say_the_subject_does_not_repeat(run: TrainResult) -> None:
    assert Tags(own(render_page(training_report(run)))).texts["h3"].count("task") == 1


def test_an_undefined_claim_is_said_to_be(run: TrainResult) -> None:
    short = make_run(run.folder, last=1000)
    read = Tags(own(render_page(training_report(short))))
    assert "undefined" in read.texts["td"]
    assert read.texts["li"] == ["grokked_at is undefined"]


def test_claims_of_seeds_stand_abreast(seeds: SeedsResult) -> None:
    headings = Tags(own(render_page(training_report(seeds)))).texts["th"]
    assert headings[:4] == ["seed0", "seed1", "seed2", "epochs"]


def test_plots_are_embedded_whole(run: TrainResult) -> None:
    report = training_report(run)
    for figure, plot in zip(report.figures, plots(render_page(report)), strict=True):
        assert plot == json.loads(figure.plot.to_json())


def test_text_that_is_no_utf8_can_be_written() -> None:
    report = Report("run\udcff", "s", a_result({"path": "a\udcff"}), [a_figure(title="\udcff")])
    assert "run?" in render_page(report).encode().decode()


def test_the_same_result_gives_the_same_page(run: TrainResult) -> None:
    assert render_page(training_report(run)) == render_page(training_report(run))


def test_figures_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="different names, found a, a"):
        Report("t", "s", a_result(), [a_figure("a"), a_figure("a")])
