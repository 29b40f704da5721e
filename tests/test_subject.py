"""Models by their names, and the division that a checkpoint says trained one."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mitool.core.errors import InputError
from mitool.models.subject import HUB_NAME, open_model
from mitool.tasks.modadd import ModAdd
from tests.analysis.attention.models import random_model, subject_of

SPLIT = {"frac_train": 0.3, "seed": 0, "method": "torch"}


@pytest.mark.parametrize("name", ["gpt2", "openai-community/gpt2", "EleutherAI/pythia-70m-v0"])
def test_names_on_the_hub(name: str) -> None:
    assert HUB_NAME.fullmatch(name)


@pytest.mark.parametrize("name", ["a/b/c", "../gpt2", "run.safetensors", "m.pth", "é", "x" * 300])
def test_what_is_no_name_on_the_hub_is_a_path(tmp_path: Path, name: str) -> None:
    assert not HUB_NAME.fullmatch(name)
    with pytest.raises(InputError, match=r"no such file; expected a|File name too long"):
        open_model(name)


@pytest.mark.parametrize(
    "record",
    [
        {},
        SPLIT | {"method": "numpy"},
        SPLIT | {"frac_train": 0.001},
        SPLIT | {"frac_train": 1e308},
        SPLIT | {"seed": 2**64},
        SPLIT | {"seed": -(2**63) - 1},
    ],
    ids=str,
)
def test_a_division_that_is_none_of_its_tasks_is_refused(record: dict[str, Any]) -> None:
    task = ModAdd(p=5)
    subject = subject_of(random_model(d_vocab=6, d_vocab_out=5, n_ctx=3), task)
    for seed in (2**64 - 1, -(2**63)):
        metadata = replace(subject.metadata, split=SPLIT | {"seed": seed})
        chosen = replace(subject, metadata=metadata).training_examples()
        assert chosen is not None
        assert len(chosen) == 7
    damaged = replace(subject, metadata=replace(subject.metadata, split=record))
    with pytest.raises(InputError, match="its split .* is none of this mitool's"):
        damaged.training_examples()
