"""Time and memory of ``mitool analyze fourier``, whole processes, imports and page included.

A model is trained for a few epochs, which is enough to ask everything of it: the threshold is set
so that five frequencies count as key frequencies, as in a model that has grokked.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.printing import show
from mitool.analysis.fourier.form import cyclic_form
from mitool.analysis.fourier.logits import SumDirections, fit_cosines
from mitool.analysis.fourier.observe import in_float64, observe, pairs_of
from mitool.models.subject import load

KEYS = 5
MITOOL = [sys.executable, "-m", "mitool"]
CASES = {
    "page": ("--format", "html"),
    "page_and_images": (),
    "all_checkpoints": ("--checkpoints", "all", "--format", "html"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--p", type=int, default=113, help="modulus")
    parser.add_argument("--checkpoints", type=int, default=100, help="checkpoints of the run")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        call(
            *("train", "modadd", "--p", options.p, "--epochs", options.checkpoints - 1),
            *("--eval-every", 1, "--checkpoint-every", 1, "--format", "html", "-o", run),
        )
        command = ["analyze", "fourier", run, "--threshold", threshold(run), "--overwrite"]
        report: dict[str, float] = {"checkpoints": options.checkpoints}
        for name, extra in CASES.items():
            report[f"{name}_s"], report[f"{name}_peak_mib"] = call(*command, *extra)
    show(report, as_json=options.json)


def call(*arguments: object) -> tuple[float, float]:
    """Run a command; seconds, and the most memory that it held in MiB."""
    start = time.perf_counter()
    words = [*MITOOL, *map(str, arguments), "--quiet"]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"failed: {' '.join(words)}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def threshold(run: Path) -> float:
    """What ``KEYS`` frequencies of the run's logits reach.

    Worked out in this process, whose memory is not measured.
    """
    subject = load(run)
    form = cyclic_form(subject.task)
    seen = observe(in_float64(subject.model), pairs_of(subject.task, form, None), inside=False)
    fit = fit_cosines(seen.logits, SumDirections(form.sums.flatten(), form.order))
    return fit.shares.sort(descending=True).values[:KEYS][-1].item() * (1 - 1e-6)


if __name__ == "__main__":
    main()
