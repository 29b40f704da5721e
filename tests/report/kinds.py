"""A small page of every kind that mitool writes, of real results in which every text that can come
from outside is hostile: names of tasks, folders and files, prompts, tokens and command lines.
"""

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

from pydantic.dataclasses import dataclass
from typer.testing import CliRunner

from mitool.analysis.attention import analyze_attention
from mitool.analysis.circuits import prepare_circuit
from mitool.analysis.fourier import analyze_fourier
from mitool.analysis.patching import Wanted, prepare_patching
from mitool.cli.main import app
from mitool.core.config import FROZEN
from mitool.core.device import resolve
from mitool.models.pretrained import Pretrained, load_pretrained
from mitool.report import (
    Report,
    attention_report,
    circuit_report,
    fourier_report,
    patching_report,
    render_page,
    superposition_report,
    training_report,
)
from mitool.settings import (
    AttentionSettings,
    CircuitSettings,
    ModelSettings,
    PatchSettings,
    TrainingSettings,
)
from mitool.tasks.min import Min
from mitool.tasks.modadd import ModAdd
from mitool.tasks.permute import Permute
from mitool.training import RunConfig, train
from tests.analysis.attention.models import tiny_llama
from tests.analysis.fourier.handset import subject_of, trig_model
from tests.cli.conftest import QUICK
from tests.report.attention import untrained
from tests.report.superposition import PRESETS, studied

NAME = "<img src=x onerror=alert(1)>"
"""Of tasks, folders and files."""

COMMAND = "mitool '</code><script>alert(2)</script>' --prompt '\" onmouseover=alert(3)'"

TOKENS = (
    "<b>",
    "<br>",
    "<sup>2</sup>",
    "<a/href='/'>z</a>",
    "<script>0</script>",
    "&lt;i&gt;",
)
"""Labels of tokens, some of which plotly would take for markup."""

FOUND = "<summary>", "%{x}", "{{7*7}}"


@dataclass(frozen=True, config=FROZEN)
class HostileMin(Min):
    name: ClassVar[str] = NAME

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return TOKENS[: self.max_value + 2]


@dataclass(frozen=True, config=FROZEN)
class HostilePermute(Permute):
    name: ClassVar[str] = NAME

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return (*TOKENS, *FOUND)[: len(super().vocabulary)]


@dataclass(frozen=True, config=FROZEN)
class HostileModAdd(ModAdd):
    name: ClassVar[str] = NAME


def training(folder: Path) -> Report:
    config = RunConfig(
        HostileMin(max_value=4),
        ModelSettings(n_layers=1, n_heads=2, d_model=8),
        TrainingSettings(epochs=6, lr=1e-2, weight_decay=0.1, betas=(0.9, 0.98)),
        resolve("cpu"),
    )
    return training_report(train(config, folder / NAME), COMMAND)


def fourier(folder: Path) -> Report:
    task = HostileModAdd(p=13)
    model = trig_model(task, {2: (1.1, 6.0), 5: (1.0, 5.0)})
    return fourier_report(analyze_fourier(subject_of(model, task)), COMMAND)


def attention(folder: Path) -> Report:
    subject = untrained(HostileMin(max_value=4), n_heads=2, positional="zero")
    return attention_report(analyze_attention(subject), COMMAND)


def attention_of_layers(folder: Path) -> Report:
    subject = untrained(HostilePermute(length=2, max_value=3), n_layers=2, n_heads=3)
    return attention_report(
        analyze_attention(subject, AttentionSettings(examples=32, shown=2)), COMMAND
    )


def attention_of_pretrained(folder: Path) -> Report:
    prompts = [" ".join(TOKENS), " ".join(reversed(TOKENS))]
    settings = AttentionSettings(shown=2)
    return attention_report(analyze_attention(llama(folder), settings, texts=prompts), COMMAND)


def patching(folder: Path, **wanted: Any) -> Report:
    subject = untrained(HostileMin(max_value=4), n_layers=2, n_heads=2, attn_only=False)
    settings = PatchSettings(n_pairs=6, resamples=100)
    return patching_report(prepare_patching(subject, settings, Wanted(**wanted)).run(), COMMAND)


def patching_of_pretrained(folder: Path) -> Report:
    settings = PatchSettings(resamples=100, by_position=True)
    found = prepare_patching(llama(folder), settings, Wanted(("z*",)), pairs=pairs(folder)).run()
    return patching_report(found, COMMAND)


