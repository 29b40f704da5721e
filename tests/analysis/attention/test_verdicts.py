"""Verdicts on heads: each held against what would make it false."""

from dataclasses import replace
from typing import Any, ClassVar

import pytest
import torch
from pydantic.dataclasses import dataclass

from mitool import tasks
from mitool.analysis.attention import AttentionResult, analyze_attention
from mitool.analysis.attention.verdicts import Evidence, OfAnswer, Scored, Written, verdict
from mitool.cli.heads import heads_tables
from mitool.core.config import FROZEN
from mitool.models.transformer import ToyTransformer, TransformerConfig
from mitool.report import attention_report
from mitool.settings import ModelSettings
from mitool.tasks import Examples
from mitool.tasks.lists import ListTask
from mitool.tasks.majority import Majority
from mitool.tasks.skip_trigram import SkipTrigram
from tests.analysis.attention.models import subject_of

EVIDENCE = Evidence(
    to_answer=None,
    kinds={"previous_token": Scored(0.05, 0.06, 0.05), "induction": Scored(0.03, 0.02, 0.02)},
    kinds_on=None,
    rests_on_first=0.2,
    entropy=1.25,
    top_places=(("'x'", 0.31), ("position 3", 0.2)),
    writes=Written(top1=0.01, raised=0.5, copying_score=0.5),
    by_embeddings=False,
    rank_correlation=None,
    n_values=0,
    attribution=None,
    against="the mean of all outputs",
)
NOWHERE = "L1H2 looks most at 'x' (0.31), position 3 (0.20), over all prompts; entropy 1.25 nats"
NO_COPY = "it does not copy what it reads: OV top-1 0.010, copying score 0.50"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, f"{NOWHERE}; {NO_COPY}"),
        (
            {
                "kinds": {"previous_token": Scored(0.97, 0.06, 0.97)},
                "writes": Written(0.01, 0.02, 0.04),
            },
            "L1H2 is a previous-token head, looking at the token before (0.97 of its attention, "
            "0.06 by chance); it suppresses what it reads: OV top-1 0.010, copying score 0.04, own "
            "output above the mean for 2% of tokens",
        ),
        (
            {"kinds": {"induction": Scored(0.71, 0.02, 0.03)}, "writes": Written(0.99, 1, 0.9)},
            "L1H2 is an induction head, looking at what followed earlier occurrences of the same "
            "token (0.71 of its attention, 0.03 by chance) and copies it: OV top-1 0.990",
        ),
        # one that does not copy what it finds does not do induction
        (
            {"kinds": {"induction": Scored(0.71, 0.02, 0.03)}, "kinds_on": "random tokens"},
            "L1H2 looks where an induction head does, at what followed earlier occurrences of the "
            f"same token (0.71 of its attention on random tokens, 0.03 by chance); {NO_COPY}",
        ),
        # nor does one whose keys are always at the same positions
        ({"kinds": {"induction": Scored(0.89, 0.25, 0.89)}}, f"{NOWHERE}; {NO_COPY}"),
        (
            {
                "kinds": {"duplicate_token": Scored(0.25, 0.02, 0.1)},
                "writes": Written(0.01, 0.97, 0.95),
            },
            "L1H2 leans to earlier occurrences of the same token (0.25 of its attention, 0.10 by "
            "chance); it raises what it reads: OV top-1 0.010, copying score 0.95, own output "
            "above the mean for 97% of tokens",
        ),
        # twice chance is asked for: half of the attention of a head in a context of two is nothing
        (
            {"kinds": {"previous_token": Scored(0.5, 0.4, 0.5)}, "rests_on_first": 0.83},
            f"L1H2 rests on the first token (0.83 of its attention); {NO_COPY}",
        ),
        (
            {"to_answer": OfAnswer(0.805, 0.7, 0.1)},
            f"L1H2 leans to the operand that is the answer, in 80.50% of answers with a choice; "
            f"{NO_COPY}",
        ),
        (
            {
                "to_answer": OfAnswer(0.7, 0.6, 0.5),
                "writes": Written(0.0, 0.0, None),
                "attribution": -1.5,
                "against": "the wrong answer's",
            },
            f"{NOWHERE}; it writes nothing; it adds -1.5 to the answer's logit by itself, less the "
            "wrong answer's",
        ),
        # of 10 operands 7 or 8 are a majority's: a head that looks at all alike finds it as often
        ({"to_answer": OfAnswer(0.85, 0.6, 0.75)}, f"{NOWHERE}; {NO_COPY}"),
        # most of what it gives the operands, but next to none of what it has
        (
            {"to_answer": OfAnswer(1.0, 0.03, 0.5), "rests_on_first": 0.95},
            f"L1H2 rests on the first token (0.95 of its attention); {NO_COPY}",
        ),
        (
            {"to_answer": OfAnswer(0.99998, 0.9, 0.5)},
            f"L1H2 attends to the operand that is the answer in 99.998% of answers with a choice; "
            f"{NO_COPY}",
        ),
        # one large eigenvalue says nothing of most tokens
        (
            {"writes": Written(0.01, 0.55, 0.98)},
            f"{NOWHERE}; it does not copy what it reads: OV top-1 0.010, copying score 0.98",
        ),
        # outputs that are no tokens can be neither copied, raised nor suppressed
        ({"writes": None}, NOWHERE),
        # what an earlier layer wrote is not in the circuits of a later one
        (
            {"by_embeddings": True, "rank_correlation": 0.95, "n_values": 8},
            f"{NOWHERE}; it does not copy what it reads, by the tokens' embeddings alone: OV top-1 "
            "0.010, copying score 0.50; its scores rise with the token's value, by the tokens' "
            "embeddings alone (rank correlation 0.9500)",
        ),
        # three values are in order by chance in a third of all cases
        ({"rank_correlation": 1.0, "n_values": 3}, f"{NOWHERE}; {NO_COPY}"),
    ],
)
def test_verdicts_are_as_strong_as_the_numbers(change: dict[str, object], words: str) -> None:
    assert verdict("L1H2", replace(EVIDENCE, **change)) == words


