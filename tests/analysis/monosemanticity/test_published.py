"""The published table and what it found, in the smaller runs that two cores train in minutes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mitool.analysis.monosemanticity import engineer_monosemanticity
from mitool.core.device import Device, resolve
from mitool.settings.monosemanticity import PRESETS, SCALES
from mitool.training.monosemanticity import MonosemanticityConfig

# of Jermyn et al. 2022, table 1, but for N = 512, m = 64 and what is swept
TABLE = """
LR1 decoder relu equal     1024 1/64  -    0    0  0
LR2 decoder relu power-law 1024 1/64  -    0    0  0
LR3 decoder relu equal     1024 1/64  -    .03  -1 0
LR4 decoder relu power-law 1024 1/64  -    .03  -1 0
LR5 abs     relu equal     2048 1/64  -    .03  -1 0
B1  decoder relu equal     1024 1/16  .003 .03  -  0
B2  decoder relu equal     1024 1/32  .003 .003 -  0
B3  decoder relu equal     1024 1/64  .003 .003 -  0
B4  decoder relu equal     1024 1/128 .003 .003 -  0
B5  decoder relu equal     1024 1/256 .003 .003 -  0
B6  decoder gelu equal     1024 1/64  -    .03  -  0
E1  decoder relu equal     1024 -     .003 .03  -1 0
E2  decoder relu equal     1024 -     .003 .01  -1 0
E3  decoder relu equal     1024 -     .003 .003 -1 0
E4  decoder relu equal     1024 -     .003 .001 -1 0
K0  decoder relu equal     -    1/64  .007 0    0  0
K1  decoder relu equal     -    1/64  .007 .03  -1 0
K2  decoder relu power-law -    1/64  .007 .03  -1 0
RG1 decoder relu equal     1024 1/64  .005 .03  -1 -
RP1 reproject relu equal   1024 1/64  -    .03  -1 0
D1  abs     relu equal     2048 1/64  .007 -    -1 0
"""
COLUMNS = (
    *("task", "activation", "sample_kind", "k", "eps", "learning_rate", "decay"),
    *("initial_bias", "reg"),
)


def number(text: str) -> float | str:
    top, _, bottom = text.partition("/")
    try:
        return float(top) / float(bottom or 1)
    except ValueError:
        return text


def test_presets_are_the_published_table() -> None:
    rows = [line.split() for line in TABLE.strip().splitlines()]
    assert [name for name, *_ in rows] == list(PRESETS)
    for name, *cells in rows:
        settings, axes = PRESETS[name].settings, PRESETS[name].axes
        assert (settings.N, settings.m) == (512, 64)
        assert (settings.steps, settings.batch_size) == (2**17, 2**13)
        stated = dict(zip(COLUMNS, cells, strict=True))
        assert set(axes) == {column for column, cell in stated.items() if cell == "-"}
        for column, cell in stated.items():
            if cell != "-":
                assert getattr(settings, column) == number(cell), (name, column)


def test_swept_values_are_the_published_ones() -> None:
    def axis(name: str) -> tuple[Any, ...]:
        ((_, values),) = PRESETS[name].axes.items()
        return values

    assert axis("LR1") == pytest.approx([0.001 * 30 ** (i / 5) for i in range(6)], rel=1e-3)
    assert axis("B1") == pytest.approx([-2 + 3 * i / 10 for i in range(11)])
    assert axis("E1") == pytest.approx([2 ** -(1 + 4 * i / 10) for i in range(11)], rel=1e-3)
    assert axis("K0") == (16, 32, 64, 128, 256, 512, 1024, 2048)
    assert axis("RG1") == pytest.approx([10.0**-i for i in range(1, 8)])
    assert (min(axis("D1")), max(axis("D1"))) == (0.001, 0.1)


def test_smaller_runs_keep_their_proportions() -> None:
    for name, preset in PRESETS.items():
        small = SCALES["small"](preset)
        before, after = preset.settings, small.settings
        assert before.N / before.m == after.N / after.m
        assert before.k / before.N == after.k / after.N
        assert before.eps == after.eps
        assert before.decay * before.steps == pytest.approx(after.decay * after.steps)
        assert SCALES["published"](preset) == preset, name
    assert SCALES["small"](PRESETS["K0"]).axes["k"] == (8, 16, 32, 64, 128, 256, 512, 1024)
    assert SCALES["small"](PRESETS["D1"]).axes["decay"][0] == pytest.approx(0.001 * 8)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_runs_for_64_steps(tmp_path: Path, name: str) -> None:
    preset = SCALES["small"](PRESETS[name])
    settings = replace(preset.settings, N=32, m=8, k=64, log2_batch_size=4, log2_training_steps=6)
    axes = preset.axes | ({"k": (4, 64)} if "k" in preset.axes else {})
    config = MonosemanticityConfig(settings, Device("cpu"), 0, axes, name, "small")
    result = engineer_monosemanticity(config, tmp_path)
    assert len(result.models) == len(config.points())
    losses: Any = result.claims["loss"]
    assert all(loss is not None and loss > 0 for loss in losses)
    assert result.history[-1].step == 64


@pytest.mark.slow
def test_larger_rates_and_negative_biases_make_neurons_monosemantic(tmp_path: Path) -> None:
    claims: dict[str, dict[str, Any]] = {}
    for name in ("LR1", "LR3"):
        preset = SCALES["small"](PRESETS[name])
        config = MonosemanticityConfig(
            preset.settings, resolve("cpu"), 0, preset.axes, name, "small"
        )
        claims[name] = dict(engineer_monosemanticity(config, tmp_path / name).claims)
    plain, negative = claims["LR1"], claims["LR3"]
    # several-fold at a similar loss, or a smaller one
    best = max(range(6), key=lambda i: plain["monosemantic_neurons"][i])
    assert plain["learning_rate"][best] > 0.01
    assert plain["monosemantic_per_feature"][best] > 0.5
    assert max(plain["monosemantic_neurons"][:3]) < plain["monosemantic_neurons"][best] / 10
    assert plain["loss"][best] < 1.1 * min(plain["loss"][:3])
    # at the same rates more still
    more = [
        b - a for a, b in zip(*(c["monosemantic_neurons"] for c in (plain, negative)), strict=True)
    ]
    assert sum(more) > 0
    assert sum(difference > 0 for difference in more) >= 3
