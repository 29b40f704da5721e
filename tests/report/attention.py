"""Results of the analysis of attention, of small models with random weights."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from mitool.analysis.attention import AttentionResult, AttentionStudy, analyze_attention
from mitool.analysis.attention.result import attention_result
from mitool.analysis.attention.shown import ShownPattern
from mitool.core.config import as_dict
from mitool.models.subject import Subject
from mitool.models.transformer import ToyTransformer, TransformerConfig
from mitool.report import Figure, attention_figures
from mitool.settings import AttentionSettings, ModelSettings
from mitool.storage.checkpoint import Metadata, TaskRecord
from mitool.tasks import Task

SMALL = {"d_model": 8, "d_head": 4, "attn_only": True}


def analysed(
    task: Task, settings: AttentionSettings | None = None, **model: Any
) -> AttentionResult:
    return analyze_attention(untrained(task, **model), settings)


def untrained(task: Task, **model: Any) -> Subject:
    config = TransformerConfig.for_task(ModelSettings(**{**SMALL, **model}), task)
    network = ToyTransformer(config).initialise(torch.Generator().manual_seed(0))
    record = TaskRecord(task.name, as_dict(task))
    metadata = Metadata(
        kind="transformer",
        model=as_dict(config),
        task=record,
        training={},
        split=None,
        seed=0,
        step=0,
        epoch=0,
        version="0",
    )
    return Subject(Path("x"), network, task, metadata)


def by_name(result: AttentionResult) -> dict[str, Figure]:
    return {figure.name: figure for figure in attention_figures(result)}


def changed(result: AttentionResult, **changes: Any) -> AttentionResult:
    study: AttentionStudy = replace(result.study, **changes)
    return attention_result(study, result.subject, result.config)


def cells(trace: Any) -> torch.Tensor:
    known = [[torch.nan if value is None else value for value in row] for row in trace.z]
    return torch.tensor(known, dtype=torch.float64)


def assert_shows(trace: Any, values: torch.Tensor) -> None:
    torch.testing.assert_close(cells(trace), values.double(), rtol=1e-3, atol=1e-12, equal_nan=True)


def pattern_of(labels: tuple[str, ...], n_layers: int = 1, n_heads: int = 2) -> ShownPattern:
    size = (n_layers, n_heads, len(labels), len(labels))
    scores = torch.randn(size, generator=torch.Generator().manual_seed(1))
    ahead = torch.ones(len(labels), len(labels), dtype=torch.bool).triu(diagonal=1)
    return ShownPattern("prompt 1", labels, scores.masked_fill(ahead, -torch.inf).softmax(-1))
