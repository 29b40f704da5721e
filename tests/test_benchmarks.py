import json
import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def test_the_training_benchmark_runs_and_reports_its_ratios() -> None:
    """On a size that takes no time, so that no ratio is expected of it."""
    script = BENCHMARKS / "train_step.py"
    command = [sys.executable, str(script), "--p", "7", "--rounds", "1", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    for name in ("ratio_to_transformer_lens", "ratio_to_floor", "ratio_to_own_products"):
        assert report[name] > 0
    ratio = report["transformer_lens_ms"] / report["mitool_ms"]
    assert report["ratio_to_transformer_lens"] == ratio


def test_the_fourier_benchmark_runs_and_measures_each_case() -> None:
    script = BENCHMARKS / "fourier.py"
    command = [sys.executable, str(script), "--p", "7", "--checkpoints", "2", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    for case in ("page", "page_and_images", "all_checkpoints"):
        assert report[f"{case}_s"] > 0
        assert report[f"{case}_peak_mib"] > 0
