"""Attention: patterns, full circuits and measures of every head, of toy and pretrained models."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from mitool.analysis.attention.material import Material, material_of
from mitool.analysis.attention.result import AttentionResult, attention_result, claim_names
from mitool.analysis.attention.study import AttentionStudy, study
from mitool.core.config import as_dict
from mitool.models.subject import Studied
from mitool.pairs.files import read_pairs
from mitool.pairs.reading import (
    Reading,
    reading_of_pairs,
    reading_of_texts,
    reading_of_tokens,
)
from mitool.settings import AttentionSettings

__all__ = ["AttentionResult", "AttentionStudy", "analyze_attention", "claim_names"]


def analyze_attention(
    subject: Studied,
    settings: AttentionSettings | None = None,
    *,
    pairs: Path | None = None,
    texts: Sequence[str] = (),
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> AttentionResult:
    """Look at every head of a model.

    Args:
        pairs: a file (``mitool.pairs.files.read_pairs``), whose clean texts are read.
        texts: texts to read instead; of a toy model, the labels of tokens, apart by spaces.
        seed: of what is drawn.
        progress: told of the prompts done, and of all.

    Raises:
        InputError: the file of pairs cannot be used.
        UsageError: a text has tokens that the model does not know, or too many.
    """
    settings = settings or AttentionSettings()
    subject = subject.with_bos(settings.bos)
    material = material_of(subject, settings, seed, pairs, texts)
    reading = _reading(subject, material, pairs, texts)
    config = as_dict(settings) | {
        "seed": seed,
        "pairs": None if pairs is None else str(pairs),
        "prompts": list(texts),
        "read": material.name,
        "prompts_read": sum(map(len, material.prompts)),
        **reading.config,
    }
    result = attention_result(study(material, seed, progress), subject.describe(), config)
    return replace(result, warnings=(*reading.warnings, *result.warnings))


def _reading(
    subject: Studied, material: Material, pairs: Path | None, texts: Sequence[str]
) -> Reading:
    if pairs is not None:
        return reading_of_pairs(subject, read_pairs(pairs), sides=["clean"])
    if texts:
        return reading_of_texts(subject, texts)
    return reading_of_tokens(subject, material.prompts[0].tokens[0])
