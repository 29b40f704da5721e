"""Which studies take which architectures: the table of the page on pretrained models."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.huggingface.random_models import KINDS, OTHERS, n_variants
from tests.huggingface.studies import STUDIES, study_and_compare

PAGE = Path(__file__).parents[2] / "docs/pretrained.md"
DRAWN = re.compile(r"(<!-- made by tests/huggingface/test_support.py -->\n).*?(<!-- end -->)", re.S)
WRITES = "MITOOL_WRITE_SUPPORT"
"""The variable of the environment that has the table written and not compared."""

COMMANDS = {"patch": "patch", "circuit": "analyze circuit", "attn": "analyze attn"}
LENGTHS = (9, 6)

Outcomes = Mapping[str, Mapping[str, list[str | None]]]
"""By kind and study, for each variant why it was refused; None where it was not."""


@pytest.mark.long
def test_every_study_takes_the_first_variant_of_each_model(tmp_path: Path) -> None:
    """Each number is held against the model's own; the table has a row for each."""
    outcomes = outcomes_of(tmp_path, dict.fromkeys((*KINDS, *OTHERS), 1))
    refused = {
        kind: reasons[0]
        for kind, of_kind in outcomes.items()
        for reasons in of_kind.values()
        if reasons[0] is not None
    }
    assert set(refused) <= {"llama4_text"}, refused
    rows = re.findall(r"^\| `(\w+)` \|", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert rows == ["model_type", *sorted((*KINDS, *OTHERS))]


@pytest.mark.slow
def test_the_table_says_which_studies_take_which_models(tmp_path: Path) -> None:
    """Every study of every variant, each number of which is held against the model's own."""
    outcomes = outcomes_of(tmp_path, {kind: n_variants(kind) for kind in (*KINDS, *OTHERS)})
    for kind in KINDS:  # those that are promised, in some of their settings at least
        for study, reasons in outcomes[kind].items():
            assert None in reasons, f"{kind}, {study}: {reasons[0]}"
    page = PAGE.read_text(encoding="utf-8")
    drawn = DRAWN.sub(lambda found: found[1] + table(outcomes) + found[2], page)
    if os.environ.get(WRITES):
        PAGE.write_text(drawn, encoding="utf-8")
    assert page == drawn, f"docs/pretrained.md is not up to date: run this test with {WRITES}=1"


def outcomes_of(folder: Path, variants: Mapping[str, int]) -> Outcomes:
    """What becomes of every study of so many variants of each kind."""
    outcomes: dict[str, dict[str, list[str | None]]] = {}
    for kind, n in variants.items():
        outcomes[kind] = {study: [] for study in STUDIES}
        for seed in range(n):
            (folder / f"{kind}-{seed}").mkdir()
            found = study_and_compare(
                kind, seed, tuple(STUDIES), LENGTHS, folder / f"{kind}-{seed}"
            )
            for study, reason in found.items():
                outcomes[kind][study].append(reason)
    return outcomes


def table(outcomes: Outcomes) -> str:
    """A row for each architecture; under it the reasons, numbered."""
    reasons: dict[str, int] = {}
    lines = [
        "| `model_type` | " + " | ".join(f"`{name}`" for name in COMMANDS.values()) + " |",
        "|---" * (1 + len(COMMANDS)) + "|",
    ]
    for kind, of_kind in sorted(outcomes.items()):
        cells = []
        for study in COMMANDS:
            refused = [_short(reason) for reason in of_kind[study] if reason]
            numbers = [reasons.setdefault(reason, len(reasons) + 1) for reason in refused]
            marks = " ".join(f"({number})" for number in sorted(set(numbers)))
            is_some = len(refused) < len(of_kind[study])
            cells.append(f"✓ {marks}".strip() if is_some else f"no {marks}")
        lines.append(f"| `{kind}` | " + " | ".join(cells) + " |")
    notes = [f"{number}. {reason}." for reason, number in reasons.items()]
    return "\n".join([*lines, "", *notes]) + "\n"


def _short(reason: str) -> str:
    """A refusal without the name of the architecture and what differs by how much."""
    text = re.sub(r"^architecture \w+: ", "", reason)
    text = re.sub(r", with a largest difference of [^:]+(?=:)", "", text)
    text = re.sub(r" \(its logits differ by \S+ from those with sdpa\)", "", text)
    text = re.sub(r"transformers [\d.]+", "transformers", text)
    return text.replace("<", "&lt;").rstrip(".")