def circuit(folder: Path, **options: Any) -> Report:
    subject = untrained(HostileMin(max_value=4), n_layers=2, n_heads=2, attn_only=False)
    settings = CircuitSettings(n_pairs=6, resamples=100, edges=12, **options)
    return circuit_report(prepare_circuit(subject, settings).run(), COMMAND)


def circuit_of_pretrained(folder: Path) -> Report:
    settings = CircuitSettings(resamples=100, edges=12, by_position=True)
    return circuit_report(
        prepare_circuit(llama(folder), settings, pairs=pairs(folder)).run(), COMMAND
    )


def llama(folder: Path) -> Pretrained:
    """A pretrained model in a folder of a hostile name, with hostile tokens."""
    return load_pretrained(str(tiny_llama(folder / NAME, words=TOKENS)))


def pairs(folder: Path) -> Path:
    """A file of pairs of a hostile name, with hostile texts."""
    path = folder / f"{NAME}.csv"
    shared = " ".join(TOKENS[2:])
    texts = f"{TOKENS[0]} {shared}", f"{TOKENS[1]} {shared}"
    lines = [f'"{texts[0]}","{texts[1]}",{answers}' for answers in ("3,4", "5,6")]
    path.write_text("\n".join(["clean,corrupted,correct_idx,incorrect_idx", *lines]))
    return path


def typed(folder: Path, *lines: Sequence[str]) -> Path:
    """The page that the last of some commands leaves in a folder of a hostile name."""
    for words in lines:
        arguments = [str(folder / NAME) if word == "RUN" else word for word in words]
        with mock.patch.object(sys, "argv", ["mitool", *arguments]):
            done = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert done.exit_code == 0, done.stderr
    return folder / NAME / "report.html"


def index(folder: Path, *lines: Sequence[str]) -> Path:
    typed(folder, *lines, ["report", "RUN"])
    return folder / NAME / "index.html"


def written(folder: Path, report: Callable[[Path], Report]) -> Path:
    made = report(folder)
    path = folder / "report.html"
    path.write_text(render_page(made), encoding="utf-8")
    return path


def superposition(name: str) -> Callable[[Path], Report]:
    return lambda folder: superposition_report(studied(name, PRESETS[name]), COMMAND)


TRAIN = ["train", "modadd", *QUICK, "-o", "RUN"]
HTML = ["--format", "html"]
SHORT = ["--log2-training-steps", "1"]
LIBRARY: dict[str, Callable[[Path], Report]] = {
    "training": training,
    "fourier": fourier,
    "attention": attention,
    "attention of layers": attention_of_layers,
    "attention of a pretrained model": attention_of_pretrained,
    "patching": patching,
    "patching of paths and edges": partial(
        patching, paths=("L0H*->logits",), edges=("L0H*->MLP1",)
    ),
    "patching of a pretrained model": patching_of_pretrained,
    "circuit of edges": circuit,
    "circuit of nodes": partial(circuit, level="node"),
    "circuit of neurons": partial(circuit, level="neuron"),
    "circuit of a pretrained model": circuit_of_pretrained,
    **{f"superposition, {name}": superposition(name) for name in PRESETS},
}
KINDS: dict[str, Callable[[Path], Path]] = {
    **{name: partial(written, report=report) for name, report in LIBRARY.items()},
    "seeds": lambda folder: typed(folder, [*TRAIN, "--seeds", "0-1"]),
    "fourier through training": lambda folder: typed(
        folder,
        TRAIN,
        ["analyze", "fourier", "RUN", "--checkpoints", "all", *HTML, "-o", "RUN", "--overwrite"],
    ),
    "sweep": lambda folder: typed(
        folder,
        ["sweep", f"train modadd {' '.join(QUICK[2:])}", "--grid", "p=5,7", "-o", "RUN", *HTML],
    ),
    "monosemanticity": lambda folder: typed(
        folder,
        ["superpose", "mono", "LR1", "--scale", "small", *HTML, "-o", "RUN", *SHORT],
    ),
    "index": lambda folder: index(
        folder,
        TRAIN,
        *(["analyze", kind, "RUN", *HTML] for kind in ("attn", "fourier")),
        ["patch", "RUN", *HTML],
    ),
}
"""How a page of each kind is made, in a folder."""
