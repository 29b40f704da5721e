"""The cases, and what their models truly do."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from typer.testing import Result

from tests.huggingface.hooked import activations, logits_of, patched_logits

CASES = Path(__file__).parents[3] / "shared/data/cases"

Rows = list[dict[str, str]]
Run = Callable[..., Result]
SIDES = ("clean", "corrupted")
HEADING = "clean,corrupted,correct,incorrect\n"
WHOLE = 0.3633
"""The metric of the Llama of several cases on the pairs, as recorded."""


def document(done: Result) -> dict[str, Any]:
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def loaded(folder: str) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A case's model as transformers reads it, in float64, and its tokenizer."""
    config = AutoConfig.from_pretrained(CASES / folder, attn_implementation="eager")
    config.return_dict = True
    model = AutoModelForCausalLM.from_pretrained(
        CASES / folder, config=config, dtype=torch.float32, attn_implementation="eager"
    )
    model.set_experts_implementation("eager")
    model.double().eval().requires_grad_(False)
    return model, AutoTokenizer.from_pretrained(CASES / folder)


def rows_of(path: str) -> Rows:
    with (CASES / path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def encoded(tokenizer: PreTrainedTokenizerBase, text: str) -> Tensor:
    return torch.tensor([tokenizer(text)["input_ids"]])


def answers(tokenizer: PreTrainedTokenizerBase, row: dict[str, str]) -> list[int]:
    """The right and the wrong token of a row."""
    for names in (("correct_idx", "incorrect_idx"), ("clean_answer_idx", "corrupted_answer_idx")):
        if names[0] in row:
            return [int(row[name]) for name in names]
    found = [
        tokenizer(row[name], add_special_tokens=False)["input_ids"]
        for name in ("correct", "incorrect")
    ]
    assert all(len(tokens) == 1 for tokens in found)
    return [tokens[0] for tokens in found]


def differences(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, rows: Rows, side: str = "clean"
) -> list[float]:
    """logit(correct) - logit(incorrect) after each text."""
    found = []
    for row in rows:
        right, wrong = answers(tokenizer, row)
        last = logits_of(model, encoded(tokenizer, row[side]))[0, -1]
        found.append((last[right] - last[wrong]).item())
    return found


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def whole_llama() -> float:
    """The metric of the Llama whose weights the cases have in several states."""
    model, tokenizer = loaded("pair-columns/llama")
    return mean(differences(model, tokenizer, rows_of("missing-weights/pairs.csv")))


def effects_of_z(folder: str, pairs: str, layer: int) -> list[float]:
    """For each head, the share of the gap that its clean z restores in the corrupted runs."""
    model, tokenizer = loaded(folder)
    rows = rows_of(pairs)
    clean, corrupted = (mean(differences(model, tokenizer, rows, side)) for side in SIDES)
    patched: list[list[float]] = [[], [], [], []]
    for row in rows:
        right, wrong = answers(tokenizer, row)
        good, bad = (encoded(tokenizer, row[side]) for side in SIDES)
        z = activations(model, good).z[layer]
        for head, found in enumerate(patched):
            last = patched_logits(model, bad, layer, "z", z[:, :, head], head=head)[0, -1]
            found.append((last[right] - last[wrong]).item())
    return [(mean(found) - corrupted) / (clean - corrupted) for found in patched]


SIDES = ("clean", "corrupted")