@dataclass(frozen=True, config=FROZEN)
class Place(ListTask):
    """``[BOS, x1, .., xn, END]`` with the place of the largest x, from 0 on, at ``END``."""

    name: ClassVar[str] = "place"
    special: ClassVar[tuple[str, ...]] = ("END", "BOS")
    copies_operand: ClassVar[bool] = False
    outputs_are_tokens: ClassVar[bool] = False

    @property
    def d_vocab_out(self) -> int:
        return self.length

    @property
    def n_ctx(self) -> int:
        return self.length + 2

    def sample(self, n: int, generator: torch.Generator) -> Examples:
        values = self.draw(n, generator)
        bos, end = (self.column(name, n) for name in ("BOS", "END"))
        tokens = torch.cat([bos, values, end], dim=-1)
        return Examples(tokens, values.argmax(dim=-1, keepdim=True))


def untrained(task: tasks.Task, **settings: Any) -> AttentionResult:
    small = {"n_layers": 2, "n_heads": 2, "d_model": 8, "d_head": 4, "attn_only": True}
    cfg = TransformerConfig.for_task(ModelSettings(**{**small, **settings}), task)
    model = ToyTransformer(cfg).initialise(torch.Generator().manual_seed(0))
    return analyze_attention(subject_of(model, task))


@pytest.mark.parametrize(
    "task", [Place(length=4, max_value=9), SkipTrigram(groups=2, size=2, length=3)]
)
def test_what_is_no_token_is_neither_copied_nor_raised(task: tasks.Task) -> None:
    """Output 3 is a place, or a token that is never read, and no likeness of the token 3."""
    result = untrained(task)
    heads = [f"L{layer}H{head}" for layer in (0, 1) for head in (0, 1)]
    for head in heads:
        for measure in ("ov_top1", "ov_raised", "copying_score"):
            assert result.claims[f"{head}.{measure}"] is None
    (why,) = [warning for warning in result.warnings if "ov_top1" in warning]
    assert "does not say that its outputs are tokens" in why
    report = attention_report(result)
    said = [*result.verdicts, report.summary, *(figure.caption for figure in report.figures)]
    said += [line for line in heads_tables(result) if isinstance(line, str)]
    for word in ("copies", "copy it", "raises", "suppresses", "does not copy"):
        assert not [line for line in said if word in line]
    assert not {"virtual_heads", "ov_eigenvalues"} & {figure.name for figure in report.figures}
    outputs = next(f for f in report.figures if f.name == "ov_circuits").plot.data[0].x
    assert outputs[0] == "output 0"
    assert "ov_top1" not in result.arrays()


def test_a_task_says_whether_its_outputs_are_tokens() -> None:
    assert not tasks.Task.outputs_are_tokens
    said = {name for name in tasks.names() if tasks.get(name).outputs_are_tokens}
    assert set(tasks.names()) - said == {"skip-trigram"}
    # what is said to be a token is one that examples hold
    for name in tasks.names():
        task = tasks.get(name)()
        examples = task.sample(64, torch.Generator().manual_seed(0))
        answers = set(examples.targets[examples.targets >= 0].tolist())
        before = examples.tokens[:, : min(task.answer_positions) + 1]
        assert bool(answers & set(before.flatten().tolist())) == (name in said)


def test_a_head_that_looks_at_all_alike_finds_the_majority_by_chance() -> None:
    task = Majority(length=8, max_value=9)
    cfg = TransformerConfig.for_task(replace(task.model, d_model=8, d_head=4), task)
    model = ToyTransformer(cfg).initialise(torch.Generator().manual_seed(0))
    with torch.no_grad():
        for name in ("W_Q", "W_K", "b_Q", "b_K"):
            model.state_dict()[f"blocks.0.attn.{name}"].zero_()
    result = analyze_attention(subject_of(model, task))
    found = result.study.answer_operand
    assert found is not None
    # the first of equals, which is a majority's in as many cases as any other
    assert found.share.item() == pytest.approx(found.chance, abs=0.05)
    assert 0.6 < found.chance < 0.8
    assert found.attention.item() == pytest.approx(8 / 10 * found.chance, abs=1e-6)
    assert "the operand that is the answer" not in str(result.claims["L0H0.verdict"])
