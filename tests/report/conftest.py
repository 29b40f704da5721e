"""Finished runs made by hand, hostile texts, and a reader of pages."""

import math
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from mitool.analysis.attention import AttentionResult
from mitool.core.result import Claim, Result
from mitool.report import Figure, find_browser
from mitool.report.figures import add_line, new_plot
from mitool.settings import AttentionSettings
from mitool.tasks.min import Min
from mitool.tasks.permute import Permute
from mitool.training import Evaluation, SeedsResult, TrainResult
from mitool.training.metrics import grokked_at, memorised_at
from tests.report.attention import analysed

LAST = 25_000
WEIGHTS = {
    "embed.W_E": (10.0, 22.0, 13.0),
    "pos_embed.W_pos": (1.4, 2.2, 0.7),
    "blocks.0.attn.W_Q": (9.0, 10.5, 4.1),
    "blocks.0.attn.W_K": (9.1, 10.2, 4.0),
    "blocks.0.attn.W_V": (9.0, 11.8, 7.2),
    "blocks.0.attn.W_O": (9.0, 12.4, 7.9),
    "blocks.0.mlp.W_in": (18.0, 24.0, 16.2),
    "blocks.0.mlp.W_out": (18.1, 25.5, 15.1),
    "unembed.W_U": (9.6, 20.0, 14.4),
}


def evaluation(epoch: int, answers: int = 1, delay: float = 1.0) -> Evaluation:
    """A point of a grokking run of modular addition, as published: the train loss is down by
    epoch 200, the test loss rises to 20 and falls to 2e-7 about epoch 9,000."""
    fitted = _rise(epoch, 100 * delay, 14)
    grokked = _rise(epoch, 8000 * delay, 150)
    forgetting = 1 - 0.6 * _rise(epoch, 7000 * delay, 900)
    train = 4.73 * (1 - fitted) + 3e-5 * forgetting * (1 - grokked) + 2e-7
    test = (4.73 + 16 * _rise(epoch, 400, 150) * forgetting) * (1 - grokked) ** 2 + 2e-7
    tests = [test * 0.2**position for position in range(answers)]
    return Evaluation(
        epoch=epoch,
        step=epoch,
        train_loss=train,
        test_loss=sum(tests) / answers,
        train_accuracy=min(1.0, 1.001 * fitted),
        test_accuracy=min(1.0, 0.009 + 0.992 * grokked),
        train_sequence_accuracy=min(1.0, 1.001 * fitted),
        test_sequence_accuracy=min(1.0, 0.009 + 0.992 * grokked),
        train_position_losses=[train] * answers,
        test_position_losses=tests,
        train_position_accuracies=[min(1.0, 1.001 * fitted)] * answers,
        test_position_accuracies=[min(1.0, 0.009 + 0.992 * grokked)] * answers,
        weight_norms={
            name: a + (b - a) * _rise(epoch, 300, 120) + (c - b) * _rise(epoch, 8800, 900)
            for name, (a, b, c) in WEIGHTS.items()
        },
        seconds=epoch * 0.004,
    )


def make_run(
    folder: Path, *, seed: int = 0, answers: int = 1, delay: float = 1.0, last: int = LAST
) -> TrainResult:
    history = tuple(evaluation(epoch, answers, delay) for epoch in range(0, last + 1, 25))
    end = history[-1]
    return TrainResult(
        subject={
            "task": {"name": "modadd", "parameters": {"p": 113}},
            "run": str(folder),
            "checkpoint": str(folder / "ckpt.safetensors"),
        },
        config=config(seed),
        claims={
            "epochs": last,
            "train_loss": end.train_loss,
            "test_loss": end.test_loss,
            "train_accuracy": end.train_accuracy,
            "test_accuracy": end.test_accuracy,
            "memorised_at": memorised_at(history),
            "grokked_at": grokked_at(history),
            "seconds_training": 100.2345678,
            "steps_per_second": 249.4,
        },
        warnings=() if grokked_at(history) else ("grokked_at is undefined",),
        folder=folder,
        history=history,
        answer_labels=tuple(f"answer {index}" for index in range(answers)),
    )


def config(seed: int | list[int]) -> dict[str, Any]:
    return {
        "task": {"name": "modadd", "parameters": {"p": 113}},
        "model": {
            "n_layers": 1,
            "n_heads": 4,
            "d_model": 128,
            "d_head": None,
            "act_fn": "relu",
            "normalization_type": "none",
            "attn_only": False,
        },
        "training": {
            "epochs": LAST,
            "optimizer": "adamw",
            "lr": 1e-3,
            "weight_decay": 1.0,
            "betas": [0.9, 0.98],
            "stop_test_loss": None,
        },
        "device": {"name": "cpu", "precision": "float32", "threads": 2},
        "seed": seed,
        "split_seed": 598,
    }


HOSTILE = (
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    '"\' onmouseover="alert(3)',
    "<img src=x onerror=alert(4)>",
    "<!-- <b>bold</b> & &lt;i&gt; %{x} {{ 7 * 7 }}",
)
"""Texts that would become tags, attributes or code where they are not escaped."""


class Tags(HTMLParser):
    """What a browser reads in a page: its elements with attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "img", "br", "input", "wbr"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open:
            self.texts.setdefault(self._open[-1], []).append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def a_figure(name: str = "curve", title: str = "A curve", caption: str = "It rises.") -> Figure:
    plot = new_plot("epoch", "loss (nats)")
    add_line(plot, "train", [0, 1, 2], [1.0, 2.0, 3.0])
    return Figure(name, title, caption, plot)


def a_result(claims: Mapping[str, Claim] | None = None, **other: Any) -> Result:
    return Result({}, other.pop("config", {}), claims or {}, **other)


needs_browser = pytest.mark.skipif(find_browser() is None, reason="no Chrome or Chromium")


@pytest.fixture
def run(tmp_path: Path) -> TrainResult:
    return make_run(tmp_path / "modadd-p113-seed0")


@pytest.fixture
def seeds(tmp_path: Path) -> SeedsResult:
    folder = tmp_path / "modadd-p113-seeds"
    numbers = [0, 1, 2]
    runs = tuple(make_run(folder / f"seed{s}", seed=s, delay=1 + 0.25 * s) for s in numbers)
    return SeedsResult(
        subject={**runs[0].subject, "run": str(folder), "seeds": numbers},
        config=config(numbers),
        claims={
            f"seed{s}.{name}": value
            for s, run in zip(numbers, runs, strict=True)
            for name, value in run.claims.items()
        },
        folder=folder,
        runs=runs,
    )


def _rise(epoch: float, middle: float, width: float) -> float:
    """From 0 to 1 about ``middle``."""
    return 1 / (1 + math.exp(-max(-60.0, min(60.0, (epoch - middle) / width))))


@pytest.fixture(scope="session")
def pairs() -> AttentionResult:
    """One layer of two heads, on all pairs of 5 numbers."""
    return analysed(Min(max_value=4), n_layers=1, n_heads=2, positional="zero")


@pytest.fixture(scope="session")
def lists() -> AttentionResult:
    """Two layers of three heads with two answers, on lists of numbers."""
    settings = AttentionSettings(examples=32, shown=4)
    return analysed(Permute(length=2, max_value=3), settings, n_layers=2, n_heads=3)
