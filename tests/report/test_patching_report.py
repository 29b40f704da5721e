"""The figures and the page of patching, of small models with random weights."""

from dataclasses import replace

import pytest
import torch

from mitool.analysis.patching import PatchResult
from mitool.report import Figure, patching_report, render_page
from mitool.report.figures import label
from mitool.report.grid import Grid
from mitool.report.patching.connections import MOST_NODES
from mitool.report.patching.families import MOST_ROWS
from tests.report.patching import by_name, effect_of, patched, with_columns, with_effects

from .conftest import HOSTILE, Tags
from .test_page import own

HEADS = [f"L{layer}H{head}" for layer in range(2) for head in range(3)]


@pytest.fixture(scope="module")
def swept() -> PatchResult:
    return patched(by_position=True)


@pytest.fixture(scope="module")
def connected() -> PatchResult:
    return patched(paths=["a0.*->a1.h2"], edges=["{input,a0.*,m0}->{a1.*,m1}", "m1->logits"])


def assert_cells(result: PatchResult, figure: Figure, sites: list[list[str]]) -> None:
    """The cells have the effects of these sites, and speak of them."""
    (trace,) = figure.plot.data
    assert [len(row) for row in trace.z] == [len(row) for row in sites]
    for values, texts, names in zip(trace.z, trace.hovertext, sites, strict=True):
        for value, text, site in zip(values, texts, names, strict=True):
            expected = effect_of(result, site)
            assert value == (expected and pytest.approx(expected, rel=1e-3))
            assert text.startswith(f"{label(site)}<br>")


def test_every_family_has_a_heatmap_and_heads_by_position_come_last(swept: PatchResult) -> None:
    heads = ["z", "q", "k", "v", "pattern"]
    assert list(by_name(swept)) == [
        *("resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out"),
        *heads,
        *(f"{head}_by_pos" for head in heads),
        *("top_sites", "pairs"),
    ]
    for figure in by_name(swept).values():
        assert figure.caption.endswith(".")


@pytest.mark.parametrize("name", ["resid_pre", "resid_post", "mlp_out"])
def test_layers_go_down_and_positions_with_their_tokens_across(
    swept: PatchResult, name: str
) -> None:
    figure = by_name(swept)[name]
    sites = [[f"{name}.L{layer}.{p}" for p in ("p0", "p1", "p2")] for layer in (0, 1)]
    assert_cells(swept, figure, sites)
    (trace,), layout = figure.plot.data, figure.plot.layout
    assert trace.x == tuple(column.label for column in swept.columns)
    assert trace.x[2] == "p2 ="
    assert trace.y == ("0", "1")
    assert layout.yaxis.autorange == "reversed"
    assert (layout.xaxis.title.text, layout.yaxis.title.text) == ("position", "layer")


def test_heads_are_columns_of_layers_and_rows_of_positions(swept: PatchResult) -> None:
    figure = by_name(swept)["q"]
    assert_cells(swept, figure, [[f"q.L{layer}H{head}" for head in range(3)] for layer in (0, 1)])
    assert figure.plot.layout.xaxis.title.text == "head"
    figure = by_name(swept)["v_by_pos"]
    assert_cells(swept, figure, [[f"v.{head}.p{p}" for p in range(3)] for head in HEADS])
    assert figure.plot.data[0].y == tuple(HEADS)


def test_keys_and_values_that_heads_share_are_called_so(swept: PatchResult) -> None:
    families = [
        replace(family, mark="KV") if family.activation in ("k", "v") else family
        for family in swept.plan.families
    ]
    figures = by_name(replace(swept, plan=replace(swept.plan, families=families)))
    assert figures["v_by_pos"].plot.data[0].y[:2] == ("L0KV0", "L0KV1")
    assert figures["k"].plot.layout.xaxis.title.text == "key/value head"
    assert figures["v_by_pos"].plot.layout.yaxis.title.text == "key/value head"
    assert figures["z"].plot.layout.xaxis.title.text == "head"


def test_what_is_the_same_in_both_runs_is_blank_and_says_so(swept: PatchResult) -> None:
    """The answer's place has one token in all inputs, and nothing else is in the first stream."""
    figure = by_name(swept)["resid_pre"]
    (trace,) = figure.plot.data
    assert [[value is None for value in row] for row in trace.z] == [
        [False, False, True],
        [False] * 3,
    ]
    assert "the same in both runs" in trace.hovertext[0][2]
    assert "Grey cells: the same in both runs, in every pair." in figure.caption
    assert figure.caption.endswith(
        " On pointing at a cell: 95 % bootstrap intervals over the pairs."
    )
    assert "Grey" not in by_name(swept)["resid_post"].caption


