"""The outputs of models on a study's first prompts, held against the CPU."""

from pathlib import Path

import pytest
import torch

from mitool.actions.agreement import FIRST, outputs, require_same_outputs
from mitool.core.device import HOST, Device
from mitool.core.errors import RunError
from mitool.models.pretrained import load_pretrained
from mitool.pairs.files import PairTexts
from tests.analysis.attention.models import tiny_llama
from tests.fake_device import PLACE, fake_mps, reads_as_contiguous, scales

pytestmark = pytest.mark.filterwarnings("ignore:for .* copying from a non-meta parameter")

PAIRS = [
    PairTexts(f"w1 w{i} w3", f"w2 w{i} w3", ("w4",), ("w5",), None, i, f"pair {i}")
    for i in range(FIRST + 2)
]


def test_the_first_prompts_are_compared_with_the_gradient_of_the_embedding(tmp_path: Path) -> None:
    model = load_pretrained(tiny_llama(tmp_path))
    before = {name: weight.clone() for name, weight in model.model.named_parameters()}
    prompts = [torch.tensor([0, 4, 5]), torch.tensor([0, 6])]
    found = outputs(model, prompts, HOST, torch.float64)
    shapes = {name: tuple(value.shape) for name, value in found.items()}
    assert shapes == {
        "the output on prompt 1": (1, 3, 32),
        "the output on prompt 2": (1, 2, 32),
        "the gradient of the embedding": (32, 16),
    }
    assert {value.dtype for value in found.values()} == {torch.float64}
    for name, weight in model.model.named_parameters():
        assert torch.equal(weight, before[name])
        assert not weight.requires_grad


def test_a_pretrained_model_on_a_device_that_computes_right_is_studied(tmp_path: Path) -> None:
    model = load_pretrained(tiny_llama(tmp_path))
    with fake_mps():
        on_device = outputs(model, [torch.tensor([0, 4, 5])], PLACE, torch.float32)
        assert {value.device for value in on_device.values()} == {PLACE}
        require_same_outputs(model, PAIRS, 0, Device("mps"))


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (reads_as_contiguous("mm", "addmm", "bmm"), "the output on prompt"),
        (scales("_softmax_backward_data", 1.5), "the gradient of the embedding differs by"),
    ],
    ids=["forward", "backward"],
)
def test_one_on_a_device_that_computes_wrong_is_refused(
    fault: object, said: str, tmp_path: Path
) -> None:
    model = load_pretrained(tiny_llama(tmp_path))
    with fake_mps(fault), pytest.raises(RunError, match=f"the first prompts .* found that {said}"):
        require_same_outputs(model, PAIRS, 0, Device("mps"))


def test_nothing_is_computed_twice_on_the_cpu(tmp_path: Path) -> None:
    model = load_pretrained(tiny_llama(tmp_path))
    model.model.forward = lambda *args, **options: pytest.fail("computed")
    require_same_outputs(model, PAIRS, 0, Device("cpu"))
