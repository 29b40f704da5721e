"""Time studies of the README's first model as whole processes, beside ``import torch``, in turn.

With images and without, each the best of some rounds.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.printing import show

ROOT = Path(__file__).parents[1]
MODEL = ["train", "modadd", "--p", "29", "--frac-train", "0.8", "--epochs"]
STUDIES = {
    "fourier": ["analyze", "fourier"],
    "attn": ["analyze", "attn"],
    "patch": ["patch"],
    "circuit": ["analyze", "circuit"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="rounds, of which the best counts")
    parser.add_argument("--epochs", type=int, default=2000, help="of the model's training")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = str(Path(folder, "run"))
        plain = ["--quiet", "--format", "html"]
        mitool([*MODEL, str(options.epochs), "-o", run, *plain])
        commands = {"import_torch": ["-c", "import torch"]}
        for name, words in STUDIES.items():
            for kind in ("html", "html,png"):
                line = [*words, run, "--overwrite", "--quiet", "--format", kind]
                commands[f"{name}_{kind.replace(',', '_')}"] = ["-m", "mitool", *line]
        best = dict.fromkeys(commands, float("inf"))
        for _ in range(options.rounds):
            for name, arguments in commands.items():
                best[name] = min(best[name], seconds(arguments))
    show({f"{name}_s": value for name, value in best.items()}, as_json=options.json)


def mitool(arguments: list[str]) -> None:
    seconds(["-m", "mitool", *arguments])


def seconds(arguments: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True, capture_output=True)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