def test_pointing_at_a_cell_tells_effect_interval_and_metric(swept: PatchResult) -> None:
    effects = swept.effects["z"]
    (trace,) = by_name(swept)["z"].plot.data
    lines = trace.hovertext[1][0].split("<br>")
    assert lines == [
        "z.L1H0",
        f"effect {effects.effect[3]:.4g}",
        f"95 % interval {effects.low[3]:.4g} to {effects.high[3]:.4g}",
        f"logit difference {effects.patched[3]:.4g}",
    ]


@pytest.mark.parametrize(("size", "ends"), [(0.4, 1.0), (1.5, 1.5), (7.0, 2.0)])
def test_families_share_a_scale_that_one_outlier_does_not_wash_out(
    swept: PatchResult, size: float, ends: float
) -> None:
    result = swept
    for name, effects in swept.effects.items():
        result = with_effects(result, name, effect=0.2 * effects.effect)
    z = 0.2 * swept.effects["z"].effect
    z[2] = -size
    figures = by_name(with_effects(result, "z", effect=z))
    for name in swept.effects:
        (trace,) = figures[name].plot.data
        assert (trace.zmin, trace.zmid, trace.zmax) == pytest.approx((-ends, 0, ends))
        is_said = "Colours end at ±2; the largest effect has a size of 7." in figures[name].caption
        assert is_said == (size > ends)
    assert figures["z"].plot.data[0].z[0][2] == -size


def test_labels_of_tokens_are_text_and_columns_are_explained(swept: PatchResult) -> None:
    hostile = with_columns(swept, [("before", ""), ("d+0", "<b>&"), ("end", HOSTILE[0])])
    figure = by_name(hostile)["resid_post"]
    (trace,) = figure.plot.data
    assert trace.x[:2] == ("before", "d+0 &lt;b&gt;&amp;")
    assert trace.x[2].startswith("end &lt;script&gt;")
    assert (
        "Texts differ in length: before is all before the first token that differs, d+0 counted "
        "from that token, end counted back from the last token."
    ) in figure.caption
    pages = [Tags(own(render_page(patching_report(result)))) for result in (swept, hostile)]
    assert len(pages[0].tags) == len(pages[1].tags)
    assert "Texts differ in length" not in by_name(swept)["resid_post"].caption
    assert "Texts differ in length" not in by_name(hostile)["z"].caption


def test_of_many_heads_those_with_the_largest_effects_are_drawn() -> None:
    values = torch.zeros(60, 2)
    values[5:55, 1] = torch.arange(1, 51)
    values[7, 0] = torch.nan
    rows, columns = [f"row {i}" for i in range(60)], ["a", "b"]
    grid = Grid(values, "x", "y", columns, rows, [[f"{r} {c}" for c in columns] for r in rows])
    kept = grid.with_largest(MOST_ROWS, MOST_NODES)
    assert kept.y == rows[7:55]
    assert kept.x == columns
    assert kept.hover[0] == ["row 7 a", "row 7 b"]
    torch.testing.assert_close(kept.values, values[7:55], equal_nan=True)


def test_top_sites_are_sorted_components_with_their_intervals(swept: PatchResult) -> None:
    figure = by_name(swept)["top_sites"]
    bars, lines = figure.plot.data
    sizes = [abs(value) for value in bars.x]
    assert sizes == sorted(sizes, reverse=True)
    assert len(sizes) == 20
    assert (
        bars.y[0]
        == swept.claims["top_site"]
        == swept.effects[swept.top.family].sites[swept.top.index]
    )
    assert bars.x[0] == pytest.approx(swept.claims["top_effect"], rel=1e-3)
    assert list(lines.x[:2]) == pytest.approx(swept.claims["top_effect_ci"])
    assert lines.y[::3] == bars.y
    assert not [site for site in bars.y if site.startswith("resid")]
    assert "The residual stream is left out" in figure.caption
    only = by_name(patched(sites=["resid_post"]))["top_sites"]
    assert set(only.plot.data[0].y) <= {f"resid_post.L{i}.p{p}" for i in (0, 1) for p in range(3)}


def test_a_bar_whose_interval_is_not_known_has_none(swept: PatchResult) -> None:
    top = swept.top
    low = swept.effects[top.family].low.clone()
    low[top.index] = torch.nan
    figures = by_name(with_effects(swept, top.family, low=low))
    bars, lines = figures["top_sites"].plot.data
    assert bars.y[0] == swept.claims["top_site"]
    assert set(bars.y) - set(lines.y) == {swept.claims["top_site"]}
    assert "interval" not in bars.hovertext[0]


def test_pairs_stand_in_the_order_of_their_clean_metric(swept: PatchResult) -> None:
    top, corrupted, clean = by_name(swept)["pairs"].plot.data
    order = swept.measured.clean.argsort()
    for trace, values in (
        (clean, swept.measured.clean),
        (corrupted, swept.measured.corrupted),
        (top, swept.measured.values[swept.top.family][swept.top.index]),
    ):
        assert list(trace.y) == pytest.approx(values[order].tolist(), rel=1e-4)
    assert [trace.name for trace in (clean, corrupted, top)] == [
        "clean run",
        "corrupted run",
        f"corrupted run, {swept.claims['top_site']} patched",
    ]


