"""What tests of analyses share."""

from typing import Any

import pytest
from torch import Tensor
from transformers.models.llama.modeling_llama import LlamaRMSNorm
from transformers.models.qwen3.modeling_qwen3 import Qwen3RMSNorm


@pytest.fixture
def exact_norms(monkeypatch: pytest.MonkeyPatch) -> None:
    """Norms in float64: the library's own go by way of float32, whose rounding hides errors."""

    def forward(norm: Any, x: Tensor) -> Tensor:
        variance = x.square().mean(dim=-1, keepdim=True)
        return norm.weight * x * (variance + norm.variance_epsilon).rsqrt()

    for norm in (LlamaRMSNorm, Qwen3RMSNorm):
        monkeypatch.setattr(norm, "forward", forward)
