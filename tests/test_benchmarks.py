import json
import subprocess
import sys
from pathlib import Path
from typing import Any

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def measured(script: str, *options: str) -> dict[str, Any]:
    """What a benchmark reports, on a size that takes no time."""
    command = [sys.executable, str(BENCHMARKS / script), *options, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def test_the_training_benchmark_runs_and_reports_its_ratios() -> None:
    report = measured("train_step.py", "--p", "7", "--rounds", "1")
    for name in ("ratio_to_transformer_lens", "ratio_to_floor", "ratio_to_own_products"):
        assert report[name] > 0
    ratio = report["transformer_lens_ms"] / report["mitool_ms"]
    assert report["ratio_to_transformer_lens"] == ratio


def test_the_fourier_benchmark_runs_and_measures_each_case() -> None:
    report = measured("fourier.py", "--p", "7", "--checkpoints", "2")
    for case in ("page", "page_and_images", "all_checkpoints"):
        assert report[f"{case}_s"] > 0
        assert report[f"{case}_peak_mib"] > 0


def test_the_patching_benchmark_runs_and_both_sweeps_agree() -> None:
    report = measured("patching.py", "--small", "--pairs", "3", "--tokens", "4")
    assert report["sites"] == 2 * 2 * 4
    assert report["largest_difference"] < 1e-5
    ratio = report["transformer_lens_s"] / report["mitool_s"]
    assert report["ratio_to_transformer_lens"] == ratio
    assert report["ratio_to_floor"] > 0