def test_edges_of_several_writers_and_readers_are_a_heatmap(connected: PatchResult) -> None:
    figure = by_name(connected)["edges"]
    (trace,) = figure.plot.data
    readers = [f"L1H{head}<{letter}>" for head in range(3) for letter in "qkv"]
    assert trace.y == ("input", "L0H0", "L0H1", "L0H2", "MLP0", "MLP1")
    assert trace.x == tuple(label(name) for name in [*readers, "MLP1", "logits"])
    for writer, values in zip(trace.y, trace.z, strict=True):
        for reader, value in zip([*readers, "MLP1", "logits"], values, strict=True):
            if (writer == "MLP1") != (reader == "logits"):
                assert value is None
            else:
                effect = effect_of(connected, f"{writer}->{reader}")
                assert value == pytest.approx(effect, rel=1e-3)
    assert trace.hovertext[1][0].startswith("L0H0-&gt;L1H0&lt;q&gt;<br>effect ")
    assert trace.hovertext[0][10] == "not patched"


def test_paths_to_one_reader_are_bars(connected: PatchResult) -> None:
    figure = by_name(connected)["paths"]
    bars, _ = figure.plot.data
    assert bars.type == "bar"
    names = [f"L0H{head}->L1H2" for head in range(3)]
    expected = {label(name): effect_of(connected, name) for name in names}
    assert dict(zip(bars.y, bars.x, strict=True)) == pytest.approx(expected, rel=1e-3)
    assert "What lies between writer and reader stays as it was" in figure.caption


def test_the_summary_says_what_all_edges_do_together(connected: PatchResult) -> None:
    report = patching_report(connected)
    assert report.title.startswith("Patching in min (")
    effect = connected.effects["all_edges"].effect.item()
    assert (
        "; all 51 edges together widen the gap in logit difference between the two runs by "
        f"{-effect:.1%}" in report.summary
    )
    assert list(by_name(connected)) == ["paths", "edges", "pairs"]


@pytest.mark.parametrize(
    ("options", "title", "how"),
    [
        ({}, "Activation patching", "Clean activations are put into the corrupted run"),
        ({"direction": "noise"}, "Activation patching", "Corrupted activations are put into the"),
        ({"ablation": "zero"}, "Zero ablation", "Zeros are put into the clean run"),
        ({"ablation": "mean"}, "Mean ablation", "The mean activation, over the clean inputs"),
        ({"ablation": "mean-positional"}, "Mean ablation", "The mean activation at each position"),
    ],
)
def test_captions_say_what_was_put_where(options: dict[str, str], title: str, how: str) -> None:
    result = patched(sites=["z"], **options)
    report = patching_report(result)
    assert report.title.startswith(f"{title} in min (")
    assert report.figures[0].caption.startswith(how)
    verb = "restores" if result.plan.direction == "denoise" else "takes away"
    assert f"that this {verb}: 1 is" in report.figures[0].caption


@pytest.mark.parametrize("direction", ["denoise", "noise"])
def test_without_a_gap_the_change_of_the_metric_is_drawn(direction: str) -> None:
    result = patched(undefined=True, direction=direction, sites=["z", "resid_post"])
    report = patching_report(result, "mitool patch x")
    assert report.summary.startswith("Effects are undefined: the logit difference is ")
    assert report.summary.endswith(" changes it most.")
    figures = by_name(result)
    base = result.measured.corrupted
    (trace,) = figures["z"].plot.data
    added = result.effects["z"].patched - base.mean()
    assert [value for row in trace.z for value in row] == pytest.approx(added.tolist(), rel=1e-3)
    largest = max(
        (effects.patched - base.mean()).abs().max().item() for effects in result.effects.values()
    )
    assert trace.zmax == -trace.zmin == pytest.approx(largest)
    assert [trace.type for trace in figures["top_sites"].plot.data] == ["bar"]
    assert figures["top_sites"].plot.layout.xaxis.title.text == "change of logit difference"
    assert "interval" not in figures["top_sites"].caption
    assert "undefined" in figures["z"].caption
    still = with_effects(result, "z", patched=base.mean().expand(len(added)))
    assert patching_report(still).summary.endswith("No patch changes it.")


def test_the_page_has_every_figure(swept: PatchResult) -> None:
    report = patching_report(swept, "mitool patch x")
    read = Tags(own(render_page(report)))
    assert read.texts["h1"] == [report.title]
    assert report.summary == swept.conclusion
    places = {div.get("id") for div in read.all("div")}
    assert {f"figure-{figure.name}" for figure in report.figures} <= places
