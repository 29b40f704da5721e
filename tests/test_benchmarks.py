import contextlib
import importlib
import io
import json
import sys
from typing import Any
from unittest import mock

import pytest

from benchmarks.contention import compared
from benchmarks.printing import show
from benchmarks.train_step import compare
from mitool.core.device import resolve
from mitool.tasks.modadd import ModAdd
from mitool.training.data import TrainingData


def measured(name: str, *options: str) -> dict[str, Any]:
    """What a benchmark reports, on a size that takes no time."""
    main = importlib.import_module(f"benchmarks.{name}").main
    printed = io.StringIO()
    with (
        mock.patch.object(sys, "argv", [name, *options, "--json"]),
        contextlib.redirect_stdout(printed),
    ):
        main()
    report: dict[str, Any] = json.loads(printed.getvalue())
    return report


def test_figures_are_printed_with_their_names(capsys: pytest.CaptureFixture[str]) -> None:
    report = {"mitool_ms": 1.23456, "threads": 2}
    show(report, as_json=True)
    assert json.loads(capsys.readouterr().out) == report
    show(report, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines] == [["mitool_ms", "1.235"], ["threads", "2"]]


def test_training_steps_are_timed_beside_each_other() -> None:
    task, device = ModAdd(p=7), resolve("cpu", threads=1)
    with device.active():
        batch = TrainingData(task, task.training, 0, 0, device).full_batch
        assert batch is not None
        report = compare(task, batch, rounds=1)
    for name in ("ratio_to_transformer_lens", "ratio_to_floor", "ratio_to_own_products"):
        assert report[name] > 0
    ratio = report["transformer_lens_ms"] / report["mitool_ms"]
    assert report["ratio_to_transformer_lens"] == ratio


@pytest.mark.slow  # it measures memory in a process for each of the two steps
def test_the_training_benchmark_reports_times_and_memory() -> None:
    report = measured("train_step", "--p", "7", "--rounds", "1")
    assert report["mitool_ms"] > 0
    assert report["mitool_peak_mib"] > 0


@pytest.mark.slow  # it draws images in a process for each case
def test_the_fourier_benchmark_runs_and_measures_each_case() -> None:
    report = measured("fourier", "--p", "7", "--checkpoints", "2")
    for case in ("page", "page_and_images", "all_checkpoints"):
        assert report[f"{case}_s"] > 0
        assert report[f"{case}_peak_mib"] > 0


def test_the_patching_benchmark_runs_and_both_sweeps_agree() -> None:
    report = measured("patching", "--small", "--pairs", "3", "--tokens", "4")
    assert report["sites"] == 2 * 2 * 4
    assert report["largest_difference"] < 1e-5
    ratio = report["transformer_lens_s"] / report["mitool_s"]
    assert report["ratio_to_transformer_lens"] == ratio
    assert report["ratio_to_floor"] > 0


def test_the_circuits_benchmark_runs_and_reports_its_ratios() -> None:
    report = measured("circuits", "--small", "--pairs", "3", "--tokens", "4", "--repeats", "1")
    assert report["edges"] == report["exact_edges"] == 46
    for name in ("eap", "eap-ig"):
        assert report[f"{name}_ratio_to_floor"] == report[f"{name}_s"] / report[f"{name}_floor_s"]
    assert report["exact_speedup"] == report["full_passes_s"] / report["exact_s"]
    assert report["together_to_apart"] == report["ten_sizes_s"] / report["ten_apart_s"]


def test_methods_are_scored_on_planted_circuits() -> None:
    methods = ("eap", "eap-ig", "exact", "random")
    report = measured("planted", "--models", "and", "--methods", *methods)["and"]
    assert report["eap-ig"] == report["exact"] == 1
    assert report["eap"] < 0.95  # its steps are flat at the clean input
    assert 0.1 < report["random"] < 0.9


def test_the_superposition_benchmark_runs_and_reports_its_ratios() -> None:
    report = measured("superposition", "--batch-size", "512", "--rounds", "1", "--seconds", "0.001")
    for size in ("10x5to2", "10x100to20", "20x200to20"):
        ratio = report[f"{size}_published_ms"] / report[f"{size}_mitool_ms"]
        assert report[f"{size}_speedup"] == ratio
        assert report[f"{size}_ratio_to_floor"] > 0


@pytest.mark.slow  # each study is a process, with images and without
def test_the_start_up_benchmark_times_each_study() -> None:
    report = measured("start_up", "--rounds", "1", "--epochs", "20")
    assert len(report) == 9
    assert all(seconds > report["import_torch_s"] / 2 for seconds in report.values())


@pytest.mark.slow  # each size is trained for seconds
def test_the_benchmark_of_threads_compares_each_size() -> None:
    report = measured("threads", "--rounds", "1")
    assert report["d128_p59_megaflops"] > report["d32_p5_megaflops"] > 1
    assert all(value > 0 for value in report.values())


@pytest.mark.timed
def test_two_runs_at_once_do_not_collapse() -> None:
    """Two of p = 7, whose steps are short, were thirty times as slow as one alone."""
    report = compared("modadd", 2.0, None, ["--p", "7", "--frac-train", "0.8"])
    assert report["modadd_two_at_once"] < 4
